//! `clv summarize`.

use std::path::PathBuf;

use clv::scale::{GrainLedger, OrderedSummary, Roster};
use clv::summary::SpendBasis;
use clv::{Cut, Grain, Ledger, Summary};
use serde_json::json;

use crate::args::{Format, Observation, Output, Transactions};
use crate::failure::Failure;
use crate::input::{self, Observed};
use crate::progress::Line;
use crate::show::{note, short, short_or_dash, table};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    transactions: Transactions,
    #[command(flatten)]
    observation: Observation,
    /// Threads to read and summarise with; the result is the same.
    #[arg(long, default_value_t = 1, value_name = "NUMBER")]
    threads: usize,
    /// The rows are in order of time: remember customers only, not purchases. A late row is refused.
    #[arg(long, conflicts_with_all = ["resume", "save"])]
    ordered: bool,
    /// Go on from a ledger that was saved: add these files to what it holds.
    #[arg(long, value_name = "LEDGER")]
    resume: Option<PathBuf>,
    /// Save the purchases as a ledger, to go on from later.
    #[arg(long, value_name = "LEDGER")]
    save: Option<PathBuf>,
    /// Where to write: .csv, .jsonl (each also .gz or .zst) or .parquet.
    #[arg(long)]
    output: PathBuf,
    #[command(flatten)]
    print: Output,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    if args.threads == 0 {
        return Err(Failure::usage("--threads 0: allowed are 1 and more"));
    }
    let mut inputs = args.transactions.inputs();
    inputs.extend(args.resume.as_deref());
    input::expect_output(&args.output, &inputs)?;
    if let Some(path) = &args.save {
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
        if folder.is_some_and(|folder| !folder.is_dir()) {
            return Err(Failure::usage(format_args!("{}: its folder does not exist", path.display())));
        }
        input::expect_other(path, &inputs[..args.transactions.files.len()])?;
    }
    let cleaning = args.transactions.cleaning.cleaning().map_err(Failure::usage)?;
    // Summaries at scale know grains alone, and not whether the last of them is whole.
    let breaks_off = args.observation.until.is_none()
        && matches!(args.transactions.grain(), Grain::Week | Grain::Month | Grain::Year);
    if breaks_off && (args.ordered || args.resume.is_some() || args.save.is_some()) {
        return Err(Failure::usage(format_args!(
            "--grain {} with --ordered, --resume or --save needs --until, the end of the last whole {0}",
            args.transactions.grain()
        )));
    }
    let whole = breaks_off
        || cleaning.decides_late()
        || cleaning.duplicates == clv::cleaning::Policy::Drop
        || args.transactions.reading.aliases.is_some();
    if args.ordered {
        return in_order(args, cleaning);
    }
    if !whole {
        return at_scale(args, cleaning);
    }
    if args.resume.is_some() || args.save.is_some() {
        return Err(Failure::usage(
            "--returns net, --outliers, --duplicates drop and --aliases need the log whole: they go neither with --resume nor \
             with --save",
        ));
    }
    let observed = Observed::read(&args.transactions, &args.observation)?;
    let training = observed.training()?;
    let summary = training.summary();
    clv::io::write::summary(summary, observed.log.customers(), &args.output)?;
    tell(args, &observed.cut, summary, observed.log.ledger())
}

/// A few words for each customer, however many rows.
fn in_order(args: &Args, cleaning: clv::Cleaning) -> Result<(), Failure> {
    let transactions = &args.transactions;
    let line = Line::new("reading");
    let options = transactions.reading.options().cleaning(cleaning);
    let mut into = OrderedSummary::new(transactions.grain());
    if let Some(until) = args.observation.until {
        into = into.until(input::end_of_period(until, transactions.grain())?)?;
    }
    let (ordered, sources) = clv::io::read_ordered(&transactions.files, &options, into)?;
    drop(line);
    sources.iter().for_each(note);
    input::tell(ordered.ledger());
    let Some(last) = ordered.last() else {
        return Err(Failure::data(format_args!("{}: no row could be used", transactions.files[0].display())));
    };
    let cut = match args.observation.until {
        Some(until) => input::end_of_period(until, transactions.grain())?,
        None => Cut::end_of(last, transactions.grain()),
    };
    let unit = args.observation.unit.unwrap_or_default();
    let (roster, summary) = ordered.summary(cut, unit, SpendBasis::default())?;
    clv::io::write::summary_at_scale(&summary, &roster, &args.output)?;
    note(format_args!("{} customers as of {}", summary.len(), cut.last_day()));
    tell(args, &cut, &summary, ordered.ledger())
}

/// Purchases go into a grain ledger, 16 bytes each, and never lie in memory as rows.
fn at_scale(args: &Args, cleaning: clv::Cleaning) -> Result<(), Failure> {
    let transactions = &args.transactions;
    let line = Line::new("reading");
    let options = transactions.reading.options().cleaning(cleaning);
    let (read, sources) =
        clv::io::read_scaled(&transactions.files, &options, transactions.grain(), args.threads)?;
    drop(line);
    sources.iter().for_each(note);
    input::tell(read.ledger());
    let mut ledger = match &args.resume {
        None => GrainLedger::new(transactions.grain()),
        Some(path) => GrainLedger::load(path)?,
    };
    ledger.merge(read)?;
    if let Some(path) = &args.save {
        ledger.save(path)?;
    }
    let Some((_, last)) = ledger.span() else {
        return Err(Failure::data(format_args!("{}: no row could be used", transactions.files[0].display())));
    };
    let cut = match args.observation.until {
        Some(until) => input::end_of_period(until, transactions.grain())?,
        None => Cut::end_of(last, transactions.grain()),
    };
    let rows = ledger.ledger().clone();
    if ledger.conflicts() > 0 {
        note(format_args!(
            "{} events were delivered again with different contents: the latest counts",
            ledger.conflicts()
        ));
    }
    let line = Line::new("summarising");
    let unit = args.observation.unit.unwrap_or_default();
    let (roster, summary): (Roster, Summary) =
        ledger.summary(cut, unit, SpendBasis::default(), args.threads)?;
    clv::io::write::summary_at_scale(&summary, &roster, &args.output)?;
    drop(line);
    note(format_args!("{} customers as of {}", summary.len(), cut.last_day()));
    if summary.first_seen_later > 0 {
        note(format_args!("{} customers first seen later are left out", summary.first_seen_later));
    }
    tell(args, &cut, &summary, &rows)
}

fn tell(args: &Args, cut: &Cut, summary: &Summary, rows: &Ledger) -> Result<(), Failure> {
    let repeat_buyers = summary.frequency.iter().filter(|x| **x > 0).count();
    let repeats: u64 = summary.frequency.iter().map(|x| u64::from(*x)).sum();
    let total = summary.spend.as_ref().map(|s| s.total.iter().sum::<f64>());
    if args.print.format == Format::Json {
        return crate::show::json(&json!({
            "until": cut.last_day().to_string(),
            "unit": summary.unit.to_string(),
            "customers": summary.len(),
            "repeat_buyers": repeat_buyers,
            "repeat_purchases": repeats,
            "total_spend": total,
            "first_seen_later": summary.first_seen_later,
            "ledger": ledger(rows),
            "output": args.output.display().to_string(),
        }));
    }
    table(
        &["as of", "customers", "repeat buyers", "repeat purchases", "mean age", "total spend"],
        [vec![
            cut.last_day().to_string(),
            summary.len().to_string(),
            repeat_buyers.to_string(),
            repeats.to_string(),
            format!("{} {}s", short(summary.age.iter().sum::<f64>() / summary.len() as f64), summary.unit),
            short_or_dash(total),
        ]],
    )
}

/// The ledger as JSON.
pub(crate) fn ledger(ledger: &Ledger) -> serde_json::Value {
    let dropped: serde_json::Map<String, serde_json::Value> =
        ledger.dropped.iter().map(|(reason, n)| (reason.to_string(), (*n).into())).collect();
    let noticed: serde_json::Map<String, serde_json::Value> =
        ledger.noticed.iter().map(|(fact, n)| (fact.to_string(), (*n).into())).collect();
    json!({ "read": ledger.read, "kept": ledger.kept, "left_out": dropped, "noticed": noticed })
}
