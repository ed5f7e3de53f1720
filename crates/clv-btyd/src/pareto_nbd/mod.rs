//! The Pareto/NBD model: customers who buy at random and may leave at any time.
//!
//! # Story
//!
//! While active, a customer buys at rate `λ`; they leave for good at rate `μ`. Across customers
//! `λ ~ Gamma(r, α)` and `μ ~ Gamma(s, β)`, independently.
//!
//! # When to use it
//!
//! The first choice where purchases come at any time, without contract, and leaving is not observed.
//!
//! # Reference
//!
//! Schmittlein, Morrison & Colombo (1987), Management Science 33(1), 1–24; Fader & Hardie (2005),
//! "A Note on Deriving the Pareto/NBD Model and Related Expressions".

mod integral;

use clv_core::model::Kind;
use clv_core::{Cells, Error};
use clv_math::minimise::Derivatives;
use clv_math::special::{digamma, ln_rising, trigamma};

use self::integral::Silence;
use crate::beta_geometric::softplus;
use crate::future::Future;
use crate::process::{
    ALPHA, LEAVES, Parameter, Process, R, S, Scale, Sums, check_values, frequency_runs, sum_over_runs,
};
use crate::simulate::{exponential, gamma, poisson_times};

/// Population parameters of the Pareto/NBD model.
///
/// | Field | Symbol | Unit | Range |
/// | :-- | :-- | :-- | :-- |
/// | `r` | `r` | none | `(0, ∞)` |
/// | `alpha` | `α` | time units | `(0, ∞)` |
/// | `s` | `s` | none | `(0, ∞)` |
/// | `beta` | `β` | time units | `(0, ∞)` |
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ParetoNbd {
    r: f64,
    alpha: f64,
    s: f64,
    beta: f64,
}

impl ParetoNbd {
    /// A population with the given parameters.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] naming the first that is not finite and positive.
    pub fn new(r: f64, alpha: f64, s: f64, beta: f64) -> Result<Self, Error> {
        Self::from_values(&[r, alpha, s, beta])
    }
}

impl Process for ParetoNbd {
    const KIND: Kind = Kind::new("pareto-nbd", 1);
    const DROPOUT: &'static [(&'static str, f64)] = &[("beta", -1.0)];
    const PARAMETERS: &'static [Parameter] = &[R, ALPHA, S, Parameter::new("beta", Scale::Time, LEAVES)];

    fn from_values(values: &[f64]) -> Result<Self, Error> {
        let [r, alpha, s, beta] = check_values(Self::PARAMETERS, values)?;
        Ok(Self { r, alpha, s, beta })
    }

    fn values(&self) -> Vec<f64> {
        vec![self.r, self.alpha, self.s, self.beta]
    }

    /// # Formula
    ///
    /// ```text
    /// L = Γ(r+x)/Γ(r) α^r β^s [ (α+T)^{−(r+x)} (β+T)^{−s} + s ∫_{t_x}^{T} (α+τ)^{−(r+x)} (β+τ)^{−(s+1)} dτ ]
    /// ```
    ///
    /// Fader & Hardie (2005), equations (17) and (18) before the integral is written as ₂F₁, which
    /// overflows and cancels where this does neither.
    fn ln_likelihood(&self, frequency: u32, recency: f64, age: f64) -> f64 {
        let x = f64::from(frequency);
        ln_rising(self.r, x) + self.ln_of_times(x, recency, age)
    }

    fn ln_likelihood_of(&self, cells: &Cells) -> f64 {
        sum_over_runs(cells, |x| ln_rising(self.r, x), |x, recency, age| self.ln_of_times(x, recency, age))
    }

    fn derivatives(&self, cells: &Cells) -> Derivatives {
        let Self { r, alpha, s, beta } = *self;
        let (psi, tri) = (digamma(r), trigamma(r));
        let mut sums = Sums::<4>::ZERO;
        for (x, range, weight) in frequency_runs(cells) {
            let mut run = Sums::<4>::ZERO;
            run.value = ln_rising(r, x);
            run.gradient[0] = digamma(r + x) - psi;
            run.hessian[0][0] = trigamma(r + x) - tri;
            sums.add(weight, &run);
            for i in range {
                let (age, weight) = (cells.age[i], cells.weight[i]);
                let (end_a, end_b) = (alpha + age, beta + age);
                let (fall_a, fall_b) = ((age / alpha).ln_1p(), (age / beta).ln_1p());
                let mut one = Sums::<4>::ZERO;
                one.value = -r * fall_a - x * end_a.ln() - s * fall_b;
                one.gradient = [-fall_a, (r * age / alpha - x) / end_a, -fall_b, s * age / (beta * end_b)];
                one.hessian[0][1] = age / (alpha * end_a);
                one.hessian[1][1] = (r + x) / (end_a * end_a) - r / (alpha * alpha);
                one.hessian[2][3] = age / (beta * end_b);
                one.hessian[3][3] = s / (end_b * end_b) - s / (beta * beta);
                self.silence(x, cells.recency[i], age).add_derivatives(&mut one);
                sums.add(weight, &one);
            }
        }
        sums.into_derivatives()
    }

    /// # Formula
    ///
    /// ```text
    /// P(alive) = 1 / (1 + s (α+T)^{r+x} (β+T)^s ∫_{t_x}^{T} (α+τ)^{−(r+x)} (β+τ)^{−(s+1)} dτ)
    /// ```
    fn p_alive(&self, frequency: u32, recency: f64, age: f64) -> f64 {
        1.0 / (1.0 + self.silence(f64::from(frequency), recency, age).ln_odds_gone().exp())
    }

    fn given_alive(&self, frequency: u32, _recency: f64, age: f64) -> Future {
        let Self { r, alpha, s, beta } = *self;
        Future::LeavesAnytime { k: r + f64::from(frequency), rate: alpha + age, s, life: beta + age }
    }

    fn new_customer(&self) -> (f64, Future) {
        (1.0, self.given_alive(0, 0.0, 0.0))
    }

    fn purchase_times(&self, length: f64, rng: &mut rand_chacha::ChaCha8Rng, times: &mut Vec<f64>) {
        let (rate, leaving) = (gamma(self.r, self.alpha, rng), gamma(self.s, self.beta, rng));
        let life = exponential(leaving, rng);
        poisson_times(rate, length.min(life), rng, times);
    }

    fn starts(mean_age: f64, repeats_per_age: f64) -> Vec<Vec<f64>> {
        vec![
            vec![0.5, 0.5 / repeats_per_age, 0.5, 0.5 * mean_age],
            vec![2.0, 1.5 / repeats_per_age, 2.0, 4.0 * mean_age],
            vec![0.2, 0.2 * mean_age, 0.1, mean_age],
            // Customers alike in their rate, and either gone at once or there for good.
            vec![30.0, 20.0 / repeats_per_age, 0.1, 1e-3 * mean_age],
        ]
    }
}

impl ParetoNbd {
    /// The log-likelihood but for what depends on `x` alone.
    fn ln_of_times(&self, x: f64, recency: f64, age: f64) -> f64 {
        let Self { r, alpha, s, beta } = *self;
        let fall = r * (age / alpha).ln_1p() + x * (alpha + age).ln() + s * (age / beta).ln_1p();
        softplus(self.silence(x, recency, age).ln_odds_gone()) - fall
    }

    fn silence(&self, x: f64, recency: f64, age: f64) -> Silence {
        let Self { r, alpha, s, beta } = *self;
        Silence { k: r + x, alpha, s, beta, recency, age }
    }
}
