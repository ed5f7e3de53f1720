//! Fitting models over time once more.

use clv_core::{Cells, Context, Error, Fitted, Names, TimeUnit, Timelines, Training};
use rand_chacha::ChaCha8Rng;

use super::fit::{OverTime, OverTimeFit, Prepared};
use super::future::FutureOverTime;
use super::model::{OverTimeModel, stretches};
use super::path::Path;
use crate::process::Parameter;
use crate::refit::{self, Near, Refit, drawn_places};
use crate::simulate::uniform;
use crate::uncertainty::{Draws, ProfileInterval};

/// Settings with customers and their paths.
struct OfPaths<'a, P> {
    settings: &'a OverTimeFit<P>,
    prepared: Prepared,
    /// Values of the fitted model, on the scale of the search.
    values: Vec<f64>,
    unit: TimeUnit,
}

/// Some of the customers, or others.
enum Paths {
    Seen(Vec<usize>),
    Simulated(Vec<Path>),
}

impl<P: OverTime> Refit for OfPaths<'_, P> {
    type Model = OverTimeModel<P>;
    type Customers = Paths;

    const PARAMETERS: &'static [Parameter] = P::PARAMETERS;

    fn penalty(&self) -> f64 {
        self.settings.covariates.most_penalty(self.settings.each.penalty_value())
    }

    fn seen(&self) -> Result<Paths, Error> {
        Ok(Paths::Seen((0..self.prepared.all().len()).collect()))
    }

    fn drawn(&self, rng: &mut ChaCha8Rng) -> Result<Paths, Error> {
        Ok(Paths::Seen(drawn_places(self.prepared.all().len(), rng)))
    }

    fn simulated(&self, rng: &mut ChaCha8Rng) -> Result<Paths, Error> {
        let (parameters, coefficients) = self.values.split_at(P::PARAMETERS.len());
        let mut times = Vec::new();
        let one = |path: &Path| {
            times.clear();
            let stretches = stretches(&path.pieces, &self.prepared.coefficients, coefficients);
            let leaves = path.at.first().map_or(1.0, |&piece| stretches[piece].leaves);
            let (stays, now) = P::newcomer(parameters, leaves);
            if uniform(rng) < stays {
                FutureOverTime { now, stretches }.purchase_times(rng, &mut times);
            }
            path.with_purchases(&times)
        };
        Ok(Paths::Simulated(self.prepared.all().into_iter().map(one).collect()))
    }

    fn refit(&self, paths: &Paths, near: Near<'_>, cx: &Context<'_>) -> Result<Fitted<Self::Model>, Error> {
        let paths = match paths {
            Paths::Seen(rows) => self.prepared.some(rows),
            Paths::Simulated(paths) => paths.iter().collect(),
        };
        // Those drawn may not have what tells a coefficient.
        let idle = if near.held.is_some() { Vec::new() } else { self.prepared.idle_among(&paths) };
        let first = self.prepared.design.parameters;
        if idle.iter().zip(first..).any(|(idle, place)| *idle && !near.is_held(place)) {
            return Err(refit::untold(P::KIND.name));
        }
        let (design, covariates) = (&self.prepared.design, &self.settings.covariates);
        near.expect_names(self.prepared.coordinates.iter().map(|one| &*one.name))?;
        let mut bought = Cells::default();
        paths.iter().for_each(|path| bought.push(path.x as u32, 0.0, 0.0, 1.0));
        P::look(&bought)?;
        let mut coordinates = self.prepared.coordinates.clone();
        // What says nothing says the report.
        coordinates[design.parameters..].iter_mut().for_each(|one| one.held = None);
        design.hold(near, covariates, &mut coordinates);
        let start = design.of_report(near.start, covariates);
        let found = self.prepared.search::<P>(&paths, start, coordinates, cx)?;
        self.settings.fitted(&self.prepared, found, self.unit)
    }
}

impl<P: OverTime> OverTimeFit<P> {
    fn ready(
        &self,
        (training, timelines, names): (&Training<'_>, &[&Timelines], &Names),
        model: &OverTimeModel<P>,
        holding: Option<&str>,
    ) -> Result<OfPaths<'_, P>, Error> {
        training.summary().customers().expect_unit(model.unit)?;
        let prepared = self.prepare_holding(training, timelines, names, holding)?;
        let (given, expected) = (model.values.len(), prepared.coordinates.len());
        if given != expected {
            return Err(Error::Length { column: "values of the model", given, expected });
        }
        let values = prepared.design.of_report(&model.values, &self.covariates);
        Ok(OfPaths { settings: self, prepared, values, unit: model.unit })
    }

    /// The interval of a parameter or a coefficient by its profile, as
    /// [`HowSure::profile_interval`](crate::HowSure::profile_interval).
    ///
    /// # Errors
    ///
    /// As [`HowSure::profile_interval`](crate::HowSure::profile_interval) and [`OverTimeFit::fit`].
    pub fn profile_interval(
        &self,
        known: (&Training<'_>, &[&Timelines], &Names),
        fitted: &Fitted<OverTimeModel<P>>,
        (name, level): (&str, f64),
        cx: &Context<'_>,
    ) -> Result<ProfileInterval, Error> {
        let ready = self.ready(known, &fitted.model, Some(name))?;
        refit::profile_interval(&ready, &fitted.report, (name, level), cx)
    }

    /// Draws from the normal distribution about the estimate, as [`HowSure::laplace`](crate::HowSure::laplace).
    ///
    /// # Errors
    ///
    /// As [`HowSure::laplace`](crate::HowSure::laplace).
    pub fn laplace(
        &self,
        fitted: &Fitted<OverTimeModel<P>>,
        count: usize,
        seed: u64,
    ) -> Result<Draws<OverTimeModel<P>>, Error> {
        refit::laplace(fitted, P::PARAMETERS, (count, seed), OverTimeModel::with_values)
    }

    /// Refits on customers drawn with replacement, each with what they were through, as [`HowSure::bootstrap`](crate::HowSure::bootstrap).
    ///
    /// # Errors
    ///
    /// As [`HowSure::bootstrap`](crate::HowSure::bootstrap) and [`OverTimeFit::fit`].
    pub fn bootstrap(
        &self,
        known: (&Training<'_>, &[&Timelines], &Names),
        fitted: &Fitted<OverTimeModel<P>>,
        draws: usize,
        cx: &Context<'_>,
    ) -> Result<Draws<OverTimeModel<P>>, Error> {
        refit::bootstrap(&self.ready(known, &fitted.model, None)?, &fitted.report, draws, cx)
    }

    /// Refits on customers simulated from the fitted model, through what those of the data were through from their first purchase on, as
    /// [`HowSure::parametric_bootstrap`](crate::HowSure::parametric_bootstrap).
    ///
    /// # Errors
    ///
    /// As [`OverTimeFit::bootstrap`].
    pub fn parametric_bootstrap(
        &self,
        known: (&Training<'_>, &[&Timelines], &Names),
        fitted: &Fitted<OverTimeModel<P>>,
        draws: usize,
        cx: &Context<'_>,
    ) -> Result<Draws<OverTimeModel<P>>, Error> {
        refit::parametric_bootstrap(&self.ready(known, &fitted.model, None)?, &fitted.report, draws, cx)
    }
}
