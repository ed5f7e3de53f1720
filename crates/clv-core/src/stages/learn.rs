//! Thresholds from the data's own rhythm.

use super::StageRules;
use crate::cut::Cut;
use crate::error::{Error, Result};
use crate::summary::{Purchases, SpendBasis};
use crate::units::{Span, TimeUnit};

/// Silences that may be churn, in one's own gaps.
const OVERDUE: [f64; 14] = [3.0, 3.5, 4.0, 5.0, 6.0, 7.0, 8.0, 10.0, 12.0, 15.0, 20.0, 25.0, 35.0, 50.0];
/// How long one purchase may make a customer new, in the population's gaps.
const FUSE: [f64; 9] = [1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 10.0, 20.0, 50.0];
/// Purchases from which on a customer may be loyal.
const LOYAL: [u32; 7] = [4, 6, 8, 10, 15, 20, 30];
/// A stage of fewer customers says nothing about its rate.
const LEAST: f64 = 10.0;

/// A customer as of the origin, and what followed.
struct Row {
    frequency: u32,
    /// Silence in the unit, and in own gaps.
    silent: f64,
    ratio: f64,
    bought: f64,
}

impl StageRules {
    /// Learns the rhythm and the thresholds under which the stages best told apart, over the last
    /// `window` before the cut, how much customers went on to buy: loyal more than active, active
    /// more than new, new more than churned.
    ///
    /// Tried are silences from 3 to 50 of one's own gaps, times of being new from 1 to 50 of
    /// the population's gaps, and 4 to 30 purchases to be loyal. Taken is what makes the least of the
    /// three differences largest, in its standard errors; of equals the quickest. Nothing after the
    /// cut has a part in it. Where the past is shorter than two windows, half of it is looked at.
    ///
    /// # Errors
    ///
    /// [`Error::TooLittleData`] if fewer than two stages had ten customers at the beginning of the
    /// window; as [`Purchases::summary`].
    pub fn learn_thresholds(purchases: &Purchases, cut: Cut, unit: TimeUnit, window: Span) -> Result<Self> {
        let now = purchases.summary(cut, unit, SpendBasis::default())?;
        let rules = Self::learn(&now.customers());
        let past = now.age.iter().copied().fold(0.0, f64::max) * unit.days();
        let origin = cut.minus(Span::days(window.in_days().min((past / 2.0).floor()))?);
        let too_little = |found| {
            let needs = "two stages of ten customers at the beginning of the window";
            Error::TooLittleData { model: "learned thresholds", needs, found }
        };
        let then = purchases.summary(origin, unit, SpendBasis::default()).map_err(|_| too_little(0))?;
        let earlier = Self::learn(&then.customers());
        let rows: Vec<Row> = (0..then.len())
            .map(|row| {
                let history = then.history(row);
                let silent = history.age - history.recency;
                let gap = earlier.own_gap(history.recency, f64::from(history.frequency));
                let bought = f64::from(purchases.between(then.customer[row], &origin, &cut).0);
                Row { frequency: history.frequency, silent, ratio: silent / gap, bought }
            })
            .collect();
        let mut best: Option<(f64, Self)> = None;
        for loyal in LOYAL {
            for fuse in FUSE {
                for overdue in OVERDUE {
                    let fuse = fuse * earlier.population_gap;
                    let Some(score) = separation(&rows, overdue, fuse, loyal) else { continue };
                    if best.as_ref().is_none_or(|(found, _)| score > *found) {
                        let candidate = Self { overdue, fuse: Some(fuse), loyal_purchases: loyal, ..rules };
                        best = Some((score, candidate));
                    }
                }
            }
        }
        best.map(|(_, rules)| rules).ok_or_else(|| too_little(rows.len()))
    }
}

/// The least difference between neighbouring stages' purchases, in standard errors; `None` if fewer
/// than two stages have customers enough.
fn separation(rows: &[Row], overdue: f64, fuse: f64, loyal: u32) -> Option<f64> {
    // Customers, purchases, their squares; in order of what should be bought.
    let mut sums = [[0.0; 3]; 4];
    for row in rows {
        let gone = if row.frequency == 0 { row.silent > fuse } else { row.ratio > overdue };
        let stage = match row.frequency {
            _ if gone => 3,
            0 => 2,
            x if x + 1 >= loyal => 0,
            _ => 1,
        };
        sums[stage][0] += 1.0;
        sums[stage][1] += row.bought;
        sums[stage][2] += row.bought * row.bought;
    }
    let present: Vec<&[f64; 3]> = sums.iter().filter(|s| s[0] >= LEAST).collect();
    // A rule that leaves nobody churned is no rule.
    if present.len() < 2 || sums[3][0] < LEAST {
        return None;
    }
    let mean = |s: &[f64; 3]| s[1] / s[0];
    let variance = |s: &[f64; 3]| ((s[2] / s[0] - mean(s) * mean(s)) / s[0]).max(1e-12);
    let apart =
        |pair: &[&[f64; 3]]| (mean(pair[0]) - mean(pair[1])) / (variance(pair[0]) + variance(pair[1])).sqrt();
    // More stages tell more: an absent one must not be the way to a better score.
    let absent = 1e3 * (4 - present.len()) as f64;
    present.windows(2).map(apart).min_by(f64::total_cmp).map(|least| least - absent)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::History;
    use crate::stages::Stage;
    use crate::units::{Grain, Moment};
    use crate::{LogBuilder, Transaction};

    #[test]
    fn a_shop_of_regulars_with_pauses_gets_a_long_fuse() {
        // Weekly buyers, half of whom pause for ten weeks at a time and come back, and a few who left.
        let mut log = LogBuilder::new();
        let mut push = |who: String, week: i32| {
            log.push(Transaction::new(&who, Moment::from_days(7 * week + week % 3))).unwrap();
        };
        for c in 0..60 {
            for week in 0..100 {
                if c % 2 == 0 || (week + c) % 20 < 10 {
                    push(format!("pausing {c}"), week);
                }
            }
        }
        for c in 0..40 {
            for week in 0..6 + c % 5 {
                push(format!("gone {c}"), week);
            }
            push(format!("newcomer {c}"), 60 + c);
            if c % 2 == 0 {
                push(format!("newcomer {c}"), 63 + c);
            }
        }
        let purchases = Purchases::of(&log.finish(), Grain::Day).unwrap();
        let cut = Cut::end_of(Moment::from_days(690), Grain::Day);
        let window = Span::weeks(20.0).unwrap();
        let rules = StageRules::learn_thresholds(&purchases, cut, TimeUnit::Week, window).unwrap();
        // Nine or ten weeks of silence are a pause here.
        assert!(rules.overdue_gaps() > 5.0, "{rules:?}");
        let paused = History { frequency: 40, recency: 60.0, age: 66.0, spend: None };
        assert_eq!(rules.by_rhythm(&paused), Stage::Loyal);
        let gone = History { frequency: 8, recency: 8.0, age: 90.0, spend: None };
        assert_eq!(rules.by_rhythm(&gone), Stage::Churned);
    }

    #[test]
    fn too_few_customers_are_told() {
        let mut log = LogBuilder::new();
        for day in [0, 30, 60] {
            log.push(Transaction::new("a", Moment::from_days(day))).unwrap();
        }
        let purchases = Purchases::of(&log.finish(), Grain::Day).unwrap();
        let cut = Cut::end_of(Moment::from_days(60), Grain::Day);
        let window = Span::weeks(4.0).unwrap();
        assert!(StageRules::learn_thresholds(&purchases, cut, TimeUnit::Week, window).is_err());
    }
}
