//! The main job: from a transaction log to what each customer is worth, with an honest backtest.
//!
//! ```sh
//! cargo run --release --example 01-quickstart                 # on a simulated shop
//! cargo run --release --example 01-quickstart -- orders.csv   # on your own file
//! ```

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

use clv::prelude::*;
use clv::shelf;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    // 1. Read, and see what became of every row.
    let log = match std::env::args().nth(1) {
        Some(file) => {
            let reading = clv::io::read_log(Path::new(&file), &clv::io::ReadOptions::new())?;
            println!("{}", reading.sources[0]);
            reading.log
        }
        None => clv_examples::simulated_shop()?,
    };
    println!("{}", log.ledger());
    let (first, last) = log.span().ok_or("no row could be used")?;
    println!("{} customers, {} to {}\n", log.customers().len(), first.date(), last.date());

    // 2. How good would the forecast have been? Hold out the last third and compare.
    let end = Cut::end_of(last, Grain::Day);
    let third = Span::days((end.last().days_since(first) / 3.0).floor())?;
    let split = Split::new(end.minus(third), end)?;
    let backtest = Backtest::new(&log, split, TimeUnit::Week)?;
    println!("Backtest: trained until {}, then {third} ahead", split.train.last().date());
    println!("{:>15} {:>10} {:>8} {:>8} {:>12} {:>8}", "model", "purchases", "MAE", "RMSE", "value", "Gini");
    for name in ["zero", "last-period", "linear", "boosted-trees", "bg-nbd", "pareto-nbd"] {
        let settings = shelf::settings_for(&backtest, name)?;
        let outcome = match backtest.run(name, &settings, &Context::default()) {
            Ok(outcome) => outcome,
            Err(error) => {
                println!("{name:>15} {error}");
                continue;
            }
        };
        let p = outcome.purchases;
        let value = outcome.value.map_or("–".into(), |v| format!("{:.0}", v.total_predicted));
        let gini = outcome.value.and_then(|v| v.normalized_gini).map_or("–".into(), |g| format!("{g:.3}"));
        println!(
            "{name:>15} {:>10.0} {:>8.3} {:>8.3} {value:>12} {gini:>8}",
            p.total_predicted, p.mae, p.rmse
        );
    }
    let actual = backtest.actual_value().map_or("–".into(), |v| format!("{:.0}", v.iter().sum::<f64>()));
    let bought = backtest.actual_purchases().iter().sum::<f64>();
    println!("{:>15} {bought:>10.0} {:>8} {:>8} {actual:>12}\n", "(what happened)", "", "");

    // 3. Fit on everything, and ask about the next year.
    let purchases = Purchases::of(&log, Grain::Day)?;
    let training = Training::new(&purchases, end, TimeUnit::Week)?;
    let fitted = MaximumLikelihood::<ParetoNbd>::new().fit(&training, &Context::default())?;
    for estimate in &fitted.report.parameters {
        println!(
            "{:>6} = {:.4} ± {:.4}",
            estimate.name,
            estimate.value,
            estimate.standard_error.unwrap_or(f64::NAN)
        );
    }
    for warning in &fitted.report.warnings {
        println!("warning: {warning}");
    }
    let model: Box<dyn Predict> = if log.amount().is_some() {
        let spend = shelf::SpendOrMean::default().fit(&training, &Context::default())?;
        for warning in &spend.report.warnings {
            println!("warning: {warning}");
        }
        Box::new(WithSpend::join(fitted.model, spend.model)?)
    } else {
        Box::new(fitted.model)
    };
    let who = training.summary().customers();
    let ask = Ask::over(Span::weeks(52.0)?).discount(Discount::yearly(0.1)?);
    let forecast = model.predict(&who, &ask)?;

    // 4. The most valuable customers, with their stage.
    let rules = StageRules::learn(&who);
    let (p_alive, expected) = (forecast.p_alive.unwrap_or_default(), forecast.purchases.unwrap_or_default());
    let worth = |row: usize| forecast.value.as_ref().map_or(Some(expected[row]), |v| v[row]).unwrap_or(0.0);
    let mut order: Vec<usize> = (0..who.len()).collect();
    order.sort_by(|a, b| worth(*b).total_cmp(&worth(*a)));
    println!(
        "\n{:>12} {:>4} {:>8} {:>9} {:>8} {:>10} {:>9}",
        "customer", "x", "P(alive)", "purchases", "spend", "value", "stage"
    );
    for &row in order.iter().take(10) {
        let name = log.customers().name(training.summary().customer[row]);
        let spend = forecast.spend.as_ref().and_then(|s| s[row]).map_or("–".into(), |s| format!("{s:.2}"));
        let value = forecast.value.as_ref().and_then(|v| v[row]).map_or("–".into(), |v| format!("{v:.2}"));
        println!(
            "{name:>12} {:>4} {:>8.3} {:>9.2} {spend:>8} {value:>10} {:>9}",
            who.frequency()[row],
            p_alive[row],
            expected[row],
            rules.by_rhythm(&who.history(row)).to_string(),
        );
    }
    let total: f64 = (0..who.len()).map(worth).sum();
    println!("\nAll {} customers over the next year: {total:.0}", who.len());
    Ok(())
}
