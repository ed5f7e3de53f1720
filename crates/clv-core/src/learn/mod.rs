//! Learners: one number per row of columns, and how that becomes a model of customers.
//!
//! A backend implements [`Regress`] (settings) and [`Regression`] (what was learned), and knows nothing
//! of customers. [`Regress::over`] makes a model of customers of it: [`OverHorizon`] learns purchases
//! and money within a horizon, as of one horizon before the cut, and is fitted and asked like any other
//! model.
//!
//! ```text
//! FeatureMatrix + target ─► Rows ─► Regress::regress ─► Regression::at(row)
//!                                       │
//!              Training ─► OverHorizon ─┴─► LearnedTotals: Predict
//! ```

mod bagged;
mod calibrate;
mod classes;
mod conformal;
mod folds;
mod informed;
mod mean;
mod non_decreasing;
mod over_horizon;
mod split;

use std::fmt::Debug;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, Result};
use crate::features::FeatureMatrix;
use crate::model::{Context, Kind, Warning};
use crate::units::Span;

pub use bagged::{Bagged, BaggedModel};
pub use calibrate::{Calibrated, CalibratedModel, Calibration, Costs, Method};
pub use classes::{ClassModel, OneVsRest};
pub use conformal::{Bands, Conformal, Distributed, Distribution, QuantileBands, ScaledBands};
pub use folds::{Chosen, canonical_order, folds, out_of_fold};
pub(crate) use informed::register_informed;
pub use informed::{Informed, InformedModel};
pub use mean::{Mean, MeanModel};
pub use non_decreasing::NonDecreasing;
pub use over_horizon::{LearnedTotals, OverHorizon, register};
pub use split::holdout;

/// Rows to learn from: columns, a target, and weights if some rows count more than others.
///
/// ```
/// use clv_core::FeatureMatrix;
/// use clv_core::learn::Rows;
///
/// let columns = FeatureMatrix::new(vec!["age".into()], vec![20.0, 40.0])?;
/// assert!(Rows::new(&columns, &[1.0, 2.0]).is_ok());
/// let unknown = FeatureMatrix::new(vec!["age".into()], vec![20.0, f64::NAN])?;
/// assert!(Rows::new(&unknown, &[1.0, 2.0]).unwrap_err().to_string().contains("age"));
/// # Ok::<(), clv_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a> {
    features: &'a FeatureMatrix,
    target: &'a [f64],
    weights: Option<&'a [f64]>,
}

impl<'a> Rows<'a> {
    /// Rows of equal weight.
    ///
    /// # Errors
    ///
    /// [`Error::Length`] if there is not one target a row, [`Error::TooLittleData`] without rows,
    /// [`Error::Cell`] for a value that is not finite: fill in what is missing first
    /// ([`crate::transform::Encoder`]).
    pub fn new(features: &'a FeatureMatrix, target: &'a [f64]) -> Result<Self> {
        features.expect_finite()?;
        Self::of(features, target)
    }

    fn of(features: &'a FeatureMatrix, target: &'a [f64]) -> Result<Self> {
        let rows = features.rows();
        if rows == 0 {
            return Err(Error::TooLittleData { model: "a learner", needs: "at least one row", found: 0 });
        }
        if target.len() != rows {
            return Err(Error::Length { column: "target", given: target.len(), expected: rows });
        }
        if let Some(row) = target.iter().position(|v| !v.is_finite()) {
            let (column, allowed) = ("target".to_owned(), "finite numbers; fill in what is missing first");
            return Err(Error::Cell { row, column, given: target[row], allowed });
        }
        Ok(Self { features, target, weights: None })
    }

    /// Rows in which some values are missing, as NaN. Trees learn on which side they belong; other
    /// learners refuse them ([`Rows::expect_complete`]).
    ///
    /// # Errors
    ///
    /// As [`Rows::new`], though NaN may be among the columns.
    pub fn with_missing(features: &'a FeatureMatrix, target: &'a [f64]) -> Result<Self> {
        features.expect_no_infinity()?;
        Self::of(features, target)
    }

    /// Refuses missing values.
    ///
    /// # Errors
    ///
    /// [`Error::Cell`] naming the first.
    pub fn expect_complete(&self) -> Result<()> {
        self.features.expect_finite()
    }

    /// Rows that count as often as their weights say.
    ///
    /// # Errors
    ///
    /// [`Error::Length`]; [`Error::Cell`] for a weight that is negative or not finite;
    /// [`Error::TooLittleData`] if all are 0.
    pub fn weighted(self, weights: &'a [f64]) -> Result<Self> {
        if weights.len() != self.target.len() {
            return Err(Error::Length {
                column: "weights",
                given: weights.len(),
                expected: self.target.len(),
            });
        }
        if let Some(row) = weights.iter().position(|w| !(w.is_finite() && *w >= 0.0)) {
            let allowed = "finite, at least 0";
            return Err(Error::Cell { row, column: "weight".into(), given: weights[row], allowed });
        }
        if weights.iter().all(|w| *w == 0.0) {
            return Err(Error::TooLittleData { model: "a learner", needs: "a weight above 0", found: 0 });
        }
        Ok(Self { weights: Some(weights), ..self })
    }

    /// The columns.
    pub fn features(&self) -> &'a FeatureMatrix {
        self.features
    }

    /// What is to be learned, one number a row.
    pub fn target(&self) -> &'a [f64] {
        self.target
    }

    /// How often each row counts, if not once.
    pub fn weights(&self) -> Option<&'a [f64]> {
        self.weights
    }

    /// How often a row counts.
    pub fn weight(&self, row: usize) -> f64 {
        self.weights.map_or(1.0, |w| w[row])
    }

    /// The rows' weights, added up.
    pub fn total_weight(&self) -> f64 {
        (0..self.len()).map(|row| self.weight(row)).sum()
    }

    /// The weighted mean of the target.
    pub fn mean(&self) -> f64 {
        let sum: f64 = self.target.iter().enumerate().map(|(row, y)| self.weight(row) * y).sum();
        sum / self.total_weight()
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.target.len()
    }

    /// Never: there is at least one row.
    pub fn is_empty(&self) -> bool {
        self.target.is_empty()
    }

    /// The same columns with another target.
    ///
    /// # Errors
    ///
    /// As [`Rows::new`].
    pub fn with_target<'b>(&self, target: &'b [f64]) -> Result<Rows<'b>>
    where
        'a: 'b,
    {
        Ok(Rows { weights: self.weights, ..Rows::of(self.features, target)? })
    }

    /// Refuses targets other than 0 and 1.
    ///
    /// # Errors
    ///
    /// [`Error::Cell`] naming the row.
    pub fn expect_yes_or_no(&self) -> Result<()> {
        self.expect_target(|y| y == 0.0 || y == 1.0, "0 or 1")
    }

    /// Refuses targets below (or, if `strictly`, at) 0, which a model cannot have brought forth.
    ///
    /// # Errors
    ///
    /// [`Error::Cell`] naming the row.
    pub fn expect_positive(&self, strictly: bool) -> Result<()> {
        if strictly {
            self.expect_target(|y| y > 0.0, "above 0")
        } else {
            self.expect_target(|y| y >= 0.0, "at least 0")
        }
    }

    fn expect_target(&self, fits: impl Fn(f64) -> bool, allowed: &'static str) -> Result<()> {
        match self.target.iter().position(|&y| !fits(y)) {
            None => Ok(()),
            Some(row) => Err(Error::Cell { row, column: "target".into(), given: self.target[row], allowed }),
        }
    }
}

/// Settings of a learner of one number per row.
pub trait Regress: Debug + Send + Sync {
    /// What it learns.
    type Model: Regression;

    /// Learns. The same rows, settings and seed give the same model, on any number of threads.
    ///
    /// # Errors
    ///
    /// [`Error::Stopped`] if the context says so, [`Error::Cell`] for a target that the model cannot
    /// have brought forth, [`Error::NoEstimate`] where there is none.
    fn regress(&self, rows: &Rows<'_>, cx: &Context<'_>) -> Result<Learned<Self::Model>>;

    /// As a model of customers: purchases and money within a horizon.
    fn over(self, horizon: Span) -> OverHorizon<Self>
    where
        Self: Sized,
    {
        OverHorizon::new(self, horizon)
    }
}

/// What a learner learned, and what to beware of.
#[derive(Clone, Debug)]
pub struct Learned<M> {
    /// The model.
    pub model: M,
    /// What to beware of.
    pub warnings: Vec<Warning>,
}

impl<M> Learned<M> {
    /// Without a warning.
    pub fn new(model: M) -> Self {
        Self { model, warnings: Vec::new() }
    }
}

/// What a learner learned: a number for a row of the columns it learned from.
pub trait Regression: Debug + Clone + Send + Sync + Serialize + DeserializeOwned + 'static {
    /// Name and version of its saved form.
    const KIND: Kind;

    /// How many columns a row has.
    fn width(&self) -> usize;

    /// The number for a row. `scratch` is the caller's memory; nothing is allocated once it has grown.
    ///
    /// # Errors
    ///
    /// [`Error::Backend`] if the engine beneath fails.
    fn at(&self, row: &[f64], scratch: &mut Vec<f32>) -> Result<f64>;

    /// The numbers for rows.
    ///
    /// # Errors
    ///
    /// [`Error::Length`] for rows of another width, or as [`Regression::at`].
    fn predict(&self, rows: &FeatureMatrix) -> Result<Vec<f64>> {
        if rows.names().len() != self.width() {
            let (given, expected) = (rows.names().len(), self.width());
            return Err(Error::Length { column: "a row's columns", given, expected });
        }
        let mut scratch = Vec::new();
        (0..rows.rows()).map(|row| self.at(rows.row(row), &mut scratch)).collect()
    }
}
