//! `clv evaluate`.

use std::num::NonZeroUsize;

use clv::backtest::{Backtest, Outcome, Scores};
use clv::{Context, Cut, FitReport, Moment, Split, TimeUnit};
use serde_json::{Value, json};

use crate::args::{Format, Output, Transactions, date};
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
    /// End of the holdout, inclusive [default: the last purchase].
    #[arg(long, value_name = "DATE", value_parser = date)]
    holdout_until: Option<Moment>,
    /// Judge at so many origins: the holdout, and windows of its length one before the other.
    #[arg(long, default_value_t = NonZeroUsize::MIN, value_name = "N")]
    origins: NonZeroUsize,
    /// A model to score; may be repeated [default: all].
    #[arg(long = "model", value_name = "MODEL")]
    models: Vec<String>,
    /// Time unit: day, week, month, year.
    #[arg(long, default_value = "week")]
    unit: TimeUnit,
    /// Seed of models that draw random numbers.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    #[command(flatten)]
    print: Output,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let names: Vec<&str> = if args.models.is_empty() {
        clv::shelf::VALUE_MODELS.to_vec()
    } else {
        args.models.iter().map(String::as_str).collect()
    };
    // A wrong name is found before the data are read.
    for name in &names {
        let horizon = clv::Span::new(1.0, args.unit)?;
        clv::shelf::settings(name, horizon).map_err(Failure::usage)?;
        if matches!(*name, "gamma-gamma" | "lognormal-spend") {
            return Err(Failure::usage(format_args!(
                "{name} says spend alone; purchase models are joined with gamma-gamma by themselves"
            )));
        }
    }
    let train = Cut::end_of(args.train_until, args.transactions.grain);
    if args.origins.get() > 1 && args.holdout_until.is_none() {
        return Err(Failure::usage(
            "--origins needs --holdout-until: earlier windows are as long as the holdout",
        ));
    }
    // What cleaning learns from amounts is learned before the first of the origins.
    let known = match args.holdout_until {
        Some(until) if args.origins.get() > 1 => {
            let split =
                Split::new(train, Cut::end_of(until, args.transactions.grain)).map_err(Failure::usage)?;
            back(split, args.origins.get() - 1).train.last()
        }
        _ => args.train_until,
    };
    let log = input::log(&args.transactions, Some(known))?;
    let holdout = input::cut(&log, &args.transactions, args.holdout_until);
    let split = Split::new(train, holdout)?;
    let splits: Vec<Split> = (0..args.origins.get()).map(|windows| back(split, windows)).collect();
    let backtests = Backtest::all(&log, &splits, args.unit)?;
    let line = Line::new("evaluate");
    let cx = Context::default().seed(args.seed).observer(&line);
    let mut by_origin: Vec<Vec<Judged<'_>>> = Vec::new();
    for backtest in &backtests {
        let mut outcomes = Vec::new();
        for name in &names {
            let settings = clv::shelf::settings_for(backtest, name)?;
            outcomes.push((*name, backtest.run(name, &settings, &cx)));
        }
        by_origin.push(outcomes);
    }
    drop(line);
    let (backtest, outcomes) = (&backtests[0], &by_origin[0]);
    for (name, outcome) in outcomes {
        match outcome {
            Err(error) => note(format_args!("{name}: {error}")),
            Ok(outcome) => {
                for warning in &outcome.report.warnings {
                    note(format_args!("{name}: warning: {warning}"));
                }
            }
        }
    }
    let summary_of = backtest.training()?;
    let summary = summary_of.summary();
    if summary.first_seen_later > 0 {
        note(format_args!("{} customers first seen in the holdout are left out", summary.first_seen_later));
    }
    if args.print.format == Format::Json {
        let models: Vec<Value> = outcomes
            .iter()
            .enumerate()
            .map(|(place, (name, outcome))| match outcome {
                Ok(outcome) => {
                    let mut found = model(outcome);
                    if by_origin.len() > 1 {
                        found["origins"] = origins(&splits, &by_origin, place);
                    }
                    found
                }
                Err(error) => json!({ "model": name, "error": error.to_string() }),
            })
            .collect();
        crate::show::json(&json!({
            "train": {
                "until": split.train.last_day().to_string(),
                "unit": args.unit.to_string(),
                "customers": summary.len(),
                "repeat_purchases": summary.frequency.iter().map(|x| u64::from(*x)).sum::<u64>(),
                "first_seen_later": summary.first_seen_later,
            },
            "holdout": {
                "until": split.holdout.last_day().to_string(),
                "horizon": split.horizon().in_units(args.unit),
                "purchases": backtest.actual_purchases().iter().sum::<f64>(),
                "value": backtest.actual_value().map(|v| v.iter().sum::<f64>()),
            },
            "models": models,
        }))?;
    } else {
        people(backtest, outcomes, args.unit)?;
        if by_origin.len() > 1 {
            over_origins(&by_origin, |outcome| Some(&outcome.purchases), "purchases")?;
            over_origins(&by_origin, |outcome| outcome.value.as_ref(), "value")?;
        }
    }
    let failed = outcomes.iter().filter(|(_, o)| o.is_err()).count();
    if failed > 0 {
        return Err(Failure::data(format_args!("{failed} of {} models could not be scored", outcomes.len())));
    }
    Ok(())
}

/// A model's name, and how it was judged.
type Judged<'a> = (&'a str, clv::Result<Outcome>);

/// The split so many holdouts earlier.
fn back(split: Split, windows: usize) -> Split {
    let earlier = |cut: Cut| (0..windows).fold(cut, |cut, _| cut.minus(split.horizon()));
    Split { train: earlier(split.train), holdout: earlier(split.holdout) }
}

/// One model at each of the origins.
fn origins(splits: &[Split], by_origin: &[Vec<Judged<'_>>], place: usize) -> Value {
    let one = |(split, outcomes): (&Split, &Vec<Judged<'_>>)| {
        let until = split.train.last_day().to_string();
        match &outcomes[place].1 {
            Ok(outcome) => {
                let mut found = model(outcome);
                found["train_until"] = json!(until);
                found
            }
            Err(error) => json!({ "train_until": until, "error": error.to_string() }),
        }
    };
    splits.iter().zip(by_origin).map(one).collect()
}

/// Means over the origins, of the models that could be judged at each, and which of them was ahead how often.
fn over_origins(
    by_origin: &[Vec<Judged<'_>>],
    of: impl Fn(&Outcome) -> Option<&Scores>,
    what: &str,
) -> Result<(), Failure> {
    let n = by_origin.len();
    let mut judged: Vec<(&str, Vec<&Scores>)> = Vec::new();
    for place in 0..by_origin[0].len() {
        let scores: Vec<&Scores> =
            by_origin.iter().filter_map(|outcomes| of(outcomes[place].1.as_ref().ok()?)).collect();
        if scores.len() == n {
            judged.push((by_origin[0][place].0, scores));
        }
    }
    if judged.is_empty() {
        return Ok(());
    }
    let mean = |scores: &[&Scores], of: fn(&Scores) -> Option<f64>| {
        let found: Option<Vec<f64>> = scores.iter().map(|s| of(s)).collect();
        found.map(|all| all.iter().sum::<f64>() / n as f64)
    };
    let first = |origin: usize| {
        let rmse = |place: &usize| judged[*place].1[origin].rmse;
        (0..judged.len()).min_by(|a, b| rmse(a).total_cmp(&rmse(b)))
    };
    let wins = |place: usize| (0..n).filter(|&origin| first(origin) == Some(place)).count();
    let rows = judged.iter().enumerate().map(|(place, (name, scores))| {
        vec![
            (*name).to_owned(),
            short_or_dash(mean(scores, |s| {
                (s.total_actual > 0.0).then(|| s.total_predicted / s.total_actual)
            })),
            short_or_dash(mean(scores, |s| Some(s.mae))),
            short_or_dash(mean(scores, |s| Some(s.rmse))),
            short_or_dash(mean(scores, |s| s.normalized_gini)),
            short_or_dash(mean(scores, |s| s.decile_mape)),
            format!("{} of {n}", wins(place)),
        ]
    });
    let header = format!("{what}, mean of {n} origins");
    table(&[header.as_str(), "of actual", "MAE", "RMSE", "Gini", "decile MAPE", "least RMSE in"], rows)?;
    let rmse = |place: &usize| mean(&judged[*place].1, |s| Some(s.rmse)).unwrap_or(f64::INFINITY);
    let mut order: Vec<usize> = (0..judged.len()).collect();
    order.sort_by(|a, b| rmse(a).total_cmp(&rmse(b)));
    let [best, next, ..] = order[..] else { return Ok(()) };
    crate::show::print(format_args!(
        "{}: {} has the least squared error over the origins, ahead of {} by {:.1}% of RMSE, and was first in {} of {n}.",
        what,
        judged[best].0,
        judged[next].0,
        100.0 * (rmse(&next) / rmse(&best) - 1.0),
        wins(best),
    ))
}

fn people(
    backtest: &Backtest<'_>,
    outcomes: &[(&str, clv::Result<Outcome>)],
    unit: TimeUnit,
) -> Result<(), Failure> {
    let split = backtest.split();
    crate::show::print(format_args!(
        "{} customers, trained until {}, held out until {} ({} {unit}s)",
        backtest.actual_purchases().len(),
        split.train.last_day(),
        split.holdout.last_day(),
        short(split.horizon().in_units(unit)),
    ))?;
    let scored = || outcomes.iter().filter_map(|(name, o)| o.as_ref().ok().map(|o| (*name, o)));
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
    let purchases = format!("purchases (actual {})", short(actual));
    let header = |first| [first, "predicted", "bias", "MAE", "RMSE", "R²", "Gini", "Spearman", "decile MAPE"];
    table(&header(purchases.as_str()), scored().map(|(name, o)| row(name, &o.purchases)))?;
    if let Some(actual) = backtest.actual_value() {
        let value = format!("value (actual {})", short(actual.iter().sum()));
        let rows = scored().filter_map(|(name, o)| o.value.as_ref().map(|s| row(name, s)));
        table(&header(value.as_str()), rows)?;
    }
    let likelihoods: Vec<(&str, &FitReport)> =
        scored().map(|(name, o)| (name, &o.report)).filter(|(_, r)| r.log_likelihood.is_some()).collect();
    if likelihoods.len() > 1 {
        let rows = likelihoods.iter().map(|(name, report)| {
            vec![
                (*name).to_owned(),
                report.free_parameters().to_string(),
                short_or_dash(report.log_likelihood),
                short_or_dash(report.aic()),
                short_or_dash(report.bic()),
            ]
        });
        table(&["the training period", "parameters", "ln L", "AIC", "BIC"], rows)?;
        let mut of_others = false;
        for of in 0..3 {
            let alike: Vec<_> =
                likelihoods.iter().copied().filter(|(_, report)| told(report) == of).collect();
            of_others |= !alike.is_empty() && alike.len() < likelihoods.len();
            if alike.len() > 1 {
                crate::show::print(verdict(&alike))?;
            }
        }
        if of_others {
            note(
                "likelihoods of the times of purchases, of bought or not by the period, and of contracts are of different data: only within each of these is a higher one better",
            );
        }
    }
    Ok(())
}

/// What a likelihood is of: the times of purchases, opportunities taken, or how long contracts lasted.
fn told(report: &FitReport) -> usize {
    match report.model {
        "bg-bb" => 1,
        "beta-discrete-weibull" | "weibull-gamma" => 2,
        _ => 0,
    }
}

/// Which model tells most of the training period, in words.
fn verdict(likelihoods: &[(&str, &FitReport)]) -> String {
    let mut ranked: Vec<(&str, f64)> =
        likelihoods.iter().filter_map(|(name, report)| Some((*name, report.bic()?))).collect();
    ranked.sort_by(|a, b| a.1.total_cmp(&b.1));
    let [(best, least), (next, more), ..] = ranked[..] else { return String::new() };
    let by = more - least;
    // Kass and Raftery (1995) on twice the logarithm of a Bayes factor.
    let how = match by {
        by if by > 10.0 => "and that is beyond doubt",
        by if by > 2.0 => "and that is a sign, no more",
        _ => "and that is next to nothing: take what forecasts better, or what is simpler",
    };
    format!(
        "By BIC {best} tells most of the training period, ahead of {next} by {by:.1}, {how}. What comes is judged by the tables above."
    )
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
        "warnings": outcome.report.warnings.iter().map(ToString::to_string).collect::<Vec<_>>(),
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
