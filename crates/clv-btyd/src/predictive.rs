//! What may come, not only what is expected: distributions that include a customer's own randomness.

use clv_core::model::Drawn;
use clv_core::summary::SpendBasis;
use clv_core::{Context, Customers, Discount, Error, History, TimeUnit};
use rand::SeedableRng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

use crate::GammaGamma;
use crate::process::{Process, times_of};
use crate::simulate::uniform;

/// Futures drawn for customers: of each draw a population, whether the customer is still one, their rates, their purchases and
/// what they spend.
///
/// With one population the draws hold a customer's own randomness; with many ([`Draws`](crate::Draws), a
/// [`Posterior`](crate::Posterior)) how sure the population is as well.
///
/// ```
/// use clv_btyd::{GammaGamma, ParetoNbd, Predictive};
/// use clv_core::{Context, History, TimeUnit};
///
/// let futures = Predictive::new(vec![ParetoNbd::new(0.55, 10.6, 0.61, 11.7)?], TimeUnit::Week)?
///     .spend(vec![GammaGamma::new(6.25, 3.74, 15.44)?])?;
/// let customer = History::new(9, 36.0, 38.9)?.spend(40.0)?;
/// let drawn = futures.customer(&customer, 39.0, 4_000, &Context::default().seed(1))?;
/// let (least, most) = drawn.value.interval(0.9)?;
/// assert!(least < drawn.value.mean() && drawn.value.mean() < most);
/// assert!(drawn.value.probability_above(1_000.0) < 0.1);
/// # Ok::<(), clv_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Predictive<P> {
    populations: Vec<P>,
    unit: TimeUnit,
    spend: Vec<GammaGamma>,
    basis: SpendBasis,
    delta: f64,
}

/// Draws of purchases and of the value of them.
#[derive(Clone, Debug, PartialEq)]
pub struct DrawnFutures {
    /// Purchases within the horizon.
    pub purchases: Drawn,
    /// Money spent within it, discounted if that was asked; without a spend model the discounted purchases.
    pub value: Drawn,
}

impl<P: Process> Predictive<P> {
    /// Of these populations, each as likely as the other.
    ///
    /// # Errors
    ///
    /// [`Error::TooLittleData`] without a population.
    pub fn new(populations: Vec<P>, unit: TimeUnit) -> Result<Self, Error> {
        if populations.is_empty() {
            let needs = "at least one population";
            return Err(Error::TooLittleData { model: "a predictive distribution", needs, found: 0 });
        }
        Ok(Self { populations, unit, spend: Vec::new(), basis: SpendBasis::default(), delta: 0.0 })
    }

    /// With amounts by these spend models, each as likely as the other.
    ///
    /// # Errors
    ///
    /// [`Error::TooLittleData`] without one.
    pub fn spend(self, models: Vec<GammaGamma>) -> Result<Self, Error> {
        if models.is_empty() {
            let needs = "at least one spend model";
            return Err(Error::TooLittleData { model: "a predictive distribution", needs, found: 0 });
        }
        Ok(Self { spend: models, ..self })
    }

    /// The mean spend of histories counts the first purchase or not; without, by default.
    pub fn spend_basis(self, basis: SpendBasis) -> Self {
        Self { basis, ..self }
    }

    /// Value as of now.
    ///
    /// # Errors
    ///
    /// [`Error::CannotSay`] for discounting from period ends.
    pub fn discount(self, discount: Discount) -> Result<Self, Error> {
        if discount.period().is_some() {
            let quantity = "discounting from period ends";
            let hint = ": each purchase is discounted from its own time";
            return Err(Error::CannotSay { model: "a predictive distribution", quantity, hint });
        }
        Ok(Self { delta: discount.rate_per(self.unit), ..self })
    }

    /// Futures of one customer.
    ///
    /// # Errors
    ///
    /// [`Error::History`]; [`Error::Setting`] for a horizon below 0 or no draws; [`Error::Stopped`].
    pub fn customer(
        &self,
        history: &History,
        horizon: f64,
        draws: usize,
        cx: &Context<'_>,
    ) -> Result<DrawnFutures, Error> {
        self.total(&Customers::one(history, self.unit)?.spend_basis(self.basis), horizon, draws, cx)
    }

    /// Totals of all these customers: of each draw the sum over them, all of one population.
    ///
    /// # Errors
    ///
    /// As [`Predictive::customer`]; [`Error::Unit`].
    pub fn total(
        &self,
        who: &Customers<'_>,
        horizon: f64,
        draws: usize,
        cx: &Context<'_>,
    ) -> Result<DrawnFutures, Error> {
        who.expect(P::KIND.name, self.unit, P::READS)?;
        if !self.spend.is_empty() && (who.spend().is_none() || who.basis() != self.basis) {
            let (model, column) = ("a predictive distribution", format!("monetary_value ({:?})", self.basis));
            return Err(Error::MissingColumn { model, column });
        }
        clv_core::setting::at_least_zero("horizon", horizon)?;
        if draws == 0 {
            return Err(Error::Setting { name: "draws", given: 0.0, allowed: "at least 1" });
        }
        let (mut purchases, mut value) = (Vec::with_capacity(draws), Vec::with_capacity(draws));
        let mut times = Vec::new();
        for draw in 0..draws {
            cx.check()?;
            let mut rng = ChaCha8Rng::seed_from_u64(cx.seed_value());
            rng.set_stream(draw as u64);
            let (mut count, mut sum) = (0.0, 0.0);
            let population = self.populations.choose(&mut rng);
            let spend = self.spend.choose(&mut rng);
            let Some(population) = population else { continue };
            for row in 0..who.len() {
                let x = who.frequency()[row];
                let (t_x, age) = times_of::<P>(row, x, who.recency()[row], who.age()[row])?;
                if uniform(&mut rng) >= population.p_alive(x, t_x, age) {
                    continue;
                }
                times.clear();
                population.given_alive(x, t_x, age).purchase_times(horizon, &mut rng, &mut times);
                count += times.len() as f64;
                if times.is_empty() {
                    continue;
                }
                // Who has no purchase that counts is one of the population.
                let (counted, mean) = match who.spend().map(|spend| spend[row]) {
                    Some(mean) if mean > 0.0 => (who.basis().count(x), mean),
                    _ => (0.0, 0.0),
                };
                let scale = spend.map(|m| m.draw_given(counted, mean, &mut rng));
                for t in &times {
                    let amount = match (spend, scale) {
                        (Some(model), Some(scale)) => model.draw_amount(scale, &mut rng),
                        _ => 1.0,
                    };
                    sum += amount * (-self.delta * t).exp();
                }
            }
            purchases.push(count);
            value.push(sum);
        }
        Ok(DrawnFutures { purchases: Drawn::of(purchases)?, value: Drawn::of(value)? })
    }
}
