//! Linear models of what customers do next.
//!
//! [`LinearRegression`] learns, by ordinary least squares, purchases and money within a horizon from
//! what was known before it. It is the plainest learner there is: a yardstick for trees and networks.
//!
//! # What it does not do
//!
//! Regularisation, generalised linear models and intervals are not here yet.

mod least_squares;

use clv_core::model::{Answers, Horizons, Kind, Plan, Totals, predict_totals};
use clv_core::saved::{Registry, SaveWriter};
use clv_core::{
    Ask, Context, Customers, Error, Feature, Fit, FitReport, Fitted, ForecastMut, Predict, Scratch, Span,
    TimeUnit, Training, Warning,
};

use self::least_squares::Line;

const KIND: Kind = Kind { name: "linear", version: 1 };

/// Settings of a linear regression on features.
///
/// | Name | Default | Why |
/// | :-- | :-- | :-- |
/// | `horizon` | – | must be said: a regression answers for the horizon it learned |
/// | `features` | the summary's columns | frequency, recency, age, and mean spend if there are amounts |
///
/// It is trained as of one horizon before the cut, on what happened in between. If the past is too
/// short for that, on a shorter window, scaled up, with a [`Warning::ShortWindow`].
///
/// ```
/// use clv_core::Span;
/// let settings = clv_linear::LinearRegression::over(Span::weeks(39.0)?);
/// # let _ = settings;
/// # Ok::<(), clv_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct LinearRegression {
    horizon: Span,
    features: Option<Vec<Feature>>,
}

impl LinearRegression {
    /// On the summary's columns, for a horizon.
    pub fn over(horizon: Span) -> Self {
        Self { horizon, features: None }
    }

    /// On other columns.
    pub fn features(self, features: Vec<Feature>) -> Self {
        Self { features: Some(features), ..self }
    }
}

impl Fit for LinearRegression {
    type Model = LinearModel;

    fn fit(&self, data: &Training<'_>, cx: &Context<'_>) -> Result<Fitted<LinearModel>, Error> {
        cx.check()?;
        let summary = data.summary();
        let features = self.features.clone().unwrap_or_else(|| Feature::of_summary(summary.spend.is_some()));
        let plan = Plan::new(summary.unit, self.horizon, features)?;
        let labelled = data.labelled(self.horizon, &plan.features)?;
        let rows = &labelled.features;
        let mut report = FitReport::new(KIND.name, summary.unit, summary.len());
        report.rows = labelled.purchases.len();
        let (purchases, mut collinear) = Line::fit(rows, &labelled.purchases, labelled.scale)?;
        let value = match &labelled.value {
            None => None,
            Some(target) => {
                let (line, also) = Line::fit(rows, target, labelled.scale)?;
                collinear.extend(also);
                Some(line)
            }
        };
        collinear.sort_unstable();
        collinear.dedup();
        if !collinear.is_empty() {
            let columns = collinear.into_iter().map(|i| plan.names()[i].clone()).collect();
            report.warnings.push(Warning::Collinear { columns });
        }
        report.warnings.extend(labelled.short_window(self.horizon));
        Ok(Fitted { model: LinearModel { plan, purchases, value }, report })
    }
}

/// A fitted linear regression.
#[derive(Debug, Clone, PartialEq)]
pub struct LinearModel {
    plan: Plan,
    purchases: Line,
    value: Option<Line>,
}

impl LinearModel {
    /// Coefficients for purchases: each column's name and slope.
    pub fn coefficients(&self) -> impl Iterator<Item = (&str, f64)> {
        self.plan.names().iter().map(String::as_str).zip(self.purchases.slopes.iter().copied())
    }

    /// Purchases where every column is zero.
    pub fn intercept(&self) -> f64 {
        self.purchases.intercept
    }
}

impl Predict for LinearModel {
    fn kind(&self) -> Kind {
        KIND
    }

    fn unit(&self) -> TimeUnit {
        self.plan.unit
    }

    fn answers(&self) -> Answers {
        Answers {
            p_alive: false,
            purchases: true,
            spend: false,
            value: self.value.is_some(),
            horizons: Horizons::Only(self.plan.horizon),
        }
    }

    fn needs(&self) -> &[Feature] {
        self.plan.needs()
    }

    fn predict_into(
        &self,
        who: &Customers<'_>,
        ask: &Ask,
        scratch: &mut Scratch,
        out: &mut ForecastMut<'_>,
    ) -> Result<(), Error> {
        predict_totals(self, self.plan.names(), who, ask, scratch, out, |_, row, _| {
            let value = self.value.as_ref().map_or(0.0, |line| line.at(row));
            Ok(Totals { purchases: self.purchases.at(row), value })
        })
    }

    fn save(&self, to: &mut SaveWriter) -> Result<(), Error> {
        to.field("plan", &self.plan)?;
        to.field("purchases", &self.purchases)?;
        to.field("value", &self.value)
    }
}

/// Lets a registry load the models of this crate.
pub fn register(registry: &mut Registry) {
    registry.register(KIND, |saved, _| {
        Ok(Box::new(LinearModel {
            plan: saved.field("plan")?,
            purchases: saved.field("purchases")?,
            value: saved.field("value")?,
        }))
    });
}
