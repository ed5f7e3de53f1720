//! CSV in every dress: plain or packed, with commas, semicolons, tabs or bars, quoted or not; and
//! files without a header in the two shapes that CDNOW comes in.

use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use clv_core::scale::{Columns, CustomerColumn};
use csv::ByteRecord;

use crate::error::{Error, Result};
use crate::source::Plain;
use crate::table::{Batch, Cell, Line, Row, Table, Visit};
use crate::values::{Dates, iso_days};

/// How much is looked at before reading begins.
const HEAD: u64 = 1 << 18;
/// How many rows of it.
const SAMPLE: usize = 2_000;

/// Opens CSV text; `name` stands for the file in errors.
pub(crate) fn open(
    mut source: Box<dyn Read + Send>,
    name: &Path,
    plain: Option<Plain>,
) -> Result<Box<dyn Table>> {
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
    Ok(Box::new(Csv::open(head, source, name, plain)?))
}

fn first_line(head: &[u8]) -> &[u8] {
    head.split(|b| *b == b'\n').next().unwrap_or(head)
}

struct Csv {
    header: Vec<String>,
    delimiter: u8,
    /// What ends a line: of old files from a Mac a carriage return.
    newline: u8,
    sample: Vec<ByteRecord>,
    rest: Box<dyn Read + Send>,
    /// Where the rows begin in the text, and how many lines stand before them.
    body: u64,
    lines: u64,
    plain: Option<Plain>,
    /// A part must not meet a quote: what it opens may close in another part.
    is_part: bool,
    name: PathBuf,
}

impl Csv {
    fn open(head: Vec<u8>, rest: Box<dyn Read + Send>, name: &Path, plain: Option<Plain>) -> Result<Self> {
        let newline = if head.contains(&b'\n') || !head.contains(&b'\r') { b'\n' } else { b'\r' };
        let Preamble { skipped, delimiter } = Preamble::of(&head, newline);
        // The last record of the head may be cut short: a sample does not need it.
        let whole = if (head.len() as u64) < HEAD { head.len() } else { last_newline(&head) };
        let mut reader = builder(delimiter).from_reader(&head[skipped..whole.max(skipped)]);
        let header = reader.byte_headers().map_err(|e| damaged(e, name))?.iter().map(column_name).collect();
        let at = skipped + reader.position().byte() as usize;
        let mut sample = Vec::new();
        for record in reader.byte_records().take(SAMPLE) {
            match record {
                Ok(record) => sample.push(record),
                Err(_) => break,
            }
        }
        // The header ends before its line break.
        let body = at + head[at..].iter().take_while(|b| matches!(b, b'\r' | b'\n')).count();
        let lines = memchr::memchr_iter(newline, &head[..body]).count() as u64;
        let rest = Box::new(Cursor::new(head).chain(rest));
        let (body, name) = (body as u64, name.into());
        Ok(Self { header, delimiter, newline, sample, rest, body, lines, plain, is_part: false, name })
    }

    /// Rows by hand as long as no quote is met, which is all there is to most large files; from then
    /// on with all the rules of CSV.
    fn rows(mut self, visit: &mut dyn Visit) -> Result<u64> {
        let io = |source| Error::Io { path: self.name.clone(), source };
        std::io::copy(&mut self.rest.by_ref().take(self.body), &mut std::io::sink()).map_err(io)?;
        let mut lines = self.lines;
        let mut buffer: Vec<u8> = Vec::with_capacity(2 * CHUNK);
        let mut found = Plainly::default();
        loop {
            let carried = buffer.len();
            let read = self.rest.by_ref().take(CHUNK as u64).read_to_end(&mut buffer).map_err(io)?;
            if memchr::memchr(b'"', &buffer[carried..]).is_some() {
                return self.quoted(buffer, lines, visit);
            }
            let ended = read == 0;
            let whole =
                if ended { buffer.len() } else { memchr::memrchr(b'\n', &buffer).map_or(0, |at| at + 1) };
            lines = self.plain_rows(&buffer[..whole], lines, &mut found, visit)?;
            buffer.drain(..whole);
            if ended {
                return Ok(lines);
            }
        }
    }

    /// Whole lines without quotes: all at once if they are as simple as most, else one by one.
    fn plain_rows(&self, text: &[u8], lines: u64, found: &mut Plainly, visit: &mut dyn Visit) -> Result<u64> {
        let width = self.header.len();
        let count = found.cut(text, self.delimiter, self.newline, width);
        if !found.line.is_empty() {
            let first = lines + u64::from(found.line[0]);
            let mut batch = PlainBatch { text, fields: &found.fields, width, numbers: &mut found.numbers };
            if !visit.batch(first, &mut batch)? {
                for (row, line) in found.fields.chunks_exact(width).zip(&found.line) {
                    visit.line(lines + u64::from(*line), Line::Row(&PlainRow { text, fields: row }))?;
                }
            }
        }
        for (line, fields) in found.broken.drain(..) {
            broken(lines + u64::from(line), fields, visit)?;
        }
        Ok(lines + u64::from(count))
    }

    /// What follows, with all the rules of CSV.
    fn quoted(mut self, mut buffer: Vec<u8>, mut lines: u64, visit: &mut dyn Visit) -> Result<u64> {
        if self.is_part {
            return Err(Error::NotInParts);
        }
        let io = |source| Error::Io { path: self.name.clone(), source };
        let mut record = Record::default();
        let (mut at, mut ended) = (0, false);
        loop {
            match record.read(&buffer[at..], self.delimiter, self.newline, ended) {
                Split::Record(length) if length > LONGEST => {
                    // Closed by the next stray quote, with all that lies between inside.
                    at += self.unclosed(&buffer[at..], &mut lines, visit)?;
                }
                Split::Record(length) => {
                    let line = lines + 1;
                    lines += memchr::memchr_iter(self.newline, &buffer[at..at + length]).count() as u64;
                    at += length;
                    if record.is_blank() {
                        continue;
                    }
                    if record.ends.len() == self.header.len() {
                        visit.line(line, Line::Row(&record))?;
                    } else {
                        broken(line, record.ends.len(), visit)?;
                    }
                }
                Split::NeedsMore => {
                    // A quote that nobody closes would swallow the rest of the file.
                    if buffer.len() - at > LONGEST {
                        at += self.unclosed(&buffer[at..], &mut lines, visit)?;
                        continue;
                    }
                    buffer.drain(..at);
                    at = 0;
                    ended = self.rest.by_ref().take(CHUNK as u64).read_to_end(&mut buffer).map_err(io)? == 0;
                }
                Split::Unclosed => at += self.unclosed(&buffer[at..], &mut lines, visit)?,
                Split::End => return Ok(lines),
            }
        }
    }

    /// Tells of a line whose quote is never closed, and gives its length: the lines after it are rows
    /// again.
    fn unclosed(&self, text: &[u8], lines: &mut u64, visit: &mut dyn Visit) -> Result<usize> {
        let length = memchr::memchr(self.newline, text).map_or(text.len(), |end| end + 1);
        *lines += 1;
        let start: String = String::from_utf8_lossy(&text[..length.min(60)]).trim_end().to_owned();
        let found = format!("a quote that is never closed: {start}");
        visit
            .line(*lines, Line::Broken(&found, "quotes in pairs; a quote inside quotes is written twice"))?;
        Ok(length)
    }
}

/// A record longer than this is one whose quote was not closed.
const LONGEST: usize = 1 << 16;

/// What may stand before the header: blank lines, and Excel's `sep=;`.
struct Preamble {
    skipped: usize,
    delimiter: u8,
}

impl Preamble {
    fn of(head: &[u8], newline: u8) -> Self {
        let (mut skipped, mut named) = (0, None);
        loop {
            let line = head[skipped..].split(|b| *b == newline).next().unwrap_or_default();
            let text = line.trim_ascii();
            let bare = text.strip_prefix(b"\"").and_then(|t| t.strip_suffix(b"\"")).unwrap_or(text);
            match bare.strip_prefix(b"sep=") {
                Some([delimiter]) if named.is_none() => named = Some(*delimiter),
                _ if text.is_empty() && skipped + line.len() < head.len() => {}
                _ => {
                    let count = |d: u8| line.iter().filter(|b| **b == d).count();
                    let commonest =
                        [b',', b';', b'\t', b'|'].into_iter().rev().max_by_key(|d| count(*d)).unwrap_or(b',');
                    return Self { skipped, delimiter: named.unwrap_or(commonest) };
                }
            }
            skipped = (skipped + line.len() + 1).min(head.len());
        }
    }
}

/// One record, its quotes taken off.
#[derive(Default)]
struct Record {
    text: Vec<u8>,
    ends: Vec<usize>,
    quoted: bool,
}

enum Split {
    /// A record of so many bytes, its line break included.
    Record(usize),
    /// It goes on beyond what has been read.
    NeedsMore,
    /// A quote is not closed, or by that of another field.
    Unclosed,
    /// There is nothing left.
    End,
}

impl Record {
    fn is_blank(&self) -> bool {
        !self.quoted && self.ends.len() == 1 && self.text.is_empty()
    }

    /// Splits a record off a text (RFC 4180). What stands behind a closing quote belongs to the field;
    /// a quote inside a field that does not begin with one is a quote.
    fn read(&mut self, text: &[u8], delimiter: u8, newline: u8, ended: bool) -> Split {
        self.text.clear();
        self.ends.clear();
        self.quoted = false;
        if text.is_empty() {
            return if ended { Split::End } else { Split::NeedsMore };
        }
        let mut at = 0;
        loop {
            if text.get(at) == Some(&b'"') {
                self.quoted = true;
                at += 1;
                let begun = self.text.len();
                loop {
                    let Some(quote) = memchr::memchr(b'"', &text[at..]) else {
                        return if ended { Split::Unclosed } else { Split::NeedsMore };
                    };
                    self.text.extend(&text[at..at + quote]);
                    at += quote + 1;
                    match text.get(at) {
                        Some(b'"') => {
                            self.text.push(b'"');
                            at += 1;
                        }
                        None if !ended => return Split::NeedsMore,
                        _ => break,
                    }
                }
                // A field over several lines with text right behind it: its quote was closed by the one that
                // should have opened another.
                let behind = text.get(at).is_some_and(|b| ![delimiter, newline, b'\r'].contains(b));
                if behind && self.text[begun..].contains(&newline) {
                    return Split::Unclosed;
                }
            }
            let end = match memchr::memchr2(delimiter, newline, &text[at..]) {
                Some(length) => at + length,
                None if ended => text.len(),
                None => return Split::NeedsMore,
            };
            let last = text.get(end) != Some(&delimiter);
            let field = &text[at..end];
            let field = if last { field.strip_suffix(b"\r").unwrap_or(field) } else { field };
            self.text.extend(field);
            self.ends.push(self.text.len());
            if last {
                return Split::Record((end + 1).min(text.len()));
            }
            at = end + 1;
        }
    }
}

impl Row for Record {
    fn cell(&self, position: usize) -> Cell<'_> {
        let Some(&end) = self.ends.get(position) else { return Cell::Missing };
        let start = position.checked_sub(1).map_or(0, |before| self.ends[before]);
        std::str::from_utf8(&self.text[start..end]).map_or(Cell::NotText, Cell::Text)
    }
}

/// How much is read at a time.
const CHUNK: usize = 1 << 18;

fn builder(delimiter: u8) -> csv::ReaderBuilder {
    let mut builder = csv::ReaderBuilder::new();
    builder.delimiter(delimiter).flexible(true).buffer_capacity(1 << 16);
    builder
}

fn broken(line: u64, found: usize, visit: &mut dyn Visit) -> Result<()> {
    let found = format!("{found} fields");
    visit.line(line, Line::Broken(&found, "as many fields as the header has"))
}

/// Where the fields of a text without quotes begin and end.
#[derive(Default)]
struct Plainly {
    /// Of all sound rows, one after the other.
    fields: Vec<(u32, u32)>,
    /// The line of each sound row, counted from one within the text.
    line: Vec<u32>,
    /// Lines with another number of fields than the header.
    broken: Vec<(u32, usize)>,
    numbers: Numbers,
}

impl Plainly {
    /// Cuts whole lines into fields; gives the number of lines.
    fn cut(&mut self, text: &[u8], delimiter: u8, newline: u8, width: usize) -> u32 {
        self.fields.clear();
        self.line.clear();
        let (mut line, mut start, mut line_start) = (0, 0, 0);
        // The last line may end with the file.
        let last = (!text.is_empty() && !text.ends_with(&[newline])).then_some(text.len());
        let mut row = 0;
        for end in memchr::memchr2_iter(delimiter, newline, text).chain(last) {
            if end < text.len() && text[end] == delimiter {
                self.fields.push((start as u32, end as u32));
                start = end + 1;
                continue;
            }
            line += 1;
            let last = if end > line_start && text[end - 1] == b'\r' { end - 1 } else { end };
            if last > line_start {
                self.fields.push((start as u32, last.max(start) as u32));
                if self.fields.len() - row == width {
                    self.line.push(line);
                    row += width;
                } else {
                    self.broken.push((line, self.fields.len() - row));
                    self.fields.truncate(row);
                }
            }
            start = end + 1;
            line_start = start;
        }
        line
    }
}

/// Columns read out of text.
#[derive(Default)]
struct Numbers {
    customer: Vec<i64>,
    day: Vec<i32>,
    amount: Vec<f64>,
}

struct PlainBatch<'a> {
    text: &'a [u8],
    fields: &'a [(u32, u32)],
    width: usize,
    numbers: &'a mut Numbers,
}

impl PlainBatch<'_> {
    /// Reads a column; false at the first row that is not as simple as most.
    fn fill<T>(&self, to: &mut Vec<T>, position: usize, read: impl Fn(&[u8]) -> Option<T>) -> bool {
        to.clear();
        let cells = self.fields.iter().skip(position).step_by(self.width);
        for &(start, end) in cells {
            match read(&self.text[start as usize..end as usize]) {
                Some(value) => to.push(value),
                None => return false,
            }
        }
        true
    }
}

impl Batch for PlainBatch<'_> {
    fn columns(&mut self, customer: usize, date: usize, amount: Option<usize>) -> Option<Columns<'_>> {
        let mut numbers = std::mem::take(self.numbers);
        let simple = self.fill(&mut numbers.customer, customer, whole_number)
            && self.fill(&mut numbers.day, date, iso_days)
            && amount.is_none_or(|position| self.fill(&mut numbers.amount, position, plain_decimal));
        *self.numbers = numbers;
        let Numbers { customer, day, amount: amounts } = &*self.numbers;
        let amount = amount.map(|_| amounts.as_slice());
        simple.then_some(Columns { customer: CustomerColumn::I64(customer), day, amount })
    }
}

/// Digits that a number would be written with again: no sign, no zero before them.
fn whole_number(text: &[u8]) -> Option<i64> {
    if !(1..=18).contains(&text.len()) || (text[0] == b'0' && text.len() > 1) {
        return None;
    }
    digits(text, 0).map(|n| n as i64)
}

/// Digits with or without a point, so few that the quotient is the nearest number: both sides of it
/// are exact (Clinger 1990).
fn plain_decimal(text: &[u8]) -> Option<f64> {
    const TENS: [f64; 16] =
        [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];
    if !(1..=16).contains(&text.len()) {
        return None;
    }
    match text.iter().position(|b| *b == b'.') {
        None if text.len() <= 15 => digits(text, 0).map(|n| n as f64),
        None => None,
        Some(0) => None,
        Some(point) => {
            let cents = &text[point + 1..];
            let number = digits(cents, digits(&text[..point], 0)?)?;
            Some(number as f64 / TENS[cents.len()])
        }
    }
}

fn digits(text: &[u8], before: u64) -> Option<u64> {
    let mut number = before;
    for &byte in text {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        number = 10 * number + u64::from(digit);
    }
    Some(number)
}

/// A row of a text without quotes.
struct PlainRow<'a> {
    text: &'a [u8],
    fields: &'a [(u32, u32)],
}

impl Row for PlainRow<'_> {
    fn cell(&self, position: usize) -> Cell<'_> {
        let Some(&(start, end)) = self.fields.get(position) else { return Cell::Missing };
        std::str::from_utf8(&self.text[start as usize..end as usize]).map_or(Cell::NotText, Cell::Text)
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

    fn visit(self: Box<Self>, _: &[usize], visit: &mut dyn Visit) -> Result<u64> {
        (*self).rows(visit)
    }

    fn split(self: Box<Self>, parts: usize) -> Vec<Box<dyn Table>> {
        let quoted =
            self.sample.iter().any(|r| r.iter().any(|f| f.contains(&b'"') || f.contains(&self.delimiter)));
        let Some(plain) = self.plain.clone().filter(|p| parts > 1 && !quoted && p.length > 4 * HEAD) else {
            return vec![self];
        };
        match self.parts(&plain, parts) {
            Ok(parts) => parts,
            // A file that cannot be opened again says so when it is read.
            Err(_) => vec![self],
        }
    }
}

impl Csv {
    /// Ranges that begin and end with a line.
    fn parts(&self, plain: &Plain, parts: usize) -> std::io::Result<Vec<Box<dyn Table>>> {
        let body = plain.start + self.body;
        let mut starts = vec![body];
        for i in 1..parts as u64 {
            let at = body + (plain.length - body) * i / parts as u64;
            let mut file = File::open(&plain.path)?;
            file.seek(SeekFrom::Start(at))?;
            let mut line = Vec::new();
            BufReader::new(file).read_until(self.newline, &mut line)?;
            starts.push(at + line.len() as u64);
        }
        starts.push(plain.length);
        let mut found: Vec<Box<dyn Table>> = Vec::new();
        for range in starts.windows(2).filter(|range| range[0] < range[1]) {
            let mut file = File::open(&plain.path)?;
            file.seek(SeekFrom::Start(range[0]))?;
            found.push(Box::new(Self {
                header: self.header.clone(),
                delimiter: self.delimiter,
                newline: self.newline,
                sample: Vec::new(),
                rest: Box::new(file.take(range[1] - range[0])),
                body: 0,
                lines: if found.is_empty() { self.lines } else { 0 },
                plain: None,
                is_part: true,
                name: self.name.clone(),
            }));
        }
        Ok(found)
    }
}

/// CDNOW as its authors gave it away: no header, columns set apart by spaces.
struct Cdnow {
    header: Vec<String>,
    head: Vec<u8>,
    rest: Box<dyn Read + Send>,
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

    fn split(self: Box<Self>, _: usize) -> Vec<Box<dyn Table>> {
        vec![self]
    }

    fn visit(self: Box<Self>, _: &[usize], visit: &mut dyn Visit) -> Result<u64> {
        let mut reader = BufReader::new(self.rest);
        let (mut text, mut line) = (Vec::new(), 0);
        loop {
            text.clear();
            let read = reader.read_until(b'\n', &mut text);
            if read.map_err(|source| Error::Io { path: self.name.clone(), source })? == 0 {
                return Ok(0);
            }
            line += 1;
            if text.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            let fields = Fields(std::str::from_utf8(&text).unwrap_or("").split_whitespace().collect());
            if fields.0.len() == self.header.len() {
                visit.line(line, Line::Row(&fields))?;
            } else {
                let found = format!("{} fields", fields.0.len());
                visit.line(line, Line::Broken(&found, "as many fields as the first line has"))?;
            }
        }
    }
}
