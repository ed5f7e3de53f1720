//! clv's side of the comparison of learners: writes feature tables, and learns from them.
//!
//! ```text
//! clv-learners simulate FOLDER CUSTOMERS OTHERS        a simulated shop, 20 columns
//! clv-learners log FOLDER FILE TRAIN_UNTIL WEEKS       a real log, broad columns; learned one horizon before
//! clv-learners learn FOLDER MODEL                      tweedie, squared or forest; prints seconds of CPU
//! clv-learners members FOLDER                          the smaller members, one JSON line each
//! ```
//!
//! A folder holds `train` and `test`, each columns and target as little-endian f64, row by row, and
//! `about.json`.

use std::error::Error;
use std::fs;
use std::path::Path;

use clv::prelude::*;
use clv::trees::Loss;
use clv::{Feature, FeatureMatrix};
use cpu_time::ProcessTime;
use serde_json::json;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["simulate", folder, customers, others] => {
            simulate(folder.as_ref(), customers.parse()?, others.parse()?)
        }
        ["log", folder, file, until, weeks] => log(folder.as_ref(), file.as_ref(), until, weeks.parse()?),
        ["learn", folder, model] => learn(folder.as_ref(), model),
        ["members", folder] => members(folder.as_ref()),
        _ => Err("usage: clv-learners simulate|log|learn FOLDER …".into()),
    }
}

fn simulate(folder: &Path, customers: usize, others: usize) -> Result<(), Box<dyn Error>> {
    let truth = PurchaseModel::new(ParetoNbd::new(0.55, 10.6, 0.61, 11.7)?, TimeUnit::Week);
    let spend = GammaGamma::new(6.2, 3.74, 15.4)?;
    let (start, end) = (Moment::parse_date("2023-01-01")?, Moment::parse_date("2024-06-30")?);
    let log =
        Simulation::new(customers + others, start, end, 42)?.run(&truth, TimeUnit::Week, Some(&spend))?;
    let cut = Cut::end_of(Moment::parse_date("2023-12-31")?, Grain::Day);
    let spans = [Span::weeks(4.0)?, Span::weeks(13.0)?];
    let mut plan = Feature::broad(&spans, true);
    plan.truncate(20);
    let split = Split::new(cut, Cut::end_of(end, Grain::Day))?;
    let backtest = Backtest::new(&log, split, TimeUnit::Week)?;
    let columns = backtest.training()?.features(&plan)?;
    let target = backtest.actual_value().ok_or("amounts are simulated")?;
    let of_train = customers * columns.rows() / (customers + others);
    let (train, test): (Vec<usize>, Vec<usize>) = (0..columns.rows()).partition(|row| *row < of_train);
    let pick = |rows: &[usize]| rows.iter().map(|&r| target[r]).collect::<Vec<_>>();
    write(folder, "train", &columns.select(&train)?, &pick(&train))?;
    write(folder, "test", &columns.select(&test)?, &pick(&test))?;
    about(folder, &columns)
}

fn log(folder: &Path, file: &Path, until: &str, weeks: f64) -> Result<(), Box<dyn Error>> {
    let log = clv::io::read_log(file, &clv::io::ReadOptions::new())?.log;
    let cut = Cut::end_of(Moment::parse_date(until)?, Grain::Day);
    let horizon = Span::weeks(weeks)?;
    let backtest = Backtest::new(&log, Split::new(cut, cut.plus(horizon))?, TimeUnit::Week)?;
    let training = backtest.training()?;
    let plan = Feature::broad(&[Span::weeks((weeks / 4.0).ceil())?, horizon], true);
    // Labels must be of windows as long as the holdout, or the scores say nothing of the learners.
    let labelled = training.labelled(horizon, &plan)?;
    let now = training.features(&plan)?;
    let scale = labelled.scale;
    let target: Vec<f64> = labelled.value.ok_or("amounts are needed")?.iter().map(|v| v * scale).collect();
    write(folder, "train", &labelled.features, &target)?;
    write(folder, "test", &now, backtest.actual_value().ok_or("amounts are needed")?)?;
    about(folder, &now)
}

fn about(folder: &Path, columns: &FeatureMatrix) -> Result<(), Box<dyn Error>> {
    fs::write(folder.join("about.json"), json!({"columns": columns.names()}).to_string())?;
    Ok(())
}

fn write(folder: &Path, part: &str, columns: &FeatureMatrix, target: &[f64]) -> Result<(), Box<dyn Error>> {
    let bytes = |values: &[f64]| values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>();
    fs::create_dir_all(folder)?;
    fs::write(folder.join(format!("{part}.x")), bytes(columns.as_slice()))?;
    fs::write(folder.join(format!("{part}.y")), bytes(target))?;
    Ok(())
}

fn read(path: &Path) -> Result<Vec<f64>, Box<dyn Error>> {
    let bytes = fs::read(path)?;
    Ok(bytes
        .chunks_exact(8)
        .map(|b| f64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]))
        .collect())
}

/// Columns and target to learn from, and columns to forecast.
fn tables(folder: &Path) -> Result<(FeatureMatrix, Vec<f64>, FeatureMatrix), Box<dyn Error>> {
    let about: serde_json::Value = serde_json::from_slice(&fs::read(folder.join("about.json"))?)?;
    let names: Vec<String> = serde_json::from_value(about["columns"].clone())?;
    let train = FeatureMatrix::new(names.clone(), read(&folder.join("train.x"))?)?;
    let test = FeatureMatrix::new(names, read(&folder.join("test.x"))?)?;
    Ok((train, read(&folder.join("train.y"))?, test))
}

/// Rows of each part of the smaller comparison.
const FEW: usize = 2_000;

fn members(folder: &Path) -> Result<(), Box<dyn Error>> {
    use clv::cluster::{Dbscan, GaussianMixture, Optics};
    use clv::linear::{RecursiveLeastSquares, Svm};
    use clv::transform::{Step, Transforms};

    let (train, target, test) = tables(folder)?;
    let cx = Context::default();
    // Learners, on logarithms: what one large customer does would drown the rest.
    let logs: Vec<f64> = target.iter().map(|y| y.max(0.0).ln_1p()).collect();
    let steps = Transforms::fit(&[Step::Standard], &train)?;
    let (x, new) = (steps.apply(&train)?, steps.apply(&test)?);
    let all = Rows::new(&x, &logs)?;
    let few: Vec<usize> = (0..FEW.min(x.rows())).collect();
    let chosen = clv::learn::Chosen::of(&all, &few)?;
    let tree = DecisionTree::new().depth(4);
    said(folder, "tree", || Ok(tree.regress(&all, &cx)?.model.predict(&new)?))?;
    let forest = RandomForest::new().trees(100).depth(10);
    said(folder, "forest", || Ok(forest.regress(&all, &cx)?.model.predict(&new)?))?;
    said(folder, "svm", || Ok(Svm::regression().regress(&chosen.rows()?, &cx)?.model.predict(&new)?))?;
    said(folder, "online", || {
        Ok(RecursiveLeastSquares::default().regress(&all, &cx)?.model.predict(&new)?)
    })?;
    said(folder, "selection", || {
        let best = clv::select::informative(&all, 8)?;
        let rows = best.apply(&x)?;
        let trees = BoostedTrees::new().regress(&Rows::new(&rows, &logs)?, &cx)?.model;
        Ok(trees.predict(&best.apply(&new)?)?)
    })?;
    said(folder, "components", || {
        let pca = clv::select::Pca::count(5)?.fit(&x)?;
        let line = LinearRegression.regress(&Rows::new(&pca.apply(&x)?, &logs)?, &cx)?.model;
        Ok(line.predict(&pca.apply(&new)?)?)
    })?;
    // Clusters, of the history's columns.
    let few = x.select(&few)?;
    let four = few.names()[..4].to_vec();
    let data = (0..few.rows()).flat_map(|r| few.row(r)[..4].to_vec()).collect();
    let few = FeatureMatrix::new(four, data)?;
    said(folder, "mixture", || {
        let model = GaussianMixture::new(4)?.transform(vec![]).cluster(&few, &cx)?;
        Ok(vec![model.bic()])
    })?;
    let label = |of: Vec<Option<usize>>| of.into_iter().map(|c| c.map_or(-1.0, |c| c as f64)).collect();
    said(folder, "dbscan", || {
        Ok(label(Dbscan::new(0.5, 10)?.transform(vec![]).cluster(&few, &cx)?.assign(&few)?))
    })?;
    said(folder, "optics", || Ok(label(Optics::new(10)?.transform(vec![]).order(&few, &cx)?.clusters(0.5))))?;
    // Drift of each column, by name.
    said(folder, "drift", || {
        let found = clv::drift::between(&train, &test)?;
        Ok(train
            .names()
            .iter()
            .map(|n| found.iter().find(|d| d.column == *n).map_or(0.0, |d| d.ks))
            .collect())
    })
}

fn said(
    folder: &Path,
    name: &str,
    run: impl FnOnce() -> Result<Vec<f64>, Box<dyn Error>>,
) -> Result<(), Box<dyn Error>> {
    let start = ProcessTime::now();
    let found = run()?;
    let seconds = start.elapsed().as_secs_f64();
    let bytes: Vec<u8> = found.iter().flat_map(|v| v.to_le_bytes()).collect();
    fs::write(folder.join(format!("member-{name}.f")), bytes)?;
    println!("{}", json!({"member": name, "seconds": seconds}));
    Ok(())
}

fn learn(folder: &Path, model: &str) -> Result<(), Box<dyn Error>> {
    let (train, target, test) = tables(folder)?;
    let rows = Rows::new(&train, &target)?;
    // As the peers: 200 trees of 32 leaves at a rate of .1.
    let boosted = |loss| BoostedTrees::new().loss(loss).trees(200).depth(5).learning_rate(0.1);
    match model {
        "default" => timed(folder, model, &BoostedTrees::new().loss(Loss::Tweedie(1.5)), &rows, &test),
        "tweedie" => timed(folder, model, &boosted(Loss::Tweedie(1.5))?, &rows, &test),
        "squared" => timed(folder, model, &boosted(Loss::Squared)?, &rows, &test),
        "ziln" => timed(folder, model, &clv::trees::BoostedZiln::new(boosted(Loss::Squared)?), &rows, &test),
        "forest" => timed(folder, model, &RandomForest::new().trees(20).depth(10), &rows, &test),
        "linear" => timed(folder, model, &LinearRegression, &rows, &test),
        _ => Err("models: default, tweedie, squared, ziln, forest, linear".into()),
    }
}

fn timed<R: Regress>(
    folder: &Path,
    name: &str,
    settings: &R,
    rows: &Rows<'_>,
    test: &FeatureMatrix,
) -> Result<(), Box<dyn Error>> {
    let start = ProcessTime::now();
    let model = settings.regress(rows, &Context::default())?.model;
    let train = start.elapsed().as_secs_f64();
    let start = ProcessTime::now();
    let forecast = model.predict(test)?;
    let predict = start.elapsed().as_secs_f64();
    let bytes: Vec<u8> = forecast.iter().flat_map(|v| v.to_le_bytes()).collect();
    fs::write(folder.join(format!("clv-{name}.f")), bytes)?;
    println!("{}", json!({"model": name, "train": train, "predict": predict, "rows": test.rows()}));
    Ok(())
}
