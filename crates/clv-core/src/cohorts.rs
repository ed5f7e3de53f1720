//! Customers by when they came: how many stay, how many come back, what they bring.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::cut::Cut;
use crate::error::{Error, Result};
use crate::summary::Purchases;
use crate::units::{Grain, Moment};

/// A page of the calendar, by which customers are grouped and their age is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Period {
    /// From Monday to Sunday.
    Week,
    /// A calendar month.
    #[default]
    Month,
    /// Three calendar months from January, April, July or October.
    Quarter,
    /// A calendar year.
    Year,
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Week => "week",
            Self::Month => "month",
            Self::Quarter => "quarter",
            Self::Year => "year",
        })
    }
}

impl Period {
    /// The month, or what a purchase of this grain, known by the start of it, surely lies in.
    pub fn of_grain(grain: Grain) -> Self {
        [Self::Month, Self::Week].into_iter().find(|period| period.holds(grain)).unwrap_or(Self::Year)
    }

    /// Whether a purchase of this grain lies in one page whole: a week lies in two months now and then.
    pub fn holds(self, grain: Grain) -> bool {
        match grain {
            Grain::Exact | Grain::Hour | Grain::Day => true,
            Grain::Week => self == Self::Week,
            Grain::Month => self != Self::Week,
            Grain::Year => self == Self::Year,
        }
    }

    /// Checks that purchases of this grain lie in one page each.
    ///
    /// # Errors
    ///
    /// [`Error::Unreadable`].
    pub fn expect_grain(self, grain: Grain) -> Result<()> {
        if self.holds(grain) {
            return Ok(());
        }
        let allowed = match self {
            Self::Week => "exact, hour, day, week",
            Self::Month | Self::Quarter => "exact, hour, day, month",
            Self::Year => "exact, hour, day, month, year",
        };
        Err(Error::Unreadable {
            what: "grain of purchases by this period of cohorts",
            given: grain.to_string(),
            allowed,
        })
    }

    /// The number of the page on which a moment lies, in order of time.
    pub fn index(self, when: Moment) -> i64 {
        let date = when.date();
        let months = i64::from(date.year()) * 12 + i64::from(date.month()) - 1;
        match self {
            // 1970-01-01 was a Thursday.
            Self::Week => (when.micros().div_euclid(86_400_000_000) + 3).div_euclid(7),
            Self::Month => months,
            Self::Quarter => months.div_euclid(3),
            Self::Year => i64::from(date.year()),
        }
    }

    /// The name of a page: `2024-W07`, `2024-02`, `2024-Q1`, `2024`.
    pub fn name(self, index: i64) -> String {
        match self {
            Self::Week => {
                let monday = Moment::from_days((index * 7 - 3) as i32).date().iso_week_date();
                format!("{}-W{:02}", monday.year(), monday.week())
            }
            Self::Month => format!("{}-{:02}", index.div_euclid(12), index.rem_euclid(12) + 1),
            Self::Quarter => format!("{}-Q{}", index.div_euclid(4), index.rem_euclid(4) + 1),
            Self::Year => index.to_string(),
        }
    }
}

/// What a cohort did on one page of the calendar.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cell {
    /// Customers who bought in this period.
    pub active: usize,
    /// Customers who had bought a second time by the end of this period.
    pub repeated: usize,
    /// Purchases in this period.
    pub purchases: usize,
    /// Money in this period in millionths, summed exactly; 0 without amounts.
    micros: i128,
    /// Whether there are amounts.
    has_amounts: bool,
}

impl Cell {
    /// Money in this period, if there are amounts.
    pub fn revenue(&self) -> Option<f64> {
        self.has_amounts.then(|| self.micros as f64 / 1e6)
    }
}

/// Customers who came in the same period.
#[derive(Clone, Debug, PartialEq)]
pub struct Cohort {
    /// The period, by number; see [`Period::name`].
    pub period: i64,
    /// How many came.
    pub customers: usize,
    /// By age in periods from 0, the period they came in. A period that is not over by the cut is
    /// not there: absent is not zero.
    pub cells: Vec<Cell>,
}

impl Cohort {
    /// Share of the cohort that bought at an age; `None` where that is not observed.
    pub fn retention(&self, age: usize) -> Option<f64> {
        self.cells.get(age).map(|cell| cell.active as f64 / self.customers as f64)
    }

    /// Share that had come back by the end of an age.
    pub fn repeat_rate(&self, age: usize) -> Option<f64> {
        self.cells.get(age).map(|cell| cell.repeated as f64 / self.customers as f64)
    }

    /// Money per customer of the cohort at an age.
    pub fn revenue_per_customer(&self, age: usize) -> Option<f64> {
        Some(self.cells.get(age)?.revenue()? / self.customers as f64)
    }

    /// The first age by whose end the cohort has earned its acquisition cost back, at a margin on its
    /// revenue; `None` if that is not observed.
    pub fn payback(&self, cost_per_customer: f64, margin: f64) -> Option<usize> {
        (0..self.cells.len())
            .find(|&age| self.cumulative_revenue(age).is_some_and(|sum| margin * sum >= cost_per_customer))
    }

    /// The same, summed up to an age.
    pub fn cumulative_revenue(&self, age: usize) -> Option<f64> {
        let cells = self.cells.get(..=age)?;
        let sum: i128 = cells.iter().map(|cell| cell.micros).sum();
        cells[0].has_amounts.then(|| sum as f64 / 1e6 / self.customers as f64)
    }
}

/// Acquisition cohorts as of a cut.
///
/// ```
/// use clv_core::cohorts::{Cohorts, Period};
/// use clv_core::summary::Purchases;
/// use clv_core::{Cut, Grain, LogBuilder, Moment, Transaction};
///
/// let mut log = LogBuilder::new();
/// for (who, day) in [("a", "2024-01-03"), ("a", "2024-03-09"), ("b", "2024-01-20"), ("c", "2024-02-01")] {
///     log.push(Transaction::new(who, Moment::parse_date(day)?))?;
/// }
/// let purchases = Purchases::of(&log.finish(), Grain::Day)?;
/// let cut = Cut::end_of(Moment::parse_date("2024-03-31")?, Grain::Day);
/// let cohorts = Cohorts::of(&purchases, cut, Period::Month)?;
/// let january = &cohorts.cohorts[0];
/// assert_eq!(january.retention(1), Some(0.0));    // nobody of two bought in February
/// assert_eq!(january.retention(2), Some(0.5));
/// assert_eq!(january.retention(3), None);         // April has not been
/// # Ok::<(), clv_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Cohorts {
    /// By what they are grouped.
    pub period: Period,
    /// In order of time; periods in which nobody came are left out.
    pub cohorts: Vec<Cohort>,
}

impl Cohorts {
    /// Groups customers by their first purchase.
    ///
    /// # Errors
    ///
    /// [`Error::TooLittleData`] if nobody has bought by the cut; [`Error::Unreadable`] if the cut has
    /// another grain than the purchases, or the period does not hold that whole ([`Period::holds`]).
    pub fn of(purchases: &Purchases, cut: Cut, period: Period) -> Result<Self> {
        cut.expect_grain(purchases.grain())?;
        period.expect_grain(purchases.grain())?;
        // The last page that is over: the day after the cut lies on another.
        let next = purchases.grain().start(purchases.grain().index(cut.last()) + 1);
        let last = period.index(next) - 1;
        let mut cohorts: Vec<Cohort> = Vec::new();
        let mut place = std::collections::BTreeMap::new();
        for customer in 0..purchases.customers() as u32 {
            let when = purchases.when(customer);
            let known = when.partition_point(|&m| m <= cut.last());
            let Some(first) = when[..known].first().map(|&m| period.index(m)) else { continue };
            let cohort = *place.entry(first).or_insert_with(|| {
                let ages = usize::try_from(last - first + 1).unwrap_or(0);
                let has_amounts = purchases.amounts(customer).is_some();
                let cells = vec![Cell { has_amounts, ..Cell::default() }; ages];
                cohorts.push(Cohort { period: first, customers: 0, cells });
                cohorts.len() - 1
            });
            let cohort = &mut cohorts[cohort];
            cohort.customers += 1;
            let mut before = None;
            for (i, &moment) in when[..known].iter().enumerate() {
                let age = (period.index(moment) - first) as usize;
                if i == 1 {
                    cohort.cells.iter_mut().skip(age).for_each(|cell| cell.repeated += 1);
                }
                let Some(cell) = cohort.cells.get_mut(age) else { break };
                cell.active += usize::from(before != Some(age));
                cell.purchases += 1;
                if let Some(amounts) = purchases.amounts(customer) {
                    cell.micros += i128::from(amounts[i]);
                }
                before = Some(age);
            }
        }
        if cohorts.is_empty() {
            let needs = "customers who bought on or before the cut";
            return Err(Error::TooLittleData { model: "a cohort table", needs, found: 0 });
        }
        cohorts.sort_by_key(|cohort| cohort.period);
        Ok(Self { period, cohorts })
    }

    /// Shares of all cohorts together at an age, weighted by customers, over the cohorts for which it
    /// is observed.
    pub fn retention(&self, age: usize) -> Option<f64> {
        let observed = self.cohorts.iter().filter(|c| c.cells.len() > age);
        let (active, customers) =
            observed.fold((0, 0), |(a, n), c| (a + c.cells[age].active, n + c.customers));
        (customers > 0).then(|| active as f64 / customers as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{LogBuilder, Transaction};

    #[test]
    fn pages_of_the_calendar_have_their_names() {
        let at = |day: &str| Moment::parse_date(day).unwrap();
        for (day, week, month, quarter) in [
            ("2024-01-01", "2024-W01", "2024-01", "2024-Q1"),
            ("2023-01-01", "2022-W52", "2023-01", "2023-Q1"),
            ("1969-12-31", "1970-W01", "1969-12", "1969-Q4"),
        ] {
            for (period, name) in [(Period::Week, week), (Period::Month, month), (Period::Quarter, quarter)] {
                assert_eq!(period.name(period.index(at(day))), name);
            }
        }
        assert_eq!(Period::Year.name(Period::Year.index(at("2024-06-01"))), "2024");
    }

    #[test]
    fn a_week_lies_in_no_month() {
        let mut log = LogBuilder::new();
        // Of the week from Monday, 29 January.
        log.push(Transaction::new("a", Moment::parse_date("2024-02-02").unwrap())).unwrap();
        let log = log.finish();
        let cohort = |grain, period| {
            let purchases = Purchases::of(&log, grain)?;
            let cut = Cut::end_of(Moment::parse_date("2024-12-31").unwrap(), grain);
            Cohorts::of(&purchases, cut, period).map(|found| period.name(found.cohorts[0].period))
        };
        assert_eq!(cohort(Grain::Day, Period::Month).unwrap(), "2024-02");
        assert_eq!(cohort(Grain::Month, Period::Quarter).unwrap(), "2024-Q1");
        assert_eq!(cohort(Grain::Week, Period::Week).unwrap(), "2024-W05");
        for (grain, period) in
            [(Grain::Week, Period::Month), (Grain::Year, Period::Month), (Grain::Month, Period::Week)]
        {
            let error = cohort(grain, period).unwrap_err().to_string();
            assert!(error.contains(&grain.to_string()) && error.contains("allowed: exact"), "{error}");
            assert!(Period::of_grain(grain).holds(grain));
        }
        // What is said to be allowed is what is held.
        let grains = [Grain::Exact, Grain::Hour, Grain::Day, Grain::Week, Grain::Month, Grain::Year];
        for period in [Period::Week, Period::Month, Period::Quarter, Period::Year] {
            let held: Vec<String> =
                grains.iter().filter(|g| period.holds(**g)).map(ToString::to_string).collect();
            for refused in grains.iter().filter_map(|grain| period.expect_grain(*grain).err()) {
                assert!(refused.to_string().ends_with(&format!("allowed: {}", held.join(", "))), "{refused}");
            }
        }
    }

    #[test]
    fn cohorts_by_hand_and_what_is_not_over_is_absent() {
        let mut log = LogBuilder::new();
        for (who, day, amount) in [
            ("a", "2024-01-03", 10.0),
            ("a", "2024-01-30", 5.0),
            ("a", "2024-02-09", 7.0),
            ("b", "2024-01-20", 20.0),
            ("b", "2024-03-02", 1.0),
            ("c", "2024-03-01", 3.0),
        ] {
            let when = Moment::parse_date(day).unwrap();
            log.push(Transaction::new(who, when).amount(amount).unwrap()).unwrap();
        }
        let purchases = Purchases::of(&log.finish(), Grain::Day).unwrap();
        let as_of = |day: &str| {
            let cut = Cut::end_of(Moment::parse_date(day).unwrap(), Grain::Day);
            Cohorts::of(&purchases, cut, Period::Month).unwrap()
        };
        let march = as_of("2024-03-31");
        let january = &march.cohorts[0];
        assert_eq!((january.customers, january.cells.len()), (2, 3));
        assert_eq!((january.retention(0), january.retention(1)), (Some(1.0), Some(0.5)));
        assert_eq!((january.repeat_rate(0), january.repeat_rate(2)), (Some(0.5), Some(1.0)));
        assert_eq!(january.revenue_per_customer(1), Some(3.5));
        assert_eq!(january.cumulative_revenue(2), Some(21.5));
        assert_eq!(january.cumulative_revenue(3), None);
        assert_eq!(march.retention(0), Some(1.0));
        // A day before its end, March is not over: absent for both cohorts, not small.
        let earlier = as_of("2024-03-30");
        assert_eq!((earlier.cohorts[0].cells.len(), earlier.cohorts[1].cells.len()), (2, 0));
        assert_eq!((earlier.cohorts[1].retention(0), earlier.retention(2)), (None, None));
    }
}
