//! Readers pour their rows straight into a grain ledger.

use super::grains::GrainLedger;
use super::key::{CustomerColumn, Key};
use super::ordered::OrderedSummary;
use crate::cleaning::{Cleaning, Policy, Returns};
use crate::cut::Cut;
use crate::error::{Error, Result};
use crate::intake::Intake;
use crate::ledger::{Ledger, Notice, Reason, RejectedRow};
use crate::log::Transaction;
use crate::names::Names;
use crate::units::{Moment, Money};

/// Rows as columns of numbers without gaps.
#[derive(Clone, Copy, Debug)]
pub struct Columns<'a> {
    /// Who.
    pub customer: CustomerColumn<'a>,
    /// On which day since 1970.
    pub day: &'a [i32],
    /// For how much.
    pub amount: Option<&'a [f64]>,
}

/// A grain ledger or an ordered summary with its cleaning, for readers.
#[derive(Debug)]
pub struct ScaleIntake<S> {
    into: S,
    cleaning: Cleaning,
    source: Option<String>,
}

/// What readers can fill: [`GrainLedger`] and [`OrderedSummary`].
#[allow(private_interfaces)]
pub trait Holds: private::Sealed {
    #[doc(hidden)]
    fn long(&mut self) -> &mut Names;
    #[doc(hidden)]
    fn put(&mut self, key: Key, time: Moment, micros: i64) -> Result<()>;
    #[doc(hidden)]
    fn put_event(&mut self, id: &str, row: &Transaction<'_>) -> Result<bool>;
    #[doc(hidden)]
    fn same(&mut self, name: &str, customer: &str);
    #[doc(hidden)]
    fn expect_amount(&mut self, customer: &str, time: Moment, present: bool) -> Result<()>;
    #[doc(hidden)]
    fn currency(&mut self) -> &mut Option<String>;
    #[doc(hidden)]
    fn rows(&mut self) -> &mut Ledger;
    /// The last moment that is taken in.
    #[doc(hidden)]
    fn until(&self) -> Option<Cut>;
}

mod private {
    pub trait Sealed {}
    impl Sealed for super::GrainLedger {}
    impl Sealed for super::OrderedSummary {}
}

#[allow(private_interfaces)]
impl Holds for GrainLedger {
    fn long(&mut self) -> &mut Names {
        &mut self.long
    }

    #[inline]
    fn put(&mut self, key: Key, time: Moment, micros: i64) -> Result<()> {
        Self::put(self, key, self.index(time), micros);
        Ok(())
    }

    fn put_event(&mut self, id: &str, row: &Transaction<'_>) -> Result<bool> {
        self.push_event(id, row.customer, row.time, row.amount)
    }

    fn same(&mut self, name: &str, customer: &str) {
        self.alias(name, customer);
    }

    fn expect_amount(&mut self, customer: &str, time: Moment, present: bool) -> Result<()> {
        Self::expect_amount(self, customer, time, present)
    }

    fn currency(&mut self) -> &mut Option<String> {
        &mut self.currency
    }

    fn rows(&mut self) -> &mut Ledger {
        &mut self.ledger
    }

    fn until(&self) -> Option<Cut> {
        None
    }
}

#[allow(private_interfaces)]
impl Holds for OrderedSummary {
    fn long(&mut self) -> &mut Names {
        &mut self.long
    }

    #[inline]
    fn put(&mut self, key: Key, time: Moment, micros: i64) -> Result<()> {
        if self.has_aliases {
            return Err(Error::CannotSay {
                model: "an ordered summary",
                quantity: "which names are one customer",
                hint: ": it cannot join histories afterwards; take a grain ledger",
            });
        }
        Self::put(self, key, self.grain.index(time), micros, 1)
    }

    fn same(&mut self, name: &str, customer: &str) {
        if name != customer {
            self.has_aliases = true;
        }
    }

    fn put_event(&mut self, _: &str, _: &Transaction<'_>) -> Result<bool> {
        Err(Error::CannotSay {
            model: "an ordered summary",
            quantity: "which events it has seen",
            hint: ": it remembers customers, not events; take a grain ledger",
        })
    }

    fn expect_amount(&mut self, customer: &str, time: Moment, present: bool) -> Result<()> {
        Self::expect_amount(self, customer, time, present)
    }

    fn currency(&mut self) -> &mut Option<String> {
        &mut self.currency
    }

    fn rows(&mut self) -> &mut Ledger {
        &mut self.ledger
    }

    fn until(&self) -> Option<Cut> {
        self.until
    }
}

impl<S: Holds> ScaleIntake<S> {
    /// Readers fill `into`, cleaned row by row.
    ///
    /// # Errors
    ///
    /// [`Error::CannotSay`] if a policy needs the whole log: netted returns, outliers, dropped
    /// duplicates.
    pub fn new(into: S, cleaning: Cleaning) -> Result<Self> {
        if cleaning.decides_late() || cleaning.duplicates == Policy::Drop {
            return Err(Error::CannotSay {
                model: "a summary at scale",
                quantity: "netted returns, outliers or dropped duplicates",
                hint: ": they need the log whole",
            });
        }
        Ok(Self { into, cleaning, source: None })
    }

    /// What was filled.
    pub fn finish(self) -> S {
        self.into
    }

    fn reject_row(&mut self, line: u64, reason: Reason, field: &str, value: &str, allowed: &'static str) {
        let (source, field) = (self.source.clone(), field.to_owned());
        let value = value.chars().take(80).collect();
        self.into.rows().drop_row(RejectedRow {
            source,
            line,
            reason,
            field,
            value,
            allowed: allowed.into(),
        });
    }

    fn refuse(&mut self, line: u64, reason: Reason, customer: &str) {
        self.reject_row(line, reason, "row", customer, "set by the cleaning policy");
    }
}

impl<S: Holds> Intake for ScaleIntake<S> {
    fn source(&mut self, name: &str) {
        self.source = Some(name.to_owned());
    }

    fn transaction(&mut self, line: u64, row: Transaction<'_>) -> Result<()> {
        if let Some(currency) = row.currency {
            match self.into.currency() {
                Some(first) if first == currency => {}
                none @ None => *none = Some(currency.to_owned()),
                Some(first) => {
                    return Err(Error::MixedCurrency { first: first.clone(), second: currency.into() });
                }
            }
        }
        self.into.expect_amount(row.customer, row.time, row.amount.is_some())?;
        let micros = row.amount.map_or(0, Money::micros);
        let before = &mut self.into.rows().before;
        before.rows += 1;
        before.revenue_micros += i128::from(micros);
        match row.amount {
            Some(amount) if amount < Money::ZERO => self.notice(Notice::NegativeAmount),
            Some(Money::ZERO) => self.notice(Notice::ZeroAmount),
            _ => {}
        }
        if let Some(reason) = self.cleaning.refuses(&row) {
            self.refuse(line, reason, row.customer);
            return Ok(());
        }
        if self.into.until().is_some_and(|cut| !cut.is_past(row.time)) {
            self.reject_row(
                line,
                Reason::AfterCut,
                "date",
                &row.time.to_string(),
                "up to the end of observation",
            );
            return Ok(());
        }
        match row.event {
            Some(id) => {
                if !self.into.put_event(id, &row)? {
                    self.refuse(line, Reason::Duplicate, row.customer);
                    return Ok(());
                }
            }
            None => {
                let key = Key::of(row.customer, self.into.long());
                self.into.put(key, row.time, micros)?;
            }
        }
        self.into.rows().keep_row();
        Ok(())
    }

    fn reject(
        &mut self,
        line: u64,
        reason: Reason,
        field: &str,
        value: &str,
        allowed: &'static str,
    ) -> Result<()> {
        if self.cleaning.strict {
            let (source, field) = (self.source.clone(), field.to_owned());
            let value = value.chars().take(80).collect();
            let allowed = allowed.into();
            return Err(Error::Row(Box::new(RejectedRow { source, line, reason, field, value, allowed })));
        }
        if reason == Reason::MissingCustomer {
            self.notice(Notice::WithoutCustomer);
        }
        self.reject_row(line, reason, field, value, allowed);
        Ok(())
    }

    fn set_aside(&mut self, line: u64, reason: Reason, field: &str, value: &str) {
        self.reject_row(line, reason, field, value, "set by the shape of the file");
    }

    fn notice(&mut self, fact: Notice) {
        self.into.rows().notice(fact);
    }

    fn alias(&mut self, name: &str, customer: &str) {
        self.into.same(name, customer);
    }

    fn columns(&mut self, line: u64, columns: &Columns<'_>) -> Result<bool> {
        // Rows that need a closer look are left to the way row by row.
        if self.into.until().is_some()
            || self.cleaning.latest.is_some()
            || !self.cleaning.test_marks.is_empty()
            || self.cleaning.returns != Returns::Drop
            || self.cleaning.zero_amounts != Policy::Keep
        {
            return Ok(false);
        }
        let n = columns.customer.len();
        if columns.day.len() != n || columns.amount.is_some_and(|a| a.len() != n) {
            return Err(Error::Length { column: "day or amount", given: columns.day.len(), expected: n });
        }
        let known = |day: i32| Moment::from_days(day).is_of_the_calendar();
        let simple =
            |row: usize| Key::of_number(columns.customer.get(row)).is_some() && known(columns.day[row]);
        let sound = |amount: f64| amount > 0.0 && amount < 9.2e12;
        if !(0..n).all(simple) || columns.amount.is_some_and(|a| !a.iter().all(|a| sound(*a))) {
            return Ok(false);
        }
        if n == 0 {
            return Ok(true);
        }
        let who = columns.customer.get(0).to_string();
        self.into.expect_amount(&who, Moment::from_days(columns.day[0]), columns.amount.is_some())?;
        let _ = line;
        let mut revenue = 0_i128;
        for row in 0..n {
            let Some(key) = Key::of_number(columns.customer.get(row)) else { continue };
            let micros = columns.amount.map_or(0, |a| micros(a[row]));
            revenue += i128::from(micros);
            self.into.put(key, Moment::from_days(columns.day[row]), micros)?;
        }
        let ledger = self.into.rows();
        ledger.read += n as u64;
        ledger.kept += n as u64;
        ledger.before.rows += n as u64;
        ledger.before.revenue_micros += revenue;
        Ok(true)
    }
}

/// As [`Money::new`] rounds, for amounts known to be in range: half away from zero.
#[inline]
fn micros(amount: f64) -> i64 {
    let scaled = amount * 1e6;
    let whole = scaled as i64;
    whole + i64::from(scaled - whole as f64 >= 0.5)
}
