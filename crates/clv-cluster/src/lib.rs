//! Clusters of customers: who is like whom.
//!
//! | settings | finds | a new customer goes to |
//! | :-- | :-- | :-- |
//! | [`KMeans`] | `k` groups around their means | the nearest mean |
//! | [`GaussianMixture`] | `k` groups of any direction and width, with probabilities | the most probable group |
//! | [`Dbscan`] | groups of any shape where customers lie dense, and those who lie alone | the group of the nearest dense customer within reach |
//!
//! Distances mean nothing while one column counts days and another cents: columns go through
//! [`Step::Standard`](clv_core::transform::Step::Standard) unless told otherwise, and the transform is
//! saved with the clusters. [`profiles`] says what each group is like, [`silhouette`] and
//! [`KMeans::choose`] how many groups there are. Scores and segments by rule (RFM) are
//! [`clv_core::rfm`]'s.
//!
//! # What it does not do
//!
//! OPTICS and mini-batches are not here yet.

mod dbscan;
mod kmeans;
mod mixture;
mod profile;
mod scaled;

pub use dbscan::{Dbscan, DbscanModel};
pub use kmeans::{Choice, KMeans, KMeansModel};
pub use mixture::{GaussianMixture, MixtureModel};
pub use profile::{Profile, profiles, silhouette};
