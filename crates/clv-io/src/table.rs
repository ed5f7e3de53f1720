//! A file as rows of cells, whatever its format.

use clv_core::Moment;
use clv_core::ledger::Reason;
use clv_core::scale::Columns;

use crate::columns::Column;
use crate::dress::Dress;
use crate::error::Result;
use crate::values::{DATES, MomentProblem, NUMBERS};

/// What stands in a cell.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Cell<'a> {
    Missing,
    Text(&'a str),
    Number(f64),
    /// A whole number that a double may not hold.
    Whole(i128),
    /// Microseconds since 1970, with the offset in seconds if it is an instant.
    Moment(i64, Option<i64>),
    /// Bytes that are no text in the file's encoding.
    NotText,
}

/// One row.
pub(crate) trait Row {
    fn cell(&self, position: usize) -> Cell<'_>;
}

/// What a file holds next.
pub(crate) enum Line<'a> {
    Row(&'a dyn Row),
    /// Something that is no row: what was found, what is allowed.
    Broken(&'a str, &'static str),
}

/// What is done with what a file holds.
pub(crate) trait Visit {
    /// A line and its number.
    fn line(&mut self, number: u64, line: Line<'_>) -> Result<()>;

    /// Many rows at once, the first of this number; false if they are wanted one by one.
    fn batch(&mut self, number: u64, batch: &mut dyn Batch) -> Result<bool> {
        let _ = (number, batch);
        Ok(false)
    }
}

impl<F: FnMut(u64, Line<'_>) -> Result<()>> Visit for F {
    fn line(&mut self, number: u64, line: Line<'_>) -> Result<()> {
        self(number, line)
    }
}

/// Many rows.
pub(crate) trait Batch {
    /// These columns as numbers: customers, days since 1970, amounts. `None` where one is of another
    /// type, has gaps, or is not as simple in every row.
    fn columns(&mut self, customer: usize, date: usize, amount: Option<usize>) -> Option<Columns<'_>>;
}

/// A file being read.
pub(crate) trait Table: Send {
    /// The names of the columns.
    fn header(&self) -> &[String];

    /// Some cells of a column as text, from the first rows; cells that are no text are left out.
    fn sample(&self, position: usize) -> Vec<String>;

    /// Goes through all rows; only these columns will be asked for. Gives the number of lines, where
    /// a part of a file cannot know how many stand before it.
    fn visit(self: Box<Self>, needed: &[usize], visit: &mut dyn Visit) -> Result<u64>;

    /// The same rows in up to so many parts, in order.
    fn split(self: Box<Self>, parts: usize) -> Vec<Box<dyn Table>>;
}

/// Why a row was refused: reason, field, value, what is allowed.
#[derive(Debug)]
pub(crate) struct Refused {
    pub reason: Reason,
    pub field: String,
    pub value: String,
    pub allowed: &'static str,
}

impl Refused {
    pub(crate) fn new(reason: Reason, column: &Column, value: &str, allowed: &'static str) -> Self {
        Self { reason, field: column.name.clone(), value: value.to_owned(), allowed }
    }
}

/// A row as the file's dress makes it read.
#[derive(Clone, Copy)]
pub(crate) struct Dressed<'a> {
    pub row: &'a dyn Row,
    pub dress: &'a Dress,
}

/// Enough for a name made of a whole number.
pub(crate) type Digits = itoa::Buffer;

impl<'a> Dressed<'a> {
    /// Trimmed text; empty where the cell is missing. Whole numbers are written as such.
    pub(crate) fn text(self, column: &Column, digits: &'a mut Digits) -> Result<&'a str, Refused> {
        match self.row.cell(column.position) {
            Cell::Missing => Ok(""),
            Cell::Text(text) => Ok(text.trim()),
            Cell::Number(n) if n.fract() == 0.0 && n.abs() < 9e15 => Ok(digits.format(n as i64)),
            Cell::Whole(n) => Ok(digits.format(n)),
            Cell::Number(n) if n.is_nan() => Ok(""),
            Cell::Number(n) => {
                Err(Refused::new(Reason::Malformed, column, &n.to_string(), "a whole number or text"))
            }
            Cell::Moment(..) => {
                Err(Refused::new(Reason::Malformed, column, "a date", "text or a whole number"))
            }
            Cell::NotText => Err(not_text(column)),
        }
    }

    pub(crate) fn moment(self, column: &Column) -> Result<Option<Moment>, Refused> {
        let refused = |value: &str| Refused::new(Reason::BadDate, column, value, DATES);
        match self.row.cell(column.position) {
            Cell::Missing => Ok(None),
            Cell::Moment(wall, offset) => {
                let moment = self.dress.dates.zone.settle(wall, offset);
                let moment = moment.filter(|m| m.is_of_the_calendar());
                moment.map(Some).ok_or_else(|| refused(&format!("{wall} µs since 1970")))
            }
            Cell::Text(text) => match text.trim() {
                "" => Ok(None),
                text => self.dress.dates.read(text).map(Some).map_err(|problem| match problem {
                    MomentProblem::Unreadable => refused(text),
                    MomentProblem::Ambiguous => Refused::new(Reason::BadDate, column, text, TELL_APART),
                }),
            },
            // 20101231 as a number.
            Cell::Number(_) | Cell::Whole(_) => {
                let text = match self.row.cell(column.position) {
                    Cell::Whole(n) => n.to_string(),
                    Cell::Number(n) => n.to_string(),
                    _ => String::new(),
                };
                self.dress.dates.read(&text).map(Some).map_err(|_| refused(&text))
            }
            Cell::NotText => Err(not_text(column)),
        }
    }

    pub(crate) fn number(self, column: &Column, bad: Reason) -> Result<Option<f64>, Refused> {
        match self.row.cell(column.position) {
            Cell::Missing => Ok(None),
            Cell::Whole(n) => Ok(Some(n as f64)),
            Cell::Number(n) if n.is_finite() => Ok(Some(n)),
            Cell::Number(n) => Err(Refused::new(bad, column, &n.to_string(), NUMBERS)),
            Cell::Text(text) => match text.trim() {
                "" => Ok(None),
                text => {
                    let number = self.dress.decimal.read(text);
                    number.map(Some).ok_or_else(|| Refused::new(bad, column, text, NUMBERS))
                }
            },
            Cell::Moment(..) => Err(Refused::new(bad, column, "a date", NUMBERS)),
            Cell::NotText => Err(not_text(column)),
        }
    }
}

const TELL_APART: &str = "a date whose day and month can be told apart; name the form with --date-format";

fn not_text(column: &Column) -> Refused {
    let allowed = "UTF-8 text; name another encoding with --encoding, such as windows-1252";
    Refused::new(Reason::Malformed, column, "bytes that are not UTF-8", allowed)
}
