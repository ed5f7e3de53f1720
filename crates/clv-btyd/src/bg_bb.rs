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

use clv_core::model::{Kind, Reads};
use clv_core::{Cells, Error, Warning};
use clv_math::logspace::ln_sum_exp;
use clv_math::minimise::Derivatives;
use clv_math::special::{digamma, ln_rising, trigamma};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::future::Future;
use crate::process::{Parameter, Process, Scale, Sums, check_values};
use crate::sums::sum_until;

static PARAMETERS: [Parameter; 4] = [
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

    /// Of a valid history in whole periods.
    fn in_periods(frequency: u32, recency: f64, age: f64) -> Self {
        Self { frequency, recency: recency as u32, opportunities: age as u32 }
    }

    /// The histories of customers, each as often as its weight says.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] for a weight that is not finite and above 0.
    pub fn cells(customers: &[(Self, f64)]) -> Result<Cells, Error> {
        let mut cells = Cells::default();
        for (Self { frequency, recency, opportunities }, weight) in customers {
            let weight = clv_core::setting::above_zero("weight", *weight)?;
            cells.push(*frequency, f64::from(*recency), f64::from(*opportunities), weight);
        }
        Ok(cells)
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
    pub(crate) fn survival(&self, n: u32) -> f64 {
        self.ln_survival(f64::from(n)).exp()
    }

    /// Its logarithm, as Γ(δ + n)/Γ(γ + δ + n), which cancels nothing however many there are.
    pub(crate) fn ln_survival(&self, n: f64) -> f64 {
        ln_rising(self.delta, self.gamma) - ln_rising(self.delta + n, self.gamma)
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

    /// The chance that a customer who is one takes an opportunity.
    pub(crate) fn takes(&self) -> f64 {
        self.alpha / (self.alpha + self.beta)
    }

    /// `E[X(∞)]` of a new customer; nothing if it is infinite, `γ ≤ 1`.
    pub(crate) fn expected_for_ever(&self) -> Option<f64> {
        (self.gamma > 1.0).then(|| self.takes() * self.delta / (self.gamma - 1.0))
    }

    fn discounted_new(&self, n: u32, rate: f64) -> f64 {
        let fall = rate.ln_1p();
        self.takes() * sum_until(&|k| self.ln_survival(k) - fall * k, 0, n)
    }

    /// Probabilities of 0, 1, …, `n` purchases of a new customer at `n` opportunities (7).
    pub fn distribution_new(&self, n: u32) -> Vec<f64> {
        (0..=n).map(|x| self.chance_of_new(x, n)).collect()
    }

    /// The probability of `x` of them.
    pub(crate) fn chance_of_new(&self, x: u32, n: u32) -> f64 {
        // Of those who lived through `lived` opportunities, by how many orders of x successes.
        let one = |ending: Ending| {
            let orders = ln_binomial(ending.lived, x);
            (orders + self.ln_term(x, ending)).exp()
        };
        let left = (x..n).map(|lived| one(Ending { lived, left: true })).sum::<f64>();
        left + one(Ending { lived: n, left: false })
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
        let mut times = Vec::new();
        self.purchase_times(f64::from(n), rng, &mut times);
        let recency = times.last().copied().unwrap_or(0.0);
        Tries::in_periods(times.len() as u32, recency, f64::from(n))
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

impl Process for BgBb {
    const KIND: Kind = Kind::new("bg-bb", 1);
    const PARAMETERS: &'static [Parameter] = &PARAMETERS;
    const PURCHASES: &'static [(&'static str, f64)] = &[("alpha", 1.0)];
    const DROPOUT: &'static [(&'static str, f64)] = &[("gamma", 1.0)];
    const READS: Reads = Reads::Periods;

    fn from_values(values: &[f64]) -> Result<Self, Error> {
        let [alpha, beta, gamma, delta] = check_values(&PARAMETERS, values)?;
        Ok(Self { alpha, beta, gamma, delta })
    }

    fn values(&self) -> Vec<f64> {
        self.values().to_vec()
    }

    fn ln_likelihood(&self, frequency: u32, recency: f64, age: f64) -> f64 {
        self.ln_likelihood(&Tries::in_periods(frequency, recency, age))
    }

    fn derivatives(&self, cells: &Cells) -> Derivatives {
        let mut all = Sums::<4>::ZERO;
        for i in 0..cells.len() {
            let tries = Tries::in_periods(cells.frequency[i], cells.recency[i], cells.age[i]);
            let terms: Vec<Sums<4>> =
                endings(&tries).map(|ending| self.term(tries.frequency, ending)).collect();
            let value = ln_sum_exp(&terms.iter().map(|term| term.value).collect::<Vec<_>>());
            // ln Σ e^v: the gradient is the terms' mean, the Hessian their mean with the spread of the gradients.
            let mut one = Sums::<4>::ZERO;
            for term in &terms {
                let share = (term.value - value).exp();
                for a in 0..4 {
                    one.gradient[a] += share * term.gradient[a];
                    for b in a..4 {
                        one.hessian[a][b] +=
                            share * (term.hessian[a][b] + term.gradient[a] * term.gradient[b]);
                    }
                }
            }
            for a in 0..4 {
                for b in a..4 {
                    one.hessian[a][b] -= one.gradient[a] * one.gradient[b];
                }
            }
            one.value = value;
            all.add(cells.weight[i], &one);
        }
        all.into_derivatives()
    }

    fn p_alive(&self, frequency: u32, recency: f64, age: f64) -> f64 {
        self.p_alive(&Tries::in_periods(frequency, recency, age), 0)
    }

    fn given_alive(&self, frequency: u32, recency: f64, age: f64) -> Future {
        Future::BuysOnceAPeriod(self.given_alive(&Tries::in_periods(frequency, recency, age)))
    }

    fn new_customer(&self) -> (f64, Future) {
        (1.0, Future::BuysOnceAPeriod(*self))
    }

    fn purchase_times(&self, length: f64, rng: &mut ChaCha8Rng, times: &mut Vec<f64>) {
        Future::BuysOnceAPeriod(*self).purchase_times(length, rng, times);
    }

    fn starts(_: f64, _: f64) -> Vec<Vec<f64>> {
        let starts =
            [[1.0, 1.0, 0.7, 3.0], [0.5, 3.0, 1.0, 10.0], [2.0, 1.0, 0.2, 1.0], [0.5, 0.5, 2.0, 30.0]];
        starts.map(|s| s.to_vec()).to_vec()
    }

    fn look(cells: &Cells) -> Result<Vec<Warning>, Error> {
        if cells.frequency.iter().all(|x| *x == 0) {
            let why = "nobody took an opportunity, so the chance to buy is indistinguishable from 0";
            return Err(Error::NoEstimate { model: Self::KIND.name, why });
        }
        Ok(Vec::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::estimate::MaximumLikelihood;
    use crate::model::PurchaseModel;
    use crate::process::expect_derivatives;
    use clv_core::{Context, Cut, Fit, Fitted, Grain, LogBuilder, Moment, TimeUnit, Training, Transaction};
    use rand::SeedableRng;

    fn donors() -> BgBb {
        BgBb::new(1.2035, 0.7497, 0.6567, 2.7834).unwrap()
    }

    /// x, t_x, donors: Fader, Hardie & Shang (2010), table 2 (six opportunities); the log-likelihood of a donor at the estimates, in the spreadsheet of
    /// Hardie's note 010.
    const CELLS: [(u32, u32, f64, f64); 22] = [
        (6, 6, 1203.0, -2.18167018824),
        (5, 6, 728.0, -4.29485034929),
        (4, 6, 512.0, -5.38473334360),
        (3, 6, 357.0, -5.80915881601),
        (2, 6, 234.0, -5.65172964525),
        (1, 6, 129.0, -4.88370164695),
        (5, 5, 335.0, -3.71682127437),
        (4, 5, 284.0, -5.09558227343),
        (3, 5, 225.0, -5.61576884108),
        (2, 5, 173.0, -5.50636893346),
        (1, 5, 119.0, -4.76723821904),
        (4, 4, 240.0, -3.84829625138),
        (3, 4, 181.0, -5.05936147828),
        (2, 4, 155.0, -5.19562191019),
        (1, 4, 78.0, -4.57070931973),
        (3, 3, 322.0, -3.52745257839),
        (2, 3, 255.0, -4.51620272962),
        (1, 3, 129.0, -4.22465969453),
        (2, 2, 613.0, -3.01199924784),
        (1, 2, 277.0, -3.58817880928),
        (1, 1, 1091.0, -2.28882847451),
        (0, 0, 3464.0, -1.16751622367),
    ];

    fn table() -> Vec<(Tries, f64)> {
        CELLS.iter().map(|&(x, t, count, _)| (Tries::new(x, t, 6).unwrap(), count)).collect()
    }

    fn fitted(rows: &[(Tries, f64)]) -> Result<Fitted<PurchaseModel<BgBb>>, Error> {
        MaximumLikelihood::new().fit_cells(&Tries::cells(rows)?, TimeUnit::Year, &Context::default())
    }

    #[test]
    fn the_published_fit() {
        let Fitted { model, report } = fitted(&table()).unwrap();
        let model = *model.parameters();
        let log_likelihood = report.log_likelihood.unwrap();
        assert!((log_likelihood + 33_225.581274346994).abs() < 1e-6, "{log_likelihood}");
        let expected = [1.2035225970767907, 0.7497164649768415, 0.656718040752305, 2.783441200658169];
        for (found, expected) in model.values().iter().zip(expected) {
            assert!((found / expected - 1.0).abs() < 1e-4, "{found} {expected}");
        }
        // In-sample expected counts and the new donor's E[X(t)] of Hardie's note 010.
        let chances = model.distribution_new(6);
        assert!((11_104.0 * chances[0] - 3454.9).abs() < 0.5 && (11_104.0 * chances[6] - 1253.1).abs() < 0.5);
        let note = [0.4985, 0.9233, 1.2969, 1.6323, 1.9381, 2.2202, 2.4826, 2.7285, 2.9603, 3.1798, 3.3887];
        for (t, expected) in note.iter().enumerate() {
            assert!((model.expected_new(t as u32 + 1) - expected).abs() < 1e-4, "{t}");
        }
        let total: f64 = table().iter().map(|(tries, count)| count * model.expected(tries, 5)).sum();
        assert!((total - 12_884.2).abs() < 1.0, "{total}");
        assert!((model.expected(&Tries::new(0, 0, 6).unwrap(), 10) - 0.1302169).abs() < 1e-4);
        assert!((model.expected(&Tries::new(4, 5, 6).unwrap(), 10) - 3.627858).abs() < 1e-3);
        for (x, t, _, expected) in CELLS {
            let found = model.ln_likelihood(&Tries::new(x, t, 6).unwrap());
            assert!((found - expected).abs() < 5e-6, "{x} {t}: {found}");
        }
    }

    /// Donations of five more years on average, and of all years, at the estimates that BTYD's walkthrough prints beside them.
    #[test]
    fn the_walkthrough_of_btyd() {
        let model = BgBb::new(1.203528, 0.7497260, 0.6567808, 2.783796).unwrap();
        let by_frequency = [0.07286318, 0.3248841, 0.7089417, 1.333666, 2.031203, 2.784482, 3.752500];
        let by_recency = [0.07286318, 0.0856939, 0.1798423, 0.4041111, 0.8510811, 1.726323, 3.027190];
        let (mut of_x, mut of_t) = ([(0.0, 0.0); 7], [(0.0, 0.0); 7]);
        for (tries, count) in table() {
            let all = count * model.expected(&tries, 5);
            for bin in [&mut of_x[tries.frequency() as usize], &mut of_t[tries.recency() as usize]] {
                *bin = (bin.0 + count, bin.1 + all);
            }
        }
        assert_eq!(of_x.map(|bin| bin.0), [3464.0, 1823.0, 1430.0, 1085.0, 1036.0, 1063.0, 1203.0]);
        assert_eq!(of_t.map(|bin| bin.0), [3464.0, 1091.0, 890.0, 706.0, 654.0, 1136.0, 3163.0]);
        for ((count, all), expected) in of_x.into_iter().chain(of_t).zip([by_frequency, by_recency].concat())
        {
            assert!((all / count / expected - 1.0).abs() < 1e-6, "{} {expected}", all / count);
        }
        // 1996 to 2006.
        let years = [
            5535.833, 4717.059, 4147.621, 3724.665, 3395.888, 3131.647, 2913.778, 2730.482, 2573.731,
            2437.854, 2318.727,
        ];
        for (year, expected) in (1..).zip(years) {
            let found = 11_104.0 * (model.expected_new(year) - model.expected_new(year - 1));
            assert!((found / expected - 1.0).abs() < 1e-6, "{year}: {found}");
        }
    }

    /// x, t_x, expected purchases in 1, 3 and 6 opportunities, P(alive) 1, 3 and 6 ahead: the 22 donors of PyMC-Marketing, of whom two are alike.
    #[test]
    fn the_published_donors() {
        for (x, t, expected, alive) in [
            (0, 0, [0.0163635985, 0.0461519591, 0.0852949601], [0.1081370764, 0.0955180989, 0.0821414673]),
            (1, 1, [0.0192454297, 0.0542798875, 0.1003164531], [0.0694634679, 0.0613574790, 0.0527647997]),
            (1, 2, [0.0705711640, 0.1990391955, 0.3678509117], [0.2547159436, 0.2249920517, 0.1934835123]),
            (1, 3, [0.1333656672, 0.3761450653, 0.6951661197], [0.4813632059, 0.4251908766, 0.3656459131]),
            (1, 4, [0.1885076216, 0.5316676558, 0.9825925563], [0.6803897509, 0.6009921636, 0.5168274780]),
            (1, 6, [0.2577847473, 0.7270571404, 1.3436983168], [0.9304350590, 0.8218586162, 0.7067631521]),
            (2, 2, [0.0267518639, 0.0754510648, 0.1394436052], [0.0664157716, 0.0586654314, 0.0504497542]),
            (2, 3, [0.1203987353, 0.3395730784, 0.6275762227], [0.2989090750, 0.2640280978, 0.2270528373]),
            (2, 4, [0.2375128019, 0.6698820639, 1.2380311694], [0.5896634357, 0.5208530898, 0.4479113125]),
            (2, 5, [0.3240713492, 0.9140121395, 1.6892160262], [0.8045588433, 0.7106714340, 0.6111469453]),
            (2, 6, [0.3747735140, 1.0570127294, 1.9535001398], [0.9304350590, 0.8218586162, 0.7067631521]),
            (3, 3, [0.0502140854, 0.1416240088, 0.2617400088], [0.0950071759, 0.0839203826, 0.0721679288]),
            (3, 4, [0.2323411603, 0.6552959449, 1.2110740811], [0.4395993139, 0.3883005915, 0.3339218506]),
            (3, 5, [0.4052922893, 1.1430880063, 2.1125787023], [0.7668301737, 0.6773454841, 0.5824880581]),
            (3, 6, [0.4917622806, 1.3869683184, 2.5633019627], [0.9304350590, 0.8218586162, 0.7067631521]),
            (4, 4, [0.1309708958, 0.3693908424, 0.6826834173], [0.2001802111, 0.1768203269, 0.1520578955]),
            (4, 5, [0.4558947364, 1.2858073521, 2.3763430393], [0.6968044619, 0.6154913718, 0.5292961751]),
            (4, 6, [0.6087510473, 1.7169239074, 3.1731037857], [0.9304350590, 0.8218586162, 0.7067631521]),
            (5, 5, [0.4071428268, 1.1483072697, 2.1222245954], [0.5219776465, 0.4610658445, 0.3964968465]),
            (5, 6, [0.7257398139, 2.0468794964, 3.7829056086], [0.9304350590, 0.8218586162, 0.7067631521]),
            (6, 6, [0.8427285806, 2.3768350855, 4.3927074315], [0.9304350590, 0.8218586162, 0.7067631521]),
        ] {
            let tries = Tries::new(x, t, 6).unwrap();
            for (place, ahead) in [1, 3, 6].into_iter().enumerate() {
                let (n, p) = (donors().expected(&tries, ahead), donors().p_alive(&tries, ahead));
                assert!((n / expected[place] - 1.0).abs() < 2e-4, "{x} {t} {ahead}: {n}");
                assert!((p / alive[place] - 1.0).abs() < 2e-4, "{x} {t} {ahead}: {p}");
            }
        }
        // The tests of lifetimes.
        for (x, t, alive) in [(0, 0, 0.11), (2, 4, 0.59), (6, 6, 0.93)] {
            let found = donors().p_alive(&Tries::new(x, t, 6).unwrap(), 1);
            assert!((found - alive).abs() < 0.005, "{x} {t}: {found}");
        }
    }

    #[test]
    fn gradient_and_hessian_against_the_function() {
        for values in [[1.2, 0.75, 0.66, 2.8], [0.3, 5.0, 4.0, 0.2], [30.0, 10.0, 0.05, 0.5]] {
            let cells = Tries::cells(&table()).unwrap();
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
        let found = fitted(&drawn).unwrap();
        for (estimate, truth) in found.report.all_parameters().zip(truth.values()) {
            let error = estimate.standard_error.unwrap();
            assert!((estimate.value - truth).abs() < 3.5 * error, "{estimate:?} {truth}");
        }
    }

    #[test]
    fn of_a_log_by_calendar_month_and_refusals() {
        let mut log = LogBuilder::new();
        for (who, day) in [
            ("ada", "2024-01-05"),
            ("ada", "2024-01-30"),
            ("ada", "2024-02-29"),
            ("ada", "2024-05-01"),
            ("bob", "2024-03-10"),
            ("eve", "2024-08-01"),
        ] {
            log.push(Transaction::new(who, Moment::parse_date(day).unwrap())).unwrap();
        }
        let log = log.finish();
        let cut = Cut::end_of(Moment::parse_date("2024-06-30").unwrap(), Grain::Month);
        let purchases = Training::merge(&log, cut).unwrap();
        let training = Training::new(&purchases, cut, TimeUnit::Month).unwrap();
        let of_log =
            MaximumLikelihood::<BgBb>::new().penalty(0.1).unwrap().fit(&training, &Context::default());
        assert_eq!(of_log.unwrap().report.rows, 2);
        // Ada: February and May of the five months after January; Bob: none of three.
        let expected =
            Tries::cells(&[(Tries::new(0, 0, 3).unwrap(), 1.0), (Tries::new(2, 4, 5).unwrap(), 1.0)]);
        let cells = crate::process::cells_of::<BgBb>(&training.cells()).unwrap().into_owned();
        assert_eq!(cells, expected.unwrap());
        for (x, t, n) in [(3, 2, 6), (0, 1, 6), (1, 7, 6)] {
            assert!(Tries::new(x, t, n).is_err());
        }
        let nobody = [(Tries::new(0, 0, 6).unwrap(), 9.0)];
        assert!(fitted(&nobody).is_err());
        assert!(BgBb::new(1.0, f64::NAN, 1.0, 1.0).is_err());
    }
}
