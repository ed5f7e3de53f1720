//! Of every model: counts are a distribution, its mean is the expectation, and so is that of simulated futures.

#![allow(clippy::unwrap_used)]

use clv_btyd::{
    BetaDiscreteWeibull, BgBb, BgCnbd, BgNbd, GammaGamma, GgomNbd, MbgCnbd, MbgNbd, Nbd, ParetoNbd,
    Predictive, Process, PurchaseModel, WeibullGamma,
};
use clv_core::model::{Activity, NextPurchase, PurchaseForecast, Spend};
use clv_core::{Context, Customers, History, TimeUnit};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

const RUNS: usize = 200_000;

fn near(got: f64, want: f64, within: f64, what: &str) {
    assert!((got - want).abs() <= within * (1.0 + want.abs()), "{what}: {got}, expected {want}");
}

/// Sum and mean of the probabilities of counts.
fn sums(probability: impl Fn(u32) -> f64) -> (f64, f64) {
    let (mut sum, mut mean) = (0.0, 0.0);
    for n in 0..20_000 {
        let p = probability(n);
        sum += p;
        mean += f64::from(n) * p;
        if n > 40 && p < 1e-13 {
            break;
        }
    }
    (sum, mean)
}

fn check<P: Process>(process: P) {
    let name = P::KIND.name;
    let model = PurchaseModel::new(process, TimeUnit::Week);
    let horizon = 30.0;
    let (sum, mean) = sums(|n| model.probability_of_new(horizon, n).unwrap());
    near(sum, 1.0, 1e-9, name);
    near(mean, model.expected_of_new(horizon).unwrap(), 1e-8, name);
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    let mut times = Vec::new();
    // Mean, and share without a purchase, of simulated customers with their standard errors.
    let mut simulate = |draw: &mut dyn FnMut(&mut ChaCha8Rng, &mut Vec<f64>)| {
        let (mut total, mut square, mut none) = (0.0, 0.0, 0.0);
        for _ in 0..RUNS {
            times.clear();
            draw(&mut rng, &mut times);
            assert!(times.iter().all(|t| *t <= horizon) && times.is_sorted());
            let count = times.len() as f64;
            total += count;
            square += count * count;
            none += f64::from(u8::from(times.is_empty()));
        }
        let runs = RUNS as f64;
        let (mean, none) = (total / runs, none / runs);
        (mean, ((square / runs - mean * mean) / runs).sqrt(), none)
    };
    let within = |(mean, error, none): (f64, f64, f64), expected: f64, zero: f64| {
        let none_error = (zero * (1.0 - zero) / RUNS as f64).sqrt();
        assert!((mean - expected).abs() < 4.0 * error, "{name}: {mean} ± {error}, expected {expected}");
        assert!(
            (none - zero).abs() < 4.0 * none_error + 2.0 / RUNS as f64,
            "{name}: none {none} ± {none_error}, expected {zero}"
        );
    };
    let (expected, zero) =
        (model.expected_of_new(horizon).unwrap(), model.probability_of_new(horizon, 0).unwrap());
    // Of a contract that may end at any time its end is drawn, and not payments.
    if P::KIND != WeibullGamma::KIND {
        within(simulate(&mut |rng, times| process.purchase_times(horizon, rng, times)), expected, zero);
    }
    for (x, t_x, age) in
        [(0, 0.0, 25.0), (1, 3.0, 28.0), (4, 20.0, 23.0), (30, 39.0, 40.0), (0, 0.0, 0.0), (12, 12.0, 12.0)]
    {
        let history = History::new(x, t_x, age).unwrap();
        let (sum, mean) = sums(|n| model.probability_of(&history, horizon, n).unwrap());
        near(sum, 1.0, 1e-9, name);
        let expected = model.expected(&history, 0.0, horizon).unwrap();
        near(mean, expected, 1e-8, name);
        let p_alive = model.p_alive(&history, 0.0).unwrap();
        if p_alive == 0.0 {
            assert_eq!(expected, 0.0, "{name}");
            continue;
        }
        let alive = process.given_alive(x, t_x, age);
        let found = simulate(&mut |rng, times| alive.purchase_times(horizon, rng, times));
        within(found, expected / p_alive, alive.probability_of(horizon, 0));
        let by = model.purchase_by(&history, horizon).unwrap();
        near(by, 1.0 - model.probability_of(&history, horizon, 0).unwrap(), 1e-12, name);
    }
}

#[test]
fn nbd_and_the_bg_family() {
    check(Nbd::new(0.7, 8.0).unwrap());
    check(BgNbd::new(0.7, 8.0, 0.8, 2.5).unwrap());
    check(MbgNbd::new(0.7, 8.0, 0.8, 2.5).unwrap());
}

#[test]
fn pareto_nbd_and_ggom_nbd() {
    check(ParetoNbd::new(0.7, 8.0, 0.6, 12.0).unwrap());
    check(GgomNbd::new(0.7, 8.0, 0.05, 0.6, 1.5).unwrap());
}

#[test]
fn customers_at_a_beat() {
    check(BgCnbd::new(0.7, 4.0, 0.8, 2.5, 3).unwrap());
    check(MbgCnbd::new(0.7, 4.0, 0.8, 2.5, 2).unwrap());
}

#[test]
fn customers_by_the_period() {
    check(BgBb::new(1.2, 0.75, 0.66, 2.8).unwrap());
    check(BetaDiscreteWeibull::new(0.8, 4.0, 1.4).unwrap());
    check(BetaDiscreteWeibull::shifted_beta_geometric(0.7, 3.8).unwrap());
    check(WeibullGamma::new(1.6, 40.0, 1.3).unwrap());
}

#[test]
fn times_between_periods_are_refused_and_calendar_months_are_not() {
    let model = PurchaseModel::new(BgBb::new(1.2, 0.75, 0.66, 2.8).unwrap(), TimeUnit::Month);
    let half = History::new(2, 3.0, 5.5).unwrap();
    let error = model.p_alive(&half, 0.0).unwrap_err().to_string();
    assert!(error.contains("age") && error.contains("5.5") && error.contains("period"), "{error}");
    // 59 days, from January to March, are two months of 30.4375 days but for a little.
    let months = History::new(2, 59.0 / 30.4375, 151.0 / 30.4375).unwrap();
    let whole = History::new(2, 2.0, 5.0).unwrap();
    let expected = |history, to| model.expected(history, 0.0, to).unwrap();
    assert_eq!(expected(&months, 92.0 / 30.4375), expected(&whole, 3.0));
    assert!(model.expected(&History::new(4, 3.0, 5.0).unwrap(), 0.0, 3.0).is_err(), "more than one a period");
}

#[test]
fn predictive_distributions_hold_the_expectations() {
    let process = ParetoNbd::new(0.55, 10.6, 0.61, 11.7).unwrap();
    let spend = GammaGamma::new(6.25, 3.74, 15.44).unwrap();
    let futures = Predictive::new(vec![process], TimeUnit::Week).unwrap().spend(vec![spend]).unwrap();
    let customer = History::new(9, 36.0, 38.9).unwrap().spend(40.0).unwrap();
    let drawn = futures.customer(&customer, 39.0, 40_000, &Context::default().seed(5)).unwrap();
    let model = PurchaseModel::new(process, TimeUnit::Week);
    let expected = model.expected(&customer, 0.0, 39.0).unwrap();
    let mean_spend =
        clv_btyd::SpendModel::new(spend, TimeUnit::Week).expected_spend(&customer).unwrap().unwrap();
    near(drawn.purchases.mean(), expected, 0.02, "purchases");
    near(drawn.value.mean(), expected * mean_spend, 0.02, "value");
    // The exact distribution of counts beside the drawn one.
    let mut below = 0.0;
    for n in 0..25 {
        below += model.probability_of(&customer, 39.0, n).unwrap();
        near(1.0 - drawn.purchases.probability_above(f64::from(n)), below, 0.005, "share");
    }
    let (at_risk, mean_below) = drawn.value.at_risk(0.1).unwrap();
    assert!(mean_below <= at_risk && at_risk < drawn.value.mean());
    // Of a cohort the total is nearer to its expectation than each of it.
    let (x, t_x, age) = ([9_u32; 50], [36.0; 50], [38.9; 50]);
    let who = Customers::new(TimeUnit::Week, &x, &t_x, &age, Some(&[40.0; 50])).unwrap();
    let total = futures.total(&who, 39.0, 4_000, &Context::default().seed(6)).unwrap();
    near(total.value.mean(), 50.0 * expected * mean_spend, 0.02, "total");
    let width = |d: &clv_btyd::Drawn| d.interval(0.9).map(|(low, high)| (high - low) / d.mean()).unwrap();
    assert!(width(&total.value) < 0.25 * width(&drawn.value));
    assert_eq!(total, futures.total(&who, 39.0, 4_000, &Context::default().seed(6)).unwrap());
}
