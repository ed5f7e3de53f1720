//! What may come, not only what is expected: futures drawn, with each customer's own randomness.
//!
//! An expectation of .8 purchases is none, one or five of them. [`Possible`] draws futures of customers (whether they are still there, when they
//! buy, for how much) and tells between what ends the middle of them lies, of each customer and of all together.

use std::fmt::Debug;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::Predict;
use super::ask::Ask;
use super::context::{Context, Progress};
use super::customers::Customers;
use super::report::Warning;
use crate::error::{Error, Result};
use crate::value::discount_factor;

/// Times of purchases to come, drawn.
pub trait DrawTimes: Debug {
    /// Draws futures of a customer `within` a length, so many of them, and shows each with its number: the times of purchases, in order and in the model's unit.
    /// A model of many populations gives futures of one number the same population, whoever the customer is ([`population_of`]).
    ///
    /// # Errors
    ///
    /// As [`Predict::predict_into`].
    fn visit_futures(
        &self,
        who: &Customers<'_>,
        row: usize,
        within: (f64, usize),
        rng: &mut ChaCha8Rng,
        see: &mut dyn FnMut(usize, &[f64]),
    ) -> Result<()>;
}

/// Amounts of purchases to come, drawn.
pub trait DrawAmounts: Debug {
    /// What draws the amounts of a customer in so many futures (`draws`). A model of many populations spreads the futures over them as [`population_of`] says.
    ///
    /// # Errors
    ///
    /// As [`Predict::predict_into`].
    fn amounts_of(&self, who: &Customers<'_>, row: usize, draws: usize) -> Result<AmountsOf<'_>>;

    /// Whether futures have populations of their own, so that they hold how sure it is; else it is taken as certain.
    fn draws_population(&self) -> bool {
        false
    }

    /// What is to be told wherever spend is said: of populations whose mean hardly exists.
    fn caution(&self) -> Option<Warning> {
        None
    }
}

/// Appends so many amounts of future number `draw`, below the number of draws, of one customer, who spends after one fashion in all of them:
/// `(draw, count), rng, amounts`.
pub type AmountsOf<'a> = Box<dyn FnMut((usize, usize), &mut ChaCha8Rng, &mut Vec<f64>) + 'a>;

/// Which of so many `populations` future number `draw` of so many `draws` belongs to: in their order, each as often as the others or once more.
///
/// ```
/// use clv_core::model::population_of;
///
/// let of = |draws: usize| (0..draws).map(|draw| population_of(draw, draws, 3)).collect::<Vec<_>>();
/// assert_eq!(of(6), [0, 0, 1, 1, 2, 2]);
/// assert_eq!(of(2), [0, 1]);
/// ```
pub fn population_of(draw: usize, draws: usize, populations: usize) -> usize {
    (draw * populations / draws.max(1)).min(populations.saturating_sub(1))
}

/// Draws of a number, in ascending order.
#[derive(Clone, Debug, PartialEq)]
pub struct Drawn {
    sorted: Vec<f64>,
}

impl Drawn {
    /// Of draws in any order.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] without a draw.
    pub fn of(mut draws: Vec<f64>) -> Result<Self> {
        if draws.is_empty() {
            return Err(Error::Setting { name: "draws", given: 0.0, allowed: "at least 1" });
        }
        draws.sort_by(f64::total_cmp);
        Ok(Self { sorted: draws })
    }

    /// The draws in ascending order.
    pub fn sorted(&self) -> &[f64] {
        &self.sorted
    }

    /// Their mean.
    pub fn mean(&self) -> f64 {
        self.sorted.iter().sum::<f64>() / self.sorted.len() as f64
    }

    /// What a share of them does not exceed.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] unless the share is from 0 to 1.
    pub fn quantile(&self, share: f64) -> Result<f64> {
        if !(0.0..=1.0).contains(&share) {
            return Err(Error::Setting { name: "share", given: share, allowed: "from 0 to 1" });
        }
        Ok(quantile(&self.sorted, share))
    }

    /// The interval that leaves out as many on either side.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] unless the level is from 0 to 1.
    pub fn interval(&self, level: f64) -> Result<(f64, f64)> {
        let level = expect_level(level)?;
        Ok(middle(&self.sorted, level))
    }

    /// The share above an amount.
    pub fn probability_above(&self, amount: f64) -> f64 {
        let below = self.sorted.partition_point(|v| *v <= amount);
        (self.sorted.len() - below) as f64 / self.sorted.len() as f64
    }

    /// Value at risk and its conditional twin: what all but a share of the draws exceed, and the mean of those in this lowest share.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] unless the share is above 0 and at most 1.
    pub fn at_risk(&self, share: f64) -> Result<(f64, f64)> {
        if !(share > 0.0 && share <= 1.0) {
            return Err(Error::Setting { name: "share", given: share, allowed: "above 0, at most 1" });
        }
        let count = ((share * self.sorted.len() as f64).ceil() as usize).clamp(1, self.sorted.len());
        let lowest = &self.sorted[..count];
        Ok((lowest[count - 1], lowest.iter().sum::<f64>() / count as f64))
    }
}

fn expect_level(level: f64) -> Result<f64> {
    if (0.0..=1.0).contains(&level) {
        Ok(level)
    } else {
        Err(Error::Setting { name: "level", given: level, allowed: "from 0 to 1" })
    }
}

fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = (share * sorted.len() as f64).ceil() as usize;
    sorted[place.clamp(1, sorted.len()) - 1]
}

fn middle(sorted: &[f64], level: f64) -> (f64, f64) {
    (quantile(sorted, 0.5 - 0.5 * level), quantile(sorted, 0.5 + 0.5 * level))
}

/// How to draw what may come.
///
/// | Name | Default | Why |
/// | :-- | :-- | :-- |
/// | `level` | .9 | 5% of futures are below, 5% above |
/// | `draws` | 1,000 | the ends of an interval are those of 50 draws beyond each |
///
/// ```
/// use clv_core::model::Possible;
///
/// let settings = Possible::new().level(0.95)?.draws(4_000)?;
/// # let _ = settings;
/// # Ok::<(), clv_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Possible {
    level: f64,
    draws: usize,
}

/// Between what lies the middle of what may come. Of each customer the ends are quantiles of draws: a purchase more or less, not a fraction of one.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Intervals {
    /// The share of futures within.
    pub level: f64,
    /// Purchases within the horizon, of each customer.
    pub purchases: Vec<(f64, f64)>,
    /// Discounted margin within it, if the model says spend.
    pub value: Option<Vec<(f64, f64)>>,
    /// The share of futures with any purchase, of each customer.
    pub any: Vec<f64>,
    /// Purchases of all customers together.
    pub total_purchases: Drawn,
    /// Value of all together.
    pub total_value: Option<Drawn>,
}

impl Default for Possible {
    fn default() -> Self {
        Self { level: 0.9, draws: 1_000 }
    }
}

impl Possible {
    /// With the defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// The share of futures that an interval holds.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] unless it is from 0 to 1.
    pub fn level(self, level: f64) -> Result<Self> {
        Ok(Self { level: expect_level(level)?, ..self })
    }

    /// How many futures are drawn.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] for none.
    pub fn draws(self, draws: usize) -> Result<Self> {
        if draws == 0 {
            return Err(Error::Setting { name: "draws", given: 0.0, allowed: "at least 1" });
        }
        Ok(Self { draws, ..self })
    }

    /// A key by which a customer's name leads to random numbers of their own (FNV-1a).
    pub fn key(name: &str) -> u64 {
        let mix = |h: u64, byte: u8| (h ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        name.bytes().fold(0xcbf2_9ce4_8422_2325, mix)
    }

    /// Draws futures of these customers. `key` is a number of each one's own: with the context's seed it says which random numbers are theirs, so that what is
    /// told of a customer does not depend on who else is asked about.
    ///
    /// # Errors
    ///
    /// [`Error::CannotSay`] for a model that draws no futures, or says value and draws no amounts; [`Error::Grain`]; as [`Predict::predict_into`]; [`Error::Stopped`].
    pub fn of(
        &self,
        model: &dyn Predict,
        who: &Customers<'_>,
        ask: &Ask,
        key: impl Fn(usize) -> u64,
        cx: &Context<'_>,
    ) -> Result<Intervals> {
        let name = model.kind().name;
        let times = model.draw_times().ok_or(Error::CannotSay {
            model: name,
            quantity: "what may come beside what is expected",
            hint: ": models of the process do",
        })?;
        model.answers().expect_horizon(name, ask.horizon())?;
        who.expect_grain(model)?;
        let amounts = match model.draw_amounts() {
            None if model.answers().value => {
                let (quantity, hint) =
                    ("amounts that may come", ": join it with a spend model that draws them");
                return Err(Error::CannotSay { model: name, quantity, hint });
            }
            amounts => amounts.filter(|_| model.answers().value),
        };
        let unit = model.unit();
        let length = ask.horizon().in_units(unit);
        let n = self.draws;
        let (mut counts, mut values) = (vec![0.0; n], vec![0.0; n]);
        let (mut all_counts, mut all_values) = (vec![0.0; n], vec![0.0; n]);
        let (mut purchases, mut value) = (Vec::with_capacity(who.len()), Vec::new());
        let mut any = Vec::with_capacity(who.len());
        let mut spent = Vec::new();
        for row in 0..who.len() {
            cx.check()?;
            // Amounts have numbers of their own, so that times do not depend on them.
            let [mut rng, mut of_amounts] = [0, 1].map(|more| {
                let mut rng = ChaCha8Rng::seed_from_u64(cx.seed_value().wrapping_add(more));
                rng.set_stream(key(row));
                rng
            });
            let mut amounts_of = amounts.map(|amounts| amounts.amounts_of(who, row, n)).transpose()?;
            times.visit_futures(who, row, (length, n), &mut rng, &mut |draw, times| {
                counts[draw] = times.len() as f64;
                values[draw] = 0.0;
                let Some(amounts) = amounts_of.as_mut().filter(|_| !times.is_empty()) else { return };
                spent.clear();
                amounts((draw, times.len()), &mut of_amounts, &mut spent);
                let worth = |(t, amount): (&f64, &f64)| {
                    amount * discount_factor(ask.discounting(), ask.horizon(), unit, *t)
                };
                values[draw] = ask.margin_share() * times.iter().zip(&spent).map(worth).sum::<f64>();
            })?;
            for (all, one) in [(&mut all_counts, &counts), (&mut all_values, &values)] {
                all.iter_mut().zip(one).for_each(|(all, one)| *all += one);
            }
            any.push(counts.iter().filter(|count| **count > 0.0).count() as f64 / n as f64);
            counts.sort_by(f64::total_cmp);
            purchases.push(middle(&counts, self.level));
            if amounts.is_some() {
                values.sort_by(f64::total_cmp);
                value.push(middle(&values, self.level));
            }
            cx.report(Progress::Round { number: row + 1, of: who.len() });
        }
        let total_value = amounts.map(|_| Drawn::of(all_values)).transpose()?;
        Ok(Intervals {
            level: self.level,
            purchases,
            value: amounts.map(|_| value),
            any,
            total_purchases: Drawn::of(all_counts)?,
            total_value,
        })
    }
}
