//! Special functions against mpmath with 40 digits (`golden/make_golden.py` beside the table).

#![allow(clippy::unwrap_used, clippy::print_stdout)]

use clv_math::logspace::SignedLog;
use clv_math::special::{
    beta_inc, digamma, gamma_p, gamma_q, ln_beta, ln_gamma, ln_hyp1f1, ln_hyp2f1, ln_hyperu, trigamma,
};

fn rows(function: &str) -> Vec<Vec<f64>> {
    include_str!("golden/special.tsv")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split('\t').collect::<Vec<_>>())
        .filter(|fields| fields[0] == function)
        .map(|fields| fields[1..].iter().map(|f| f.parse().unwrap()).collect())
        .collect()
}

/// Checks every row and says the worst error, as a fraction of the promise.
fn check(function: &str, promise: f64, floor: f64, mut f: impl FnMut(&[f64]) -> f64) {
    let rows = rows(function);
    assert!(rows.len() >= 20, "{function}: only {} rows", rows.len());
    let mut worst = (0.0, Vec::new(), 0.0);
    for row in rows {
        let (want, args) = (row[row.len() - 1], &row[..row.len() - 1]);
        let got = f(args);
        let error = (got - want).abs() / want.abs().max(floor);
        if error.is_nan() || error > worst.0 {
            worst = (if error.is_nan() { f64::INFINITY } else { error }, row.clone(), got);
        }
    }
    println!("{function}: worst error {:.2e} at {:?}, got {}", worst.0, worst.1, worst.2);
    assert!(worst.0 <= promise, "{function}: error {:.2e} at {:?}, got {}", worst.0, worst.1, worst.2);
}

#[test]
fn log_gamma_and_its_derivatives() {
    check("ln_gamma", 4e-15, 0.1, |a| ln_gamma(a[0]));
    check("digamma", 4e-15, 1.0, |a| digamma(a[0]));
    check("trigamma", 4e-15, 1e-300, |a| trigamma(a[0]));
}

#[test]
fn log_beta_from_tiny_to_huge() {
    check("ln_beta", 1e-14, 1.0, |a| ln_beta(a[0], a[1]));
}

#[test]
fn incomplete_gamma_in_body_and_tails() {
    check("gamma_p", 1e-12, 1e-290, |a| gamma_p(a[0], a[1]));
    check("gamma_q", 1e-12, 1e-290, |a| gamma_q(a[0], a[1]));
}

#[test]
fn incomplete_beta() {
    check("beta_inc", 1e-11, 1e-290, |a| beta_inc(a[0], a[1], a[2]));
}

/// Rows carry sign and logarithm; the sign is checked here, the logarithm by `check`.
fn signed(f: Option<SignedLog>, sign: f64, args: &[f64]) -> f64 {
    let f = f.unwrap_or_else(|| panic!("{args:?} lies inside the stated domain"));
    assert_eq!(f.sign, sign);
    f.ln_abs
}

#[test]
fn gauss_hypergeometric_in_log_space() {
    check("ln_hyp2f1", 1e-11, 1.0, |a| signed(ln_hyp2f1(a[0], a[1], a[2], a[3]), a[4], a));
}

#[test]
fn confluent_hypergeometrics_in_log_space() {
    // Outside the stated domain the function must say so rather than answer.
    let mut outside = 0;
    check("ln_hyp1f1", 1e-11, 1.0, |a| {
        if a[2] < 0.0 && a[1] < a[0] {
            assert!(ln_hyp1f1(a[0], a[1], a[2]).is_none());
            outside += 1;
            return rows("ln_hyp1f1").iter().find(|r| r[..4] == a[..4]).unwrap()[4];
        }
        signed(ln_hyp1f1(a[0], a[1], a[2]), a[3], a)
    });
    assert!(outside < 30);
    check("ln_hyperu", 1e-11, 1.0, |a| ln_hyperu(a[0], a[1], a[2]));
}
