//! Numbers with points, commas, currency signs and brackets.

/// What stands before the cents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Decimal {
    /// 1,234.56
    #[default]
    Point,
    /// 1.234,56
    Comma,
}

impl Decimal {
    /// Reads a finite number. Passed over are a currency sign or code at either end, and marks
    /// between thousands; a minus may stand before, behind, or as brackets around.
    ///
    /// ```
    /// use clv_io::values::Decimal;
    /// assert_eq!(Decimal::Point.read("-$1,234.50"), Some(-1234.5));
    /// assert_eq!(Decimal::Comma.read("1.234,50 €"), Some(1234.5));
    /// assert_eq!(Decimal::Point.read("12,5"), None);
    /// ```
    pub fn read(self, text: &str) -> Option<f64> {
        let text = text.trim();
        if self == Self::Point
            && let Ok(number) = text.parse::<f64>()
        {
            return number.is_finite().then_some(number);
        }
        let (text, brackets) = match text.strip_prefix('(').and_then(|t| t.strip_suffix(')')) {
            Some(inner) => (inner.trim(), true),
            None => (text, false),
        };
        let text = without_currency(text);
        let (text, minus) = match text.strip_prefix(['-', '−']).or_else(|| text.strip_suffix(['-', '−']))
        {
            Some(rest) => (without_currency(rest), true),
            None => (text.strip_prefix('+').unwrap_or(text), false),
        };
        if brackets && minus {
            return None;
        }
        let plain = self.plain(text)?;
        let number = plain.parse::<f64>().ok().filter(|n| n.is_finite())?;
        Some(if brackets || minus { -number } else { number })
    }

    /// Digits with a point, marks between thousands checked and left out.
    fn plain(self, text: &str) -> Option<String> {
        let (point, mark) = match self {
            Self::Point => ('.', ','),
            Self::Comma => (',', '.'),
        };
        let (whole, cents) = text.split_once(point).map_or((text, None), |(w, c)| (w, Some(c)));
        let is_mark = |c: char| c == mark || matches!(c, ' ' | '\u{a0}' | '\u{202f}' | '\'' | '’');
        let digits = |group: &str| !group.is_empty() && group.bytes().all(|b| b.is_ascii_digit());
        let mut groups = whole.split(is_mark);
        let first = groups.next()?;
        let mut plain = first.to_owned();
        let mut grouped = false;
        for group in groups {
            if group.len() != 3 || !digits(group) {
                return None;
            }
            grouped = true;
            plain.push_str(group);
        }
        if !(digits(first) || first.is_empty() && !grouped && cents.is_some()) || grouped && first.len() > 3 {
            return None;
        }
        if let Some(cents) = cents {
            if !(digits(cents) || cents.is_empty() && !first.is_empty()) {
                return None;
            }
            plain.push('.');
            plain.push_str(cents);
        }
        Some(plain)
    }

    /// The decimal mark that a sample of texts proves; a point where nothing is proved.
    ///
    /// A comma is proved by a text that reads only with it, such as `12,5` or `1.234,56`.
    pub fn proved<'a>(sample: impl Iterator<Item = &'a str>) -> Self {
        let (mut point, mut comma) = (0, 0);
        for text in sample {
            match (Self::Point.read(text), Self::Comma.read(text)) {
                (Some(_), None) => point += 1,
                (None, Some(_)) => comma += 1,
                _ => {}
            }
        }
        if comma > point { Self::Comma } else { Self::Point }
    }
}

fn without_currency(text: &str) -> &str {
    let sign = |c: char| matches!(c, '$' | '£' | '€' | '¥' | '₹');
    let text = text.trim_start_matches(sign).trim_end_matches(sign).trim();
    let code = |part: &str| part.len() == 3 && part.bytes().all(|b| b.is_ascii_uppercase());
    match (text.get(..3), text.len().checked_sub(3).and_then(|at| text.get(at..))) {
        (Some(before), _) if code(before) => text[3..].trim(),
        (_, Some(after)) if code(after) => text[..text.len() - 3].trim(),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_their_common_dress() {
        for (text, number) in [
            ("12.50", 12.5),
            (" 3 ", 3.0),
            ("-1e3", -1000.0),
            ("$1,234.56", 1234.56),
            ("-£2", -2.0),
            ("1,000", 1000.0),
            ("(5.25)", -5.25),
            ("5.25-", -5.25),
            ("€-7", -7.0),
            ("USD 12.00", 12.0),
            ("12.00 EUR", 12.0),
            (".5", 0.5),
            ("1 234.5", 1234.5),
            ("1'234.5", 1234.5),
            ("5.", 5.0),
            ("+4", 4.0),
        ] {
            assert_eq!(Decimal::Point.read(text), Some(number), "{text}");
        }
        for (text, number) in
            [("12,50", 12.5), ("1.234,56 €", 1234.56), ("1.000", 1000.0), ("-0,5", -0.5), ("7", 7.0)]
        {
            assert_eq!(Decimal::Comma.read(text), Some(number), "{text}");
        }
        for bad in [
            "",
            "oops",
            "NaN",
            "inf",
            "1e999",
            "12,5",
            "1,23,456",
            "1.2.3",
            "€",
            "12345,678",
            "-(5)",
            "--5",
            "1,234.5,6",
            "USD",
            ".",
        ] {
            assert_eq!(Decimal::Point.read(bad), None, "{bad}");
        }
        for bad in ["12.5", "NaN", "1,2,3"] {
            assert_eq!(Decimal::Comma.read(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_decimal_mark_is_proved_or_a_point() {
        assert_eq!(Decimal::proved(["1.000", "12,50"].into_iter()), Decimal::Comma);
        assert_eq!(Decimal::proved(["1,000", "12.50"].into_iter()), Decimal::Point);
        assert_eq!(Decimal::proved(["1,000", "7"].into_iter()), Decimal::Point);
    }
}
