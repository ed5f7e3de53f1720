//! Contracts that come up for renewal.

use std::collections::BTreeMap;

use clv_core::model::{Kind, Reads};
use clv_core::setting::at_least_zero;
use clv_core::{Cells, Error, Warning};
use clv_math::minimise::Derivatives;
use clv_math::special::{digamma, ln_rising, trigamma};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::{ALIKE, Contract};
use crate::estimate::MaximumLikelihood;
use crate::future::Future;
use crate::process::{Parameter, Process, Scale, Sums, check_values};
use crate::simulate::{beta, exponential};

static PARAMETERS: [Parameter; 3] = [
    Parameter::new("alpha", Scale::None, ALIKE),
    Parameter::new("beta", Scale::None, ALIKE),
    Parameter::new("c", Scale::None, "churn changes with tenure faster than the data can tell"),
];

/// A population of contracts that come up for renewal: beta-discrete-Weibull, and with `c = 1` shifted
/// beta-geometric.
///
/// # Formula
///
/// ```text
/// S(t) = B(α, β + t^c) / B(α, β)            still a customer after t renewals were due
/// r(t) = S(t) / S(t − 1)                    of those who came to renewal t, who renew
/// ```
///
/// ```
/// use clv_btyd::BetaDiscreteWeibull;
///
/// // The "regular" customers of the sBG paper.
/// let regular = BetaDiscreteWeibull::shifted_beta_geometric(0.704, 1.182)?;
/// assert!((regular.survival(1) - 0.627).abs() < 1e-3);
/// assert!(regular.retention(7) > regular.retention(1));
/// # Ok::<(), clv_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "[f64; 3]", into = "[f64; 3]")]
pub struct BetaDiscreteWeibull {
    alpha: f64,
    beta: f64,
    c: f64,
}

impl TryFrom<[f64; 3]> for BetaDiscreteWeibull {
    type Error = Error;

    fn try_from([alpha, beta, c]: [f64; 3]) -> Result<Self, Error> {
        Self::new(alpha, beta, c)
    }
}

impl From<BetaDiscreteWeibull> for [f64; 3] {
    fn from(model: BetaDiscreteWeibull) -> Self {
        model.values()
    }
}

impl BetaDiscreteWeibull {
    /// A population with the given parameters.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] naming the first that is not finite and positive.
    pub fn new(alpha: f64, beta: f64, c: f64) -> Result<Self, Error> {
        Self::from_values(&[alpha, beta, c])
    }

    /// Each customer leaves at every renewal with a probability of their own, `θ ~ Beta(α, β)`.
    ///
    /// # Errors
    ///
    /// As [`BetaDiscreteWeibull::new`].
    pub fn shifted_beta_geometric(alpha: f64, beta: f64) -> Result<Self, Error> {
        Self::new(alpha, beta, 1.0)
    }

    /// The values in order: `α`, `β`, `c`.
    pub fn values(&self) -> [f64; 3] {
        [self.alpha, self.beta, self.c]
    }

    pub(super) fn ln_survival(&self, t: f64) -> f64 {
        // As Γ(β + u)/Γ(α + β + u), which cancels nothing however late t is; u^{−α} in the end.
        let u = t.powf(self.c);
        let late = if u.is_finite() { ln_rising(self.beta + u, self.alpha) } else { self.decay() * t.ln() };
        ln_rising(self.beta, self.alpha) - late
    }

    /// Share of those who began still customers after `t` renewals were due.
    pub fn survival(&self, t: u32) -> f64 {
        self.ln_survival(f64::from(t)).exp()
    }

    /// Of those who come to renewal `t` (from 1), the share who renew.
    pub fn retention(&self, t: u32) -> f64 {
        let t = f64::from(t.max(1));
        (self.ln_survival(t) - self.ln_survival(t - 1.0)).exp()
    }

    /// Expected renewals yet to come of somebody who has renewed `n` times, the one that is `k` from now over
    /// `(1 + rate)^k`; nothing if it is infinite (`α c ≤ 1` without a discount).
    ///
    /// # Formula
    ///
    /// ```text
    /// Σ_{k ≥ 1} S(n + k) / S(n) · (1 + rate)^{−k};      sBG without a discount: (β + n) / (α − 1)
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] for a rate that is negative or not finite.
    pub fn residual_renewals(&self, n: u32, rate: f64) -> Result<Option<f64>, Error> {
        let fall = at_least_zero("rate", rate)?.ln_1p();
        Ok(Contract::Renewals(*self).payments(f64::from(n), fall))
    }

    /// `S(t)` falls like `t^{−αc}`.
    pub(super) fn decay(&self) -> f64 {
        self.alpha * self.c
    }

    /// The discounted expected residual lifetime, DERL, of somebody about to decide on renewal `n` (from 1): that
    /// renewal counts in full, later ones less (Fader & Hardie 2010, equation 6).
    ///
    /// # Errors
    ///
    /// As [`BetaDiscreteWeibull::residual_renewals`].
    pub fn derl(&self, n: u32, rate: f64) -> Result<Option<f64>, Error> {
        let later = self.residual_renewals(n.max(1), rate)?;
        Ok(later.map(|later| self.retention(n) * (1.0 + later)))
    }

    /// Draws after which renewal date (from 1) a new customer is gone; none if later than `last`.
    pub fn draw(&self, last: u32, rng: &mut ChaCha8Rng) -> Option<u32> {
        let t = self.draw_rest(0.0, rng) + 1.0;
        (t <= f64::from(last)).then_some(t as u32)
    }

    /// Draws how many renewals follow, of somebody who has renewed so often.
    pub(super) fn draw_rest(&self, age: f64, rng: &mut ChaCha8Rng) -> f64 {
        // Of those who have come so far θ ~ Beta(α, β + age^c), and the next renewals are made until (1 − θ)^{t^c − age^c} falls below a
        // uniform draw.
        let so_far = age.powf(self.c);
        if !so_far.is_finite() {
            return 0.0;
        }
        let stays = -(-beta(self.alpha, self.beta + so_far, rng)).ln_1p();
        ((so_far + exponential(stays, rng)).powf(1.0 / self.c) - age).max(0.0).floor()
    }

    /// `ln S(t)` with its first and second derivatives in `α`, `β` and `c`.
    fn ln_survival_sums(&self, t: f64) -> Sums<3> {
        let Self { alpha, beta, c } = *self;
        let mut sums = Sums::ZERO;
        if t == 0.0 {
            return sums;
        }
        let (u, ln_t) = (t.powf(c), t.ln());
        let all = alpha + beta;
        let Steps { first, second, per_u } = Steps::of(beta, alpha, u);
        sums.value = self.ln_survival(t);
        // In the logarithm of Γ(β + u)/Γ(α + β + u) · Γ(α + β)/Γ(β); at the very end of time u is beyond all numbers, and S a power of t.
        let (low, low2) = if u.is_finite() { (digamma(beta + u), trigamma(beta + u)) } else { (0.0, 0.0) };
        let of_alpha =
            if u.is_finite() { digamma(all) - low - first / u } else { digamma(all) - self.c * ln_t };
        let of_all2 = trigamma(all) - per_u / u;
        sums.gradient = [of_alpha, digamma(all) - digamma(beta) - first / u, -first * ln_t];
        sums.hessian[0] = [of_all2, of_all2, -per_u * ln_t];
        sums.hessian[1][1] = of_all2 + low2 - trigamma(beta);
        sums.hessian[1][2] = -second / u * ln_t;
        sums.hessian[2][2] = -(second + first) * ln_t * ln_t;
        sums
    }
}

/// What changes from `ψ(β + u)` to `ψ(α + β + u)`, where `u` may be so great that the two are the same number.
struct Steps {
    /// `u (ψ(α + β + u) − ψ(β + u))`, which goes to `α`.
    first: f64,
    /// `u² (ψ′(α + β + u) − ψ′(β + u))`, which goes to `−α`.
    second: f64,
    /// `u ψ′(α + β + u)`, which goes to 1.
    per_u: f64,
}

impl Steps {
    /// From so great a sum on the next term of the series is below all digits.
    const GREAT: f64 = 1e4;

    fn of(beta: f64, alpha: f64, u: f64) -> Self {
        let (low, high) = (beta + u, alpha + beta + u);
        if low < Self::GREAT {
            return Self {
                first: u * (digamma(high) - digamma(low)),
                second: u * u * (trigamma(high) - trigamma(low)),
                per_u: u * trigamma(high),
            };
        }
        if !u.is_finite() {
            return Self { first: alpha, second: -alpha, per_u: 1.0 };
        }
        // ψ(x) = ln x − 1/2x − 1/12x² + …, ψ′(x) = 1/x + 1/2x² + 1/6x³ − …, each difference written without one.
        let (per_low, per_high) = (u / low, u / high);
        let by = alpha / low;
        let first = u * by.ln_1p() + 0.5 * by * per_high + by * per_high * (1.0 / low + 1.0 / high) / 12.0;
        let squares = 1.0 / low + 1.0 / high;
        let cubes = 1.0 / (low * low) + 1.0 / (low * high) + 1.0 / (high * high);
        let second = -alpha * per_low * per_high * (1.0 + 0.5 * squares + cubes / 6.0);
        let per_u = per_high * (1.0 + 0.5 / high + 1.0 / (6.0 * high * high));
        Self { first, second, per_u }
    }
}

/// `ln(S(t − 1) − S(t))` of the logarithms of both.
fn lost_between(before: &Sums<3>, after: &Sums<3>) -> Sums<3> {
    // ln(1 − e^d), d = ln S(t) − ln S(t − 1).
    let d = after.value - before.value;
    let odds = 1.0 / (-d).exp_m1();
    let mut sums = *before;
    sums.value += (-d.exp_m1()).ln();
    let slope = |i: usize| after.gradient[i] - before.gradient[i];
    for i in 0..3 {
        sums.gradient[i] -= odds * slope(i);
        for j in i..3 {
            let bend = after.hessian[i][j] - before.hessian[i][j];
            sums.hessian[i][j] -= odds * bend + odds * (1.0 + odds) * slope(i) * slope(j);
        }
    }
    sums
}

/// Customers who began together: how many were left after 0, 1, 2, … renewals were due.
#[derive(Clone, Debug, PartialEq)]
pub struct Cohort {
    customers: Vec<f64>,
}

impl Cohort {
    /// From the number at the beginning and after each renewal date, whole or in shares.
    ///
    /// # Errors
    ///
    /// [`Error::TooLittleData`] without a renewal date; [`Error::Cell`] naming the date at which the number is not
    /// finite, negative, 0 at the beginning, or higher than before.
    pub fn new(customers: &[f64]) -> Result<Self, Error> {
        if customers.len() < 2 {
            let needs = "the number at the beginning and after one renewal date";
            return Err(Error::TooLittleData { model: "a cohort", needs, found: customers.len() });
        }
        let mut before = f64::INFINITY;
        for (row, &given) in customers.iter().enumerate() {
            let cell = |allowed| Error::Cell { row, column: "customers".into(), given, allowed };
            if !(given.is_finite() && given >= 0.0) || (row == 0 && given == 0.0) {
                return Err(cell("finite, at least 0, above 0 at the beginning"));
            }
            if given > before {
                return Err(cell("no more than at the date before"));
            }
            before = given;
        }
        Ok(Self { customers: customers.to_vec() })
    }

    /// The histories of cohorts: who renewed so often and no more, and who does still.
    pub fn cells(cohorts: &[Self]) -> Cells {
        let mut cells = Cells::default();
        let mut push = |renewed: usize, of: usize, customers: f64| {
            if customers > 0.0 {
                cells.push(renewed as u32, renewed as f64, of as f64, customers);
            }
        };
        for Self { customers } in cohorts {
            let last = customers.len() - 1;
            (0..last).for_each(|t| push(t, last, customers[t] - customers[t + 1]));
            push(last, last, customers[last]);
        }
        cells
    }
}

impl MaximumLikelihood<BetaDiscreteWeibull> {
    /// Churn that does not change with tenure: `c` is held at 1.
    ///
    /// ```
    /// use clv_btyd::{Cohort, MaximumLikelihood};
    /// use clv_core::{Context, TimeUnit};
    ///
    /// // The first eight years of the sBG paper's "high end".
    /// let high = Cohort::new(&[1000.0, 869.0, 743.0, 653.0, 593.0, 551.0, 517.0, 491.0])?;
    /// let settings = MaximumLikelihood::shifted_beta_geometric();
    /// let sbg = *settings.fit_cells(&Cohort::cells(&[high]), TimeUnit::Year, &Context::default())?.model.parameters();
    /// assert!((sbg.values()[0] - 0.668).abs() < 1e-3);
    /// assert!((sbg.survival(12) - 0.394).abs() < 2e-2);     // seen, and not fitted: 0.394
    /// # Ok::<(), clv_core::Error>(())
    /// ```
    pub fn shifted_beta_geometric() -> Self {
        Self::holding("c", 1.0)
    }
}

impl Process for BetaDiscreteWeibull {
    const KIND: Kind = Kind::new("beta-discrete-weibull", 2);
    const PARAMETERS: &'static [Parameter] = &PARAMETERS;
    const PURCHASES: &'static [(&'static str, f64)] = &[];
    const DROPOUT: &'static [(&'static str, f64)] = &[("alpha", 1.0)];
    const READS: Reads = Reads::Renewals;
    // Renewals of nearly everybody who stayed for long may be told by c alone.
    const SEVERAL_MAXIMA: bool = true;

    fn from_values(values: &[f64]) -> Result<Self, Error> {
        let [alpha, beta, c] = check_values(&PARAMETERS, values)?;
        Ok(Self { alpha, beta, c })
    }

    fn values(&self) -> Vec<f64> {
        self.values().to_vec()
    }

    /// Of a contract that goes on `ln S(T)`, of one that has ended `ln(S(t_x) − S(t_x + 1))`.
    fn ln_likelihood(&self, _: u32, recency: f64, age: f64) -> f64 {
        if recency >= age {
            return self.ln_survival(age);
        }
        let (before, after) = (self.ln_survival(recency), self.ln_survival(recency + 1.0));
        before + (-(after - before).exp_m1()).ln()
    }

    fn derivatives(&self, cells: &Cells) -> Derivatives {
        // Each time once, whatever it is asked for.
        let mut survival: BTreeMap<u64, Sums<3>> = BTreeMap::new();
        let mut at = |t: f64| *survival.entry(t.to_bits()).or_insert_with(|| self.ln_survival_sums(t));
        let mut all = Sums::<3>::ZERO;
        for i in 0..cells.len() {
            let (last, age) = (cells.recency[i], cells.age[i]);
            let one = if last >= age { at(age) } else { lost_between(&at(last), &at(last + 1.0)) };
            all.add(cells.weight[i], &one);
        }
        all.into_derivatives()
    }

    fn p_alive(&self, _: u32, recency: f64, age: f64) -> f64 {
        f64::from(u8::from(recency >= age))
    }

    fn given_alive(&self, _: u32, _: f64, age: f64) -> Future {
        Future::Pays { contract: Contract::Renewals(*self), age }
    }

    fn new_customer(&self) -> (f64, Future) {
        (1.0, Future::Pays { contract: Contract::Renewals(*self), age: 0.0 })
    }

    fn purchase_times(&self, length: f64, rng: &mut ChaCha8Rng, times: &mut Vec<f64>) {
        self.new_customer().1.purchase_times(length, rng, times);
    }

    fn starts(_: f64, _: f64) -> Vec<Vec<f64>> {
        // The last two where many leave at once and the others fall like a power of time, as if c were large.
        let starts = [
            [1.0, 1.0, 1.0],
            [1.0, 4.0, 1.0],
            [0.5, 10.0, 1.5],
            [5.0, 20.0, 0.7],
            [0.05, 5.0, 5.0],
            [0.01, 5.0, 20.0],
        ];
        starts.map(|start| start.to_vec()).to_vec()
    }

    fn look(cells: &Cells) -> Result<Vec<Warning>, Error> {
        let no_estimate = |why| Err(Error::NoEstimate { model: Self::KIND.name, why });
        let all =
            |is: &dyn Fn(f64, f64) -> bool| (0..cells.len()).all(|i| is(cells.recency[i], cells.age[i]));
        if all(&|last, age| last >= age) {
            return no_estimate("nobody left, so churn is indistinguishable from 0");
        }
        if all(&|last, _| last == 0.0) {
            return no_estimate("nobody stayed, so churn is indistinguishable from 1");
        }
        Ok(Vec::new())
    }
}
