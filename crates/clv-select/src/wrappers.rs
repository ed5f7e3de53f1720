//! Through a learner.

use clv_core::learn::{Chosen, Regress, Regression, Rows, folds, out_of_fold};
use clv_core::{Context, Error, FeatureMatrix};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::{Selection, choose};

/// How much a model leans on a column.
#[derive(Clone, Debug, PartialEq)]
pub struct Importance {
    /// Its name.
    pub column: String,
    /// By how much the mean loss grows when the column's values are dealt anew among the rows: 0 if it does
    /// not matter, below 0 by chance.
    pub loss: f64,
    /// Standard deviation of that over the shuffles.
    pub deviation: f64,
}

/// Permutation importance (Breiman 2001; Fisher, Rudin and Dominici 2019), most important first: by how much
/// `loss(actual, forecast)` grows, on average over the rows, when a column is shuffled. Give it rows that
/// the model has not learned from. Of columns that say the same each looks dispensable.
///
/// # Errors
///
/// [`Error::Setting`] for no shuffle, [`Error::Length`] for rows of another width, or as
/// [`Regression::at`].
///
/// ```
/// use clv_core::learn::{Regress, Rows};
/// use clv_core::{Context, FeatureMatrix};
///
/// let row = |i: u32| [f64::from(i * 37 % 101), f64::from(i * 53 % 97)];
/// let columns = FeatureMatrix::new(vec!["a".into(), "b".into()], (0..200).flat_map(row).collect())?;
/// let target: Vec<f64> = (0..200).map(|i| 3.0 * row(i)[1]).collect();
/// let rows = Rows::new(&columns, &target)?;
/// let cx = Context::default();
/// let line = clv_linear::LinearRegression.regress(&rows, &cx)?.model;
/// let found = clv_select::permutation_importance(&line, &rows, 5, &cx, |y, f| (y - f).powi(2))?;
/// assert_eq!(found[0].column, "b");
/// assert!(found[0].loss > 1000.0 && found[1].loss.abs() < 1e-9);
/// # Ok::<(), clv_core::Error>(())
/// ```
pub fn permutation_importance<M: Regression>(
    model: &M,
    rows: &Rows<'_>,
    shuffles: usize,
    cx: &Context<'_>,
    loss: impl Fn(f64, f64) -> f64,
) -> Result<Vec<Importance>, Error> {
    if shuffles == 0 {
        return Err(Error::Setting { name: "shuffles", given: 0.0, allowed: "at least 1" });
    }
    let (names, width) = (rows.features().names(), model.width());
    if names.len() != width {
        return Err(Error::Length { column: "a row's columns", given: names.len(), expected: width });
    }
    let total = rows.total_weight();
    let mut scratch = Vec::new();
    let mut mean = |of: &mut dyn FnMut(usize, &mut [f64])| -> Result<f64, Error> {
        let (mut sum, mut values) = (0.0, vec![0.0; width]);
        for (row, y) in rows.target().iter().enumerate() {
            values.copy_from_slice(rows.features().row(row));
            of(row, &mut values);
            sum += rows.weight(row) * loss(*y, model.at(&values, &mut scratch)?);
        }
        Ok(sum / total)
    };
    let plain = mean(&mut |_, _| {})?;
    let mut rng = ChaCha8Rng::seed_from_u64(cx.seed_value());
    let mut order: Vec<usize> = (0..rows.len()).collect();
    let mut found = Vec::with_capacity(width);
    for (column, name) in names.iter().enumerate() {
        let mut grown = Vec::with_capacity(shuffles);
        for _ in 0..shuffles {
            cx.check()?;
            order.shuffle(&mut rng);
            let dealt = mean(&mut |row, values| values[column] = rows.features().row(order[row])[column])?;
            grown.push(dealt - plain);
        }
        let loss = grown.iter().sum::<f64>() / shuffles as f64;
        let deviation = (grown.iter().map(|g| (g - loss).powi(2)).sum::<f64>() / shuffles as f64).sqrt();
        found.push(Importance { column: name.clone(), loss, deviation });
    }
    found.sort_by(|a, b| b.loss.total_cmp(&a.loss));
    Ok(found)
}

/// Folds that a set of columns is judged by.
const FOLDS: usize = 4;

/// Recursive elimination (Guyon et al. 2002): learns, drops the column that matters least to `importance`,
/// learns again, until one is left; keeps the set with the least mean squared error over rows held out,
/// or the smallest within one standard error of it.
///
/// # Errors
///
/// As [`Regress::regress`]; [`Error::Length`] if `importance` does not say one number a column.
pub fn eliminate<R: Regress>(
    learner: &R,
    rows: &Rows<'_>,
    importance: impl Fn(&R::Model) -> Vec<f64>,
    cx: &Context<'_>,
) -> Result<Selection, Error> {
    let fold = folds(rows, FOLDS, cx.seed_value())?;
    let mut names = rows.features().names().to_vec();
    let mut rounds: Vec<(Vec<String>, f64, f64)> = Vec::new();
    let mut went: Vec<String> = Vec::new();
    loop {
        cx.check()?;
        let columns = choose(rows.features(), &names)?;
        let chosen = with_columns(rows, &columns)?;
        let forecast = out_of_fold(learner, &chosen, &fold, cx)?;
        let squares: Vec<f64> = forecast.iter().zip(rows.target()).map(|(f, y)| (y - f).powi(2)).collect();
        let over = |f: &dyn Fn(f64) -> f64| {
            squares.iter().enumerate().map(|(row, s)| rows.weight(row) * f(*s)).sum::<f64>()
        };
        let n = over(&|_| 1.0);
        let mean = over(&|s| s) / n;
        let error = (over(&|s| (s - mean).powi(2)) / n / n).sqrt();
        rounds.push((names.clone(), mean, error));
        if names.len() == 1 {
            break;
        }
        let weights = importance(&learner.regress(&chosen, cx)?.model);
        if weights.len() != names.len() {
            let (given, expected) = (weights.len(), names.len());
            return Err(Error::Length { column: "importance", given, expected });
        }
        let least =
            (1..weights.len()).fold(0, |l, c| if weights[c].abs() < weights[l].abs() { c } else { l });
        went.push(names.remove(least));
    }
    let best = rounds.iter().min_by(|a, b| a.1.total_cmp(&b.1));
    let bar = best.map_or(f64::INFINITY, |(_, mean, error)| mean + error);
    let kept = rounds.iter().rev().find(|(_, mean, _)| *mean <= bar).map(|r| r.0.clone()).unwrap_or_default();
    let dropped = went.iter().enumerate().filter(|(_, name)| !kept.contains(name));
    let why = |round: usize| {
        let (before, after) = (rounds[round].1, rounds[round + 1].1);
        format!("it mattered least; mean squared error {before:.6} with it, {after:.6} without")
    };
    Ok(Selection { dropped: dropped.map(|(round, name)| (name.clone(), why(round))).collect(), kept })
}

fn with_columns<'a>(rows: &Rows<'a>, columns: &'a FeatureMatrix) -> Result<Rows<'a>, Error> {
    let chosen = Rows::with_missing(columns, rows.target())?;
    match rows.weights() {
        None => Ok(chosen),
        Some(weights) => chosen.weighted(weights),
    }
}

/// Learning curve: the mean loss over rows held out when so many of the others are learned from. Where it
/// still falls at the end, more rows would help; where it is flat, only better columns would.
///
/// # Errors
///
/// [`Error::Setting`] unless shares are above 0 and at most 1; as [`Regress::regress`].
pub fn learning_curve<R: Regress>(
    learner: &R,
    rows: &Rows<'_>,
    shares: &[f64],
    cx: &Context<'_>,
    loss: impl Fn(f64, f64) -> f64,
) -> Result<Vec<(usize, f64)>, Error> {
    let fold = folds(rows, FOLDS, cx.seed_value())?;
    let mut curve = Vec::with_capacity(shares.len());
    let mut scratch = Vec::new();
    for &share in shares {
        clv_core::setting::some_share("share", share)?;
        let (mut sum, mut count, mut learned_from) = (0.0, 0.0, 0);
        for held in 0..FOLDS {
            let (out, mut others): (Vec<usize>, Vec<usize>) = (0..rows.len()).partition(|&r| fold[r] == held);
            others.shuffle(&mut ChaCha8Rng::seed_from_u64(cx.seed_value()));
            others.truncate(((others.len() as f64 * share).round() as usize).max(1));
            learned_from = learned_from.max(others.len());
            let model = learner.regress(&Chosen::of(rows, &others)?.rows()?, cx)?.model;
            for row in out {
                let forecast = model.at(rows.features().row(row), &mut scratch)?;
                sum += rows.weight(row) * loss(rows.target()[row], forecast);
                count += rows.weight(row);
            }
        }
        curve.push((learned_from, sum / count));
    }
    Ok(curve)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clv_linear::LinearRegression;
    use clv_trees::BoostedTrees;

    fn rows() -> (FeatureMatrix, Vec<f64>) {
        let row = |i: u32| {
            [
                f64::from(i * 37 % 101),
                f64::from(i * 53 % 97),
                f64::from(i * 7919 % 89),
                f64::from(i * 61 % 83),
            ]
        };
        let names = ["a", "b", "c", "d"].map(String::from).to_vec();
        let columns = FeatureMatrix::new(names, (0..400).flat_map(row).collect()).unwrap();
        let target = (0..400).map(|i| row(i)[0] + 0.3 * row(i)[2] + f64::from(i * 29 % 7)).collect();
        (columns, target)
    }

    #[test]
    fn what_matters_is_kept_by_lines_and_trees() {
        let (columns, target) = rows();
        let rows = Rows::new(&columns, &target).unwrap();
        let cx = Context::default();
        let by_line = eliminate(&LinearRegression, &rows, |line| line.slopes().to_vec(), &cx).unwrap();
        assert_eq!(by_line.kept, ["a", "c"], "{by_line}");
        assert!(by_line.dropped.iter().all(|(_, why)| why.contains("mattered least")));
        let trees = BoostedTrees::new().trees(60);
        let by_trees = eliminate(&trees, &rows, |model| model.importance(), &cx).unwrap();
        assert!(
            by_trees.kept.contains(&"a".to_owned()) && by_trees.kept.contains(&"c".to_owned()),
            "{by_trees}"
        );
        assert!(eliminate(&LinearRegression, &rows, |_| vec![1.0], &cx).is_err());

        let model = trees.regress(&rows, &cx).unwrap().model;
        let found = permutation_importance(&model, &rows, 3, &cx, |y, f| (y - f).abs()).unwrap();
        assert_eq!((found[0].column.as_str(), found[1].column.as_str()), ("a", "c"));
        assert!(found[0].loss > 10.0 * found[3].loss.abs() && found[0].deviation > 0.0);
    }

    #[test]
    fn a_learning_curve_falls_and_says_how_many_rows() {
        let (columns, target) = rows();
        let rows = Rows::new(&columns, &target).unwrap();
        let curve =
            learning_curve(&BoostedTrees::new(), &rows, &[0.1, 0.4, 1.0], &Context::default(), |y, f| {
                (y - f).powi(2)
            })
            .unwrap();
        assert_eq!((curve[0].0, curve[2].0), (30, 300));
        assert!(curve[0].1 > curve[1].1 && curve[1].1 > curve[2].1, "{curve:?}");
    }
}
