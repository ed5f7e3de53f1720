//! Two clusterings of the same customers: do they agree, and how have the customers moved?

use clv_core::{Context, Error, FeatureMatrix};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::KMeans;

/// Adjusted Rand index of two clusterings of the same rows (Hubert and Arabie 1985): 1 if they are the same
/// but for the numbers, about 0 if they have nothing to do with each other.
///
/// # Errors
///
/// [`Error::Length`] unless both have the same rows.
///
/// ```
/// use clv_cluster::adjusted_rand;
/// assert_eq!(adjusted_rand(&[0, 0, 1, 1], &[1, 1, 0, 0])?, 1.0);
/// assert!((adjusted_rand(&[0, 0, 1, 1], &[0, 1, 0, 1])? + 0.5).abs() < 1e-12);
/// # Ok::<(), clv_core::Error>(())
/// ```
pub fn adjusted_rand(a: &[usize], b: &[usize]) -> Result<f64, Error> {
    let table = Moves::between(a, b)?;
    let pairs = |n: f64| n * (n - 1.0) / 2.0;
    let both: f64 = table.counts.iter().map(|n| pairs(*n as f64)).sum();
    let of = |sums: Vec<usize>| sums.into_iter().map(|n| pairs(n as f64)).sum::<f64>();
    let (of_a, of_b) = (of(table.before()), of(table.after()));
    let expected = of_a * of_b / pairs(a.len() as f64);
    let most = (of_a + of_b) / 2.0;
    // One cluster each, or all alone in both: there is nothing to disagree on.
    Ok(if most == expected || a.len() < 2 { 1.0 } else { (both - expected) / (most - expected) })
}

/// Customers by their segment at an earlier and a later time.
#[derive(Clone, Debug, PartialEq)]
pub struct Moves {
    /// Number of segments before, and after.
    pub segments: (usize, usize),
    counts: Vec<usize>,
}

impl Moves {
    /// Counts customers by segment before (row) and after (column).
    ///
    /// # Errors
    ///
    /// [`Error::Length`] unless both have the same customers.
    pub fn between(before: &[usize], after: &[usize]) -> Result<Self, Error> {
        if before.len() != after.len() {
            return Err(Error::Length { column: "segments", given: after.len(), expected: before.len() });
        }
        let count = |of: &[usize]| of.iter().max().map_or(0, |c| c + 1);
        let segments = (count(before), count(after));
        let mut counts = vec![0; segments.0 * segments.1];
        for (b, a) in before.iter().zip(after) {
            counts[b * segments.1 + a] += 1;
        }
        Ok(Self { segments, counts })
    }

    /// Customers who were in one segment and are in another.
    pub fn count(&self, before: usize, after: usize) -> usize {
        let known = before < self.segments.0 && after < self.segments.1;
        if known { self.counts[before * self.segments.1 + after] } else { 0 }
    }

    /// Of those who were in a segment, the share that is now in each; `None` for an empty one.
    pub fn shares(&self, before: usize) -> Option<Vec<f64>> {
        let row = self.counts.chunks_exact(self.segments.1.max(1)).nth(before)?;
        let all: usize = row.iter().sum();
        (all > 0).then(|| row.iter().map(|n| *n as f64 / all as f64).collect())
    }

    /// Size of each segment before.
    pub fn before(&self) -> Vec<usize> {
        (0..self.segments.0).map(|b| (0..self.segments.1).map(|a| self.count(b, a)).sum()).collect()
    }

    /// Size of each segment after.
    pub fn after(&self) -> Vec<usize> {
        (0..self.segments.1).map(|a| (0..self.segments.0).map(|b| self.count(b, a)).sum()).collect()
    }

    /// Population stability index of the segments' sizes, `Σ (q − p) ln(q / p)`, an empty segment counting as
    /// one in ten thousand: by custom below 0.1 is nothing, above 0.25 a shift to act on.
    pub fn stability_index(&self) -> f64 {
        let all: usize = self.counts.iter().sum();
        let share = |sizes: &[usize], s: usize| {
            (sizes.get(s).copied().unwrap_or(0) as f64 / all.max(1) as f64).max(1e-4)
        };
        let (before, after) = (self.before(), self.after());
        let part = |s: usize| {
            let (p, q) = (share(&before, s), share(&after, s));
            (q - p) * (q / p).ln()
        };
        (0..self.segments.0.max(self.segments.1)).map(part).sum()
    }
}

impl KMeans {
    /// How far clusters are those of the customers rather than of chance: the mean adjusted Rand index, over
    /// all rows, of pairs of clusterings each learned from rows drawn with replacement (Fang and Wang 2012).
    /// Near 1 they come back whoever is drawn; try several numbers of clusters.
    ///
    /// # Errors
    ///
    /// As [`KMeans::cluster`]; [`Error::Setting`] for no pair.
    pub fn stability(&self, rows: &FeatureMatrix, pairs: usize, cx: &Context<'_>) -> Result<f64, Error> {
        if pairs == 0 {
            return Err(Error::Setting { name: "pairs", given: 0.0, allowed: "at least 1" });
        }
        let mut rng = ChaCha8Rng::seed_from_u64(cx.seed_value());
        let mut learned = || -> Result<Vec<usize>, Error> {
            let drawn: Vec<usize> = (0..rows.rows()).map(|_| rng.random_range(0..rows.rows())).collect();
            self.cluster(&rows.select(&drawn)?, cx)?.assign(rows)
        };
        let mut sum = 0.0;
        for _ in 0..pairs {
            sum += adjusted_rand(&learned()?, &learned()?)?;
        }
        Ok(sum / pairs as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agreement_by_hand() {
        // scikit-learn 1.9.1: adjusted_rand_score([0,0,1,1,2,2], [0,0,1,2,2,2]).
        let index = adjusted_rand(&[0, 0, 1, 1, 2, 2], &[0, 0, 1, 2, 2, 2]).unwrap();
        assert!((index - 0.4444444444444444).abs() < 1e-12, "{index}");
        assert_eq!(adjusted_rand(&[0; 4], &[3; 4]).unwrap(), 1.0);
        assert!(adjusted_rand(&[0], &[0, 1]).is_err());
    }

    #[test]
    fn moves_add_up() {
        let moves = Moves::between(&[0, 0, 0, 1], &[0, 2, 2, 1]).unwrap();
        assert_eq!((moves.count(0, 2), moves.before(), moves.after()), (2, vec![3, 1], vec![1, 1, 2]));
        assert_eq!(moves.shares(0), Some(vec![1.0 / 3.0, 0.0, 2.0 / 3.0]));
        // A segment that is gone, or never was.
        assert_eq!((moves.count(0, 3), moves.count(2, 0), moves.shares(4)), (0, 0, None));
        assert!(moves.stability_index() > 0.25);
        assert_eq!(Moves::between(&[0, 1], &[0, 1]).unwrap().stability_index(), 0.0);
    }

    #[test]
    fn heaps_that_are_there_come_back_and_those_that_are_not_do_not() {
        let x = |i: u32| f64::from(i * 37 % 20) + f64::from(i % 3) * 100.0;
        let heaps = FeatureMatrix::new(vec!["x".into()], (0..150).map(x).collect()).unwrap();
        let cx = Context::default();
        let stability = |k| KMeans::new(k).unwrap().stability(&heaps, 5, &cx).unwrap();
        assert!(stability(3) > 0.99 && stability(5) < 0.95, "{} {}", stability(3), stability(5));
    }
}
