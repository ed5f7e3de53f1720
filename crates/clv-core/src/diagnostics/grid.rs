//! What a model says of each history of a grid.

use crate::error::{Error, Result};
use crate::model::{Activity, History, PurchaseForecast};
use crate::units::Discount;

/// What a model says of a history.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GridCell {
    /// Repeat purchases.
    pub frequency: u32,
    /// When the last of them was.
    pub recency: f64,
    /// P(alive).
    pub p_alive: f64,
    /// Expected purchases within the horizon.
    pub expected: f64,
}

/// P(alive) and expected purchases over a grid of histories of an age: 0 to `most` repeat purchases, the last of them at so many equal steps
/// up to the age.
///
/// # Errors
///
/// [`Error::Setting`] without steps; as the model.
pub fn grid<M: Activity + PurchaseForecast + ?Sized>(
    model: &M,
    age: f64,
    most: u32,
    steps: u32,
    horizon: f64,
) -> Result<Vec<GridCell>> {
    let one = |history: History| {
        let (p_alive, expected) = (model.p_alive(&history, 0.0)?, model.expected(&history, 0.0, horizon)?);
        Ok(GridCell { frequency: history.frequency, recency: history.recency, p_alive, expected })
    };
    histories(age, most, steps)?.into_iter().map(one).collect()
}

/// Discounted expected residual transactions of a history.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DertCell {
    /// Repeat purchases.
    pub frequency: u32,
    /// When the last of them was.
    pub recency: f64,
    /// DERT: purchases to come, each worth what it is discounted to.
    pub dert: f64,
}

/// Discounted expected residual transactions (DERT) over the same grid of histories as [`grid`], within a horizon in the model's unit, or in all the
/// future. Lines through cells of one DERT are the iso-value curves of Fader, Hardie & Lee (2005, JMR 42(4), 415–430), figure 2.
///
/// # Formula
///
/// ```text
/// DERT(x, t_x, T) = ∫₀^∞ e^{−δt} dE[Y(t) | x, t_x, T]      to the horizon, if there is one
/// ```
///
/// Curves bend backward: of customers who were last seen long ago, those who had bought often are the more likely to be gone, and worth less.
///
/// # Errors
///
/// [`Error::Setting`] without steps; as [`PurchaseForecast::discounted`], which refuses a future without end or discount.
///
/// # Example
///
/// ```
/// use clv_core::diagnostics::dert;
/// use clv_core::model::PurchaseForecast;
/// use clv_core::{Discount, History, Result, TimeUnit};
///
/// /// A purchase a week for ever, of whoever bought last in the second half of their time.
/// #[derive(Debug)]
/// struct Weekly;
///
/// impl PurchaseForecast for Weekly {
///     fn discounted(&self, history: &History, discount: Discount, _: Option<f64>) -> Result<f64> {
///         Ok(if history.recency > history.age / 2.0 { 1.0 / discount.rate_per(TimeUnit::Week) } else { 0.0 })
///     }
///     // …
/// #   fn expected(&self, _: &History, from: f64, to: f64) -> Result<f64> { Ok(to - from) }
/// #   fn probability_of(&self, _: &History, _: f64, _: u32) -> Result<f64> { Ok(0.0) }
/// #   fn expected_of_new(&self, t: f64) -> Result<f64> { Ok(t) }
/// #   fn probability_of_new(&self, _: f64, _: u32) -> Result<f64> { Ok(0.0) }
/// }
///
/// let yearly = Discount::yearly(0.15)?;
/// let cells = dert(&Weekly, 40.0, 1, 4, yearly, None)?;
/// assert_eq!(cells.iter().map(|c| (c.frequency, c.recency)).collect::<Vec<_>>(), [
///     (0, 0.0), (1, 10.0), (1, 20.0), (1, 30.0), (1, 40.0)
/// ]);
/// assert_eq!(cells[2].dert, 0.0);
/// assert!((cells[3].dert - 373.3).abs() < 0.1);
/// # Ok::<(), clv_core::Error>(())
/// ```
pub fn dert(
    model: &dyn PurchaseForecast,
    age: f64,
    most: u32,
    steps: u32,
    discount: Discount,
    horizon: Option<f64>,
) -> Result<Vec<DertCell>> {
    let one = |history: History| {
        let dert = model.discounted(&history, discount, horizon)?;
        Ok(DertCell { frequency: history.frequency, recency: history.recency, dert })
    };
    histories(age, most, steps)?.into_iter().map(one).collect()
}

/// Of an age, by frequency and then recency; who never came back has one recency, 0.
fn histories(age: f64, most: u32, steps: u32) -> Result<Vec<History>> {
    if steps == 0 {
        return Err(Error::Setting { name: "steps", given: 0.0, allowed: "at least 1" });
    }
    let mut all = Vec::new();
    for frequency in 0..=most {
        for step in if frequency == 0 { 0..1 } else { 1..steps + 1 } {
            let recency = age * f64::from(step) / f64::from(steps);
            all.push(History::new(frequency, recency, age)?);
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::super::tests::Steady;
    use super::*;

    #[test]
    fn grid_by_hand() {
        let cells = grid(&Steady, 20.0, 2, 4, 10.0).unwrap();
        assert_eq!(cells.len(), 1 + 2 * 4);
        let last = GridCell { frequency: 2, recency: 20.0, p_alive: 1.0, expected: 5.0 };
        assert_eq!(cells[8], last);
        assert!(grid(&Steady, 20.0, 2, 0, 10.0).is_err());
    }

    #[test]
    fn dert_is_what_the_model_says_cell_by_cell() {
        let discount = Discount::yearly(0.15).unwrap();
        for horizon in [None, Some(26.0)] {
            let cells = dert(&Steady, 20.0, 3, 5, discount, horizon).unwrap();
            assert_eq!(cells.len(), 1 + 3 * 5);
            for (cell, of_grid) in cells.iter().zip(grid(&Steady, 20.0, 3, 5, 1.0).unwrap()) {
                assert_eq!((cell.frequency, cell.recency), (of_grid.frequency, of_grid.recency));
                let history = History::new(cell.frequency, cell.recency, 20.0).unwrap();
                assert_eq!(cell.dert, Steady.discounted(&history, discount, horizon).unwrap());
            }
        }
        // The last cell, by hand: half a purchase a week, discounted for ever.
        let last = dert(&Steady, 20.0, 3, 5, discount, None).unwrap()[15].dert;
        assert!((last - 0.5 * (365.25 / 7.0) / 1.15_f64.ln()).abs() < 1e-9, "{last}");
        assert!(dert(&Steady, 20.0, 2, 0, discount, None).is_err());
        assert!(dert(&Steady, f64::NAN, 2, 2, discount, None).is_err());
    }
}
