//! Naive forecasts that a model has to beat.
//!
//! * [`Zero`]: nobody buys again.
//! * [`MeanOfAll`]: everybody does what the average customer did.
//! * [`LastPeriod`]: everybody repeats their last period.
//! * [`OwnMeanSpend`]: everybody pays what they have paid so far on average.
//! * [`RfmCellMean`]: everybody does what customers of the same recency, frequency and spend did.
//! * [`ConstantRetention`]: of contracts, the share of renewals that were made is that of those to come.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::features::Feature;
use crate::model::{
    Answers, Ask, Context, Customers, Fit, FitReport, Fitted, ForecastMut, Horizons, Kind, Labelled, Predict,
    Scratch, Totals, Training, predict_totals,
};
use crate::rfm::RfmScores;
use crate::saved::{Registry, SaveWriter};
use crate::units::{Span, TimeUnit};

pub use crate::retention::{ConstantRetention, RetentionModel};

/// Nobody buys again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Zero;

/// Everybody does what the average customer did over the last horizon.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MeanOfAll {
    /// How far ahead.
    pub horizon: Span,
}

/// Everybody repeats what they did over the last horizon, first purchases included.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LastPeriod {
    /// How far ahead, and back.
    pub horizon: Span,
}

/// Everybody does what customers of the same RFM cell did over the last horizon.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RfmCellMean {
    /// How far ahead.
    pub horizon: Span,
    /// Quantiles per dimension; 5 is customary, 3 leaves more customers per cell.
    pub bins: usize,
}

/// A fitted baseline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Baseline {
    unit: TimeUnit,
    /// `None`: the answer is the same for every horizon.
    horizon: Option<Span>,
    has_value: bool,
    rule: Rule,
    needs: Vec<Feature>,
    /// Their names.
    names: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Rule {
    Zero,
    Mean(Totals),
    LastPeriod,
    Cells { scores: RfmScores, cells: Vec<([usize; 3], Totals)>, mean: Totals },
}

impl Fit for Zero {
    type Model = Baseline;
    fn fit(&self, data: &Training<'_>, _: &Context<'_>) -> Result<Fitted<Baseline>> {
        Ok(fitted(data, None, Rule::Zero, Vec::new(), None))
    }
}

impl Fit for MeanOfAll {
    type Model = Baseline;
    fn fit(&self, data: &Training<'_>, _: &Context<'_>) -> Result<Fitted<Baseline>> {
        let labelled = data.labelled(self.horizon, &[])?;
        let mean = mean_outcome(&labelled, 0..labelled.purchases.len());
        Ok(fitted(data, Some(self.horizon), Rule::Mean(mean), Vec::new(), Some(&labelled)))
    }
}

impl Fit for LastPeriod {
    type Model = Baseline;
    fn fit(&self, data: &Training<'_>, _: &Context<'_>) -> Result<Fitted<Baseline>> {
        let mut needs = vec![Feature::PurchasesWithin(self.horizon)];
        if data.summary().spend.is_some() {
            needs.push(Feature::ValueWithin(self.horizon));
        }
        Ok(fitted(data, Some(self.horizon), Rule::LastPeriod, needs, None))
    }
}

impl Fit for RfmCellMean {
    type Model = Baseline;
    fn fit(&self, data: &Training<'_>, _: &Context<'_>) -> Result<Fitted<Baseline>> {
        if self.bins == 0 {
            return Err(Error::Setting { name: "bins", given: 0.0, allowed: "at least 1" });
        }
        let labelled = data.labelled(self.horizon, &[])?;
        let who = labelled.summary.customers();
        let scores = RfmScores::learn(&who, self.bins);
        let mut members: BTreeMap<[usize; 3], Vec<usize>> = BTreeMap::new();
        for row in 0..who.len() {
            members.entry(scores.score(&who, row)).or_default().push(row);
        }
        let cells = members
            .into_iter()
            .map(|(score, rows)| (score, mean_outcome(&labelled, rows.into_iter())))
            .collect();
        let mean = mean_outcome(&labelled, 0..who.len());
        let rule = Rule::Cells { scores, cells, mean };
        Ok(fitted(data, Some(self.horizon), rule, Vec::new(), Some(&labelled)))
    }
}

fn mean_outcome(labelled: &Labelled, rows: impl Iterator<Item = usize>) -> Totals {
    let (mut sum, mut n) = (Totals::default(), 0.0);
    for row in rows {
        sum.purchases += labelled.purchases[row];
        sum.value += labelled.value.as_ref().map_or(0.0, |v| v[row]);
        n += 1.0;
    }
    Totals { purchases: sum.purchases / n * labelled.scale, value: sum.value / n * labelled.scale }
}

fn fitted(
    data: &Training<'_>,
    horizon: Option<Span>,
    rule: Rule,
    needs: Vec<Feature>,
    labelled: Option<&Labelled>,
) -> Fitted<Baseline> {
    let summary = data.summary();
    let model = Baseline {
        unit: summary.unit,
        horizon,
        has_value: summary.spend.is_some(),
        rule,
        names: needs.iter().map(Feature::name).collect(),
        needs,
    };
    let mut report = FitReport::new(model.kind().name, summary.unit, summary.len());
    if let (Some(labelled), Some(horizon)) = (labelled, horizon) {
        report.warnings.extend(labelled.short_window(horizon));
    }
    Fitted { model, report }
}

impl Predict for Baseline {
    fn kind(&self) -> Kind {
        let name = match self.rule {
            Rule::Zero => "zero",
            Rule::Mean(_) => "mean",
            Rule::LastPeriod => "last-period",
            Rule::Cells { .. } => "rfm-cell-mean",
        };
        Kind::new(name, 1)
    }

    fn unit(&self) -> TimeUnit {
        self.unit
    }

    fn answers(&self) -> Answers {
        Answers::totals(self.has_value, self.horizon.map_or(Horizons::Any, Horizons::Only))
    }

    fn needs(&self) -> &[Feature] {
        &self.needs
    }

    fn predict_into(
        &self,
        who: &Customers<'_>,
        ask: &Ask,
        scratch: &mut Scratch,
        out: &mut ForecastMut<'_>,
    ) -> Result<()> {
        predict_totals(self, &self.names, who, ask, scratch, out, |row, values, _| {
            Ok(match &self.rule {
                Rule::Zero => Totals::default(),
                Rule::Mean(mean) => *mean,
                Rule::LastPeriod => {
                    Totals { purchases: values[0], value: values.get(1).copied().unwrap_or(0.0) }
                }
                Rule::Cells { scores, cells, mean } => {
                    let score = scores.score(who, row);
                    cells.binary_search_by_key(&score, |(s, _)| *s).map_or(*mean, |i| cells[i].1)
                }
            })
        })
    }

    fn save(&self, to: &mut SaveWriter) -> Result<()> {
        to.field("baseline", self)
    }
}

pub use crate::mean_spend::{MeanSpend, OwnMeanSpend};

pub(crate) fn register(registry: &mut Registry) {
    crate::mean_spend::register(registry);
    crate::retention::register(registry);
    for name in ["zero", "mean", "last-period", "rfm-cell-mean"] {
        registry.register(Kind::new(name, 1), |saved, _| Ok(Box::new(saved.field::<Baseline>("baseline")?)));
    }
}
