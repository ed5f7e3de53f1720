//! Spend by Gamma-Gamma under many populations: forecasts that hold how sure the population is.

use clv_core::model::{Kind, Spend};
use clv_core::saved::SavedModel;
use clv_core::summary::SpendBasis;
use clv_core::{Context, Customers, Error, History, Predict, TimeUnit, Training, Warning};
use clv_math::special::beta_inc;
use rand_chacha::ChaCha8Rng;

use super::fit::Spent;
use super::{GammaGamma, GammaGammaFit, KIND, PARAMETERS, SpendModel, beyond_any_number, load};
use crate::bayes_spend::{BayesSpend, DrawnSpend, SpendFit, SpendPosteriorModel, sampled};
use crate::posterior::{Posterior, Sampler};
use crate::process::Parameter;

/// With a `q` below this a population says more than ten times `pγ` of a new customer.
const HEAVY: f64 = 1.1;

impl BayesSpend<GammaGammaFit> {
    /// Draws, given customers.
    ///
    /// # Errors
    ///
    /// As [`GammaGammaFit::fit_customers`].
    pub fn customers(&self, who: &Customers<'_>, cx: &Context<'_>) -> Result<Posterior<GammaGamma>, Error> {
        self.each.draws_of(&self.each.spent(who)?, &self.sampler, cx)
    }
}

impl GammaGammaFit {
    fn draws_of(
        &self,
        spent: &Spent,
        sampler: &Sampler,
        cx: &Context<'_>,
    ) -> Result<Posterior<GammaGamma>, Error> {
        self.options.expect_no_penalty()?;
        let of = (KIND.name, self.coordinates(spent.mean), spent.rows.len() as f64);
        sampled(sampler, of, &Self::likelihood(spent), cx, GammaGamma::from_values, |likeliest| {
            (spent.unit, spent.warnings(likeliest))
        })
    }
}

impl SpendFit for GammaGammaFit {
    type Drawn = SpendModel;

    const PARAMETERS: &'static [Parameter] = &PARAMETERS;

    fn draws(
        &self,
        data: &Training<'_>,
        sampler: &Sampler,
        cx: &Context<'_>,
    ) -> Result<Posterior<GammaGamma>, Error> {
        self.draws_of(&self.spent_of(data)?, sampler, cx)
    }
}

impl DrawnSpend for SpendModel {
    type Population = GammaGamma;
    type Known = (f64, f64);

    const KIND: Kind = KIND;

    fn of(population: GammaGamma, unit: TimeUnit, basis: SpendBasis) -> Self {
        Self::new(population, unit).spend_basis(basis)
    }

    fn values(&self) -> Vec<f64> {
        self.population.values().to_vec()
    }

    fn with_values(&self, values: &[f64]) -> Result<Self, Error> {
        Ok(Self { population: GammaGamma::from_values(values)?, ..*self })
    }

    fn load(saved: &SavedModel) -> Result<Self, Error> {
        load(saved)
    }

    fn known(&self, who: &Customers<'_>) -> Result<Vec<(f64, f64)>, Error> {
        let means = self.means(who)?;
        Ok(who.frequency().iter().zip(means).map(|(x, mean)| self.counted(*x, Some(*mean))).collect())
    }

    fn known_of(&self, who: &Customers<'_>, row: usize) -> Result<(f64, f64), Error> {
        self.counted_of(who, row)
    }

    fn expected_given(&self, &(counted, mean): &(f64, f64)) -> Option<f64> {
        self.population.expected_mean(counted, mean)
    }

    fn expected_of_new(&self) -> Option<f64> {
        self.population.expected_mean(0.0, 0.0)
    }

    fn draw_given(&self, known: &(f64, f64), count: usize, rng: &mut ChaCha8Rng, amounts: &mut Vec<f64>) {
        self.population.draw_amounts(*known, count, rng, amounts);
    }

    fn heavy_tail(models: &[Self]) -> Option<Warning> {
        heavy_tail(models.iter().map(|model| model.population.q))
    }

    fn says_spend(posterior: &SpendPosteriorModel<Self>) -> Option<&dyn Spend> {
        Some(posterior)
    }
}

/// Populations whose mean hardly exists, by their `q`.
pub(super) fn heavy_tail(all: impl ExactSizeIterator<Item = f64> + Clone) -> Option<Warning> {
    let least = all.clone().fold(f64::INFINITY, f64::min);
    let (of, populations) = (all.len(), all.filter(|q| *q < HEAVY).count());
    (populations > 0).then_some(Warning::HeavyTail { populations, of, least })
}

impl Spend for SpendPosteriorModel<SpendModel> {
    fn expected_spend(&self, history: &History) -> Result<Option<f64>, Error> {
        Customers::one(history, self.unit())?;
        Ok(self.mean(&self.models[0].counted(history.frequency, history.spend)))
    }

    /// Of the mixture of all populations, by bisection between the least and the greatest of theirs.
    fn spend_quantile(&self, history: &History, probability: f64) -> Result<f64, Error> {
        self.models[0].expect_quantile(history, probability)?;
        let (counted, mean) = self.models[0].counted(history.frequency, history.spend);
        let each =
            self.models.iter().map(|model| model.population.amount_quantile(counted, mean, probability));
        // Of those beyond any number the mixture may still have one within.
        let (low, high) = each.fold((f64::MAX, 0.0_f64), |(low, high), one| (low.min(one), high.max(one)));
        let (mut low, mut high) = (low.max(f64::MIN_POSITIVE), high.clamp(f64::MIN_POSITIVE, f64::MAX));
        // Whether an amount is below the quantile: by the nearer tail, and in it by the smaller part, which keep their digits.
        let from_above = probability > 0.5;
        let is_below = |amount: f64| {
            let tail = |model: &SpendModel| {
                let [p, q, gamma] = model.population.values();
                let (b, scale) = (p * counted + q, gamma + counted * mean);
                let above = amount > scale;
                let tail = if above {
                    beta_inc(b, p, part(scale, amount))
                } else {
                    beta_inc(p, b, part(amount, scale))
                };
                if above == from_above { tail } else { 1.0 - tail }
            };
            let tail = self.models.iter().map(tail).sum::<f64>() / self.models.len() as f64;
            if from_above { tail > 1.0 - probability } else { tail < probability }
        };
        if high == f64::MAX && is_below(high) {
            return Err(beyond_any_number());
        }
        // Amounts are positive, and may be of any size: halves of their logarithm.
        while high > low * (1.0 + 1e-12) {
            let middle = low.sqrt() * high.sqrt();
            if middle <= low || middle >= high {
                break;
            }
            *(if is_below(middle) { &mut low } else { &mut high }) = middle;
        }
        Ok(high)
    }
}

/// `a/(a + b)` of positive numbers of any size.
fn part(a: f64, b: f64) -> f64 {
    if a < b { (a / b) / (1.0 + a / b) } else { 1.0 / (1.0 + b / a) }
}
