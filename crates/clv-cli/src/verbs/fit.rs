//! `clv fit`.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clv::backtest::BoxedFit;
use clv::btyd::{
    Abe, Bayes, BayesSpend, BetaDiscreteWeibull, BgBb, BgCnbd, BgNbd, CohortFit, Covariates, GammaGammaFit,
    GgomNbd, HierarchicalFit, Hierarchy, Independence, LognormalSpendFit, MaLiu, MaximumLikelihood, MbgCnbd,
    MbgNbd, Nbd, OverTimeFit, ParetoGgg, ParetoNbd, Process, RegularFit, RegularOverTime, WeibullGamma,
    WithCovariates, log_interval, ratio,
};
use clv::model::{Estimate, Reads};
use clv::{Context, Erased, Fit, FitReport, Names, Span, Timelines};
use serde_json::{Map, Value, json};

use crate::args::{
    Contracts, Format, Observation, Output, OverTime, Transactions, assignment, expect_histories,
};
use crate::beyond::Tables;
use crate::by::{BestOf, By, ByTheCalendar, Cohorts};
use crate::failure::Failure;
use crate::input::{Histories, Observed};
use crate::progress::Line;
use crate::show::{note, short, short_or_dash, table};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Model: nbd, bg-nbd, mbg-nbd, pareto-nbd, ggom-nbd, bg-cnbd-k, mbg-cnbd-k, pareto-nbd-hb, pareto-nbd-abe, pareto-ggg, bg-bb, sbg, bdw,
    /// exponential-gamma, weibull-gamma, gamma-gamma, lognormal-spend, linear, tweedie-glm, hurdle, random-forest,
    /// boosted-trees, boosted-tweedie, boosted-ziln, informed-trees, stack, zero, mean, last-period,
    /// rfm-cell-mean, constant-retention.
    model: String,
    #[command(flatten)]
    transactions: Transactions,
    #[command(flatten)]
    observation: Observation,
    #[command(flatten)]
    contracts: Contracts,
    #[command(flatten)]
    over_time: OverTime,
    #[command(flatten)]
    beyond: Tables,
    #[command(flatten)]
    by: By,
    #[command(flatten)]
    cohorts: Cohorts,
    /// Horizon in time units; needed by models that learn for one horizon.
    #[arg(long, value_name = "UNITS")]
    horizon: Option<f64>,
    /// L2 penalty on the logarithms of the parameters.
    #[arg(long, default_value_t = 0.0, value_name = "LAMBDA", allow_negative_numbers = true)]
    penalty: f64,
    /// Hold a parameter at a value, name=value.
    #[arg(long, value_name = "NAME=VALUE", value_parser = assignment)]
    fix: Vec<(String, f64)>,
    /// Fit gamma-gamma to the amounts one by one, and not to each customer's mean.
    #[arg(long)]
    individually: bool,
    /// Draw from the posterior instead of finding the likeliest parameters: forecasts are then means over populations, and what clv predict --interval draws
    /// holds how sure the population is. For models of the process, of contracts, and of spend.
    #[arg(long)]
    posterior: bool,
    /// Chains of --posterior, and of pareto-nbd-hb, pareto-nbd-abe and pareto-ggg, which always draw [default: 4].
    #[arg(long, value_name = "N")]
    chains: Option<usize>,
    /// Draws of each of these chains [default: 1000].
    #[arg(long, value_name = "N")]
    draws: Option<usize>,
    /// Seed of models that draw random numbers.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Threads, for models that use them: chains run side by side.
    #[arg(long, default_value_t = NonZeroUsize::MIN, value_name = "N")]
    threads: NonZeroUsize,
    /// Where to write the model (JSON).
    #[arg(long)]
    output: PathBuf,
    #[command(flatten)]
    print: Output,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let unit = args.observation.unit.unwrap_or_default();
    let settings = settings(args, unit)?;
    // A wrong command line is found before the data are read.
    by_the_calendar(args, &[], &Names::default())?;
    if args.output.extension().is_none_or(|ending| ending != "json") {
        return Err(Failure::usage(format_args!("{}: a model is written as .json", args.output.display())));
    }
    let inputs: Vec<_> = args
        .transactions
        .inputs()
        .into_iter()
        .chain(args.beyond.inputs())
        .chain(args.over_time.inputs())
        .collect();
    crate::input::expect_other(&args.output, &inputs)?;
    if args.by.is_empty() && inputs.len() > args.transactions.inputs().len() {
        return Err(Failure::usage(
            "tables beyond the log tell a model nothing unless --purchases-by, --dropout-by, --both-by, --rates-by or --spend-by name their columns (clv auto chooses by itself)",
        ));
    }
    let reads = clv::shelf::reads(&args.model);
    expect_histories(args.contracts.contracts, &args.model, reads, args.transactions.grain(), unit)?;
    let (observed, mut gathered) = if args.contracts.contracts {
        let histories = if reads == Reads::Tenures { Histories::Tenures } else { Histories::RenewalsDue };
        Observed::contracts(&args.transactions, &args.observation, &args.contracts, histories)?
    } else {
        Observed::gathered(&args.transactions, &args.observation)?
    };
    let known = args.beyond.read(&args.transactions, &mut gathered, &observed.log)?;
    let beyond = if args.by.is_empty() { None } else { known.of(&observed.log, true)? };
    let training = crate::beyond::knowing(observed.training()?, beyond.as_ref());
    let timelines = args.over_time.read(&args.transactions)?;
    let changing: Vec<String> = timelines.iter().flat_map(|t| t.columns().to_vec()).collect();
    let settings = match by_the_calendar(args, &timelines, observed.log.customers())? {
        Some(over_time) => over_time,
        None => settings,
    };
    let columns = if args.by.is_empty() { Vec::new() } else { training.columns_beyond()? };
    let fitted = {
        let line = Line::new(&args.model);
        settings
            .fit(&training, &Context::default().seed(args.seed).threads(args.threads).observer(&line))
            .map_err(|error| match crate::beyond::missing_column(&error, &columns, &changing) {
                Some(words) => Failure::usage(words),
                None => crate::beyond::of_customer(error, &training, &observed.log),
            })?
    };
    clv::saved::save(&fitted.model, &args.output)?;
    note(format_args!("{}: model written", args.output.display()));
    for warning in &fitted.report.warnings {
        note(format_args!("warning: {warning}"));
    }
    if matches!(args.model.as_str(), "gamma-gamma" | "lognormal-spend")
        && let Ok(found) = Independence::of(&training.summary().customers())
        && found.p_value < 0.01
        && found.rank_correlation.abs() > 0.1
    {
        note(format_args!(
            "warning: those who buy more often spend {} at a time (rank correlation {:.2} over {} customers), which {} takes as unrelated: judge it with clv evaluate beside boosted-ziln or informed-trees",
            if found.rank_correlation > 0.0 { "more" } else { "less" },
            found.rank_correlation,
            found.customers,
            args.model
        ));
    }
    if args.print.format == Format::Json {
        let mut said = report(&fitted.report);
        // As it was asked for: sbg is a case of bdw, and tweedie-glm one of many.
        said["model"] = json!(args.model);
        return crate::show::json(&said);
    }
    let report = &fitted.report;
    if !report.parameters.is_empty() {
        let rows = report.parameters.iter().map(|p| {
            let error = if p.fixed { "fixed".into() } else { short_or_dash(p.standard_error) };
            let ends = interval(p);
            let end = |of: fn((f64, f64)) -> f64| short_or_dash(ends.map(of));
            vec![p.name.to_string(), short(p.value), error, end(|ends| ends.0), end(|ends| ends.1)]
        });
        table(&["parameter", "estimate", "standard error", "95% from", "to"], rows)?;
    }
    let ratios = report.parameters.iter().filter_map(|p| Some((p, ratio(p, 0.95).ok()??)));
    let rows: Vec<Vec<String>> = ratios
        .map(|(p, by)| {
            let ends = interval(p).map(|(low, high)| (low.exp(), high.exp()));
            let end = |of: fn((f64, f64)) -> f64| short_or_dash(ends.map(of));
            vec![p.name.to_string(), short(by.ratio), end(|ends| ends.0), end(|ends| ends.1)]
        })
        .collect();
    if !rows.is_empty() {
        let more = if args.by.standardize { "one deviation more of" } else { "one more of" };
        table(&[more, "multiplies by", "95% from", "to"], rows)?;
    }
    let criteria = [
        ("customers", report.customers as f64),
        ("log-likelihood", report.log_likelihood.unwrap_or(f64::NAN)),
        ("AIC", report.aic().unwrap_or(f64::NAN)),
        ("BIC", report.bic().unwrap_or(f64::NAN)),
    ];
    let sampling = report.sampling.map(|s| {
        [("draws", s.draws as f64), ("largest R̂", s.r_hat), ("least effective draws", s.effective.floor())]
    });
    let known = criteria.into_iter().chain(sampling.into_iter().flatten()).filter(|(_, v)| !v.is_nan());
    table(
        &["fit", args.model.as_str()],
        known.map(|(name, v)| {
            vec![name.to_owned(), format!("{v:.12}").trim_end_matches('0').trim_end_matches('.').to_owned()]
        }),
    )
}

/// With the penalty and the fixed values of the command line.
fn as_asked<P: Process>(args: &Args, fit: MaximumLikelihood<P>) -> Result<MaximumLikelihood<P>, Failure> {
    let penalised = fit.penalty(args.penalty).map_err(Failure::usage)?;
    fixed(&args.fix, penalised, MaximumLikelihood::fix)
}

/// With the values that `--fix` holds.
fn fixed<F>(
    values: &[(String, f64)],
    settings: F,
    fix: impl Fn(F, &str, f64) -> clv::Result<F>,
) -> Result<F, Failure> {
    let twice =
        |(place, (name, _)): &(usize, &(String, f64))| values[..*place].iter().any(|(n, _)| n == name);
    if let Some((_, (name, _))) = values.iter().enumerate().find(twice) {
        return Err(Failure::usage(format_args!(
            "--fix {name} is given twice; allowed: once for each parameter"
        )));
    }
    values.iter().try_fold(settings, |settings, (name, value)| {
        fix(settings, name, *value)
            .map_err(|error| Failure::usage(format_args!("--fix {name}={value}: {error}")))
    })
}

/// Draws from the posterior of what these settings leave free.
fn posterior<P: Process>(args: &Args, fit: MaximumLikelihood<P>) -> Result<Bayes<P>, Failure> {
    if !args.by.penalty_of_columns.is_empty() {
        return Err(Failure::usage(
            "with --posterior the prior of the coefficients takes the place of --penalty-of-columns",
        ));
    }
    let (chains, draws) = chains(args);
    Bayes::of(fit).and_then(|bayes| bayes.chains(chains, draws)).map_err(Failure::usage)
}

/// Chains, and draws of each: those of all models that draw, unless they are given.
fn chains(args: &Args) -> (usize, usize) {
    (args.chains.unwrap_or(4), args.draws.unwrap_or(1_000))
}

/// None without a table of what changes.
fn by_the_calendar(args: &Args, timelines: &[Timelines], names: &Names) -> Result<Option<BoxedFit>, Failure> {
    fn of<P: clv::btyd::OverTime>(
        args: &Args,
        (timelines, names): (&[Timelines], &Names),
        chooses: impl FnOnce(MaximumLikelihood<P>, Covariates) -> Option<RegularOverTime<P>>,
    ) -> Result<Option<BoxedFit>, Failure> {
        let Some(covariates) = args.by.covariates()? else {
            return Err(Failure::usage(
                "--over-time tells a model nothing unless --purchases-by, --dropout-by or --both-by name its columns",
            ));
        };
        let each = as_asked(args, MaximumLikelihood::<P>::new())?;
        let bayes = if args.posterior {
            Some(posterior(args, each.clone())?.over_time(covariates.clone()))
        } else {
            None
        };
        let chooses = chooses(each.clone(), covariates.clone());
        let fit = OverTimeFit::new(covariates).each(each);
        let (timelines, names, lambdas) =
            (timelines.to_vec(), names.clone(), args.by.penalty_of_columns.clone());
        Ok(Some(Box::new(Erased(ByTheCalendar { fit, chooses, bayes, lambdas, timelines, names }))))
    }
    /// With `k` chosen, unless it is fixed.
    fn regular<P: clv::btyd::OverTime>(
        args: &Args,
        calendar: (&[Timelines], &Names),
    ) -> Result<Option<BoxedFit>, Failure> {
        let chooses = of_what_k(args)? == OfK::Chosen;
        of::<P>(args, calendar, |each, covariates| {
            chooses.then(|| RegularFit::new().each(each).over_time(covariates))
        })
    }
    if args.over_time.over_time.is_empty() {
        return Ok(None);
    }
    match args.model.as_str() {
        "pareto-nbd" => of::<ParetoNbd>(args, (timelines, names), |_, _| None),
        "bg-nbd" => of::<BgNbd>(args, (timelines, names), |_, _| None),
        "mbg-nbd" => of::<MbgNbd>(args, (timelines, names), |_, _| None),
        "bg-cnbd-k" => regular::<BgCnbd>(args, (timelines, names)),
        "mbg-cnbd-k" => regular::<MbgCnbd>(args, (timelines, names)),
        other => Err(Failure::usage(format_args!(
            "--over-time is for {}, and not for {other}",
            crate::by::OVER_TIME
        ))),
    }
}

const BY_COHORT_ALONE: &str = "--by-cohort stands without --posterior and without columns";

/// Where the `k` of a regular model comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OfK {
    Fixed,
    Chosen,
}

/// Refuses what cannot choose it and is not told.
fn of_what_k(args: &Args) -> Result<OfK, Failure> {
    let model = &args.model;
    if args.fix.iter().any(|(name, _)| name == "k") {
        return Ok(OfK::Fixed);
    }
    if args.cohorts.by_cohort.is_some() && (args.posterior || !args.by.acting_is_empty()) {
        return Err(Failure::usage(BY_COHORT_ALONE));
    }
    if args.posterior || args.cohorts.by_cohort.is_some() {
        return Err(Failure::usage(format_args!(
            "{model} with --posterior or --by-cohort needs --fix k=...: fit it without first, which chooses k"
        )));
    }
    if !args.by.acting_is_empty() && args.by.penalty_of_columns.len() > 1 {
        return Err(Failure::usage(format_args!(
            "{model} with several --penalty-of-columns needs --fix k=...: fit it with one first, which chooses k"
        )));
    }
    Ok(OfK::Chosen)
}

/// Models that --by-cohort fits, and of which --posterior draws.
const PROCESSES: [&str; 12] = [
    "nbd",
    "bg-nbd",
    "mbg-nbd",
    "pareto-nbd",
    "ggom-nbd",
    "bg-cnbd-k",
    "mbg-cnbd-k",
    "bg-bb",
    "sbg",
    "bdw",
    "exponential-gamma",
    "weibull-gamma",
];

/// Models that always draw.
const HIERARCHICAL: [&str; 3] = ["pareto-nbd-hb", "pareto-nbd-abe", "pareto-ggg"];

fn settings(args: &Args, unit: clv::TimeUnit) -> Result<BoxedFit, Failure> {
    fn likelihood<P: Process>(args: &Args) -> Result<BoxedFit, Failure> {
        with(args, MaximumLikelihood::<P>::new())
    }
    fn with<P: Process>(args: &Args, fit: MaximumLikelihood<P>) -> Result<BoxedFit, Failure> {
        let fit = as_asked(args, fit)?;
        let covariates = args.by.covariates()?;
        if let Some(period) = args.cohorts.by_cohort {
            clv::cohorts::Period::from(period)
                .expect_grain(args.transactions.grain())
                .map_err(Failure::usage)?;
            if covariates.is_some() || args.posterior {
                return Err(Failure::usage(BY_COHORT_ALONE));
            }
            return args.cohorts.settings(CohortFit::by(period.into()).each(fit));
        }
        if args.posterior {
            let bayes = posterior(args, fit)?;
            return Ok(match covariates {
                None => Box::new(Erased(bayes)),
                Some(covariates) => Box::new(Erased(bayes.with(covariates))),
            });
        }
        Ok(match covariates {
            None => Box::new(Erased(fit)),
            Some(covariates) => {
                let with = WithCovariates::new(covariates).each(fit);
                Box::new(Erased(BestOf { with, lambdas: args.by.penalty_of_columns.clone() }))
            }
        })
    }
    fn hierarchical<H: Hierarchy>(args: &Args) -> Result<BoxedFit, Failure> {
        if args.penalty != 0.0 || !args.fix.is_empty() {
            return Err(Failure::usage(format_args!("{} takes neither --penalty nor --fix", args.model)));
        }
        let mut fit = HierarchicalFit::<H>::new();
        if args.chains.or(args.draws).is_some() {
            let (chains, draws) = chains(args);
            fit = fit.chains(chains, draws).map_err(Failure::usage)?;
        }
        if args.by.rates_by.is_empty() {
            if args.model == "pareto-nbd-abe" && args.by.covariates()?.is_some() {
                return Err(Failure::usage(
                    "pareto-nbd-abe takes --rates-by, which moves both rates, each its own way",
                ));
            }
            expect_no_columns(args)?;
        } else if args.by.acting_is_empty() && !args.by.standardize && args.by.penalty_of_columns.is_empty() {
            fit = fit.columns(&args.by.rates_by).map_err(Failure::usage)?;
        } else {
            return Err(Failure::usage(
                "--rates-by stands alone: without --purchases-by, --dropout-by, --both-by, --standardize and --penalty-of-columns",
            ));
        }
        Ok(Box::new(Erased(fit)))
    }
    /// With `k` chosen, unless it is fixed.
    fn regular<P: Process>(args: &Args) -> Result<BoxedFit, Failure> {
        let (of_k, covariates) = (of_what_k(args)?, args.by.covariates()?);
        let is_of_one_k = args.posterior || args.cohorts.by_cohort.is_some();
        if is_of_one_k || of_k == OfK::Fixed && covariates.is_some() {
            return likelihood::<P>(args);
        }
        let (of_k, others): (Vec<_>, Vec<_>) = args.fix.iter().cloned().partition(|(name, _)| name == "k");
        let fit = fixed(&of_k, RegularFit::new(), |fit, _, value| match value {
            whole if whole.fract() == 0.0 && whole >= 0.0 => fit.only(whole as u32),
            given => Err(clv::Error::Setting { name: "k", given, allowed: "a whole number from 1 to 50" }),
        })?;
        let each = MaximumLikelihood::<P>::new().penalty(args.penalty).map_err(Failure::usage)?;
        let each = fixed(&others, each, MaximumLikelihood::fix)?;
        Ok(match covariates {
            None => Box::new(Erased(fit.each(each))),
            Some(covariates) => Box::new(Erased(fit.each(each).with(covariates))),
        })
    }
    if args.model != "gamma-gamma" && (args.individually || !args.by.spend_by.is_empty()) {
        return Err(Failure::usage(format_args!(
            "--spend-by and --individually are for gamma-gamma, and not for {}",
            args.model
        )));
    }
    let is_of_process = PROCESSES.contains(&args.model.as_str());
    let holds_c = matches!(args.model.as_str(), "sbg" | "exponential-gamma");
    if holds_c && args.fix.iter().any(|(name, _)| name == "c") {
        let (model, free) = (&args.model, if args.model == "sbg" { "bdw" } else { "weibull-gamma" });
        return Err(Failure::usage(format_args!(
            "{model} is {free} with c = 1: to hold it elsewhere fit {free}"
        )));
    }
    let is_of_spend = matches!(args.model.as_str(), "gamma-gamma" | "lognormal-spend");
    if args.horizon.is_some() && (is_of_process || is_of_spend || HIERARCHICAL.contains(&args.model.as_str()))
    {
        return Err(Failure::usage(format_args!(
            "--horizon is for models that learn for one, and not for {}, which forecasts any: clv predict --horizon",
            args.model
        )));
    }
    if args.cohorts.by_cohort.is_some() && !is_of_process {
        return Err(Failure::usage(format_args!(
            "--by-cohort is for {}, and not for {}",
            PROCESSES.join(", "),
            args.model
        )));
    }
    if args.posterior && !is_of_process && !is_of_spend {
        return Err(Failure::usage(format_args!(
            "--posterior is for {}, gamma-gamma, lognormal-spend, and not for {}",
            PROCESSES.join(", "),
            args.model
        )));
    }
    if args.chains.or(args.draws).is_some() && !args.posterior && !HIERARCHICAL.contains(&args.model.as_str())
    {
        return Err(Failure::usage(format_args!(
            "--chains and --draws are of --posterior and of {}; {} without --posterior draws nothing",
            HIERARCHICAL.join(", "),
            args.model
        )));
    }
    if args.posterior && args.penalty != 0.0 {
        return Err(Failure::usage("--posterior takes no --penalty: priors take its place"));
    }
    match args.model.as_str() {
        "nbd" => likelihood::<Nbd>(args),
        "bg-nbd" => likelihood::<BgNbd>(args),
        "mbg-nbd" => likelihood::<MbgNbd>(args),
        "pareto-nbd" => likelihood::<ParetoNbd>(args),
        "ggom-nbd" => likelihood::<GgomNbd>(args),
        "bg-cnbd-k" => regular::<BgCnbd>(args),
        "mbg-cnbd-k" => regular::<MbgCnbd>(args),
        "bg-bb" => likelihood::<BgBb>(args),
        "sbg" => with(args, MaximumLikelihood::shifted_beta_geometric()),
        "bdw" => likelihood::<BetaDiscreteWeibull>(args),
        "exponential-gamma" => with(args, MaximumLikelihood::exponential_gamma()),
        "weibull-gamma" => likelihood::<WeibullGamma>(args),
        "pareto-nbd-hb" => hierarchical::<MaLiu>(args),
        "pareto-nbd-abe" => hierarchical::<Abe>(args),
        "pareto-ggg" => hierarchical::<ParetoGgg>(args),
        "gamma-gamma" => {
            let fit = GammaGammaFit::new().penalty(args.penalty).map_err(Failure::usage)?;
            let fit = fixed(&args.fix, fit, GammaGammaFit::fix)?;
            let fit = if args.individually { fit.individually() } else { fit };
            let covariates = args.by.of_spend()?;
            if args.posterior {
                let (chains, draws) = chains(args);
                return Ok(match covariates {
                    None => {
                        let bayes = BayesSpend::new(fit).chains(chains, draws);
                        Box::new(Erased(bayes.map_err(Failure::usage)?))
                    }
                    Some(covariates) => {
                        let bayes = BayesSpend::new(fit.with(covariates)).chains(chains, draws);
                        Box::new(Erased(bayes.map_err(Failure::usage)?))
                    }
                });
            }
            Ok(match covariates {
                None => Box::new(Erased(fit)),
                Some(covariates) => Box::new(Erased(fit.with(covariates))),
            })
        }
        "lognormal-spend" => {
            expect_no_columns(args)?;
            let fit = LognormalSpendFit::new().penalty(args.penalty).map_err(Failure::usage)?;
            let fit = fixed(&args.fix, fit, LognormalSpendFit::fix)?;
            if args.posterior {
                let (chains, draws) = chains(args);
                let bayes = BayesSpend::new(fit).chains(chains, draws).map_err(Failure::usage)?;
                return Ok(Box::new(Erased(bayes)));
            }
            Ok(Box::new(Erased(fit)))
        }
        other => {
            expect_no_columns(args)?;
            if args.penalty != 0.0 || !args.fix.is_empty() {
                return Err(Failure::usage(format_args!("{other} takes neither --penalty nor --fix")));
            }
            let horizon = match args.horizon {
                Some(length) => Span::new(length, unit).map_err(Failure::usage)?,
                None if matches!(other, "zero" | "constant-retention") => Span::new(0.0, unit)?,
                None => {
                    // An unknown name is the better thing to complain about.
                    clv::shelf::settings(other, Span::new(1.0, unit)?).map_err(Failure::usage)?;
                    return Err(Failure::usage(format_args!("{other} needs --horizon")));
                }
            };
            clv::shelf::settings(other, horizon).map_err(Failure::usage)
        }
    }
}

fn expect_no_columns(args: &Args) -> Result<(), Failure> {
    if args.by.covariates()?.is_none() {
        return Ok(());
    }
    let model = &args.model;
    Err(Failure::usage(format_args!("{model} takes none of --purchases-by, --dropout-by and --both-by")))
}

/// Of the posterior, if the fit told it; from the curvature on the logarithmic scale otherwise.
fn interval(estimate: &Estimate) -> Option<(f64, f64)> {
    estimate.quantiles.or_else(|| log_interval(estimate, 0.95).ok().flatten())
}

/// The report as JSON.
pub(crate) fn report(report: &FitReport) -> Value {
    let errors: Map<String, Value> =
        report.parameters.iter().map(|p| (p.name.to_string(), json!(p.standard_error))).collect();
    let intervals: Map<String, Value> =
        report.parameters.iter().map(|p| (p.name.to_string(), json!(interval(p)))).collect();
    let ratios: Map<String, Value> = report
        .parameters
        .iter()
        .filter_map(|p| Some((p, ratio(p, 0.95).ok()??)))
        .map(|(p, by)| (p.name.to_string(), json!({ "ratio": by.ratio, "interval_95": interval(p).map(|(low, high)| [low.exp(), high.exp()]) })))
        .collect();
    json!({
        "model": report.model,
        "unit": report.unit.to_string(),
        "customers": report.customers,
        "parameters": parameters(report),
        "standard_errors": errors,
        "intervals_95": intervals,
        "ratios": ratios,
        "log_likelihood": report.log_likelihood,
        "aic": report.aic(),
        "bic": report.bic(),
        "converged": report.converged,
        "sampling": report.sampling.map(|s| json!({ "draws": s.draws, "r_hat": s.r_hat, "effective": s.effective })),
        "warnings": report.warnings.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}

pub(crate) fn parameters(report: &FitReport) -> Map<String, Value> {
    report.all_parameters().map(|p| (p.name.to_string(), json!(p.value))).collect()
}
