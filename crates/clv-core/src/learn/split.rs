//! Rows to learn from, and rows to be judged by.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::error::{Error, Result};

/// Draws a share of rows by chance to be judged by, and leaves the others to learn from: `(train, test)`,
/// each in the order of the rows. The same seed draws the same rows.
///
/// This is for tables without time. Where there is time, train on what came before and judge by what
/// came after ([`crate::backtest`]): rows drawn by chance let the future of one customer speak for the
/// past of another.
///
/// # Errors
///
/// [`Error::Setting`] unless the share is between 0 and 1, [`Error::TooLittleData`] if either side would
/// be empty.
///
/// ```
/// let (train, test) = clv_core::learn::holdout(10, 0.2, 42)?;
/// assert_eq!((train.len(), test.len()), (8, 2));
/// assert_eq!((train, test), clv_core::learn::holdout(10, 0.2, 42)?);
/// # Ok::<(), clv_core::Error>(())
/// ```
pub fn holdout(rows: usize, share: f64, seed: u64) -> Result<(Vec<usize>, Vec<usize>)> {
    if !(0.0..=1.0).contains(&share) {
        return Err(Error::Setting { name: "share", given: share, allowed: "0 to 1" });
    }
    let count = (rows as f64 * share).round() as usize;
    if count == 0 || count == rows {
        let needs = "rows on both sides of the split";
        return Err(Error::TooLittleData { model: "a holdout", needs, found: rows });
    }
    let mut order: Vec<usize> = (0..rows).collect();
    order.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    let (test, train) = order.split_at_mut(count);
    test.sort_unstable();
    train.sort_unstable();
    Ok((train.to_vec(), test.to_vec()))
}
