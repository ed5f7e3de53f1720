//! Which clock a time is told by.

use std::str::FromStr;

use clv_core::Moment;
use jiff::tz::TimeZone;

/// What is done with a zone or offset that is written beside a time.
///
/// Days are what purchases merge by, so it matters whose midnight counts. A time without an offset
/// is always taken as the shop's own wall clock.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Zone {
    /// It is passed over: the clock as written is the shop's own.
    #[default]
    AsWritten,
    /// The instant is told by the clock of this zone: `UTC`, `+02:00`, `America/New_York`.
    Of(TimeZone),
}

impl Zone {
    /// The shop's wall clock for a clock as written and its offset in seconds, if one stood there.
    pub(crate) fn settle(&self, wall: i64, offset: Option<i64>) -> Option<Moment> {
        let (Self::Of(zone), Some(offset)) = (self, offset) else {
            return Some(Moment::from_micros(wall));
        };
        let instant =
            jiff::Timestamp::from_microsecond(wall.checked_sub(offset.checked_mul(1_000_000)?)?).ok()?;
        Some(Moment::from(zone.to_datetime(instant)))
    }
}

impl FromStr for Zone {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.eq_ignore_ascii_case("as-written") {
            return Ok(Self::AsWritten);
        }
        if let Some(seconds) = offset(text) {
            let offset = jiff::tz::Offset::from_seconds(seconds as i32).map_err(|e| e.to_string())?;
            return Ok(Self::Of(TimeZone::fixed(offset)));
        }
        let zone = TimeZone::get(text);
        zone.map(Self::Of).map_err(|_| {
            format!("{text:?} is no zone; allowed: as-written, UTC, +02:00, or a name such as Europe/Berlin")
        })
    }
}

/// Seconds of `Z`, `UTC`, `+02`, `+0200`, `-05:30`.
pub(super) fn offset(text: &str) -> Option<i64> {
    if matches!(text, "Z" | "z" | "UTC" | "GMT" | "utc" | "gmt") {
        return Some(0);
    }
    let (sign, digits) = match text.as_bytes().first()? {
        b'+' => (1, &text[1..]),
        b'-' => (-1, &text[1..]),
        _ => return None,
    };
    let digits: String = digits.chars().filter(|c| *c != ':').collect();
    if !matches!(digits.len(), 2 | 4) || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let hours: i64 = digits[..2].parse().ok()?;
    let minutes: i64 = if digits.len() == 4 { digits[2..].parse().ok()? } else { 0 };
    (hours <= 14 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}
