//! Every kind of damage in every format: the message names place and remedy, the ledger adds up.

#![allow(clippy::unwrap_used)]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, RecordBatch, StringArray};
use clv_core::Ledger;
use clv_core::ledger::Reason;
use clv_io::{Error, ReadOptions, Reading, read_log};
use parquet::arrow::ArrowWriter;

const FORMATS: [&str; 7] = ["csv", "csv.gz", "csv.zst", "jsonl", "parquet", "arrow", "xlsx"];

/// A table of texts, in any format. Empty texts are missing.
struct Shop {
    header: Vec<&'static str>,
    rows: Vec<Vec<String>>,
    /// Columns that typed formats write as numbers.
    numbers: bool,
}

impl Shop {
    fn new(header: &[&'static str], rows: &[&[&str]]) -> Self {
        let rows = rows.iter().map(|row| row.iter().map(|c| (*c).to_owned()).collect()).collect();
        Self { header: header.to_vec(), rows, numbers: false }
    }

    fn write(&self, folder: &Path, format: &str) -> PathBuf {
        let path = folder.join(format!("shop.{format}"));
        let quoted = |cells: Vec<String>| {
            cells.iter().map(|c| format!("\"{}\"", c.replace('"', "\"\""))).collect::<Vec<_>>().join(",")
        };
        let csv = || {
            let mut text = self.header.join(",") + "\n";
            self.rows.iter().for_each(|row| text += &(quoted(row.clone()) + "\n"));
            text
        };
        match format {
            "csv" => std::fs::write(&path, csv()).unwrap(),
            "csv.gz" => {
                let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
                gz.write_all(csv().as_bytes()).unwrap();
                std::fs::write(&path, gz.finish().unwrap()).unwrap();
            }
            "csv.zst" => std::fs::write(&path, zstd::encode_all(csv().as_bytes(), 3).unwrap()).unwrap(),
            "jsonl" => {
                let mut text = String::new();
                for row in &self.rows {
                    let member = |(name, cell): (&&str, &String)| {
                        format!(
                            "{}:{}",
                            serde_json::to_string(name).unwrap(),
                            serde_json::to_string(cell).unwrap()
                        )
                    };
                    let members: Vec<String> = self.header.iter().zip(row).map(member).collect();
                    text += &format!("{{{}}}\n", members.join(","));
                }
                std::fs::write(&path, text).unwrap();
            }
            "parquet" | "arrow" => {
                let column = |i: usize| -> ArrayRef {
                    let cells = self.rows.iter().map(|row| Some(row[i].as_str()).filter(|c| !c.is_empty()));
                    if self.numbers && self.header[i] == "amount" {
                        return Arc::new(
                            cells.map(|c| c.map(|c| c.parse::<f64>().unwrap())).collect::<Float64Array>(),
                        );
                    }
                    Arc::new(cells.collect::<StringArray>())
                };
                let fields = self.header.iter().map(|name| {
                    let kind = if self.numbers && *name == "amount" {
                        arrow_schema::DataType::Float64
                    } else {
                        arrow_schema::DataType::Utf8
                    };
                    arrow_schema::Field::new(*name, kind, true)
                });
                let schema = Arc::new(arrow_schema::Schema::new(fields.collect::<Vec<_>>()));
                let columns = (0..self.header.len()).map(column).collect();
                let batch = RecordBatch::try_new(schema.clone(), columns).unwrap();
                let file = std::fs::File::create(&path).unwrap();
                if format == "arrow" {
                    let mut writer = arrow_ipc::writer::FileWriter::try_new(file, &schema).unwrap();
                    writer.write(&batch).unwrap();
                    writer.finish().unwrap();
                } else {
                    let mut writer = ArrowWriter::try_new(file, schema, None).unwrap();
                    writer.write(&batch).unwrap();
                    writer.close().unwrap();
                }
            }
            _ => {
                let mut book = rust_xlsxwriter::Workbook::new();
                let sheet = book.add_worksheet();
                for (column, name) in self.header.iter().enumerate() {
                    sheet.write(0, column as u16, *name).unwrap();
                }
                for (row, cells) in self.rows.iter().enumerate() {
                    for (column, cell) in cells.iter().enumerate() {
                        sheet.write(row as u32 + 1, column as u16, cell).unwrap();
                    }
                }
                book.save(&path).unwrap();
            }
        }
        path
    }
}

/// Reads the shop in every format.
fn in_every_format(shop: &Shop, check: impl Fn(&str, Result<Reading, Error>, &Path)) {
    for format in FORMATS {
        let folder = tempfile::tempdir().unwrap();
        let path = shop.write(folder.path(), format);
        check(format, read_log(&path, &ReadOptions::new()), &path);
    }
}

fn told(format: &str, found: Result<Reading, Error>, path: &Path, words: &[&str]) {
    let error = found.expect_err(format).to_string();
    assert!(error.contains(&*path.to_string_lossy()), "{format} names no place: {error}");
    for word in words {
        assert!(error.contains(word), "{format}: {word:?} is not in: {error}");
    }
}

fn sound(format: &str, found: Result<Reading, Error>) -> (Ledger, Reading) {
    let reading = found.unwrap_or_else(|error| panic!("{format}: {error}"));
    let ledger = reading.log.ledger().clone();
    assert!(ledger.adds_up(), "{format}: {ledger}");
    assert_eq!(ledger.kept, reading.log.len() as u64, "{format}");
    (ledger, reading)
}

const HEADER: [&str; 3] = ["customer", "date", "amount"];

fn many(rows: usize) -> Shop {
    let row = |i: usize| {
        vec![
            format!("customer {}", i * 7_919 % 1_009),
            format!("2024-02-{:02}", 1 + i % 28),
            format!("{}.5", i),
        ]
    };
    Shop { header: HEADER.to_vec(), rows: (0..rows).map(row).collect(), numbers: false }
}

#[test]
fn cut_short() {
    let shop = many(5_000);
    for format in FORMATS {
        let folder = tempfile::tempdir().unwrap();
        let path = shop.write(folder.path(), format);
        let bytes = std::fs::read(&path).unwrap();
        for part in [0.3, 0.6, 0.95] {
            std::fs::write(&path, &bytes[..(part * bytes.len() as f64) as usize]).unwrap();
            let found = read_log(&path, &ReadOptions::new());
            if matches!(format, "csv" | "jsonl") {
                // Text has no end mark: the rows that are there are read, the one cut through is told of.
                let (ledger, _) = sound(format, found);
                assert!(ledger.kept < 5_000 && ledger.read - ledger.kept <= 1, "{format}: {ledger}");
            } else {
                told(format, found, &path, &[]);
            }
        }
    }
}

#[test]
fn no_customer_column() {
    let shop = Shop::new(&["who", "date", "amount"], &[&["a", "2024-01-01", "1"]]);
    in_every_format(&shop, |format, found, path| {
        told(format, found, path, &["no customer column", "--customer", "who"]);
    });
    let shop = Shop::new(&HEADER, &[&["a", "2024-01-01", "1"]]);
    for format in FORMATS {
        let folder = tempfile::tempdir().unwrap();
        let path = shop.write(folder.path(), format);
        let wrong = ReadOptions::new().amount("price");
        told(format, read_log(&path, &wrong), &path, &["price", "amount"]);
    }
}

#[test]
fn dates_in_several_forms() {
    let shop = Shop::new(
        &HEADER,
        &[
            &["a", "13/02/2024", "1"],
            &["a", "14/02/2024", "1"],
            &["a", "02/15/2024", "1"],
            &["a", "2024-02-16", "1"],
            &["a", "the 17th", "1"],
        ],
    );
    in_every_format(&shop, |format, found, _| {
        let (ledger, _) = sound(format, found);
        assert_eq!((ledger.kept, ledger.dropped_for(Reason::BadDate)), (3, 2), "{format}");
        let quoted = ledger.quoted[0].to_string();
        assert!(quoted.contains("02/15/2024") && quoted.contains("--date-format"), "{format}: {quoted}");
    });
    let ambiguous = Shop::new(&HEADER, &[&["a", "01/02/2024", "1"], &["a", "03/04/2024", "1"]]);
    in_every_format(&ambiguous, |format, found, path| {
        told(format, found, path, &["01/02/2024", "--date-format"]);
    });
}

#[test]
fn no_numbers() {
    for numbers in [false, true] {
        let mut shop = Shop::new(
            &HEADER,
            &[
                &["a", "2024-01-01", "1"],
                &["a", "2024-01-02", "NaN"],
                &["a", "2024-01-03", "inf"],
                &["a", "2024-01-04", "-inf"],
                &["a", "2024-01-05", "1e300"],
                &["a", "2024-01-06", ""],
            ],
        );
        shop.numbers = numbers;
        in_every_format(&shop, |format, found, _| {
            let (ledger, _) = sound(format, found);
            assert_eq!(ledger.kept, 1, "{format}: {ledger}");
            assert_eq!(ledger.dropped_for(Reason::BadAmount), 4, "{format}: {ledger}");
            assert_eq!(ledger.dropped_for(Reason::MissingAmount), 1, "{format}: {ledger}");
        });
    }
}

#[test]
fn ten_thousand_bad_rows() {
    let mut rows: Vec<Vec<String>> =
        (0..10_000).map(|i| vec![String::new(), "2024-01-01".into(), i.to_string()]).collect();
    rows.insert(5_000, vec!["a".into(), "2024-01-01".into(), "1".into()]);
    in_every_format(&Shop { header: HEADER.to_vec(), rows, numbers: false }, |format, found, _| {
        let (ledger, _) = sound(format, found);
        assert_eq!((ledger.read, ledger.kept), (10_001, 1), "{format}");
        assert_eq!(ledger.dropped_for(Reason::MissingCustomer), 10_000, "{format}");
        assert_eq!(ledger.quoted.len() as u64, Ledger::QUOTED, "{format}: a few are quoted, all are counted");
        let line = if matches!(format, "jsonl" | "parquet" | "arrow") { 1 } else { 2 };
        assert_eq!(ledger.quoted[0].line, line, "{format}");
    });
}

#[test]
fn nothing_at_all() {
    for format in FORMATS {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(format!("shop.{format}"));
        std::fs::write(&path, b"").unwrap();
        told(format, read_log(&path, &ReadOptions::new()), &path, &[]);
        let missing = folder.path().join(format!("missing.{format}"));
        told(format, read_log(&missing, &ReadOptions::new()), &missing, &[]);
    }
}

#[test]
fn a_header_and_nothing_else() {
    in_every_format(&Shop::new(&HEADER, &[]), |format, found, path| match format {
        // Its objects are its header.
        "jsonl" => told(format, found, path, &["empty"]),
        _ => {
            let (ledger, reading) = sound(format, found);
            assert!(ledger.read == 0 && reading.log.is_empty(), "{format}");
        }
    });
}

#[test]
fn two_currencies() {
    let shop = Shop::new(
        &["customer", "date", "amount", "currency"],
        &[&["a", "2024-01-01", "1", "EUR"], &["a", "2024-01-02", "1", "USD"]],
    );
    in_every_format(&shop, |format, found, path| told(format, found, path, &["EUR", "USD", "convert"]));
}

#[test]
fn names_from_all_over_the_world() {
    let names = [" Zoë ", "名前 一", "a  b", "O'Brien, \"Pat\"", "007", "\u{1F600}", "مرحبا"];
    let rows: Vec<Vec<String>> =
        names.iter().map(|n| vec![(*n).into(), "2024-01-01".into(), "1".into()]).collect();
    in_every_format(&Shop { header: HEADER.to_vec(), rows, numbers: false }, |format, found, _| {
        let (_, reading) = sound(format, found);
        let found: Vec<&str> = reading.log.customers().iter().collect();
        assert_eq!(found, names.map(str::trim), "{format}");
    });
}

#[test]
fn a_column_twice() {
    let shop = Shop::new(&["customer", "date", "date"], &[&["a", "2024-01-01", "2024-01-02"]]);
    in_every_format(&shop, |format, found, path| match format {
        // Each object is a row: the one with a name twice is told of.
        "jsonl" => {
            let (ledger, _) = sound(format, found);
            assert_eq!((ledger.kept, ledger.dropped_for(Reason::Malformed)), (0, 1));
        }
        _ => told(format, found, path, &["\"date\"", "twice", "rename"]),
    });
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop.jsonl");
    let good = "{\"customer\":\"a\",\"date\":\"2024-01-01\"}\n";
    std::fs::write(
        &path,
        format!("{good}{{\"customer\":\"a\",\"date\":\"2024-01-01\",\"date\":\"2024-01-02\"}}\n"),
    )
    .unwrap();
    let (ledger, _) = sound("jsonl", read_log(&path, &ReadOptions::new()));
    assert_eq!((ledger.kept, ledger.dropped_for(Reason::Malformed)), (1, 1));
    assert!(ledger.quoted[0].to_string().contains("twice"));
}

#[test]
fn another_encoding() {
    let latin = |text: &str| text.chars().map(|c| c as u8).collect::<Vec<u8>>();
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [
        ("a.csv", "customer,date\nZoë,2024-01-01\nBob,2024-01-02\n"),
        (
            "a.jsonl",
            "{\"customer\":\"Bob\",\"date\":\"2024-01-02\"}\n{\"customer\":\"Zoë\",\"date\":\"2024-01-01\"}\n",
        ),
    ] {
        let path = folder.path().join(name);
        std::fs::write(&path, latin(text)).unwrap();
        let (ledger, _) = sound(name, read_log(&path, &ReadOptions::new()));
        assert_eq!((ledger.kept, ledger.dropped_for(Reason::Malformed)), (1, 1), "{name}");
        assert!(ledger.quoted[0].to_string().contains("--encoding"), "{name}: {}", ledger.quoted[0]);
        let told = ReadOptions::new().encoding("windows-1252");
        let (_, reading) = sound(name, read_log(&path, &told));
        assert!(reading.log.customers().find("Zoë").is_some(), "{name}");
    }
    // Where a format says what its bytes are, bytes of no stated kind are refused by name.
    let bytes: ArrayRef = Arc::new(arrow_array::BinaryArray::from(vec![b"Zo\xeb".as_slice()]));
    let date: ArrayRef = Arc::new(StringArray::from(vec!["2024-01-01"]));
    let batch = RecordBatch::try_from_iter([("customer", bytes), ("date", date)]).unwrap();
    let found = clv_io::parquet::read_batches(&[batch], Path::new("memory"), &ReadOptions::new());
    told("parquet", found, Path::new("memory"), &["customer", "Binary", "text"]);
}

#[test]
fn one_format_under_the_name_of_another() {
    let folder = tempfile::tempdir().unwrap();
    let csv = std::fs::read(many(10).write(folder.path(), "csv")).unwrap();
    for format in ["csv.gz", "csv.zst", "jsonl", "parquet", "arrow", "xlsx"] {
        let path = folder.path().join(format!("disguised.{format}"));
        std::fs::write(&path, &csv).unwrap();
        told(format, read_log(&path, &ReadOptions::new()), &path, &[]);
    }
    let path = folder.path().join("shop.pdf");
    std::fs::write(&path, &csv).unwrap();
    told("pdf", read_log(&path, &ReadOptions::new()), &path, &[".csv", ".parquet", ".xlsx"]);
}

#[test]
fn a_quote_that_is_never_closed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop.csv");
    let mut text =
        "customer,date,amount,note\n\"a\",2024-01-01,1,\"fine, \"\"quoted\"\"\"\nb,2024-01-02,2,\"open\n"
            .to_owned();
    for i in 0..20_000 {
        text += &format!("c{i},2024-01-03,3,note\n");
    }
    for ending in ["", "last,2024-01-04,4,\"open at the end"] {
        std::fs::write(&path, format!("{text}{ending}")).unwrap();
        let (ledger, _) = sound("csv", read_log(&path, &ReadOptions::new()));
        let opened = 1 + u64::from(!ending.is_empty());
        assert_eq!((ledger.kept, ledger.dropped_for(Reason::Malformed)), (20_001, opened), "{ledger}");
        assert_eq!(ledger.quoted[0].line, 3);
        assert!(ledger.quoted[0].to_string().contains("never closed"), "{}", ledger.quoted[0]);
    }
}

#[test]
fn sheets_of_other_columns_are_told_of() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop.xlsx");
    let mut book = rust_xlsxwriter::Workbook::new();
    let mut sheet = |rows: &[&[&str]]| {
        let sheet = book.add_worksheet();
        for (r, row) in rows.iter().enumerate() {
            for (c, cell) in row.iter().enumerate() {
                sheet.write(r as u32, c as u16, *cell).unwrap();
            }
        }
    };
    sheet(&[&["Our shop, 2024"]]);
    sheet(&[&["customer", "date"], &["a", "2024-01-01"]]);
    sheet(&[&["Customer", "Date"], &["b", "2024-01-02"], &["b", "2024-01-03"]]);
    sheet(&[&["product", "price"], &["pen", "2"]]);
    book.save(&path).unwrap();
    let (ledger, _) = sound("xlsx", read_log(&path, &ReadOptions::new()));
    assert_eq!((ledger.kept, ledger.dropped_for(Reason::Malformed)), (3, 1));
    assert!(ledger.quoted[0].to_string().contains("other columns"));
}
