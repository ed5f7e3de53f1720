//! Spend under many populations: forecasts that hold how sure the population is.

use clv_core::model::{AmountsOf, Answers, DrawAmounts, Fit, Fitted, Kind, Spend};
use clv_core::saved::{Registry, SaveWriter};
use clv_core::summary::SpendBasis;
use clv_core::{Ask, Context, Customers, Error, ForecastMut, History, Predict, Scratch, TimeUnit, Training};
use clv_math::special::beta_inc;

use super::{BayesSpend, GammaGamma, KIND, SpendModel, load};
use crate::posterior::Posterior;
use crate::posterior_model::{KEPT, evenly, told};

/// Draws from a posterior of Gamma-Gamma as one model. The spend that it forecasts is the mean over the populations drawn, and amounts that are drawn of it
/// ([`Possible`](clv_core::model::Possible)) hold how sure the population is: futures of one number have the same one, whoever the customer is.
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
pub struct SpendPosteriorModel {
    /// At least one.
    models: Vec<SpendModel>,
}

impl SpendPosteriorModel {
    const KIND: Kind = Kind::around("posterior", 1, &KIND);

    /// As many as 400 of the draws, evenly among all, for means over these purchases.
    ///
    /// # Errors
    ///
    /// [`Error::TooLittleData`] without a draw.
    pub fn of_draws(
        posterior: &Posterior<GammaGamma>,
        unit: TimeUnit,
        basis: SpendBasis,
    ) -> Result<Self, Error> {
        let model = |population| SpendModel::new(population, unit).spend_basis(basis);
        Self::of(evenly(posterior, KEPT).into_iter().map(model).collect())
    }

    fn of(models: Vec<SpendModel>) -> Result<Self, Error> {
        if models.is_empty() {
            let needs = "at least one population";
            return Err(Error::TooLittleData { model: KIND.name, needs, found: 0 });
        }
        Ok(Self { models })
    }

    /// The models that were drawn.
    pub fn models(&self) -> &[SpendModel] {
        &self.models
    }

    /// The mean over the populations; none if one of them has none.
    fn mean(&self, counted: f64, mean: f64) -> Option<f64> {
        let each = self.models.iter().map(|model| model.population.expected_mean(counted, mean));
        Some(each.sum::<Option<f64>>()? / self.models.len() as f64)
    }
}

impl Fit for BayesSpend {
    type Model = SpendPosteriorModel;

    /// Draws from the posterior, and keeps 400 of the populations in a model.
    fn fit(&self, data: &Training<'_>, cx: &Context<'_>) -> Result<Fitted<Self::Model>, Error> {
        let summary = data.summary();
        let posterior = self.training(data, cx)?;
        let model = SpendPosteriorModel::of_draws(&posterior, summary.unit, summary.basis)?;
        Ok(Fitted { model, report: told(&posterior) })
    }
}

impl Predict for SpendPosteriorModel {
    fn kind(&self) -> Kind {
        Self::KIND
    }

    fn unit(&self) -> TimeUnit {
        self.models[0].unit()
    }

    fn answers(&self) -> Answers {
        self.models[0].answers()
    }

    /// Spend does not depend on time, so histories in any unit will do.
    fn predict_into(
        &self,
        who: &Customers<'_>,
        _: &Ask,
        _: &mut Scratch,
        out: &mut ForecastMut<'_>,
    ) -> Result<(), Error> {
        self.models[0].write(who, out, |counted, mean| self.mean(counted, mean))
    }

    fn spend(&self) -> Option<&dyn Spend> {
        Some(self)
    }

    fn draw_amounts(&self) -> Option<&dyn DrawAmounts> {
        Some(self)
    }

    fn save(&self, to: &mut SaveWriter) -> Result<(), Error> {
        self.models[0].save(to)?;
        to.field("draws", &self.models.iter().map(|model| model.population.values()).collect::<Vec<_>>())
    }
}

impl DrawAmounts for SpendPosteriorModel {
    fn amounts_of(&self, who: &Customers<'_>, row: usize) -> Result<AmountsOf<'_>, Error> {
        let known = self.models[0].counted_of(who, row)?;
        Ok(Box::new(move |(draw, count), rng, amounts| {
            let model = &self.models[draw % self.models.len()];
            model.population.draw_amounts(known, count, rng, amounts);
        }))
    }

    fn draws_population(&self) -> bool {
        true
    }
}

impl Spend for SpendPosteriorModel {
    fn expected_spend(&self, history: &History) -> Result<Option<f64>, Error> {
        Customers::one(history, self.unit())?;
        let (counted, mean) = self.models[0].counted(history.frequency, history.spend);
        Ok(self.mean(counted, mean))
    }

    /// Of the mixture of all populations, by bisection between the least and the greatest of theirs.
    fn spend_quantile(&self, history: &History, probability: f64) -> Result<f64, Error> {
        let (counted, mean) = self.models[0].counted(history.frequency, history.spend);
        let (mut low, mut high) = (f64::INFINITY, 0.0_f64);
        for model in &self.models {
            let one = model.spend_quantile(history, probability)?;
            (low, high) = (low.min(one), high.max(one));
        }
        let below = |amount: f64| {
            let one = |model: &SpendModel| {
                let [p, q, gamma] = model.population.values();
                let scale = gamma + counted * mean;
                beta_inc(p, p * counted + q, amount / (scale + amount))
            };
            self.models.iter().map(one).sum::<f64>() / self.models.len() as f64
        };
        // Amounts are positive, and may be of any size: halves of their logarithm.
        while high > low * (1.0 + 1e-12) {
            let middle = (low * high).sqrt();
            if middle <= low || middle >= high {
                break;
            }
            *(if below(middle) < probability { &mut low } else { &mut high }) = middle;
        }
        Ok(high)
    }
}

pub(super) fn register(registry: &mut Registry) {
    registry.register(SpendPosteriorModel::KIND, |saved, _| {
        let one = load(saved)?;
        let draws: Vec<[f64; 3]> = saved.field("draws")?;
        let of = |values: &[f64; 3]| Ok(SpendModel { population: GammaGamma::from_values(values)?, ..one });
        Ok(Box::new(SpendPosteriorModel::of(draws.iter().map(of).collect::<Result<_, Error>>()?)?))
    });
}
