//! What a regular customer who is alive will do while their rates change with time.
//!
//! Clicks come at rate `λ` on the purchases' clock, each `k`-th of them is a purchase, and of the purchases in one stretch each lets the customer stay with
//! `ρ = (1 − p)^w`. Given `λ` and `p` a customer is a state: the probability of being there with so many clicks since the last purchase. Over `λ` and `p` it is
//! integrated by the trapezoid rule in `ln λ` and `ln(p/(1−p))`, where both densities fall exponentially or faster on either side. Chances of counts need no `λ`:
//! given the number of clicks, those of each stretch are binomial.

use clv_math::logspace::one_minus_exp_over;
use clv_math::special::{beta_inc, ln_gamma};

use super::future::FutureOverTime;
use super::future::{Node, Stretch, counted, nodes_by};
use crate::future::{Future, Phase};

/// Of more clicks than this to a count no table is made.
const MANY: f64 = 3_000.0;
/// Of a value of `λ` and one of `p` together: as little makes no difference.
const NOTHING: f64 = 1e-14;
/// The density of `ln λ` is cut where it is `e^{−34}` of its most.
const FALLEN: f64 = 34.0;

/// A regular customer's process, and the stretches of their future.
pub(super) struct Regular<'a> {
    pub now: &'a Future,
    pub phases: Vec<Phase>,
    pub rate: f64,
    pub chance: (f64, f64),
    pub k: usize,
    pub stretches: Vec<Stretch>,
}

/// Who is there by so many clicks since the last purchase, at one `λ` and one `p`.
struct State {
    there: Vec<f64>,
    next: Vec<f64>,
    /// Of those who began with so many clicks: the chance to have stayed so far, and purchases on the average.
    since: Vec<(f64, f64)>,
}

impl State {
    fn new(k: usize) -> Self {
        Self { there: vec![0.0; k], next: vec![0.0; k], since: vec![(1.0, 0.0); k] }
    }

    fn set(&mut self, there: impl Iterator<Item = f64>) {
        self.there.iter_mut().zip(there).for_each(|(place, value)| *place = value);
    }

    /// Lets the clock go on by `x` clicks on the average, and tells the purchases of those who were there when they came.
    fn pass(&mut self, x: f64, ln_stay: f64) -> f64 {
        let Self { there, next, since } = self;
        let k = there.len();
        if x <= 0.0 {
            return 0.0;
        }
        next.fill(0.0);
        // Beyond nine deviations below there is nothing.
        let mut n = (x - 9.0 * x.sqrt() - 30.0).floor().max(0.0);
        let mut chance = if n == 0.0 { (-x).exp() } else { (n * x.ln() - x - ln_gamma(n + 1.0)).exp() };
        let stay = ln_stay.exp();
        for (clicks, since) in since.iter_mut().enumerate() {
            let m = ((n + clicks as f64) / k as f64).floor();
            *since = match m {
                0.0 => (1.0, 0.0),
                m if ln_stay == 0.0 => (1.0, m),
                m => ((m * ln_stay).exp(), (m * ln_stay).exp_m1() / ln_stay.exp_m1()),
            };
        }
        let (mut place, mut bought) = ((n % k as f64) as usize, 0.0);
        loop {
            for (clicks, (there, (stays, made))) in there.iter().zip(&*since).enumerate() {
                let to = clicks + place;
                next[if to >= k { to - k } else { to }] += there * chance * stays;
                bought += there * chance * made;
            }
            if n > x && chance < 1e-18 {
                break;
            }
            n += 1.0;
            chance *= x / n;
            place = if place + 1 == k { 0 } else { place + 1 };
            // Whoever began with k less has bought now.
            let (stays, made) = &mut since[if place == 0 { 0 } else { k - place }];
            *made += *stays;
            *stays *= stay;
        }
        std::mem::swap(there, next);
        bought
    }
}

impl Regular<'_> {
    /// Whether leaving goes as it always did: then all is a matter of the clock.
    pub(super) fn is_plain(&self) -> bool {
        self.stretches.iter().all(|stretch| stretch.leaves == 1.0)
    }

    pub(super) fn clock(&self) -> f64 {
        self.stretches.iter().map(|s| s.length * s.buys).sum()
    }

    /// Visits states at values of `λ` and `p`; what is left to 1 of their weights has no clicks to come.
    fn each(&self, mut see: impl FnMut(f64, &Node, &mut State)) {
        let nodes = self.chances();
        let mut state = State::new(self.k);
        for (lambda, weights) in self.rates() {
            let weight: f64 = weights.iter().sum();
            for node in nodes.iter().filter(|node| weight * node.weight > NOTHING) {
                state.set(weights.iter().map(|w| w * node.weight));
                see(lambda, node, &mut state);
            }
        }
    }

    /// The clock of purchases as long as leaving goes alike.
    fn runs(&self) -> Vec<Stretch> {
        let mut runs: Vec<Stretch> = Vec::new();
        for Stretch { length, buys, leaves } in &self.stretches {
            match runs.last_mut() {
                Some(last) if last.leaves == *leaves => last.length += length * buys,
                _ => runs.push(Stretch { length: length * buys, buys: 1.0, leaves: *leaves }),
            }
        }
        runs
    }

    /// Values of `λ`, each with its weight in every phase.
    fn rates(&self) -> Vec<(f64, Vec<f64>)> {
        let phases: Vec<&Phase> = self.phases.iter().filter(|phase| phase.weight > 1e-17).collect();
        let clock = self.clock();
        let constant =
            |phase: &Phase| phase.weight.ln() + phase.shape * self.rate.ln() - ln_gamma(phase.shape);
        let constants: Vec<f64> = phases.iter().map(|phase| constant(phase)).collect();
        let density = |y: f64| -> Vec<f64> {
            let fall = self.rate * y.exp();
            let of = |(phase, constant): (&&Phase, &f64)| phase.shape.mul_add(y, constant - fall);
            phases.iter().zip(&constants).map(of).collect()
        };
        let most = |y: f64| density(y).into_iter().fold(f64::NEG_INFINITY, f64::max);
        let likeliest = phases.iter().max_by(|a, b| a.weight.total_cmp(&b.weight));
        let Some(likeliest) = likeliest else { return Vec::new() };
        let (mode, widest) =
            ((likeliest.shape / self.rate).ln(), phases.iter().map(|p| p.shape).fold(0.0, f64::max));
        // As wide as the density of a well-known rate, and not wider than the step of a first purchase at a beat.
        let step = (0.9 / widest.sqrt()).min(0.3 / (self.k as f64).sqrt());
        let top = most(mode);
        let mut found = Vec::new();
        for way in [-1.0, 1.0] {
            let mut i = if way > 0.0 { 0.0 } else { 1.0 };
            loop {
                let y = mode + way * i * step;
                // So low a rate brings no click.
                if most(y) < top - FALLEN || y.exp() * clock < 1e-13 {
                    break;
                }
                let mut weights = vec![0.0; self.k];
                for (phase, ln) in phases.iter().zip(density(y)) {
                    weights[phase.clicks as usize] = step * ln.exp();
                }
                found.push((y.exp(), weights));
                i += 1.0;
            }
        }
        found
    }

    /// Values of `p`, those at which hardly anybody or hardly nobody leaves taken together.
    fn chances(&self) -> Vec<Node> {
        let least = self.stretches.iter().map(|s| s.leaves).fold(f64::INFINITY, f64::min);
        let sure = -60.0 * (1.0 / least).max(1.0);
        let (mut nodes, mut never, mut at_once) = (Vec::new(), 0.0, 0.0);
        for node in nodes_by(self.chance, (0.4, 0.9)) {
            if node.ln_stay > -1e-12 {
                never += node.weight;
            } else if node.ln_stay < sure {
                at_once += node.weight;
            } else {
                nodes.push(node);
            }
        }
        nodes.extend((never > 0.0).then_some(Node { ln_stay: -0.0, weight: never }));
        nodes.extend((at_once > 0.0).then_some(Node { ln_stay: sure, weight: at_once }));
        nodes
    }

    /// The process without a beat that does the same, where so many purchases are to come that a beat is nothing; with how many purchases the beat is ahead.
    fn merged(&self) -> Option<(FutureOverTime, f64)> {
        let (now, ahead) = self.now.merged(self.clock())?;
        Some((FutureOverTime { now, stretches: self.stretches.clone() }, ahead))
    }

    /// The same of a count that is beyond any table.
    fn beyond(&self, clicks: f64) -> Option<FutureOverTime> {
        let now = self.now.without_beat();
        (clicks > MANY).then(|| FutureOverTime { now, stretches: self.stretches.clone() })
    }

    fn length(&self) -> f64 {
        self.stretches.iter().map(|s| s.length).sum()
    }

    pub(super) fn survival(&self) -> f64 {
        if self.is_plain() {
            return self.now.survival(self.clock());
        }
        if let Some((same, _)) = self.merged() {
            return same.survival(self.length());
        }
        let (runs, mut there, mut begun) = (self.runs(), 0.0, 0.0);
        self.each(|lambda, node, state| {
            begun += state.there.iter().sum::<f64>();
            for Stretch { length, leaves, .. } in &runs {
                state.pass(lambda * length, leaves * node.ln_stay);
            }
            there += state.there.iter().sum::<f64>();
        });
        (there + (1.0 - begun)).clamp(0.0, 1.0)
    }

    /// Expected purchases, discounted at a continuous rate.
    pub(super) fn expected(&self, delta: f64) -> f64 {
        if self.is_plain() && delta == 0.0 {
            return self.now.expected(0.0, self.clock());
        }
        if let Some((same, ahead)) = self.merged() {
            let t = self.length();
            // Of those who are still there and buy at all.
            let buying = (same.survival(t) - same.probability_of(t, 0)).max(0.0);
            return (same.expected(t, delta) + ahead * buying).max(0.0);
        }
        if delta == 0.0 {
            let (runs, mut total) = (self.runs(), 0.0);
            self.each(|lambda, node, state| {
                let pass = |Stretch { length, leaves, .. }: &Stretch| {
                    state.pass(lambda * length, leaves * node.ln_stay)
                };
                total += runs.iter().map(pass).sum::<f64>();
            });
            return total;
        }
        let parts = self.parts(delta);
        if self.is_plain() {
            let (mut clock, mut come) = (0.0, 0.0);
            let mut by = |step: f64| {
                clock += step;
                let before = std::mem::replace(&mut come, self.now.expected(0.0, clock));
                come - before
            };
            return parts.iter().map(|part| part.discounted(by(part.half), by(part.half))).sum();
        }
        let mut total = 0.0;
        self.each(|lambda, node, state| {
            for part in &parts {
                let mut half = || state.pass(lambda * part.half, part.leaves * node.ln_stay);
                total += part.discounted(half(), half());
            }
        });
        total
    }

    /// Parts of the stretches over which a parabola tells what comes.
    fn parts(&self, delta: f64) -> Vec<Part> {
        let clicks = self.phases.iter().map(|phase| phase.weight * phase.shape).sum::<f64>() / self.rate;
        let mut time = 0.0;
        let mut found = Vec::new();
        for Stretch { length, buys, leaves } in &self.stretches {
            // As short beside the discount, a click, and the time on which rates are told from each other.
            let clock = length * buys;
            let finest = (20.0 * delta * length).max(clicks * clock).max(8.0 * clock / self.rate);
            let count = finest.ceil().clamp(1.0, 2_000.0);
            let width = length / count;
            for _ in 0..count as usize {
                found.push(Part { half: 0.5 * width * buys, leaves: *leaves, time, width, delta });
                time += width;
            }
        }
        found
    }

    /// Probability of exactly `count` purchases.
    ///
    /// # Formula
    ///
    /// With `G_s(c)` the chance to be there after `s` stretches and `c` clicks, given these, and `NB(c)` that of so many clicks:
    ///
    /// ```text
    /// Σ_{c of n purchases} NB(c) G(c) + Σ_s Σ_c NB_{s−1}(c) G_{s−1}(c) P(the click of the n-th within s | c) ρ_s^{n−1−purchases(c)} (1 − ρ_s)
    /// ```
    pub(super) fn probability_of(&self, count: u32) -> f64 {
        let clock = self.clock();
        if self.is_plain() || clock == 0.0 {
            return self.now.probability_of(clock, count);
        }
        // So many clicks hardly come at all, of the shape that brings the most.
        let (most, last) = (self.phases.iter().map(|p| p.shape).fold(0.0, f64::max), self.k as f64 - 1.0);
        let least = f64::from(count) * self.k as f64 - last;
        if least > 0.0 && beta_inc(least, most, clock / (self.rate + clock)) < 1e-17 {
            return 0.0;
        }
        if let Some(same) = self.beyond(least) {
            return same.probability_of(self.length(), count);
        }
        let (nodes, k, n) = (self.chances(), self.k, count as usize);
        // Of so many clicks in all, by the end of each stretch, how likely so many came before it.
        let mut passed = 0.0;
        let mut shares = Vec::with_capacity(self.stretches.len());
        for stretch in self.runs().iter().filter(|run| run.length > 0.0) {
            let step = stretch.length;
            let end = passed + step;
            shares.push((stretch.leaves, (passed, end), binomials((n + 1) * k, step / end)));
            passed = end;
        }
        let mut total = 0.0;
        for phase in self.phases.iter().filter(|phase| phase.weight > 1e-17) {
            let begun = phase.clicks as usize;
            // Clicks of the n-th purchase and up to the one after it.
            let (nth, most) = ((n * k).saturating_sub(begun), (n + 1) * k - begun);
            let bought = |clicks: usize| (clicks + begun) / k;
            let so_far = |clock: f64, c: usize| counted(phase.shape, self.rate, clock, c as f64);
            // The click of the n-th purchase within each stretch, from so many before it.
            let nths: Vec<Vec<f64>> = shares
                .iter()
                .map(|(_, (passed, end), _)| {
                    let reach = (end - passed) / (self.rate + end);
                    let click = |c: usize| {
                        so_far(*passed, c) * beta_inc((nth - c) as f64, phase.shape + c as f64, reach)
                    };
                    (0..if n > 0 { nth } else { 0 }).map(click).collect()
                })
                .collect();
            let ends: Vec<f64> = (nth..most).map(|c| so_far(clock, c)).collect();
            let (mut there, mut next) = (vec![0.0; most], vec![0.0; most]);
            for node in &nodes {
                there.fill(0.0);
                there[0] = 1.0;
                let mut chance = 0.0;
                for ((leaves, _, binomials), nths) in shares.iter().zip(&nths) {
                    let ln_stay = leaves * node.ln_stay;
                    let stays: Vec<f64> = (0..=n + 1).map(|m| (m as f64 * ln_stay).exp()).collect();
                    let of_nth =
                        |(c, (there, click)): (usize, (&f64, &f64))| there * click * stays[n - 1 - bought(c)];
                    let gone: f64 = there.iter().zip(nths).enumerate().map(of_nth).sum();
                    chance += gone * -ln_stay.exp_m1();
                    for (c, next) in next.iter_mut().enumerate() {
                        let before = &binomials[c * (c + 1) / 2..][..=c];
                        let one = |(from, (there, b)): (usize, (&f64, &f64))| {
                            there * b * stays[bought(c) - bought(from)]
                        };
                        *next = there.iter().zip(before).enumerate().map(one).sum();
                    }
                    std::mem::swap(&mut there, &mut next);
                }
                chance += there[nth..].iter().zip(&ends).map(|(there, end)| there * end).sum::<f64>();
                total += phase.weight * node.weight * chance;
            }
        }
        total
    }
}

/// A part of a stretch, over which what comes is a parabola of time.
struct Part {
    /// Half of it on the clock of purchases.
    half: f64,
    leaves: f64,
    /// When it begins, and how long it is.
    time: f64,
    width: f64,
    delta: f64,
}

impl Part {
    /// `∫ e^{−δt} dE(t)` of as much in the first half and in the second.
    fn discounted(&self, first: f64, second: f64) -> f64 {
        // E' = a + b (u − 1/2) with u from 0 to 1, and the integrals of e^{−yu} and (u − 1/2) e^{−yu}.
        let (a, b) = (first + second, 4.0 * (second - first));
        let y = self.delta * self.width;
        let even = one_minus_exp_over(y);
        let odd = if y < 1e-3 { -y / 12.0 + y * y / 24.0 } else { (even - (-y).exp()) / y - 0.5 * even };
        (-self.delta * self.time).exp() * (a * even + b * odd)
    }
}

/// Row by row for `c` clicks below `most` how likely so many of them came before, each of them now with this probability.
fn binomials(most: usize, now: f64) -> Vec<f64> {
    let ln_factorial: Vec<f64> = (0..most).map(|c| ln_gamma(c as f64 + 1.0)).collect();
    let (ln_now, ln_before) = (now.ln(), (-now).ln_1p());
    let power = |m: usize, ln: f64| if m == 0 { 0.0 } else { m as f64 * ln };
    let mut rows = Vec::with_capacity(most * (most + 1) / 2);
    for c in 0..most {
        rows.extend((0..=c).map(|from| {
            let chosen = ln_factorial[c] - ln_factorial[c - from] - ln_factorial[from];
            (chosen + power(c - from, ln_now) + power(from, ln_before)).exp()
        }));
    }
    rows
}
