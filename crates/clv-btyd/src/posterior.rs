//! Bayesian estimates: draws from the posterior of a model's parameters.
//!
//! # Method
//!
//! The posterior of a handful of parameters, on the logarithmic scale, is nearly normal about its mode: Newton finds the mode, the exact
//! second derivatives its shape. Draws come from a multivariate t distribution of this shape and are taken or left by the rule of
//! Metropolis and Hastings (an independence chain; Tierney 1994, Annals of Statistics 22(4), section 2.3.2), which makes them draws
//! from the posterior itself. Before that the shape is fitted twice to draws of its own, so that a ridge is followed; those draws
//! are thrown away. A draw costs one likelihood.
//!
//! Whether it went well is measured and told: R̂ of split chains and the effective sample size (Vehtari and others 2021, Bayesian
//! Analysis 16(2)).

use std::borrow::Cow;

use clv_core::{Cells, Context, Error, FitReport, TimeUnit};
use clv_math::chains::{effective_sample_size, r_hat};
use clv_math::linalg::cholesky;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{ChiSquared, Distribution, StandardNormal};

use crate::estimate::MaximumLikelihood;
use crate::process::Process;
use crate::search::{Coordinate, Found, Level, Search};
use crate::simulate::uniform;
use crate::uncertainty::Draws;

/// Degrees of freedom of the proposals: tails that are heavier than those of any posterior here, on logarithms.
const DEGREES: f64 = 5.0;
/// Draws that the shape of the proposals is fitted to, each time.
const PILOT: usize = 400;

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
    each: MaximumLikelihood<P>,
    deviation: f64,
    priors: Vec<(&'static str, f64, f64)>,
    chains: usize,
    draws: usize,
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
        Self { each: MaximumLikelihood::new(), deviation: 1.5, priors: Vec::new(), chains: 4, draws: 1_000 }
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
        if chains == 0 {
            return Err(Error::Setting { name: "chains", given: 0.0, allowed: "at least 1" });
        }
        if draws < 4 {
            return Err(Error::Setting { name: "draws", given: draws as f64, allowed: "at least 4" });
        }
        Ok(Self { chains, draws, ..self })
    }

    /// The prior of a parameter, `ln θ ~ N(ln median, deviation²)`.
    ///
    /// # Errors
    ///
    /// [`Error::Unreadable`] for a name that the model does not have; [`Error::Setting`] unless both are finite and above 0.
    pub fn prior(mut self, name: &str, median: f64, deviation: f64) -> Result<Self, Error> {
        let unknown = || Error::Unreadable {
            what: "parameter name",
            given: name.to_owned(),
            allowed: "the names of the model's parameters",
        };
        let name = P::PARAMETERS.iter().find(|p| p.name == name).ok_or_else(unknown)?.name;
        let median = clv_core::setting::above_zero("median", median)?;
        let deviation = clv_core::setting::above_zero("deviation", deviation)?;
        self.priors.retain(|prior| prior.0 != name);
        self.priors.push((name, median, deviation));
        Ok(self)
    }

    /// Draws from the posterior, given weighted cells; [`Training::cells`](clv_core::Training::cells) makes them from a log.
    ///
    /// # Errors
    ///
    /// [`Error::TooLittleData`] without customers; [`Error::NoEstimate`] where no mode was found; [`Error::Stopped`].
    pub fn cells(&self, cells: &Cells, unit: TimeUnit, cx: &Context<'_>) -> Result<Posterior<P>, Error> {
        let name = P::KIND.name;
        let no_estimate = |why| Error::NoEstimate { model: name, why };
        let customers = cells.customers();
        if cells.is_empty() {
            return Err(Error::TooLittleData { model: name, needs: "at least one customer", found: 0 });
        }
        let mean_age = cells.age.iter().zip(&cells.weight).map(|(a, w)| a * w).sum::<f64>() / customers;
        if mean_age <= 0.0 {
            return Err(no_estimate(
                "every customer first bought on the last day, so nothing has been observed",
            ));
        }
        let mut coordinates = self.each.coordinates(mean_age);
        for coordinate in &mut coordinates {
            let prior = self.priors.iter().find(|prior| prior.0 == coordinate.name);
            let (centre, deviation) =
                prior.map_or((coordinate.centre, self.deviation), |&(_, median, by)| (median.ln(), by));
            coordinate.centre = centre;
            // The search holds its penalty against the mean over customers.
            coordinate.penalty = 0.5 / (deviation * deviation * customers);
        }
        let starts: Vec<Vec<f64>> =
            vec![coordinates.iter().map(|c| c.held.unwrap_or_else(|| c.centre.exp())).collect()];
        let search = Search::over(name, coordinates.clone(), None);
        let derivatives = |values: &[f64]| Some(P::from_values(values).ok()?.derivatives(cells));
        let level = Level { customers, derivatives: &derivatives };
        let Found { values, mut report } = search.run(&starts, &[level], cx)?;
        report.unit = unit;
        report.rows = cells.len();
        let free: Vec<usize> = (0..values.len()).filter(|&i| coordinates[i].held.is_none()).collect();
        let d = free.len();
        let covariance = report.covariance.as_ref();
        let covariance =
            covariance.ok_or_else(|| no_estimate("the posterior has no curvature at its mode"))?;
        let on_log: Vec<f64> =
            (0..d * d).map(|e| covariance[e] / (values[free[e / d]] * values[free[e % d]])).collect();
        let mode: Vec<f64> = free.iter().map(|&i| values[i].ln()).collect();
        let mut evaluations = 0;
        let mut at = vec![0.0; values.len()];
        let mut ln_density = |point: &[f64]| {
            evaluations += 1;
            at.copy_from_slice(&values);
            let mut prior = 0.0;
            for (&i, &ln) in free.iter().zip(point) {
                at[i] = ln.exp();
                let Coordinate { centre, penalty, .. } = coordinates[i];
                prior += customers * penalty * (ln - centre) * (ln - centre);
            }
            P::from_values(&at).map_or(f64::NEG_INFINITY, |process| {
                let ln = process.ln_likelihood_of(cells) - prior;
                if ln.is_nan() { f64::NEG_INFINITY } else { ln }
            })
        };
        let mut proposal = Proposal::new(mode, &on_log)
            .ok_or_else(|| no_estimate("the posterior has no curvature at its mode"))?;
        let mut rng = ChaCha8Rng::seed_from_u64(cx.seed_value());
        for _ in 0..2 {
            cx.check()?;
            let pilot = proposal.chain(PILOT, &mut ln_density, &mut rng);
            if let Some(better) = Proposal::fitted(&pilot.draws) {
                proposal = better;
            }
        }
        let (mut chains, mut accepted) = (Vec::with_capacity(self.chains), 0);
        for chain in 0..self.chains {
            cx.check()?;
            let mut rng = ChaCha8Rng::seed_from_u64(cx.seed_value());
            rng.set_stream(chain as u64 + 1);
            let drawn = proposal.chain(self.draws, &mut ln_density, &mut rng);
            accepted += drawn.accepted;
            chains.push(drawn.draws);
        }
        let summaries = summaries::<P>(&chains, &free, &values);
        let population = |point: &Vec<f64>| {
            let mut at = values.clone();
            free.iter().zip(point).for_each(|(&i, ln)| at[i] = ln.exp());
            P::from_values(&at)
        };
        let chains: Vec<Vec<P>> = chains
            .iter()
            .map(|chain| chain.iter().map(population).collect::<Result<_, _>>())
            .collect::<Result<_, _>>()?;
        let accepted = accepted as f64 / (self.chains * self.draws) as f64;
        Ok(Posterior { chains, summaries, accepted, evaluations, mode: report })
    }
}

fn summaries<P: Process>(chains: &[Vec<Vec<f64>>], free: &[usize], values: &[f64]) -> Vec<PosteriorSummary> {
    let of = |(i, parameter): (usize, &crate::Parameter)| {
        let Some(place) = free.iter().position(|&f| f == i) else {
            let value = values[i];
            return PosteriorSummary {
                name: parameter.name.into(),
                mean: value,
                deviation: 0.0,
                quantiles: [value; 3],
                r_hat: 1.0,
                effective: f64::INFINITY,
            };
        };
        let columns: Vec<Vec<f64>> =
            chains.iter().map(|chain| chain.iter().map(|point| point[place].exp()).collect()).collect();
        PosteriorSummary::of(parameter.name.into(), &columns, true)
    };
    P::PARAMETERS.iter().enumerate().map(of).collect()
}

impl<P: Process> Posterior<P> {
    /// All draws, for intervals of anything that follows from the population ([`Draws::interval`]).
    pub fn draws(&self) -> Draws<P> {
        Draws { populations: self.chains.concat(), failed: 0 }
    }
}

/// A multivariate t distribution.
struct Proposal {
    centre: Vec<f64>,
    /// Lower triangle, row by row.
    root: Vec<f64>,
    ln_root: f64,
}

struct Chain {
    draws: Vec<Vec<f64>>,
    accepted: usize,
}

impl Proposal {
    fn new(centre: Vec<f64>, covariance: &[f64]) -> Option<Self> {
        let d = centre.len();
        let root = cholesky(covariance, d)?;
        let ln_root = (0..d).map(|i| root[i * d + i].ln()).sum();
        Some(Self { centre, root, ln_root })
    }

    /// Of the mean and covariance of draws; none if they hardly moved.
    fn fitted(draws: &[Vec<f64>]) -> Option<Self> {
        let d = draws[0].len();
        let moves = draws.windows(2).filter(|pair| pair[0] != pair[1]).count();
        if moves < 20 * d {
            return None;
        }
        let n = draws.len() as f64;
        let centre: Vec<f64> = (0..d).map(|i| draws.iter().map(|p| p[i]).sum::<f64>() / n).collect();
        let entry = |i: usize, j: usize| {
            draws.iter().map(|p| (p[i] - centre[i]) * (p[j] - centre[j])).sum::<f64>() / (n - 1.0)
        };
        let covariance: Vec<f64> = (0..d * d).map(|e| entry(e / d, e % d)).collect();
        Self::new(centre, &covariance)
    }

    fn draw(&self, rng: &mut ChaCha8Rng) -> Vec<f64> {
        let d = self.centre.len();
        let chi: f64 = ChiSquared::new(DEGREES).map_or(DEGREES, |chi| chi.sample(rng));
        let wide = (DEGREES / chi).sqrt();
        let z: Vec<f64> = (0..d).map(|_| StandardNormal.sample(rng)).collect();
        let along = |i: usize| (0..=i).map(|j| self.root[i * d + j] * z[j]).sum::<f64>();
        (0..d).map(|i| self.centre[i] + wide * along(i)).collect()
    }

    /// But for a constant.
    fn ln_density(&self, point: &[f64]) -> f64 {
        let d = self.centre.len();
        let mut z = vec![0.0; d];
        for i in 0..d {
            let rest: f64 = (0..i).map(|j| self.root[i * d + j] * z[j]).sum();
            z[i] = (point[i] - self.centre[i] - rest) / self.root[i * d + i];
        }
        let square: f64 = z.iter().map(|v| v * v).sum();
        -0.5 * (DEGREES + d as f64) * (square / DEGREES).ln_1p() - self.ln_root
    }

    /// So many draws of a chain that starts with a proposal.
    fn chain(&self, draws: usize, ln_density: &mut dyn FnMut(&[f64]) -> f64, rng: &mut ChaCha8Rng) -> Chain {
        let mut weigh = |point: &[f64]| ln_density(point) - self.ln_density(point);
        let mut now = self.centre.clone();
        let mut weight = weigh(&now);
        let mut chain = Chain { draws: Vec::with_capacity(draws), accepted: 0 };
        // The first hundred leave the centre behind.
        for draw in 0..draws + 100 {
            let next = self.draw(rng);
            let of_next = weigh(&next);
            if uniform(rng).ln() < of_next - weight {
                (now, weight) = (next, of_next);
                chain.accepted += usize::from(draw >= 100);
            }
            if draw >= 100 {
                chain.draws.push(now.clone());
            }
        }
        chain
    }
}
