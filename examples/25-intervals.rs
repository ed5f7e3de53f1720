//! Intervals for any learner: how much may a customer bring, at 80% and 90%? Learned from windows
//! before the cut, judged by the holdout: the last sixth of the log, as seasons within it differ.

use std::error::Error;

use clv::learn::{Bands, Conformal, Distributed, ScaledBands};
use clv::prelude::*;
use clv::trees::BoostedZiln;

fn main() -> Result<(), Box<dyn Error>> {
    let log = clv_examples::shop()?;
    let (first, last) = log.span().ok_or("the log is empty")?;
    let end = Cut::end_of(last, Grain::Day);
    let horizon = Span::days((last.days_since(first) / 6.0).floor())?;
    let backtest = Backtest::new(&log, Split::new(end.minus(horizon), end)?, TimeUnit::Week)?;
    let horizon = backtest.split().horizon();
    let training = backtest.training()?;
    let plan = clv::Feature::broad(&[horizon], log.amount().is_some());
    let windows = training.windows(4, horizon, &plan)?;
    let brought =
        |past: &'_ clv::model::Labelled| past.value.clone().unwrap_or_else(|| past.purchases.clone());
    let targets: Vec<Vec<f64>> = windows.iter().map(brought).collect();
    let windows: Vec<Rows<'_>> = windows
        .iter()
        .zip(&targets)
        .map(|(past, y)| Rows::new(&past.features, y))
        .collect::<Result<_, _>>()?;
    let rows = windows.last().ok_or("the log is too short to look back")?;
    let now = training.features(&plan)?;
    let actual = backtest.actual_value().unwrap_or_else(|| backtest.actual_purchases());
    let cx = Context::default();

    println!("{:>34} {:>9} {:>9} {:>9} {:>12}", "", "within", "buyers", "width", "score");
    let trees = BoostedTrees::new().trees(80);
    let give_or_take = |rows: &Rows<'_>| ScaledBands::learn(&trees, &trees, rows, &cx);
    told("forecast give or take a spread", &Conformal::split(rows, 0.5, &cx, give_or_take)?, &now, actual)?;
    told("the same, over time", &Conformal::over_time(&windows, give_or_take)?, &now, actual)?;
    let ziln = BoostedZiln::new(BoostedTrees::new().trees(80));
    let learn = |rows: &Rows<'_>| Ok(Distributed(ziln.regress(rows, &cx)?.model));
    told("zero-inflated lognormal", &Conformal::split(rows, 0.5, &cx, learn)?, &now, actual)?;
    told("the same, crosswise", &Conformal::cross(rows, 4, &cx, learn)?, &now, actual)?;
    told("the same, over time", &Conformal::over_time(&windows, learn)?, &now, actual)?;
    println!(
        "score: width and what lies outside, ten (twenty) times over; the lower the better (Gneiting and Raftery 2007)"
    );
    Ok(())
}

fn told<B: Bands>(
    name: &str,
    conformal: &Conformal<B>,
    now: &clv::FeatureMatrix,
    actual: &[f64],
) -> Result<(), Box<dyn Error>> {
    for level in [0.8, 0.9] {
        let said = judge(conformal, now, actual, level)?;
        println!("{:>34} {}", format!("{name}, {:.0}%", 100.0 * level), said);
    }
    Ok(())
}

/// The share of customers within their interval, of buyers, the mean width, and the mean interval score.
fn judge<B: Bands>(
    conformal: &Conformal<B>,
    now: &clv::FeatureMatrix,
    actual: &[f64],
    level: f64,
) -> Result<String, Box<dyn Error>> {
    let mut scratch = Vec::new();
    let (mut within, mut buyers, mut bought, mut width, mut score) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for (row, y) in actual.iter().enumerate() {
        let (low, high) = conformal.interval(now.row(row), level, &mut scratch)?;
        let inside = f64::from((low..=high).contains(y));
        within += inside;
        width += high - low;
        score += high - low + 2.0 / (1.0 - level) * ((low - y).max(0.0) + (y - high).max(0.0));
        if *y > 0.0 {
            bought += 1.0;
            buyers += inside;
        }
    }
    let n = actual.len() as f64;
    Ok(format!("{:>9.3} {:>9.3} {:>9.2} {:>12.2}", within / n, buyers / bought, width / n, score / n))
}
