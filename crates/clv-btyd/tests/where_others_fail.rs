//! Failures and silent wrong answers of other packages, each as a test.

#![allow(clippy::unwrap_used)]

mod common;

use clv_btyd::{
    BgNbd, GammaGamma, GammaGammaFit, MaximumLikelihood, MbgNbd, Nbd, ParetoNbd, Process, PurchaseModel,
    SpendModel,
};
use clv_core::model::{Activity, PurchaseForecast, Spend};
use clv_core::{Cells, Context, Customers, FitReport, History, TimeUnit, Warning};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn simulated<P: Process>(model: &PurchaseModel<P>, customers: usize, length: f64, seed: u64) -> Cells {
    let rng = ChaCha8Rng::seed_from_u64(seed);
    let days =
        |_: usize, rng: &mut ChaCha8Rng| (7.0 * length * (0.6 + 0.4 * rng.random::<f64>())).floor() / 7.0;
    common::cells(&common::histories(model.parameters(), customers, rng, days))
}

fn fit<P: Process>(cells: &Cells) -> (PurchaseModel<P>, FitReport) {
    let cx = Context::default();
    let fitted = MaximumLikelihood::<P>::new().fit_cells(cells, TimeUnit::Week, &cx).unwrap();
    (fitted.model, fitted.report)
}

/// The mean of E[X(52)] over the customers.
fn mean_expected<P: Process>(model: &PurchaseModel<P>, cells: &Cells) -> f64 {
    let one = |i: usize| {
        let history = History::new(cells.frequency[i], cells.recency[i], cells.age[i]).unwrap();
        model.expected(&history, 0.0, 52.0).unwrap() * cells.weight[i]
    };
    (0..cells.len()).map(one).sum::<f64>() / cells.customers()
}

/// 1. CLVTools' BG/NBD at a million customers: r 9e21, α 4e57, log-likelihood +1e14, no error.
#[test]
fn a_million_customers_are_fitted_as_twenty_thousand_are() {
    let truth = [0.55, 10.6, 0.61, 11.7];
    let model = PurchaseModel::new(ParetoNbd::from_values(&truth).unwrap(), TimeUnit::Week);
    let cells = simulated(&model, 20_000, 52.0, 5);
    let mut million = cells.clone();
    million.weight.iter_mut().for_each(|w| *w *= 50.0);
    fn same<P: Process>(few: &Cells, many: &Cells) {
        let ((model, few_report), (_, report)) = (fit::<P>(few), fit::<P>(many));
        assert!(report.converged, "{report:?}");
        let (few_ln, ln) = (few_report.log_likelihood.unwrap(), report.log_likelihood.unwrap());
        assert!((ln / few_ln - 50.0).abs() < 1e-8, "{ln} {few_ln}");
        for (a, b) in few_report.parameters.iter().zip(&report.parameters) {
            assert!((a.value / b.value - 1.0).abs() < 1e-4, "{a:?} {b:?}");
            // Fifty times the customers: errors smaller by √50.
            let ratio = a.standard_error.unwrap() / b.standard_error.unwrap();
            assert!((ratio / 50_f64.sqrt() - 1.0).abs() < 1e-2, "{ratio}");
        }
        let expected = mean_expected(&model, few);
        assert!((0.2..2.0).contains(&expected), "{expected}");
    }
    same::<BgNbd>(&cells, &million);
    same::<MbgNbd>(&cells, &million);
    same::<ParetoNbd>(&cells, &million);
    same::<Nbd>(&cells, &million);
}

/// 2. High frequency: BG/NBD garbage (mean E[X] 6e53) or a ConvergenceError elsewhere.
#[test]
fn customers_with_a_thousand_purchases_are_fitted_by_every_model() {
    let truth = PurchaseModel::new(ParetoNbd::new(5.7, 1.71, 0.79, 94.4).unwrap(), TimeUnit::Week);
    let cells = simulated(&truth, 2_000, 104.0, 3);
    assert!(cells.frequency.last() > Some(&800));
    let want = mean_expected(&truth, &cells);
    fn check<P: Process>(cells: &Cells, want: f64, tolerance: f64) {
        let (model, report) = fit::<P>(cells);
        assert!(report.converged, "{report:?}");
        let got = mean_expected(&model, cells);
        assert!((got / want - 1.0).abs() < tolerance, "{}: {got}, truth {want}", report.model);
    }
    check::<ParetoNbd>(&cells, want, 0.02);
    check::<BgNbd>(&cells, want, 0.1);
    check::<MbgNbd>(&cells, want, 0.1);
    // Without dropout the past rate goes on: too much, and finite.
    check::<Nbd>(&cells, want, 1.5);
    // Money: a thousand purchases each.
    let model = SpendModel::new(GammaGamma::new(6.25, 3.74, 15.44).unwrap(), TimeUnit::Week);
    let history = History::new(1_018, 100.0, 104.0).unwrap().spend(20.0).unwrap();
    assert!((model.expected_spend(&history).unwrap().unwrap() - 20.0).abs() < 0.05);
}

/// 3. P(alive) of 0 (pymc-marketing) or NaN (lifetimes) for customers who bought on the last day.
#[test]
fn who_bought_on_the_last_day_is_alive_under_every_model() {
    for x in [1, 30, 1_000, 50_000] {
        let history = History::new(x, 38.86, 38.86).unwrap();
        let pareto =
            PurchaseModel::new(ParetoNbd::new(0.553, 10.578, 0.606, 11.669).unwrap(), TimeUnit::Week);
        assert_eq!(pareto.p_alive(&history, 0.0).unwrap(), 1.0);
        // Under these a customer may leave with the very purchase.
        let bg = PurchaseModel::new(BgNbd::new(0.243, 4.414, 0.793, 2.426).unwrap(), TimeUnit::Week);
        let want = (2.426 + f64::from(x) - 1.0) / (0.793 + 2.426 + f64::from(x) - 1.0);
        assert!((bg.p_alive(&history, 0.0).unwrap() - want).abs() < 1e-13);
        let mbg = PurchaseModel::new(MbgNbd::new(0.525, 6.183, 0.891, 1.614).unwrap(), TimeUnit::Week);
        let want = (1.614 + f64::from(x)) / (0.891 + 1.614 + f64::from(x));
        assert!((mbg.p_alive(&history, 0.0).unwrap() - want).abs() < 1e-13);
    }
}

/// 4. E[X] NaN from x = 5000: MBG/NBD in lifetimes and pymc-marketing, BG/NBD in the latter.
#[test]
fn expectations_are_numbers_at_any_number_of_purchases() {
    let models: [&dyn PurchaseForecast; 4] = [
        &PurchaseModel::new(Nbd::new(0.385, 12.07).unwrap(), TimeUnit::Week),
        &PurchaseModel::new(BgNbd::new(0.243, 4.414, 0.793, 2.426).unwrap(), TimeUnit::Week),
        &PurchaseModel::new(MbgNbd::new(0.525, 6.183, 0.891, 1.614).unwrap(), TimeUnit::Week),
        &PurchaseModel::new(ParetoNbd::new(0.553, 10.578, 0.606, 11.669).unwrap(), TimeUnit::Week),
    ];
    for model in models {
        let mut before = 0.0;
        for x in [100, 1_000, 4_999, 5_000, 5_001, 20_000, 50_000] {
            let lively = History::new(x, 38.86, 38.86).unwrap();
            let expected = model.expected(&lively, 0.0, 39.0).unwrap();
            assert!(expected.is_finite() && expected > before, "{model:?} at {x}: {expected}");
            before = expected;
            let silent = History::new(x, 10.0, 400.0).unwrap();
            let expected = model.expected(&silent, 0.0, 39.0).unwrap();
            assert!(expected.is_finite() && expected >= 0.0, "{model:?} at {x}: {expected}");
        }
    }
}

/// 5. lifetimes' Pareto/NBD predictions raise where α ≥ β.
#[test]
fn alpha_may_be_smaller_or_larger_than_beta_or_the_same() {
    let history = History::new(3, 20.0, 38.0).unwrap();
    let expected = |alpha: f64, beta: f64| {
        let model = PurchaseModel::new(ParetoNbd::new(0.55, alpha, 0.61, beta).unwrap(), TimeUnit::Week);
        let alive = model.p_alive(&history, 0.0).unwrap();
        assert!((0.0..=1.0).contains(&alive));
        model.expected(&history, 0.0, 39.0).unwrap()
    };
    let at = expected(11.0, 11.0);
    for (alpha, beta) in [(11.0, 11.0 + 1e-9), (11.0 + 1e-9, 11.0)] {
        assert!((expected(alpha, beta) - at).abs() < 1e-8, "continuous at α = β");
    }
    assert!(expected(20.0, 2.0) > 0.0 && expected(2.0, 20.0) > 0.0);
}

/// 6. A ridge or an edge that nobody mentions: here each is named, with advice.
#[test]
fn what_the_data_cannot_tell_is_said() {
    let warns = |report: &FitReport, of: fn(&Warning) -> bool| {
        assert!(report.warnings.iter().any(of), "{:?}", report.warnings);
        assert!(report.warnings.iter().all(|w| w.to_string().len() > 20));
    };
    // Nobody leaves: dropout rates run to nothing.
    let immortal = PurchaseModel::new(Nbd::new(1.0, 4.0).unwrap(), TimeUnit::Week);
    let cells = simulated(&immortal, 500, 52.0, 1);
    let flat = |w: &Warning| matches!(w, Warning::FlatDirection { .. } | Warning::AtBoundary { .. });
    warns(&fit::<ParetoNbd>(&cells).1, flat);
    warns(&fit::<BgNbd>(&cells).1, flat);
    // Everybody buys alike: r and α run away together.
    let x = [10; 40];
    let (t_x, age) = ([50.0; 40], [52.0; 40]);
    let alike = Cells::of(&Customers::new(TimeUnit::Week, &x, &t_x, &age, None).unwrap());
    warns(&fit::<Nbd>(&alike).1, |w| matches!(w, Warning::FlatDirection { .. } | Warning::AtBoundary { .. }));
    // Three came back.
    let (mut x, mut t_x) = ([0; 50], [0.0; 50]);
    for i in 0..3 {
        (x[i], t_x[i]) = (1 + i as u32, 10.0 + i as f64);
    }
    let age: Vec<f64> = (0..50).map(|i| 30.0 + f64::from(i) / 7.0).collect();
    let few = Cells::of(&Customers::new(TimeUnit::Week, &x, &t_x, &age, None).unwrap());
    warns(&fit::<BgNbd>(&few).1, |w| matches!(w, Warning::FewRepeatBuyers { customers: 3 }));
    // Amounts of every size: q below 1.
    let truth = GammaGamma::new(2.0, 0.6, 5.0).unwrap();
    let report = spends(&truth, 4_000);
    warns(&report, |w| matches!(w, Warning::UndefinedMean { .. }));
}

/// A Gamma-Gamma fit to simulated mean spends.
fn spends(truth: &GammaGamma, customers: usize) -> FitReport {
    use clv_core::{Cut, Fit, Grain, Moment, Summary, Training};
    let model = PurchaseModel::new(Nbd::new(2.0, 4.0).unwrap(), TimeUnit::Week);
    let (start, end) = (Moment::from_days(0), Moment::from_days(364));
    let simulation = clv_btyd::Simulation::new(customers, start, end, 9).unwrap();
    let log = simulation.run(&model, TimeUnit::Week, Some(truth)).unwrap();
    let summary = Summary::of(&log, Cut::end_of(end, Grain::Day), TimeUnit::Week).unwrap();
    GammaGammaFit::new().fit(&Training::from_summary(summary), &Context::default()).unwrap().report
}

/// 7. Log-likelihoods off by 8e-6 where they are finite: here they agree with the sum of their cells.
#[test]
fn the_likelihood_of_all_is_the_sum_of_the_customers() {
    let model = PurchaseModel::new(ParetoNbd::new(0.55, 10.6, 0.61, 11.7).unwrap(), TimeUnit::Week);
    let cells = simulated(&model, 3_000, 52.0, 8);
    fn agree<P: Process>(cells: &Cells, process: P, one: impl Fn(&P, u32, f64, f64) -> f64) {
        let sum: f64 = (0..cells.len())
            .map(|i| cells.weight[i] * one(&process, cells.frequency[i], cells.recency[i], cells.age[i]))
            .sum();
        let all = process.derivatives(cells).value;
        assert!((all / sum - 1.0).abs() < 1e-13, "{all} {sum}");
    }
    agree(&cells, BgNbd::new(0.243, 4.414, 0.793, 2.426).unwrap(), BgNbd::ln_likelihood);
    agree(&cells, MbgNbd::new(0.525, 6.183, 0.891, 1.614).unwrap(), MbgNbd::ln_likelihood);
    agree(&cells, ParetoNbd::new(0.553, 10.578, 0.606, 11.669).unwrap(), ParetoNbd::ln_likelihood);
}

/// Quantiles of spend under the heaviest tails are numbers or refused, never infinite.
#[test]
fn quantiles_of_spend_are_numbers_or_refused() {
    let new = History::new(0, 0.0, 10.0).unwrap();
    for q in [1e-4, 1e-2, 0.5, 3.0] {
        let model = SpendModel::new(GammaGamma::new(2.0, q, 10.0).unwrap(), TimeUnit::Week);
        for probability in [1e-6, 0.1, 0.5, 0.999, 1.0 - 1e-12] {
            if let Ok(amount) = model.spend_quantile(&new, probability) {
                assert!(amount.is_finite() && amount >= 0.0, "q {q}, {probability}: {amount}");
            }
        }
    }
    let model = SpendModel::new(GammaGamma::new(2.0, 1e-4, 10.0).unwrap(), TimeUnit::Week);
    assert!(model.spend_quantile(&new, 0.999).unwrap_err().to_string().contains("10^308"));
}
