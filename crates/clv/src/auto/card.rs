//! What a model is, what it was made of, and how good it is.

use std::fmt;

use clv_core::metrics::{Pairs, errors, ranking};
use clv_core::tune::Objective;
use clv_core::{Cut, Error, FeatureMatrix, Moment, Training, TransactionLog};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

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
    pub(super) fn of(log: &TransactionLog, training: &Training<'_>, cut: Cut) -> Result<Self, Error> {
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
    /// Each column.
    pub columns: Vec<ReferenceColumn>,
}

/// A column as it was.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ReferenceColumn {
    /// Its name.
    pub name: String,
    /// Percentiles 0, 5, … 100 of what is known; none if nothing is.
    pub percentiles: Vec<f64>,
    /// The share of customers of whom it is not known.
    pub missing: f64,
}

impl Reference {
    pub(super) fn of(features: &FeatureMatrix) -> Self {
        let column = |c: usize| {
            let mut known: Vec<f64> = features.column(c).filter(|v| !v.is_nan()).collect();
            known.sort_by(f64::total_cmp);
            let at = |share: usize| known.get(known.len().saturating_sub(1) * share / 20).copied();
            ReferenceColumn {
                name: features.names()[c].clone(),
                percentiles: (0..=20).filter_map(at).collect(),
                missing: 1.0 - known.len() as f64 / features.rows() as f64,
            }
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
    /// By how much a mean of several lowered the loss in the search beside the best one. It is taken unless it raised it by
    /// more than a standard error.
    pub mean_gain: Option<Gain>,
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
    /// How many columns there were to read beyond the purchases.
    pub offered: usize,
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
        if let Some(Gain { estimate, error }) = self.mean_gain {
            let way = if estimate > 0.0 { "lowered" } else { "raised" };
            let taken = if estimate < -error {
                "was not taken"
            } else if estimate < 0.0 {
                "was taken all the same: the best of many is the luckiest, and less than a standard error is no sign"
            } else {
                "was taken"
            };
            writeln!(
                f,
                "A mean of several of these {way} the loss there by {:.4} beside the best one (standard error {error:.4}), and {taken}.",
                estimate.abs()
            )?;
        }
        writeln!(f, "What is handed over was then fitted again on everything until {}.", self.judged_until)?;
        writeln!(
            f,
            "\n## Scores\n\nTrained until {}, judged until {}; the search saw nothing of this. In total {:.2} were forecast and {:.2} came of those who had bought before.\n",
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
        if self.model.contains("broad ") {
            writeln!(
                f,
                "\n`broad` in a model's settings: it reads the history's own columns (0), those of rhythm, trend, amounts and calendar as well (1), or all that is known beyond the purchases too (2)."
            )?;
        }
        if !self.features.is_empty() {
            writeln!(f, "\n## Columns\n\nBeside the history: {}.", self.features.join(", "))?;
            if self.offered > 0 {
                writeln!(f, "{} columns beyond the purchases were there to choose from.", self.offered)?;
            }
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
pub(super) enum Metric {
    Mae,
    Rmse,
    Gini,
    Spearman,
    DecileMape,
    Bias,
}

impl Metric {
    pub(super) const ALL: [Self; 6] =
        [Self::Mae, Self::Rmse, Self::Gini, Self::Spearman, Self::DecileMape, Self::Bias];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Mae => "MAE",
            Self::Rmse => "RMSE",
            Self::Gini => "normalised Gini",
            Self::Spearman => "Spearman",
            Self::DecileMape => "decile MAPE",
            Self::Bias => "bias",
        }
    }

    pub(super) fn of(self, actual: &[f64], forecast: &[f64], weights: &[f64]) -> Option<f64> {
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
