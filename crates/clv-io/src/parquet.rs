//! Parquet files and Arrow record batches.
//!
//! A timestamp with a zone is an instant, one without is wall clock.

mod pages;

use std::collections::VecDeque;
use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Date64Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrowPrimitiveType, RecordBatch};
use arrow_schema::{DataType, TimeUnit};
use bytes::Bytes;
use clv_core::scale::{Columns, CustomerColumn};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use parquet::file::metadata::ParquetMetaData;
use parquet::file::reader::{ChunkReader, Length};

use self::pages::{Fault, expect_sound_pages};
use crate::Reading;
use crate::error::{Error, Result};
use crate::guard::guarded;
use crate::options::ReadOptions;
use crate::table::{Batch, Cell, Line, Row, Table, Visit};

/// Reads Arrow record batches of one schema as a log; `name` stands for the file in errors.
///
/// # Errors
///
/// [`Error`]; in strict mode also for the first row that cannot be read. Rows count from 1.
pub fn read_batches(batches: &[RecordBatch], name: &Path, options: &ReadOptions) -> Result<Reading> {
    let first = batches.first().ok_or_else(|| Error::Empty { path: name.into() })?;
    let header = first.schema().fields().iter().map(|f| f.name().clone()).collect();
    let batches: VecDeque<_> = batches.iter().cloned().collect();
    crate::read_table(Box::new(Batches { header, batches, path: name.into() }), name, options)
}

/// Reads a Parquet file that lies in memory as a log; `name` stands for the file in errors.
///
/// # Errors
///
/// As [`read_log`](crate::read_log).
pub fn read_bytes(bytes: Vec<u8>, name: &Path, options: &ReadOptions) -> Result<Reading> {
    crate::read_table(table(Place::Memory(bytes.into()), name)?, name, options)
}

/// Opens a Parquet file.
pub(crate) fn open(path: &Path) -> Result<Box<dyn Table>> {
    table(Place::Disk, path)
}

/// Where a file's bytes are.
#[derive(Clone)]
enum Place {
    Disk,
    Memory(Bytes),
}

impl Place {
    fn chunks(&self, path: &Path) -> Result<Chunks> {
        Ok(match self {
            Self::Memory(bytes) => Chunks::Memory(bytes.clone()),
            Self::Disk => {
                let io = |source| Error::Io { path: path.into(), source };
                Chunks::Disk(File::open(path).map_err(io)?)
            }
        })
    }

    fn builder(&self, path: &Path) -> Result<ParquetRecordBatchReaderBuilder<Chunks>> {
        let chunks = self.chunks(path)?;
        // The types are Parquet's own: a damaged copy of Arrow's schema, which many writers add, makes
        // the decoder panic, and says nothing that is needed here.
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        let length = Length::len(&chunks);
        let builder =
            guarded(path, || ParquetRecordBatchReaderBuilder::try_new_with_options(chunks, options))?;
        expect_sound(builder.metadata(), length, path)?;
        Ok(builder)
    }

    /// Expects what [`Self::builder`] cannot see at a glance, of what is about to be decoded.
    fn expect_sound_pages(
        &self,
        builder: &ParquetRecordBatchReaderBuilder<Chunks>,
        groups: impl IntoIterator<Item = usize>,
        wanted: impl Fn(usize) -> bool,
        path: &Path,
    ) -> Result<()> {
        let sound = expect_sound_pages(&self.chunks(path)?, builder.metadata(), groups, wanted);
        sound.map_err(|fault| match fault {
            Fault::Damaged(what) => damaged(what, path),
            Fault::Unreadable(source) => Error::Format { path: path.into(), source: source.into() },
        })
    }
}

fn damaged(what: &str, path: &Path) -> Error {
    Error::Format { path: path.into(), source: format!("damaged: {what}").into() }
}

/// The decoder takes what a file says of itself at its word, and panics where that cannot be.
fn expect_sound(metadata: &ParquetMetaData, length: u64, path: &Path) -> Result<()> {
    for group in metadata.row_groups() {
        if group.num_rows() < 0 {
            return Err(damaged("a negative number of rows", path));
        }
        for column in group.columns() {
            let start = column.dictionary_page_offset().unwrap_or_else(|| column.data_page_offset());
            let sizes =
                [start, column.data_page_offset(), column.compressed_size(), column.uncompressed_size()];
            if sizes.iter().any(|n| *n < 0) || column.num_values() < 0 {
                return Err(damaged("a negative size", path));
            }
            if (start as u64).saturating_add(column.compressed_size() as u64) > length {
                return Err(damaged("a column that ends beyond the file", path));
            }
        }
    }
    Ok(())
}

/// The batches of a file.
struct Decoded<'a> {
    reader: ParquetRecordBatchReader,
    path: &'a Path,
}

impl Iterator for Decoded<'_> {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        let reader = &mut self.reader;
        guarded(self.path, || reader.next().transpose()).transpose()
    }
}

/// Bytes on disk or in memory, as the decoder wants them.
enum Chunks {
    Disk(File),
    Memory(Bytes),
}

impl Length for Chunks {
    fn len(&self) -> u64 {
        match self {
            Self::Disk(file) => file.len(),
            Self::Memory(bytes) => bytes.len() as u64,
        }
    }
}

impl ChunkReader for Chunks {
    type T = Box<dyn Read>;

    fn get_read(&self, start: u64) -> parquet::errors::Result<Self::T> {
        Ok(match self {
            Self::Disk(file) => Box::new(file.get_read(start)?),
            Self::Memory(bytes) => Box::new(bytes.get_read(start)?),
        })
    }

    fn get_bytes(&self, start: u64, length: usize) -> parquet::errors::Result<Bytes> {
        match self {
            Self::Disk(file) => file.get_bytes(start, length),
            Self::Memory(bytes) => bytes.get_bytes(start, length),
        }
    }
}

fn table(place: Place, path: &Path) -> Result<Box<dyn Table>> {
    let builder = place.builder(path)?;
    let header = builder.schema().fields().iter().map(|f| f.name().clone()).collect();
    // A look at the first rows.
    let mut rows = 0;
    let first = builder.metadata().row_groups().iter().take_while(|group| {
        let before = rows;
        rows += group.num_rows() as usize;
        before < SAMPLE
    });
    place.expect_sound_pages(&builder, 0..first.count(), |_| true, path)?;
    let reader = guarded(path, || builder.with_batch_size(SAMPLE).with_limit(SAMPLE).build())?;
    let sample = Decoded { reader, path }.next().transpose()?;
    Ok(Box::new(ParquetFile { header, sample, path: path.into(), place, groups: None }))
}

const SAMPLE: usize = 2_000;

struct ParquetFile {
    header: Vec<String>,
    sample: Option<RecordBatch>,
    path: PathBuf,
    place: Place,
    /// Row groups to read, with the rows before them; all if none are named.
    groups: Option<(Range<usize>, u64)>,
}

impl Table for ParquetFile {
    fn header(&self) -> &[String] {
        &self.header
    }

    fn sample(&self, position: usize) -> Vec<String> {
        self.sample.iter().flat_map(|batch| sample_of(batch, position)).collect()
    }

    fn visit(self: Box<Self>, needed: &[usize], visit: &mut dyn Visit) -> Result<u64> {
        let path = &self.path;
        let builder = self.place.builder(path)?;
        let all = 0..builder.metadata().num_row_groups();
        let (groups, mut line) = self.groups.clone().unwrap_or((all, 0));
        self.place.expect_sound_pages(&builder, groups.clone(), |root| needed.contains(&root), path)?;
        let mask = ProjectionMask::roots(builder.parquet_schema(), needed.iter().copied());
        let builder = builder.with_projection(mask).with_batch_size(8192).with_row_groups(groups.collect());
        let reader = guarded(path, || builder.build())?;
        for batch in (Decoded { reader, path }) {
            visit_batch(&batch?, &self.header, needed, path, &mut line, visit)?;
        }
        Ok(0)
    }

    fn split(self: Box<Self>, parts: usize) -> Vec<Box<dyn Table>> {
        let rows = || -> Option<Vec<u64>> {
            let builder = self.place.builder(&self.path).ok()?;
            Some(builder.metadata().row_groups().iter().map(|group| group.num_rows() as u64).collect())
        };
        // A file that cannot be opened again says so when it is read.
        let Some(rows) = rows().filter(|rows| rows.len() > 1 && parts > 1) else { return vec![self] };
        let parts = parts.min(rows.len());
        let part = |i: usize| {
            let groups = rows.len() * i / parts..rows.len() * (i + 1) / parts;
            let before = rows[..groups.start].iter().sum();
            let (header, path, place) = (self.header.clone(), self.path.clone(), self.place.clone());
            let part: Box<dyn Table> =
                Box::new(Self { header, sample: None, path, place, groups: Some((groups, before)) });
            part
        };
        (0..parts).map(part).collect()
    }
}

/// Record batches in memory.
pub(crate) struct Batches {
    pub header: Vec<String>,
    pub batches: VecDeque<RecordBatch>,
    pub path: PathBuf,
}

impl Table for Batches {
    fn header(&self) -> &[String] {
        &self.header
    }

    fn sample(&self, position: usize) -> Vec<String> {
        self.batches.front().map(|batch| sample_of(batch, position)).unwrap_or_default()
    }

    fn visit(self: Box<Self>, needed: &[usize], visit: &mut dyn Visit) -> Result<u64> {
        let mut line = 0;
        for batch in &self.batches {
            visit_batch(batch, &self.header, needed, &self.path, &mut line, visit)?;
        }
        Ok(0)
    }

    fn split(self: Box<Self>, _: usize) -> Vec<Box<dyn Table>> {
        vec![self]
    }
}

fn sample_of(batch: &RecordBatch, position: usize) -> Vec<String> {
    if position >= batch.num_columns() {
        return Vec::new();
    }
    match texts(batch.column(position).as_ref()) {
        Some(Values::Texts(found)) => {
            found.into_iter().flatten().filter(|t| !t.trim().is_empty()).take(SAMPLE).collect()
        }
        _ => Vec::new(),
    }
}

fn visit_batch(
    batch: &RecordBatch,
    header: &[String],
    needed: &[usize],
    path: &Path,
    line: &mut u64,
    visit: &mut dyn Visit,
) -> Result<()> {
    if visit.batch(*line + 1, &mut Named { batch, header })? {
        *line += batch.num_rows() as u64;
        return Ok(());
    }
    let mut values: Vec<Option<Values>> = header.iter().map(|_| None).collect();
    for &position in needed {
        let name = &header[position];
        let found = batch.schema().index_of(name).ok().map(|i| batch.column(i));
        let given = found.map_or_else(|| "missing".to_owned(), |a| a.data_type().to_string());
        values[position] =
            Some(found.and_then(|a| converted(a.as_ref())).ok_or_else(|| Error::ColumnType {
                path: path.into(),
                column: name.clone(),
                given,
            })?);
    }
    for row in 0..batch.num_rows() {
        *line += 1;
        visit.line(*line, Line::Row(&BatchRow { values: &values, row }))?;
    }
    Ok(())
}

/// A batch whose columns are known by their position in the file.
struct Named<'a> {
    batch: &'a RecordBatch,
    header: &'a [String],
}

impl Named<'_> {
    /// A column without gaps.
    fn whole(&self, position: usize) -> Option<&dyn Array> {
        let column = self.batch.column_by_name(self.header.get(position)?)?;
        (column.null_count() == 0).then_some(column.as_ref())
    }
}

impl Batch for Named<'_> {
    fn columns(&mut self, customer: usize, date: usize, amount: Option<usize>) -> Option<Columns<'_>> {
        let who = self.whole(customer)?;
        let small = who.as_primitive_opt::<Int32Type>().map(|a| CustomerColumn::I32(a.values()));
        let large = || who.as_primitive_opt::<Int64Type>().map(|a| CustomerColumn::I64(a.values()));
        let customer = small.or_else(large)?;
        let day = self.whole(date)?.as_primitive_opt::<Date32Type>()?.values();
        let amount = match amount {
            None => None,
            Some(position) => Some(&**self.whole(position)?.as_primitive_opt::<Float64Type>()?.values()),
        };
        Some(Columns { customer, day, amount })
    }
}

/// A column taken out of Arrow.
enum Values {
    Texts(Vec<Option<String>>),
    /// Microseconds, and whether they are instants.
    Moments(Vec<Option<i64>>, bool),
    Numbers(Vec<Option<f64>>),
}

fn converted(array: &dyn Array) -> Option<Values> {
    moments(array).or_else(|| numbers(array)).or_else(|| texts(array))
}

struct BatchRow<'a> {
    values: &'a [Option<Values>],
    row: usize,
}

impl Row for BatchRow<'_> {
    fn cell(&self, position: usize) -> Cell<'_> {
        match self.values.get(position) {
            Some(Some(Values::Texts(texts))) => texts[self.row].as_deref().map_or(Cell::Missing, Cell::Text),
            Some(Some(Values::Moments(moments, instants))) => {
                moments[self.row].map_or(Cell::Missing, |m| Cell::Moment(m, instants.then_some(0)))
            }
            Some(Some(Values::Numbers(numbers))) => numbers[self.row].map_or(Cell::Missing, Cell::Number),
            _ => Cell::Missing,
        }
    }
}

fn each<T: ArrowPrimitiveType, V>(array: &dyn Array, f: impl Fn(T::Native) -> V) -> Vec<Option<V>> {
    array.as_primitive::<T>().iter().map(|v| v.map(&f)).collect()
}

fn texts(array: &dyn Array) -> Option<Values> {
    let owned = |text: Option<&str>| text.map(str::to_owned);
    Some(Values::Texts(match array.data_type() {
        DataType::Utf8 => array.as_string::<i32>().iter().map(owned).collect(),
        DataType::LargeUtf8 => array.as_string::<i64>().iter().map(owned).collect(),
        DataType::Utf8View => array.as_string_view().iter().map(owned).collect(),
        // Beyond 2^53 a number would lose digits as f64.
        DataType::Int64 => each::<Int64Type, _>(array, |v| v.to_string()),
        DataType::UInt64 => each::<UInt64Type, _>(array, |v| v.to_string()),
        DataType::Boolean => array.as_boolean().iter().map(|v| v.map(|v| v.to_string())).collect(),
        DataType::Dictionary(_, _) => {
            let dictionary = array.as_any_dictionary_opt()?;
            let Values::Texts(names) = texts(dictionary.values().as_ref())? else { return None };
            if names.is_empty() {
                vec![None; array.len()]
            } else {
                let keys = dictionary.normalized_keys();
                (0..array.len())
                    .map(|i| if array.is_null(i) { None } else { names[keys[i]].clone() })
                    .collect()
            }
        }
        DataType::Null => vec![None; array.len()],
        _ => return None,
    }))
}

fn moments(array: &dyn Array) -> Option<Values> {
    const DAY: i64 = 86_400_000_000;
    let (values, zone) = match array.data_type() {
        DataType::Date32 => (each::<Date32Type, _>(array, |d| i64::from(d).saturating_mul(DAY)), &None),
        DataType::Date64 => (each::<Date64Type, _>(array, |v| v.saturating_mul(1_000)), &None),
        DataType::Timestamp(TimeUnit::Second, zone) => {
            (each::<TimestampSecondType, _>(array, |v| v.saturating_mul(1_000_000)), zone)
        }
        DataType::Timestamp(TimeUnit::Millisecond, zone) => {
            (each::<TimestampMillisecondType, _>(array, |v| v.saturating_mul(1_000)), zone)
        }
        DataType::Timestamp(TimeUnit::Microsecond, zone) => {
            (each::<TimestampMicrosecondType, _>(array, |v| v), zone)
        }
        DataType::Timestamp(TimeUnit::Nanosecond, zone) => {
            (each::<TimestampNanosecondType, _>(array, |v| v.div_euclid(1_000)), zone)
        }
        _ => return None,
    };
    Some(Values::Moments(values, zone.is_some()))
}

fn numbers(array: &dyn Array) -> Option<Values> {
    Some(Values::Numbers(match array.data_type() {
        DataType::Float64 => each::<Float64Type, _>(array, |v| v),
        DataType::Float32 => each::<Float32Type, _>(array, f64::from),
        DataType::Int8 => each::<Int8Type, _>(array, f64::from),
        DataType::Int16 => each::<Int16Type, _>(array, f64::from),
        DataType::Int32 => each::<Int32Type, _>(array, f64::from),
        DataType::UInt8 => each::<UInt8Type, _>(array, f64::from),
        DataType::UInt16 => each::<UInt16Type, _>(array, f64::from),
        DataType::UInt32 => each::<UInt32Type, _>(array, f64::from),
        DataType::Decimal128(_, scale) => {
            let scale = 10_f64.powi(i32::from(*scale));
            each::<Decimal128Type, _>(array, |v| v as f64 / scale)
        }
        _ => return None,
    }))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{
        ArrayRef, Date32Array, Decimal128Array, Float64Array, Int64Array, StringArray,
        TimestampMillisecondArray,
    };
    use parquet::arrow::ArrowWriter;

    use clv_core::Moment;
    use clv_core::ledger::Reason;

    use super::*;

    fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
        RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, a)| (n, a, true))).unwrap()
    }

    #[test]
    fn types_of_every_kind_become_the_same_log() {
        let unlike = [
            batch(vec![
                ("customer_id", Arc::new(Int64Array::from(vec![Some(7), Some(7), None])) as ArrayRef),
                ("date", Arc::new(Date32Array::from(vec![Some(1), Some(2), Some(3)]))),
                ("amount", Arc::new(Float64Array::from(vec![Some(1.25), Some(2.0), Some(3.0)]))),
            ]),
            batch(vec![
                (
                    "customer_id",
                    Arc::new(StringArray::from(vec![Some("7"), Some("7"), Some("")])) as ArrayRef,
                ),
                ("date", Arc::new(TimestampMillisecondArray::from(vec![86_400_000, 2 * 86_400_000, 0]))),
                (
                    "amount",
                    Arc::new(
                        Decimal128Array::from(vec![125, 200, 1]).with_precision_and_scale(10, 2).unwrap(),
                    ),
                ),
            ]),
        ];
        let folder = tempfile::tempdir().unwrap();
        for one in unlike {
            let path = folder.path().join("tx.parquet");
            let mut writer = ArrowWriter::try_new(File::create(&path).unwrap(), one.schema(), None).unwrap();
            writer.write(&one).unwrap();
            writer.close().unwrap();
            for reading in [
                crate::read_log(&path, &ReadOptions::new()).unwrap(),
                read_batches(std::slice::from_ref(&one), &path, &ReadOptions::new()).unwrap(),
            ] {
                let log = reading.log;
                assert_eq!(log.customers().iter().collect::<Vec<_>>(), ["7"]);
                assert_eq!(log.time(), [Moment::from_days(1), Moment::from_days(2)]);
                assert_eq!(log.amount().unwrap()[0].to_f64(), 1.25);
                assert_eq!(log.ledger().dropped_for(Reason::MissingCustomer), 1);
            }
        }
    }

    #[test]
    fn a_type_that_cannot_be_read_is_refused_by_name() {
        let one = batch(vec![
            ("customer_id", Arc::new(Int64Array::from(vec![7])) as ArrayRef),
            ("date", Arc::new(Float64Array::from(vec![1.0]))),
        ]);
        // A number may be a date such as 20101231: this one is not, and the row says so.
        let log = read_batches(&[one], Path::new("memory"), &ReadOptions::new()).unwrap().log;
        assert_eq!(log.ledger().dropped_for(Reason::BadDate), 1);
        let bytes: ArrayRef = Arc::new(arrow_array::BinaryArray::from(vec![b"x".as_slice()]));
        let one = batch(vec![("customer_id", bytes.clone()), ("date", bytes)]);
        let error = read_batches(&[one], Path::new("memory"), &ReadOptions::new()).unwrap_err().to_string();
        assert!(error.contains("customer_id") && error.contains("Binary"), "{error}");
    }

    #[test]
    fn a_dictionary_that_claims_more_than_its_page_holds_is_refused() {
        let one = batch(vec![
            ("customer_id", Arc::new(Int64Array::from(vec![7, 7, 9])) as ArrayRef),
            ("date", Arc::new(Date32Array::from(vec![1, 2, 3]))),
        ]);
        let mut bytes = Vec::new();
        let mut writer = ArrowWriter::try_new(&mut bytes, one.schema(), None).unwrap();
        writer.write(&one).unwrap();
        writer.close().unwrap();
        let name = Path::new("memory");
        assert!(read_bytes(bytes.clone(), name, &ReadOptions::new()).is_ok());
        // The header of a dictionary page: field 7, a structure, whose field 1 is the number of values.
        let at = bytes.windows(3).position(|w| w == [0x4c, 0x15, 2 << 1]).unwrap();
        bytes[at + 2] = 3 << 1;
        let error = read_bytes(bytes, name, &ReadOptions::new()).unwrap_err().to_string();
        assert!(error.contains("a dictionary of more values than its page can hold"), "{error}");
    }

    #[test]
    fn a_file_that_is_no_parquet_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tx.parquet");
        std::fs::write(&path, "customer,date\n").unwrap();
        assert!(matches!(crate::read_log(&path, &ReadOptions::new()), Err(Error::Format { .. })));
    }
}
