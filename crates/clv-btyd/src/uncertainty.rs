//! How sure an estimate is: intervals, profiles of the likelihood, refits on drawn and on simulated customers, and draws from
//! its curvature.
//!
//! Rates and shapes are positive and their errors skewed, so everything here is on the logarithmic scale.

use clv_core::model::Estimate;
use clv_core::{Cells, Context, Customers, Error, FitReport, Fitted, TimeUnit, Warning};
use clv_math::special::{gamma_q, normal_quantile};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Binomial, Distribution, StandardNormal};

use crate::estimate::MaximumLikelihood;
use crate::model::PurchaseModel;
use crate::process::{Parameter, Process, Scale};
use crate::refit::{Near, Refit};

/// How many standard errors on either side.
pub(crate) fn half_width(level: f64) -> Result<f64, Error> {
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
    /// The lower end; none if there is none within a factor of a million (of a coefficient within sixty times what its error says), or none before another parameter is at the edge of
    /// what is searched.
    pub lower: Option<f64>,
    /// The upper end, likewise.
    pub upper: Option<f64>,
}

/// Populations drawn about an estimate, by their parameters or, of settings with more than these, as models.
#[derive(Clone, Debug, PartialEq)]
pub struct Draws<M> {
    /// One population each.
    pub populations: Vec<M>,
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
        let ready = self.ready(cells, fitted);
        crate::refit::profile_interval(&ready, &fitted.report, (name, level), cx)
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
        let ready = self.ready(cells, fitted);
        crate::refit::bootstrap(&ready, &fitted.report, draws, cx).map(Draws::of_populations)
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
        let ready = self.ready(cells, fitted);
        crate::refit::parametric_bootstrap(&ready, &fitted.report, draws, cx).map(Draws::of_populations)
    }
}

impl<P: Process> MaximumLikelihood<P> {
    fn ready<'a>(&'a self, cells: &'a Cells, fitted: &'a Fitted<PurchaseModel<P>>) -> OfCells<'a, P> {
        OfCells { settings: self, cells, population: fitted.model.parameters(), unit: fitted.report.unit }
    }
}

/// Settings with the cells that they are fitted to.
struct OfCells<'a, P> {
    settings: &'a MaximumLikelihood<P>,
    cells: &'a Cells,
    population: &'a P,
    unit: TimeUnit,
}

impl<P: Process> Refit for OfCells<'_, P> {
    type Model = PurchaseModel<P>;
    type Customers = Cells;

    const PARAMETERS: &'static [Parameter] = P::PARAMETERS;

    fn penalty(&self) -> f64 {
        self.settings.penalty_value()
    }

    fn seen(&self) -> Result<Cells, Error> {
        Ok(self.cells.clone())
    }

    fn drawn(&self, rng: &mut ChaCha8Rng) -> Result<Cells, Error> {
        Ok(drawn(self.cells, rng))
    }

    fn simulated(&self, rng: &mut ChaCha8Rng) -> Result<Cells, Error> {
        simulated(self.population, self.cells, rng)
    }

    fn refit(&self, cells: &Cells, near: Near<'_>, cx: &Context<'_>) -> Result<Fitted<Self::Model>, Error> {
        self.settings.near(near)?.fit_cells(cells, self.unit, cx)
    }
}

impl<P: Process> Draws<P> {
    fn of_populations(models: Draws<PurchaseModel<P>>) -> Self {
        let populations = models.populations.iter().map(|model| *model.parameters()).collect();
        Self { populations, failed: models.failed }
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
        let is_counted = |place: usize| P::PARAMETERS[place].scale == Scale::Count;
        let drawn = laplace(&fitted.report, is_counted, count, seed)?;
        let populations = drawn.iter().map(|values| P::from_values(values)).collect::<Result<_, Error>>()?;
        Ok(Self { populations, failed: 0 })
    }
}

/// All values of a report, so many times, drawn about the estimate: parameters by their logarithms, coefficients as they are.
pub(crate) fn laplace(
    report: &FitReport,
    is_counted: impl Fn(usize) -> bool,
    count: usize,
    seed: u64,
) -> Result<Vec<Vec<f64>>, Error> {
    let no_covariance = || Error::NoEstimate {
        model: report.model,
        why: "the curvature does not tell all parameters; take the bootstrap or a penalty",
    };
    let is_flat = |w: &Warning| matches!(w, Warning::FlatDirection { .. });
    if report.warnings.iter().any(is_flat) {
        return Err(no_covariance());
    }
    let covariance = report.covariance.as_ref().ok_or_else(no_covariance)?;
    let of = &report.parameters;
    let free: Vec<usize> = (0..of.len()).filter(|&i| !of[i].fixed && !is_counted(i)).collect();
    let n = free.len();
    // On the scale of the draws, and its root by Cholesky.
    let slope = |i: usize| if of[free[i]].is_coefficient { 1.0 } else { of[free[i]].value };
    let scaled = |i: usize, j: usize| covariance[i * n + j] / (slope(i) * slope(j));
    let mut root = vec![0.0; n * n];
    for i in 0..n {
        for j in 0..=i {
            let rest = scaled(i, j) - (0..j).map(|m| root[i * n + m] * root[j * n + m]).sum::<f64>();
            root[i * n + j] = if i == j { rest.max(0.0).sqrt() } else { rest / root[j * n + j] };
        }
    }
    if root.iter().any(|v| !v.is_finite()) {
        return Err(no_covariance());
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut one = || -> Vec<f64> {
        let z: Vec<f64> = (0..n).map(|_| StandardNormal.sample(&mut rng)).collect();
        let mut drawn: Vec<f64> = of.iter().map(|estimate| estimate.value).collect();
        for i in 0..n {
            let by: f64 = (0..=i).map(|m| root[i * n + m] * z[m]).sum();
            let value = &mut drawn[free[i]];
            *value = if of[free[i]].is_coefficient { *value + by } else { *value * by.exp() };
        }
        drawn
    };
    Ok((0..count).map(|_| one()).collect())
}

impl<M> Draws<M> {
    /// The interval of anything that follows from the population or the model, between its percentiles over the draws: a parameter, the
    /// expected purchases of a customer.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] unless the level is above 0 and below 1; [`Error::TooLittleData`] without draws; as `of`.
    pub fn interval(&self, level: f64, of: impl Fn(&M) -> Result<f64, Error>) -> Result<(f64, f64), Error> {
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
