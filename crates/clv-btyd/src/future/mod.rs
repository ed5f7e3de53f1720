//! What a customer who is alive now will do: the conjugate processes that remain.
//!
//! Given that a customer is alive, each model's posterior is again one of seven processes, so every
//! question about the future is asked here and not in the models:
//!
//! | variant | purchases | leaves | from |
//! | :-- | :-- | :-- | :-- |
//! | [`Future::Stays`] | rate `λ ~ Gamma(k, A)` | never | NBD |
//! | [`Future::LeavesAfterPurchase`] | the same | after each purchase with `p ~ Beta(a, b)` | BG/NBD, MBG/NBD |
//! | [`Future::LeavesAnytime`] | the same | at rate `μ ~ Gamma(s, B)` | Pareto/NBD |
//! | [`Future::LeavesAfterRegular`] | at each `k`-th click of such a rate | as the second | BG/CNBD-k, MBG/CNBD-k |
//! | [`Future::LeavesAgeing`] | the same | at a rate that grows like `e^{bt}` | GGom/NBD |
//! | [`Future::BuysOnceAPeriod`] | at the end of a period, with `p ~ Beta(α, β)` | before it, with `θ ~ Beta(γ, δ)` | BG/BB |
//! | [`Future::Pays`] | at the end of each | when the contract ends | sBG, BdW, exponential-gamma, Weibull-gamma |
//!
//! with `k = r + x` and `A = α + T`. Every quantity but the chances of a customer at a beat is an integral of something positive, so nothing
//! cancels and no parameter value is special (`s = 1`, `a = 1`, `a + b ≤ 1`).

mod ageing;
mod counts;
mod draw;
mod mixing;
mod next;
mod periods;
mod regular;

use clv_math::quadrature::{RuleSize, rule};
use clv_math::special::{beta_power_mean, beta_power_means, ln_hyperu};

pub(crate) use ageing::Ageing;
pub use mixing::{Mixing, Mixture};
pub(crate) use regular::Phase;
use regular::Regular;

use crate::bg_bb::BgBb;
use crate::contract::Contract;

/// A customer's future, given that they are alive now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Future {
    /// Buys at rate `λ ~ Gamma(k, rate)` for ever.
    Stays {
        /// Shape `k`.
        k: f64,
        /// Rate `A`, in time units.
        rate: f64,
    },
    /// The same, and leaves after each purchase with probability `p ~ Beta(a, b)`.
    LeavesAfterPurchase {
        /// Shape `k`.
        k: f64,
        /// Rate `A`, in time units.
        rate: f64,
        /// First shape of `p`.
        a: f64,
        /// Second shape of `p`.
        b: f64,
    },
    /// The same, and leaves at rate `μ ~ Gamma(s, life)`.
    LeavesAnytime {
        /// Shape `k`.
        k: f64,
        /// Rate `A`, in time units.
        rate: f64,
        /// Shape of `μ`.
        s: f64,
        /// Rate of `μ`, `B = β + T`, in time units.
        life: f64,
    },
    /// Buys at each `k`-th click of a process with rate `λ ~ Gamma`, and leaves as after
    /// [`Future::LeavesAfterPurchase`].
    LeavesAfterRegular {
        /// Shape `n = r + kx`.
        shape: f64,
        /// Rate `A = α + T`, in time units.
        rate: f64,
        /// First parameter of `p`.
        a: f64,
        /// Second parameter of `p`.
        b: f64,
        /// Clicks to a purchase.
        k: u32,
        /// Time since the last purchase, `T − t_x`.
        silence: f64,
    },
    /// The same as the third, and leaves at rate `η b e^{b(T+u)}`, `η e^{bT} ~ Gamma(s, life)`.
    LeavesAgeing {
        /// Shape `k`.
        k: f64,
        /// Rate `A`, in time units.
        rate: f64,
        /// Shape of `η`.
        s: f64,
        /// `L = (β + e^{bT} − 1) e^{−bT}`, without a unit.
        life: f64,
        /// By how much the logarithm of the rate to leave grows in a unit of time.
        b: f64,
    },
    /// May buy once at the end of each period: time is counted in whole periods, from now.
    BuysOnceAPeriod(BgBb),
    /// Pays at the end of each unit of time, from now, for as long as the contract lasts.
    Pays {
        /// The population of the contract.
        contract: Contract,
        /// For how long it has lasted.
        age: f64,
    },
}

impl Future {
    /// Probability of still being alive after `t`.
    ///
    /// # Formula
    ///
    /// ```text
    /// 1,    E[(1 + p t/A)^{−k}] = ₂F₁(k, a; a + b; −t/A),    (B / (B + t))^s,    (L / (L + e^{bt} − 1))^s
    /// ```
    pub fn survival(&self, t: f64) -> f64 {
        match *self {
            Self::Stays { .. } => 1.0,
            Self::LeavesAfterPurchase { k, rate, a, b } => beta_power_mean(a, b, k, t / rate).exp(),
            Self::LeavesAnytime { s, life, .. } => (-s * (t / life).ln_1p()).exp(),
            Self::LeavesAfterRegular { .. } => self.regular().survival(t),
            Self::LeavesAgeing { s, life, b, .. } => Ageing { s, life, b }.ln_survival(t).exp(),
            Self::BuysOnceAPeriod(_) | Self::Pays { .. } => self.periods().survival(t),
        }
    }

    /// Expected purchases in `(from, to]`.
    ///
    /// # Formula
    ///
    /// ```text
    /// ∫ of the purchase rate at u:    k/A,    k/A · E[(1 + p u/A)^{−k−1}],    k/A · (B / (B + u))^s
    /// ```
    pub fn expected(&self, from: f64, to: f64) -> f64 {
        match *self {
            Self::LeavesAfterRegular { .. } => {
                let regular = self.regular();
                (regular.expected(to) - regular.expected(from)).max(0.0)
            }
            Self::Stays { k, rate } => k / rate * (to - from),
            Self::LeavesAfterPurchase { .. } | Self::LeavesAgeing { .. } => self.integrate(from, to, 0.0).0,
            Self::LeavesAnytime { k, rate, s, life } => {
                let (y1, y2) = ((from / life).ln_1p(), (to / life).ln_1p());
                // ∫ e^{(1−s)y} dy, exact through s = 1.
                let width = y2 - y1;
                let integral = ((1.0 - s) * y1).exp() * width * decay_mean((s - 1.0) * width);
                k / rate * life * integral
            }
            Self::BuysOnceAPeriod(_) | Self::Pays { .. } => self.periods().expected(from, to, 0.0).0,
        }
    }

    /// Expected purchases in `(0, horizon]`, plain and discounted at the continuous rate `delta`.
    pub fn expected_and_discounted(&self, horizon: f64, delta: f64) -> (f64, f64) {
        if delta == 0.0 {
            let plain = self.expected(0.0, horizon);
            return (plain, plain);
        }
        match *self {
            Self::Stays { k, rate } => {
                let plain = k / rate * horizon;
                (plain, plain * decay_mean(delta * horizon))
            }
            Self::LeavesAfterPurchase { .. } | Self::LeavesAgeing { .. } => {
                self.integrate(0.0, horizon, delta)
            }
            Self::LeavesAfterRegular { .. } => {
                let regular = self.regular();
                (regular.expected(horizon), regular.discounted(horizon, delta))
            }
            Self::LeavesAnytime { .. } => {
                (self.expected(0.0, horizon), self.integrate(0.0, horizon, delta).1)
            }
            Self::BuysOnceAPeriod(_) | Self::Pays { .. } => self.periods().expected(0.0, horizon, delta),
        }
    }

    /// Discounted expected purchases over all the future, the DERT of Fader, Hardie & Lee (2005);
    /// `None` if it is infinite.
    ///
    /// # Formula
    ///
    /// ```text
    /// Pareto/NBD:  k/A · B · U(1, 2 − s, δB)      NBD:  k / (A δ)
    /// ```
    ///
    /// For BG/NBD there is no closed form, and the integral is cut where `e^{−δu}` is `e^{−46}`.
    pub fn discounted_for_ever(&self, delta: f64) -> Option<f64> {
        match *self {
            Self::LeavesAnytime { k, rate, s, life } => {
                if delta == 0.0 {
                    // ∫ (1 + u/B)^{−s} du = B / (s − 1)
                    return (s > 1.0).then(|| k / rate * life / (s - 1.0));
                }
                let ln = (k / rate).ln() + life.ln() + ln_hyperu(1.0, 2.0 - s, delta * life);
                Some(ln.exp())
            }
            // Those who age leave sooner or later.
            Self::LeavesAgeing { .. } => Some(self.integrate(0.0, 46.0 / delta, delta).1),
            _ if delta == 0.0 => None,
            Self::Stays { k, rate } => Some(k / (rate * delta)),
            Self::LeavesAfterPurchase { .. } => Some(self.integrate(0.0, 46.0 / delta, delta).1),
            Self::LeavesAfterRegular { .. } => Some(self.regular().discounted(46.0 / delta, delta)),
            Self::BuysOnceAPeriod(_) | Self::Pays { .. } => self.periods().discounted_for_ever(delta),
        }
    }

    /// `∫ rate(u) du` and `∫ e^{−δu} rate(u) du` over `(from, to]`, by Gauss–Legendre in
    /// `q = ln(1 + κu/scale)`, a variable in which the rate changes on a scale of one.
    fn integrate(&self, from: f64, to: f64, delta: f64) -> (f64, f64) {
        if let Self::LeavesAgeing { k, rate, s, life, b } = *self {
            let (plain, discounted) = Ageing { s, life, b }.integrals(from, to, delta);
            return (k / rate * plain, k / rate * discounted);
        }
        if let Self::LeavesAfterRegular { .. } = *self {
            let regular = self.regular();
            return (
                self.expected(from, to),
                regular.discounted(to, delta) - regular.discounted(from, delta),
            );
        }
        let (scale, kappa) = match *self {
            Self::Stays { rate, .. } => (rate, 1.0 + delta * rate),
            Self::LeavesAfterPurchase { k, rate, a, b } => (rate, 1.0 + k * a / (a + b) + delta * rate),
            Self::LeavesAnytime { s, life, .. } => (life, 1.0 + s + delta * life),
            Self::LeavesAfterRegular { .. }
            | Self::LeavesAgeing { .. }
            | Self::BuysOnceAPeriod(_)
            | Self::Pays { .. } => unreachable!("integrated above"),
        };
        // Past e^{−46} a discounted purchase adds nothing; the plain sum still wants the rest.
        let per_u = kappa / scale;
        let (low, high) = ((per_u * from).ln_1p(), (per_u * to).ln_1p());
        let length = high - low;
        if length <= 0.0 {
            return (0.0, 0.0);
        }
        let (panels, size) = match length {
            l if l < 1.2 => (1.0, RuleSize::N8),
            l if l < 2.4 => (1.0, RuleSize::N16),
            l => ((l / 2.0).ceil(), RuleSize::N16),
        };
        let width = length / panels;
        let rule = rule(size);
        let (mut plain, mut discounted) = (0.0, 0.0);
        let mut panel = 0.0;
        let mut times = [0.0; 32];
        let mut rates = [0.0; 32];
        let n = rule.nodes.len();
        while panel < panels {
            let start = low + panel * width;
            for (i, node) in rule.nodes.iter().enumerate() {
                times[i] = (start + width * node).exp_m1() / per_u;
            }
            self.rates(&times[..n], &mut rates[..n]);
            for i in 0..n {
                // du = (scale/κ + u) dq
                let piece = rule.weights[i] * width * (1.0 / per_u + times[i]) * rates[i];
                plain += piece;
                discounted += piece * (-delta * times[i]).exp();
            }
            panel += 1.0;
        }
        (plain, discounted)
    }

    /// Expected purchases per unit of time at the given times.
    fn rates(&self, times: &[f64], out: &mut [f64]) {
        match *self {
            Self::Stays { k, rate } => out.fill(k / rate),
            Self::LeavesAfterPurchase { k, rate, a, b } => {
                out.iter_mut().zip(times).for_each(|(w, t)| *w = t / rate);
                beta_power_means(a, b, k + 1.0, out);
                out.iter_mut().for_each(|r| *r *= k / rate);
            }
            Self::LeavesAnytime { k, rate, s, life } => {
                out.iter_mut().zip(times).for_each(|(r, t)| *r = k / rate * (-s * (t / life).ln_1p()).exp());
            }
            Self::LeavesAfterRegular { .. }
            | Self::LeavesAgeing { .. }
            | Self::BuysOnceAPeriod(_)
            | Self::Pays { .. } => unreachable!("they have integrals or sums of their own"),
        }
    }

    /// Of a regular customer, in which phases of their beat they may be.
    pub(crate) fn phases(&self) -> Vec<Phase> {
        self.regular().phases().collect()
    }

    /// Of a regular customer the process that does the same by this time without a beat, if so many purchases are to come.
    pub(crate) fn merged(&self, t: f64) -> Option<(Self, f64)> {
        self.regular().merged(t)
    }

    /// The process without a beat that buys as often.
    pub(crate) fn without_beat(&self) -> Self {
        self.regular().without_beat()
    }

    /// The process of a regular customer; of any other one nothing that is asked.
    fn regular(&self) -> Regular {
        match *self {
            Self::LeavesAfterRegular { shape, rate, a, b, k, silence } => {
                Regular { shape, rate, a, b, k, silence }
            }
            _ => unreachable!("asked of a regular customer only"),
        }
    }
}

/// `(1 − e^{−x}) / x`, the mean of `e^{−xt}` over `t` in `(0, 1)`.
fn decay_mean(x: f64) -> f64 {
    clv_math::logspace::one_minus_exp_over(x)
}
