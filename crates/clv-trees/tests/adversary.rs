//! Columns that each look the same and have moved together.

#![allow(clippy::unwrap_used)]

use clv_core::{Context, FeatureMatrix, drift};
use clv_trees::{BoostedTrees, Loss};
use rand::{RngExt, SeedableRng};

#[test]
fn what_moved_together_is_seen_and_what_did_not_is_not() {
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(3);
    let mut shape = |turned: bool| {
        let mut row = || {
            let [a, b, c]: [f64; 3] = rng.random();
            [a, if turned { 1.0 - a } else { a } + 0.1 * b, c]
        };
        let names = ["a", "b", "c"].map(String::from).to_vec();
        FeatureMatrix::new(names, (0..500).flat_map(|_| row()).collect()).unwrap()
    };
    let (before, moved, same) = (shape(false), shape(true), shape(false));
    let learner = BoostedTrees::new().loss(Loss::Logistic).min_leaf(1.0).unwrap().trees(60);
    let cx = Context::default();
    let moved = drift::adversary(&learner, &before, &moved, &cx).unwrap();
    assert!(moved.area > 0.9, "{moved:?}");
    // Column by column there is little to see.
    assert!(moved.columns.iter().all(|(_, area)| (area - 0.5).abs() < 0.1), "{moved:?}");
    let same = drift::adversary(&learner, &before, &same, &cx).unwrap();
    assert!((same.area - 0.5).abs() < 0.1, "{same:?}");
}
