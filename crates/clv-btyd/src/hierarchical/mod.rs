//! Hierarchical models: each customer has parameters of their own, drawn together with the population that they are of.
//!
//! # Story
//!
//! | model | purchases of a customer | leaving | customers |
//! | :-- | :-- | :-- | :-- |
//! | [`MaLiu`] | at random, at rate `λ` | at rate `μ` | `λ ~ Gamma(r, α)`, `μ ~ Gamma(s, β)` |
//! | [`Abe`] | at random, at rate `λ` | at rate `μ` | `(ln λ, ln μ) ~ N(Bᵀz, Γ)`: correlated, moved by covariates `z` |
//! | [`ParetoGgg`] | at a beat: times between them `~ Gamma(k, kλ)` | at rate `μ` | `k ~ Gamma(t, γ)`, `λ ~ Gamma(r, α)`, `μ ~ Gamma(s, β)` |
//!
//! # Method
//!
//! Whether and when a customer left is integrated out and not drawn: with `S = T − t_x` the silence and `θ = kλ`, no purchase
//! after the last has the probability
//!
//! ```text
//! e^{−μ t_x} [ 1 − (θ/(θ+μ))^k P(k, (θ+μ) S) ]
//! ```
//!
//! (`P` the incomplete gamma function), which is the integral over the lifetime of Platzer & Reutterer's likelihood by parts;
//! with `k = 1` it is the bracket of Ma & Liu, and of Abe. Customers' own parameters are drawn by slices (Neal 2003, Annals of
//! Statistics 31(3)), the population given them, and then both are moved together, by shifts and stretches of the logarithms
//! (interweaving: Yu & Meng 2011, JCGS 20(3); as groups of moves: Liu & Wu 1999, JASA 94) along ways that are learned while the chain
//! warms up, as chains crawl where customers tell little of themselves.
//!
//! # Reference
//!
//! Ma & Liu (2007), ICNC; Abe (2009), Marketing Science 28(3), 541–553; Platzer & Reutterer (2016), Marketing Science 35(5), 779–799.

mod fit;
mod model;
mod one;
mod own;
mod population;
mod sampler;
#[cfg(test)]
mod tests;

use clv_core::model::Kind;
use clv_core::saved::Registry;

pub use fit::{HierarchicalFit, HierarchicalPosterior};
pub use model::{HierarchicalModel, OwnDraw};

use self::own::{AtABeat, AtRandom, Own};
use self::population::{Gammas, Lognormal, Population};
use crate::ParetoNbd;
use crate::process::Process;

/// A hierarchical model.
pub trait Hierarchy: sealed::Sealed {}

pub(crate) mod sealed {
    use super::{Kind, Own, ParetoNbd, Population};

    pub trait Sealed: Clone + Copy + std::fmt::Debug + Default + PartialEq + Send + Sync + 'static {
        const KIND: Kind;
        /// Whether covariates move customers' parameters.
        const COVARIATES: bool = false;
        type Own: Own;
        type Population: Population;

        /// The model of customers of whom nothing is known, of a population with these values, if it has formulas.
        fn newcomers(_values: &[f64]) -> Option<ParetoNbd> {
            None
        }
    }
}

/// Pareto/NBD with each customer's own rates (Ma & Liu 2007). The posterior of its population is that of
/// [`Bayes<ParetoNbd>`](crate::Bayes), which needs no rates and is quicker; this one tells the rates as well.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MaLiu;

/// Pareto/NBD with lognormal rates that may be correlated and moved by covariates (Abe 2009).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Abe;

/// The Pareto/GGG model of customers who buy with a regularity of their own (Platzer & Reutterer 2016).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ParetoGgg;

macro_rules! hierarchy {
    ($model:ty, $name:literal, $own:ty, $population:ty, $covariates:literal $(, $newcomers:item)?) => {
        impl sealed::Sealed for $model {
            const KIND: Kind = Kind::new($name, 1);
            const COVARIATES: bool = $covariates;
            type Own = $own;
            type Population = $population;
            $($newcomers)?
        }

        impl Hierarchy for $model {}
    };
}

hierarchy!(
    MaLiu,
    "pareto-nbd-hb",
    AtRandom,
    Gammas,
    false,
    fn newcomers(values: &[f64]) -> Option<ParetoNbd> {
        ParetoNbd::from_values(values).ok()
    }
);
hierarchy!(Abe, "pareto-nbd-abe", AtRandom, Lognormal, true);
hierarchy!(ParetoGgg, "pareto-ggg", AtABeat, Gammas, false);

pub(crate) fn register(registry: &mut Registry) {
    model::register::<MaLiu>(registry);
    model::register::<Abe>(registry);
    model::register::<ParetoGgg>(registry);
}
