//! Excel workbooks: every sheet that has the header of the first, one after the other.

use std::fs::File;
use std::io::{BufReader, Cursor, Read, Seek};
use std::path::Path;

use calamine::{Data, ExcelDateTime, Reader, Xlsx, XlsxError};

use crate::Reading;
use crate::columns::plain;
use crate::error::{Error, Result};
use crate::guard::guarded;
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
    let mut book: Xlsx<_> = guarded(path, || Xlsx::new(file))?;
    let mut sheets: Vec<Sheet> = Vec::new();
    let mut header: Vec<String> = Vec::new();
    for name in book.sheet_names() {
        let mut rows = guarded(path, || rows(&mut book, &name))?.into_iter();
        let Some(first) = rows.next() else { continue };
        let mut names: Vec<String> =
            first.cells.iter().map(|cell| cell.to_string().trim().to_owned()).collect();
        while names.last().is_some_and(String::is_empty) {
            names.pop();
        }
        // A cover or a note has no columns.
        if names.len() < 2 {
            continue;
        }
        if header.is_empty() {
            header = names.clone();
        }
        let plainly = |names: &[String]| names.iter().map(|n| plain(n)).collect::<Vec<_>>();
        let fits = plainly(&names) == plainly(&header);
        sheets.push(Sheet { name, fits, rows: rows.collect() });
    }
    if sheets.is_empty() {
        return Err(Error::Empty { path: path.into() });
    }
    Ok(Box::new(Workbook { header, sheets }))
}

/// Columns beyond this belong to no table of purchases; a damaged cell may name any.
const COLUMNS: u32 = 1_000;

/// The rows of a sheet that have a cell. What lies between costs nothing: a sheet of two cells in
/// opposite corners is two rows.
fn rows<F: Read + Seek>(book: &mut Xlsx<F>, name: &str) -> Result<Vec<SheetRow>, XlsxError> {
    let mut reader = match book.worksheet_cells_reader(name) {
        Err(XlsxError::NotAWorksheet(_)) => return Ok(Vec::new()),
        other => other?,
    };
    let mut rows: Vec<SheetRow> = Vec::new();
    while let Some(cell) = reader.next_cell()? {
        let (row, column) = cell.get_position();
        let value = Data::from(cell.get_value().clone());
        if column >= COLUMNS || matches!(value, Data::Empty) {
            continue;
        }
        let line = u64::from(row) + 1;
        if rows.last().is_none_or(|last| last.line != line) {
            rows.push(SheetRow { line, cells: Vec::new() });
        }
        if let Some(last) = rows.last_mut() {
            let place = column as usize;
            if last.cells.len() <= place {
                last.cells.resize(place + 1, Data::Empty);
            }
            last.cells[place] = value;
        }
    }
    Ok(rows)
}

struct Workbook {
    header: Vec<String>,
    sheets: Vec<Sheet>,
}

struct Sheet {
    name: String,
    /// Whether its header is that of the first.
    fits: bool,
    /// Without the header.
    rows: Vec<SheetRow>,
}

struct SheetRow {
    /// As the sheet counts.
    line: u64,
    cells: Vec<Data>,
}

impl Row for SheetRow {
    fn cell(&self, position: usize) -> Cell<'_> {
        match self.cells.get(position) {
            None | Some(Data::Empty | Data::Error(_)) => Cell::Missing,
            Some(Data::Int(n)) => Cell::Number(*n as f64),
            Some(Data::Float(n)) => Cell::Number(*n),
            Some(Data::String(text) | Data::DateTimeIso(text) | Data::DurationIso(text)) => Cell::Text(text),
            Some(Data::Bool(true)) => Cell::Text("true"),
            Some(Data::Bool(false)) => Cell::Text("false"),
            Some(Data::DateTime(when)) => excel_moment(when),
        }
    }
}

fn excel_moment(when: &ExcelDateTime) -> Cell<'_> {
    // Days since 1899-12-30; beyond the year 9999 it is no date.
    if !(0.0..2_958_466.0).contains(&when.as_f64()) {
        return Cell::Number(when.as_f64());
    }
    let (year, month, day, hour, minute, second, milli) = when.to_ymd_hms_milli();
    let Ok(date) = jiff::civil::Date::new(year as i16, month as i8, day as i8) else { return Cell::Missing };
    let seconds = (i64::from(hour) * 60 + i64::from(minute)) * 60 + i64::from(second);
    let midnight = clv_core::Moment::from(date.to_datetime(jiff::civil::Time::midnight()));
    Cell::Moment(midnight.micros() + (seconds * 1_000 + i64::from(milli)) * 1_000, None)
}

impl Table for Workbook {
    fn header(&self) -> &[String] {
        &self.header
    }

    fn sample(&self, position: usize) -> Vec<String> {
        let text = |row: &SheetRow| match row.cell(position) {
            Cell::Text(text) => Some(text.trim().to_owned()),
            _ => None,
        };
        let rows = self.sheets.iter().filter(|s| s.fits).flat_map(|s| &s.rows).take(2_000);
        rows.filter_map(text).filter(|text| !text.is_empty()).collect()
    }

    /// Rows have the numbers that their sheets give them.
    fn visit(self: Box<Self>, _: &[usize], visit: &mut dyn Visit) -> Result<u64> {
        for sheet in &self.sheets {
            for row in &sheet.rows {
                if sheet.fits {
                    visit.line(row.line, Line::Row(row))?;
                } else {
                    let found = format!("a row of sheet {:?}, which has other columns", sheet.name);
                    visit.line(row.line, Line::Broken(&found, "the columns of the first sheet"))?;
                }
            }
        }
        Ok(0)
    }

    fn split(self: Box<Self>, _: usize) -> Vec<Box<dyn Table>> {
        vec![self]
    }
}
