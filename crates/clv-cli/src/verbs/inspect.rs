//! `clv inspect`: a report on the data that a person can read.

use clv::events::EventKind;
use clv::sufficiency::Sufficiency;
use clv::{Cut, Gathered, Span, StageRules, Summary, TimeUnit};
use serde_json::json;

use crate::args::{Format, Observation, Output, Transactions};
use crate::failure::Failure;
use crate::input::Observed;
use crate::show::{print, short, table};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    transactions: Transactions,
    #[command(flatten)]
    observation: Observation,
    /// How far ahead forecasts are wanted, in days.
    #[arg(long, default_value_t = 365.0, value_name = "DAYS")]
    horizon: f64,
    #[command(flatten)]
    print: Output,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let horizon = Span::days(args.horizon).map_err(Failure::usage)?;
    let (observed, gathered) = Observed::gathered(&args.transactions, &args.observation)?;
    let summary = Summary::of(&observed.log, observed.cut, TimeUnit::Day)?;
    let enough = Sufficiency::of(&observed.purchases, observed.cut, horizon)?;
    if args.print.format == Format::Json {
        return json_report(&observed, &summary, &enough);
    }
    rows(&observed)?;
    effect(&observed)?;
    customers(&observed, &summary, &enough)?;
    beside(&gathered)?;
    print("\nWhat the data can carry")?;
    table(
        &["models", "carries", "why"],
        enough.verdicts.iter().map(|v| vec![v.models.to_owned(), v.carries.to_string(), v.why.clone()]),
    )
}

/// What became of each row.
fn rows(observed: &Observed) -> Result<(), Failure> {
    let ledger = observed.log.ledger();
    print("Rows")?;
    let share = |n: u64| format!("{:.2}%", 100.0 * n as f64 / ledger.read.max(1) as f64);
    let line = |name: String, n: u64| vec![name, n.to_string(), share(n)];
    let mut lines = vec![line("read".into(), ledger.read), line("kept".into(), ledger.kept)];
    lines.extend(ledger.dropped.iter().map(|(reason, n)| line(format!("left out: {reason}"), *n)));
    lines.extend(ledger.noticed.iter().map(|(fact, n)| line(format!("noticed, kept or not: {fact}"), *n)));
    table(&["", "rows", "share"], lines)?;
    let sum = ledger.kept + ledger.dropped.values().sum::<u64>();
    print(format_args!("kept and left out add up to {sum} of {} read\n", ledger.read))
}

/// What else the sources say: events, attributes and how much of them is missing.
fn beside(gathered: &Gathered) -> Result<(), Failure> {
    if !gathered.events.is_empty() {
        print("\nEvents")?;
        let kinds = EventKind::ALL.iter().map(|kind| (kind, gathered.events.count(*kind)));
        let rows = kinds.filter(|(_, n)| *n > 0).map(|(kind, n)| vec![kind.to_string(), n.to_string()]);
        table(&["kind", "events"], rows)?;
    }
    let people = &gathered.attributes;
    if !people.columns().is_empty() {
        print("\nAttributes")?;
        let known = people.customers().len();
        let row = |a: &clv::attributes::Attribute| {
            let share = format!("{:.1}%", percent(a.missing(), known));
            vec![a.name().to_owned(), (known - a.missing()).to_string(), a.missing().to_string(), share]
        };
        table(&["attribute", "known", "missing", "share missing"], people.columns().iter().map(row))?;
    }
    if !gathered.identities.is_empty() {
        let same = &gathered.identities;
        print(format_args!(
            "\n{} names are settled as another's; {} contradicted an earlier statement",
            same.len(),
            same.conflicts()
        ))?;
    }
    Ok(())
}

/// The headline numbers before any policy acted, and after.
fn effect(observed: &Observed) -> Result<(), Failure> {
    let before = observed.log.ledger().before;
    let after = after(observed);
    print("What cleaning changes")?;
    let change =
        |b: f64, a: f64| if b == 0.0 { "–".into() } else { format!("{:+.2}%", 100.0 * (a / b - 1.0)) };
    let mut lines = vec![
        vec![
            "rows".to_owned(),
            before.rows.to_string(),
            after.0.to_string(),
            change(before.rows as f64, after.0 as f64),
        ],
        vec![
            "customers".to_owned(),
            before.customers.map_or_else(|| "–".to_owned(), |n| n.to_string()),
            after.1.to_string(),
            before.customers.map_or_else(|| "–".to_owned(), |n| change(n as f64, after.1 as f64)),
        ],
    ];
    if let Some(revenue) = after.2 {
        let was = before.revenue();
        lines.push(vec![
            "revenue".into(),
            format!("{was:.2}"),
            format!("{revenue:.2}"),
            change(was, revenue),
        ]);
        let mean = |sum: f64, n: u64| sum / n.max(1) as f64;
        let (b, a) = (mean(was, before.rows), mean(revenue, after.0));
        lines.push(vec!["revenue per row".into(), format!("{b:.2}"), format!("{a:.2}"), change(b, a)]);
    }
    table(&["", "readable", "cleaned", "change"], lines)
}

/// Rows, customers with one, revenue.
fn after(observed: &Observed) -> (u64, u64, Option<f64>) {
    let log = &observed.log;
    let mut bought = vec![false; log.customers().len()];
    log.customer().iter().for_each(|c| bought[*c as usize] = true);
    let customers = bought.iter().filter(|b| **b).count() as u64;
    let revenue = log.amount().map(|a| a.iter().map(|m| i128::from(m.micros())).sum::<i128>() as f64 / 1e6);
    (log.len() as u64, customers, revenue)
}

fn customers(observed: &Observed, summary: &Summary, enough: &Sufficiency) -> Result<(), Failure> {
    let (first, last) = observed.log.span().unwrap_or((observed.cut.last(), observed.cut.last()));
    let rules = StageRules::learn(&summary.customers());
    let (gap, unit) = rules.population_gap();
    print("\nCustomers")?;
    let line = |name: &str, value: String| vec![name.to_owned(), value];
    let mut lines = vec![
        line("first purchase", first.date().to_string()),
        line("last purchase", last.date().to_string()),
        line("as of", observed.cut.last_day().to_string()),
        line("customers", enough.customers.to_string()),
        line("prospects", summary.prospects.to_string()),
        line(
            "came back",
            format!("{} ({:.1}%)", enough.repeat_buyers, percent(enough.repeat_buyers, enough.customers)),
        ),
        line("purchases after the first", enough.repeat_purchases.to_string()),
        line("mean gap", format!("{} {unit}s", short(gap))),
        line("bought within a mean gap", enough.recent_buyers.to_string()),
    ];
    if let Some(currency) = observed.log.currency() {
        lines.push(line("currency", currency.to_owned()));
    }
    if let Some(spend) = &summary.spend {
        let purchases: f64 = summary.frequency.iter().map(|x| f64::from(*x) + 1.0).sum();
        lines.push(line("spend per purchase", short(spend.total.iter().sum::<f64>() / purchases)));
    }
    table(&["", "value"], lines)
}

fn percent(part: usize, whole: usize) -> f64 {
    100.0 * part as f64 / whole.max(1) as f64
}

fn json_report(observed: &Observed, summary: &Summary, enough: &Sufficiency) -> Result<(), Failure> {
    let before = observed.log.ledger().before;
    let (rows, customers, revenue) = after(observed);
    let cut: &Cut = &observed.cut;
    crate::show::json(&json!({
        "until": cut.last_day().to_string(),
        "ledger": super::summarize::ledger(observed.log.ledger()),
        "before": { "rows": before.rows, "customers": before.customers, "revenue": revenue.map(|_| before.revenue()) },
        "after": { "rows": rows, "customers": customers, "revenue": revenue },
        "prospects": summary.prospects,
        "currency": observed.log.currency(),
        "sufficiency": serde_json::to_value(enough).map_err(Failure::data)?,
    }))
}
