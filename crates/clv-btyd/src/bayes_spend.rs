//! Draws from the posterior of a model of spend.

use clv_core::model::{AmountsOf, Answers, DrawAmounts, Fit, Fitted, Kind, Spend, Warning, population_of};
use clv_core::saved::{Registry, SaveWriter, SavedModel};
use clv_core::summary::SpendBasis;
use clv_core::{Ask, Context, Customers, Error, Feature, ForecastMut, Predict, Scratch, TimeUnit, Training};
use clv_math::minimise::Derivatives;
use rand_chacha::ChaCha8Rng;

use crate::gamma_gamma::{GammaGammaFit, SpendModel};
use crate::posterior::{Posterior, Sampled, Sampler, Target, modelled};
use crate::posterior_model::{KEPT, at_least_one, evenly, saved_draws, told};
use crate::process::Parameter;
use crate::search::Coordinate;

/// A draw that makes this share of the mean over so many or more.
const MUCH: f64 = 0.1;
const ENOUGH: usize = 50;

/// How to draw from the posterior of a model of spend, [`GammaGammaFit`], with columns [`SpendWithCovariates`](crate::SpendWithCovariates), or
/// [`LognormalSpendFit`](crate::LognormalSpendFit), as [`Bayes`](crate::Bayes) does of
/// purchases: with both, value has an interval that says how sure the two populations are ([`Possible`](clv_core::model::Possible)).
///
/// | Name | Default | Why |
/// | :-- | :-- | :-- |
/// | `prior` | `ln θ ~ N(ln θ₀, 1.5²)` | `θ₀` is 1, and the mean spend for `γ`, the middle amount for `median`, so that the prior does not change with the currency |
/// | `chains`, `draws` | 4 of 1,000 | as PyMC and Stan |
///
/// What the settings hold is held, and amounts are taken one by one if they say so; a penalty they have none, as the prior takes its place.
///
/// ```
/// use clv_btyd::{BayesSpend, GammaGammaFit, LognormalSpendFit};
/// use clv_core::{Context, Customers, TimeUnit};
///
/// let (x, t_x, age) = ([1, 4, 2, 9, 3], [9.0; 5], [20.0; 5]);
/// let who = Customers::new(TimeUnit::Week, &x, &t_x, &age, Some(&[10.0, 22.0, 31.0, 18.0, 12.5]))?;
/// let cx = Context::default().seed(1);
/// let posterior = BayesSpend::new(GammaGammaFit::new()).customers(&who, &cx)?;
/// assert_eq!(posterior.draws().populations.len(), 4_000);
///
/// let amounts = [vec![10.0, 12.0, 9.0], vec![80.0, 95.0], vec![31.0, 25.0, 40.0, 33.0], vec![14.0]];
/// let posterior = BayesSpend::new(LognormalSpendFit::new()).amounts(&amounts, &cx)?;
/// assert!(posterior.summaries[0].quantiles[0] < 30.0 && posterior.summaries[0].quantiles[2] > 30.0);
/// # Ok::<(), clv_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Default)]
pub struct BayesSpend<F = GammaGammaFit> {
    pub(crate) each: F,
    pub(crate) sampler: Sampler,
}

pub(crate) mod sealed {
    use super::*;

    /// How a model of spend is fitted, and so drawn from.
    pub trait SpendFit: Fit + Clone {
        type Drawn: DrawnSpend;

        const PARAMETERS: &'static [Parameter];

        fn draws(
            &self,
            data: &Training<'_>,
            sampler: &Sampler,
            cx: &Context<'_>,
        ) -> Result<Posterior<<Self::Drawn as DrawnSpend>::Population>, Error>;
    }

    /// A model of spend that may be drawn: others of its kind differ in numbers alone.
    pub trait DrawnSpend: Predict + Clone + PartialEq + 'static {
        type Population: Clone;
        /// What is known of a customer's spend: so many amounts, their mean on the model's scale, and what moves it.
        type Known: Clone;

        const KIND: Kind;

        fn of(population: Self::Population, unit: TimeUnit, basis: SpendBasis) -> Self;

        fn values(&self) -> Vec<f64>;

        fn with_values(&self, values: &[f64]) -> Result<Self, Error>;

        fn load(saved: &SavedModel) -> Result<Self, Error>;

        fn known(&self, who: &Customers<'_>) -> Result<Vec<Self::Known>, Error>;

        fn known_of(&self, who: &Customers<'_>, row: usize) -> Result<Self::Known, Error>;

        /// Expected spend given it, if it exists.
        fn expected_given(&self, known: &Self::Known) -> Option<f64>;

        /// The same of whom nothing is known.
        fn expected_of_new(&self) -> Option<f64>;

        /// Appends so many amounts of a customer of whom it is known.
        fn draw_given(&self, known: &Self::Known, count: usize, rng: &mut ChaCha8Rng, amounts: &mut Vec<f64>);

        /// What is to be told of populations whose mean hardly exists.
        fn heavy_tail(_: &[Self]) -> Option<Warning> {
            None
        }

        /// A posterior that says spend of a history alone.
        fn says_spend(_: &SpendPosteriorModel<Self>) -> Option<&dyn Spend> {
            None
        }
    }
}
pub(crate) use sealed::{DrawnSpend, SpendFit};

impl<F: SpendFit> BayesSpend<F> {
    /// With the defaults.
    pub fn new(each: F) -> Self {
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
        Ok(Self { sampler: self.sampler.prior(F::PARAMETERS, name, median, deviation)?, ..self })
    }

    /// Draws, given a log.
    ///
    /// # Errors
    ///
    /// As the fit itself.
    pub fn training(
        &self,
        data: &Training<'_>,
        cx: &Context<'_>,
    ) -> Result<Posterior<<F::Drawn as DrawnSpend>::Population>, Error> {
        self.each.draws(data, &self.sampler, cx)
    }
}

/// Draws of populations by the likelihood of so many customers, with what else is told of the mode.
pub(crate) fn sampled<P>(
    sampler: &Sampler,
    (name, coordinates, customers): (&'static str, Vec<Coordinate>, f64),
    derivatives: &dyn Fn(&[f64]) -> Option<Derivatives>,
    cx: &Context<'_>,
    population: impl Fn(&[f64]) -> Result<P, Error>,
    tell: impl FnOnce(&P) -> (TimeUnit, Vec<Warning>),
) -> Result<Posterior<P>, Error> {
    let ln_likelihood = |values: &[f64]| derivatives(values).map(|found| found.value);
    let target =
        Target { name, coordinates, customers, start: None, derivatives, ln_likelihood: &ln_likelihood };
    let Sampled { chains, summaries, accepted, evaluations, mut mode, .. } = sampler.draw(target, cx)?;
    let likeliest: Vec<f64> = mode.parameters.iter().map(|p| p.value).collect();
    let (unit, warnings) = tell(&population(&likeliest)?);
    mode.unit = unit;
    mode.warnings.extend(warnings);
    let chains = modelled(&chains, population)?;
    Ok(Posterior { chains, summaries, accepted, evaluations, mode })
}

/// Draws from a posterior of spend as one model. The spend that it forecasts is the mean over the populations drawn, and amounts that are drawn of it
/// ([`Possible`](clv_core::model::Possible)) hold how sure the population is: futures of one number have the same one, whoever the customer is.
///
/// Under the posterior of lognormal spend the mean of what a new customer spends does not exist, as `e^{τ²/2}` has none: with twenty customers or more no draw
/// shows it, with a handful a draw may be most of the mean ([`Warning::OneDraw`]).
///
/// A population of Gamma-Gamma with `q ≤ 1` has no mean. If one of those drawn is such, customers of whom no purchase counts have no expected spend, as with a
/// single population; with `q` near 1 the mean is that of a few draws. The fit warns of both ([`Warning::HeavyTail`], [`DrawAmounts::caution`]); quantiles
/// ([`Spend::spend_quantile`]) exist unless they lie beyond any number.
///
/// ```
/// use clv_btyd::{BayesSpend, BgNbd, GammaGamma, GammaGammaFit, PurchaseModel, Simulation};
/// use clv_core::{Ask, Context, Cut, Fit, Grain, Moment, Predict, Span, TimeUnit, Training};
///
/// # let truth = PurchaseModel::new(BgNbd::new(0.9, 8.0, 0.7, 3.0)?, TimeUnit::Week);
/// # let spend = GammaGamma::new(6.25, 3.74, 15.44)?;
/// # let day = Moment::parse_date;
/// # let log = Simulation::new(200, day("2023-01-01")?, day("2023-12-31")?, 1)?.run(&truth, TimeUnit::Week, Some(&spend))?;
/// let cut = Cut::end_of(day("2023-12-31")?, Grain::Day);
/// let purchases = Training::merge(&log, cut)?;
/// let training = Training::new(&purchases, cut, TimeUnit::Week)?;
/// let fitted = BayesSpend::new(GammaGammaFit::new()).fit(&training, &Context::default())?;
/// let forecast = training.forecast(&fitted.model, &Ask::over(Span::weeks(26.0)?))?;
/// assert!(forecast.spend.is_some());
/// # Ok::<(), clv_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct SpendPosteriorModel<M = SpendModel> {
    /// At least one.
    pub(crate) models: Vec<M>,
}

impl<M: DrawnSpend> SpendPosteriorModel<M> {
    const KIND: Kind = Kind::around("posterior", 1, &M::KIND);

    /// As many as 400 of the draws, evenly among all, for amounts of these purchases.
    ///
    /// # Errors
    ///
    /// [`Error::TooLittleData`] without a draw.
    pub fn of_draws(
        posterior: &Posterior<M::Population>,
        unit: TimeUnit,
        basis: SpendBasis,
    ) -> Result<Self, Error> {
        let model = |population| M::of(population, unit, basis);
        Self::from_models(evenly(posterior, KEPT).into_iter().map(model).collect())
    }

    fn from_models(models: Vec<M>) -> Result<Self, Error> {
        Ok(Self { models: at_least_one(M::KIND.name, models)? })
    }

    /// The models that were drawn.
    pub fn models(&self) -> &[M] {
        &self.models
    }

    /// What is to be told of the mean over the populations.
    fn told_of_mean(&self) -> Option<Warning> {
        M::heavy_tail(&self.models).or_else(|| {
            let new = |model: &M| model.expected_of_new().unwrap_or(f64::INFINITY);
            let sum: f64 = self.models.iter().map(new).sum();
            let most = self.models.iter().map(new).fold(0.0, f64::max);
            let (share, of) = (if sum.is_finite() { most / sum } else { 1.0 }, self.models.len());
            (of >= ENOUGH && share > MUCH).then_some(Warning::OneDraw { share, of })
        })
    }

    /// The mean over the populations; none if one of them has none.
    pub(crate) fn mean(&self, known: &M::Known) -> Option<f64> {
        let each = self.models.iter().map(|model| model.expected_given(known));
        Some(each.sum::<Option<f64>>()? / self.models.len() as f64)
    }
}

impl<F: SpendFit> Fit for BayesSpend<F> {
    type Model = SpendPosteriorModel<F::Drawn>;

    /// Draws from the posterior, and keeps 400 of the populations in a model.
    fn fit(&self, data: &Training<'_>, cx: &Context<'_>) -> Result<Fitted<Self::Model>, Error> {
        let summary = data.summary();
        let posterior = self.training(data, cx)?;
        let model = SpendPosteriorModel::of_draws(&posterior, summary.unit, summary.basis)?;
        let mut report = told(&posterior);
        report.warnings.extend(model.told_of_mean());
        Ok(Fitted { model, report })
    }
}

impl<M: DrawnSpend> Predict for SpendPosteriorModel<M> {
    fn kind(&self) -> Kind {
        Self::KIND
    }

    fn unit(&self) -> TimeUnit {
        self.models[0].unit()
    }

    fn answers(&self) -> Answers {
        self.models[0].answers()
    }

    fn needs(&self) -> &[Feature] {
        self.models[0].needs()
    }

    /// Spend does not depend on time, so histories in any unit will do.
    fn predict_into(
        &self,
        who: &Customers<'_>,
        _: &Ask,
        _: &mut Scratch,
        out: &mut ForecastMut<'_>,
    ) -> Result<(), Error> {
        out.expect(M::KIND.name, &self.answers(), who.len())?;
        let Some(column) = &mut out.spend else { return Ok(()) };
        for (slot, known) in column.iter_mut().zip(self.models[0].known(who)?) {
            *slot = self.mean(&known);
        }
        Ok(())
    }

    fn spend(&self) -> Option<&dyn Spend> {
        M::says_spend(self)
    }

    fn draw_amounts(&self) -> Option<&dyn DrawAmounts> {
        Some(self)
    }

    fn save(&self, to: &mut SaveWriter) -> Result<(), Error> {
        self.models[0].save(to)?;
        to.field("draws", &self.models.iter().map(DrawnSpend::values).collect::<Vec<_>>())
    }
}

impl<M: DrawnSpend> DrawAmounts for SpendPosteriorModel<M> {
    fn amounts_of(&self, who: &Customers<'_>, row: usize, draws: usize) -> Result<AmountsOf<'_>, Error> {
        let known = self.models[0].known_of(who, row)?;
        Ok(Box::new(move |(draw, count), rng, amounts| {
            let model = &self.models[population_of(draw, draws, self.models.len())];
            model.draw_given(&known, count, rng, amounts);
        }))
    }

    fn draws_population(&self) -> bool {
        true
    }

    fn caution(&self) -> Option<Warning> {
        self.told_of_mean()
    }
}

pub(crate) fn register<M: DrawnSpend>(registry: &mut Registry) {
    registry.register(SpendPosteriorModel::<M>::KIND, |saved, _| {
        let one = M::load(saved)?;
        let models = saved_draws(saved, |values| one.with_values(values))?;
        Ok(Box::new(SpendPosteriorModel::<M>::from_models(models)?))
    });
}
