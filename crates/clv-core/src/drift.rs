//! Have the customers changed since a model was trained?

use crate::error::{Error, Result};
use crate::features::FeatureMatrix;
use crate::learn::{Regress, Rows, folds, out_of_fold};
use crate::metrics::Pairs;
use crate::metrics::probability::roc_auc;
use crate::model::Context;
use crate::transform::quantile;

/// Share that an empty bin counts as, so that its logarithm is finite.
const NONE: f64 = 1e-4;

/// How far a column has moved.
#[derive(Clone, Debug, PartialEq)]
pub struct ColumnDrift {
    /// Its name.
    pub column: String,
    /// Population stability index `Σ (q − p) ln(q / p)` over the bins that ten quantiles of the reference
    /// make, equal ones being one. By custom below 0.1 is nothing, above 0.25 is a shift to act on.
    pub psi: f64,
    /// Largest distance between the two distribution functions: Kolmogorov and Smirnov's `D`.
    pub ks: f64,
}

/// How far each column has moved between the rows that were trained on and the rows that are scored now,
/// the farthest by PSI first.
///
/// # Errors
///
/// [`Error::TooLittleData`] if either has no rows, [`Error::MissingColumn`] for a column that is no longer
/// there, [`Error::Cell`] for a value that is not finite.
///
/// ```
/// use clv_core::FeatureMatrix;
///
/// let age = |shift: f64| {
///     FeatureMatrix::new(vec!["age".into()], (0..100).map(|i| f64::from(i) + shift).collect())
/// };
/// let same = clv_core::drift::between(&age(0.0)?, &age(0.0)?)?;
/// assert_eq!((same[0].psi, same[0].ks), (0.0, 0.0));
/// let moved = clv_core::drift::between(&age(0.0)?, &age(30.0)?)?;
/// assert!(moved[0].psi > 0.25 && (moved[0].ks - 0.3).abs() < 1e-12);
/// # Ok::<(), clv_core::Error>(())
/// ```
pub fn between(reference: &FeatureMatrix, now: &FeatureMatrix) -> Result<Vec<ColumnDrift>> {
    let mut found = Vec::with_capacity(reference.names().len());
    for (position, column) in reference.names().iter().enumerate() {
        let missing = || Error::MissingColumn { model: "a comparison", column: column.clone() };
        let there = now.position(column).ok_or_else(missing)?;
        let (before, after) = (sorted(reference, position)?, sorted(now, there)?);
        found.push(ColumnDrift {
            column: column.clone(),
            psi: psi(&before, &after),
            ks: ks(&before, &after),
        });
    }
    found.sort_by(|a, b| b.psi.total_cmp(&a.psi));
    Ok(found)
}

fn sorted(rows: &FeatureMatrix, column: usize) -> Result<Vec<f64>> {
    let mut values: Vec<f64> = rows.column(column).collect();
    if values.is_empty() {
        return Err(Error::TooLittleData { model: "a comparison", needs: "rows on both sides", found: 0 });
    }
    if let Some(row) = values.iter().position(|v| !v.is_finite()) {
        let (column, given) = (rows.names()[column].clone(), values[row]);
        return Err(Error::Cell { row, column, given, allowed: "finite numbers" });
    }
    values.sort_unstable_by(f64::total_cmp);
    Ok(values)
}

fn psi(before: &[f64], after: &[f64]) -> f64 {
    let mut borders: Vec<f64> = (1..10).map(|i| quantile(before, f64::from(i) / 10.0)).collect();
    // What fell below all there was is a bin of its own.
    borders.insert(0, before[0].next_down());
    borders.dedup();
    let shares = |values: &[f64]| -> Vec<f64> {
        let below = borders.iter().map(|border| values.partition_point(|v| v <= border));
        let ends: Vec<usize> = std::iter::once(0).chain(below).chain([values.len()]).collect();
        ends.windows(2).map(|pair| ((pair[1] - pair[0]) as f64 / values.len() as f64).max(NONE)).collect()
    };
    shares(before).iter().zip(shares(after)).map(|(p, q)| (q - p) * (q / p).ln()).sum()
}

fn ks(before: &[f64], after: &[f64]) -> f64 {
    let share = |values: &[f64], x: f64| values.partition_point(|v| *v <= x) as f64 / values.len() as f64;
    let distance = |x: &f64| (share(before, *x) - share(after, *x)).abs();
    before.iter().chain(after).map(distance).fold(0.0, f64::max)
}

/// Can a learner tell the rows trained on from those scored now?
#[derive(Clone, Debug, PartialEq)]
pub struct Adversary {
    /// ROC area of telling them apart, by models that had not seen the row: .5 if it cannot.
    pub area: f64,
    /// Each column's name and the ROC area of telling them apart by it alone, the farthest from .5 first: the
    /// columns to blame.
    pub columns: Vec<(String, f64)>,
}

/// Adversarial validation: learns which rows are of now. It sees what [`between`] does not, columns that each
/// look the same and have moved together. Give it a learner of yes or no.
///
/// # Errors
///
/// [`Error::TooLittleData`] for fewer than five rows in all; [`Error::MissingColumn`] unless both have the
/// same columns; as [`Regress::regress`].
pub fn adversary(
    learner: &impl Regress,
    reference: &FeatureMatrix,
    now: &FeatureMatrix,
    cx: &Context<'_>,
) -> Result<Adversary> {
    let mut all = reference.clone();
    all.append(now)?;
    let target: Vec<f64> = (0..all.rows()).map(|row| f64::from(row >= reference.rows())).collect();
    let rows = Rows::new(&all, &target)?;
    let fold = folds(&rows, 5, cx.seed_value())?;
    let said = out_of_fold(learner, &rows, &fold, cx)?;
    let area = |scores: &[f64]| Pairs::new(&target, scores).map(|pairs| roc_auc(&pairs).unwrap_or(0.5));
    let mut columns = Vec::with_capacity(all.names().len());
    for (place, name) in all.names().iter().enumerate() {
        let values: Vec<f64> = all.column(place).collect();
        columns.push((name.clone(), area(&values)?));
    }
    columns.sort_by(|a, b| (b.1 - 0.5).abs().total_cmp(&(a.1 - 0.5).abs()));
    Ok(Adversary { area: area(&said)?, columns })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(values: &[f64]) -> FeatureMatrix {
        FeatureMatrix::new(vec!["x".into()], values.to_vec()).unwrap()
    }

    #[test]
    fn by_hand() {
        // Distribution functions are farthest apart at 2: 2/4 against 0.
        let found = between(&column(&[1.0, 2.0, 3.0, 4.0]), &column(&[3.0, 4.0, 5.0, 6.0])).unwrap();
        assert_eq!(found[0].ks, 0.5);
        // A column of 0 and 1: the only border is 0 (then 1), shares .8 and .2 against .5 and .5.
        let (before, after) = ([0.0, 0.0, 0.0, 0.0, 1.0].repeat(20), [0.0, 1.0].repeat(50));
        let found = between(&column(&before), &column(&after)).unwrap();
        let by_hand = (0.5 - 0.8) * (0.5_f64 / 0.8).ln() + (0.5 - 0.2) * (0.5_f64 / 0.2).ln();
        assert!((found[0].psi - by_hand).abs() < 1e-9, "{} {by_hand}", found[0].psi);
        assert!((found[0].ks - 0.3).abs() < 1e-12);
    }

    #[test]
    fn the_column_to_blame_comes_first_and_a_missing_one_is_named() {
        let names = vec!["still".to_owned(), "moved".to_owned()];
        let rows = |shift: f64| {
            let data = (0..200).flat_map(|i| [f64::from(i % 17), f64::from(i % 31) + shift]).collect();
            FeatureMatrix::new(names.clone(), data).unwrap()
        };
        let found = between(&rows(0.0), &rows(20.0)).unwrap();
        assert_eq!(found[0].column, "moved");
        assert!(found[1].psi < 1e-12);
        assert!(between(&rows(0.0), &column(&[1.0])).unwrap_err().to_string().contains("still"));
    }
}
