//! Terms: columns, their logarithms and products.

use std::fmt;

use clv_core::{Error, Feature};
use serde::{Deserialize, Serialize};

/// A column, the logarithm of one, or a product of such.
///
/// | written | is |
/// | :-- | :-- |
/// | `own_age` | the column |
/// | `own_region` | a column of 0 and 1 for each word of the attribute but the first in the order of the alphabet |
/// | `log(own_income)` | the natural logarithm, of values above 0 |
/// | `own_age:own_member` | the product |
/// | `own_age*own_member` | both and their product |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Term {
    factors: Vec<Factor>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Factor {
    column: String,
    log: bool,
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, Factor { column, log }) in self.factors.iter().enumerate() {
            let colon = if i > 0 { ":" } else { "" };
            if *log { write!(f, "{colon}log({column})")? } else { write!(f, "{colon}{column}")? }
        }
        Ok(())
    }
}

impl Term {
    /// The terms that a text stands for.
    pub(crate) fn parse(text: &str) -> Result<Vec<Self>, Error> {
        let unreadable = || Error::Unreadable {
            what: "covariate",
            given: text.to_owned(),
            allowed: "a column, log(column), and products a:b or a*b of them",
        };
        let factor = |part: &str| {
            let part = part.trim();
            let inner = part.strip_prefix("log(").and_then(|rest| rest.strip_suffix(')'));
            let (column, log) = (inner.unwrap_or(part).trim(), inner.is_some());
            if column.is_empty() {
                return Err(unreadable());
            }
            Ok(Factor { column: column.to_owned(), log })
        };
        let product = |part: &str| -> Result<Self, Error> {
            Ok(Self { factors: part.split(':').map(factor).collect::<Result<_, _>>()? })
        };
        let main: Vec<Self> = text.split('*').map(product).collect::<Result<_, _>>()?;
        let all = (main.len() > 1)
            .then(|| Self { factors: main.iter().flat_map(|term| term.factors.clone()).collect() });
        Ok(main.into_iter().chain(all).collect())
    }

    /// The terms with each column of words by its words, of which the first is the reference.
    pub(crate) fn spread(&self, known: &[String]) -> Vec<Self> {
        let mut terms = vec![Self { factors: Vec::new() }];
        for factor in &self.factors {
            let mut words: Vec<&String> = known
                .iter()
                .filter(|name| {
                    name.strip_prefix(factor.column.as_str()).is_some_and(|rest| rest.starts_with('='))
                })
                .collect();
            words.sort();
            let columns: Vec<String> = if known.contains(&factor.column) || words.is_empty() {
                vec![factor.column.clone()]
            } else {
                words.into_iter().skip(1).cloned().collect()
            };
            terms = columns
                .iter()
                .flat_map(|column| {
                    terms.iter().map(move |term| {
                        let mut factors = term.factors.clone();
                        factors.push(Factor { column: column.clone(), log: factor.log });
                        Self { factors }
                    })
                })
                .collect();
        }
        terms
    }

    /// The columns it reads.
    pub(crate) fn columns(&self) -> impl Iterator<Item = &str> {
        self.factors.iter().map(|factor| factor.column.as_str())
    }

    /// The features that a plan needs for terms.
    pub(crate) fn needs(terms: &[Self]) -> Vec<Feature> {
        let mut needs: Vec<Feature> = Vec::new();
        for feature in terms.iter().flat_map(Self::columns).map(Self::feature) {
            if !needs.contains(&feature) {
                needs.push(feature);
            }
        }
        needs
    }

    /// The features that a plan needs for the columns.
    pub(crate) fn feature(column: &str) -> Feature {
        Feature::Column(column.to_owned())
    }

    /// The first column whose factor has no value, or the first of all.
    pub(crate) fn unknown(&self, column: impl Fn(&str) -> f64) -> &str {
        let is_unknown =
            |f: &&Factor| !(if f.log { column(&f.column).ln() } else { column(&f.column) }).is_finite();
        let found = self.factors.iter().find(is_unknown).or_else(|| self.factors.first());
        found.map_or("", |factor| factor.column.as_str())
    }

    /// The value, of columns by name.
    pub(crate) fn value(&self, column: impl Fn(&str) -> f64) -> f64 {
        let one = |factor: &Factor| {
            let value = column(&factor.column);
            if factor.log { value.ln() } else { value }
        };
        self.factors.iter().map(one).product()
    }
}
