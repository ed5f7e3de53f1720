//! How a file writes dates and numbers, proved from its first rows.

use std::fmt;
use std::path::Path;

use crate::columns::{AmountFrom, Column, Recognised, Shape};
use crate::error::{Error, Result};
use crate::options::ReadOptions;
use crate::table::Table;
use crate::values::{Dates, DayOrMonth, Decimal, MomentProblem};

/// How a file writes dates and numbers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Dress {
    /// Dates and times.
    pub dates: Dates,
    /// Numbers.
    pub decimal: Decimal,
}

impl Dress {
    /// What the options say, and where they say nothing what the first rows prove.
    pub(crate) fn of(
        table: &dyn Table,
        columns: &Recognised,
        options: &ReadOptions,
        path: &Path,
    ) -> Result<Self> {
        let amounts: Vec<&Column> = match &columns.amount {
            None => columns.quantity.iter().collect(),
            Some(AmountFrom::Column(column)) => vec![column],
            Some(AmountFrom::Product { quantity, price }) => vec![price, quantity],
        };
        let decimal = options.decimal.unwrap_or_else(|| {
            let sample: Vec<String> = amounts.iter().flat_map(|c| table.sample(c.position)).collect();
            Decimal::proved(sample.iter().map(String::as_str))
        });
        let dates = Self::dates(table, &columns.date, columns.shape, options, path)?;
        Ok(Self { dates, decimal })
    }

    /// The same for a date column alone.
    pub(crate) fn dates(
        table: &dyn Table,
        column: &Column,
        shape: Shape,
        options: &ReadOptions,
        path: &Path,
    ) -> Result<Dates> {
        let mut dates = Dates {
            format: options.date_format.clone(),
            order: options.day_or_month,
            zone: options.zone.clone(),
        };
        if dates.format.is_some() || dates.order.is_some() {
            return Ok(dates);
        }
        let sample = table.sample(column.position);
        dates.order = Dates::proved_order(sample.iter().map(String::as_str));
        if dates.order.is_none() && shape == Shape::UciOnlineRetail {
            dates.order = Some(DayOrMonth::MonthFirst);
        }
        match sample.iter().find(|text| dates.read(text) == Err(MomentProblem::Ambiguous)) {
            None => Ok(dates),
            Some(example) => Err(Error::AmbiguousDates {
                path: path.into(),
                column: column.name.clone(),
                example: example.clone(),
            }),
        }
    }
}

impl fmt::Display for Dress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.dates.format, self.dates.order) {
            (Some(format), _) => write!(f, "dates as {format}")?,
            (None, Some(DayOrMonth::DayFirst)) => write!(f, "dates with the day first")?,
            (None, Some(DayOrMonth::MonthFirst)) => write!(f, "dates with the month first")?,
            (None, None) => write!(f, "dates with the year first")?,
        }
        match self.decimal {
            Decimal::Comma => write!(f, ", decimal commas"),
            Decimal::Point => write!(f, ", decimal points"),
        }
    }
}
