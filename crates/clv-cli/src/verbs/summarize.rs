//! `clv summarize`.

use std::path::PathBuf;

use serde_json::json;

use crate::args::{Format, Observation, Output, Transactions};
use crate::failure::Failure;
use crate::input::Observed;
use crate::show::{short, short_or_dash, table};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    transactions: Transactions,
    #[command(flatten)]
    observation: Observation,
    /// Where to write: .csv, .csv.gz or .csv.zst.
    #[arg(long)]
    output: PathBuf,
    #[command(flatten)]
    print: Output,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let observed = Observed::read(&args.transactions, &args.observation)?;
    let training = observed.training()?;
    let summary = training.summary();
    clv::io::write::summary(summary, observed.log.customers(), &args.output)?;
    let repeat_buyers = summary.frequency.iter().filter(|x| **x > 0).count();
    let repeats: u64 = summary.frequency.iter().map(|x| u64::from(*x)).sum();
    let total = summary.spend.as_ref().map(|s| s.total.iter().sum::<f64>());
    if args.print.format == Format::Json {
        return crate::show::json(&json!({
            "until": observed.cut.last().date().to_string(),
            "unit": observed.unit.to_string(),
            "customers": summary.len(),
            "repeat_buyers": repeat_buyers,
            "repeat_purchases": repeats,
            "total_spend": total,
            "first_seen_later": summary.first_seen_later,
            "ledger": ledger(observed.log.ledger()),
            "output": args.output.display().to_string(),
        }));
    }
    table(
        &["as of", "customers", "repeat buyers", "repeat purchases", "mean age", "total spend"],
        [vec![
            observed.cut.last().date().to_string(),
            summary.len().to_string(),
            repeat_buyers.to_string(),
            repeats.to_string(),
            format!("{} {}s", short(summary.age.iter().sum::<f64>() / summary.len() as f64), observed.unit),
            short_or_dash(total),
        ]],
    )
}

/// The ledger as JSON.
fn ledger(ledger: &clv::Ledger) -> serde_json::Value {
    let dropped: serde_json::Map<String, serde_json::Value> =
        ledger.dropped.iter().map(|(reason, n)| (reason.to_string(), (*n).into())).collect();
    json!({ "read": ledger.read, "kept": ledger.kept, "left_out": dropped })
}
