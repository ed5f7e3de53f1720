//! How sure an estimate is: intervals, profiles of the likelihood, refits on drawn and on simulated customers, and draws from
//! its curvature.
//!
//! Rates and shapes are positive and their errors skewed, so everything here is on the logarithmic scale.

use std::num::NonZeroUsize;

use clv_core::model::Estimate;
use clv_core::{Cells, Context, Customers, Error, FitReport, Fitted, TimeUnit, Warning};
use clv_math::special::{gamma_q, normal_quantile};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Binomial, Distribution, StandardNormal};

use crate::estimate::MaximumLikelihood;
use crate::model::PurchaseModel;
use crate::process::{Process, Scale, unknown_parameter};
use crate::side_by_side::side_by_side;

/// How many standard errors on either side.
fn half_width(level: f64) -> Result<f64, Error> {
    if level > 0.0 && level < 1.0 {
        return Ok(normal_quantile(0.5 + 0.5 * level));
    }
    Err(Error::Setting { name: "level", given: level, allowed: "above 0, below 1" })
}

/// `θ̂ e^{± z σ/θ̂}`: the interval of an estimate whose logarithm is nearly normal, of a coefficient `γ̂ ± z σ`; none if it has no
/// standard error.
///
/// # Errors
///
/// [`Error::Setting`] unless the level is above 0 and below 1.
pub fn log_interval(estimate: &Estimate, level: f64) -> Result<Option<(f64, f64)>, Error> {
    let z = half_width(level)?;
    let value = estimate.value;
    let ends = |error: f64| {
        if estimate.is_coefficient {
            return (value - z * error, value + z * error);
        }
        let by = (z * error / value).exp();
        (value / by, value * by)
    };
    Ok(estimate.standard_error.map(ends))
}

/// What a coefficient `γ` multiplies by for each unit of its covariate: the ratio `e^γ` of purchase rates, of hazards, of odds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ratio {
    /// `e^γ̂`.
    pub ratio: f64,
    /// The ends of its interval, if the coefficient has a standard error.
    pub interval: Option<(f64, f64)>,
}

/// The ratio of a coefficient with its interval; none for a parameter.
///
/// # Errors
///
/// [`Error::Setting`] unless the level is above 0 and below 1.
pub fn ratio(estimate: &Estimate, level: f64) -> Result<Option<Ratio>, Error> {
    let interval = log_interval(estimate, level)?.map(|(low, high)| (low.exp(), high.exp()));
    Ok(estimate.is_coefficient.then(|| Ratio { ratio: estimate.value.exp(), interval }))
}

/// The likelihood-ratio test of a model within a larger one, fitted to the same customers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LikelihoodRatio {
    /// `2 (ln L₁ − ln L₀)`.
    pub statistic: f64,
    /// How many parameters more the larger one has.
    pub degrees: usize,
    /// How often chance alone would bring as much, by the χ² distribution. Where the smaller model lies at the edge of the larger one (GGom/NBD at
    /// `b = 0`) the truth is smaller, about half.
    pub p_value: f64,
}

impl LikelihoodRatio {
    /// Of two fits, of which the first is a case of the second.
    ///
    /// # Errors
    ///
    /// [`Error::CannotSay`] if the second has not more free parameters, or either has no likelihood, is penalised or is of other customers.
    pub fn between(smaller: &FitReport, larger: &FitReport) -> Result<Self, Error> {
        let cannot =
            |hint| Error::CannotSay { model: larger.model, quantity: "a likelihood-ratio test", hint };
        let (Some(zero), Some(one)) = (smaller.log_likelihood, larger.log_likelihood) else {
            return Err(cannot(": one of the two has no likelihood"));
        };
        if smaller.penalised || larger.penalised {
            return Err(cannot(": one of the two is penalised"));
        }
        if smaller.customers != larger.customers {
            return Err(cannot(": the two were fitted to other customers"));
        }
        let degrees = larger.free_parameters().saturating_sub(smaller.free_parameters());
        if degrees == 0 {
            return Err(cannot(": it has not more parameters than the other"));
        }
        let statistic = (2.0 * (one - zero)).max(0.0);
        Ok(Self { statistic, degrees, p_value: gamma_q(0.5 * degrees as f64, 0.5 * statistic) })
    }
}

/// The values of a parameter that the likelihood does not speak against.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ProfileInterval {
    /// The lower end; none if there is none within a factor of a million, or none before another parameter is at the edge of
    /// what is searched.
    pub lower: Option<f64>,
    /// The upper end, likewise.
    pub upper: Option<f64>,
}

/// Population parameters drawn about an estimate.
#[derive(Clone, Debug, PartialEq)]
pub struct Draws<P> {
    /// One population each.
    pub populations: Vec<P>,
    /// Refits of which no population could be told.
    pub failed: usize,
}

impl<P: Process> MaximumLikelihood<P> {
    /// The interval of a parameter by its profile: all values at which the likelihood, the other parameters at their best, is
    /// within `χ²₁(level)/2` of its maximum. Right also where errors are far from normal, even on the logarithmic scale.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] unless the level is above 0 and below 1, or with a penalty, whose maximum is another;
    /// [`Error::UnknownName`] for a parameter that the model does not have; as the refits.
    pub fn profile_interval(
        &self,
        cells: &Cells,
        fitted: &Fitted<PurchaseModel<P>>,
        name: &str,
        level: f64,
        cx: &Context<'_>,
    ) -> Result<ProfileInterval, Error> {
        let z = half_width(level)?;
        if self.penalty_value() != 0.0 {
            let (given, allowed) = (self.penalty_value(), "0 for a profile of the likelihood");
            return Err(Error::Setting { name: "penalty", given, allowed });
        }
        let report = &fitted.report;
        let estimate = report.parameters.iter().find(|p| p.name == name);
        let estimate = estimate.ok_or_else(|| unknown_parameter(name, P::PARAMETERS))?;
        let most = report.log_likelihood.unwrap_or(f64::NAN);
        let fixed_name = P::PARAMETERS.iter().map(|p| p.name).find(|n| *n == name).unwrap_or("parameter");
        let is_count = P::PARAMETERS.iter().any(|p| p.name == name && p.scale == Scale::Count);
        if estimate.fixed || is_count {
            let allowed = "a parameter that was estimated";
            return Err(Error::Setting { name: fixed_name, given: estimate.value, allowed });
        }
        let best = fitted.model.parameters();
        // How many standard errors the likelihood says a value is off.
        let off = |ln_value: f64, from: &P| -> Result<(Option<f64>, P), Error> {
            let fit = self.clone().fix(name, ln_value.exp())?.start(*from);
            let found = fit.fit_cells(cells, report.unit, cx)?;
            let lost = most - found.report.log_likelihood.unwrap_or(f64::NAN);
            // Another parameter at the edge of what is searched: the likelihood is not at its best there.
            let at_edge = found.report.warnings.iter().any(|w| matches!(w, Warning::AtBoundary { .. }));
            let off = if at_edge { None } else { Some((2.0 * lost.max(0.0)).sqrt()) };
            Ok((off, *found.model.parameters()))
        };
        let end = |way: f64| -> Result<Option<f64>, Error> {
            let at = estimate.value.ln();
            let mut step = estimate.standard_error.map_or(0.5, |e| (z * e / estimate.value).clamp(1e-6, 2.0));
            let (mut inner, mut outer, mut from) = ((0.0, 0.0), None, *best);
            let mut reach: f64 = 0.0;
            while outer.is_none() {
                reach += step;
                // A factor of a million.
                if reach > 13.8 {
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
                if (found - z).abs() < 1e-6 || outer.0 - inner.0 < 1e-9 {
                    return Ok(Some((at + way * reach).exp()));
                }
                if found < z {
                    (inner, from) = ((reach, found), next);
                } else {
                    outer = (reach, found);
                }
            }
            Ok(Some((at + way * inner.0).exp()))
        };
        Ok(ProfileInterval { lower: end(-1.0)?, upper: end(1.0)? })
    }

    /// Refits on customers drawn with replacement, as many as there are, each from the estimate on: the bootstrap (Efron
    /// 1979). Each draw has random numbers of its own from the context's seed, so that the populations are the same on
    /// any number of threads.
    ///
    /// # When should I use this, and when [`MaximumLikelihood::parametric_bootstrap`]?
    ///
    /// This one takes customers as they are, and tells how far the estimate would move with others of the same kind, whether the model is right or not. The
    /// parametric one takes the model as true: it is the surer of the two where that holds and customers are few, or few of them ever leave, and too sure where
    /// it does not. Where the two tell apart, the model is wrong.
    ///
    /// # Errors
    ///
    /// [`Error::Stopped`]; draws without an estimate are counted in [`Draws::failed`].
    pub fn bootstrap(
        &self,
        cells: &Cells,
        fitted: &Fitted<PurchaseModel<P>>,
        draws: usize,
        cx: &Context<'_>,
    ) -> Result<Draws<P>, Error> {
        self.refits(fitted, draws, cx, |rng| Ok(drawn(cells, rng)))
    }

    /// Refits on customers simulated from the fitted population, each as old as one of the data, from the estimate on: the parametric bootstrap. Seed and
    /// threads are as those of [`MaximumLikelihood::bootstrap`], where it stands which of the two to take.
    ///
    /// Purchases are simulated one by one, and those of one day are not merged. Ages are taken as they stand: contracts that ended, and of which it is not
    /// known until when they would have been seen ([`Tenure::cells`](crate::Tenure::cells)), have none, and for these the other bootstrap is right.
    ///
    /// ```
    /// use clv_btyd::{Cohort, MaximumLikelihood};
    /// use clv_core::{Context, TimeUnit};
    ///
    /// let high = Cohort::new(&[1000.0, 869.0, 743.0, 653.0, 593.0, 551.0, 517.0, 491.0])?;
    /// let (cells, cx) = (Cohort::cells(&[high]), Context::default().seed(1));
    /// let settings = MaximumLikelihood::shifted_beta_geometric();
    /// let fitted = settings.fit_cells(&cells, TimeUnit::Year, &cx)?;
    /// let draws = settings.parametric_bootstrap(&cells, &fitted, 100, &cx)?;
    /// // Of those who began, the share still there after twelve years.
    /// let (low, high) = draws.interval(0.95, |sbg| Ok(sbg.survival(12)))?;
    /// assert!(0.3 < low && low < 0.394 && 0.394 < high && high < 0.5);
    /// # Ok::<(), clv_core::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`MaximumLikelihood::bootstrap`].
    pub fn parametric_bootstrap(
        &self,
        cells: &Cells,
        fitted: &Fitted<PurchaseModel<P>>,
        draws: usize,
        cx: &Context<'_>,
    ) -> Result<Draws<P>, Error> {
        let population = fitted.model.parameters();
        self.refits(fitted, draws, cx, |rng| simulated(population, cells, rng))
    }

    /// So many refits, each on customers of its own.
    fn refits(
        &self,
        fitted: &Fitted<PurchaseModel<P>>,
        draws: usize,
        cx: &Context<'_>,
        customers: impl Fn(&mut ChaCha8Rng) -> Result<Cells, Error> + Sync,
    ) -> Result<Draws<P>, Error> {
        let start = self.clone().start(*fitted.model.parameters());
        let unit = fitted.report.unit;
        let alone = cx.threads(NonZeroUsize::MIN);
        let found = side_by_side(draws, cx, |draw| {
            let mut rng = ChaCha8Rng::seed_from_u64(cx.seed_value());
            rng.set_stream(draw as u64 + 1);
            let one = start.fit_cells(&customers(&mut rng)?, unit, &alone);
            one.map(|fitted| *fitted.model.parameters())
        })?;
        let populations: Vec<P> = found.into_iter().filter_map(Result::ok).collect();
        Ok(Draws { failed: draws - populations.len(), populations })
    }
}

/// As many customers, with replacement: how often each cell, one after the other, by what is left.
fn drawn(cells: &Cells, rng: &mut ChaCha8Rng) -> Cells {
    let mut left = cells.customers().round() as u64;
    let mut weight_left = cells.customers();
    let mut some = Cells::default();
    for i in 0..cells.len() {
        let share = (cells.weight[i] / weight_left).clamp(0.0, 1.0);
        let count = match Binomial::new(left, share) {
            Ok(binomial) => binomial.sample(rng),
            Err(_) => 0,
        };
        left -= count;
        weight_left -= cells.weight[i];
        if count > 0 {
            some.push(cells.frequency[i], cells.recency[i], cells.age[i], count as f64);
        }
    }
    some
}

/// As many customers of a population, as old as these.
fn simulated<P: Process>(population: &P, like: &Cells, rng: &mut ChaCha8Rng) -> Result<Cells, Error> {
    let (mut x, mut t_x, mut age) = (Vec::new(), Vec::new(), Vec::new());
    let mut weight = 0.0;
    for i in 0..like.len() {
        weight += like.weight[i];
        // Of weights that are not whole, such as shares of a cohort, as many as they add up to.
        while (x.len() as f64) < f64::round(weight) {
            let one = population.draw_history(like.age[i], rng);
            x.push(one.frequency);
            t_x.push(one.recency);
            age.push(one.age);
        }
    }
    // Cells have no unit: any will do.
    Ok(Cells::of(&Customers::new(TimeUnit::default(), &x, &t_x, &age, None)?))
}

impl<P: Process> Draws<P> {
    /// Draws from the normal distribution of the logarithms about an estimate: as good as its curvature is a description of
    /// the likelihood, and thousands in a moment (Laplace).
    ///
    /// # Errors
    ///
    /// [`Error::NoEstimate`] if the fit has no covariance: a parameter ran to its edge, or is not told.
    pub fn laplace(fitted: &Fitted<PurchaseModel<P>>, count: usize, seed: u64) -> Result<Self, Error> {
        let no_covariance = || Error::NoEstimate {
            model: P::KIND.name,
            why: "the curvature does not tell all parameters; take the bootstrap or a penalty",
        };
        let is_flat = |w: &Warning| matches!(w, Warning::FlatDirection { .. });
        if fitted.report.warnings.iter().any(is_flat) {
            return Err(no_covariance());
        }
        let covariance = fitted.report.covariance.as_ref().ok_or_else(no_covariance)?;
        let values = fitted.model.parameters().values();
        let free: Vec<usize> = (0..values.len())
            .filter(|&i| !fitted.report.parameters[i].fixed && P::PARAMETERS[i].scale != Scale::Count)
            .collect();
        let n = free.len();
        // On the logarithmic scale, and its root by Cholesky.
        let on_log = |i: usize, j: usize| covariance[i * n + j] / (values[free[i]] * values[free[j]]);
        let mut root = vec![0.0; n * n];
        for i in 0..n {
            for j in 0..=i {
                let rest = on_log(i, j) - (0..j).map(|m| root[i * n + m] * root[j * n + m]).sum::<f64>();
                root[i * n + j] = if i == j { rest.max(0.0).sqrt() } else { rest / root[j * n + j] };
            }
        }
        if root.iter().any(|v| !v.is_finite()) {
            return Err(no_covariance());
        }
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut populations = Vec::with_capacity(count);
        for _ in 0..count {
            let z: Vec<f64> = (0..n).map(|_| StandardNormal.sample(&mut rng)).collect();
            let mut drawn = values.clone();
            for i in 0..n {
                let by: f64 = (0..=i).map(|m| root[i * n + m] * z[m]).sum();
                drawn[free[i]] *= by.exp();
            }
            populations.push(P::from_values(&drawn)?);
        }
        Ok(Self { populations, failed: 0 })
    }

    /// The interval of anything that follows from the population, between its percentiles over the draws: a parameter, the
    /// expected purchases of a customer.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] unless the level is above 0 and below 1; [`Error::TooLittleData`] without draws; as `of`.
    pub fn interval(&self, level: f64, of: impl Fn(&P) -> Result<f64, Error>) -> Result<(f64, f64), Error> {
        half_width(level)?;
        let mut found: Vec<f64> = self.populations.iter().map(of).collect::<Result<_, _>>()?;
        if found.is_empty() {
            return Err(Error::TooLittleData { model: "an interval", needs: "at least one draw", found: 0 });
        }
        found.sort_by(f64::total_cmp);
        let at = |share: f64| {
            let place = share * (found.len() - 1) as f64;
            let (below, above) = (place.floor() as usize, place.ceil() as usize);
            found[below] + (place - place.floor()) * (found[above] - found[below])
        };
        Ok((at(0.5 - 0.5 * level), at(0.5 + 0.5 * level)))
    }
}
