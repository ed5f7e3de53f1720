//! From attributes, words and gaps included, to columns of numbers.

use serde::{Deserialize, Serialize};

use super::quantile;
use crate::attributes::{Attribute, Attributes, Values};
use crate::error::{Error, Result};
use crate::features::FeatureMatrix;
use crate::setting::at_least_zero;

/// What stands where a number is not known.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fill {
    /// The mean of those known.
    Mean,
    /// Their median.
    Median,
    /// This number.
    With(f64),
}

/// How an attribute becomes columns.
///
/// | encoding | columns | a word that was not seen in fitting |
/// | :-- | :-- | :-- |
/// | `Number(fill)` | the number, and `…_missing` (1 where it was not known) if any was missing | – |
/// | `OneHot` | one a word, 1 where it is that word | all 0 |
/// | `Ordinal` | the word's place in alphabetical order, from 0 | −1 |
/// | `Hash(n)` | `n`, 1 in the one that the word's hash says | as any other |
/// | `Target(m)` | the target's mean over the rows of that word, drawn to the mean of all by `m` pseudo-rows | the mean of all |
///
/// A word that is missing is treated as one that was not seen.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
#[serde(rename_all = "kebab-case")]
pub enum Encoding {
    /// A number.
    Number(Fill),
    /// Words, a column each.
    OneHot,
    /// Words, by their order.
    Ordinal,
    /// Words of which there are too many, in so many columns.
    Hash(usize),
    /// Words, by what is to be learned; out of fold where it is learned from
    /// ([`Encoder::fit_apply`]).
    Target(f64),
}

/// Folds of target encoding: five leave each row's own mean to four fifths of the others.
const FOLDS: usize = 5;

/// Encodings, fitted.
///
/// ```
/// use clv_core::attributes::{Attributes, Conflict};
/// use clv_core::transform::{Encoder, Encoding, Fill};
///
/// let mut people = Attributes::new(Conflict::FirstStands);
/// for (who, age, region) in [("ada", "36", "north"), ("bob", "", "south"), ("eve", "40", "north")] {
///     people.state(who, "age", age);
///     people.state(who, "region", region);
/// }
/// let people = people.typed();
/// let encoder = Encoder::fit(
///     &people,
///     &[("age", Encoding::Number(Fill::Mean)), ("region", Encoding::OneHot)],
///     None,
/// )?;
/// let columns = encoder.apply(&people)?;
/// assert_eq!(columns.names(), ["age", "age_missing", "region=north", "region=south"]);
/// assert_eq!(columns.row(1), [38.0, 1.0, 0.0, 1.0]);
/// # Ok::<(), clv_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Encoder {
    columns: Vec<(String, Fitted)>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Fitted {
    Number {
        fill: f64,
        flag: bool,
    },
    OneHot {
        words: Vec<String>,
    },
    Ordinal {
        words: Vec<String>,
    },
    Hash {
        columns: usize,
    },
    /// In the order of the words.
    Target {
        words: Vec<String>,
        means: Vec<f64>,
        mean: f64,
        pseudo: f64,
    },
}

impl Encoder {
    /// Fits encodings on customers' attributes; `target` has a number for each customer of
    /// [`Attributes::customers`], and only [`Encoding::Target`] asks for it.
    ///
    /// # Errors
    ///
    /// [`Error::MissingColumn`] for an attribute that is not there or a target that is not given,
    /// [`Error::NotANumber`] for words where numbers are asked for, [`Error::Setting`] for an encoding
    /// out of range, [`Error::TooLittleData`] if nothing is known of a number to fill in.
    pub fn fit(people: &Attributes, plan: &[(&str, Encoding)], target: Option<&[f64]>) -> Result<Self> {
        if let Some(target) = target {
            let (given, expected) = (target.len(), people.customers().len());
            if given != expected {
                return Err(Error::Length { column: "target", given, expected });
            }
        }
        let fit = |(name, encoding): &(&str, Encoding)| {
            let attribute = find(people, name)?;
            let fitted = Fitted::of(*encoding, attribute, people.customers().len(), target)?;
            Ok(((*name).to_owned(), fitted))
        };
        Ok(Self { columns: plan.iter().map(fit).collect::<Result<_>>()? })
    }

    /// Fits, and gives the columns to learn from: as [`Encoder::apply`], but a target encoding of each
    /// row is the one fitted on the other folds, so that no row sees its own target.
    ///
    /// # Errors
    ///
    /// As [`Encoder::fit`].
    pub fn fit_apply(
        people: &Attributes,
        plan: &[(&str, Encoding)],
        target: &[f64],
    ) -> Result<(Self, FeatureMatrix)> {
        let encoder = Self::fit(people, plan, Some(target))?;
        let names = encoder.names();
        let mut data = encoder.apply(people)?.as_slice().to_vec();
        let mut at = 0;
        for (name, fitted) in &encoder.columns {
            if let Fitted::Target { words, pseudo, .. } = fitted {
                let attribute = find(people, name)?;
                for fold in 0..FOLDS {
                    let others = |row: usize| row % FOLDS != fold;
                    let (means, mean) = target_means(attribute, words, target, *pseudo, others);
                    for row in (fold..target.len()).step_by(FOLDS) {
                        data[row * names.len() + at] =
                            place(words, attribute, row).map_or(mean, |w| means[w]);
                    }
                }
            }
            at += fitted.width();
        }
        Ok((encoder, FeatureMatrix::new(names, data)?))
    }

    /// The columns of customers, in the order of [`Attributes::customers`].
    ///
    /// # Errors
    ///
    /// [`Error::MissingColumn`] for an attribute that is not there, [`Error::NotANumber`] for words where
    /// numbers were fitted.
    pub fn apply(&self, people: &Attributes) -> Result<FeatureMatrix> {
        let names = self.names();
        let rows = people.customers().len();
        let mut data = vec![0.0; rows * names.len()];
        let mut at = 0;
        for (name, fitted) in &self.columns {
            let attribute = find(people, name)?;
            for row in 0..rows {
                let start = row * names.len() + at;
                fitted.write(attribute, row, &mut data[start..start + fitted.width()])?;
            }
            at += fitted.width();
        }
        FeatureMatrix::new(names, data)
    }

    /// Names of the columns.
    pub fn names(&self) -> Vec<String> {
        self.columns.iter().flat_map(|(name, fitted)| fitted.names(name)).collect()
    }
}

fn find<'a>(people: &'a Attributes, name: &str) -> Result<&'a Attribute> {
    let missing = || Error::MissingColumn { model: "an encoder", column: name.to_owned() };
    people.attribute(name).ok_or_else(missing)
}

impl Fitted {
    fn of(encoding: Encoding, attribute: &Attribute, rows: usize, target: Option<&[f64]>) -> Result<Self> {
        let words = || -> Vec<String> {
            let mut words: Vec<String> = (0..rows).filter_map(|row| attribute.text(row)).collect();
            words.sort_unstable();
            words.dedup();
            words
        };
        Ok(match encoding {
            Encoding::Number(fill) => {
                let mut known: Vec<f64> = numbers(attribute)?.iter().copied().flatten().collect();
                known.sort_unstable_by(f64::total_cmp);
                let needs = "a known value to fill in for those missing";
                let nothing = Error::TooLittleData { model: "an encoder", needs, found: 0 };
                let fill = match fill {
                    Fill::With(number) if number.is_finite() => number,
                    Fill::With(given) => {
                        return Err(Error::Setting { name: "fill", given, allowed: "a finite number" });
                    }
                    _ if known.is_empty() => return Err(nothing),
                    Fill::Mean => known.iter().sum::<f64>() / known.len() as f64,
                    Fill::Median => quantile(&known, 0.5),
                };
                Self::Number { fill, flag: known.len() < rows }
            }
            Encoding::OneHot => Self::OneHot { words: words() },
            Encoding::Ordinal => Self::Ordinal { words: words() },
            Encoding::Hash(0) => {
                return Err(Error::Setting { name: "hash columns", given: 0.0, allowed: "at least 1" });
            }
            Encoding::Hash(columns) => Self::Hash { columns },
            Encoding::Target(pseudo) => {
                let pseudo = at_least_zero("pseudo-rows", pseudo)?;
                let column = "target".to_owned();
                let target = target.ok_or(Error::MissingColumn { model: "a target encoding", column })?;
                let words = words();
                let (means, mean) = target_means(attribute, &words, target, pseudo, |_| true);
                Self::Target { words, means, mean, pseudo }
            }
        })
    }

    fn width(&self) -> usize {
        match self {
            Self::Number { flag, .. } => 1 + usize::from(*flag),
            Self::OneHot { words } => words.len(),
            Self::Ordinal { .. } | Self::Target { .. } => 1,
            Self::Hash { columns } => *columns,
        }
    }

    fn names(&self, name: &str) -> Vec<String> {
        match self {
            Self::Number { flag: true, .. } => vec![name.to_owned(), format!("{name}_missing")],
            Self::Number { .. } | Self::Ordinal { .. } | Self::Target { .. } => vec![name.to_owned()],
            Self::OneHot { words } => words.iter().map(|word| format!("{name}={word}")).collect(),
            Self::Hash { columns } => (0..*columns).map(|bucket| format!("{name}#{bucket}")).collect(),
        }
    }

    /// `out` is all zeros, and as wide as this.
    fn write(&self, attribute: &Attribute, row: usize, out: &mut [f64]) -> Result<()> {
        match self {
            Self::Number { fill, flag } => {
                let known = numbers(attribute)?.get(row).copied().flatten();
                out[0] = known.unwrap_or(*fill);
                if *flag {
                    out[1] = f64::from(known.is_none());
                }
            }
            Self::OneHot { words } => {
                if let Some(word) = place(words, attribute, row) {
                    out[word] = 1.0;
                }
            }
            Self::Ordinal { words } => out[0] = place(words, attribute, row).map_or(-1.0, |w| w as f64),
            Self::Hash { columns } => {
                if let Some(word) = attribute.text(row) {
                    // CRC-32: the same on every machine and in every version.
                    out[hash_place(&word, *columns)] = 1.0;
                }
            }
            Self::Target { words, means, mean, .. } => {
                out[0] = place(words, attribute, row).map_or(*mean, |w| means[w]);
            }
        }
        Ok(())
    }
}

fn numbers(attribute: &Attribute) -> Result<&[Option<f64>]> {
    match attribute.values() {
        Values::Numbers(numbers) => Ok(numbers),
        Values::Words(_) => {
            let example =
                attribute.words().iter().find(|w| w.parse::<f64>().is_err()).unwrap_or("").to_owned();
            Err(Error::NotANumber { column: attribute.name().to_owned(), example })
        }
    }
}

/// The place of a customer's word among sorted words.
fn place(words: &[String], attribute: &Attribute, row: usize) -> Option<usize> {
    let text = attribute.text(row)?;
    words.binary_search(&text).ok()
}

/// `(Σ y + m ȳ) / (n + m)` for each word over the rows wanted, and `ȳ`.
fn target_means(
    attribute: &Attribute,
    words: &[String],
    target: &[f64],
    pseudo: f64,
    wanted: impl Fn(usize) -> bool,
) -> (Vec<f64>, f64) {
    let (mut sums, mut counts) = (vec![0.0; words.len()], vec![0.0; words.len()]);
    let (mut sum, mut count) = (0.0, 0.0);
    for (row, y) in target.iter().enumerate().filter(|(row, _)| wanted(*row)) {
        sum += y;
        count += 1.0;
        if let Some(word) = place(words, attribute, row) {
            sums[word] += y;
            counts[word] += 1.0;
        }
    }
    let mean = if count > 0.0 { sum / count } else { 0.0 };
    let drawn = |(sum, count): (&f64, &f64)| {
        if count + pseudo > 0.0 { (sum + pseudo * mean) / (count + pseudo) } else { mean }
    };
    (sums.iter().zip(&counts).map(drawn).collect(), mean)
}

/// In which of so many columns a word is counted.
pub(crate) fn hash_place(word: &str, columns: usize) -> usize {
    crc32fast::hash(word.as_bytes()) as usize % columns
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attributes::Conflict;

    fn people(rows: &[(&str, &str)]) -> Attributes {
        let mut people = Attributes::new(Conflict::FirstStands);
        for (row, (region, age)) in rows.iter().enumerate() {
            people.state(&format!("c{row}"), "region", region);
            people.state(&format!("c{row}"), "age", age);
        }
        people.typed()
    }

    #[test]
    fn words_that_were_not_seen_and_words_that_are_missing() {
        let train = people(&[("north", "1"), ("south", "2"), ("south", "3")]);
        let later = people(&[("west", "4"), ("", "5"), ("north", "6")]);
        let target = [10.0, 1.0, 3.0];
        for (encoding, expected) in [
            (Encoding::OneHot, vec![0.0, 0.0, 0.0, 0.0, 1.0, 0.0]),
            (Encoding::Ordinal, vec![-1.0, -1.0, 0.0]),
            (Encoding::Target(1.0), vec![14.0 / 3.0, 14.0 / 3.0, (10.0 + 14.0 / 3.0) / 2.0]),
        ] {
            let encoder = Encoder::fit(&train, &[("region", encoding)], Some(&target)).unwrap();
            assert_eq!(encoder.apply(&later).unwrap().as_slice(), expected, "{encoding:?}");
            let saved = serde_json::to_string(&encoder).unwrap();
            assert_eq!(serde_json::from_str::<Encoder>(&saved).unwrap(), encoder);
        }
        let hashed = Encoder::fit(&train, &[("region", Encoding::Hash(8))], None).unwrap();
        let columns = hashed.apply(&later).unwrap();
        assert_eq!([columns.row(0), columns.row(1)].map(|r| r.iter().sum::<f64>()), [1.0, 0.0]);
    }

    #[test]
    fn no_row_sees_its_own_target() {
        // Each customer a word of their own: in fold the encoding would be the target itself.
        let rows: Vec<(String, String)> = (0..20).map(|i| (format!("r{i}"), "1".into())).collect();
        let rows: Vec<(&str, &str)> = rows.iter().map(|(r, a)| (r.as_str(), a.as_str())).collect();
        let target: Vec<f64> = (0..20).map(f64::from).collect();
        let plan = [("region", Encoding::Target(0.0))];
        let (_, columns) = Encoder::fit_apply(&people(&rows), &plan, &target).unwrap();
        for (row, own) in target.iter().enumerate() {
            let others: Vec<f64> = target
                .iter()
                .enumerate()
                .filter(|(r, _)| r % FOLDS != row % FOLDS)
                .map(|(_, y)| *y)
                .collect();
            let mean = others.iter().sum::<f64>() / others.len() as f64;
            assert!((columns.row(row)[0] - mean).abs() < 1e-12, "{own}");
        }
    }

    #[test]
    fn what_cannot_be_encoded_is_refused_by_name() {
        let people = people(&[("north", "1"), ("south", "")]);
        let error = |plan: (&str, Encoding)| Encoder::fit(&people, &[plan], None).unwrap_err().to_string();
        assert!(error(("income", Encoding::OneHot)).contains("income"));
        assert!(error(("region", Encoding::Number(Fill::Mean))).contains("\"north\""));
        assert!(error(("region", Encoding::Target(1.0))).contains("target"));
        assert!(error(("region", Encoding::Hash(0))).contains("at least 1"));
        assert!(error(("age", Encoding::Number(Fill::With(f64::NAN)))).contains("finite"));
    }
}
