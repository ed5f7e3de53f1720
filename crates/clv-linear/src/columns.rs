//! Columns centred and scaled, those that say nothing beside the others left out.

use clv_core::learn::Rows;
use clv_core::{Error, Warning};

/// What is left of a column's variance beside the others, below which it is left out.
const NOTHING_NEW: f64 = 1e-10;

/// Columns with mean 0 and variance 1, by the rows' weights.
#[derive(Debug)]
pub(crate) struct Standardised {
    /// Of all columns; a constant one has spread 0.
    pub mean: Vec<f64>,
    pub spread: Vec<f64>,
    /// Columns that each add something to those before.
    pub kept: Vec<usize>,
    /// The kept columns, row by row.
    pub data: Vec<f64>,
}

impl Standardised {
    /// Leaves out constant columns, and if `collinear`, those that others add up to.
    pub(crate) fn of(rows: &Rows<'_>, collinear: bool) -> Result<Self, Error> {
        rows.expect_complete()?;
        let (mean, spread) = moments(rows);
        let p = mean.len();
        let kept = if collinear {
            independent(&correlations(rows, &mean, &spread), p)
        } else {
            (0..p).filter(|&c| !constant(mean[c], spread[c])).collect()
        };
        let mut data = Vec::with_capacity(rows.len() * kept.len());
        for row in 0..rows.len() {
            let values = rows.features().row(row);
            data.extend(kept.iter().map(|&c| (values[c] - mean[c]) / spread[c]));
        }
        Ok(Self { mean, spread, kept, data })
    }

    /// Intercept and slopes on the columns as they came, from those on the standardised ones.
    pub(crate) fn back(&self, intercept: f64, slopes: &[f64]) -> (f64, Vec<f64>) {
        let (mut intercept, mut all) = (intercept, vec![0.0; self.mean.len()]);
        for (&column, slope) in self.kept.iter().zip(slopes) {
            all[column] = slope / self.spread[column];
            intercept -= all[column] * self.mean[column];
        }
        (intercept, all)
    }

    /// Tells of the columns left out.
    pub(crate) fn warning(&self, rows: &Rows<'_>) -> Vec<Warning> {
        let names = rows.features().names();
        let columns: Vec<String> =
            (0..names.len()).filter(|c| !self.kept.contains(c)).map(|c| names[c].clone()).collect();
        if columns.is_empty() { Vec::new() } else { vec![Warning::Collinear { columns }] }
    }
}

/// Weighted mean and standard deviation of each column.
fn moments(rows: &Rows<'_>) -> (Vec<f64>, Vec<f64>) {
    let p = rows.features().names().len();
    let total = rows.total_weight();
    let over = |f: &dyn Fn(usize) -> f64| (0..rows.len()).map(|r| rows.weight(r) * f(r)).sum::<f64>() / total;
    let mean: Vec<f64> = (0..p).map(|c| over(&|r| rows.features().row(r)[c])).collect();
    let spread = (0..p).map(|c| over(&|r| (rows.features().row(r)[c] - mean[c]).powi(2)).sqrt()).collect();
    (mean, spread)
}

/// A spread that is no more than what rounding leaves.
fn constant(mean: f64, spread: f64) -> bool {
    spread <= 1e-12 * mean.abs()
}

/// The correlation matrix; a constant column correlates with nothing, itself included.
fn correlations(rows: &Rows<'_>, mean: &[f64], spread: &[f64]) -> Vec<f64> {
    let p = mean.len();
    let total = rows.total_weight();
    let mut matrix = vec![0.0; p * p];
    for r in 0..rows.len() {
        let (row, weight) = (rows.features().row(r), rows.weight(r));
        for i in 0..p {
            for j in 0..=i {
                matrix[i * p + j] += weight * (row[i] - mean[i]) * (row[j] - mean[j]);
            }
        }
    }
    for i in 0..p {
        for j in 0..=i {
            let scale = total * spread[i] * spread[j];
            let constant = constant(mean[i], spread[i]) || constant(mean[j], spread[j]);
            matrix[i * p + j] = if constant { 0.0 } else { matrix[i * p + j] / scale };
            matrix[j * p + i] = matrix[i * p + j];
        }
    }
    matrix
}

/// Columns that each add something to those before: Cholesky, passing over those whose pivot vanishes.
fn independent(correlations: &[f64], p: usize) -> Vec<usize> {
    let mut rest = correlations.to_vec();
    let mut kept = Vec::new();
    for k in 0..p {
        let pivot = rest[k * p + k];
        if pivot <= NOTHING_NEW {
            continue;
        }
        kept.push(k);
        for i in k + 1..p {
            let factor = rest[i * p + k] / pivot;
            for j in k + 1..p {
                rest[i * p + j] -= factor * rest[k * p + j];
            }
        }
    }
    kept
}
