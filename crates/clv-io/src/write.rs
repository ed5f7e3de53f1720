//! Transactions, summaries, forecasts, stages and cohorts to files: CSV, JSON lines or Parquet.
//!
//! The format is known by the ending: `.csv`, `.jsonl` (each also packed as `.gz` or `.zst`) or
//! `.parquet`. A file is written whole or not at all. In text, numbers have as many digits as it takes
//! to read the same number again; what is undefined or absent is an empty field, null, or not there.
//! The columns of each file stand in `docs/FILES.md`.

mod columns;

use std::borrow::Cow;
use std::path::Path;

use clv_core::cohorts::Cohorts;
use clv_core::model::Intervals;
use clv_core::scale::Roster;
use clv_core::stages::Course;
use clv_core::value::LifetimeValue;
use clv_core::{CustomerNames, Forecast, Stage, Summary, TransactionLog};

use crate::error::Result;
use columns::{Field, Kind, table};

pub use columns::expect_ending;

/// Writes `customer,date[,amount]`; times of day are kept where there are any.
///
/// # Errors
///
/// [`Error::Io`](crate::Error::Io), [`Error::OutputEnding`](crate::Error::OutputEnding).
pub fn transactions(log: &TransactionLog, path: &Path) -> Result<()> {
    let mut header = vec![("customer", Kind::Text), ("date", Kind::Moment)];
    if log.amount().is_some() {
        header.push(("amount", Kind::Number));
    }
    table(path, &header, log.len(), |row, fields| {
        fields.push(Field::Text(log.customers().name_of(log.customer()[row])));
        fields.push(Field::Moment(log.time()[row]));
        if let Some(amounts) = log.amount() {
            fields.push(Field::Number(Some(amounts[row].to_f64())));
        }
    })
}

const HISTORY: [(&str, Kind); 5] = [
    ("customer", Kind::Text),
    ("frequency", Kind::Count),
    ("recency", Kind::Number),
    ("age", Kind::Number),
    ("monetary_value", Kind::Number),
];

/// Writes `customer,frequency,recency,age,monetary_value`; the last is empty for customers without a
/// purchase that it is taken over.
///
/// # Errors
///
/// As [`transactions`].
pub fn summary(summary: &Summary, customers: &dyn CustomerNames, path: &Path) -> Result<()> {
    table(path, &HISTORY, summary.len(), |row, fields| history(fields, summary, customers, row))
}

/// The same of a summary at scale, customers in order of their names.
///
/// # Errors
///
/// As [`transactions`].
pub fn summary_at_scale(summary: &Summary, roster: &Roster, path: &Path) -> Result<()> {
    let mut row_of = vec![u32::MAX; roster.len()];
    for (row, &customer) in summary.customer.iter().enumerate() {
        row_of[customer as usize] = row as u32;
    }
    let mut order = roster.sorted();
    order.retain(|&customer| row_of[customer as usize] != u32::MAX);
    table(path, &HISTORY, order.len(), |i, fields| {
        history(fields, summary, roster, row_of[order[i] as usize] as usize);
    })
}

/// What stands beside a forecast.
#[derive(Clone, Copy, Debug, Default)]
pub struct Beside<'a> {
    /// Stages.
    pub stages: Option<&'a [Stage]>,
    /// What may come.
    pub intervals: Option<&'a Intervals>,
}

/// Writes the summary's columns and
/// `p_alive,expected_purchases,expected_spend,clv[,p_purchase,purchases_from,purchases_to[,clv_from,clv_to]][,stage]`; what the model cannot say is empty.
///
/// # Errors
///
/// As [`transactions`].
pub fn forecast(
    summary: &Summary,
    customers: &dyn CustomerNames,
    forecast: &Forecast,
    Beside { stages, intervals }: Beside<'_>,
    path: &Path,
) -> Result<()> {
    let mut header = HISTORY.to_vec();
    header.extend(["p_alive", "expected_purchases", "expected_spend", "clv"].map(|n| (n, Kind::Number)));
    if let Some(intervals) = intervals {
        header.extend(["p_purchase", "purchases_from", "purchases_to"].map(|n| (n, Kind::Number)));
        if intervals.value.is_some() {
            header.extend(["clv_from", "clv_to"].map(|n| (n, Kind::Number)));
        }
    }
    if stages.is_some() {
        header.push(("stage", Kind::Text));
    }
    let number = |column: &Option<Vec<f64>>, row: usize| column.as_ref().map(|c| c[row]);
    let estimate = |column: &Option<Vec<Option<f64>>>, row: usize| column.as_ref().and_then(|c| c[row]);
    table(path, &header, summary.len(), |row, fields| {
        history(fields, summary, customers, row);
        fields.push(Field::Number(number(&forecast.p_alive, row)));
        fields.push(Field::Number(number(&forecast.purchases, row)));
        fields.push(Field::Number(estimate(&forecast.spend, row)));
        fields.push(Field::Number(estimate(&forecast.value, row)));
        if let Some(intervals) = intervals {
            fields.push(Field::Number(Some(intervals.any[row])));
            let ends = std::iter::once(&intervals.purchases).chain(&intervals.value);
            ends.flat_map(|ends| [ends[row].0, ends[row].1])
                .for_each(|end| fields.push(Field::Number(Some(end))));
        }
        if let Some(stages) = stages {
            fields.push(Field::Text(stages[row].to_string().into()));
        }
    })
}

/// Writes `customer,historic,future,total,acquisition,net`.
///
/// # Errors
///
/// As [`transactions`].
pub fn values(
    summary: &Summary,
    customers: &dyn CustomerNames,
    values: &[LifetimeValue],
    path: &Path,
) -> Result<()> {
    let mut header = vec![("customer", Kind::Text)];
    header.extend(["historic", "future", "total", "acquisition", "net"].map(|n| (n, Kind::Number)));
    table(path, &header, values.len(), |row, fields| {
        let value = &values[row];
        fields.push(Field::Text(customers.name_of(summary.customer[row])));
        fields.push(Field::Number(Some(value.historic)));
        fields.push(Field::Number(value.future));
        fields.push(Field::Number(value.total()));
        fields.push(Field::Number(Some(value.acquisition)));
        fields.push(Field::Number(value.net()));
    })
}

/// Writes `customer,stage`.
///
/// # Errors
///
/// As [`transactions`].
pub fn stages<'a>(rows: impl Iterator<Item = (&'a str, Stage)>, path: &Path) -> Result<()> {
    let rows: Vec<(&str, Stage)> = rows.collect();
    table(path, &[("customer", Kind::Text), ("stage", Kind::Text)], rows.len(), |row, fields| {
        fields.push(Field::Text(Cow::Borrowed(rows[row].0)));
        fields.push(Field::Text(rows[row].1.to_string().into()));
    })
}

/// Writes `date,prospect,new,active,loyal,churned`: how many stood where.
///
/// # Errors
///
/// As [`transactions`].
pub fn course(course: &Course, path: &Path) -> Result<()> {
    let names: Vec<String> = Stage::ALL.iter().map(ToString::to_string).collect();
    let mut header = vec![("date", Kind::Moment)];
    header.extend(names.iter().map(|name| (name.as_str(), Kind::Count)));
    table(path, &header, course.dates().len(), |date, fields| {
        fields.push(Field::Moment(course.dates()[date].last()));
        fields.extend(course.counts(date).map(|n| Field::Count(n as u64)));
    })
}

/// Writes a row for each cohort and age:
/// `cohort,customers,age,active,retention,repeat_rate,purchases,revenue_per_customer`.
///
/// # Errors
///
/// As [`transactions`].
pub fn cohorts(cohorts: &Cohorts, path: &Path) -> Result<()> {
    let header = [
        ("cohort", Kind::Text),
        ("customers", Kind::Count),
        ("age", Kind::Count),
        ("active", Kind::Count),
        ("retention", Kind::Number),
        ("repeat_rate", Kind::Number),
        ("purchases", Kind::Count),
        ("revenue_per_customer", Kind::Number),
    ];
    let rows: Vec<(usize, usize)> = cohorts
        .cohorts
        .iter()
        .enumerate()
        .flat_map(|(c, cohort)| (0..cohort.cells.len()).map(move |age| (c, age)))
        .collect();
    table(path, &header, rows.len(), |row, fields| {
        let (c, age) = rows[row];
        let cohort = &cohorts.cohorts[c];
        let cell = &cohort.cells[age];
        fields.push(Field::Text(cohorts.period.name(cohort.period).into()));
        fields.push(Field::Count(cohort.customers as u64));
        fields.push(Field::Count(age as u64));
        fields.push(Field::Count(cell.active as u64));
        fields.push(Field::Number(cohort.retention(age)));
        fields.push(Field::Number(cohort.repeat_rate(age)));
        fields.push(Field::Count(cell.purchases as u64));
        fields.push(Field::Number(cohort.revenue_per_customer(age)));
    })
}

fn history<'a>(fields: &mut Vec<Field<'a>>, summary: &Summary, customers: &'a dyn CustomerNames, row: usize) {
    let history = summary.history(row);
    fields.push(Field::Text(customers.name_of(summary.customer[row])));
    fields.push(Field::Count(u64::from(history.frequency)));
    fields.push(Field::Number(Some(history.recency)));
    fields.push(Field::Number(Some(history.age)));
    fields.push(Field::Number(history.spend));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;
    use clv_core::{Cut, Grain, LogBuilder, Moment, TimeUnit, Transaction};

    fn log() -> TransactionLog {
        let mut log = LogBuilder::new();
        for (who, hours, amount) in [("a, \"the first\"", 0, 1.1), ("b", 30, 2.2), ("b", 80, 3.3)] {
            let time = Moment::from_micros(hours * 3_600_000_000);
            log.push(Transaction::new(who, time).amount(amount).unwrap()).unwrap();
        }
        log.finish()
    }

    #[test]
    fn what_is_written_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["tx.csv", "tx.csv.gz", "tx.csv.zst", "tx.jsonl", "tx.jsonl.gz", "tx.parquet"] {
            let path = folder.path().join(name);
            transactions(&log(), &path).unwrap();
            let again = crate::read_log(&path, &crate::ReadOptions::new()).unwrap().log;
            assert_eq!(again.time(), log().time());
            assert_eq!(again.amount(), log().amount());
            assert_eq!(again.customers().name(0), "a, \"the first\"");
        }
        assert!(matches!(
            transactions(&log(), &folder.path().join("tx.xlsx")),
            Err(Error::OutputEnding { .. })
        ));
    }

    #[test]
    fn a_file_that_cannot_be_written_leaves_the_old_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("missing").join("tx.csv");
        assert!(matches!(transactions(&log(), &path), Err(Error::Io { .. })));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn columns_come_in_their_promised_order() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s.csv");
        let log = log();
        let cut = Cut::end_of(Moment::from_days(10), Grain::Day);
        let s = Summary::of(&log, cut, TimeUnit::Day).unwrap();
        summary(&s, log.customers(), &path).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(
            text,
            "customer,frequency,recency,age,monetary_value\n\"a, \"\"the first\"\"\",0,0,10,\nb,1,2,9,3.3\n"
        );
    }
}
