//! Columns on one scale, before anything is near or far.

use clv_core::transform::{Step, Transforms};
use clv_core::{Error, FeatureMatrix};
use serde::{Deserialize, Serialize};

/// The columns that were clustered, and how they were brought to one scale.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Scaled {
    pub columns: Vec<String>,
    pub transforms: Transforms,
}

impl Scaled {
    /// Fits the steps, and gives the scaled rows.
    pub(crate) fn fit(steps: &[Step], rows: &FeatureMatrix) -> Result<(Self, FeatureMatrix), Error> {
        if rows.rows() == 0 {
            return Err(Error::TooLittleData { model: "clusters", needs: "at least one row", found: 0 });
        }
        // Without a step nothing has looked at the values yet.
        rows.expect_finite()?;
        let transforms = Transforms::fit(steps, rows)?;
        let scaled = transforms.apply(rows)?;
        Ok((Self { columns: rows.names().to_vec(), transforms }, scaled))
    }

    /// Other rows of the same columns, scaled.
    pub(crate) fn apply(&self, rows: &FeatureMatrix) -> Result<FeatureMatrix, Error> {
        if rows.names() != self.columns {
            let missing = self.columns.iter().find(|c| !rows.names().contains(c));
            return Err(match missing {
                Some(column) => Error::MissingColumn { model: "clusters", column: column.clone() },
                None => {
                    let (given, expected) = (rows.names().len(), self.columns.len());
                    Error::Length { column: "a row's columns", given, expected }
                }
            });
        }
        self.transforms.apply(rows)
    }
}

/// The square of the distance.
pub(crate) fn squared_distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum()
}
