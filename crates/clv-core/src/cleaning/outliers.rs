//! Amounts far from the others.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::units::Money;

/// What counts as far.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OutlierRule {
    /// Tukey's fences: below `Q1 − k·IQR` or above `Q3 + k·IQR`; `k` is 1.5 by custom, 3 for "far out".
    Iqr(f64),
    /// More than `k` standard deviations from the mean. One huge amount widens both.
    ZScore(f64),
    /// More than `k` robust standard deviations (1.4826 × the median absolute deviation) from the
    /// median.
    RobustZ(f64),
}

/// What to do with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OutlierAction {
    /// Move the amount to the fence.
    Cap,
    /// Leave the row out, and count it.
    Drop,
    /// Leave everything as it is, and count it.
    Flag,
}

/// A rule and what follows from it. It looks at rows with a positive amount.
///
/// Amounts are skewed, so each rule is better taken `on_logs`: the fences then stand at equal
/// ratios, and the lower one is never below zero.
///
/// ```
/// use clv_core::cleaning::{OutlierAction, OutlierRule, Outliers};
/// let rule = Outliers::new(OutlierRule::Iqr(3.0), OutlierAction::Cap)?.on_logs();
/// # let _ = rule;
/// # Ok::<(), clv_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outliers {
    rule: OutlierRule,
    action: OutlierAction,
    on_logs: bool,
}

/// Where ordinary amounts lie, ends included.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fences {
    /// The least.
    pub low: f64,
    /// The greatest.
    pub high: f64,
}

impl Outliers {
    /// A rule and an action.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] unless the rule's `k` is positive and finite.
    pub fn new(rule: OutlierRule, action: OutlierAction) -> Result<Self> {
        let (OutlierRule::Iqr(k) | OutlierRule::ZScore(k) | OutlierRule::RobustZ(k)) = rule;
        if !(k > 0.0 && k.is_finite()) {
            return Err(Error::Setting { name: "k of the outlier rule", given: k, allowed: "above 0" });
        }
        Ok(Self { rule, action, on_logs: false })
    }

    /// The rule looks at the logarithms of the amounts.
    pub fn on_logs(self) -> Self {
        Self { on_logs: true, ..self }
    }

    /// What is done with outliers.
    pub fn action(&self) -> OutlierAction {
        self.action
    }

    /// The fences of some amounts; `None` where no amount is positive.
    pub fn fences(&self, amounts: &[Money]) -> Option<Fences> {
        let scale = |amount: f64| if self.on_logs { amount.ln() } else { amount };
        let mut values: Vec<f64> =
            amounts.iter().filter(|a| **a > Money::ZERO).map(|a| scale(a.to_f64())).collect();
        if values.is_empty() {
            return None;
        }
        values.sort_unstable_by(f64::total_cmp);
        let n = values.len() as f64;
        let (low, high) = match self.rule {
            OutlierRule::Iqr(k) => {
                let (q1, q3) = (quantile(&values, 0.25), quantile(&values, 0.75));
                (q1 - k * (q3 - q1), q3 + k * (q3 - q1))
            }
            OutlierRule::ZScore(k) => {
                let mean = values.iter().sum::<f64>() / n;
                let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0).max(1.0);
                (mean - k * variance.sqrt(), mean + k * variance.sqrt())
            }
            OutlierRule::RobustZ(k) => {
                let median = quantile(&values, 0.5);
                let mut away: Vec<f64> = values.iter().map(|v| (v - median).abs()).collect();
                away.sort_unstable_by(f64::total_cmp);
                let sigma = 1.4826 * quantile(&away, 0.5);
                (median - k * sigma, median + k * sigma)
            }
        };
        let back = |value: f64| if self.on_logs { value.exp() } else { value };
        Some(Fences { low: back(low).max(0.0), high: back(high) })
    }
}

/// A quantile of sorted values, straight lines between the order statistics (type 7 of Hyndman and
/// Fan, the default of R and NumPy).
pub(crate) fn quantile(sorted: &[f64], q: f64) -> f64 {
    let at = q * (sorted.len() - 1) as f64;
    let below = at.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    (sorted[above] - sorted[below]).mul_add(at - below as f64, sorted[below])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fences(rule: OutlierRule, on_logs: bool, amounts: &[f64]) -> Fences {
        let amounts: Vec<Money> = amounts.iter().map(|a| Money::new(*a).unwrap()).collect();
        let outliers = Outliers::new(rule, OutlierAction::Flag).unwrap();
        if on_logs { outliers.on_logs() } else { outliers }.fences(&amounts).unwrap()
    }

    #[test]
    fn fences_by_hand() {
        let amounts = [1.0, 2.0, 3.0, 4.0, 5.0, 0.0, -7.0];
        // Quartiles of 1..5 are 2 and 4; mean 3, standard deviation √2.5; median 3, MAD 1.
        let close = |found: Fences, low: f64, high: f64| {
            assert!(
                (found.low - low).abs() < 1e-12 * high && (found.high - high).abs() < 1e-12 * high,
                "{found:?}"
            );
        };
        close(fences(OutlierRule::Iqr(1.0), false, &amounts), 0.0, 6.0);
        close(fences(OutlierRule::ZScore(1.0), false, &amounts), 3.0 - 2.5_f64.sqrt(), 3.0 + 2.5_f64.sqrt());
        close(fences(OutlierRule::RobustZ(1.0), false, &amounts), 3.0 - 1.4826, 3.0 + 1.4826);
        // On logs the fences are ratios: quartiles 10 and 1000 of 1, 10, 100, 1000, 10000.
        close(fences(OutlierRule::Iqr(0.5), true, &[1.0, 10.0, 100.0, 1e3, 1e4]), 1.0, 1e4);
    }

    #[test]
    fn no_positive_amount_has_no_fences_and_a_bad_k_is_refused() {
        let rule = |k| Outliers::new(OutlierRule::Iqr(k), OutlierAction::Cap);
        assert_eq!(rule(1.5).unwrap().fences(&[Money::ZERO]), None);
        for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(rule(bad).is_err(), "{bad}");
        }
    }
}
