//! Draws from the posterior of the spend model.

use clv_core::{Context, Customers, Error, Training};

use super::fit::{GammaGammaFit, Spent};
use super::{GammaGamma, KIND, PARAMETERS};
use crate::posterior::{Posterior, Sampled, Sampler, Target};

/// How to draw from the posterior of the Gamma-Gamma model, as [`Bayes`](crate::Bayes) does of purchases: with both, value has an interval
/// that says how sure the two populations are ([`Predictive`](crate::Predictive)).
///
/// | Name | Default | Why |
/// | :-- | :-- | :-- |
/// | `prior` | `ln θ ~ N(ln θ₀, 1.5²)` | `θ₀` is 1 for `p` and `q` and the mean spend for `γ`, so that the prior does not change with the currency |
/// | `chains`, `draws` | 4 of 1,000 | as PyMC and Stan |
///
/// ```
/// use clv_btyd::{BayesSpend, GammaGammaFit};
/// use clv_core::{Context, Customers, TimeUnit};
///
/// let (x, t_x, age) = ([1, 4, 2, 9, 3], [9.0; 5], [20.0; 5]);
/// let who = Customers::new(TimeUnit::Week, &x, &t_x, &age, Some(&[10.0, 22.0, 31.0, 18.0, 12.5]))?;
/// let posterior = BayesSpend::new(GammaGammaFit::new()).customers(&who, &Context::default().seed(1))?;
/// assert_eq!(posterior.draws().populations.len(), 4_000);
/// # Ok::<(), clv_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Default)]
pub struct BayesSpend {
    each: GammaGammaFit,
    sampler: Sampler,
}

impl BayesSpend {
    /// With the defaults; what the settings hold is held, and amounts are taken one by one if they say so.
    pub fn new(each: GammaGammaFit) -> Self {
        Self { each, sampler: Sampler::default() }
    }

    /// So many chains of so many draws.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] for none, or for fewer than 4 draws.
    pub fn chains(self, chains: usize, draws: usize) -> Result<Self, Error> {
        Ok(Self { sampler: self.sampler.chains(chains, draws)?, ..self })
    }

    /// The prior of a parameter, `ln θ ~ N(ln median, deviation²)`.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownName`] for another name; [`Error::Setting`] unless both are finite and above 0.
    pub fn prior(self, name: &str, median: f64, deviation: f64) -> Result<Self, Error> {
        Ok(Self { sampler: self.sampler.prior(&PARAMETERS, name, median, deviation)?, ..self })
    }

    /// Draws, given customers.
    ///
    /// # Errors
    ///
    /// As [`GammaGammaFit::fit_customers`].
    pub fn customers(&self, who: &Customers<'_>, cx: &Context<'_>) -> Result<Posterior<GammaGamma>, Error> {
        self.of(&self.each.spent(who)?, cx)
    }

    /// Draws, given a log.
    ///
    /// # Errors
    ///
    /// As [`GammaGammaFit::fit_customers`].
    pub fn training(&self, data: &Training<'_>, cx: &Context<'_>) -> Result<Posterior<GammaGamma>, Error> {
        self.of(&self.each.spent_of(data)?, cx)
    }

    fn of(&self, spent: &Spent, cx: &Context<'_>) -> Result<Posterior<GammaGamma>, Error> {
        let derivatives = GammaGammaFit::likelihood(spent);
        let target = Target {
            name: KIND.name,
            coordinates: self.each.coordinates(spent.mean),
            customers: spent.rows.len() as f64,
            start: None,
            derivatives: &derivatives,
            ln_likelihood: &|values| derivatives(values).map(|found| found.value),
        };
        let Sampled { chains, summaries, accepted, evaluations, mut mode, .. } =
            self.sampler.draw(target, cx)?;
        mode.unit = spent.unit;
        let most_likely: Vec<f64> = mode.parameters.iter().map(|p| p.value).collect();
        mode.warnings.extend(spent.warnings(&GammaGamma::from_values(&most_likely)?));
        let population = |values: &Vec<f64>| GammaGamma::from_values(values);
        let chains: Vec<Vec<GammaGamma>> = chains
            .iter()
            .map(|chain| chain.iter().map(population).collect::<Result<_, _>>())
            .collect::<Result<_, _>>()?;
        Ok(Posterior { chains, summaries, accepted, evaluations, mode })
    }
}
