//! Excel workbooks: every sheet that has the header of the first, one after the other.

use std::fs::File;
use std::io::{BufReader, Cursor, Read, Seek};
use std::path::{Path, PathBuf};

use calamine::{Data, Range, Reader, Xlsx};

use crate::Reading;
use crate::error::{Error, Result};
use crate::options::ReadOptions;
use crate::table::{Cell, Line, Row, Table, Visit};

/// Reads a workbook that lies in memory as a log; `name` stands for the file in errors.
///
/// # Errors
///
/// As [`read_log`](crate::read_log).
pub fn read_bytes(bytes: Vec<u8>, name: &Path, options: &ReadOptions) -> Result<Reading> {
    crate::read_table(table(Cursor::new(bytes), name)?, name, options)
}

/// Opens a workbook.
pub(crate) fn open(path: &Path) -> Result<Box<dyn Table>> {
    let file = File::open(path).map_err(|source| Error::Io { path: path.into(), source })?;
    table(BufReader::new(file), path)
}

fn table(file: impl Read + Seek, path: &Path) -> Result<Box<dyn Table>> {
    let damaged = |source: calamine::XlsxError| Error::Format { path: path.into(), source: Box::new(source) };
    let mut book: Xlsx<_> = Xlsx::new(file).map_err(damaged)?;
    let mut sheets: Vec<Range<Data>> = Vec::new();
    let mut header: Vec<String> = Vec::new();
    for name in book.sheet_names() {
        let range = book.worksheet_range(&name).map_err(damaged)?;
        let Some(first) = range.rows().next() else { continue };
        let names: Vec<String> = first.iter().map(|cell| cell.to_string().trim().to_owned()).collect();
        if sheets.is_empty() {
            header = names;
        } else if names != header {
            continue;
        }
        sheets.push(range);
    }
    if sheets.is_empty() {
        return Err(Error::Empty { path: path.into() });
    }
    Ok(Box::new(Workbook { header, sheets, path: path.into() }))
}

struct Workbook {
    header: Vec<String>,
    sheets: Vec<Range<Data>>,
    path: PathBuf,
}

struct SheetRow<'a>(&'a [Data]);

impl Row for SheetRow<'_> {
    fn cell(&self, position: usize) -> Cell<'_> {
        match self.0.get(position) {
            None | Some(Data::Empty | Data::Error(_)) => Cell::Missing,
            Some(Data::Int(n)) => Cell::Number(*n as f64),
            Some(Data::Float(n)) => Cell::Number(*n),
            Some(Data::String(text) | Data::DateTimeIso(text) | Data::DurationIso(text)) => Cell::Text(text),
            Some(Data::Bool(true)) => Cell::Text("true"),
            Some(Data::Bool(false)) => Cell::Text("false"),
            Some(Data::DateTime(when)) => {
                let (year, month, day, hour, minute, second, milli) = when.to_ymd_hms_milli();
                let date = jiff::civil::Date::new(year as i16, month as i8, day as i8);
                let Ok(date) = date else { return Cell::Missing };
                let time = i64::from(hour) * 3_600_000 + i64::from(minute) * 60_000;
                let time = time + i64::from(second) * 1_000 + i64::from(milli);
                let midnight = clv_core::Moment::from(date.to_datetime(jiff::civil::Time::midnight()));
                Cell::Moment(midnight.micros() + time * 1_000, None)
            }
        }
    }
}

impl Table for Workbook {
    fn header(&self) -> &[String] {
        &self.header
    }

    fn sample(&self, position: usize) -> Vec<String> {
        let rows = self.sheets.iter().flat_map(|sheet| sheet.rows().skip(1)).take(2_000);
        let text = |row| match SheetRow(row).cell(position) {
            Cell::Text(text) => Some(text.trim().to_owned()),
            _ => None,
        };
        rows.filter_map(text).filter(|text| !text.is_empty()).collect()
    }

    /// Rows count on from sheet to sheet.
    fn visit(self: Box<Self>, _: &[usize], visit: &mut dyn Visit) -> Result<u64> {
        let mut line = 0;
        for sheet in &self.sheets {
            line += 1;
            for row in sheet.rows().skip(1) {
                line += 1;
                if row.iter().all(|cell| matches!(cell, Data::Empty)) {
                    continue;
                }
                visit.line(line, Line::Row(&SheetRow(row)))?;
            }
        }
        if line == 0 { Err(Error::Empty { path: self.path }) } else { Ok(0) }
    }

    fn split(self: Box<Self>, _: usize) -> Vec<Box<dyn Table>> {
        vec![self]
    }
}
