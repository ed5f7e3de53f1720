//! Classes: stages, tiers of value, anything of which a customer has one.

use serde::{Deserialize, Serialize};

use super::{Learned, Regress, Regression, Rows};
use crate::error::{Error, Result};
use crate::features::FeatureMatrix;
use crate::model::{Context, Warning};

/// Learns classes with any learner of yes or no: one model a class, against all others (scikit-learn's
/// `OneVsRestClassifier`). What the models say is brought to a sum of 1.
///
/// ```
/// use clv_core::learn::{Mean, OneVsRest, Rows};
/// use clv_core::{Context, FeatureMatrix};
///
/// let columns = FeatureMatrix::new(vec!["visits".into()], vec![1.0, 2.0, 3.0, 4.0])?;
/// let model = OneVsRest::new(Mean).learn(&columns, &[0, 0, 0, 1], 2, &Context::default())?.model;
/// assert_eq!(model.probabilities(columns.row(0), &mut Vec::new())?, [0.75, 0.25]);
/// assert_eq!(model.predict(&columns)?, [0, 0, 0, 0]);
/// # Ok::<(), clv_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct OneVsRest<R> {
    learner: R,
}

/// One model a class.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(bound(serialize = "M: Serialize", deserialize = "M: serde::de::DeserializeOwned"))]
pub struct ClassModel<M> {
    /// None for a class that no row had.
    models: Vec<Option<M>>,
}

impl<R: Regress> OneVsRest<R> {
    /// With a learner of yes or no, such as logistic regression, or boosted trees with a logistic loss.
    pub fn new(learner: R) -> Self {
        Self { learner }
    }

    /// Learns each row's class, a number below `classes`. A class that no row has is never forecast.
    ///
    /// # Errors
    ///
    /// [`Error::Cell`] for a class that is not there, [`Error::NoEstimate`] if all rows have the same, or
    /// as [`Regress::regress`].
    pub fn learn(
        &self,
        features: &FeatureMatrix,
        class: &[usize],
        classes: usize,
        cx: &Context<'_>,
    ) -> Result<Learned<ClassModel<R::Model>>> {
        if let Some(row) = class.iter().position(|&c| c >= classes) {
            let (given, allowed) = (class[row] as f64, "below the number of classes");
            return Err(Error::Cell { row, column: "class".into(), given, allowed });
        }
        if class.windows(2).all(|pair| pair[0] == pair[1]) {
            return Err(Error::NoEstimate { model: "a classifier", why: "every row has the same class" });
        }
        let mut learned = Learned::new(ClassModel { models: Vec::with_capacity(classes) });
        for one in 0..classes {
            let target: Vec<f64> = class.iter().map(|&c| f64::from(c == one)).collect();
            let rows = Rows::with_missing(features, &target)?;
            if !class.contains(&one) {
                learned.model.models.push(None);
                continue;
            }
            let Learned { model, warnings } = self.learner.regress(&rows, cx)?;
            learned.model.models.push(Some(model));
            Warning::add_new(&mut learned.warnings, warnings);
        }
        Ok(learned)
    }
}

impl<M: Regression> ClassModel<M> {
    /// The probability of each class.
    ///
    /// # Errors
    ///
    /// As [`Regression::at`]; [`Error::NoEstimate`] for a gap that the learner does not take.
    pub fn probabilities(&self, row: &[f64], scratch: &mut Vec<f32>) -> Result<Vec<f64>> {
        let mut found = Vec::with_capacity(self.models.len());
        for model in &self.models {
            found.push(match model {
                None => 0.0,
                Some(model) => model.at(row, scratch)?.clamp(0.0, 1.0),
            });
        }
        let sum: f64 = found.iter().sum();
        if sum.is_nan() {
            let why = "a column of the row is not a number, and the learner takes no gaps";
            return Err(Error::NoEstimate { model: "a classifier", why });
        }
        let known = self.models.iter().flatten().count() as f64;
        for (p, model) in found.iter_mut().zip(&self.models) {
            // Where none says yes, none is likelier than another.
            *p = if sum > 0.0 { *p / sum } else { f64::from(model.is_some()) / known };
        }
        Ok(found)
    }

    /// The likeliest class of each row; the first of those that are equally likely.
    ///
    /// # Errors
    ///
    /// [`Error::Length`] for rows of another width, or as [`Regression::at`].
    pub fn predict(&self, rows: &FeatureMatrix) -> Result<Vec<usize>> {
        let expected = self.models.iter().flatten().next().map_or(0, Regression::width);
        if rows.names().len() != expected {
            return Err(Error::Length { column: "a row's columns", given: rows.names().len(), expected });
        }
        let mut scratch = Vec::new();
        let mut likeliest = |row: usize| {
            let found = self.probabilities(rows.row(row), &mut scratch)?;
            Ok((1..found.len()).fold(0, |best, c| if found[c] > found[best] { c } else { best }))
        };
        (0..rows.rows()).map(&mut likeliest).collect()
    }
}
