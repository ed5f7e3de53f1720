//! The GGom/NBD model: customers who buy at random and leave at a rate that grows with the time they have been customers.
//!
//! # Story
//!
//! While active, a customer buys at rate `λ`; they leave at rate `η b e^{bt}` (a Gompertz lifetime). Across customers
//! `λ ~ Gamma(r, α)` and `η ~ Gamma(s, β)`, independently.
//!
//! # When to use it
//!
//! Where leaving is rare at first and common later, or where lifetimes have a mode. As `b → 0` with `β/b` held, it becomes
//! Pareto/NBD with that ratio as its `β`: where the data ask for no more than that, `b` and `β` run along this ridge and
//! only their ratio is told ([`clv_core::Warning`]); take [`crate::ParetoNbd`] then.
//!
//! # Reference
//!
//! Bemmaor & Glady (2012), Management Science 58(5), 1012–1021.

use clv_core::model::Kind;
use clv_core::{Cells, Error};
use clv_math::logspace::ln_sum_exp;
use clv_math::minimise::Derivatives;
use clv_math::quadrature::{RuleSize, rule};
use clv_math::special::{digamma, ln_rising, trigamma};

use crate::future::{Ageing, Future};
use crate::process::{ALPHA, Parameter, Process, R, S, Scale, Sums, check_values, frequency_runs};
use crate::simulate::{exponential, gamma, poisson_times};

/// Population parameters of the GGom/NBD model.
///
/// | Field | Symbol | Unit | Range |
/// | :-- | :-- | :-- | :-- |
/// | `r` | `r` | none | `(0, ∞)` |
/// | `alpha` | `α` | time units | `(0, ∞)` |
/// | `b` | `b` | 1 / time unit | `(0, ∞)` |
/// | `s` | `s` | none | `(0, ∞)` |
/// | `beta` | `β` | none | `(0, ∞)` |
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GgomNbd {
    r: f64,
    alpha: f64,
    b: f64,
    s: f64,
    beta: f64,
}

impl GgomNbd {
    /// A population with the given parameters.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] naming the first that is not finite and positive.
    pub fn new(r: f64, alpha: f64, b: f64, s: f64, beta: f64) -> Result<Self, Error> {
        Self::from_values(&[r, alpha, b, s, beta])
    }
}

const RIDGE: &str = "only beta / b is told, which is Pareto/NBD's beta: take pareto-nbd";

impl Process for GgomNbd {
    const KIND: Kind = Kind::new("ggom-nbd", 1);
    const DROPOUT: &'static [(&'static str, f64)] = &[("beta", -1.0)];
    const PARAMETERS: &'static [Parameter] = &[
        R,
        ALPHA,
        Parameter::new("b", Scale::PerTime, RIDGE),
        S,
        Parameter::new("beta", Scale::None, RIDGE),
    ];

    fn from_values(values: &[f64]) -> Result<Self, Error> {
        let [r, alpha, b, s, beta] = check_values(Self::PARAMETERS, values)?;
        Ok(Self { r, alpha, b, s, beta })
    }

    fn values(&self) -> Vec<f64> {
        vec![self.r, self.alpha, self.b, self.s, self.beta]
    }

    /// # Formula
    ///
    /// ```text
    /// L = Γ(r+x)/Γ(r) α^r [ (α+T)^{−(r+x)} S(T) + ∫_{t_x}^{T} (α+τ)^{−(r+x)} s b e^{bτ} β^s (β+e^{bτ}−1)^{−(s+1)} dτ ]
    /// S(t) = (β / (β + e^{bt} − 1))^s
    /// ```
    ///
    /// Bemmaor & Glady (2012), equation (5).
    fn ln_likelihood(&self, frequency: u32, recency: f64, age: f64) -> f64 {
        let x = f64::from(frequency);
        ln_rising(self.r, x) + self.r * self.alpha.ln() + ln_sum_exp(&self.ln_terms(x, recency, age))
    }

    fn derivatives(&self, cells: &Cells) -> Derivatives {
        let Self { r, alpha, .. } = *self;
        let mut sums = Sums::<5>::ZERO;
        let mut left = Left::default();
        for (x, range, weight) in frequency_runs(cells) {
            let mut run = Sums::<5>::ZERO;
            run.value = ln_rising(r, x) + r * alpha.ln();
            run.gradient[0] = digamma(r + x) - digamma(r) + alpha.ln();
            run.gradient[1] = r / alpha;
            run.hessian[0][0] = trigamma(r + x) - trigamma(r);
            run.hessian[0][1] = 1.0 / alpha;
            run.hessian[1][1] = -r / (alpha * alpha);
            sums.add(weight, &run);
            left.tabulate(self, r + x, &cells.recency[range.clone()], &cells.age[range.clone()]);
            for i in range {
                let age = cells.age[i];
                let mut bracket = Mass::EMPTY;
                let alive = Point { value: self.ln_alive(r + x, age), time: age, left: false };
                bracket.add_point(self, r + x, &alive);
                bracket.add(1.0, left.after(cells.recency[i]));
                bracket.add(-1.0, left.after(age));
                sums.add(cells.weight[i], &bracket.ln());
            }
        }
        sums.into_derivatives()
    }

    /// # Formula
    ///
    /// The first term of the bracket of the likelihood over the bracket.
    fn p_alive(&self, frequency: u32, recency: f64, age: f64) -> f64 {
        let terms = self.ln_terms(f64::from(frequency), recency, age);
        // The first is to be alive at the end.
        (terms[0] - ln_sum_exp(&terms)).exp()
    }

    fn given_alive(&self, frequency: u32, _recency: f64, age: f64) -> Future {
        let Self { r, alpha, b, s, beta } = *self;
        let life = beta * (-b * age).exp() - (-b * age).exp_m1();
        Future::LeavesAgeing {
            k: r + f64::from(frequency),
            rate: alpha + age,
            s,
            life: life.max(f64::MIN_POSITIVE),
            b,
        }
    }

    fn new_customer(&self) -> (f64, Future) {
        (1.0, self.given_alive(0, 0.0, 0.0))
    }

    fn purchase_times(&self, length: f64, rng: &mut rand_chacha::ChaCha8Rng, times: &mut Vec<f64>) {
        let (rate, frailty) = (gamma(self.r, self.alpha, rng), gamma(self.s, self.beta, rng));
        let life = exponential(frailty, rng).ln_1p() / self.b;
        poisson_times(rate, length.min(life), rng, times);
    }

    fn starts(mean_age: f64, repeats_per_age: f64) -> Vec<Vec<f64>> {
        vec![
            // Pareto/NBD, or nearly.
            vec![0.5, 0.5 / repeats_per_age, 1e-3 / mean_age, 0.5, 5e-4],
            vec![2.0, 1.5 / repeats_per_age, 0.5 / mean_age, 1.0, 1.0],
            vec![0.5, 0.5 / repeats_per_age, 3.0 / mean_age, 0.5, 5.0],
            vec![0.5, 0.5 / repeats_per_age, 0.1 / mean_age, 2.0, 0.3],
        ]
    }
}

/// A term of the bracket: its logarithm, when, and whether the customer left then or lives.
#[derive(Clone, Copy, Debug)]
struct Point {
    value: f64,
    time: f64,
    left: bool,
}

impl GgomNbd {
    fn lifetime(&self) -> Ageing {
        Ageing { s: self.s, life: self.beta, b: self.b }
    }

    fn ln_terms(&self, x: f64, recency: f64, age: f64) -> Vec<f64> {
        let mut values = Vec::new();
        self.points(x, recency, age, |point| values.push(point.value));
        values
    }

    /// `ln (α + t)^{−k} S(t)`: to be alive at `t`, without a purchase since the last.
    fn ln_alive(&self, k: f64, time: f64) -> f64 {
        -k * (self.alpha + time).ln() + self.lifetime().ln_survival(time)
    }

    /// The terms of the bracket: alive at the end, and nodes of the integral over when the customer left.
    fn points(&self, x: f64, recency: f64, age: f64, mut visit: impl FnMut(Point)) {
        let k = self.r + x;
        let alive = self.ln_alive(k, age);
        visit(Point { value: alive, time: age, left: false });
        self.nodes(k, (recency, age), alive, visit);
    }

    /// Nodes of the integral over when the customer left, where something of it is `most` already.
    fn nodes(&self, k: f64, (mut from, to): (f64, f64), mut most: f64, mut visit: impl FnMut(Point)) {
        let Self { alpha, b, s, beta, .. } = *self;
        let lifetime = self.lifetime();
        let constant = s.ln() + b.ln() - beta.ln();
        while from < to {
            // All that may still come is at most as much as not to have left by now, without a purchase since.
            if self.ln_alive(k, from) < most - 44.0 {
                return;
            }
            // One panel takes in a fall by e^{−6}, and most of the way to the nearest pole, which may be −α.
            let reach = lifetime.reach(from).min(0.7 * (alpha + from));
            let fall = 6.0 / (k / (alpha + from) + lifetime.bend(from));
            let most_wide = reach.min(fall);
            let width = most_wide.min(to - from);
            let rule = rule(if width < 0.2 * most_wide { RuleSize::N8 } else { RuleSize::N16 });
            for (node, weight) in rule.nodes.iter().zip(&rule.weights) {
                let time = from + node * width;
                let density = constant + b * time - (s + 1.0) * lifetime.worn(time);
                let value = (weight * width).ln() - k * (alpha + time).ln() + density;
                most = most.max(value);
                visit(Point { value, time, left: true });
            }
            // A gap too small to move on is none.
            if from + width <= from {
                return;
            }
            from += width;
        }
    }
}

/// What has left after a time and before the last one of a run of cells, at each time that the cells name: the
/// integral of one cell is the difference of two of these, so that each stretch of time is integrated once for all cells
/// of a frequency.
///
/// Nothing is lost by the difference: what leaves after `t_x` at any time is less than the bracket, as who has not left by
/// `T` is at least who leaves later.
#[derive(Debug, Default)]
struct Left {
    times: Vec<f64>,
    after: Vec<Mass>,
}

impl Left {
    fn tabulate(&mut self, model: &GgomNbd, k: f64, recency: &[f64], age: &[f64]) {
        self.times.clear();
        self.times.extend(recency.iter().chain(age));
        self.times.sort_unstable_by(f64::total_cmp);
        self.times.dedup();
        self.after.clear();
        self.after.resize(self.times.len(), Mass::EMPTY);
        for i in (1..self.times.len()).rev() {
            let mut mass = self.after[i];
            let stretch = (self.times[i - 1], self.times[i]);
            model.nodes(k, stretch, f64::NEG_INFINITY, |point| mass.add_point(model, k, &point));
            self.after[i - 1] = mass;
        }
    }

    fn after(&self, time: f64) -> &Mass {
        &self.after[self.times.partition_point(|known| *known < time)]
    }
}

/// `Σ e^{value}` and the sums of its first and second derivatives in `r, α, b, s, β`, all times `e^{−top}`.
#[derive(Clone, Copy, Debug)]
struct Mass {
    top: f64,
    total: f64,
    slope: [f64; 5],
    curve: [[f64; 5]; 5],
}

impl Mass {
    const EMPTY: Self = Self { top: f64::NEG_INFINITY, total: 0.0, slope: [0.0; 5], curve: [[0.0; 5]; 5] };

    fn scale(&mut self, by: f64) {
        self.total *= by;
        self.slope.iter_mut().for_each(|v| *v *= by);
        self.curve.iter_mut().flatten().for_each(|v| *v *= by);
    }

    /// Adds a multiple of another.
    fn add(&mut self, times: f64, other: &Self) {
        if other.top == f64::NEG_INFINITY {
            return;
        }
        if other.top > self.top {
            self.scale((self.top - other.top).exp());
            self.top = other.top;
        }
        let by = times * (other.top - self.top).exp();
        self.total += by * other.total;
        for i in 0..5 {
            self.slope[i] += by * other.slope[i];
            for j in i..5 {
                self.curve[i][j] += by * other.curve[i][j];
            }
        }
    }

    fn add_point(&mut self, model: &GgomNbd, k: f64, point: &Point) {
        let GgomNbd { alpha, b, s, beta, .. } = *model;
        let Point { value, time, left } = *point;
        if value == f64::NEG_INFINITY {
            return;
        }
        // With room to spare, so that few points change the scale.
        if value > self.top + 300.0 || self.top == f64::NEG_INFINITY {
            self.scale(if self.top == f64::NEG_INFINITY { 0.0 } else { (self.top - value).exp() });
            self.top = value;
        }
        let weight = (value - self.top).exp();
        if weight == 0.0 {
            return;
        }
        let end = 1.0 / (alpha + time);
        let lifetime = model.lifetime();
        // ln((β + e^{bτ} − 1) / β).
        let (share, worn) = (lifetime.share(time), lifetime.worn(time));
        let over = (-worn).exp() / beta;
        let gone = if left { 1.0 } else { 0.0 };
        let factors = s + gone;
        let g = [
            -(alpha + time).ln(),
            -k * end,
            gone * (1.0 / b + time) - factors * time * share,
            gone / s - worn,
            s / beta - factors * over,
        ];
        let mut h = [[0.0; 5]; 5];
        h[0][1] = -end;
        h[1][1] = k * end * end;
        h[2][2] = -gone / (b * b) - factors * time * time * share * (1.0 - share);
        h[2][3] = -time * share;
        h[2][4] = factors * time * share * over;
        h[3][3] = -gone / (s * s);
        h[3][4] = 1.0 / beta - over;
        h[4][4] = factors * over * over - s / (beta * beta);
        self.total += weight;
        for i in 0..5 {
            self.slope[i] += weight * g[i];
            for j in i..5 {
                self.curve[i][j] += weight * (g[i] * g[j] + h[i][j]);
            }
        }
    }

    /// The logarithm, with its derivatives.
    fn ln(&self) -> Sums<5> {
        let mut sums = Sums::ZERO;
        sums.value = self.top + self.total.ln();
        sums.gradient = self.slope.map(|slope| slope / self.total);
        for i in 0..5 {
            for j in i..5 {
                sums.hessian[i][j] = self.curve[i][j] / self.total - sums.gradient[i] * sums.gradient[j];
            }
        }
        sums
    }
}
