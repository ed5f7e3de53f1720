//! Who gives once a year, if at all? BG/BB on periods of a log: with a file, of the file; otherwise of the simulated
//! shop. The last third of the periods is kept back.

use std::error::Error;

use clv::btyd::{BgBbFit, Tries};
use clv::prelude::*;

fn main() -> Result<(), Box<dyn Error>> {
    let log = clv_examples::shop()?;
    let (first, last) = log.span().ok_or("the log is empty")?;
    // Twelve periods, eight of them known.
    let period = Span::days((last.days_since(first) / 12.0).floor())?;
    let ahead = 4;
    let end = Cut::end_of(last, Grain::Day);
    let cut = end.minus(Span::days(period.in_days() * f64::from(ahead))?);
    let purchases = Training::merge(&log, end)?;
    let known = Tries::of_log(&purchases, cut, period)?;
    let customers: Vec<(usize, Tries)> =
        known.iter().enumerate().filter_map(|(number, tries)| Some((number, (*tries)?))).collect();

    let rows: Vec<(Tries, f64)> = customers.iter().map(|(_, tries)| (*tries, 1.0)).collect();
    let fitted = BgBbFit::new().fit(&rows, TimeUnit::Day, &Context::default())?;
    for estimate in fitted.report.all_parameters() {
        println!("{:>6} {:.3}", estimate.name, estimate.value);
    }
    let donors = fitted.model;

    // Periods with a purchase among those that followed.
    let actual: Vec<f64> = customers
        .iter()
        .map(|(number, _)| {
            let bought = |k: u32| {
                let after = cut.plus(Span::days(period.in_days() * f64::from(k)).ok()?);
                let until = cut.plus(Span::days(period.in_days() * f64::from(k + 1)).ok()?);
                Some(u32::from(purchases.between(*number as u32, &after, &until).0 > 0))
            };
            let first_period = purchases.between(*number as u32, &cut, &cut.plus(period)).0 > 0;
            f64::from(u32::from(first_period) + (1..ahead).filter_map(bought).sum::<u32>())
        })
        .collect();
    let forecast: Vec<f64> = customers.iter().map(|(_, tries)| donors.expected(tries, ahead)).collect();
    let mean = vec![actual.iter().sum::<f64>() / actual.len() as f64; actual.len()];
    // Going on as before: the share of the opportunities taken.
    let same: Vec<f64> = customers
        .iter()
        .map(|(_, t)| f64::from(ahead * t.frequency()) / f64::from(t.opportunities().max(1)))
        .collect();
    println!("{:>12} {:>8} {:>8} {:>9} {:>9}", "", "MAE", "RMSE", "forecast", "came");
    for (name, said) in [("mean", &mean), ("as before", &same), ("BG/BB", &forecast)] {
        let scores = clv::backtest::Scores::of(&actual, said)?;
        let (total, came) = (scores.total_predicted, scores.total_actual);
        println!("{name:>12} {:>8.4} {:>8.4} {total:>9.0} {came:>9.0}", scores.mae, scores.rmse);
    }
    Ok(())
}
