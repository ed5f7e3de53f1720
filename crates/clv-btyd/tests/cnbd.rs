//! BG/CNBD-k and MBG/CNBD-k: against published numbers, against BG/NBD that they become, and against their own futures.

#![allow(clippy::unwrap_used, clippy::excessive_precision)]

mod common;

use clv_btyd::{BgCnbd, BgNbd, Future, MaximumLikelihood, MbgCnbd, MbgNbd, Process, PurchaseModel};
use clv_core::model::{Activity, PurchaseForecast};
use clv_core::{Context, Error, History, TimeUnit};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// The constant that is left out: `(k − 1) Σ ln Δ − x ln Γ(k)`.
fn constant(k: u32, x: u32, ln_gaps: f64) -> f64 {
    f64::from(k - 1) * ln_gaps - f64::from(x) * (1..k).map(|i| f64::from(i).ln()).sum::<f64>()
}

/// BTYDplus checks itself by these (slice-sampling.cpp), and sums of its probabilities.
#[test]
fn likelihoods_and_chances_of_btydplus() {
    let bg = BgCnbd::new(0.5, 2.0, 0.3, 0.6, 3).unwrap();
    let mbg = MbgCnbd::new(0.5, 2.0, 0.3, 0.6, 3).unwrap();
    for (x, in_bg, in_mbg) in
        [(3, -10.424998988293895, -10.539370777333223), (4, -12.22396221251567, -12.30963341488239)]
    {
        let constant = constant(3, x, 3.0);
        let (bg, mbg) = (bg.ln_likelihood(x, 12.0, 14.0), mbg.ln_likelihood(x, 12.0, 14.0));
        assert!((bg + constant - in_bg).abs() < 1e-11, "{bg}");
        assert!((mbg + constant - in_mbg).abs() < 1e-11, "{mbg}");
    }
    let model = PurchaseModel::new(bg, TimeUnit::Week);
    assert!((model.probability_of_new(10.0, 2).unwrap() - 0.05668590880822941).abs() < 1e-13);
    assert!((model.expected_of_new(10.0).unwrap() - 0.4938246305907326).abs() < 1e-12);
    let model = PurchaseModel::new(mbg, TimeUnit::Week);
    assert!((model.probability_of_new(10.0, 2).unwrap() - 0.045475413882985774).abs() < 1e-13);
}

#[test]
fn with_one_click_to_a_purchase_they_are_bg_nbd_and_mbg_nbd() {
    fn same<A: Process, B: Process>(one: A, other: B) {
        for (x, t_x, age) in [(0, 0.0, 39.0), (2, 30.43, 38.86), (26, 30.9, 31.0), (150, 10.0, 39.0)] {
            let near =
                |a: f64, b: f64| assert!((a - b).abs() < 2e-9 * b.abs().max(1e-3), "{x} {t_x}: {a} {b}");
            near(one.ln_likelihood(x, t_x, age), other.ln_likelihood(x, t_x, age));
            near(one.p_alive(x, t_x, age), other.p_alive(x, t_x, age));
            let (a, b) = (one.given_alive(x, t_x, age), other.given_alive(x, t_x, age));
            near(a.survival(52.0), b.survival(52.0));
            near(a.expected(0.0, 52.0), b.expected(0.0, 52.0));
            near(a.expected(10.0, 52.0), b.expected(10.0, 52.0));
            near(a.expected_and_discounted(52.0, 0.01).1, b.expected_and_discounted(52.0, 0.01).1);
            near(a.discounted_for_ever(0.01).unwrap(), b.discounted_for_ever(0.01).unwrap());
            for n in [0, 1, 5, 30] {
                near(a.probability_of(52.0, n), b.probability_of(52.0, n));
            }
        }
        let ((stays, new), (other_stays, other_new)) = (one.new_customer(), other.new_customer());
        assert!((stays - other_stays).abs() < 1e-15);
        assert!((new.expected(0.0, 30.0) / other_new.expected(0.0, 30.0) - 1.0).abs() < 1e-12);
    }
    same(
        BgCnbd::new(0.243, 4.414, 0.793, 2.426, 1).unwrap(),
        BgNbd::new(0.243, 4.414, 0.793, 2.426).unwrap(),
    );
    same(
        MbgCnbd::new(0.525, 6.183, 0.891, 1.614, 1).unwrap(),
        MbgNbd::new(0.525, 6.183, 0.891, 1.614).unwrap(),
    );
}

#[test]
fn chances_add_up_to_one_and_to_the_expectation() {
    for (k, silence, b) in [(2, 0.0, 2.0), (3, 5.0, 0.4), (6, 40.0, 30.0)] {
        let future = Future::LeavesAfterRegular { shape: 7.5, rate: 30.0, a: 0.6, b, k, silence };
        let chances: Vec<f64> = (0..500).map(|n| future.probability_of(60.0, n)).collect();
        let total: f64 = chances.iter().sum();
        let mean: f64 = chances.iter().enumerate().map(|(n, p)| n as f64 * p).sum();
        let expected = future.expected(0.0, 60.0);
        assert!((total - 1.0).abs() < 1e-12, "{k}: {total}");
        assert!((mean / expected - 1.0).abs() < 1e-11, "{k}: {mean} {expected}");
        let parts = future.expected(0.0, 20.0) + future.expected(20.0, 60.0);
        assert!((parts / expected - 1.0).abs() < 1e-12);
        // Discounting: by days.
        let steps = 60 * 168;
        let at = |i: usize| 60.0 * i as f64 / steps as f64;
        let sum: f64 = (0..steps / 24)
            .map(|i| future.expected(at(24 * i), at(24 * i + 24)) * (-0.02 * at(24 * i + 12)).exp())
            .sum();
        let discounted = future.expected_and_discounted(60.0, 0.02).1;
        assert!((discounted / sum - 1.0).abs() < 1e-5, "{discounted} {sum}");
        assert!(future.discounted_for_ever(0.02).unwrap() > discounted);
    }
}

/// Where nearly nothing is known of the rate, chances reach far, and most customers buy nothing: sums of all terms.
#[test]
fn a_beat_left_out_where_chances_reach_far() {
    for ((shape, rate, a, b), exact) in
        [((0.05, 0.1, 1.0, 1.0), 0.9457), ((0.01, 0.1, 0.5, 2.0), 0.8696), ((0.1, 0.1, 1.0, 1.0), 1.7338)]
    {
        let future = Future::LeavesAfterRegular { shape, rate, a, b, k: 2, silence: 0.0 };
        let found = future.expected(0.0, 104.0);
        assert!((found / exact - 1.0).abs() < 0.01, "{shape}: {found} {exact}");
        assert!(future.expected(0.0, 80.0) < found);
    }
}

#[test]
fn k_is_chosen_or_set_and_nothing_between() {
    let cells = common::cells(&common::in_steps(&MbgCnbd::new(1.3, 2.8, 0.42, 0.79, 2).unwrap(), 300, 104.0));
    let cx = Context::default();
    for k in [2.5, 51.0] {
        let refused = MaximumLikelihood::<MbgCnbd>::new().fix("k", k);
        assert!(matches!(refused, Err(Error::Setting { name: "k", .. })), "{k}");
    }
    let unset = MaximumLikelihood::<MbgCnbd>::new().fit_cells(&cells, TimeUnit::Week, &cx);
    assert!(unset.unwrap_err().to_string().contains("RegularFit"));
    assert!(clv_btyd::RegularFit::<MbgCnbd>::new().only(0).is_err());
}

/// Of so many purchases that the beat is left out, and just fewer.
#[test]
fn many_purchases() {
    for (shape, b, k, silence) in [(5_000.0, 4.0, 2, 0.0), (5_000.0, 400.0, 5, 1.0), (800.0, 1e5, 3, 0.0)] {
        let future = Future::LeavesAfterRegular { shape, rate: 3.0, a: 0.5, b, k, silence };
        let at = |purchases: f64| purchases * f64::from(k) * 3.0 / shape;
        let (below, above) = (future.expected(0.0, at(999.9)), future.expected(0.0, at(1000.1)));
        assert!((above / below - 1.0 - 0.0002).abs() < 2.5e-4, "{shape} {b} {k}: {below} {above}");
        let (below, above) = (future.survival(at(999.9)), future.survival(at(1000.1)));
        assert!((above / below - 1.0).abs() < 2.5e-4, "{shape} {b} {k}: {below} {above}");
        assert!(above <= 1.0 && future.expected(at(500.0), at(5_000.0)) > 0.0);
    }
}

#[test]
fn simulated_customers_are_found_again_and_buy_as_often_as_expected() {
    fn found<P: Process>(truth: &[f64]) {
        let process = P::from_values(truth).unwrap();
        let drawn = common::in_steps(&process, 20_000, 104.0);
        let (stays, future) = process.new_customer();
        let mean = drawn.iter().map(|row| f64::from(row.0)).sum::<f64>() / 20_000.0;
        let expected = drawn.iter().map(|row| stays * future.expected(0.0, row.2)).sum::<f64>() / 20_000.0;
        assert!((mean / expected - 1.0).abs() < 0.03, "{mean} {expected}");
        let cells = common::cells(&drawn);
        let fit = MaximumLikelihood::<P>::new();
        let cx = Context::default();
        // Histories do not tell k.
        assert!(matches!(fit.fit_cells(&cells, TimeUnit::Week, &cx), Err(Error::NoEstimate { .. })));
        let fitted = fit.fix("k", truth[4]).unwrap().fit_cells(&cells, TimeUnit::Week, &cx).unwrap();
        assert!(fitted.report.converged && fitted.report.warnings.is_empty(), "{:?}", fitted.report);
        for (estimate, truth) in fitted.report.parameters.iter().zip(truth).take(4) {
            let off = (estimate.value - truth) / estimate.standard_error.unwrap();
            assert!(off.abs() < 4.0, "{estimate:?}, truth {truth}");
        }
        assert_eq!(fitted.model.parameters().values()[4], truth[4]);
    }
    found::<BgCnbd>(&[0.85, 1.45, 0.79, 2.42, 3.0]);
    found::<MbgCnbd>(&[1.3, 2.8, 0.42, 0.79, 2.0]);
}

/// 200,000 customers with the history of one: who is still there, and how often they buy.
#[test]
fn the_future_of_a_customer_is_what_customers_like_them_do() {
    let truth = MbgCnbd::new(1.3, 2.8, 0.42, 0.79, 3).unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let (mut like, mut alive_sum, mut later_sum, mut times) = (0.0, 0.0, 0.0, Vec::new());
    for _ in 0..400_000 {
        times.clear();
        truth.purchase_times(40.0, &mut rng, &mut times);
        // One repeat purchase by week 10, in weeks 2 to 4.
        let known: Vec<f64> = times.iter().copied().filter(|t| *t <= 10.0).collect();
        if known.len() == 1 && (2.0..4.0).contains(&known[0]) {
            like += 1.0;
            alive_sum += f64::from(u8::from(times.len() > 1));
            later_sum += (times.len() - 1) as f64;
        }
    }
    // The same, over recencies as they come: the likelihood of each.
    let model = PurchaseModel::new(truth, TimeUnit::Week);
    let (mut weight, mut buys, mut later) = (0.0, 0.0, 0.0);
    for i in 0..200 {
        let t_x = 2.0 + 2.0 * (f64::from(i) + 0.5) / 200.0;
        // With the gap's factor Δ^{k−1}.
        let w = truth.ln_likelihood(1, t_x, 10.0).exp() * t_x * t_x;
        let one = History::new(1, t_x, 10.0).unwrap();
        weight += w;
        buys += w * (1.0 - model.probability_of(&one, 30.0, 0).unwrap());
        later += w * model.expected(&one, 0.0, 30.0).unwrap();
    }
    let (buys, later) = (buys / weight, later / weight);
    let error = (buys * (1.0 - buys) / like).sqrt();
    assert!(
        like > 5_000.0 && (alive_sum / like - buys).abs() < 4.0 * error,
        "{like} {} {buys}",
        alive_sum / like
    );
    assert!((later_sum / like / later - 1.0).abs() < 0.05, "{} {later}", later_sum / like);
    assert!(model.p_alive(&History::new(1, 3.0, 10.0).unwrap(), 0.0).unwrap() < 1.0);
}
