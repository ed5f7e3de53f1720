//! How many purchases: the distribution of the count.

use clv_math::quadrature::{Tail, ln_integral};
use clv_math::special::{beta_inc, ln_beta, ln_gamma, ln_rising};

use super::Future;
use super::ageing::Ageing;

impl Future {
    /// Probability of exactly `count` purchases in `(0, t]`.
    ///
    /// # Formula
    ///
    /// With `NB(n) = (k)ₙ/n! (A/(A+t))^k (t/(A+t))ⁿ`:
    ///
    /// ```text
    /// stays:                  NB(n)
    /// leaves after purchase:  B(a, b+n)/B(a, b) NB(n) + [n > 0] B(a+1, b+n−1)/B(a, b) P(NB ≥ n)
    /// leaves anytime:         NB(n) (B/(B+t))^s + ∫₀ᵗ NB_τ(n) s/(B+τ) (B/(B+τ))^s dτ
    /// leaves regularly:       Σ_j w_j { E[(1−p)ⁿ] P(nk−j ≤ N < (n+1)k−j) + [n > 0] E[p(1−p)^{n−1}] P(N ≥ nk−j) }
    /// leaves ageing:          the same with S(t) and −S′(τ) of that process
    /// ```
    ///
    /// Fader, Hardie & Lee (2005), equation (8), for the second, with the bracket written as the
    /// incomplete beta function `P(NB ≥ n) = I_{t/(A+t)}(n, k)`, which does not cancel. The third is
    /// the integral that the closed form of Fader & Hardie (2006) is the value of; that form loses
    /// all sixteen digits by `n = 18`.
    pub fn probability_of(&self, t: f64, count: u32) -> f64 {
        let n = f64::from(count);
        let p = match *self {
            Self::Stays { k, rate } => ln_negative_binomial(k, rate, t, n).exp(),
            Self::LeavesAfterPurchase { k, rate, a, b } => {
                let stays = ln_rising(b, n) - ln_rising(a + b, n) + ln_negative_binomial(k, rate, t, n);
                let leaves = if count == 0 {
                    0.0
                } else {
                    (ln_beta(a + 1.0, b + n - 1.0) - ln_beta(a, b)).exp() * beta_inc(n, k, t / (rate + t))
                };
                stays.exp() + leaves
            }
            Self::LeavesAnytime { k, rate, s, life } => {
                let stays = ln_negative_binomial(k, rate, t, n) - s * (t / life).ln_1p();
                let leaves = ln_left_with(k, rate, s, life, t, n);
                stays.exp() + leaves.exp()
            }
            Self::LeavesAfterRegular { .. } => self.regular().probability_of(t, n),
            Self::LeavesAgeing { k, rate, s, life, b } => {
                let ageing = Ageing { s, life, b };
                let stays = ln_negative_binomial(k, rate, t, n) + ageing.ln_survival(t);
                stays.exp() + ageing.left_with(k, rate, t, n)
            }
            Self::BuysOnceAPeriod(_) | Self::Pays { .. } => self.periods().probability_of(t, count),
        };
        p.clamp(0.0, 1.0)
    }
}

/// `ln NB(n)`: the chance of `n` purchases in `t` of a customer who stays.
pub(super) fn ln_negative_binomial(k: f64, rate: f64, t: f64, n: f64) -> f64 {
    if t == 0.0 {
        return if n == 0.0 { 0.0 } else { f64::NEG_INFINITY };
    }
    let none = -k * (t / rate).ln_1p();
    if n == 0.0 {
        return none;
    }
    none + ln_rising(k, n) - ln_gamma(n + 1.0) - n * (rate / t).ln_1p()
}

/// `ln` of the chance to leave within `t` after exactly `n` purchases, over `v = ln τ`, where the
/// integrand has one peak.
fn ln_left_with(k: f64, rate: f64, s: f64, life: f64, t: f64, n: f64) -> f64 {
    if t == 0.0 {
        return f64::NEG_INFINITY;
    }
    let constant = ln_rising(k, n) - ln_gamma(n + 1.0) + s.ln();
    let ln_f = |v: f64| {
        let tau = v.exp();
        (n + 1.0) * v
            - n * (rate + tau).ln()
            - k * (tau / rate).ln_1p()
            - s * (tau / life).ln_1p()
            - (life + tau).ln()
    };
    // Peak: (n+1)(A+τ)(B+τ) = (k+n) τ (B+τ) + (s+1) τ (A+τ), one positive root.
    let (q2, q1, q0) =
        (-(k + s), (n + 1.0) * (rate + life) - (k + n) * life - (s + 1.0) * rate, (n + 1.0) * rate * life);
    let root = (q1 * q1 - 4.0 * q2 * q0).max(0.0).sqrt();
    let tau = if q1 > 0.0 { (q1 + root) / (-2.0 * q2) } else { 2.0 * q0 / (root - q1) };
    let end = t.ln();
    let start = rate.min(life).ln() - 40.0 - (2.0 + k + n + s).ln();
    let left = Tail { at: start.min(end - 1e-9), rate: n + 1.0 };
    // The integral ends at t: nothing lies beyond.
    let right = Tail { at: end, rate: f64::INFINITY };
    constant + ln_integral(ln_f, tau.ln(), left, right)
}
