//! Is the probability of coming back right?

use crate::error::{Error, Result};
use crate::metrics::Pairs;
use crate::metrics::probability::{CalibrationBin, calibration};
use crate::model::PurchaseForecast;
use crate::summary::Summary;

/// P(active), the probability of at least one purchase within a holdout of `t` units, beside the share of customers who made one: bins of equal
/// width over `[0, 1]`, those without customers left out. The customers are those of a summary as of the holdout's begin, and `actual` is their purchases
/// within it.
///
/// It is of what can be seen, as P(alive) is not: a customer who is alive and does not buy looks as one who is gone.
///
/// # Formula
///
/// ```text
/// P(active) = 1 − P(Y(t) = 0 | x, t_x, T)
/// ```
///
/// Platzer & Reutterer (2016), Marketing Science 35(5), 779–799; `plotPActiveDiagnostic` in BTYDplus.
///
/// # Errors
///
/// [`Error::Setting`] without bins; [`Error::Length`]; [`Error::Cell`] for purchases that are negative or not finite; [`Error::TooLittleData`] without
/// customers; as [`PurchaseForecast::probability_of`].
///
/// # Example
///
/// ```
/// use clv_core::diagnostics::active;
/// use clv_core::model::PurchaseForecast;
/// use clv_core::{Cut, Grain, LogBuilder, Moment, Summary, TimeUnit, Transaction};
/// # use clv_core::{Discount, History, Result};
///
/// /// Whoever came back once comes back in three cases of four, others in one.
/// #[derive(Debug)]
/// struct Once;
///
/// impl PurchaseForecast for Once {
///     fn probability_of(&self, history: &History, _: f64, count: u32) -> Result<f64> {
///         let none = if history.frequency > 0 { 0.25 } else { 0.75 };
///         Ok(if count == 0 { none } else { 0.5 * (1.0 - none) })
///     }
///     // …
/// #   fn expected(&self, _: &History, from: f64, to: f64) -> Result<f64> { Ok(to - from) }
/// #   fn expected_of_new(&self, t: f64) -> Result<f64> { Ok(t) }
/// #   fn probability_of_new(&self, _: f64, _: u32) -> Result<f64> { Ok(0.0) }
/// #   fn discounted(&self, _: &History, _: Discount, _: Option<f64>) -> Result<f64> { Ok(0.0) }
/// }
///
/// let mut log = LogBuilder::new();
/// for (name, day) in [("ada", "2024-01-01"), ("ada", "2024-01-09"), ("bob", "2024-01-02"), ("eve", "2024-01-20")] {
///     log.push(Transaction::new(name, Moment::parse_date(day)?))?;
/// }
/// let cut = Cut::end_of(Moment::parse_date("2024-01-31")?, Grain::Day);
/// let summary = Summary::of(&log.finish(), cut, TimeUnit::Week)?;
/// // Then Ada bought twice, Eve once.
/// let bins = active(&summary, &[2.0, 0.0, 1.0], 4.0, 2, &Once)?;
/// assert_eq!((bins[0].weight, bins[0].mean_forecast, bins[0].share), (2.0, 0.25, 0.5));
/// assert_eq!((bins[1].weight, bins[1].mean_forecast, bins[1].share), (1.0, 0.75, 1.0));
/// # Ok::<(), clv_core::Error>(())
/// ```
pub fn active(
    summary: &Summary,
    actual: &[f64],
    t: f64,
    bins: usize,
    model: &dyn PurchaseForecast,
) -> Result<Vec<CalibrationBin>> {
    if bins == 0 {
        return Err(Error::Setting { name: "bins", given: 0.0, allowed: "at least 1" });
    }
    let (given, expected) = (actual.len(), summary.len());
    if given != expected {
        return Err(Error::Length { column: "actual", given, expected });
    }
    if let Some(row) = actual.iter().position(|a| !(a.is_finite() && *a >= 0.0)) {
        let (column, allowed) = ("purchases".to_owned(), "finite, at least 0");
        return Err(Error::Cell { row, column, given: actual[row], allowed });
    }
    let bought: Vec<f64> = actual.iter().map(|a| f64::from(u8::from(*a > 0.0))).collect();
    let one = |row: usize| Ok(1.0 - model.probability_of(&summary.history(row), t, 0)?);
    let forecast: Vec<f64> = (0..expected).map(one).collect::<Result<_>>()?;
    Ok(calibration(&Pairs::new(&bought, &forecast)?, bins))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Steady, cut, log};
    use super::*;
    use crate::summary::{Purchases, SpendBasis};
    use crate::units::{Grain, TimeUnit};

    #[test]
    fn bins_by_hand() {
        let purchases = Purchases::of(&log(), Grain::Day).unwrap();
        let summary = purchases.summary(cut("2024-01-20"), TimeUnit::Week, SpendBasis::default()).unwrap();
        // All have the same probability, and two of the three come back.
        let found = active(&summary, &[1.0, 4.0, 0.0], 2.0, 10, &Steady).unwrap();
        assert_eq!(found.len(), 1);
        assert!((found[0].mean_forecast - (1.0 - (-1.0_f64).exp())).abs() < 1e-12);
        assert!((found[0].share - 2.0 / 3.0).abs() < 1e-12 && found[0].weight == 3.0);
        assert!(active(&summary, &[1.0, 4.0, 0.0], 2.0, 0, &Steady).is_err());
        assert!(active(&summary, &[1.0, 4.0], 2.0, 10, &Steady).is_err());
        assert!(active(&summary, &[1.0, f64::NAN, 0.0], 2.0, 10, &Steady).is_err());
    }
}
