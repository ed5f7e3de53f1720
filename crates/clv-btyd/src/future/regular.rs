//! Customers who buy at a beat: the time between two purchases is the sum of `k` waiting times.

use clv_math::quadrature::{RuleSize, rule};
use clv_math::special::{beta_inc, ln_beta};

use super::Future;
use super::counts::ln_negative_binomial;

/// The process that remains, given that the customer is alive.
///
/// Waiting times end at rate `λ`; call each end a click. Since the last purchase `j < k` clicks have come, with probability
/// `w_j ∝ (n)_j/j! (s/A)^j` where `s` is the silence, and then `λ ~ Gamma(n + j, A)`. The `i`-th purchase comes with the
/// click `ik − j` from now, if the customer has not left: after each with `p ~ Beta(a, b)`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Regular {
    pub shape: f64,
    pub rate: f64,
    pub a: f64,
    pub b: f64,
    pub k: u32,
    pub silence: f64,
}

/// Of a phase: shape of the rate, and clicks since the last purchase.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Phase {
    pub weight: f64,
    pub shape: f64,
    pub clicks: f64,
}

/// Of more purchases than this within a time it no longer matters that they come at a beat.
const MANY: f64 = 1_000.0;

impl Regular {
    pub(super) fn phases(&self) -> impl Iterator<Item = Phase> {
        let share = self.silence / self.rate;
        let mut ln = Vec::with_capacity(self.k as usize);
        ln.push(0.0);
        for j in 1..self.k {
            let before: f64 = ln[ln.len() - 1];
            ln.push(before + ((self.shape + f64::from(j - 1)) / f64::from(j) * share).ln());
        }
        let top = ln.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let total: f64 = ln.iter().map(|v| (v - top).exp()).sum();
        let shape = self.shape;
        ln.into_iter().enumerate().map(move |(j, v)| Phase {
            weight: (v - top).exp() / total,
            shape: shape + j as f64,
            clicks: j as f64,
        })
    }

    /// Shape of the rate and clicks since the last purchase, by a number drawn from 0 to 1.
    pub(super) fn draw_phase(&self, mut share: f64) -> (f64, u32) {
        let mut found = (self.shape, 0);
        for (clicks, phase) in self.phases().enumerate() {
            found = (phase.shape, clicks as u32);
            share -= phase.weight;
            if share < 0.0 {
                break;
            }
        }
        found
    }

    /// The chance that the `i`-th purchase has come by `t`, of who does not leave.
    fn come(&self, phase: Phase, t: f64, i: f64) -> f64 {
        let clicks = i * f64::from(self.k) - phase.clicks;
        if clicks <= 0.0 { 1.0 } else { beta_inc(clicks, phase.shape, t / (self.rate + t)) }
    }

    /// `E[(1 − p)^i]`.
    fn stays(&self, i: f64) -> f64 {
        (ln_beta(self.a, self.b + i) - ln_beta(self.a, self.b)).exp()
    }

    /// The sum over `i ≥ 1` of `come_i · stays_{i−1} · of(i)`: the chance that the `i`-th purchase has come of who does not
    /// leave, and the chance to have stayed until it.
    fn sum(&self, phase: Phase, t: f64, of: impl Fn(f64) -> f64) -> f64 {
        let k = f64::from(self.k);
        let first = k - phase.clicks;
        let ln_chance = |n: f64| ln_negative_binomial(phase.shape, self.rate, t, n);
        // Chances of counts from the largest that counts down to the first purchase, so that tails are sums of what is
        // positive.
        let mean = phase.shape * t / self.rate;
        let likeliest = ((phase.shape - 1.0) * t / self.rate).floor().max(first);
        let enough = ln_chance(likeliest) - 46.0;
        // Not much too far, where chances are too small to be numbers.
        let mut step = (mean * (1.0 + t / self.rate)).sqrt() + 4.0;
        let mut most = (likeliest + 8.0 * step).ceil();
        while ln_chance(most) > enough {
            most = (most + step).ceil();
            step *= 1.3;
        }
        let purchases = ((most - first) / k).floor();
        let mut n = most;
        let (mut chance, mut tail) = (ln_chance(n).exp(), 0.0);
        let share = t / (self.rate + t);
        let mut tails = Vec::with_capacity(purchases as usize + 1);
        let mut i = purchases;
        while i >= 0.0 {
            let last = first + i * k;
            while n >= last {
                tail += chance;
                chance *= n / ((phase.shape + (n - 1.0)) * share);
                n -= 1.0;
            }
            tails.push(tail);
            i -= 1.0;
        }
        let (mut sum, mut stays, mut i) = (0.0, 1.0, 1.0);
        for tail in tails.iter().rev() {
            sum += tail * stays * of(i);
            stays *= (self.b + (i - 1.0)) / (self.a + self.b + (i - 1.0));
            i += 1.0;
        }
        sum
    }

    /// The process without a beat that does the same within `t`, where so many purchases are to come that a beat is nothing;
    /// with how many purchases the beat is ahead of it, to the first order.
    pub(super) fn merged(&self, t: f64) -> Option<(Future, f64)> {
        let k = f64::from(self.k);
        // The mean of the clicks, and how far their chances reach if little is known of the rate.
        let per = t / self.rate;
        if self.shape * per <= MANY * k && 46.0 * per <= 20.0 * MANY * k {
            return None;
        }
        Some((self.without_beat(), (self.mean_clicks() - (k - 1.0) / 2.0) / k))
    }

    /// Clicks since the last purchase.
    fn mean_clicks(&self) -> f64 {
        self.phases().map(|phase| phase.weight * phase.clicks).sum()
    }

    /// The process without a beat that buys as often.
    pub(super) fn without_beat(&self) -> Future {
        let (shape, rate) = (self.shape + self.mean_clicks(), self.rate * f64::from(self.k));
        Future::LeavesAfterPurchase { k: shape, rate, a: self.a, b: self.b }
    }

    fn mean_over_phases(&self, of: impl Fn(Phase) -> f64) -> f64 {
        self.phases().filter(|phase| phase.weight > 1e-17).map(|phase| phase.weight * of(phase)).sum()
    }

    /// `E[X(t)] = Σ_i P(i-th has come) E[(1 − p)^{i−1}]`.
    pub(super) fn expected(&self, t: f64) -> f64 {
        if t == 0.0 {
            return 0.0;
        }
        if let Some((same, ahead)) = self.merged(t) {
            // Of those who are still there and buy at all.
            let buying = (same.survival(t) - same.probability_of(t, 0)).max(0.0);
            return (same.expected(0.0, t) + ahead * buying).max(0.0);
        }
        self.mean_over_phases(|phase| self.sum(phase, t, |_| 1.0))
    }

    /// `E[(1 − p)^{M(t)}]` with `M` the purchases of who does not leave.
    pub(super) fn survival(&self, t: f64) -> f64 {
        if t == 0.0 {
            return 1.0;
        }
        if let Some((same, _)) = self.merged(t) {
            return same.survival(t);
        }
        let (a, b) = (self.a, self.b);
        let left = self.mean_over_phases(|phase| self.sum(phase, t, |i| a / (a + b + (i - 1.0))));
        (1.0 - left).clamp(0.0, 1.0)
    }

    pub(super) fn probability_of(&self, t: f64, n: f64) -> f64 {
        if t == 0.0 {
            return if n == 0.0 { 1.0 } else { 0.0 };
        }
        self.mean_over_phases(|phase| {
            let (come, more) = (self.come(phase, t, n), self.come(phase, t, n + 1.0));
            let stays = self.stays(n);
            let left = if n == 0.0 { 0.0 } else { (self.stays(n - 1.0) - stays).max(0.0) };
            (come - more).max(0.0) * stays + left * come
        })
    }

    /// `∫ e^{−δu} dE[X(u)]` over `(0, t]`, in parts: `e^{−δt} E[X(t)] + δ ∫ e^{−δu} E[X(u)] du`.
    pub(super) fn discounted(&self, t: f64, delta: f64) -> f64 {
        let end = (-delta * t).exp() * self.expected(t);
        if delta == 0.0 || t == 0.0 {
            return end;
        }
        let clicks = self.shape / self.rate / f64::from(self.k);
        let per_u = 1.0 / self.rate + clicks * self.a / (self.a + self.b) + delta;
        let until = t.min(46.0 / delta);
        let length = (per_u * until).ln_1p();
        // A beat makes steps of the expectation, the more so the larger k.
        let panels = (length / 1.2 * (1.0 + f64::from(self.k) / 8.0)).ceil().max(1.0);
        let width = length / panels;
        let rule = rule(RuleSize::N16);
        let mut sum = 0.0;
        for panel in 0..panels as usize {
            for (node, weight) in rule.nodes.iter().zip(&rule.weights) {
                let u = ((panel as f64 + node) * width).exp_m1() / per_u;
                sum += weight * width * (1.0 / per_u + u) * (-delta * u).exp() * self.expected(u);
            }
        }
        end + delta * sum
    }
}
