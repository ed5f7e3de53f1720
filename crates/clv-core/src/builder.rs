//! A log, row by row.

use std::collections::{HashMap, HashSet};

use crate::cleaning::{self, Cleaning, OutlierAction, Outliers, Policy, Returns};
use crate::error::{Error, Result};
use crate::identity::Identities;
use crate::ledger::{Notice, Reason, RejectedRow};
use crate::log::{Transaction, TransactionLog};
use crate::names::Names;
use crate::units::{Moment, Money};

/// Two rows are duplicates when customer, time, amount, order, product and the bits of the quantity agree.
type Same = (u32, Moment, Option<Money>, Option<u32>, Option<u32>, Option<u64>);

/// Builds a [`TransactionLog`] row by row, keeping the [`Ledger`](crate::Ledger).
#[derive(Debug, Default)]
pub struct LogBuilder {
    log: TransactionLog,
    cleaning: Cleaning,
    seen: HashSet<Same>,
    /// Identifiers of events that were taken in, with their rows.
    events: HashMap<String, usize>,
    /// Customers of rows that a policy left out, for the headline numbers.
    refused: Names,
    /// Sources and lines of the rows kept, where a policy may still leave them out.
    lines: Vec<(usize, u64)>,
    /// The sources that were named, in order; the last is being read.
    sources: Vec<String>,
    identities: Identities,
}

impl LogBuilder {
    /// An empty log with the default [`Cleaning`].
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty log with a cleaning of one's own.
    pub fn with(cleaning: Cleaning) -> Self {
        Self { cleaning, ..Self::default() }
    }

    /// Adds a row.
    ///
    /// # Errors
    ///
    /// [`Error::MixedAmounts`] if some rows have an amount and others not, [`Error::MixedCurrency`].
    /// In strict mode [`Error::Row`] for an empty customer.
    pub fn push(&mut self, row: Transaction<'_>) -> Result<()> {
        let line = self.log.ledger.read + 1;
        self.push_line(line, row)
    }

    /// Adds a row that stands on a line of a file.
    ///
    /// # Errors
    ///
    /// As [`LogBuilder::push`].
    pub fn push_line(&mut self, line: u64, row: Transaction<'_>) -> Result<()> {
        if row.customer.is_empty() {
            return self.reject(line, Reason::MissingCustomer, "customer", "", "a name that is not empty");
        }
        self.expect_amount(&row)?;
        self.expect_currency(&row)?;
        let before = &mut self.log.ledger.before;
        before.rows += 1;
        before.revenue_micros += row.amount.map_or(0, |a| i128::from(a.micros()));
        match row.amount {
            Some(amount) if amount < Money::ZERO => self.log.ledger.notice(Notice::NegativeAmount),
            Some(Money::ZERO) => self.log.ledger.notice(Notice::ZeroAmount),
            _ => {}
        }
        if let Some(reason) = self.cleaning.refuses(&row) {
            self.refuse(line, reason, &row);
            return Ok(());
        }
        let customer = self.log.customers.intern(row.customer);
        let order = row.order.map(|o| self.log.orders.intern(o));
        let product = row.product.map(|p| self.log.products.intern(p));
        if let Some(event) = row.event {
            if let Some(&known) = self.events.get(event) {
                self.settle_event(known, &row);
                self.refuse(line, Reason::Duplicate, &row);
                return Ok(());
            }
            self.events.insert(event.to_owned(), self.log.len());
        }
        if self.cleaning.duplicates == Policy::Drop {
            let quantity = row.quantity.map(f64::to_bits);
            if !self.seen.insert((customer, row.time, row.amount, order, product, quantity)) {
                self.refuse(line, Reason::Duplicate, &row);
                return Ok(());
            }
        }
        self.log.customer.push(customer);
        self.log.time.push(row.time);
        if let (Some(column), Some(amount)) = (&mut self.log.amount, row.amount) {
            column.push(amount);
        }
        // Optional columns stay empty until the first row that has one.
        pad(&mut self.log.order, self.log.customer.len(), order);
        pad(&mut self.log.product, self.log.customer.len(), product);
        pad(&mut self.log.quantity, self.log.customer.len(), row.quantity);
        if self.cleaning.decides_late() {
            self.lines.push((self.sources.len(), line));
        }
        self.log.ledger.keep_row();
        Ok(())
    }

    /// Enters a row that could not be read.
    ///
    /// # Errors
    ///
    /// [`Error::Row`] in strict mode.
    pub fn reject(
        &mut self,
        line: u64,
        reason: Reason,
        field: &str,
        value: &str,
        allowed: &'static str,
    ) -> Result<()> {
        if self.cleaning.strict {
            return Err(Error::Row(Box::new(self.quote(line, reason, field, value, allowed))));
        }
        if reason == Reason::MissingCustomer {
            self.log.ledger.notice(Notice::WithoutCustomer);
        }
        let row = self.quote(line, reason, field, value, allowed);
        self.log.ledger.drop_row(row);
        Ok(())
    }

    /// Enters a row that is sound, and is no purchase: another kind of record, or one not paid.
    pub fn set_aside(&mut self, line: u64, reason: Reason, field: &str, value: &str) {
        let row = self.quote(line, reason, field, value, "set by the shape of the file");
        self.log.ledger.drop_row(row);
    }

    /// The rows that follow are of this source, which is quoted with them.
    pub fn read_from(&mut self, source: &str) {
        self.sources.push(source.to_owned());
    }

    /// Which names are the same customer, for what is read before and after.
    pub fn identities(&mut self) -> &mut Identities {
        &mut self.identities
    }

    /// Notices a fact about the row that is being read.
    pub fn notice(&mut self, fact: Notice) {
        self.log.ledger.notice(fact);
    }

    /// Makes a customer known who has not bought: a prospect.
    pub fn prospect(&mut self, customer: &str) {
        self.log.customers.intern(customer);
    }

    /// The log, after what needs all rows: customers under the names that count, returns netted,
    /// outliers found.
    pub fn finish(mut self) -> TransactionLog {
        if !self.identities.is_empty() {
            self.settle();
        }
        let only_refused = self.refused.iter().filter(|name| self.log.customers.find(name).is_none()).count();
        let mut bought = vec![false; self.log.customers.len()];
        for &c in &self.log.customer {
            bought[c as usize] = true;
        }
        let also_refused = bought
            .iter()
            .zip(self.log.customers.iter())
            .filter(|(bought, name)| **bought || self.refused.find(name).is_some());
        self.log.ledger.before.customers = Some((only_refused + also_refused.count()) as u64);
        if self.cleaning.returns == Returns::Net {
            self.net_returns();
        }
        if let Some(outliers) = self.cleaning.outliers {
            self.treat_outliers(&outliers);
        }
        self.log
    }

    fn expect_amount(&mut self, row: &Transaction<'_>) -> Result<()> {
        // Before the first row that is kept or refused, either will do.
        if self.log.ledger.before.rows == 0 && row.amount.is_some() {
            self.log.amount = Some(Vec::new());
        }
        if row.amount.is_some() == self.log.amount.is_some() {
            return Ok(());
        }
        let (customer, time) = (row.customer.to_owned(), row.time.to_string());
        Err(Error::MixedAmounts { customer, time, present: row.amount.is_some() })
    }

    fn expect_currency(&mut self, row: &Transaction<'_>) -> Result<()> {
        let Some(currency) = row.currency else { return Ok(()) };
        match &self.log.currency {
            None => self.log.currency = Some(currency.to_owned()),
            Some(first) if first == currency => {}
            Some(first) => {
                return Err(Error::MixedCurrency { first: first.clone(), second: currency.into() });
            }
        }
        Ok(())
    }

    /// An event came again: of different contents the latest, then the larger counts, so that the
    /// order of delivery does not matter.
    fn settle_event(&mut self, known: usize, row: &Transaction<'_>) {
        let log = &mut self.log;
        let amount = |row: usize| log.amount.as_ref().map(|a| a[row]);
        let held = (log.time[known], amount(known), log.customers.name(log.customer[known]));
        let came = (row.time, row.amount, row.customer);
        if held == came {
            return;
        }
        let replaces = came > held;
        log.ledger.notice(Notice::Conflict);
        if replaces {
            log.time[known] = row.time;
            log.customer[known] = log.customers.intern(row.customer);
            if let (Some(column), Some(amount)) = (&mut log.amount, row.amount) {
                column[known] = amount;
            }
        }
    }

    /// Leaves a row out by a policy.
    fn refuse(&mut self, line: u64, reason: Reason, row: &Transaction<'_>) {
        self.refused.intern(row.customer);
        let (field, value) = match reason {
            Reason::Future => ("date", row.time.to_string()),
            Reason::Return | Reason::ZeroAmount => {
                ("amount", row.amount.map_or_else(String::new, |a| a.to_f64().to_string()))
            }
            _ => ("row", row.customer.to_owned()),
        };
        let row = self.quote(line, reason, field, &value, BY_POLICY);
        self.log.ledger.drop_row(row);
    }

    fn settle(&mut self) {
        let log = &mut self.log;
        let (numbers, customers) = self.identities.renumber(&log.customers);
        for customer in &mut log.customer {
            let name = log.customers.name(*customer);
            let settled = numbers[*customer as usize];
            if customers.name(settled) != name {
                log.ledger.notice(Notice::Alias);
            }
            *customer = settled;
        }
        log.customers = customers;
        self.refused = self.identities.renumber(&self.refused).1;
    }

    fn net_returns(&mut self) {
        let netted = cleaning::net(&mut self.log, self.cleaning.as_of);
        for _ in &netted.lowered {
            self.log.ledger.notice(Notice::Lowered);
        }
        self.leave_out(&[
            (Reason::ReturnMatched, &netted.matched),
            (Reason::ReturnUnmatched, &netted.unmatched),
            (Reason::Returned, &netted.returned),
        ]);
    }

    fn treat_outliers(&mut self, outliers: &Outliers) {
        let Some(amounts) = &mut self.log.amount else { return };
        let past = |row: &usize| self.cleaning.as_of.is_none_or(|moment| self.log.time[*row] <= moment);
        let known: Vec<Money> = (0..amounts.len()).filter(past).map(|row| amounts[row]).collect();
        let Some(fences) = outliers.fences(&known) else { return };
        let inside =
            |amount: &Money| *amount <= Money::ZERO || (fences.low..=fences.high).contains(&amount.to_f64());
        let far: Vec<usize> = (0..amounts.len()).filter(|&row| !inside(&amounts[row])).collect();
        match outliers.action() {
            OutlierAction::Drop => self.leave_out(&[(Reason::Outlier, &far)]),
            OutlierAction::Flag => far.iter().for_each(|_| self.log.ledger.notice(Notice::Far)),
            OutlierAction::Cap => {
                for &row in &far {
                    let fence = amounts[row].to_f64().clamp(fences.low, fences.high);
                    // The fence lies between an amount and the others, so it is a valid amount.
                    amounts[row] = Money::new(fence).unwrap_or(amounts[row]);
                    self.log.ledger.notice(Notice::Capped);
                }
            }
        }
    }

    fn quote(
        &self,
        line: u64,
        reason: Reason,
        field: &str,
        value: &str,
        allowed: &'static str,
    ) -> RejectedRow {
        let value = value.chars().take(80).collect();
        RejectedRow {
            source: self.sources.last().cloned(),
            line,
            reason,
            field: field.to_owned(),
            value,
            allowed: allowed.into(),
        }
    }

    /// Takes rows out of the log again, each with its reason.
    fn leave_out(&mut self, groups: &[(Reason, &[usize])]) {
        let mut keep = vec![true; self.log.len()];
        for (reason, rows) in groups {
            for &row in *rows {
                keep[row] = false;
                let amount = self.log.amount.as_ref().map_or(Money::ZERO, |a| a[row]);
                let value = amount.to_f64().to_string();
                let (source, line) = self.lines[row];
                let mut quoted = self.quote(line, *reason, "amount", &value, BY_POLICY);
                quoted.source = source.checked_sub(1).map(|s| self.sources[s].clone());
                self.log.ledger.unkeep_row(quoted);
            }
        }
        self.log.retain(&keep);
        let mut row = 0;
        self.lines.retain(|_| {
            row += 1;
            keep[row - 1]
        });
    }
}

const BY_POLICY: &str = "set by the cleaning policy";

fn pad<T: Copy>(column: &mut Vec<Option<T>>, len: usize, value: Option<T>) {
    if value.is_some() || !column.is_empty() {
        column.resize(len - 1, None);
        column.push(value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(n: i32) -> Moment {
        Moment::from_days(n)
    }

    #[test]
    fn every_row_is_accounted_for() {
        let cleaning =
            Cleaning { duplicates: Policy::Drop, zero_amounts: Policy::Drop, ..Cleaning::default() };
        let mut log = LogBuilder::with(cleaning);
        for (who, amount) in [("a", 5.0), ("a", 5.0), ("b", 0.0), ("c", -2.0), ("", 1.0), ("d", 1.0)] {
            log.push(Transaction::new(who, day(1)).amount(amount).unwrap()).unwrap();
        }
        let log = log.finish();
        assert!(log.ledger().adds_up());
        assert_eq!((log.ledger().read, log.ledger().kept, log.len()), (6, 2, 2));
        for reason in [Reason::Duplicate, Reason::ZeroAmount, Reason::Return, Reason::MissingCustomer] {
            assert_eq!(log.ledger().dropped_for(reason), 1, "{reason}");
        }
        assert_eq!(log.ledger().quoted.len(), 4);
    }

    #[test]
    fn mixing_amounts_or_currencies_is_refused() {
        let mut log = LogBuilder::new();
        let euro = |t| Transaction { currency: Some("EUR"), ..t };
        log.push(euro(Transaction::new("a", day(1)).amount(1.0).unwrap())).unwrap();
        assert!(matches!(log.push(Transaction::new("a", day(2))), Err(Error::MixedAmounts { .. })));
        let pound =
            Transaction { currency: Some("GBP"), ..Transaction::new("a", day(2)).amount(1.0).unwrap() };
        assert!(matches!(log.push(pound), Err(Error::MixedCurrency { .. })));
    }

    #[test]
    fn strict_stops_at_the_first_bad_row() {
        let mut log = LogBuilder::with(Cleaning { strict: true, ..Cleaning::default() });
        let error = log.reject(7, Reason::BadDate, "date", "31/31/1999", "YYYY-MM-DD").unwrap_err();
        assert!(error.to_string().contains("line 7") && error.to_string().contains("31/31/1999"), "{error}");
    }

    /// One row: customer, day, amount, order, product.
    type Line<'a> = (&'a str, i32, f64, Option<&'a str>, Option<&'a str>);

    fn cleaned(cleaning: Cleaning, rows: &[Line<'_>]) -> TransactionLog {
        let mut log = LogBuilder::with(cleaning);
        for &(customer, on, amount, order, product) in rows {
            let plain = Transaction::new(customer, day(on)).amount(amount).unwrap();
            log.push(Transaction { order, product, ..plain }).unwrap();
        }
        let log = log.finish();
        assert!(log.ledger().adds_up(), "{}", log.ledger());
        assert_eq!(log.ledger().kept, log.len() as u64);
        log
    }

    fn amounts(log: &TransactionLog) -> Vec<f64> {
        log.amount().unwrap().iter().map(|a| a.to_f64()).collect()
    }

    #[test]
    fn returns_are_taken_off_their_order_then_off_their_product_latest_first() {
        let net = Cleaning { returns: Returns::Net, ..Cleaning::default() };
        let log = cleaned(
            net,
            &[
                ("a", 1, 10.0, Some("o1"), Some("pen")),
                ("a", 2, 20.0, Some("o2"), Some("pen")),
                ("a", 3, 30.0, Some("o3"), Some("ink")),
                ("a", 4, -4.0, Some("o1"), Some("pen")), // its own order, though a later one has pens
                ("a", 5, -25.0, None, Some("pen")),      // 20 of o2, then 5 of the 6 left in o1
                ("a", 6, -31.0, None, Some("ink")),      // 30, and 1 finds nothing
                ("b", 7, -5.0, None, None),              // nothing to match
                ("b", 8, 9.0, None, None),               // later: not touched
            ],
        );
        assert_eq!(amounts(&log), [1.0, 9.0]);
        let ledger = log.ledger();
        for (reason, count) in
            [(Reason::ReturnMatched, 2), (Reason::ReturnUnmatched, 2), (Reason::Returned, 2)]
        {
            assert_eq!(ledger.dropped_for(reason), count, "{reason}");
        }
        assert_eq!((ledger.noticed(Notice::NegativeAmount), ledger.noticed(Notice::Lowered)), (4, 1));
        assert_eq!((ledger.before.rows, ledger.before.customers, ledger.before.revenue()), (8, Some(2), 4.0));
    }

    #[test]
    fn a_later_return_does_not_reach_into_the_past() {
        let rows: [Line<'_>; 3] =
            [("a", 1, 10.0, None, None), ("a", 5, 20.0, None, None), ("a", 9, -30.0, None, None)];
        let past = |rows: &[Line<'_>]| {
            let net = Cleaning { returns: Returns::Net, as_of: Some(day(6)), ..Cleaning::default() };
            amounts(&cleaned(net, rows))
        };
        assert_eq!(past(&rows), past(&rows[..2]));
        let anytime = Cleaning { returns: Returns::Net, ..Cleaning::default() };
        assert!(amounts(&cleaned(anytime, &rows)).is_empty());
        // Fences come from what was known.
        let fences = |rows: &[Line<'_>]| {
            let rule = cleaning::OutlierRule::Iqr(1.5);
            let outliers = Some(Outliers::new(rule, OutlierAction::Cap).unwrap());
            let known = Cleaning { outliers, as_of: Some(day(6)), ..Cleaning::default() };
            amounts(&cleaned(known, rows))[..5].to_vec()
        };
        let mut rows: Vec<Line<'_>> = [1.0, 2.0, 3.0, 4.0, 50.0].map(|a| ("a", 1, a, None, None)).to_vec();
        let want = fences(&rows);
        rows.extend([1e3, 2e3, 3e3, 4e3].map(|a| ("a", 9, a, None, None)));
        assert_eq!(fences(&rows), want);
    }

    #[test]
    fn events_delivered_again_are_settled_in_any_order() {
        let settled = |order: [usize; 3]| {
            let mut log = LogBuilder::new();
            let came = [(5, 1.0), (5, 2.0), (4, 9.0)];
            for i in order {
                let (on, amount) = came[i];
                let event = Transaction::new("a", day(on)).amount(amount).unwrap();
                log.push(Transaction { event: Some("e1"), ..event }).unwrap();
            }
            let log = log.finish();
            assert!(log.ledger().adds_up());
            assert_eq!(log.ledger().dropped_for(Reason::Duplicate), 2);
            (log.time()[0], log.amount().unwrap()[0])
        };
        assert_eq!(settled([0, 1, 2]), (day(5), Money::new(2.0).unwrap()));
        assert_eq!(settled([1, 2, 0]), settled([2, 0, 1]));
    }

    #[test]
    fn outliers_are_capped_dropped_or_flagged() {
        let rows: Vec<Line<'_>> =
            [1.0, 2.0, 3.0, 4.0, 500.0].iter().map(|a| ("a", 1, *a, None, None)).collect();
        let with = |action| Cleaning {
            outliers: Some(Outliers::new(cleaning::OutlierRule::Iqr(1.5), action).unwrap()),
            ..Cleaning::default()
        };
        // Quartiles 2 and 4: the upper fence is 7.
        let capped = cleaned(with(OutlierAction::Cap), &rows);
        assert_eq!(amounts(&capped), [1.0, 2.0, 3.0, 4.0, 7.0]);
        assert_eq!(capped.ledger().noticed(Notice::Capped), 1);
        let dropped = cleaned(with(OutlierAction::Drop), &rows);
        assert_eq!(amounts(&dropped), [1.0, 2.0, 3.0, 4.0]);
        assert_eq!(dropped.ledger().quoted[0].line, 5);
        let flagged = cleaned(with(OutlierAction::Flag), &rows);
        assert_eq!((flagged.len(), flagged.ledger().noticed(Notice::Far)), (5, 1));
    }

    #[test]
    fn the_future_and_trial_orders_are_left_out_when_told_what_they_are() {
        let cleaning =
            Cleaning { latest: Some(day(9)), test_marks: vec!["TEST".into()], ..Cleaning::default() };
        let log = cleaned(
            cleaning,
            &[
                ("a", 9, 1.0, None, None),
                ("a", 10, 1.0, None, None),
                ("qa", 1, 1.0, Some("#test-7"), None),
                ("b", 1, 0.0, None, None),
            ],
        );
        assert_eq!(log.len(), 2);
        assert_eq!(log.ledger().dropped_for(Reason::Future), 1);
        assert_eq!(log.ledger().dropped_for(Reason::TestOrder), 1);
        assert_eq!(log.ledger().before.customers, Some(3));
    }
}
