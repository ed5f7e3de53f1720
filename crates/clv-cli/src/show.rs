//! Printing: tables and JSON on standard output, notes on standard error.

use std::fmt::Display;
use std::io::{ErrorKind, Write};

use comfy_table::{CellAlignment, Table, presets};
use serde_json::Value;

use crate::failure::Failure;

/// A note on standard error; nobody there to read it is no error.
pub(crate) fn note(text: impl Display) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Text on standard output; a reader that has gone is no error.
pub(crate) fn print(text: impl Display) -> Result<(), Failure> {
    match writeln!(std::io::stdout(), "{text}") {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Err(Failure::Closed),
        Err(error) => Err(Failure::data(error)),
    }
}

/// One JSON document on standard output.
pub(crate) fn json(document: &Value) -> Result<(), Failure> {
    print(format_args!("{document:#}"))
}

/// A table: the first column is text, the others are numbers.
pub(crate) fn table(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> Result<(), Failure> {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    table.set_header(header.to_vec());
    for row in rows {
        table.add_row(row);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    print(table)
}

/// About five significant digits, without an exponent where that is readable.
pub(crate) fn short(value: f64) -> String {
    let magnitude = value.abs();
    if value == 0.0 {
        "0".into()
    } else if !(1e-4..1e7).contains(&magnitude) {
        format!("{value:.4e}")
    } else {
        let digits = (4 - magnitude.log10().floor() as i32).clamp(0, 8) as usize;
        format!("{value:.digits$}")
    }
}

pub(crate) fn short_or_dash(value: Option<f64>) -> String {
    value.map_or_else(|| "–".into(), short)
}
