//! The best forecast without choosing: baselines, buy-till-you-die models and learners are tried, tuned and
//! stacked, and one saved model comes back, with a card that says how good it is and how that was measured.
//!
//! ```text
//! log ──┬── … origins … ──► search: which settings, and does a stack help?
//!       │
//!       ├── newest holdout ─► judged once, by what the search chose: the scores on the card
//!       │
//!       └── all of it ──────► the model that is handed over
//! ```
//!
//! The newest holdout is seen by no search, so that the scores reported are not those tuned on.

use std::fmt;

use clv_core::backtest::{Backtest, BoxedFit, Scores};
use clv_core::cut::Split;
use clv_core::learn::{Informed, Regress};
use clv_core::metrics::bootstrap::{Interval, interval_by_weights};
use clv_core::metrics::{Pairs, errors, ranking};
use clv_core::model::Stack;
use clv_core::transform::Step;
use clv_core::tune::{Family, How, Objective, Point, Range, Search, Trial, best};
use clv_core::{
    Context, Cut, Erased, Error, Feature, FeatureMatrix, Fit, Moment, Predict, Span, TimeUnit, Training,
    TransactionLog, Warning,
};
use clv_linear::{ElasticNet, Glm, Hurdle};
use clv_trees::{BoostedTrees, BoostedZiln, Loss, RandomForest};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::shelf;

/// Settings of the search.
///
/// | Name | Default | Why |
/// | :-- | :-- | :-- |
/// | `horizon` | – | must be said |
/// | `trials` | 12 | points drawn in each family that has settings; most of what tuning gives comes early |
/// | `objective` | balanced | the mean of five, so that no number is good at the cost of the others |
/// | `origins` | 3 | holdouts that the search is judged on, as far as the past reaches |
/// | `unit` | weeks | of recency and age |
/// | `draws` | 200 | bootstrap samples behind each interval on the card |
///
/// ```no_run
/// use clv::auto::Auto;
/// use clv::prelude::*;
/// # fn run(log: &TransactionLog) -> Result<(), Box<dyn std::error::Error>> {
/// let cut = Cut::end_of(Moment::parse_date("2024-12-31")?, Grain::Day);
/// let found = Auto::new(Span::weeks(26.0)?).run(log, cut, &[], &Context::default().seed(7))?;
/// println!("{}", found.card);
/// clv::saved::save(&found.model, "best.json".as_ref())?;
/// # Ok(())
/// # }
/// ```
///
/// Which points are drawn follows the context's seed; a stop signal ends the search with what has been
/// tried by then, and what is left is done with the best of that.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Auto {
    horizon: Span,
    trials: usize,
    objective: Objective,
    origins: usize,
    unit: TimeUnit,
    draws: usize,
}

/// The level of the intervals on the card.
const LEVEL: f64 = 0.95;

impl Auto {
    /// With the defaults.
    pub fn new(horizon: Span) -> Self {
        Self {
            horizon,
            trials: 12,
            objective: Objective::default(),
            origins: 3,
            unit: TimeUnit::Week,
            draws: 200,
        }
    }

    /// Points drawn in each family; 0 leaves all at their defaults.
    pub fn trials(self, trials: usize) -> Self {
        Self { trials, ..self }
    }

    /// What is to be good about the forecast.
    pub fn objective(self, objective: Objective) -> Self {
        Self { objective, ..self }
    }

    /// Holdouts that the search is judged on.
    pub fn origins(self, origins: usize) -> Self {
        Self { origins, ..self }
    }

    /// The unit of recency and age.
    pub fn unit(self, unit: TimeUnit) -> Self {
        Self { unit, ..self }
    }

    /// Bootstrap samples behind each interval on the card.
    pub fn draws(self, draws: usize) -> Self {
        Self { draws, ..self }
    }

    /// Searches what is known up to a cut, `known` being trials of an earlier search of the same log that was
    /// stopped.
    ///
    /// # Errors
    ///
    /// [`Error::TooLittleData`] if the past is shorter than two horizons, or too short to search;
    /// [`Error::NoEstimate`] if nothing could be fitted.
    pub fn run(
        &self,
        log: &TransactionLog,
        cut: Cut,
        known: &[Trial],
        cx: &Context<'_>,
    ) -> Result<Found, Error> {
        let origin = cut.minus(self.horizon);
        let before = log.time().iter().filter(|time| origin.is_past(**time)).count();
        if before == 0 {
            let needs = "purchases before the newest holdout, which is as long as the horizon: a shorter one, or a longer log";
            return Err(Error::TooLittleData { model: "auto", needs, found: 0 });
        }
        let outer = Backtest::new(log, Split::new(cut.minus(self.horizon), cut)?, self.unit)?;
        let inner = self.inner(log, outer.split().train)?;
        let with_amounts = outer.actual_value().is_some();
        let families = families(with_amounts)?;
        let search = Search::new(&inner, self.objective)?;

        // Defaults first: they are what a search must beat.
        let plain: Vec<Family> =
            shelf::VALUE_MODELS.iter().map(|name| on_shelf(name, with_amounts)).collect::<Result<_, _>>()?;
        let mut trials = search.run(&plain, How::Grid(1), known, cx)?;
        if self.trials > 0 && !cx.stopped() {
            trials.extend(search.run(&families, How::Halving(self.trials), known, cx)?);
        }
        // What takes part from here on has been on every origin; a stopped search may have nothing else.
        let most = trials.iter().map(|t| t.losses.len()).max().unwrap_or(0);
        let whole: Vec<Trial> = trials.iter().filter(|t| t.losses.len() == most).cloned().collect();
        let ranked: Vec<Trial> = best(&whole).into_iter().cloned().collect();
        let nothing = || Error::NoEstimate { model: "auto", why: "no model could be fitted" };
        let single = ranked.first().ok_or_else(nothing)?;

        // Once the caller wants to stop, what was found is finished without the brake.
        let cx = &unbraked(cx);
        let mut chosen = Chosen::Single(single.clone());
        let mut stack_gain: Option<Gain> = None;
        for stack in stacks(&ranked) {
            let gain = self.gain(&inner, &stack, &Chosen::Single(single.clone()), with_amounts, cx)?;
            let better = |gain: &Gain| stack_gain.is_none_or(|best| gain.estimate > best.estimate);
            if let Some(gain) = gain.filter(better) {
                stack_gain = Some(gain);
                // By more than a standard error, as several models are dearer than one (Breiman et al. 1984).
                chosen = if gain.estimate > gain.error { stack } else { Chosen::Single(single.clone()) };
            }
        }

        // The holdout is of whole grains, a day or so more than some horizons.
        let settings = chosen.settings(outer.split().horizon(), with_amounts)?;
        let judged = self.judge(&outer, (&settings, &chosen), &ranked, with_amounts, cx)?;
        let settings = chosen.settings(self.horizon, with_amounts)?;
        let fitted_on = Training::merge(log, cut)?;
        let training = Training::new(&fitted_on, cut, self.unit)?;
        let fitted = settings.fit(&training, cx)?;
        let features = training.features(fitted.model.needs())?;
        let card = Card {
            model: chosen.to_string(),
            data: DataCard::of(log, &training, cut)?,
            horizon_days: self.horizon.in_days(),
            unit: self.unit.to_string(),
            trained_until: outer.split().train.last_day().to_string(),
            judged_until: cut.last_day().to_string(),
            total_forecast: judged.totals.0,
            total_actual: judged.totals.1,
            searched: inner
                .iter()
                .map(|b| (b.split().train.last_day().to_string(), b.split().holdout.last_day().to_string()))
                .collect(),
            trials: trials.iter().map(|t| t.losses.len()).sum(),
            failures: failures_of(&trials).chain(judged.failures).collect(),
            objective: self.objective,
            seed: cx.seed_value(),
            of_value: with_amounts,
            stack_gain,
            scores: judged.scores,
            alternatives: judged.alternatives,
            deciles: judged.deciles,
            features: fitted.model.needs().iter().map(Feature::name).collect(),
            reference: Reference::of(&features),
            warnings: self
                .doubts(&chosen, &inner, training.summary().len())
                .into_iter()
                .chain(fitted.report.warnings.iter().map(Warning::to_string))
                .collect(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        Ok(Found { model: fitted.model, card, trials })
    }

    /// What a reader of the card should doubt.
    fn doubts(&self, chosen: &Chosen, inner: &[Backtest], customers: usize) -> Vec<String> {
        let mut doubts = Vec::new();
        if let Chosen::Single(trial) = chosen
            && matches!(trial.family.as_str(), "zero" | "mean" | "last-period" | "rfm-cell-mean")
        {
            doubts.push("a naive forecast won: no model told more of this log at this horizon".to_owned());
        }
        if customers < FEW {
            doubts.push(format!("{customers} customers are few: another choice may be as good by chance"));
        }
        let shortest = inner.iter().map(|b| b.split().horizon().in_days()).fold(f64::INFINITY, f64::min);
        if shortest < self.horizon.in_days() - 1.0 {
            doubts.push(format!(
                "the past is short: the search judged windows of {shortest} days for a horizon of {} days",
                self.horizon.in_days()
            ));
        }
        doubts
    }

    /// The origins to search on, the newest first: holdouts before the newest one, as long as the horizon
    /// if a third of the past is. Otherwise all end with that past, and begin where past and holdout stand
    /// to each other as they will for the model that is handed over, and a little earlier and later: a
    /// search among long pasts and short holdouts would choose what is good at another question.
    fn inner(&self, log: &TransactionLog, end: Cut) -> Result<Vec<Backtest>, Error> {
        let needs =
            "a past of three weeks, and of a third of the horizon, before the holdout it is judged on";
        let too_little = || Error::TooLittleData { model: "auto", needs, found: log.len() };
        let (first, _) = log.span().ok_or_else(too_little)?;
        let (past, horizon) = (end.last().days_since(first), self.horizon.in_days());
        if past < 21.0 || past < horizon / 3.0 {
            return Err(too_little());
        }
        if past >= 3.0 * horizon {
            return Backtest::rolling(log, end, self.horizon, self.origins.max(1), self.unit);
        }
        let share = horizon / (past + horizon);
        let splits = [1.0, 0.75, 1.25].iter().take(self.origins.max(1)).map(|by| {
            let window = Span::days((past * (share * by).min(0.75)).floor())?;
            Split::new(end.minus(window), end)
        });
        Backtest::all(log, &splits.collect::<Result<Vec<_>, _>>()?, self.unit)
    }

    /// By how much a stack lowers the loss over the origins of the search, give or take a standard error
    /// over customers; that of one origin, as origins share customers. None if a member cannot be fitted on
    /// one of them.
    fn gain(
        &self,
        inner: &[Backtest],
        stack: &Chosen,
        single: &Chosen,
        with_amounts: bool,
        cx: &Context<'_>,
    ) -> Result<Option<Gain>, Error> {
        let (mut estimate, mut error) = (0.0, 0.0);
        for origin in inner {
            let horizon = origin.split().horizon();
            let said = |chosen: &Chosen| said(origin, &chosen.settings(horizon, with_amounts)?, cx);
            let (Ok(stacked), Ok(alone)) = (said(stack), said(single)) else { return Ok(None) };
            let actual = origin.actual_value().unwrap_or_else(|| origin.actual_purchases());
            let even = vec![actual.iter().sum::<f64>() / actual.len() as f64; actual.len()];
            let loss = |forecast: &[f64], weights: &[f64]| {
                let scores = |forecast| weighted_scores(actual, forecast, weights);
                Some(self.objective.loss(&scores(forecast)?, &scores(&even)?))
            };
            let gain = |weights: &[f64]| Some(loss(&alone, weights)? - loss(&stacked, weights)?);
            let ones = vec![1.0; actual.len()];
            // Where a normal distribution has one standard deviation on either side.
            let found = interval_by_weights(&ones, gain, self.draws, 0.6827, cx.seed_value())?;
            let Some(Interval { estimate: one, lower, upper }) = found else { return Ok(None) };
            estimate += one / inner.len() as f64;
            error += (upper - lower) / 2.0 / inner.len() as f64;
        }
        Ok(Some(Gain { estimate, error }))
    }

    fn judge(
        &self,
        outer: &Backtest,
        (settings, chosen): (&BoxedFit, &Chosen),
        ranked: &[Trial],
        with_amounts: bool,
        cx: &Context<'_>,
    ) -> Result<Judged, Error> {
        let actual = outer.actual_value().unwrap_or_else(|| outer.actual_purchases());
        let forecast = said(outer, settings, cx)?;
        let ones = vec![1.0; actual.len()];
        let over = |metric: &dyn Fn(&[f64]) -> Option<f64>| -> Result<Option<[f64; 3]>, Error> {
            let found = interval_by_weights(&ones, metric, self.draws, LEVEL, cx.seed_value())?;
            Ok(found.map(|i| [i.lower, i.estimate, i.upper]))
        };
        let mut scores = Vec::new();
        for metric in Metric::ALL {
            let of = |weights: &[f64]| metric.of(actual, &forecast, weights);
            scores.push(Score { metric: metric.name().to_owned(), of: over(&of)? });
        }
        let (mut alternatives, mut failures) = (Vec::new(), Vec::new());
        for trial in ranked {
            if matches!(chosen, Chosen::Single(single) if single == trial) {
                continue;
            }
            let other = settings_of(trial, outer.split().horizon(), with_amounts)?;
            let other = match said(outer, &other, cx) {
                Ok(other) => other,
                Err(error) => {
                    failures.push(format!("{}: {error}", named(trial)));
                    continue;
                }
            };
            let mut differences = Vec::new();
            for metric in Metric::ALL {
                let of = |weights: &[f64]| {
                    Some(metric.of(actual, &other, weights)? - metric.of(actual, &forecast, weights)?)
                };
                differences.push(Score { metric: metric.name().to_owned(), of: over(&of)? });
            }
            alternatives.push(Alternative { model: named(trial), loss: trial.loss(), differences });
        }
        let table = ranking::decile_table(&Pairs::new(actual, &forecast)?, 10);
        let deciles = table.iter().map(|d| (d.mean_forecast, d.mean_actual)).collect();
        let totals = (forecast.iter().sum(), actual.iter().sum());
        Ok(Judged { scores, alternatives, deciles, failures, totals })
    }
}

struct Judged {
    scores: Vec<Score>,
    alternatives: Vec<Alternative>,
    deciles: Vec<(f64, f64)>,
    failures: Vec<String>,
    totals: (f64, f64),
}

/// Below so many customers a card warns.
const FEW: usize = 200;

/// Stacks worth a try: the best of each kind of model, and the two best of unlike kinds, with learned and
/// with even weights. Models of one kind err alike, and add little to each other.
fn stacks(ranked: &[Trial]) -> Vec<Chosen> {
    let kind = |trial: &Trial| match trial.family.trim_start_matches("tuned ") {
        "zero" | "mean" | "last-period" | "rfm-cell-mean" | "stack" => None,
        "nbd" | "bg-nbd" | "mbg-nbd" | "pareto-nbd" => Some(0),
        "informed-trees" | "informed-glm" => Some(1),
        "linear" | "tweedie-glm" | "hurdle" | "elastic-net" => Some(2),
        _ => Some(3),
    };
    let (mut seen, mut members) = (Vec::new(), Vec::new());
    for trial in ranked {
        if let Some(kind) = kind(trial)
            && !seen.contains(&kind)
        {
            seen.push(kind);
            members.push(trial.clone());
        }
    }
    let mut stacks = Vec::new();
    for count in 2..=members.len() {
        for even in [false, true] {
            stacks.push(Chosen::Stack { members: members[..count].to_vec(), even });
        }
    }
    stacks
}

fn failures_of(trials: &[Trial]) -> impl Iterator<Item = String> {
    trials.iter().filter_map(|t| t.failure.as_ref().map(|f| format!("{}: {f}", t.family)))
}

fn unbraked<'a>(cx: &Context<'_>) -> Context<'a> {
    let threads = std::num::NonZeroUsize::new(cx.thread_count()).unwrap_or(std::num::NonZeroUsize::MIN);
    Context::default().seed(cx.seed_value()).threads(threads)
}

/// What settings forecast of a backtest: value if there are amounts, undefined counting as nothing; else
/// purchases.
fn said(backtest: &Backtest, settings: &BoxedFit, cx: &Context<'_>) -> Result<Vec<f64>, Error> {
    let forecast = backtest.forecast(settings, cx)?;
    Ok(match (backtest.actual_value(), forecast.value) {
        (Some(_), Some(value)) => value.into_iter().map(|v| v.unwrap_or(0.0)).collect(),
        _ => forecast.purchases,
    })
}

fn weighted_scores(actual: &[f64], forecast: &[f64], weights: &[f64]) -> Option<Scores> {
    let pairs = Pairs::new(actual, forecast).and_then(|pairs| pairs.weighted(weights)).ok()?;
    Some(Scores::of_pairs(&pairs))
}

/// What is chosen in the end.
#[derive(Clone, Debug)]
enum Chosen {
    Single(Trial),
    Stack { members: Vec<Trial>, even: bool },
}

impl Chosen {
    fn settings(&self, horizon: Span, with_amounts: bool) -> Result<BoxedFit, Error> {
        match self {
            Self::Single(trial) => settings_of(trial, horizon, with_amounts),
            Self::Stack { members, even } => {
                let names: Vec<String> = members.iter().map(named).collect();
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                let members = members.clone();
                let settings = move |name: &str, horizon: Span| {
                    let unknown =
                        || Error::NoEstimate { model: "auto", why: "a member of the stack went missing" };
                    let trial = members.iter().find(|t| named(t) == name).ok_or_else(unknown)?;
                    settings_of(trial, horizon, with_amounts)
                };
                let stack = Stack::of(&names, settings, horizon)?;
                Ok(Box::new(Erased(if *even { stack.even() } else { stack })))
            }
        }
    }
}

impl fmt::Display for Chosen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Single(trial) => f.write_str(&named(trial)),
            Self::Stack { members, even } => {
                let names = members.iter().map(named).collect::<Vec<_>>().join(", ");
                write!(f, "{} of {names}", if *even { "mean" } else { "stack" })
            }
        }
    }
}

/// Four digits that count.
fn rounded(value: f64) -> f64 {
    let scale = 10_f64.powf(3.0 - value.abs().max(f64::MIN_POSITIVE).log10().floor());
    if scale.is_finite() { (value * scale).round() / scale } else { value }
}

/// A trial's family with its settings.
fn named(trial: &Trial) -> String {
    let settings: Vec<String> =
        trial.point.iter().map(|(name, value)| format!("{name} {}", rounded(value))).collect();
    if settings.is_empty() {
        trial.family.clone()
    } else {
        format!("{} ({})", trial.family, settings.join(", "))
    }
}

fn settings_of(trial: &Trial, horizon: Span, with_amounts: bool) -> Result<BoxedFit, Error> {
    let missing = || Error::NoEstimate { model: "auto", why: "a trial of a family that is not searched" };
    if let Some(name) = shelf::VALUE_MODELS.iter().find(|name| **name == trial.family) {
        return on_shelf(name, with_amounts)?.settings(&trial.point, horizon);
    }
    let families = families(with_amounts)?;
    families.iter().find(|f| f.name() == trial.family).ok_or_else(missing)?.settings(&trial.point, horizon)
}

fn on_shelf(name: &'static str, with_amounts: bool) -> Result<Family, Error> {
    let shelf = if with_amounts { shelf::with_spend } else { shelf::settings };
    Family::new(name, Vec::new(), Box::new(move |_, horizon| shelf(name, horizon)))
}

/// The columns of a learner: few or many.
fn columns(point: &Point, horizon: Span, with_amounts: bool) -> Result<Vec<Feature>, Error> {
    if point.get("broad")? < 0.5 {
        return Ok(Feature::of_summary(with_amounts));
    }
    let span = |share: f64| Span::days((horizon.in_days() * share).ceil().max(1.0));
    Ok(Feature::broad(&[span(0.25)?, span(1.0)?], with_amounts))
}

fn boosted(point: &Point, loss: Loss) -> Result<BoostedTrees, Error> {
    BoostedTrees::new()
        .loss(loss)
        .trees(point.count("trees")?)
        .depth(point.count("depth")?)
        .learning_rate(point.get("learning_rate")?)?
        .min_leaf(point.get("min_leaf")?)?
        .sample(point.get("sample")?)
}

fn grown() -> Vec<(&'static str, Range)> {
    vec![
        ("broad", Range::OneOf(vec![0.0, 1.0])),
        ("depth", Range::Whole(2, 6)),
        ("learning_rate", Range::LogBetween(0.02, 0.2)),
        ("min_leaf", Range::LogWhole(5, 200)),
        ("origins", Range::Whole(1, 3)),
        ("sample", Range::Between(0.5, 1.0)),
        ("trees", Range::LogWhole(30, 300)),
    ]
}

/// What is tuned.
fn families(with_amounts: bool) -> Result<Vec<Family>, Error> {
    let broad = || ("broad", Range::OneOf(vec![0.0, 1.0]));
    let origins = || ("origins", Range::Whole(1, 3));
    let with_power = |mut space: Vec<(&'static str, Range)>| {
        space.push(("power", Range::Between(1.1, 1.9)));
        space
    };
    let base = if with_amounts { shelf::with_spend } else { shelf::settings };
    Ok(vec![
        Family::new(
            "tuned tweedie-glm",
            with_power(vec![broad(), origins(), ("penalty", Range::LogBetween(1e-5, 1e-1))]),
            Box::new(move |point, horizon| {
                let glm = Glm::tweedie(point.get("power")?)?.penalty(point.get("penalty")?)?;
                let columns = columns(point, horizon, with_amounts)?;
                let over = glm.over(horizon).features(columns).origins(point.count("origins")?)?;
                Ok(Box::new(Erased(over.transform(vec![Step::Asinh]))))
            }),
        )?,
        Family::new(
            "tuned hurdle",
            vec![broad(), origins(), ("penalty", Range::LogBetween(1e-5, 1e-1))],
            Box::new(move |point, horizon| {
                let hurdle = Hurdle::default().penalty(point.get("penalty")?)?;
                let columns = columns(point, horizon, with_amounts)?;
                let over = hurdle.over(horizon).features(columns).origins(point.count("origins")?)?;
                Ok(Box::new(Erased(over.transform(vec![Step::Asinh]))))
            }),
        )?,
        Family::new(
            "tuned elastic-net",
            vec![
                broad(),
                origins(),
                ("l1_ratio", Range::Between(0.0, 1.0)),
                ("penalty", Range::LogBetween(1e-3, 1e1)),
            ],
            Box::new(move |point, horizon| {
                let net = ElasticNet::new(point.get("penalty")?, point.get("l1_ratio")?)?;
                let columns = columns(point, horizon, with_amounts)?;
                Ok(Box::new(Erased(net.over(horizon).features(columns).origins(point.count("origins")?)?)))
            }),
        )?,
        Family::new(
            "tuned random-forest",
            vec![
                broad(),
                ("columns", Range::Between(0.2, 0.8)),
                ("depth", Range::Whole(4, 14)),
                ("min_leaf", Range::LogWhole(3, 100)),
                origins(),
            ],
            Box::new(move |point, horizon| {
                let forest = RandomForest::new()
                    .depth(point.count("depth")?)
                    .min_leaf(point.get("min_leaf")?)?
                    .columns(point.get("columns")?)?;
                let columns = columns(point, horizon, with_amounts)?;
                Ok(Box::new(Erased(forest.over(horizon).features(columns).origins(point.count("origins")?)?)))
            }),
        )?,
        Family::new(
            "tuned boosted-tweedie",
            with_power(grown()),
            Box::new(move |point, horizon| {
                let trees = boosted(point, Loss::Tweedie(point.get("power")?))?;
                let columns = columns(point, horizon, with_amounts)?;
                Ok(Box::new(Erased(trees.over(horizon).features(columns).origins(point.count("origins")?)?)))
            }),
        )?,
        Family::new(
            "tuned boosted-ziln",
            grown(),
            Box::new(move |point, horizon| {
                let trees = BoostedZiln::new(boosted(point, Loss::Logistic)?);
                let columns = columns(point, horizon, with_amounts)?;
                Ok(Box::new(Erased(trees.over(horizon).features(columns).origins(point.count("origins")?)?)))
            }),
        )?,
        Family::new(
            "tuned informed-trees",
            with_power(grown().into_iter().filter(|(name, _)| *name != "origins").collect()),
            Box::new(move |point, horizon| {
                let trees = boosted(point, Loss::Tweedie(point.get("power")?))?;
                let columns = columns(point, horizon, with_amounts)?;
                let informed = Informed::new(trees, move |horizon| base("pareto-nbd", horizon), horizon);
                Ok(Box::new(Erased(informed.features(columns))))
            }),
        )?,
        Family::new(
            "tuned informed-glm",
            with_power(vec![broad(), ("penalty", Range::LogBetween(1e-5, 1e-1))]),
            Box::new(move |point, horizon| {
                let glm = Glm::tweedie(point.get("power")?)?.penalty(point.get("penalty")?)?;
                let columns = columns(point, horizon, with_amounts)?;
                let informed = Informed::new(glm, move |horizon| base("pareto-nbd", horizon), horizon);
                Ok(Box::new(Erased(informed.features(columns).transform(vec![Step::Asinh]))))
            }),
        )?,
    ])
}

/// What a search brings back.
#[derive(Debug)]
pub struct Found {
    /// Fitted on everything up to the cut, ready to save.
    pub model: Box<dyn Predict>,
    /// What it is and how good.
    pub card: Card,
    /// All trials, for a search that goes on.
    pub trials: Vec<Trial>,
}

/// A number with its 95% interval: lower, estimate, upper; none if undefined.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// Of what.
    pub metric: String,
    /// Lower end, estimate, upper end.
    pub of: Option<[f64; 3]>,
}

/// Another model, and by how much its scores on the newest holdout differ from the chosen one's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alternative {
    /// Which.
    pub model: String,
    /// Its loss in the search.
    pub loss: f64,
    /// Its score less that of the chosen model, customers drawn alike for both.
    pub differences: Vec<Score>,
}

/// The data that a model was made of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DataCard {
    /// SHA-256 over customers, moments and amounts of all rows up to the cut, in their order.
    pub sha256: String,
    /// Rows up to the cut.
    pub rows: usize,
    /// Customers up to the cut.
    pub customers: usize,
    /// First and last day.
    pub span: (String, String),
    /// Currency, if the log says one.
    pub currency: Option<String>,
}

impl DataCard {
    fn of(log: &TransactionLog, training: &Training<'_>, cut: Cut) -> Result<Self, Error> {
        let mut hash = Sha256::new();
        let (mut rows, mut span): (usize, Option<(Moment, Moment)>) = (0, None);
        for row in (0..log.len()).filter(|&row| cut.is_past(log.time()[row])) {
            let when = log.time()[row];
            hash.update(log.customers().name(log.customer()[row]).as_bytes());
            hash.update([0]);
            hash.update(when.micros().to_le_bytes());
            hash.update(log.amount().map_or(0, |amount| amount[row].micros()).to_le_bytes());
            span = Some(span.map_or((when, when), |(first, last)| (first.min(when), last.max(when))));
            rows += 1;
        }
        let needs = "rows up to the cut";
        let (first, last) = span.ok_or(Error::TooLittleData { model: "auto", needs, found: 0 })?;
        Ok(Self {
            sha256: hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect(),
            rows,
            customers: training.summary().len(),
            span: (first.date().to_string(), last.date().to_string()),
            currency: log.currency().map(str::to_owned),
        })
    }
}

/// The columns as they were when the model was made, to tell drift by.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Reference {
    /// Name and percentiles 0, 5, … 100 of each column.
    pub columns: Vec<(String, Vec<f64>)>,
}

impl Reference {
    fn of(features: &FeatureMatrix) -> Self {
        let column = |c: usize| {
            let mut values: Vec<f64> = features.column(c).collect();
            values.sort_by(f64::total_cmp);
            let at = |share: usize| values[(values.len() - 1) * share / 20];
            (features.names()[c].clone(), (0..=20).map(at).collect())
        };
        Self {
            columns: if features.rows() == 0 {
                Vec::new()
            } else {
                (0..features.names().len()).map(column).collect()
            },
        }
    }
}

/// A difference of losses with its standard error.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gain {
    /// Above 0 if it helps.
    pub estimate: f64,
    /// Standard error over customers.
    pub error: f64,
}

/// What a model is, what it was made of, and how good it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Card {
    /// The model, with the settings that were found.
    pub model: String,
    /// The data.
    pub data: DataCard,
    /// How far ahead it forecasts.
    pub horizon_days: f64,
    /// Unit of recency and age.
    pub unit: String,
    /// Last day of training of the model that was judged.
    pub trained_until: String,
    /// Last day of the holdout that it was judged on, and of the data that the model handed over has seen.
    pub judged_until: String,
    /// Holdouts of the search: last day of training, last day of the holdout.
    pub searched: Vec<(String, String)>,
    /// Fits in the search.
    pub trials: usize,
    /// What could not be fitted.
    pub failures: Vec<String>,
    /// What the search was to bring down.
    pub objective: Objective,
    /// The seed.
    pub seed: u64,
    /// Whether scores are of value, or of purchases.
    pub of_value: bool,
    /// By how much the best of the stacks lowered the loss in the search. It is taken if that is more than
    /// a standard error.
    pub stack_gain: Option<Gain>,
    /// What was forecast of the newest holdout in total.
    pub total_forecast: f64,
    /// What came.
    pub total_actual: f64,
    /// Scores on the newest holdout, which no search has seen.
    pub scores: Vec<Score>,
    /// The best of each other family, likewise, by its loss in the search.
    pub alternatives: Vec<Alternative>,
    /// Mean forecast and mean outcome of each tenth of the customers, by forecast from the highest.
    pub deciles: Vec<(f64, f64)>,
    /// Columns that the model reads beside the history.
    pub features: Vec<String>,
    /// Those columns as they were.
    pub reference: Reference,
    /// What to beware of.
    pub warnings: Vec<String>,
    /// Version of this crate.
    pub version: String,
}

/// The card as a page of Markdown.
impl fmt::Display for Card {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = if self.of_value { "value" } else { "purchases" };
        writeln!(f, "# {}\n", self.model)?;
        writeln!(
            f,
            "Forecasts {what} over {} days. Made of {} rows of {} customers from {} to {} (SHA-256 {}).",
            self.horizon_days,
            self.data.rows,
            self.data.customers,
            self.data.span.0,
            self.data.span.1,
            self.data.sha256
        )?;
        writeln!(
            f,
            "Chosen by {} fits (objective {:?}, seed {}) on the holdouts {}.",
            self.trials,
            self.objective,
            self.seed,
            self.searched
                .iter()
                .map(|(train, end)| format!("after {train} until {end}"))
                .collect::<Vec<_>>()
                .join(", ")
        )?;
        if let Some(Gain { estimate, error }) = self.stack_gain {
            let way = if estimate > 0.0 { "lowered" } else { "raised" };
            let taken = if estimate > error { "was taken" } else { "was not taken" };
            writeln!(
                f,
                "Of several of these together the best {way} the loss there by {:.4} (standard error {error:.4}), and {taken}.",
                estimate.abs()
            )?;
        }
        writeln!(f, "What is handed over was then fitted again on everything until {}.", self.judged_until)?;
        writeln!(
            f,
            "\n## Scores\n\nTrained until {}, judged until {}; the search saw nothing of this. In total {:.2} were forecast and {:.2} came.\n",
            self.trained_until, self.judged_until, self.total_forecast, self.total_actual
        )?;
        writeln!(f, "| | estimate | 95% interval |\n|---|--:|--:|")?;
        for Score { metric, of } in &self.scores {
            match of {
                Some([lower, estimate, upper]) => {
                    writeln!(f, "| {metric} | {estimate:.4} | {lower:.4} to {upper:.4} |")?
                }
                None => writeln!(f, "| {metric} | – | – |")?,
            }
        }
        writeln!(
            f,
            "\n## Alternatives\n\nTheir score less the chosen model's; `*` where the 95% interval leaves out 0.\n"
        )?;
        let names: Vec<&str> = self.scores.iter().map(|s| s.metric.as_str()).collect();
        writeln!(
            f,
            "| model | loss in search | {} |\n|---|--:|{}",
            names.join(" | "),
            "--:|".repeat(names.len())
        )?;
        for other in &self.alternatives {
            write!(f, "| {} | {:.4} |", other.model, other.loss)?;
            for Score { of, .. } in &other.differences {
                match of {
                    Some([lower, estimate, upper]) => {
                        let sure = if *lower > 0.0 || *upper < 0.0 { "*" } else { "" };
                        write!(f, " {estimate:+.4}{sure} |")?;
                    }
                    None => write!(f, " – |")?,
                }
            }
            writeln!(f)?;
        }
        writeln!(f, "\n## Calibration\n\n| tenth | mean forecast | mean outcome |\n|--:|--:|--:|")?;
        for (place, (forecast, outcome)) in self.deciles.iter().enumerate() {
            writeln!(f, "| {} | {forecast:.4} | {outcome:.4} |", place + 1)?;
        }
        if !self.features.is_empty() {
            writeln!(f, "\n## Columns\n\nBeside the history: {}.", self.features.join(", "))?;
        }
        for (title, lines) in [("Warnings", &self.warnings), ("Could not be fitted", &self.failures)] {
            if !lines.is_empty() {
                writeln!(f, "\n## {title}\n")?;
                lines.iter().try_for_each(|line| writeln!(f, "* {line}"))?;
            }
        }
        Ok(())
    }
}

/// The numbers on the card.
#[derive(Clone, Copy)]
enum Metric {
    Mae,
    Rmse,
    Gini,
    Spearman,
    DecileMape,
    Bias,
}

impl Metric {
    const ALL: [Self; 6] = [Self::Mae, Self::Rmse, Self::Gini, Self::Spearman, Self::DecileMape, Self::Bias];

    fn name(self) -> &'static str {
        match self {
            Self::Mae => "MAE",
            Self::Rmse => "RMSE",
            Self::Gini => "normalised Gini",
            Self::Spearman => "Spearman",
            Self::DecileMape => "decile MAPE",
            Self::Bias => "bias",
        }
    }

    fn of(self, actual: &[f64], forecast: &[f64], weights: &[f64]) -> Option<f64> {
        let pairs = Pairs::new(actual, forecast).and_then(|pairs| pairs.weighted(weights)).ok()?;
        match self {
            Self::Mae => Some(errors::mae(&pairs)),
            Self::Rmse => Some(errors::rmse(&pairs)),
            Self::Gini => ranking::normalized_gini(&pairs),
            Self::Spearman => ranking::spearman(&pairs),
            Self::DecileMape => ranking::decile_mape(&pairs),
            Self::Bias => Some(errors::bias(&pairs)),
        }
    }
}
