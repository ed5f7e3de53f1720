//! Recency, frequency and spend as quantile scores.

use std::fmt;

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

/// The customary named segments, by recency and frequency from 1 to 5 each: all 25 pairs have a name.
/// The names and the grid are those in wide use by marketers (such as Putler's and rfm-analysis
/// packages'); they are a way to talk about customers, no forecast.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Segment {
    /// Just bought, and buy most often: recency 5, frequency 4 and 5.
    Champions,
    /// Recency 3 and 4, frequency 4 and 5.
    Loyal,
    /// Recency 4 and 5, frequency 2 and 3.
    PotentialLoyalists,
    /// Just bought for hardly more than the first time: recency 5, frequency 1.
    NewCustomers,
    /// Recency 4, frequency 1.
    Promising,
    /// In the middle of both: 3 and 3.
    NeedAttention,
    /// Recency 3, frequency 1 and 2.
    AboutToSleep,
    /// Bought often, long ago: recency 1 and 2, frequency 3 and 4.
    AtRisk,
    /// Bought most often, long ago: recency 1 and 2, frequency 5.
    CannotLose,
    /// Bought little, long ago: recency 1 and 2, frequency 1 and 2.
    Hibernating,
}

impl Segment {
    /// The segment of scores out of five, recency first, as [`RfmScores::score`] gives them with five
    /// bins. Scores beyond 5 count as 5.
    ///
    /// ```
    /// use clv_core::rfm::Segment;
    ///
    /// assert_eq!(Segment::of([5, 5, 3]), Segment::Champions);
    /// assert_eq!(Segment::of([1, 5, 5]), Segment::CannotLose);
    /// ```
    pub fn of([recency, frequency, _]: [usize; 3]) -> Self {
        match recency {
            0..=2 => match frequency {
                0..=2 => Self::Hibernating,
                3..=4 => Self::AtRisk,
                _ => Self::CannotLose,
            },
            3 => match frequency {
                0..=2 => Self::AboutToSleep,
                3 => Self::NeedAttention,
                _ => Self::Loyal,
            },
            4 => match frequency {
                0..=1 => Self::Promising,
                2..=3 => Self::PotentialLoyalists,
                _ => Self::Loyal,
            },
            _ => match frequency {
                0..=1 => Self::NewCustomers,
                2..=3 => Self::PotentialLoyalists,
                _ => Self::Champions,
            },
        }
    }
}

impl fmt::Display for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Champions => "champions",
            Self::Loyal => "loyal",
            Self::PotentialLoyalists => "potential loyalists",
            Self::NewCustomers => "new customers",
            Self::Promising => "promising",
            Self::NeedAttention => "need attention",
            Self::AboutToSleep => "about to sleep",
            Self::AtRisk => "at risk",
            Self::CannotLose => "cannot lose them",
            Self::Hibernating => "hibernating",
        })
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
    fn every_pair_of_scores_has_its_segment() {
        let counts = |wanted: Segment| {
            (1..=5)
                .flat_map(|r| (1..=5).map(move |f| [r, f, 1]))
                .filter(|s| Segment::of(*s) == wanted)
                .count()
        };
        for (segment, pairs) in [
            (Segment::Champions, 2),
            (Segment::Loyal, 4),
            (Segment::PotentialLoyalists, 4),
            (Segment::NewCustomers, 1),
            (Segment::Promising, 1),
            (Segment::NeedAttention, 1),
            (Segment::AboutToSleep, 2),
            (Segment::AtRisk, 4),
            (Segment::CannotLose, 2),
            (Segment::Hibernating, 4),
        ] {
            assert_eq!(counts(segment), pairs, "{segment}");
        }
    }

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
