//! Zero-inflated lognormal amounts.

use crate::special::{normal_cdf, normal_quantile};

/// Nothing, with probability `1 − p`, or else an amount whose logarithm is normal (Wang, Liu and Miao,
/// arXiv:1912.07753).
///
/// ```
/// let spend = clv_math::ZeroInflatedLognormal { p: 0.7, mu: 4.0, sigma: 0.9 };
/// assert_eq!(spend.quantile(0.3), 0.0);
/// assert!((spend.quantile(0.65) - 4.0_f64.exp()).abs() < 1e-9);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ZeroInflatedLognormal {
    /// Probability of more than 0.
    pub p: f64,
    /// Mean of the logarithm of the amount.
    pub mu: f64,
    /// Its standard deviation.
    pub sigma: f64,
}

impl ZeroInflatedLognormal {
    /// `p exp(μ + σ²/2)` (equation 5).
    pub fn mean(&self) -> f64 {
        self.p * (self.mu + self.sigma * self.sigma / 2.0).exp()
    }

    /// The amount that is not exceeded with this probability; 0 up to `1 − p`.
    pub fn quantile(&self, level: f64) -> f64 {
        let within = (level - (1.0 - self.p)) / self.p;
        if within.is_nan() || within <= 0.0 {
            0.0
        } else if self.sigma == 0.0 {
            self.mu.exp()
        } else {
            (self.mu + self.sigma * normal_quantile(within)).exp()
        }
    }

    /// Probability of at most this amount.
    pub fn cdf(&self, amount: f64) -> f64 {
        if amount < 0.0 { 0.0 } else { 1.0 - self.exceeds(amount) }
    }

    /// Probability of more than this amount.
    pub fn exceeds(&self, amount: f64) -> f64 {
        if amount <= 0.0 {
            self.p
        } else if self.sigma == 0.0 {
            // All of it at one amount.
            if amount.ln() < self.mu { self.p } else { 0.0 }
        } else {
            self.p * normal_cdf((self.mu - amount.ln()) / self.sigma)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_where_the_rest_exceeds_it() {
        let spend = ZeroInflatedLognormal { p: 0.7, mu: 4.0, sigma: 0.9 };
        for level in [0.31, 0.5, 0.9, 0.999] {
            let amount = spend.quantile(level);
            assert!((spend.exceeds(amount) - (1.0 - level)).abs() < 1e-12, "{level}");
            assert!((spend.cdf(amount) - level).abs() < 1e-12, "{level}");
        }
        assert_eq!((spend.quantile(0.29), spend.exceeds(0.0), spend.cdf(-1.0)), (0.0, 0.7, 0.0));
        let one = ZeroInflatedLognormal { p: 0.4, mu: 0.0, sigma: 0.0 };
        assert_eq!((one.cdf(0.0), one.cdf(0.5), one.cdf(1.0)), (0.6, 0.6, 1.0));
        assert_eq!((one.quantile(0.5), one.quantile(0.7), one.quantile(1.0)), (0.0, 1.0, 1.0));
        assert_eq!(ZeroInflatedLognormal { p: 0.0, ..one }.quantile(1.0), 0.0);
        // The mean is that of its quantiles.
        let cells = 200_000;
        let mean = (0..cells).map(|i| spend.quantile((f64::from(i) + 0.5) / f64::from(cells))).sum::<f64>()
            / f64::from(cells);
        assert!((mean / spend.mean() - 1.0).abs() < 1e-3, "{mean} {}", spend.mean());
    }
}
