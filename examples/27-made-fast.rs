//! A slow, large model made fast: cleaned columns, principal components, a forest and a booster fused,
//! pruned, rounded. After each step its seconds, its size and its error, so that what a step costs is seen.
//! (Components are tried because they often are; trees seldom gain by them.)

use std::error::Error;
use std::time::Instant;

use clv::FeatureMatrix;
use clv::learn::Learned;
use clv::prelude::*;
use clv::select::{Pca, uncorrelated, varying};
use clv::trees::{BoostedTreesModel, ForestModel, Loss};

/// A step's numbers.
struct Line {
    name: &'static str,
    columns: usize,
    fit: f64,
    predict: f64,
    bytes: usize,
    forecast: Vec<f64>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let log = clv_examples::shop()?;
    let backtest = clv_examples::backtest(&log)?;
    let horizon = backtest.split().horizon();
    let training = backtest.training()?;
    let span = |share: f64| Span::days((horizon.in_days() * share).ceil());
    let spans = [span(0.1)?, span(0.25)?, span(0.5)?, horizon];
    let plan = clv::Feature::broad(&spans, log.amount().is_some());
    let past = training.labelled(horizon, &plan)?;
    let (then, now) = (past.features.clone(), training.features(&plan)?);
    let target = past.value.clone().unwrap_or(past.purchases.clone());
    let actual = backtest.actual_value().unwrap_or_else(|| backtest.actual_purchases());
    let mut lines = Vec::new();

    // Before: a thousand deep trees on every column.
    let large = RandomForest::new().trees(1_000).depth(14).min_leaf(2.0)?;
    lines.push(timed("1,000 deep trees", &large, &then, &target, &now, forest_bytes)?.0);

    // Cleaning: columns that do not vary, or say what another says.
    let kept = varying(&then, 1e-9)?;
    let kept = uncorrelated(&kept.apply(&then)?, 0.98)?;
    let (clean, clean_now) = (kept.apply(&then)?, kept.apply(&now)?);
    println!("{} columns: {} dropped", then.names().len(), then.names().len() - kept.kept.len());
    lines.push(timed("cleaned columns", &large, &clean, &target, &clean_now, forest_bytes)?.0);

    // Principal components.
    let pca = Pca::share(0.95)?.fit(&clean)?;
    let (parts, parts_now) = (pca.apply(&clean)?, pca.apply(&clean_now)?);
    lines.push(timed("principal components", &large, &parts, &target, &parts_now, forest_bytes)?.0);

    // A small forest and a booster on the cleaned columns, fused by the weights that serve best on the rows
    // that neither has learned from.
    let small = RandomForest::new().trees(100).depth(8);
    let boosted = BoostedTrees::new().loss(Loss::Tweedie(1.5)).trees(150);
    let rows = Rows::new(&clean, &target)?;
    let cx = Context::default();
    let fold = clv::learn::folds(&rows, 4, 1)?;
    let seen = [
        clv::learn::out_of_fold(&small, &rows, &fold, &cx)?,
        clv::learn::out_of_fold(&boosted, &rows, &fold, &cx)?,
    ];
    let share = best_share(&seen, &target);
    let (forest, _) = timed("small forest", &small, &clean, &target, &clean_now, forest_bytes)?;
    let (trees, model) = timed("booster", &boosted, &clean, &target, &clean_now, boosted_bytes)?;
    let fuse = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| share * a + (1.0 - share) * b).collect();
    lines.push(Line {
        name: "forest and booster fused",
        columns: clean.names().len(),
        fit: forest.fit + trees.fit,
        predict: forest.predict + trees.predict,
        bytes: forest.bytes + trees.bytes,
        forecast: fuse(&forest.forecast, &trees.forecast),
    });
    println!("the forest weighs {share:.2}, the booster {:.2}", 1.0 - share);
    lines.push(trees);

    // Pruned to fewer trees, then rounded.
    let pruned = model.first(80)?;
    lines.push(smaller("booster, 80 trees", &pruned, &clean_now)?);
    lines.push(smaller("the same, rounded to 64 steps", &pruned.quantised(64)?, &clean_now)?);

    println!(
        "{:>30} {:>8} {:>9} {:>12} {:>9} {:>9} {:>9}",
        "", "columns", "fit s", "predict ms", "kB", "MAE", "RMSE"
    );
    for line in &lines {
        let errors = || line.forecast.iter().zip(actual).map(|(f, y)| f * past.scale - y);
        let n = actual.len() as f64;
        println!(
            "{:>30} {:>8} {:>9.3} {:>12.2} {:>9.1} {:>9.3} {:>9.3}",
            line.name,
            line.columns,
            line.fit,
            1e3 * line.predict,
            line.bytes as f64 / 1e3,
            errors().map(f64::abs).sum::<f64>() / n,
            (errors().map(|e| e * e).sum::<f64>() / n).sqrt()
        );
    }
    clv_examples::judge(&backtest, "boosted trees", clv::shelf::settings_for(&backtest, "boosted-trees")?)
}

fn timed<R: Regress>(
    name: &'static str,
    settings: &R,
    then: &FeatureMatrix,
    target: &[f64],
    now: &FeatureMatrix,
    bytes: impl Fn(&R::Model) -> Result<usize, Box<dyn Error>>,
) -> Result<(Line, R::Model), Box<dyn Error>> {
    let start = Instant::now();
    let Learned { model, .. } = settings.regress(&Rows::new(then, target)?, &Context::default())?;
    let fit = start.elapsed().as_secs_f64();
    let start = Instant::now();
    let forecast = model.predict(now)?;
    let predict = start.elapsed().as_secs_f64();
    let (columns, bytes) = (then.names().len(), bytes(&model)?);
    Ok((Line { name, columns, fit, predict, bytes, forecast }, model))
}

fn forest_bytes(model: &ForestModel) -> Result<usize, Box<dyn Error>> {
    Ok(model.to_bytes()?.len())
}

fn boosted_bytes(model: &BoostedTreesModel) -> Result<usize, Box<dyn Error>> {
    Ok(model.to_bytes()?.len())
}

fn smaller(
    name: &'static str,
    model: &BoostedTreesModel,
    now: &FeatureMatrix,
) -> Result<Line, Box<dyn Error>> {
    let start = Instant::now();
    let forecast = model.predict(now)?;
    let predict = start.elapsed().as_secs_f64();
    Ok(Line { name, columns: now.names().len(), fit: 0.0, predict, bytes: boosted_bytes(model)?, forecast })
}

/// The weight of the first of two, from 0 to 1, with the least squared error.
fn best_share(seen: &[Vec<f64>; 2], target: &[f64]) -> f64 {
    let apart = || seen[0].iter().zip(&seen[1]).map(|(a, b)| a - b);
    let rest = seen[1].iter().zip(target).map(|(b, y)| y - b);
    let along: f64 = apart().zip(rest).map(|(d, r)| d * r).sum();
    (along / apart().map(|d| d * d).sum::<f64>()).clamp(0.0, 1.0)
}
