//! A decision tree: rules that a shop can read.

use std::error::Error;

use clv::Erased;
use clv::prelude::*;

fn main() -> Result<(), Box<dyn Error>> {
    let log = clv_examples::shop()?;
    let backtest = clv_examples::backtest(&log)?;
    let horizon = backtest.split().horizon();
    let settings = DecisionTree::new().over(horizon);

    let training = backtest.training()?;
    let model = settings.fit(&training, &Context::default())?.model;
    println!("purchases expected, by rule (times of weeks, multiplied by {:.2}):", model.scale());
    print!("{}", model.purchases_model());
    clv_examples::judge(&backtest, "decision tree", Box::new(Erased(settings)))?;
    Ok(())
}
