//! A fitted hierarchical model.

use std::marker::PhantomData;
use std::sync::Arc;

use clv_core::model::{Answers, DrawTimes, Horizons, Kind, Reads};
use clv_core::saved::{Registry, SaveWriter};
use clv_core::{Ask, Customers, Error, Feature, ForecastMut, History, Predict, Scratch, TimeUnit};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::Hierarchy;
use super::one::{Newcomers, OneCustomer};
use super::own::{Logs, MOST, Own, Seen};
use super::population::Population;
use super::sampler::move_own;
use crate::covariates::{Term, Words, evaluate};
use crate::future::Mixture;
use crate::simulate::uniform;

/// Rounds before the first of a customer's draws, and for each.
const WARMUP: usize = 20;
const ROUNDS: usize = 2;

/// Populations drawn from their posterior: a fitted hierarchical model.
///
/// A forecast draws the customer's own parameters given their history under each of the populations, and is the mean over them. It depends on
/// the customer's history, their covariates and the seed alone, never on who else is asked about.
///
/// Of one customer ([`Predict::own`]) it tells P(alive) later, purchases in any window, the chance of each count and discounted sums, by formulas given the draws;
/// of Pareto/GGG this takes milliseconds for each question. Newcomers of Ma & Liu have a formula; of the others 4,000 are drawn, whose mean has an error of some 2%,
/// the same for all who are asked about.
#[derive(Clone, Debug, PartialEq)]
pub struct HierarchicalModel<H: Hierarchy> {
    pub(super) populations: Arc<Vec<H::Population>>,
    pub(super) values: Arc<Vec<Vec<f64>>>,
    terms: Vec<Term>,
    words: Vec<Words>,
    needs: Vec<Feature>,
    pub(super) names: Vec<String>,
    pub(super) unit: TimeUnit,
    pub(super) seed: u64,
    pub(super) newcomers: Newcomers,
    model: PhantomData<H>,
}

/// A draw of a customer's own parameters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OwnDraw {
    /// Purchases per time unit while alive.
    pub lambda: f64,
    /// One over the expected lifetime.
    pub mu: f64,
    /// Regularity: 1 is at random, more is at a beat.
    pub k: f64,
    /// The probability of being alive now, given these.
    pub p_alive: f64,
}

impl<H: Hierarchy> HierarchicalModel<H> {
    pub(super) fn of(
        values: Vec<Vec<f64>>,
        (terms, words): (Vec<Term>, Vec<Words>),
        unit: TimeUnit,
        seed: u64,
    ) -> Result<Self, Error> {
        let parameters = H::Own::NAMES.len();
        let columns = if H::COVARIATES { terms.len() + 1 } else { 0 };
        let not_allowed = || Error::Unreadable {
            what: "population",
            given: "values that are none".to_owned(),
            allowed: "finite, positive where they must be, a covariance that is one",
        };
        let populations: Vec<H::Population> = values
            .iter()
            .map(|values| H::Population::of_values(values, parameters, columns).ok_or_else(not_allowed))
            .collect::<Result<_, _>>()?;
        if populations.is_empty() {
            let needs = "at least one population";
            return Err(Error::TooLittleData { model: H::KIND.name, needs, found: 0 });
        }
        let mut needs = Term::needs(&terms, &words);
        needs.extend(H::Own::ASKS_GAPS.then_some(Feature::SumOfLnGaps));
        let names = needs.iter().map(Feature::name).collect();
        let (populations, values, newcomers) =
            (Arc::new(populations), Arc::new(values), Newcomers::default());
        Ok(Self {
            populations,
            values,
            terms,
            words,
            needs,
            names,
            unit,
            seed,
            newcomers,
            model: PhantomData,
        })
    }

    /// Draws of a customer's own parameters, one for each population; columns in the order of [`Predict::needs`].
    ///
    /// # Errors
    ///
    /// [`Error::History`]; [`Error::Length`]; [`Error::Cell`] for a column that is not known.
    pub fn own_draws(&self, history: &History, columns: &[f64]) -> Result<Vec<OwnDraw>, Error> {
        Customers::one(history, self.unit)?;
        if columns.len() != self.needs.len() {
            let (given, expected) = (columns.len(), self.needs.len());
            return Err(Error::Length { column: "columns", given, expected });
        }
        let (mut row, History { frequency, recency, age, .. }) = (Vec::new(), *history);
        let seen = self.seen((frequency, recency, age), columns, 0, &mut row)?;
        let mut draws = Vec::with_capacity(self.populations.len());
        self.draw(&seen, &row, |own, _| {
            draws.push(OwnDraw {
                lambda: own[0].exp(),
                mu: own[1].exp(),
                k: own[2].exp(),
                p_alive: H::Own::p_alive(own, &seen),
            });
        });
        Ok(draws)
    }

    /// How customers with these columns differ, by the name of what they differ in, over all the populations: the posterior predictive distributions of a
    /// customer of whom nothing else is known. Columns are in the order of [`Predict::needs`]; of gamma populations, which they do not move, none are taken.
    ///
    /// # Errors
    ///
    /// [`Error::Length`]; [`Error::Cell`] for a column that is not known.
    ///
    /// # Example
    ///
    /// ```
    /// use clv_btyd::{HierarchicalFit, ParetoGgg, ParetoNbd, PurchaseModel, Simulation};
    /// use clv_core::summary::Purchases;
    /// use clv_core::{Context, Cut, Fit, Grain, Moment, TimeUnit, Training};
    ///
    /// let shop = PurchaseModel::new(ParetoNbd::new(2.0, 6.0, 0.8, 20.0)?, TimeUnit::Week);
    /// let (start, end) = (Moment::parse_date("2024-01-01")?, Moment::parse_date("2024-06-30")?);
    /// let log = Simulation::new(40, start, end, 1)?.run(&shop, TimeUnit::Week, None)?;
    /// let purchases = Purchases::of(&log, Grain::Day)?;
    /// let training = Training::new(&purchases, Cut::end_of(end, Grain::Day), TimeUnit::Week)?;
    ///
    /// let settings = HierarchicalFit::<ParetoGgg>::new().chains(1, 20)?.warmup(20);
    /// let model = settings.fit(&training, &Context::default())?.model;
    /// let differ = model.heterogeneity(&[])?;
    /// let names: Vec<&str> = differ.iter().map(|(name, _)| *name).collect();
    /// assert_eq!(names, ["purchase rate", "dropout rate", "regularity"]);
    /// let plot: Vec<(f64, f64)> = differ[2].1.series(100);
    /// assert_eq!(plot.len(), 100);
    /// # Ok::<(), clv_core::Error>(())
    /// ```
    pub fn heterogeneity(&self, columns: &[f64]) -> Result<Vec<(&'static str, Mixture)>, Error> {
        let (given, expected) = (columns.len(), if H::COVARIATES { self.needs.len() } else { 0 });
        if given != expected {
            return Err(Error::Length { column: "columns", given, expected });
        }
        let mut row = Vec::new();
        if H::COVARIATES {
            row.push(1.0);
            evaluate(&self.terms, &self.words, &self.names, columns, 0, &mut row)?;
        }
        let of = |parameter: usize| {
            Mixture::of(self.populations.iter().map(|p| p.mixing(parameter, &row)).collect())
        };
        let named = ["purchase rate", "dropout rate", "regularity"].into_iter().enumerate();
        Ok(named.take(H::Own::NAMES.len()).map(|(place, name)| (name, of(place))).collect())
    }

    /// One customer's columns, in the order of [`Predict::needs`].
    fn columns_of(&self, who: &Customers<'_>, row: usize) -> Result<Vec<f64>, Error> {
        let (mut places, mut columns) = (Vec::new(), vec![0.0; self.names.len()]);
        if !self.names.is_empty() {
            who.find(H::KIND.name, &self.names, &mut places)?;
            who.fill_row(&places, row, &mut columns);
        }
        Ok(columns)
    }

    /// What was seen of a customer; fills the row that moves their population.
    pub(super) fn seen(
        &self,
        (frequency, t_x, age): (u32, f64, f64),
        columns: &[f64],
        r: usize,
        row: &mut Vec<f64>,
    ) -> Result<Seen, Error> {
        row.clear();
        if H::COVARIATES {
            row.push(1.0);
            evaluate(&self.terms, &self.words, &self.names, columns, r, row)?;
        }
        let mut ln_gaps = 0.0;
        if H::Own::ASKS_GAPS {
            ln_gaps = columns.last().copied().unwrap_or(f64::NAN);
            // Gaps that add up to t_x have no greater sum of logarithms than equal ones.
            let most = f64::from(frequency) * (t_x / f64::from(frequency.max(1))).ln();
            if !ln_gaps.is_finite() || frequency > 0 && ln_gaps > most + 1e-6 * (1.0 + most.abs()) {
                let column = "sum_of_ln_gaps".to_owned();
                let allowed = "finite, at most x ln(t_x / x)";
                return Err(Error::Cell { row: r, column, given: ln_gaps, allowed });
            }
        }
        Ok(Seen { x: f64::from(frequency), t_x, age, ln_gaps })
    }

    /// Visits the customer's parameters under each of the populations.
    pub(super) fn draw(&self, seen: &Seen, columns: &[f64], mut visit: impl FnMut(&Logs, &mut ChaCha8Rng)) {
        // What is drawn beyond the parameters has numbers of its own, so that these do not depend on what is asked.
        let stream = of_bits(seen, columns);
        let [mut rng, mut beyond] = [0, 1].map(|more| {
            let mut rng = ChaCha8Rng::seed_from_u64(self.seed.wrapping_add(more));
            rng.set_stream(stream);
            rng
        });
        let mut own = [0.0; MOST];
        let first = &self.populations[0];
        for (d, own) in own.iter_mut().enumerate().take(H::Own::NAMES.len()) {
            *own = first.middle(d, columns);
        }
        let mut rounds = WARMUP;
        for population in self.populations.iter() {
            for _ in 0..rounds {
                move_own::<H::Own, _>(&mut own, seen, population, columns, &mut rng);
            }
            rounds = ROUNDS;
            visit(&own, &mut beyond);
        }
    }
}

/// A number that differs where what is known does (FNV-1a).
fn of_bits(seen: &Seen, columns: &[f64]) -> u64 {
    let known = [seen.x, seen.t_x, seen.age, seen.ln_gaps];
    known
        .iter()
        .chain(columns)
        .flat_map(|v| v.to_bits().to_le_bytes())
        .fold(0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0000_0100_0000_01b3))
}

impl<H: Hierarchy> Predict for HierarchicalModel<H> {
    fn kind(&self) -> Kind {
        H::KIND
    }

    fn unit(&self) -> TimeUnit {
        self.unit
    }

    fn answers(&self) -> Answers {
        Answers { p_alive: true, purchases: true, spend: false, value: false, horizons: Horizons::Any }
    }

    fn needs(&self) -> &[Feature] {
        &self.needs
    }

    fn predict_into(
        &self,
        who: &Customers<'_>,
        ask: &Ask,
        scratch: &mut Scratch,
        out: &mut ForecastMut<'_>,
    ) -> Result<(), Error> {
        who.expect(H::KIND.name, self.unit, Reads::Purchases)?;
        out.expect(H::KIND.name, &self.answers(), who.len())?;
        if who.is_empty() {
            return Ok(());
        }
        let Scratch { places, row, columns: [moved, ..], .. } = scratch;
        if !self.names.is_empty() {
            who.find(H::KIND.name, &self.names, places)?;
        }
        row.clear();
        row.resize(self.names.len(), 0.0);
        let share = 1.0 / self.populations.len() as f64;
        for r in 0..who.len() {
            if !self.names.is_empty() {
                who.fill_row(places, r, row);
            }
            let seen = self.seen((who.frequency()[r], who.recency()[r], who.age()[r]), row, r, moved)?;
            let (mut alive, mut purchases, mut discounted) = (0.0, 0.0, 0.0);
            self.draw(&seen, moved, |own, rng| {
                let p_alive = H::Own::p_alive(own, &seen);
                let (plain, by_now) = H::Own::expected(own, &seen, ask, self.unit, rng);
                alive += p_alive * share;
                purchases += p_alive * plain * share;
                discounted += p_alive * by_now * share;
            });
            let columns = [&mut out.p_alive, &mut out.purchases, &mut out.discounted_purchases];
            for (column, value) in columns.into_iter().zip([alive.min(1.0), purchases, discounted]) {
                if let Some(column) = column {
                    column[r] = value;
                }
            }
        }
        Ok(())
    }

    fn draw_times(&self) -> Option<&dyn DrawTimes> {
        Some(self)
    }

    fn own(&self, who: &Customers<'_>, row: usize) -> Result<Option<Box<dyn Predict>>, Error> {
        who.expect(H::KIND.name, self.unit, Reads::Purchases)?;
        let columns = self.columns_of(who, row)?;
        Ok(Some(Box::new(OneCustomer::of(self.clone(), who.history(row), columns)?)))
    }

    fn save(&self, to: &mut SaveWriter) -> Result<(), Error> {
        to.field("unit", &self.unit)?;
        to.field("seed", &self.seed)?;
        to.field("terms", &self.terms)?;
        to.field("words", &self.words)?;
        to.field("populations", &*self.values)
    }
}

impl<H: Hierarchy> DrawTimes for HierarchicalModel<H> {
    fn visit_futures(
        &self,
        who: &Customers<'_>,
        row: usize,
        (length, draws): (f64, usize),
        rng: &mut ChaCha8Rng,
        see: &mut dyn FnMut(usize, &[f64]),
    ) -> Result<(), Error> {
        who.expect(H::KIND.name, self.unit, Reads::Purchases)?;
        let (columns, mut moved) = (self.columns_of(who, row)?, Vec::new());
        let history = (who.frequency()[row], who.recency()[row], who.age()[row]);
        let seen = self.seen(history, &columns, row, &mut moved)?;
        let (mut times, mut population) = (Vec::new(), 0);
        self.draw(&seen, &moved, |own, _| {
            // Futures of one number are of one population, and all populations have as many.
            let of = |population: usize| (population * draws).div_ceil(self.populations.len());
            for draw in of(population)..of(population + 1) {
                times.clear();
                if uniform(rng) < H::Own::p_alive(own, &seen) {
                    H::Own::purchase_times(own, seen.age - seen.t_x, length, rng, &mut times);
                }
                see(draw, &times);
            }
            population += 1;
        });
        Ok(())
    }
}

pub(super) fn register<H: Hierarchy>(registry: &mut Registry) {
    registry.register(H::KIND, |saved, _| {
        let (values, terms) = (saved.field("populations")?, (saved.field("terms")?, saved.field("words")?));
        let model = HierarchicalModel::<H>::of(values, terms, saved.field("unit")?, saved.field("seed")?)?;
        Ok(Box::new(model))
    });
}
