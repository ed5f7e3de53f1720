//! Fitting models with columns once more.

use clv_core::{Context, Customers, Error, Fitted, Predict, Training};
use rand_chacha::ChaCha8Rng;

use super::design::Groups;
use super::fit::{Prepared, WithCovariates};
use super::model::CovariateModel;
use crate::posterior_model::sealed::Drawn;
use crate::process::{Parameter, Process, expect_histories, mean_age};
use crate::refit::sealed::Again;
use crate::refit::{Near, Refit, drawn_places};

/// Settings with customers and their columns.
#[derive(Debug)]
pub struct OfColumns<'a, P> {
    settings: &'a WithCovariates<P>,
    prepared: Prepared<'a>,
    /// Each customer's own population.
    own: Vec<P>,
}

impl<P: Process> Refit for OfColumns<'_, P> {
    type Model = CovariateModel<P>;
    type Customers = Groups;

    const PARAMETERS: &'static [Parameter] = P::PARAMETERS;

    fn penalty(&self) -> f64 {
        self.settings.covariates.most_penalty(self.settings.each.penalty_value())
    }

    fn seen(&self) -> Result<Groups, Error> {
        self.prepared.groups::<P>(0..self.own.len())
    }

    fn drawn(&self, rng: &mut ChaCha8Rng) -> Result<Groups, Error> {
        self.prepared.groups::<P>(drawn_places(self.own.len(), rng).into_iter())
    }

    fn simulated(&self, rng: &mut ChaCha8Rng) -> Result<Groups, Error> {
        let ages = &self.prepared.summary.age;
        let one = |(i, own): (usize, &P)| {
            let drawn = own.draw_history(ages[i], rng);
            (drawn.frequency, drawn.recency, drawn.age, self.prepared.row(i).to_vec())
        };
        Ok(Groups::of(self.own.iter().enumerate().map(one), self.prepared.terms.len()))
    }

    fn refit(&self, groups: &Groups, near: Near<'_>, cx: &Context<'_>) -> Result<Fitted<Self::Model>, Error> {
        P::look(&groups.cells)?;
        let mean_age = mean_age(P::KIND.name, &groups.cells)?;
        let fits = self.settings.search(&self.prepared, groups, (mean_age, Vec::new()), Some(near), cx)?;
        self.settings.model(&self.prepared, fits)
    }
}

/// What is asked of some of the customers of a training, with the columns that a model needs.
pub(crate) fn own_of<T>(
    data: &Training<'_>,
    model: &dyn Predict,
    rows: impl Iterator<Item = usize>,
    of: impl Fn(&Customers<'_>, usize) -> Result<T, Error>,
) -> Result<Vec<T>, Error> {
    let features = data.features(model.needs())?;
    let who = data.summary().customers();
    let who = if features.rows() > 0 { who.with_features(&features)? } else { who };
    rows.map(|row| of(&who, row)).collect()
}

impl<P: Process> Again for WithCovariates<P> {
    type Ready<'a> = OfColumns<'a, P>;

    fn ready<'a>(
        &'a self,
        data: &'a Training<'_>,
        model: &'a CovariateModel<P>,
    ) -> Result<OfColumns<'a, P>, Error> {
        expect_histories::<P>(data)?;
        data.summary().customers().expect_unit(model.unit())?;
        let own = own_of(data, model, 0..data.summary().len(), |who, row| model.of_customer(who, row))?;
        Ok(OfColumns { settings: self, prepared: self.prepare(data)?, own })
    }

    fn with_values(model: &CovariateModel<P>, values: &[f64]) -> Result<CovariateModel<P>, Error> {
        Drawn::with_values(model, values)
    }
}
