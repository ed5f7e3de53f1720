//! CSV in every dress: plain or packed, with commas, semicolons, tabs or bars, quoted or not; and
//! files without a header in the two shapes that CDNOW comes in.

use std::io::{BufRead, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};

use csv::ByteRecord;

use crate::error::{Error, Result};
use crate::table::{Cell, Line, Row, Table, Visit};
use crate::values::Dates;

/// How much is looked at before reading begins.
const HEAD: u64 = 1 << 18;
/// How many rows of it.
const SAMPLE: usize = 2_000;

/// Opens CSV text; `name` stands for the file in errors.
pub(crate) fn open(mut source: Box<dyn Read>, name: &Path) -> Result<Box<dyn Table>> {
    let io = |source| Error::Io { path: name.into(), source };
    let mut head = Vec::new();
    source.by_ref().take(HEAD).read_to_end(&mut head).map_err(io)?;
    if head.iter().all(u8::is_ascii_whitespace) {
        return Err(Error::Empty { path: name.into() });
    }
    if let Some(header) = cdnow_header(first_line(&head)) {
        let rest = Box::new(Cursor::new(head.clone()).chain(source));
        return Ok(Box::new(Cdnow { header, head, rest, name: name.into() }));
    }
    Ok(Box::new(Csv::open(head, source, name)?))
}

fn first_line(head: &[u8]) -> &[u8] {
    head.split(|b| *b == b'\n').next().unwrap_or(head)
}

struct Csv {
    reader: csv::Reader<Box<dyn Read>>,
    header: Vec<String>,
    sample: Vec<ByteRecord>,
    /// After \r\n the reader says a record begins before the \n, so a line too early.
    late: u64,
    name: PathBuf,
}

impl Csv {
    fn open(head: Vec<u8>, rest: Box<dyn Read>, name: &Path) -> Result<Self> {
        let line = first_line(&head);
        let late = u64::from(line.ends_with(b"\r"));
        let count = |d: u8| line.iter().filter(|b| **b == d).count();
        let delimiter = [b',', b';', b'\t', b'|'].into_iter().rev().max_by_key(|d| count(*d)).unwrap_or(b',');
        let mut builder = csv::ReaderBuilder::new();
        builder.delimiter(delimiter).flexible(true).has_headers(true);
        // The last record of the head may be cut short: a sample does not need it.
        let mut sample = Vec::new();
        let whole = if (head.len() as u64) < HEAD { head.len() } else { last_newline(&head) };
        for record in builder.from_reader(&head[..whole]).byte_records().take(SAMPLE) {
            match record {
                Ok(record) => sample.push(record),
                Err(_) => break,
            }
        }
        let source: Box<dyn Read> = Box::new(Cursor::new(head).chain(rest));
        let mut reader = builder.buffer_capacity(1 << 16).from_reader(source);
        let header = reader.byte_headers().map_err(|e| damaged(e, name))?.iter().map(column_name).collect();
        Ok(Self { reader, header, sample, late, name: name.into() })
    }
}

fn last_newline(head: &[u8]) -> usize {
    head.iter().rposition(|b| *b == b'\n').map_or(head.len(), |at| at + 1)
}

fn column_name(field: &[u8]) -> String {
    String::from_utf8_lossy(field).trim_start_matches('\u{feff}').trim().to_owned()
}

fn damaged(error: csv::Error, name: &Path) -> Error {
    match error.into_kind() {
        csv::ErrorKind::Io(source) => Error::Io { path: name.into(), source },
        other => Error::Format { path: name.into(), source: format!("{other:?}").into() },
    }
}

impl Row for ByteRecord {
    fn cell(&self, position: usize) -> Cell<'_> {
        match self.get(position).map(std::str::from_utf8) {
            None => Cell::Missing,
            Some(Ok(text)) => Cell::Text(text),
            Some(Err(_)) => Cell::NotText,
        }
    }
}

impl Table for Csv {
    fn header(&self) -> &[String] {
        &self.header
    }

    fn sample(&self, position: usize) -> Vec<String> {
        let texts = self.sample.iter().filter_map(|row| match row.cell(position) {
            Cell::Text(text) => Some(text.trim().to_owned()),
            _ => None,
        });
        texts.filter(|text| !text.is_empty()).collect()
    }

    fn visit(mut self: Box<Self>, _: &[usize], visit: &mut Visit<'_>) -> Result<()> {
        let mut record = ByteRecord::new();
        while self.reader.read_byte_record(&mut record).map_err(|e| damaged(e, &self.name))? {
            let line = self.late + record.position().map_or(0, csv::Position::line);
            if record.len() == self.header.len() {
                visit(line, Line::Row(&record))?;
            } else {
                let found = format!("{} fields", record.len());
                visit(line, Line::Broken(&found, "as many fields as the header has"))?;
            }
        }
        Ok(())
    }
}

/// CDNOW as its authors gave it away: no header, columns set apart by spaces.
struct Cdnow {
    header: Vec<String>,
    head: Vec<u8>,
    rest: Box<dyn Read>,
    name: PathBuf,
}

/// The names that the columns of a headerless CDNOW file have: customer (in the sample two numbers
/// of theirs), day, CDs, dollars.
fn cdnow_header(first: &[u8]) -> Option<Vec<String>> {
    let fields: Vec<&str> = std::str::from_utf8(first).ok()?.split_whitespace().collect();
    let names: &[&str] = match fields.len() {
        4 => &["customer_id", "date", "number_of_cds", "dollar_value"],
        5 => &["master_id", "sample_id", "date", "number_of_cds", "dollar_value"],
        _ => return None,
    };
    let day = fields[fields.len() - 3];
    let numbers = fields.iter().all(|f| f.parse::<f64>().is_ok());
    let date = day.len() == 8 && Dates::default().read(day).is_ok();
    (numbers && date).then(|| names.iter().map(|n| (*n).to_owned()).collect())
}

struct Fields<'a>(Vec<&'a str>);

impl Row for Fields<'_> {
    fn cell(&self, position: usize) -> Cell<'_> {
        self.0.get(position).map_or(Cell::Missing, |text| Cell::Text(text))
    }
}

impl Table for Cdnow {
    fn header(&self) -> &[String] {
        &self.header
    }

    fn sample(&self, position: usize) -> Vec<String> {
        let head = String::from_utf8_lossy(&self.head[..last_newline(&self.head)]).into_owned();
        let field = |line: &str| line.split_whitespace().nth(position).map(str::to_owned);
        head.lines().take(SAMPLE).filter_map(field).collect()
    }

    fn visit(self: Box<Self>, _: &[usize], visit: &mut Visit<'_>) -> Result<()> {
        let mut reader = BufReader::new(self.rest);
        let (mut text, mut line) = (Vec::new(), 0);
        loop {
            text.clear();
            let read = reader.read_until(b'\n', &mut text);
            if read.map_err(|source| Error::Io { path: self.name.clone(), source })? == 0 {
                return Ok(());
            }
            line += 1;
            if text.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            let fields = Fields(std::str::from_utf8(&text).unwrap_or("").split_whitespace().collect());
            if fields.0.len() == self.header.len() {
                visit(line, Line::Row(&fields))?;
            } else {
                let found = format!("{} fields", fields.0.len());
                visit(line, Line::Broken(&found, "as many fields as the first line has"))?;
            }
        }
    }
}
