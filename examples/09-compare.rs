//! All models on one backtest, beside the naive forecasts that they have to beat.

use std::error::Error;

use clv::prelude::*;
use clv::shelf;

fn main() -> Result<(), Box<dyn Error>> {
    let log = clv_examples::simulated_shop()?;
    let split = Split::new(clv_examples::end_of("2024-06-30")?, clv_examples::end_of("2024-12-31")?)?;
    let backtest = Backtest::new(&log, split, TimeUnit::Week)?;
    let models = shelf::VALUE_MODELS
        .iter()
        .map(|name| Ok(((*name).to_owned(), shelf::settings_for(&backtest, name)?)))
        .collect::<Result<Vec<_>, clv::Error>>()?;
    println!("{:>15} {:>9} {:>8} {:>8} {:>8} {:>11}", "value", "total", "MAE", "RMSE", "Gini", "decile MAPE");
    for outcome in backtest.compare(&models, &Context::default())? {
        let Some(v) = outcome.value else { continue };
        println!(
            "{:>15} {:>9.0} {:>8.2} {:>8.2} {:>8.3} {:>11.3}",
            outcome.name,
            v.total_predicted,
            v.mae,
            v.rmse,
            v.normalized_gini.unwrap_or(0.0),
            v.decile_mape.unwrap_or(f64::NAN),
        );
    }
    let actual: f64 = backtest.actual_value().into_iter().flatten().sum();
    println!("{:>15} {actual:>9.0}", "(happened)");
    Ok(())
}
