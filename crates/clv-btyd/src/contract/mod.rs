//! Contracts: customers who are seen to leave.
//!
//! | model | time | across customers | fitted by |
//! | :-- | :-- | :-- | :-- |
//! | shifted beta-geometric, sBG | renewals | churn `θ ~ Beta(α, β)`, the same at each renewal | [`MaximumLikelihood::shifted_beta_geometric`] |
//! | beta-discrete-Weibull, BdW | renewals | the same, rising or falling with tenure (`c`) | `MaximumLikelihood::<BetaDiscreteWeibull>` |
//! | exponential-gamma | any | rate to leave `λ ~ Gamma(r, α)`, the same at all times | [`MaximumLikelihood::exponential_gamma`] |
//! | Weibull-gamma | any | the same, rising or falling with tenure (`c`) | `MaximumLikelihood::<WeibullGamma>` |
//!
//! Customers differ, so those who are left renew more often than those who began, though none of them has changed
//! (`c = 1`); a single churn rate, or a curve fitted to the survivors, takes that for loyalty or misses it.
//!
//! # What a history says
//!
//! A customer who is seen to the end, `t_x = T`, is one still; one who was last seen before, `t_x < T`, left then. Of renewals these are whole
//! periods: who paid for the last time `t_x` periods after the first did not renew the next. How often they were seen does not matter.
//!
//! # Reference
//!
//! Fader & Hardie (2007), Journal of Interactive Marketing 21(1), 76–90 (sBG); Fader & Hardie (2010), Marketing Science
//! 29(1), 85–93 (residual lifetimes); Fader, Hardie, Liu, Davin & Steenburgh (2018), Journal of Interactive Marketing
//! 43, 1–16 (BdW); Hardie & Fader (2018), "Exponential-gamma and Weibull-gamma" as in Hardie's notes on duration models.

mod renewals;
mod tenures;
#[cfg(test)]
mod tests;

use rand_chacha::ChaCha8Rng;

pub use self::renewals::{BetaDiscreteWeibull, Cohort};
pub use self::tenures::{Tenure, WeibullGamma};
#[cfg(doc)]
use crate::MaximumLikelihood;
use crate::sums::sum_for_ever;

const ALIKE: &str = "customers hardly differ in how they leave";

/// A model of contracts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Contract {
    /// One that comes up for renewal.
    Renewals(BetaDiscreteWeibull),
    /// One that may end at any time.
    Tenures(WeibullGamma),
}

impl Contract {
    /// `ln S(t)`.
    fn ln_survival(&self, t: f64) -> f64 {
        match self {
            Self::Renewals(model) => model.ln_survival(t),
            Self::Tenures(model) => model.ln_survival(t),
        }
    }

    /// Of those whose contract has lasted for `age`, the share for whom it lasts `t` longer.
    pub(crate) fn lasts(&self, age: f64, t: f64) -> f64 {
        self.ln_lasts(age, t).exp()
    }

    /// Its logarithm.
    pub(crate) fn ln_lasts(&self, age: f64, t: f64) -> f64 {
        self.ln_survival(age + t) - self.ln_survival(age)
    }

    /// `S(t)` falls like this power of `t`, in the end.
    fn decay(&self) -> f64 {
        match self {
            Self::Renewals(model) => model.decay(),
            Self::Tenures(model) => model.decay(),
        }
    }

    /// Expected payments at the end of each time unit to come, the one that is `k` from now over `e^{fall k}`; nothing if that is infinite.
    ///
    /// # Formula
    ///
    /// ```text
    /// Σ_{k ≥ 1} S(age + k) / S(age) · e^{−fall k}
    /// ```
    pub(crate) fn payments(&self, age: f64, fall: f64) -> Option<f64> {
        if fall == 0.0 && self.decay() <= 1.0 {
            return None;
        }
        let decay = if fall > 0.0 { f64::INFINITY } else { self.decay() };
        Some(sum_for_ever(&|k| self.ln_lasts(age, k) - fall * k, decay))
    }

    /// Draws how much longer a contract lasts that has lasted for `age`.
    pub(crate) fn draw(&self, age: f64, rng: &mut ChaCha8Rng) -> f64 {
        match self {
            Self::Renewals(model) => model.draw_rest(age, rng),
            Self::Tenures(model) => model.draw_rest(age, rng),
        }
    }
}
