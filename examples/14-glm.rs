//! Generalised linear models: means that grow by factors, for counts, amounts and yes-or-no.

use std::error::Error;

use clv::Erased;
use clv::metrics::{Pairs, probability};
use clv::prelude::*;
use clv::transform::{Step, Transforms};

fn main() -> Result<(), Box<dyn Error>> {
    let log = clv_examples::shop()?;
    let backtest = clv_examples::backtest(&log)?;
    let horizon = backtest.split().horizon();
    for (name, glm) in [("Poisson", Glm::poisson()), ("Tweedie 1.5", Glm::tweedie(1.5)?)] {
        let settings = glm.penalty(1e-3)?.over(horizon).transform(vec![Step::Log]);
        clv_examples::judge(&backtest, name, Box::new(Erased(settings)))?;
    }

    // Churn: will a customer buy nothing within the horizon? Learned one horizon before the cut, and judged
    // by what came after it.
    let training = backtest.training()?;
    let plan = clv::Feature::of_summary(log.amount().is_some());
    let past = training.labelled(horizon, &plan)?;
    let churned = |bought: &[f64]| -> Vec<f64> { bought.iter().map(|x| f64::from(*x == 0.0)).collect() };
    let logs = Transforms::fit(&[Step::Log], &past.features)?;
    let (columns, target) = (logs.apply(&past.features)?, churned(&past.purchases));
    let logistic = Glm::logistic().penalty(1e-3)?;
    let model = logistic.regress(&Rows::new(&columns, &target)?, &Context::default())?.model;
    println!("log-odds of buying nothing within {}:", past.window);
    for (name, slope) in columns.names().iter().zip(model.slopes()) {
        println!("    {slope:+.3} × ln(1 + {name})");
    }
    let now = logs.apply(&training.features(&plan)?)?;
    let (forecast, happened) = (model.predict(&now)?, churned(backtest.actual_purchases()));
    let share = target.iter().sum::<f64>() / target.len() as f64;
    let base = vec![share; happened.len()];
    println!("{:>22} {:>8} {:>8} {:>8}", "churn", "Brier", "log loss", "AUC");
    for (name, forecast) in [("share of the past", &base), ("logistic", &forecast)] {
        let pairs = Pairs::new(&happened, forecast)?;
        println!(
            "{name:>22} {:>8.4} {:>8.4} {:>8.3}",
            probability::brier(&pairs),
            probability::log_loss(&pairs),
            probability::roc_auc(&pairs).unwrap_or(0.5),
        );
    }
    Ok(())
}
