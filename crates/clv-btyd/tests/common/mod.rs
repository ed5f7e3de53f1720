//! Customers drawn from a model.

use clv_btyd::Process;
use clv_core::{Cells, Customers, TimeUnit};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The histories of customers observed for six tenths of a length to all of it, in weeks: the same for a seed and a stream.
pub(crate) fn drawn<P: Process>(
    truth: &P,
    customers: usize,
    length: f64,
    (seed, stream): (u64, u64),
) -> Cells {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(stream);
    let (mut x, mut t_x, mut ages, mut times) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..customers {
        let age = length * (0.6 + 0.4 * rng.random::<f64>());
        times.clear();
        truth.purchase_times(age, &mut rng, &mut times);
        x.push(times.len() as u32);
        t_x.push(times.last().copied().unwrap_or(0.0));
        ages.push(age);
    }
    Cells::of(&Customers::new(TimeUnit::Week, &x, &t_x, &ages, None).unwrap())
}
