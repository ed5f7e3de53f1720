//! Dates and numbers as shops write them.

mod dates;
mod numbers;
mod zone;

pub(crate) use dates::iso_days;
pub use dates::{Dates, DayOrMonth, MomentProblem};
pub use numbers::Decimal;
pub use zone::Zone;

/// What [`Dates::read`] understands.
pub const DATES: &str = "a date such as 2010-12-31, 31.12.2010, 12/31/2010, 31 Dec 2010 or 20101231, with a time \
                         HH:MM[:SS] if wanted, in one order of day and month, or another form named by --date-format";
/// What [`Decimal::read`] understands.
pub const NUMBERS: &str = "a number such as 12.50 (or 12,50 with a decimal comma)";
