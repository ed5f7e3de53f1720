//! `clv simulate`.

use std::path::PathBuf;

use clv::btyd::{
    BgCnbd, BgNbd, GammaGamma, GgomNbd, MbgCnbd, MbgNbd, Nbd, ParetoNbd, Process, PurchaseModel, Simulation,
};
use clv::{Moment, Predict, TimeUnit};

use crate::args::{Output, assignment, date};
use crate::failure::Failure;
use crate::show::{json, note};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Purchase model: nbd, bg-nbd, mbg-nbd, pareto-nbd, ggom-nbd, bg-cnbd-k, mbg-cnbd-k.
    #[arg(long, default_value = "pareto-nbd")]
    model: String,
    /// A parameter of it, name=value, rates in the time unit; all or none [default: as CDNOW's].
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = assignment)]
    params: Vec<(String, f64)>,
    /// A parameter of the Gamma-Gamma spend model (p, q, gamma); all or none [default: as CDNOW's].
    #[arg(long = "spend-param", value_name = "NAME=VALUE", value_parser = assignment)]
    spend_params: Vec<(String, f64)>,
    /// Without amounts.
    #[arg(long, conflicts_with = "spend_params")]
    no_amounts: bool,
    /// How many customers.
    #[arg(long, default_value_t = 2_000)]
    customers: usize,
    /// First day.
    #[arg(long, value_parser = date)]
    start: Moment,
    /// Last day.
    #[arg(long, value_parser = date)]
    end: Moment,
    /// Last day on which customers make their first purchase [default: the first quarter].
    #[arg(long, value_name = "DATE", value_parser = date)]
    joining_until: Option<Moment>,
    /// Seed: the same seed gives the same log.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Time unit of the parameters.
    #[arg(long, default_value = "week")]
    unit: TimeUnit,
    /// Where to write: .csv, .jsonl (each also .gz or .zst) or .parquet.
    #[arg(long)]
    output: PathBuf,
    #[command(flatten)]
    print: Output,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let model = model(args)?;
    let sample = model.sample().ok_or_else(|| Failure::usage("this model cannot be simulated"))?;
    let spend = if args.no_amounts { None } else { Some(spend(&args.spend_params)?) };
    let mut simulation =
        Simulation::new(args.customers, args.start, args.end, args.seed).map_err(Failure::usage)?;
    if let Some(day) = args.joining_until {
        let cut = clv::Cut::end_of(day, clv::Grain::Day);
        simulation = simulation.joining_until(cut).map_err(Failure::usage)?;
    }
    crate::input::expect_output(&args.output, &[])?;
    let line = crate::progress::Line::new("simulating");
    let log = simulation.run(sample, args.unit, spend.as_ref())?;
    clv::io::write::transactions(&log, &args.output)?;
    drop(line);
    let output = args.output.display().to_string();
    note(format_args!("{output}: {} transactions of {} customers", log.len(), args.customers));
    if args.print.format == crate::args::Format::Json {
        json(&serde_json::json!({
            "output": output,
            "transactions": log.len(),
            "customers": args.customers,
            "seed": args.seed,
        }))?;
    }
    Ok(())
}

fn model(args: &Args) -> Result<Box<dyn Predict>, Failure> {
    fn build<P: Process>(args: &Args, default: &[f64]) -> Result<Box<dyn Predict>, Failure> {
        let names: Vec<&str> = P::PARAMETERS.iter().map(|p| p.name).collect();
        let values = values(&args.params, &names, default)?;
        let process = P::from_values(&values).map_err(Failure::usage)?;
        Ok(Box::new(PurchaseModel::new(process, args.unit)))
    }
    // CDNOW's estimates count in weeks; rates follow the unit.
    let weeks = |w: f64| w * 7.0 / args.unit.days();
    match args.model.as_str() {
        "nbd" => build::<Nbd>(args, &[0.385, weeks(12.07)]),
        "bg-nbd" => build::<BgNbd>(args, &[0.243, weeks(4.414), 0.793, 2.426]),
        "mbg-nbd" => build::<MbgNbd>(args, &[0.525, weeks(6.183), 0.891, 1.614]),
        "pareto-nbd" => build::<ParetoNbd>(args, &[0.553, weeks(10.58), 0.606, weeks(11.67)]),
        // Not CDNOW's: one whose customers age.
        "ggom-nbd" => build::<GgomNbd>(args, &[0.9, weeks(6.0), 0.06 * args.unit.days() / 7.0, 0.7, 8.0]),
        // Groceries, every other click.
        "bg-cnbd-k" => build::<BgCnbd>(args, &[0.359, weeks(1.129), 0.523, 2.785, 2.0]),
        "mbg-cnbd-k" => build::<MbgCnbd>(args, &[1.329, weeks(2.813), 0.425, 0.79, 2.0]),
        other => Err(Failure::usage(format_args!(
            "--model {other:?} cannot be simulated; allowed: nbd, bg-nbd, mbg-nbd, pareto-nbd, ggom-nbd, bg-cnbd-k, mbg-cnbd-k"
        ))),
    }
}

fn spend(given: &[(String, f64)]) -> Result<GammaGamma, Failure> {
    let values = values(given, &["p", "q", "gamma"], &[6.25, 3.74, 15.44])?;
    GammaGamma::new(values[0], values[1], values[2]).map_err(Failure::usage)
}

/// Values in order; the defaults if none are given.
fn values(given: &[(String, f64)], names: &[&str], default: &[f64]) -> Result<Vec<f64>, Failure> {
    if given.is_empty() {
        return Ok(default.to_vec());
    }
    if let Some((unknown, _)) = given.iter().find(|(name, _)| !names.contains(&name.as_str())) {
        return Err(Failure::usage(format_args!("no parameter {unknown:?}; allowed: {}", names.join(", "))));
    }
    let value = |name: &&str| {
        let found = given.iter().rev().find(|(n, _)| n == name).map(|(_, v)| *v);
        found.ok_or_else(|| {
            Failure::usage(format_args!("parameter {name} is missing; give all of {}", names.join(", ")))
        })
    };
    names.iter().map(value).collect()
}
