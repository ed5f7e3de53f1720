//! Which columns to learn from.
//!
//! | | keeps | looks at the target |
//! | :-- | :-- | :-- |
//! | [`varying`] | columns that vary | no |
//! | [`uncorrelated`] | of columns that say the same, the first | no |
//! | [`informative`] | columns with the most [mutual information](mutual_information) | yes, column by column |
//! | [`L1Path`] | columns that the lasso keeps longest | yes, together |
//! | [`eliminate`] | what is left when the least important columns go, a few at a time | yes, through any learner |
//! | [`Pca`] | new columns: the directions of most variance | no |
//!
//! [`permutation_importance`] says how much a fitted model leans on each column, [`learning_curve`] whether
//! more rows would help. Every [`Selection`] tells
//! what it dropped and why. Select on the rows that are learned from, never on those that a model is
//! judged by.

mod filters;
mod lasso;
mod pca;
mod wrappers;

use std::fmt;

use clv_core::{Error, FeatureMatrix};

pub use filters::{correlations, informative, mutual_information, uncorrelated, varying};
pub use lasso::L1Path;
pub use pca::{Pca, PcaModel};
pub use wrappers::{Importance, eliminate, learning_curve, permutation_importance};

/// Columns kept, and why the others were not.
#[derive(Clone, Debug, PartialEq)]
pub struct Selection {
    /// Names, in the order of the columns.
    pub kept: Vec<String>,
    /// Names and reasons, in the order in which they went.
    pub dropped: Vec<(String, String)>,
}

impl Selection {
    /// The kept columns of a matrix.
    ///
    /// # Errors
    ///
    /// [`Error::MissingColumn`] if one is not there.
    pub fn apply(&self, rows: &FeatureMatrix) -> Result<FeatureMatrix, Error> {
        choose(rows, &self.kept)
    }
}

impl fmt::Display for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} columns kept: {}", self.kept.len(), self.kept.join(", "))?;
        self.dropped.iter().try_for_each(|(column, why)| write!(f, "\n{column} dropped: {why}"))
    }
}

fn choose(rows: &FeatureMatrix, names: &[String]) -> Result<FeatureMatrix, Error> {
    let position = |name: &String| {
        let missing = || Error::MissingColumn { model: "a selection", column: name.clone() };
        rows.position(name).ok_or_else(missing)
    };
    let kept = names.iter().map(position).collect::<Result<Vec<_>, _>>()?;
    let data = (0..rows.rows()).flat_map(|row| kept.iter().map(move |&c| rows.row(row)[c])).collect();
    FeatureMatrix::new(names.to_vec(), data)
}
