//! How to read.

use clv_core::log::Cleaning;

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

    /// How dates are written, in the letters of `strftime`: `%m/%d/%Y %H:%M`.
    pub fn date_format(self, format: impl Into<String>) -> Self {
        Self { date_format: Some(format.into()), ..self }
    }

    /// How rows are cleaned.
    pub fn cleaning(self, cleaning: Cleaning) -> Self {
        Self { cleaning, ..self }
    }
}
