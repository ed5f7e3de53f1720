//! A learner that also knows what another model forecasts.

use std::sync::Arc;

use super::over_horizon::regress_totals;
use super::{Learned, LearnedTotals, Regress, Rows};
use crate::backtest::BoxedFit;
use crate::error::{Error, Result};
use crate::features::{Feature, FeatureMatrix};
use crate::model::totals::expect_a_name_each;
use crate::model::{
    Answers, Ask, Context, Customers, Fit, FitReport, Fitted, ForecastMut, Horizons, Kind, Plan, Predict,
    Scratch, Training, Warning,
};
use crate::saved::{Registry, SaveWriter};
use crate::transform::{Step, Transforms};
use crate::units::{Span, TimeUnit};

const KIND: Kind = Kind::new("informed", 1);

/// A learner whose columns include the forecasts of another model, such as Pareto/NBD's P(alive) and
/// expected purchases: the process is known, and what it leaves over is learned.
///
/// The other model is fitted on what was known one window before the cut, and its forecasts of that window
/// become columns beside the features as of then; the learner learns what came within the window. Then the
/// other model is fitted again on everything. The window is the horizon, or a third of the past if that is
/// shorter, with a warning: what was learned of the window is then multiplied by what the other model
/// expects of this customer within the horizon over what it expects within the window, so that those who
/// may soon be gone are not taken to go on for ever.
///
/// `settings` makes the other model's settings for a horizon.
///
/// ```
/// use clv_core::baselines::MeanOfAll;
/// use clv_core::learn::{Informed, Mean};
/// use clv_core::{Erased, Feature, Span};
///
/// let horizon = Span::weeks(26.0)?;
/// let base = |horizon| Ok(Box::new(Erased(MeanOfAll { horizon })) as _);
/// let settings = Informed::new(Mean, base, horizon).features(vec![Feature::Frequency]);
/// # let _ = settings;
/// # Ok::<(), clv_core::Error>(())
/// ```
#[derive(Clone)]
pub struct Informed<R> {
    learner: R,
    base: Arc<Base>,
    horizon: Span,
    features: Option<Vec<Feature>>,
    steps: Vec<Step>,
}

type Base = dyn Fn(Span) -> Result<BoxedFit> + Send + Sync;

impl<R: std::fmt::Debug> std::fmt::Debug for Informed<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Informed").field("learner", &self.learner).finish_non_exhaustive()
    }
}

impl<R: Regress> Informed<R> {
    /// On the summary's columns and the other model's forecasts.
    pub fn new(
        learner: R,
        base: impl Fn(Span) -> Result<BoxedFit> + Send + Sync + 'static,
        horizon: Span,
    ) -> Self {
        Self { learner, base: Arc::new(base), horizon, features: None, steps: Vec::new() }
    }

    /// On other columns and the other model's forecasts.
    pub fn features(self, features: Vec<Feature>) -> Self {
        Self { features: Some(features), ..self }
    }

    /// Through transforms, fitted on the rows that are learned from and saved with the model.
    pub fn transform(self, steps: Vec<Step>) -> Self {
        Self { steps, ..self }
    }
}

/// A fitted learner and the model whose forecasts it reads.
#[derive(Debug)]
pub struct InformedModel {
    unit: TimeUnit,
    horizon: Span,
    /// The window that the other model is asked about.
    window: Span,
    base: Box<dyn Predict>,
    learned: Box<dyn Predict>,
    /// Of the learned model's columns, in its order.
    columns: Vec<String>,
    needs: Vec<Feature>,
}

/// What a model forecasts, as columns.
fn outputs(answers: &Answers) -> Vec<Feature> {
    let mut columns = Vec::new();
    if answers.p_alive {
        columns.push(Feature::ForecastPAlive);
    }
    if answers.purchases {
        columns.push(Feature::ForecastPurchases);
    }
    if answers.value {
        columns.push(Feature::ForecastValue);
    }
    columns
}

impl<R: Regress> Fit for Informed<R> {
    type Model = InformedModel;

    fn fit(&self, data: &Training<'_>, cx: &Context<'_>) -> Result<Fitted<InformedModel>> {
        cx.check()?;
        let (earlier, window) = data.earlier(self.horizon)?;
        let (bought, spent) = data.outcomes_since(&earlier);
        let unit = data.summary().unit;
        let known = (self.base)(window)?.fit(&earlier, cx)?.model;
        let mut features = outputs(&known.answers());
        let with_amounts = data.summary().spend.is_some();
        features.extend(self.features.clone().unwrap_or_else(|| Feature::of_summary(with_amounts)));
        let plan = Plan::new(unit, self.horizon, features)?;

        let base_features = earlier.features(known.needs())?;
        let own: Vec<Feature> = plan.features.iter().filter(|f| !is_output(f)).cloned().collect();
        let own_features = earlier.features(&own)?;
        let mut who = earlier.summary().customers();
        if base_features.rows() > 0 {
            who = who.with_features(&base_features)?;
        }
        let mut scratch = Scratch::default();
        let mut columns = FeatureMatrix::default();
        forecasts(&*known, &who, (window, window), &mut scratch)?;
        columns.refill(plan.names(), |data| {
            for row in 0..who.len() {
                push_outputs(&known.answers(), &scratch, row, data);
                data.extend(own_features.row(row));
            }
            Ok(())
        })?;

        let transforms = Transforms::fit(&self.steps, &columns)?;
        let columns = transforms.apply(&columns)?;
        let rows = Rows::with_missing(&columns, &bought)?;
        let mut report = FitReport::new(KIND.name, unit, data.summary().len());
        report.rows = rows.len();
        let Learned { model: (purchases, value), warnings } =
            regress_totals(&self.learner, &rows, spent.as_deref(), cx)?;
        report.warnings = warnings;
        if self.horizon.in_days() > window.in_days() {
            report.warnings.push(Warning::ShortWindow { window, horizon: self.horizon });
        }
        // The learner's rows are a window's; what comes of the horizon is `beyond`'s business.
        let learned = LearnedTotals::of(plan, transforms, 1.0, purchases, value);
        let fitted = (self.base)(window)?.fit(data, cx)?;
        let told = fitted.report.all_warnings().map(|(_, warning)| warning.clone());
        Warning::add_new(&mut report.warnings, told);
        let model = InformedModel::of(unit, self.horizon, window, fitted.model, Box::new(learned))?;
        Ok(Fitted { model, report })
    }
}

fn is_output(feature: &Feature) -> bool {
    matches!(feature, Feature::ForecastPAlive | Feature::ForecastPurchases | Feature::ForecastValue)
}

/// The other model's forecasts, left in the scratch: P(alive), purchases, value.
///
/// With a horizon beyond the window that the model can answer for, also by how much more it expects of it.
fn forecasts(
    base: &dyn Predict,
    who: &Customers<'_>,
    (window, horizon): (Span, Span),
    scratch: &mut Scratch,
) -> Result<()> {
    let mut inner = scratch.inner.take().unwrap_or_default();
    let answers = base.answers();
    let [p_alive, purchases, beyond] = &mut scratch.columns;
    let value = &mut scratch.summand_value;
    p_alive.resize(who.len(), 0.0);
    purchases.resize(who.len(), 0.0);
    value.resize(who.len(), None);
    let mut out = ForecastMut {
        p_alive: answers.p_alive.then_some(&mut p_alive[..]),
        purchases: answers.purchases.then_some(&mut purchases[..]),
        value: answers.value.then_some(&mut value[..]),
        ..ForecastMut::default()
    };
    let mut done = base.predict_into(who, &Ask::over(window), &mut inner, &mut out);
    beyond.clear();
    beyond.resize(who.len(), horizon.in_days() / window.in_days());
    if done.is_ok() && goes_beyond(&answers, window, horizon) {
        let mut out = ForecastMut { purchases: Some(&mut beyond[..]), ..ForecastMut::default() };
        done = base.predict_into(who, &Ask::over(horizon), &mut inner, &mut out);
        for (more, within) in beyond.iter_mut().zip(&*purchases) {
            // Next to nothing over next to nothing says nothing.
            *more = if *within > 1e-9 { *more / within } else { 1.0 };
        }
    }
    scratch.inner = Some(inner);
    done
}

fn goes_beyond(answers: &Answers, window: Span, horizon: Span) -> bool {
    answers.purchases && answers.horizons == Horizons::Any && !window.same_length(horizon)
}

fn push_outputs(answers: &Answers, scratch: &Scratch, row: usize, to: &mut Vec<f64>) {
    if answers.p_alive {
        to.push(scratch.columns[0][row]);
    }
    if answers.purchases {
        to.push(scratch.columns[1][row]);
    }
    if answers.value {
        // Undefined where nothing is known of a customer's spend; no forecast of money is negative.
        to.push(scratch.summand_value[row].unwrap_or(-1.0));
    }
}

impl InformedModel {
    fn of(
        unit: TimeUnit,
        horizon: Span,
        window: Span,
        base: Box<dyn Predict>,
        learned: Box<dyn Predict>,
    ) -> Result<Self> {
        let mut needs = base.needs().to_vec();
        for feature in learned.needs() {
            if !is_output(feature) && !needs.contains(feature) {
                needs.push(feature.clone());
            }
        }
        expect_a_name_each(&needs)?;
        let columns = learned.needs().iter().map(Feature::name).collect();
        Ok(Self { unit, horizon, window, base, learned, columns, needs })
    }

    /// The model whose forecasts are read.
    pub fn base(&self) -> &dyn Predict {
        &*self.base
    }
}

impl Predict for InformedModel {
    fn kind(&self) -> Kind {
        KIND
    }

    fn unit(&self) -> TimeUnit {
        self.unit
    }

    fn answers(&self) -> Answers {
        Answers::totals(self.learned.answers().value, Horizons::Only(self.horizon))
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
        who.expect_unit(self.unit)?;
        self.answers().expect_horizon(KIND.name, ask.horizon())?;
        forecasts(&*self.base, who, (self.window, self.horizon), scratch)?;
        let mut columns = std::mem::take(&mut scratch.features);
        let mut inner = scratch.inner.take().unwrap_or_default();
        let answers = self.base.answers();
        let outputs = outputs(&answers).len();
        let mut places = std::mem::take(&mut scratch.places);
        let done = columns
            .refill(&self.columns, |data| {
                if who.is_empty() {
                    return Ok(());
                }
                who.find(KIND.name, &self.columns[outputs..], &mut places)?;
                for row in 0..who.len() {
                    push_outputs(&answers, scratch, row, data);
                    let start = data.len();
                    data.resize(start + self.columns.len() - outputs, 0.0);
                    who.fill_row(&places, row, &mut data[start..]);
                }
                Ok(())
            })
            .and_then(|()| {
                // No columns, no customers.
                if columns.rows() == 0 {
                    return Ok(());
                }
                let who = who.with_features(&columns)?;
                self.learned.predict_into(&who, ask, &mut inner, out)?;
                let beyond = &scratch.columns[2];
                let columns = [&mut out.purchases, &mut out.discounted_purchases];
                for column in columns.into_iter().flatten() {
                    column.iter_mut().zip(beyond).for_each(|(said, more)| *said *= more);
                }
                if let Some(column) = &mut out.value {
                    column.iter_mut().zip(beyond).for_each(|(said, more)| *said = said.map(|v| v * more));
                }
                Ok(())
            });
        scratch.features = columns;
        scratch.places = places;
        scratch.inner = Some(inner);
        done
    }

    fn save(&self, to: &mut SaveWriter) -> Result<()> {
        to.field("unit", &self.unit)?;
        to.field("horizon", &self.horizon)?;
        to.field("window", &self.window)?;
        to.nested("base", &*self.base)?;
        to.nested("learned", &*self.learned)
    }
}

/// Lets a registry load informed models; what is within them must be registered as well.
pub(crate) fn register_informed(registry: &mut Registry) {
    registry.register(KIND, |saved, registry| {
        let (base, learned) = (saved.nested("base", registry)?, saved.nested("learned", registry)?);
        if !outputs(&base.answers()).iter().all(|column| learned.needs().contains(column)) {
            let what = "a learned model without the columns of its base";
            return Err(Error::CannotSay { model: KIND.name, quantity: what, hint: "" });
        }
        let (unit, horizon) = (saved.field("unit")?, saved.field("horizon")?);
        Ok(Box::new(InformedModel::of(unit, horizon, saved.field("window")?, base, learned)?))
    });
}
