//! Drawing what a customer who is alive will do.

use rand_chacha::ChaCha8Rng;

use super::Future;
use crate::simulate::{beta, exponential, gamma, poisson_times, uniform};

impl Future {
    /// Draws a customer who is alive now, and appends the times of their purchases within `length`.
    pub fn purchase_times(&self, length: f64, rng: &mut ChaCha8Rng, times: &mut Vec<f64>) {
        match *self {
            Self::Stays { k, rate } => poisson_times(gamma(k, rate, rng), length, rng, times),
            Self::LeavesAnytime { k, rate, s, life } => {
                let lambda = gamma(k, rate, rng);
                let leaves = exponential(gamma(s, life, rng), rng);
                poisson_times(lambda, length.min(leaves), rng, times);
            }
            Self::LeavesAgeing { k, rate, s, life, b } => {
                let lambda = gamma(k, rate, rng);
                // S(t | η) = exp(−η (e^{bt} − 1)), the hazard being η b e^{bt}.
                let leaves = exponential(gamma(s, life, rng), rng).ln_1p() / b;
                poisson_times(lambda, length.min(leaves), rng, times);
            }
            Self::LeavesAfterPurchase { k, rate, a, b } => {
                let (lambda, p) = (gamma(k, rate, rng), beta(a, b, rng));
                at_each(lambda, p, (1, 1), length, rng, times);
            }
            Self::LeavesAfterRegular { rate, a, b, k, .. } => {
                let (shape, clicks) = self.draw_phase(uniform(rng));
                let (lambda, p) = (gamma(shape, rate, rng), beta(a, b, rng));
                at_each(lambda, p, (k - clicks, k), length, rng, times);
            }
            Self::BuysOnceAPeriod(_) | Self::Pays { .. } => self.periods().purchase_times(length, rng, times),
        }
    }
}

impl Future {
    /// Of a regular customer the shape of the rate and the clicks since the last purchase, by a number drawn from 0 to 1.
    pub(crate) fn draw_phase(&self, share: f64) -> (f64, u32) {
        self.regular().draw_phase(share)
    }
}

/// Purchases after so many clicks, first and then, each of them the last with a chance of `p`.
fn at_each(
    lambda: f64,
    p: f64,
    (first, then): (u32, u32),
    length: f64,
    rng: &mut ChaCha8Rng,
    times: &mut Vec<f64>,
) {
    let (mut time, mut clicks) = (0.0, first);
    loop {
        time += (0..clicks).map(|_| exponential(lambda, rng)).sum::<f64>();
        if time > length {
            return;
        }
        times.push(time);
        if uniform(rng) < p {
            return;
        }
        clicks = then;
    }
}
