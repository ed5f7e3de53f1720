//! `clv predict`.

use std::path::PathBuf;

use clv::io::write::Beside;
use clv::model::{Drawn, Reads};
use clv::{Predict, StageRules};
use serde_json::json;

use crate::args::{
    Asking, Contracts, Format, Observation, Output, OverTime, Transactions, expect_histories, share,
};
use crate::between::{Between, of_all, tell_caution};
use crate::beyond::{Known, Tables};
use crate::failure::Failure;
use crate::input::{Histories, Observed};
use crate::progress::Line;
use crate::show::{note, short_or_dash, table};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    asking: Asking,
    #[command(flatten)]
    transactions: Transactions,
    #[command(flatten)]
    contracts: Contracts,
    #[command(flatten)]
    over_time: OverTime,
    #[command(flatten)]
    beyond: Tables,
    #[command(flatten)]
    observation: Observation,
    /// Share of spend that is earned.
    #[arg(long, default_value_t = 1.0, value_parser = share, allow_negative_numbers = true)]
    margin: f64,
    #[command(flatten)]
    between: Between,
    /// Add a column with the lifecycle stage.
    #[arg(long)]
    stages: bool,
    /// Where to write: .csv, .jsonl (each also .gz or .zst) or .parquet.
    #[arg(long)]
    output: PathBuf,
    #[command(flatten)]
    print: Output,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let model = args.asking.purchases()?;
    let by_the_calendar = model.foresee().is_some();
    if by_the_calendar == args.over_time.over_time.is_empty() {
        return Err(Failure::usage(format_args!(
            "{} holds {}: a model of what changes with time takes --over-time, until the end of the horizon, and no other does",
            args.asking.model.display(),
            model.kind().full_name(),
        )));
    }
    let says_value = model.answers().value || args.asking.spend.is_some() || args.asking.price.is_some();
    let of_value = [
        ("--margin", args.margin != 1.0),
        ("--discount-rate", args.asking.discount_rate != 0.0),
        ("--monthly", args.asking.monthly),
    ];
    args.asking.expect_unit(&args.observation, &model)?;
    if let (false, Some((flag, _))) = (says_value, of_value.iter().find(|(_, given)| *given)) {
        return Err(Failure::usage(format_args!(
            "{flag} is of value, which this model does not say: give a fitted model to --spend, or one --price"
        )));
    }
    let mut spend = args.asking.spend(model.unit())?;
    let transactions = args.asking.as_fitted(&args.transactions, &model, spend.as_deref())?;
    // What is foreseen with a calendar is joined once it is.
    let model = if by_the_calendar { model } else { args.asking.joined(model, spend.take())? };
    let ask = args.asking.ask(&model)?.margin(args.margin).map_err(Failure::usage)?;
    let inputs: Vec<_> = args
        .asking
        .inputs(&args.transactions)
        .into_iter()
        .chain(args.beyond.inputs())
        .chain(args.over_time.inputs())
        .collect();
    crate::input::expect_output(&args.output, &inputs)?;
    let reads = model.reads();
    let (contracts, grain) = (args.contracts.contracts, transactions.grain());
    expect_histories(contracts, args.asking.holds(&model), reads, grain, model.unit())?;
    if args.contracts.contracts && args.stages {
        return Err(Failure::usage("contracts have no --stages: those are of purchases"));
    }
    let observation =
        Observation { unit: Some(args.observation.unit.unwrap_or_else(|| model.unit())), ..args.observation };
    let (observed, mut gathered) = if args.contracts.contracts {
        let histories = if reads == Reads::Tenures { Histories::Tenures } else { Histories::Renewals };
        Observed::contracts(&transactions, &observation, &args.contracts, histories)?
    } else {
        Observed::gathered(&transactions, &observation)?
    };
    let known = args.beyond.read(&transactions, &mut gathered, &observed.log)?;
    known.tell_unknown_words(model.needs());
    let is_needed = by_the_calendar || Known::is_needed(model.needs());
    if !is_needed && args.beyond.inputs().next().is_some() {
        note(format_args!("{} reads nothing of the tables beyond the log", args.asking.holds(&model)));
    }
    let beyond = if is_needed { known.of(&observed.log, true)? } else { None };
    let training = crate::beyond::knowing(observed.training()?, beyond.as_ref());
    let timelines = args.over_time.read(&transactions)?;
    let foreseen = match model.foresee() {
        None => None,
        Some(of) => {
            let timelines: Vec<_> = timelines.iter().collect();
            let names = observed.log.customers();
            let foreseen = of.foresee(&training, &timelines, names, ask.horizon())?;
            Some(args.asking.joined(foreseen, spend)?)
        }
    };
    let kind = model.kind();
    let model = foreseen.unwrap_or(model);
    let summary = training.summary();
    let features = crate::beyond::features(&model, &training, beyond.as_ref())?;
    let mut who = summary.customers();
    if features.rows() > 0 {
        who = who.with_features(&features)?;
    }
    let line = Line::new("forecasting");
    let forecast =
        model.predict(&who, &ask).map_err(|e| crate::beyond::of_customer(e, &training, &observed.log))?;
    drop(line);
    let intervals = args.between.draw(&args.asking, &model, &who, &ask, (&observed, &summary.customer))?;
    let stages = args.stages.then(|| {
        let rules = StageRules::learn(&who);
        (0..who.len()).map(|row| rules.by_rhythm(&who.history(row))).collect::<Vec<_>>()
    });
    let customers = observed.log.customers();
    let beside = Beside { stages: stages.as_deref(), intervals: intervals.as_ref() };
    clv::io::write::forecast(summary, customers, &forecast, beside, &args.output)?;
    let sum = |column: &Option<Vec<f64>>| column.as_ref().map(|c| c.iter().sum::<f64>());
    let said = forecast.value.as_ref().filter(|c| c.is_empty() || c.iter().any(Option::is_some));
    let value = said.map(|c| c.iter().flatten().sum::<f64>());
    tell_caution(&model);
    let unsaid = forecast.value.as_ref().map_or(0, |c| c.iter().filter(|v| v.is_none()).count());
    if unsaid > 0 {
        note(format_args!(
            "warning: {unsaid} of {} customers have no value, as the mean of what they spend does not exist: they are not in the total of it{}",
            summary.len(),
            if intervals.is_some() { ", and in what is drawn they are" } else { "" }
        ));
    }
    let active = sum(&forecast.p_alive);
    let purchases = sum(&forecast.purchases);
    let output = args.output.display().to_string();
    if args.print.format == Format::Json {
        return crate::show::json(&json!({
            "model": kind.full_name(),
            "until": observed.cut.last_day().to_string(),
            "unit": observed.unit.to_string(),
            "horizon": args.asking.horizon,
            "customers": summary.len(),
            "expected_active": active,
            "expected_purchases": purchases,
            "clv": value,
            "without_clv": unsaid,
            "interval": intervals.as_ref().map(|drawn| {
                let ends = |of: &Drawn| of.interval(drawn.level).ok();
                json!({
                    "level": drawn.level,
                    "draws": args.between.draws,
                    "purchases": ends(&drawn.total_purchases),
                    "purchases_mean": drawn.total_purchases.mean(),
                    "clv": drawn.total_value.as_ref().and_then(ends),
                    "clv_mean": drawn.total_value.as_ref().map(Drawn::mean),
                })
            }),
            "output": output,
        }));
    }
    table(
        &["customers", "expected active", "expected purchases", "clv in total", "written to"],
        [vec![
            summary.len().to_string(),
            short_or_dash(active),
            short_or_dash(purchases),
            short_or_dash(value),
            output,
        ]],
    )?;
    let Some(drawn) = intervals else { return Ok(()) };
    let row = |what, of: &Drawn| {
        let (from, to) = of.interval(drawn.level)?;
        Ok::<_, Failure>((what, [of.mean(), from, to]))
    };
    let rows = std::iter::once(row("purchases", &drawn.total_purchases))
        .chain(drawn.total_value.iter().map(|value| row("clv", value)));
    of_all(drawn.level, rows.collect::<Result<Vec<_>, _>>()?)
}
