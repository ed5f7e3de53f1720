//! Random forests.

use clv_core::learn::{Learned, Regress, Regression, Rows};
use clv_core::model::Kind;
use clv_core::{Context, Error, setting};
use hessboost::config::TrainingParams;
use hessboost::objective::{Objective, RegLoss};
use serde::{Deserialize, Serialize};

use crate::engine::{Ensemble, Growth, grow};

/// Settings of a random forest (Breiman 2001): the mean of deep trees, each grown on its own sample of
/// rows and asked at each split about its own choice of columns.
///
/// | Name | Default | Why |
/// | :-- | :-- | :-- |
/// | `trees` | 200 | more only make it steadier |
/// | `depth` | 12 | deep enough that leaves are small |
/// | `min_leaf` | 5 | rows a leaf must hold; Breiman's for regression |
/// | `sample` | .632 | share of rows each tree sees, without replacement: what a bootstrap holds of distinct rows |
/// | `columns` | 1/3 | share of columns asked about at a split; Breiman's for regression |
///
/// With a target of 0 and 1 it learns the probability of 1.
///
/// ```
/// use clv_core::learn::{Regress, Regression, Rows};
/// use clv_core::{Context, FeatureMatrix};
/// use clv_trees::RandomForest;
///
/// let x: Vec<f64> = (0..400).map(f64::from).collect();
/// let y: Vec<f64> = x.iter().map(|x| (x / 50.0).floor()).collect();
/// let columns = FeatureMatrix::new(vec!["visits".into()], x)?;
/// let model = RandomForest::new().regress(&Rows::new(&columns, &y)?, &Context::default())?.model;
/// assert!((model.at(&[225.0], &mut Vec::new())? - 4.0).abs() < 0.2);
/// # Ok::<(), clv_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct RandomForest {
    trees: usize,
    depth: usize,
    min_leaf: f64,
    sample: f64,
    columns: f64,
}

impl Default for RandomForest {
    fn default() -> Self {
        Self { trees: 200, depth: 12, min_leaf: 5.0, sample: 0.632, columns: 1.0 / 3.0 }
    }
}

impl RandomForest {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Number of trees.
    pub fn trees(self, trees: usize) -> Self {
        Self { trees, ..self }
    }

    /// Questions from root to leaf, at most.
    pub fn depth(self, depth: usize) -> Self {
        Self { depth, ..self }
    }

    /// Rows a leaf must hold.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] unless it is finite and at least 0.
    pub fn min_leaf(self, rows: f64) -> Result<Self, Error> {
        Ok(Self { min_leaf: setting::at_least_zero("min_leaf", rows)?, ..self })
    }

    /// Share of columns asked about at a split.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] unless it is above 0 and at most 1.
    pub fn columns(self, share: f64) -> Result<Self, Error> {
        Ok(Self { columns: setting::some_share("columns", share)?, ..self })
    }
}

impl Regress for RandomForest {
    type Model = ForestModel;

    fn regress(&self, rows: &Rows<'_>, cx: &Context<'_>) -> Result<Learned<ForestModel>, Error> {
        // One round of trees side by side, taken over whole and without shrinkage, is a forest.
        let params = TrainingParams::builder()
            .objective(Objective::SquaredError(RegLoss::default()))
            .eta(1.0)
            .lambda(0.0)
            .num_parallel_tree(self.trees)
            .max_depth(self.depth)
            .min_child_weight(self.min_leaf)
            .subsample(self.sample)
            .colsample_bynode(self.columns);
        Ok(Learned::new(ForestModel {
            trees: grow(params, rows, &Growth { rounds: 1, sampled: true, ..Growth::default() }, cx)?,
        }))
    }
}

/// A fitted random forest.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ForestModel {
    trees: Ensemble,
}

impl ForestModel {
    /// Each column's share of what the splits gained.
    pub fn importance(&self) -> Vec<f64> {
        self.trees.importance()
    }

    /// The model in few bytes, compressed and with a checksum; saved as JSON it takes many times as much.
    ///
    /// # Errors
    ///
    /// [`Error::Backend`].
    pub fn to_bytes(&self) -> Result<Vec<u8>, Error> {
        self.trees.to_bytes()
    }

    /// From what [`ForestModel::to_bytes`] gave.
    ///
    /// # Errors
    ///
    /// [`Error::Backend`] for other bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        Ok(Self { trees: Ensemble::from_bytes(bytes)? })
    }
}

impl Regression for ForestModel {
    const KIND: Kind = Kind::new("random-forest", 1);

    fn width(&self) -> usize {
        self.trees.width()
    }

    fn at(&self, row: &[f64], scratch: &mut Vec<f32>) -> Result<f64, Error> {
        self.trees.at(row, scratch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clv_core::FeatureMatrix;

    #[test]
    fn one_seed_one_forest_on_any_number_of_threads() {
        let x = |i: u32| [f64::from(i * 37 % 101), f64::from(i * 53 % 97), f64::from(i % 9)];
        let names = ["a", "b", "c"].map(String::from).to_vec();
        let columns = FeatureMatrix::new(names, (0..500).flat_map(x).collect()).unwrap();
        let target: Vec<f64> = (0..500).map(|i| x(i)[0] + 3.0 * x(i)[2]).collect();
        let rows = Rows::new(&columns, &target).unwrap();
        let two = std::num::NonZeroUsize::new(2).unwrap();
        let grown = |cx: Context<'_>| {
            let model = RandomForest::new().trees(50).regress(&rows, &cx).unwrap().model;
            (model.importance(), model.predict(&columns).unwrap())
        };
        let (importance, one) = grown(Context::default().seed(7));
        assert_eq!(one, grown(Context::default().seed(7).threads(two)).1);
        assert_ne!(one, grown(Context::default().seed(8)).1);
        assert!(importance[0] > importance[1] && importance[2] > importance[1], "{importance:?}");
        let model = RandomForest::new().trees(5).regress(&rows, &Context::default()).unwrap().model;
        let back = ForestModel::from_bytes(&model.to_bytes().unwrap()).unwrap();
        assert_eq!(back.predict(&columns).unwrap(), model.predict(&columns).unwrap());
        // Means of leaves never leave the target's range.
        let (low, high) = target.iter().fold((f64::MAX, f64::MIN), |(l, h), y| (l.min(*y), h.max(*y)));
        assert!(one.iter().all(|y| *y >= low - 1e-3 && *y <= high + 1e-3));
    }
}
