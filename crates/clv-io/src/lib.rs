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
//!     "line 3, field \"amount\": unreadable amount: \"oops\"; allowed: a number such as 12.50 (or 12,50 with a decimal comma)");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | module | what is in it |
//! | :-- | :-- |
//! | [`options`] | which columns, which dress, which cleaning |
//! | [`columns`] | which column is which, which shape the file has, recognised by name |
//! | [`values`] | dates and numbers as shops write them |
//! | [`people`] | attributes, events and aliases of customers |
//! | [`mod@parquet`], [`xlsx`] | Arrow record batches, and files that lie in memory (features, on by default) |
//! | [`mod@write`] | transactions, summaries and forecasts, whole or not at all |
//!
//! Formats are known by their endings: `.csv`, `.tsv`, `.txt`, `.jsonl`, `.ndjson` (each also packed
//! as `.gz` or `.zst`), `.parquet`, `.arrow` and `.feather`, and `.xlsx` (feature `xlsx`, on by default).
//!
//! What it does not do: databases.

#[cfg(feature = "parquet")]
pub mod arrow;
pub mod columns;
mod csv;
mod dress;
mod error;
#[cfg(any(feature = "parquet", feature = "xlsx"))]
mod guard;
mod jsonl;
pub mod options;
#[cfg(feature = "parquet")]
pub mod parquet;
pub mod people;
mod row;
mod scale;
mod segment;
mod source;
mod table;
mod unique;
pub mod values;
pub mod write;
#[cfg(feature = "xlsx")]
pub mod xlsx;

use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};

use clv_core::{Intake, LogBuilder, TransactionLog};

pub use columns::{Recognised, Shape};
pub use dress::Dress;
pub use error::{Error, Result};
pub use options::{CustomerKey, ReadOptions};
pub use scale::{Decoding, read_ordered, read_scaled};
pub use source::files;

use table::Table;

/// A log, and what its sources were recognised as.
#[derive(Debug)]
pub struct Reading {
    /// The transactions with their ledger.
    pub log: TransactionLog,
    /// One for each source.
    pub sources: Vec<Source>,
}

/// What a source was recognised as.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    /// Which.
    pub path: PathBuf,
    /// Its shape.
    pub shape: Shape,
    /// Which column was taken for what; none for events.
    pub columns: Option<Recognised>,
    /// How it writes dates and numbers.
    pub dress: Dress,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.shape)?;
        match &self.columns {
            Some(columns) => write!(f, ": {columns}; {}", self.dress),
            None => Ok(()),
        }
    }
}

/// Reads a file as a log.
///
/// # Errors
///
/// [`Error`], naming the file and what to do. Rows that cannot be read are no error but an entry in
/// the log's ledger, unless the cleaning is strict.
pub fn read_log(path: &Path, options: &ReadOptions) -> Result<Reading> {
    read_logs(&[path.to_owned()], options)
}

/// Reads files, and the files in folders, as one log.
///
/// # Errors
///
/// As [`read_log`].
pub fn read_logs(paths: &[PathBuf], options: &ReadOptions) -> Result<Reading> {
    let mut log = LogBuilder::with(options.cleaning.clone());
    let sources = read_into(paths, options, &mut log)?;
    Ok(Reading { log: log.finish(), sources })
}

/// Reads files, and the files in folders, into whatever takes their rows.
///
/// # Errors
///
/// As [`read_log`].
pub fn read_into(paths: &[PathBuf], options: &ReadOptions, to: &mut dyn Intake) -> Result<Vec<Source>> {
    let files = files(paths)?;
    let several = files.len() > 1;
    files.iter().map(|path| read_one(path, options, several, to)).collect()
}

fn read_one(path: &Path, options: &ReadOptions, several: bool, to: &mut dyn Intake) -> Result<Source> {
    if several {
        to.source(&path.display().to_string());
    }
    let table = source::open(path, options)?;
    if is_segment(path, table.as_ref(), options) {
        segment::read(source::text(path, options)?, path, options, to)?;
        let (shape, columns, dress) = (Shape::SegmentEvents, None, Dress::default());
        return Ok(Source { path: path.into(), shape, columns, dress });
    }
    enter_table(table, path, options, to)
}

fn is_segment(path: &Path, table: &dyn Table, options: &ReadOptions) -> bool {
    source::is_json_lines(path) && segment::is_segment(table.header()) && options.customer.is_none()
}

/// Reads delimited text from anywhere; `name` stands for the file in errors.
///
/// # Errors
///
/// As [`read_log`].
pub fn read_csv(text: impl Read + Send + 'static, name: &Path, options: &ReadOptions) -> Result<Reading> {
    read_table(csv::open(source::decoded(text, options)?, name, None)?, name, options)
}

/// Reads JSON lines from anywhere; `name` stands for the file in errors.
///
/// # Errors
///
/// As [`read_log`].
pub fn read_json_lines(
    text: impl Read + Send + 'static,
    name: &Path,
    options: &ReadOptions,
) -> Result<Reading> {
    read_table(jsonl::open(source::decoded(text, options)?, name)?, name, options)
}

/// Reads Segment's events from anywhere into whatever takes them.
///
/// # Errors
///
/// As [`read_log`].
pub fn read_segment(
    text: impl Read + Send + 'static,
    name: &Path,
    options: &ReadOptions,
    to: &mut dyn Intake,
) -> Result<()> {
    segment::read(source::decoded(text, options)?, name, options, to)
}

fn read_table(table: Box<dyn Table>, name: &Path, options: &ReadOptions) -> Result<Reading> {
    let mut log = LogBuilder::with(options.cleaning.clone());
    let source = enter_table(table, name, options, &mut log)?;
    Ok(Reading { log: log.finish(), sources: vec![source] })
}

fn enter_table(
    table: Box<dyn Table>,
    path: &Path,
    options: &ReadOptions,
    to: &mut dyn Intake,
) -> Result<Source> {
    let columns = Recognised::of(table.header(), options, path)?;
    let dress = Dress::of(table.as_ref(), &columns, options, path)?;
    let mut entering = row::Entering { to, columns: &columns, dress: &dress, options, path };
    table.visit(&columns.positions(), &mut entering)?;
    Ok(Source { path: path.into(), shape: columns.shape, columns: Some(columns), dress })
}
