//! A line that learns as orders come in, and lines of quantiles: half of the customers bring less than this.

use std::error::Error;

use clv::Erased;
use clv::linear::{QuantileRegression, RecursiveLeastSquares};
use clv::prelude::*;
use clv::transform::{Step, Transforms};

fn main() -> Result<(), Box<dyn Error>> {
    let log = clv_examples::shop()?;
    let backtest = clv_examples::backtest(&log)?;
    let horizon = backtest.split().horizon();
    let online = RecursiveLeastSquares::default().over(horizon).transform(vec![Step::Log, Step::Standard]);
    clv_examples::judge(&backtest, "recursive line", Box::new(Erased(online)))?;

    // The same line, row by row: as a service learns when a customer's window ends.
    let training = backtest.training()?;
    let plan = clv::Feature::of_summary(log.amount().is_some());
    let past = training.labelled(horizon, &plan)?;
    let steps = Transforms::fit(&[Step::Log, Step::Standard], &past.features)?;
    let columns = steps.apply(&past.features)?;
    let mut line = RecursiveLeastSquares::default().forgetting(0.9995)?.start(plan.len());
    for (row, y) in past.purchases.iter().enumerate() {
        line.update(columns.row(row), *y, 1.0)?;
        if [9, 99, 999].contains(&row) {
            println!(
                "after {:>5} customers: intercept {:+.3}, slopes {:+.3?}",
                row + 1,
                line.intercept(),
                line.slopes()
            );
        }
    }
    println!(
        "after {:>5} customers: intercept {:+.3}, slopes {:+.3?}\n",
        line.rows(),
        line.intercept(),
        line.slopes()
    );

    let now = steps.apply(&training.features(&plan)?)?;
    let actual = backtest.actual_purchases();
    println!("{:>10} {:>22} {:>22}", "quantile", "of the past below it", "of the holdout below");
    let rows = Rows::new(&columns, &past.purchases)?;
    for level in [0.5, 0.75, 0.9] {
        let line = QuantileRegression::new(level)?.regress(&rows, &Context::default())?.model;
        let below = |columns: &clv::FeatureMatrix, bought: &[f64], scale: f64| -> Result<f64, clv::Error> {
            let said = line.predict(columns)?;
            let under = said.iter().zip(bought).filter(|(s, y)| **y <= **s * scale + 1e-6).count();
            Ok(under as f64 / bought.len() as f64)
        };
        let (then, after) = (below(&columns, &past.purchases, 1.0)?, below(&now, actual, past.scale)?);
        println!("{level:>10} {then:>22.3} {after:>22.3}");
    }
    Ok(())
}
