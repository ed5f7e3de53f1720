//! The MBG/NBD model: as BG/NBD, with a chance to leave right after the first purchase too.
//!
//! # Story
//!
//! While active, a customer buys at rate `λ`; after every purchase, the first included, they leave
//! for good with probability `p`. Across customers `λ ~ Gamma(r, α)` and `p ~ Beta(a, b)`.
//!
//! # When to use it
//!
//! As BG/NBD, and wherever P(alive) of one-time buyers is looked at.
//!
//! # Reference
//!
//! Batislam, Denizel & Filiztekin (2007), International Journal of Research in Marketing 24(3), 201–209.

use clv_core::model::Kind;
use clv_core::{Cells, Error};
use clv_math::minimise::Derivatives;

use crate::beta_geometric::{BetaGeometric, Chance};
use crate::future::Future;
use crate::process::{A, ALPHA, B, Parameter, Process, R, check_values};

/// Population parameters of the MBG/NBD model.
///
/// | Field | Symbol | Unit | Range |
/// | :-- | :-- | :-- | :-- |
/// | `r` | `r` | none | `(0, ∞)` |
/// | `alpha` | `α` | time units | `(0, ∞)` |
/// | `a` | `a` | none | `(0, ∞)` |
/// | `b` | `b` | none | `(0, ∞)` |
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MbgNbd(BetaGeometric);

impl MbgNbd {
    /// A population with the given parameters.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] naming the first that is not finite and positive.
    pub fn new(r: f64, alpha: f64, a: f64, b: f64) -> Result<Self, Error> {
        Self::from_values(&[r, alpha, a, b])
    }
}

impl Process for MbgNbd {
    const KIND: Kind = Kind::new("mbg-nbd", 1);
    const DROPOUT: &'static [(&'static str, f64)] = &[("a", 1.0)];
    const PARAMETERS: &'static [Parameter] = &[R, ALPHA, A, B];

    fn from_values(values: &[f64]) -> Result<Self, Error> {
        let [r, alpha, a, b] = check_values(Self::PARAMETERS, values)?;
        Ok(Self(BetaGeometric { r, alpha, a, b, chance: Chance::AfterAll }))
    }

    fn values(&self) -> Vec<f64> {
        vec![self.0.r, self.0.alpha, self.0.a, self.0.b]
    }

    fn ln_likelihood(&self, frequency: u32, recency: f64, age: f64) -> f64 {
        self.0.ln_likelihood(f64::from(frequency), recency, age)
    }

    fn ln_likelihood_of(&self, cells: &Cells) -> f64 {
        self.0.ln_likelihood_of(cells)
    }

    fn derivatives(&self, cells: &Cells) -> Derivatives {
        self.0.derivatives(cells).into_derivatives()
    }

    /// # Formula
    ///
    /// ```text
    /// P(alive) = 1 / (1 + a/(b + x) · ((α + T)/(α + t_x))^{r + x})
    /// ```
    fn p_alive(&self, frequency: u32, recency: f64, age: f64) -> f64 {
        self.0.p_alive(f64::from(frequency), recency, age)
    }

    fn given_alive(&self, frequency: u32, _recency: f64, age: f64) -> Future {
        let BetaGeometric { r, alpha, a, b, .. } = self.0;
        let x = f64::from(frequency);
        Future::LeavesAfterPurchase { k: r + x, rate: alpha + age, a, b: b + self.0.chances(x) }
    }

    fn new_customer(&self) -> (f64, Future) {
        (self.0.stays_at_first(), self.given_alive(0, 0.0, 0.0))
    }

    fn purchase_times(&self, length: f64, rng: &mut rand_chacha::ChaCha8Rng, times: &mut Vec<f64>) {
        self.0.purchase_times(1, length, rng, times);
    }

    fn starts(mean_age: f64, repeats_per_age: f64) -> Vec<Vec<f64>> {
        vec![
            vec![0.5, 0.3 / repeats_per_age, 0.8, 2.5],
            vec![2.0, 1.5 / repeats_per_age, 0.2, 2.0],
            vec![0.2, 0.3 * mean_age, 3.0, 10.0],
            // Customers alike in their rate, and either gone at once or there for good.
            vec![30.0, 20.0 / repeats_per_age, 0.05, 0.1],
        ]
    }
}
