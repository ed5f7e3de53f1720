//! GGom/NBD: against integration with forty digits, against Pareto/NBD that it becomes, and against its own futures.

#![allow(clippy::unwrap_used, clippy::excessive_precision)]

mod common;

use clv_btyd::{Future, GgomNbd, MaximumLikelihood, ParetoNbd, Process, PurchaseModel};
use clv_core::model::{Activity, PurchaseForecast};
use clv_core::{Cells, Context, History, TimeUnit};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Parameters; x, t_x, T; ln L, P(alive) and E[X(39)] given alive, by mpmath's quadrature with 40 digits.
#[test]
fn forty_digits() {
    for (p, (x, t, age), ln, alive, ahead) in [
        (
            [0.55, 10.6, 0.02, 0.6, 0.3],
            (2, 30.43, 38.86),
            -9.5687685982089047,
            0.82197713717497341,
            1.4913206479945226,
        ),
        (
            [0.55, 10.6, 0.02, 0.6, 0.3],
            (0, 0.0, 38.86),
            -0.53373631096675615,
            0.28106638522449294,
            0.32165739466548529,
        ),
        (
            [1.5, 5.0, 0.3, 2.0, 50.0],
            (5, 10.0, 40.0),
            -11.035696355346147,
            3.8159369716694374e-10,
            0.24078905638739743,
        ),
        (
            [0.8, 10.0, 0.02, 1.5, 4.0],
            (200, 30.0, 39.0),
            116.76656373378491,
            7.9329255942260624e-16,
            122.15038044334986,
        ),
        (
            [0.3, 5.0, 0.005, 0.6, 1.2],
            (1000, 38.0, 40.0),
            2135.1466253601043,
            1.5973278898787772e-16,
            824.41499571128469,
        ),
        (
            [2.0, 3.0, 1.5, 0.4, 0.01],
            (3, 2.0, 60.0),
            -6.5867914514371038,
            5.8043933540152891e-21,
            0.1322751322660334,
        ),
        (
            [0.7, 8.0, 0.4, 0.5, 1e6],
            (4, 20.0, 52.0),
            -13.831156925300996,
            0.0069166542756345619,
            0.39162698015085976,
        ),
    ] {
        let model = GgomNbd::from_values(&p).unwrap();
        let (found, p_alive) = (model.ln_likelihood(x, t, age), model.p_alive(x, t, age));
        assert!((found - ln).abs() < 1e-11 * ln.abs().max(1.0), "{p:?} {x}: {found} {ln}");
        assert!((p_alive / alive - 1.0).abs() < 1e-9, "{p:?} {x}: {p_alive} {alive}");
        let expected = model.given_alive(x, t, age).expected(0.0, 39.0);
        assert!((expected / ahead - 1.0).abs() < 1e-10, "{p:?} {x}: {expected} {ahead}");
    }
}

#[test]
fn without_ageing_it_is_pareto_nbd() {
    let b = 1e-9;
    let ggom = GgomNbd::new(0.553, 10.578, b, 0.606, 11.669 * b).unwrap();
    let pareto = ParetoNbd::new(0.553, 10.578, 0.606, 11.669).unwrap();
    for (x, t, age) in [(0, 0.0, 39.0), (2, 30.43, 38.86), (26, 30.9, 31.0), (150, 10.0, 39.0)] {
        let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-6 * b.abs().max(1e-3), "{x} {t}: {a} {b}");
        near(ggom.ln_likelihood(x, t, age), pareto.ln_likelihood(x, t, age));
        near(ggom.p_alive(x, t, age), pareto.p_alive(x, t, age));
        let (one, other) = (ggom.given_alive(x, t, age), pareto.given_alive(x, t, age));
        near(one.survival(52.0), other.survival(52.0));
        near(one.expected(0.0, 52.0), other.expected(0.0, 52.0));
        near(one.discounted_for_ever(0.01).unwrap(), other.discounted_for_ever(0.01).unwrap());
        for n in [0, 1, 5, 30] {
            near(one.probability_of(52.0, n), other.probability_of(52.0, n));
        }
    }
}

/// So small a β that `1 + (β − 1)` is 0: nobody stays, and everything comes to an end.
#[test]
fn the_smallest_beta() {
    let ggom = GgomNbd::new(0.5, 10.0, 0.02, 0.6, 1e-17).unwrap();
    let (_, future) = ggom.new_customer();
    let expected = future.expected(0.0, 52.0);
    assert!(expected.is_finite() && (0.0..1e-6).contains(&expected), "{expected}");
    assert!(ggom.ln_likelihood(1, 5.0, 20.0).is_finite());
    // Near Pareto/NBD to all digits that there are.
    let b = 1e-12;
    let ggom = GgomNbd::new(0.553, 10.578, b, 0.606, 11.669 * b).unwrap();
    let pareto = ParetoNbd::new(0.553, 10.578, 0.606, 11.669).unwrap();
    let (one, other) = (ggom.given_alive(2, 30.43, 38.86), pareto.given_alive(2, 30.43, 38.86));
    assert!((one.expected(0.0, 52.0) / other.expected(0.0, 52.0) - 1.0).abs() < 1e-9);
    assert!((ggom.p_alive(2, 30.43, 38.86) / pareto.p_alive(2, 30.43, 38.86) - 1.0).abs() < 1e-9);
}

#[test]
fn chances_add_up_to_one_and_to_the_expectation() {
    for (s, life, b) in
        [(0.6, 0.3, 0.02), (2.0, 50.0, 0.3), (0.4, 0.01, 1.5), (0.5, 1e6, 0.4), (8.0, 2.0, 0.001)]
    {
        let future = Future::LeavesAgeing { k: 2.5, rate: 30.0, s, life, b };
        let chances: Vec<f64> = (0..400).map(|n| future.probability_of(60.0, n)).collect();
        let total: f64 = chances.iter().sum();
        let mean: f64 = chances.iter().enumerate().map(|(n, p)| n as f64 * p).sum();
        let expected = future.expected(0.0, 60.0);
        assert!((total - 1.0).abs() < 1e-9, "{s} {life} {b}: {total}");
        assert!((mean / expected - 1.0).abs() < 1e-8, "{s} {life} {b}: {mean} {expected}");
        let parts = future.expected(0.0, 20.0) + future.expected(20.0, 60.0);
        assert!((parts / expected - 1.0).abs() < 1e-11);
        assert!(future.discounted_for_ever(0.0).unwrap() >= expected * (1.0 - 1e-12));
    }
}

#[test]
fn simulated_customers_are_found_again_and_buy_as_often_as_expected() {
    let truth = GgomNbd::new(0.9, 6.0, 0.06, 0.7, 8.0).unwrap();
    let drawn = common::in_steps(&truth, 30_000, 104.0);
    let (_, future) = truth.new_customer();
    let mean = drawn.iter().map(|row| f64::from(row.0)).sum::<f64>() / 30_000.0;
    let expected = drawn.iter().map(|row| future.expected(0.0, row.2)).sum::<f64>() / 30_000.0;
    assert!((mean / expected - 1.0).abs() < 0.03, "{mean} {expected}");
    let cells = common::cells(&drawn);
    let fit = MaximumLikelihood::<GgomNbd>::new();
    let found = fit.fit_cells(&cells, TimeUnit::Week, &Context::default()).unwrap();
    for (estimate, truth) in found.report.all_parameters().zip(truth.values()) {
        // On the logarithmic scale, where the likelihood is nearer to normal.
        let error = estimate.standard_error.unwrap() / estimate.value;
        assert!((estimate.value / truth).ln().abs() < 3.5 * error, "{estimate:?} {truth}");
    }
    // Later chances fall, and the model answers through the seam.
    let model = PurchaseModel::new(found.model.parameters().to_owned(), TimeUnit::Week);
    let history = History::new(6, 40.0, 80.0).unwrap();
    let alive = [0.0, 10.0, 60.0].map(|t| model.p_alive(&history, t).unwrap());
    assert!(alive[0] > alive[1] && alive[1] > alive[2], "{alive:?}");
    assert!(model.expected(&history, 0.0, 10.0).unwrap() > 0.0);
}

#[test]
fn cells_of_one_frequency_together_are_as_each_alone() {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let log_uniform = |low: f64, high: f64, rng: &mut ChaCha8Rng| {
        (low.ln() + rng.random::<f64>() * (high / low).ln()).exp()
    };
    for round in 0..300 {
        let wide = if round % 2 == 0 { 1e4 } else { 10.0 };
        let values: Vec<f64> = (0..5).map(|_| log_uniform(1.0 / wide, wide, &mut rng)).collect();
        let ggom = GgomNbd::from_values(&values).unwrap();
        let x = [1, 2, 7, 300, 20_000][round % 5];
        let cells = Cells {
            frequency: vec![x; 40],
            recency: (0..40).map(|i| f64::from(i % 8) * 7.3 + 0.1).collect(),
            age: (0..40).map(|i| f64::from(i % 8) * 7.3 + 0.1 + f64::from(i / 8) * 11.0).collect(),
            weight: vec![1.0; 40],
        };
        let together = ggom.derivatives(&cells);
        let mut alone = [0.0; 6];
        for i in 0..40 {
            let of = |v: &[f64]| vec![v[i]];
            let one = Cells {
                frequency: vec![x],
                recency: of(&cells.recency),
                age: of(&cells.age),
                weight: vec![1.0],
            };
            alone[0] += ggom.ln_likelihood(x, cells.recency[i], cells.age[i]);
            let slope = ggom.derivatives(&one).gradient;
            (0..5).for_each(|p| alone[p + 1] += slope[p]);
        }
        assert!(
            (together.value - alone[0]).abs() <= 1e-10 * alone[0].abs().max(40.0),
            "{values:?} {x}: {} {}",
            together.value,
            alone[0]
        );
        for p in 0..5 {
            // In units of the parameter; sums of terms of both signs.
            let (one, other) = (together.gradient[p] * values[p], alone[p + 1] * values[p]);
            let size = 40.0 * (1.0 + f64::from(x) + values[0] + values[3]);
            assert!((one - other).abs() <= 1e-8 * size, "{values:?} {x} {p}: {one} {other}");
        }
    }
}
