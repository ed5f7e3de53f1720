//! From files to a grain ledger, on several threads when asked.

use std::path::PathBuf;

use clv_core::Cleaning;
use clv_core::ledger::Ledger;
use clv_core::scale::{GrainLedger, OrderedSummary, ScaleIntake};
use clv_core::units::Grain;

use crate::columns::Recognised;
use crate::dress::Dress;
use crate::error::{Error, Result};
use crate::options::ReadOptions;
use crate::row::Entering;
use crate::{Source, files, read_into, source};

/// Reads files, and the files in folders, into a grain ledger: 16 bytes a purchase, however many.
///
/// With several threads a Parquet file is shared out by row groups, and an unpacked CSV file without
/// quotes by its lines; the result is the same to the bit.
///
/// # Errors
///
/// As [`read_log`](crate::read_log); [`Error::Log`] if a cleaning policy needs the whole log.
pub fn read_scaled(
    paths: &[PathBuf],
    options: &ReadOptions,
    grain: Grain,
    threads: usize,
) -> Result<(GrainLedger, Vec<Source>)> {
    let files = files(paths)?;
    let named = |source| Error::Log { path: paths.first().cloned().unwrap_or_default(), source };
    let begin =
        |cleaning: &Cleaning| ScaleIntake::new(GrainLedger::new(grain), cleaning.clone()).map_err(named);
    let mut all = GrainLedger::new(grain);
    let mut sources = Vec::new();
    for path in &files {
        let here = |source| Error::Log { path: path.clone(), source };
        let table = source::open(path, options)?;
        let shared = if threads > 1 && !crate::is_segment(path, table.as_ref(), options) {
            let columns = Recognised::of(table.header(), options, path)?;
            let dress = Dress::of(table.as_ref(), &columns, options, path)?;
            Some((table.split(threads), columns, dress))
        } else {
            drop(table);
            None
        };
        match shared {
            Some((parts, columns, dress)) if parts.len() > 1 => {
                let name = (files.len() > 1).then(|| path.display().to_string());
                let read = |part: Box<dyn crate::table::Table>| -> Result<(GrainLedger, u64)> {
                    let mut intake = begin(&options.cleaning)?;
                    if let Some(name) = &name {
                        clv_core::Intake::source(&mut intake, name);
                    }
                    let mut entering =
                        Entering { to: &mut intake, columns: &columns, dress: &dress, options, path };
                    let lines = part.visit(&columns.positions(), &mut entering)?;
                    Ok((intake.finish(), lines))
                };
                let results: Vec<Result<(GrainLedger, u64)>> = std::thread::scope(|scope| {
                    let read = &read;
                    let started: Vec<_> =
                        parts.into_iter().map(|part| scope.spawn(move || read(part))).collect();
                    let joined = started.into_iter().map(std::thread::ScopedJoinHandle::join);
                    joined.map(|r| r.unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
                });
                if results.iter().any(|r| matches!(r, Err(Error::NotInParts))) {
                    all.merge(alone(path, options, begin(&options.cleaning)?)?.0).map_err(here)?;
                } else {
                    let mut before = 0;
                    for result in results {
                        let (mut part, lines) = result.map_err(|error| later(error, before))?;
                        part.move_lines(before);
                        before += lines;
                        all.merge(part).map_err(here)?;
                    }
                }
                sources.push(Source {
                    path: path.clone(),
                    shape: columns.shape,
                    columns: Some(columns),
                    dress,
                });
            }
            _ => {
                let mut intake = begin(&options.cleaning)?;
                if files.len() > 1 {
                    clv_core::Intake::source(&mut intake, &path.display().to_string());
                }
                let (ledger, source) = alone(path, options, intake)?;
                all.merge(ledger).map_err(here)?;
                sources.push(source);
            }
        }
    }
    Ok((all, sources))
}

/// A row refused in strict mode stands so many lines later than its part of the file knew.
fn later(error: Error, lines: u64) -> Error {
    match error {
        Error::Log { path, source: clv_core::Error::Row(mut row) } => {
            row.line += lines;
            Error::Log { path, source: clv_core::Error::Row(row) }
        }
        other => other,
    }
}

/// Reads files whose rows are in order of time into an ordered summary: memory for customers, not for
/// rows.
///
/// # Errors
///
/// As [`read_log`](crate::read_log); [`Error::Log`] naming the first customer with a late purchase, or
/// if a cleaning policy needs the whole log.
pub fn read_ordered(
    paths: &[PathBuf],
    options: &ReadOptions,
    into: OrderedSummary,
) -> Result<(OrderedSummary, Vec<Source>)> {
    let named = |source| Error::Log { path: paths.first().cloned().unwrap_or_default(), source };
    let mut intake = ScaleIntake::new(into, options.cleaning.clone()).map_err(named)?;
    let sources = read_into(paths, options, &mut intake)?;
    Ok((intake.finish(), sources))
}

fn alone(
    path: &PathBuf,
    options: &ReadOptions,
    mut intake: ScaleIntake<GrainLedger>,
) -> Result<(GrainLedger, Source)> {
    let mut sources = read_into(std::slice::from_ref(path), options, &mut intake)?;
    Ok((intake.finish(), sources.swap_remove(0)))
}

/// Counts rows and keeps nothing: what decoding alone costs.
#[derive(Debug, Default)]
pub struct Decoding {
    /// What became of the rows.
    pub ledger: Ledger,
}

impl clv_core::Intake for Decoding {
    fn transaction(&mut self, _: u64, row: clv_core::Transaction<'_>) -> clv_core::Result<()> {
        std::hint::black_box(row);
        self.ledger.keep_row();
        Ok(())
    }

    fn reject(
        &mut self,
        line: u64,
        reason: clv_core::Reason,
        field: &str,
        value: &str,
        allowed: &'static str,
    ) -> clv_core::Result<()> {
        let (field, value) = (field.to_owned(), value.to_owned());
        let allowed = allowed.into();
        self.ledger.drop_row(clv_core::ledger::RejectedRow {
            source: None,
            line,
            reason,
            field,
            value,
            allowed,
        });
        Ok(())
    }

    fn set_aside(&mut self, line: u64, reason: clv_core::Reason, field: &str, value: &str) {
        let _ = self.reject(line, reason, field, value, "");
    }

    fn notice(&mut self, fact: clv_core::Notice) {
        self.ledger.notice(fact);
    }

    fn columns(&mut self, _: u64, columns: &clv_core::scale::Columns<'_>) -> clv_core::Result<bool> {
        self.ledger.read += columns.day.len() as u64;
        self.ledger.kept += columns.day.len() as u64;
        std::hint::black_box(columns);
        Ok(true)
    }
}
