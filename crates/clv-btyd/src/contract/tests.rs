use clv_core::backtest::{Backtest, BoxedFit};
use clv_core::baselines::ConstantRetention;
use clv_core::contracts::Contracts;
use clv_core::model::Reads;
use clv_core::{Context, Cut, Erased, Fitted, Grain, Moment, Split, TimeUnit};
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::estimate::MaximumLikelihood;
use crate::model::PurchaseModel;
use crate::process::Process;
use crate::process::expect_derivatives;
use rand::SeedableRng;

const HIGH: [f64; 13] =
    [1000.0, 869.0, 743.0, 653.0, 593.0, 551.0, 517.0, 491.0, 468.0, 445.0, 427.0, 409.0, 394.0];
const REGULAR: [f64; 13] =
    [1000.0, 631.0, 468.0, 382.0, 326.0, 289.0, 262.0, 241.0, 223.0, 207.0, 194.0, 183.0, 173.0];

type RenewalFit = MaximumLikelihood<BetaDiscreteWeibull>;

fn fitted(fit: &RenewalFit, cohorts: &[&[f64]]) -> Fitted<PurchaseModel<BetaDiscreteWeibull>> {
    let cohorts: Vec<Cohort> = cohorts.iter().map(|one| Cohort::new(one).unwrap()).collect();
    fit.fit_cells(&Cohort::cells(&cohorts), TimeUnit::Year, &Context::default()).unwrap()
}

/// Fader & Hardie (2007), fitted on the first seven renewals of each.
#[test]
fn the_published_fits() {
    for (seen, alpha, beta) in [(HIGH, 0.668, 3.806), (REGULAR, 0.704, 1.182)] {
        let model = *fitted(&RenewalFit::shifted_beta_geometric(), &[&seen[..8]]).model.parameters();
        let [a, b, c] = model.values();
        assert!((a - alpha).abs() < 5e-4 && (b - beta).abs() < 5e-4 && c == 1.0, "{a} {b}");
        // Their point: the five years that were not fitted.
        for (t, survivors) in seen.iter().enumerate().skip(8) {
            assert!((1000.0 * model.survival(t as u32) - survivors).abs() < 17.0, "{t}");
        }
    }
    // A free c fits no worse, and to both cohorts at once the likelihoods add up.
    let sbg = fitted(&RenewalFit::shifted_beta_geometric(), &[&REGULAR]).report.log_likelihood.unwrap();
    let bdw = fitted(&RenewalFit::new(), &[&REGULAR]).report.log_likelihood.unwrap();
    assert!(bdw >= sbg - 1e-9, "{bdw} {sbg}");
    let twice = fitted(&RenewalFit::shifted_beta_geometric(), &[&REGULAR, &REGULAR]);
    assert!((twice.report.log_likelihood.unwrap() - 2.0 * sbg).abs() < 1e-6);
}

/// Fader & Hardie (2010), table 3: DERL at a discount of 10%.
#[test]
fn the_published_residual_lifetimes() {
    for (alpha, beta, expected) in
        [(3.80, 15.20, [3.31, 3.45, 3.59, 3.72, 3.84]), (0.067, 0.267, [7.68, 9.46, 9.86, 10.06, 10.19])]
    {
        let model = BetaDiscreteWeibull::shifted_beta_geometric(alpha, beta).unwrap();
        for (place, expected) in expected.into_iter().enumerate() {
            let derl = model.derl(place as u32 + 1, 0.1).unwrap().unwrap();
            // The parameters are printed to three digits.
            assert!((derl / expected - 1.0).abs() < 2e-3, "{alpha} {place}: {derl}");
        }
    }
    // In closed form without a discount, far beyond what is added up one by one.
    let slow = BetaDiscreteWeibull::shifted_beta_geometric(1.5, 40.0).unwrap();
    for n in [0, 3, 100] {
        let found = slow.residual_renewals(n, 0.0).unwrap().unwrap();
        let expected = (40.0 + f64::from(n)) / 0.5;
        assert!((found / expected - 1.0).abs() < 1e-9, "{n}: {found} {expected}");
    }
    let heavy = BetaDiscreteWeibull::new(0.8, 2.0, 1.2).unwrap();
    assert_eq!(heavy.residual_renewals(1, 0.0).unwrap(), None);
    let one_by_one: f64 = (1..60_000)
        .map(|k| (heavy.ln_survival(f64::from(1 + k)) - heavy.ln_survival(1.0)).exp() / 1.001_f64.powi(k))
        .sum();
    let found = heavy.residual_renewals(1, 1e-3).unwrap().unwrap();
    assert!((found / one_by_one - 1.0).abs() < 1e-9, "{found} {one_by_one}");
    assert!(heavy.residual_renewals(1, -0.1).is_err());
}

#[test]
fn derivatives_against_the_functions() {
    let cohorts = [Cohort::new(&HIGH).unwrap(), Cohort::new(&[50.0, 20.0, 20.0, 0.0]).unwrap()];
    let tenures = [
        Tenure::ended(0.3).unwrap(),
        Tenure::ended(7.0).unwrap(),
        Tenure::running(20.0).unwrap(),
        Tenure::running(0.0).unwrap(),
    ];
    let (cohorts, tenures) = (Cohort::cells(&cohorts), Tenure::cells(&tenures));
    let renewals = |v: &[f64]| BetaDiscreteWeibull::from_values(v).unwrap().derivatives(&cohorts);
    let lasting = |v: &[f64]| WeibullGamma::from_values(v).unwrap().derivatives(&tenures);
    for values in [[0.7, 3.8, 1.0], [5.0, 0.4, 1.6], [0.2, 30.0, 0.5]] {
        expect_derivatives(&values, 1e-6, renewals);
        expect_derivatives(&values, 1e-6, lasting);
    }
    // t^c of sixty renewals, beside which β + t^c and α + β + t^c are one number.
    let long =
        Cohort::cells(&[
            Cohort::new(&(0..60).map(|t| 900.0 - 9.0 * f64::from(t)).collect::<Vec<_>>()).unwrap()
        ]);
    let far = |v: &[f64]| BetaDiscreteWeibull::from_values(v).unwrap().derivatives(&long);
    for values in [[0.01, 13.0, 5.0], [0.02, 5.0, 9.0], [0.01, 13.0, 20.0], [0.5, 2.0, 300.0]] {
        expect_derivatives(&values, 1e-5, far);
    }
}

#[test]
fn renewals_that_were_drawn_are_found_again() {
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    let truth = BetaDiscreteWeibull::new(0.9, 3.0, 1.4).unwrap();
    let mut customers = [60_000.0; 16];
    for _ in 0..60_000 {
        if let Some(gone) = truth.draw(15, &mut rng) {
            customers[gone as usize..].iter_mut().for_each(|left| *left -= 1.0);
        }
    }
    for (t, left) in customers.iter().enumerate() {
        let expected = truth.survival(t as u32);
        let error = (expected * (1.0 - expected) / 60_000.0).sqrt();
        assert!((left / 60_000.0 - expected).abs() <= 4.0 * error, "{t}: {left} {expected}");
    }
    let found = fitted(&RenewalFit::new(), &[&customers]);
    for (estimate, truth) in found.report.all_parameters().zip(truth.values()) {
        let error = estimate.standard_error.unwrap();
        assert!((estimate.value - truth).abs() < 3.5 * error, "{estimate:?} {truth}");
    }
}

#[test]
fn tenures_that_were_drawn_are_found_again() {
    let mut rng = ChaCha8Rng::seed_from_u64(12);
    let truth = WeibullGamma::new(1.6, 12.0, 1.3).unwrap();
    let censored = |lasts: f64| {
        if lasts < 20.0 { Tenure::ended(lasts).unwrap() } else { Tenure::running(20.0).unwrap() }
    };
    let drawn: Vec<Tenure> = (0..40_000).map(|_| censored(truth.draw(&mut rng))).collect();
    let left = drawn.iter().filter(|tenure| !tenure.has_ended()).count() as f64 / 40_000.0;
    let expected = truth.survival(20.0).unwrap();
    assert!((left - expected).abs() < 4.0 * (expected / 40_000.0).sqrt(), "{left} {expected}");
    let found = MaximumLikelihood::<WeibullGamma>::new()
        .fit_cells(&Tenure::cells(&drawn), TimeUnit::Month, &Context::default())
        .unwrap();
    for (estimate, truth) in found.report.all_parameters().zip(truth.values()) {
        let error = estimate.standard_error.unwrap();
        assert!((estimate.value - truth).abs() < 3.5 * error, "{estimate:?} {truth}");
    }
    // The residual life is the mean of what is drawn beyond, and in closed form with c = 1.
    let mean = |t: f64, rng: &mut ChaCha8Rng| {
        let lasts: Vec<f64> = (0..200_000).map(|_| truth.draw(rng)).filter(|l| *l > t).collect();
        let discounted = lasts.iter().map(|l| -(-0.05 * (l - t)).exp_m1() / 0.05).sum::<f64>();
        discounted / lasts.len() as f64
    };
    let (simulated, found) = (mean(5.0, &mut rng), truth.residual(5.0, 0.05).unwrap().unwrap());
    assert!((simulated / found - 1.0).abs() < 0.01, "{simulated} {found}");
    let plain = WeibullGamma::exponential_gamma(1.2, 7.0).unwrap();
    assert!((plain.residual(3.0, 0.0).unwrap().unwrap() / 50.0 - 1.0).abs() < 1e-9);
    assert_eq!(WeibullGamma::new(0.5, 7.0, 1.5).unwrap().residual(3.0, 0.0).unwrap(), None);
}

#[test]
fn what_cannot_be_is_refused_by_date_and_reason() {
    let error = Cohort::new(&[100.0, 80.0, 81.0]).unwrap_err().to_string();
    assert!(error.contains("row 2") && error.contains("81"), "{error}");
    assert!(Cohort::new(&[100.0]).is_err() && Cohort::new(&[0.0, 0.0]).is_err());
    let all_stay = Cohort::cells(&[Cohort::new(&[10.0, 10.0]).unwrap()]);
    let (fit, cx) = (RenewalFit::shifted_beta_geometric(), Context::default());
    assert!(fit.fit_cells(&all_stay, TimeUnit::Year, &cx).is_err());
    assert!(fit.fit_cells(&Cohort::cells(&[]), TimeUnit::Year, &cx).is_err());
    assert!(Tenure::ended(0.0).is_err() && Tenure::running(f64::NAN).is_err());
    let running = Tenure::cells(&[Tenure::running(3.0).unwrap()]);
    let fit = MaximumLikelihood::exponential_gamma();
    assert!(fit.fit_cells(&running, TimeUnit::Month, &cx).is_err());
    let text = serde_json::to_string(&WeibullGamma::new(1.0, 2.0, 3.0).unwrap()).unwrap();
    assert_eq!(text, "[1.0,2.0,3.0]");
    assert!(serde_json::from_str::<WeibullGamma>("[1.0,-2.0,3.0]").is_err());
}

/// 30.4375 days are a month: the same contracts have the same shapes, and a scale of as many days more.
#[test]
fn tenures_do_not_depend_on_the_unit() {
    let mut rng = ChaCha8Rng::seed_from_u64(13);
    let truth = WeibullGamma::new(1.8, 30.0, 3.5).unwrap();
    let lasts: Vec<f64> = (0..3_000).map(|_| truth.draw(&mut rng)).collect();
    let fit = |by: f64| {
        let one = |lasts: &f64| {
            if *lasts < 36.0 {
                Tenure::ended(lasts * by).unwrap()
            } else {
                Tenure::running(36.0 * by).unwrap()
            }
        };
        let tenures: Vec<Tenure> = lasts.iter().map(one).collect();
        MaximumLikelihood::<WeibullGamma>::new()
            .fit_cells(&Tenure::cells(&tenures), TimeUnit::Day, &Context::default())
            .unwrap()
    };
    let (months, days) = (fit(1.0), fit(30.4375));
    assert!(days.report.warnings.is_empty(), "{:?}", days.report);
    let [a, b] = [&months, &days].map(|fitted| fitted.model.parameters().values());
    for (a, b) in [(a[0], b[0]), (a[1] * 30.4375, b[1]), (a[2], b[2])] {
        assert!((a / b - 1.0).abs() < 1e-5, "{a} {b}");
    }
    let ended = lasts.iter().filter(|lasts| **lasts < 36.0).count() as f64;
    let [a, b] = [months, days].map(|fitted| fitted.report.log_likelihood.unwrap());
    assert!((a - b - ended * 30.4375_f64.ln()).abs() < 1e-5, "{a} {b}");
}

/// Shares that leave at whole months only: no law of times in between is told by them.
#[test]
fn ends_at_whole_periods_are_no_times() {
    let [survivors, later] = [&HIGH[..12], &HIGH[1..]];
    let ended = survivors.iter().zip(later).enumerate().flat_map(|(month, (now, then))| {
        std::iter::repeat_n(Tenure::ended(month as f64 + 1.0).unwrap(), (now - then) as usize)
    });
    let running = std::iter::repeat_n(Tenure::running(12.0).unwrap(), HIGH[12] as usize);
    let tenures: Vec<Tenure> = ended.chain(running).collect();
    let fit = MaximumLikelihood::<WeibullGamma>::new();
    let error = fit.fit_cells(&Tenure::cells(&tenures), TimeUnit::Month, &Context::default()).unwrap_err();
    assert!(error.to_string().contains("sbg and bdw"), "{error}");
    // Spread over the month before, they are.
    let spread = tenures.iter().enumerate().map(|(i, one)| match one.has_ended() {
        true => Tenure::ended(one.lasted() - (i % 10) as f64 / 10.0).unwrap(),
        false => *one,
    });
    let cells = Tenure::cells(&spread.collect::<Vec<_>>());
    assert!(fit.fit_cells(&cells, TimeUnit::Month, &Context::default()).is_ok());
}

/// The same cohorts as a table of contracts, of which seven renewals are learned from and five forecast.
#[test]
fn a_backtest_of_the_published_cohorts() {
    let begun = Moment::parse_date("2000-03-01").unwrap();
    let day = |text| Cut::end_of(Moment::parse_date(text).unwrap(), Grain::Day);
    let split = Split::new(day("2007-06-30"), day("2012-06-30")).unwrap();
    for seen in [HIGH, REGULAR] {
        let mut table = Contracts::default();
        let mut stays = |i: u32, years: i64| {
            let end = (years <= 12).then(|| begun.later(years, TimeUnit::Year).unwrap());
            table.state(&format!("c{i}"), begun, end).unwrap();
        };
        for i in 0..1_000 {
            // Lost at the first renewal that fewer than this survived.
            let lost = seen.iter().position(|survivors| *survivors <= f64::from(i)).unwrap_or(13);
            stays(i, lost as i64);
        }
        let backtest = Backtest::of_contracts(&table, split, TimeUnit::Year, Reads::Renewals).unwrap();
        let actual: f64 = seen[8..].iter().sum();
        assert_eq!(backtest.actual_purchases().iter().sum::<f64>(), actual);
        assert_eq!((backtest.actual_purchases().len() as f64, backtest.counted()), (seen[7], "renewals"));
        let cx = Context::default();
        let run = |name: &str, fit: BoxedFit| backtest.run(name, &fit, &cx).unwrap().purchases;
        let model = run("sbg", Box::new(Erased(RenewalFit::shifted_beta_geometric())));
        let naive = run("constant-retention", Box::new(Erased(ConstantRetention)));
        assert!((model.total_predicted / actual - 1.0).abs() < 0.03, "{} {actual}", model.total_predicted);
        assert!(naive.total_predicted < 0.9 * actual, "{} {actual}", naive.total_predicted);
        assert!(model.rmse < naive.rmse, "{} {}", model.rmse, naive.rmse);
        let tenures = Backtest::of_contracts(&table, split, TimeUnit::Year, Reads::Tenures).unwrap();
        assert_eq!(tenures.counted(), "whole units");
        assert!(Backtest::of_contracts(&table, split, TimeUnit::Year, Reads::Purchases).is_err());
    }
}
