//! Posteriors of models whose covariates change with time.

use clv_core::{Context, Error, Names, Timelines, Training};

use super::fit::{OverTime, OverTimeFit};
use super::model::OverTimeModel;
use crate::covariates::{Covariates, Unscaled, padded, unscaled};
use crate::posterior::{Bayes, Posterior, Target, modelled, told};

/// How to draw from the posterior of a model with covariates that change with time; priors as [`BayesWithCovariates`](crate::BayesWithCovariates).
///
/// A draw costs a likelihood over all paths with its derivatives: a tenth of a second for 600 customers over 300 weeks.
///
/// ```
/// use clv_btyd::{Bayes, Covariates, ParetoNbd};
///
/// let covariates = Covariates::new().on_purchases(["high_season"])?;
/// let settings = Bayes::<ParetoNbd>::new().chains(2, 250)?.over_time(covariates);
/// # let _ = settings;
/// # Ok::<(), clv_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct BayesOverTime<P> {
    bayes: Bayes<P>,
    covariates: Covariates,
}

impl<P: OverTime> BayesOverTime<P> {
    pub(crate) fn new(bayes: Bayes<P>, covariates: Covariates) -> Self {
        Self { bayes, covariates }
    }

    /// The deviation of the prior of a coefficient, for one standard deviation of its column over customers and time.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] unless it is finite and above 0.
    pub fn coefficient_deviation(mut self, deviation: f64) -> Result<Self, Error> {
        self.bayes.sampler.of_coefficients = clv_core::setting::above_zero("deviation", deviation)?;
        Ok(self)
    }

    /// Draws from the posterior, given a training log whose customers have the names of the timelines.
    ///
    /// # Errors
    ///
    /// As [`OverTimeFit::fit`]; [`Error::Setting`] for covariates with a penalty, which the prior takes the place of.
    pub fn draw(
        &self,
        training: &Training<'_>,
        timelines: &[&Timelines],
        names: &Names,
        cx: &Context<'_>,
    ) -> Result<Posterior<OverTimeModel<P>>, Error> {
        self.covariates.expect_no_penalty()?;
        self.bayes.each.expect_fixed()?;
        let each = OverTimeFit::new(self.covariates.clone()).each(self.bayes.each.clone());
        let prepared = each.prepare(training, timelines, names)?;
        let scratch = prepared.scratch();
        let all = prepared.all();
        let derivatives = |values: &[f64]| prepared.derivatives::<P>(values, &all, &scratch);
        let target = Target {
            name: P::KIND.name,
            coordinates: prepared.coordinates.clone(),
            customers: training.summary().len() as f64,
            start: self.bayes.each.start_value().map(|start| padded(start, prepared.design.effects.len())),
            derivatives: &derivatives,
            ln_likelihood: &|values| derivatives(values).map(|d| d.value),
        };
        let sampled = self.bayes.sampler.draw(target, cx)?;
        let (accepted, evaluations) = (sampled.accepted, sampled.evaluations);
        let unit = training.summary().unit;
        let Unscaled { design, chains, summaries, mut mode } =
            unscaled(sampled, prepared.design.clone(), &self.covariates);
        mode.unit = unit;
        mode.warnings.extend(told::<P>(&training.cells())?);
        mode.warnings.extend(prepared.design.collinear(&prepared.idle));
        let chains = modelled(&chains, |values| prepared.model(&design, values.to_vec(), unit))?;
        Ok(Posterior { chains, summaries, accepted, evaluations, mode })
    }
}
