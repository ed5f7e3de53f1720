//! Stages over time: who stood where, who moved, for how long.

use super::{Stage, StageRules};
use crate::cut::Cut;
use crate::error::{Error, Result};
use crate::model::History;
use crate::summary::Purchases;
use crate::units::{Moment, Span, TimeUnit};

/// The stage of every customer at a row of dates. What happened after a date has no part in it.
///
/// ```
/// use clv_core::stages::{Course, Stage, StageRules};
/// use clv_core::summary::Purchases;
/// use clv_core::{Cut, Grain, LogBuilder, Moment, Span, TimeUnit, Transaction};
///
/// let mut log = LogBuilder::new();
/// for day in ["2024-01-01", "2024-01-08", "2024-01-15", "2024-05-01"] {
///     log.push(Transaction::new("ada", Moment::parse_date(day)?))?;
/// }
/// let purchases = Purchases::of(&log.finish(), Grain::Day)?;
/// let at = |day| Moment::parse_date(day).map(|day| Cut::end_of(day, Grain::Day));
/// let rules = StageRules::learn(&purchases.summary(at("2024-01-31")?, TimeUnit::Week, Default::default())?.customers());
/// let dates = [at("2024-01-16")?, at("2024-03-01")?, at("2024-05-02")?];
/// let course = Course::of(&purchases, &rules, &dates)?;
/// let stages: Vec<_> = (0..3).map(|date| course.stage(date, 0)).collect();
/// assert_eq!(stages, [Some(Stage::Active), Some(Stage::Churned), Some(Stage::Loyal)]);
/// assert_eq!(course.flows(1, 2)?.won_back, 1);
/// # Ok::<(), clv_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Course {
    dates: Vec<Cut>,
    /// By date, then by customer; `None` before a customer is known.
    stages: Vec<Vec<Option<Stage>>>,
}

impl Course {
    /// The course of all customers. Those who never buy are prospects throughout; those who buy
    /// later are not known before their first purchase (see [`Course::known_since`]).
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] unless the dates go forwards, [`Error::Unreadable`] unless they have the
    /// purchases' grain.
    pub fn of(purchases: &Purchases, rules: &StageRules, dates: &[Cut]) -> Result<Self> {
        for (before, after) in dates.iter().zip(dates.iter().skip(1)) {
            before.until(after)?;
        }
        dates.iter().try_for_each(|date| date.expect_grain(purchases.grain()))?;
        let mut stages = vec![vec![None; purchases.customers()]; dates.len()];
        let days = rules.population_gap().1.days();
        for customer in 0..purchases.customers() as u32 {
            let when = purchases.when(customer);
            let mut known = 0;
            for (date, stages) in dates.iter().zip(&mut stages) {
                known += when[known..].partition_point(|&m| m <= date.last());
                stages[customer as usize] = if when.is_empty() {
                    Some(Stage::Prospect)
                } else if known == 0 {
                    None
                } else {
                    Some(rules.by_rhythm(&History {
                        frequency: (known - 1) as u32,
                        recency: when[known - 1].days_since(when[0]) / days,
                        age: date.last().days_since(when[0]) / days,
                        spend: None,
                    }))
                };
            }
        }
        Ok(Self { dates: dates.to_vec(), stages })
    }

    /// The same dates, but customers are known as prospects from a moment on: their first event, the
    /// day they signed up. `since` has one entry per customer.
    ///
    /// # Errors
    ///
    /// [`Error::Length`].
    pub fn known_since(mut self, since: &[Option<Moment>]) -> Result<Self> {
        for (date, stages) in self.dates.iter().zip(&mut self.stages) {
            if since.len() != stages.len() {
                return Err(Error::Length { column: "since", given: since.len(), expected: stages.len() });
            }
            for (stage, since) in stages.iter_mut().zip(since) {
                let known = since.is_some_and(|moment| date.is_past(moment));
                match stage {
                    None if known => *stage = Some(Stage::Prospect),
                    Some(Stage::Prospect) if since.is_some() && !known => *stage = None,
                    _ => {}
                }
            }
        }
        Ok(self)
    }

    /// The dates.
    pub fn dates(&self) -> &[Cut] {
        &self.dates
    }

    /// The stage of a customer at a date; `None` while they are not known.
    ///
    /// # Panics
    ///
    /// If either number is out of range.
    pub fn stage(&self, date: usize, customer: u32) -> Option<Stage> {
        self.stages[date][customer as usize]
    }

    /// How many stand in each stage at a date, in the order of [`Stage::ALL`].
    ///
    /// # Panics
    ///
    /// If the date is out of range.
    pub fn counts(&self, date: usize) -> [usize; 5] {
        Stage::ALL.map(|stage| self.stages[date].iter().filter(|s| **s == Some(stage)).count())
    }

    /// Who moved from where to where between two dates.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] unless both dates exist, the first before the second.
    pub fn transitions(&self, from: usize, to: usize) -> Result<Transitions> {
        let mut counts = [[0; 5]; 5];
        let mut arrived = [0; 5];
        for (before, after) in self.pair(from, to)? {
            match (before, after) {
                (Some(before), Some(after)) => counts[before as usize][after as usize] += 1,
                (None, Some(after)) => arrived[after as usize] += 1,
                _ => {}
            }
        }
        Ok(Transitions { counts, arrived })
    }

    /// What happened between two dates, in a marketer's words.
    ///
    /// # Errors
    ///
    /// As [`Course::transitions`].
    pub fn flows(&self, from: usize, to: usize) -> Result<Flows> {
        let t = self.transitions(from, to)?;
        let sum = |from: &[Stage], to: &[Stage]| -> usize {
            from.iter().flat_map(|a| to.iter().map(|b| t.count(*a, *b))).sum()
        };
        use Stage::{Active, Churned, Loyal, New, Prospect};
        Ok(Flows {
            acquired: t.arrived[New as usize..].iter().sum::<usize>()
                + sum(&[Prospect], &[New, Active, Loyal, Churned]),
            converted: sum(&[Prospect], &[New, Active, Loyal, Churned]),
            came_back: sum(&[New], &[Active, Loyal]),
            became_loyal: sum(&[Active], &[Loyal]),
            churned: sum(&[New, Active, Loyal], &[Churned]),
            won_back: sum(&[Churned], &[New, Active, Loyal]),
        })
    }

    /// Of those known at a date, the share that stands elsewhere at some date in between, and in the
    /// same stage again at a date not more than `within` later.
    ///
    /// # Errors
    ///
    /// [`Error::TooLittleData`] if the course is shorter than that after every date.
    pub fn flip_back_rate(&self, within: Span) -> Result<f64> {
        let (mut flipped, mut all) = (0_usize, 0_usize);
        for start in 0..self.dates.len() {
            let end = self.dates[start].plus(within);
            if self.dates.last().is_none_or(|last| last.last() < end.last()) {
                break;
            }
            let span = start + 1..self.dates.len();
            let until =
                span.take_while(|&date| self.dates[date].last() <= end.last()).last().unwrap_or(start);
            for customer in 0..self.stages[start].len() {
                let Some(first) = self.stages[start][customer] else { continue };
                all += 1;
                let mut left = false;
                for date in start + 1..=until {
                    let now = self.stages[date][customer];
                    left |= now != Some(first);
                    if left && now == Some(first) {
                        flipped += 1;
                        break;
                    }
                }
            }
        }
        if all == 0 {
            let needs = "a course longer than the time to flip back in";
            return Err(Error::TooLittleData { model: "a flip-back rate", needs, found: self.dates.len() });
        }
        Ok(flipped as f64 / all as f64)
    }

    /// How long customers stay in a stage, from the spells that begin within the course. A spell that
    /// the course does not see end is censored (Kaplan and Meier 1958).
    pub fn time_in(&self, stage: Stage) -> TimeInStage {
        // (length in days, whether its end was seen)
        let mut spells: Vec<(f64, bool)> = Vec::new();
        let customers = self.stages.first().map_or(0, Vec::len);
        for customer in 0..customers {
            let mut began: Option<usize> = None;
            for date in 0..self.dates.len() {
                let here = self.stages[date][customer] == Some(stage);
                match began {
                    None if here && date > 0 && self.stages[date - 1][customer] != Some(stage) => {
                        began = Some(date)
                    }
                    Some(start) if !here => {
                        spells.push((self.days(start, date), true));
                        began = None;
                    }
                    _ => {}
                }
            }
            if let Some(start) = began {
                spells.push((self.days(start, self.dates.len() - 1), false));
            }
        }
        spells.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        let (mut left, mut survival) = (spells.len() as f64, 1.0);
        let mut median = None;
        for group in spells.chunk_by(|a, b| a.0 == b.0) {
            let ended = group.iter().filter(|spell| spell.1).count() as f64;
            survival *= 1.0 - ended / left;
            left -= group.len() as f64;
            if median.is_none() && survival <= 0.5 {
                median = Span::new(group[0].0, TimeUnit::Day).ok();
            }
        }
        TimeInStage { spells: spells.len(), ended: spells.iter().filter(|spell| spell.1).count(), median }
    }

    fn days(&self, from: usize, to: usize) -> f64 {
        self.dates[to].last().days_since(self.dates[from].last())
    }

    fn pair(&self, from: usize, to: usize) -> Result<impl Iterator<Item = (Option<Stage>, Option<Stage>)>> {
        if from >= to || to >= self.dates.len() {
            return Err(Error::Setting {
                name: "number of the later date",
                given: to as f64,
                allowed: "above that of the earlier, below the number of dates",
            });
        }
        Ok(self.stages[from].iter().copied().zip(self.stages[to].iter().copied()))
    }
}

/// Counts of customers by their stage at an earlier and a later date.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transitions {
    counts: [[usize; 5]; 5],
    /// Not known at the earlier date.
    arrived: [usize; 5],
}

/// A share with its interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Share {
    /// The share.
    pub estimate: f64,
    /// Lower end of the interval.
    pub lower: f64,
    /// Upper end.
    pub upper: f64,
}

impl Transitions {
    /// How many went from one stage to another.
    pub fn count(&self, from: Stage, to: Stage) -> usize {
        self.counts[from as usize][to as usize]
    }

    /// How many were not known before and stand in a stage now.
    pub fn arrived(&self, in_stage: Stage) -> usize {
        self.arrived[in_stage as usize]
    }

    /// The share of those in one stage who stand in another later, with its 95% interval (Wilson
    /// 1927); `None` if nobody was in the first.
    pub fn share(&self, from: Stage, to: Stage) -> Option<Share> {
        let n: usize = self.counts[from as usize].iter().sum();
        share(self.count(from, to), n)
    }
}

/// `k` of `n` with the 95% interval of Wilson (1927); `None` of none.
pub(crate) fn share(k: usize, n: usize) -> Option<Share> {
    if n == 0 {
        return None;
    }
    let (k, n, z) = (k as f64, n as f64, 1.959_963_984_540_054);
    let p = k / n;
    let middle = (p + z * z / (2.0 * n)) / (1.0 + z * z / n);
    let half = z / (1.0 + z * z / n) * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
    Some(Share { estimate: p, lower: (middle - half).max(0.0), upper: (middle + half).min(1.0) })
}

/// Who came, moved and left between two dates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flows {
    /// Bought for the first time.
    pub acquired: usize,
    /// Of those, had been prospects.
    pub converted: usize,
    /// From new to active or loyal.
    pub came_back: usize,
    /// From active to loyal.
    pub became_loyal: usize,
    /// From new, active or loyal to churned.
    pub churned: usize,
    /// From churned to buying again.
    pub won_back: usize,
}

/// How long customers stay in a stage.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TimeInStage {
    /// Spells that began within the course.
    pub spells: usize,
    /// Of those, ended within it.
    pub ended: usize,
    /// Median length; `None` if fewer than half end.
    pub median: Option<Span>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Grain;
    use crate::{LogBuilder, Transaction};

    fn cut(day: i32) -> Cut {
        Cut::end_of(Moment::from_days(day), Grain::Day)
    }

    /// Gap of ten days, overdue after thirty.
    fn rules() -> StageRules {
        let (x, t_x, age) = ([3, 1], [30.0, 10.0], [40.0, 40.0]);
        let who = crate::Customers::new(TimeUnit::Day, &x, &t_x, &age, None).unwrap();
        StageRules::learn(&who)
    }

    fn course(rows: &[(&str, i32)], dates: &[i32]) -> Course {
        let mut log = LogBuilder::new();
        log.prospect("nobody yet");
        for (who, day) in rows {
            log.push(Transaction::new(who, Moment::from_days(*day))).unwrap();
        }
        let dates: Vec<Cut> = dates.iter().map(|d| cut(*d)).collect();
        Course::of(&Purchases::of(&log.finish(), Grain::Day).unwrap(), &rules(), &dates).unwrap()
    }

    #[test]
    fn counts_transitions_and_flows_by_hand() {
        let rows = [("a", 0), ("a", 10), ("b", 5), ("c", 50), ("d", 0), ("d", 52)];
        let c = course(&rows, &[12, 53]);
        // At 12: a came back, b and d are new; at 53 a (43 > 3 × 10) and b are churned, d is back.
        assert_eq!(c.counts(0), [1, 2, 1, 0, 0]);
        assert_eq!(c.counts(1), [1, 1, 1, 0, 2]);
        let t = c.transitions(0, 1).unwrap();
        assert_eq!((t.count(Stage::New, Stage::Churned), t.count(Stage::New, Stage::Active)), (1, 1));
        assert_eq!(t.arrived(Stage::New), 1);
        let share = t.share(Stage::New, Stage::Active).unwrap();
        assert_eq!(share.estimate, 0.5);
        assert!((share.lower - 0.0945).abs() < 1e-4 && (share.upper - 0.9055).abs() < 1e-4, "{share:?}");
        assert_eq!(t.share(Stage::Loyal, Stage::Churned), None);
        let flows = c.flows(0, 1).unwrap();
        assert_eq!((flows.acquired, flows.came_back, flows.churned, flows.won_back), (1, 1, 2, 0));
        assert!(c.transitions(1, 1).is_err() && c.flows(0, 2).is_err());
    }

    #[test]
    fn prospects_convert_once_it_is_known_when_they_came() {
        let c = course(&[("c", 50)], &[12, 53]);
        assert_eq!(c.flows(0, 1).unwrap().converted, 0);
        let since = [Some(Moment::from_days(20)), Some(Moment::from_days(3))];
        let c = c.known_since(&since).unwrap();
        assert_eq!((c.stage(0, 0), c.stage(1, 0)), (None, Some(Stage::Prospect)));
        let flows = c.flows(0, 1).unwrap();
        assert_eq!((flows.converted, flows.acquired), (1, 1));
    }

    #[test]
    fn flips_back_are_counted_within_their_time() {
        // Churned after day 30; back on day 38.
        let c = course(&[("a", 0), ("a", 38)], &(0..60).collect::<Vec<_>>());
        let rate = c.flip_back_rate(Span::days(14.0).unwrap()).unwrap();
        assert_eq!(rate, 0.0, "back as active, not as new");
        let c = course(&[("a", 0), ("a", 10), ("a", 48)], &(0..80).collect::<Vec<_>>());
        // Active from 10, churned from 41, active from 48 (now with 3 purchases): seen from the 14
        // starts 34 … 40 that precede the leaving and reach the return.
        assert!((c.flip_back_rate(Span::days(14.0).unwrap()).unwrap() - 7.0 / (2.0 * 66.0)).abs() < 1e-12);
        assert!(c.flip_back_rate(Span::days(90.0).unwrap()).is_err());
    }

    #[test]
    fn time_in_a_stage_minds_what_is_not_over() {
        let c = course(&[("a", 1), ("a", 5), ("b", 2), ("c", 3), ("c", 9)], &(0..12).collect::<Vec<_>>());
        // New: a for 4 days, c for 6, b for 9 and counting.
        let new = c.time_in(Stage::New);
        assert_eq!((new.spells, new.ended), (3, 2));
        assert_eq!(new.median.unwrap().in_days(), 6.0);
        assert_eq!(c.time_in(Stage::Loyal), TimeInStage { spells: 0, ended: 0, median: None });
    }
}
