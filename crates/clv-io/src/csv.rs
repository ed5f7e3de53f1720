//! CSV, plain or compressed.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use clv_core::LogBuilder;
use clv_core::ledger::Reason;
use csv::ByteRecord;

use crate::Reading;
use crate::columns::{Column, Recognised};
use crate::error::{Error, Result};
use crate::options::ReadOptions;
use crate::row::{Refused, Row, enter};
use crate::values::{DATES, NUMBERS, read_moment, read_number};

/// Reads a CSV file; `.gz` and `.zst` are unpacked on the way.
///
/// The first line names the columns. Fields are separated by whichever of comma, semicolon, tab and
/// bar the first line has most of.
///
/// # Errors
///
/// [`Error`]; in strict mode also for the first row that cannot be read.
pub fn read(path: &Path, options: &ReadOptions) -> Result<Reading> {
    let file = File::open(path).map_err(|source| Error::Io { path: path.into(), source })?;
    let unpacked: Box<dyn Read> = match path.extension().and_then(|e| e.to_str()) {
        Some("gz") => Box::new(flate2::read::MultiGzDecoder::new(BufReader::new(file))),
        Some("zst") => {
            Box::new(zstd::Decoder::new(file).map_err(|source| Error::Io { path: path.into(), source })?)
        }
        _ => Box::new(file),
    };
    read_from(unpacked, path, options)
}

/// Reads CSV text from anywhere; `name` stands for the file in errors.
///
/// # Errors
///
/// As [`read`].
pub fn read_from(source: impl Read, name: &Path, options: &ReadOptions) -> Result<Reading> {
    let mut buffered = BufReader::with_capacity(1 << 16, source);
    let io = |source| Error::Io { path: name.into(), source };
    let start = buffered.fill_buf().map_err(io)?;
    if start.is_empty() {
        return Err(Error::Empty { path: name.into() });
    }
    let first_line = start.split(|b| *b == b'\n').next().unwrap_or(start);
    // After \r\n the reader says a record begins before the \n, so a line too early.
    let late = u64::from(first_line.ends_with(b"\r"));
    let count = |d: u8| first_line.iter().filter(|b| **b == d).count();
    let delimiter = [b',', b';', b'\t', b'|'].into_iter().rev().max_by_key(|d| count(*d)).unwrap_or(b',');
    let mut reader =
        csv::ReaderBuilder::new().delimiter(delimiter).flexible(true).has_headers(true).from_reader(buffered);
    let damaged = |error: csv::Error| match error.into_kind() {
        csv::ErrorKind::Io(source) => Error::Io { path: name.into(), source },
        other => Error::Format { path: name.into(), source: format!("{other:?}").into() },
    };
    let header: Vec<String> = reader
        .byte_headers()
        .map_err(damaged)?
        .iter()
        .map(|field| String::from_utf8_lossy(field).trim_start_matches('\u{feff}').trim().to_owned())
        .collect();
    let columns = Recognised::of(&header, options, name)?;
    let format = options.date_format.as_deref();
    let mut log = LogBuilder::with(options.cleaning);
    let mut record = ByteRecord::new();
    while reader.read_byte_record(&mut record).map_err(damaged)? {
        let line = late + record.position().map_or(0, csv::Position::line);
        let entered = if record.len() == header.len() {
            enter(&mut log, line, &columns, &CsvRow { record: &record, format })
        } else {
            let found = format!("{} fields", record.len());
            log.reject(line, Reason::Malformed, "row", &found, "as many fields as the header has")
        };
        entered.map_err(|source| Error::Log { path: name.into(), source })?;
    }
    Ok(Reading { log: log.finish(), columns })
}

struct CsvRow<'a> {
    record: &'a ByteRecord,
    format: Option<&'a str>,
}

impl<'a> Row<'a> for CsvRow<'a> {
    fn text(&self, column: &Column) -> Result<&'a str, Refused> {
        std::str::from_utf8(&self.record[column.position])
            .map(str::trim)
            .map_err(|_| Refused::new(Reason::Malformed, column, "not UTF-8", "UTF-8 text"))
    }

    fn moment(&self, column: &Column) -> Result<Option<clv_core::Moment>, Refused> {
        match self.text(column)? {
            "" => Ok(None),
            text => read_moment(text, self.format)
                .map(Some)
                .ok_or_else(|| Refused::new(Reason::BadDate, column, text, DATES)),
        }
    }

    fn number(&self, column: &Column, bad: Reason) -> Result<Option<f64>, Refused> {
        match self.text(column)? {
            "" => Ok(None),
            text => read_number(text).map(Some).ok_or_else(|| Refused::new(bad, column, text, NUMBERS)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &[u8], options: &ReadOptions) -> Result<Reading> {
        read_from(text, Path::new("shop.csv"), options)
    }

    #[test]
    fn every_row_is_read_or_told_of() {
        let text = b"\xef\xbb\xbfcustomer;date;amount\r\n\
            a;2024-01-01;1.50\r\n\
            \"b; the second\";2024-01-02;2\r\n\
            ;2024-01-02;2\r\n\
            c;;2\r\n\
            c;2024-02-30;2\r\n\
            c;2024-01-03;\r\n\
            c;2024-01-03;NaN\r\n\
            c;2024-01-03\r\n\
            c\xff;2024-01-03;1\r\n\
            c;2024-01-04;-3\r\n";
        let log = read_text(text, &ReadOptions::new()).unwrap().log;
        let ledger = log.ledger();
        assert!(ledger.adds_up());
        assert_eq!((ledger.read, ledger.kept), (10, 2));
        assert_eq!(log.customers().name(1), "b; the second");
        for (reason, line) in [
            (Reason::MissingCustomer, 4),
            (Reason::MissingDate, 5),
            (Reason::BadDate, 6),
            (Reason::MissingAmount, 7),
            (Reason::BadAmount, 8),
            (Reason::Malformed, 9),
            (Reason::Return, 11),
        ] {
            let quoted = ledger.quoted.iter().find(|q| q.reason == reason).unwrap();
            assert_eq!(quoted.line, line, "{quoted}");
        }
        assert_eq!(ledger.dropped_for(Reason::Malformed), 2);
    }

    #[test]
    fn strict_stops_at_the_first_bad_row() {
        let strict = clv_core::log::Cleaning { strict: true, ..Default::default() };
        let options = ReadOptions::new().cleaning(strict);
        let error = read_text(b"customer,date\na,2024-01-01\na,soon\n", &options).unwrap_err().to_string();
        assert!(error.contains("shop.csv") && error.contains("line 3") && error.contains("soon"), "{error}");
    }

    #[test]
    fn empty_files_and_headers_alone_are_told_apart() {
        assert!(matches!(read_text(b"", &ReadOptions::new()), Err(Error::Empty { .. })));
        assert!(read_text(b"customer,date\n", &ReadOptions::new()).unwrap().log.is_empty());
    }

    #[test]
    fn compressed_files_are_unpacked_and_truncated_ones_refused() {
        use std::io::Write;
        let folder = tempfile::tempdir().unwrap();
        let text: String =
            (0..2000).fold("customer,date\n".to_owned(), |t, i| format!("{t}c{i},2024-01-01\n"));
        let gz = folder.path().join("a.csv.gz");
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(text.as_bytes()).unwrap();
        let packed = encoder.finish().unwrap();
        std::fs::write(&gz, &packed).unwrap();
        assert_eq!(read(&gz, &ReadOptions::new()).unwrap().log.len(), 2000);
        std::fs::write(&gz, &packed[..packed.len() / 2]).unwrap();
        assert!(matches!(read(&gz, &ReadOptions::new()), Err(Error::Io { .. })));
        let zst = folder.path().join("a.csv.zst");
        std::fs::write(&zst, zstd::encode_all(text.as_bytes(), 3).unwrap()).unwrap();
        assert_eq!(read(&zst, &ReadOptions::new()).unwrap().log.len(), 2000);
    }
}
