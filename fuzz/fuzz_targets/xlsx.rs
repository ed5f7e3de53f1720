//! A file of this format, read from memory.
#![no_main]

use std::path::Path;

use clv_io::ReadOptions;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let name = Path::new("fuzz.xlsx");
    if let Ok(reading) = clv_io::xlsx::read_bytes(bytes.to_vec(), name, &ReadOptions::new()) {
        assert!(reading.log.ledger().adds_up());
    }
});
