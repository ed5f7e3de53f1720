//! What can go wrong between a file and a log.

use std::path::PathBuf;

/// The result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The two forms that a date may have, in the marks that it is written with.
fn forms(example: &str) -> String {
    let mark = example.chars().find(|c| !c.is_ascii_digit()).unwrap_or('/');
    let year = if example.split(|c: char| !c.is_ascii_digit()).nth(2).is_some_and(|y| y.len() == 2) {
        "%y"
    } else {
        "%Y"
    };
    let time = match example.matches(':').count() {
        0 => "",
        1 => " %H:%M",
        _ => " %H:%M:%S",
    };
    format!("\"%d{mark}%m{mark}{year}{time}\" (the day first) or \"%m{mark}%d{mark}{year}{time}\"")
}

/// What went wrong: which file, what was found, what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file cannot be opened, read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// The system's word.
        source: std::io::Error,
    },
    /// The ending says nothing.
    #[error("{}: allowed endings are .csv, .tsv, .txt, .jsonl, .ndjson (each also with .gz or .zst), .parquet, .arrow and .xlsx", path.display())]
    Ending {
        /// Which.
        path: PathBuf,
    },
    /// The ending of a file to be written says nothing.
    #[error("{}: allowed endings for output are .csv, .jsonl (each also with .gz or .zst) and .parquet", path.display())]
    OutputEnding {
        /// Which.
        path: PathBuf,
    },
    /// A folder without a file that can be read.
    #[error("{}: nothing in this folder can be read; wanted are .csv, .tsv, .txt, .jsonl, .ndjson, .parquet, .arrow or .xlsx", path.display())]
    NothingInFolder {
        /// Which.
        path: PathBuf,
    },
    /// Day and month of a file's dates cannot be told apart.
    #[error("{}: column {column:?}: in {example:?} day and month cannot be told apart; name the form with --date-format {}", path.display(), forms(example))]
    AmbiguousDates {
        /// Which file.
        path: PathBuf,
        /// The column.
        column: String,
        /// One of them.
        example: String,
    },
    /// An encoding that nobody knows.
    #[error(
        "encoding {given:?} is not known; allowed are names of the Encoding Standard, such as windows-1252 or utf-16le"
    )]
    Encoding {
        /// Its name.
        given: String,
    },
    /// The file has no header.
    #[error("{}: the file is empty; a first line with column names is needed", path.display())]
    Empty {
        /// Which.
        path: PathBuf,
    },
    /// A column that is needed is not there or not recognised.
    #[error("{}: no {what} column; name it with --{what} (the file has: {})", path.display(), found.join(", "))]
    NoColumn {
        /// Which file.
        path: PathBuf,
        /// What was looked for.
        what: &'static str,
        /// What the file has.
        found: Vec<String>,
    },
    /// A table beside the log lacks a column.
    #[error("{}: no column of the {what}; it may be named {} (the file has: {})", path.display(), names.join(", "), found.join(", "))]
    NoTableColumn {
        /// Which file.
        path: PathBuf,
        /// What was looked for.
        what: &'static str,
        /// What it may be named; spaces, underscores and case do not matter.
        names: &'static [&'static str],
        /// What the file has.
        found: Vec<String>,
    },
    /// A column that was named is not there.
    #[error("{}: no column {name:?} (the file has: {})", path.display(), found.join(", "))]
    UnknownColumn {
        /// Which file.
        path: PathBuf,
        /// What was asked for.
        name: String,
        /// What the file has.
        found: Vec<String>,
    },
    /// A column name stands twice in the header.
    #[error("{}: the column {name:?} stands twice in the header; rename one", path.display())]
    TwiceInHeader {
        /// Which file.
        path: PathBuf,
        /// The name.
        name: String,
    },
    /// A column of a type that cannot be read.
    #[error("{}: column {column:?} is of type {given}; allowed are text, whole numbers, numbers, decimals, dates and timestamps", path.display())]
    ColumnType {
        /// Which file.
        path: PathBuf,
        /// The column.
        column: String,
        /// Its type.
        given: String,
    },
    /// The format itself is damaged.
    #[error("{}: {source}", path.display())]
    Format {
        /// Which file.
        path: PathBuf,
        /// The reader's word.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A file was to be read in parts, and has quotes that may span them. (Within this crate: the
    /// file is then read whole.)
    #[error("quotes: the file cannot be read in parts")]
    NotInParts,
    /// The log refused it.
    #[error("{}: {source}", path.display())]
    Log {
        /// Which file.
        path: PathBuf,
        /// The log's word.
        source: clv_core::Error,
    },
}
