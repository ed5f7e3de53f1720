//! One customer, given their own parameters.

use clv_core::value::discounted_total;
use clv_core::{Ask, TimeUnit};
use clv_math::logspace::one_minus_exp_over;
use clv_math::special::{gamma_q, ln_gamma};
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

    fn ln_likelihood(own: &Logs, seen: &Seen) -> f64;

    fn p_alive(own: &Logs, seen: &Seen) -> f64;

    /// Expected purchases and their discounted sum, of a customer who is alive.
    fn expected(own: &Logs, seen: &Seen, ask: &Ask, unit: TimeUnit, rng: &mut ChaCha8Rng) -> (f64, f64);

    /// Appends the times of the purchases to come of a customer who is alive after a silence.
    fn purchase_times(own: &Logs, silence: f64, length: f64, rng: &mut ChaCha8Rng, times: &mut Vec<f64>);
}

/// Purchases at random.
#[derive(Clone, Copy, Debug)]
pub struct AtRandom;

impl Own for AtRandom {
    const NAMES: &'static [&'static str] = &["lambda", "mu"];
    const OF_GAMMAS: &'static [&'static str] = &["r", "alpha", "s", "beta"];

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
        let (lambda, mu) = (own[0].exp(), own[1].exp());
        let horizon = ask.horizon().in_units(unit);
        let of = |rate: f64, t: f64| lambda * t * one_minus_exp_over(rate * t);
        let continuous = |delta: f64| of(mu + delta, horizon);
        let discounted = discounted_total(ask.discounting(), ask.horizon(), unit, |t| of(mu, t), continuous);
        (of(mu, horizon), discounted)
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
