//! The quick ways through a file give what the plain way gives, to the bit and to the line.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use clv_core::summary::{Purchases, SpendBasis};
use clv_core::{Cut, Grain, Ledger, Moment, Summary, TimeUnit};
use clv_io::{ReadOptions, read_csv, read_log, read_scaled};
use proptest::prelude::*;

/// Cells of every kind but such as need quotes.
fn row() -> impl Strategy<Value = String> {
    let customer = prop_oneof![
        8 => (0..30_u32).prop_map(|n| n.to_string()),
        2 => prop_oneof![Just("007"), Just(""), Just(" 7 "), Just("ada"), Just("a long customer's name"), Just("-1")]
            .prop_map(str::to_owned),
    ];
    let date = prop_oneof![
        8 => (1..29_u32).prop_map(|d| format!("2024-02-{d:02}")),
        2 => prop_oneof![Just("2024-02-30"), Just(""), Just("2024-02-03 10:00"), Just("soon"), Just("20240207")]
            .prop_map(str::to_owned),
    ];
    let amount = prop_oneof![
        8 => (0..100_000_u32).prop_map(|c| format!("{}.{:02}", c / 100, c % 100)),
        2 => prop_oneof![
            Just("7"), Just(""), Just("NaN"), Just("-3.5"), Just("0"), Just("1e3"), Just("5."), Just(".5"),
            Just("0.123456789"), Just("99999999999999999999"), Just("$4")
        ]
        .prop_map(str::to_owned),
    ];
    let row = (customer, date, amount, prop::bool::weighted(0.03))
        .prop_map(|(c, d, a, short)| if short { format!("{c},{d}") } else { format!("{c},{d},{a}") });
    prop_oneof![30 => row, 1 => Just(String::new())]
}

fn quoted(rows: &[String]) -> String {
    // A blank line stays one.
    let cell = |cell: &str| format!("\"{cell}\"");
    let row = |row: &String| match row.as_str() {
        "" => String::new(),
        row => row.split(',').map(cell).collect::<Vec<_>>().join(","),
    };
    format!("customer,date,amount\n{}\n", rows.iter().map(row).collect::<Vec<_>>().join("\n"))
}

fn ledger(text: &str) -> Ledger {
    read_csv(Cursor::new(text.to_owned()), Path::new("x.csv"), &ReadOptions::new())
        .unwrap()
        .log
        .ledger()
        .clone()
}

fn by_name(name: impl Fn(u32) -> String, s: &Summary) -> BTreeMap<String, (u32, [u64; 3])> {
    let mean = &s.spend.as_ref().unwrap().mean;
    let row = |r: usize| {
        (name(s.customer[r]), (s.frequency[r], [s.recency[r], s.age[r], mean[r]].map(f64::to_bits)))
    };
    (0..s.len()).map(row).collect()
}

/// The summary by way of a log in memory, and by way of grain ledgers on one, two and three threads.
fn agree(path: PathBuf) {
    let cut = Cut::end_of(Moment::parse_date("2024-02-20").unwrap(), Grain::Day);
    let log = read_log(&path, &ReadOptions::new()).unwrap().log;
    let purchases = Purchases::of(&log, Grain::Day).unwrap();
    let Ok(summary) = purchases.summary(cut, TimeUnit::Week, SpendBasis::Repeats) else { return };
    let want = by_name(|c| log.customers().name(c).to_owned(), &summary);
    for threads in 1..4 {
        let (ledger, _) =
            read_scaled(std::slice::from_ref(&path), &ReadOptions::new(), Grain::Day, threads).unwrap();
        let rows = ledger.ledger().clone();
        assert!(rows.adds_up());
        assert_eq!(
            (rows.read, rows.kept, &rows.dropped),
            (log.ledger().read, log.ledger().kept, &log.ledger().dropped)
        );
        assert_eq!(rows.noticed, log.ledger().noticed);
        assert_eq!(rows.before.revenue_micros, log.ledger().before.revenue_micros);
        let lines = |l: &Ledger| l.quoted.iter().map(|q| (q.reason, q.line)).collect::<BTreeMap<_, _>>();
        assert_eq!(lines(&rows).keys().collect::<Vec<_>>(), lines(log.ledger()).keys().collect::<Vec<_>>());
        let (roster, found) = ledger.summary(cut, TimeUnit::Week, SpendBasis::Repeats, threads).unwrap();
        assert_eq!(by_name(|c| roster.name(c).into_owned(), &found), want, "{threads} threads");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn quotes_change_nothing(rows in prop::collection::vec(row(), 1..120), breaks in prop_oneof![Just("\n"), Just("\r\n")]) {
        let plain = format!("customer,date,amount\n{}\n", rows.join("\n")).replace('\n', breaks);
        let (plain, quoted) = (ledger(&plain), ledger(&quoted(&rows).replace('\n', breaks)));
        let by_line = |l: &Ledger| {
            let mut quoted = l.quoted.clone();
            quoted.sort_by_key(|q| (q.line, q.reason));
            quoted
        };
        prop_assert_eq!((plain.read, plain.kept, &plain.dropped, plain.before), (quoted.read, quoted.kept, &quoted.dropped, quoted.before));
        prop_assert_eq!(by_line(&plain), by_line(&quoted));
    }

    #[test]
    fn small_files_give_the_same_bits_either_way(rows in prop::collection::vec(row(), 1..120)) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tx.csv");
        std::fs::write(&path, format!("customer,date,amount\n{}", rows.join("\n"))).unwrap();
        agree(path);
    }
}

#[test]
fn large_files_are_shared_out_by_lines_and_give_the_same_bits() {
    let folder = tempfile::tempdir().unwrap();
    let mut text = "customer,date,amount\n".to_owned();
    for i in 0..120_000_u32 {
        let odd = match i % 5_000 {
            17 => ",2024-02-01,1\n",
            18 => "8,2024-02-31,1\n",
            19 => "8,2024-02-03\n",
            20 => "\n",
            _ => "",
        };
        text += &format!("{},2024-02-{:02},{}.{:02}\n{odd}", i * 7_919 % 5_003, 1 + i % 28, i % 500, i % 100);
    }
    assert!(text.len() > 1 << 21);
    let path = folder.path().join("tx.csv");
    std::fs::write(&path, &text).unwrap();
    agree(path.clone());
    // Lines are told right from the middle of a file.
    let (ledger, _) = read_scaled(std::slice::from_ref(&path), &ReadOptions::new(), Grain::Day, 3).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    for row in &ledger.ledger().quoted {
        let line = lines[row.line as usize - 1];
        assert!(line.starts_with(',') || line.starts_with('8'), "{row}: {line}");
    }
    // A quote late in the file: read whole after all.
    let late = text.replacen("\n77,", "\n\"77\",", 1) + "\"9\",2024-02-01,1.00\n";
    std::fs::write(&path, late).unwrap();
    agree(path);
}
