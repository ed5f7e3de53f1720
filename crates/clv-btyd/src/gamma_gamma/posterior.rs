//! Spend under many populations: forecasts that hold how sure the population is.

use clv_core::model::{AmountsOf, Answers, DrawAmounts, Fit, Fitted, Kind, Spend, Warning, population_of};
use clv_core::saved::{Registry, SaveWriter};
use clv_core::summary::SpendBasis;
use clv_core::{Ask, Context, Customers, Error, ForecastMut, History, Predict, Scratch, TimeUnit, Training};
use clv_math::special::beta_inc;

use super::{BayesSpend, GammaGamma, KIND, SpendModel, beyond_any_number, load};
use crate::posterior::Posterior;
use crate::posterior_model::{KEPT, evenly, told};

/// With a `q` below this a population says more than ten times `pγ` of a new customer.
const HEAVY: f64 = 1.1;

/// Draws from a posterior of Gamma-Gamma as one model. The spend that it forecasts is the mean over the populations drawn, and amounts that are drawn of it
/// ([`Possible`](clv_core::model::Possible)) hold how sure the population is: futures of one number have the same one, whoever the customer is.
///
/// A population with `q ≤ 1` has no mean. If one of those drawn is such, customers of whom no purchase counts have no expected spend, as with a single
/// population; with `q` near 1 the mean is that of a few draws. The fit warns of both ([`Warning::HeavyTail`]); quantiles ([`Spend::spend_quantile`]) always
/// exist.
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

    /// Populations whose mean hardly exists, if there are any.
    fn heavy_tail(&self) -> Option<Warning> {
        let q = |model: &SpendModel| model.population.q;
        let least = self.models.iter().map(q).fold(f64::INFINITY, f64::min);
        let heavy = self.models.iter().filter(|model| q(model) < HEAVY).count();
        (heavy > 0).then_some(Warning::HeavyTail { populations: heavy, of: self.models.len(), least })
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
        let mut report = told(&posterior);
        report.warnings.extend(model.heavy_tail());
        Ok(Fitted { model, report })
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
    fn amounts_of(&self, who: &Customers<'_>, row: usize, draws: usize) -> Result<AmountsOf<'_>, Error> {
        let known = self.models[0].counted_of(who, row)?;
        Ok(Box::new(move |(draw, count), rng, amounts| {
            let model = &self.models[population_of(draw, draws, self.models.len())];
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
        self.models[0].expect_quantile(history, probability)?;
        let (counted, mean) = self.models[0].counted(history.frequency, history.spend);
        let each =
            self.models.iter().map(|model| model.population.amount_quantile(counted, mean, probability));
        // Of those beyond any number the mixture may still have one within.
        let (low, high) = each.fold((f64::MAX, 0.0_f64), |(low, high), one| (low.min(one), high.max(one)));
        let (mut low, mut high) = (low.max(f64::MIN_POSITIVE), high.clamp(f64::MIN_POSITIVE, f64::MAX));
        // Whether an amount is below the quantile: by the nearer tail, which keeps its digits.
        let from_above = probability > 0.5;
        let is_below = |amount: f64| {
            let tail = |model: &SpendModel| {
                let [p, q, gamma] = model.population.values();
                let (b, scale) = (p * counted + q, gamma + counted * mean);
                if from_above {
                    beta_inc(b, p, part(scale, amount))
                } else {
                    beta_inc(p, b, part(amount, scale))
                }
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

pub(super) fn register(registry: &mut Registry) {
    registry.register(SpendPosteriorModel::KIND, |saved, _| {
        let one = load(saved)?;
        let draws: Vec<[f64; 3]> = saved.field("draws")?;
        let of = |values: &[f64; 3]| Ok(SpendModel { population: GammaGamma::from_values(values)?, ..one });
        Ok(Box::new(SpendPosteriorModel::of(draws.iter().map(of).collect::<Result<_, Error>>()?)?))
    });
}
