//! A table to a file, in the format that its ending names.

use std::borrow::Cow;
use std::io::{self, Write};
use std::path::Path;

use clv_core::Moment;
use clv_core::saved::write_atomically;

use crate::error::{Error, Result};

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Count,
    Number,
    Moment,
}

/// A field of a row.
#[derive(Clone, Debug)]
pub(super) enum Field<'a> {
    Text(Cow<'a, str>),
    Count(u64),
    /// Not there where undefined or absent.
    Number(Option<f64>),
    Moment(Moment),
}

/// Formats a table can be written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Csv,
    JsonLines,
    #[cfg(feature = "parquet")]
    Parquet,
}

/// How the file is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Packing {
    Plain,
    Gzip,
    Zstd,
}

fn format_of(path: &Path) -> Result<(Format, Packing)> {
    let name = path.file_name().map(|n| n.to_string_lossy().to_lowercase()).unwrap_or_default();
    let (bare, packing) = match (name.strip_suffix(".gz"), name.strip_suffix(".zst")) {
        (Some(bare), _) => (bare, Packing::Gzip),
        (_, Some(bare)) => (bare, Packing::Zstd),
        _ => (name.as_str(), Packing::Plain),
    };
    let format = match bare.rsplit_once('.').map_or("", |(_, ending)| ending) {
        "csv" => Format::Csv,
        "jsonl" | "ndjson" => Format::JsonLines,
        #[cfg(feature = "parquet")]
        "parquet" if packing == Packing::Plain => Format::Parquet,
        _ => return Err(Error::OutputEnding { path: path.into() }),
    };
    Ok((format, packing))
}

/// That a file of this name can be written, before the work begins.
///
/// # Errors
///
/// [`Error::OutputEnding`]; [`Error::Io`] if its folder does not exist.
pub fn expect_ending(path: &Path) -> Result<()> {
    format_of(path)?;
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
    match folder {
        Some(folder) if !folder.is_dir() => {
            Err(Error::Io { path: folder.into(), source: io::ErrorKind::NotFound.into() })
        }
        _ => Ok(()),
    }
}

/// Writes so many rows; `fill` gives the fields of each.
pub(super) fn table<'a>(
    path: &Path,
    header: &[(&str, Kind)],
    rows: usize,
    fill: impl Fn(usize, &mut Vec<Field<'a>>),
) -> Result<()> {
    let (format, packing) = format_of(path)?;
    let written = write_atomically(path, |file| match packing {
        Packing::Plain => body(file, format, header, rows, &fill),
        Packing::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(file, flate2::Compression::default());
            body(&mut encoder, format, header, rows, &fill)?;
            encoder.finish().map(|_| ())
        }
        Packing::Zstd => {
            let mut encoder = zstd::Encoder::new(file, 0)?;
            body(&mut encoder, format, header, rows, &fill)?;
            encoder.finish().map(|_| ())
        }
    });
    written.map_err(|error| match error {
        clv_core::Error::Io { path, source } => Error::Io { path, source },
        source => Error::Log { path: path.into(), source },
    })
}

fn body<'a>(
    to: &mut (dyn Write + Send),
    format: Format,
    header: &[(&str, Kind)],
    rows: usize,
    fill: &dyn Fn(usize, &mut Vec<Field<'a>>),
) -> io::Result<()> {
    match format {
        Format::Csv => csv(to, header, rows, fill),
        Format::JsonLines => json_lines(to, header, rows, fill),
        #[cfg(feature = "parquet")]
        Format::Parquet => parquet::write(to, header, rows, fill),
    }
}

fn csv<'a>(
    to: &mut (dyn Write + Send),
    header: &[(&str, Kind)],
    rows: usize,
    fill: &dyn Fn(usize, &mut Vec<Field<'a>>),
) -> io::Result<()> {
    let mut out = csv::Writer::from_writer(to);
    out.write_record(header.iter().map(|(name, _)| name)).map_err(io::Error::other)?;
    let mut fields = Vec::with_capacity(header.len());
    for row in 0..rows {
        fields.clear();
        fill(row, &mut fields);
        for field in &fields {
            match field {
                Field::Text(text) => out.write_field(text.as_bytes()),
                Field::Count(count) => out.write_field(count.to_string()),
                Field::Number(number) => out.write_field(shown(*number)),
                Field::Moment(moment) => out.write_field(moment.to_string()),
            }
            .map_err(io::Error::other)?;
        }
        out.write_record(None::<&[u8]>).map_err(io::Error::other)?;
    }
    out.flush()
}

fn json_lines<'a>(
    to: &mut (dyn Write + Send),
    header: &[(&str, Kind)],
    rows: usize,
    fill: &dyn Fn(usize, &mut Vec<Field<'a>>),
) -> io::Result<()> {
    let mut fields = Vec::with_capacity(header.len());
    for row in 0..rows {
        fields.clear();
        fill(row, &mut fields);
        for (i, ((name, _), field)) in header.iter().zip(&fields).enumerate() {
            to.write_all(if i == 0 { b"{" } else { b"," })?;
            serde_json::to_writer(&mut *to, name)?;
            to.write_all(b":")?;
            match field {
                Field::Text(text) => serde_json::to_writer(&mut *to, text)?,
                Field::Count(count) => serde_json::to_writer(&mut *to, count)?,
                // What is no number is null.
                Field::Number(number) => serde_json::to_writer(&mut *to, number)?,
                Field::Moment(moment) => serde_json::to_writer(&mut *to, &moment.to_string())?,
            }
        }
        to.write_all(b"}\n")?;
    }
    Ok(())
}

/// `1e-7` rather than `0.0000001`.
fn shown(value: Option<f64>) -> String {
    match value {
        None => String::new(),
        Some(v) if v != 0.0 && v.abs() < 1e-5 => format!("{v:e}"),
        Some(v) => v.to_string(),
    }
}

#[cfg(feature = "parquet")]
mod parquet {
    use std::io::{self, Write};
    use std::sync::Arc;

    use arrow_array::builder::{Float64Builder, StringBuilder, TimestampMicrosecondBuilder, UInt64Builder};
    use arrow_array::{ArrayRef, RecordBatch};
    use arrow_schema::{DataType, Field as ArrowField, Schema, TimeUnit};
    use parquet::arrow::ArrowWriter;
    use parquet::basic::{Compression, ZstdLevel};
    use parquet::file::properties::WriterProperties;

    use super::{Field, Kind};

    /// Rows that are held at a time.
    const BATCH: usize = 1 << 16;

    enum Column {
        Text(StringBuilder),
        Count(UInt64Builder),
        Number(Float64Builder),
        Moment(TimestampMicrosecondBuilder),
    }

    impl Column {
        fn new(kind: Kind) -> Self {
            match kind {
                Kind::Text => Self::Text(StringBuilder::new()),
                Kind::Count => Self::Count(UInt64Builder::new()),
                Kind::Number => Self::Number(Float64Builder::new()),
                Kind::Moment => Self::Moment(TimestampMicrosecondBuilder::new()),
            }
        }

        fn push(&mut self, field: &Field<'_>) {
            match (self, field) {
                (Self::Text(column), Field::Text(text)) => column.append_value(text),
                (Self::Count(column), Field::Count(count)) => column.append_value(*count),
                (Self::Number(column), Field::Number(number)) => column.append_option(*number),
                (Self::Moment(column), Field::Moment(moment)) => column.append_value(moment.micros()),
                _ => unreachable!("each column is filled with its kind"),
            }
        }

        fn finish(&mut self) -> ArrayRef {
            match self {
                Self::Text(column) => Arc::new(column.finish()),
                Self::Count(column) => Arc::new(column.finish()),
                Self::Number(column) => Arc::new(column.finish()),
                Self::Moment(column) => Arc::new(column.finish()),
            }
        }
    }

    pub(super) fn write<'a>(
        to: &mut (dyn Write + Send),
        header: &[(&str, Kind)],
        rows: usize,
        fill: &dyn Fn(usize, &mut Vec<Field<'a>>),
    ) -> io::Result<()> {
        let fields: Vec<ArrowField> = header
            .iter()
            .map(|(name, kind)| match kind {
                Kind::Text => ArrowField::new(*name, DataType::Utf8, false),
                Kind::Count => ArrowField::new(*name, DataType::UInt64, false),
                Kind::Number => ArrowField::new(*name, DataType::Float64, true),
                Kind::Moment => {
                    ArrowField::new(*name, DataType::Timestamp(TimeUnit::Microsecond, None), false)
                }
            })
            .collect();
        let schema = Arc::new(Schema::new(fields));
        let compression = Compression::ZSTD(ZstdLevel::default());
        let properties = WriterProperties::builder().set_compression(compression).build();
        let mut writer =
            ArrowWriter::try_new(to, Arc::clone(&schema), Some(properties)).map_err(io::Error::other)?;
        let mut columns: Vec<Column> = header.iter().map(|(_, kind)| Column::new(*kind)).collect();
        let mut fields = Vec::with_capacity(header.len());
        for start in (0..rows).step_by(BATCH) {
            for row in start..(start + BATCH).min(rows) {
                fields.clear();
                fill(row, &mut fields);
                columns.iter_mut().zip(&fields).for_each(|(column, field)| column.push(field));
            }
            let arrays = columns.iter_mut().map(Column::finish).collect();
            let batch = RecordBatch::try_new(Arc::clone(&schema), arrays).map_err(io::Error::other)?;
            writer.write(&batch).map_err(io::Error::other)?;
        }
        writer.close().map_err(io::Error::other)?;
        Ok(())
    }
}
