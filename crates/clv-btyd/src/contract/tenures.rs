//! Contracts that may end at any time.

use clv_core::model::{Kind, Reads};
use clv_core::setting::{above_zero, at_least_zero};
use clv_core::{Cells, Error, Warning};
use clv_math::minimise::Derivatives;
use clv_math::quadrature::{Tail, ln_integral};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::{ALIKE, Contract};
use crate::estimate::MaximumLikelihood;
use crate::future::Future;
use crate::process::{Parameter, Process, Scale, Sums, check_values};
use crate::simulate::{exponential, gamma};

static PARAMETERS: [Parameter; 3] = [
    Parameter::new("r", Scale::None, ALIKE),
    Parameter::new("alpha", Scale::Time, ALIKE),
    Parameter::new("c", Scale::None, "leaving changes with tenure faster than the data can tell"),
];

/// A population of contracts that may end at any time: Weibull-gamma, and with `c = 1` exponential-gamma (Pareto of
/// the second kind).
///
/// # Formula
///
/// ```text
/// S(t) = (1 + (t/α)^c)^{−r},      hazard  h(t) = r c t^{c−1} / (α^c + t^c)
/// ```
///
/// `α` is a time, so that nothing depends on the unit that it is counted in; in the notes it stands for our `α^c`.
///
/// ```
/// use clv_btyd::WeibullGamma;
///
/// let lines = WeibullGamma::exponential_gamma(2.0, 24.0)?;      // months
/// assert!((lines.survival(24.0)? - 0.25).abs() < 1e-12);
/// assert!((lines.residual(24.0, 0.0)?.unwrap() - 48.0).abs() < 1e-9);
/// # Ok::<(), clv_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "[f64; 3]", into = "[f64; 3]")]
pub struct WeibullGamma {
    r: f64,
    alpha: f64,
    c: f64,
}

impl TryFrom<[f64; 3]> for WeibullGamma {
    type Error = Error;

    fn try_from([r, alpha, c]: [f64; 3]) -> Result<Self, Error> {
        Self::new(r, alpha, c)
    }
}

impl From<WeibullGamma> for [f64; 3] {
    fn from(model: WeibullGamma) -> Self {
        model.values()
    }
}

/// How long a contract has lasted, and whether it has ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tenure {
    lasted: f64,
    ended: bool,
}

impl Tenure {
    /// A contract that ended after a time.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] unless the time is finite and above 0.
    pub fn ended(after: f64) -> Result<Self, Error> {
        Ok(Self { lasted: above_zero("tenure", after)?, ended: true })
    }

    /// A contract that has lasted for a time and goes on.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] unless the time is finite and at least 0.
    pub fn running(so_far: f64) -> Result<Self, Error> {
        Ok(Self { lasted: at_least_zero("tenure", so_far)?, ended: false })
    }

    /// How long.
    pub fn lasted(&self) -> f64 {
        self.lasted
    }

    /// Whether it has ended.
    pub fn has_ended(&self) -> bool {
        self.ended
    }
}

impl WeibullGamma {
    /// A population with the given parameters; `α` is in time units.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] naming the first that is not finite and positive.
    pub fn new(r: f64, alpha: f64, c: f64) -> Result<Self, Error> {
        Self::from_values(&[r, alpha, c])
    }

    /// Each customer leaves at a rate of their own, `λ ~ Gamma(r, α)`.
    ///
    /// # Errors
    ///
    /// As [`WeibullGamma::new`].
    pub fn exponential_gamma(r: f64, alpha: f64) -> Result<Self, Error> {
        Self::new(r, alpha, 1.0)
    }

    /// The values in order: `r`, `α`, `c`.
    pub fn values(&self) -> [f64; 3] {
        [self.r, self.alpha, self.c]
    }

    pub(super) fn ln_survival(&self, t: f64) -> f64 {
        -self.r * self.worn(t)
    }

    /// `ln(1 + (t/α)^c)`.
    fn worn(&self, t: f64) -> f64 {
        let ln_u = self.c * (t / self.alpha).ln();
        if ln_u > 40.0 { ln_u } else { ln_u.exp().ln_1p() }
    }

    /// Share of those who began still customers after a time.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] for a time that is negative or not finite.
    pub fn survival(&self, t: f64) -> Result<f64, Error> {
        Ok(self.ln_survival(at_least_zero("time", t)?).exp())
    }

    /// The rate at which those still customers after a time leave.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] for a time that is not above 0 or not finite.
    pub fn hazard(&self, t: f64) -> Result<f64, Error> {
        Ok(self.slope(above_zero("time", t)?))
    }

    fn slope(&self, t: f64) -> f64 {
        self.ln_slope(t).exp()
    }

    /// `ln h(t)`: `r c / t` times the share `t^c / (α^c + t^c)`, whatever overflows.
    fn ln_slope(&self, t: f64) -> f64 {
        let z = -self.c * (t / self.alpha).ln();
        let ln_share = if z > 40.0 { -z } else { -z.exp().ln_1p() };
        self.r.ln() + self.c.ln() - t.ln() + ln_share
    }

    /// Expected time yet to come of somebody who has been a customer for `t`, time that is `u` from now counted as
    /// `e^{−rate u}`; nothing if it is infinite (`r c ≤ 1` without a discount).
    ///
    /// # Formula
    ///
    /// ```text
    /// ∫_0^∞ S(t + u) / S(t) · e^{−rate u} du;      exponential-gamma without a discount: (α + t) / (r − 1)
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] for a time or rate that is negative or not finite.
    pub fn residual(&self, t: f64, rate: f64) -> Result<Option<f64>, Error> {
        let (t, rate) = (at_least_zero("time", t)?, at_least_zero("rate", rate)?);
        let decay = self.decay() - 1.0;
        if rate == 0.0 && decay <= 0.0 {
            return Ok(None);
        }
        let now = self.ln_survival(t);
        // Over v = ln u, where the integrand rises like e^v and falls like a power or faster.
        let ln_f = |v: f64| {
            let u = v.exp();
            v + self.ln_survival(t + u) - now - rate * u
        };
        let rises = |v: f64| {
            let u = v.exp();
            u * (self.slope(t + u) + rate) < 1.0
        };
        let (mut low, mut high) = (-650.0, 650.0);
        for _ in 0..80 {
            let middle = f64::midpoint(low, high);
            if rises(middle) {
                low = middle;
            } else {
                high = middle;
            }
        }
        let left = Tail { at: low - 50.0, rate: 1.0 };
        let right = Tail { at: 690.0, rate: if rate > 0.0 { f64::INFINITY } else { decay } };
        Ok(Some(ln_integral(ln_f, low, left, right).exp()))
    }

    /// `S(t)` falls like `t^{−rc}`.
    pub(super) fn decay(&self) -> f64 {
        self.r * self.c
    }

    /// Draws how long a new contract lasts.
    pub fn draw(&self, rng: &mut ChaCha8Rng) -> f64 {
        self.draw_rest(0.0, rng)
    }

    /// Draws how much longer a contract lasts: of those that have come so far `λ ~ Gamma(r, 1 + (age/α)^c)`.
    pub(super) fn draw_rest(&self, age: f64, rng: &mut ChaCha8Rng) -> f64 {
        let so_far = (age / self.alpha).powf(self.c);
        if !so_far.is_finite() {
            return 0.0;
        }
        let more = exponential(gamma(self.r, 1.0 + so_far, rng), rng);
        (self.alpha * (so_far + more).powf(1.0 / self.c) - age).max(0.0)
    }
}

impl Tenure {
    /// The histories of contracts.
    pub fn cells(tenures: &[Self]) -> Cells {
        let mut sorted: Vec<&Self> = tenures.iter().collect();
        sorted.sort_by_key(|tenure| (tenure.ended, tenure.lasted.to_bits()));
        let mut cells = Cells::default();
        for same in sorted.chunk_by(|a, b| a == b) {
            // Of one that has ended it does not matter how long ago.
            let Self { lasted, ended } = *same[0];
            let age = if ended { 2.0 * lasted } else { lasted };
            cells.push(u32::from(lasted > 0.0), lasted, age, same.len() as f64);
        }
        cells
    }
}

impl MaximumLikelihood<WeibullGamma> {
    /// A rate to leave that does not change with tenure: `c` is held at 1.
    pub fn exponential_gamma() -> Self {
        Self::holding("c", 1.0)
    }
}

impl Process for WeibullGamma {
    const KIND: Kind = Kind::new("weibull-gamma", 2);
    const PARAMETERS: &'static [Parameter] = &PARAMETERS;
    const READS: Reads = Reads::Tenures;
    const SEVERAL_MAXIMA: bool = true;
    const PURCHASES: &'static [(&'static str, f64)] = &[];
    const DROPOUT: &'static [(&'static str, f64)] = &[("alpha", -1.0)];

    fn from_values(values: &[f64]) -> Result<Self, Error> {
        let [r, alpha, c] = check_values(&PARAMETERS, values)?;
        Ok(Self { r, alpha, c })
    }

    fn values(&self) -> Vec<f64> {
        self.values().to_vec()
    }

    /// Of a contract that goes on `ln S(T)`, of one that has ended `ln h(t_x) + ln S(t_x)`.
    fn ln_likelihood(&self, _: u32, recency: f64, age: f64) -> f64 {
        if recency >= age {
            self.ln_survival(age)
        } else {
            self.ln_survival(recency) + self.ln_slope(recency)
        }
    }

    fn derivatives(&self, cells: &Cells) -> Derivatives {
        let Self { r, alpha, c } = *self;
        let mut all = Sums::<3>::ZERO;
        for i in (0..cells.len()).filter(|&i| cells.age[i] > 0.0) {
            let (lasted, ended) = (cells.recency[i], cells.recency[i] < cells.age[i]);
            let ln_t = (lasted / alpha).ln();
            // u = (t/α)^c, of which u/(1 + u) is all that is needed; f = ln(1 + u).
            let (f, share) = (self.worn(lasted), 1.0 / (1.0 + (-c * ln_t).exp()));
            let both = share * (1.0 - share);
            let (f_alpha, f_c) = (-c / alpha * share, ln_t * share);
            let f_alpha_alpha = c / (alpha * alpha) * (share + c * both);
            let f_alpha_c = -(share + c * ln_t * both) / alpha;
            let f_c_c = ln_t * ln_t * both;
            // Of the density one factor 1 + u more.
            let k = r + f64::from(u8::from(ended));
            let mut one = Sums::<3>::ZERO;
            one.value = -k * f;
            one.gradient = [-f, -k * f_alpha, -k * f_c];
            one.hessian[0] = [0.0, -f_alpha, -f_c];
            one.hessian[1][1] = -k * f_alpha_alpha;
            one.hessian[1][2] = -k * f_alpha_c;
            one.hessian[2][2] = -k * f_c_c;
            if ended {
                one.value += r.ln() + c.ln() - lasted.ln() + c * ln_t;
                one.gradient[0] += 1.0 / r;
                one.gradient[1] -= c / alpha;
                one.gradient[2] += 1.0 / c + ln_t;
                one.hessian[0][0] -= 1.0 / (r * r);
                one.hessian[1][1] += c / (alpha * alpha);
                one.hessian[1][2] -= 1.0 / alpha;
                one.hessian[2][2] -= 1.0 / (c * c);
            }
            all.add(cells.weight[i], &one);
        }
        all.into_derivatives()
    }

    fn p_alive(&self, _: u32, recency: f64, age: f64) -> f64 {
        f64::from(u8::from(recency >= age))
    }

    fn given_alive(&self, _: u32, _: f64, age: f64) -> Future {
        Future::Pays { contract: Contract::Tenures(*self), age }
    }

    fn new_customer(&self) -> (f64, Future) {
        (1.0, Future::Pays { contract: Contract::Tenures(*self), age: 0.0 })
    }

    /// The time at which the contract was last seen to run: that of its end, or all of the length.
    fn purchase_times(&self, length: f64, rng: &mut ChaCha8Rng, times: &mut Vec<f64>) {
        times.push(self.draw(rng).min(length));
    }

    fn starts(mean_age: f64, _: f64) -> Vec<Vec<f64>> {
        // Of contracts few of which have ended the scale is far beyond their age.
        let far = [1.0, 10.0, 100.0].map(|by| by * mean_age);
        far.into_iter()
            .flat_map(|scale| {
                [vec![1.0, scale, 1.0], vec![5.0, 5.0 * scale, 1.0], vec![0.5, 0.3 * scale, 1.3]]
            })
            .collect()
    }

    fn look(cells: &Cells) -> Result<Vec<Warning>, Error> {
        let no_estimate = |why| Err(Error::NoEstimate { model: Self::KIND.name, why });
        let ended = |i: usize| cells.recency[i] < cells.age[i];
        if !(0..cells.len()).any(ended) {
            return no_estimate("no contract has ended, so the rate to leave is indistinguishable from 0");
        }
        if (0..cells.len()).any(|i| ended(i) && cells.recency[i] == 0.0) {
            return no_estimate(
                "a contract that ended has lasted for no time: of contracts by the period take beta-discrete-weibull",
            );
        }
        Ok(Vec::new())
    }

    /// With `r → 0` and `c → ∞`, `rc = κ`, the survival becomes Pareto's `min(1, (α/t)^κ)`, with all of the likelihood in a step at the first end.
    fn expect_no_limit(&self) -> Result<(), Error> {
        if self.r > 1e-4 || self.c < 1e3 {
            return Ok(());
        }
        let why = "r runs to 0 and c to infinity, which tells that nobody could have left before the first end: contracts end at whole \
                   periods, which sbg and bdw count by, or no end is early";
        Err(Error::NoEstimate { model: Self::KIND.name, why })
    }
}
