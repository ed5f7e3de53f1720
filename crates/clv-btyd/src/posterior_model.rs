//! A model of many populations: forecasts that hold how sure the population is.

use clv_core::model::{Activity, Answers, DrawTimes, Fit, Fitted, Kind, PurchaseForecast, Reads, Sample};
use clv_core::saved::{Registry, SaveWriter, SavedModel};
use clv_core::{
    Ask, Context, Customers, Discount, Error, Feature, FitReport, ForecastMut, History, Predict, Scratch,
    TimeUnit, Training,
};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::covariates::{BayesWithCovariates, CovariateModel};
use crate::model::{PurchaseModel, draw_times};
use crate::posterior::{Bayes, Posterior, report};
use crate::process::{Process, expect_histories};

/// As many draws are kept in a model: the mean of 400 has a twentieth of the posterior's own deviation.
pub(crate) const KEPT: usize = 400;

/// Draws from a posterior as one model. What it forecasts is the mean over the populations drawn, and futures that are drawn of it
/// ([`Possible`](clv_core::model::Possible)) hold how sure the population is beside each customer's own randomness.
///
/// ```
/// use clv_btyd::{Bayes, BgNbd, PurchaseModel, Simulation};
/// use clv_core::{Ask, Context, Cut, Fit, Grain, Moment, Predict, Span, TimeUnit, Training};
///
/// # let truth = PurchaseModel::new(BgNbd::new(0.9, 8.0, 0.7, 3.0)?, TimeUnit::Week);
/// # let day = Moment::parse_date;
/// # let log = Simulation::new(200, day("2023-01-01")?, day("2023-12-31")?, 1)?.run(&truth, TimeUnit::Week, None)?;
/// let cut = Cut::end_of(day("2023-12-31")?, Grain::Day);
/// let purchases = Training::merge(&log, cut)?;
/// let training = Training::new(&purchases, cut, TimeUnit::Week)?;
/// let fitted = Bayes::<BgNbd>::new().fit(&training, &Context::default())?;
/// let forecast = training.forecast(&fitted.model, &Ask::over(Span::weeks(26.0)?))?;
/// assert!(forecast.purchases.is_some());
/// # Ok::<(), clv_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct PosteriorModel<M> {
    /// At least one.
    models: Vec<M>,
}

pub(crate) mod sealed {
    use super::*;

    /// A model that may be drawn: others of its kind differ in numbers alone.
    pub trait Drawn: Predict + Clone + PartialEq + 'static {
        /// Of the population.
        type Process: Process;
        const KIND: Kind;

        /// Parameters, then coefficients.
        fn values(&self) -> Vec<f64>;

        fn with_values(&self, values: &[f64]) -> Result<Self, Error>;

        fn load(saved: &SavedModel) -> Result<Self, Error>;

        /// The population of one of these customers.
        fn of_customer(&self, who: &Customers<'_>, row: usize) -> Result<Self::Process, Error>;
    }
}
use sealed::Drawn;

impl<P: Process> Drawn for PurchaseModel<P> {
    type Process = P;
    const KIND: Kind = P::KIND;

    fn values(&self) -> Vec<f64> {
        self.parameters().values()
    }

    fn with_values(&self, values: &[f64]) -> Result<Self, Error> {
        Ok(Self::new(P::from_values(values)?, self.unit()))
    }

    fn load(saved: &SavedModel) -> Result<Self, Error> {
        crate::model::load(saved)
    }

    fn of_customer(&self, _: &Customers<'_>, _: usize) -> Result<P, Error> {
        Ok(*self.parameters())
    }
}

impl<M: Drawn> PosteriorModel<M> {
    const KIND: Kind = Kind::around("posterior", 1, &M::KIND);

    /// So many of the draws, evenly among all.
    ///
    /// # Errors
    ///
    /// [`Error::TooLittleData`] without a draw.
    pub fn of(posterior: &Posterior<M>, kept: usize) -> Result<Self, Error> {
        Self::from_models(evenly(posterior, kept))
    }

    fn from_models(models: Vec<M>) -> Result<Self, Error> {
        Ok(Self { models: at_least_one(M::KIND.name, models)? })
    }

    /// The models that were drawn.
    pub fn models(&self) -> &[M] {
        &self.models
    }

    fn mean(&self, of: impl Fn(&M) -> Option<Result<f64, Error>>) -> Result<f64, Error> {
        let cannot = || Error::CannotSay {
            model: M::KIND.name,
            quantity: "this of a history alone",
            hint: ": its columns move it",
        };
        let mut sum = 0.0;
        for model in &self.models {
            sum += of(model).ok_or_else(cannot)??;
        }
        Ok(sum / self.models.len() as f64)
    }
}

impl<M: Drawn> Predict for PosteriorModel<M> {
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

    fn reads(&self) -> Reads {
        self.models[0].reads()
    }

    fn predict_into(
        &self,
        who: &Customers<'_>,
        ask: &Ask,
        scratch: &mut Scratch,
        out: &mut ForecastMut<'_>,
    ) -> Result<(), Error> {
        out.expect(M::KIND.name, &self.answers(), who.len())?;
        let mut inner = scratch.inner.take().unwrap_or_default();
        let done = self.add_up(who, ask, (scratch, &mut inner), out);
        scratch.inner = Some(inner);
        done
    }

    fn activity(&self) -> Option<&dyn Activity> {
        self.models[0].activity().map(|_| self as &dyn Activity)
    }

    fn purchases(&self) -> Option<&dyn PurchaseForecast> {
        self.models[0].purchases().map(|_| self as &dyn PurchaseForecast)
    }

    fn sample(&self) -> Option<&dyn Sample> {
        self.models[0].sample().map(|_| self as &dyn Sample)
    }

    fn draw_times(&self) -> Option<&dyn DrawTimes> {
        Some(self)
    }

    fn own(&self, who: &Customers<'_>, row: usize) -> Result<Option<Box<dyn Predict>>, Error> {
        if self.models[0].activity().is_some() {
            return Ok(None);
        }
        let own = |model: &M| Ok(PurchaseModel::new(model.of_customer(who, row)?, self.unit()));
        let models = self.models.iter().map(own).collect::<Result<Vec<_>, Error>>()?;
        Ok(Some(Box::new(PosteriorModel::from_models(models)?)))
    }

    fn save(&self, to: &mut SaveWriter) -> Result<(), Error> {
        self.models[0].save(to)?;
        to.field("draws", &self.models.iter().map(Drawn::values).collect::<Vec<_>>())
    }
}

impl<M: Drawn> PosteriorModel<M> {
    fn add_up(
        &self,
        who: &Customers<'_>,
        ask: &Ask,
        (scratch, inner): (&mut Scratch, &mut Scratch),
        out: &mut ForecastMut<'_>,
    ) -> Result<(), Error> {
        let [alive, purchases, discounted] = &mut scratch.columns;
        for column in [&mut *alive, &mut *purchases, &mut *discounted] {
            column.clear();
            column.resize(who.len(), 0.0);
        }
        for column in
            [&mut out.p_alive, &mut out.purchases, &mut out.discounted_purchases].into_iter().flatten()
        {
            column.fill(0.0);
        }
        for model in &self.models {
            let mut one = ForecastMut {
                p_alive: out.p_alive.is_some().then_some(&mut alive[..]),
                purchases: out.purchases.is_some().then_some(&mut purchases[..]),
                discounted_purchases: out.discounted_purchases.is_some().then_some(&mut discounted[..]),
                ..ForecastMut::default()
            };
            model.predict_into(who, ask, inner, &mut one)?;
            let columns = [&mut out.p_alive, &mut out.purchases, &mut out.discounted_purchases];
            for (sum, one) in columns.into_iter().zip([&*alive, &*purchases, &*discounted]) {
                for (sum, one) in sum.iter_mut().flat_map(|sum| sum.iter_mut()).zip(one) {
                    *sum += one;
                }
            }
        }
        // Divided at last, so that the mean of ones is one.
        let n = self.models.len() as f64;
        let columns = [&mut out.p_alive, &mut out.purchases, &mut out.discounted_purchases];
        columns.into_iter().flatten().flat_map(|column| column.iter_mut()).for_each(|sum| *sum /= n);
        Ok(())
    }
}

impl<M: Drawn> DrawTimes for PosteriorModel<M> {
    fn visit_futures(
        &self,
        who: &Customers<'_>,
        row: usize,
        within: (f64, usize),
        rng: &mut ChaCha8Rng,
        see: &mut dyn FnMut(usize, &[f64]),
    ) -> Result<(), Error> {
        who.expect(M::KIND.name, self.unit(), self.reads())?;
        let own = |model: &M| model.of_customer(who, row);
        let populations: Vec<M::Process> = self.models.iter().map(own).collect::<Result<_, _>>()?;
        draw_times(&populations, who, row, within, rng, see)
    }
}

impl<M: Drawn> Activity for PosteriorModel<M> {
    fn p_alive(&self, history: &History, later: f64) -> Result<f64, Error> {
        self.mean(|model| Some(model.activity()?.p_alive(history, later)))
    }
}

impl<M: Drawn> PurchaseForecast for PosteriorModel<M> {
    fn expected(&self, history: &History, from: f64, to: f64) -> Result<f64, Error> {
        self.mean(|model| Some(model.purchases()?.expected(history, from, to)))
    }

    fn probability_of(&self, history: &History, t: f64, count: u32) -> Result<f64, Error> {
        self.mean(|model| Some(model.purchases()?.probability_of(history, t, count)))
    }

    fn expected_of_new(&self, t: f64) -> Result<f64, Error> {
        self.mean(|model| Some(model.purchases()?.expected_of_new(t)))
    }

    fn probability_of_new(&self, t: f64, count: u32) -> Result<f64, Error> {
        self.mean(|model| Some(model.purchases()?.probability_of_new(t, count)))
    }

    fn discounted(&self, history: &History, discount: Discount, horizon: Option<f64>) -> Result<f64, Error> {
        self.mean(|model| Some(model.purchases()?.discounted(history, discount, horizon)))
    }
}

impl<M: Drawn> Sample for PosteriorModel<M> {
    fn purchase_times(&self, length: f64, rng: &mut ChaCha8Rng, times: &mut Vec<f64>) {
        let model = &self.models[rng.random_range(0..self.models.len())];
        if let Some(sample) = model.sample() {
            sample.purchase_times(length, rng, times);
        }
    }
}

impl<P: Process> Fit for Bayes<P> {
    type Model = PosteriorModel<PurchaseModel<P>>;

    /// Draws from the posterior, and keeps 400 of the populations in a model.
    fn fit(&self, data: &Training<'_>, cx: &Context<'_>) -> Result<Fitted<Self::Model>, Error> {
        expect_histories::<P>(data)?;
        let unit = data.summary().unit;
        let Posterior { chains, summaries, accepted, evaluations, mode } =
            self.cells(&data.cells(), unit, cx)?;
        let of = |chain: Vec<P>| chain.into_iter().map(|process| PurchaseModel::new(process, unit)).collect();
        let chains = chains.into_iter().map(of).collect();
        fitted(&Posterior { chains, summaries, accepted, evaluations, mode })
    }
}

impl<P: Process> Fit for BayesWithCovariates<P> {
    type Model = PosteriorModel<CovariateModel<P>>;

    /// Draws from the posterior, and keeps 400 of the models in one.
    fn fit(&self, data: &Training<'_>, cx: &Context<'_>) -> Result<Fitted<Self::Model>, Error> {
        fitted(&self.draw(data, cx)?)
    }
}

/// The models that were drawn, if there are any.
pub(crate) fn at_least_one<M>(model: &'static str, models: Vec<M>) -> Result<Vec<M>, Error> {
    if models.is_empty() {
        return Err(Error::TooLittleData { model, needs: "at least one population", found: 0 });
    }
    Ok(models)
}

/// Models as their values were saved.
pub(crate) fn saved_draws<M>(
    saved: &SavedModel,
    with_values: impl Fn(&[f64]) -> Result<M, Error>,
) -> Result<Vec<M>, Error> {
    let draws: Vec<Vec<f64>> = saved.field("draws")?;
    draws.iter().map(|values| with_values(values)).collect()
}

/// So many of the draws, evenly among all.
pub(crate) fn evenly<M: Clone>(posterior: &Posterior<M>, kept: usize) -> Vec<M> {
    let all: Vec<&M> = posterior.chains.iter().flatten().collect();
    let kept = kept.min(all.len());
    (0..kept).map(|i| all[i * all.len() / kept].clone()).collect()
}

fn fitted<M: Drawn>(posterior: &Posterior<M>) -> Result<Fitted<PosteriorModel<M>>, Error> {
    Ok(Fitted { model: PosteriorModel::of(posterior, KEPT)?, report: told(posterior) })
}

/// The story of a posterior, with what was told of its mode.
pub(crate) fn told<M>(posterior: &Posterior<M>) -> FitReport {
    let mode = &posterior.mode;
    let draws = posterior.chains.iter().map(Vec::len).sum();
    let mut told = report(mode.model, (mode.unit, mode.customers, draws), &posterior.summaries, |name| {
        mode.parameters.iter().any(|p| p.name == name && p.is_coefficient)
    });
    for (told, mode) in told.parameters.iter_mut().zip(&mode.parameters) {
        told.fixed = mode.fixed;
        if mode.fixed {
            (told.standard_error, told.quantiles) = (None, None);
        }
    }
    told.rows = mode.rows;
    told.evaluations = posterior.evaluations;
    told.warnings.extend(mode.warnings.iter().cloned());
    told
}

pub(crate) fn register<M: Drawn>(registry: &mut Registry) {
    registry.register(PosteriorModel::<M>::KIND, |saved, _| {
        let one = M::load(saved)?;
        let models = saved_draws(saved, |values| one.with_values(values))?;
        Ok(Box::new(PosteriorModel::<M>::from_models(models)?))
    });
}
