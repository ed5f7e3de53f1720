//! Intervals for any learner: how much may a customer bring, at 80%? Learned from an earlier window, measured
//! on the one before the cut, judged by the holdout.

use std::error::Error;

use clv::learn::{Bands, Conformal, Distributed, ScaledBands};
use clv::prelude::*;
use clv::trees::BoostedZiln;

fn main() -> Result<(), Box<dyn Error>> {
    let log = clv_examples::shop()?;
    let backtest = clv_examples::backtest(&log)?;
    let horizon = backtest.split().horizon();
    let training = backtest.training()?;
    let plan = clv::Feature::broad(&[horizon], log.amount().is_some());
    let past = training.labelled(horizon, &plan)?;
    let brought = past.value.as_ref().unwrap_or(&past.purchases);
    let rows = Rows::new(&past.features, brought)?;
    let now = training.features(&plan)?;
    // A window shorter than the holdout says less than the holdout brings; it is multiplied by the share.
    let actual = backtest.actual_value().unwrap_or_else(|| backtest.actual_purchases());
    let cx = Context::default();

    println!("{:>34} {:>9} {:>9} {:>9} {:>12}", "at 80%", "within", "buyers", "width", "score");
    let trees = BoostedTrees::new().trees(80);
    let scaled = Conformal::split(&rows, 0.5, &cx, |rows| ScaledBands::learn(&trees, &trees, rows, &cx))?;
    told("forecast give or take a spread", &scaled, &now, actual, past.scale)?;
    let ziln = BoostedZiln::new(BoostedTrees::new().trees(80));
    let learn = |rows: &Rows<'_>| Ok(Distributed(ziln.regress(rows, &cx)?.model));
    told("zero-inflated lognormal", &Conformal::split(&rows, 0.5, &cx, learn)?, &now, actual, past.scale)?;
    told("the same, crosswise", &Conformal::cross(&rows, 4, &cx, learn)?, &now, actual, past.scale)?;
    println!(
        "score: width and what lies outside, ten times over; the lower the better (Gneiting and Raftery 2007)"
    );
    Ok(())
}

fn told<B: Bands>(
    name: &str,
    conformal: &Conformal<B>,
    now: &clv::FeatureMatrix,
    actual: &[f64],
    scale: f64,
) -> Result<(), Box<dyn Error>> {
    const LEVEL: f64 = 0.8;
    let mut scratch = Vec::new();
    let (mut within, mut buyers, mut bought, mut width, mut score) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for (row, y) in actual.iter().enumerate() {
        let (low, high) = conformal.interval(now.row(row), LEVEL, &mut scratch)?;
        let (low, high) = (low * scale, high * scale);
        let inside = f64::from((low..=high).contains(y));
        within += inside;
        width += high - low;
        score += high - low + 2.0 / (1.0 - LEVEL) * ((low - y).max(0.0) + (y - high).max(0.0));
        if *y > 0.0 {
            bought += 1.0;
            buyers += inside;
        }
    }
    let n = actual.len() as f64;
    println!(
        "{name:>34} {:>9.3} {:>9.3} {:>9.2} {:>12.2}",
        within / n,
        buyers / bought,
        width / n,
        score / n
    );
    Ok(())
}
