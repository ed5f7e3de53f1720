//! What some models can say beyond the columns of a forecast.

use std::fmt::Debug;

use rand_chacha::ChaCha8Rng;

use super::Predict;
use super::customers::History;
use super::training::Training;
use crate::error::Result;
use crate::names::Names;
use crate::timelines::Timelines;
use crate::units::{Discount, Span};

/// P(alive). Times are in the model's unit.
pub trait Activity: Debug {
    /// Probability of being active `later` units from now, given the history; 0 is now.
    ///
    /// # Errors
    ///
    /// If the history contradicts itself or `later` is negative or not finite.
    fn p_alive(&self, history: &History, later: f64) -> Result<f64>;
}

/// Purchases to come. Times are in the model's unit, counted from now; a "new customer" is one who
/// has just made the first purchase.
pub trait PurchaseForecast: Debug {
    /// Expected purchases in `(from, to]` from now, given the history.
    ///
    /// # Errors
    ///
    /// If the history contradicts itself or the window is not ordered.
    fn expected(&self, history: &History, from: f64, to: f64) -> Result<f64>;

    /// Probability of exactly `count` purchases in `(0, t]` from now, given the history.
    ///
    /// # Errors
    ///
    /// As [`PurchaseForecast::expected`].
    fn probability_of(&self, history: &History, t: f64, count: u32) -> Result<f64>;

    /// Expected repeat purchases of a new customer in their first `t` units.
    ///
    /// # Errors
    ///
    /// If `t` is negative or not finite.
    fn expected_of_new(&self, t: f64) -> Result<f64>;

    /// Probability that a new customer makes exactly `count` repeat purchases in their first `t` units.
    ///
    /// # Errors
    ///
    /// As [`PurchaseForecast::expected_of_new`].
    fn probability_of_new(&self, t: f64, count: u32) -> Result<f64>;

    /// Discounted expected purchases in `(0, horizon]`; `None` for all the future, if that is finite.
    ///
    /// # Errors
    ///
    /// As [`PurchaseForecast::expected`], or if the sum over all the future is infinite.
    fn discounted(&self, history: &History, discount: Discount, horizon: Option<f64>) -> Result<f64>;
}

/// Spend per purchase.
pub trait Spend: Debug {
    /// Expected spend per purchase given the history; `None` if the mean does not exist.
    ///
    /// # Errors
    ///
    /// If the history contradicts itself.
    fn expected_spend(&self, history: &History) -> Result<Option<f64>>;

    /// The amount that a purchase of this customer stays below with the given probability.
    ///
    /// # Errors
    ///
    /// If the history contradicts itself or `probability` is not in `(0, 1)`.
    fn spend_quantile(&self, history: &History, probability: f64) -> Result<f64>;
}

/// When the next purchase comes. With dropout the expected time is infinite, so three answers stand
/// in for it.
pub trait NextPurchase: Debug {
    /// Probability of at least one purchase in `(0, t]` from now.
    ///
    /// # Errors
    ///
    /// If the history contradicts itself or `t` is negative or not finite.
    fn purchase_by(&self, history: &History, t: f64) -> Result<f64>;

    /// The time by which a purchase has come with probability one half; `None` if it never gets
    /// that likely.
    ///
    /// # Errors
    ///
    /// If the history contradicts itself.
    fn median(&self, history: &History) -> Result<Option<f64>>;

    /// The mean time to the next purchase given that one comes within `horizon`.
    ///
    /// # Errors
    ///
    /// As [`NextPurchase::purchase_by`], or if the horizon is empty.
    fn mean_within(&self, history: &History, horizon: f64) -> Result<f64>;
}

/// Forecasts that follow the calendar: customers of these models are moved by what changes with time, and what is to come must be known.
pub trait Foresee: Debug {
    /// The columns that move them; those that no timelines tell are taken to be known all along.
    fn columns(&self) -> Vec<String>;

    /// The model of the customers of a training log, over one horizon: it forecasts them, in their order, and nobody else.
    ///
    /// # Errors
    ///
    /// [`Error::Attribute`](crate::Error::Attribute) naming a customer and a column that is not known from the first purchase to the end of the horizon;
    /// [`Error::MissingColumn`](crate::Error::MissingColumn).
    fn foresee(
        &self,
        training: &Training<'_>,
        timelines: &[&Timelines],
        names: &Names,
        horizon: Span,
    ) -> Result<Box<dyn Predict>>;
}

/// Simulated customers.
pub trait Sample: Debug {
    /// Draws a new customer and the times of their repeat purchases within `length` units of the
    /// first, in order, appended to `times`.
    fn purchase_times(&self, length: f64, rng: &mut ChaCha8Rng, times: &mut Vec<f64>);
}
