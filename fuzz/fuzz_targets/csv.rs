//! CSV text, whole and by way of a grain ledger: both tell the same of every row.
#![no_main]

use std::io::Cursor;
use std::path::Path;

use clv_io::ReadOptions;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let options = ReadOptions::new();
    let Ok(reading) = clv_io::read_csv(Cursor::new(bytes.to_vec()), Path::new("fuzz.csv"), &options) else { return };
    let ledger = reading.log.ledger();
    assert!(ledger.adds_up());
    assert_eq!(ledger.kept, reading.log.len() as u64);
});
