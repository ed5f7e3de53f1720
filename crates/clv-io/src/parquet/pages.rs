//! A look at the headers of a column's pages, before the decoder reserves what they claim.
//!
//! The decoder takes the number of values in a dictionary at its word: a file of a kilobyte that was
//! damaged in one byte has it reserve sixteen gigabytes. What a dictionary can hold follows from its
//! size, so that the claim can be checked.

use std::io::{self, BufRead, BufReader, Read as _};

use parquet::basic::Type;
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};
use parquet::file::reader::ChunkReader;

/// What is wrong with the pages of a column, if anything is.
pub(super) enum Fault {
    Damaged(&'static str),
    Unreadable(parquet::errors::ParquetError),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Damaged("a page that ends beyond its column"),
            io::ErrorKind::InvalidData => Self::Damaged("a page header that cannot be read"),
            _ => Self::Unreadable(error.into()),
        }
    }
}

impl From<parquet::errors::ParquetError> for Fault {
    fn from(error: parquet::errors::ParquetError) -> Self {
        Self::Unreadable(error)
    }
}

/// Checks the pages of the columns of these row groups under the roots that are wanted.
pub(super) fn expect_sound_pages(
    chunks: &impl ChunkReader,
    metadata: &ParquetMetaData,
    groups: impl IntoIterator<Item = usize>,
    wanted: impl Fn(usize) -> bool,
) -> Result<(), Fault> {
    let schema = metadata.file_metadata().schema_descr();
    for group in groups {
        for (leaf, column) in metadata.row_group(group).columns().iter().enumerate() {
            if wanted(schema.get_column_root_idx(leaf)) {
                expect_sound_column(chunks, column)?;
            }
        }
    }
    Ok(())
}

fn expect_sound_column(chunks: &impl ChunkReader, column: &ColumnChunkMetaData) -> Result<(), Fault> {
    let (mut at, length) = column.byte_range();
    let end = at.saturating_add(length);
    while at < end {
        let mut source = Compact(BufReader::with_capacity(512, chunks.get_read(at)?), 0);
        let header = PageHeader::read(&mut source)?;
        if header.compressed < 0 || header.uncompressed < 0 {
            return Err(Fault::Damaged("a page of negative size"));
        }
        if let Some(values) = header.dictionary_values {
            let least = least_bytes(column) * values;
            if values < 0 || least > i64::from(header.uncompressed) {
                return Err(Fault::Damaged("a dictionary of more values than its page can hold"));
            }
        }
        at += source.1 + header.compressed as u64;
    }
    Ok(())
}

/// The least room that one value of a dictionary takes.
fn least_bytes(column: &ColumnChunkMetaData) -> i64 {
    match column.column_type() {
        Type::BOOLEAN => 1,
        Type::INT32 | Type::FLOAT => 4,
        Type::INT64 | Type::DOUBLE => 8,
        Type::INT96 => 12,
        // Its length stands before each.
        Type::BYTE_ARRAY => 4,
        Type::FIXED_LEN_BYTE_ARRAY => i64::from(column.column_descr().type_length()).max(1),
    }
}

/// What is needed of Parquet's `PageHeader` (parquet.thrift).
#[derive(Default)]
struct PageHeader {
    uncompressed: i32,
    compressed: i32,
    dictionary_values: Option<i64>,
}

impl PageHeader {
    fn read(source: &mut Compact<impl BufRead>) -> io::Result<Self> {
        let mut header = Self::default();
        source.fields(|source, field, kind| {
            match (field, kind) {
                (2, I32) => header.uncompressed = source.i32()?,
                (3, I32) => header.compressed = source.i32()?,
                (7, STRUCT) => source.fields(|source, field, kind| match (field, kind) {
                    (1, I32) => {
                        header.dictionary_values = Some(i64::from(source.i32()?));
                        Ok(())
                    }
                    _ => source.skip(kind, 0),
                })?,
                _ => source.skip(kind, 0)?,
            }
            Ok(())
        })?;
        Ok(header)
    }
}

const I32: u8 = 5;
const STRUCT: u8 = 12;

/// Thrift's compact protocol, with the number of bytes read so far.
struct Compact<R>(R, u64);

impl<R: BufRead> Compact<R> {
    /// Hands over each field of a structure; `each` must consume the field's value.
    fn fields(&mut self, mut each: impl FnMut(&mut Self, i64, u8) -> io::Result<()>) -> io::Result<()> {
        let mut field = 0_i64;
        loop {
            let byte = self.byte()?;
            let (delta, kind) = (byte >> 4, byte & 15);
            match (delta, kind) {
                (_, 0) => return Ok(()),
                (0, _) => field = self.signed()?,
                (delta, _) => field = field.saturating_add(i64::from(delta)),
            }
            each(self, field, kind)?;
        }
    }

    fn skip(&mut self, kind: u8, depth: usize) -> io::Result<()> {
        if depth > 8 {
            return Err(io::ErrorKind::InvalidData.into());
        }
        match kind {
            // The truth of a field is its kind.
            1 | 2 => Ok(()),
            3 => self.byte().map(drop),
            4..=6 => self.unsigned().map(drop),
            7 => self.pass(8),
            8 => self.unsigned().and_then(|length| self.pass(length)),
            9 | 10 => {
                let byte = self.byte()?;
                let size = if byte >> 4 == 15 { self.unsigned()? } else { u64::from(byte >> 4) };
                (0..size).try_for_each(|_| self.skip_item(byte & 15, depth))
            }
            11 => {
                let size = self.unsigned()?;
                let kinds = if size == 0 { 0 } else { self.byte()? };
                (0..size).try_for_each(|_| {
                    self.skip_item(kinds >> 4, depth)?;
                    self.skip_item(kinds & 15, depth)
                })
            }
            STRUCT => self.fields(|source, _, kind| source.skip(kind, depth + 1)),
            13 => self.pass(16),
            _ => Err(io::ErrorKind::InvalidData.into()),
        }
    }

    /// In a list, unlike in a structure, each truth takes a byte.
    fn skip_item(&mut self, kind: u8, depth: usize) -> io::Result<()> {
        if matches!(kind, 1 | 2) { self.byte().map(drop) } else { self.skip(kind, depth + 1) }
    }

    fn pass(&mut self, bytes: u64) -> io::Result<()> {
        let passed = io::copy(&mut (&mut self.0).take(bytes), &mut io::sink())?;
        self.1 += passed;
        if passed < bytes { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
    }

    fn byte(&mut self) -> io::Result<u8> {
        let mut byte = [0];
        self.0.read_exact(&mut byte)?;
        self.1 += 1;
        Ok(byte[0])
    }

    fn unsigned(&mut self) -> io::Result<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 127) << shift;
            if byte < 128 {
                return Ok(value);
            }
        }
        Err(io::ErrorKind::InvalidData.into())
    }

    fn signed(&mut self) -> io::Result<i64> {
        let value = self.unsigned()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    fn i32(&mut self) -> io::Result<i32> {
        i32::try_from(self.signed()?).map_err(|_| io::ErrorKind::InvalidData.into())
    }
}
