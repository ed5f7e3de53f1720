//! Customers who leave the sooner the longer they have been customers: Gompertz lifetimes.

use clv_math::quadrature::{RuleSize, rule};

use super::counts::ln_negative_binomial;

/// A Gompertz lifetime across customers, or the rest of one: `S(u) = (L / (L + e^{bu} − 1))^s`; at first `L = β`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ageing {
    pub s: f64,
    pub life: f64,
    pub b: f64,
}

/// Beyond so many exponents nothing is left.
const GONE: f64 = 46.0;

impl Ageing {
    /// `ln(1 + (e^{bu} − 1)/L)`.
    pub(crate) fn worn(&self, u: f64) -> f64 {
        let bu = self.b * u;
        if bu > 30.0 {
            bu - self.life.ln() + ((self.life - 1.0) * (-bu).exp()).ln_1p()
        } else {
            (bu.exp_m1() / self.life).ln_1p()
        }
    }

    pub(crate) fn ln_survival(&self, u: f64) -> f64 {
        -self.s * self.worn(u)
    }

    /// `e^{bu} / (L + e^{bu} − 1)`, by which the hazard is `s b` times.
    pub(crate) fn share(&self, u: f64) -> f64 {
        let bu = self.b * u;
        1.0 / (self.life * (-bu).exp() - (-bu).exp_m1())
    }

    /// Most of the way to the nearest pole, where `L + e^{bu}` is 1: to the left of 0, or half a turn off the axis.
    pub(crate) fn reach(&self, u: f64) -> f64 {
        let pole = if self.life < 1.0 { u - (-self.life).ln_1p() / self.b } else { f64::INFINITY };
        let middle = if self.life > 1.0 { (self.life - 1.0).ln() / self.b } else { 0.0 };
        let turn = (u - middle).hypot(std::f64::consts::PI / self.b);
        0.7 * pole.min(turn)
    }

    /// How fast the density changes: by the slope of its logarithm, `b (1 − (s + 1) share)`, once that has settled, and before
    /// by as much as the slope itself may still change.
    pub(crate) fn bend(&self, u: f64) -> f64 {
        let share = self.share(u);
        self.b * (self.s * share + (1.0 - share).abs() * (1.0 + self.s * share.min(1.0)))
    }

    /// How far from `u` the survival function may be taken for a polynomial: one panel takes in a fall by e^{−6}.
    fn step(&self, u: f64) -> f64 {
        self.reach(u).min(6.0 / self.bend(u))
    }

    /// `∫ S(u) du` and `∫ e^{−δu} S(u) du` over `(from, to]`.
    pub(super) fn integrals(&self, from: f64, to: f64, delta: f64) -> (f64, f64) {
        let (mut plain, mut discounted, mut u) = (0.0, 0.0, from);
        let rule = rule(RuleSize::N16);
        while u < to && self.s * self.worn(u) < GONE {
            let mut width = self.step(u).min(to - u);
            // What is discounted by more is nothing.
            if delta * u < GONE {
                width = width.min(6.0 / delta);
            }
            // A step too small to move on is none.
            if u + width <= u {
                break;
            }
            for (node, weight) in rule.nodes.iter().zip(&rule.weights) {
                let at = u + node * width;
                let piece = weight * width * self.ln_survival(at).exp();
                plain += piece;
                discounted += piece * (-delta * at).exp();
            }
            u += width;
        }
        (plain, discounted)
    }

    /// The chance to leave within `t` after exactly `n` purchases at rate `λ ~ Gamma(k, A)`, over `v = ln τ`.
    ///
    /// The integrand may have two humps, one where `n` purchases are likely and one where leaving is; each may be narrow.
    /// So it is looked at on a grid in `v`, and followed from the top of each hump to either side.
    pub(super) fn left_with(&self, k: f64, rate: f64, t: f64, n: f64) -> f64 {
        if t == 0.0 {
            return 0.0;
        }
        let constant = (self.s * self.b).ln();
        let ln_at = |v: f64| {
            let tau = v.exp();
            let ln = v + constant + self.share(tau).ln() + ln_negative_binomial(k, rate, tau, n);
            let ln = ln + self.ln_survival(tau);
            if ln.is_nan() { f64::NEG_INFINITY } else { ln }
        };
        // So early, the integrand is τ^{n+1} times a constant.
        let end = t.ln();
        let early = (rate / (1.0 + n + k)).min(1.0 / (self.b * (1.0 + (1.0 + self.s) * self.share(0.0))));
        let start = end.min(early.ln()) - 80.0 / (n + 1.0);
        let cell = (end - start) / CELLS as f64;
        let grid: Vec<f64> = (0..=CELLS).map(|i| ln_at(start + cell * i as f64)).collect();
        let top = grid.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let mut sum = 0.0;
        // From one hollow to the next.
        let mut low = 0;
        while low < CELLS {
            let mut peak = low;
            while peak < CELLS && grid[peak + 1] >= grid[peak] {
                peak += 1;
            }
            let mut high = peak;
            while high < CELLS && grid[high + 1] < grid[high] {
                high += 1;
            }
            if grid[peak] > top - GONE {
                let at = |i: usize| start + cell * i as f64;
                let mode = highest(&ln_at, at(peak.saturating_sub(1).max(low)), at((peak + 1).min(high)));
                let least = ln_at(mode) - GONE;
                let panel = |v: f64| {
                    let tau = v.exp();
                    let share = self.share(tau);
                    let bends = (n + k) * rate * tau / ((rate + tau) * (rate + tau))
                        + tau * self.bend(tau) * (1.0 + self.b * tau * (1.0 - share).abs());
                    let slope = (n + 1.0 - (n + k) * tau / (rate + tau)).abs() + tau * self.bend(tau);
                    (4.0 / (slope + bends.sqrt())).min(1.0)
                };
                for (limit, way) in [(at(low), -1.0), (at(high), 1.0)] {
                    let mut v = mode;
                    while (limit - v) * way > 0.0 && ln_at(v) > least {
                        let width = panel(v).min((limit - v) * way);
                        sum += over(&ln_at, v.min(v + way * width), width);
                        v += way * width;
                        if width < 1e-12 * v.abs() {
                            break;
                        }
                    }
                }
            }
            low = high.max(low + 1);
        }
        sum
    }
}

/// How many cells of the grid on which humps are looked for.
const CELLS: usize = 96;

/// `∫ e^{f}` over a panel.
fn over(ln_at: &impl Fn(f64) -> f64, from: f64, width: f64) -> f64 {
    let rule = rule(RuleSize::N16);
    rule.nodes.iter().zip(&rule.weights).map(|(node, w)| w * width * ln_at(from + node * width).exp()).sum()
}

/// Where a hump is highest, nearly: by golden sections.
fn highest(ln_at: &impl Fn(f64) -> f64, mut low: f64, mut high: f64) -> f64 {
    const GOLDEN: f64 = 0.618_033_988_749_895;
    let (mut a, mut b) = (high - GOLDEN * (high - low), low + GOLDEN * (high - low));
    let (mut at_a, mut at_b) = (ln_at(a), ln_at(b));
    for _ in 0..30 {
        if at_a > at_b {
            (high, b, at_b) = (b, a, at_a);
            a = high - GOLDEN * (high - low);
            at_a = ln_at(a);
        } else {
            (low, a, at_a) = (a, b, at_b);
            b = low + GOLDEN * (high - low);
            at_b = ln_at(b);
        }
    }
    let (low_at, high_at) = (ln_at(low), ln_at(high));
    let middle = f64::midpoint(low, high);
    if ln_at(middle) >= low_at.max(high_at) {
        middle
    } else if low_at > high_at {
        low
    } else {
        high
    }
}
