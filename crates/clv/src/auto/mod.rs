//! The best forecast without choosing: baselines, buy-till-you-die models and learners are tried, tuned and
//! averaged, and one saved model comes back, with a card that says how good it is and how that was measured.
//!
//! ```text
//! log ──┬── … origins … ──► search: which settings, and does a mean help?
//!       │
//!       ├── newest holdout ─► judged once, by what the search chose: the scores on the card
//!       │
//!       └── all of it ──────► the model that is handed over
//! ```
//!
//! The newest holdout is seen by no search, so that the scores reported are not those tuned on.

mod card;
mod choose;
mod families;

use std::fmt;

use clv_core::backtest::{Backtest, BoxedFit};
use clv_core::cut::Split;
use clv_core::features::{NothingMore, Source};
use clv_core::metrics::bootstrap::interval_by_weights;
use clv_core::metrics::{Pairs, ranking};
use clv_core::model::{Reshaped, Shape, Stack};
use clv_core::tune::{Family, How, Objective, Search, Trial, best};
use clv_core::{
    Context, Cut, Erased, Error, Feature, Fit, Predict, Span, TimeUnit, Training, TransactionLog,
};

use crate::shelf;

use card::Metric;
pub use card::{Alternative, Card, DataCard, Gain, Reference, ReferenceColumn, Score};
use choose::{Judge, actual};
use families::{Scope, families, named, on_shelf, settings_of};

/// Settings of the search.
///
/// | Name | Default | Why |
/// | :-- | :-- | :-- |
/// | `horizon` | – | must be said |
/// | `trials` | 12 | points drawn in each family that has settings; most of what tuning gives comes early |
/// | `objective` | balanced | the mean of five, so that no number is good at the cost of the others |
/// | `origins` | 3 | holdouts that the search is judged on, as far as the past reaches |
/// | `unit` | weeks | of recency and age |
/// | `knowing` | – | columns beyond the purchases, such as products and events |
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
#[derive(Clone, Copy, Debug)]
pub struct Auto<'a> {
    horizon: Span,
    trials: usize,
    objective: Objective,
    origins: usize,
    unit: TimeUnit,
    draws: usize,
    beyond: &'a dyn Source,
}

/// The level of the intervals on the card.
const LEVEL: f64 = 0.95;

impl<'a> Auto<'a> {
    /// With the defaults.
    pub fn new(horizon: Span) -> Self {
        Self {
            horizon,
            trials: 12,
            objective: Objective::default(),
            origins: 3,
            unit: TimeUnit::Week,
            draws: 200,
            beyond: &NothingMore,
        }
    }

    /// Knowing what a source tells beyond the purchases, too. Ask it once for each cut that is looked at:
    /// [`Remembered`](clv_core::features::Remembered) keeps what it said.
    pub fn knowing(self, source: &'a dyn Source) -> Self {
        Self { beyond: source, ..self }
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
            let needs = "a horizon shorter than the log, or a longer log: the last horizon of it is kept apart to judge by, and what lies before is learned from";
            return Err(Error::TooLittleData { model: "auto", needs, found: 0 });
        }
        let outer = Backtest::new(log, Split::new(origin, cut)?, self.unit)?.knowing(self.beyond);
        let inner = self.inner(log, outer.split().train)?;
        let scope = &Scope::of(&outer)?;
        let with_amounts = scope.with_amounts;
        let families = families(scope)?;
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
        if ranked.is_empty() {
            return Err(Error::NoEstimate { model: "auto", why: "no model could be fitted" });
        }

        // Once the caller wants to stop, what was found is finished without the brake.
        let cx = &unbraked(cx);
        let Choice { mut chosen, instead, mut mean_gain } = self.choose(&inner, &ranked, scope, cx)?;
        let fitted_on = Training::merge(log, cut)?;
        let training = Training::new(&fitted_on, cut, self.unit)?.knowing(self.beyond);
        let finish = |chosen: &Chosen| -> Result<_, Error> {
            // The holdout is of whole grains, a day or so more than some horizons.
            let settings = chosen.settings(outer.split().horizon(), scope)?;
            let judged = self.judge(&outer, (&settings, chosen), &ranked, scope, cx)?;
            Ok((judged, chosen.settings(self.horizon, scope)?.fit(&training, cx)?))
        };
        // What could be fitted on every holdout of the search may not be on more data.
        let mut doubts = Vec::new();
        let singles = ranked.iter().map(|trial| Chosen::of(What::Single(trial.clone())));
        let mut others = instead.into_iter().chain(singles);
        let (judged, fitted) = loop {
            let error = match finish(&chosen) {
                Ok(done) => break done,
                Err(error) => error,
            };
            let Some(other) = others.next() else { return Err(error) };
            doubts.push(format!(
                "{chosen} was chosen and could not be fitted ({error}): this is the next best"
            ));
            (chosen, mean_gain) = (other, None);
        };
        doubts.extend(self.doubts(&chosen, &inner, training.summary().len()));
        doubts.extend(self.unread(scope, fitted.model.needs()));
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
            mean_gain,
            scores: judged.scores,
            alternatives: judged.alternatives,
            deciles: judged.deciles,
            features: fitted.model.needs().iter().map(Feature::name).collect(),
            offered: scope.beyond.len(),
            reference: Reference::of(&features),
            warnings: doubts
                .into_iter()
                .chain(fitted.report.all_warnings().map(|(_, warning)| warning.to_string()))
                .collect(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        Ok(Found { model: fitted.model, card, trials })
    }

    /// What a reader of the card should doubt.
    fn doubts(&self, chosen: &Chosen, inner: &[Backtest<'_>], customers: usize) -> Vec<String> {
        let mut doubts = Vec::new();
        if let What::Single(trial) = &chosen.what
            && NAIVE.contains(&trial.family.as_str())
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

    /// That nothing of what is known beyond the purchases is read in the end.
    fn unread(&self, scope: &Scope, needs: &[Feature]) -> Option<String> {
        if scope.beyond.is_empty() || needs.iter().any(Feature::is_beyond_purchases) {
            return None;
        }
        let why = if self.trials == 0 {
            "only models that are tuned look at them, and no trials were asked for"
        } else {
            "what read them was not better in the search"
        };
        let count = scope.beyond.len();
        Some(format!("none of the {count} columns beyond the purchases is read by the model: {why}"))
    }

    /// The origins to search on, the newest first: holdouts before the newest one, as long as the horizon
    /// if a third of the past is. Otherwise all end with that past, and begin where past and holdout stand
    /// to each other as they will for the model that is handed over, and a little earlier and later: a
    /// search among long pasts and short holdouts would choose what is good at another question.
    fn inner(&self, log: &TransactionLog, end: Cut) -> Result<Vec<Backtest<'a>>, Error> {
        let needs =
            "a past of three weeks, and of a third of the horizon, before the holdout it is judged on";
        let too_little = || Error::TooLittleData { model: "auto", needs, found: log.len() };
        let (first, _) = log.span().ok_or_else(too_little)?;
        let (past, horizon) = (end.last().days_since(first), self.horizon.in_days());
        if past < 21.0 || past < horizon / 3.0 {
            return Err(too_little());
        }
        let origins = self.origins.max(1);
        let holdouts = if past >= 3.0 * horizon {
            Backtest::rolling(log, end, self.horizon, origins, self.unit)?
        } else {
            let share = horizon / (past + horizon);
            let splits = [1.0, 0.75, 1.25].iter().take(origins).map(|by| {
                let window = Span::days((past * (share * by).min(0.75)).floor())?;
                Split::new(end.minus(window), end)
            });
            Backtest::all(log, &splits.collect::<Result<Vec<_>, _>>()?, self.unit)?
        };
        Ok(holdouts.into_iter().map(|holdout| holdout.knowing(self.beyond)).collect())
    }

    /// A mean of the best of each family, unless the best of all is better by more than a standard error on the
    /// holdouts of the search. And what the mean gains over the single model there.
    ///
    /// The mean need not win: the single model is the luckiest of hundreds, members of a mean are not all lucky alike, and
    /// on nine holdouts of three logs means did better (docs/MODELS.md).
    fn choose(
        &self,
        inner: &[Backtest<'_>],
        ranked: &[Trial],
        scope: &Scope,
        cx: &Context<'_>,
    ) -> Result<Choice, Error> {
        let nothing = || Error::NoEstimate { model: "auto", why: "no model could be fitted" };
        let judge = Judge::new(inner, self.objective)?;
        let hear = |trial: &Trial| judge.hear(Chosen::of(What::Single(trial.clone())), scope, cx);
        let mut alone = hear(&ranked[0])?.ok_or_else(nothing)?;
        // The best of each family, as far as they fit; the best of all has been heard. First those that a mean stands on.
        let knowing = ranked.iter().filter(|trial| !NAIVE.contains(&trial.family.as_str()));
        let (of_process, others): (Vec<&Trial>, Vec<&Trial>) =
            knowing.partition(|trial| is_of_process(trial));
        let mut pool = Vec::new();
        for trial in of_process.into_iter().chain(others).take(POOL) {
            pool.extend(if trial == &ranked[0] { Some(alone.clone()) } else { hear(trial)? });
        }
        let together = judge.together(&pool)?;
        judge.shape(&mut alone)?;
        let Some(mut together) = together else {
            return Ok(Choice { chosen: alone.chosen, instead: None, mean_gain: None });
        };
        judge.shape(&mut together)?;
        let mean_gain = judge.gain(&together, &alone, (self.draws, cx.seed_value()))?;
        let worse = mean_gain.is_some_and(|gain| gain.estimate < -gain.error);
        let (chosen, instead) = if worse { (alone, together) } else { (together, alone) };
        Ok(Choice { chosen: chosen.chosen, instead: Some(instead.chosen), mean_gain })
    }

    fn judge(
        &self,
        outer: &Backtest<'_>,
        (settings, chosen): (&BoxedFit, &Chosen),
        ranked: &[Trial],
        scope: &Scope,
        cx: &Context<'_>,
    ) -> Result<Judged, Error> {
        let actual = actual(outer);
        let forecast = defined(&said(outer, settings, cx)?.judged);
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
            if chosen.shape.is_none() && matches!(&chosen.what, What::Single(single) if single == trial) {
                continue;
            }
            let other = settings_of(trial, outer.split().horizon(), scope)?;
            let other = match said(outer, &other, cx) {
                Ok(other) => defined(&other.judged),
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

/// What the search found.
struct Choice {
    chosen: Chosen,
    /// Of a mean and a single model the other one.
    instead: Option<Chosen>,
    mean_gain: Option<Gain>,
}

struct Judged {
    scores: Vec<Score>,
    alternatives: Vec<Alternative>,
    deciles: Vec<(f64, f64)>,
    failures: Vec<String>,
    totals: (f64, f64),
}

/// Forecasts that know next to nothing.
const NAIVE: [&str; 4] = ["zero", "mean", "last-period", "rfm-cell-mean"];

/// So many models may enter a mean.
const POOL: usize = 12;

/// Below so many customers a card warns.
const FEW: usize = 200;

fn failures_of(trials: &[Trial]) -> impl Iterator<Item = String> {
    trials.iter().filter_map(|t| t.failure.as_ref().map(|f| format!("{}: {f}", t.family)))
}

fn unbraked<'a>(cx: &Context<'_>) -> Context<'a> {
    let threads = std::num::NonZeroUsize::new(cx.thread_count()).unwrap_or(std::num::NonZeroUsize::MIN);
    Context::default().seed(cx.seed_value()).threads(threads)
}

/// What settings forecast of a backtest.
#[derive(Clone)]
struct Said {
    /// What is judged: value if there are amounts, NaN where it is undefined; else purchases.
    judged: Vec<f64>,
    purchases: Vec<f64>,
}

fn said(backtest: &Backtest<'_>, settings: &BoxedFit, cx: &Context<'_>) -> Result<Said, Error> {
    let forecast = backtest.forecast(settings, cx)?;
    let judged = match (backtest.actual_value(), forecast.value) {
        (Some(_), Some(value)) => value.into_iter().map(|v| v.unwrap_or(f64::NAN)).collect(),
        _ => forecast.purchases.clone(),
    };
    Ok(Said { judged, purchases: forecast.purchases })
}

/// What is undefined counts as nothing, or who leaves out the hard ones would be rewarded.
fn defined(judged: &[f64]) -> Vec<f64> {
    judged.iter().map(|v| if v.is_nan() { 0.0 } else { *v }).collect()
}

/// Whether a trial is of a model of how customers buy and leave. (Those of the NBD never leave: it may be a member, and is
/// nothing to stand on where many have left.)
fn is_of_process(trial: &Trial) -> bool {
    matches!(&*trial.family, "bg-nbd" | "mbg-nbd" | "pareto-nbd")
}

/// What is chosen in the end.
#[derive(Clone, Debug)]
struct Chosen {
    what: What,
    shape: Option<Shape>,
}

#[derive(Clone, Debug)]
enum What {
    Single(Trial),
    Mean(Vec<Member>),
}

/// A member of a mean, with its weight in purchases and in what is judged.
#[derive(Clone, Debug)]
struct Member {
    trial: Trial,
    in_purchases: f64,
    in_judged: f64,
}

impl Chosen {
    fn of(what: What) -> Self {
        Self { what, shape: None }
    }

    fn is_of_process(&self) -> bool {
        matches!(&self.what, What::Single(trial) if is_of_process(trial))
    }

    fn settings(&self, horizon: Span, scope: &Scope) -> Result<BoxedFit, Error> {
        let settings = self.what.settings(horizon, scope)?;
        Ok(match self.shape {
            Some(shape) => Box::new(Erased(Reshaped::new(settings, shape, horizon))),
            None => settings,
        })
    }
}

impl What {
    fn settings(&self, horizon: Span, scope: &Scope) -> Result<BoxedFit, Error> {
        let members = match self {
            Self::Single(trial) => return settings_of(trial, horizon, scope),
            Self::Mean(members) => members.clone(),
        };
        let names: Vec<String> = members.iter().map(|member| named(&member.trial)).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let purchases: Vec<f64> = members.iter().map(|member| member.in_purchases).collect();
        let judged: Vec<f64> = members.iter().map(|member| member.in_judged).collect();
        let scope = scope.clone();
        let settings = move |name: &str, horizon: Span| {
            let unknown = || Error::NoEstimate { model: "auto", why: "a member of the mean went missing" };
            let member = members.iter().find(|member| named(&member.trial) == name).ok_or_else(unknown)?;
            settings_of(&member.trial, horizon, &scope)
        };
        Ok(Box::new(Erased(Stack::of(&names, settings, horizon)?.weighted(&purchases, &judged)?)))
    }
}

impl fmt::Display for Chosen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.what {
            What::Single(trial) => f.write_str(&named(trial))?,
            What::Mean(members) => {
                let part = |member: &Member| format!("{:.2} {}", member.in_judged, named(&member.trial));
                f.write_str(&members.iter().map(part).collect::<Vec<_>>().join(" + "))?;
            }
        }
        match self.shape {
            Some(shape) => write!(f, "; reshaped (scale {:.2}, power {:.2})", shape.scale(), shape.power()),
            None => Ok(()),
        }
    }
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
