//! How to read.

use clv_core::Cleaning;

use crate::values::{DayOrMonth, Decimal, Zone};

/// What names a customer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CustomerKey {
    /// The text as it is.
    #[default]
    AsIs,
    /// An e-mail address, without surrounding space and in lower case.
    Email,
    /// The SHA-256 of that, in hexadecimal: what shops exchange instead of addresses. A text that
    /// is such a hash already is taken in lower case.
    EmailHash,
}

/// Which columns, which date format, which cleaning. What is left out is recognised.
///
/// ```
/// let options = clv_io::ReadOptions::new().customer("buyer").date_format("%d.%m.%Y");
/// # let _ = options;
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReadOptions {
    pub(crate) customer: Option<String>,
    pub(crate) date: Option<String>,
    pub(crate) amount: Option<String>,
    pub(crate) date_format: Option<String>,
    pub(crate) day_or_month: Option<DayOrMonth>,
    pub(crate) zone: Zone,
    pub(crate) decimal: Option<Decimal>,
    pub(crate) encoding: Option<String>,
    pub(crate) customer_key: CustomerKey,
    pub(crate) event: Option<String>,
    pub(crate) order: Option<String>,
    pub(crate) product: Option<String>,
    pub(crate) cleaning: Cleaning,
}

impl ReadOptions {
    /// Everything recognised, the default [`Cleaning`].
    pub fn new() -> Self {
        Self::default()
    }

    /// The column that names the customer.
    pub fn customer(self, column: impl Into<String>) -> Self {
        Self { customer: Some(column.into()), ..self }
    }

    /// The column with the date or time.
    pub fn date(self, column: impl Into<String>) -> Self {
        Self { date: Some(column.into()), ..self }
    }

    /// The column with the amount of the whole row. (Without it a quantity times a unit price will
    /// do, if both are recognised.)
    pub fn amount(self, column: impl Into<String>) -> Self {
        Self { amount: Some(column.into()), ..self }
    }

    /// The column with the order or invoice, which returns are matched by.
    pub fn order(self, column: impl Into<String>) -> Self {
        Self { order: Some(column.into()), ..self }
    }

    /// The column with the product, which returns are matched by.
    pub fn product(self, column: impl Into<String>) -> Self {
        Self { product: Some(column.into()), ..self }
    }

    /// The column that identifies an event: one delivered again is counted as a duplicate.
    pub fn event_id(self, column: impl Into<String>) -> Self {
        Self { event: Some(column.into()), ..self }
    }

    /// How dates are written, in the letters of `strftime`: `%m/%d/%Y %H:%M`.
    pub fn date_format(self, format: impl Into<String>) -> Self {
        Self { date_format: Some(format.into()), ..self }
    }

    /// Whether 01/02/2010 is the first of February. (What is left out is proved from the file.)
    pub fn day_or_month(self, first: DayOrMonth) -> Self {
        Self { day_or_month: Some(first), ..self }
    }

    /// Whose clock counts where an offset stands beside a time.
    pub fn zone(self, zone: Zone) -> Self {
        Self { zone, ..self }
    }

    /// What stands before the cents. (What is left out is proved from the file.)
    pub fn decimal(self, mark: Decimal) -> Self {
        Self { decimal: Some(mark), ..self }
    }

    /// The encoding of text files by its name in the Encoding Standard. (Left out: UTF-8, or what a
    /// byte order mark says.)
    pub fn encoding(self, label: impl Into<String>) -> Self {
        Self { encoding: Some(label.into()), ..self }
    }

    /// What names a customer.
    pub fn customer_key(self, key: CustomerKey) -> Self {
        Self { customer_key: key, ..self }
    }

    /// How rows are cleaned.
    pub fn cleaning(self, cleaning: Cleaning) -> Self {
        Self { cleaning, ..self }
    }
}
