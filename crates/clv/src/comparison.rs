//! Models side by side on one log: how likely, how good over several origins, and in words which to take.
//!
//! ```
//! use clv::comparison::Comparison;
//! use clv::prelude::*;
//!
//! # let model = PurchaseModel::new(ParetoNbd::new(0.9, 8.0, 0.6, 15.0)?, TimeUnit::Week);
//! # let day = |text| Moment::parse_date(text);
//! # let log = Simulation::new(300, day("2022-01-01")?, day("2023-12-31")?, 1)?.run(&model, TimeUnit::Week, None)?;
//! let cut = |text| Moment::parse_date(text).map(|day| Cut::end_of(day, Grain::Day));
//! let splits = [Split::new(cut("2023-06-30")?, cut("2023-12-31")?)?];
//! let found =
//!     Comparison::of(&log, &splits, TimeUnit::Week, &["mean", "nbd", "pareto-nbd"], &Context::default())?;
//! assert_eq!(found.likelihoods().len(), 2);        // the mean has none
//! assert!(found.verdict().iter().any(|line| line.contains("take ")));
//! # Ok::<(), clv::Error>(())
//! ```

use clv_btyd::LikelihoodRatio;
use clv_core::backtest::{Backtest, BoxedFit, Outcome, Scores};
use clv_core::model::{Progress, Reads};
use clv_core::{Context, Error, Split, TimeUnit, TransactionLog, Warning};

/// What models made of a log at each of several origins.
#[derive(Debug)]
pub struct Comparison {
    names: Vec<String>,
    splits: Vec<Split>,
    counted: &'static str,
    /// Origin by origin, each in the order of the names.
    outcomes: Vec<Vec<Result<Outcome, Error>>>,
}

/// A model's fit to the first of the training periods.
#[derive(Clone, Debug, PartialEq)]
pub struct Criteria {
    /// Its name.
    pub name: String,
    /// What its likelihood is of: only within one of these is a higher one better.
    pub of: Reads,
    /// Parameters that were estimated.
    pub parameters: usize,
    /// Log-likelihood.
    pub log_likelihood: f64,
    /// Akaike's criterion.
    pub aic: f64,
    /// Schwarz's criterion.
    pub bic: f64,
}

/// A model that is a case of a larger one.
#[derive(Clone, Debug, PartialEq)]
pub struct Nested {
    /// The smaller one.
    pub smaller: String,
    /// The larger one.
    pub larger: String,
    /// Whether the larger one tells more.
    pub test: LikelihoodRatio,
}

/// A model's scores, meant over the origins.
#[derive(Clone, Debug, PartialEq)]
pub struct MeanScores {
    /// Its name.
    pub name: String,
    /// Forecast total over the actual one; none where nothing came.
    pub of_actual: Option<f64>,
    /// Mean absolute error.
    pub mae: f64,
    /// Root mean squared error.
    pub rmse: f64,
    /// Gini relative to the perfect order.
    pub normalized_gini: Option<f64>,
    /// Mean relative error over deciles.
    pub decile_mape: Option<f64>,
    /// At how many of the origins its squared error was the least.
    pub first_in: usize,
}

/// The smaller of each pair is a case of the larger; those marked lie at the edge of it, where the p-value is about half of what the test says.
const NESTED: [(&str, &str, bool); 8] = [
    ("nbd", "bg-nbd", true),
    ("nbd", "mbg-nbd", true),
    ("nbd", "pareto-nbd", true),
    ("pareto-nbd", "ggom-nbd", true),
    ("sbg", "bdw", false),
    ("exponential-gamma", "weibull-gamma", false),
    ("bg-nbd", "bg-cnbd-k", false),
    ("mbg-nbd", "mbg-cnbd-k", false),
];

/// What the name of a model ends with that has columns of customers beside it.
pub const WITH_COLUMNS: &str = " with columns";
/// And one with columns that change with time.
pub const OVER_TIME: &str = " over time";

/// What anybody could forecast without a model.
const NAIVE: [&str; 5] = ["zero", "mean", "last-period", "rfm-cell-mean", "constant-retention"];

impl Comparison {
    /// Fits models of the shelf by name ([`crate::shelf`]) on the training period of each split, and scores what they forecast of its holdout. A model that
    /// fails is kept with its error.
    ///
    /// # Errors
    ///
    /// [`Error::Unreadable`] for a name that the shelf does not have; as [`Backtest::all`]; [`Error::Stopped`].
    pub fn of<S: AsRef<str>>(
        log: &TransactionLog,
        splits: &[Split],
        unit: TimeUnit,
        names: &[S],
        cx: &Context<'_>,
    ) -> Result<Self, Error> {
        Self::of_backtests(&Backtest::all(log, splits, unit)?, names, cx)
    }

    /// The same of backtests, which may know more than the log.
    ///
    /// # Errors
    ///
    /// As [`Comparison::of`].
    pub fn of_backtests<S: AsRef<str>>(
        backtests: &[Backtest<'_>],
        names: &[S],
        cx: &Context<'_>,
    ) -> Result<Self, Error> {
        let of_one =
            |backtest| names.iter().map(|name| crate::shelf::settings_for(backtest, name.as_ref())).collect();
        let settings: Vec<Vec<BoxedFit>> = backtests.iter().map(of_one).collect::<Result<_, _>>()?;
        Self::of_settings(backtests, names, &settings, cx)
    }

    /// The same of settings of the caller's, backtest by backtest, each in the order of the names.
    ///
    /// # Errors
    ///
    /// [`Error::Length`] if there are not as many; [`Error::Stopped`].
    pub fn of_settings<S: AsRef<str>>(
        backtests: &[Backtest<'_>],
        names: &[S],
        settings: &[Vec<BoxedFit>],
        cx: &Context<'_>,
    ) -> Result<Self, Error> {
        let lengths = settings.iter().map(|one| (one.len(), names.len()));
        for (given, expected) in lengths.chain([(settings.len(), backtests.len())]) {
            if given != expected {
                return Err(Error::Length { column: "settings", given, expected });
            }
        }
        let mut outcomes = Vec::with_capacity(backtests.len());
        for (backtest, settings) in backtests.iter().zip(settings) {
            let mut found = Vec::with_capacity(names.len());
            for (number, (name, settings)) in names.iter().zip(settings).enumerate() {
                found.push(backtest.run(name.as_ref(), settings, cx));
                cx.check()?;
                cx.report(Progress::Model { number: number + 1, of: names.len() });
            }
            outcomes.push(found);
        }
        Ok(Self {
            names: names.iter().map(|name| name.as_ref().to_owned()).collect(),
            splits: backtests.iter().map(Backtest::split).collect(),
            counted: backtests.first().map_or("purchases", Backtest::counted),
            outcomes,
        })
    }

    /// The splits, in their order.
    pub fn splits(&self) -> &[Split] {
        &self.splits
    }

    /// What became of each model at an origin, in the order of the splits and of the names.
    pub fn outcomes(&self, origin: usize) -> impl ExactSizeIterator<Item = (&str, &Result<Outcome, Error>)> {
        self.names.iter().map(String::as_str).zip(&self.outcomes[origin])
    }

    /// The models that could be judged at the first origin.
    fn judged(&self) -> impl Iterator<Item = (&str, &Outcome)> {
        let judged = self.outcomes.first().into_iter().flatten();
        self.names.iter().zip(judged).filter_map(|(name, o)| Some((name.as_str(), o.as_ref().ok()?)))
    }

    /// The models with a likelihood, those whose likelihoods are of the same beside each other, and among these the best by BIC first.
    pub fn likelihoods(&self) -> Vec<Criteria> {
        let one = |(name, outcome): (&str, &Outcome)| {
            let report = &outcome.report;
            Some(Criteria {
                name: name.to_owned(),
                of: outcome.reads,
                parameters: report.free_parameters(),
                log_likelihood: report.log_likelihood?,
                aic: report.aic()?,
                bic: report.bic()?,
            })
        };
        let found: Vec<Criteria> = self.judged().filter_map(one).collect();
        // Where columns move spend alone it is the same model of purchases twice.
        let is_again = |of: &Criteria| {
            of.name.strip_suffix(WITH_COLUMNS).is_some_and(|plain| {
                let same = |other: &&Criteria| other.name == plain && other.parameters == of.parameters;
                found.iter().find(same).is_some_and(|other| other.log_likelihood == of.log_likelihood)
            })
        };
        let mut all: Vec<Criteria> = found.iter().filter(|of| !is_again(of)).cloned().collect();
        all.sort_by(|a, b| a.of.cmp(&b.of).then(a.bic.total_cmp(&b.bic)));
        all
    }

    /// Likelihood-ratio tests of those that are cases of each other.
    pub fn nested(&self) -> Vec<Nested> {
        let report = |wanted: &str| {
            self.judged().find(|(name, _)| *name == wanted).map(|(_, outcome)| &outcome.report)
        };
        let one = |(smaller, larger, at_edge): (&str, &str, bool)| {
            let mut test = LikelihoodRatio::between(report(smaller)?, report(larger)?).ok()?;
            if at_edge {
                test.p_value /= 2.0;
            }
            Some(Nested { smaller: smaller.to_owned(), larger: larger.to_owned(), test })
        };
        // The same model with columns has those without at coefficients of 0.
        let moved = [WITH_COLUMNS, OVER_TIME].into_iter().flat_map(|more| {
            self.judged().filter_map(move |(name, _)| Some((name.strip_suffix(more)?, name, false)))
        });
        NESTED.into_iter().chain(moved).filter_map(one).collect()
    }

    /// What does not tell its parameters: the name, and what its fit warns of.
    pub fn not_identified(&self) -> Vec<(&str, &Warning)> {
        let is_loose = |w: &Warning| matches!(w, Warning::FlatDirection { .. } | Warning::AtBoundary { .. });
        let mut found: Vec<(&str, &Warning)> = Vec::new();
        for (name, outcome) in self.judged() {
            let own = outcome.report.warnings.iter().map(|warning| (name, warning));
            // Spend is fitted beside each of them, and is the same every time.
            let beside = outcome.report.beside.iter().flat_map(|r| r.warnings.iter().map(|w| (r.model, w)));
            for one in own.chain(beside).filter(|(_, warning)| is_loose(warning)) {
                if !found.contains(&one) {
                    found.push(one);
                }
            }
        }
        found
    }

    /// Mean scores of purchases over the origins, of the models that could be judged at each.
    pub fn purchases(&self) -> Vec<MeanScores> {
        self.means(|outcome| Some(&outcome.purchases))
    }

    /// Mean scores of value over the origins, of the models that say value at each.
    pub fn value(&self) -> Vec<MeanScores> {
        self.means(|outcome| outcome.value.as_ref())
    }

    fn means(&self, of: impl Fn(&Outcome) -> Option<&Scores>) -> Vec<MeanScores> {
        let judged: Vec<(&String, Vec<&Scores>)> = self
            .names
            .iter()
            .enumerate()
            .filter_map(|(place, name)| {
                let scores: Option<Vec<&Scores>> =
                    self.outcomes.iter().map(|origin| of(origin[place].as_ref().ok()?)).collect();
                Some((name, scores?))
            })
            .collect();
        let n = self.outcomes.len() as f64;
        let least = |origin: usize| {
            let rmse = |place: &usize| judged[*place].1[origin].rmse;
            let first = (0..judged.len()).min_by(|a, b| rmse(a).total_cmp(&rmse(b)))?;
            // Of two that are the same neither is ahead.
            let is_same = |other: usize| other != first && rmse(&other) <= rmse(&first) * (1.0 + 1e-9);
            (!(0..judged.len()).any(is_same)).then_some(first)
        };
        let firsts: Vec<Option<usize>> = (0..self.outcomes.len()).map(least).collect();
        let one = |(place, (name, scores)): (usize, &(&String, Vec<&Scores>))| {
            let mean = |of: &dyn Fn(&Scores) -> Option<f64>| {
                let all: Option<Vec<f64>> = scores.iter().map(|s| of(s)).collect();
                all.map(|all| all.iter().sum::<f64>() / n)
            };
            MeanScores {
                name: (*name).clone(),
                of_actual: mean(&|s| (s.total_actual > 0.0).then(|| s.total_predicted / s.total_actual)),
                mae: scores.iter().map(|s| s.mae).sum::<f64>() / n,
                rmse: scores.iter().map(|s| s.rmse).sum::<f64>() / n,
                normalized_gini: mean(&|s| s.normalized_gini),
                decile_mape: mean(&|s| s.decile_mape),
                first_in: firsts.iter().filter(|first| **first == Some(place)).count(),
            }
        };
        judged.iter().enumerate().map(one).collect()
    }

    /// Which to take, and what to beware of, in sentences.
    pub fn verdict(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let criteria = self.likelihoods();
        let is_of_one = criteria.iter().all(|c| c.of == criteria[0].of);
        for alike in criteria.chunk_by(|a, b| a.of == b.of) {
            let [first, second, ..] = alike else { continue };
            lines.push(by_bic(first, second, !is_of_one));
        }
        if !is_of_one {
            lines.push(OF_DIFFERENT_DATA.to_owned());
        }
        for Nested { smaller, larger, test } in self.nested() {
            let says = if test.p_value < 0.05 {
                format!("{larger} tells more of the training period than its case {smaller}")
            } else {
                format!("{larger} tells no more of the training period than its case {smaller}")
            };
            let LikelihoodRatio { statistic, degrees, p_value } = test;
            let p = if p_value < 0.001 { "p < .001".to_owned() } else { format!("p = {p_value:.3}") };
            let more = if degrees == 1 { "parameter" } else { "parameters" };
            lines.push(format!("{says} (likelihood ratio {statistic:.2} for {degrees} {more} more, {p})."));
        }
        for (name, warning) in self.not_identified() {
            lines.push(format!("Of {name}: {warning}."));
        }
        for (what, scores) in [(self.counted, self.purchases()), ("value", self.value())] {
            lines.extend(self.by_forecast(what, &scores, &criteria));
        }
        lines
    }

    /// By the error of what was forecast; of models that are as good the one that is simpler.
    fn by_forecast(&self, what: &str, scores: &[MeanScores], criteria: &[Criteria]) -> Option<String> {
        let mut order: Vec<&MeanScores> = scores.iter().collect();
        order.sort_by(|a, b| a.rmse.total_cmp(&b.rmse));
        let (best, next) = (order.first()?, order.get(1)?);
        let n = self.splits.len();
        let origins = if n == 1 { "at the one origin".to_owned() } else { format!("over {n} origins") };
        let mut line = format!(
            "Of {what} {} has the least squared error {origins}, its RMSE {:.1}% below that of {}",
            best.name,
            100.0 * (1.0 - best.rmse / next.rmse),
            next.name
        );
        if n > 1 {
            line += &format!(", and was first in {} of {n}", best.first_in);
        }
        let is_naive = |name: &str| NAIVE.contains(&name);
        if scores.iter().all(|s| is_naive(&s.name)) {
            return Some(format!(
                "{line}; no model was judged beside what anybody could forecast without one."
            ));
        }
        if is_naive(&best.name) {
            return Some(format!("{line}: no model is worth more than it; take {}.", best.name));
        }
        let of = |name: &str| criteria.iter().find(|c| c.name == name);
        let parameters = |name: &str| of(name).map(|c| c.parameters);
        // Not where the training period says beyond doubt that it is too simple.
        let simpler = |other: &&&MeanScores| {
            let fewer = of(&other.name).zip(of(&best.name)).is_some_and(|(a, b)| {
                a.parameters < b.parameters && (a.of != b.of || a.bic - b.bic < BEYOND_DOUBT)
            });
            fewer && other.rmse < AS_GOOD * best.rmse
        };
        // A parameter that ran away speaks for the other of two that are as good.
        let ran_away = |name: &str| {
            let is_at_edge = |w: &Warning| matches!(w, Warning::AtBoundary { .. });
            self.judged().any(|(n, o)| n == name && o.report.warnings.iter().any(is_at_edge))
        };
        let key = |other: &&&MeanScores| (ran_away(&other.name), parameters(&other.name));
        Some(match order.iter().filter(simpler).min_by_key(key) {
            Some(other) => {
                format!("{line}; {} is as good with fewer parameters: take {}.", other.name, other.name)
            }
            None if next.rmse < AS_GOOD * best.rmse => match (ran_away(&best.name), ran_away(&next.name)) {
                (_, true) => format!("{line}: take {}.", best.name),
                (true, false) if of(&next.name).is_some() => format!(
                    "{line}; {} is as good, and none of its parameters ran away: take {}.",
                    next.name, next.name
                ),
                _ => match said_by_training(of(&best.name), of(&next.name)) {
                    Some((name, why)) => format!("{line}: as good as each other, and {why}: take {name}."),
                    None => format!(
                        "{line}: as good as each other; take either of {} and {}.",
                        best.name, next.name
                    ),
                },
            },
            None => format!("{line}: take {}.", best.name),
        })
    }
}

/// Of two that forecast as well the one that the training period speaks for beyond doubt, or that has fewer parameters.
fn said_by_training<'a>(
    best: Option<&'a Criteria>,
    next: Option<&'a Criteria>,
) -> Option<(&'a str, &'static str)> {
    let (a, b) = best.zip(next)?;
    if a.of == b.of && (a.bic - b.bic).abs() > BEYOND_DOUBT {
        let likelier = if a.bic < b.bic { a } else { b };
        return Some((&likelier.name, "the training period speaks for one of them beyond doubt"));
    }
    let fewer = if a.parameters < b.parameters { a } else { b };
    (a.parameters != b.parameters).then_some((&fewer.name, "one has fewer parameters"))
}

/// A difference in BIC that is beyond doubt.
const BEYOND_DOUBT: f64 = 10.0;

/// An error greater by less than half a percent is as good.
const AS_GOOD: f64 = 1.005;

const OF_DIFFERENT_DATA: &str = "Likelihoods of the times of purchases, of bought or not by the period, and of contracts are of different data: across \
                                 these neither ln L nor AIC nor BIC tells the better model; the forecasts below do.";

/// The better of two by BIC, in the words of Kass and Raftery (1995) on twice the logarithm of a Bayes factor.
fn by_bic(first: &Criteria, second: &Criteria, says_of_what: bool) -> String {
    let by = second.bic - first.bic;
    let how = match by {
        by if by > BEYOND_DOUBT => "and that is beyond doubt",
        by if by > 2.0 => "and that is a sign, no more",
        _ => "and that is next to nothing",
    };
    let of = match first.of {
        _ if !says_of_what => "",
        Reads::Purchases => ", of the models of the times of purchases,",
        Reads::Periods => ", of the models of bought or not by the period,",
        Reads::Renewals | Reads::Tenures => ", of the models of contracts,",
    };
    format!(
        "By BIC{of} {} tells most of the training period, ahead of {} by {by:.1}, {how}.",
        first.name, second.name
    )
}
