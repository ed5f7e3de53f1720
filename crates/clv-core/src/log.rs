//! Transactions, in columns.

use std::collections::HashSet;

use crate::error::{Error, Result};
use crate::ledger::{Ledger, Reason, RejectedRow};
use crate::names::Names;
use crate::units::{Moment, Money};

/// One purchase, return or order line, on its way into a log.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Transaction<'a> {
    /// Who.
    pub customer: &'a str,
    /// When.
    pub time: Moment,
    /// For how much, all in all.
    pub amount: Option<Money>,
    /// In which order or invoice.
    pub order: Option<&'a str>,
    /// Which product.
    pub product: Option<&'a str>,
    /// How many.
    pub quantity: Option<f64>,
    /// In which currency.
    pub currency: Option<&'a str>,
}

impl<'a> Transaction<'a> {
    /// A purchase without an amount.
    pub fn new(customer: &'a str, time: Moment) -> Self {
        Self { customer, time, amount: None, order: None, product: None, quantity: None, currency: None }
    }

    /// With an amount.
    ///
    /// # Errors
    ///
    /// As [`Money::new`].
    pub fn amount(self, amount: f64) -> Result<Self> {
        Ok(Self { amount: Some(Money::new(amount)?), ..self })
    }
}

/// What to do with a kind of row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// It enters the log.
    Keep,
    /// It does not, and is counted.
    Drop,
}

/// How rows are cleaned on their way in.
///
/// | Name | Default | Why |
/// | :-- | :-- | :-- |
/// | `zero_amounts` | keep | 8 of CDNOW's 2,357 customers bought only for nothing; published numbers count them |
/// | `returns` | drop | a negative amount is no purchase; keep nets it against the same day's purchases |
/// | `duplicates` | keep | equal rows merge into their day anyway, and may be two equal purchases |
/// | `strict` | false | stop at the first row that cannot be read |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cleaning {
    /// Rows with an amount of zero.
    pub zero_amounts: Policy,
    /// Rows with a negative amount.
    pub returns: Policy,
    /// Rows equal to an earlier one in every field.
    pub duplicates: Policy,
    /// Whether a row that cannot be read is an error.
    pub strict: bool,
}

impl Default for Cleaning {
    fn default() -> Self {
        Self { zero_amounts: Policy::Keep, returns: Policy::Drop, duplicates: Policy::Keep, strict: false }
    }
}

/// Transactions in columns, customers interned.
#[derive(Clone, Debug, Default)]
pub struct TransactionLog {
    customers: Names,
    customer: Vec<u32>,
    time: Vec<Moment>,
    amount: Option<Vec<Money>>,
    orders: Names,
    order: Vec<Option<u32>>,
    products: Names,
    product: Vec<Option<u32>>,
    quantity: Vec<Option<f64>>,
    currency: Option<String>,
    ledger: Ledger,
}

impl TransactionLog {
    /// Number of transactions.
    pub fn len(&self) -> usize {
        self.customer.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.customer.is_empty()
    }

    /// The customers, prospects included.
    pub fn customers(&self) -> &Names {
        &self.customers
    }

    /// Who bought, row by row: numbers into [`TransactionLog::customers`].
    pub fn customer(&self) -> &[u32] {
        &self.customer
    }

    /// When, row by row.
    pub fn time(&self) -> &[Moment] {
        &self.time
    }

    /// For how much, row by row, if the log has amounts.
    pub fn amount(&self) -> Option<&[Money]> {
        self.amount.as_deref()
    }

    /// The order of a row.
    pub fn order(&self, row: usize) -> Option<&str> {
        self.order.get(row).copied().flatten().map(|i| self.orders.name(i))
    }

    /// The product of a row.
    pub fn product(&self, row: usize) -> Option<&str> {
        self.product.get(row).copied().flatten().map(|i| self.products.name(i))
    }

    /// The quantity of a row.
    pub fn quantity(&self, row: usize) -> Option<f64> {
        self.quantity.get(row).copied().flatten()
    }

    /// The log's one currency, if stated.
    pub fn currency(&self) -> Option<&str> {
        self.currency.as_deref()
    }

    /// What became of each row on the way in.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The first and the last moment.
    pub fn span(&self) -> Option<(Moment, Moment)> {
        Some((*self.time.iter().min()?, *self.time.iter().max()?))
    }

    /// A log from columns in memory: one name per row, one moment per row, amounts or none.
    ///
    /// # Errors
    ///
    /// [`Error::Length`] if the columns differ in length.
    pub fn from_columns<S: AsRef<str>>(
        customers: &[S],
        times: &[Moment],
        amounts: Option<&[Money]>,
    ) -> Result<Self> {
        let check = |column, given| {
            if given == customers.len() {
                Ok(())
            } else {
                Err(Error::Length { column, given, expected: customers.len() })
            }
        };
        check("time", times.len())?;
        amounts.map_or(Ok(()), |a| check("amount", a.len()))?;
        let mut builder = LogBuilder::new();
        for (i, customer) in customers.iter().enumerate() {
            let amount = amounts.map(|a| a[i]);
            builder.push(Transaction { amount, ..Transaction::new(customer.as_ref(), times[i]) })?;
        }
        Ok(builder.finish())
    }
}

/// Two rows are duplicates when customer, time, amount, order, product and the bits of the quantity agree.
type Same = (u32, Moment, Option<Money>, Option<u32>, Option<u32>, Option<u64>);

/// Builds a [`TransactionLog`] row by row, keeping the [`Ledger`].
#[derive(Debug, Default)]
pub struct LogBuilder {
    log: TransactionLog,
    cleaning: Cleaning,
    seen: HashSet<Same>,
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
        if self.log.is_empty() && row.amount.is_some() {
            self.log.amount = Some(Vec::new());
        }
        if row.amount.is_some() != self.log.amount.is_some() {
            let time = row.time.to_string();
            return Err(Error::MixedAmounts {
                customer: row.customer.into(),
                time,
                present: row.amount.is_some(),
            });
        }
        if let Some(currency) = row.currency {
            match &self.log.currency {
                None => self.log.currency = Some(currency.to_owned()),
                Some(first) if first == currency => {}
                Some(first) => {
                    return Err(Error::MixedCurrency { first: first.clone(), second: currency.into() });
                }
            }
        }
        let policy = match row.amount {
            Some(amount) if amount < Money::ZERO => Some((self.cleaning.returns, Reason::Return)),
            Some(amount) if amount == Money::ZERO => Some((self.cleaning.zero_amounts, Reason::ZeroAmount)),
            _ => None,
        };
        if let Some((Policy::Drop, reason)) = policy {
            let value = row.amount.map_or_else(String::new, |a| a.to_f64().to_string());
            self.drop_row(line, reason, "amount", &value, "set by the cleaning policy");
            return Ok(());
        }
        let customer = self.log.customers.intern(row.customer);
        let order = row.order.map(|o| self.log.orders.intern(o));
        let product = row.product.map(|p| self.log.products.intern(p));
        if self.cleaning.duplicates == Policy::Drop
            && !self.seen.insert((
                customer,
                row.time,
                row.amount,
                order,
                product,
                row.quantity.map(f64::to_bits),
            ))
        {
            self.drop_row(line, Reason::Duplicate, "row", row.customer, "set by the cleaning policy");
            return Ok(());
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
            return Err(Error::Row(quote(line, reason, field, value, allowed)));
        }
        self.drop_row(line, reason, field, value, allowed);
        Ok(())
    }

    /// Makes a customer known who has not bought: a prospect.
    pub fn prospect(&mut self, customer: &str) {
        self.log.customers.intern(customer);
    }

    /// The log.
    pub fn finish(self) -> TransactionLog {
        self.log
    }

    fn drop_row(&mut self, line: u64, reason: Reason, field: &str, value: &str, allowed: &'static str) {
        self.log.ledger.drop_row(quote(line, reason, field, value, allowed));
    }
}

fn quote(line: u64, reason: Reason, field: &str, value: &str, allowed: &'static str) -> RejectedRow {
    RejectedRow { line, reason, field: field.to_owned(), value: value.chars().take(80).collect(), allowed }
}

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
}
