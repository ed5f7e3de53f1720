//! Clusters of customers: who is like whom.
//!
//! | settings | finds | a new customer goes to |
//! | :-- | :-- | :-- |
//! | [`KMeans`] | `k` groups around their means | the nearest mean |
//! | [`GaussianMixture`] | `k` groups of any direction and width, with probabilities | the most probable group |
//! | [`Dbscan`] | groups of any shape where customers lie dense, and those who lie alone | the group of the nearest dense customer within reach |
//! | [`Optics`] | the order in which customers hang together, at every reach at once | – |
//!
//! Distances mean nothing while one column counts days and another cents: columns go through
//! [`Step::Standard`](clv_core::transform::Step::Standard) unless told otherwise, and the transform is
//! saved with the clusters. [`profiles`] says what each group is like, [`silhouette`] and
//! [`KMeans::choose`] and [`KMeans::stability`] how many groups there are, [`Moves`] who went from one to
//! another. Scores and segments by rule (RFM) are
//! [`clv_core::rfm`]'s.
//!
mod compare;
mod dbscan;
mod kmeans;
mod mixture;
mod optics;
mod profile;
mod scaled;

pub use compare::{Moves, adjusted_rand};
pub use dbscan::{Dbscan, DbscanModel};
pub use kmeans::{Choice, KMeans, KMeansModel};
pub use mixture::{GaussianMixture, MixtureModel};
pub use optics::{Optics, OpticsOrder};
pub use profile::{Profile, profiles, silhouette};
