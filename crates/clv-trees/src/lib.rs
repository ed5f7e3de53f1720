//! Trees of what customers do next.
//!
//! | settings | learns |
//! | :-- | :-- |
//! | [`DecisionTree`] | one tree, printed as rules |
//! | [`RandomForest`] | the mean of many deep trees |
//! | [`BoostedTrees`] | trees that each mend the ones before, under a [`Loss`] of choice, in one direction where asked |
//! | [`BoostedZiln`] | a distribution for each row: whether anything is spent, and a lognormal of how much |
//!
//! Each is a [`Regress`](clv_core::learn::Regress): it learns one number per row of columns, and
//! [`over`](clv_core::learn::Regress::over) makes a model of customers of it. The engine is `hessboost`,
//! which stays behind this crate's types.
//!
mod boosted;
mod decision;
mod engine;
mod forest;
mod ziln;

use clv_core::learn;
use clv_core::saved::Registry;

pub use boosted::{BoostedTrees, BoostedTreesModel, Direction, Loss};
pub use decision::{DecisionTree, TreeModel};
pub use forest::{ForestModel, RandomForest};
pub use ziln::{BoostedZiln, BoostedZilnModel};

/// A mass at 0, a lognormal above.
pub use clv_math::ZeroInflatedLognormal;

/// Lets a registry load the models of this crate.
pub fn register(registry: &mut Registry) {
    learn::register::<BoostedTreesModel>(registry);
    learn::register::<ForestModel>(registry);
    learn::register::<TreeModel>(registry);
    learn::register::<BoostedZilnModel>(registry);
}
