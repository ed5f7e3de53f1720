//! A file of this format, read from memory.
#![no_main]

use std::path::Path;

use clv_io::ReadOptions;
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: {
    // The decoder's own panics are caught and become errors; the fuzzer's hook would end it all before.
    std::panic::set_hook(Box::new(|_| {}));
}, |bytes: &[u8]| {
    let name = Path::new("fuzz.arrow");
    if let Ok(reading) = clv_io::arrow::read_bytes(bytes.to_vec(), name, &ReadOptions::new()) {
        assert!(reading.log.ledger().adds_up());
    }
});
