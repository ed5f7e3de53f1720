//! Contracts: when each customer's began, and when it ended.

use crate::cut::Cut;
use crate::error::{Error, Result};
use crate::model::Histories;
use crate::names::Names;
use crate::summary::{SpendBasis, Summary};
use crate::units::{Moment, TimeUnit};

/// Contracts, one a customer.
///
/// As of a cut a contract that ends later goes on, and one that begins later is not known: nothing later can enter.
///
/// ```
/// use clv_core::contracts::Contracts;
/// use clv_core::{Cut, Grain, Moment, TimeUnit};
///
/// let day = |text| Moment::parse_date(text);
/// let mut contracts = Contracts::default();
/// contracts.state("ada", day("2024-01-15")?, Some(day("2024-04-20")?))?;
/// contracts.state("bob", day("2024-01-31")?, None)?;
/// let cut = Cut::end_of(day("2024-05-31")?, Grain::Day);
/// // Ada renewed in February, March and April, and not in May; Bob has renewed four times.
/// let renewals = contracts.renewals(cut, TimeUnit::Month)?;
/// assert_eq!((renewals.recency[0], renewals.age[0]), (3.0, 4.0));
/// assert_eq!((renewals.recency[1], renewals.age[1]), (4.0, 4.0));
/// # Ok::<(), clv_core::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Contracts {
    customers: Names,
    terms: Vec<Term>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Term {
    begun: Moment,
    ended: Option<Moment>,
}

impl Contracts {
    /// States a contract: from when on, and from when on no longer if it has ended or is known to.
    ///
    /// # Errors
    ///
    /// [`Error::Attribute`] for an end that is not after the beginning, or a customer who has another contract.
    pub fn state(&mut self, customer: &str, begun: Moment, ended: Option<Moment>) -> Result<()> {
        let refused = |attribute: &str, given: String, allowed| Error::Attribute {
            whose: customer.to_owned(),
            attribute: attribute.to_owned(),
            given,
            allowed,
        };
        if let Some(end) = ended.filter(|end| *end <= begun) {
            let allowed = "after the beginning of the contract";
            return Err(refused("end", format!("{end} after {begun}"), allowed));
        }
        let term = Term { begun, ended };
        match self.customers.find(customer) {
            None => {
                self.customers.intern(customer);
                self.terms.push(term);
                Ok(())
            }
            Some(known) if self.terms[known as usize] == term => Ok(()),
            Some(_) => {
                let allowed = "one contract a customer: name contracts apart, such as ada/1 and ada/2";
                Err(refused("start", begun.to_string(), allowed))
            }
        }
    }

    /// The last beginning or end that is stated for no later than a moment: what happened after it the table may not know.
    pub fn last_stated(&self, by: Moment) -> Option<Moment> {
        let stated = self.terms.iter().flat_map(|term| [Some(term.begun), term.ended]);
        stated.flatten().filter(|moment| *moment <= by).max()
    }

    /// The customers.
    pub fn customers(&self) -> &Names {
        &self.customers
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.terms.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// As histories of how long contracts have lasted: the recency is the time from beginning to end, and the same as the age for one that
    /// goes on.
    ///
    /// # Errors
    ///
    /// [`Error::TooLittleData`] if none has begun by the cut.
    pub fn tenures(&self, cut: Cut, unit: TimeUnit) -> Result<Summary> {
        self.summary(cut, unit, Histories::Tenures, |term, now| {
            let lasted = |until: Moment| until.days_since(term.begun) / unit.days();
            (lasted(term.ended.unwrap_or(now)), lasted(now))
        })
    }

    /// As histories of renewals, due each whole unit of the calendar after the beginning: the recency is how often a contract was renewed, and
    /// the same as the age for one that goes on. To forecast from: who has ended has ended, though the next renewal is not due yet.
    ///
    /// # Errors
    ///
    /// As [`Contracts::tenures`].
    pub fn renewals(&self, cut: Cut, unit: TimeUnit) -> Result<Summary> {
        self.by_renewals(cut, unit, |due_at_end, due_now| due_now.max(due_at_end + 1.0))
    }

    /// The same to learn from: renewals that are due by the cut, and what became of them. A contract that ended since its last one has decided nothing more:
    /// the others of its age have not either, and to count it as lost would be to count the losses of a renewal and not those who renew.
    ///
    /// # Errors
    ///
    /// As [`Contracts::tenures`].
    pub fn renewals_due(&self, cut: Cut, unit: TimeUnit) -> Result<Summary> {
        self.by_renewals(cut, unit, |_, due_now| due_now)
    }

    /// How many contracts have ended by a cut, and how many of these within a day of a renewal, where renewals decide it.
    ///
    /// Models of renewals take a contract that goes on as one that was decided at its last renewal. Where contracts end at any time it has survived
    /// part of the way to its next one as well, and more of them renew than those models say: see [`Contracts::tenures`].
    pub fn ended(&self, cut: Cut, unit: TimeUnit) -> (usize, usize) {
        let ended = self.terms.iter().filter_map(|term| {
            let end = term.ended.filter(|end| *end < cut.end())?;
            let (before, after) = (end.plus_days(-1.0), end.plus_days(1.0));
            // On the day itself, or on the last that was paid for, or on the one after.
            let near =
                due_before(term.begun, after.plus_days(0.5), unit) > due_before(term.begun, before, unit);
            Some(near)
        });
        ended.fold((0, 0), |(all, at_renewals), near| (all + 1, at_renewals + usize::from(near)))
    }

    /// Renewals made after a cut and up to another, by the contracts that have begun by the first.
    pub(crate) fn renewals_within(&self, from: Cut, to: Cut, unit: TimeUnit) -> Vec<f64> {
        let made = |term: &Term| {
            let until = term.ended.unwrap_or_else(|| to.end()).min(to.end());
            (due_before(term.begun, until, unit) - due_before(term.begun, from.end(), unit)).max(0.0)
        };
        self.terms.iter().filter(|term| term.begun < from.end()).map(made).collect()
    }

    /// Of so many units from a cut on to another how many each of these contracts still lasted whole.
    pub(crate) fn units_within(&self, from: Cut, to: Cut, units: u32, unit: TimeUnit) -> Vec<f64> {
        let lasted = |term: &Term| match term.ended.filter(|end| *end < to.end()) {
            None => f64::from(units),
            Some(end) => (end.days_since(from.end()) / unit.days()).floor().clamp(0.0, f64::from(units)),
        };
        self.terms.iter().filter(|term| term.begun < from.end()).map(lasted).collect()
    }

    fn by_renewals(&self, cut: Cut, unit: TimeUnit, age: impl Fn(f64, f64) -> f64) -> Result<Summary> {
        self.summary(cut, unit, Histories::Renewals, |term, now| {
            // What is due on the day of the end was not renewed.
            let due = |until: Moment| due_before(term.begun, until, unit);
            match term.ended {
                None => (due(now), due(now)),
                Some(end) => (due(end), age(due(end), due(now))),
            }
        })
    }

    fn summary(
        &self,
        cut: Cut,
        unit: TimeUnit,
        histories: Histories,
        of: impl Fn(&Term, Moment) -> (f64, f64),
    ) -> Result<Summary> {
        let now = cut.end();
        let empty = Summary::empty(cut, unit, SpendBasis::default(), false);
        let mut summary = Summary { histories, ..empty };
        for (customer, term) in self.terms.iter().enumerate() {
            if term.begun >= now {
                summary.first_seen_later += 1;
                continue;
            }
            let known = Term { ended: term.ended.filter(|end| *end < now), ..*term };
            let (recency, age) = of(&known, now);
            summary.customer.push(customer as u32);
            summary.first.push(term.begun);
            summary.frequency.push(u32::from(recency > 0.0));
            summary.recency.push(recency);
            summary.age.push(age);
        }
        if summary.customer.is_empty() {
            let (model, needs) = ("a summary", "contracts that began on or before the cut");
            return Err(Error::TooLittleData { model, needs, found: 0 });
        }
        Ok(summary)
    }
}

/// How many renewals fall due after the beginning and before a moment.
fn due_before(begun: Moment, until: Moment, unit: TimeUnit) -> f64 {
    // Beyond the calendar nothing falls due.
    let is_due = |n: i64| begun.later(n, unit).is_some_and(|moment| moment < until);
    // Months are of unlike lengths: from near to the very one.
    let mut n = (until.days_since(begun) / unit.days()).floor().max(0.0) as i64;
    while n > 0 && !is_due(n) {
        n -= 1;
    }
    while is_due(n + 1) {
        n += 1;
    }
    n as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Grain;

    fn day(text: &str) -> Moment {
        Moment::parse_date(text).unwrap()
    }

    fn one(begun: &str, ended: Option<&str>, until: &str, unit: TimeUnit) -> [(f64, f64); 2] {
        let mut contracts = Contracts::default();
        contracts.state("ada", day(begun), ended.map(day)).unwrap();
        let cut = Cut::end_of(day(until), Grain::Day);
        let [renewed, lasted] =
            [contracts.renewals(cut, unit).unwrap(), contracts.tenures(cut, unit).unwrap()];
        [(renewed.recency[0], renewed.age[0]), (lasted.recency[0], lasted.age[0])]
    }

    #[test]
    fn renewals_fall_due_by_the_calendar() {
        use TimeUnit::{Day, Month, Week, Year};
        // On the day of the third renewal it was not renewed; a day later it was.
        for (ended, renewed) in [("2024-04-15", 2.0), ("2024-04-16", 3.0), ("2024-01-16", 0.0)] {
            assert_eq!(one("2024-01-15", Some(ended), "2024-12-31", Month)[0], (renewed, 11.0), "{ended}");
        }
        // A renewal due on the last day known has been seen.
        assert_eq!(one("2024-01-15", None, "2024-04-15", Month)[0], (3.0, 3.0));
        assert_eq!(one("2024-01-15", None, "2024-04-14", Month)[0], (2.0, 2.0));
        // From the end of January to those of shorter months.
        assert_eq!(one("2024-01-31", None, "2024-02-29", Month)[0], (1.0, 1.0));
        assert_eq!(one("2020-02-29", None, "2024-02-28", Year)[0], (3.0, 3.0));
        assert_eq!(one("2024-01-01", None, "2024-01-14", Week)[0], (1.0, 1.0));
        assert_eq!(one("2024-01-01", Some("2024-01-04"), "2024-01-14", Day)[1], (3.0, 14.0));
    }

    #[test]
    fn what_comes_after_the_cut_is_not_known() {
        let ended_later = one("2024-01-15", Some("2024-09-01"), "2024-06-30", TimeUnit::Month);
        assert_eq!(ended_later, one("2024-01-15", None, "2024-06-30", TimeUnit::Month));
        // Ended on the last day: it is known, and the next renewal was not made.
        let on_the_day = one("2024-01-15", Some("2024-06-30"), "2024-06-30", TimeUnit::Month);
        assert_eq!(on_the_day[0], (5.0, 6.0));
        // To learn from, the renewal of July has not been decided by anybody.
        let mut ended = Contracts::default();
        ended.state("ada", day("2024-01-15"), Some(day("2024-06-20"))).unwrap();
        ended.state("bob", day("2024-01-15"), Some(day("2024-05-20"))).unwrap();
        let due = ended.renewals_due(Cut::end_of(day("2024-06-30"), Grain::Day), TimeUnit::Month).unwrap();
        assert_eq!((due.recency[0], due.age[0], due.recency[1], due.age[1]), (5.0, 5.0, 4.0, 5.0));
        // The customary date for an open end is no danger.
        let far = one("2024-01-15", Some("9999-12-31"), "9999-12-31", TimeUnit::Month);
        assert!(far[0].0 > 95_000.0);
        assert!(on_the_day[1].0 < on_the_day[1].1);
        let mut contracts = Contracts::default();
        contracts.state("ada", day("2024-01-01"), None).unwrap();
        contracts.state("eve", day("2024-07-01"), None).unwrap();
        let summary = contracts.tenures(Cut::end_of(day("2024-06-30"), Grain::Day), TimeUnit::Day).unwrap();
        assert_eq!((summary.len(), summary.first_seen_later), (1, 1));
        assert!(contracts.tenures(Cut::end_of(day("2023-06-30"), Grain::Day), TimeUnit::Day).is_err());
        let twice = contracts.state("ada", day("2024-02-01"), None).unwrap_err().to_string();
        assert!(twice.contains("ada") && twice.contains("2024-02-01"), "{twice}");
        assert!(contracts.state("ada", day("2024-01-01"), None).is_ok(), "the same again says nothing new");
        let back = contracts.state("bob", day("2024-02-01"), Some(day("2024-02-01"))).unwrap_err();
        assert!(back.to_string().contains("after the beginning"), "{back}");
    }

    #[test]
    fn ends_at_renewals_are_told_from_others() {
        let mut contracts = Contracts::default();
        for (name, ended) in [
            ("on the day", Some("2024-03-15")),
            ("the last paid", Some("2024-03-14")),
            ("the day after", Some("2024-03-16")),
            ("between", Some("2024-03-18")),
            ("before any", Some("2024-01-20")),
            ("later", Some("2024-08-15")),
            ("goes on", None),
        ] {
            contracts.state(name, day("2024-01-15"), ended.map(day)).unwrap();
        }
        let cut = Cut::end_of(day("2024-06-30"), Grain::Day);
        assert_eq!(contracts.ended(cut, TimeUnit::Month), (5, 3));
        assert_eq!(contracts.last_stated(cut.last()), Some(day("2024-03-18")));
        assert_eq!(contracts.last_stated(day("2023-12-31")), None);
        assert_eq!(contracts.ended(cut, TimeUnit::Day), (5, 5));
    }

    #[test]
    fn what_a_holdout_brought() {
        let mut contracts = Contracts::default();
        let stated = [
            ("runs", "2024-01-15", None),
            ("leaves", "2024-01-31", Some("2024-08-10")),
            ("left", "2024-01-15", Some("2024-05-20")),
            ("new", "2024-07-02", None),
            ("at once", "2024-06-20", Some("2024-07-20")),
        ];
        for (name, begun, ended) in stated {
            contracts.state(name, day(begun), ended.map(day)).unwrap();
        }
        let (from, to) =
            (Cut::end_of(day("2024-06-30"), Grain::Day), Cut::end_of(day("2024-09-30"), Grain::Day));
        assert_eq!(from.units_until(&to, TimeUnit::Month).unwrap(), 3);
        // On the day of its end a renewal is not made; who begins later is not asked about.
        assert_eq!(contracts.renewals_within(from, to, TimeUnit::Month), [3.0, 1.0, 0.0, 0.0]);
        assert_eq!(contracts.units_within(from, to, 3, TimeUnit::Month), [3.0, 1.0, 0.0, 0.0]);
        let broken = from.units_until(&Cut::end_of(day("2024-09-29"), Grain::Day), TimeUnit::Month);
        assert!(broken.unwrap_err().to_string().contains("whole number of the unit"));
    }
}
