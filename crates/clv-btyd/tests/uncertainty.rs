//! Intervals by curvature, profile, bootstrap and Laplace's draws, against each other and against what is published.

#![allow(clippy::unwrap_used)]

mod common;

use std::num::NonZeroUsize;

use clv_btyd::{Draws, GgomNbd, MaximumLikelihood, MbgCnbd, ParetoNbd, Process, PurchaseModel, log_interval};
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

#[test]
fn the_same_draws_on_any_number_of_threads() {
    let (fit, cells, fitted) = fitted();
    let cx = Context::default().seed(7);
    let one = fit.bootstrap(&cells, &fitted, 12, &cx).unwrap();
    let two = fit.bootstrap(&cells, &fitted, 12, &cx.threads(NonZeroUsize::new(3).unwrap())).unwrap();
    assert_eq!(one, two);
    assert_ne!(one, fit.bootstrap(&cells, &fitted, 12, &cx.seed(8)).unwrap());
    assert_eq!(Draws::laplace(&fitted, 5, 1).unwrap(), Draws::laplace(&fitted, 5, 1).unwrap());
    let stop = || true;
    assert!(matches!(fit.bootstrap(&cells, &fitted, 12, &cx.stop(&stop)), Err(Error::Stopped)));
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
