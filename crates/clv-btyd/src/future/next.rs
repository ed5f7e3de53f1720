//! When the next purchase comes.

use clv_math::quadrature::{RuleSize, rule};

use super::Future;

impl Future {
    /// The time by which a purchase has come with probability `probability`, or `None` if none is
    /// ever that likely.
    pub(crate) fn time_of_first(&self, probability: f64) -> Option<f64> {
        if let Self::BuysOnceAPeriod(_) | Self::Pays { .. } = self {
            return self.periods().time_of_first(probability);
        }
        let come = |t: f64| 1.0 - self.probability_of(t, 0);
        let (mut low, mut high) = (0.0, self.time_scale());
        let limit = 1e12 * high;
        while come(high) < probability {
            low = high;
            high *= 4.0;
            if high > limit {
                return None;
            }
        }
        for _ in 0..200 {
            let middle = 0.5 * (low + high);
            if come(middle) < probability {
                low = middle;
            } else {
                high = middle;
            }
            if high - low <= 4.0 * f64::EPSILON * high {
                break;
            }
        }
        Some(0.5 * (low + high))
    }

    /// Mean time to the next purchase given that one comes within `horizon`:
    /// `∫₀ᴴ (F(H) − F(t)) dt / F(H)` with `F` the chance of a purchase by `t`.
    pub(crate) fn mean_time_within(&self, horizon: f64) -> f64 {
        if let Self::BuysOnceAPeriod(_) | Self::Pays { .. } = self {
            return self.periods().mean_time_within(horizon);
        }
        let none_at_end = self.probability_of(horizon, 0);
        let come = 1.0 - none_at_end;
        if come <= 1e-12 {
            // The rate hardly changes within so short a horizon: uniform.
            return 0.5 * horizon;
        }
        let per_unit = 1.0 / self.time_scale();
        let length = (per_unit * horizon).ln_1p();
        let panels = (length / 1.5).ceil().max(1.0);
        let width = length / panels;
        let rule = rule(RuleSize::N16);
        let (mut sum, mut panel) = (0.0, 0.0);
        while panel < panels {
            for (node, weight) in rule.nodes.iter().zip(&rule.weights) {
                let t = ((panel + node) * width).exp_m1() / per_unit;
                sum += weight * width * (1.0 / per_unit + t) * (self.probability_of(t, 0) - none_at_end);
            }
            panel += 1.0;
        }
        (sum / come).clamp(0.0, horizon)
    }

    /// Of the order of one mean gap between purchases.
    fn time_scale(&self) -> f64 {
        match *self {
            Self::Stays { k, rate }
            | Self::LeavesAfterPurchase { k, rate, .. }
            | Self::LeavesAnytime { k, rate, .. }
            | Self::LeavesAgeing { k, rate, .. } => rate / (1.0 + k),
            Self::LeavesAfterRegular { shape, rate, k, .. } => f64::from(k) * rate / (1.0 + shape),
            Self::BuysOnceAPeriod(_) | Self::Pays { .. } => unreachable!("answered period by period"),
        }
    }
}
