//! Customers drawn from a model.

// Each test takes what it needs.
#![allow(dead_code)]

use clv_btyd::Process;
use clv_core::{Cells, Customers, History, TimeUnit};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Frequency, recency and age of each customer, as the model tells them: no merging by day.
pub(crate) type Histories = Vec<(u32, f64, f64)>;

/// Customers observed for an age each.
pub(crate) fn histories<P: Process>(
    truth: &P,
    customers: usize,
    mut rng: ChaCha8Rng,
    mut age: impl FnMut(usize, &mut ChaCha8Rng) -> f64,
) -> Histories {
    let one = |i: usize| {
        let age = age(i, &mut rng);
        let History { frequency, recency, age, .. } = truth.draw_history(age, &mut rng);
        (frequency, recency, age)
    };
    (0..customers).map(one).collect()
}

pub(crate) fn cells(histories: &[(u32, f64, f64)]) -> Cells {
    let x: Vec<u32> = histories.iter().map(|row| row.0).collect();
    let t_x: Vec<f64> = histories.iter().map(|row| row.1).collect();
    let age: Vec<f64> = histories.iter().map(|row| row.2).collect();
    Cells::of(&Customers::new(TimeUnit::Week, &x, &t_x, &age, None).unwrap())
}

/// Customers observed for six tenths of a length to all of it, in weeks: the same for a seed and a stream.
pub(crate) fn drawn<P: Process>(
    truth: &P,
    customers: usize,
    length: f64,
    (seed, stream): (u64, u64),
) -> Cells {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(stream);
    cells(&histories(truth, customers, rng, |_, rng| length * (0.6 + 0.4 * rng.random::<f64>())))
}

/// The same, of forty ages.
pub(crate) fn in_steps<P: Process>(truth: &P, customers: usize, length: f64) -> Histories {
    let rng = ChaCha8Rng::seed_from_u64(8);
    histories(truth, customers, rng, |i, _| length * (0.6 + 0.4 * (i % 40) as f64 / 40.0))
}
