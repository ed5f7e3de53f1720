//! Readers pour their rows straight into a grain ledger.

use super::grains::GrainLedger;
use super::key::{CustomerColumn, Key};
use crate::cleaning::{Cleaning, Policy, Returns};
use crate::error::{Error, Result};
use crate::intake::Intake;
use crate::ledger::{Notice, Reason, RejectedRow};
use crate::log::Transaction;
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

/// A grain ledger with its cleaning, for readers.
#[derive(Debug)]
pub struct ScaleIntake {
    into: GrainLedger,
    cleaning: Cleaning,
    source: Option<String>,
}

impl GrainLedger {
    /// A ledger that readers can fill, cleaned row by row.
    ///
    /// # Errors
    ///
    /// [`Error::CannotSay`] if a policy needs the whole log: netted returns, outliers, dropped
    /// duplicates.
    pub fn reading(self, cleaning: Cleaning) -> Result<ScaleIntake> {
        if cleaning.decides_late() || cleaning.duplicates == Policy::Drop {
            return Err(Error::CannotSay {
                model: "a summary at scale",
                quantity: "netted returns, outliers or dropped duplicates",
                hint: ": they need the log whole",
            });
        }
        Ok(ScaleIntake { into: self, cleaning, source: None })
    }
}

impl ScaleIntake {
    /// The filled ledger.
    pub fn finish(self) -> GrainLedger {
        self.into
    }

    fn reject_row(&mut self, line: u64, reason: Reason, field: &str, value: &str, allowed: &'static str) {
        let (source, field) = (self.source.clone(), field.to_owned());
        let value = value.chars().take(80).collect();
        self.into.ledger.drop_row(RejectedRow {
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

impl Intake for ScaleIntake {
    fn source(&mut self, name: &str) {
        self.source = Some(name.to_owned());
    }

    fn transaction(&mut self, line: u64, row: Transaction<'_>) -> Result<()> {
        if let Some(currency) = row.currency {
            match &self.into.currency {
                Some(first) if first == currency => {}
                None => self.into.currency = Some(currency.to_owned()),
                Some(first) => {
                    return Err(Error::MixedCurrency { first: first.clone(), second: currency.into() });
                }
            }
        }
        self.into.expect_amount(row.customer, row.time, row.amount.is_some())?;
        let micros = row.amount.map_or(0, Money::micros);
        self.into.ledger.before.rows += 1;
        self.into.ledger.before.revenue_micros += i128::from(micros);
        match row.amount {
            Some(amount) if amount < Money::ZERO => self.notice(Notice::NegativeAmount),
            Some(Money::ZERO) => self.notice(Notice::ZeroAmount),
            _ => {}
        }
        if let Some(reason) = self.cleaning.refuses(&row) {
            self.refuse(line, reason, row.customer);
            return Ok(());
        }
        match row.event {
            Some(id) => self.into.push_event(id, row.customer, row.time, row.amount)?,
            None => {
                let key = Key::of(row.customer, &mut self.into.long);
                let grain = self.into.index(row.time);
                self.into.put(key, grain, micros);
            }
        }
        self.into.ledger.keep_row();
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
            return Err(Error::Row(RejectedRow {
                source,
                line,
                reason,
                field,
                value,
                allowed: allowed.into(),
            }));
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
        self.into.ledger.notice(fact);
    }

    fn columns(&mut self, line: u64, columns: &Columns<'_>) -> Result<bool> {
        // Rows that need a closer look are left to the way row by row.
        if self.cleaning.latest.is_some()
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
            let grain = self.into.index(Moment::from_days(columns.day[row]));
            self.into.put(key, grain, micros);
        }
        let ledger = &mut self.into.ledger;
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
