//! Gradients and Hessians against the likelihood itself.

#![allow(clippy::unwrap_used)]

use clv_btyd::{BgCnbd, BgNbd, GgomNbd, MbgCnbd, MbgNbd, Nbd, ParetoNbd, Process, Scale};
use clv_core::Cells;

/// Histories of every kind: nobody back, just bought, one long gap, hundreds of purchases.
fn cells() -> Cells {
    let rows: [(u32, f64, f64, f64); 9] = [
        (0, 0.0, 0.5, 3.0),
        (0, 0.0, 39.0, 100.0),
        (0, 0.0, 400.0, 1.0),
        (1, 0.01, 38.0, 2.0),
        (1, 38.0, 38.0, 5.0),
        (3, 10.0, 26.5, 7.0),
        (12, 30.0, 31.0, 2.0),
        (80, 20.0, 60.0, 1.0),
        (400, 38.0, 40.0, 1.0),
    ];
    Cells {
        frequency: rows.iter().map(|r| r.0).collect(),
        recency: rows.iter().map(|r| r.1).collect(),
        age: rows.iter().map(|r| r.2).collect(),
        weight: rows.iter().map(|r| r.3).collect(),
    }
}

fn check<P: Process>(points: &[&[f64]]) {
    let cells = cells();
    let n = P::PARAMETERS.len();
    for &point in points {
        let process = P::from_values(point).unwrap();
        let d = process.derivatives(&cells);
        let direct: f64 = (0..cells.len())
            .map(|i| {
                cells.weight[i] * process.ln_likelihood(cells.frequency[i], cells.recency[i], cells.age[i])
            })
            .sum();
        assert!((d.value - direct).abs() <= 1e-11 * direct.abs(), "{point:?}: {} {direct}", d.value);
        let at = |i: usize, by: f64| {
            let mut moved = point.to_vec();
            moved[i] *= 1.0 + by;
            P::from_values(&moved).unwrap().derivatives(&cells)
        };
        // What is searched for stands before what is chosen.
        let searched = P::PARAMETERS.iter().filter(|p| p.scale != Scale::Count).count();
        for i in 0..searched {
            // Five-point differences: error h⁴.
            let h = 1e-3;
            let difference = |f: &dyn Fn(f64) -> f64| {
                (f(-2.0 * h) - 8.0 * f(-h) + 8.0 * f(h) - f(2.0 * h)) / (12.0 * h * point[i])
            };
            let slope = difference(&|by| at(i, by).value);
            let scale = d.gradient[i].abs().max(1e-4 * d.value.abs() / point[i]);
            assert!(
                (slope - d.gradient[i]).abs() <= 1e-7 * scale,
                "{point:?} ∂{i}: {slope} {}",
                d.gradient[i]
            );
            for j in 0..searched {
                let second = difference(&|by| at(i, by).gradient[j]);
                let exact = d.hessian[i * n + j];
                let scale = exact
                    .abs()
                    .max(1e-3 * d.gradient[j].abs() / point[i])
                    .max(1e-6 * d.value.abs() / (point[i] * point[j]));
                assert!((second - exact).abs() <= 1e-6 * scale, "{point:?} ∂{i}∂{j}: {second} {exact}");
            }
        }
    }
}

#[test]
fn nbd() {
    check::<Nbd>(&[&[0.385, 12.07], &[0.01, 300.0], &[20.0, 0.05]]);
}

#[test]
fn bg_nbd() {
    check::<BgNbd>(&[&[0.243, 4.414, 0.793, 2.426], &[0.05, 300.0, 0.01, 0.02], &[15.0, 0.1, 30.0, 90.0]]);
}

#[test]
fn mbg_nbd() {
    check::<MbgNbd>(&[&[0.525, 6.183, 0.891, 1.614], &[0.05, 300.0, 0.01, 0.02], &[15.0, 0.1, 30.0, 90.0]]);
}

#[test]
fn bg_cnbd_and_mbg_cnbd() {
    let points: [&[f64]; 5] = [
        &[0.243, 4.414, 0.793, 2.426, 1.0],
        &[0.85, 1.45, 0.79, 2.42, 3.0],
        &[0.05, 300.0, 0.01, 0.02, 2.0],
        &[15.0, 0.1, 30.0, 90.0, 6.0],
        &[2.0, 5.0, 0.3, 3.0, 20.0],
    ];
    check::<BgCnbd>(&points);
    check::<MbgCnbd>(&points);
}

#[test]
fn ggom_nbd() {
    check::<GgomNbd>(&[
        &[0.553, 10.578, 0.02, 0.606, 0.3],
        &[0.553, 10.578, 1e-5, 0.606, 1.2e-4],
        &[0.8, 10.0, 0.05, 1.5, 4.0],
        &[2.0, 3.0, 0.5, 0.4, 0.01],
        &[0.7, 8.0, 0.3, 5.0, 1000.0],
    ]);
}

#[test]
fn pareto_nbd() {
    check::<ParetoNbd>(&[
        &[0.553, 10.578, 0.606, 11.669],
        &[0.553, 10.578, 1.0, 10.578],
        &[0.01, 2.0, 0.02, 900.0],
        &[10.465, 0.008, 3.05, 2.82],
        &[2.0, 500.0, 15.0, 0.1],
        &[30.0, 1.0, 0.5, 30.0],
    ]);
}
