//! JSON lines: one object a line.

use std::io::{BufRead, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::error::{Error, Result};
use crate::table::{Cell, Line, Row, Table, Visit};
use crate::unique::Unique;

const HEAD: u64 = 1 << 18;
const SAMPLE: usize = 2_000;
const NOT_UTF8: &str = "bytes that are not UTF-8; name another encoding with --encoding";

/// Opens JSON lines; `name` stands for the file in errors.
pub(crate) fn open(mut source: Box<dyn Read + Send>, name: &Path) -> Result<Box<dyn Table>> {
    let mut head = Vec::new();
    let io = |source| Error::Io { path: name.into(), source };
    source.by_ref().take(HEAD).read_to_end(&mut head).map_err(io)?;
    let lines = head.split(|b| *b == b'\n').filter(|line| !line.iter().all(u8::is_ascii_whitespace));
    let sample: Vec<Value> =
        lines.take(SAMPLE).filter_map(|line| serde_json::from_slice(line).ok()).collect();
    let mut header = Vec::new();
    for value in &sample {
        collect_names(value, "", &mut header);
    }
    if header.is_empty() {
        return Err(if head.iter().all(u8::is_ascii_whitespace) {
            Error::Empty { path: name.into() }
        } else {
            Error::Format { path: name.into(), source: "no line is a JSON object".into() }
        });
    }
    let rest = Box::new(Cursor::new(head).chain(source));
    Ok(Box::new(JsonLines { header, sample, rest, name: name.into() }))
}

/// Names of an object's members; those of inner objects with a point: `properties.total`.
fn collect_names(value: &Value, before: &str, names: &mut Vec<String>) {
    let Value::Object(members) = value else { return };
    for (name, value) in members {
        let name = format!("{before}{name}");
        if value.is_object() {
            collect_names(value, &format!("{name}."), names);
        } else if !names.contains(&name) {
            names.push(name);
        }
    }
}

/// A member by its name with points.
pub(crate) fn member<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    // A name may itself have a point.
    if let Some(found) = value.get(name) {
        return Some(found);
    }
    let (first, rest) = name.split_once('.')?;
    member(value.get(first)?, rest)
}

pub(crate) fn cell(value: Option<&Value>) -> Cell<'_> {
    match value {
        Some(Value::String(text)) => Cell::Text(text),
        Some(Value::Number(number)) => match number.as_i128() {
            Some(whole) => Cell::Whole(whole),
            None => number.as_f64().map_or(Cell::Missing, Cell::Number),
        },
        Some(Value::Bool(true)) => Cell::Text("true"),
        Some(Value::Bool(false)) => Cell::Text("false"),
        _ => Cell::Missing,
    }
}

struct JsonLines {
    header: Vec<String>,
    sample: Vec<Value>,
    rest: Box<dyn Read + Send>,
    name: PathBuf,
}

struct Object<'a> {
    value: &'a Value,
    header: &'a [String],
}

impl Row for Object<'_> {
    fn cell(&self, position: usize) -> Cell<'_> {
        cell(self.header.get(position).and_then(|name| member(self.value, name)))
    }
}

impl Table for JsonLines {
    fn header(&self) -> &[String] {
        &self.header
    }

    fn sample(&self, position: usize) -> Vec<String> {
        let cells = self.sample.iter().filter_map(|value| {
            match (Object { value, header: &self.header }).cell(position) {
                Cell::Text(text) => Some(text.trim().to_owned()),
                _ => None,
            }
        });
        cells.collect()
    }

    fn visit(self: Box<Self>, _: &[usize], visit: &mut dyn Visit) -> Result<u64> {
        let header = &self.header;
        objects(self.rest, &self.name, &mut |line, object| match object {
            Ok(value) => visit.line(line, Line::Row(&Object { value, header })),
            Err(found) => visit.line(line, Line::Broken(found, "one JSON object a line")),
        })?;
        Ok(0)
    }

    fn split(self: Box<Self>, _: usize) -> Vec<Box<dyn Table>> {
        vec![self]
    }
}

/// What is done with each line: an object, or the text that is none.
pub(crate) type Each<'e> = dyn FnMut(u64, Result<&Value, &str>) -> Result<()> + 'e;

/// Goes through the objects of a file; what is no object is given as text.
pub(crate) fn objects(source: impl Read, name: &Path, each: &mut Each<'_>) -> Result<()> {
    let mut reader = BufReader::with_capacity(1 << 16, source);
    let (mut text, mut line) = (Vec::new(), 0);
    loop {
        text.clear();
        let read = reader.read_until(b'\n', &mut text);
        if read.map_err(|source| Error::Io { path: name.into(), source })? == 0 {
            return Ok(());
        }
        line += 1;
        if text.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        match serde_json::from_slice(&text) {
            Ok(Unique(value)) if value.is_object() => each(line, Ok(&value))?,
            Ok(_) => each(line, Err(String::from_utf8_lossy(&text).trim()))?,
            Err(_) if std::str::from_utf8(&text).is_err() => each(line, Err(NOT_UTF8))?,
            Err(error) => {
                let found = format!("{error}: {}", String::from_utf8_lossy(&text).trim());
                each(line, Err(&found))?;
            }
        }
    }
}
