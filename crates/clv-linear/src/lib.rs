//! Linear models of what customers do next.
//!
//! | settings | learns | through |
//! | :-- | :-- | :-- |
//! | [`LinearRegression`] | the mean, as a line | linfa |
//! | [`ElasticNet`] | the same with a price on slopes: ridge, lasso, both | linfa |
//! | [`Glm`] | means of counts, amounts and yes-or-no that grow by factors | Newton's method |
//! | [`Hurdle`] | whether above 0, and how much where it is | two of the above |
//! | [`QuantileRegression`] | a quantile, as a line | an interior-point method |
//! | [`RecursiveLeastSquares`] | the mean, as a line, row by row | rank-one updates |
//! | [`Svm`] | a line or a smooth surface that few rows hold | linfa |
//! | [`Ziln`] | the same with a lognormal amount | two of the above |
//!
//! Each is a [`Regress`](clv_core::learn::Regress): it learns one number per row of columns, and
//! [`over`](clv_core::learn::Regress::over) makes a model of customers of it.
//!
mod columns;
mod glm;
mod line;
mod online;
mod quantile;
mod solve;
mod svm;
mod two_part;

use clv_core::learn;
use clv_core::saved::Registry;

pub use glm::{Glm, GlmModel};
pub use line::{ElasticNet, Line, LinearRegression};
pub use online::{RecursiveLeastSquares, RecursiveLine};
pub use quantile::QuantileRegression;
pub use svm::{Kernel, Svm, SvmModel};
pub use two_part::{Hurdle, HurdleModel, Ziln, ZilnModel};

/// A mass at 0, a lognormal above.
pub use clv_math::ZeroInflatedLognormal;

/// Lets a registry load the models of this crate.
pub fn register(registry: &mut Registry) {
    learn::register::<Line>(registry);
    learn::register::<GlmModel>(registry);
    learn::register::<HurdleModel>(registry);
    learn::register::<ZilnModel>(registry);
    learn::register::<SvmModel>(registry);
    learn::register::<RecursiveLine>(registry);
}
