//! The learner to beat: the mean.

use serde::{Deserialize, Serialize};

use super::{Learned, Regress, Regression, Rows};
use crate::error::Result;
use crate::model::{Context, Kind};

/// Learns the weighted mean of the target, whatever the columns say.
///
/// ```
/// use clv_core::learn::{Mean, Regress, Regression, Rows};
/// use clv_core::{Context, FeatureMatrix};
///
/// let columns = FeatureMatrix::new(vec!["age".into()], vec![20.0, 40.0])?;
/// let learned = Mean.regress(&Rows::new(&columns, &[1.0, 3.0])?, &Context::default())?;
/// assert_eq!(learned.model.predict(&columns)?, [2.0, 2.0]);
/// # Ok::<(), clv_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Mean;

/// A mean.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MeanModel {
    mean: f64,
    width: usize,
}

impl Regress for Mean {
    type Model = MeanModel;

    fn regress(&self, rows: &Rows<'_>, _: &Context<'_>) -> Result<Learned<MeanModel>> {
        Ok(Learned::new(MeanModel { mean: rows.mean(), width: rows.features().names().len() }))
    }
}

impl Regression for MeanModel {
    const KIND: Kind = Kind::new("mean-of-rows", 1);

    fn width(&self) -> usize {
        self.width
    }

    fn at(&self, _: &[f64], _: &mut Vec<f32>) -> Result<f64> {
        Ok(self.mean)
    }
}
