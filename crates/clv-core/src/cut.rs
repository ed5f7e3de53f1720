//! What was known when: the cut between past and future.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::units::{Grain, Moment, Span, TimeUnit};

/// The end of observation, in whole grains: everything up to and including its last grain is known,
/// everything after it is future.
///
/// A date is inclusive: with `Cut::end_of(D, Grain::Day)` purchases dated `D` count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cut {
    last: Moment,
    grain: Grain,
}

impl Cut {
    /// After the last grain of the day in which `day` lies (after its week, month or year, with such a grain).
    pub fn end_of(day: Moment, grain: Grain) -> Self {
        let last = match grain {
            Grain::Day | Grain::Week | Grain::Month | Grain::Year => grain.floor(day),
            Grain::Hour | Grain::Exact => {
                let next_day = Grain::Day.floor(day).plus_days(1.0);
                grain.floor(Moment::from_micros(next_day.micros() - 1))
            }
        };
        Self { last, grain }
    }

    /// After the grain in which `moment` lies.
    pub fn at(moment: Moment, grain: Grain) -> Self {
        Self { last: grain.floor(moment), grain }
    }

    /// Whether a moment is past: in the last grain or before.
    pub fn is_past(&self, moment: Moment) -> bool {
        self.grain.floor(moment) <= self.last
    }

    /// The start of the last grain that counts: the `D` from which ages are measured.
    pub fn last(&self) -> Moment {
        self.last
    }

    /// The last calendar day that counts: of a weekly grain its Sunday, of a monthly one the last of the month.
    pub fn last_day(&self) -> jiff::civil::Date {
        Moment::from_micros(self.end().micros().saturating_sub(1)).date()
    }

    /// The end of the last grain that counts, which is the first moment of the future.
    pub fn end(&self) -> Moment {
        self.grain.start(self.grain.index(self.last).saturating_add(1))
    }

    /// The grain.
    pub fn grain(&self) -> Grain {
        self.grain
    }

    /// That the cut is of this grain.
    pub(crate) fn expect_grain(&self, grain: Grain) -> Result<()> {
        if self.grain == grain {
            return Ok(());
        }
        Err(Error::Unreadable {
            what: "grain of the cut",
            given: self.grain.to_string(),
            allowed: "the grain by which the purchases were merged",
        })
    }

    /// The cut a span later; of calendar months and years so many of them as come nearest.
    pub fn plus(&self, span: Span) -> Self {
        Self { last: self.grain.moved(self.last, span.in_days()), ..*self }
    }

    /// The cut a span earlier, likewise.
    pub fn minus(&self, span: Span) -> Self {
        Self { last: self.grain.moved(self.last, -span.in_days()), ..*self }
    }

    /// The whole units of the calendar to a later cut.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] unless there is a whole number of them, and at least one.
    pub fn units_until(&self, later: &Self, unit: TimeUnit) -> Result<u32> {
        let (from, to) = (self.end(), later.end());
        let days = to.days_since(from);
        let near = (days / unit.days()).round().max(0.0);
        if near >= 1.0 && from.later(near as i64, unit) == Some(to) {
            return Ok(near as u32);
        }
        let (name, allowed) =
            ("days of the holdout", "a whole number of the unit by the calendar, at least one");
        Err(Error::Setting { name, given: days, allowed })
    }

    /// The span to a later cut.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] if `later` is not later.
    pub fn until(&self, later: &Self) -> Result<Span> {
        let days = later.last.days_since(self.last);
        if days <= 0.0 {
            return Err(Error::Setting {
                name: "days from the cut to the end of the holdout",
                given: days,
                allowed: "above 0",
            });
        }
        Span::new(days, TimeUnit::Day)
    }
}

/// A training period and the holdout after it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Split {
    /// End of training.
    pub train: Cut,
    /// End of the holdout.
    pub holdout: Cut,
}

impl Split {
    /// Trains until one cut and holds out until a later one.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] if the holdout does not end after the training.
    pub fn new(train: Cut, holdout: Cut) -> Result<Self> {
        train.until(&holdout)?;
        Ok(Self { train, holdout })
    }

    /// The length of the holdout.
    pub fn horizon(&self) -> Span {
        self.train.until(&self.holdout).unwrap_or_else(|_| unreachable!("checked by Split::new"))
    }

    /// Splits whose holdouts of equal length end at `last`, `last − step`, … while training ends at
    /// `first` or later; oldest first. Horizon and step are rounded up to whole grains: a month of
    /// 30.4375 days holds 31 of them.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] if `step` is empty.
    pub fn rolling_origins(first: Cut, last: Cut, horizon: Span, step: Span) -> Result<Vec<Self>> {
        if step.in_days() <= 0.0 {
            return Err(Error::Setting {
                name: "step between origins",
                given: step.in_days(),
                allowed: "above 0 days",
            });
        }
        let mut splits = Vec::new();
        let mut holdout = last;
        loop {
            let train = holdout.minus(horizon);
            if train.last() < first.last() || train.last() >= holdout.last() {
                break;
            }
            splits.push(Self { train, holdout });
            holdout = holdout.minus(step);
        }
        splits.reverse();
        Ok(splits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(text: &str) -> Moment {
        Moment::parse_date(text).unwrap()
    }

    #[test]
    fn the_day_of_the_cut_is_past_and_the_next_is_not() {
        for grain in [Grain::Exact, Grain::Hour, Grain::Day] {
            let cut = Cut::end_of(date("1997-09-30"), grain);
            let evening = Moment::from_micros(date("1997-10-01").micros() - 1);
            assert!(cut.is_past(evening), "{grain}");
            assert!(!cut.is_past(date("1997-10-01")), "{grain}");
        }
    }

    #[test]
    fn origins_roll_back_from_the_end() {
        let (first, last) =
            (Cut::end_of(date("2020-01-31"), Grain::Day), Cut::end_of(date("2020-12-31"), Grain::Day));
        let splits =
            Split::rolling_origins(first, last, Span::days(90.0).unwrap(), Span::days(90.0).unwrap())
                .unwrap();
        assert_eq!(splits.len(), 3);
        assert!(
            splits
                .iter()
                .all(|s| (s.horizon().in_days() - 90.0).abs() < 1e-9 && s.train.last() >= first.last())
        );
        assert_eq!(splits[2].holdout, last);
        assert_eq!(splits[1].holdout, splits[2].train);
    }
}
