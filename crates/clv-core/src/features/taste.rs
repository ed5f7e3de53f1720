//! Products and words as points, near each other if the same customers want them.

use std::collections::{BTreeMap, BTreeSet};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::cut::Cut;
use crate::error::{Error, Result};
use crate::events::{EventKind, EventLog};
use crate::log::TransactionLog;
use crate::units::Moment;

/// Latent semantic analysis (Deerwester et al. 1990) of what customers want: products bought or words searched.
///
/// Let `A` have a row for each customer and a column for each product, `ln(1 + n / n_p)` where the customer
/// has bought the product (`n` customers, `n_p` of them buyers of it), each row scaled to length 1. `A ≈ U Σ Vᵀ` with
/// as many dimensions as asked for (or as there are, if those are fewer), which are the directions in which products are bought together. A product is its row of
/// `V Σ`, a customer the projection of their row on `V`, scaled to length 1.
///
/// It is learned as of a cut, kept with whatever uses it, and asked about later customers; products and words
/// that it has not seen, or only with one customer, say nothing.
///
/// ```
/// use clv_core::{Cut, Grain, LogBuilder, Moment, Transaction, features::Taste};
///
/// let mut log = LogBuilder::new();
/// for (customer, product) in [("a", "tea"), ("a", "pot"), ("b", "tea"), ("b", "pot"), ("c", "nail"), ("c", "saw"), ("d", "nail"), ("d", "saw")] {
///     log.push(Transaction { product: Some(product), ..Transaction::new(customer, Moment::parse_date("2024-01-05")?) })?;
/// }
/// let cut = Cut::end_of(Moment::parse_date("2024-01-31")?, Grain::Day);
/// let taste = Taste::of_products(&log.finish(), cut, 2)?;
/// assert!(taste.similarity("tea", "pot").unwrap() > 0.99);
/// assert!(taste.similarity("tea", "saw").unwrap().abs() < 0.01);
/// assert_eq!(taste.nearest("saw", 1)[0].0, "nail");
/// # Ok::<(), clv_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Taste {
    dims: usize,
    /// The first moment that it has not seen.
    until: Moment,
    places: BTreeMap<String, usize>,
    /// `ln(1 + n / n_p)`.
    weights: Vec<f64>,
    /// `V`, a row for each word.
    axes: Vec<f64>,
    /// `Σ`.
    sizes: Vec<f64>,
}

/// Enough for directions that matter: each sweep shrinks what is foreign to them by the square of a ratio of sizes.
const SWEEPS: usize = 40;
/// A direction whose square is less than this share of the first one's is rounding.
const NOTHING: f64 = 1e-12;
/// Directions carried along beyond those asked for, so that the last of these converge as well.
const SPARE: usize = 4;

impl Taste {
    /// Of the products that customers bought up to a cut.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] for no dimensions; [`Error::TooLittleData`] if there are not more products than
    /// dimensions that two customers have bought.
    pub fn of_products(log: &TransactionLog, cut: Cut, dims: usize) -> Result<Self> {
        let rows = (0..log.len()).filter(|&row| cut.is_past(log.time()[row]));
        Self::of(rows.filter_map(|row| Some((log.customer()[row], log.product(row)?))), cut, dims)
    }

    /// Of the words that customers searched for up to a cut.
    ///
    /// # Errors
    ///
    /// As [`Taste::of_products`].
    pub fn of_searches(events: &EventLog, cut: Cut, dims: usize) -> Result<Self> {
        let searches = events.as_of(&cut).filter(|event| event.kind == EventKind::Searched);
        let pairs: Vec<(u32, String)> = searches
            .filter_map(|event| Some((events.customers().find(event.customer)?, event.subject?)))
            .flat_map(|(who, words)| keywords(words).map(move |word| (who, word)))
            .collect();
        Self::of(pairs.iter().map(|(who, word)| (*who, word.as_str())), cut, dims)
    }

    pub(super) fn of<'a>(pairs: impl Iterator<Item = (u32, &'a str)>, cut: Cut, dims: usize) -> Result<Self> {
        if dims == 0 {
            return Err(Error::Setting { name: "dimensions", given: 0.0, allowed: "at least 1" });
        }
        let mut wanted: BTreeMap<u32, BTreeSet<&str>> = BTreeMap::new();
        for (who, word) in pairs {
            wanted.entry(who).or_default().insert(word);
        }
        let mut buyers: BTreeMap<&str, usize> = BTreeMap::new();
        wanted.values().flatten().for_each(|word| *buyers.entry(word).or_default() += 1);
        buyers.retain(|_, count| *count > 1);
        if buyers.len() <= dims {
            let needs = "more products or words than dimensions, each of at least two customers";
            return Err(Error::TooLittleData { model: "a taste", needs, found: buyers.len() });
        }
        let places: BTreeMap<String, usize> =
            buyers.keys().enumerate().map(|(place, word)| ((*word).to_owned(), place)).collect();
        let n = wanted.len() as f64;
        let weights: Vec<f64> = buyers.values().map(|count| (n / *count as f64).ln_1p()).collect();
        // A, row by row, the columns that are not 0.
        let mut rows: Vec<Vec<(usize, f64)>> = Vec::with_capacity(wanted.len());
        for words in wanted.values() {
            let mut row: Vec<(usize, f64)> =
                words.iter().filter_map(|word| places.get(*word)).map(|&p| (p, weights[p])).collect();
            let length = row.iter().map(|(_, w)| w * w).sum::<f64>().sqrt();
            row.iter_mut().for_each(|(_, w)| *w /= length);
            rows.push(row);
        }

        let width = (dims + SPARE).min(places.len());
        // Any start but one at a right angle to what is looked for will do; a fixed one gives the same answer always.
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut v: Vec<f64> = (0..places.len() * width).map(|_| rng.random::<f64>() - 0.5).collect();
        let mut squares = orthonormal(&mut v, width);
        for _ in 0..SWEEPS {
            let mut next = vec![0.0; v.len()];
            let mut projected = vec![0.0; width];
            for row in &rows {
                projected.fill(0.0);
                for &(place, value) in row {
                    let axes = &v[place * width..][..width];
                    projected.iter_mut().zip(axes).for_each(|(sum, axis)| *sum += value * axis);
                }
                for &(place, value) in row {
                    let axes = &mut next[place * width..][..width];
                    axes.iter_mut().zip(&projected).for_each(|(sum, p)| *sum += value * p);
                }
            }
            v = next;
            squares = orthonormal(&mut v, width);
        }
        // The iteration grows each direction by its eigenvalue of AᵀA, the square of its size. Directions that do not
        // exist have grown by rounding alone.
        let sizes: Vec<f64> = squares
            .iter()
            .take(dims)
            .take_while(|square| **square > NOTHING * squares[0])
            .map(|square| square.sqrt())
            .collect();
        let dims = sizes.len();
        let mut axes = vec![0.0; places.len() * dims];
        for d in 0..dims {
            let column = |place: usize| v[place * width + d];
            let most =
                (0..places.len()).map(column).max_by(|a, b| a.abs().total_cmp(&b.abs())).unwrap_or(1.0);
            (0..places.len()).for_each(|place| axes[place * dims + d] = column(place) * most.signum());
        }
        Ok(Self { dims, until: cut.end(), places, weights, axes, sizes })
    }

    /// How many dimensions: what was asked for, or what the data have.
    pub fn dims(&self) -> usize {
        self.dims
    }

    /// The end of what it was learned from: the first moment that it has not seen.
    pub fn until(&self) -> Moment {
        self.until
    }

    /// Eight digits that tell it from a taste with other axes.
    pub fn mark(&self) -> String {
        let mut hash = crc32fast::Hasher::new();
        self.places.keys().for_each(|word| {
            hash.update(word.as_bytes());
            hash.update(&[0]);
        });
        self.weights.iter().chain(&self.axes).for_each(|v| hash.update(&v.to_le_bytes()));
        format!("{:08x}", hash.finalize())
    }

    /// Where somebody stands who wants these, each counted once: a point at distance 1, or nothing if none of them is known.
    pub fn of_customer<'a>(&self, words: impl IntoIterator<Item = &'a str>) -> Option<Vec<f64>> {
        let known: BTreeSet<usize> =
            words.into_iter().filter_map(|word| self.places.get(word).copied()).collect();
        let mut point = vec![0.0; self.dims];
        for place in known {
            let axes = &self.axes[place * self.dims..][..self.dims];
            point.iter_mut().zip(axes).for_each(|(sum, axis)| *sum += self.weights[place] * axis);
        }
        let length = point.iter().map(|v| v * v).sum::<f64>().sqrt();
        if length < 1e-12 {
            return None;
        }
        point.iter_mut().for_each(|v| *v /= length);
        Some(point)
    }

    /// How alike two products or words are, from −1 to 1; nothing if one is not known.
    pub fn similarity(&self, one: &str, other: &str) -> Option<f64> {
        cosine(&self.point(*self.places.get(one)?), &self.point(*self.places.get(other)?))
    }

    /// The most alike, at most so many, with how alike they are.
    pub fn nearest(&self, word: &str, count: usize) -> Vec<(&str, f64)> {
        let Some(&own) = self.places.get(word) else { return Vec::new() };
        let own_point = self.point(own);
        let mut others: Vec<(&str, f64)> = self
            .places
            .iter()
            .filter(|(_, place)| **place != own)
            .filter_map(|(name, &place)| Some((name.as_str(), cosine(&own_point, &self.point(place))?)))
            .collect();
        others.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(b.0)));
        others.truncate(count);
        others
    }

    fn point(&self, place: usize) -> Vec<f64> {
        let axes = &self.axes[place * self.dims..][..self.dims];
        axes.iter().zip(&self.sizes).map(|(axis, size)| axis * size).collect()
    }
}

/// The words of a search, in lower case.
pub(super) fn keywords(words: &str) -> impl Iterator<Item = String> {
    words.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_lowercase)
}

/// The cosine of the angle between two points; nothing if one of them is the origin.
pub(super) fn cosine(a: &[f64], b: &[f64]) -> Option<f64> {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let lengths = (dot(a, a) * dot(b, b)).sqrt();
    (lengths > 1e-300).then(|| dot(a, b) / lengths)
}

/// Makes the columns of a matrix, stored row by row, orthonormal (Gram and Schmidt, modified), and tells how long
/// each was once the ones before it had been taken out.
fn orthonormal(matrix: &mut [f64], width: usize) -> Vec<f64> {
    let mut lengths = Vec::with_capacity(width);
    for column in 0..width {
        // Twice, as the first pass leaves rounding behind.
        for _ in 0..2 {
            for before in 0..column {
                let dot: f64 = matrix.chunks_exact(width).map(|row| row[column] * row[before]).sum();
                matrix.chunks_exact_mut(width).for_each(|row| row[column] -= dot * row[before]);
            }
        }
        let length = matrix.chunks_exact(width).map(|row| row[column] * row[column]).sum::<f64>().sqrt();
        // What is left of a direction that does not exist is rounding, and stays short.
        let scale = if length > 1e-150 { 1.0 / length } else { 0.0 };
        matrix.chunks_exact_mut(width).for_each(|row| row[column] *= scale);
        lengths.push(length);
    }
    lengths
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Grain;
    use crate::{LogBuilder, Transaction};

    fn bought(pairs: &[(&str, &str)]) -> TransactionLog {
        let mut log = LogBuilder::new();
        for (customer, product) in pairs {
            let row = Transaction::new(customer, Moment::from_days(1));
            log.push(Transaction { product: Some(product), ..row }).unwrap();
        }
        log.finish()
    }

    fn cut() -> Cut {
        Cut::end_of(Moment::from_days(5), Grain::Day)
    }

    /// numpy.linalg.svd of the same matrix.
    #[test]
    fn sizes_and_similarities_of_a_singular_value_decomposition() {
        let pairs = [
            ("a", "p"),
            ("a", "q"),
            ("b", "p"),
            ("b", "q"),
            ("b", "r"),
            ("c", "q"),
            ("c", "r"),
            ("d", "r"),
            ("d", "s"),
            ("e", "s"),
        ];
        let taste = Taste::of_products(&bought(&pairs), cut(), 2).unwrap();
        let a = |p: &str| taste.similarity("p", p).unwrap();
        for (found, expected) in [
            (taste.sizes[0], 1.59409849),
            (taste.sizes[1], 1.30283705),
            (a("q"), 0.99289459),
            (a("r"), 0.75686799),
            (a("s"), -0.12010723),
        ] {
            assert!((found - expected).abs() < 1e-7, "{found} {expected}");
        }
        let customer = taste.of_customer(["p", "q", "p", "unknown"]).unwrap();
        assert!((customer.iter().map(|v| v * v).sum::<f64>() - 1.0).abs() < 1e-12);
        assert_eq!(taste.of_customer(["unknown"]), None);
        assert_eq!(taste.nearest("p", 1)[0].0, "q");
        assert!(taste.similarity("p", "unknown").is_none() && taste.nearest("unknown", 3).is_empty());
        // Two pairs of products that only go together are two directions, whatever is asked for.
        let pairs = [("a", "p", "q"), ("b", "p", "q"), ("c", "r", "s"), ("d", "r", "s")];
        let pairs: Vec<_> =
            pairs.iter().flat_map(|(who, one, other)| [(*who, *one), (*who, *other)]).collect();
        let narrow = Taste::of_products(&bought(&pairs), cut(), 3).unwrap();
        assert_eq!((narrow.dims(), narrow.axes.len()), (2, 8));
        assert_ne!(narrow.mark(), taste.mark());
    }

    #[test]
    fn too_few_and_none_are_refused() {
        let one = bought(&[("a", "p"), ("b", "p"), ("a", "q")]);
        assert!(Taste::of_products(&one, cut(), 1).is_err(), "only one product has two buyers");
        assert!(Taste::of_products(&one, cut(), 0).is_err());
    }

    #[test]
    fn what_comes_after_the_cut_is_not_seen() {
        let pairs = [("a", "p"), ("a", "q"), ("b", "p"), ("b", "q"), ("c", "q"), ("c", "p")];
        let mut log = bought(&pairs);
        let known = Taste::of_products(&log, cut(), 1).unwrap();
        let mut later = LogBuilder::new();
        for (i, (customer, product)) in pairs.iter().chain(&[("d", "z"), ("e", "z"), ("d", "p")]).enumerate()
        {
            let when = Moment::from_days(if i < pairs.len() { 1 } else { 9 });
            let row = Transaction::new(customer, when);
            later.push(Transaction { product: Some(product), ..row }).unwrap();
        }
        log = later.finish();
        assert_eq!(Taste::of_products(&log, cut(), 1).unwrap(), known);
    }
}
