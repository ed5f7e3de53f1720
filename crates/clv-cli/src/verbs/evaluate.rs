//! `clv evaluate`.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;

use clv::backtest::{Backtest, BoxedFit, Outcome, Scores};
use clv::comparison::{Comparison, MeanScores};
use clv::model::Reads;
use clv::{Context, Cut, Gathered, Grain, Moment, Split, TimeUnit, TransactionLog};
use serde_json::{Value, json};

use crate::args::{Contracts, Format, Output, Transactions, date, expect_histories};
use crate::beyond::Tables;
use crate::entries::{self, Entry};
use crate::failure::Failure;
use crate::input;
use crate::progress::Line;
use crate::show::{note, short, short_or_dash, table};
use crate::verbs::fit::parameters;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    transactions: Transactions,
    /// End of training, inclusive.
    #[arg(long, value_name = "DATE", value_parser = date)]
    train_until: Moment,
    /// End of the holdout, inclusive [default: the last purchase; of weeks, months and years the last that is whole]. Needed with --contracts.
    #[arg(long, value_name = "DATE", value_parser = date)]
    holdout_until: Option<Moment>,
    /// Judge at so many origins: the holdout, and windows of its length one before the other.
    #[arg(long, default_value_t = NonZeroUsize::MIN, value_name = "N")]
    origins: NonZeroUsize,
    /// A model to score; may be repeated [default: all but the hierarchical ones and the learners that no shelf has; of contracts those of renewals].
    #[arg(long = "model", value_name = "MODEL")]
    models: Vec<String>,
    /// Time unit: day, week, month, year [default: week, or month of contracts].
    #[arg(long)]
    unit: Option<TimeUnit>,
    #[command(flatten)]
    contracts: Contracts,
    #[command(flatten)]
    beside: entries::Beside,
    #[command(flatten)]
    beyond: Tables,
    /// Seed of models that draw random numbers.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Threads, for models that use them: chains run side by side.
    #[arg(long, default_value_t = NonZeroUsize::MIN, value_name = "N")]
    threads: NonZeroUsize,
    #[command(flatten)]
    print: Output,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let of_contracts = args.contracts.contracts;
    let unit = args.unit.unwrap_or(if of_contracts { TimeUnit::Month } else { TimeUnit::Week });
    let names: Vec<&str> = if args.models.is_empty() && of_contracts {
        let renewals = |name: &&&str| clv::shelf::reads(name) == Reads::Renewals;
        clv::shelf::CONTRACT_MODELS.iter().filter(renewals).copied().collect()
    } else if args.models.is_empty() {
        clv::shelf::compared()
    } else {
        args.models.iter().map(String::as_str).collect()
    };
    // A wrong name is found before the data are read.
    for name in &names {
        let horizon = clv::Span::new(1.0, unit)?;
        clv::shelf::settings(name, horizon).map_err(Failure::usage)?;
        if matches!(*name, "gamma-gamma" | "lognormal-spend") {
            return Err(Failure::usage(format_args!(
                "{name} says spend alone: --spend-model names what purchase models are joined with"
            )));
        }
    }
    for name in &names {
        expect_histories(of_contracts, name, clv::shelf::reads(name), args.transactions.grain(), unit)?;
    }
    if args.beside.by.is_empty()
        && args.beyond.inputs().next().or(args.beside.over_time.inputs().next()).is_some()
    {
        return Err(Failure::usage(
            "tables beyond the log tell a model nothing unless --purchases-by, --dropout-by, --both-by or --spend-by name their columns (clv auto chooses by itself)",
        ));
    }
    let entries = entries::entries(&args.beside, &names, (unit, of_contracts))?;
    if of_contracts {
        return contracts(args, &entries, &names, unit);
    }
    let train = input::end_of_period(args.train_until, args.transactions.grain())?;
    if args.origins.get() > 1 && args.holdout_until.is_none() {
        return Err(Failure::usage(
            "--origins needs --holdout-until: earlier windows are as long as the holdout",
        ));
    }
    // What cleaning learns from amounts is learned before the first of the origins.
    let known = match args.holdout_until {
        Some(until) if args.origins.get() > 1 => {
            let split =
                Split::new(train, Cut::end_of(until, args.transactions.grain())).map_err(Failure::usage)?;
            back(split, args.origins.get() - 1).train.last()
        }
        _ => args.train_until,
    };
    let mut gathered = input::gather(&args.transactions, Some(known))?;
    let log = std::mem::take(&mut gathered.log);
    let holdout = input::cut(&log, &args.transactions, args.holdout_until)?;
    if train.last() >= holdout.last() {
        return Err(Failure::data(format_args!(
            "--train-until {} leaves no holdout before its end on {}{}",
            train.last_day(),
            holdout.last_day(),
            if args.holdout_until.is_none() { ", the end of the log" } else { "" },
        )));
    }
    let split = Split::new(train, holdout)?;
    if let Some((first, _)) = log.span() {
        let has_past = |windows: &usize| back(split, *windows).train.last() >= first;
        let room = (0..args.origins.get()).take_while(has_past).count();
        if room == 0 {
            return Err(Failure::usage(format_args!(
                "--train-until {} is before the log begins, on {}",
                train.last_day(),
                first.date()
            )));
        }
        if room < args.origins.get() {
            return Err(Failure::data(format_args!(
                "the log begins on {}, which leaves room for {room} origins with a holdout of {:.0} days; given: {}",
                first.date(),
                split.horizon().in_days(),
                args.origins
            )));
        }
    }
    let splits: Vec<Split> = (0..args.origins.get()).map(|windows| back(split, windows)).collect();
    let backtests = Backtest::all(&log, &splits, unit)?;
    judge(args, &entries, backtests, (&mut gathered, &log), unit)
}

/// Backtests of a table of contracts.
fn contracts(args: &Args, entries: &[Entry<'_>], names: &[&str], unit: TimeUnit) -> Result<(), Failure> {
    let reads = clv::shelf::reads(names[0]);
    if let Some(other) = names.iter().find(|name| clv::shelf::reads(name) != reads) {
        return Err(Failure::usage(format_args!(
            "{} and {other} forecast other things of a contract, renewals and whole units from the cut on: evaluate them apart",
            names[0]
        )));
    }
    let Some(until) = args.holdout_until else {
        return Err(Failure::usage(
            "--contracts needs --holdout-until, the last day of which it is known that contracts went on",
        ));
    };
    // Windows before the holdout are as many months (say) long, if these can be told.
    let by_unit = unit.grain();
    let ends = |day: Moment| Cut::end_of(day, by_unit).last_day() == day.date();
    let grain = if ends(args.train_until) && ends(until) { by_unit } else { Grain::Day };
    if args.origins.get() > 1 && grain != by_unit {
        return Err(Failure::usage(format_args!(
            "--origins of contracts needs --train-until and --holdout-until that end a {unit}"
        )));
    }
    let split = Split::new(Cut::end_of(args.train_until, grain), Cut::end_of(until, grain))
        .map_err(Failure::usage)?;
    if split.train.units_until(&split.holdout, unit).is_err() {
        return Err(Failure::usage(format_args!(
            "from --train-until {} to --holdout-until {} is no whole number of {unit}s, which contracts are counted in: name dates that are, or another --unit",
            split.train.last_day(),
            split.holdout.last_day()
        )));
    }
    let (table, mut gathered) = input::contracts(&args.transactions, &args.contracts)?;
    input::tell_silence(&table, until);
    input::tell_ends(&table, reads, split.train, unit);
    let log = input::names_of(&table);
    let one = |windows: usize| Backtest::of_contracts(&table, back(split, windows), unit, reads);
    let backtests = (0..args.origins.get()).map(one).collect::<Result<Vec<_>, _>>()?;
    judge(args, entries, backtests, (&mut gathered, &log), unit)
}

/// Fits and scores all entries, and tells how they did.
fn judge(
    args: &Args,
    entries: &[Entry<'_>],
    backtests: Vec<Backtest<'_>>,
    (gathered, log): (&mut Gathered, &TransactionLog),
    unit: TimeUnit,
) -> Result<(), Failure> {
    let known = args.beyond.read(&args.transactions, gathered, log)?;
    let beyond = if args.beside.by.is_empty() { None } else { known.of(log, true)? };
    let timelines = args.beside.over_time.read(&args.transactions)?;
    let backtests: Vec<Backtest<'_>> = match &beyond {
        Some(source) => backtests.into_iter().map(|backtest| backtest.knowing(source)).collect(),
        None => backtests,
    };
    let of_one = |one: &Backtest<'_>| {
        entries.iter().map(|entry| entry.settings(&args.beside, one, (&timelines, log.customers()))).collect()
    };
    let settings: Vec<Vec<BoxedFit>> = backtests.iter().map(of_one).collect::<Result<_, _>>()?;
    let names: Vec<&str> = entries.iter().map(|entry| entry.name.as_str()).collect();
    let line = Line::new("evaluate");
    let cx = Context::default().seed(args.seed).threads(args.threads).observer(&line);
    let found = Comparison::of_settings(&backtests, &names, &settings, &cx)?;
    drop(line);
    let backtest = &backtests[0];
    let split = backtest.split();
    let summary_of = backtest.training()?;
    let columns = if args.beside.by.is_empty() { Vec::new() } else { summary_of.columns_beyond()? };
    let changing: Vec<String> = timelines.iter().flat_map(|t| t.columns().to_vec()).collect();
    let in_words = |error: &clv::Error| {
        crate::beyond::missing_column(error, &columns, &changing)
            .or_else(|| crate::beyond::by_name(error, &summary_of, log))
            .unwrap_or_else(|| error.to_string())
    };
    let mut told_of_spend = BTreeSet::new();
    for (name, outcome) in found.outcomes(0) {
        match outcome {
            Err(error) => note(format_args!("{name}: {}", in_words(error))),
            Ok(outcome) => {
                for warning in &outcome.report.warnings {
                    note(format_args!("{name}: warning: {warning}"));
                }
                // Spend is fitted beside each of them, and mostly is the same.
                if let Some(spend) = &outcome.report.beside {
                    for warning in &spend.warnings {
                        let told = format!("{}: warning: {warning}", spend.model);
                        if told_of_spend.insert(told.clone()) {
                            note(told);
                        }
                    }
                }
            }
        }
    }
    let summary = summary_of.summary();
    if summary.first_seen_later > 0 {
        note(format_args!("{} customers first seen in the holdout are left out", summary.first_seen_later));
    }
    if args.print.format == Format::Json {
        let models: Vec<Value> = found
            .outcomes(0)
            .enumerate()
            .map(|(place, (name, outcome))| match outcome {
                Ok(outcome) => {
                    let mut said = model(outcome);
                    if backtests.len() > 1 {
                        said["origins"] = origins(&found, place);
                    }
                    said
                }
                Err(error) => json!({ "model": name, "error": in_words(error) }),
            })
            .collect();
        crate::show::json(&json!({
            "train": {
                "until": split.train.last_day().to_string(),
                "unit": unit.to_string(),
                "customers": summary.len(),
                "repeat_purchases": (!args.contracts.contracts)
                    .then(|| summary.frequency.iter().map(|x| u64::from(*x)).sum::<u64>()),
                "first_seen_later": summary.first_seen_later,
            },
            "holdout": {
                "until": split.holdout.last_day().to_string(),
                "horizon": backtest.horizon().in_units(unit),
                "purchases": backtest.actual_purchases().iter().sum::<f64>(),
                "value": backtest.actual_value().map(|v| v.iter().sum::<f64>()),
            },
            "models": models,
            "verdict": found.verdict(),
        }))?;
    } else {
        people(backtest, &found, unit)?;
    }
    let failed = found.outcomes(0).filter(|(_, o)| o.is_err()).count();
    if failed > 0 {
        return Err(Failure::data(format_args!("{failed} of {} models could not be scored", names.len())));
    }
    Ok(())
}

/// The split so many holdouts earlier.
fn back(split: Split, windows: usize) -> Split {
    let earlier = |cut: Cut| (0..windows).fold(cut, |cut, _| cut.minus(split.horizon()));
    Split { train: earlier(split.train), holdout: earlier(split.holdout) }
}

/// One model at each of the origins.
fn origins(found: &Comparison, place: usize) -> Value {
    let one = |(origin, split): (usize, &Split)| {
        let until = split.train.last_day().to_string();
        match found.outcomes(origin).nth(place) {
            Some((_, Ok(outcome))) => {
                let mut said = model(outcome);
                said["train_until"] = json!(until);
                said
            }
            Some((_, Err(error))) => json!({ "train_until": until, "error": error.to_string() }),
            None => Value::Null,
        }
    };
    found.splits().iter().enumerate().map(one).collect()
}

/// Means over the origins, of the models that could be judged at each, and which of them was ahead how often.
fn over_origins(what: &str, scores: &[MeanScores], origins: usize) -> Result<(), Failure> {
    if scores.is_empty() {
        return Ok(());
    }
    let rows = scores.iter().map(|s| {
        vec![
            s.name.clone(),
            short_or_dash(s.of_actual),
            short(s.mae),
            short(s.rmse),
            short_or_dash(s.normalized_gini),
            short_or_dash(s.decile_mape),
            format!("{} of {origins}", s.first_in),
        ]
    });
    let header = format!("{what}, mean of {origins} origins");
    table(&[header.as_str(), "of actual", "MAE", "RMSE", "Gini", "decile MAPE", "least RMSE in"], rows)
}

/// The error at each of the origins, if anything was scored there.
fn by_origin(
    found: &Comparison,
    what: &str,
    of: impl Fn(&Outcome) -> Option<&Scores>,
) -> Result<(), Failure> {
    let splits = found.splits();
    let at = |origin: usize, place: usize| {
        let (_, outcome) = found.outcomes(origin).nth(place)?;
        outcome.as_ref().ok().and_then(&of).map(|scores| scores.rmse)
    };
    let header = std::iter::once(format!("RMSE of {what}, trained until"))
        .chain(splits.iter().map(|split| split.train.last_day().to_string()))
        .collect::<Vec<_>>();
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    let rows = found.outcomes(0).enumerate().map(|(place, (name, _))| {
        let scores: Vec<Option<f64>> = (0..splits.len()).map(|origin| at(origin, place)).collect();
        (name, scores)
    });
    let rows: Vec<_> = rows.filter(|(_, scores)| scores.iter().any(Option::is_some)).collect();
    if rows.is_empty() {
        return Ok(());
    }
    let row = |(name, scores): (&str, Vec<Option<f64>>)| {
        std::iter::once(name.to_owned()).chain(scores.into_iter().map(short_or_dash)).collect::<Vec<_>>()
    };
    table(&header, rows.into_iter().map(row))
}

fn people(backtest: &Backtest<'_>, found: &Comparison, unit: TimeUnit) -> Result<(), Failure> {
    let split = backtest.split();
    crate::show::print(format_args!(
        "{} {}, trained until {}, held out until {} ({} {unit}s)",
        backtest.actual_purchases().len(),
        if backtest.counted() == "purchases" { "customers" } else { "contracts that go on" },
        split.train.last_day(),
        split.holdout.last_day(),
        short(backtest.horizon().in_units(unit)),
    ))?;
    let scored = || found.outcomes(0).filter_map(|(name, o)| o.as_ref().ok().map(|o| (name, o)));
    let row = |name: &str, s: &Scores| {
        vec![
            name.to_owned(),
            short(s.total_predicted),
            short(s.bias),
            short(s.mae),
            short(s.rmse),
            short_or_dash(s.r2),
            short_or_dash(s.normalized_gini),
            short_or_dash(s.spearman),
            short_or_dash(s.decile_mape),
        ]
    };
    let actual: f64 = backtest.actual_purchases().iter().sum();
    let purchases = format!("{} (actual {})", backtest.counted(), short(actual));
    let header = |first| [first, "predicted", "bias", "MAE", "RMSE", "R²", "Gini", "Spearman", "decile MAPE"];
    table(&header(purchases.as_str()), scored().map(|(name, o)| row(name, &o.purchases)))?;
    if let Some(actual) = backtest.actual_value() {
        let value = format!("value (actual {})", short(actual.iter().sum()));
        let rows = scored().filter_map(|(name, o)| o.value.as_ref().map(|s| row(name, s)));
        table(&header(value.as_str()), rows)?;
    }
    let likelihoods = found.likelihoods();
    if likelihoods.len() > 1 {
        let rows = likelihoods.iter().map(|c| {
            vec![
                c.name.clone(),
                c.parameters.to_string(),
                short(c.log_likelihood),
                short(c.aic),
                short(c.bic),
            ]
        });
        table(&["the training period", "parameters", "ln L", "AIC", "BIC"], rows)?;
    }
    let origins = found.splits().len();
    if origins > 1 {
        over_origins(backtest.counted(), &found.purchases(), origins)?;
        over_origins("value", &found.value(), origins)?;
        by_origin(found, backtest.counted(), |outcome| Some(&outcome.purchases))?;
        by_origin(found, "value", |outcome| outcome.value.as_ref())?;
    }
    found.verdict().iter().try_for_each(crate::show::print)
}

fn model(outcome: &Outcome) -> Value {
    let p = &outcome.purchases;
    json!({
        "model": outcome.name,
        "parameters": parameters(&outcome.report),
        "log_likelihood": outcome.report.log_likelihood,
        "aic": outcome.report.aic(),
        "bic": outcome.report.bic(),
        "converged": outcome.report.converged,
        "warnings": outcome.report.all_warnings().map(|(_, warning)| warning.to_string()).collect::<Vec<_>>(),
        "mean_p_alive": outcome.mean_p_alive,
        "purchases": {
            "mse": p.mse,
            "mae": p.mae,
            "rmse": p.rmse,
            "bias": p.bias,
            "r2": p.r2,
            "normalized_gini": p.normalized_gini,
            "spearman": p.spearman,
            "decile_mape": p.decile_mape,
            "total_predicted": p.total_predicted,
            "total_actual": p.total_actual,
        },
        "value": outcome.value.as_ref().map(|v| json!({
            "mae": v.mae,
            "mse": v.mse,
            "rmse": v.rmse,
            "bias": v.bias,
            "r2": v.r2,
            "normalized_gini": v.normalized_gini,
            "spearman": v.spearman,
            "decile_mape": v.decile_mape,
            "total_predicted": v.total_predicted,
            "total_actual": v.total_actual,
        })),
        "value_undefined": outcome.value_undefined,
    })
}
