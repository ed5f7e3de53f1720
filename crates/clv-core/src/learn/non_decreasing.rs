//! Several horizons at once, none of which says less than a shorter one.

use super::over_horizon::regress_totals;
use super::{Learned, LearnedTotals, Regress, Rows};
use crate::error::{Error, Result};
use crate::features::Feature;
use crate::model::{Context, FitReport, Fitted, Plan, StackModel, Training, Warning};
use crate::transform::{Step, Transforms};
use crate::units::Span;

/// A learner of several horizons: what comes between one and the next is learned by itself, from rows as of
/// one longest horizon before the cut, and added up. No part is below 0, so that a longer horizon never
/// says less than a shorter one, as models learned apart may.
///
/// ```
/// use clv_core::learn::{Mean, NonDecreasing};
/// use clv_core::{Feature, Span};
///
/// let horizons = [Span::weeks(4.0)?, Span::weeks(13.0)?, Span::weeks(26.0)?];
/// let settings = NonDecreasing::new(Mean, &horizons)?.features(vec![Feature::Frequency]);
/// # let _ = settings;
/// # Ok::<(), clv_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct NonDecreasing<R> {
    learner: R,
    horizons: Vec<Span>,
    features: Option<Vec<Feature>>,
    steps: Vec<Step>,
}

impl<R: Regress + Clone + 'static> NonDecreasing<R> {
    /// Over these horizons, each longer than the one before.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] unless they grow, from above 0.
    pub fn new(learner: R, horizons: &[Span]) -> Result<Self> {
        let mut before = 0.0;
        for horizon in horizons {
            let given = horizon.in_days();
            if given <= before {
                let allowed = "each longer than the one before, the first above 0";
                return Err(Error::Setting { name: "horizons", given, allowed });
            }
            before = given;
        }
        if horizons.is_empty() {
            return Err(Error::Setting { name: "horizons", given: 0.0, allowed: "at least one" });
        }
        Ok(Self { learner, horizons: horizons.to_vec(), features: None, steps: Vec::new() })
    }

    /// On other columns than the summary's.
    pub fn features(self, features: Vec<Feature>) -> Self {
        Self { features: Some(features), ..self }
    }

    /// Through transforms, fitted on the rows that are learned from and saved with the models.
    pub fn transform(self, steps: Vec<Step>) -> Self {
        Self { steps, ..self }
    }

    /// Learns: a model for each horizon, in their order.
    ///
    /// # Errors
    ///
    /// [`Error::TooLittleData`] if the past is shorter than two longest horizons; as [`Regress::regress`].
    pub fn fit(&self, data: &Training<'_>, cx: &Context<'_>) -> Result<Vec<Fitted<StackModel>>> {
        cx.check()?;
        let summary = data.summary();
        let features = self.features.clone().unwrap_or_else(|| Feature::of_summary(summary.spend.is_some()));
        let longest = self.horizons[self.horizons.len() - 1];
        let labelled = data.labelled(longest, &features)?;
        if labelled.scale > 1.0 {
            let (model, needs) = ("several horizons", "a past of two longest horizons");
            return Err(Error::TooLittleData { model, needs, found: summary.len() });
        }
        let transforms = Transforms::fit(&self.steps, &labelled.features)?;
        let columns = transforms.apply(&labelled.features)?;
        let origin = labelled.summary.cut;
        let mut parts = Vec::with_capacity(self.horizons.len());
        let mut warnings = Vec::new();
        let mut from = origin;
        for horizon in &self.horizons {
            cx.check()?;
            let until = origin.plus(*horizon);
            let (bought, spent) = data.outcomes_between(&labelled.summary, &from, &until);
            let rows = Rows::new(&columns, &bought)?;
            let Learned { model: (purchases, value), warnings: new } =
                regress_totals(&self.learner, &rows, spent.as_deref(), cx)?;
            Warning::add_new(&mut warnings, new);
            parts.push((purchases, value));
            from = until;
        }
        let model_of = |(place, horizon): (usize, &Span)| {
            let mut members: Vec<Box<dyn crate::model::Predict>> = Vec::with_capacity(place + 1);
            let mut names = Vec::with_capacity(place + 1);
            for (part, (purchases, value)) in parts[..=place].iter().enumerate() {
                let plan = Plan::new(summary.unit, *horizon, features.clone())?;
                let (purchases, value) = (purchases.clone(), value.clone());
                members.push(Box::new(LearnedTotals::of(plan, transforms.clone(), 1.0, purchases, value)));
                names.push(format!("until {}", self.horizons[part]));
            }
            let mut report = FitReport::new("several-horizons", summary.unit, summary.len());
            report.rows = columns.rows();
            report.warnings.clone_from(&warnings);
            Ok(Fitted { model: StackModel::sum(summary.unit, *horizon, members, names)?, report })
        };
        self.horizons.iter().enumerate().map(model_of).collect()
    }
}
