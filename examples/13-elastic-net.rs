//! Ridge, lasso and elastic net: a line with a price on its slopes, along a path of prices.

use std::error::Error;

use clv::prelude::*;
use clv::{Erased, Feature};

fn main() -> Result<(), Box<dyn Error>> {
    let log = clv_examples::shop()?;
    let backtest = clv_examples::backtest(&log)?;
    let horizon = backtest.split().horizon();
    // Windows that overlap say nearly the same: what a price on slopes is for.
    let mut features = Feature::of_summary(log.amount().is_some());
    for weeks in [4.0, 8.0, 13.0, 26.0] {
        features.push(Feature::PurchasesWithin(Span::weeks(weeks)?));
    }

    let training = backtest.training()?;
    println!("the lasso leaves columns out as the price rises:");
    for penalty in [0.001, 0.03, 0.1, 0.3] {
        let settings = ElasticNet::lasso(penalty)?.over(horizon).features(features.clone());
        let model = settings.fit(&training, &Context::default())?.model;
        let slopes = model.columns().iter().zip(model.purchases_model().slopes());
        let kept: Vec<&str> = slopes.filter(|(_, s)| **s != 0.0).map(|(name, _)| name.as_str()).collect();
        println!("    {penalty:>5}: {}", if kept.is_empty() { "none".to_owned() } else { kept.join(", ") });
    }
    for (name, settings) in [
        ("ridge 0.1", ElasticNet::ridge(0.1)?),
        ("lasso 0.1", ElasticNet::lasso(0.1)?),
        ("elastic net 0.1, half", ElasticNet::new(0.1, 0.5)?),
    ] {
        let settings = Box::new(Erased(settings.over(horizon).features(features.clone())));
        clv_examples::judge(&backtest, name, settings)?;
    }
    Ok(())
}
