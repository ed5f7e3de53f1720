//! Transactions, summaries, forecasts and stages as CSV.
//!
//! A file is written whole or not at all. By its ending it is plain (`.csv`) or packed (`.csv.gz`,
//! `.csv.zst`). Numbers are written with as many digits as it takes to read the same number again;
//! what is undefined or absent is an empty field.

use std::io::{self, Write};
use std::path::Path;

use clv_core::saved::write_atomically;
use clv_core::{Forecast, Names, Stage, Summary, TransactionLog};

use crate::error::{Error, Result};

/// Writes `customer,date[,amount]`; times of day are kept where there are any.
///
/// # Errors
///
/// [`Error::Io`], [`Error::Ending`].
pub fn transactions(log: &TransactionLog, path: &Path) -> Result<()> {
    to_file(path, |out| {
        let with_amounts = log.amount().is_some();
        out.write_record(&["customer", "date", "amount"][..if with_amounts { 3 } else { 2 }])?;
        for row in 0..log.len() {
            out.write_field(log.customers().name(log.customer()[row]))?;
            out.write_field(log.time()[row].to_string())?;
            if let Some(amounts) = log.amount() {
                out.write_field(amounts[row].to_f64().to_string())?;
            }
            out.write_record(None::<&[u8]>)?;
        }
        Ok(())
    })
}

/// Writes `customer,frequency,recency,age,monetary_value`; the last is empty for customers without a
/// purchase that it is taken over.
///
/// # Errors
///
/// As [`transactions`].
pub fn summary(summary: &Summary, customers: &Names, path: &Path) -> Result<()> {
    to_file(path, |out| {
        out.write_record(["customer", "frequency", "recency", "age", "monetary_value"])?;
        for row in 0..summary.len() {
            history_fields(out, summary, customers, row)?;
            out.write_record(None::<&[u8]>)?;
        }
        Ok(())
    })
}

/// Writes the summary's columns and
/// `p_alive,expected_purchases,expected_spend,clv[,stage]`; what the model cannot say is empty.
///
/// # Errors
///
/// As [`transactions`].
pub fn forecast(
    summary: &Summary,
    customers: &Names,
    forecast: &Forecast,
    stages: Option<&[Stage]>,
    path: &Path,
) -> Result<()> {
    to_file(path, |out| {
        let header = [
            "customer",
            "frequency",
            "recency",
            "age",
            "monetary_value",
            "p_alive",
            "expected_purchases",
            "expected_spend",
            "clv",
            "stage",
        ];
        out.write_record(&header[..if stages.is_some() { 10 } else { 9 }])?;
        let number = |column: &Option<Vec<f64>>, row: usize| column.as_ref().map(|c| c[row]);
        let estimate = |column: &Option<Vec<Option<f64>>>, row: usize| column.as_ref().and_then(|c| c[row]);
        for row in 0..summary.len() {
            history_fields(out, summary, customers, row)?;
            for value in [
                number(&forecast.p_alive, row),
                number(&forecast.purchases, row),
                estimate(&forecast.spend, row),
                estimate(&forecast.value, row),
            ] {
                out.write_field(shown(value))?;
            }
            if let Some(stages) = stages {
                out.write_field(stages[row].to_string())?;
            }
            out.write_record(None::<&[u8]>)?;
        }
        Ok(())
    })
}

/// Writes `customer,stage`.
///
/// # Errors
///
/// As [`transactions`].
pub fn stages<'a>(rows: impl Iterator<Item = (&'a str, Stage)>, path: &Path) -> Result<()> {
    to_file(path, |out| {
        out.write_record(["customer", "stage"])?;
        for (customer, stage) in rows {
            out.write_record([customer, &stage.to_string()])?;
        }
        Ok(())
    })
}

type Out<'a> = csv::Writer<&'a mut dyn Write>;

fn history_fields(out: &mut Out<'_>, summary: &Summary, customers: &Names, row: usize) -> csv::Result<()> {
    let history = summary.history(row);
    out.write_field(customers.name(summary.customer[row]))?;
    out.write_field(history.frequency.to_string())?;
    out.write_field(history.recency.to_string())?;
    out.write_field(history.age.to_string())?;
    out.write_field(shown(history.spend))
}

/// `1e-7` rather than `0.0000001`.
fn shown(value: Option<f64>) -> String {
    match value {
        None => String::new(),
        Some(v) if v != 0.0 && v.abs() < 1e-5 => format!("{v:e}"),
        Some(v) => v.to_string(),
    }
}

fn to_file(path: &Path, rows: impl FnOnce(&mut Out<'_>) -> csv::Result<()>) -> Result<()> {
    let ending = path.extension().and_then(|e| e.to_str()).unwrap_or("");
    let packed = path.file_stem().is_some_and(|s| s.to_string_lossy().ends_with(".csv"));
    if ending != "csv" && !(packed && matches!(ending, "gz" | "zst")) {
        return Err(Error::Ending { path: path.into() });
    }
    let written = write_atomically(path, |file| match ending {
        "gz" => {
            let mut encoder = flate2::write::GzEncoder::new(file, flate2::Compression::default());
            to_writer(&mut encoder, rows)?;
            encoder.finish().map(|_| ())
        }
        "zst" => {
            let mut encoder = zstd::Encoder::new(file, 0)?;
            to_writer(&mut encoder, rows)?;
            encoder.finish().map(|_| ())
        }
        _ => to_writer(file, rows),
    });
    written.map_err(|error| match error {
        clv_core::Error::Io { path, source } => Error::Io { path, source },
        source => Error::Log { path: path.into(), source },
    })
}

fn to_writer(to: &mut dyn Write, rows: impl FnOnce(&mut Out<'_>) -> csv::Result<()>) -> io::Result<()> {
    let mut out = csv::Writer::from_writer(to);
    rows(&mut out).map_err(io::Error::other)?;
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clv_core::{Cut, Grain, LogBuilder, Moment, TimeUnit, Transaction};

    fn log() -> TransactionLog {
        let mut log = LogBuilder::new();
        for (who, hours, amount) in [("a, \"the first\"", 0, 1.1), ("b", 30, 2.2), ("b", 80, 3.3)] {
            let time = Moment::from_micros(hours * 3_600_000_000);
            log.push(Transaction::new(who, time).amount(amount).unwrap()).unwrap();
        }
        log.finish()
    }

    #[test]
    fn what_is_written_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["tx.csv", "tx.csv.gz", "tx.csv.zst"] {
            let path = folder.path().join(name);
            transactions(&log(), &path).unwrap();
            let again = crate::read_log(&path, &crate::ReadOptions::new()).unwrap().log;
            assert_eq!(again.time(), log().time());
            assert_eq!(again.amount(), log().amount());
            assert_eq!(again.customers().name(0), "a, \"the first\"");
        }
        assert!(matches!(transactions(&log(), &folder.path().join("tx.xlsx")), Err(Error::Ending { .. })));
    }

    #[test]
    fn a_file_that_cannot_be_written_leaves_the_old_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("missing").join("tx.csv");
        assert!(matches!(transactions(&log(), &path), Err(Error::Io { .. })));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn columns_come_in_their_promised_order() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s.csv");
        let log = log();
        let cut = Cut::end_of(Moment::from_days(10), Grain::Day);
        let s = Summary::of(&log, cut, TimeUnit::Day).unwrap();
        summary(&s, log.customers(), &path).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(
            text,
            "customer,frequency,recency,age,monetary_value\n\"a, \"\"the first\"\"\",0,0,10,\nb,1,2,9,3.3\n"
        );
    }
}
