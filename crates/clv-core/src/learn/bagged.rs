//! The mean of models learned from resampled rows.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::{Learned, Regress, Regression, Rows};
use crate::error::{Error, Result};
use crate::model::{Context, Kind, Warning};

/// Bagging (Breiman 1996): learns from as many bootstrap samples as there are members, and forecasts the
/// mean. It steadies what jumps with its rows, such as a deep tree; a line gains nothing.
///
/// A sample is a weight for each row (how often it was drawn), so that nothing is copied.
///
/// ```
/// use clv_core::learn::{Bagged, Mean, Regress, Regression, Rows};
/// use clv_core::{Context, FeatureMatrix};
///
/// let columns = FeatureMatrix::new(vec!["x".into()], vec![1.0, 2.0, 3.0])?;
/// let rows = Rows::new(&columns, &[1.0, 2.0, 9.0])?;
/// let model = Bagged::new(Mean, 200)?.regress(&rows, &Context::default())?.model;
/// assert!((model.predict(&columns)?[0] - 4.0).abs() < 0.5);
/// # Ok::<(), clv_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Bagged<R> {
    learner: R,
    members: usize,
}

impl<R: Regress> Bagged<R> {
    /// With so many members.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] for none.
    pub fn new(learner: R, members: usize) -> Result<Self> {
        if members == 0 {
            return Err(Error::Setting { name: "members", given: 0.0, allowed: "at least 1" });
        }
        Ok(Self { learner, members })
    }
}

/// Models whose mean is forecast.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(bound(serialize = "M: Serialize", deserialize = "M: serde::de::DeserializeOwned"))]
pub struct BaggedModel<M> {
    members: Vec<M>,
}

impl<M> BaggedModel<M> {
    /// The models.
    pub fn members(&self) -> &[M] {
        &self.members
    }
}

impl<R: Regress> Regress for Bagged<R> {
    type Model = BaggedModel<R::Model>;

    fn regress(&self, rows: &Rows<'_>, cx: &Context<'_>) -> Result<Learned<Self::Model>> {
        let mut rng = ChaCha8Rng::seed_from_u64(cx.seed_value());
        // Rows that count, in an order of their own.
        let mut order = super::canonical_order(rows);
        order.retain(|&row| rows.weight(row) > 0.0);
        let (mut members, mut warnings) = (Vec::new(), Vec::new());
        for _ in 0..self.members {
            cx.check()?;
            let mut drawn = vec![0.0; rows.len()];
            for _ in 0..order.len() {
                drawn[order[rng.random_range(0..order.len())]] += 1.0;
            }
            drawn.iter_mut().enumerate().for_each(|(row, times)| *times *= rows.weight(row));
            let learned = self.learner.regress(&rows.weighted(&drawn)?, cx)?;
            Warning::add_new(&mut warnings, learned.warnings);
            members.push(learned.model);
        }
        Ok(Learned { model: BaggedModel { members }, warnings })
    }
}

impl<M: Regression> Regression for BaggedModel<M> {
    const KIND: Kind = Kind::around("bagged", 1, &M::KIND);

    fn width(&self) -> usize {
        self.members.first().map_or(0, Regression::width)
    }

    fn at(&self, row: &[f64], scratch: &mut Vec<f32>) -> Result<f64> {
        let mut sum = 0.0;
        for member in &self.members {
            sum += member.at(row, scratch)?;
        }
        Ok(sum / self.members.len() as f64)
    }
}
