//! From a learner of rows to a model of customers.

use super::{BaggedModel, CalibratedModel, Learned, Regress, Regression, Rows};
use crate::error::{Error, Result};
use crate::features::Feature;
use crate::model::{
    Answers, Ask, Context, Customers, Fit, FitReport, Fitted, ForecastMut, Horizons, Kind, Plan, Predict,
    Scratch, Totals, Training, Warning, predict_totals,
};
use crate::saved::{Registry, SaveWriter};
use crate::transform::{Step, Transforms};
use crate::units::{Span, TimeUnit};

/// A learner of purchases and money within a horizon.
///
/// | Name | Default | Why |
/// | :-- | :-- | :-- |
/// | `horizon` | – | must be said: a learner answers for the horizon it learned |
/// | `features` | the summary's columns | frequency, recency, age, and mean spend if there are amounts |
/// | `origins` | 1 | more rows to learn from, of earlier times; the same customer then counts more than once |
/// | `transform` | none | trees want none, and linear models scale by themselves; skewed columns may want `Step::Log` |
///
/// It is trained as of one horizon before the cut, on what happened in between. If the past is too
/// short for that, on a shorter window, scaled up, with a [`Warning::ShortWindow`](crate::Warning::ShortWindow).
///
/// ```
/// use clv_core::learn::{Mean, Regress};
/// use clv_core::{Feature, Span};
///
/// let settings = Mean.over(Span::weeks(39.0)?).features(vec![Feature::Frequency]);
/// # let _ = settings;
/// # Ok::<(), clv_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct OverHorizon<R> {
    learner: R,
    horizon: Span,
    features: Option<Vec<Feature>>,
    origins: usize,
    steps: Vec<Step>,
}

impl<R: Regress> OverHorizon<R> {
    /// On the summary's columns.
    pub fn new(learner: R, horizon: Span) -> Self {
        Self { learner, horizon, features: None, origins: 1, steps: Vec::new() }
    }

    /// From so many origins: one window before the cut, and each half a window before the one after it,
    /// as far as the past reaches.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] for none.
    pub fn origins(self, origins: usize) -> Result<Self> {
        if origins == 0 {
            return Err(Error::Setting { name: "origins", given: 0.0, allowed: "at least 1" });
        }
        Ok(Self { origins, ..self })
    }

    /// On other columns.
    pub fn features(self, features: Vec<Feature>) -> Self {
        Self { features: Some(features), ..self }
    }

    /// Through transforms, fitted on the rows that are learned from and saved with the model.
    pub fn transform(self, steps: Vec<Step>) -> Self {
        Self { steps, ..self }
    }
}

impl<R: Regress> Fit for OverHorizon<R> {
    type Model = LearnedTotals<R::Model>;

    fn fit(&self, data: &Training<'_>, cx: &Context<'_>) -> Result<Fitted<Self::Model>> {
        cx.check()?;
        let summary = data.summary();
        let features = self.features.clone().unwrap_or_else(|| Feature::of_summary(summary.spend.is_some()));
        let plan = Plan::new(summary.unit, self.horizon, features)?;
        let labelled = data.labelled_from(self.origins, self.horizon, &plan.features)?;
        let transforms = Transforms::fit(&self.steps, &labelled.features)?;
        let columns = transforms.apply(&labelled.features)?;
        let rows = Rows::with_missing(&columns, &labelled.purchases)?;
        let mut report = FitReport::new(R::Model::KIND.name, summary.unit, summary.len());
        report.rows = rows.len();
        let Learned { model: (purchases, value), warnings } =
            regress_totals(&self.learner, &rows, labelled.value.as_deref(), cx)?;
        report.warnings = warnings;
        report.warnings.extend(labelled.short_window(self.horizon));
        let model = LearnedTotals { plan, transforms, scale: labelled.scale, purchases, value };
        Ok(Fitted { model, report })
    }
}

/// What was learned of purchases, and of money.
type Both<M> = (M, Option<M>);

/// Learns the rows' target, which is purchases, and of the same rows money, if there were amounts.
pub(super) fn regress_totals<R: Regress>(
    learner: &R,
    rows: &Rows<'_>,
    spent: Option<&[f64]>,
    cx: &Context<'_>,
) -> Result<Learned<Both<R::Model>>> {
    let purchases = learner.regress(rows, cx)?;
    cx.check()?;
    let mut warnings = purchases.warnings;
    let Some(spent) = spent else { return Ok(Learned { model: (purchases.model, None), warnings }) };
    let value = learner.regress(&rows.with_target(spent)?, cx)?;
    Warning::add_new(&mut warnings, value.warnings);
    Ok(Learned { model: (purchases.model, Some(value.model)), warnings })
}

/// What a learner learned of purchases and money within a horizon.
#[derive(Clone, Debug)]
pub struct LearnedTotals<M> {
    plan: Plan,
    transforms: Transforms,
    /// By how much a shorter window is scaled up to the horizon.
    scale: f64,
    purchases: M,
    value: Option<M>,
}

impl<M: Regression> LearnedTotals<M> {
    pub(super) fn of(plan: Plan, transforms: Transforms, scale: f64, purchases: M, value: Option<M>) -> Self {
        Self { plan, transforms, scale, purchases, value }
    }

    /// Names of the columns, in the learner's order.
    pub fn columns(&self) -> &[String] {
        self.plan.names()
    }

    /// What it learned of purchases, before [`LearnedTotals::scale`].
    pub fn purchases_model(&self) -> &M {
        &self.purchases
    }

    /// What it learned of money, if there were amounts.
    pub fn value_model(&self) -> Option<&M> {
        self.value.as_ref()
    }

    /// By how much what it learned is multiplied: above 1 if the past was too short
    /// ([`Warning::ShortWindow`](crate::Warning::ShortWindow)).
    pub fn scale(&self) -> f64 {
        self.scale
    }
}

impl<M: Regression> Predict for LearnedTotals<M> {
    fn kind(&self) -> Kind {
        M::KIND
    }

    fn unit(&self) -> TimeUnit {
        self.plan.unit
    }

    fn answers(&self) -> Answers {
        Answers::totals(self.value.is_some(), Horizons::Only(self.plan.horizon))
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
    ) -> Result<()> {
        predict_totals(self, self.plan.names(), who, ask, scratch, out, |_, row, single| {
            self.transforms.apply_row(row);
            let purchases = self.scale * self.purchases.at(row, single)?;
            let value = match &self.value {
                None => 0.0,
                Some(value) => self.scale * value.at(row, single)?,
            };
            Ok(Totals { purchases, value })
        })
    }

    fn save(&self, to: &mut SaveWriter) -> Result<()> {
        to.field("plan", &self.plan)?;
        to.field("transforms", &self.transforms)?;
        to.field("scale", &self.scale)?;
        to.field("purchases", &self.purchases)?;
        to.field("value", &self.value)
    }
}

/// Lets a registry load customers' models of a learner, and of it calibrated or bagged.
pub fn register<M: Regression>(registry: &mut Registry) {
    register_one::<M>(registry);
    register_one::<CalibratedModel<M>>(registry);
    register_one::<BaggedModel<M>>(registry);
}

fn register_one<M: Regression>(registry: &mut Registry) {
    registry.register(M::KIND, |saved, _| {
        Ok(Box::new(LearnedTotals::<M> {
            plan: saved.field("plan")?,
            transforms: saved.field("transforms")?,
            scale: saved.field("scale")?,
            purchases: saved.field("purchases")?,
            value: saved.field("value")?,
        }))
    });
}
