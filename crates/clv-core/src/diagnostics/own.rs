//! The same series where customers differ in more than their histories.

use super::{Frequency, Tracked, counts, series};
use crate::cut::Cut;
use crate::error::{Error, Result};
use crate::model::{Customers, Predict, PurchaseForecast};
use crate::summary::{Purchases, Summary};
use crate::units::{Moment, Span};

/// A model's forecasts of newcomers, customer by customer.
enum Newcomers<'a> {
    Common(&'a dyn PurchaseForecast),
    Own(Vec<Box<dyn Predict>>),
}

impl<'a> Newcomers<'a> {
    fn of(model: &'a dyn Predict, who: &Customers<'_>) -> Result<Self> {
        let own = (0..who.len()).map(|row| model.own(who, row)).collect::<Result<Option<Vec<_>>>>()?;
        match (own, model.purchases()) {
            (None, Some(common)) => Ok(Self::Common(common)),
            (Some(own), _) if own.iter().all(|own| own.purchases().is_some()) => Ok(Self::Own(own)),
            _ => {
                let quantity = "purchases of newcomers";
                Err(Error::CannotSay {
                    model: model.kind().name,
                    quantity,
                    hint: ": models of the process do",
                })
            }
        }
    }

    fn of_row(&self, row: usize) -> Option<&dyn PurchaseForecast> {
        match self {
            Self::Common(common) => Some(*common),
            Self::Own(own) => own[row].purchases(),
        }
    }
}

fn newcomers<'a>(
    summary: &Summary,
    who: &Customers<'_>,
    models: &[&'a dyn Predict],
) -> Result<Vec<Newcomers<'a>>> {
    if who.len() != summary.len() {
        return Err(Error::Length { column: "customers", given: who.len(), expected: summary.len() });
    }
    models.iter().map(|model| Newcomers::of(*model, who)).collect()
}

/// [`tracking`](super::tracking) of models whose customers differ in more than their histories (columns, cohorts): each newcomer under their own
/// ([`Predict::own`]). `who` are the summary's customers, with the columns that the models need.
///
/// # Errors
///
/// As [`tracking`](super::tracking); [`Error::Length`] for other customers; [`Error::CannotSay`] for a model that says nothing of newcomers; as
/// [`Predict::own`].
pub fn tracking_of_each(
    purchases: &Purchases,
    (summary, who): (&Summary, &Customers<'_>),
    until: Cut,
    period: Span,
    models: &[&dyn Predict],
) -> Result<Vec<Tracked>> {
    let each = newcomers(summary, who, models)?;
    series(purchases, summary, until, period, |end: Moment| {
        let mut now = vec![0.0; each.len()];
        for (row, first) in summary.first.iter().enumerate().filter(|(_, first)| **first <= end) {
            let age = end.days_since(*first) / summary.unit.days();
            for (sum, model) in now.iter_mut().zip(&each) {
                *sum += model.of_row(row).map_or(Ok(0.0), |own| own.expected_of_new(age))?;
            }
        }
        Ok(now)
    })
}

/// [`frequencies`](super::frequencies) of models whose customers differ in more than their histories, each under their own ([`Predict::own`]).
///
/// # Errors
///
/// As [`tracking_of_each`].
pub fn frequencies_of_each(
    (summary, who): (&Summary, &Customers<'_>),
    most: u32,
    models: &[&dyn Predict],
) -> Result<Vec<Frequency>> {
    let each = newcomers(summary, who, models)?;
    let mut table = counts(summary, most, models.len());
    for (row, &age) in summary.age.iter().enumerate() {
        for (place, model) in each.iter().enumerate() {
            let Some(own) = model.of_row(row) else { continue };
            super::expect(&mut table, place, 1.0, |count| own.probability_of_new(age, count))?;
        }
    }
    Ok(table)
}
