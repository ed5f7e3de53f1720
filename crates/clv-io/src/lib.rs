//! Transactions in, forecasts out.
//!
//! ```
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("orders.csv");
//! std::fs::write(&path, "customer_id,order_date,amount\na,2024-01-05,12.50\na,2024-03-01,oops\n")?;
//! let reading = clv_io::read_log(&path, &clv_io::ReadOptions::new())?;
//! assert_eq!(reading.log.len(), 1);
//! let ledger = reading.log.ledger();
//! assert!(ledger.adds_up());
//! assert_eq!(ledger.quoted[0].to_string(),
//!     "line 3, field \"amount\": unreadable amount: \"oops\"; allowed: a number such as 12.50");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | module | what is in it |
//! | :-- | :-- |
//! | [`options`] | which columns, which date format, which cleaning |
//! | [`columns`] | which column is which, recognised by name |
//! | [`values`] | dates and numbers as shops write them |
//! | [`mod@csv`] | CSV, plain, `.gz` or `.zst` |
//! | [`mod@parquet`] | Parquet files and Arrow record batches (feature `parquet`, on by default) |
//! | [`mod@write`] | transactions, summaries and forecasts as CSV, whole or not at all |
//!
//! What it does not do: databases, spreadsheets, JSON.

pub mod columns;
pub mod csv;
mod error;
pub mod options;
#[cfg(feature = "parquet")]
pub mod parquet;
mod row;
pub mod values;
pub mod write;

use std::path::Path;

pub use columns::Recognised;
pub use error::{Error, Result};
pub use options::ReadOptions;

use clv_core::TransactionLog;

/// A log, and which columns it was read from.
#[derive(Debug)]
pub struct Reading {
    /// The transactions with their ledger.
    pub log: TransactionLog,
    /// Which column was taken for what.
    pub columns: Recognised,
}

/// Reads a file by its ending: `.csv`, `.csv.gz`, `.csv.zst`, `.tsv`, `.txt`, `.parquet`.
///
/// # Errors
///
/// [`Error`], naming the file and what to do. Rows that cannot be read are no error but an entry in
/// the log's ledger, unless the cleaning is strict.
pub fn read_log(path: &Path, options: &ReadOptions) -> Result<Reading> {
    let name = path.file_name().map(|n| n.to_string_lossy().to_lowercase()).unwrap_or_default();
    let bare = name.strip_suffix(".gz").or_else(|| name.strip_suffix(".zst")).unwrap_or(&name);
    match bare.rsplit_once('.').map_or("", |(_, ending)| ending) {
        "csv" | "tsv" | "txt" => csv::read(path, options),
        #[cfg(feature = "parquet")]
        "parquet" => parquet::read(path, options),
        _ => Err(Error::Ending { path: path.into() }),
    }
}
