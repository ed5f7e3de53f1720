//! Boosted trees on features: purchases and value, learned one horizon back.

use std::error::Error;

use clv::Feature;
use clv::prelude::*;
use clv::trees::Loss;

fn main() -> Result<(), Box<dyn Error>> {
    let log = clv_examples::simulated_shop()?;
    let horizon = Span::weeks(26.0)?;
    let end = clv_examples::end_of("2024-12-31")?;
    let backtest = Backtest::new(&log, Split::new(end.minus(horizon), end)?, TimeUnit::Week)?;
    println!("{:>28} {:>8} {:>8} {:>8}", "settings", "MAE", "RMSE", "Gini");
    let mut recent = Feature::of_summary(true);
    recent.extend([Feature::PurchasesWithin(Span::weeks(13.0)?), Feature::ValueWithin(Span::weeks(26.0)?)]);
    for (name, settings) in [
        ("as they come", BoostedTrees::new().over(horizon)),
        ("with recent columns", BoostedTrees::new().over(horizon).features(recent)),
        ("of Tweedie's deviance", BoostedTrees::new().loss(Loss::Tweedie(1.5)).over(horizon)),
        ("deep and many", BoostedTrees::new().depth(6).trees(600).over(horizon)),
    ] {
        let outcome = backtest.run(name, &clv::Erased(settings), &Context::default())?;
        let value = outcome.value.ok_or("the log has amounts")?;
        println!(
            "{name:>28} {:>8.2} {:>8.2} {:>8.3}",
            value.mae,
            value.rmse,
            value.normalized_gini.unwrap_or(0.0)
        );
    }
    Ok(())
}
