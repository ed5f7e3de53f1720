//! Support vector machines: as a regression of value, and as a classifier of churn whose margin is made a
//! probability, with the threshold that costs least.

use std::error::Error;

use clv::Erased;
use clv::learn::{Calibrated, Costs, Method};
use clv::linear::{Kernel, Svm};
use clv::metrics::classes::Confusion;
use clv::metrics::{Pairs, probability};
use clv::prelude::*;
use clv::transform::{Step, Transforms};

fn main() -> Result<(), Box<dyn Error>> {
    let log = clv_examples::shop()?;
    let backtest = clv_examples::backtest(&log)?;
    let horizon = backtest.split().horizon();
    // Time grows with the square of the rows: a thousand of them tell the shape.
    for (name, kernel) in
        [("linear kernel", Kernel::Linear), ("Gaussian kernel", Kernel::Gaussian { gamma: None })]
    {
        let svm = Svm::regression().kernel(kernel)?.rows(1_000).over(horizon).transform(vec![Step::Log]);
        clv_examples::judge(&backtest, name, Box::new(Erased(svm)))?;
    }
    println!("its forecasts are nearer to a median than to a mean: many small errors, and totals too low\n");

    // Churn: will a customer buy nothing within the horizon?
    let training = backtest.training()?;
    let plan = clv::Feature::of_summary(log.amount().is_some());
    let past = training.labelled(horizon, &plan)?;
    let churned = |bought: &[f64]| -> Vec<f64> { bought.iter().map(|x| f64::from(*x == 0.0)).collect() };
    let logs = Transforms::fit(&[Step::Log], &past.features)?;
    let (columns, target) = (logs.apply(&past.features)?, churned(&past.purchases));
    let learner = Calibrated::new(Svm::classifier().rows(1_000), Method::Platt);
    let model = learner.regress(&Rows::new(&columns, &target)?, &Context::default())?.model;

    let now = logs.apply(&training.features(&plan)?)?;
    let (forecast, happened) = (model.predict(&now)?, churned(backtest.actual_purchases()));
    let share = target.iter().sum::<f64>() / target.len() as f64;
    println!("{:>22} {:>8} {:>8}", "churn", "Brier", "AUC");
    for (name, forecast) in [("share of the past", &vec![share; happened.len()]), ("machine", &forecast)] {
        let pairs = Pairs::new(&happened, forecast)?;
        let area = probability::roc_auc(&pairs).unwrap_or(0.5);
        println!("{name:>22} {:>8.4} {area:>8.3}", probability::brier(&pairs));
    }

    // A voucher for somebody who would have come anyway costs 12, a customer lost 8.
    let costs = Costs::new(12.0, 8.0)?;
    let pairs = Pairs::new(&happened, &forecast)?;
    println!("a voucher above a probability of {}:", costs.threshold());
    println!("{:>22} {:>8.3} per customer", "nobody gets one", costs.of(&pairs, 1.0));
    println!("{:>22} {:>8.3} per customer", "everybody does", costs.of(&pairs, -1.0));
    println!("{:>22} {:>8.3} per customer", "by the machine", costs.of(&pairs, costs.threshold()));
    let class = |p: &[f64], threshold: f64| p.iter().map(|p| usize::from(*p > threshold)).collect::<Vec<_>>();
    let confusion = Confusion::of(2, &class(&happened, 0.5), &class(&forecast, costs.threshold()), None)?;
    println!("{}", confusion.report(&["stays", "leaves"]));
    Ok(())
}
