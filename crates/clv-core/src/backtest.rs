//! How good was the forecast? Fit on the past, forecast the holdout, compare.

use std::sync::Arc;

use crate::contracts::Contracts;
use crate::cut::{Cut, Split};
use crate::error::{Error, Result};
use crate::features::{NothingMore, Source};
use crate::log::TransactionLog;
use crate::metrics::{Pairs, errors, ranking};
use crate::model::{Ask, Context, Fit, FitReport, Fitted, Predict, Progress, Reads, Training};
use crate::summary::{Purchases, Summary};
use crate::units::{Span, TimeUnit};

/// Settings of any model, under one roof.
pub type BoxedFit = Box<dyn Fit<Model = Box<dyn Predict>>>;

/// A split log, with what the holdout brought.
#[derive(Debug)]
pub struct Backtest<'a> {
    split: Split,
    unit: TimeUnit,
    horizon: Span,
    known: Known,
    beyond: &'a dyn Source,
    actual_purchases: Vec<f64>,
    actual_value: Option<Vec<f64>>,
}

/// What a backtest is of.
#[derive(Debug)]
enum Known {
    Purchases(Arc<Purchases>),
    /// Contracts: what is learned from, and those that go on, of which the holdout is forecast.
    Contracts(Box<Contracted>),
}

#[derive(Debug)]
struct Contracted {
    learned: Summary,
    asked: Summary,
    counted: &'static str,
}

/// Scores of one quantity.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Scores {
    /// Mean squared error.
    pub mse: f64,
    /// Mean absolute error.
    pub mae: f64,
    /// Root mean squared error.
    pub rmse: f64,
    /// Median absolute error.
    pub median_ae: f64,
    /// Mean of forecast minus actual.
    pub bias: f64,
    /// Coefficient of determination.
    pub r2: Option<f64>,
    /// Rank correlation.
    pub spearman: Option<f64>,
    /// Gini relative to the perfect order.
    pub normalized_gini: Option<f64>,
    /// Mean relative error over deciles.
    pub decile_mape: Option<f64>,
    /// Sum of forecasts.
    pub total_predicted: f64,
    /// Sum of actuals.
    pub total_actual: f64,
}

impl Scores {
    /// All scores of what was forecast.
    ///
    /// # Errors
    ///
    /// As [`Pairs::new`].
    pub fn of(actual: &[f64], forecast: &[f64]) -> Result<Self> {
        Ok(Self::of_pairs(&Pairs::new(actual, forecast)?))
    }

    /// All scores of a set of pairs; the totals are weighted sums.
    pub fn of_pairs(pairs: &Pairs<'_>) -> Self {
        Self {
            mse: errors::mse(pairs),
            mae: errors::mae(pairs),
            rmse: errors::rmse(pairs),
            median_ae: errors::median_ae(pairs),
            bias: errors::bias(pairs),
            r2: errors::r2(pairs),
            spearman: ranking::spearman(pairs),
            normalized_gini: ranking::normalized_gini(pairs),
            decile_mape: ranking::decile_mape(pairs),
            total_predicted: pairs.rows().map(|(_, forecast, weight)| weight * forecast).sum(),
            total_actual: pairs.rows().map(|(actual, _, weight)| weight * actual).sum(),
        }
    }
}

/// How one model did.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Outcome {
    /// Its name.
    pub name: String,
    /// The story of its fit.
    pub report: FitReport,
    /// Which histories it reads: likelihoods of unlike ones are of different data.
    pub reads: Reads,
    /// Purchases in the holdout.
    pub purchases: Scores,
    /// Money in the holdout, undiscounted, margin 1; absent without amounts or without a value model.
    pub value: Option<Scores>,
    /// Customers whose value the model leaves undefined; they are not in the value scores.
    pub value_undefined: usize,
    /// Mean P(alive), for models that have one.
    pub mean_p_alive: Option<f64>,
}

/// What a model said of the holdout, one entry a customer of the training period.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Forecasted {
    /// The story of the fit.
    pub report: FitReport,
    /// Which histories the model reads.
    pub reads: Reads,
    /// Purchases.
    pub purchases: Vec<f64>,
    /// Money, undiscounted, margin 1; nothing for a customer whose value the model leaves undefined, and
    /// nothing at all if it does not say value.
    pub value: Option<Vec<Option<f64>>>,
    /// P(alive), if it has one.
    pub p_alive: Option<Vec<f64>>,
}

impl<'a> Backtest<'a> {
    /// Splits a log.
    ///
    /// # Errors
    ///
    /// As [`Purchases::summary`].
    pub fn new(log: &TransactionLog, split: Split, unit: TimeUnit) -> Result<Self> {
        Self::of(Arc::new(Purchases::of(log, split.train.grain())?), split, unit)
    }

    /// Splits whose holdouts of one length follow each other and the last of which ends at `end`, at most
    /// `count` of them and as many as leave at least as long a past before the first; the newest first.
    ///
    /// # Errors
    ///
    /// As [`Backtest::new`]; [`Error::TooLittleData`] if the log is shorter than two holdouts.
    pub fn rolling(
        log: &TransactionLog,
        end: Cut,
        horizon: Span,
        count: usize,
        unit: TimeUnit,
    ) -> Result<Vec<Self>> {
        let purchases = Arc::new(Purchases::of(log, end.grain())?);
        let needs = "a log at least twice as long as the holdout";
        let too_little = || Error::TooLittleData { model: "a backtest", needs, found: log.len() };
        let (first, _) = log.span().ok_or_else(too_little)?;
        let first = Cut::end_of(first, end.grain()).plus(horizon);
        let splits = Split::rolling_origins(first, end, horizon, horizon)?;
        if splits.is_empty() {
            return Err(too_little());
        }
        splits.into_iter().rev().take(count).map(|split| Self::of(purchases.clone(), split, unit)).collect()
    }

    /// Several splits of one log, in their order.
    ///
    /// # Errors
    ///
    /// As [`Backtest::new`]; [`Error::Setting`] if the splits have unlike grains.
    pub fn all(log: &TransactionLog, splits: &[Split], unit: TimeUnit) -> Result<Vec<Self>> {
        let Some(first) = splits.first() else { return Ok(Vec::new()) };
        let grain = first.train.grain();
        if splits.iter().any(|split| split.train.grain() != grain || split.holdout.grain() != grain) {
            let (given, allowed) = (splits.len() as f64, "of one grain");
            return Err(Error::Setting { name: "splits", given, allowed });
        }
        let purchases = Arc::new(Purchases::of(log, grain)?);
        splits.iter().map(|split| Self::of(purchases.clone(), *split, unit)).collect()
    }

    fn of(purchases: Arc<Purchases>, split: Split, unit: TimeUnit) -> Result<Self> {
        let training = Training::new(&purchases, split.train, unit)?;
        let rows = &training.summary().customer;
        let outcomes = rows.iter().map(|&c| purchases.between(c, &split.train, &split.holdout));
        let (counts, values): (Vec<f64>, Vec<f64>) = outcomes.map(|(n, v)| (f64::from(n), v)).unzip();
        let actual_value = training.summary().spend.is_some().then_some(values);
        let (horizon, known) = (split.horizon(), Known::Purchases(purchases));
        Ok(Self { split, unit, horizon, actual_purchases: counts, actual_value, known, beyond: &NothingMore })
    }

    /// Splits contracts, for models that read these histories of them. What is counted as purchases is what they forecast: renewals made in the holdout, or, of
    /// models of how long contracts last, the whole units from the cut on that a contract still lasted.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] unless the holdout is a whole number of units of the calendar; [`Error::CannotSay`] for models of purchases; as
    /// [`Contracts::renewals`].
    pub fn of_contracts(contracts: &Contracts, split: Split, unit: TimeUnit, reads: Reads) -> Result<Self> {
        let units = split.train.units_until(&split.holdout, unit)?;
        let (cut, end) = (split.train, split.holdout);
        let (learned, mut asked, mut actual, counted) = match reads {
            Reads::Renewals => {
                let made = contracts.renewals_within(cut, end, unit);
                (contracts.renewals_due(cut, unit)?, contracts.renewals(cut, unit)?, made, "renewals")
            }
            Reads::Tenures => {
                let tenures = contracts.tenures(cut, unit)?;
                (tenures.clone(), tenures, contracts.units_within(cut, end, units, unit), "whole units")
            }
            Reads::Purchases | Reads::Periods => {
                let hint = ": take the models of contracts";
                return Err(Error::CannotSay { model: "a model of purchases", quantity: "contracts", hint });
            }
        };
        // Of what has ended there is nothing to forecast.
        let goes_on: Vec<bool> = asked.recency.iter().zip(&asked.age).map(|(t_x, age)| t_x == age).collect();
        asked.retain(&goes_on);
        let mut goes_on = goes_on.iter();
        actual.retain(|_| goes_on.next().is_some_and(|goes_on| *goes_on));
        if asked.is_empty() {
            let needs = "contracts that go on at the end of training";
            return Err(Error::TooLittleData { model: "a backtest", needs, found: 0 });
        }
        Ok(Self {
            split,
            unit,
            horizon: Span::new(f64::from(units), unit)?,
            known: Known::Contracts(Box::new(Contracted { learned, asked, counted })),
            beyond: &NothingMore,
            actual_purchases: actual,
            actual_value: None,
        })
    }

    /// With what a source knows beyond the purchases, for settings that ask for it.
    pub fn knowing(self, source: &'a dyn Source) -> Self {
        Self { beyond: source, ..self }
    }

    /// The training period: all that a model may see.
    ///
    /// # Errors
    ///
    /// As [`Training::new`].
    pub fn training(&self) -> Result<Training<'_>> {
        let training = match &self.known {
            Known::Purchases(purchases) => Training::new(purchases, self.split.train, self.unit)?,
            Known::Contracts(of) => Training::from_summary(of.learned.clone()),
        };
        Ok(training.knowing(self.beyond))
    }

    /// What is counted: purchases, or of contracts renewals or whole units.
    pub fn counted(&self) -> &'static str {
        match &self.known {
            Known::Purchases(_) => "purchases",
            Known::Contracts(of) => of.counted,
        }
    }

    /// How long the holdout is.
    pub fn horizon(&self) -> Span {
        self.horizon
    }

    /// What is known beyond the purchases.
    pub fn source(&self) -> &'a dyn Source {
        self.beyond
    }

    /// The split.
    pub fn split(&self) -> Split {
        self.split
    }

    /// Purchases of each customer in the holdout, or what else is counted.
    pub fn actual_purchases(&self) -> &[f64] {
        &self.actual_purchases
    }

    /// Money of each customer in the holdout.
    pub fn actual_value(&self) -> Option<&[f64]> {
        self.actual_value.as_deref()
    }

    /// Fits settings on the training period and scores the forecast of the holdout.
    ///
    /// # Errors
    ///
    /// As the fit and the forecast; [`Error::CannotSay`] for a model that does not say purchases.
    pub fn run(
        &self,
        name: &str,
        settings: &dyn Fit<Model = Box<dyn Predict>>,
        cx: &Context<'_>,
    ) -> Result<Outcome> {
        let Forecasted { report, reads, purchases, value: said, p_alive } = self.forecast(settings, cx)?;
        let mut value_undefined = 0;
        let value = match (said, &self.actual_value) {
            (Some(value), Some(actual)) => {
                let (said, done): (Vec<f64>, Vec<f64>) =
                    value.iter().zip(actual).filter_map(|(v, a)| v.map(|v| (v, *a))).unzip();
                value_undefined = value.len() - said.len();
                if said.is_empty() { None } else { Some(Scores::of(&done, &said)?) }
            }
            _ => None,
        };
        Ok(Outcome {
            name: name.to_owned(),
            report,
            reads,
            purchases: Scores::of(&self.actual_purchases, &purchases)?,
            value,
            value_undefined,
            mean_p_alive: p_alive.map(|p| p.iter().sum::<f64>() / p.len() as f64),
        })
    }

    /// Fits settings on the training period and forecasts the holdout.
    ///
    /// # Errors
    ///
    /// As [`Backtest::run`].
    pub fn forecast(
        &self,
        settings: &dyn Fit<Model = Box<dyn Predict>>,
        cx: &Context<'_>,
    ) -> Result<Forecasted> {
        let training = self.training()?;
        let Fitted { model, report } = settings.fit(&training, cx)?;
        let ask = Ask::over(self.horizon);
        let forecast = match &self.known {
            Known::Purchases(_) => training.forecast(&model, &ask)?,
            Known::Contracts(of) => {
                Training::from_summary(of.asked.clone()).knowing(self.beyond).forecast(&model, &ask)?
            }
        };
        let purchases = forecast.purchases.ok_or(Error::CannotSay {
            model: model.kind().name,
            quantity: "purchases",
            hint: "",
        })?;
        let (reads, value, p_alive) = (model.reads(), forecast.value, forecast.p_alive);
        Ok(Forecasted { report, reads, purchases, value, p_alive })
    }

    /// Runs a shelf of settings in order.
    ///
    /// # Errors
    ///
    /// As the first that fails.
    pub fn compare(&self, shelf: &[(String, BoxedFit)], cx: &Context<'_>) -> Result<Vec<Outcome>> {
        let mut outcomes = Vec::with_capacity(shelf.len());
        for (i, (name, settings)) in shelf.iter().enumerate() {
            cx.check()?;
            outcomes.push(self.run(name, settings, cx)?);
            cx.report(Progress::Model { number: i + 1, of: shelf.len() });
        }
        Ok(outcomes)
    }
}
