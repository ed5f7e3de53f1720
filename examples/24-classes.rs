//! Classes: in which tier of value will a customer be? One model a class, judged by precision, recall and
//! F1 of each.

use std::error::Error;

use clv::learn::OneVsRest;
use clv::metrics::classes::Confusion;
use clv::prelude::*;
use clv::trees::Loss;

/// Who brings nothing, the lower half of those who bring something, and the upper.
const TIERS: [&str; 3] = ["nothing", "some", "much"];

fn main() -> Result<(), Box<dyn Error>> {
    let log = clv_examples::shop()?;
    let backtest = clv_examples::backtest(&log)?;
    let horizon = backtest.split().horizon();
    let training = backtest.training()?;
    let plan = clv::Feature::broad(&[horizon], log.amount().is_some());
    let past = training.labelled(horizon, &plan)?;

    // The border is that of the past: of the holdout nobody knows it yet.
    let brought = past.value.as_ref().unwrap_or(&past.purchases);
    let mut above: Vec<f64> = brought.iter().copied().filter(|v| *v > 0.0).collect();
    above.sort_by(f64::total_cmp);
    let border = above.get(above.len() / 2).copied().ok_or("nobody came back")?;
    let tier = |value: &f64| usize::from(*value > 0.0) + usize::from(*value > border);
    let of = |values: &[f64]| values.iter().map(tier).collect::<Vec<_>>();

    let learner = OneVsRest::new(BoostedTrees::new().loss(Loss::Logistic).trees(80));
    let model = learner.learn(&past.features, &of(brought), TIERS.len(), &Context::default())?.model;
    let forecast = model.predict(&training.features(&plan)?)?;
    let happened = of(backtest.actual_value().unwrap_or_else(|| backtest.actual_purchases()));
    println!("window learned from: {}; judged on {horizon}", past.window);
    println!(
        "boosted trees, one a class:\n{}\n",
        Confusion::of(3, &happened, &forecast, None)?.report(&TIERS)
    );
    let naive = vec![0; happened.len()];
    let naive = Confusion::of(3, &happened, &naive, None)?;
    println!("everybody to the largest class has a mean F1 of {:.3}", naive.macro_f1().unwrap_or(0.0));
    let ours = Confusion::of(3, &happened, &forecast, None)?;
    println!("the trees one of {:.3}", ours.macro_f1().unwrap_or(0.0));
    Ok(())
}
