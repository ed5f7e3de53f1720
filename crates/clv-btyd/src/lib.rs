//! Buy-till-you-die models: how often will a customer buy again, for how much, and are they still one?
//!
//! | model | purchases | leaving | settings |
//! | :-- | :-- | :-- | :-- |
//! | [`Nbd`] | at random | never | `MaximumLikelihood::<Nbd>` |
//! | [`BgNbd`] | at random | after any repeat purchase | `MaximumLikelihood::<BgNbd>` |
//! | [`MbgNbd`] | at random | after any purchase | `MaximumLikelihood::<MbgNbd>` |
//! | [`ParetoNbd`] | at random | at any time | `MaximumLikelihood::<ParetoNbd>` |
//! | [`GgomNbd`] | at random | at any time, the sooner the longer a customer | `MaximumLikelihood::<GgomNbd>` |
//! | [`BgCnbd`], [`MbgCnbd`] | at a beat | as BG/NBD, MBG/NBD | [`RegularFit`] |
//! | [`BgBb`] | once at most at each opportunity | before any of them | `MaximumLikelihood::<BgBb>` |
//! | [`BetaDiscreteWeibull`] | a contract, renewed or not | seen, at renewals | `MaximumLikelihood::<BetaDiscreteWeibull>` |
//! | [`WeibullGamma`] | a contract | seen, at any time | `MaximumLikelihood::<WeibullGamma>` |
//! | [`MaLiu`], [`Abe`], [`ParetoGgg`] | at random, at a beat of their own | at any time | [`HierarchicalFit`] |
//! | [`GammaGamma`] | amounts | – | [`GammaGammaFit`] |
//! | [`LognormalSpend`] | amounts | – | [`LognormalSpendFit`] |
//!
//! What is known of customers moves these: [`WithCovariates`], and from week to week [`OverTimeFit`]. How sure an estimate is:
//! [`log_interval`], [`MaximumLikelihood::profile_interval`], [`MaximumLikelihood::bootstrap`] (of customers as they are),
//! [`MaximumLikelihood::parametric_bootstrap`] (of simulated ones, the model taken as true), [`Draws`], with columns and of spend by [`HowSure`], over time by
//! methods of [`OverTimeFit`]; [`Bayes`] (with columns [`BayesWithCovariates`],
//! [`BayesOverTime`]; of spend [`BayesSpend`]), whose draws are a model of their own, [`PosteriorModel`], [`PosteriorOverTimeModel`], [`SpendPosteriorModel`];
//! how sure a forecast: [`Possible`](clv_core::model::Possible) of any model, [`Predictive`]. Customers of unlike cohorts: [`CohortFit`].
//! What to look at: [`Future::heterogeneity`], [`HierarchicalModel::heterogeneity`], [`GammaGamma::spend_densities`],
//! [`LognormalSpend::spend_densities`], [`MaximumLikelihood::contours`], and [`clv_core::diagnostics`].
//!
//! A population struct ([`ParetoNbd`]) holds parameters; [`MaximumLikelihood`] finds them;
//! [`PurchaseModel`] answers questions about customers through [`clv_core::Predict`] and its
//! capabilities.
//!
//! ```
//! use clv_btyd::{ParetoNbd, PurchaseModel};
//! use clv_core::model::{Activity, PurchaseForecast};
//! use clv_core::{History, TimeUnit};
//!
//! // Customer 0001 of the CDNOW sample, with published parameters in weeks.
//! let model = PurchaseModel::new(ParetoNbd::new(0.553, 10.578, 0.606, 11.669)?, TimeUnit::Week);
//! let customer = History::new(2, 30.42857143, 38.85714286)?;
//! assert!((model.p_alive(&customer, 0.0)? - 0.869186154651).abs() < 1e-9);
//! assert!((model.expected(&customer, 0.0, 39.0)? - 1.45522613095).abs() < 1e-8);
//! # Ok::<(), clv_core::Error>(())
//! ```
//!
//! # What it does not do
//!
//! Models over time are not on the facade's shelf, as they need the calendar of what is to come ([`clv_core::model::Foresee`]).

mod amounts;
mod bayes_spend;
mod beta_geometric;
mod bg_bb;
mod bg_nbd;
mod cnbd;
mod contours;
mod contract;
mod covariates;
mod estimate;
mod future;
mod gamma_gamma;
mod ggom_nbd;
mod hierarchical;
mod left_out;
mod lognormal;
mod mbg_nbd;
mod model;
mod nbd;
mod over_time;
mod pareto_nbd;
mod pooled;
mod posterior;
mod posterior_model;
mod predictive;
mod process;
mod refit;
mod regularity;
mod search;
mod side_by_side;
mod simulate;
mod spend_density;
mod sums;
mod uncertainty;

pub use bayes_spend::{BayesSpend, SpendPosteriorModel};
pub use bg_bb::{BgBb, Tries};
pub use bg_nbd::BgNbd;
pub use clv_core::model::Drawn;
pub use cnbd::{BgCnbd, MbgCnbd, RegularFit, RegularOverTime, RegularWithCovariates};
pub use contours::ContourPoint;
pub use contract::{BetaDiscreteWeibull, Cohort, Contract, Tenure, WeibullGamma};
pub use covariates::{BayesWithCovariates, CovariateModel, Covariates, PenaltyScore, Term, WithCovariates};
pub use estimate::MaximumLikelihood;
pub use future::{Future, Mixing, Mixture};
pub use gamma_gamma::{
    GammaGamma, GammaGammaFit, Independence, SpendCovariateModel, SpendModel, SpendWithCovariates,
};
pub use ggom_nbd::GgomNbd;
pub use hierarchical::{
    Abe, HierarchicalFit, HierarchicalModel, HierarchicalPosterior, Hierarchy, MaLiu, OwnDraw, ParetoGgg,
};
pub use lognormal::{LognormalSpend, LognormalSpendFit, LognormalSpendModel};
pub use mbg_nbd::MbgNbd;
pub use model::PurchaseModel;
pub use nbd::Nbd;
pub use over_time::{
    BayesOverTime, FutureOverTime, OverTime, OverTimeFit, OverTimeModel, OwnFuture, PosteriorOverTimeModel,
};
pub use pareto_nbd::ParetoNbd;
pub use pooled::{CohortFit, CohortModel, DeviationScore};
pub use posterior::{Bayes, Posterior, PosteriorSummary};
pub use posterior_model::PosteriorModel;
pub use predictive::{DrawnFutures, Predictive};
pub use process::{Parameter, Process, Scale};
pub use refit::HowSure;
pub use regularity::Regularity;
pub use simulate::Simulation;
pub use spend_density::SpendDensity;
pub use uncertainty::{Draws, LikelihoodRatio, ProfileInterval, Ratio, log_interval, ratio};

use clv_core::saved::Registry;

/// Lets a registry load the models of this crate.
pub fn register(registry: &mut Registry) {
    register_each::<Nbd>(registry);
    register_each::<BgNbd>(registry);
    register_each::<MbgNbd>(registry);
    register_each::<ParetoNbd>(registry);
    register_each::<GgomNbd>(registry);
    register_each::<BgCnbd>(registry);
    register_each::<MbgCnbd>(registry);
    register_each::<BgBb>(registry);
    register_each::<BetaDiscreteWeibull>(registry);
    register_each::<WeibullGamma>(registry);
    gamma_gamma::register(registry);
    over_time::register::<ParetoNbd>(registry);
    over_time::register::<BgNbd>(registry);
    over_time::register::<MbgNbd>(registry);
    over_time::register::<BgCnbd>(registry);
    over_time::register::<MbgCnbd>(registry);
    lognormal::register(registry);
    hierarchical::register(registry);
}

/// A model of this process, with columns, as a posterior, and by cohort.
fn register_each<P: Process>(registry: &mut Registry) {
    model::register::<P>(registry);
    covariates::register::<P>(registry);
    posterior_model::register::<PurchaseModel<P>>(registry);
    posterior_model::register::<CovariateModel<P>>(registry);
    pooled::register::<P>(registry);
}
