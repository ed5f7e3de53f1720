//! Profiles of the likelihood and bootstraps, of whatever can be fitted again from an estimate on.

use std::num::NonZeroUsize;

use clv_core::{Context, Error, Fit, FitReport, Fitted, Training, Warning};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::process::{Parameter, Scale};
use crate::side_by_side::side_by_side;
use crate::simulate::uniform;
use crate::uncertainty::{Draws, ProfileInterval, half_width};

/// Where a refit starts, and what it holds, on the scale of reports.
#[derive(Clone, Copy, Debug)]
pub struct Near<'a> {
    /// All values, in the order of the report.
    pub start: &'a [f64],
    /// Which of them is held, and at what.
    pub held: Option<(usize, f64)>,
    /// The report itself: what says nothing in it is held at nothing, and no other coefficient.
    pub report: &'a FitReport,
}

impl Near<'_> {
    /// Whether the report holds it.
    pub(crate) fn is_held(&self, place: usize) -> bool {
        self.report.parameters.get(place).is_some_and(|p| p.fixed)
    }

    /// Refuses a report of other settings.
    pub(crate) fn expect_names<'n>(&self, names: impl Iterator<Item = &'n str>) -> Result<(), Error> {
        let names: Vec<&str> = names.collect();
        let of_report: Vec<&str> = self.report.parameters.iter().map(|p| &*p.name).collect();
        if names == of_report {
            return Ok(());
        }
        let (what, given) = ("report", of_report.join(", "));
        Err(Error::UnknownName { what, given, known: names.join(", ") })
    }
}

/// Settings with customers to fit them to, once more and once more.
pub trait Refit: Sync {
    /// What is fitted.
    type Model: Send;
    /// As many customers as there are.
    type Customers;

    /// The parameters in the order of the report; coefficients come after them.
    const PARAMETERS: &'static [Parameter];

    /// The penalty, under which the maximum is not that of the likelihood.
    fn penalty(&self) -> f64;

    /// The customers as they are.
    fn seen(&self) -> Result<Self::Customers, Error>;

    /// As many, drawn with replacement.
    fn drawn(&self, rng: &mut ChaCha8Rng) -> Result<Self::Customers, Error>;

    /// As many, of the fitted model.
    fn simulated(&self, rng: &mut ChaCha8Rng) -> Result<Self::Customers, Error>;

    /// Fits some.
    fn refit(
        &self,
        customers: &Self::Customers,
        near: Near<'_>,
        cx: &Context<'_>,
    ) -> Result<Fitted<Self::Model>, Error>;
}

/// The places of as many as there are, drawn with replacement.
pub(crate) fn drawn_places(count: usize, rng: &mut ChaCha8Rng) -> Vec<usize> {
    (0..count).map(|_| ((uniform(rng) * count as f64) as usize).min(count - 1)).collect()
}

fn values_of(report: &FitReport) -> Vec<f64> {
    report.parameters.iter().map(|estimate| estimate.value).collect()
}

/// All values of a parameter or a coefficient at which the likelihood, the others at their best, is within `χ²₁(level)/2` of its maximum.
pub(crate) fn profile_interval<R: Refit>(
    ready: &R,
    report: &FitReport,
    (name, level): (&str, f64),
    cx: &Context<'_>,
) -> Result<ProfileInterval, Error> {
    let z = half_width(level)?;
    let penalty = ready.penalty();
    if penalty != 0.0 {
        let allowed = "0 for a profile of the likelihood";
        return Err(Error::Setting { name: "penalty", given: penalty, allowed });
    }
    let Some(place) = report.parameters.iter().position(|p| p.name == name) else {
        let known: Vec<&str> = report.parameters.iter().map(|p| &*p.name).collect();
        let given = name.to_owned();
        return Err(Error::UnknownName { what: "parameter", given, known: known.join(", ") });
    };
    let estimate = &report.parameters[place];
    let parameter = R::PARAMETERS.get(place);
    if estimate.fixed || parameter.is_some_and(|p| p.scale == Scale::Count) {
        let allowed = "a parameter that was estimated";
        let name = parameter.map_or("coefficient", |p| p.name);
        return Err(Error::Setting { name, given: estimate.value, allowed });
    }
    let (customers, best) = (ready.seen()?, values_of(report));
    let ln_likelihood = |found: &FitReport| found.log_likelihood.unwrap_or(f64::NAN);
    // A report may hold a constant that refits leave out.
    let there = Near { start: &best, held: Some((place, estimate.value)), report };
    let most = ln_likelihood(&ready.refit(&customers, there, cx)?.report);
    // A coefficient moves as it is, a parameter by its logarithm.
    let is_coefficient = estimate.is_coefficient;
    let natural = |at: f64| if is_coefficient { at } else { at.exp() };
    // How many standard errors the likelihood says a value is off.
    let off = |at: f64, start: &[f64]| -> Result<(Option<f64>, Vec<f64>), Error> {
        let near = Near { start, held: Some((place, natural(at))), report };
        let found = match ready.refit(&customers, near, cx) {
            Ok(found) => found.report,
            // Nothing is likely so far out.
            Err(Error::NoEstimate { .. }) => return Ok((None, best.clone())),
            Err(other) => return Err(other),
        };
        let lost = most - ln_likelihood(&found);
        // Another parameter at the edge of what is searched: the likelihood is not at its best there.
        let at_edge = found.warnings.iter().any(|w| matches!(w, Warning::AtBoundary { .. }));
        Ok(((!at_edge).then(|| (2.0 * lost.max(0.0)).sqrt()), values_of(&found)))
    };
    let at = if is_coefficient { estimate.value } else { estimate.value.ln() };
    let first = if is_coefficient {
        match estimate.standard_error {
            Some(error) if error > 0.0 => z * error,
            _ => 0.5 * estimate.value.abs().max(1e-3),
        }
    } else {
        estimate.standard_error.map_or(0.5, |e| (z * e / estimate.value).clamp(1e-6, 2.0))
    };
    // A factor of a million; of a coefficient so many times what its error says.
    let limit = if is_coefficient { 60.0 * first } else { 13.8 };
    let end = |way: f64| -> Result<Option<f64>, Error> {
        let mut step = first;
        let (mut inner, mut outer, mut from) = ((0.0, 0.0), None, best.clone());
        let mut reach: f64 = 0.0;
        while outer.is_none() {
            reach += step;
            if reach > limit {
                return Ok(None);
            }
            let (found, next) = off(at + way * reach, &from)?;
            let Some(found) = found else { return Ok(None) };
            if found >= z {
                outer = Some((reach, found));
            } else {
                (inner, from) = ((reach, found), next);
                step *= 1.6;
            }
        }
        let mut outer = outer.unwrap_or(inner);
        // Nearly a straight line: where it meets z, and halves where it does not come nearer.
        for turn in 0..60 {
            let share =
                if turn % 4 == 3 { 0.5 } else { ((z - inner.1) / (outer.1 - inner.1)).clamp(0.02, 0.98) };
            let reach = inner.0 + share * (outer.0 - inner.0);
            let (found, next) = off(at + way * reach, &from)?;
            let Some(found) = found else { return Ok(None) };
            if (found - z).abs() < 1e-6 || outer.0 - inner.0 < 1e-9 * first {
                return Ok(Some(natural(at + way * reach)));
            }
            if found < z {
                (inner, from) = ((reach, found), next);
            } else {
                outer = (reach, found);
            }
        }
        Ok(Some(natural(at + way * inner.0)))
    };
    Ok(ProfileInterval { lower: end(-1.0)?, upper: end(1.0)? })
}

/// Whether customers tell each of the coefficients that were told.
fn tells_all(found: &FitReport, report: &FitReport) -> bool {
    let told = report.parameters.iter().zip(&found.parameters).filter(|(p, _)| p.is_coefficient && !p.fixed);
    told.map(|(_, again)| again).all(|again| !again.fixed)
}

pub(crate) fn untold(model: &'static str) -> Error {
    Error::NoEstimate { model, why: "the customers drawn do not tell all of the coefficients" }
}

/// So many refits, each on customers of its own, which have random numbers of their own from the context's seed.
fn refits<R: Refit>(
    ready: &R,
    report: &FitReport,
    draws: usize,
    cx: &Context<'_>,
    customers: impl Fn(&mut ChaCha8Rng) -> Result<R::Customers, Error> + Sync,
) -> Result<Draws<R::Model>, Error> {
    let start = values_of(report);
    let alone = cx.threads(NonZeroUsize::MIN);
    let found = side_by_side(draws, cx, |draw| {
        let mut rng = ChaCha8Rng::seed_from_u64(cx.seed_value());
        rng.set_stream(draw as u64 + 1);
        let near = Near { start: &start, held: None, report };
        let found = ready.refit(&customers(&mut rng)?, near, &alone)?;
        if tells_all(&found.report, report) { Ok(found.model) } else { Err(untold(report.model)) }
    })?;
    // What is wrong with the report is wrong with every draw.
    let found: Vec<Option<R::Model>> = found
        .into_iter()
        .map(|one| match one {
            Err(error @ Error::UnknownName { .. }) => Err(error),
            other => Ok(other.ok()),
        })
        .collect::<Result<_, Error>>()?;
    let populations: Vec<R::Model> = found.into_iter().flatten().collect();
    Ok(Draws { failed: draws - populations.len(), populations })
}

/// Refits on customers drawn with replacement.
pub(crate) fn bootstrap<R: Refit>(
    ready: &R,
    report: &FitReport,
    draws: usize,
    cx: &Context<'_>,
) -> Result<Draws<R::Model>, Error> {
    refits(ready, report, draws, cx, |rng| ready.drawn(rng))
}

/// Refits on simulated customers.
pub(crate) fn parametric_bootstrap<R: Refit>(
    ready: &R,
    report: &FitReport,
    draws: usize,
    cx: &Context<'_>,
) -> Result<Draws<R::Model>, Error> {
    refits(ready, report, draws, cx, |rng| ready.simulated(rng))
}

pub(crate) mod sealed {
    use super::{Error, Fit, Refit, Training};

    /// Settings that can be fitted again.
    pub trait Again: Fit {
        type Ready<'a>: Refit<Model = Self::Model>
        where
            Self: 'a;

        /// With the customers of a training log, and a model to simulate others from.
        fn ready<'a>(
            &'a self,
            data: &'a Training<'_>,
            model: &'a Self::Model,
        ) -> Result<Self::Ready<'a>, Error>;

        /// The same model with other values, in the order of the report.
        fn with_values(model: &Self::Model, values: &[f64]) -> Result<Self::Model, Error>;
    }
}

/// How sure the estimates of settings are that fit a training log: of models with columns ([`WithCovariates`](crate::WithCovariates)), and of spend
/// ([`GammaGammaFit`](crate::GammaGammaFit), [`SpendWithCovariates`](crate::SpendWithCovariates), [`LognormalSpendFit`](crate::LognormalSpendFit)).
/// [`MaximumLikelihood`](crate::MaximumLikelihood) has methods of the same names, which take cells, and [`OverTimeFit`](crate::OverTimeFit) such that take
/// timelines; [`log_interval`](crate::log_interval) is quicker than all of these, and good where there is much to learn from.
///
/// ```
/// use clv_btyd::{HowSure, LognormalSpend, LognormalSpendFit, ParetoNbd, PurchaseModel, Simulation};
/// use clv_core::{Context, Cut, Fit, Grain, Moment, TimeUnit, Training};
///
/// let shop = PurchaseModel::new(ParetoNbd::new(2.0, 6.0, 0.8, 20.0)?, TimeUnit::Week);
/// let (start, end) = (Moment::parse_date("2024-01-01")?, Moment::parse_date("2024-06-30")?);
/// let paid = clv_btyd::GammaGamma::new(6.0, 4.0, 15.0)?;
/// let log = Simulation::new(80, start, end, 1)?.run(&shop, TimeUnit::Week, Some(&paid))?;
/// let cut = Cut::end_of(end, Grain::Day);
/// let purchases = Training::merge(&log, cut)?;
/// let training = Training::new(&purchases, cut, TimeUnit::Week)?;
///
/// let (settings, cx) = (LognormalSpendFit::new(), Context::default().seed(1));
/// let fitted = settings.fit(&training, &cx)?;
/// let tau = settings.profile_interval(&training, &fitted, "tau", 0.9, &cx)?;
/// let draws = settings.bootstrap(&training, &fitted, 100, &cx)?;
/// let (low, high) = draws.interval(0.9, |model| Ok(model.parameters().values()[2]))?;
/// assert!(tau.lower.is_some_and(|end| (end / low - 1.0).abs() < 0.3) && low < high);
/// # Ok::<(), clv_core::Error>(())
/// ```
pub trait HowSure: sealed::Again {
    /// The interval of a parameter or a coefficient by its profile: all values at which the likelihood, the others at their best, is within
    /// `χ²₁(level)/2` of its maximum. Right also where errors are far from normal. An end is none where there is none within a factor of a million, of a
    /// coefficient within sixty times what its error says, or none before another parameter is at the edge of what is searched.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] unless the level is above 0 and below 1, with a penalty, or for what was held; [`Error::UnknownName`]; as
    /// [`Fit::fit`].
    fn profile_interval(
        &self,
        data: &Training<'_>,
        fitted: &Fitted<Self::Model>,
        name: &str,
        level: f64,
        cx: &Context<'_>,
    ) -> Result<ProfileInterval, Error> {
        profile_interval(&self.ready(data, &fitted.model)?, &fitted.report, (name, level), cx)
    }

    /// Draws from the normal distribution about the estimate, as [`Draws::laplace`]: no refits, thousands in a moment.
    ///
    /// # Errors
    ///
    /// [`Error::NoEstimate`] if the fit has no covariance: a parameter ran to its edge, or is not told.
    fn laplace(
        &self,
        fitted: &Fitted<Self::Model>,
        count: usize,
        seed: u64,
    ) -> Result<Draws<Self::Model>, Error> {
        let parameters = <Self::Ready<'_> as Refit>::PARAMETERS;
        laplace(fitted, parameters, (count, seed), Self::with_values)
    }

    /// Refits on customers drawn with replacement, as many as there are, each from the estimate on, as
    /// [`MaximumLikelihood::bootstrap`](crate::MaximumLikelihood::bootstrap): the same on any number of threads. Draws whose customers do not tell a coefficient
    /// (none of a rare kind among them) are counted as failed; columns in standard deviations are in those of each draw.
    ///
    /// # Errors
    ///
    /// [`Error::Stopped`]; as [`Fit::fit`]; draws without an estimate are counted in [`Draws::failed`].
    fn bootstrap(
        &self,
        data: &Training<'_>,
        fitted: &Fitted<Self::Model>,
        draws: usize,
        cx: &Context<'_>,
    ) -> Result<Draws<Self::Model>, Error> {
        bootstrap(&self.ready(data, &fitted.model)?, &fitted.report, draws, cx)
    }

    /// Refits on customers simulated from the fitted model, each with the columns, the age or the number of amounts of one of the data, as
    /// [`MaximumLikelihood::parametric_bootstrap`](crate::MaximumLikelihood::parametric_bootstrap), where it stands which of the two to take.
    ///
    /// # Errors
    ///
    /// As [`HowSure::bootstrap`].
    fn parametric_bootstrap(
        &self,
        data: &Training<'_>,
        fitted: &Fitted<Self::Model>,
        draws: usize,
        cx: &Context<'_>,
    ) -> Result<Draws<Self::Model>, Error> {
        parametric_bootstrap(&self.ready(data, &fitted.model)?, &fitted.report, draws, cx)
    }
}

impl<S: sealed::Again> HowSure for S {}

/// Models drawn about an estimate by its curvature.
pub(crate) fn laplace<M>(
    fitted: &Fitted<M>,
    parameters: &'static [Parameter],
    (count, seed): (usize, u64),
    with_values: impl Fn(&M, &[f64]) -> Result<M, Error>,
) -> Result<Draws<M>, Error> {
    let is_counted = |place: usize| parameters.get(place).is_some_and(|p| p.scale == Scale::Count);
    let drawn = crate::uncertainty::laplace(&fitted.report, is_counted, count, seed)?;
    let populations =
        drawn.iter().map(|values| with_values(&fitted.model, values)).collect::<Result<_, _>>()?;
    Ok(Draws { populations, failed: 0 })
}
