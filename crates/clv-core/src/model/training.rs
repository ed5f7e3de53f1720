//! A log as of a cut: all that a fit may see.

use crate::cells::Cells;
use crate::cut::Cut;
use crate::error::{Error, Result};
use crate::features::{Feature, FeatureMatrix, NothingMore, Source};
use crate::log::TransactionLog;
use crate::model::{Ask, Forecast, Predict, Warning};
use crate::summary::{Purchases, SpendBasis, Summary};
use crate::units::{Moment, Span, TimeUnit};

/// A log as of a cut. Hands out histories, weighted cells, or rows labelled with what came next,
/// all labels at or before the cut.
#[derive(Debug)]
pub struct Training<'a> {
    purchases: Option<&'a Purchases>,
    beyond: &'a dyn Source,
    summary: Summary,
}

/// Rows as of an earlier origin, with what happened between it and the cut.
#[derive(Debug, Clone)]
pub struct Labelled {
    /// Histories and mean spends as of the origin.
    pub summary: Summary,
    /// Features as of the origin.
    pub features: FeatureMatrix,
    /// Purchases within the window.
    pub purchases: Vec<f64>,
    /// Money spent within the window, if there are amounts.
    pub value: Option<Vec<f64>>,
    /// The window from origin to cut: the horizon asked for, or what the past allows.
    pub window: Span,
    /// By how much to multiply what is learned, `horizon / window`; 1 if the past is long enough.
    pub scale: f64,
}

impl Labelled {
    /// The warning due if the window is shorter than the horizon.
    pub fn short_window(&self, horizon: Span) -> Option<Warning> {
        (self.scale > 1.0).then_some(Warning::ShortWindow { window: self.window, horizon })
    }
}

impl<'a> Training<'a> {
    /// What purchases tell as of a cut. The cut's grain must be that of the purchases.
    ///
    /// # Errors
    ///
    /// As [`Purchases::summary`].
    pub fn new(purchases: &'a Purchases, cut: Cut, unit: TimeUnit) -> Result<Self> {
        let summary = purchases.summary(cut, unit, SpendBasis::default())?;
        Ok(Self { purchases: Some(purchases), beyond: &NothingMore, summary })
    }

    /// With what a source knows beyond the purchases, for plans with columns of it
    /// ([`Feature::Column`]); it is asked as of this cut, and as of each earlier origin that is learned from.
    pub fn knowing(self, source: &'a dyn Source) -> Self {
        Self { beyond: source, ..self }
    }

    /// The columns that the source can tell as of the cut ([`Training::knowing`]).
    ///
    /// # Errors
    ///
    /// As [`Source::names`].
    pub fn columns_beyond(&self) -> Result<Vec<String>> {
        self.beyond.names(self.summary.cut)
    }

    /// The first purchase of all.
    fn start(&self) -> Moment {
        self.summary.first.iter().min().copied().unwrap_or_else(|| self.summary.cut.last())
    }

    /// The same purchases, and what is known beyond them, as of an earlier cut.
    fn as_of(&self, purchases: &'a Purchases, cut: Cut) -> Result<Self> {
        let summary = purchases.summary(cut, self.summary.unit, self.summary.basis)?;
        Ok(Self { purchases: Some(purchases), beyond: self.beyond, summary })
    }

    /// Histories alone: enough for buy-till-you-die and spend models, not for learners that need
    /// labelled rows.
    pub fn from_summary(summary: Summary) -> Self {
        Self { purchases: None, beyond: &NothingMore, summary }
    }

    /// Merges a log's rows by grain, the first step of [`Training::new`].
    ///
    /// # Errors
    ///
    /// As [`Purchases::of`].
    pub fn merge(log: &TransactionLog, cut: Cut) -> Result<Purchases> {
        Purchases::of(log, cut.grain())
    }

    /// Histories as of the cut.
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    /// The purchases one by one, those after the cut among them, if there is more than a summary.
    pub fn purchases(&self) -> Option<&'a Purchases> {
        self.purchases
    }

    /// Columns as of the cut, for the customers of the summary.
    ///
    /// # Errors
    ///
    /// [`Error::TooLittleData`] if only a summary was given, [`Error::MissingColumn`] for money in a
    /// log without amounts, or for a column of a source that is not there or does not know it;
    /// [`Error::Length`] if a source does not give a row for each customer.
    pub fn features(&self, plan: &[Feature]) -> Result<FeatureMatrix> {
        if plan.is_empty() {
            return Ok(FeatureMatrix::default());
        }
        // When customers came the summary tells, of contracts too.
        let cohorts = plan.iter().map(|feature| match feature {
            Feature::Cohort(period) => Some(*period),
            _ => None,
        });
        if let Some(periods) = cohorts.collect::<Option<Vec<_>>>() {
            let of =
                |first: &Moment| periods.iter().map(|period| period.index(*first) as f64).collect::<Vec<_>>();
            let names = plan.iter().map(Feature::name).collect();
            return FeatureMatrix::new(names, self.summary.first.iter().flat_map(of).collect());
        }
        let needs = "the log itself";
        let too_little = Error::TooLittleData { model: "a feature plan", needs, found: 0 };
        let mut named = Vec::new();
        plan.iter().for_each(|feature| feature.collect_columns(&mut named));
        if named.is_empty() {
            return FeatureMatrix::compute(plan, self.purchases.ok_or(too_little)?, &self.summary);
        }
        let told = self.beyond.columns(&named, self.summary.cut, &self.summary.customer)?;
        if let Some((_, column)) = told.names().iter().zip(&named).find(|(told, asked)| told != asked) {
            return Err(Error::MissingColumn { model: "a feature plan", column: column.clone() });
        }
        for (column, given, expected) in [
            ("columns of the source", told.names().len(), named.len()),
            ("rows of the source", told.rows(), self.summary.len()),
        ] {
            if given != expected {
                return Err(Error::Length { column, given, expected });
            }
        }
        // What is known beside the purchases needs none of them.
        if plan.len() == named.len() && plan.iter().all(|f| matches!(f, Feature::Column(_))) {
            return Ok(told);
        }
        FeatureMatrix::compute_with(plan, self.purchases.ok_or(too_little)?, &self.summary, Some(&told))
    }

    /// What a model forecasts of the customers of the summary, with the columns that it needs.
    ///
    /// # Errors
    ///
    /// As [`Training::features`] and [`Predict::predict`].
    pub fn forecast(&self, model: &dyn Predict, ask: &Ask) -> Result<Forecast> {
        let features = self.features(model.needs())?;
        let mut who = self.summary.customers();
        if features.rows() > 0 {
            who = who.with_features(&features)?;
        }
        model.predict(&who, ask)
    }

    /// Distinct histories with their counts.
    pub fn cells(&self) -> Cells {
        Cells::of(&self.summary.customers())
    }

    /// `Σ ln Δ` over the times `Δ` between purchases up to the cut, in the summary's unit: what tells one regularity of
    /// purchases from another.
    ///
    /// # Errors
    ///
    /// [`Error::TooLittleData`] if only a summary was given.
    pub fn sum_of_ln_gaps(&self) -> Result<f64> {
        let needs = "the log itself: histories do not tell the times between purchases";
        let purchases =
            self.purchases.ok_or(Error::TooLittleData { model: "regularity", needs, found: 0 })?;
        let unit = self.summary.unit.days();
        let of = |&customer: &u32| {
            let when = purchases.when(customer);
            let known = when.partition_point(|&m| m <= self.summary.cut.last());
            let gaps = when[..known].windows(2).map(|pair| (pair[1].days_since(pair[0]) / unit).ln());
            gaps.sum::<f64>()
        };
        Ok(self.summary.customer.iter().map(of).sum())
    }

    /// What was known one window before the cut, the window being the horizon or, if that is shorter, a
    /// third of the past: so that a model fitted on it has two windows to learn from.
    ///
    /// # Errors
    ///
    /// As [`Training::labelled`].
    pub fn earlier(&self, horizon: Span) -> Result<(Self, Span)> {
        let too_little = |found| Error::TooLittleData {
            model: "a look back",
            needs: "a log that reaches back before the window to be judged by",
            found,
        };
        let purchases = self.purchases.ok_or_else(|| too_little(0))?;
        let cut = self.summary.cut;
        let third = (cut.last().days_since(self.start()) / 3.0).floor();
        if third < 1.0 {
            return Err(too_little(self.summary.len()));
        }
        let window = if third < horizon.in_days() { Span::days(third)? } else { horizon };
        let origin = cut.minus(window);
        let window = origin.until(&cut)?;
        Ok((self.as_of(purchases, origin)?, window))
    }

    /// What the customers of an earlier training bought and spent between its cut and this one, in its
    /// order; nothing of money without amounts.
    pub(crate) fn outcomes_since(&self, earlier: &Training<'_>) -> (Vec<f64>, Option<Vec<f64>>) {
        self.outcomes_between(&earlier.summary, &earlier.summary.cut, &self.summary.cut)
    }

    /// What the customers of a summary bought and spent between two cuts, none of them after this one, in
    /// its order; nothing of money without amounts.
    pub(crate) fn outcomes_between(
        &self,
        summary: &Summary,
        after: &Cut,
        until: &Cut,
    ) -> (Vec<f64>, Option<Vec<f64>>) {
        debug_assert!(until.last() <= self.summary.cut.last(), "labels lie before the cut");
        let of = |&c: &u32| self.purchases.map_or((0, 0.0), |p| p.between(c, after, until));
        let (bought, spent) = summary.customer.iter().map(of).map(|(n, v)| (f64::from(n), v)).unzip();
        (bought, self.summary.spend.is_some().then_some(spent))
    }

    /// Rows as of origins one horizon before the cut, two before it, and so on, each labelled with what followed until the
    /// next; at most so many, as long as a whole horizon of past lies before them; the oldest first.
    ///
    /// # Errors
    ///
    /// As [`Training::labelled`].
    pub fn windows(&self, count: usize, horizon: Span, plan: &[Feature]) -> Result<Vec<Labelled>> {
        let mut windows = Vec::new();
        let start = self.start();
        let mut cut = self.summary.cut;
        while windows.len() < count && cut.last().days_since(start) >= 2.0 * horizon.in_days() {
            let Some(purchases) = self.purchases else { break };
            let labelled = self.as_of(purchases, cut)?.labelled(horizon, plan)?;
            cut = labelled.summary.cut;
            windows.push(labelled);
        }
        windows.reverse();
        Ok(windows)
    }

    /// As [`Training::labelled`], with the rows of further origins, each half a window before the one after
    /// it, as long as a whole window of past lies before them. [`Labelled::summary`] is that of the
    /// latest.
    ///
    /// # Errors
    ///
    /// As [`Training::labelled`].
    pub fn labelled_from(&self, origins: usize, horizon: Span, plan: &[Feature]) -> Result<Labelled> {
        let mut all = self.labelled(horizon, plan)?;
        let half = Span::days((all.window.in_days() / 2.0).ceil())?;
        let start = self.start();
        let mut cut = self.summary.cut;
        for _ in 1..origins {
            cut = cut.minus(half);
            let Some(purchases) = self.purchases else { break };
            if cut.last().days_since(start) < 2.0 * all.window.in_days() {
                break;
            }
            let earlier = self.as_of(purchases, cut)?.labelled(all.window, plan)?;
            all.features.append(&earlier.features)?;
            all.purchases.extend(earlier.purchases);
            if let (Some(value), Some(more)) = (&mut all.value, earlier.value) {
                value.extend(more);
            }
        }
        Ok(all)
    }

    /// Histories and features as of an origin one window before the cut, labelled with what followed.
    ///
    /// The window is the horizon if the past holds two of them, otherwise half the past; see
    /// [`Labelled::scale`].
    ///
    /// # Errors
    ///
    /// [`Error::TooLittleData`] if the past is shorter than two grains or only a summary was given.
    pub fn labelled(&self, horizon: Span, plan: &[Feature]) -> Result<Labelled> {
        let too_little = |found| Error::TooLittleData {
            model: "a learner",
            needs: "a log that reaches back before the window to be learned",
            found,
        };
        let purchases = self.purchases.ok_or_else(|| too_little(0))?;
        let cut = self.summary.cut;
        let past = cut.last().days_since(self.start());
        let mut window = horizon;
        if 2.0 * horizon.in_days() > past {
            window = Span::days((past / 2.0).floor())?;
        }
        if window.in_days() < 1.0 {
            return Err(too_little(self.summary.len()));
        }
        // In whole grains, which is what will be counted.
        let origin = cut.minus(window);
        let window = origin.until(&cut)?;
        let earlier = self.as_of(purchases, origin)?;
        let features = earlier.features(plan)?;
        let summary = earlier.summary;
        let (bought, value) = self.outcomes_between(&summary, &origin, &cut);
        let scale = horizon.in_days() / window.in_days();
        Ok(Labelled { summary, features, purchases: bought, value, window, scale })
    }
}
