//! Covariates that change with time: seasons, prices, marketing contacts.
//!
//! # Story
//!
//! A covariate multiplies the purchase rate by `e^{γz(t)}` while it holds, and the hazard of leaving by `e^{δz(t)}`: two clocks, one of
//! purchases and one of leaving, that go faster or slower than time. On their clocks customers are those of the plain model, so that
//! the likelihood and every forecast are sums over pieces of time in which nothing changes.
//!
//! * Pareto/NBD: Bachmann, Meierer & Näf (2021). The usual arrangement of the likelihood subtracts two ₂F₁s for each piece and loses all
//!   digits from some 200 purchases on (225 log units at x = 200); here each piece is an integral of something positive.
//! * BG/NBD, MBG/NBD: a customer stays after a purchase with probability `(1 − p)^{e^{δz}}`, at the covariates of that moment.
//! * BG/CNBD-k, MBG/CNBD-k: the same, at a beat of the purchases' clock.
//!
//! # When to use it
//!
//! Where purchases follow a season or a campaign that is known, in the past and over the horizon. A forecast needs the future of its
//! covariates: what the [`Timelines`](clv_core::Timelines) do not tell is an error.

mod bayes;
mod beta_geometric;
mod fit;
mod future;
mod known;
mod mixture;
mod model;
mod pareto;
mod path;
mod posterior;
mod refit;
mod regular;
#[cfg(test)]
mod tests;

pub use bayes::BayesOverTime;
pub use fit::{OverTime, OverTimeFit};
pub use future::FutureOverTime;
pub(crate) use model::register;
pub use model::{OverTimeModel, OwnFuture};
pub use posterior::PosteriorOverTimeModel;
