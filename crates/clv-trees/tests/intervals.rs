//! Do intervals hold what they say, for customers of whom many bring nothing and a few very much?

#![allow(clippy::unwrap_used)]

use clv_core::learn::{
    Bands, Chosen, Conformal, Distributed, QuantileBands, Regress, Rows, ScaledBands, holdout,
};
use clv_core::{Context, FeatureMatrix};
use clv_math::special::normal_quantile;
use clv_trees::{BoostedTrees, BoostedZiln, Loss, ZeroInflatedLognormal};
use rand::{RngExt, SeedableRng};

/// Customers drawn alike: what they bring hangs on two columns, the spread on one of them.
fn drawn(count: usize) -> (FeatureMatrix, Vec<f64>) {
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(23);
    let (mut columns, mut target) = (Vec::new(), Vec::new());
    for _ in 0..count {
        let (visits, age): (f64, f64) = (rng.random(), rng.random());
        let spend = ZeroInflatedLognormal { p: 0.3 + 0.6 * visits, mu: 2.0 + age, sigma: 0.3 + 0.8 * age };
        let z = normal_quantile(rng.random_range(1e-12..1.0));
        let bought = rng.random::<f64>() < spend.p;
        columns.extend([visits, age]);
        target.push(if bought { (spend.mu + spend.sigma * z).exp() } else { 0.0 });
    }
    (FeatureMatrix::new(vec!["visits".into(), "age".into()], columns).unwrap(), target)
}

/// Share of the rows within, and of those above 0.
fn coverage<B: Bands>(conformal: &Conformal<B>, rows: &Rows<'_>, level: f64) -> (f64, f64) {
    let mut scratch = Vec::new();
    let (mut all, mut buyers, mut bought) = (0, 0, 0);
    for (row, y) in rows.target().iter().enumerate() {
        let (low, high) = conformal.interval(rows.features().row(row), level, &mut scratch).unwrap();
        assert!(low >= 0.0 && low <= high);
        let inside = (low..=high).contains(y);
        all += usize::from(inside);
        bought += usize::from(*y > 0.0);
        buyers += usize::from(inside && *y > 0.0);
    }
    (all as f64 / rows.len() as f64, f64::from(buyers as u32) / f64::from(bought as u32))
}

#[test]
fn eighty_and_ninety_per_cent_are_held() {
    let (columns, target) = drawn(24_000);
    let all = Rows::new(&columns, &target).unwrap();
    let (known, new) = holdout(all.len(), 0.5, 1).unwrap();
    let (known, new) = (Chosen::of(&all, &known).unwrap(), Chosen::of(&all, &new).unwrap());
    let (known, new) = (known.rows().unwrap(), new.rows().unwrap());
    let cx = Context::default().seed(5);
    let trees = BoostedTrees::new().trees(80);
    let check = |what: &str, (coverage, buyers): (f64, f64), level: f64| {
        assert!((coverage - level).abs() < 0.02, "{what} {level}: {coverage}");
        // Those who bring something are the harder to hold, and must not be given up.
        assert!(buyers > level - 0.15, "{what} {level}: {buyers} of the buyers");
    };

    let spread = |rows: &Rows<'_>| ScaledBands::learn(&trees, &trees, rows, &cx);
    let split = Conformal::split(&known, 0.5, &cx, spread).unwrap();
    let cross = Conformal::cross(&known, 4, &cx, spread).unwrap();
    let ziln = BoostedZiln::new(trees.clone());
    let distribution = |rows: &Rows<'_>| Ok(Distributed(ziln.regress(rows, &cx)?.model));
    let distributed = Conformal::split(&known, 0.5, &cx, distribution).unwrap();
    for level in [0.8, 0.9] {
        check("split", coverage(&split, &new, level), level);
        check("cross", coverage(&cross, &new, level), level);
        check("distribution", coverage(&distributed, &new, level), level);
        let tails = [(1.0 - level) / 2.0, (1.0 + level) / 2.0];
        let quantile = |rows: &Rows<'_>, level| trees.clone().loss(Loss::Quantile(level)).regress(rows, &cx);
        let quantiles = Conformal::split(&known, 0.5, &cx, |rows| {
            Ok(QuantileBands { low: quantile(rows, tails[0])?.model, high: quantile(rows, tails[1])?.model })
        });
        check("quantiles", coverage(&quantiles.unwrap(), &new, level), level);
    }
}
