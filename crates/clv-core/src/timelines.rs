//! What is known of customers over time.

use std::collections::HashMap;

use crate::error::{Error, Result};
use crate::units::Moment;

/// Values that change with time: seasons, prices, mailings.
///
/// Each row holds from its moment until the next row of the same customer. The last one holds as long as the one before it did, and a single
/// row for ever; beyond that nothing is known, and asking is an error: a forecast needs the future of its covariates.
///
/// ```
/// use clv_core::{Moment, Timelines};
///
/// let mut season = Timelines::new(["high_season"])?;
/// season.state(None, Moment::parse_date("2024-01-01")?, &[0.0])?;      // of everybody
/// season.state(None, Moment::parse_date("2024-11-15")?, &[1.0])?;
/// season.state(None, Moment::parse_date("2025-01-01")?, &[0.0])?;
/// # Ok::<(), clv_core::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Timelines {
    columns: Vec<String>,
    everybody: Line,
    customers: HashMap<String, Line>,
}

/// One customer's rows over time, in order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Line {
    from: Vec<Moment>,
    values: Vec<f64>,
}

impl Timelines {
    /// Of these columns.
    ///
    /// # Errors
    ///
    /// [`Error::ColumnTwice`].
    pub fn new<S: Into<String>>(columns: impl IntoIterator<Item = S>) -> Result<Self> {
        let columns: Vec<String> = columns.into_iter().map(Into::into).collect();
        for (place, column) in columns.iter().enumerate() {
            if columns[..place].contains(column) {
                return Err(Error::ColumnTwice { column: column.clone() });
            }
        }
        Ok(Self { columns, ..Self::default() })
    }

    /// The columns.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// States the values of a customer, or of everybody who has none of their own, from a moment on. Rows may come in any order.
    ///
    /// # Errors
    ///
    /// [`Error::Length`] unless there is a value for each column; [`Error::Attribute`] for one that is not finite, or a moment that has
    /// been stated otherwise.
    pub fn state(&mut self, customer: Option<&str>, from: Moment, values: &[f64]) -> Result<()> {
        if values.len() != self.columns.len() {
            let (given, expected) = (values.len(), self.columns.len());
            return Err(Error::Length { column: "values over time", given, expected });
        }
        let whose = || customer.unwrap_or("everybody").to_owned();
        if let Some(place) = values.iter().position(|v| !v.is_finite()) {
            return Err(Error::Attribute {
                whose: whose(),
                attribute: self.columns[place].clone(),
                given: format!("{} from {}", values[place], from.date()),
                allowed: "a finite number",
            });
        }
        let line = match customer {
            None => &mut self.everybody,
            Some(name) => self.customers.entry(name.to_owned()).or_default(),
        };
        let width = values.len();
        match line.from.binary_search(&from) {
            Ok(at) if line.values[at * width..(at + 1) * width] == *values => {}
            Ok(at) => {
                let other = |place: &usize| line.values[at * width + place] != values[*place];
                let place = (0..width).find(other).unwrap_or_default();
                return Err(Error::Attribute {
                    whose: whose(),
                    attribute: self.columns[place].clone(),
                    given: format!("{} from {}", values[place], from.date()),
                    allowed: "what was stated before of the same moment",
                });
            }
            Err(at) => {
                line.from.insert(at, from);
                line.values.splice(at * width..at * width, values.iter().copied());
            }
        }
        Ok(())
    }

    /// Adds all that another states, of the same columns in any order: what is to come, beside what has been.
    ///
    /// # Errors
    ///
    /// [`Error::MissingColumn`] for a column that only one of the two has; as [`Timelines::state`] for a moment that has been stated otherwise.
    pub fn absorb(&mut self, other: &Self) -> Result<()> {
        let missing =
            |column: &String| Error::MissingColumn { model: "a table over time", column: column.clone() };
        let place = |column: &String| other.position(column).ok_or_else(|| missing(column));
        let places: Vec<usize> = self.columns.iter().map(place).collect::<Result<_>>()?;
        if let Some(more) = other.columns.iter().find(|column| self.position(column).is_none()) {
            return Err(missing(more));
        }
        let everybody = std::iter::once((None, &other.everybody));
        let customers = other.customers.iter().map(|(name, line)| (Some(name.as_str()), line));
        let mut values = Vec::with_capacity(places.len());
        for (customer, line) in everybody.chain(customers) {
            for (row, from) in line.from.iter().enumerate() {
                values.clear();
                values.extend(places.iter().map(|place| line.values[row * places.len() + place]));
                self.state(customer, *from, &values)?;
            }
        }
        Ok(())
    }

    /// A customer's own rows, or everybody's.
    pub fn line(&self, customer: &str) -> &Line {
        self.customers.get(customer).unwrap_or(&self.everybody)
    }

    /// Where a column stands.
    pub fn position(&self, column: &str) -> Option<usize> {
        self.columns.iter().position(|c| c == column)
    }

    /// Refuses a stretch of time of which not all is known.
    ///
    /// # Errors
    ///
    /// [`Error::Attribute`] naming the customer, the first column, and from when or until when nothing is known.
    pub fn expect(&self, customer: &str, from: Moment, to: Moment) -> Result<()> {
        let line = self.line(customer);
        let unknown = |given: String| Error::Attribute {
            whose: customer.to_owned(),
            attribute: self.columns.first().cloned().unwrap_or_default(),
            given,
            allowed: "values over all the time that is asked about",
        };
        let Some(first) = line.from.first().copied() else {
            return Err(unknown("nothing".into()));
        };
        if first > from {
            return Err(unknown(format!("nothing before {}, needed from {}", first.date(), from.date())));
        }
        match line.ends() {
            Some(end) if to > end => {
                let (end, to) = (end.date(), to.date());
                Err(unknown(format!(
                    "nothing from {end} on, needed until {to} (the last row holds as long as the one before it)"
                )))
            }
            _ => Ok(()),
        }
    }
}

impl Line {
    /// When the last row no longer holds.
    fn ends(&self) -> Option<Moment> {
        let [.., before, last] = &self.from[..] else { return None };
        Some(Moment::from_micros(2 * last.micros() - before.micros()))
    }

    /// The moments within `(from, to]` at which something changes.
    pub fn changes(&self, from: Moment, to: Moment) -> &[Moment] {
        let start = self.from.partition_point(|m| *m <= from);
        let end = self.from.partition_point(|m| *m <= to);
        &self.from[start..end.max(start)]
    }

    /// The row, of so many columns, that holds at a moment; the first one before it.
    ///
    /// # Panics
    ///
    /// If there are no rows.
    pub fn at(&self, moment: Moment, width: usize) -> &[f64] {
        let place = self.from.partition_point(|m| *m <= moment).saturating_sub(1);
        &self.values[place * width..(place + 1) * width]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn past_and_future_are_one_table() {
        let day = |text| Moment::parse_date(text).unwrap();
        let mut past = Timelines::new(["price", "season"]).unwrap();
        past.state(None, day("2024-01-01"), &[2.0, 0.0]).unwrap();
        past.state(Some("ada"), day("2024-01-01"), &[3.0, 0.0]).unwrap();
        let mut future = Timelines::new(["season", "price"]).unwrap();
        future.state(None, day("2024-06-01"), &[1.0, 2.5]).unwrap();
        future.state(Some("bob"), day("2024-06-01"), &[1.0, 9.0]).unwrap();
        future.state(None, day("2024-01-01"), &[0.0, 2.0]).unwrap();
        past.absorb(&future).unwrap();
        assert_eq!(past.line("nobody").at(day("2024-07-01"), 2), [2.5, 1.0]);
        assert_eq!(past.line("bob").at(day("2024-07-01"), 2), [9.0, 1.0]);
        assert_eq!(past.line("ada").at(day("2024-07-01"), 2), [3.0, 0.0]);
        let mut otherwise = Timelines::new(["season", "price"]).unwrap();
        otherwise.state(None, day("2024-06-01"), &[0.0, 2.5]).unwrap();
        let error = past.absorb(&otherwise).unwrap_err().to_string();
        assert!(error.contains("season") && error.contains("2024-06-01"), "{error}");
        for columns in [&["season"][..], &["season", "price", "mailed"]] {
            let other = Timelines::new(columns.iter().copied()).unwrap();
            assert!(matches!(past.absorb(&other), Err(Error::MissingColumn { .. })), "{columns:?}");
        }
    }
}
