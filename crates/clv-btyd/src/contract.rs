//! Contracts: customers who are seen to leave.
//!
//! | model | time | across customers | fitted by |
//! | :-- | :-- | :-- | :-- |
//! | shifted beta-geometric, sBG | renewals | churn `θ ~ Beta(α, β)`, the same at each renewal | [`RenewalFit::shifted_beta_geometric`] |
//! | beta-discrete-Weibull, BdW | renewals | the same, rising or falling with tenure (`c`) | [`RenewalFit::beta_discrete_weibull`] |
//! | exponential-gamma | any | rate to leave `λ ~ Gamma(r, α)`, the same at all times | [`TenureFit::exponential_gamma`] |
//! | Weibull-gamma | any | the same, rising or falling with tenure (`c`) | [`TenureFit::weibull_gamma`] |
//!
//! Customers differ, so those who are left renew more often than those who began, though none of them has changed
//! (`c = 1`); a single churn rate, or a curve fitted to the survivors, takes that for loyalty or misses it.
//!
//! # Reference
//!
//! Fader & Hardie (2007), Journal of Interactive Marketing 21(1), 76–90 (sBG); Fader & Hardie (2010), Marketing Science
//! 29(1), 85–93 (residual lifetimes); Fader, Hardie, Liu, Davin & Steenburgh (2018), Journal of Interactive Marketing
//! 43, 1–16 (BdW); Hardie & Fader (2018), "Exponential-gamma and Weibull-gamma" as in Hardie's notes on duration models.

use clv_core::model::Kind;
use clv_core::setting::{above_zero, at_least_zero};
use clv_core::{Context, Error, Fitted, TimeUnit};
use clv_math::minimise::Derivatives;
use clv_math::quadrature::{Tail, ln_integral};
use clv_math::special::{digamma, ln_rising, trigamma};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::process::{Parameter, Scale, Sums, check_values};
use crate::search::{Found, Level, Options, Search};
use crate::simulate::{beta, exponential, gamma, uniform};

const RENEWALS: Kind = Kind::new("beta-discrete-weibull", 1);
const TENURES: Kind = Kind::new("weibull-gamma", 1);

const ALIKE: &str = "customers hardly differ in how they leave";

const RENEWAL_PARAMETERS: [Parameter; 3] = [
    Parameter { name: "alpha", scale: Scale::None, at_edge: ALIKE },
    Parameter { name: "beta", scale: Scale::None, at_edge: ALIKE },
    Parameter {
        name: "c",
        scale: Scale::None,
        at_edge: "churn changes with tenure faster than the data can tell",
    },
];

const TENURE_PARAMETERS: [Parameter; 3] = [
    Parameter { name: "r", scale: Scale::None, at_edge: ALIKE },
    Parameter { name: "alpha", scale: Scale::Time, at_edge: ALIKE },
    Parameter {
        name: "c",
        scale: Scale::None,
        at_edge: "leaving changes with tenure faster than the data can tell",
    },
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
        let [alpha, beta, c] = check_values(&RENEWAL_PARAMETERS, &[alpha, beta, c])?;
        Ok(Self { alpha, beta, c })
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

    fn ln_survival(&self, t: f64) -> f64 {
        // As Γ(β + u)/Γ(α + β + u), which cancels nothing however late t is.
        ln_rising(self.beta, self.alpha) - ln_rising(self.beta + t.powf(self.c), self.alpha)
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
        if fall == 0.0 && self.alpha * self.c <= 1.0 {
            return Ok(None);
        }
        let (n, now) = (f64::from(n), self.ln_survival(f64::from(n)));
        let ln_term = |k: f64| self.ln_survival(n + k) - now - fall * k;
        let mut sum = 0.0;
        for k in 1..=SUMMED {
            let term = ln_term(f64::from(k)).exp();
            sum += term;
            if term < 1e-18 * sum {
                return Ok(Some(sum));
            }
        }
        // What is left is smooth: its integral less half the last term (Euler and Maclaurin; their next correction is
        // a twelfth of the slope there).
        let last = f64::from(SUMMED);
        let ln_f = |v: f64| ln_term(v.exp()) + v;
        let decay = self.alpha * self.c - 1.0;
        let right =
            Tail { at: 650.0 / self.c.max(1.0), rate: if fall > 0.0 { f64::INFINITY } else { decay } };
        let rest = ln_integral(ln_f, last.ln(), Tail { at: last.ln(), rate: f64::INFINITY }, right).exp();
        Ok(Some(sum + rest - ln_term(last).exp() / 2.0))
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
        let stays = -(-beta(self.alpha, self.beta, rng)).ln_1p();
        // (1 − θ)^{t^c} falls below a uniform draw.
        let t = (-(1.0 - uniform(rng)).ln() / stays).powf(1.0 / self.c).floor() + 1.0;
        (t <= f64::from(last)).then_some(t as u32)
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
        let (low, high) = (digamma(beta + u), digamma(all + u));
        let (low2, high2) = (trigamma(beta + u), trigamma(all + u));
        let (of_all, of_all2) = (digamma(all) - high, trigamma(all) - high2);
        let du = u * ln_t;
        sums.value = self.ln_survival(t);
        sums.gradient = [of_all, of_all + low - digamma(beta), (low - high) * du];
        sums.hessian[0] = [of_all2, of_all2, -high2 * du];
        sums.hessian[1][1] = of_all2 + low2 - trigamma(beta);
        sums.hessian[1][2] = (low2 - high2) * du;
        sums.hessian[2][2] = (low2 - high2) * du * du + (low - high) * du * ln_t;
        sums
    }

    fn derivatives(&self, cohorts: &[Cohort]) -> Derivatives {
        let longest = cohorts.iter().map(|cohort| cohort.customers.len()).max().unwrap_or(0);
        let survival: Vec<Sums<3>> = (0..longest).map(|t| self.ln_survival_sums(t as f64)).collect();
        let mut all = Sums::<3>::ZERO;
        for Cohort { customers } in cohorts {
            for t in 1..customers.len() {
                let lost = customers[t - 1] - customers[t];
                if lost > 0.0 {
                    all.add(lost, &lost_between(&survival[t - 1], &survival[t]));
                }
            }
            let last = customers.len() - 1;
            all.add(customers[last], &survival[last]);
        }
        all.into_derivatives()
    }
}

/// So many renewals are added up one by one.
const SUMMED: u32 = 4_096;

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
}

/// How to fit a model of renewals: by maximum likelihood, to one cohort or several at once.
///
/// ```
/// use clv_btyd::{Cohort, RenewalFit};
/// use clv_core::{Context, TimeUnit};
///
/// // The first eight years of the sBG paper's "high end".
/// let high = Cohort::new(&[1000.0, 869.0, 743.0, 653.0, 593.0, 551.0, 517.0, 491.0])?;
/// let fitted = RenewalFit::shifted_beta_geometric().fit(&[high], TimeUnit::Year, &Context::default())?;
/// assert!((fitted.model.values()[0] - 0.668).abs() < 1e-3);
/// assert!((fitted.model.survival(12) - 0.394).abs() < 2e-2);     // seen, and not fitted: 0.394
/// # Ok::<(), clv_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct RenewalFit {
    options: Options,
}

impl RenewalFit {
    /// Churn that does not change with tenure: `c` is held at 1.
    pub fn shifted_beta_geometric() -> Self {
        let fixed = vec![("c", 1.0)];
        Self { options: Options { fixed, ..Options::default() } }
    }

    /// Churn that may.
    pub fn beta_discrete_weibull() -> Self {
        Self { options: Options::default() }
    }

    /// An L2 penalty `λ Σ (ln θ)²` on the mean log-likelihood per customer.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] unless it is finite and at least 0.
    pub fn penalty(self, lambda: f64) -> Result<Self, Error> {
        Ok(Self { options: self.options.penalty(lambda)? })
    }

    /// Fits cohorts; `unit` is that of a renewal period, for the report.
    ///
    /// # Errors
    ///
    /// [`Error::TooLittleData`] without cohorts, [`Error::NoEstimate`] if nobody left or nobody stayed at any date,
    /// [`Error::Stopped`].
    pub fn fit(
        &self,
        cohorts: &[Cohort],
        unit: TimeUnit,
        cx: &Context<'_>,
    ) -> Result<Fitted<BetaDiscreteWeibull>, Error> {
        let model = RENEWALS.name;
        if cohorts.is_empty() {
            return Err(Error::TooLittleData { model, needs: "at least one cohort", found: 0 });
        }
        let no_estimate = |why| Err(Error::NoEstimate { model, why });
        if cohorts.iter().all(|one| one.customers[0] == one.customers[one.customers.len() - 1]) {
            return no_estimate("nobody left, so churn is indistinguishable from 0");
        }
        if cohorts.iter().all(|one| one.customers[1] == 0.0) {
            return no_estimate("nobody stayed, so churn is indistinguishable from 1");
        }
        let starts: [[f64; 3]; 4] = [[1.0, 1.0, 1.0], [1.0, 4.0, 1.0], [0.5, 10.0, 1.5], [5.0, 20.0, 0.7]];
        let customers = cohorts.iter().map(|one| one.customers[0]).sum();
        let derivatives =
            |v: &[f64]| Some(BetaDiscreteWeibull::new(v[0], v[1], v[2]).ok()?.derivatives(cohorts));
        let levels = [Level { customers, derivatives: &derivatives }];
        let search = Search::new(model, &RENEWAL_PARAMETERS, &self.options, &[1.0; 3]);
        let Found { values, mut report } = search.run(&starts.map(|s| s.to_vec()), &levels, cx)?;
        report.unit = unit;
        report.rows = cohorts.len();
        Ok(Fitted { model: BetaDiscreteWeibull::new(values[0], values[1], values[2])?, report })
    }
}

/// A population of contracts that may end at any time: Weibull-gamma, and with `c = 1` exponential-gamma (Pareto of
/// the second kind).
///
/// # Formula
///
/// ```text
/// S(t) = (α / (α + t^c))^r,      hazard  h(t) = r c t^{c−1} / (α + t^c)
/// ```
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
    /// A population with the given parameters; `α` is in time units to the power of `c`.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] naming the first that is not finite and positive.
    pub fn new(r: f64, alpha: f64, c: f64) -> Result<Self, Error> {
        let [r, alpha, c] = check_values(&TENURE_PARAMETERS, &[r, alpha, c])?;
        Ok(Self { r, alpha, c })
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

    fn ln_survival(&self, t: f64) -> f64 {
        -self.r * (t.powf(self.c) / self.alpha).ln_1p()
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
        self.r * self.c * t.powf(self.c - 1.0) / (self.alpha + t.powf(self.c))
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
        let decay = self.r * self.c - 1.0;
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

    /// Draws how long a new contract lasts.
    pub fn draw(&self, rng: &mut ChaCha8Rng) -> f64 {
        exponential(gamma(self.r, self.alpha, rng), rng).powf(1.0 / self.c)
    }

    fn derivatives(&self, tenures: &[Tenure]) -> Derivatives {
        let Self { r, alpha, c } = *self;
        let mut all = Sums::<3>::ZERO;
        for Tenure { lasted, ended } in tenures.iter().filter(|tenure| tenure.lasted > 0.0) {
            let (w, ln_t) = (lasted.powf(c), lasted.ln());
            let total = alpha + w;
            // Of the density one factor α + t^c more.
            let k = r + if *ended { 1.0 } else { 0.0 };
            let (share, fall) = (w * ln_t / total, (w / alpha).ln_1p());
            let mut one = Sums::<3>::ZERO;
            one.value = -r * fall;
            one.gradient = [-fall, r / alpha - k / total, -k * share];
            one.hessian[0] = [0.0, 1.0 / alpha - 1.0 / total, -share];
            one.hessian[1][1] = k / (total * total) - r / (alpha * alpha);
            one.hessian[1][2] = k * share / total;
            one.hessian[2][2] = -k * share * ln_t * alpha / total;
            if *ended {
                one.value += r.ln() + c.ln() + (c - 1.0) * ln_t - total.ln();
                one.gradient[0] += 1.0 / r;
                one.gradient[2] += 1.0 / c + ln_t;
                one.hessian[0][0] -= 1.0 / (r * r);
                one.hessian[2][2] -= 1.0 / (c * c);
            }
            all.add(1.0, &one);
        }
        all.into_derivatives()
    }
}

/// How to fit a model of tenures: by maximum likelihood, those that go on counted as what they are.
#[derive(Clone, Debug, PartialEq)]
pub struct TenureFit {
    options: Options,
}

impl TenureFit {
    /// A rate to leave that does not change with tenure: `c` is held at 1.
    pub fn exponential_gamma() -> Self {
        let fixed = vec![("c", 1.0)];
        Self { options: Options { fixed, ..Options::default() } }
    }

    /// One that may.
    pub fn weibull_gamma() -> Self {
        Self { options: Options::default() }
    }

    /// An L2 penalty `λ Σ ln(θ/θ₀)²` on the mean log-likelihood per contract; `θ₀` is 1, and the mean tenure for `α`.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] unless it is finite and at least 0.
    pub fn penalty(self, lambda: f64) -> Result<Self, Error> {
        Ok(Self { options: self.options.penalty(lambda)? })
    }

    /// Fits contracts; `unit` is that of their tenures, for the report.
    ///
    /// # Errors
    ///
    /// [`Error::TooLittleData`] without contracts, [`Error::NoEstimate`] if none has ended, [`Error::Stopped`].
    pub fn fit(
        &self,
        tenures: &[Tenure],
        unit: TimeUnit,
        cx: &Context<'_>,
    ) -> Result<Fitted<WeibullGamma>, Error> {
        let model = TENURES.name;
        if tenures.is_empty() {
            return Err(Error::TooLittleData { model, needs: "at least one contract", found: 0 });
        }
        let ended = tenures.iter().filter(|tenure| tenure.ended).count();
        if ended == 0 {
            let why = "no contract has ended, so the rate to leave is indistinguishable from 0";
            return Err(Error::NoEstimate { model, why });
        }
        let n = tenures.len() as f64;
        let mean = tenures.iter().map(|tenure| tenure.lasted).sum::<f64>() / n;
        // Tenure by contract that ended.
        let scale = mean * n / ended as f64;
        let starts: [[f64; 3]; 4] =
            [[1.0, scale, 1.0], [5.0, 5.0 * scale, 1.0], [0.5, 0.3 * scale, 1.0], [2.0, scale, 1.3]];
        let derivatives = |v: &[f64]| Some(WeibullGamma::new(v[0], v[1], v[2]).ok()?.derivatives(tenures));
        let levels = [Level { customers: n, derivatives: &derivatives }];
        let search = Search::new(model, &TENURE_PARAMETERS, &self.options, &[1.0, mean, 1.0]);
        let Found { values, mut report } = search.run(&starts.map(|s| s.to_vec()), &levels, cx)?;
        report.unit = unit;
        report.rows = tenures.len();
        Ok(Fitted { model: WeibullGamma::new(values[0], values[1], values[2])?, report })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::expect_derivatives;
    use rand::SeedableRng;

    const HIGH: [f64; 13] =
        [1000.0, 869.0, 743.0, 653.0, 593.0, 551.0, 517.0, 491.0, 468.0, 445.0, 427.0, 409.0, 394.0];
    const REGULAR: [f64; 13] =
        [1000.0, 631.0, 468.0, 382.0, 326.0, 289.0, 262.0, 241.0, 223.0, 207.0, 194.0, 183.0, 173.0];

    fn fitted(fit: &RenewalFit, cohorts: &[&[f64]]) -> Fitted<BetaDiscreteWeibull> {
        let cohorts: Vec<Cohort> = cohorts.iter().map(|one| Cohort::new(one).unwrap()).collect();
        fit.fit(&cohorts, TimeUnit::Year, &Context::default()).unwrap()
    }

    /// Fader & Hardie (2007), fitted on the first seven renewals of each.
    #[test]
    fn the_published_fits() {
        for (seen, alpha, beta) in [(HIGH, 0.668, 3.806), (REGULAR, 0.704, 1.182)] {
            let model = fitted(&RenewalFit::shifted_beta_geometric(), &[&seen[..8]]).model;
            let [a, b, c] = model.values();
            assert!((a - alpha).abs() < 5e-4 && (b - beta).abs() < 5e-4 && c == 1.0, "{a} {b}");
            // Their point: the five years that were not fitted.
            for (t, survivors) in seen.iter().enumerate().skip(8) {
                assert!((1000.0 * model.survival(t as u32) - survivors).abs() < 17.0, "{t}");
            }
        }
        // A free c fits no worse, and to both cohorts at once the likelihoods add up.
        let sbg = fitted(&RenewalFit::shifted_beta_geometric(), &[&REGULAR]).report.log_likelihood.unwrap();
        let bdw = fitted(&RenewalFit::beta_discrete_weibull(), &[&REGULAR]).report.log_likelihood.unwrap();
        assert!(bdw >= sbg - 1e-9, "{bdw} {sbg}");
        let twice = fitted(&RenewalFit::shifted_beta_geometric(), &[&REGULAR, &REGULAR]);
        assert!((twice.report.log_likelihood.unwrap() - 2.0 * sbg).abs() < 1e-6);
    }

    /// Fader & Hardie (2010), table 3: DERL at a discount of 10%.
    #[test]
    fn the_published_residual_lifetimes() {
        for (alpha, beta, expected) in
            [(3.80, 15.20, [3.31, 3.45, 3.59, 3.72, 3.84]), (0.067, 0.267, [7.68, 9.46, 9.86, 10.06, 10.19])]
        {
            let model = BetaDiscreteWeibull::shifted_beta_geometric(alpha, beta).unwrap();
            for (place, expected) in expected.into_iter().enumerate() {
                let derl = model.derl(place as u32 + 1, 0.1).unwrap().unwrap();
                // The parameters are printed to three digits.
                assert!((derl / expected - 1.0).abs() < 2e-3, "{alpha} {place}: {derl}");
            }
        }
        // In closed form without a discount, far beyond what is added up one by one.
        let slow = BetaDiscreteWeibull::shifted_beta_geometric(1.5, 40.0).unwrap();
        for n in [0, 3, 100] {
            let found = slow.residual_renewals(n, 0.0).unwrap().unwrap();
            let expected = (40.0 + f64::from(n)) / 0.5;
            assert!((found / expected - 1.0).abs() < 1e-9, "{n}: {found} {expected}");
        }
        let heavy = BetaDiscreteWeibull::new(0.8, 2.0, 1.2).unwrap();
        assert_eq!(heavy.residual_renewals(1, 0.0).unwrap(), None);
        let one_by_one: f64 = (1..60_000)
            .map(|k| (heavy.ln_survival(f64::from(1 + k)) - heavy.ln_survival(1.0)).exp() / 1.001_f64.powi(k))
            .sum();
        let found = heavy.residual_renewals(1, 1e-3).unwrap().unwrap();
        assert!((found / one_by_one - 1.0).abs() < 1e-9, "{found} {one_by_one}");
        assert!(heavy.residual_renewals(1, -0.1).is_err());
    }

    #[test]
    fn derivatives_against_the_functions() {
        let cohorts = [Cohort::new(&HIGH).unwrap(), Cohort::new(&[50.0, 20.0, 20.0, 0.0]).unwrap()];
        let tenures = [
            Tenure::ended(0.3).unwrap(),
            Tenure::ended(7.0).unwrap(),
            Tenure::running(20.0).unwrap(),
            Tenure::running(0.0).unwrap(),
        ];
        let renewals = |v: &[f64]| BetaDiscreteWeibull::new(v[0], v[1], v[2]).unwrap().derivatives(&cohorts);
        let lasting = |v: &[f64]| WeibullGamma::new(v[0], v[1], v[2]).unwrap().derivatives(&tenures);
        for values in [[0.7, 3.8, 1.0], [5.0, 0.4, 1.6], [0.2, 30.0, 0.5]] {
            expect_derivatives(&values, 1e-6, renewals);
            expect_derivatives(&values, 1e-6, lasting);
        }
    }

    #[test]
    fn renewals_that_were_drawn_are_found_again() {
        let mut rng = ChaCha8Rng::seed_from_u64(11);
        let truth = BetaDiscreteWeibull::new(0.9, 3.0, 1.4).unwrap();
        let mut customers = [60_000.0; 16];
        for _ in 0..60_000 {
            if let Some(gone) = truth.draw(15, &mut rng) {
                customers[gone as usize..].iter_mut().for_each(|left| *left -= 1.0);
            }
        }
        for (t, left) in customers.iter().enumerate() {
            let expected = truth.survival(t as u32);
            let error = (expected * (1.0 - expected) / 60_000.0).sqrt();
            assert!((left / 60_000.0 - expected).abs() <= 4.0 * error, "{t}: {left} {expected}");
        }
        let found = fitted(&RenewalFit::beta_discrete_weibull(), &[&customers]);
        for (estimate, truth) in found.report.all_parameters().zip(truth.values()) {
            let error = estimate.standard_error.unwrap();
            assert!((estimate.value - truth).abs() < 3.5 * error, "{estimate:?} {truth}");
        }
    }

    #[test]
    fn tenures_that_were_drawn_are_found_again() {
        let mut rng = ChaCha8Rng::seed_from_u64(12);
        let truth = WeibullGamma::new(1.6, 12.0, 1.3).unwrap();
        let censored = |lasts: f64| {
            if lasts < 20.0 { Tenure::ended(lasts).unwrap() } else { Tenure::running(20.0).unwrap() }
        };
        let drawn: Vec<Tenure> = (0..40_000).map(|_| censored(truth.draw(&mut rng))).collect();
        let left = drawn.iter().filter(|tenure| !tenure.has_ended()).count() as f64 / 40_000.0;
        let expected = truth.survival(20.0).unwrap();
        assert!((left - expected).abs() < 4.0 * (expected / 40_000.0).sqrt(), "{left} {expected}");
        let found = TenureFit::weibull_gamma().fit(&drawn, TimeUnit::Month, &Context::default()).unwrap();
        for (estimate, truth) in found.report.all_parameters().zip(truth.values()) {
            let error = estimate.standard_error.unwrap();
            assert!((estimate.value - truth).abs() < 3.5 * error, "{estimate:?} {truth}");
        }
        // The residual life is the mean of what is drawn beyond, and in closed form with c = 1.
        let mean = |t: f64, rng: &mut ChaCha8Rng| {
            let lasts: Vec<f64> = (0..200_000).map(|_| truth.draw(rng)).filter(|l| *l > t).collect();
            let discounted = lasts.iter().map(|l| -(-0.05 * (l - t)).exp_m1() / 0.05).sum::<f64>();
            discounted / lasts.len() as f64
        };
        let (simulated, found) = (mean(5.0, &mut rng), truth.residual(5.0, 0.05).unwrap().unwrap());
        assert!((simulated / found - 1.0).abs() < 0.01, "{simulated} {found}");
        let plain = WeibullGamma::exponential_gamma(1.2, 7.0).unwrap();
        assert!((plain.residual(3.0, 0.0).unwrap().unwrap() / 50.0 - 1.0).abs() < 1e-9);
        assert_eq!(WeibullGamma::new(0.5, 7.0, 1.5).unwrap().residual(3.0, 0.0).unwrap(), None);
    }

    #[test]
    fn what_cannot_be_is_refused_by_date_and_reason() {
        let error = Cohort::new(&[100.0, 80.0, 81.0]).unwrap_err().to_string();
        assert!(error.contains("row 2") && error.contains("81"), "{error}");
        assert!(Cohort::new(&[100.0]).is_err() && Cohort::new(&[0.0, 0.0]).is_err());
        let all_stay = [Cohort::new(&[10.0, 10.0]).unwrap()];
        let fit = RenewalFit::shifted_beta_geometric();
        assert!(fit.fit(&all_stay, TimeUnit::Year, &Context::default()).is_err());
        assert!(fit.fit(&[], TimeUnit::Year, &Context::default()).is_err());
        assert!(Tenure::ended(0.0).is_err() && Tenure::running(f64::NAN).is_err());
        let running = [Tenure::running(3.0).unwrap()];
        let fit = TenureFit::exponential_gamma();
        assert!(fit.fit(&running, TimeUnit::Month, &Context::default()).is_err());
        let text = serde_json::to_string(&WeibullGamma::new(1.0, 2.0, 3.0).unwrap()).unwrap();
        assert_eq!(text, "[1.0,2.0,3.0]");
        assert!(serde_json::from_str::<WeibullGamma>("[1.0,-2.0,3.0]").is_err());
    }
}
