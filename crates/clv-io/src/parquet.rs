//! Parquet files and Arrow record batches.
//!
//! Timestamps are taken as they are stored: one with a zone is in UTC, one without is wall clock.

use std::fs::File;
use std::path::Path;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
    UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrowPrimitiveType, RecordBatch};
use arrow_schema::{DataType, TimeUnit};
use clv_core::ledger::Reason;
use clv_core::{LogBuilder, Moment};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::Reading;
use crate::columns::{AmountFrom, Column, Recognised};
use crate::error::{Error, Result};
use crate::options::ReadOptions;
use crate::row::{Refused, Row, enter};
use crate::values::{DATES, NUMBERS, read_moment, read_number};

/// Reads a Parquet file: only the columns that are needed.
///
/// # Errors
///
/// [`Error`]; in strict mode also for the first row that cannot be read. Rows count from 1.
pub fn read(path: &Path, options: &ReadOptions) -> Result<Reading> {
    let file = File::open(path).map_err(|source| Error::Io { path: path.into(), source })?;
    let damaged = |e: parquet::errors::ParquetError| Error::Format { path: path.into(), source: Box::new(e) };
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(damaged)?;
    let header: Vec<String> = builder.schema().fields().iter().map(|f| f.name().clone()).collect();
    let columns = Recognised::of(&header, options, path)?;
    let mask = ProjectionMask::roots(builder.parquet_schema(), positions(&columns));
    let batches = builder.with_projection(mask).with_batch_size(8192).build().map_err(damaged)?;
    let batches = batches.map(|b| b.map_err(|e| Error::Format { path: path.into(), source: Box::new(e) }));
    let mut log = LogBuilder::with(options.cleaning);
    enter_batches(batches, &columns, path, options, &mut log)?;
    Ok(Reading { log: log.finish(), columns })
}

/// Reads Arrow record batches of one schema; `name` stands for the file in errors.
///
/// # Errors
///
/// As [`read`].
pub fn read_batches(batches: &[RecordBatch], name: &Path, options: &ReadOptions) -> Result<Reading> {
    let first = batches.first().ok_or_else(|| Error::Empty { path: name.into() })?;
    let header: Vec<String> = first.schema().fields().iter().map(|f| f.name().clone()).collect();
    let columns = Recognised::of(&header, options, name)?;
    let mut log = LogBuilder::with(options.cleaning);
    enter_batches(batches.iter().cloned().map(Ok), &columns, name, options, &mut log)?;
    Ok(Reading { log: log.finish(), columns })
}

fn positions(columns: &Recognised) -> Vec<usize> {
    let Recognised { customer, date, amount, quantity, order, product, currency } = columns;
    let mut needed = vec![customer, date];
    match amount {
        Some(AmountFrom::Column(column)) => needed.push(column),
        Some(AmountFrom::Product { quantity, price }) => needed.extend([quantity, price]),
        None => {}
    }
    needed.extend([quantity, order, product, currency].into_iter().flatten());
    needed.into_iter().map(|c| c.position).collect()
}

fn enter_batches(
    batches: impl Iterator<Item = Result<RecordBatch>>,
    columns: &Recognised,
    path: &Path,
    options: &ReadOptions,
    log: &mut LogBuilder,
) -> Result<()> {
    let format = options.date_format.as_deref();
    let mut line = 0;
    for batch in batches {
        let batch = Batch::of(&batch?, columns, path)?;
        for row in 0..batch.rows {
            line += 1;
            enter(log, line, columns, &BatchRow { batch: &batch, row, format })
                .map_err(|source| Error::Log { path: path.into(), source })?;
        }
    }
    Ok(())
}

/// A column taken out of Arrow: texts, moments or numbers.
enum Values {
    Texts(Vec<Option<String>>),
    Moments(Vec<Option<Moment>>),
    Numbers(Vec<Option<f64>>),
}

struct Batch {
    /// By position in the file.
    values: Vec<(usize, Values)>,
    rows: usize,
}

impl Batch {
    fn of(batch: &RecordBatch, columns: &Recognised, path: &Path) -> Result<Self> {
        let Recognised { customer, date, amount, quantity, order, product, currency } = columns;
        let mut values = Vec::new();
        let mut take = |column: &Column, what: &'static str, allowed: &'static str, convert: Convert| {
            let found = batch.schema().index_of(&column.name).ok();
            let array = found.map(|i| batch.column(i));
            let given = array.map_or_else(|| "missing".to_owned(), |a| a.data_type().to_string());
            let converted = array.and_then(|a| convert(a.as_ref())).ok_or_else(|| Error::ColumnType {
                path: path.into(),
                column: column.name.clone(),
                what,
                given,
                allowed,
            })?;
            values.push((column.position, converted));
            Ok::<(), Error>(())
        };
        let (text, money) = ("text or a whole number", "a number, a decimal or text");
        take(customer, "customer", text, texts)?;
        take(date, "date", "a date, a timestamp or text", moments)?;
        match amount {
            None => {}
            Some(AmountFrom::Column(column)) => take(column, "amount", money, numbers)?,
            Some(AmountFrom::Product { price, .. }) => take(price, "price", money, numbers)?,
        }
        if let Some(column) = quantity {
            take(column, "quantity", money, numbers)?;
        }
        for (column, what) in [(order, "order"), (product, "product"), (currency, "currency")] {
            if let Some(column) = column {
                take(column, what, text, texts)?;
            }
        }
        Ok(Self { values, rows: batch.num_rows() })
    }

    fn values(&self, column: &Column) -> &Values {
        let found = self.values.iter().find(|(position, _)| *position == column.position);
        &found.unwrap_or_else(|| unreachable!("every recognised column is taken")).1
    }
}

type Convert = fn(&dyn Array) -> Option<Values>;

struct BatchRow<'a> {
    batch: &'a Batch,
    row: usize,
    format: Option<&'a str>,
}

impl<'a> Row<'a> for BatchRow<'a> {
    fn text(&self, column: &Column) -> Result<&'a str, Refused> {
        match self.batch.values(column) {
            Values::Texts(texts) => Ok(texts[self.row].as_deref().unwrap_or("").trim()),
            _ => Ok(""),
        }
    }

    fn moment(&self, column: &Column) -> Result<Option<Moment>, Refused> {
        match self.batch.values(column) {
            Values::Moments(moments) => Ok(moments[self.row]),
            _ => match self.text(column)? {
                "" => Ok(None),
                text => read_moment(text, self.format)
                    .map(Some)
                    .ok_or_else(|| Refused::new(Reason::BadDate, column, text, DATES)),
            },
        }
    }

    fn number(&self, column: &Column, bad: Reason) -> Result<Option<f64>, Refused> {
        match self.batch.values(column) {
            Values::Numbers(numbers) => match numbers[self.row] {
                Some(n) if !n.is_finite() => Err(Refused::new(bad, column, &n.to_string(), NUMBERS)),
                n => Ok(n),
            },
            _ => match self.text(column)? {
                "" => Ok(None),
                text => read_number(text).map(Some).ok_or_else(|| Refused::new(bad, column, text, NUMBERS)),
            },
        }
    }
}

fn each<T: ArrowPrimitiveType, V>(array: &dyn Array, f: impl Fn(T::Native) -> V) -> Vec<Option<V>> {
    array.as_primitive::<T>().iter().map(|v| v.map(&f)).collect()
}

fn texts(array: &dyn Array) -> Option<Values> {
    fn whole<T: ArrowPrimitiveType>(array: &dyn Array) -> Vec<Option<String>>
    where
        T::Native: std::fmt::Display,
    {
        each::<T, _>(array, |v| v.to_string())
    }
    let owned = |text: Option<&str>| text.map(str::to_owned);
    Some(Values::Texts(match array.data_type() {
        DataType::Utf8 => array.as_string::<i32>().iter().map(owned).collect(),
        DataType::LargeUtf8 => array.as_string::<i64>().iter().map(owned).collect(),
        DataType::Utf8View => array.as_string_view().iter().map(owned).collect(),
        DataType::Int8 => whole::<Int8Type>(array),
        DataType::Int16 => whole::<Int16Type>(array),
        DataType::Int32 => whole::<Int32Type>(array),
        DataType::Int64 => whole::<Int64Type>(array),
        DataType::UInt8 => whole::<UInt8Type>(array),
        DataType::UInt16 => whole::<UInt16Type>(array),
        DataType::UInt32 => whole::<UInt32Type>(array),
        DataType::UInt64 => whole::<UInt64Type>(array),
        // Whole numbers with gaps arrive as floats (pandas does that); a fraction is no name.
        DataType::Float64 => {
            let numbers = array.as_primitive::<Float64Type>();
            if numbers.iter().flatten().any(|v| v.fract() != 0.0 || !v.is_finite() && !v.is_nan()) {
                return None;
            }
            numbers.iter().map(|v| v.filter(|v| !v.is_nan()).map(|v| format!("{v:.0}"))).collect()
        }
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
    Some(Values::Moments(match array.data_type() {
        DataType::Date32 => each::<Date32Type, _>(array, Moment::from_days),
        DataType::Timestamp(TimeUnit::Second, _) => {
            each::<TimestampSecondType, _>(array, |v| Moment::from_micros(v.saturating_mul(1_000_000)))
        }
        DataType::Timestamp(TimeUnit::Millisecond, _) => {
            each::<TimestampMillisecondType, _>(array, |v| Moment::from_micros(v.saturating_mul(1_000)))
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            each::<TimestampMicrosecondType, _>(array, Moment::from_micros)
        }
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            each::<TimestampNanosecondType, _>(array, |v| Moment::from_micros(v.div_euclid(1_000)))
        }
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Dictionary(_, _) => {
            return texts(array);
        }
        _ => return None,
    }))
}

fn numbers(array: &dyn Array) -> Option<Values> {
    Some(Values::Numbers(match array.data_type() {
        DataType::Float64 => each::<Float64Type, _>(array, |v| v),
        DataType::Float32 => each::<Float32Type, _>(array, f64::from),
        DataType::Int8 => each::<Int8Type, _>(array, f64::from),
        DataType::Int16 => each::<Int16Type, _>(array, f64::from),
        DataType::Int32 => each::<Int32Type, _>(array, f64::from),
        DataType::Int64 => each::<Int64Type, _>(array, |v| v as f64),
        DataType::UInt8 => each::<UInt8Type, _>(array, f64::from),
        DataType::UInt16 => each::<UInt16Type, _>(array, f64::from),
        DataType::UInt32 => each::<UInt32Type, _>(array, f64::from),
        DataType::UInt64 => each::<UInt64Type, _>(array, |v| v as f64),
        DataType::Decimal128(_, scale) => {
            let scale = 10_f64.powi(i32::from(*scale));
            each::<Decimal128Type, _>(array, |v| v as f64 / scale)
        }
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Dictionary(_, _) => {
            return texts(array);
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
                read(&path, &ReadOptions::new()).unwrap(),
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
    fn a_type_that_cannot_be_a_date_is_refused_by_name() {
        let one = batch(vec![
            ("customer_id", Arc::new(Int64Array::from(vec![7])) as ArrayRef),
            ("date", Arc::new(Float64Array::from(vec![1.0]))),
        ]);
        let error = read_batches(&[one], Path::new("memory"), &ReadOptions::new()).unwrap_err().to_string();
        assert!(
            error.contains("date") && error.contains("Float64") && error.contains("timestamp"),
            "{error}"
        );
    }

    #[test]
    fn a_file_that_is_no_parquet_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tx.parquet");
        std::fs::write(&path, "customer,date\n").unwrap();
        assert!(matches!(read(&path, &ReadOptions::new()), Err(Error::Format { .. })));
    }
}
