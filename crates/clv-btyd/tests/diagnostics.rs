//! What to look at before a model is believed, of models whose answers are known.

#![allow(clippy::unwrap_used)]

mod common;

use std::num::NonZeroUsize;

use clv_btyd::{
    BgCnbd, BgNbd, CohortFit, Covariates, MaximumLikelihood, Nbd, ParetoNbd, Process, PurchaseModel,
    Simulation, WithCovariates,
};
use clv_core::attributes::{Attributes, Conflict};
use clv_core::cohorts::Period;
use clv_core::diagnostics::{active, dert, frequencies, frequencies_of_each, tracking, tracking_of_each};
use clv_core::features::Beyond;
use clv_core::metrics::probability::CalibrationBin;
use clv_core::model::PurchaseForecast;
use clv_core::summary::Purchases;
use clv_core::{
    Cells, Context, Cut, Discount, Error, Fit, Fitted, Grain, History, Moment, Predict, Span, Split,
    TimeUnit, Training,
};

fn cdnow() -> PurchaseModel<ParetoNbd> {
    PurchaseModel::new(ParetoNbd::new(0.553, 10.578, 0.606, 11.669).unwrap(), TimeUnit::Week)
}

#[test]
fn dert_is_the_models_and_its_curves_bend_backward() {
    let (model, age, most, steps) = (cdnow(), 38.86, 14, 12);
    let discount = Discount::yearly(0.15).unwrap();
    for horizon in [None, Some(39.0)] {
        let cells = dert(&model, age, most, steps, discount, horizon).unwrap();
        assert_eq!(cells.len(), 1 + 14 * 12);
        for cell in &cells {
            let history = History::new(cell.frequency, cell.recency, age).unwrap();
            assert_eq!(cell.dert, model.discounted(&history, discount, horizon).unwrap());
        }
        let of = |frequency: u32, step: u32| cells[1 + ((frequency - 1) * steps + step - 1) as usize].dert;
        // Last seen today: the more often, the more to come; last seen in the first weeks: the less.
        assert!((2..=most).all(|x| of(x, steps) > of(x - 1, steps)));
        assert!((2..=most).all(|x| of(x, 1) < of(x - 1, 1)));
        // Between, value rises first and then falls.
        let best = (1..=most).max_by(|a, b| of(*a, 6).total_cmp(&of(*b, 6))).unwrap();
        assert!(best > 1 && best < most, "{best}");
        // The later seen, the more to come.
        assert!((1..=most).all(|x| (2..=steps).all(|step| of(x, step) > of(x, step - 1))));
    }
    // Without end and without discount there is no sum.
    assert!(dert(&model, age, most, steps, Discount::NONE, None).is_err());
}

fn fitted<P: Process>(truth: &P) -> (MaximumLikelihood<P>, Cells, Fitted<PurchaseModel<P>>) {
    let cells = common::drawn(truth, 800, 60.0, (3, 0));
    let settings = MaximumLikelihood::<P>::new();
    let fitted = settings.fit_cells(&cells, TimeUnit::Week, &Context::default()).unwrap();
    (settings, cells, fitted)
}

/// Half to twice of an estimate, it itself in the middle.
fn about(value: f64) -> [f64; 5] {
    [0.5, 0.8, 1.0, 1.3, 2.0].map(|by| by * value)
}

#[test]
fn contours_are_highest_at_the_estimate_and_a_profile_is_nowhere_below_them() {
    let (settings, cells, fitted) = fitted(&ParetoNbd::new(0.9, 6.0, 0.8, 20.0).unwrap());
    let cx = Context::default();
    let best = fitted.report.log_likelihood.unwrap();
    let values = fitted.model.parameters().values();
    let (s, beta) = (about(values[2]), about(values[3]));
    let plain = settings.contours(&cells, &fitted, ("s", &s), ("beta", &beta), &cx).unwrap();
    let profile = settings.profile_contours(&cells, &fitted, ("s", &s), ("beta", &beta), &cx).unwrap();
    assert_eq!((plain.len(), profile.len()), (25, 25));
    for (place, (point, at_best)) in plain.iter().zip(&profile).enumerate() {
        assert_eq!((point.first, point.second), (s[place / 5], beta[place % 5]));
        assert_eq!((at_best.first, at_best.second), (point.first, point.second));
        let there = ParetoNbd::new(values[0], values[1], point.first, point.second).unwrap();
        assert_eq!(point.log_likelihood, there.ln_likelihood_of(&cells));
        let refit = settings.clone().fix("s", point.first).unwrap().fix("beta", point.second).unwrap();
        let refit = refit.fit_cells(&cells, TimeUnit::Week, &cx).unwrap().report.log_likelihood.unwrap();
        assert!((at_best.log_likelihood - refit).abs() < 1e-6, "{at_best:?} {refit}");
        if place == 12 {
            assert!((point.log_likelihood - best).abs() < 1e-9 && (refit - best).abs() < 1e-9);
            continue;
        }
        assert!(point.log_likelihood < best && at_best.log_likelihood < best);
        assert!(at_best.log_likelihood > point.log_likelihood, "{point:?} {at_best:?}");
    }
    // On the ridge, where both are twice as much, less is lost than off it.
    assert!(plain[24].log_likelihood > plain[4].log_likelihood + 10.0);
    let side_by_side = cx.threads(NonZeroUsize::new(3).unwrap());
    let again = settings.profile_contours(&cells, &fitted, ("s", &s), ("beta", &beta), &side_by_side);
    assert_eq!(again.unwrap(), profile);
}

#[test]
fn contours_of_two_parameters_that_are_all() {
    let (settings, cells, fitted) = fitted(&Nbd::new(0.6, 8.0).unwrap());
    let cx = Context::default();
    let values = fitted.model.parameters().values();
    let (alpha, r) = (about(values[1]), about(values[0]));
    // In the other order, and with nothing left to be at its best.
    let plain = settings.contours(&cells, &fitted, ("alpha", &alpha), ("r", &r), &cx).unwrap();
    let profile = settings.profile_contours(&cells, &fitted, ("alpha", &alpha), ("r", &r), &cx).unwrap();
    for (point, same) in plain.iter().zip(&profile) {
        assert!((point.log_likelihood - same.log_likelihood).abs() < 1e-9, "{point:?} {same:?}");
    }
    assert!((plain[12].log_likelihood - fitted.report.log_likelihood.unwrap()).abs() < 1e-9);
    assert!(settings.contours(&cells, &fitted, ("alpha", &alpha), ("r", &[]), &cx).unwrap().is_empty());
}

#[test]
fn contours_refuse_what_they_are_not_of() {
    let (settings, cells, fitted) = fitted(&BgNbd::new(0.5, 5.0, 0.8, 2.5).unwrap());
    let cx = Context::default();
    let of = |settings: &MaximumLikelihood<BgNbd>, first: (&str, &[f64]), second: (&str, &[f64])| {
        let plain = settings.contours(&cells, &fitted, first, second, &cx);
        let profile = settings.profile_contours(&cells, &fitted, first, second, &cx);
        assert_eq!(plain.is_err(), profile.is_err());
        plain.map(|points| points.len())
    };
    assert_eq!(of(&settings, ("a", &[1.0]), ("b", &[2.0])).unwrap(), 1);
    let unknown = of(&settings, ("a", &[1.0]), ("beta", &[2.0])).unwrap_err();
    assert!(matches!(&unknown, Error::UnknownName { given, .. } if given == "beta"), "{unknown}");
    assert!(unknown.to_string().contains("r, alpha, a, b"), "{unknown}");
    for (first, second) in [(1.0, 0.0), (f64::NAN, 1.0), (f64::INFINITY, 1.0)] {
        let refused = of(&settings, ("a", &[first]), ("b", &[second])).unwrap_err();
        assert!(matches!(refused, Error::Setting { .. }), "{refused}");
    }
    let twice = of(&settings, ("a", &[1.0]), ("a", &[2.0])).unwrap_err();
    assert!(matches!(twice, Error::Setting { name: "a", .. }), "{twice}");
    let penalised = settings.penalty(0.1).unwrap();
    assert!(matches!(
        of(&penalised, ("a", &[1.0]), ("b", &[2.0])),
        Err(Error::Setting { name: "penalty", .. })
    ));
    // Histories do not tell k.
    let regular = MaximumLikelihood::<BgCnbd>::new().fix("k", 2.0).unwrap();
    let at_a_beat = regular.fit_cells(&cells, TimeUnit::Week, &cx).unwrap();
    let refused = regular.contours(&cells, &at_a_beat, ("k", &[1.0]), ("r", &[1.0]), &cx).unwrap_err();
    assert!(matches!(refused, Error::Setting { name: "k", .. }), "{refused}");
    assert!(regular.profile_contours(&cells, &at_a_beat, ("alpha", &[1.0]), ("r", &[1.0]), &cx).is_ok());
}

#[test]
fn as_many_come_back_as_the_true_model_says() {
    let model = cdnow();
    let (start, end) = (Moment::parse_date("2023-01-01").unwrap(), Moment::parse_date("2024-06-30").unwrap());
    let log = Simulation::new(20_000, start, end, 9).unwrap().run(&model, TimeUnit::Week, None).unwrap();
    // To the second, as the model has it: by the day some purchases would be merged.
    let cut = |day: &str| Cut::end_of(Moment::parse_date(day).unwrap(), Grain::Exact);
    let split = Split::new(cut("2023-12-31"), cut("2024-06-30")).unwrap();
    let backtest = clv_core::backtest::Backtest::new(&log, split, TimeUnit::Week).unwrap();
    let actual = backtest.actual_purchases();
    let summary = clv_core::Summary::of(&log, split.train, TimeUnit::Week).unwrap();
    let t = split.horizon().in_units(TimeUnit::Week);
    let error = |bin: &CalibrationBin| (bin.mean_forecast * (1.0 - bin.mean_forecast) / bin.weight).sqrt();
    let bins = active(&summary, actual, t, 10, &model).unwrap();
    assert_eq!(bins.len(), 10);
    assert_eq!(bins.iter().map(|bin| bin.weight).sum::<f64>(), 20_000.0);
    for bin in &bins {
        assert!((bin.share - bin.mean_forecast).abs() < 4.0 * error(bin), "{bin:?}");
    }
    // All together, where a fifth less of the holdout would be seen.
    let all = |weeks: f64| {
        let bins = active(&summary, actual, weeks, 1, &model).unwrap();
        (bins[0].share - bins[0].mean_forecast) / error(&bins[0])
    };
    assert!(all(t).abs() < 3.0 && all(0.8 * t) > 4.0, "{} {}", all(t), all(0.8 * t));
    // Whoever thinks that nobody leaves sees too many coming back.
    let never = PurchaseModel::new(Nbd::new(0.553, 10.578).unwrap(), TimeUnit::Week);
    let bins = active(&summary, actual, t, 10, &never).unwrap();
    let off = bins.iter().filter(|bin| bin.mean_forecast - bin.share > 4.0 * error(bin)).count();
    assert!(off >= 5, "{bins:?}");
}

/// Newcomers whom a column moves are expected by it; where nothing moves anybody it is the plain series.
#[test]
fn newcomers_are_tracked_under_their_own_models() {
    let day = |text| Moment::parse_date(text).unwrap();
    let truth = PurchaseModel::new(BgNbd::new(0.9, 8.0, 0.7, 3.0).unwrap(), TimeUnit::Week);
    let log = Simulation::new(300, day("2023-01-01"), day("2024-06-30"), 4)
        .unwrap()
        .run(&truth, TimeUnit::Week, None)
        .unwrap();
    let mut people = Attributes::new(Conflict::FirstStands);
    log.customers().iter().enumerate().for_each(|(i, name)| {
        people.state(name, "kind", if i % 3 == 0 { "shop" } else { "home" });
    });
    let people = people.typed();
    let purchases = Purchases::of(&log, Grain::Day).unwrap();
    let beyond = Beyond::of(&log).attributes(&people);
    let cut = Cut::end_of(day("2024-03-31"), Grain::Day);
    let training = Training::new(&purchases, cut, TimeUnit::Week).unwrap().knowing(&beyond);
    let cx = Context::default();
    let columns = Covariates::new().on_purchases(["own_kind"]).unwrap();
    let moved = MaximumLikelihood::<BgNbd>::new().fit(&training, &cx).unwrap().model;
    let with = WithCovariates::<BgNbd>::new(columns).fit(&training, &cx).unwrap().model;
    let cohorts =
        CohortFit::<BgNbd>::by(Period::Quarter).deviation(0.3).unwrap().fit(&training, &cx).unwrap().model;
    let summary = training.summary();
    let mut needs = with.needs().to_vec();
    needs.extend(cohorts.needs().iter().cloned());
    let features = training.features(&needs).unwrap();
    let who = summary.customers().with_features(&features).unwrap();
    let until = Cut::end_of(day("2024-06-30"), Grain::Day);
    let period = Span::weeks(4.0).unwrap();
    let plain = tracking(&purchases, summary, until, period, &[&moved]).unwrap();
    let each =
        tracking_of_each(&purchases, (summary, &who), until, period, &[&moved, &with, &cohorts]).unwrap();
    assert_eq!(plain.len(), each.len());
    for (plain, each) in plain.iter().zip(&each) {
        assert_eq!((plain.until, plain.actual), (each.until, each.actual));
        assert!((plain.expected[0] - each.expected[0]).abs() < 1e-9 * (1.0 + plain.expected[0]));
        let newest = each.until;
        let of = |model: &dyn Predict| -> f64 {
            let one = |(row, first): (usize, &Moment)| {
                let age = newest.days_since(*first) / 7.0;
                let own = model.own(&who, row).unwrap().unwrap();
                own.purchases().unwrap().expected_of_new(age).unwrap()
            };
            summary.first.iter().enumerate().filter(|(_, first)| **first <= newest).map(one).sum()
        };
        for (place, model) in [(1, &with as &dyn Predict), (2, &cohorts)] {
            assert!((each.expected_so_far[place] - of(model)).abs() < 1e-9 * (1.0 + of(model)));
        }
    }
    let plain = frequencies(summary, 6, &[&moved]).unwrap();
    let each = frequencies_of_each((summary, &who), 6, &[&moved, &with, &cohorts]).unwrap();
    for (plain, each) in plain.iter().zip(&each) {
        assert_eq!(plain.customers, each.customers);
        assert!((plain.expected[0] - each.expected[0]).abs() < 1e-9 * plain.expected[0]);
    }
    for place in 0..3 {
        let all: f64 = each.iter().map(|row| row.expected[place]).sum();
        assert!((all - summary.len() as f64).abs() < 1e-9 * all);
    }
    // A learner says nothing of newcomers.
    let zero = clv_core::baselines::Zero.fit(&training, &cx).unwrap().model;
    let error = frequencies_of_each((summary, &who), 6, &[&zero]).unwrap_err().to_string();
    assert!(error.contains("purchases of newcomers"), "{error}");
}
