//! `clv stages`.

use std::path::PathBuf;

use clv::{Ask, Predict, Span, Stage, StageRules};
use serde_json::{Map, Value, json};

use crate::args::{Format, Observation, Output, Transactions};
use crate::failure::Failure;
use crate::input::Observed;
use crate::show::{short, table};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    transactions: Transactions,
    #[command(flatten)]
    observation: Observation,
    /// Decide by this fitted model's P(alive) instead of the customer's own rhythm.
    #[arg(long)]
    model: Option<PathBuf>,
    /// P(alive) below which a model's verdict is churned.
    #[arg(long, default_value_t = 0.5, requires = "model", value_name = "PROBABILITY")]
    churned_below: f64,
    /// How many of a customer's gaps of silence are churn.
    #[arg(long, default_value_t = 3.0, conflicts_with = "model", value_name = "GAPS")]
    overdue: f64,
    /// From how many purchases on a customer is loyal.
    #[arg(long, default_value_t = 4, value_name = "PURCHASES")]
    loyal_from: u32,
    /// Where to write: .csv, .csv.gz or .csv.zst.
    #[arg(long)]
    output: Option<PathBuf>,
    #[command(flatten)]
    print: Output,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let model = args.model.as_ref().map(|path| clv::registry().load(path)).transpose()?;
    let mut observed = Observed::read(&args.transactions, &args.observation)?;
    if let (Some(model), None) = (&model, args.observation.unit) {
        observed.unit = model.unit();
    }
    let training = observed.training()?;
    let summary = training.summary();
    let who = summary.customers();
    let rules = StageRules::learn(&who)
        .overdue(args.overdue)
        .and_then(|r| r.loyal_purchases(args.loyal_from).churned_below(args.churned_below))
        .map_err(Failure::usage)?;
    let p_alive = match &model {
        None => None,
        Some(model) => {
            let forecast = model.predict(&who, &Ask::over(Span::new(0.0, model.unit())?))?;
            Some(forecast.p_alive.ok_or(clv::Error::CannotSay {
                model: model.kind().name,
                quantity: "P(alive)",
                hint: "; use a buy-till-you-die model",
            })?)
        }
    };
    let stages: Vec<Stage> = (0..who.len())
        .map(|row| match &p_alive {
            None => rules.by_rhythm(&who.history(row)),
            Some(p) => rules.by_p_alive(&who.history(row), p[row]),
        })
        .collect();
    if let Some(path) = &args.output {
        let customers = observed.log.customers();
        let rows = summary.customer.iter().map(|c| customers.name(*c)).zip(stages.iter().copied());
        clv::io::write::stages(rows, path)?;
    }
    let count = |stage: Stage| match stage {
        Stage::Prospect => summary.prospects,
        _ => stages.iter().filter(|s| **s == stage).count(),
    };
    let (gap, unit) = rules.population_gap();
    if args.print.format == Format::Json {
        let counts: Map<String, Value> =
            Stage::ALL.into_iter().map(|s| (s.to_string(), count(s).into())).collect();
        return crate::show::json(&json!({
            "until": observed.cut.last().date().to_string(),
            "unit": unit.to_string(),
            "population_gap": gap,
            "decided_by": model.as_ref().map_or("rhythm", |m| m.kind().name),
            "stages": counts,
        }));
    }
    let all = (who.len() + summary.prospects) as f64;
    table(
        &["stage", "customers", "share"],
        Stage::ALL.into_iter().map(|s| {
            vec![s.to_string(), count(s).to_string(), format!("{:.1}%", 100.0 * count(s) as f64 / all)]
        }),
    )?;
    crate::show::note(format_args!("mean gap between purchases: {} {unit}s", short(gap)));
    Ok(())
}
