//! What is known of customers, borrowed.

use crate::error::{Error, Result};
use crate::features::FeatureMatrix;
use crate::model::{Histories, Predict, Reads};
use crate::summary::SpendBasis;
use crate::units::TimeUnit;

/// One customer's history.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct History {
    /// Repeat purchases `x`.
    pub frequency: u32,
    /// Time from first to last purchase, `t_x`.
    pub recency: f64,
    /// Time from first purchase to now, `T`.
    pub age: f64,
    /// Mean spend per purchase `z̄`, if there are amounts and purchases to take it over.
    pub spend: Option<f64>,
}

impl History {
    /// A history without amounts.
    ///
    /// # Errors
    ///
    /// [`Error::History`] unless `0 ≤ recency ≤ age`, finite, and recency is 0 without a repeat.
    pub fn new(frequency: u32, recency: f64, age: f64) -> Result<Self> {
        check(0, frequency, recency, age)?;
        Ok(Self { frequency, recency, age, spend: None })
    }

    /// With a mean spend per purchase.
    ///
    /// # Errors
    ///
    /// [`Error::History`] unless it is finite.
    pub fn spend(self, mean: f64) -> Result<Self> {
        check_spend(0, mean)?;
        Ok(Self { spend: Some(mean), ..self })
    }
}

/// Where a column of [`Customers`] is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Place {
    /// Repeat purchases.
    Frequency,
    /// Time from first to last purchase.
    Recency,
    /// Time from first purchase to now.
    Age,
    /// Mean spend.
    Spend,
    /// So far on among the further columns.
    Further(usize),
}

/// Borrowed columns of what is known of one or many customers.
#[derive(Clone, Copy, Debug)]
pub struct Customers<'a> {
    unit: TimeUnit,
    /// Not known of columns that the caller made.
    histories: Option<Histories>,
    basis: SpendBasis,
    frequency: &'a [u32],
    recency: &'a [f64],
    age: &'a [f64],
    spend: Option<&'a [f64]>,
    features: Option<&'a FeatureMatrix>,
}

impl<'a> Customers<'a> {
    /// From columns of equal length; `spend` is the mean per repeat purchase, 0 where there is none.
    ///
    /// # Errors
    ///
    /// [`Error::Length`], or [`Error::History`] naming the first row that contradicts itself.
    pub fn new(
        unit: TimeUnit,
        frequency: &'a [u32],
        recency: &'a [f64],
        age: &'a [f64],
        spend: Option<&'a [f64]>,
    ) -> Result<Self> {
        let expected = frequency.len();
        for (column, given) in [
            ("recency", recency.len()),
            ("age", age.len()),
            ("monetary_value", spend.map_or(expected, <[f64]>::len)),
        ] {
            if given != expected {
                return Err(Error::Length { column, given, expected });
            }
        }
        for row in 0..expected {
            check(row, frequency[row], recency[row], age[row])?;
        }
        for (row, &mean) in spend.unwrap_or_default().iter().enumerate() {
            check_spend(row, mean)?;
        }
        Ok(Self::from_valid(unit, SpendBasis::default(), frequency, recency, age, spend))
    }

    /// One customer.
    ///
    /// # Errors
    ///
    /// [`Error::History`].
    pub fn one(history: &'a History, unit: TimeUnit) -> Result<Self> {
        check(0, history.frequency, history.recency, history.age)?;
        if let Some(mean) = history.spend {
            check_spend(0, mean)?;
        }
        Ok(Self::from_valid(
            unit,
            SpendBasis::default(),
            std::slice::from_ref(&history.frequency),
            std::slice::from_ref(&history.recency),
            std::slice::from_ref(&history.age),
            history.spend.as_ref().map(std::slice::from_ref),
        ))
    }

    pub(crate) fn from_valid(
        unit: TimeUnit,
        basis: SpendBasis,
        frequency: &'a [u32],
        recency: &'a [f64],
        age: &'a [f64],
        spend: Option<&'a [f64]>,
    ) -> Self {
        Self { unit, histories: None, basis, frequency, recency, age, spend, features: None }
    }

    /// With what the histories are of, which a model then holds against what it reads ([`Predict::reads`](crate::Predict::reads)).
    pub fn of(self, histories: Histories) -> Self {
        Self { histories: Some(histories), ..self }
    }

    /// With a mean spend over another set of purchases.
    pub fn spend_basis(self, basis: SpendBasis) -> Self {
        Self { basis, ..self }
    }

    /// With further columns.
    ///
    /// # Errors
    ///
    /// [`Error::Length`] unless there is a row for each customer.
    pub fn with_features(self, features: &'a FeatureMatrix) -> Result<Self> {
        if features.rows() != self.len() {
            return Err(Error::Length { column: "features", given: features.rows(), expected: self.len() });
        }
        Ok(Self { features: Some(features), ..self })
    }

    /// Number of customers.
    pub fn len(&self) -> usize {
        self.frequency.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.frequency.is_empty()
    }

    /// The time unit of recency and age.
    pub fn unit(&self) -> TimeUnit {
        self.unit
    }

    /// Which purchases the mean spend counts.
    pub fn basis(&self) -> SpendBasis {
        self.basis
    }

    /// Repeat purchases.
    pub fn frequency(&self) -> &'a [u32] {
        self.frequency
    }

    /// Times from first to last purchase.
    pub fn recency(&self) -> &'a [f64] {
        self.recency
    }

    /// Times from first purchase to now.
    pub fn age(&self) -> &'a [f64] {
        self.age
    }

    /// Mean spends, 0 where there is no purchase to take it over.
    pub fn spend(&self) -> Option<&'a [f64]> {
        self.spend
    }

    /// Further columns.
    pub fn features(&self) -> Option<&'a FeatureMatrix> {
        self.features
    }

    /// One customer's history.
    ///
    /// # Panics
    ///
    /// If `row` is not below [`Customers::len`].
    pub fn history(&self, row: usize) -> History {
        let frequency = self.frequency[row];
        let counted = self.basis.count(frequency) > 0.0;
        History {
            frequency,
            recency: self.recency[row],
            age: self.age[row],
            spend: self.spend.filter(|_| counted).map(|s| s[row]),
        }
    }

    /// Where the named columns are found, into `places`, in the order of the names.
    ///
    /// # Errors
    ///
    /// [`Error::MissingColumn`] in the name of `model`.
    pub fn find(&self, model: &'static str, names: &[String], places: &mut Vec<Place>) -> Result<()> {
        places.clear();
        for name in names {
            let found = match name.as_str() {
                "frequency" => Some(Place::Frequency),
                "recency" => Some(Place::Recency),
                "age" => Some(Place::Age),
                "monetary_value" => self.spend.map(|_| Place::Spend),
                _ => self.features.and_then(|f| f.position(name)).map(Place::Further),
            };
            places.push(found.ok_or_else(|| Error::MissingColumn { model, column: name.clone() })?);
        }
        Ok(())
    }

    /// Writes a customer's row of columns that were found here into `out`.
    ///
    /// # Panics
    ///
    /// If `row` is not below [`Customers::len`], or the places are of customers with other columns.
    pub fn fill_row(&self, places: &[Place], row: usize, out: &mut [f64]) {
        let further = self.features.map_or(&[][..], |features| features.row(row));
        for (place, slot) in places.iter().zip(out) {
            *slot = match *place {
                Place::Frequency => f64::from(self.frequency[row]),
                Place::Recency => self.recency[row],
                Place::Age => self.age[row],
                Place::Spend => self.spend.map_or(f64::NAN, |spend| spend[row]),
                Place::Further(position) => further[position],
            };
        }
    }

    /// Checks that a model which counts in `unit` can read these columns.
    ///
    /// # Errors
    ///
    /// [`Error::Unit`].
    pub fn expect_unit(&self, unit: TimeUnit) -> Result<()> {
        if self.unit == unit { Ok(()) } else { Err(Error::Unit { model: unit, given: self.unit }) }
    }

    /// Checks that the histories, if it is known what they are of, are what a model reads.
    ///
    /// # Errors
    ///
    /// [`Error::Histories`] in the name of `model`.
    pub fn expect_histories(&self, model: &'static str, reads: Reads) -> Result<()> {
        self.histories.map_or(Ok(()), |histories| reads.expect(model, histories, self.unit))
    }

    /// Both: what a model of histories asks of them before it forecasts.
    ///
    /// # Errors
    ///
    /// [`Error::Unit`], [`Error::Histories`].
    pub fn expect(&self, model: &'static str, unit: TimeUnit, reads: Reads) -> Result<()> {
        self.expect_unit(unit)?;
        self.expect_histories(model, reads)
    }

    /// Checks that purchases are merged as those that a model was fitted to, as far as both are known.
    ///
    /// # Errors
    ///
    /// [`Error::Grain`].
    pub fn expect_grain<M: Predict + ?Sized>(&self, model: &M) -> Result<()> {
        match (model.grain(), self.histories.and_then(Histories::grain)) {
            (Some(fitted), Some(given)) if fitted != given => {
                Err(Error::Grain { model: model.kind().name, fitted, given })
            }
            _ => Ok(()),
        }
    }
}

fn check(row: usize, frequency: u32, recency: f64, age: f64) -> Result<()> {
    if !(age.is_finite() && age >= 0.0) {
        return Err(Error::History { row, field: "age", given: age, allowed: "finite, at least 0" });
    }
    if !(recency >= 0.0 && recency <= age) {
        return Err(Error::History { row, field: "recency", given: recency, allowed: "from 0 to the age" });
    }
    if frequency == 0 && recency > 0.0 {
        let allowed = "0 for a customer without a repeat purchase (recency is the age at the last purchase)";
        return Err(Error::History { row, field: "recency", given: recency, allowed });
    }
    Ok(())
}

fn check_spend(row: usize, mean: f64) -> Result<()> {
    if mean.is_finite() {
        Ok(())
    } else {
        Err(Error::History { row, field: "monetary_value", given: mean, allowed: "finite" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contradictions_are_refused_by_row_and_field() {
        let who = |x: u32, t_x: f64, age: f64| {
            Customers::new(TimeUnit::Week, &[1, x], &[0.5, t_x], &[1.0, age], None)
                .map(|_| ())
                .unwrap_err()
                .to_string()
        };
        for (error, field) in [
            (who(0, 1.0, 2.0), "recency"),
            (who(2, 3.0, 2.0), "recency"),
            (who(2, f64::NAN, 2.0), "recency"),
            (who(2, 1.0, f64::INFINITY), "age"),
        ] {
            assert!(error.contains("row 1") && error.contains(field), "{error}");
        }
        assert!(matches!(
            Customers::new(TimeUnit::Week, &[1], &[0.0, 1.0], &[1.0], None),
            Err(Error::Length { column: "recency", given: 2, expected: 1 })
        ));
    }
}
