//! What is known of a customer as of a cut, by name.

use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};

use crate::cut::Cut;
use crate::error::{Error, Result};
use crate::summary::{Purchases, Summary};
use crate::units::Span;

/// A column computed from the log as of a cut; nothing later can enter.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Feature {
    /// Repeat purchases.
    Frequency,
    /// Time from first to last purchase.
    Recency,
    /// Time from first purchase to the cut.
    Age,
    /// Mean amount of the repeat purchases; 0 for a customer without any.
    MonetaryValue,
    /// Purchases within the last span before the cut, the first purchase included.
    PurchasesWithin(Span),
    /// Money spent within the last span before the cut.
    ValueWithin(Span),
}

impl Feature {
    /// The columns that every history has.
    pub const SUMMARY: [Self; 4] = [Self::Frequency, Self::Recency, Self::Age, Self::MonetaryValue];

    /// The columns that every history has, mean spend only with amounts.
    pub fn of_summary(with_amounts: bool) -> Vec<Self> {
        Self::SUMMARY[..if with_amounts { 4 } else { 3 }].to_vec()
    }

    /// Its column name.
    pub fn name(&self) -> String {
        match self {
            Self::Frequency => "frequency".into(),
            Self::Recency => "recency".into(),
            Self::Age => "age".into(),
            Self::MonetaryValue => "monetary_value".into(),
            Self::PurchasesWithin(span) => format!("purchases_within_{}_days", span.in_days()),
            Self::ValueWithin(span) => format!("value_within_{}_days", span.in_days()),
        }
    }
}

/// Named columns, one row per customer, stored row by row.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FeatureMatrix {
    names: Vec<String>,
    data: Vec<f64>,
}

impl FeatureMatrix {
    /// From names and row-major data.
    ///
    /// # Errors
    ///
    /// [`Error::Length`] if the data are not a whole number of rows.
    pub fn new(names: Vec<String>, data: Vec<f64>) -> Result<Self> {
        if names.is_empty() != data.is_empty()
            || (!names.is_empty() && !data.len().is_multiple_of(names.len()))
        {
            return Err(Error::Length { column: "feature data", given: data.len(), expected: names.len() });
        }
        Ok(Self { names, data })
    }

    /// The columns of a plan, for the customers of a summary.
    ///
    /// # Errors
    ///
    /// [`Error::MissingColumn`] if the plan asks for money and the log has none.
    pub fn compute(plan: &[Feature], purchases: &Purchases, summary: &Summary) -> Result<Self> {
        let names = plan.iter().map(Feature::name).collect();
        let mut data = Vec::with_capacity(plan.len() * summary.len());
        for row in 0..summary.len() {
            for feature in plan {
                data.push(value(feature, purchases, summary, row)?);
            }
        }
        Ok(Self { names, data })
    }

    /// Column names.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        if self.names.is_empty() { 0 } else { self.data.len() / self.names.len() }
    }

    /// One row.
    pub fn row(&self, row: usize) -> &[f64] {
        &self.data[row * self.names.len()..(row + 1) * self.names.len()]
    }

    /// The data, row by row.
    pub fn as_slice(&self) -> &[f64] {
        &self.data
    }

    /// As an ndarray matrix, rows × columns, without a copy.
    pub fn view(&self) -> ArrayView2<'_, f64> {
        ArrayView2::from_shape((self.rows(), self.names.len()), &self.data)
            .unwrap_or_else(|_| unreachable!("data are rows × columns by construction"))
    }

    /// Some of the rows, in the order given.
    ///
    /// # Errors
    ///
    /// [`Error::Length`] for a row that is not there.
    pub fn select(&self, rows: &[usize]) -> Result<Self> {
        if let Some(&row) = rows.iter().find(|&&row| row >= self.rows()) {
            return Err(Error::Length { column: "rows selected", given: row, expected: self.rows() });
        }
        let data = rows.iter().flat_map(|&row| self.row(row)).copied().collect();
        Ok(Self { names: self.names.clone(), data })
    }

    /// The position of a column.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|n| n == name)
    }
}

fn value(feature: &Feature, purchases: &Purchases, summary: &Summary, row: usize) -> Result<f64> {
    let money = || {
        let missing = || Error::MissingColumn { model: "a feature plan", column: feature.name() };
        summary.spend.as_ref().ok_or_else(missing)
    };
    let window = |span: &Span| {
        let since: Cut = summary.cut.minus(*span);
        purchases.between(summary.customer[row], &since, &summary.cut)
    };
    Ok(match feature {
        Feature::Frequency => f64::from(summary.frequency[row]),
        Feature::Recency => summary.recency[row],
        Feature::Age => summary.age[row],
        Feature::MonetaryValue => money()?.mean[row],
        Feature::PurchasesWithin(span) => f64::from(window(span).0),
        Feature::ValueWithin(span) => money().map(|_| window(span).1)?,
    })
}
