//! Lognormal spend under many populations.

use clv_core::model::Kind;
use clv_core::saved::SavedModel;
use clv_core::summary::SpendBasis;
use clv_core::{Context, Customers, Error, TimeUnit, Training, Warning};
use rand_chacha::ChaCha8Rng;

use super::{KIND, Learned, LognormalSpend, LognormalSpendFit, LognormalSpendModel, PARAMETERS, load};
use crate::amounts::Paid;
use crate::bayes_spend::{BayesSpend, DrawnSpend, SpendFit, sampled};
use crate::posterior::{Posterior, Sampler};
use crate::process::Parameter;

impl BayesSpend<LognormalSpendFit> {
    /// Draws, given the amounts of customers.
    ///
    /// # Errors
    ///
    /// As [`LognormalSpendFit::amounts`]; [`Error::Setting`] for settings with a penalty.
    pub fn amounts<A: AsRef<[f64]>>(
        &self,
        customers: &[A],
        cx: &Context<'_>,
    ) -> Result<Posterior<LognormalSpend>, Error> {
        let told = (TimeUnit::default(), Vec::new());
        self.each.draws_of(&Learned::of(customers)?, told, &self.sampler, cx)
    }
}

impl LognormalSpendFit {
    fn draws_of(
        &self,
        learned: &Learned,
        told: (TimeUnit, Vec<Warning>),
        sampler: &Sampler,
        cx: &Context<'_>,
    ) -> Result<Posterior<LognormalSpend>, Error> {
        self.options.expect_no_penalty()?;
        let of = (KIND.name, self.coordinates(learned), learned.customers);
        let derivatives = |values: &[f64]| learned.derivatives(values);
        sampled(sampler, of, &derivatives, cx, LognormalSpend::from_values, |_| told)
    }
}

impl SpendFit for LognormalSpendFit {
    type Drawn = LognormalSpendModel;

    const PARAMETERS: &'static [Parameter] = &PARAMETERS;

    fn draws(
        &self,
        data: &Training<'_>,
        sampler: &Sampler,
        cx: &Context<'_>,
    ) -> Result<Posterior<LognormalSpend>, Error> {
        let paid = Paid::of(KIND.name, data)?;
        let told = (data.summary().unit, paid.warnings());
        self.draws_of(&Learned::of(&paid.customers)?, told, sampler, cx)
    }
}

impl DrawnSpend for LognormalSpendModel {
    type Population = LognormalSpend;
    type Known = (f64, f64);

    const KIND: Kind = KIND;

    fn of(population: LognormalSpend, unit: TimeUnit, basis: SpendBasis) -> Self {
        Self::new(population, unit, basis)
    }

    fn values(&self) -> Vec<f64> {
        self.population.values().to_vec()
    }

    fn with_values(&self, values: &[f64]) -> Result<Self, Error> {
        Ok(Self { population: LognormalSpend::from_values(values)?, ..self.clone() })
    }

    fn load(saved: &SavedModel) -> Result<Self, Error> {
        load(saved)
    }

    fn known(&self, who: &Customers<'_>) -> Result<Vec<(f64, f64)>, Error> {
        self.known_rows(who, 0..who.len())
    }

    fn known_of(&self, who: &Customers<'_>, row: usize) -> Result<(f64, f64), Error> {
        Ok(self.known_rows(who, row..row + 1)?[0])
    }

    fn expected_given(&self, &(count, mean_ln): &(f64, f64)) -> Option<f64> {
        Some(self.population.expected(count, mean_ln))
    }

    fn expected_of_new(&self) -> Option<f64> {
        Some(self.population.expected(0.0, 0.0))
    }

    fn draw_given(&self, known: &(f64, f64), count: usize, rng: &mut ChaCha8Rng, amounts: &mut Vec<f64>) {
        self.population.draw_given(*known, count, rng, amounts);
    }
}
