//! How good is a forecast? Each metric with its definition; weights everywhere, intervals by
//! [`bootstrap`].
//!
//! The share of exactly equal predictions ("accuracy") is not among the metrics of a value: a value
//! is never hit exactly.
//!
//! * [`errors`]: MSE, RMSE, MAE, median absolute error, R², bias, interval coverage.
//! * [`ranking`]: Spearman, normalized Gini, decile table, decile MAPE, lift.
//! * [`probability`]: Brier, log loss, ROC and PR area, calibration.
//! * [`classes`]: confusion matrix, precision, recall, F1.

pub mod bootstrap;
pub mod classes;
pub mod errors;
pub mod probability;
pub mod ranking;

use crate::error::{Error, Result};

/// Pairs of what happened and what was forecast, with weights.
///
/// Checked once here, so that no metric meets a NaN or columns of different lengths.
#[derive(Clone, Copy, Debug)]
pub struct Pairs<'a> {
    actual: &'a [f64],
    forecast: &'a [f64],
    weights: Option<&'a [f64]>,
}

impl<'a> Pairs<'a> {
    /// Pairs of equal weight.
    ///
    /// # Errors
    ///
    /// [`Error::Length`], [`Error::TooLittleData`] for none at all, [`Error::History`] naming the
    /// first row that is not finite.
    pub fn new(actual: &'a [f64], forecast: &'a [f64]) -> Result<Self> {
        if actual.len() != forecast.len() {
            return Err(Error::Length { column: "forecast", given: forecast.len(), expected: actual.len() });
        }
        if actual.is_empty() {
            return Err(Error::TooLittleData { model: "a metric", needs: "at least one customer", found: 0 });
        }
        for (field, column) in [("actual", actual), ("forecast", forecast)] {
            if let Some(row) = column.iter().position(|v| !v.is_finite()) {
                return Err(Error::History { row, field, given: column[row], allowed: "finite" });
            }
        }
        Ok(Self { actual, forecast, weights: None })
    }

    /// With weights.
    ///
    /// # Errors
    ///
    /// [`Error::Length`]; [`Error::History`] naming the first weight that is negative or not finite;
    /// [`Error::Setting`] if they are all zero.
    pub fn weighted(self, weights: &'a [f64]) -> Result<Self> {
        if weights.len() != self.actual.len() {
            return Err(Error::Length {
                column: "weight",
                given: weights.len(),
                expected: self.actual.len(),
            });
        }
        if let Some(row) = weights.iter().position(|w| !(w.is_finite() && *w >= 0.0)) {
            return Err(Error::History {
                row,
                field: "weight",
                given: weights[row],
                allowed: "finite, at least 0",
            });
        }
        if weights.iter().all(|w| *w == 0.0) {
            return Err(Error::Setting { name: "sum of weights", given: 0.0, allowed: "above 0" });
        }
        Ok(Self { weights: Some(weights), ..self })
    }

    /// Number of pairs.
    pub fn len(&self) -> usize {
        self.actual.len()
    }

    /// Never: an empty set is refused.
    pub fn is_empty(&self) -> bool {
        self.actual.is_empty()
    }

    pub(crate) fn weight(&self, row: usize) -> f64 {
        self.weights.map_or(1.0, |w| w[row])
    }

    /// `(actual, forecast, weight)` row by row.
    pub(crate) fn rows(&self) -> impl Iterator<Item = (f64, f64, f64)> + '_ {
        (0..self.len()).map(|i| (self.actual[i], self.forecast[i], self.weight(i)))
    }

    pub(crate) fn total_weight(&self) -> f64 {
        self.rows().map(|r| r.2).sum()
    }

    pub(crate) fn mean(&self, f: impl Fn(f64, f64) -> f64) -> f64 {
        self.rows().map(|(y, p, w)| w * f(y, p)).sum::<f64>() / self.total_weight()
    }
}
