//! Fitting hierarchical models.

use std::marker::PhantomData;
use std::num::NonZeroUsize;

use clv_core::model::{Progress, Reads};
use clv_core::setting::above_zero;
use clv_core::{Context, Error, Feature, Fit, Fitted, Training};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::own::{Own, Seen};
use super::population::Population;
use super::sampler::State;
use super::{HierarchicalModel, Hierarchy};
use crate::covariates::{Columns, Term};
use crate::posterior::{PosteriorSummary, report};
use crate::side_by_side::side_by_side;

/// How to draw from the posterior of a hierarchical model.
///
/// | Name | Default | Why |
/// | :-- | :-- | :-- |
/// | `chains`, `draws` | 4 of 1,000 | as PyMC and Stan |
/// | `warmup` | 600 | rounds that are thrown away; ways to move all together are learned in the first 500 |
/// | `thin` | 4 | rounds for each draw |
/// | `kept` | 400 | populations that forecasts are made with |
/// | `prior_deviation` | 1.5 | of gamma populations: logarithms of shapes and of their rates `~ N(ln θ₀, 1.5²)`, `θ₀` 1 for shapes and `γ`, the mean age for `α` and `β`: as [`Bayes`](crate::Bayes) |
///
/// Of [`Abe`](super::Abe) the prior is `B | Γ ~ N(0, Γ ⊗ (0.01 I)⁻¹)`, `Γ ~ IW(3 + p, (3 + p) I)` with `p` columns, as in BTYDplus.
///
/// ```
/// use clv_btyd::{HierarchicalFit, ParetoGgg};
///
/// let settings = HierarchicalFit::<ParetoGgg>::new().chains(4, 2_000)?.warmup(1_000);
/// # let _ = settings;
/// # Ok::<(), clv_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct HierarchicalFit<H> {
    terms: Vec<Term>,
    chains: usize,
    draws: usize,
    warmup: usize,
    thin: usize,
    kept: usize,
    deviation: f64,
    model: PhantomData<H>,
}

/// Draws of a population, and how far to trust them.
#[derive(Clone, Debug)]
pub struct HierarchicalPosterior<H: Hierarchy> {
    /// What the draws say of each parameter of the population.
    pub summaries: Vec<PosteriorSummary>,
    /// The values of each draw in the order of the summaries, chain by chain.
    pub chains: Vec<Vec<Vec<f64>>>,
    /// What forecasts.
    pub model: HierarchicalModel<H>,
}

impl<H: Hierarchy> Default for HierarchicalFit<H> {
    fn default() -> Self {
        Self::new()
    }
}

impl<H: Hierarchy> HierarchicalFit<H> {
    /// With the defaults.
    pub fn new() -> Self {
        Self {
            terms: Vec::new(),
            chains: 4,
            draws: 1_000,
            warmup: 600,
            thin: 4,
            kept: 400,
            deviation: 1.5,
            model: PhantomData,
        }
    }

    /// Columns that move both rates, of [`Abe`](super::Abe) alone; written as in [`Term`].
    ///
    /// # Errors
    ///
    /// [`Error::CannotSay`] for another model; [`Error::Unreadable`] for a term that is none.
    pub fn columns<S: AsRef<str>>(mut self, terms: impl IntoIterator<Item = S>) -> Result<Self, Error> {
        if !H::COVARIATES {
            let (quantity, hint) = ("covariates", "; take pareto-nbd-abe");
            return Err(Error::CannotSay { model: H::KIND.name, quantity, hint });
        }
        for text in terms {
            self.terms.extend(Term::parse(text.as_ref())?);
        }
        Ok(self)
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

    /// Rounds that are thrown away.
    pub fn warmup(self, rounds: usize) -> Self {
        Self { warmup: rounds, ..self }
    }

    /// Rounds for each draw.
    pub fn thin(self, rounds: NonZeroUsize) -> Self {
        Self { thin: rounds.get(), ..self }
    }

    /// Populations that forecasts are made with, taken evenly from all draws: the more, the less forecasts depend on chance, and the longer
    /// they take.
    pub fn kept(self, populations: NonZeroUsize) -> Self {
        Self { kept: populations.get(), ..self }
    }

    /// How wide the prior of gamma populations is.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] unless it is finite and above 0.
    pub fn prior_deviation(self, deviation: f64) -> Result<Self, Error> {
        Ok(Self { deviation: above_zero("prior deviation", deviation)?, ..self })
    }

    /// The posterior; chains run side by side if the context has threads.
    ///
    /// # Errors
    ///
    /// [`Error::TooLittleData`] without customers, or if only a summary was given and the model asks for more;
    /// [`Error::NoEstimate`] if nobody was observed for any time; [`Error::Stopped`].
    pub fn posterior(
        &self,
        data: &Training<'_>,
        cx: &Context<'_>,
    ) -> Result<HierarchicalPosterior<H>, Error> {
        let summary = data.summary();
        let name = H::KIND.name;
        summary.customers().expect_histories(name, Reads::Purchases)?;
        let n = summary.len();
        if n == 0 {
            return Err(Error::TooLittleData { model: name, needs: "at least one customer", found: 0 });
        }
        let mean_age = summary.age.iter().sum::<f64>() / n as f64;
        if mean_age <= 0.0 {
            let why = "every customer first bought on the last day, so nothing has been observed";
            return Err(Error::NoEstimate { model: name, why });
        }
        let Columns { terms, words, needs, rows } = Columns::of(self.terms.iter(), data)?;
        let asks_for_gaps = H::Own::NAMES.len() > 2;
        let gaps = if asks_for_gaps { Some(data.features(&[Feature::SumOfLnGaps])?) } else { None };
        let seen: Vec<Seen> = (0..n)
            .map(|i| Seen {
                x: f64::from(summary.frequency[i]),
                t_x: summary.recency[i],
                age: summary.age[i],
                ln_gaps: gaps.as_ref().map_or(0.0, |gaps| gaps.row(i)[0]),
            })
            .collect();
        // A column of ones, if columns move anything.
        let p = if H::COVARIATES { terms.len() + 1 } else { 0 };
        let mut columns = Vec::with_capacity(n * p);
        if H::COVARIATES {
            for i in 0..n {
                columns.push(1.0);
                columns.extend(&rows[i * terms.len()..(i + 1) * terms.len()]);
            }
        }
        if H::COVARIATES && !can_be_inverted(&columns, p) {
            let why =
                "the columns say nothing beside each other: leave one out, or bring them to a like scale";
            return Err(Error::NoEstimate { model: name, why });
        }
        let centre = -mean_age.ln();
        let mut centres = vec![centre; 2];
        centres.resize(H::Own::NAMES.len(), 0.0);
        let chains = self.run(&seen, &columns, p, &centres, cx)?;
        let labels: Vec<String> = std::iter::once("intercept".to_owned())
            .filter(|_| H::COVARIATES)
            .chain(terms.iter().map(ToString::to_string))
            .collect();
        let names = H::Population::names::<H::Own>(&labels);
        let summaries = names.into_iter().enumerate().map(|(place, name)| {
            let of: Vec<Vec<f64>> =
                chains.iter().map(|chain| chain.iter().map(|values| values[place]).collect()).collect();
            PosteriorSummary::of(name.into(), &of, H::Population::IS_POSITIVE)
        });
        let summaries = summaries.collect();
        let all: Vec<&Vec<f64>> = chains.iter().flatten().collect();
        let kept = self.kept.min(all.len());
        let populations = (0..kept).map(|i| all[i * all.len() / kept].clone()).collect();
        let mut wanted = needs;
        wanted.extend(asks_for_gaps.then_some(Feature::SumOfLnGaps));
        let model = HierarchicalModel::of(populations, (terms, words), summary.unit, cx.seed_value())?;
        debug_assert_eq!(clv_core::Predict::needs(&model), wanted);
        Ok(HierarchicalPosterior { summaries, chains, model })
    }

    fn run(
        &self,
        seen: &[Seen],
        columns: &[f64],
        p: usize,
        centres: &[f64],
        cx: &Context<'_>,
    ) -> Result<Vec<Vec<Vec<f64>>>, Error> {
        let one = |chain: usize| {
            let mut rng = ChaCha8Rng::seed_from_u64(cx.seed_value());
            rng.set_stream(chain as u64);
            let population = H::Population::start(centres, p, self.deviation);
            let mut state = State::<H::Own, H::Population>::start(population, seen, columns, centres[0]);
            let mut drawn = Vec::with_capacity(self.draws);
            let rounds = self.warmup + self.draws * self.thin;
            for round in 0..rounds {
                if cx.stopped() {
                    return drawn;
                }
                if chain == 0 && round % 50 == 0 {
                    cx.report(Progress::Round { number: round + 1, of: rounds });
                }
                if round < self.warmup {
                    state.warm_up(&mut rng);
                    continue;
                }
                state.sweep(&mut rng);
                if (round - self.warmup + 1).is_multiple_of(self.thin) {
                    drawn.push(state.population.values());
                }
            }
            drawn
        };
        side_by_side(self.chains, cx, one)
    }
}

/// Whether the columns' products with each other have an inverse that keeps its digits.
fn can_be_inverted(columns: &[f64], p: usize) -> bool {
    let mut gram = vec![0.0; p * p];
    for row in columns.chunks(p) {
        (0..p * p).for_each(|e| gram[e] += row[e / p] * row[e % p]);
    }
    let Some(inverse) = clv_math::linalg::inverse(&gram, p) else { return false };
    let product = |i: usize, j: usize| (0..p).map(|k| gram[i * p + k] * inverse[k * p + j]).sum::<f64>();
    (0..p * p).all(|e| (product(e / p, e % p) - f64::from(u8::from(e / p == e % p))).abs() < 1e-6)
}

impl<H: Hierarchy> Fit for HierarchicalFit<H> {
    type Model = HierarchicalModel<H>;

    fn fit(&self, data: &Training<'_>, cx: &Context<'_>) -> Result<Fitted<Self::Model>, Error> {
        let HierarchicalPosterior { summaries, model, .. } = self.posterior(data, cx)?;
        let summary = data.summary();
        let of = (summary.unit, summary.len(), self.chains * self.draws);
        let mut report = report(H::KIND.name, of, &summaries, H::Population::is_coefficient);
        report.evaluations = self.chains * (self.warmup + self.draws * self.thin);
        Ok(Fitted { model, report })
    }
}
