//! Forecasts, in columns that are present or absent.

use super::ask::Answers;
use super::customers::Place;
use crate::FeatureMatrix;
use crate::cells::CellIndex;
use crate::error::{Error, Result};

/// A forecast per customer. A column that the model cannot say is `None`.
///
/// A spend or value of `None` in a present column is undefined for that customer: a Gamma-Gamma
/// population with `q ≤ 1` has no mean.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Forecast {
    /// Probability of still being active, relative to the model.
    pub p_alive: Option<Vec<f64>>,
    /// Expected purchases within the horizon.
    pub purchases: Option<Vec<f64>>,
    /// The same, each purchase discounted to now.
    pub discounted_purchases: Option<Vec<f64>>,
    /// Expected spend per purchase.
    pub spend: Option<Vec<Option<f64>>>,
    /// Discounted margin within the horizon; past value is not in it.
    pub value: Option<Vec<Option<f64>>>,
}

impl Forecast {
    /// Columns for everything that a model can say.
    pub fn for_answers(answers: &Answers, rows: usize) -> Self {
        let numbers = |say: bool| say.then(|| vec![0.0; rows]);
        let estimates = |say: bool| say.then(|| vec![None; rows]);
        Self {
            p_alive: numbers(answers.p_alive),
            purchases: numbers(answers.purchases),
            discounted_purchases: numbers(answers.purchases),
            spend: estimates(answers.spend),
            value: estimates(answers.value),
        }
    }

    /// The columns as a model writes them.
    pub fn as_mut(&mut self) -> ForecastMut<'_> {
        ForecastMut {
            p_alive: self.p_alive.as_deref_mut(),
            purchases: self.purchases.as_deref_mut(),
            discounted_purchases: self.discounted_purchases.as_deref_mut(),
            spend: self.spend.as_deref_mut(),
            value: self.value.as_deref_mut(),
        }
    }
}

/// The caller's columns. Only those that are present are computed.
#[derive(Debug, Default)]
pub struct ForecastMut<'a> {
    /// Probability of still being active.
    pub p_alive: Option<&'a mut [f64]>,
    /// Expected purchases within the horizon.
    pub purchases: Option<&'a mut [f64]>,
    /// The same, discounted.
    pub discounted_purchases: Option<&'a mut [f64]>,
    /// Expected spend per purchase.
    pub spend: Option<&'a mut [Option<f64>]>,
    /// Value within the horizon.
    pub value: Option<&'a mut [Option<f64>]>,
}

impl ForecastMut<'_> {
    /// Checks that the model can say every column present, and that each has a row per customer.
    ///
    /// # Errors
    ///
    /// [`Error::CannotSay`], [`Error::Length`].
    pub fn expect(&self, model: &'static str, answers: &Answers, rows: usize) -> Result<()> {
        let columns = [
            ("p_alive", self.p_alive.as_ref().map(|c| c.len()), answers.p_alive, ""),
            ("purchases", self.purchases.as_ref().map(|c| c.len()), answers.purchases, ""),
            (
                "discounted_purchases",
                self.discounted_purchases.as_ref().map(|c| c.len()),
                answers.purchases,
                "",
            ),
            ("spend", self.spend.as_ref().map(|c| c.len()), answers.spend, "; join it with a spend model"),
            ("value", self.value.as_ref().map(|c| c.len()), answers.value, "; join it with a spend model"),
        ];
        for (quantity, len, can, hint) in columns {
            match len {
                Some(_) if !can => return Err(Error::CannotSay { model, quantity, hint }),
                Some(given) if given != rows => {
                    return Err(Error::Length { column: quantity, given, expected: rows });
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// Memory that a model reuses from call to call.
#[derive(Debug, Default)]
pub struct Scratch {
    /// Which customers share a history.
    pub cells: CellIndex,
    /// Columns over cells or rows.
    pub columns: [Vec<f64>; 3],
    /// Discounted purchases on their way into a value.
    pub discounted: Vec<f64>,
    /// One feature row.
    pub row: Vec<f64>,
    /// Where a row's columns are found.
    pub places: Vec<Place>,
    /// One member's forecast on its way into a sum.
    pub summand: Vec<f64>,
    /// The same of values.
    pub summand_value: Vec<Option<f64>>,
    /// Columns made of another model's forecasts.
    pub features: FeatureMatrix,
    /// The members' own.
    pub inner: Option<Box<Self>>,
    /// One feature row in single precision.
    pub row_f32: Vec<f32>,
}
