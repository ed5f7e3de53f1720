//! A stack: unlike models added up, by the weights that would have served best one window ago.

use std::error::Error;

use clv::Erased;
use clv::model::Stack;
use clv::prelude::*;

fn main() -> Result<(), Box<dyn Error>> {
    let log = clv_examples::shop()?;
    let backtest = clv_examples::backtest(&log)?;
    let horizon = backtest.split().horizon();
    // Without amounts there is no spend to join.
    let shelf = if log.amount().is_some() { clv::shelf::with_spend } else { clv::shelf::settings };
    let members = ["pareto-nbd", "tweedie-glm", "boosted-tweedie"];
    let settings = Stack::of(&members, shelf, horizon)?;

    let model = settings.fit(&backtest.training()?, &Context::default())?.model;
    for (name, weight) in model.purchase_weights() {
        println!("purchases: {weight:.3} × {name}");
    }
    for (name, weight) in model.value_weights() {
        println!("value: {weight:.3} × {name}");
    }
    for name in members {
        clv_examples::judge(&backtest, name, shelf(name, horizon)?)?;
    }
    clv_examples::judge(&backtest, "stack", Box::new(Erased(settings)))
}
