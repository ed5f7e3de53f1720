//! Models that say one total per customer and horizon: baselines and learners.

use std::collections::BTreeSet;

use super::ask::Ask;
use super::customers::Customers;
use super::forecast::{ForecastMut, Scratch};
use super::{Predict, TimeUnit};
use crate::error::{Error, Result};
use crate::features::Feature;
use crate::units::Span;
use crate::value::mean_factor;

/// What a customer does within a horizon.
#[derive(Debug, Clone, Copy, PartialEq, Default, serde::Serialize, serde::Deserialize)]
pub struct Totals {
    /// Purchases.
    pub purchases: f64,
    /// Money, undiscounted, at margin 1; 0 in a model without amounts.
    pub value: f64,
}

/// The columns a model of totals reads, for the horizon it was trained for.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Plan {
    /// Time unit of recency and age.
    pub unit: TimeUnit,
    /// The horizon.
    pub horizon: Span,
    /// The columns, in order.
    pub features: Vec<Feature>,
    names: Vec<String>,
    needs: Vec<Feature>,
}

impl Plan {
    /// A plan.
    ///
    /// # Errors
    ///
    /// [`Error::TooLittleData`] without columns; [`Error::ColumnTwice`] for two of one name, or one of a
    /// [`Source`](crate::features::Source) that is named like one of the history's.
    pub fn new(unit: TimeUnit, horizon: Span, features: Vec<Feature>) -> Result<Self> {
        if features.is_empty() {
            let needs = "at least one feature";
            return Err(Error::TooLittleData { model: "a feature plan", needs, found: 0 });
        }
        let names: Vec<String> = features.iter().map(Feature::name).collect();
        expect_a_name_each(&features)?;
        // The history's own columns come with the customers.
        let needs = features.iter().filter(|f| !Feature::SUMMARY.contains(f)).cloned().collect();
        Ok(Self { unit, horizon, features, names, needs })
    }

    /// Names of the columns.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The columns that do not come with the history.
    pub fn needs(&self) -> &[Feature] {
        &self.needs
    }
}

/// Columns are looked up by their names, those of the history first: each has one of its own.
pub(crate) fn expect_a_name_each(features: &[Feature]) -> Result<()> {
    let mut seen = BTreeSet::new();
    for feature in features {
        let name = feature.name();
        let taken =
            matches!(feature, Feature::Column(_)) && Feature::SUMMARY.iter().any(|own| own.name() == name);
        if taken || seen.contains(&name) {
            return Err(Error::ColumnTwice { column: name });
        }
        seen.insert(name);
    }
    Ok(())
}

/// Writes the forecast of a model of totals: checks the question, hands over each customer's row of
/// the named columns, and spreads the totals evenly over the horizon for discounting.
///
/// Negative totals, which a regression may give, become 0.
///
/// # Errors
///
/// As [`Predict::predict_into`], or as `totals`.
pub fn predict_totals(
    model: &impl Predict,
    names: &[String],
    who: &Customers<'_>,
    ask: &Ask,
    scratch: &mut Scratch,
    out: &mut ForecastMut<'_>,
    mut totals: impl FnMut(usize, &mut [f64], &mut Vec<f32>) -> Result<Totals>,
) -> Result<()> {
    let (name, answers) = (model.kind().name, model.answers());
    who.expect_unit(model.unit())?;
    answers.expect_horizon(name, ask.horizon())?;
    out.expect(name, &answers, who.len())?;
    let factor = mean_factor(ask.discounting(), ask.horizon());
    let Scratch { row: values, row_f32, places, .. } = scratch;
    values.resize(names.len(), 0.0);
    if who.is_empty() {
        return Ok(());
    }
    who.find(name, names, places)?;
    for row in 0..who.len() {
        who.fill_row(places, row, values);
        let Totals { purchases, value } = totals(row, values, row_f32)?;
        if !(purchases.is_finite() && value.is_finite()) {
            // Which column it was, before it was transformed.
            who.fill_row(places, row, values);
            // An infinite one first, as one that is missing may have been filled in.
            let infinite = values.iter().position(|v| v.is_infinite());
            if let Some(at) = infinite.or_else(|| values.iter().position(|v| v.is_nan())) {
                let (column, given) = (names[at].clone(), values[at]);
                return Err(Error::Cell { row, column, given, allowed: "a finite number" });
            }
            let (field, given) = ("forecast", purchases + value);
            return Err(Error::History { row, field, given, allowed: "finite columns within range" });
        }
        let (purchases, value) = (purchases.max(0.0), value.max(0.0));
        if let Some(column) = &mut out.purchases {
            column[row] = purchases;
        }
        if let Some(column) = &mut out.discounted_purchases {
            column[row] = purchases * factor;
        }
        if let Some(column) = &mut out.value {
            column[row] = Some(value * factor * ask.margin_share());
        }
    }
    Ok(())
}
