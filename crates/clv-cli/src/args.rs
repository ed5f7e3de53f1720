//! What several verbs ask for.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use clv::log::Policy;
use clv::{Grain, Moment, TimeUnit};

/// A transaction file and how to read it.
#[derive(Debug, Args)]
pub(crate) struct Transactions {
    /// Transactions: .csv, .csv.gz, .csv.zst or .parquet.
    #[arg(value_name = "TX")]
    pub file: PathBuf,
    /// Column that names the customer [default: recognised].
    #[arg(long, value_name = "COLUMN")]
    pub customer: Option<String>,
    /// Column with the date or time [default: recognised].
    #[arg(long, value_name = "COLUMN")]
    pub date: Option<String>,
    /// Column with the amount [default: recognised, or quantity times unit price].
    #[arg(long, value_name = "COLUMN")]
    pub amount: Option<String>,
    /// How dates are written, such as %d.%m.%Y [default: YYYY-MM-DD with a time if any].
    #[arg(long, value_name = "FORMAT")]
    pub date_format: Option<String>,
    /// What is one purchase: exact, hour, day, week.
    #[arg(long, default_value = "day")]
    pub grain: Grain,
    /// Stop at the first row that cannot be read.
    #[arg(long)]
    pub strict: bool,
    /// Rows with a negative amount.
    #[arg(long, value_enum, default_value_t = KeepOrDrop::Drop)]
    pub returns: KeepOrDrop,
    /// Rows with an amount of zero.
    #[arg(long, value_enum, default_value_t = KeepOrDrop::Keep)]
    pub zero_amounts: KeepOrDrop,
    /// Rows equal to an earlier one in every field.
    #[arg(long, value_enum, default_value_t = KeepOrDrop::Keep)]
    pub duplicates: KeepOrDrop,
}

/// What to do with a kind of row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum KeepOrDrop {
    Keep,
    Drop,
}

impl From<KeepOrDrop> for Policy {
    fn from(choice: KeepOrDrop) -> Self {
        match choice {
            KeepOrDrop::Keep => Self::Keep,
            KeepOrDrop::Drop => Self::Drop,
        }
    }
}

/// When observation ends, and in what time is counted.
#[derive(Debug, Args)]
pub(crate) struct Observation {
    /// End of observation, inclusive [default: the last purchase].
    #[arg(long, value_name = "DATE", value_parser = date)]
    pub until: Option<Moment>,
    /// Time unit: day, week, month, year [default: the model's, or week].
    #[arg(long)]
    pub unit: Option<TimeUnit>,
}

/// How to print.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Table,
    /// One JSON document.
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct Output {
    /// How results are printed on standard output.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
}

pub(crate) fn date(text: &str) -> Result<Moment, clv::Error> {
    Moment::parse_date(text)
}

/// `name=value`.
pub(crate) fn assignment(text: &str) -> Result<(String, f64), String> {
    let (name, value) = text.split_once('=').ok_or("expected name=value")?;
    let value: f64 = value.trim().parse().map_err(|_| format!("{value:?} is not a number"))?;
    Ok((name.trim().to_owned(), value))
}
