//! Ordinary least squares through linfa, kept from its traps.
//!
//! linfa solves by QR without pivoting: columns that repeat each other come back with coefficients of
//! ±1e14. So columns are centred and scaled here, and those that say nothing beside the others are
//! found and left out before linfa sees them.

use clv_core::{Error, FeatureMatrix};
use linfa::DatasetBase;
use linfa::traits::Fit;
use linfa_linear::LinearRegression;
use ndarray_linfa::{Array1, Array2};
use serde::{Deserialize, Serialize};

/// What is left of a column's variance beside the others, below which it is left out.
const NOTHING_NEW: f64 = 1e-10;

/// A fitted line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Line {
    pub intercept: f64,
    /// One per column; 0 for those left out.
    pub slopes: Vec<f64>,
}

impl Line {
    /// Fits `scale` times the target; returns the line and the columns left out.
    pub(crate) fn fit(rows: &FeatureMatrix, target: &[f64], scale: f64) -> Result<(Self, Vec<usize>), Error> {
        let (n, p) = (rows.rows(), rows.names().len());
        if n != target.len() {
            return Err(Error::Length { column: "target", given: target.len(), expected: n });
        }
        let (mean, spread) = moments(rows);
        let standard = |row: usize, column: usize| (rows.row(row)[column] - mean[column]) / spread[column];
        let kept = independent(&correlations(rows, &mean, &spread), p);
        let left_out: Vec<usize> = (0..p).filter(|c| !kept.contains(c)).collect();
        let target_mean = target.iter().sum::<f64>() / n as f64;
        let mut line = Self { intercept: scale * target_mean, slopes: vec![0.0; p] };
        if kept.is_empty() || n <= kept.len() {
            return Ok((line, left_out));
        }
        let data: Vec<f64> = (0..n)
            .flat_map(|row| kept.iter().map(move |&c| (row, c)))
            .map(|(row, c)| standard(row, c))
            .collect();
        let backend =
            |source: Box<dyn std::error::Error + Send + Sync>| Error::Backend { model: "linear", source };
        let records = Array2::from_shape_vec((n, kept.len()), data).map_err(|e| backend(Box::new(e)))?;
        let targets = Array1::from_vec(target.iter().map(|y| y - target_mean).collect());
        let fitted = LinearRegression::new()
            .with_intercept(false)
            .fit(&DatasetBase::new(records, targets))
            .map_err(|e| backend(Box::new(e)))?;
        for (&column, slope) in kept.iter().zip(fitted.params()) {
            line.slopes[column] = scale * slope / spread[column];
            line.intercept -= line.slopes[column] * mean[column];
        }
        if line.slopes.iter().all(|s| s.is_finite()) {
            Ok((line, left_out))
        } else {
            Err(Error::NoEstimate { model: "linear", why: "least squares did not come out finite" })
        }
    }

    pub(crate) fn at(&self, row: &[f64]) -> f64 {
        self.intercept + self.slopes.iter().zip(row).map(|(s, v)| s * v).sum::<f64>()
    }
}

/// Mean and standard deviation of each column; a constant column has spread 0.
fn moments(rows: &FeatureMatrix) -> (Vec<f64>, Vec<f64>) {
    let (n, p) = (rows.rows(), rows.names().len());
    let over = |f: &dyn Fn(usize) -> f64| (0..n).map(f).sum::<f64>() / n as f64;
    let mean: Vec<f64> = (0..p).map(|c| over(&|r| rows.row(r)[c])).collect();
    let spread = (0..p).map(|c| over(&|r| (rows.row(r)[c] - mean[c]).powi(2)).sqrt()).collect();
    (mean, spread)
}

/// The correlation matrix; a constant column correlates with nothing, itself included.
fn correlations(rows: &FeatureMatrix, mean: &[f64], spread: &[f64]) -> Vec<f64> {
    let (n, p) = (rows.rows(), mean.len());
    let mut matrix = vec![0.0; p * p];
    for r in 0..n {
        let row = rows.row(r);
        for i in 0..p {
            for j in 0..=i {
                matrix[i * p + j] += (row[i] - mean[i]) * (row[j] - mean[j]);
            }
        }
    }
    for i in 0..p {
        for j in 0..=i {
            let scale = n as f64 * spread[i] * spread[j];
            let constant = spread[i] <= 1e-12 * mean[i].abs() || spread[j] <= 1e-12 * mean[j].abs();
            matrix[i * p + j] = if constant || scale <= 0.0 { 0.0 } else { matrix[i * p + j] / scale };
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

#[cfg(test)]
mod tests {
    use super::*;

    fn matrix(rows: &[[f64; 3]]) -> FeatureMatrix {
        FeatureMatrix::new(vec!["a".into(), "b".into(), "c".into()], rows.concat()).unwrap()
    }

    #[test]
    fn an_exact_line_is_found_and_repeated_columns_are_left_out() {
        let rows: Vec<[f64; 3]> = (0..50)
            .map(|i| {
                let (a, b) = (f64::from(i % 7), 1e6 + f64::from(i % 11));
                [a, b, 2.0 * a - 3.0 * b]
            })
            .collect();
        let target: Vec<f64> = rows.iter().map(|r| 4.0 + 2.0 * r[0] - 0.5 * r[1]).collect();
        let (line, left_out) = Line::fit(&matrix(&rows), &target, 2.0).unwrap();
        assert_eq!(left_out, [2]);
        for (row, y) in rows.iter().zip(&target) {
            assert!((line.at(row) - 2.0 * y).abs() < 1e-8, "{} {}", line.at(row), 2.0 * y);
        }
    }

    #[test]
    fn constant_columns_leave_the_mean() {
        let rows = [[1.0, 5.0, 0.0]; 6];
        let (line, left_out) = Line::fit(&matrix(&rows), &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 1.0).unwrap();
        assert_eq!(left_out, [0, 1, 2]);
        assert_eq!(line.at(&rows[0]), 3.5);
    }
}
