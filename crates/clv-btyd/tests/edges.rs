//! A stratified sample of customers and parameters, from tiny to huge: no NaN, no infinity, no
//! probability outside [0, 1], no negative expectation.
//!
//! 20,000 cases by default; `CLV_CASES=1000000 cargo test --release -p clv-btyd --test edges` for a
//! million.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

use clv_btyd::{
    BetaDiscreteWeibull, BgBb, BgCnbd, BgNbd, GammaGamma, GgomNbd, MbgCnbd, MbgNbd, Nbd, Parameter,
    ParetoNbd, Process, PurchaseModel, Scale, SpendModel, WeibullGamma,
};
use clv_core::model::{Activity, NextPurchase, PurchaseForecast, Spend};
use clv_core::{Discount, History, TimeUnit};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn cases() -> u32 {
    std::env::var("CLV_CASES").map_or(20_000, |n| n.parse().unwrap())
}

/// Log-uniform.
fn between(low: f64, high: f64, rng: &mut ChaCha8Rng) -> f64 {
    (low.ln() + rng.random::<f64>() * (high / low).ln()).exp()
}

/// Strata: no purchase, one, a few, hundreds, up to 50,000; bought now, lately, long ago, at once.
fn history(case: u32, rng: &mut ChaCha8Rng) -> History {
    let x = match case % 5 {
        0 => 0,
        1 => 1,
        2 => rng.random_range(2..20),
        3 => rng.random_range(20..1_000),
        _ => between(1_000.0, 50_000.0, rng) as u32,
    };
    let age = between(1e-3, 1e4, rng);
    let recency = match (x, case / 5 % 4) {
        (0, _) => 0.0,
        (_, 0) => age,
        (_, 1) => age * (1.0 - between(1e-6, 0.1, rng)),
        (_, 2) => age * rng.random::<f64>(),
        _ => age * between(1e-8, 1e-2, rng),
    };
    History::new(x, recency, age).unwrap()
}

fn probability(p: f64, what: &str, evidence: &dyn std::fmt::Debug) {
    assert!((0.0..=1.0).contains(&p), "{what} is {p} at {evidence:?}");
}

fn amount(a: f64, what: &str, evidence: &dyn std::fmt::Debug) {
    assert!(a.is_finite() && a >= 0.0, "{what} is {a} at {evidence:?}");
}

fn check<P: Process>(salt: u64) {
    let mut rng = ChaCha8Rng::seed_from_u64(salt);
    let discount = Discount::yearly(0.1).unwrap();
    // A beat takes many terms, and so do periods one by one.
    let is_regular = P::PARAMETERS.iter().any(|p| p.scale == Scale::Count);
    let fewer = if is_regular || P::READS.periods() { 20 } else { 1 };
    for case in 0..cases() / 4 / fewer {
        let value = |p: &Parameter, rng: &mut ChaCha8Rng| match p.scale {
            Scale::Count => between(1.0, 20.0, rng).floor(),
            _ => between(1e-4, 1e4, rng),
        };
        let values: Vec<f64> = P::PARAMETERS.iter().map(|p| value(p, &mut rng)).collect();
        let mut h = history(case, &mut rng);
        if P::READS.periods() {
            let (recency, age) = (h.recency.round(), h.age.round());
            h = History::new(h.frequency.min(recency as u32), recency, age).unwrap();
        }
        // A contract that has ended has lasted for some time.
        if P::KIND == WeibullGamma::KIND && h.recency == 0.0 {
            h.recency = if h.frequency == 0 { 0.0 } else { h.age };
            h.age = h.recency;
        }
        let evidence = (P::KIND.name, &values, h);
        let process = P::from_values(&values).unwrap();
        let model = PurchaseModel::new(process, TimeUnit::Week);
        let ln = process.ln_likelihood(h.frequency, h.recency, h.age);
        assert!(ln.is_finite(), "ln L is {ln} at {evidence:?}");
        let t = between(1e-3, 520.0, &mut rng);
        probability(model.p_alive(&h, 0.0).unwrap(), "P(alive)", &evidence);
        probability(model.p_alive(&h, t).unwrap(), "P(alive) later", &evidence);
        let (near, far) = (model.expected(&h, 0.0, t).unwrap(), model.expected(&h, t, 2.0 * t).unwrap());
        amount(near, "E[X(t)]", &evidence);
        amount(far, "E[X(t, 2t)]", &evidence);
        // Who buys at a beat does so later on, and of periods there may be one more later on.
        assert!(
            is_regular
                || P::READS.periods()
                || P::KIND == WeibullGamma::KIND
                || far <= near * (1.0 + 1e-9) + 1e-290,
            "the rate rises: {near} {far} at {evidence:?}"
        );
        let discounted = model.discounted(&h, discount, Some(t)).unwrap();
        amount(discounted, "discounted", &evidence);
        assert!(discounted <= near * (1.0 + 1e-9) + 1e-290, "{discounted} > {near} at {evidence:?}");
        amount(model.discounted(&h, discount, None).unwrap(), "DERT", &evidence);
        amount(model.expected_of_new(t).unwrap(), "E[X(t)] of a new customer", &evidence);
        for n in [0, 1, 7, 300] {
            probability(model.probability_of(&h, t, n).unwrap(), "P(X = n)", &evidence);
            probability(model.probability_of_new(t, n).unwrap(), "P(X = n) of a new customer", &evidence);
        }
        probability(model.purchase_by(&h, t).unwrap(), "purchase by t", &evidence);
        amount(model.mean_within(&h, t).unwrap(), "mean time", &evidence);
        if let Some(median) = model.median(&h).unwrap() {
            amount(median, "median", &evidence);
        }
    }
}

#[test]
fn nbd() {
    check::<Nbd>(1);
}

#[test]
fn bg_nbd() {
    check::<BgNbd>(2);
}

#[test]
fn mbg_nbd() {
    check::<MbgNbd>(3);
}

#[test]
fn bg_cnbd_and_mbg_cnbd() {
    check::<BgCnbd>(7);
    check::<MbgCnbd>(8);
}

#[test]
fn by_the_period_and_contracts() {
    check::<BgBb>(9);
    check::<BetaDiscreteWeibull>(10);
    check::<WeibullGamma>(11);
}

#[test]
fn pareto_nbd() {
    check::<ParetoNbd>(4);
}

#[test]
fn ggom_nbd() {
    check::<GgomNbd>(6);
}

#[test]
fn gamma_gamma() {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    for case in 0..cases() / 4 {
        let [p, q, gamma] = [0; 3].map(|_| between(1e-4, 1e4, &mut rng));
        let population = GammaGamma::new(p, q, gamma).unwrap();
        let model = SpendModel::new(population, TimeUnit::Week);
        let mut h = history(case, &mut rng);
        if h.frequency > 0 {
            let mean = between(1e-2, 1e6, &mut rng);
            h = h.spend(mean).unwrap();
            let ln = population.ln_likelihood(f64::from(h.frequency), mean);
            assert!(ln.is_finite(), "ln L is {ln} at {population:?} {h:?}");
        }
        let mean = model.expected_spend(&h).unwrap();
        assert_eq!(mean.is_none(), p * f64::from(h.frequency) + q <= 1.0);
        amount(mean.unwrap_or(0.0), "spend", &(population, h));
    }
}

#[test]
fn counts_add_up() {
    let h = History::new(3, 12.0, 30.0).unwrap();
    let models: [&dyn PurchaseForecast; 4] = [
        &PurchaseModel::new(Nbd::new(0.4, 12.0).unwrap(), TimeUnit::Week),
        &PurchaseModel::new(BgNbd::new(0.243, 4.414, 0.793, 2.426).unwrap(), TimeUnit::Week),
        &PurchaseModel::new(MbgNbd::new(0.525, 6.183, 0.891, 1.614).unwrap(), TimeUnit::Week),
        &PurchaseModel::new(ParetoNbd::new(0.553, 10.578, 0.606, 11.669).unwrap(), TimeUnit::Week),
    ];
    for model in models {
        let p: Vec<f64> = (0..400).map(|n| model.probability_of(&h, 39.0, n).unwrap()).collect();
        let total: f64 = p.iter().sum();
        let mean: f64 = (0..).zip(&p).map(|(n, p)| f64::from(n) * p).sum();
        let expected = model.expected(&h, 0.0, 39.0).unwrap();
        assert!((total - 1.0).abs() < 1e-11, "{model:?}: {total}");
        assert!((mean - expected).abs() < 1e-9 * expected, "{model:?}: {mean} {expected}");
    }
}
