//! How sure is a score? Intervals by drawing customers again.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::Pairs;
use crate::error::{Error, Result};

/// A score with a percentile interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// On the data themselves.
    pub estimate: f64,
    /// Lower end.
    pub lower: f64,
    /// Upper end.
    pub upper: f64,
}

/// Interval of a metric over `draws` samples of customers with replacement (Efron 1979, percentile
/// method). The same seed gives the same interval.
///
/// A sample on which the metric is undefined is left out; `None` if it is undefined on the data or
/// on more than half of the samples.
///
/// # Errors
///
/// [`Error::Setting`] unless `draws` is at least 2 and `level` lies in `(0, 1)`.
pub fn interval(
    pairs: &Pairs<'_>,
    metric: impl Fn(&Pairs<'_>) -> Option<f64>,
    draws: usize,
    level: f64,
    seed: u64,
) -> Result<Option<Interval>> {
    let weights = pairs.weights.map_or_else(|| vec![1.0; pairs.len()], <[f64]>::to_vec);
    interval_by_weights(
        &weights,
        |weights| metric(&Pairs { weights: Some(weights), ..*pairs }),
        draws,
        level,
        seed,
    )
}

/// The same of any metric that takes a weight for each customer: a confusion matrix, a coverage.
///
/// # Errors
///
/// As [`interval`].
pub fn interval_by_weights(
    weights: &[f64],
    metric: impl Fn(&[f64]) -> Option<f64>,
    draws: usize,
    level: f64,
    seed: u64,
) -> Result<Option<Interval>> {
    if draws < 2 {
        return Err(Error::Setting { name: "bootstrap draws", given: draws as f64, allowed: "at least 2" });
    }
    if !(level > 0.0 && level < 1.0) {
        return Err(Error::Setting { name: "level", given: level, allowed: "between 0 and 1 (0.95 is 95%)" });
    }
    let Some(estimate) = metric(weights) else { return Ok(None) };
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut scores = Vec::with_capacity(draws);
    let mut drawn = vec![0.0; weights.len()];
    for _ in 0..draws {
        drawn.fill(0.0);
        for _ in 0..weights.len() {
            let row = rng.random_range(0..weights.len());
            drawn[row] += weights[row];
        }
        if drawn.iter().any(|w| *w > 0.0) {
            scores.extend(metric(&drawn).filter(|s| s.is_finite()));
        }
    }
    if scores.len() * 2 < draws {
        return Ok(None);
    }
    scores.sort_unstable_by(f64::total_cmp);
    let at = |p: f64| scores[((scores.len() - 1) as f64 * p).round() as usize];
    let tail = 0.5 * (1.0 - level);
    Ok(Some(Interval { estimate, lower: at(tail), upper: at(1.0 - tail) }))
}

#[cfg(test)]
mod tests {
    use super::super::errors::mae;
    use super::*;

    #[test]
    fn interval_of_a_mean_has_the_width_of_its_standard_error() {
        let y: Vec<f64> = (0..400).map(|i| f64::from(i % 20)).collect();
        let p = vec![0.0; 400];
        let pairs = Pairs::new(&y, &p).unwrap();
        let metric = |q: &Pairs<'_>| Some(mae(q));
        let i = interval(&pairs, metric, 2000, 0.95, 7).unwrap().unwrap();
        // Standard deviation of 0..19 is 5.766; 1.96 × 5.766 / √400 = 0.565.
        assert!((i.estimate - 9.5).abs() < 1e-12);
        assert!((i.upper - i.lower - 2.0 * 0.565).abs() < 0.1, "{i:?}");
        assert_eq!(interval(&pairs, metric, 2000, 0.95, 7).unwrap(), Some(i));
        // Precision of a class, by weights.
        let (actual, forecast): (Vec<usize>, Vec<usize>) =
            (0..400).map(|i| (i % 2, usize::from(i % 4 > 0))).unzip();
        let precision = |w: &[f64]| {
            super::super::classes::Confusion::of(2, &actual, &forecast, Some(w)).ok()?.precision(1)
        };
        let i = interval_by_weights(&[1.0; 400], precision, 500, 0.95, 7).unwrap().unwrap();
        assert!(i.lower < 2.0 / 3.0 && 2.0 / 3.0 < i.upper && i.upper - i.lower < 0.15, "{i:?}");
        assert!(
            interval(&pairs, metric, 1, 0.95, 7).is_err() && interval(&pairs, metric, 10, 1.0, 7).is_err()
        );
    }
}
