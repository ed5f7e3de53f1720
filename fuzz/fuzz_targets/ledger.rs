//! Saved ledgers: refused, or good to go on from.
#![no_main]

use clv_core::scale::{GrainLedger, OrderedSummary};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(ledger) = GrainLedger::from_bytes(bytes, std::path::Path::new("fuzz")) {
        let _ = (ledger.rows(), ledger.span());
        let _ = ledger.purchases(1);
    }
    let _ = OrderedSummary::from_bytes(bytes, std::path::Path::new("fuzz"));
});
