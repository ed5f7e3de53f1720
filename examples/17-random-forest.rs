//! A random forest, and which columns it asks.

use std::error::Error;

use clv::prelude::*;
use clv::{Erased, Feature};

fn main() -> Result<(), Box<dyn Error>> {
    let log = clv_examples::shop()?;
    let backtest = clv_examples::backtest(&log)?;
    let horizon = backtest.split().horizon();
    let mut features = Feature::of_summary(log.amount().is_some());
    features.push(Feature::PurchasesWithin(Span::weeks(13.0)?));
    let settings = RandomForest::new().over(horizon).features(features);

    let training = backtest.training()?;
    let model = settings.fit(&training, &Context::default())?.model;
    println!("share of what the splits gained:");
    for (name, share) in model.columns().iter().zip(model.purchases_model().importance()) {
        println!("    {:>5.1}% {name}", 100.0 * share);
    }
    clv_examples::judge(&backtest, "random forest", Box::new(Erased(settings)))?;
    Ok(())
}
