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

/// The columns of an attribute of words, one for each word: a customer has one of them, or their word is not known.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Words {
    pub column: String,
    /// In the order of the alphabet, the first being the reference.
    pub columns: Vec<String>,
}

impl Words {
    /// Those of an attribute among the columns that are known.
    fn of(column: &str, known: &[String]) -> Option<Self> {
        let is_word = |name: &&String| name.strip_prefix(column).is_some_and(|rest| rest.starts_with('='));
        let mut columns: Vec<String> = known.iter().filter(is_word).cloned().collect();
        columns.sort();
        (!columns.is_empty()).then(|| Self { column: column.to_owned(), columns })
    }
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
            let words = if known.contains(&factor.column) { None } else { Words::of(&factor.column, known) };
            let columns: Vec<String> = match words {
                None => vec![factor.column.clone()],
                Some(words) => words.columns.into_iter().skip(1).collect(),
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

    /// The attributes of words that it reads, by name or by one of their words.
    ///
    /// # Errors
    ///
    /// [`Error::Unreadable`] for a word that nobody has, an attribute of one word, or one of so many that they share columns.
    pub(crate) fn words(&self, known: &[String]) -> Result<Vec<Words>, Error> {
        let mut all = Vec::new();
        for Factor { column, .. } in &self.factors {
            let unreadable =
                |allowed| Error::Unreadable { what: "covariate", given: column.clone(), allowed };
            if !known.contains(column) && known.iter().any(|name| name.starts_with(&format!("{column}#"))) {
                return Err(unreadable(
                    "attributes of at most twenty words: put the rare ones together, or name columns such as own_city#0",
                ));
            }
            let named = column.split_once('=').map_or(column.as_str(), |(attribute, _)| attribute);
            let Some(words) = Words::of(named, known) else { continue };
            if words.columns.len() == 1 {
                return Err(unreadable("an attribute of more than one word"));
            }
            if column.contains('=') && !known.contains(column) {
                return Err(unreadable("words that a customer has"));
            }
            // A number may be called as an attribute of words is: it is asked for by its own name.
            if !known.contains(column) || column.contains('=') {
                all.push(words);
            }
        }
        Ok(all)
    }

    /// The features that a plan needs for terms, and for knowing that words are known.
    pub(crate) fn needs(terms: &[Self], words: &[Words]) -> Vec<Feature> {
        let of_words = words.iter().flat_map(|words| words.columns.iter().map(String::as_str));
        let mut needs: Vec<Feature> = Vec::new();
        for feature in terms.iter().flat_map(Self::columns).chain(of_words).map(Self::feature) {
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
