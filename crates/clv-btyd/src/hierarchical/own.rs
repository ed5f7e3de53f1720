//! One customer, given their own parameters.

use clv_core::value::discounted_total;
use clv_core::{Ask, TimeUnit};
use clv_math::logspace::one_minus_exp_over;
use clv_math::quadrature::{RuleSize, rule};
use clv_math::special::{gamma_p, gamma_q, ln_gamma};
use rand_chacha::ChaCha8Rng;

use crate::simulate::{exponential, gamma, uniform};

/// As many parameters as a customer may have.
pub(super) const MOST: usize = 3;

/// Logarithms of a customer's parameters; what a model does not have is 0.
pub(super) type Logs = [f64; MOST];

/// What a customer was seen to do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Seen {
    pub x: f64,
    pub t_x: f64,
    pub age: f64,
    /// `Σ ln Δ` over the times between purchases; only regularity asks for it.
    pub ln_gaps: f64,
}

/// How customers buy and leave.
pub trait Own: 'static {
    /// What the parameters are called, `λ` and `μ` first.
    const NAMES: &'static [&'static str];
    /// The parameters of a population of independent gamma distributions, shape and rate for each.
    const OF_GAMMAS: &'static [&'static str];
    /// Whether the times between purchases tell more than `x`, `t_x` and `T`.
    const ASKS_GAPS: bool;

    fn ln_likelihood(own: &Logs, seen: &Seen) -> f64;

    fn p_alive(own: &Logs, seen: &Seen) -> f64;

    /// Expected purchases and their discounted sum, of a customer who is alive.
    fn expected(own: &Logs, seen: &Seen, ask: &Ask, unit: TimeUnit, rng: &mut ChaCha8Rng) -> (f64, f64);

    /// `E[e^{−δ A_n}; A_n ≤ min(t, τ)]`, with `A_n` the time of the `n`-th purchase to come of a customer who is alive after a silence, and
    /// `τ` that at which they leave; `n` is at least 1. Without a discount it is the chance of `n` purchases or more in `(0, t]`.
    fn come(own: &Logs, silence: f64, t: f64, delta: f64, n: f64) -> f64;

    /// Appends the times of the purchases to come of a customer who is alive after a silence.
    fn purchase_times(own: &Logs, silence: f64, length: f64, rng: &mut ChaCha8Rng, times: &mut Vec<f64>);
}

/// Purchases at random.
#[derive(Clone, Copy, Debug)]
pub struct AtRandom;

impl Own for AtRandom {
    const NAMES: &'static [&'static str] = &["lambda", "mu"];
    const OF_GAMMAS: &'static [&'static str] = &["r", "alpha", "s", "beta"];
    const ASKS_GAPS: bool = false;

    fn ln_likelihood(own: &Logs, seen: &Seen) -> f64 {
        let (lambda, mu) = (own[0].exp(), own[1].exp());
        let both = lambda + mu;
        let stays = (mu + lambda * (-both * (seen.age - seen.t_x)).exp()) / both;
        seen.x * own[0] - both * seen.t_x + stays.ln()
    }

    fn p_alive(own: &Logs, seen: &Seen) -> f64 {
        let (lambda, mu) = (own[0].exp(), own[1].exp());
        let silent = (-(lambda + mu) * (seen.age - seen.t_x)).exp();
        silent * (lambda + mu) / (mu + lambda * silent)
    }

    fn expected(own: &Logs, _seen: &Seen, ask: &Ask, unit: TimeUnit, _rng: &mut ChaCha8Rng) -> (f64, f64) {
        let horizon = ask.horizon().in_units(unit);
        let of = |t: f64, delta: f64| sum_come::<Self>(own, 0.0, t, delta);
        let continuous = |delta: f64| of(horizon, delta);
        let discounted = discounted_total(ask.discounting(), ask.horizon(), unit, |t| of(t, 0.0), continuous);
        (of(horizon, 0.0), discounted)
    }

    /// Each purchase comes before leaving and before the discount takes it with `λ/(λ+μ+δ)`, and the `n`-th of such events by `t` with `P(n, (λ+μ+δ)t)`.
    fn come(own: &Logs, _silence: f64, t: f64, delta: f64, n: f64) -> f64 {
        let (lambda, gone) = (own[0].exp(), own[1].exp() + delta);
        (-n * (gone / lambda).ln_1p()).exp() * gamma_p(n, (lambda + gone) * t)
    }

    fn purchase_times(own: &Logs, _silence: f64, length: f64, rng: &mut ChaCha8Rng, times: &mut Vec<f64>) {
        let life = exponential(own[1].exp(), rng);
        crate::simulate::poisson_times(own[0].exp(), length.min(life), rng, times);
    }
}

/// As many purchases as a drawn future may have.
const MOST_VISITS: usize = 1_000_000;

/// Purchases with a regularity `k` of the customer's own.
#[derive(Clone, Copy, Debug)]
pub struct AtABeat;

impl AtABeat {
    /// `k`, `θ = kλ`, `μ`.
    fn natural(own: &Logs) -> (f64, f64, f64) {
        let k = own[2].exp();
        (k, (own[2] + own[0]).exp(), own[1].exp())
    }

    /// The probability of no purchase in the silence, whether the customer left or not.
    fn silent(k: f64, theta: f64, mu: f64, silence: f64) -> f64 {
        // (θ/(θ+μ))^k, as logarithm: 1 − c P = (1 − c) + c Q loses no digits.
        let ln_c = -k * (mu / theta).ln_1p();
        -ln_c.exp_m1() + ln_c.exp() * gamma_q(k, (theta + mu) * silence)
    }
}

impl Own for AtABeat {
    const NAMES: &'static [&'static str] = &["lambda", "mu", "k"];
    const OF_GAMMAS: &'static [&'static str] = &["r", "alpha", "s", "beta", "t", "gamma"];
    const ASKS_GAPS: bool = true;

    fn ln_likelihood(own: &Logs, seen: &Seen) -> f64 {
        let (k, theta, mu) = Self::natural(own);
        let gaps = if seen.x > 0.0 {
            seen.x * (k * (own[2] + own[0]) - ln_gamma(k)) + (k - 1.0) * seen.ln_gaps - theta * seen.t_x
        } else {
            0.0
        };
        gaps - mu * seen.t_x + Self::silent(k, theta, mu, seen.age - seen.t_x).ln()
    }

    fn p_alive(own: &Logs, seen: &Seen) -> f64 {
        let (k, theta, mu) = Self::natural(own);
        let silence = seen.age - seen.t_x;
        let alive = (-mu * silence).exp() * gamma_q(k, theta * silence);
        if alive == 0.0 { 0.0 } else { alive / Self::silent(k, theta, mu, silence) }
    }

    /// One future of purchases, drawn, of which each counts by the probability that the customer is still there then.
    fn expected(own: &Logs, seen: &Seen, ask: &Ask, unit: TimeUnit, rng: &mut ChaCha8Rng) -> (f64, f64) {
        let (k, theta, mu) = Self::natural(own);
        let horizon = ask.horizon().in_units(unit);
        let mut visits: Vec<(f64, f64)> = Vec::new();
        let mut time = rest_of_gamma(k, theta, seen.age - seen.t_x, rng);
        let mut sum = 0.0;
        // Beyond, hardly anybody is still there.
        while time <= horizon && mu * time < 40.0 {
            let there = (-mu * time).exp();
            sum += there;
            visits.push((time, there));
            // Bursts without end are none that a model can tell of.
            if visits.len() == MOST_VISITS {
                break;
            }
            time += gamma(k, theta, rng);
        }
        let by = |t: f64| visits.iter().take_while(|v| v.0 <= t).map(|v| v.1).sum();
        let continuous = |delta: f64| visits.iter().map(|v| v.1 * (-delta * v.0).exp()).sum();
        (sum, discounted_total(ask.discounting(), ask.horizon(), unit, by, continuous))
    }

    /// With `c = (θ/(θ+μ+δ))^k`, which takes leaving and the discount into the rate `θ' = θ+μ+δ`, and `S` the silence,
    ///
    /// ```text
    /// c^n e^{(μ+δ)S} / Q(k, θS) · ∫₀ᵗ θ'^k (S+w)^{k−1} e^{−θ'(S+w)} / Γ(k) · P((n−1)k, θ'(t−w)) dw
    /// ```
    ///
    /// over the time `w` of the first, whose gap is under way; of a customer who just bought it is `c^n P(nk, θ't)`.
    fn come(own: &Logs, silence: f64, t: f64, delta: f64, n: f64) -> f64 {
        let (k, theta, mu) = Self::natural(own);
        let gone = mu + delta;
        let (ln_c, rate) = (-k * (gone / theta).ln_1p(), theta + gone);
        if silence == 0.0 {
            return (n * ln_c).exp() * gamma_p(n * k, rate * t);
        }
        // Nobody is alive who was silent for so long.
        let silent = gamma_q(k, theta * silence);
        if silent == 0.0 || t == 0.0 {
            return 0.0;
        }
        let ln_front = n * ln_c + gone * silence - silent.ln();
        if n == 1.0 {
            let between = gamma_between(k, rate * silence, rate * (silence + t));
            return (ln_front + between.ln()).exp().min(1.0);
        }
        // Where the density of the gap is e^−50 of its most there is nothing, nor ten deviations beyond it or beyond a silence that is longer already. Over the
        // logarithm, as a gap of small k is anywhere near nothing: there k (e^{−u} − 1 + u) has fallen u below k.
        let (reach, fallen) = (10.0 * k.sqrt(), 50.0 / k);
        let below = if fallen < 2.5 { 1.6 * (2.0 * fallen).sqrt() } else { 1.0 + fallen };
        let from = silence.max(k * (-below).exp() / rate);
        let until = (silence + t).min((k.max(rate * silence) + reach + 60.0) / rate);
        if until <= from {
            return 0.0;
        }
        let length = (until / from).ln();
        let ln_gamma_k = ln_gamma(k);
        let sum = double_exponential(|to_start, to_end| {
            // The nearer end tells where, that no digits are lost there.
            let v = if to_start < to_end {
                from * (length * to_start).exp()
            } else {
                until * (-length * to_end).exp()
            };
            let left =
                if until < silence + t { silence + t - v } else { -until * (-length * to_end).exp_m1() };
            let ln_density = k * (rate * v).ln() - rate * v - ln_gamma_k;
            let density = (ln_front + ln_density).exp();
            if density == 0.0 { 0.0 } else { density * gamma_p((n - 1.0) * k, rate * left) }
        });
        (length * sum).min(1.0)
    }

    fn purchase_times(own: &Logs, silence: f64, length: f64, rng: &mut ChaCha8Rng, times: &mut Vec<f64>) {
        let (k, theta, mu) = Self::natural(own);
        let life = exponential(mu, rng).min(length);
        let mut time = rest_of_gamma(k, theta, silence, rng);
        while time <= life && times.len() < MOST_VISITS {
            times.push(time);
            time += gamma(k, theta, rng);
        }
    }
}

/// Expected purchases in `(0, t]` of a customer who is alive after a silence, discounted: the sum over `n` of [`Own::come`].
pub(super) fn sum_come<O: Own>(own: &Logs, silence: f64, t: f64, delta: f64) -> f64 {
    if !O::ASKS_GAPS {
        let (lambda, gone) = (own[0].exp(), own[1].exp() + delta);
        return lambda * t * one_minus_exp_over(gone * t);
    }
    let (mut sum, mut n) = (0.0, 1.0);
    while n <= ONE_BY_ONE {
        let come = O::come(own, silence, t, delta, n);
        sum += come;
        // Each is less likely than the one before, and the more so the more there are.
        if come <= 1e-17 * sum {
            return sum;
        }
        n += 1.0;
    }
    // From one to the next hardly anything changes: the sum over many of them is an integral, but for the slope where it begins (Euler and Maclaurin). As many as
    // come in bursts fall off slowly, and those at a beat by a deviation of √(n/k).
    let k = own[2].exp();
    let slope = O::come(own, silence, t, delta, n) - O::come(own, silence, t, delta, n - 1.0);
    sum += slope / 24.0;
    let rule = rule(RuleSize::N8);
    while n < f64::from(u32::MAX) {
        let many = (0.25 * n).min((n / k).sqrt()).max(1.0).floor();
        let come = |node: &f64| O::come(own, silence, t, delta, n - 0.5 + many * node);
        let part: f64 = rule.nodes.iter().zip(&rule.weights).map(|(node, w)| w * many * come(node)).sum();
        sum += part;
        if part <= 1e-16 * sum {
            break;
        }
        n += many;
    }
    sum
}

/// As many purchases are added up one by one.
const ONE_BY_ONE: f64 = 256.0;

/// `P(k, b) − P(k, a)`, from whichever side loses fewer digits.
fn gamma_between(k: f64, a: f64, b: f64) -> f64 {
    let between = if a < k { gamma_p(k, b) - gamma_p(k, a) } else { gamma_q(k, a) - gamma_q(k, b) };
    between.max(0.0)
}

/// `∫₀¹ f` by the substitution of Takahashi & Mori (1974), which ends of any power do not trouble; `f` is told how far both are.
fn double_exponential(f: impl Fn(f64, f64) -> f64) -> f64 {
    const STEP: f64 = 0.04;
    const NODES: i32 = 100;
    let node = |i: i32| {
        let s = STEP * f64::from(i);
        let (e, slope) = ((std::f64::consts::PI * s.sinh()).exp(), std::f64::consts::PI * s.cosh());
        let (to_start, to_end) = (e / (1.0 + e), 1.0 / (1.0 + e));
        let weight = STEP * slope * to_start * to_end;
        if weight < 1e-300 { 0.0 } else { weight * f(to_start, to_end) }
    };
    (-NODES..=NODES).map(node).sum()
}

/// A gamma variable less what has passed of it, given that it is more.
pub(super) fn rest_of_gamma(k: f64, theta: f64, passed: f64, rng: &mut ChaCha8Rng) -> f64 {
    // In units of 1/θ, density ∝ (s + u)^{k−1} e^{−u}.
    let s = theta * passed;
    if s == 0.0 {
        return gamma(k, theta, rng);
    }
    if k > 1.0 && s < k {
        // Half of the variables or so are more than the passed time.
        loop {
            let whole = gamma(k, 1.0, rng);
            if whole > s {
                return (whole - s) / theta;
            }
        }
    }
    if k <= 1.0 && s < 1.0 {
        // Of v = s + u, below v^{k−1} e^{−s} to 1 and below e^{−v} from there on.
        let fallen = -(k * s.ln()).exp_m1();
        let (near, far) = ((-s).exp() * fallen / k, (-1.0_f64).exp());
        loop {
            let (v, ln_accept) = if uniform(rng) * (near + far) < near {
                let v = ((-(1.0 - uniform(rng)) * fallen).ln_1p() / k).exp().max(s);
                (v, s - v)
            } else {
                let v = 1.0 + exponential(1.0, rng);
                (v, (k - 1.0) * v.ln())
            };
            if uniform(rng).ln() < ln_accept {
                return (v - s) / theta;
            }
        }
    }
    // Below the tangent of (k−1) ln(s+u) at u = 0 for k > 1, below its value there for k ≤ 1.
    let rate = if k > 1.0 { 1.0 - (k - 1.0) / s } else { 1.0 };
    loop {
        let u = exponential(rate, rng);
        let bend = (k - 1.0) * (u / s).ln_1p();
        let ln_accept = if k > 1.0 { bend - (k - 1.0) * u / s } else { bend };
        if uniform(rng).ln() < ln_accept {
            return u / theta;
        }
    }
}
