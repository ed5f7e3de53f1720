//! Intervals by curvature, profile, bootstrap and Laplace's draws, against each other and against what is published.

#![allow(clippy::unwrap_used)]

mod common;

use std::num::NonZeroUsize;

use clv_btyd::{
    BgBb, BgNbd, Cohort, Draws, GgomNbd, LikelihoodRatio, MaximumLikelihood, MbgCnbd, MbgNbd, Nbd, ParetoNbd,
    Process, PurchaseModel, WeibullGamma, log_interval,
};
use clv_core::model::PurchaseForecast;
use clv_core::{Cells, Context, Error, Fitted, History, TimeUnit};

fn fitted() -> (MaximumLikelihood<ParetoNbd>, Cells, Fitted<PurchaseModel<ParetoNbd>>) {
    let cells = common::drawn(&ParetoNbd::new(0.9, 6.0, 0.8, 20.0).unwrap(), 2_000, 104.0, (5, 0));
    let fit = MaximumLikelihood::<ParetoNbd>::new();
    let fitted = fit.fit_cells(&cells, TimeUnit::Week, &Context::default()).unwrap();
    (fit, cells, fitted)
}

#[test]
fn four_ways_to_say_how_sure_agree_where_there_is_much_to_learn_from() {
    let (fit, cells, fitted) = fitted();
    let cx = Context::default().seed(2);
    let laplace = Draws::laplace(&fitted, 4_000, 1).unwrap();
    let bootstrap = fit.bootstrap(&cells, &fitted, 400, &cx).unwrap();
    assert_eq!((bootstrap.populations.len(), bootstrap.failed), (400, 0));
    for (place, estimate) in fitted.report.parameters.iter().enumerate() {
        let (low, high) = log_interval(estimate, 0.9).unwrap().unwrap();
        assert!(low < estimate.value && estimate.value < high);
        let width = (high / low).ln();
        let of = |p: &ParetoNbd| Ok(p.values()[place]);
        let profile = fit.profile_interval(&cells, &fitted, &estimate.name, 0.9, &cx).unwrap();
        let profile = (profile.lower.unwrap(), profile.upper.unwrap());
        // The ends are where the likelihood has fallen by half the 90% point of chi-square.
        for end in [profile.0, profile.1] {
            let there = fit.clone().fix(&estimate.name, end).unwrap();
            let there = there.fit_cells(&cells, TimeUnit::Week, &cx).unwrap().report.log_likelihood.unwrap();
            let lost = 2.0 * (fitted.report.log_likelihood.unwrap() - there);
            assert!((lost - 2.705_543_454_095_404).abs() < 1e-4, "{}: {lost}", estimate.name);
        }
        let (of_laplace, of_bootstrap) =
            (laplace.interval(0.9, of).unwrap(), bootstrap.interval(0.9, of).unwrap());
        for (way, (a, b)) in [("profile", profile), ("Laplace", of_laplace), ("bootstrap", of_bootstrap)] {
            let off = ((a / low).ln().abs() + (b / high).ln().abs()) / width;
            assert!(off < 0.25, "{} by {way}: {a} to {b}, by curvature {low} to {high}", estimate.name);
        }
    }
    // What follows from the population: the purchases of one customer.
    let customer = History::new(4, 40.0, 60.0).unwrap();
    let ahead = |p: &ParetoNbd| PurchaseModel::new(*p, TimeUnit::Week).expected(&customer, 0.0, 52.0);
    let (low, high) = laplace.interval(0.9, ahead).unwrap();
    let middle = ahead(fitted.model.parameters()).unwrap();
    assert!(low < middle && middle < high && high / low < 1.3, "{low} {middle} {high}");
}

/// Refits on simulated customers spread as the curvature says, on the logarithmic scale and about the estimate, where there is much to learn from.
fn spreads_as_its_curvature<P: Process>(fit: &MaximumLikelihood<P>, truth: &[f64], length: f64) {
    let cells = common::drawn(&P::from_values(truth).unwrap(), 4_000, length, (5, 0));
    let fitted = fit.fit_cells(&cells, TimeUnit::Week, &Context::default()).unwrap();
    let cx = Context::default().seed(3).threads(NonZeroUsize::new(2).unwrap());
    let draws = fit.parametric_bootstrap(&cells, &fitted, 200, &cx).unwrap();
    assert_eq!((draws.populations.len(), draws.failed), (200, 0));
    for (place, estimate) in fitted.report.parameters.iter().enumerate() {
        let name = format!("{} {}", P::KIND.name, estimate.name);
        if estimate.fixed {
            assert!(draws.populations.iter().all(|p| p.values()[place] == estimate.value), "{name}");
            continue;
        }
        let ln: Vec<f64> = draws.populations.iter().map(|p| p.values()[place].ln()).collect();
        let mean = ln.iter().sum::<f64>() / 200.0;
        let deviation = (ln.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / 199.0).sqrt();
        let error = estimate.standard_error.unwrap() / estimate.value;
        assert!((deviation / error - 1.0).abs() < 0.25, "{name}: {deviation}, by curvature {error}");
        assert!((mean - estimate.value.ln()).abs() < 0.5 * error, "{name}: {mean}, {estimate:?}");
    }
}

#[test]
fn simulated_customers_tell_as_much_as_the_curvature() {
    spreads_as_its_curvature::<BgNbd>(&MaximumLikelihood::new(), &[0.5, 6.0, 0.8, 2.4], 104.0);
    spreads_as_its_curvature::<ParetoNbd>(&MaximumLikelihood::new(), &[0.9, 6.0, 0.8, 20.0], 104.0);
    spreads_as_its_curvature::<BgBb>(&MaximumLikelihood::new(), &[1.2, 0.75, 0.66, 2.8], 12.0);
    spreads_as_its_curvature(&MaximumLikelihood::shifted_beta_geometric(), &[0.7, 1.2, 1.0], 12.0);
    spreads_as_its_curvature::<WeibullGamma>(&MaximumLikelihood::new(), &[1.5, 20.0, 1.3], 60.0);
    let of_two = MaximumLikelihood::<MbgCnbd>::new().fix("k", 2.0).unwrap();
    spreads_as_its_curvature(&of_two, &[1.3, 2.8, 0.42, 0.79, 2.0], 104.0);
}

/// As many as the weights add up to, whole or not.
#[test]
fn shares_of_a_cohort_are_simulated_too() {
    let cohort = Cohort::new(&[2.5, 1.6, 1.2, 0.9]).unwrap();
    let (cells, cx) = (Cohort::cells(&[cohort]), Context::default());
    let fit = MaximumLikelihood::shifted_beta_geometric();
    let fitted = fit.fit_cells(&cells, TimeUnit::Year, &cx).unwrap();
    // Three customers: some refits have none who left.
    let draws = fit.parametric_bootstrap(&cells, &fitted, 40, &cx).unwrap();
    assert!(draws.failed > 0 && draws.populations.len() + draws.failed == 40, "{draws:?}");
}

/// What holds of BG/NBD holds of MBG/NBD: with `a → 0` nobody leaves, and with customers who do not the half of the p-value is below 5% as seldom as it should.
#[test]
fn nbd_lies_at_the_edge_of_both_of_the_family() {
    let cx = Context::default();
    let cells = |stream| common::drawn(&Nbd::new(0.6, 8.0).unwrap(), 400, 60.0, (9, stream));
    let some = cells(0);
    let nbd = Nbd::new(0.6, 8.0).unwrap().ln_likelihood_of(&some);
    for a in [1e-6, 1e-8] {
        let bg = BgNbd::new(0.6, 8.0, a, 2.0).unwrap().ln_likelihood_of(&some);
        let mbg = MbgNbd::new(0.6, 8.0, a, 2.0).unwrap().ln_likelihood_of(&some);
        assert!((bg - nbd).abs() < 1e5 * a && (mbg - nbd).abs() < 1e5 * a, "{a}: {nbd} {bg} {mbg}");
    }
    fn report<P: Process>(cells: &Cells, cx: &Context<'_>) -> clv_core::FitReport {
        MaximumLikelihood::<P>::new().fit_cells(cells, TimeUnit::Week, cx).unwrap().report
    }
    let mut seems = [0, 0];
    for repetition in 0..200 {
        let cells = cells(1 + repetition);
        let smaller = report::<Nbd>(&cells, &cx);
        let larger = [report::<BgNbd>(&cells, &cx), report::<MbgNbd>(&cells, &cx)];
        for (seems, larger) in seems.iter_mut().zip(&larger) {
            let test = LikelihoodRatio::between(&smaller, larger).unwrap();
            *seems += u32::from(test.p_value / 2.0 < 0.05);
        }
    }
    // Five in a hundred would be 10; a half of the p-value is careful: 6 and 5.
    assert!(seems.iter().all(|n| (2..=12).contains(n)), "{seems:?} of 200");
}

#[test]
fn the_same_draws_on_any_number_of_threads() {
    let (fit, cells, fitted) = fitted();
    let cx = Context::default().seed(7);
    let one = fit.bootstrap(&cells, &fitted, 12, &cx).unwrap();
    let two = fit.bootstrap(&cells, &fitted, 12, &cx.threads(NonZeroUsize::new(3).unwrap())).unwrap();
    assert_eq!(one, two);
    assert_ne!(one, fit.bootstrap(&cells, &fitted, 12, &cx.seed(8)).unwrap());
    assert_eq!(Draws::laplace(&fitted, 5, 1).unwrap(), Draws::laplace(&fitted, 5, 1).unwrap());
    let one = fit.parametric_bootstrap(&cells, &fitted, 12, &cx).unwrap();
    let two =
        fit.parametric_bootstrap(&cells, &fitted, 12, &cx.threads(NonZeroUsize::new(2).unwrap())).unwrap();
    assert_eq!(one, two);
    assert_ne!(one, fit.parametric_bootstrap(&cells, &fitted, 12, &cx.seed(8)).unwrap());
    let stop = || true;
    assert!(matches!(fit.bootstrap(&cells, &fitted, 12, &cx.stop(&stop)), Err(Error::Stopped)));
    assert!(matches!(fit.parametric_bootstrap(&cells, &fitted, 12, &cx.stop(&stop)), Err(Error::Stopped)));
}

#[test]
fn what_cannot_be_said_is_refused() {
    let (fit, cells, fitted) = fitted();
    let cx = Context::default();
    assert!(fit.profile_interval(&cells, &fitted, "gamma", 0.9, &cx).is_err());
    assert!(fit.profile_interval(&cells, &fitted, "r", 1.0, &cx).is_err());
    let penalised = fit.clone().penalty(0.1).unwrap();
    assert!(penalised.profile_interval(&cells, &fitted, "r", 0.9, &cx).is_err());
    let fixed = fit.clone().fix("s", 1.0).unwrap();
    let with_s = fixed.fit_cells(&cells, TimeUnit::Week, &cx).unwrap();
    assert!(fixed.profile_interval(&cells, &with_s, "s", 0.9, &cx).is_err());
    let none = Draws::<ParetoNbd> { populations: Vec::new(), failed: 3 };
    assert!(none.interval(0.9, |_| Ok(0.0)).is_err());
    // On its ridge GGom/NBD has no end in b.
    let ggom = MaximumLikelihood::<GgomNbd>::new();
    let on_ridge = ggom.fit_cells(&cells, TimeUnit::Week, &cx).unwrap();
    assert!(Draws::laplace(&on_ridge, 5, 1).is_err());
    let b = ggom.profile_interval(&cells, &on_ridge, "b", 0.9, &cx).unwrap();
    assert_eq!(b.lower, None, "{:?} {:?}", b, on_ridge.report.parameters);
}

#[test]
fn what_is_fixed_stays() {
    let cells = common::drawn(&MbgCnbd::new(1.3, 2.8, 0.42, 0.79, 2).unwrap(), 1_500, 104.0, (5, 0));
    let cx = Context::default();
    let fit = MaximumLikelihood::<MbgCnbd>::new().fix("k", 2.0).unwrap();
    let fitted = fit.fit_cells(&cells, TimeUnit::Week, &cx).unwrap();
    let draws = fit.bootstrap(&cells, &fitted, 20, &cx).unwrap();
    let laplace = Draws::laplace(&fitted, 20, 1).unwrap();
    assert!(draws.populations.iter().chain(&laplace.populations).all(|p| p.values()[4] == 2.0));
    assert_eq!(log_interval(&fitted.report.parameters[4], 0.95).unwrap(), None);
}
