//! Dates and numbers in any dress.
#![no_main]

use clv_io::values::{Dates, DayOrMonth, Decimal};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    for order in [None, Some(DayOrMonth::DayFirst), Some(DayOrMonth::MonthFirst)] {
        let dates = Dates { order, ..Dates::default() };
        if let Ok(moment) = dates.read(text) {
            assert!(moment.is_of_the_calendar(), "{text:?}");
            // What is written is read again.
            assert_eq!(Dates::default().read(&moment.to_string()), Ok(moment), "{text:?}");
        }
    }
    for decimal in [Decimal::Point, Decimal::Comma] {
        assert!(decimal.read(text).is_none_or(f64::is_finite), "{text:?}");
    }
});
