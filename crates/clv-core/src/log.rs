//! Transactions, in columns.

use crate::builder::LogBuilder;
use crate::error::{Error, Result};
use crate::ledger::Ledger;
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
    /// What identifies this event, however often it is delivered.
    pub event: Option<&'a str>,
}

impl<'a> Transaction<'a> {
    /// A purchase without an amount.
    pub fn new(customer: &'a str, time: Moment) -> Self {
        Self {
            customer,
            time,
            amount: None,
            order: None,
            product: None,
            quantity: None,
            currency: None,
            event: None,
        }
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

/// Transactions in columns, customers interned.
#[derive(Clone, Debug, Default)]
pub struct TransactionLog {
    pub(crate) customers: Names,
    pub(crate) customer: Vec<u32>,
    pub(crate) time: Vec<Moment>,
    pub(crate) amount: Option<Vec<Money>>,
    pub(crate) orders: Names,
    pub(crate) order: Vec<Option<u32>>,
    pub(crate) products: Names,
    pub(crate) product: Vec<Option<u32>>,
    pub(crate) quantity: Vec<Option<f64>>,
    pub(crate) currency: Option<String>,
    pub(crate) ledger: Ledger,
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

    /// All products that rows name.
    pub fn products(&self) -> &Names {
        &self.products
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

    /// Makes a customer known who has not bought: a prospect.
    pub fn add_prospect(&mut self, customer: &str) {
        self.customers.intern(customer);
    }

    /// Leaves out the rows for which `keep` is false.
    pub(crate) fn retain(&mut self, keep: &[bool]) {
        fn filter<T>(column: &mut Vec<T>, keep: &[bool]) {
            let mut row = 0;
            column.retain(|_| {
                row += 1;
                keep[row - 1]
            });
        }
        filter(&mut self.customer, keep);
        filter(&mut self.time, keep);
        if let Some(amount) = &mut self.amount {
            filter(amount, keep);
        }
        // An optional column may end before the log does: no later row has one.
        filter(&mut self.order, keep);
        filter(&mut self.product, keep);
        filter(&mut self.quantity, keep);
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
