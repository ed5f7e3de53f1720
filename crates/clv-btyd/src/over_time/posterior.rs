//! Models over time under many populations: forecasts that hold how sure the population is.

use clv_core::model::{Answers, Fitted, Foresee, Kind};
use clv_core::saved::{Registry, SaveWriter};
use clv_core::{
    Ask, Context, Customers, Error, ForecastMut, Names, Predict, Scratch, Span, TimeUnit, Timelines, Training,
};

use super::bayes::BayesOverTime;
use super::fit::OverTime;
use super::model::{OverTimeModel, PURCHASES, foreseen, without_calendar};
use crate::posterior::Posterior;
use crate::posterior_model::{at_least_one, evenly, saved_draws, told};

/// As many draws are kept: each looks through the whole past of every customer. The mean of 100 has a tenth of the posterior's own deviation.
const KEPT: usize = 100;

/// Draws from a posterior of a model over time as one model. What it foresees ([`Foresee`]) is the mean over the populations drawn, and futures that are drawn of
/// that ([`Possible`](clv_core::model::Possible)) hold how sure the population is beside each customer's own randomness.
///
/// What it foresees holds each customer under each population, some 6 KB a customer: foresee a log of millions part by part.
#[derive(Clone, Debug, PartialEq)]
pub struct PosteriorOverTimeModel<P> {
    /// At least one.
    models: Vec<OverTimeModel<P>>,
}

impl<P: OverTime> PosteriorOverTimeModel<P> {
    const KIND: Kind = Kind::around("posterior", 1, &OverTimeModel::<P>::KIND);

    /// So many of the draws, evenly among all.
    ///
    /// # Errors
    ///
    /// [`Error::TooLittleData`] without a draw.
    pub fn of(posterior: &Posterior<OverTimeModel<P>>, kept: usize) -> Result<Self, Error> {
        Self::from_models(evenly(posterior, kept))
    }

    fn from_models(models: Vec<OverTimeModel<P>>) -> Result<Self, Error> {
        Ok(Self { models: at_least_one(P::KIND.name, models)? })
    }

    /// The models that were drawn.
    pub fn models(&self) -> &[OverTimeModel<P>] {
        &self.models
    }
}

impl<P: OverTime> BayesOverTime<P> {
    /// Draws from the posterior, and keeps 100 of the populations in a model.
    ///
    /// # Errors
    ///
    /// As [`BayesOverTime::draw`].
    pub fn fit(
        &self,
        training: &Training<'_>,
        timelines: &[&Timelines],
        names: &Names,
        cx: &Context<'_>,
    ) -> Result<Fitted<PosteriorOverTimeModel<P>>, Error> {
        let posterior = self.draw(training, timelines, names, cx)?;
        Ok(Fitted { model: PosteriorOverTimeModel::of(&posterior, KEPT)?, report: told(&posterior) })
    }
}

impl<P: OverTime> Foresee for PosteriorOverTimeModel<P> {
    fn columns(&self) -> Vec<String> {
        self.models[0].columns()
    }

    fn foresee(
        &self,
        training: &Training<'_>,
        timelines: &[&Timelines],
        names: &Names,
        horizon: Span,
    ) -> Result<Box<dyn Predict>, Error> {
        Ok(Box::new(foreseen(&self.models, training, timelines, names, horizon)?))
    }
}

/// It says nothing of a history alone, as the models that were drawn do not.
impl<P: OverTime> Predict for PosteriorOverTimeModel<P> {
    fn kind(&self) -> Kind {
        Self::KIND
    }

    fn unit(&self) -> TimeUnit {
        self.models[0].unit
    }

    fn answers(&self) -> Answers {
        PURCHASES
    }

    fn predict_into(
        &self,
        _: &Customers<'_>,
        _: &Ask,
        _: &mut Scratch,
        _: &mut ForecastMut<'_>,
    ) -> Result<(), Error> {
        Err(without_calendar(P::KIND.name))
    }

    fn foresee(&self) -> Option<&dyn Foresee> {
        Some(self)
    }

    fn save(&self, to: &mut SaveWriter) -> Result<(), Error> {
        self.models[0].save(to)?;
        to.field("draws", &self.models.iter().map(|model| &model.values).collect::<Vec<_>>())
    }
}

pub(super) fn register<P: OverTime>(registry: &mut Registry) {
    registry.register(PosteriorOverTimeModel::<P>::KIND, |saved, _| {
        let one = OverTimeModel::<P>::load(saved)?;
        let models = saved_draws(saved, |values| one.with_values(values))?;
        Ok(Box::new(PosteriorOverTimeModel::<P>::from_models(models)?))
    });
}
