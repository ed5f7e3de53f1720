//! Bayesian estimates: draws from the posterior of a model's parameters.
//!
//! # Method
//!
//! Newton finds the mode of the posterior of the logarithms, the exact second derivatives its shape there. A handful of parameters has a
//! posterior that is nearly normal but for one ridge (`s` and `β` of Pareto/NBD, `a` and `b` of BG/NBD). The ridge is walked along,
//! Newton's steps keeping to its crest, and a mixture of multivariate t distributions is laid along it, each with the exact curvature
//! across the ridge where it stands: the nested approximation of Tierney & Kadane (1986, JASA 81) and of Rue and others (2009, JRSS B
//! 71(2)), here as a proposal. Draws of the mixture are taken or left by the rule of Metropolis and Hastings (an independence
//! chain; Tierney 1994, Annals of Statistics 22(4), section 2.3.2), which makes them draws from the posterior itself, however good the
//! mixture. A draw costs one likelihood.
//!
//! Whether it went well is measured and told: R̂ of split chains and the effective sample size (Vehtari and others 2021, Bayesian
//! Analysis 16(2)).

use std::borrow::Cow;

use clv_core::model::{Estimate, Possible, Sampling};
use clv_core::{Cells, Context, Error, FitReport, TimeUnit, Warning};
use clv_math::chains::{effective_sample_size, r_hat};
use clv_math::linalg::{cholesky, cholesky_solve, inverse, symmetric_eigen};
use clv_math::logspace::ln_sum_exp;
use clv_math::minimise::Derivatives;
use clv_math::special::ln_gamma;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{ChiSquared, Distribution, StandardNormal};

use crate::covariates::{BayesWithCovariates, Covariates};
use crate::estimate::MaximumLikelihood;
use crate::over_time::{BayesOverTime, OverTime};
use crate::process::{Parameter, Process, cells_of, mean_age, unknown_parameter};
use crate::search::{Coordinate, Found, Level, Search};
use crate::simulate::uniform;
use crate::uncertainty::Draws;

/// Degrees of freedom of the parts of a mixture.
const DEGREES: f64 = 10.0;
/// How far apart parts are at the mode, and how wide along the ridge, in standard deviations and in gaps.
const APART: f64 = 0.8;
const WIDE: f64 = 0.8;
/// A step along the ridge on which the density hardly falls is followed by one that is longer by this.
const LONGER: f64 = 1.3;
/// Where the density is `e^{−10}` of that at the mode, nothing is left to find; so many steps reach there.
const FALL: f64 = 10.0;
const STEPS: usize = 30;
/// The share of draws that go to all parts alike.
const ALIKE: f64 = 0.1;
/// A proposal of the first chain that weighs more than so many others holds it where it is for as long: parts are added there, of so many draws each,
/// this many at most, and no more of them than the chain had.
const HEAVY: f64 = 8.0;
const MENDS: usize = 25;
const DRAWS_OF_A_MEND: usize = 80;
/// Draws at the start of a chain that are thrown away: they leave the mode behind.
const WARMUP: usize = 30;

/// How to draw from a posterior.
///
/// | Name | Default | Why |
/// | :-- | :-- | :-- |
/// | `prior` | `ln θ ~ N(ln θ₀, 1.5²)` | `θ₀` is 1 for a shape and the mean age for a time, so that the prior does not change with the unit: a factor of 19 either way holds 95% |
/// | `chains`, `draws` | 4 of 1,000 | as PyMC and Stan |
///
/// ```
/// use clv_btyd::{Bayes, BgNbd};
/// use clv_core::{Cells, Context, Customers, TimeUnit};
///
/// let (x, t_x, age) = ([3, 0, 1, 7, 0, 2], [20.0, 0.0, 4.0, 29.0, 0.0, 25.0], [30.0, 31.0, 33.0, 30.0, 28.0, 35.0]);
/// let cells = Cells::of(&Customers::new(TimeUnit::Week, &x, &t_x, &age, None)?);
/// let posterior = Bayes::<BgNbd>::new().cells(&cells, TimeUnit::Week, &Context::default().seed(1))?;
/// assert_eq!(posterior.chains.len(), 4);
/// assert!(posterior.summaries.iter().all(|s| s.r_hat < 1.05));
/// # Ok::<(), clv_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Bayes<P> {
    pub(crate) each: MaximumLikelihood<P>,
    pub(crate) sampler: Sampler,
}

/// Priors and chains.
#[derive(Clone, Debug, PartialEq)]
pub struct Sampler {
    deviation: f64,
    priors: Vec<(&'static str, f64, f64)>,
    /// Of a coefficient, for one standard deviation of its column.
    pub of_coefficients: f64,
    chains: usize,
    draws: usize,
}

/// What is drawn from: a likelihood of so many customers, with what is searched and where the search starts.
pub(crate) struct Target<'a> {
    pub name: &'static str,
    pub coordinates: Vec<Coordinate>,
    pub customers: f64,
    /// Where the search for the mode starts, if not at the middle of the priors.
    pub start: Option<Vec<f64>>,
    pub derivatives: &'a dyn Fn(&[f64]) -> Option<Derivatives>,
    pub ln_likelihood: &'a dyn Fn(&[f64]) -> Option<f64>,
}

/// Chains of values of all parameters.
pub(crate) struct Sampled {
    /// What was searched, with its priors.
    pub coordinates: Vec<Coordinate>,
    pub chains: Vec<Vec<Vec<f64>>>,
    pub summaries: Vec<PosteriorSummary>,
    pub accepted: f64,
    pub evaluations: usize,
    pub mode: FitReport,
}

impl Default for Sampler {
    fn default() -> Self {
        Self { deviation: 1.5, priors: Vec::new(), of_coefficients: 1.0, chains: 4, draws: 1_000 }
    }
}

impl Sampler {
    pub(crate) fn chains(self, chains: usize, draws: usize) -> Result<Self, Error> {
        if chains == 0 {
            return Err(Error::Setting { name: "chains", given: 0.0, allowed: "at least 1" });
        }
        if draws < 4 {
            return Err(Error::Setting { name: "draws", given: draws as f64, allowed: "at least 4" });
        }
        Ok(Self { chains, draws, ..self })
    }

    pub(crate) fn prior(
        mut self,
        parameters: &[Parameter],
        name: &str,
        median: f64,
        deviation: f64,
    ) -> Result<Self, Error> {
        let known = parameters.iter().find(|p| p.name == name);
        let name = known.ok_or_else(|| unknown_parameter(name, parameters))?.name;
        let median = clv_core::setting::above_zero("median", median)?;
        let deviation = clv_core::setting::above_zero("deviation", deviation)?;
        self.priors.retain(|prior| prior.0 != name);
        self.priors.push((name, median, deviation));
        Ok(self)
    }

    /// Draws from the posterior of a target whose coordinates have no penalty yet.
    pub(crate) fn draw(&self, target: Target<'_>, cx: &Context<'_>) -> Result<Sampled, Error> {
        let Target { name, mut coordinates, customers, start, derivatives, ln_likelihood } = target;
        let no_estimate = |why| Error::NoEstimate { model: name, why };
        let held = |name: &str| coordinates.iter().any(|c| c.name == name && c.held.is_some());
        if let Some((parameter, ..)) = self.priors.iter().find(|p| held(p.0)) {
            let (what, given) = ("prior", (*parameter).to_owned());
            return Err(Error::Unreadable { what, given, allowed: "of parameters that are not held" });
        }
        for coordinate in &mut coordinates {
            let prior = self.priors.iter().find(|prior| prior.0 == coordinate.name);
            let (centre, deviation) = match prior {
                _ if !coordinate.is_positive => (0.0, self.of_coefficients),
                Some(&(_, median, by)) => (median.ln(), by),
                None => (coordinate.centre, self.deviation),
            };
            coordinate.centre = centre;
            // The search holds its penalty against the mean over customers.
            coordinate.penalty = 0.5 / (deviation * deviation * customers);
        }
        let middle = || coordinates.iter().map(|c| c.held.unwrap_or_else(|| c.natural(c.centre))).collect();
        let starts: Vec<Vec<f64>> = vec![start.unwrap_or_else(middle)];
        let search = Search::over(name, coordinates.clone(), None);
        let level = Level { customers, derivatives };
        let Found { values, report: mode_report } = search.run(&starts, &[level], cx)?;
        let free: Vec<usize> = (0..values.len()).filter(|&i| coordinates[i].held.is_none()).collect();
        let mode: Vec<f64> = free.iter().map(|&i| coordinates[i].point(values[i])).collect();
        let mut evaluations = 0;
        let mut at = vec![0.0; values.len()];
        let mut ln_density = |point: &[f64]| {
            evaluations += 1;
            at.copy_from_slice(&values);
            let mut prior = 0.0;
            for (&i, &to) in free.iter().zip(point) {
                at[i] = coordinates[i].natural(to);
                let Coordinate { centre, penalty, .. } = coordinates[i];
                prior += customers * penalty * (to - centre) * (to - centre);
            }
            let ln = ln_likelihood(&at).map_or(f64::NEG_INFINITY, |ln| ln - prior);
            if ln.is_nan() { f64::NEG_INFINITY } else { ln }
        };
        let curved = |point: &[f64]| {
            let natural = derivatives(&search.natural(point))?;
            let mean = search.objective(point, &natural, customers);
            mean.value.is_finite().then_some(mean)
        };
        let mut proposal = Proposal::along_ridge(&mode, customers, &curved)
            .ok_or_else(|| no_estimate("the posterior has no curvature at its mode"))?;
        let (mut chains, mut accepted) = (Vec::with_capacity(self.chains), 0);
        for chain in 0..self.chains {
            cx.check()?;
            let mut rng = ChaCha8Rng::seed_from_u64(cx.seed_value());
            // Of each model its own: two that are asked for one seed are joined draw by draw.
            rng.set_stream(Possible::key(name).wrapping_add(chain as u64 + 1));
            let mut drawn = proposal.chain(&mode, self.draws, &mut ln_density, &mut rng);
            if chain == 0 && proposal.mend(drawn.tried, &mut ln_density, &mut rng, cx)? {
                drawn = proposal.chain(&mode, self.draws, &mut ln_density, &mut rng);
            }
            accepted += drawn.accepted;
            chains.push(drawn.draws);
        }
        let whole = |point: &Vec<f64>| {
            let mut at = values.clone();
            free.iter().zip(point).for_each(|(&i, &to)| at[i] = coordinates[i].natural(to));
            at
        };
        let chains: Vec<Vec<Vec<f64>>> =
            chains.iter().map(|chain| chain.iter().map(whole).collect()).collect();
        let summaries = summaries(&chains, &coordinates);
        let accepted = accepted as f64 / (self.chains * self.draws) as f64;
        Ok(Sampled { coordinates, chains, summaries, accepted, evaluations, mode: mode_report })
    }
}

/// Draws from a posterior, and how far to trust them.
#[derive(Clone, Debug)]
pub struct Posterior<P> {
    /// The populations drawn, chain by chain.
    pub chains: Vec<Vec<P>>,
    /// What they say of each parameter.
    pub summaries: Vec<PosteriorSummary>,
    /// The share of proposals that were taken.
    pub accepted: f64,
    /// Likelihoods computed.
    pub evaluations: usize,
    /// The mode, and its curvature.
    pub mode: FitReport,
}

/// The posterior of a parameter.
#[derive(Clone, Debug, PartialEq)]
pub struct PosteriorSummary {
    /// Its name.
    pub name: Cow<'static, str>,
    /// Posterior mean.
    pub mean: f64,
    /// Posterior standard deviation.
    pub deviation: f64,
    /// The 2.5%, 50% and 97.5% quantiles.
    pub quantiles: [f64; 3],
    /// R̂ of split chains, of the logarithm where values are positive: near 1 if the chains agree.
    pub r_hat: f64,
    /// As many independent draws would say as much of the mean of the same.
    pub effective: f64,
}

impl PosteriorSummary {
    /// Of chains of a parameter's values.
    pub(crate) fn of(name: Cow<'static, str>, chains: &[Vec<f64>], is_positive: bool) -> Self {
        let mut all: Vec<f64> = chains.concat();
        all.sort_by(f64::total_cmp);
        let n = all.len() as f64;
        let mean = all.iter().sum::<f64>() / n;
        let variance = all.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / (n - 1.0);
        let quantile = |share: f64| all[((share * n) as usize).min(all.len() - 1)];
        let on_scale = |v: &f64| if is_positive { v.ln() } else { *v };
        let on_scale: Vec<Vec<f64>> =
            chains.iter().map(|chain| chain.iter().map(on_scale).collect()).collect();
        Self {
            name,
            mean,
            deviation: variance.sqrt(),
            quantiles: [0.025, 0.5, 0.975].map(quantile),
            r_hat: r_hat(&on_scale),
            effective: effective_sample_size(&on_scale),
        }
    }
}

impl<P: Process> Default for Bayes<P> {
    fn default() -> Self {
        Self::new()
    }
}

impl<P: Process> Bayes<P> {
    /// With the defaults.
    pub fn new() -> Self {
        Self { each: MaximumLikelihood::new(), sampler: Sampler::default() }
    }

    /// Of the parameters that these settings leave free.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] for settings with a penalty, which the priors take the place of.
    pub fn of(each: MaximumLikelihood<P>) -> Result<Self, Error> {
        each.expect_no_penalty()?;
        Ok(Self { each, ..Self::new() })
    }

    /// Parameters that are held at a value.
    ///
    /// # Errors
    ///
    /// As [`MaximumLikelihood::fix`].
    pub fn fix(self, name: &str, value: f64) -> Result<Self, Error> {
        Ok(Self { each: self.each.fix(name, value)?, ..self })
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
    /// [`Error::UnknownName`] for a parameter that the model does not have; [`Error::Setting`] unless both are finite and above 0.
    pub fn prior(self, name: &str, median: f64, deviation: f64) -> Result<Self, Error> {
        Ok(Self { sampler: self.sampler.prior(P::PARAMETERS, name, median, deviation)?, ..self })
    }

    /// With covariates that move the parameters.
    pub fn with(self, covariates: Covariates) -> BayesWithCovariates<P> {
        BayesWithCovariates::new(self, covariates)
    }

    /// With covariates that change with time.
    pub fn over_time(self, covariates: Covariates) -> BayesOverTime<P>
    where
        P: OverTime,
    {
        BayesOverTime::new(self, covariates)
    }

    /// Draws from the posterior, given weighted cells; [`Training::cells`](clv_core::Training::cells) makes them from a log.
    ///
    /// # Errors
    ///
    /// [`Error::TooLittleData`] without customers; [`Error::NoEstimate`] where no mode was found; [`Error::Stopped`].
    pub fn cells(&self, cells: &Cells, unit: TimeUnit, cx: &Context<'_>) -> Result<Posterior<P>, Error> {
        let name = P::KIND.name;
        self.each.expect_fixed()?;
        let customers = cells.customers();
        if cells.is_empty() {
            return Err(Error::TooLittleData { model: name, needs: "at least one customer", found: 0 });
        }
        let cells = &*cells_of::<P>(cells)?;
        let mean_age = mean_age(name, cells)?;
        let derivatives = |values: &[f64]| Some(P::from_values(values).ok()?.derivatives(cells));
        let ln_likelihood = |values: &[f64]| Some(P::from_values(values).ok()?.ln_likelihood_of(cells));
        let target = Target {
            name,
            coordinates: self.each.coordinates(mean_age),
            customers,
            start: self.each.start_value(),
            derivatives: &derivatives,
            ln_likelihood: &ln_likelihood,
        };
        let Sampled { chains, summaries, accepted, evaluations, mut mode, .. } =
            self.sampler.draw(target, cx)?;
        mode.unit = unit;
        mode.rows = cells.len();
        mode.warnings.extend(told::<P>(cells)?);
        let chains = modelled(&chains, P::from_values)?;
        Ok(Posterior { chains, summaries, accepted, evaluations, mode })
    }
}

/// What histories that say little make of a posterior: where they have no estimate of their own, the prior decides.
pub(crate) fn told<P: Process>(cells: &Cells) -> Result<Vec<Warning>, Error> {
    match P::look(cells) {
        Err(Error::NoEstimate { why, .. }) => Ok(vec![Warning::PriorAlone { why }]),
        other => other,
    }
}

/// Chains whose R̂ is above this tell different things.
pub(crate) const AGREE: f64 = 1.05;

/// The story of a posterior: means, deviations and quantiles, and whether the chains agree. Its likelihood is not that of one set of values.
pub(crate) fn report(
    model: &'static str,
    (unit, customers, draws): (TimeUnit, usize, usize),
    summaries: &[PosteriorSummary],
    is_coefficient: impl Fn(&str) -> bool,
) -> FitReport {
    let mut report = FitReport::new(model, unit, customers);
    report.parameters = summaries
        .iter()
        .map(|s| Estimate {
            name: s.name.clone(),
            value: s.mean,
            standard_error: Some(s.deviation),
            fixed: false,
            is_coefficient: is_coefficient(&s.name),
            quantiles: Some((s.quantiles[0], s.quantiles[2])),
        })
        .collect();
    report.converged = summaries.iter().all(|s| s.r_hat < AGREE);
    let r_hat = summaries.iter().map(|s| s.r_hat).fold(1.0, |most, r| if r <= most { most } else { r });
    if !report.converged {
        report.warnings.push(Warning::ChainsApart { r_hat });
    }
    let effective = summaries.iter().map(|s| s.effective).fold(f64::INFINITY, f64::min);
    report.sampling = Some(Sampling { draws, r_hat, effective });
    report
}

/// What chains of values say of each of what was searched.
pub(crate) fn summaries(chains: &[Vec<Vec<f64>>], coordinates: &[Coordinate]) -> Vec<PosteriorSummary> {
    let of = |(i, coordinate): (usize, &Coordinate)| {
        if let Some(value) = coordinate.held {
            return PosteriorSummary {
                name: coordinate.name.clone(),
                mean: value,
                deviation: 0.0,
                quantiles: [value; 3],
                r_hat: 1.0,
                effective: f64::INFINITY,
            };
        }
        let columns: Vec<Vec<f64>> =
            chains.iter().map(|chain| chain.iter().map(|values| values[i]).collect()).collect();
        PosteriorSummary::of(coordinate.name.clone(), &columns, coordinate.is_positive)
    };
    coordinates.iter().enumerate().map(of).collect()
}

/// Chains of values as chains of models.
pub(crate) fn modelled<M>(
    chains: &[Vec<Vec<f64>>],
    model: impl Fn(&[f64]) -> Result<M, Error>,
) -> Result<Vec<Vec<M>>, Error> {
    chains.iter().map(|chain| chain.iter().map(|values| model(values)).collect()).collect()
}

impl<P: Clone> Posterior<P> {
    /// All draws, for intervals of anything that follows from the population ([`Draws::interval`]).
    pub fn draws(&self) -> Draws<P> {
        Draws { populations: self.chains.concat(), failed: 0 }
    }
}

/// A multivariate t distribution.
#[derive(Clone)]
struct Part {
    centre: Vec<f64>,
    /// Lower triangle, row by row.
    root: Vec<f64>,
    degrees: f64,
    ln_constant: f64,
}

impl Part {
    fn new(centre: Vec<f64>, covariance: &[f64], degrees: f64) -> Option<Self> {
        let root = cholesky(covariance, centre.len())?;
        Some(Self { centre, root: Vec::new(), degrees, ln_constant: 0.0 }.scaled_to(root, degrees))
    }

    /// About the same centre, with another root and other degrees of freedom.
    fn scaled_to(&self, root: Vec<f64>, degrees: f64) -> Self {
        let d = self.centre.len();
        let ln_root: f64 = (0..d).map(|i| root[i * d + i].ln()).sum();
        let half = 0.5 * d as f64;
        let of_degrees = ln_gamma(0.5 * degrees + half) - ln_gamma(0.5 * degrees) - half * degrees.ln();
        Self { centre: self.centre.clone(), root, degrees, ln_constant: of_degrees - ln_root }
    }

    /// The same about another centre.
    fn about(&self, centre: Vec<f64>) -> Self {
        Self { centre, root: self.root.clone(), ..*self }
    }

    fn draw(&self, rng: &mut ChaCha8Rng) -> Vec<f64> {
        let d = self.centre.len();
        let degrees = self.degrees;
        let chi: f64 = ChiSquared::new(degrees).map_or(degrees, |chi| chi.sample(rng));
        let wide = (degrees / chi).sqrt();
        let z: Vec<f64> = (0..d).map(|_| StandardNormal.sample(rng)).collect();
        let along = |i: usize| (0..=i).map(|j| self.root[i * d + j] * z[j]).sum::<f64>();
        (0..d).map(|i| self.centre[i] + wide * along(i)).collect()
    }

    /// Mahalanobis' distance, squared.
    fn distance(&self, point: &[f64]) -> f64 {
        let d = self.centre.len();
        let mut z = vec![0.0; d];
        for i in 0..d {
            let rest: f64 = (0..i).map(|j| self.root[i * d + j] * z[j]).sum();
            z[i] = (point[i] - self.centre[i] - rest) / self.root[i * d + i];
        }
        z.iter().map(|v| v * v).sum()
    }

    /// But for a power of π.
    fn ln_density(&self, point: &[f64]) -> f64 {
        let (d, degrees) = (self.centre.len() as f64, self.degrees);
        self.ln_constant - 0.5 * (degrees + d) * (self.distance(point) / degrees).ln_1p()
    }
}

/// Of weighted points, about a centre or their mean.
fn covariance<'a>(
    points: impl Iterator<Item = &'a [f64]> + Clone,
    weights: &[f64],
    centre: Option<&[f64]>,
) -> Option<Vec<f64>> {
    let d = points.clone().next()?.len();
    let total: f64 = weights.iter().sum();
    let mean: Vec<f64> = match centre {
        Some(centre) => centre.to_vec(),
        None => (0..d)
            .map(|i| points.clone().zip(weights).map(|(point, w)| w * point[i]).sum::<f64>() / total)
            .collect(),
    };
    let mut of = vec![0.0; d * d];
    for (point, weight) in points.zip(weights) {
        for (e, entry) in of.iter_mut().enumerate() {
            *entry += weight / total * (point[e / d] - mean[e / d]) * (point[e % d] - mean[e % d]);
        }
    }
    Some(of)
}

/// A mixture of them.
#[derive(Clone)]
struct Proposal {
    parts: Vec<(f64, Part)>,
}

/// The highest point across the ridge, by Newton's steps.
fn crest(
    mut point: Vec<f64>,
    along: f64,
    ridge: &[f64],
    others: &[Vec<f64>],
    scale: f64,
    curved: &dyn Fn(&[f64]) -> Option<Derivatives>,
) -> Option<Crest> {
    let (d, m) = (point.len(), others.len());
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    for _ in 0..12 {
        let here = curved(&point)?;
        let hessian: Vec<f64> = here.hessian.iter().map(|h| h * scale).collect();
        let times = |v: &[f64]| -> Vec<f64> { hessian.chunks(d).map(|row| dot(row, v)).collect() };
        let turned: Vec<Vec<f64>> = others.iter().map(|v| times(v)).collect();
        let across: Vec<f64> = (0..m * m).map(|e| dot(&others[e / m], &turned[e % m])).collect();
        let root = cholesky(&across, m)?;
        let slope: Vec<f64> = others.iter().map(|v| scale * dot(&here.gradient, v)).collect();
        let step = cholesky_solve(&root, m, &slope);
        if dot(&step, &slope) > 1e-3 {
            for (by, v) in step.iter().zip(others) {
                point.iter_mut().zip(v).for_each(|(p, v)| *p -= by * v);
            }
            continue;
        }
        // Along the ridge the best point across it moves.
        let mixed: Vec<f64> = turned.iter().map(|row| dot(row, ridge)).collect();
        let moves = cholesky_solve(&root, m, &mixed);
        let mut tangent = ridge.to_vec();
        for (by, v) in moves.iter().zip(others) {
            tangent.iter_mut().zip(v).for_each(|(t, v)| *t -= by * v);
        }
        let inverse = inverse(&across, m)?;
        let entry = |i: usize, j: usize| -> f64 {
            let row = |a: usize| (0..m).map(|b| inverse[a * m + b] * others[b][j]).sum::<f64>();
            (0..m).map(|a| others[a][i] * row(a)).sum()
        };
        let across = (0..d * d).map(|e| entry(e / d, e % d)).collect();
        let ln_width = -(0..m).map(|i| root[i * m + i].ln()).sum::<f64>();
        return Some(Crest { along, point, value: scale * here.value, tangent, across, ln_width });
    }
    None
}

struct Chain {
    draws: Vec<Vec<f64>>,
    accepted: usize,
    /// What was proposed, with the logarithm of the posterior's density there.
    tried: Vec<(Vec<f64>, f64)>,
}

/// A point of the ridge: minus the logarithm of the density there, how the ridge goes on, and the covariance across it.
struct Crest {
    along: f64,
    point: Vec<f64>,
    value: f64,
    tangent: Vec<f64>,
    across: Vec<f64>,
    ln_width: f64,
}

impl Proposal {
    /// Parts along the ridge on which the density falls most slowly, each with the density's own curvature across it: normal
    /// approximations side by side, as the posterior is nearly normal across its ridge and need not be along it.
    ///
    /// `curved` tells minus the logarithm of the density, over `scale`.
    fn along_ridge(mode: &[f64], scale: f64, curved: &dyn Fn(&[f64]) -> Option<Derivatives>) -> Option<Self> {
        let d = mode.len();
        let top = curved(mode)?;
        let hessian: Vec<f64> = top.hessian.iter().map(|h| h * scale).collect();
        let (values, vectors) = symmetric_eigen(&hessian, d);
        // Ascending: the first is the flattest.
        if !values.first().is_some_and(|flattest| *flattest > 0.0) {
            return None;
        }
        let (ridge, others) = (&vectors[0], &vectors[1..]);
        let sd = values[0].sqrt().recip();
        let at_mode = crest(mode.to_vec(), 0.0, ridge, others, scale, curved)?;
        let highest = at_mode.value;
        let mut crests = Vec::new();
        for way in [-1.0, 1.0] {
            let (mut step, mut value) = (APART * sd, highest);
            let (mut along, mut point, mut tangent) = (0.0, at_mode.point.clone(), at_mode.tangent.clone());
            for _ in 0..STEPS {
                let next: Vec<f64> = point.iter().zip(&tangent).map(|(p, t)| p + way * step * t).collect();
                along += way * step;
                let Some(found) = crest(next, along, ridge, others, scale, curved) else { break };
                let fell = (found.value - value).abs();
                (value, point, tangent) = (found.value, found.point.clone(), found.tangent.clone());
                crests.push(found);
                if value - highest > FALL {
                    break;
                }
                if fell < 1.0 {
                    step *= LONGER;
                }
            }
        }
        crests.push(at_mode);
        crests.sort_by(|a, b| a.along.total_cmp(&b.along));
        let gap = |i: usize| {
            let from = crests[i.saturating_sub(1)].along;
            let to = crests[(i + 1).min(crests.len() - 1)].along;
            let ends = (i.min(1) + (crests.len() - 1 - i).min(1)) as f64;
            if ends > 0.0 { (to - from) / ends } else { sd }
        };
        let mut parts = Vec::with_capacity(crests.len());
        for (i, found) in crests.iter().enumerate() {
            let wide = WIDE * gap(i);
            let entry =
                |e: usize| found.across[e] + wide * wide * found.tangent[e / d] * found.tangent[e % d];
            let covariance: Vec<f64> = (0..d * d).map(entry).collect();
            let weight = (highest - found.value + found.ln_width).exp() * gap(i);
            parts.extend(Part::new(found.point.clone(), &covariance, DEGREES).map(|part| (weight, part)));
        }
        let (total, alike) = (parts.iter().map(|part| part.0).sum::<f64>(), ALIKE / parts.len() as f64);
        parts.iter_mut().for_each(|part| part.0 = (1.0 - ALIKE) * part.0 / total + alike);
        (!parts.is_empty()).then_some(Self { parts })
    }

    /// Adds parts where draws of it weigh most, as the posterior is wider there: incremental mixture importance sampling (Raftery & Bao 2010,
    /// Biometrics 66(4), section 3). Whether there were any.
    fn mend(
        &mut self,
        mut tried: Vec<(Vec<f64>, f64)>,
        ln_density: &mut dyn FnMut(&[f64]) -> f64,
        rng: &mut ChaCha8Rng,
        cx: &Context<'_>,
    ) -> Result<bool, Error> {
        let (d, parts) = (self.parts[0].1.centre.len(), self.parts.len());
        // Of draws of the proposal as it was, so that what is near is the same throughout.
        let even = vec![1.0; tried.len()];
        let spread = covariance(tried.iter().map(|(point, _)| &point[..]), &even, None);
        let Some(metric) = spread.and_then(|spread| Part::new(vec![0.0; d], &spread, DEGREES)) else {
            return Ok(false);
        };
        let most = parts + MENDS.min(tried.len() / DRAWS_OF_A_MEND);
        let mut proposed: Vec<f64> = tried.iter().map(|(point, _)| self.ln_density(point)).collect();
        while self.parts.len() < most {
            cx.check()?;
            let ln_weights: Vec<f64> = tried.iter().zip(&proposed).map(|((_, ln), q)| ln - q).collect();
            let total = ln_sum_exp(&ln_weights);
            let weights: Vec<f64> = ln_weights.iter().map(|ln| (ln - total).exp()).collect();
            let heaviest = (0..tried.len()).max_by(|a, b| weights[*a].total_cmp(&weights[*b]));
            let Some(heaviest) = heaviest.filter(|at| weights[*at] * tried.len() as f64 > HEAVY) else {
                break;
            };
            let centre = tried[heaviest].0.clone();
            let about = metric.about(centre.clone());
            let mut near: Vec<(f64, usize)> =
                tried.iter().enumerate().map(|(i, (point, _))| (about.distance(point), i)).collect();
            near.sort_by(|a, b| a.0.total_cmp(&b.0));
            near.truncate(DRAWS_OF_A_MEND);
            // Half by what they weigh, half alike.
            let weight = |&(_, i): &(f64, usize)| weights[i] + 1.0 / tried.len() as f64;
            let of_near: Vec<f64> = near.iter().map(weight).collect();
            let spread = covariance(near.iter().map(|(_, i)| &tried[*i].0[..]), &of_near, Some(&centre));
            let Some(part) = spread.and_then(|spread| Part::new(centre, &spread, DEGREES)) else { break };
            for _ in 0..DRAWS_OF_A_MEND {
                let point = part.draw(rng);
                let ln = ln_density(&point);
                tried.push((point, ln));
            }
            let share = DRAWS_OF_A_MEND as f64 / tried.len() as f64;
            for (q, (point, _)) in proposed.iter_mut().zip(&tried) {
                *q = ln_sum_exp(&[*q + (1.0 - share).ln(), share.ln() + part.ln_density(point)]);
            }
            self.parts.iter_mut().for_each(|part| part.0 *= 1.0 - share);
            self.parts.push((share, part));
            proposed.extend(tried[proposed.len()..].iter().map(|(point, _)| self.ln_density(point)));
        }
        Ok(self.parts.len() > parts)
    }

    fn draw(&self, rng: &mut ChaCha8Rng) -> Vec<f64> {
        let mut left = uniform(rng);
        let chosen = self.parts.iter().find(|(weight, _)| {
            left -= weight;
            left < 0.0
        });
        chosen.unwrap_or(&self.parts[self.parts.len() - 1]).1.draw(rng)
    }

    fn ln_density(&self, point: &[f64]) -> f64 {
        let terms: Vec<f64> =
            self.parts.iter().map(|(weight, part)| weight.ln() + part.ln_density(point)).collect();
        ln_sum_exp(&terms)
    }

    /// So many draws of a chain from a start on.
    fn chain(
        &self,
        start: &[f64],
        draws: usize,
        ln_density: &mut dyn FnMut(&[f64]) -> f64,
        rng: &mut ChaCha8Rng,
    ) -> Chain {
        let mut now = start.to_vec();
        let mut weight = ln_density(start) - self.ln_density(start);
        let mut chain = Chain { draws: Vec::with_capacity(draws), accepted: 0, tried: Vec::new() };
        for draw in 0..draws + WARMUP {
            let next = self.draw(rng);
            let there = ln_density(&next);
            let of_next = there - self.ln_density(&next);
            chain.tried.push((next.clone(), there));
            if uniform(rng).ln() < of_next - weight {
                (now, weight) = (next, of_next);
                chain.accepted += usize::from(draw >= WARMUP);
            }
            if draw >= WARMUP {
                chain.draws.push(now.clone());
            }
        }
        chain
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A posterior with a wing that the proposal does not know: a tenth of it lies five deviations away.
    #[test]
    fn parts_are_added_where_a_draw_would_hold_the_chain() {
        let normal = |point: &[f64], at: f64| -0.5 * ((point[0] - at).powi(2) + point[1].powi(2));
        let mut ln_density = |point: &[f64]| {
            ln_sum_exp(&[0.9_f64.ln() + normal(point, 0.0), 0.1_f64.ln() + normal(point, 5.0)])
        };
        let part = Part::new(vec![0.0, 0.0], &[1.0, 0.0, 0.0, 1.0], DEGREES).unwrap();
        let mut proposal = Proposal { parts: vec![(1.0, part)] };
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let heaviest = |proposal: &Proposal, tried: &[(Vec<f64>, f64)]| {
            let weigh = |(point, ln): &(Vec<f64>, f64)| ln - proposal.ln_density(point);
            let ln: Vec<f64> = tried.iter().map(weigh).collect();
            let most = ln.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            (most - ln_sum_exp(&ln)).exp() * tried.len() as f64
        };
        let first = proposal.chain(&[0.0, 0.0], 4_000, &mut ln_density, &mut rng);
        assert!(heaviest(&proposal, &first.tried) > 5.0 * HEAVY);
        let cx = Context::default();
        assert!(proposal.mend(first.tried, &mut ln_density, &mut rng, &cx).unwrap());
        let shares: f64 = proposal.parts.iter().map(|part| part.0).sum();
        assert!((shares - 1.0).abs() < 1e-12 && proposal.parts.len() > 1, "{shares}");
        let again = proposal.chain(&[0.0, 0.0], 20_000, &mut ln_density, &mut rng);
        assert!(heaviest(&proposal, &again.tried) < 3.0 * HEAVY);
        // Mean .5 and variance 1 + .1 × .9 × 25 of the first coordinate.
        let mean = again.draws.iter().map(|draw| draw[0]).sum::<f64>() / 20_000.0;
        let square = again.draws.iter().map(|draw| (draw[0] - mean).powi(2)).sum::<f64>() / 20_000.0;
        assert!((mean - 0.5).abs() < 0.08 && (square / 3.25 - 1.0).abs() < 0.08, "{mean} {square}");
        // It stops when it is told to.
        let stopped = proposal.mend(again.tried, &mut |_| 0.0, &mut rng, &cx.stop(&|| true));
        assert!(matches!(stopped, Err(Error::Stopped)));
    }
}
