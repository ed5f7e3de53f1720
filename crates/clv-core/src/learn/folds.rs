//! Folds of rows, and forecasts of rows by models that have not seen them.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::{Regress, Regression, Rows};
use crate::error::{Error, Result};
use crate::model::Context;

/// Deals rows into folds of nearly equal size by chance, each with its share of yes and no where targets are
/// that: the fold of each row. The same rows and seed
/// give the same folds whatever the rows' order (equal rows apart), because they are sorted first.
///
/// # Errors
///
/// [`Error::Setting`] for fewer than 2 folds, [`Error::TooLittleData`] for fewer rows than folds.
///
/// ```
/// use clv_core::FeatureMatrix;
/// use clv_core::learn::{Rows, folds};
///
/// let columns = FeatureMatrix::new(vec!["age".into()], vec![20.0, 30.0, 40.0, 50.0])?;
/// let dealt = folds(&Rows::new(&columns, &[1.0, 2.0, 3.0, 4.0])?, 2, 7)?;
/// assert_eq!(dealt.iter().filter(|f| **f == 0).count(), 2);
/// # Ok::<(), clv_core::Error>(())
/// ```
pub fn folds(rows: &Rows<'_>, count: usize, seed: u64) -> Result<Vec<usize>> {
    if count < 2 {
        return Err(Error::Setting { name: "folds", given: count as f64, allowed: "at least 2" });
    }
    if rows.len() < count {
        let needs = "at least one row a fold";
        return Err(Error::TooLittleData { model: "cross-validation", needs, found: rows.len() });
    }
    let mut order = canonical_order(rows);
    order.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    if rows.expect_yes_or_no().is_ok() {
        // Dealt one after the other, so that rare cases are not all in one fold.
        order.sort_by(|&a, &b| rows.target()[a].total_cmp(&rows.target()[b]));
    }
    let mut fold = vec![0; rows.len()];
    for (place, row) in order.into_iter().enumerate() {
        fold[row] = place % count;
    }
    Ok(fold)
}

/// Row numbers in an order that the rows themselves decide, so that what is drawn by chance hangs on the rows
/// and the seed, and not on how the rows were handed over.
pub fn canonical_order(rows: &Rows<'_>) -> Vec<usize> {
    let key =
        |row: usize| rows.features().row(row).iter().copied().chain([rows.target()[row], rows.weight(row)]);
    let mut order: Vec<usize> = (0..rows.len()).collect();
    order.sort_by(|&a, &b| {
        let unlike = key(a).zip(key(b)).map(|(a, b)| a.total_cmp(&b)).find(|o| o.is_ne());
        unlike.unwrap_or(std::cmp::Ordering::Equal)
    });
    order
}

/// Some rows, copied out.
#[derive(Debug)]
pub struct Chosen {
    features: crate::FeatureMatrix,
    target: Vec<f64>,
    weights: Option<Vec<f64>>,
}

impl Chosen {
    /// The rows of these numbers, in this order.
    ///
    /// # Errors
    ///
    /// As [`crate::FeatureMatrix::select`].
    pub fn of(rows: &Rows<'_>, chosen: &[usize]) -> Result<Self> {
        Ok(Self {
            features: rows.features().select(chosen)?,
            target: chosen.iter().map(|&r| rows.target()[r]).collect(),
            weights: rows.weights().map(|w| chosen.iter().map(|&r| w[r]).collect()),
        })
    }

    /// As rows to learn from.
    ///
    /// # Errors
    ///
    /// As [`Rows::new`].
    pub fn rows(&self) -> Result<Rows<'_>> {
        let rows = Rows::with_missing(&self.features, &self.target)?;
        match &self.weights {
            None => Ok(rows),
            Some(weights) => rows.weighted(weights),
        }
    }
}

/// The forecast of each row by a model learned from the folds that it is not in.
///
/// # Errors
///
/// As [`Regress::regress`].
pub fn out_of_fold<R: Regress>(
    learner: &R,
    rows: &Rows<'_>,
    fold: &[usize],
    cx: &Context<'_>,
) -> Result<Vec<f64>> {
    if fold.len() != rows.len() {
        return Err(Error::Length { column: "fold", given: fold.len(), expected: rows.len() });
    }
    let mut forecast = vec![0.0; rows.len()];
    let mut scratch = Vec::new();
    for held in 0..=fold.iter().copied().max().unwrap_or(0) {
        let (out, others): (Vec<usize>, Vec<usize>) = (0..rows.len()).partition(|&r| fold[r] == held);
        if out.is_empty() {
            continue;
        }
        let others = Chosen::of(rows, &others)?;
        let model = learner.regress(&others.rows()?, cx)?.model;
        for row in out {
            forecast[row] = model.at(rows.features().row(row), &mut scratch)?;
        }
    }
    Ok(forecast)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FeatureMatrix;
    use crate::learn::Mean;

    #[test]
    fn each_row_is_forecast_by_the_others_and_order_does_not_matter() {
        let columns = FeatureMatrix::new(vec!["x".into()], (0..9).map(f64::from).collect()).unwrap();
        let target: Vec<f64> = (0..9).map(|i| f64::from(i * i)).collect();
        let rows = Rows::new(&columns, &target).unwrap();
        let fold = folds(&rows, 3, 5).unwrap();
        let forecast = out_of_fold(&Mean, &rows, &fold, &Context::default()).unwrap();
        for row in 0..9 {
            let others: Vec<f64> = (0..9).filter(|&r| fold[r] != fold[row]).map(|r| target[r]).collect();
            assert_eq!(others.len(), 6);
            assert!((forecast[row] - others.iter().sum::<f64>() / 6.0).abs() < 1e-12);
        }
        let back: Vec<usize> = (0..9).rev().collect();
        let turned = Chosen::of(&rows, &back).unwrap();
        let again = folds(&turned.rows().unwrap(), 3, 5).unwrap();
        assert!((0..9).all(|r| again[r] == fold[8 - r]), "{fold:?} {again:?}");
        assert!(folds(&rows, 1, 5).is_err() && folds(&rows, 10, 5).is_err());
    }
}
