//! What the examples share: a shop to look at.

use std::error::Error;

use clv::prelude::*;

/// Two years of a simulated shop: 2,000 customers, who join over the first half year.
pub fn simulated_shop() -> Result<TransactionLog, Box<dyn Error>> {
    let customers = PurchaseModel::new(ParetoNbd::new(0.9, 8.0, 0.6, 15.0)?, TimeUnit::Week);
    let spend = GammaGamma::new(6.25, 3.74, 15.44)?;
    let (start, end) = (Moment::parse_date("2023-01-01")?, Moment::parse_date("2024-12-31")?);
    Ok(Simulation::new(2_000, start, end, 42)?.run(&customers, TimeUnit::Week, Some(&spend))?)
}

/// The end of a day.
pub fn end_of(day: &str) -> Result<Cut, Box<dyn Error>> {
    Ok(Cut::end_of(Moment::parse_date(day)?, Grain::Day))
}

/// The file named on the command line, or the simulated shop.
pub fn shop() -> Result<TransactionLog, Box<dyn Error>> {
    match std::env::args_os().nth(1) {
        Some(path) => {
            let reading = clv::io::read_log(path.as_ref(), &clv::io::ReadOptions::new())?;
            println!(
                "{}: {} rows kept of {}",
                path.display(),
                reading.log.ledger().kept,
                reading.log.ledger().read
            );
            Ok(reading.log)
        }
        None => simulated_shop(),
    }
}

/// The last 26 weeks of a log held out, or its last third if it is short.
pub fn backtest(log: &TransactionLog) -> Result<Backtest<'static>, Box<dyn Error>> {
    let (first, last) =
        log.time().iter().fold((None, None), |(first, last): (Option<Moment>, Option<Moment>), &time| {
            (Some(first.map_or(time, |f| f.min(time))), Some(last.map_or(time, |l| l.max(time))))
        });
    let (first, last) = first.zip(last).ok_or("the log is empty")?;
    let days = (last.days_since(first) / 3.0).floor().min(182.0);
    let end = Cut::end_of(last, Grain::Day);
    Ok(Backtest::new(log, Split::new(end.minus(Span::days(days)?), end)?, TimeUnit::Week)?)
}

/// A model's errors in what customers bring within the holdout, beside those of the mean and of zero.
/// There is no "accuracy": hardly any forecast of money is exactly right, and one that is says nothing
/// of the others.
pub fn judge(
    backtest: &Backtest<'_>,
    name: &str,
    settings: clv::backtest::BoxedFit,
) -> Result<(), Box<dyn Error>> {
    let horizon = backtest.split().horizon();
    let line = |name: &str, settings: &clv::backtest::BoxedFit| -> Result<(), Box<dyn Error>> {
        let outcome = backtest.run(name, settings, &Context::default())?;
        let scores = outcome.value.unwrap_or(outcome.purchases);
        let gini = scores.normalized_gini.unwrap_or(0.0);
        println!("{name:>22} {:>12.2} {:>9.3} {:>9.3} {gini:>7.3}", scores.mse, scores.mae, scores.rmse);
        Ok(())
    };
    println!("{:>22} {:>12} {:>9} {:>9} {:>7}", format!("over {horizon}"), "MSE", "MAE", "RMSE", "Gini");
    line("zero", &clv::shelf::settings("zero", horizon)?)?;
    line("mean", &clv::shelf::settings("mean", horizon)?)?;
    line(name, &settings)
}
