//! Dates and numbers as shops write them.

use clv_core::Moment;
use jiff::civil::{Date, DateTime, Time};

/// What [`read_moment`] understands without a format.
pub const DATES: &str =
    "YYYY-MM-DD or YYYYMMDD, with a time HH:MM[:SS] if wanted, or another form named by --date-format";
/// What [`read_number`] understands.
pub const NUMBERS: &str = "a number such as 12.50";

/// Reads a date or time: ISO 8601, or by a `strftime` format.
///
/// A zone or offset in the text is passed over: the wall clock as written is the data's own zone.
pub fn read_moment(text: &str, format: Option<&str>) -> Option<Moment> {
    let text = text.trim();
    if let Some(format) = format {
        return DateTime::strptime(format, text)
            .or_else(|_| Date::strptime(format, text).map(|d| d.to_datetime(Time::midnight())))
            .ok()
            .map(Moment::from);
    }
    let wall_clock = text.strip_suffix(['Z', 'z']).unwrap_or(text);
    if wall_clock.len() <= 10 {
        return Moment::parse_date(wall_clock).ok();
    }
    wall_clock.parse::<DateTime>().ok().map(Moment::from)
}

/// Reads a finite number; a currency sign before it and commas between thousands are passed over.
pub fn read_number(text: &str) -> Option<f64> {
    let text = text.trim();
    if let Ok(number) = text.parse::<f64>() {
        return number.is_finite().then_some(number);
    }
    let (sign, rest) = text.strip_prefix('-').map_or((1.0, text), |rest| (-1.0, rest));
    let rest = rest.trim_start_matches(['$', '£', '€']).trim_start();
    let (whole, cents) = rest.split_once('.').map_or((rest, None), |(w, c)| (w, Some(c)));
    let mut groups = whole.split(',');
    let first = groups.next()?;
    let digits = |group: &str| !group.is_empty() && group.bytes().all(|b| b.is_ascii_digit());
    if !digits(first) || first.len() > 3 && whole.contains(',') || !groups.all(|g| g.len() == 3 && digits(g))
    {
        return None;
    }
    if cents.is_some_and(|c| !digits(c)) {
        return None;
    }
    let plain: String = rest.chars().filter(|c| *c != ',').collect();
    plain.parse::<f64>().ok().filter(|n| n.is_finite()).map(|n| sign * n)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_in_their_common_dress() {
        let day = Moment::parse_date("2010-12-01").unwrap();
        for text in ["2010-12-01", "20101201", " 2010-12-01 ", "2010-12-01 00:00:00", "2010-12-01T00:00:00Z"]
        {
            assert_eq!(read_moment(text, None), Some(day), "{text}");
        }
        let evening = read_moment("2010-12-01T23:30:00+02:00", None).unwrap();
        assert_eq!(evening.to_string(), "2010-12-01T23:30:00");
        assert_eq!(read_moment("12/1/2010 8:26", Some("%m/%d/%Y %H:%M")).unwrap().date().day(), 1);
        assert_eq!(read_moment("01.12.2010", Some("%d.%m.%Y")), Some(day));
        for bad in ["", "12/01/2010", "2010-13-01", "yesterday", "2010-12-01T25:00"] {
            assert_eq!(read_moment(bad, None), None, "{bad}");
        }
    }

    #[test]
    fn numbers_in_their_common_dress() {
        for (text, number) in [
            ("12.50", 12.5),
            (" 3 ", 3.0),
            ("-1e3", -1000.0),
            ("$1,234.56", 1234.56),
            ("-£2", -2.0),
            ("1,000", 1000.0),
        ] {
            assert_eq!(read_number(text), Some(number), "{text}");
        }
        for bad in ["", "oops", "NaN", "inf", "1e999", "12,5", "1,23,456", "1.2.3", "€", "12345,678"] {
            assert_eq!(read_number(bad), None, "{bad}");
        }
    }
}
