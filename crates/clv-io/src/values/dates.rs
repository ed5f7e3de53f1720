//! Dates in whatever order a shop writes them.

use clv_core::Moment;
use jiff::civil::{DateTime, Time};

use super::Zone;
use super::zone::offset;

/// Which of two numbers before a year is the day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DayOrMonth {
    /// 31/12/2010.
    DayFirst,
    /// 12/31/2010.
    MonthFirst,
}

/// How a file writes its dates.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Dates {
    /// In the letters of `strftime`; nothing else is understood then.
    pub format: Option<String>,
    /// Which comes first where that cannot be seen from a date alone.
    pub order: Option<DayOrMonth>,
    /// Whose clock counts.
    pub zone: Zone,
}

/// Why a text is no moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MomentProblem {
    /// It is not understood.
    Unreadable,
    /// Day and month cannot be told apart.
    Ambiguous,
}

/// A wall clock in microseconds, and the offset beside it in seconds.
type Wall = (i64, Option<i64>);

impl Dates {
    /// Reads a date, with a time if there is one.
    ///
    /// # Errors
    ///
    /// [`MomentProblem`].
    pub fn read(&self, text: &str) -> Result<Moment, MomentProblem> {
        let text = text.trim();
        if let Some(format) = &self.format {
            let (wall, offset) = by_format(format, text).ok_or(MomentProblem::Unreadable)?;
            return self.settle(wall, offset);
        }
        if let Some(days) = iso_days(text.as_bytes()) {
            return Ok(Moment::from_days(days));
        }
        let (wall, offset) = Scan { rest: text, order: self.order }.moment()?;
        self.settle(wall, offset)
    }

    fn settle(&self, wall: i64, offset: Option<i64>) -> Result<Moment, MomentProblem> {
        let moment = self.zone.settle(wall, offset).filter(|m| m.is_of_the_calendar());
        moment.ok_or(MomentProblem::Unreadable)
    }

    /// The order of day and month that a sample of texts proves, if any does; of a sample that
    /// proves both, the one proved more often.
    pub fn proved_order<'a>(sample: impl Iterator<Item = &'a str>) -> Option<DayOrMonth> {
        let (mut day_first, mut month_first) = (0, 0);
        for text in sample {
            let reads = |order| Scan { rest: text.trim(), order: Some(order) }.moment().is_ok();
            match (reads(DayOrMonth::DayFirst), reads(DayOrMonth::MonthFirst)) {
                (true, false) => day_first += 1,
                (false, true) => month_first += 1,
                _ => {}
            }
        }
        match day_first.cmp(&month_first) {
            std::cmp::Ordering::Greater => Some(DayOrMonth::DayFirst),
            std::cmp::Ordering::Less => Some(DayOrMonth::MonthFirst),
            std::cmp::Ordering::Equal => None,
        }
    }
}

fn by_format(format: &str, text: &str) -> Option<Wall> {
    let parsed = jiff::fmt::strtime::parse(format, text).ok()?;
    let offset = parsed.offset().map(|offset| i64::from(offset.seconds()));
    let when: DateTime =
        parsed.to_datetime().or_else(|_| parsed.to_date().map(|d| d.to_datetime(Time::midnight()))).ok()?;
    Some((Moment::from(when).micros(), offset))
}

/// Days since 1970 of `YYYY-MM-DD`, the commonest form by far.
pub(crate) fn iso_days(text: &[u8]) -> Option<i32> {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = *text else { return None };
    let digits = [y1, y2, y3, y4, m1, m2, d1, d2].map(|b| b.wrapping_sub(b'0'));
    if digits.iter().any(|d| *d > 9) {
        return None;
    }
    let [y1, y2, y3, y4, m1, m2, d1, d2] = digits.map(i32::from);
    days(y1 * 1000 + y2 * 100 + y3 * 10 + y4, m1 * 10 + m2, d1 * 10 + d2)
}

/// Days since 1970 of a date of the Gregorian calendar, years 1 to 9999.
fn days(year: i32, month: i32, day: i32) -> Option<i32> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        2 => 28 + i32::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=9999).contains(&year) || day < 1 || day > length {
        return None;
    }
    // Years from March, so that the leap day comes last (Hinnant, chrono-compatible date algorithms).
    let (y, m) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let (era, of_era) = (y.div_euclid(400), y.rem_euclid(400));
    let of_year = (153 * m + 2) / 5 + day - 1;
    Some(era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468)
}

const MICROS_PER_DAY: i64 = 86_400_000_000;

/// Reads from left to right.
struct Scan<'a> {
    rest: &'a str,
    order: Option<DayOrMonth>,
}

impl<'a> Scan<'a> {
    fn moment(mut self) -> Result<Wall, MomentProblem> {
        if self.rest.bytes().all(|b| b.is_ascii_digit()) {
            return digits_only(self.rest).ok_or(MomentProblem::Unreadable);
        }
        let date = self.date()?;
        let (time, offset) = self.time().ok_or(MomentProblem::Unreadable)?;
        Ok((i64::from(date) * MICROS_PER_DAY + time, offset))
    }

    fn date(&mut self) -> Result<i32, MomentProblem> {
        use MomentProblem::{Ambiguous, Unreadable};
        let first = self.part().ok_or(Unreadable)?;
        self.separator();
        let second = self.part().ok_or(Unreadable)?;
        self.separator();
        let third = self.part().ok_or(Unreadable)?;
        let (year, month, day) = match (first, second, third) {
            (Part::Number(y, 4), Part::Number(m, 1 | 2), Part::Number(d, 1 | 2)) => (y, m, d),
            (Part::Number(y, 4), Part::Month(m), Part::Number(d, 1 | 2)) => (y, m, d),
            (Part::Number(d, 1 | 2), Part::Month(m), Part::Number(y, n @ (2 | 4)))
            | (Part::Month(m), Part::Number(d, 1 | 2), Part::Number(y, n @ (2 | 4))) => {
                (full_year(y, n), m, d)
            }
            (Part::Number(a, 1 | 2), Part::Number(b, 1 | 2), Part::Number(y, n @ (2 | 4))) => {
                let year = full_year(y, n);
                match self.order {
                    Some(DayOrMonth::DayFirst) => (year, b, a),
                    Some(DayOrMonth::MonthFirst) => (year, a, b),
                    None if a == b => (year, a, b),
                    None if a > 12 => (year, b, a),
                    None if b > 12 => (year, a, b),
                    None => return Err(Ambiguous),
                }
            }
            _ => return Err(Unreadable),
        };
        days(year, month, day).ok_or(Unreadable)
    }

    /// A number or the name of a month.
    fn part(&mut self) -> Option<Part> {
        let digits = self.rest.bytes().take_while(u8::is_ascii_digit).count();
        if digits > 0 {
            let number = if digits <= 4 { self.rest[..digits].parse().ok()? } else { return None };
            self.rest = &self.rest[digits..];
            // 1st, 2nd, 3rd, 4th.
            for ending in ["st", "nd", "rd", "th"] {
                self.rest = self.rest.strip_prefix(ending).unwrap_or(self.rest);
            }
            return Some(Part::Number(number, digits));
        }
        let letters = self.rest.bytes().take_while(u8::is_ascii_alphabetic).count();
        let name = self.rest[..letters].to_ascii_lowercase();
        self.rest = &self.rest[letters..];
        month(&name).map(Part::Month)
    }

    fn separator(&mut self) {
        self.rest = self.rest.trim_start_matches(['-', '/', '.', ' ', ',']);
    }

    /// Microseconds since midnight; nothing is midnight.
    fn time(&mut self) -> Option<Wall> {
        let rest = self.rest.strip_prefix(['T', 't']).unwrap_or(self.rest);
        let rest = rest.trim_start_matches([',', ' ']).trim_end();
        if rest.is_empty() {
            return Some((0, None));
        }
        let clock =
            rest.find(|c: char| !(c.is_ascii_digit() || matches!(c, ':' | '.'))).unwrap_or(rest.len());
        let (clock, mut after) = (&rest[..clock], rest[clock..].trim_start());
        let mut parts = clock.split(':');
        let mut hour: i64 = two_digits(parts.next()?)?;
        let minute: i64 = two_digits(parts.next()?)?;
        let (second, micros) = match parts.next() {
            None => (0, 0),
            Some(text) => {
                let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
                (two_digits(whole)?, fraction_micros(fraction)?)
            }
        };
        for (name, noon) in [("AM", 0), ("PM", 12), ("am", 0), ("pm", 12)] {
            if let Some(left) = after.strip_prefix(name) {
                if !(1..=12).contains(&hour) {
                    return None;
                }
                hour = hour % 12 + noon;
                after = left.trim_start();
            }
        }
        // A second of 60 is a leap second, told as the next minute's first.
        if parts.next().is_some() || hour > 23 || minute > 59 || second > 60 {
            return None;
        }
        let offset = if after.is_empty() { None } else { Some(offset(after)?) };
        Some((((hour * 60 + minute) * 60 + second) * 1_000_000 + micros, offset))
    }
}

#[derive(Clone, Copy)]
enum Part {
    /// A number and how many digits it has.
    Number(i32, usize),
    Month(i32),
}

/// POSIX: two digits from 69 on are of the last century.
fn full_year(year: i32, digits: usize) -> i32 {
    match digits {
        4 => year,
        _ if year < 69 => 2000 + year,
        _ => 1900 + year,
    }
}

fn month(name: &str) -> Option<i32> {
    const NAMES: [&str; 12] = [
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ];
    if name.len() < 3 {
        return None;
    }
    NAMES
        .iter()
        .position(|month| month.starts_with(name) || name == "sept" && *month == "september")
        .map(|m| m as i32 + 1)
}

fn two_digits(text: &str) -> Option<i64> {
    (matches!(text.len(), 1 | 2) && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
}

fn fraction_micros(text: &str) -> Option<i64> {
    if text.is_empty() {
        return Some(0);
    }
    if !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    format!("{text:0<6}")[..6].parse().ok()
}

/// `20101231`, `20101231082600`, and seconds or milliseconds since 1970 in UTC.
fn digits_only(text: &str) -> Option<Wall> {
    let part = |range: std::ops::Range<usize>| text.get(range).and_then(|t| t.parse::<i32>().ok());
    match text.len() {
        8 | 14 => {
            let date = days(part(0..4)?, part(4..6)?, part(6..8)?)?;
            let (h, m, s) =
                if text.len() == 14 { (part(8..10)?, part(10..12)?, part(12..14)?) } else { (0, 0, 0) };
            let time = (i64::from(h) * 60 + i64::from(m)) * 60 + i64::from(s);
            (h < 24 && m < 60 && s < 61)
                .then_some((i64::from(date) * MICROS_PER_DAY + time * 1_000_000, None))
        }
        10 => Some((text.parse::<i64>().ok()? * 1_000_000, Some(0))),
        13 => Some((text.parse::<i64>().ok()? * 1_000, Some(0))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::Date;

    use super::*;

    fn read(text: &str) -> Result<Moment, MomentProblem> {
        Dates::default().read(text)
    }

    #[test]
    fn dates_in_their_common_dress() {
        let day = Moment::parse_date("2010-12-31").unwrap();
        for text in [
            "2010-12-31",
            "20101231",
            " 2010-12-31 ",
            "2010-12-31 00:00:00",
            "2010-12-31T00:00:00Z",
            "2010/12/31",
            "31.12.2010",
            "31/12/2010",
            "12/31/2010",
            "12/31/10",
            "31-Dec-2010",
            "31 December 2010",
            "Dec 31, 2010",
            "Dec 31st, 2010 12:00 AM",
            "2010-12-31T00:00:00.000+01:00",
            "31-12-10 00:00",
            "20101231000000",
        ] {
            assert_eq!(read(text), Ok(day), "{text}");
        }
        assert_eq!(read("12/31/2010 8:26").unwrap().to_string(), "2010-12-31T08:26:00");
        assert_eq!(read("2010-12-31 11:59:07.25 PM").unwrap().to_string(), "2010-12-31T23:59:07.25");
        assert_eq!(read("1293753600").unwrap(), day);
        assert_eq!(read("1293753600000").unwrap(), day);
        for bad in [
            "",
            "2010-13-01",
            "yesterday",
            "2010-12-01T25:00",
            "2010-02-29",
            "31.12",
            "2010-12-31 noon",
            "31/12/2010 8",
            "13/13/2010",
            "2010-12-31T10:00:00 nowhere",
            "0000-01-01",
            "123",
            "９",
        ] {
            assert_eq!(read(bad), Err(MomentProblem::Unreadable), "{bad}");
        }
    }

    #[test]
    fn day_and_month_are_told_apart_by_proof_and_never_by_guess() {
        assert_eq!(read("01/02/2010"), Err(MomentProblem::Ambiguous));
        assert_eq!(read("02/02/2010").unwrap().to_string(), "2010-02-02");
        assert_eq!(Dates::proved_order(["01/02/2010", "13/02/2010"].into_iter()), Some(DayOrMonth::DayFirst));
        assert_eq!(
            Dates::proved_order(["01/02/2010", "1/13/10 8:26"].into_iter()),
            Some(DayOrMonth::MonthFirst)
        );
        assert_eq!(Dates::proved_order(["01/02/2010", "2010-02-01"].into_iter()), None);
        let dates = Dates { order: Some(DayOrMonth::MonthFirst), ..Dates::default() };
        assert_eq!(dates.read("01/02/2010").unwrap().to_string(), "2010-01-02");
        assert_eq!(dates.read("13/02/2010"), Err(MomentProblem::Unreadable));
    }

    #[test]
    fn a_format_is_taken_at_its_word() {
        let dates = Dates { format: Some("%m/%d/%Y %H:%M".into()), ..Dates::default() };
        assert_eq!(dates.read("12/1/2010 8:26").unwrap().date().day(), 1);
        assert_eq!(dates.read("2010-12-01"), Err(MomentProblem::Unreadable));
        // The offset in a format is minded too.
        let zone = "UTC".parse().unwrap();
        let dates = Dates { format: Some("%Y-%m-%dT%H:%M%z".into()), zone, ..Dates::default() };
        assert_eq!(dates.read("2010-12-31T23:30-0500").unwrap().to_string(), "2011-01-01T04:30:00");
    }

    #[test]
    fn midnight_is_the_shops_own() {
        let late = "2010-12-31T23:30:00-05:00";
        assert_eq!(read(late).unwrap().to_string(), "2010-12-31T23:30:00");
        let by = |zone: &str| Dates { zone: zone.parse().unwrap(), ..Dates::default() };
        assert_eq!(by("UTC").read(late).unwrap().to_string(), "2011-01-01T04:30:00");
        assert_eq!(by("Europe/Berlin").read(late).unwrap().to_string(), "2011-01-01T05:30:00");
        assert_eq!(by("+02:00").read("2010-12-31T22:30Z").unwrap().to_string(), "2011-01-01T00:30:00");
        // Without an offset it is the shop's clock already.
        assert_eq!(by("UTC").read("2010-12-31 23:30").unwrap().to_string(), "2010-12-31T23:30:00");
        assert!("Mars/Olympus".parse::<Zone>().unwrap_err().contains("Europe/Berlin"));
    }

    #[test]
    fn every_day_of_four_centuries_agrees_with_jiff() {
        let mut date = Date::constant(1799, 12, 31);
        for _ in 0..146_200 {
            date = date.tomorrow().unwrap();
            let want = Moment::from(date.to_datetime(Time::midnight()));
            assert_eq!(iso_days(date.to_string().as_bytes()).map(Moment::from_days), Some(want), "{date}");
        }
    }
}
