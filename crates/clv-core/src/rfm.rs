//! Recency, frequency and spend as quantile scores.

use serde::{Deserialize, Serialize};

use crate::model::Customers;

/// Quantile borders of silence (age − recency), frequency and mean spend, learned from one set of
/// customers and applied to any.
///
/// A score runs from 1 (worst) to `bins` (best): recent, frequent and generous customers score high.
/// Tied values share a score, so a bin may be empty.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RfmScores {
    silence: Vec<f64>,
    frequency: Vec<f64>,
    spend: Option<Vec<f64>>,
}

impl RfmScores {
    /// Learns the borders of `bins` equal shares.
    pub fn learn(who: &Customers<'_>, bins: usize) -> Self {
        let n = who.len();
        let column = |f: &dyn Fn(usize) -> f64| borders((0..n).map(f).collect(), bins);
        Self {
            silence: column(&|i| who.age()[i] - who.recency()[i]),
            frequency: column(&|i| f64::from(who.frequency()[i])),
            spend: who.spend().map(|spend| column(&|i| spend[i])),
        }
    }

    /// The scores of a customer: recency, frequency, and spend (1 without amounts).
    pub fn score(&self, who: &Customers<'_>, row: usize) -> [usize; 3] {
        let above = |borders: &[f64], v: f64| borders.partition_point(|&b| b < v);
        let silence = who.age()[row] - who.recency()[row];
        let spend =
            self.spend.as_ref().zip(who.spend()).map_or(0, |(borders, spend)| above(borders, spend[row]));
        let frequency = above(&self.frequency, f64::from(who.frequency()[row]));
        [1 + self.silence.len() - above(&self.silence, silence), 1 + frequency, 1 + spend]
    }
}

/// The upper borders of all bins but the last.
fn borders(mut values: Vec<f64>, bins: usize) -> Vec<f64> {
    values.sort_unstable_by(f64::total_cmp);
    (1..bins)
        .filter_map(|k| values.get((values.len() * k).div_ceil(bins).saturating_sub(1)).copied())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::TimeUnit;

    #[test]
    fn the_recent_frequent_and_generous_score_highest() {
        let x: Vec<u32> = (0..10).collect();
        let t_x: Vec<f64> = (0..10).map(f64::from).collect();
        let (age, spend) = (vec![10.0; 10], t_x.clone());
        let who = Customers::new(TimeUnit::Week, &x, &t_x, &age, Some(&spend)).unwrap();
        let scores = RfmScores::learn(&who, 5);
        assert_eq!(scores.score(&who, 9), [5, 5, 5]);
        assert_eq!(scores.score(&who, 0), [1, 1, 1]);
        assert_eq!(scores.score(&who, 4)[1], 3);
    }
}
