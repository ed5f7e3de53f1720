//! Moments, spans, grains, money and discount: no bare number crosses the border.
//!
//! Two things are kept apart: the event [`Grain`] says which purchases are one (two on the same day,
//! by default), the [`TimeUnit`] says in what a model counts.

use std::fmt;
use std::str::FromStr;

use jiff::civil::{Date, DateTime};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

const MICROS_PER_DAY: i64 = 86_400_000_000;
const EPOCH: DateTime = DateTime::constant(1970, 1, 1, 0, 0, 0, 0);

/// A point in time, exact to the microsecond, in the data's own zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Moment(i64);

impl Moment {
    /// From microseconds since 1970-01-01 00:00.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// From days since 1970-01-01.
    pub const fn from_days(days: i32) -> Self {
        Self((days as i64).saturating_mul(MICROS_PER_DAY))
    }

    /// The first moment that a file may name: year 1.
    pub const FIRST: Self = Self::from_days(-719_162);
    /// The last moment that a file may name: the end of year 9999.
    pub const LAST: Self = Self(2_932_897 * MICROS_PER_DAY - 1);

    /// Whether it lies in the years 1 to 9999, beyond which a date is a slip of a file.
    pub fn is_of_the_calendar(self) -> bool {
        (Self::FIRST..=Self::LAST).contains(&self)
    }

    /// Microseconds since 1970-01-01 00:00.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Reads `1997-01-31` or `19970131`.
    ///
    /// # Errors
    ///
    /// [`Error::Unreadable`] with the text given.
    pub fn parse_date(text: &str) -> Result<Self> {
        // jiff's date parser drops a time of day; a text with one is not a date.
        let plausible = matches!(text.len(), 8 | 10);
        match text.parse::<Date>() {
            Ok(date) if plausible => Ok(Self::from(date.to_datetime(jiff::civil::Time::midnight()))),
            _ => Err(Error::Unreadable {
                what: "date",
                given: text.to_owned(),
                allowed: "YYYY-MM-DD or YYYYMMDD",
            }),
        }
    }

    /// The calendar date.
    pub fn date(self) -> Date {
        self.datetime().date()
    }

    /// The date and time of day; clamped to jiff's years −9999 to 9999.
    pub fn datetime(self) -> DateTime {
        EPOCH.saturating_add(jiff::SignedDuration::from_micros(self.0))
    }

    /// Days from `earlier` to here, with fraction.
    pub fn days_since(self, earlier: Self) -> f64 {
        self.0.saturating_sub(earlier.0) as f64 / MICROS_PER_DAY as f64
    }

    /// This moment moved by a span, forwards or (with a negative sign) backwards.
    pub fn plus_days(self, days: f64) -> Self {
        Self(self.0.saturating_add((days * MICROS_PER_DAY as f64).round() as i64))
    }

    /// So many units of the calendar later: months and years by their names, from the end of a month to that of a shorter one. None beyond the calendar.
    pub fn later(self, units: i64, unit: TimeUnit) -> Option<Self> {
        let by = match unit {
            TimeUnit::Day => jiff::Span::new().try_days(units),
            TimeUnit::Week => jiff::Span::new().try_weeks(units),
            TimeUnit::Month => jiff::Span::new().try_months(units),
            TimeUnit::Year => jiff::Span::new().try_years(units),
        };
        self.datetime().checked_add(by.ok()?).ok().map(Self::from)
    }
}

impl From<DateTime> for Moment {
    fn from(when: DateTime) -> Self {
        let since = when.duration_since(EPOCH);
        Self(since.as_secs() * 1_000_000 + i64::from(since.subsec_micros()))
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.rem_euclid(MICROS_PER_DAY) == 0 {
            write!(f, "{}", self.date())
        } else {
            write!(f, "{}", self.datetime())
        }
    }
}

/// The unit in which a model counts time.
///
/// A month is a twelfth of 365.25 days, a year 365.25 days: lengths, not calendar pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TimeUnit {
    /// 1 day.
    Day,
    /// 7 days.
    #[default]
    Week,
    /// 30.4375 days.
    Month,
    /// 365.25 days.
    Year,
}

impl TimeUnit {
    /// Length in days.
    pub const fn days(self) -> f64 {
        match self {
            Self::Day => 1.0,
            Self::Week => 7.0,
            Self::Month => 365.25 / 12.0,
            Self::Year => 365.25,
        }
    }

    /// How many make a year of 365.25 days.
    pub const fn per_year(self) -> f64 {
        365.25 / self.days()
    }
}

impl TimeUnit {
    /// The grain that is one unit by the calendar.
    pub fn grain(self) -> Grain {
        match self {
            Self::Day => Grain::Day,
            Self::Week => Grain::Week,
            Self::Month => Grain::Month,
            Self::Year => Grain::Year,
        }
    }
}

impl fmt::Display for TimeUnit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Year => "year",
        })
    }
}

impl FromStr for TimeUnit {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        Ok(match text {
            "day" => Self::Day,
            "week" => Self::Week,
            "month" => Self::Month,
            "year" => Self::Year,
            _ => {
                return Err(Error::Unreadable {
                    what: "time unit",
                    given: text.into(),
                    allowed: "day, week, month, year",
                });
            }
        })
    }
}

/// What merges: purchases of one customer within the same grain are one purchase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Grain {
    /// Nothing merges unless it is at the same microsecond.
    Exact,
    /// The clock hour.
    Hour,
    /// The calendar day.
    #[default]
    Day,
    /// The week from Monday.
    Week,
    /// The calendar month.
    Month,
    /// The calendar year.
    Year,
}

impl Grain {
    /// Whether one grain is one unit of time.
    pub fn is_one(self, unit: TimeUnit) -> bool {
        self == unit.grain()
    }

    /// The start of the grain in which a moment lies.
    pub fn floor(self, when: Moment) -> Moment {
        self.start(self.index(when))
    }

    /// The number of the grain in which a moment lies, counted from that of 1970-01-01.
    #[inline]
    pub fn index(self, when: Moment) -> i64 {
        match self.length() {
            Ok((length, offset)) => when.0.saturating_add(offset).div_euclid(length),
            Err(months) => months_of(when).div_euclid(months),
        }
    }

    /// The start of the grain of this number.
    #[inline]
    pub fn start(self, index: i64) -> Moment {
        match self.length() {
            Ok((length, offset)) => Moment(index.saturating_mul(length).saturating_sub(offset)),
            Err(months) => first_of(index.saturating_mul(months)),
        }
    }

    /// Microseconds in a grain, and how long before 1970-01-01 that day's grain began; or calendar months.
    const fn length(self) -> std::result::Result<(i64, i64), i64> {
        match self {
            Self::Exact => Ok((1, 0)),
            Self::Hour => Ok((3_600_000_000, 0)),
            Self::Day => Ok((MICROS_PER_DAY, 0)),
            // 1970-01-01 was a Thursday, three days after a Monday.
            Self::Week => Ok((7 * MICROS_PER_DAY, 3 * MICROS_PER_DAY)),
            Self::Month => Err(1),
            Self::Year => Err(12),
        }
    }

    /// The start of the grain in which a moment lies, moved by days: by whole grains where these are of unlike lengths, as many as come
    /// nearest.
    pub(crate) fn moved(self, from: Moment, days: f64) -> Moment {
        match self.length() {
            Ok(_) => self.floor(from.plus_days(days)),
            Err(months) => {
                // A span that is one moves by a grain at least.
                let exact = days / (months as f64 * TimeUnit::Month.days());
                let grains = exact.abs().round().max(f64::from(u8::from(days != 0.0))).copysign(exact);
                self.start(self.index(from).saturating_add(grains as i64))
            }
        }
    }
}

/// Calendar months from January 1970.
fn months_of(when: Moment) -> i64 {
    let date = when.date();
    (i64::from(date.year()) - 1970) * 12 + i64::from(date.month()) - 1
}

/// The first moment of a calendar month, by its number from January 1970; clamped to jiff's years.
fn first_of(months: i64) -> Moment {
    let year = months.div_euclid(12).saturating_add(1970).clamp(-9999, 9999) as i16;
    let first = Date::new(year, months.rem_euclid(12) as i8 + 1, 1);
    first.map_or(Moment::LAST, |date| Moment::from(date.to_datetime(jiff::civil::Time::midnight())))
}

impl FromStr for Grain {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        Ok(match text {
            "exact" => Self::Exact,
            "hour" => Self::Hour,
            "day" => Self::Day,
            "week" => Self::Week,
            "month" => Self::Month,
            "year" => Self::Year,
            _ => {
                return Err(Error::Unreadable {
                    what: "grain",
                    given: text.into(),
                    allowed: "exact, hour, day, week, month, year",
                });
            }
        })
    }
}

impl fmt::Display for Grain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Exact => "exact",
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Year => "year",
        })
    }
}

/// A length of time that carries its unit: a horizon, a window.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Span {
    length: f64,
    unit: TimeUnit,
}

impl Span {
    /// A span of `length` units.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] unless `length` is finite and not negative.
    pub fn new(length: f64, unit: TimeUnit) -> Result<Self> {
        if length.is_finite() && length >= 0.0 {
            Ok(Self { length, unit })
        } else {
            Err(Error::Setting { name: "length of a span", given: length, allowed: "finite, at least 0" })
        }
    }

    /// A span of weeks; see [`Span::new`].
    ///
    /// # Errors
    ///
    /// As [`Span::new`].
    pub fn weeks(length: f64) -> Result<Self> {
        Self::new(length, TimeUnit::Week)
    }

    /// A span of days; see [`Span::new`].
    ///
    /// # Errors
    ///
    /// As [`Span::new`].
    pub fn days(length: f64) -> Result<Self> {
        Self::new(length, TimeUnit::Day)
    }

    /// Its length in another unit.
    pub fn in_units(self, unit: TimeUnit) -> f64 {
        if unit == self.unit { self.length } else { self.length * self.unit.days() / unit.days() }
    }

    /// Its length in days.
    pub fn in_days(self) -> f64 {
        self.in_units(TimeUnit::Day)
    }

    /// Whether two spans are the same length to one part in 10⁹.
    pub fn same_length(self, other: Self) -> bool {
        (self.in_days() - other.in_days()).abs() <= 1e-9 * self.in_days().max(1e-9)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if (self.length - 1.0).abs() < f64::EPSILON { "" } else { "s" };
        write!(f, "{} {}{plural}", self.length, self.unit)
    }
}

/// An amount of money, exact to a millionth of the currency's unit.
///
/// Sums of these are exact, so neither order nor threads can change a total.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Money(i64);

impl Money {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// From a number, rounded to the nearest millionth.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] if it is not finite or exceeds ±9.2 trillion.
    pub fn new(amount: f64) -> Result<Self> {
        let micros = (amount * 1e6).round();
        if micros.is_finite() && micros.abs() < 9.2e18 {
            Ok(Self(micros as i64))
        } else {
            Err(Error::Setting { name: "amount", given: amount, allowed: "finite, within ±9.2 trillion" })
        }
    }

    /// Millionths.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// From millionths.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// As a number.
    pub fn to_f64(self) -> f64 {
        self.0 as f64 / 1e6
    }
}

/// How future money is worth less than present money.
///
/// ```
/// use clv_core::{Discount, TimeUnit};
/// let d = Discount::yearly(0.10)?;
/// // δ per week = ln(1.1) / (365.25 / 7)
/// assert!((d.rate_per(TimeUnit::Week) - 1.1_f64.ln() * 7.0 / 365.25).abs() < 1e-15);
/// # Ok::<(), clv_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Discount {
    ln_factor: f64,
    units_per_year: Option<(f64, TimeUnit)>,
    period: Option<Span>,
}

impl Discount {
    /// No discount: a later euro is worth a euro.
    pub const NONE: Self = Self { ln_factor: 0.0, units_per_year: None, period: None };

    /// A yearly rate, compounded continuously: `δ = ln(1 + rate) / (units per year)`.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] unless the rate is finite and at least 0.
    pub fn yearly(rate: f64) -> Result<Self> {
        if rate.is_finite() && rate >= 0.0 {
            Ok(Self { ln_factor: rate.ln_1p(), ..Self::NONE })
        } else {
            Err(Error::Setting {
                name: "yearly discount rate",
                given: rate,
                allowed: "finite, at least 0 (0.1 is 10%)",
            })
        }
    }

    /// Another number of units per year than 365.25 days' worth; published CLVTools examples use 52
    /// weeks: `units_per_year(52.0, TimeUnit::Week)`.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] unless it is finite and positive.
    pub fn units_per_year(self, units: f64, unit: TimeUnit) -> Result<Self> {
        if units.is_finite() && units > 0.0 {
            Ok(Self { units_per_year: Some((units, unit)), ..self })
        } else {
            Err(Error::Setting { name: "units per year", given: units, allowed: "finite, above 0" })
        }
    }

    /// Discounts each period's purchases as if they fell on its end, as `lifetimes` does monthly.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] if the period is empty.
    pub fn at_period_ends(self, period: Span) -> Result<Self> {
        if period.in_days() > 0.0 {
            Ok(Self { period: Some(period), ..self })
        } else {
            Err(Error::Setting { name: "discount period", given: 0.0, allowed: "longer than nothing" })
        }
    }

    /// The continuous rate `δ` per unit.
    pub fn rate_per(self, unit: TimeUnit) -> f64 {
        match self.units_per_year {
            None => self.ln_factor / unit.per_year(),
            Some((count, of)) if of == unit => self.ln_factor / count,
            Some((count, of)) => self.ln_factor / count * (unit.days() / of.days()),
        }
    }

    /// The period whose end counts, if not continuous.
    pub fn period(self) -> Option<Span> {
        self.period
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cut::Cut;

    #[test]
    fn grains_floor_before_the_epoch_too() {
        let sunday = Moment::parse_date("1969-12-28").unwrap();
        assert_eq!(Grain::Week.floor(sunday), Moment::parse_date("1969-12-22").unwrap());
        let late = Moment::from_micros(-1);
        assert_eq!(Grain::Day.floor(late), Moment::parse_date("1969-12-31").unwrap());
        assert_eq!(Grain::Exact.floor(late), late);
        let date = |text| Moment::parse_date(text).unwrap();
        for (day, month, year) in [
            ("2024-02-29", "2024-02-01", "2024-01-01"),
            ("1969-12-31", "1969-12-01", "1969-01-01"),
            ("1970-01-01", "1970-01-01", "1970-01-01"),
        ] {
            assert_eq!(Grain::Month.floor(date(day)), date(month));
            assert_eq!(Grain::Year.floor(date(day)), date(year));
        }
        // A quarter back from December is September, however long its months are.
        let cut = crate::Cut::end_of(date("2023-12-15"), Grain::Month);
        assert_eq!((cut.last(), cut.end()), (date("2023-12-01"), date("2024-01-01")));
        assert_eq!(cut.minus(Span::new(3.0, TimeUnit::Month).unwrap()).last(), date("2023-09-01"));
        assert_eq!(cut.plus(Span::days(31.0).unwrap()).last(), date("2024-01-01"));
        assert_eq!(cut.minus(Span::days(7.0).unwrap()).last(), date("2023-11-01"), "one at least");
        assert_eq!(cut.minus(Span::days(0.0).unwrap()), cut);
    }

    #[test]
    fn spans_convert_exactly_and_refuse_nonsense() {
        assert_eq!(Span::weeks(39.0).unwrap().in_days(), 273.0);
        assert!((Span::new(1.0, TimeUnit::Year).unwrap().in_units(TimeUnit::Month) - 12.0).abs() < 1e-12);
        for bad in [-1.0, f64::NAN, f64::INFINITY] {
            assert!(Span::weeks(bad).is_err());
            assert!(Discount::yearly(bad).is_err());
            assert!(Money::new(bad * 1e300).is_err());
        }
    }

    #[test]
    fn fifty_two_weeks_a_year_are_so_in_any_unit() {
        let d = Discount::yearly(0.075).unwrap().units_per_year(52.0, TimeUnit::Week).unwrap();
        let weekly = 1.075_f64.ln() / 52.0;
        assert!((d.rate_per(TimeUnit::Week) - weekly).abs() < 1e-18);
        assert!((d.rate_per(TimeUnit::Day) - weekly / 7.0).abs() < 1e-18);
        let year = Span::new(364.0, TimeUnit::Day).unwrap();
        let h = 52.0 * weekly;
        assert!((crate::value::mean_factor(d, year) - (1.0 - (-h).exp()) / h).abs() < 1e-14);
    }

    #[test]
    fn the_ends_of_time_neither_wrap_nor_panic() {
        let (first, last) = (Moment::from_days(i32::MIN), Moment::from_days(i32::MAX));
        assert!(last.days_since(first) > 1e8 && !last.is_of_the_calendar() && !first.is_of_the_calendar());
        for grain in [Grain::Exact, Grain::Hour, Grain::Day, Grain::Week] {
            for end in [Moment::from_micros(i64::MIN), Moment::from_micros(i64::MAX), first, last] {
                let _ = (grain.floor(end), Cut::end_of(end, grain), end.to_string());
            }
        }
        assert_eq!(Moment::FIRST.to_string(), "0001-01-01");
        assert_eq!(Moment::LAST.date().to_string(), "9999-12-31");
    }

    #[test]
    fn dates_survive_the_way_there_and_back() {
        for text in ["1997-01-01", "2011-12-09", "1900-03-01", "2400-02-29"] {
            assert_eq!(Moment::parse_date(text).unwrap().to_string(), text);
        }
        assert_eq!(Moment::parse_date("19970131").unwrap().to_string(), "1997-01-31");
        for bad in ["1997-02-30", "97-01-01", "1997-01-01T10:00", ""] {
            assert!(Moment::parse_date(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn money_is_exact_in_the_millionth() {
        let tenth = Money::new(0.1).unwrap();
        assert_eq!((0..10).map(|_| tenth.micros()).sum::<i64>(), 1_000_000);
        assert_eq!(Money::new(29.330000000000002).unwrap(), Money::new(29.33).unwrap());
    }
}
