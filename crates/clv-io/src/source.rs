//! Which files, in which format, and their bytes unpacked and decoded.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use encoding_rs_io::DecodeReaderBytesBuilder;

use crate::error::{Error, Result};
use crate::options::ReadOptions;
use crate::table::Table;

/// The format of a file, by its ending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Csv,
    JsonLines,
    #[cfg(feature = "parquet")]
    Parquet,
    #[cfg(feature = "parquet")]
    Arrow,
    #[cfg(feature = "xlsx")]
    Xlsx,
}

impl Format {
    pub(crate) fn of(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_string_lossy().to_lowercase();
        let bare = name.strip_suffix(".gz").or_else(|| name.strip_suffix(".zst"));
        let (bare, packed) = bare.map_or((name.as_str(), false), |bare| (bare, true));
        match bare.rsplit_once('.')?.1 {
            "csv" | "tsv" | "txt" => Some(Self::Csv),
            "jsonl" | "ndjson" => Some(Self::JsonLines),
            #[cfg(feature = "parquet")]
            "parquet" if !packed => Some(Self::Parquet),
            #[cfg(feature = "parquet")]
            "arrow" | "feather" | "ipc" if !packed => Some(Self::Arrow),
            #[cfg(feature = "xlsx")]
            "xlsx" | "xlsm" if !packed => Some(Self::Xlsx),
            _ => None,
        }
    }
}

/// The files that some paths mean: each file, and of each folder what can be read in it and below,
/// in order of their names.
///
/// # Errors
///
/// [`Error::Io`], [`Error::NothingInFolder`].
pub fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for path in paths {
        if path.is_dir() {
            let before = found.len();
            walk(path, &mut found)?;
            if found.len() == before {
                return Err(Error::NothingInFolder { path: path.clone() });
            }
        } else {
            found.push(path.clone());
        }
    }
    Ok(found)
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    let io = |source| Error::Io { path: folder.into(), source };
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(io)? {
        entries.push(entry.map_err(io)?.path());
    }
    entries.sort();
    for path in entries {
        let hidden = path.file_name().is_some_and(|n| n.to_string_lossy().starts_with(['.', '_']));
        if hidden {
            continue;
        }
        if path.is_dir() {
            walk(&path, found)?;
        } else if Format::of(&path).is_some() {
            found.push(path);
        }
    }
    Ok(())
}

/// Opens a file as a table.
pub(crate) fn open(path: &Path, options: &ReadOptions) -> Result<Box<dyn Table>> {
    match Format::of(path) {
        Some(Format::Csv) => crate::csv::open(text(path, options)?, path, plain(path, options)?),
        Some(Format::JsonLines) => crate::jsonl::open(text(path, options)?, path),
        #[cfg(feature = "parquet")]
        Some(Format::Parquet) => crate::parquet::open(path),
        #[cfg(feature = "parquet")]
        Some(Format::Arrow) => crate::arrow::open(path),
        #[cfg(feature = "xlsx")]
        Some(Format::Xlsx) => crate::xlsx::open(path),
        None => Err(Error::Ending { path: path.into() }),
    }
}

pub(crate) fn is_json_lines(path: &Path) -> bool {
    Format::of(path) == Some(Format::JsonLines)
}

/// A file's text as UTF-8, unpacked.
pub(crate) fn text(path: &Path, options: &ReadOptions) -> Result<Box<dyn Read + Send>> {
    let io = |source| Error::Io { path: path.into(), source };
    let file = File::open(path).map_err(io)?;
    if file.metadata().map_err(io)?.is_dir() {
        return Err(io(std::io::ErrorKind::IsADirectory.into()));
    }
    let unpacked: Box<dyn Read + Send> = match path.extension().and_then(|e| e.to_str()) {
        Some("gz") => Box::new(flate2::read::MultiGzDecoder::new(BufReader::new(file))),
        Some("zst") => Box::new(zstd::Decoder::new(file).map_err(io)?),
        _ => Box::new(file),
    };
    decoded(unpacked, options)
}

/// A file whose bytes are its text as they are, so that it can be entered anywhere.
#[derive(Clone, Debug)]
pub(crate) struct Plain {
    pub path: PathBuf,
    /// Where the text begins: after a byte order mark.
    pub start: u64,
    pub length: u64,
}

fn plain(path: &Path, options: &ReadOptions) -> Result<Option<Plain>> {
    let io = |source| Error::Io { path: path.into(), source };
    let packed = path.extension().is_some_and(|e| e == "gz" || e == "zst");
    if packed || options.encoding.is_some() {
        return Ok(None);
    }
    let mut file = File::open(path).map_err(io)?;
    let length = file.metadata().map_err(io)?.len();
    let mut mark = Vec::new();
    file.by_ref().take(3).read_to_end(&mut mark).map_err(io)?;
    let start = match mark.as_slice() {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => return Ok(None),
        [0xef, 0xbb, 0xbf] => 3,
        _ => 0,
    };
    Ok(Some(Plain { path: path.into(), start, length }))
}

/// Bytes as UTF-8: by the encoding named, or by a byte order mark; without either as they are.
pub(crate) fn decoded(
    bytes: impl Read + Send + 'static,
    options: &ReadOptions,
) -> Result<Box<dyn Read + Send>> {
    let encoding = match &options.encoding {
        None => None,
        Some(label) => Some(
            encoding_rs::Encoding::for_label(label.as_bytes())
                .ok_or_else(|| Error::Encoding { given: label.clone() })?,
        ),
    };
    let decoder = DecodeReaderBytesBuilder::new()
        .encoding(encoding)
        .utf8_passthru(true)
        .strip_bom(true)
        .bom_override(true)
        .build(bytes);
    Ok(Box::new(decoder))
}
