//! The Rust side of `summary.py`: `clv-summary summary|ordered|decode|features FILE END THREADS`.

use std::error::Error;
use std::path::PathBuf;

use clv::io::{Decoding, ReadOptions, read_into, read_ordered, read_scaled};
use clv::scale::OrderedSummary;
use clv::{Cut, Feature, Grain, Moment, Span, TimeUnit, Training};

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().collect();
    let [_, what, file, end, threads] = args.as_slice() else {
        return Err("usage: clv-summary summary|ordered|decode|features FILE END THREADS".into());
    };
    let files = [PathBuf::from(file)];
    let options = ReadOptions::new();
    if what == "decode" {
        let mut decoding = Decoding::default();
        read_into(&files, &options, &mut decoding)?;
        println!("{}", serde_json::json!({ "rows": decoding.ledger.kept }));
        return Ok(());
    }
    let threads: usize = threads.parse()?;
    let cut = Cut::end_of(Moment::parse_date(end)?, Grain::Day);
    if what == "features" {
        let reading = clv::io::read_log(&files[0], &options)?;
        let purchases = Training::merge(&reading.log, cut)?;
        drop(reading);
        let plan = Feature::broad(&[Span::weeks(4.0)?, Span::weeks(13.0)?], true);
        let columns = Training::new(&purchases, cut, TimeUnit::Day)?.features(&plan)?;
        let sum = |c: usize| columns.column(c).sum::<f64>();
        let sums: serde_json::Map<String, serde_json::Value> =
            columns.names().iter().enumerate().map(|(c, name)| (name.clone(), sum(c).into())).collect();
        println!("{}", serde_json::json!({ "customers": columns.rows(), "columns": sums }));
        return Ok(());
    }
    let summary = if what == "ordered" {
        let (ordered, _) = read_ordered(&files, &options, OrderedSummary::new(Grain::Day))?;
        ordered.summary(cut, TimeUnit::Week, Default::default())?.1
    } else {
        let (ledger, _) = read_scaled(&files, &options, Grain::Day, threads)?;
        ledger.summary(cut, TimeUnit::Week, Default::default(), threads)?.1
    };
    println!(
        "{}",
        serde_json::json!({
            "customers": summary.len(),
            "frequency": summary.frequency.iter().map(|x| f64::from(*x)).sum::<f64>(),
            "recency": summary.recency.iter().sum::<f64>(),
            "age": summary.age.iter().sum::<f64>(),
            "monetary": summary.spend.iter().flat_map(|s| &s.mean).sum::<f64>(),
        })
    );
    Ok(())
}
