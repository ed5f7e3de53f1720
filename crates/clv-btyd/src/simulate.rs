//! Simulated customers and logs.

use clv_core::model::Sample;
use clv_core::{Cut, Error, LogBuilder, Moment, Money, TimeUnit, Transaction, TransactionLog};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Beta, Distribution, Exp1, Gamma, StandardUniform};

use crate::GammaGamma;

/// How many customers to simulate, from when to when.
///
/// ```
/// use clv_btyd::{GammaGamma, ParetoNbd, PurchaseModel, Simulation};
/// use clv_core::{Moment, TimeUnit};
///
/// let model = PurchaseModel::new(ParetoNbd::new(0.55, 10.6, 0.61, 11.7)?, TimeUnit::Week);
/// let spend = GammaGamma::new(6.25, 3.74, 15.44)?;
/// let (start, end) = (Moment::parse_date("2024-01-01")?, Moment::parse_date("2024-12-31")?);
/// let log = Simulation::new(100, start, end, 42)?.run(&model, TimeUnit::Week, Some(&spend))?;
/// assert_eq!(log.customers().len(), 100);
/// # Ok::<(), clv_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Simulation {
    customers: usize,
    start: Moment,
    joined: Moment,
    end: Moment,
    seed: u64,
}

impl Simulation {
    /// So many customers, who make their first purchase in the first quarter of the period from the
    /// start of day `start` to the end of day `end`.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] if the period ends before it starts.
    pub fn new(customers: usize, start: Moment, end: Moment, seed: u64) -> Result<Self, Error> {
        let start = clv_core::Grain::Day.floor(start);
        let last = clv_core::Grain::Day.floor(end).plus_days(1.0);
        let days = last.days_since(start);
        if days < 1.0 {
            return Err(Error::Setting { name: "days to simulate", given: days, allowed: "at least 1" });
        }
        Ok(Self { customers, start, joined: start.plus_days((days / 4.0).max(1.0)), end: last, seed })
    }

    /// First purchases until the end of the day of a cut instead of in the first quarter.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] if that day is not within the period.
    pub fn joining_until(self, cut: Cut) -> Result<Self, Error> {
        let joined = clv_core::Grain::Day.floor(cut.last()).plus_days(1.0);
        if joined <= self.start || joined > self.end {
            let given = joined.days_since(self.start);
            return Err(Error::Setting { name: "days to join", given, allowed: "within the period" });
        }
        Ok(Self { joined, ..self })
    }

    /// The log. Customer `i` is drawn from a random stream of their own, so the first thousand
    /// customers are the same in a log of a thousand and of a million.
    ///
    /// Times are exact to the second; amounts are rounded to cents, one cent at least.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] if an amount exceeds what [`Money`] holds.
    pub fn run(
        &self,
        model: &dyn Sample,
        unit: TimeUnit,
        spend: Option<&GammaGamma>,
    ) -> Result<TransactionLog, Error> {
        let width = self.customers.saturating_sub(1).max(1).ilog10() as usize + 1;
        let mut log = LogBuilder::new();
        let mut times = Vec::new();
        for i in 0..self.customers {
            let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
            rng.set_stream(i as u64);
            let name = format!("c{i:0width$}");
            let first = self.start.plus_days(rng.random::<f64>() * self.joined.days_since(self.start));
            let mean_scale = spend.map(|s| s.draw_customer(&mut rng));
            times.clear();
            times.push(0.0);
            model.purchase_times(self.end.days_since(first) / unit.days(), &mut rng, &mut times);
            for &t in &times {
                let seconds = first.plus_days(t * unit.days()).micros().div_euclid(1_000_000);
                let time = Moment::from_micros(seconds * 1_000_000);
                let amount = match (spend, mean_scale) {
                    (Some(spend), Some(scale)) => {
                        let cents = (spend.draw_amount(scale, &mut rng) * 100.0).round().max(1.0);
                        Some(Money::new(cents / 100.0)?)
                    }
                    _ => None,
                };
                log.push(Transaction { amount, ..Transaction::new(&name, time) })?;
            }
        }
        Ok(log.finish())
    }
}

/// A draw from the gamma distribution by shape and rate. Tiny shapes may give 0, as they should.
pub(crate) fn gamma(shape: f64, rate: f64, rng: &mut ChaCha8Rng) -> f64 {
    match Gamma::new(shape, 1.0) {
        Ok(gamma) => gamma.sample(rng) / rate,
        // Not reached for parameters that passed their check; the mean stands in.
        Err(_) => shape / rate,
    }
}

/// A draw from the beta distribution.
pub(crate) fn beta(a: f64, b: f64, rng: &mut ChaCha8Rng) -> f64 {
    match Beta::new(a, b) {
        Ok(beta) => beta.sample(rng),
        Err(_) => a / (a + b),
    }
}

/// A waiting time at a rate; infinite at rate 0.
pub(crate) fn exponential(rate: f64, rng: &mut ChaCha8Rng) -> f64 {
    let unit: f64 = Exp1.sample(rng);
    unit / rate
}

/// Appends the times of a Poisson process within `length`.
pub(crate) fn poisson_times(rate: f64, length: f64, rng: &mut ChaCha8Rng, times: &mut Vec<f64>) {
    let mut time = exponential(rate, rng);
    while time <= length {
        times.push(time);
        time += exponential(rate, rng);
    }
}

/// A uniform draw from `[0, 1)`.
pub(crate) fn uniform(rng: &mut ChaCha8Rng) -> f64 {
    StandardUniform.sample(rng)
}
