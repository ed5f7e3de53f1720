//! JSON lines: tables and Segment's events.
#![no_main]

use std::io::Cursor;
use std::path::Path;

use clv_core::Gathering;
use clv_io::ReadOptions;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let options = ReadOptions::new();
    let text = || Cursor::new(bytes.to_vec());
    if let Ok(reading) = clv_io::read_json_lines(text(), Path::new("fuzz.jsonl"), &options) {
        assert!(reading.log.ledger().adds_up());
    }
    let mut shop = Gathering::default();
    if clv_io::read_segment(text(), Path::new("fuzz.jsonl"), &options, &mut shop).is_ok() {
        let shop = shop.finish();
        assert!(shop.log.ledger().adds_up());
    }
});
