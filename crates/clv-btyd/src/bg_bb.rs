//! The BG/BB model: customers who may buy once at each of so many opportunities, and may leave before any.
//!
//! # Story
//!
//! At each opportunity (a year's appeal, a weekly market, a cruise season) a customer who is still one leaves for good with
//! probability `θ`; if they stay they buy with probability `p`. Across customers `p ~ Beta(α, β)` and
//! `θ ~ Beta(γ, δ)`, independently. The first purchase makes a customer and is not counted.
//!
//! # When to use it
//!
//! Purchases come at fixed times, or are counted by period (donated this year or not), without a contract. For
//! purchases at any time take [`crate::ParetoNbd`] or [`crate::BgNbd`].
//!
//! # Reference
//!
//! Fader, Hardie & Shang (2010), Marketing Science 29(6), 1086–1108. Equation numbers are theirs.

use std::collections::BTreeMap;

use clv_core::model::Kind;
use clv_core::summary::Purchases;
use clv_core::{Context, Cut, Error, Fitted, Span, TimeUnit};
use clv_math::logspace::ln_sum_exp;
use clv_math::minimise::Derivatives;
use clv_math::special::{digamma, ln_rising, trigamma};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::process::{Parameter, Scale, Sums, check_values};
use crate::search::{Found, Level, Options, Search};
use crate::simulate::{beta, uniform};

const KIND: Kind = Kind::new("bg-bb", 1);

const PARAMETERS: [Parameter; 4] = [
    Parameter { name: "alpha", scale: Scale::None, at_edge: "customers hardly differ in how often they buy" },
    Parameter { name: "beta", scale: Scale::None, at_edge: "customers hardly differ in how often they buy" },
    Parameter {
        name: "gamma",
        scale: Scale::None,
        at_edge: "nobody is seen to leave, or customers hardly differ in it",
    },
    Parameter {
        name: "delta",
        scale: Scale::None,
        at_edge: "nobody is seen to leave, or customers hardly differ in it",
    },
];

/// What a customer did with the opportunities since their first purchase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Tries {
    /// Opportunities taken, `x`.
    frequency: u32,
    /// The last one taken, `t_x`; 0 if none was.
    recency: u32,
    /// Opportunities there were, `n`.
    opportunities: u32,
}

impl Tries {
    /// `x` of `n` opportunities taken, the last one at `t_x`.
    ///
    /// # Errors
    ///
    /// [`Error::History`] unless `x ≤ t_x ≤ n`, and `t_x` is 0 just if `x` is.
    pub fn new(frequency: u32, recency: u32, opportunities: u32) -> Result<Self, Error> {
        let bad = |field, given, allowed| Error::History { row: 0, field, given: f64::from(given), allowed };
        if recency > opportunities {
            return Err(bad("recency", recency, "at most the number of opportunities"));
        }
        if frequency > recency || (frequency == 0 && recency > 0) {
            let allowed = "at most the place of the last one taken, and 0 just if that is 0";
            return Err(bad("frequency", frequency, allowed));
        }
        Ok(Self { frequency, recency, opportunities })
    }

    /// Opportunities taken.
    pub fn frequency(&self) -> u32 {
        self.frequency
    }

    /// The last one taken; 0 if none was.
    pub fn recency(&self) -> u32 {
        self.recency
    }

    /// Opportunities there were.
    pub fn opportunities(&self) -> u32 {
        self.opportunities
    }

    /// Of a log's customers, in the order of their numbers: a period is an opportunity, counted from each
    /// customer's first purchase; the one that a cut breaks off does not count. None for who has not bought by then.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] unless a period is at least a day.
    pub fn of_log(purchases: &Purchases, cut: Cut, period: Span) -> Result<Vec<Option<Self>>, Error> {
        let days = period.in_days();
        if days < 1.0 {
            return Err(Error::Setting { name: "period", given: days, allowed: "at least a day" });
        }
        let of = |customer: u32| {
            let when = purchases.when(customer);
            let past = &when[..when.partition_point(|m| *m <= cut.last())];
            let first = *past.first()?;
            let opportunities = (cut.last().days_since(first) / days).floor() as u32;
            // The first period begins right after the first purchase.
            let place = |m: &clv_core::Moment| (m.days_since(first) / days).ceil() as u32;
            let mut taken: Vec<u32> =
                past.iter().map(place).filter(|p| (1..=opportunities).contains(p)).collect();
            taken.dedup();
            let recency = taken.last().copied().unwrap_or(0);
            Some(Self { frequency: taken.len() as u32, recency, opportunities })
        };
        Ok((0..purchases.customers() as u32).map(of).collect())
    }
}

/// Population parameters of the BG/BB model.
///
/// | Field | Symbol | Range |
/// | :-- | :-- | :-- |
/// | `alpha`, `beta` | of the chance to buy, `p ~ Beta(α, β)` | `(0, ∞)` |
/// | `gamma`, `delta` | of the chance to leave, `θ ~ Beta(γ, δ)` | `(0, ∞)` |
///
/// ```
/// use clv_btyd::{BgBb, Tries};
///
/// // The donors of the paper's section 4.
/// let donors = BgBb::new(1.204, 0.750, 0.657, 2.783)?;
/// let lapsed = Tries::new(4, 5, 6)?;
/// assert!((donors.p_alive(&lapsed, 1) - 0.70).abs() < 0.01);
/// assert!((donors.expected(&lapsed, 10) - 3.63).abs() < 0.01);
/// # Ok::<(), clv_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "[f64; 4]", into = "[f64; 4]")]
pub struct BgBb {
    alpha: f64,
    beta: f64,
    gamma: f64,
    delta: f64,
}

impl TryFrom<[f64; 4]> for BgBb {
    type Error = Error;

    fn try_from(values: [f64; 4]) -> Result<Self, Error> {
        Self::from_values(&values)
    }
}

impl From<BgBb> for [f64; 4] {
    fn from(model: BgBb) -> Self {
        model.values()
    }
}

impl BgBb {
    /// A population with the given parameters.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] naming the first that is not finite and positive.
    pub fn new(alpha: f64, beta: f64, gamma: f64, delta: f64) -> Result<Self, Error> {
        Self::from_values(&[alpha, beta, gamma, delta])
    }

    fn from_values(values: &[f64]) -> Result<Self, Error> {
        let [alpha, beta, gamma, delta] = check_values(&PARAMETERS, values)?;
        Ok(Self { alpha, beta, gamma, delta })
    }

    /// The values in order: `α`, `β`, `γ`, `δ`.
    pub fn values(&self) -> [f64; 4] {
        [self.alpha, self.beta, self.gamma, self.delta]
    }

    /// Log-likelihood of what one customer did.
    ///
    /// # Formula
    ///
    /// ```text
    /// L = B(α+x, β+n−x)/B(α, β) · B(γ, δ+n)/B(γ, δ)
    ///   + Σ_{i=0}^{n−t_x−1} B(α+x, β+t_x−x+i)/B(α, β) · B(γ+1, δ+t_x+i)/B(γ, δ)        (5)
    /// ```
    pub fn ln_likelihood(&self, tries: &Tries) -> f64 {
        let terms: Vec<f64> = endings(tries).map(|ending| self.ln_term(tries.frequency, ending)).collect();
        ln_sum_exp(&terms)
    }

    /// The logarithm of the probability to have tried so often with so much success, and then to have stayed or left.
    fn ln_term(&self, frequency: u32, Ending { lived, left }: Ending) -> f64 {
        let Self { alpha, beta, gamma, delta } = *self;
        let (x, lived) = (f64::from(frequency), f64::from(lived));
        let bought = ln_rising(alpha, x) + ln_rising(beta, lived - x) - ln_rising(alpha + beta, lived);
        let gone = if left { (gamma / (gamma + delta + lived)).ln() } else { 0.0 };
        bought + ln_rising(delta, lived) - ln_rising(gamma + delta, lived) + gone
    }

    /// The logarithm of a term with its first and second derivatives in the parameters.
    fn term(&self, frequency: u32, ending: Ending) -> Sums<4> {
        let Self { alpha, beta, gamma, delta } = *self;
        let (x, lived) = (f64::from(frequency), f64::from(ending.lived));
        let d = |a: f64, by: f64| digamma(a + by) - digamma(a);
        let t = |a: f64, by: f64| trigamma(a + by) - trigamma(a);
        let mut sums = Sums::ZERO;
        sums.value = self.ln_term(frequency, ending);
        let (both, both2) = (d(alpha + beta, lived), t(alpha + beta, lived));
        let (life, life2) = (d(gamma + delta, lived), t(gamma + delta, lived));
        sums.gradient = [d(alpha, x) - both, d(beta, lived - x) - both, -life, d(delta, lived) - life];
        sums.hessian[0] = [t(alpha, x) - both2, -both2, 0.0, 0.0];
        sums.hessian[1][1] = t(beta, lived - x) - both2;
        sums.hessian[2][2] = -life2;
        sums.hessian[2][3] = -life2;
        sums.hessian[3][3] = t(delta, lived) - life2;
        if ending.left {
            let all = gamma + delta + lived;
            sums.gradient[2] += 1.0 / gamma - 1.0 / all;
            sums.gradient[3] -= 1.0 / all;
            sums.hessian[2][2] += 1.0 / (all * all) - 1.0 / (gamma * gamma);
            sums.hessian[2][3] += 1.0 / (all * all);
            sums.hessian[3][3] += 1.0 / (all * all);
        }
        sums
    }

    fn derivatives(&self, cells: &BTreeMap<Tries, f64>) -> Derivatives {
        let mut all = Sums::<4>::ZERO;
        for (tries, weight) in cells {
            let terms: Vec<Sums<4>> =
                endings(tries).map(|ending| self.term(tries.frequency, ending)).collect();
            let value = ln_sum_exp(&terms.iter().map(|term| term.value).collect::<Vec<_>>());
            // ln Σ e^v: the gradient is the terms' mean, the Hessian their mean with the spread of the gradients.
            let mut one = Sums::<4>::ZERO;
            for term in &terms {
                let share = (term.value - value).exp();
                for i in 0..4 {
                    one.gradient[i] += share * term.gradient[i];
                    for j in i..4 {
                        one.hessian[i][j] +=
                            share * (term.hessian[i][j] + term.gradient[i] * term.gradient[j]);
                    }
                }
            }
            for i in 0..4 {
                for j in i..4 {
                    one.hessian[i][j] -= one.gradient[i] * one.gradient[j];
                }
            }
            one.value = value;
            all.add(*weight, &one);
        }
        all.into_derivatives()
    }

    /// Probability to be a customer still at the `ahead`-th opportunity from now; 0 asks whether they were one at the last.
    ///
    /// # Formula
    ///
    /// ```text
    /// P(alive at n + m) = B(α+x, β+n−x)/B(α, β) · B(γ, δ+n+m)/B(γ, δ) / L          (11)
    /// ```
    pub fn p_alive(&self, tries: &Tries, ahead: u32) -> f64 {
        let now = Ending { lived: tries.opportunities, left: false };
        let alive = (self.ln_term(tries.frequency, now) - self.ln_likelihood(tries)).exp();
        alive * self.given_alive(tries).survival(ahead)
    }

    /// The population that a customer who is one now is drawn from.
    fn given_alive(&self, tries: &Tries) -> Self {
        let (x, n) = (f64::from(tries.frequency), f64::from(tries.opportunities));
        Self { alpha: self.alpha + x, beta: self.beta + n - x, gamma: self.gamma, delta: self.delta + n }
    }

    /// Probability that a new customer is one at the `n`-th opportunity.
    fn survival(&self, n: u32) -> f64 {
        let n = f64::from(n);
        (ln_rising(self.delta, n) - ln_rising(self.gamma + self.delta, n)).exp()
    }

    /// Expected purchases of a new customer at the next `n` opportunities, `E[X(n)]` (8): a sum of positive terms, so
    /// that no value of `γ` is special.
    pub fn expected_new(&self, n: u32) -> f64 {
        self.discounted_new(n, 0.0)
    }

    /// Expected purchases of a customer at the next `n` opportunities (13).
    pub fn expected(&self, tries: &Tries, n: u32) -> f64 {
        self.p_alive(tries, 0) * self.given_alive(tries).expected_new(n)
    }

    /// The same, the one at opportunity `k` from now over `(1 + rate)^k`; with many opportunities the residual
    /// transactions DERT (14).
    pub fn discounted(&self, tries: &Tries, n: u32, rate: f64) -> f64 {
        self.p_alive(tries, 0) * self.given_alive(tries).discounted_new(n, rate)
    }

    fn discounted_new(&self, n: u32, rate: f64) -> f64 {
        let (mut alive, mut sum, mut factor) = (1.0, 0.0, 1.0);
        for k in 0..n {
            let k = f64::from(k);
            alive *= (self.delta + k) / (self.gamma + self.delta + k);
            factor /= 1.0 + rate;
            let term = alive * factor;
            sum += term;
            // Terms fall by the discount at least: what is left adds nothing.
            if rate > 0.0 && term < 1e-17 * rate * sum {
                break;
            }
        }
        self.alpha / (self.alpha + self.beta) * sum
    }

    /// Probabilities of 0, 1, …, `n` purchases of a new customer at `n` opportunities (7).
    pub fn distribution_new(&self, n: u32) -> Vec<f64> {
        let chance = |x: u32| -> f64 {
            // Of those who lived through `lived` opportunities, by how many orders of x successes.
            let one = |ending: Ending| {
                let orders = ln_binomial(ending.lived, x);
                (orders + self.ln_term(x, ending)).exp()
            };
            (x..n).map(|lived| one(Ending { lived, left: true })).sum::<f64>()
                + one(Ending { lived: n, left: false })
        };
        (0..=n).map(chance).collect()
    }

    /// Probabilities of 0, 1, …, `n` purchases of a customer at the next `n` opportunities (12).
    pub fn distribution(&self, tries: &Tries, n: u32) -> Vec<f64> {
        let alive = self.p_alive(tries, 0);
        let mut chances = self.given_alive(tries).distribution_new(n);
        chances.iter_mut().for_each(|p| *p *= alive);
        chances[0] += 1.0 - alive;
        chances
    }

    /// Draws what a new customer does with `n` opportunities.
    pub fn draw(&self, n: u32, rng: &mut ChaCha8Rng) -> Tries {
        let (p, leaves) = (beta(self.alpha, self.beta, rng), beta(self.gamma, self.delta, rng));
        let mut tries = Tries { frequency: 0, recency: 0, opportunities: n };
        for place in 1..=n {
            if uniform(rng) < leaves {
                break;
            }
            if uniform(rng) < p {
                (tries.frequency, tries.recency) = (tries.frequency + 1, place);
            }
        }
        tries
    }
}

/// So many opportunities lived through, and then left or not.
#[derive(Clone, Copy, Debug)]
struct Ending {
    lived: u32,
    left: bool,
}

/// How it may have been: alive to the end, or gone some time after the last purchase.
fn endings(tries: &Tries) -> impl Iterator<Item = Ending> {
    let Tries { recency, opportunities, .. } = *tries;
    let gone = (recency..opportunities).map(|lived| Ending { lived, left: true });
    gone.chain([Ending { lived: opportunities, left: false }])
}

fn ln_binomial(n: u32, k: u32) -> f64 {
    let (n, k) = (f64::from(n), f64::from(k));
    ln_rising(n - k + 1.0, k) - ln_rising(1.0, k)
}

/// How to fit the BG/BB model: by maximum likelihood, with a penalty or fixed parameters if wanted.
///
/// ```
/// use clv_btyd::{BgBbFit, Tries};
/// use clv_core::{Context, TimeUnit};
///
/// let donors = [(Tries::new(0, 0, 6)?, 34.0), (Tries::new(2, 3, 6)?, 10.0), (Tries::new(6, 6, 6)?, 12.0)];
/// let fitted = BgBbFit::new().fit(&donors, TimeUnit::Year, &Context::default())?;
/// assert!(fitted.report.parameter("alpha").is_some());
/// # Ok::<(), clv_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Default)]
pub struct BgBbFit {
    options: Options,
}

impl BgBbFit {
    /// Plain maximum likelihood.
    pub fn new() -> Self {
        Self::default()
    }

    /// An L2 penalty `λ Σ (ln θ)²` on the mean log-likelihood per customer.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] unless it is finite and at least 0.
    pub fn penalty(self, lambda: f64) -> Result<Self, Error> {
        Ok(Self { options: self.options.penalty(lambda)? })
    }

    /// Holds a parameter (`alpha`, `beta`, `gamma` or `delta`) at a value.
    ///
    /// # Errors
    ///
    /// [`Error::Unreadable`] for another name, [`Error::Setting`] unless the value is finite and positive.
    pub fn fix(self, name: &str, value: f64) -> Result<Self, Error> {
        Ok(Self { options: self.options.fix(&PARAMETERS, name, value)? })
    }

    /// Fits customers, each as often as its weight says; `unit` is that of a period, for the report.
    ///
    /// # Errors
    ///
    /// [`Error::TooLittleData`] without customers, [`Error::Setting`] for a weight that is not finite and above 0,
    /// [`Error::NoEstimate`] if nobody took an opportunity or had one, [`Error::Stopped`].
    pub fn fit(
        &self,
        customers: &[(Tries, f64)],
        unit: TimeUnit,
        cx: &Context<'_>,
    ) -> Result<Fitted<BgBb>, Error> {
        let mut cells: BTreeMap<Tries, f64> = BTreeMap::new();
        for (tries, weight) in customers {
            *cells.entry(*tries).or_default() += clv_core::setting::above_zero("weight", *weight)?;
        }
        if cells.is_empty() {
            let needs = "at least one customer";
            return Err(Error::TooLittleData { model: KIND.name, needs, found: 0 });
        }
        if cells.keys().all(|tries| tries.frequency == 0) {
            let why = "nobody took an opportunity, so the chance to buy is indistinguishable from 0";
            return Err(Error::NoEstimate { model: KIND.name, why });
        }
        let starts: [[f64; 4]; 4] =
            [[1.0, 1.0, 0.7, 3.0], [0.5, 3.0, 1.0, 10.0], [2.0, 1.0, 0.2, 1.0], [0.5, 0.5, 2.0, 30.0]];
        let total = cells.values().sum();
        let derivatives = |values: &[f64]| Some(BgBb::from_values(values).ok()?.derivatives(&cells));
        let levels = [Level { customers: total, derivatives: &derivatives }];
        let search = Search::new(KIND.name, &PARAMETERS, &self.options, &[1.0; 4]);
        let Found { values, mut report } = search.run(&starts.map(|s| s.to_vec()), &levels, cx)?;
        report.unit = unit;
        report.rows = cells.len();
        Ok(Fitted { model: BgBb::from_values(&values)?, report })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::expect_derivatives;
    use clv_core::{Grain, LogBuilder, Moment, Training, Transaction};
    use rand::SeedableRng;

    fn donors() -> BgBb {
        BgBb::new(1.2035, 0.7497, 0.6567, 2.7834).unwrap()
    }

    /// x, t_x, donors: Fader, Hardie & Shang (2010), table 2 (six opportunities).
    const CELLS: [(u32, u32, f64); 22] = [
        (6, 6, 1203.0),
        (5, 6, 728.0),
        (4, 6, 512.0),
        (3, 6, 357.0),
        (2, 6, 234.0),
        (1, 6, 129.0),
        (5, 5, 335.0),
        (4, 5, 284.0),
        (3, 5, 225.0),
        (2, 5, 173.0),
        (1, 5, 119.0),
        (4, 4, 240.0),
        (3, 4, 181.0),
        (2, 4, 155.0),
        (1, 4, 78.0),
        (3, 3, 322.0),
        (2, 3, 255.0),
        (1, 3, 129.0),
        (2, 2, 613.0),
        (1, 2, 277.0),
        (1, 1, 1091.0),
        (0, 0, 3464.0),
    ];

    fn table() -> Vec<(Tries, f64)> {
        CELLS.iter().map(|&(x, t, count)| (Tries::new(x, t, 6).unwrap(), count)).collect()
    }

    #[test]
    fn the_published_fit() {
        let fitted = BgBbFit::new().fit(&table(), TimeUnit::Year, &Context::default()).unwrap();
        let log_likelihood = fitted.report.log_likelihood.unwrap();
        assert!((log_likelihood + 33_225.581274346994).abs() < 1e-6, "{log_likelihood}");
        let expected = [1.2035225970767907, 0.7497164649768415, 0.656718040752305, 2.783441200658169];
        for (found, expected) in fitted.model.values().iter().zip(expected) {
            assert!((found / expected - 1.0).abs() < 1e-4, "{found} {expected}");
        }
        // In-sample expected counts and the new donor's E[X(t)] of Hardie's note 010.
        let chances = fitted.model.distribution_new(6);
        assert!((11_104.0 * chances[0] - 3454.9).abs() < 0.5 && (11_104.0 * chances[6] - 1253.1).abs() < 0.5);
        let note = [0.4985, 0.9233, 1.2969, 1.6323, 1.9381, 2.2202, 2.4826, 2.7285, 2.9603, 3.1798, 3.3887];
        for (t, expected) in note.iter().enumerate() {
            assert!((fitted.model.expected_new(t as u32 + 1) - expected).abs() < 1e-4, "{t}");
        }
        let total: f64 = table().iter().map(|(tries, count)| count * fitted.model.expected(tries, 5)).sum();
        assert!((total - 12_884.2).abs() < 1.0, "{total}");
        assert!((fitted.model.expected(&Tries::new(0, 0, 6).unwrap(), 10) - 0.1302169).abs() < 1e-4);
        assert!((fitted.model.expected(&Tries::new(4, 5, 6).unwrap(), 10) - 3.627858).abs() < 1e-3);
    }

    /// x, t_x, expected purchases in 1, 3 and 6 opportunities, P(alive) 1, 3 and 6 ahead.
    #[test]
    fn the_published_donors() {
        for (x, t, expected, alive) in [
            (0, 0, [0.0163635985, 0.0461519591, 0.0852949601], [0.1081370764, 0.0955180989, 0.0821414673]),
            (1, 3, [0.1333656672, 0.3761450653, 0.6951661197], [0.4813632059, 0.4251908766, 0.3656459131]),
            (4, 5, [0.4558947364, 1.2858073521, 2.3763430393], [0.6968044619, 0.6154913718, 0.5292961751]),
            (6, 6, [0.8427285806, 2.3768350855, 4.3927074315], [0.9304350590, 0.8218586162, 0.7067631521]),
        ] {
            let tries = Tries::new(x, t, 6).unwrap();
            for (place, ahead) in [1, 3, 6].into_iter().enumerate() {
                let (n, p) = (donors().expected(&tries, ahead), donors().p_alive(&tries, ahead));
                assert!((n / expected[place] - 1.0).abs() < 2e-4, "{x} {t} {ahead}: {n}");
                assert!((p / alive[place] - 1.0).abs() < 2e-4, "{x} {t} {ahead}: {p}");
            }
        }
    }

    #[test]
    fn gradient_and_hessian_against_the_function() {
        for values in [[1.2, 0.75, 0.66, 2.8], [0.3, 5.0, 4.0, 0.2], [30.0, 10.0, 0.05, 0.5]] {
            let cells: BTreeMap<Tries, f64> = table().into_iter().collect();
            expect_derivatives(&values, 1e-5, |v| BgBb::from_values(v).unwrap().derivatives(&cells));
        }
    }

    #[test]
    fn chances_add_up_and_their_mean_is_the_expectation() {
        for model in
            [donors(), BgBb::new(0.01, 20.0, 50.0, 0.1).unwrap(), BgBb::new(40.0, 0.2, 1.0, 1.0).unwrap()]
        {
            for tries in
                [Tries::new(0, 0, 0).unwrap(), Tries::new(2, 4, 9).unwrap(), Tries::new(9, 9, 9).unwrap()]
            {
                let chances = model.distribution(&tries, 12);
                let mean: f64 = chances.iter().enumerate().map(|(x, p)| x as f64 * p).sum();
                assert!((chances.iter().sum::<f64>() - 1.0).abs() < 1e-12);
                let expected = model.expected(&tries, 12);
                assert!((mean - expected).abs() < 1e-11 * (1.0 + expected), "{mean} {expected}");
            }
        }
        // Thousands of opportunities, all taken or none.
        let long = donors();
        for tries in [Tries::new(0, 0, 50_000).unwrap(), Tries::new(50_000, 50_000, 50_000).unwrap()] {
            let (ln, alive) = (long.ln_likelihood(&tries), long.p_alive(&tries, 1));
            assert!(ln.is_finite() && (0.0..=1.0).contains(&alive), "{ln} {alive}");
        }
        let forever = long.discounted(&Tries::new(6, 6, 6).unwrap(), u32::MAX, 0.1);
        let long_sum = long.discounted(&Tries::new(6, 6, 6).unwrap(), 2_000, 0.1);
        assert!((forever - long_sum).abs() < 1e-12 * forever);
    }

    #[test]
    fn what_is_drawn_is_found_again_and_is_as_often_as_the_chances_say() {
        let truth = BgBb::new(1.2, 0.75, 0.66, 2.8).unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let drawn: Vec<(Tries, f64)> = (0..40_000).map(|_| (truth.draw(8, &mut rng), 1.0)).collect();
        let chances = truth.distribution_new(8);
        for (x, chance) in chances.iter().enumerate() {
            let share = drawn.iter().filter(|(t, _)| t.frequency() as usize == x).count() as f64 / 40_000.0;
            assert!((share - chance).abs() < 4.0 * (chance / 40_000.0).sqrt(), "{x}: {share} {chance}");
        }
        let found = BgBbFit::new().fit(&drawn, TimeUnit::Year, &Context::default()).unwrap();
        for (estimate, truth) in found.report.all_parameters().zip(truth.values()) {
            let error = estimate.standard_error.unwrap();
            assert!((estimate.value - truth).abs() < 3.5 * error, "{estimate:?} {truth}");
        }
    }

    #[test]
    fn of_a_log_by_period_and_refusals() {
        let mut log = LogBuilder::new();
        for (who, day) in
            [("ada", 0), ("ada", 7), ("ada", 8), ("ada", 20), ("ada", 30), ("bob", 10), ("eve", 90)]
        {
            log.push(Transaction::new(who, Moment::from_days(day))).unwrap();
        }
        let log = log.finish();
        let cut = Cut::end_of(Moment::from_days(31), Grain::Day);
        let purchases = Training::merge(&log, cut).unwrap();
        let tries = Tries::of_log(&purchases, cut, Span::weeks(1.0).unwrap()).unwrap();
        // Ada: weeks 1, 2 and 3 after the first; the fifth week is broken off.
        assert_eq!(tries[0], Some(Tries::new(3, 3, 4).unwrap()));
        assert_eq!(tries[1], Some(Tries::new(0, 0, 3).unwrap()));
        assert_eq!(tries[2], None);
        for (x, t, n) in [(3, 2, 6), (0, 1, 6), (1, 7, 6)] {
            assert!(Tries::new(x, t, n).is_err());
        }
        let nobody = [(Tries::new(0, 0, 6).unwrap(), 9.0)];
        assert!(BgBbFit::new().fit(&nobody, TimeUnit::Year, &Context::default()).is_err());
        assert!(BgBb::new(1.0, f64::NAN, 1.0, 1.0).is_err());
    }
}
