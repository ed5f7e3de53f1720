//! Posteriors of models with covariates.

use std::cell::RefCell;

use clv_core::{Cells, Context, Error, FitReport, Training};

use super::design::Design;
use super::fit::{Fits, WithCovariates, designed};
use super::moved::Moved;
use super::{CovariateModel, Covariates};
use crate::model::PurchaseModel;
use crate::posterior::{Bayes, Posterior, PosteriorSummary, Sampled, Target, modelled, summaries, told};
use crate::process::{Process, expect_histories, mean_age};

/// How to draw from the posterior of a purchase model with covariates.
///
/// | Name | Default | Why |
/// | :-- | :-- | :-- |
/// | priors, chains, draws | as [`Bayes`] | the parameters are those of a customer with columns at their means |
/// | `coefficient_deviation` | 1 | `γ ~ N(0, 1²)` for one standard deviation of a column: a factor of 7 either way holds 95%, whatever the column is counted in |
///
/// ```
/// use clv_btyd::{Bayes, Covariates, ParetoNbd};
///
/// let covariates = Covariates::new().on_purchases(["own_gender"])?.on_dropout(["own_gender"])?;
/// let settings = Bayes::<ParetoNbd>::new().with(covariates).coefficient_deviation(0.5)?;
/// # let _ = settings;
/// # Ok::<(), clv_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct BayesWithCovariates<P> {
    bayes: Bayes<P>,
    covariates: Covariates,
}

impl<P: Process> BayesWithCovariates<P> {
    pub(crate) fn new(bayes: Bayes<P>, covariates: Covariates) -> Self {
        Self { bayes, covariates }
    }

    /// The deviation of the prior of a coefficient, for one standard deviation of its column.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] unless it is finite and above 0.
    pub fn coefficient_deviation(mut self, deviation: f64) -> Result<Self, Error> {
        self.bayes.sampler.of_coefficients = clv_core::setting::above_zero("deviation", deviation)?;
        Ok(self)
    }

    /// Draws from the posterior, given a training that knows the columns.
    ///
    /// # Errors
    ///
    /// As [`Fit::fit`](clv_core::Fit::fit) of [`WithCovariates`]; [`Error::Setting`] for covariates with a penalty, which the prior takes the place of.
    pub fn draw(&self, data: &Training<'_>, cx: &Context<'_>) -> Result<Posterior<CovariateModel<P>>, Error> {
        expect_histories::<P>(data)?;
        self.covariates.expect_no_penalty()?;
        self.bayes.each.expect_fixed()?;
        let with = WithCovariates::new(self.covariates.clone()).each(self.bayes.each.clone());
        let prepared = with.prepare(data)?;
        let summary = prepared.summary;
        let groups = prepared.groups::<P>(0..summary.len())?;
        let customers = groups.cells.customers();
        let mean_age = mean_age(P::KIND.name, &groups.cells)?;
        let of = (&self.covariates, &prepared.effects[..]);
        let (design, coordinates, idle) = designed(self.bayes.each.coordinates(mean_age), of, &groups);
        let scratch = RefCell::new(Cells::default());
        let ln_likelihood = |values: &[f64]| {
            design.value(values, &groups, |group, own| {
                let mut cells = scratch.borrow_mut();
                groups.copy(group, &mut cells);
                Some(P::from_values(own).ok()?.ln_likelihood_of(&cells))
            })
        };
        let target = Target {
            name: P::KIND.name,
            coordinates,
            customers,
            start: self.bayes.each.start_value().map(|start| padded(start, design.effects.len())),
            derivatives: &|values| with.derivatives(&design, &groups, values),
            ln_likelihood: &ln_likelihood,
        };
        let sampled = self.bayes.sampler.draw(target, cx)?;
        let collinear = design.collinear(&idle);
        let (accepted, evaluations) = (sampled.accepted, sampled.evaluations);
        let Unscaled { design, chains, summaries, mut mode } = unscaled(sampled, design, &self.covariates);
        mode.unit = summary.unit;
        mode.rows = groups.cells.len();
        mode.warnings.extend(collinear);
        mode.warnings.extend(told::<P>(&groups.cells)?);
        let model = |values: &[f64]| {
            let process = P::from_values(&values[..design.parameters])?;
            let asked = (prepared.terms.clone(), prepared.words.clone());
            let moved = Moved::of(P::KIND.name, asked, design.clone(), values)?;
            Ok(CovariateModel::of(PurchaseModel::new(process, summary.unit), moved))
        };
        let chains = modelled(&chains, model)?;
        Ok(Posterior { chains, summaries, accepted, evaluations, mode })
    }
}

/// Parameters, and coefficients of 0.
pub(crate) fn padded(mut start: Vec<f64>, coefficients: usize) -> Vec<f64> {
    start.resize(start.len() + coefficients, 0.0);
    start
}

/// What was drawn on the scale of the search, as it is told.
pub(crate) struct Unscaled {
    pub design: Design,
    pub chains: Vec<Vec<Vec<f64>>>,
    pub summaries: Vec<PosteriorSummary>,
    pub mode: FitReport,
}

/// In the columns' own units, unless they are read in standard deviations.
pub(crate) fn unscaled(sampled: Sampled, design: Design, covariates: &Covariates) -> Unscaled {
    let Sampled { coordinates, mut chains, summaries: mut told_of, mode, .. } = sampled;
    if !covariates.standardized {
        chains.iter_mut().flatten().for_each(|values| design.unscale_values(values));
        told_of = summaries(&chains, &coordinates);
    }
    let values = mode.parameters.iter().map(|p| p.value).collect();
    let Fits { design, report, .. } = Fits { design, values, report: mode }.in_units(covariates);
    Unscaled { design, chains, summaries: told_of, mode: report }
}
