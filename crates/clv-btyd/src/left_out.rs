//! How likely customers are who were left out: cross-validation over folds of customers.

use clv_core::Error;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

/// Customers dealt into folds by chance.
pub(crate) struct LeftOut {
    order: Vec<usize>,
    folds: usize,
}

impl LeftOut {
    /// So many folds of the customers of a summary.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] for fewer than 2 folds.
    pub(crate) fn new(customers: usize, folds: usize, seed: u64) -> Result<Self, Error> {
        if folds < 2 {
            return Err(Error::Setting { name: "folds", given: folds as f64, allowed: "at least 2" });
        }
        let mut order: Vec<usize> = (0..customers).collect();
        order.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
        Ok(Self { order, folds })
    }

    /// The mean of what `of` says of each customer left out: it learns from the first rows, and tells the sum of the second; none if a fold had no
    /// estimate.
    pub(crate) fn mean(
        &self,
        mut of: impl FnMut(&[usize], &[usize]) -> Result<Option<f64>, Error>,
    ) -> Result<Option<f64>, Error> {
        let mut sum = Some(0.0);
        for fold in 0..self.folds {
            let (mut learned, mut judged) = (Vec::new(), Vec::new());
            for (place, &row) in self.order.iter().enumerate() {
                if place % self.folds == fold { judged.push(row) } else { learned.push(row) }
            }
            sum = sum.zip(of(&learned, &judged)?).map(|(sum, one)| sum + one);
        }
        Ok(sum.map(|sum| sum / self.order.len() as f64))
    }
}

/// The setting with the highest score, of those that have one.
///
/// # Errors
///
/// [`Error::NoEstimate`] if none has.
pub(crate) fn best(
    model: &'static str,
    scores: impl Iterator<Item = (f64, Option<f64>)>,
    why: &'static str,
) -> Result<f64, Error> {
    let scored = scores.filter_map(|(setting, score)| Some((setting, score?)));
    let best = scored.max_by(|a, b| a.1.total_cmp(&b.1));
    best.map(|(setting, _)| setting).ok_or(Error::NoEstimate { model, why })
}
