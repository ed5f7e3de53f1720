//! The additive textbook form, and why not to steer by it.

use crate::model::History;
use crate::units::TimeUnit;

/// `CLV = (FCF × LFL) + (AOV × POF)`, with its inputs computed from a log.
///
/// * FCF: the expected future cash flow, from a forecast;
/// * LFL: the purchase frequency over the customer's life so far, purchases per year from the first
///   purchase to the cut;
/// * AOV: the average order value, spend per purchase, the first included;
/// * POF: the frequency of purchase occasions, purchases per year between the first purchase and the
///   last (of one who never came back: as LFL).
///
/// # Its limits
///
/// The form is found in textbooks and on dashboards, so it is here to compare with. It does not hold
/// together as a value: both terms multiply money by a rate, so the sum is money *per year* and
/// depends on the unit of time; the future is weighted by a past rate that the forecast has taken
/// into account already; nothing is discounted in the second term; and a customer who has left keeps
/// their AOV × POF for ever. Decide by [`LifetimeValue`](super::LifetimeValue).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Additive {
    /// Expected future cash flow.
    pub fcf: f64,
    /// Purchases per year of life.
    pub lfl: f64,
    /// Money per purchase.
    pub aov: f64,
    /// Purchases per year between first and last.
    pub pof: f64,
}

impl Additive {
    /// From a history, what was spent in all, and an expected future cash flow.
    ///
    /// A customer who first bought on the day of the cut has no time to have a frequency over; their
    /// frequencies are 0.
    pub fn of(history: &History, unit: TimeUnit, spent: f64, future_cash_flow: f64) -> Self {
        let purchases = f64::from(history.frequency) + 1.0;
        let years = |units: f64| units / unit.per_year();
        let rate = |purchases: f64, years: f64| if years > 0.0 { purchases / years } else { 0.0 };
        let lfl = rate(purchases, years(history.age));
        // The first purchase begins the span, so it holds one occasion fewer.
        let pof = if history.frequency > 0 {
            rate(f64::from(history.frequency), years(history.recency))
        } else {
            lfl
        };
        Self { fcf: future_cash_flow, lfl, aov: spent / purchases, pof }
    }

    /// `(FCF × LFL) + (AOV × POF)`: money per year.
    pub fn value(&self) -> f64 {
        self.fcf * self.lfl + self.aov * self.pof
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_come_from_the_history() {
        // Three purchases in a year, the last after half of it.
        let history = History::new(2, 0.5, 1.0).unwrap();
        let additive = Additive::of(&history, TimeUnit::Year, 90.0, 40.0);
        assert_eq!(additive, Additive { fcf: 40.0, lfl: 3.0, aov: 30.0, pof: 4.0 });
        assert_eq!(additive.value(), 40.0 * 3.0 + 30.0 * 4.0);
        let once = Additive::of(&History::new(0, 0.0, 0.5).unwrap(), TimeUnit::Year, 10.0, 0.0);
        assert_eq!((once.lfl, once.pof), (2.0, 2.0));
        let today = Additive::of(&History::new(0, 0.0, 0.0).unwrap(), TimeUnit::Year, 10.0, 0.0);
        assert_eq!(today.value(), 0.0);
    }
}
