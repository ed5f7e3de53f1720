//! Arrow files (Feather) and streams.

use std::path::Path;

use arrow_array::RecordBatch;
use arrow_buffer::Buffer;
use arrow_ipc::convert::fb_to_schema;
use arrow_ipc::reader::{FileDecoder, read_footer_length};
use arrow_ipc::{Block, MessageHeader, MetadataVersion, root_as_footer, root_as_message};
use arrow_schema::{ArrowError, SchemaRef};

use crate::Reading;
use crate::error::{Error, Result};
use crate::guard::guarded;
use crate::options::ReadOptions;
use crate::parquet::Batches;
use crate::table::Table;

/// How a file begins and ends; a stream does neither.
const MAGIC: &[u8] = b"ARROW1";

/// Stands before the length of each message's description.
const CONTINUATION: u32 = u32::MAX;

/// More than this is reserved for no column of a batch: a damaged file may claim any size.
const LARGEST_COLUMN: i64 = 1 << 31;

/// Reads an Arrow file or stream that lies in memory as a log; `name` stands for the file in errors.
///
/// # Errors
///
/// As [`read_log`](crate::read_log).
pub fn read_bytes(bytes: Vec<u8>, name: &Path, options: &ReadOptions) -> Result<Reading> {
    crate::read_table(table(bytes, name)?, name, options)
}

/// Opens an Arrow file or stream. All of it is read into memory.
pub(crate) fn open(path: &Path) -> Result<Box<dyn Table>> {
    table(std::fs::read(path).map_err(|source| Error::Io { path: path.into(), source })?, path)
}

fn table(bytes: Vec<u8>, path: &Path) -> Result<Box<dyn Table>> {
    if bytes.is_empty() {
        return Err(Error::Empty { path: path.into() });
    }
    let bytes = Buffer::from_vec(bytes);
    let (schema, batches) =
        guarded(path, || if bytes.starts_with(MAGIC) { file(&bytes) } else { stream(&bytes) })?;
    let header = schema.fields().iter().map(|field| field.name().clone()).collect();
    Ok(Box::new(Batches { header, batches: batches.into(), path: path.into() }))
}

type Decoded = std::result::Result<(SchemaRef, Vec<RecordBatch>), ArrowError>;

/// A file says at its end where its batches are.
fn file(bytes: &Buffer) -> Decoded {
    let end = bytes.len().checked_sub(10).ok_or_else(|| damaged("it ends too early"))?;
    let trailer = bytes[end..].try_into().map_err(|_| damaged("it ends too early"))?;
    let start = end.checked_sub(read_footer_length(trailer)?).ok_or_else(|| damaged("it ends too early"))?;
    let footer = root_as_footer(&bytes[start..end]).map_err(|e| damaged(&e.to_string()))?;
    let schema = footer.schema().ok_or_else(|| damaged("it has no schema"))?;
    let schema = SchemaRef::new(fb_to_schema(schema));
    let mut decoder = FileDecoder::new(schema.clone(), footer.version());
    for block in footer.dictionaries().iter().flatten() {
        decoder.read_dictionary(block, &message(bytes, block)?)?;
    }
    let mut batches = Vec::new();
    for block in footer.recordBatches().iter().flatten() {
        batches.extend(decoder.read_record_batch(block, &message(bytes, block)?)?);
    }
    Ok((schema, batches))
}

/// A stream is one message after another, the schema first.
fn stream(bytes: &Buffer) -> Decoded {
    let mut decoder: Option<(SchemaRef, FileDecoder)> = None;
    let mut batches = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let word = |at: usize| {
            let word = bytes.get(at..at + 4).and_then(|word| word.try_into().ok());
            word.map(u32::from_le_bytes).ok_or_else(|| damaged("it ends within a message"))
        };
        // Before 2019 there was no mark before the length.
        let (prefix, length) = match word(at)? {
            CONTINUATION => (8, word(at + 4)?),
            length => (4, length),
        };
        if length == 0 {
            break;
        }
        let description = bytes.get(at + prefix..at + prefix + length as usize);
        let description = description.ok_or_else(|| damaged("it ends within a message"))?;
        let parsed = root_as_message(description).map_err(|e| damaged(&e.to_string()))?;
        let metadata = i32::try_from(prefix + length as usize).map_err(|_| damaged("a message too long"))?;
        let block = Block::new(at as i64, metadata, parsed.bodyLength());
        let body = message(bytes, &block)?;
        match (parsed.header_type(), &mut decoder) {
            (MessageHeader::Schema, None) => {
                let schema = parsed.header_as_schema().ok_or_else(|| damaged("its schema cannot be read"))?;
                let schema = SchemaRef::new(fb_to_schema(schema));
                decoder = Some((schema.clone(), FileDecoder::new(schema, MetadataVersion::V5)));
            }
            (MessageHeader::DictionaryBatch, Some((_, decoder))) => decoder.read_dictionary(&block, &body)?,
            (_, Some((_, decoder))) => batches.extend(decoder.read_record_batch(&block, &body)?),
            (_, None) => return Err(damaged("it does not begin with a schema")),
        }
        at += body.len();
    }
    let (schema, _) = decoder.ok_or_else(|| damaged("it does not begin with a schema"))?;
    Ok((schema, batches))
}

/// A message's bytes, if what it says of its sizes can be.
fn message(bytes: &Buffer, block: &Block) -> std::result::Result<Buffer, ArrowError> {
    let sizes = [block.offset(), block.metaDataLength().into(), block.bodyLength()];
    let [offset, metadata, body] = sizes.map(|size| usize::try_from(size).unwrap_or(usize::MAX));
    let length = metadata.saturating_add(body);
    if metadata < 8 || offset.saturating_add(length) > bytes.len() {
        return Err(damaged("a message that ends beyond the file"));
    }
    let found = bytes.slice_with_length(offset, length);
    let skip = if found.starts_with(&CONTINUATION.to_le_bytes()) { 8 } else { 4 };
    let parsed = root_as_message(&found[skip..metadata]).map_err(|e| damaged(&e.to_string()))?;
    let dictionary = parsed.header_as_dictionary_batch().and_then(|d| d.data());
    let batch = parsed.header_as_record_batch().or(dictionary);
    let Some(batch) = batch.filter(|batch| batch.compression().is_some()) else { return Ok(found) };
    // A packed column begins with the length that is reserved for it.
    for column in batch.buffers().iter().flatten() {
        let start = usize::try_from(column.offset()).map_or(usize::MAX, |at| at.saturating_add(metadata));
        let claimed = found.get(start..start.saturating_add(8)).and_then(|length| length.try_into().ok());
        if claimed.is_some_and(|length| i64::from_le_bytes(length) > LARGEST_COLUMN) {
            return Err(damaged("a column of more than 2 GiB in one batch"));
        }
    }
    Ok(found)
}

fn damaged(what: &str) -> ArrowError {
    ArrowError::IpcError(format!("damaged: {what}"))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::types::Int8Type;
    use arrow_array::{ArrayRef, DictionaryArray, Float64Array, StringArray};
    use arrow_ipc::CompressionType;
    use arrow_ipc::writer::{FileWriter, IpcWriteOptions, StreamWriter};

    use super::*;

    fn batch() -> RecordBatch {
        let people: DictionaryArray<Int8Type> = ["ada", "bob", "ada"].into_iter().collect();
        RecordBatch::try_from_iter([
            ("customer", Arc::new(people) as ArrayRef),
            ("date", Arc::new(StringArray::from(vec!["2024-01-05", "2024-01-06", "2024-02-07"]))),
            ("amount", Arc::new(Float64Array::from(vec![Some(1.5), Some(2.5), Some(4.0)]))),
        ])
        .unwrap()
    }

    fn options(compression: Option<CompressionType>) -> IpcWriteOptions {
        IpcWriteOptions::default().try_with_compression(compression).unwrap()
    }

    fn as_file(compression: Option<CompressionType>) -> Vec<u8> {
        let (batch, mut out) = (batch(), Vec::new());
        let mut writer =
            FileWriter::try_new_with_options(&mut out, &batch.schema(), options(compression)).unwrap();
        writer.write(&batch).unwrap();
        writer.write(&batch).unwrap();
        writer.finish().unwrap();
        drop(writer);
        out
    }

    fn as_stream(compression: Option<CompressionType>) -> Vec<u8> {
        let (batch, mut out) = (batch(), Vec::new());
        let mut writer =
            StreamWriter::try_new_with_options(&mut out, &batch.schema(), options(compression)).unwrap();
        writer.write(&batch).unwrap();
        writer.write(&batch).unwrap();
        writer.finish().unwrap();
        drop(writer);
        out
    }

    fn read(bytes: Vec<u8>) -> Result<Reading> {
        read_bytes(bytes, Path::new("log.arrow"), &ReadOptions::new())
    }

    #[test]
    fn files_and_streams_packed_and_unpacked_are_one_log() {
        for packing in [None, Some(CompressionType::LZ4_FRAME), Some(CompressionType::ZSTD)] {
            for bytes in [as_file(packing), as_stream(packing)] {
                let log = read(bytes).unwrap().log;
                assert_eq!((log.len(), log.customers().len()), (6, 2), "{packing:?}");
                assert_eq!(log.ledger().read, 6);
            }
        }
    }

    #[test]
    fn what_is_cut_off_is_told_and_nothing_is_reserved_for_a_lie() {
        for bytes in [as_file(Some(CompressionType::ZSTD)), as_stream(Some(CompressionType::ZSTD))] {
            // A stream may end after any message; what ends within one is damaged.
            let cut = bytes.len() / 2 - 3;
            let error = read(bytes[..cut].to_vec()).unwrap_err().to_string();
            assert!(error.starts_with("log.arrow: "), "{error}");
            for at in 0..bytes.len() {
                let mut damaged = bytes.clone();
                damaged[at] = !damaged[at];
                if let Ok(reading) = read(damaged) {
                    assert!(reading.log.ledger().adds_up());
                }
            }
        }
    }
}
