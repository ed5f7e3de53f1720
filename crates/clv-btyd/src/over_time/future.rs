//! What a customer who is alive will do while their rates change with time.

use clv_math::quadrature::{RuleSize, rule};
use clv_math::special::{ln_beta, ln_gamma, ln_rising};
use rand_chacha::ChaCha8Rng;

use super::regular::Regular;
use crate::future::Future;
use crate::simulate::{beta, exponential, gamma, uniform};

/// A piece of the future: how long, and how fast the clocks of purchases and of leaving go.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Stretch {
    pub length: f64,
    pub buys: f64,
    pub leaves: f64,
}

/// The process of a customer over the pieces of their future.
#[derive(Clone, Debug, PartialEq)]
pub struct FutureOverTime {
    pub(crate) now: Future,
    pub(crate) stretches: Vec<Stretch>,
}

impl FutureOverTime {
    /// How far it reaches, in time units.
    pub fn reach(&self) -> f64 {
        self.stretches.iter().map(|s| s.length).sum()
    }

    /// The stretches within a time, the last one cut off.
    fn within(&self, t: f64) -> impl Iterator<Item = Stretch> + '_ {
        let mut left = t;
        self.stretches.iter().map_while(move |stretch| {
            let length = stretch.length.min(left);
            left -= length;
            (length > 0.0).then_some(Stretch { length, ..*stretch })
        })
    }

    /// Probability of still being alive after `t`, for one who is alive now.
    pub fn survival(&self, t: f64) -> f64 {
        match self.now {
            Future::LeavesAfterPurchase { k, rate, a, b } => {
                let stay = |node: &Node| {
                    let c: f64 = self.within(t).map(|s| s.length * s.buys * node.leaves(s.leaves)).sum();
                    node.weight * (-k * (c / rate).ln_1p()).exp()
                };
                nodes(a, b).iter().map(stay).sum()
            }
            Future::LeavesAfterRegular { .. } => self.regular(t).survival(),
            ref now => now.survival(self.within(t).map(|s| s.length * s.leaves).sum()),
        }
    }

    /// Expected purchases in `(0, t]`, discounted at a continuous rate, for one who is alive now.
    ///
    /// # Formula
    ///
    /// ```text
    /// Pareto/NBD   Σ over pieces of k/A · (b/B-clock) ∫ e^{−δt} (life/(life + B(t)))^s a(t) dt
    /// BG family    E_p Σ [P(alive at the start) − P(alive at the end)] / (1 − (1 − p)^w)
    /// CNBD-k       E_λ,p Σ over clicks n of a run of Poisson(n; λA) (1 − ρ^m)/(1 − ρ), m the purchases among them, ρ = (1 − p)^w
    /// ```
    pub fn expected(&self, t: f64, delta: f64) -> f64 {
        let mut time = 0.0;
        let mut total = 0.0;
        match self.now {
            Future::LeavesAfterPurchase { k, rate, a, b } => {
                let nodes = nodes(a, b);
                let mut clocks = vec![0.0; nodes.len()];
                for stretch in self.within(t) {
                    let parts = if delta == 0.0 {
                        1
                    } else {
                        (delta * stretch.length * 8.0).ceil().max(1.0) as usize
                    };
                    // Discounting within a piece: by short parts, each at its own mean time.
                    let rule = rule(RuleSize::N8);
                    for (node, clock) in nodes.iter().zip(&mut clocks) {
                        let q = node.leaves(stretch.leaves);
                        let rate_at = |v: f64| {
                            let c = *clock + stretch.buys * q * v;
                            stretch.buys * k / rate * (-(k + 1.0) * (c / rate).ln_1p()).exp()
                        };
                        let piece = if delta == 0.0 {
                            let z = stretch.buys * stretch.length * q / (rate + *clock);
                            let y = k * z.ln_1p();
                            let per_q = if q > 0.0 {
                                y / q
                            } else {
                                k * stretch.buys * stretch.length / (rate + *clock)
                            };
                            (-k * (*clock / rate).ln_1p()).exp()
                                * per_q
                                * clv_math::logspace::one_minus_exp_over(y)
                        } else {
                            let width = stretch.length / parts as f64;
                            (0..parts)
                                .map(|part| {
                                    let one = |(node, weight): (&f64, &f64)| {
                                        let v = (part as f64 + node) * width;
                                        weight * width * rate_at(v) * (-delta * (time + v)).exp()
                                    };
                                    rule.nodes.iter().zip(&rule.weights).map(one).sum::<f64>()
                                })
                                .sum()
                        };
                        total += node.weight * piece;
                        *clock += stretch.buys * q * stretch.length;
                    }
                    time += stretch.length;
                }
            }
            Future::LeavesAnytime { k, rate, s, life } => {
                let mut gone = 0.0;
                for Stretch { length, buys, leaves } in self.within(t) {
                    let later = Future::LeavesAnytime { k, rate, s, life: life + gone };
                    let stays = (-s * (gone / life).ln_1p()).exp();
                    let own = later.expected_and_discounted(length * leaves, delta / leaves).1;
                    total += stays * own * buys / leaves * (-delta * time).exp();
                    gone += length * leaves;
                    time += length;
                }
            }
            Future::LeavesAfterRegular { .. } => total = self.regular(t).expected(delta),
            _ => unreachable!("one of the three processes with clocks"),
        }
        total
    }

    /// The process of a regular customer within a time; of any other one nothing that is asked.
    fn regular(&self, t: f64) -> Regular<'_> {
        match self.now {
            Future::LeavesAfterRegular { rate, a, b, k, .. } => {
                let (phases, stretches) = (self.now.phases(), self.within(t).collect());
                Regular { now: &self.now, phases, rate, chance: (a, b), k: k as usize, stretches }
            }
            _ => unreachable!("asked of a regular customer only"),
        }
    }

    /// Probability of `count` purchases in `(0, t]`, for one who is alive now.
    pub fn probability_of(&self, t: f64, count: u32) -> f64 {
        let stretches: Vec<Stretch> = self.within(t).collect();
        let n = f64::from(count);
        let bought: f64 = stretches.iter().map(|s| s.length * s.buys).sum();
        match self.now {
            Future::LeavesAnytime { k, rate, s, life } => {
                let left: f64 = stretches.iter().map(|s| s.length * s.leaves).sum();
                let alive = counted(k, rate, bought, n) * (-s * (left / life).ln_1p()).exp();
                let (mut a, mut b, mut gone) = (0.0, 0.0, 0.0);
                for Stretch { length, buys, leaves } in stretches {
                    let f = |v: f64| {
                        let ln = s.ln()
                            - s.mul_add(((b + leaves * v) / life).ln_1p(), (life + b + leaves * v).ln());
                        counted(k, rate, a + buys * v, n) * leaves * ln.exp()
                    };
                    gone += panels(length, &[(rate + a) / buys, (life + b) / leaves], k + n + s, &f);
                    a += buys * length;
                    b += leaves * length;
                }
                alive + gone
            }
            Future::LeavesAfterPurchase { k, rate, a, b } => {
                let one = |node: &Node| {
                    let mean: f64 =
                        stretches.iter().map(|s| s.length * s.buys * node.stays(s.leaves)).sum::<f64>()
                            / bought;
                    let alive = if bought == 0.0 {
                        f64::from(u8::from(count == 0))
                    } else {
                        counted(k, rate, bought, n) * mean.powf(n)
                    };
                    if count == 0 {
                        return node.weight * alive;
                    }
                    // The last of them at u on the clock of purchases, and gone with it.
                    let (mut clock, mut stayed, mut gone) = (0.0, 0.0, 0.0);
                    for &Stretch { length, buys, leaves } in &stretches {
                        let (stays, goes) = (node.stays(leaves), node.leaves(leaves));
                        let constant = ln_rising(k, n) - ln_gamma(n);
                        let f = |v: f64| {
                            let (u, m) = (clock + buys * v, stayed + buys * stays * v);
                            let ln = constant + (n - 1.0) * (m / rate).ln() - (k + n) * (u / rate).ln_1p();
                            (if count == 1 { constant - (k + n) * (u / rate).ln_1p() } else { ln }).exp()
                                / rate
                                * buys
                        };
                        gone += goes
                            * panels(
                                length,
                                &[(rate + clock) / buys, (clock + f64::MIN_POSITIVE) / buys],
                                k + n,
                                &f,
                            );
                        clock += buys * length;
                        stayed += buys * stays * length;
                    }
                    node.weight * (alive + gone)
                };
                nodes(a, b).iter().map(one).sum()
            }
            Future::LeavesAfterRegular { .. } => self.regular(t).probability_of(count),
            _ => unreachable!("one of the three processes with clocks"),
        }
    }

    /// Draws a customer who is alive now, and appends the times of their purchases as far as it reaches.
    pub fn purchase_times(&self, rng: &mut ChaCha8Rng, times: &mut Vec<f64>) {
        // Clicks to the next purchase, and to each after it.
        let ((k, rate), first, then) = match self.now {
            Future::LeavesAnytime { k, rate, .. } | Future::LeavesAfterPurchase { k, rate, .. } => {
                ((k, rate), 1, 1)
            }
            Future::LeavesAfterRegular { rate, k, .. } => {
                let (shape, clicks) = self.now.draw_phase(uniform(rng));
                ((shape, rate), k - clicks, k)
            }
            _ => unreachable!("one of the three processes with clocks"),
        };
        let lambda = gamma(k, rate, rng);
        let wait = |clicks: u32, rng: &mut ChaCha8Rng| -> f64 {
            (0..clicks).map(|_| exponential(lambda, rng)).sum()
        };
        // The clock of leaving at which the customer goes, or their chance to go at a purchase.
        let (mut life, p) = match self.now {
            Future::LeavesAnytime { s, life, .. } => (exponential(gamma(s, life, rng), rng), 0.0),
            Future::LeavesAfterPurchase { a, b, .. } | Future::LeavesAfterRegular { a, b, .. } => {
                (f64::INFINITY, beta(a, b, rng))
            }
            _ => (f64::INFINITY, 0.0),
        };
        let mut next = wait(first, rng);
        let mut start = 0.0;
        for &Stretch { length, buys, leaves } in &self.stretches {
            let alive = if life.is_finite() { length.min(life / leaves) } else { length };
            let mut at = next / buys;
            while at <= alive {
                times.push(start + at);
                if p > 0.0 && uniform(rng) < -(leaves * (-p).ln_1p()).exp_m1() {
                    return;
                }
                next = wait(then, rng);
                at += next / buys;
            }
            if alive < length {
                return;
            }
            next = (at - length) * buys;
            life -= length * leaves;
            start += length;
        }
    }
}

/// Probability of `n` purchases at rate `λ ~ Gamma(k, rate)` within a stretch of their clock.
pub(super) fn counted(k: f64, rate: f64, clock: f64, n: f64) -> f64 {
    let zero = -k * (clock / rate).ln_1p();
    if n == 0.0 {
        return zero.exp();
    }
    if clock == 0.0 {
        return 0.0;
    }
    (ln_rising(k, n) - ln_gamma(n + 1.0) + zero + n * (clock / (rate + clock)).ln()).exp()
}

/// `∫_0^length f`, in panels that are short beside the distance to each pole and to where the shape turns.
fn panels(length: f64, poles: &[f64], shape: f64, f: &dyn Fn(f64) -> f64) -> f64 {
    let rule = rule(RuleSize::N16);
    let (mut start, mut total) = (0.0, 0.0);
    while start < length {
        let near = poles.iter().map(|pole| pole + start).fold(f64::INFINITY, f64::min);
        let most = poles.iter().map(|pole| pole + start).fold(0.0, f64::max);
        // From a pole at the very start geometrically on.
        let width = (near.max(1e-3 * length.min(most)) * (6.0 / shape).clamp(0.05, 1.5)).min(length - start);
        let one = |(node, weight): (&f64, &f64)| weight * width * f(start + node * width);
        total += rule.nodes.iter().zip(&rule.weights).map(one).sum::<f64>();
        start += width;
    }
    total
}

/// A value of `p`.
pub(super) struct Node {
    pub ln_stay: f64,
    pub weight: f64,
}

impl Node {
    /// `(1 − p)^w`.
    fn stays(&self, w: f64) -> f64 {
        (w * self.ln_stay).exp()
    }

    /// `1 − (1 − p)^w`.
    fn leaves(&self, w: f64) -> f64 {
        -(w * self.ln_stay).exp_m1()
    }
}

/// Nodes and weights for `p ~ Beta(a, b)`: the trapezoid rule in `ln(p/(1−p))`, whose density falls exponentially on either side.
fn nodes(a: f64, b: f64) -> Vec<Node> {
    nodes_by((a, b), (0.25, 0.25))
}

/// The same, no further apart than so many units and so many deviations.
pub(super) fn nodes_by((a, b): (f64, f64), (units, deviations): (f64, f64)) -> Vec<Node> {
    let constant = ln_beta(a, b);
    let ln = |y: f64| {
        let (stay, leave) = (-softplus(y), -softplus(-y));
        (a * leave + b * stay - constant, stay)
    };
    let mode = (a / b).ln();
    let bend = (1.0 / a + 1.0 / b).sqrt();
    let step = units.min(deviations * bend);
    let top = ln(mode).0;
    let mut found = Vec::new();
    for way in [-1.0, 1.0] {
        let mut i = if way > 0.0 { 0.0 } else { 1.0 };
        loop {
            let (density, ln_stay) = ln(mode + way * i * step);
            if density < top - 40.0 || i > 40_000.0 {
                break;
            }
            found.push(Node { ln_stay, weight: density.exp() * step });
            i += 1.0;
        }
    }
    let sum: f64 = found.iter().map(|node| node.weight).sum();
    found.iter_mut().for_each(|node| node.weight /= sum);
    found
}

/// `ln(1 + e^v)`.
fn softplus(v: f64) -> f64 {
    crate::beta_geometric::softplus(v)
}
