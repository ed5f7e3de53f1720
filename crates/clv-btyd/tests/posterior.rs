//! Posteriors: where they lie, that ranks of truths within them are uniform, and what is refused.

#![allow(clippy::unwrap_used)]

mod common;

use clv_btyd::{
    Bayes, BetaDiscreteWeibull, BgBb, BgCnbd, BgNbd, GgomNbd, MaximumLikelihood, MbgCnbd, MbgNbd, Nbd,
    ParetoNbd, Process, WeibullGamma,
};
use clv_core::{Cells, Context, TimeUnit};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

#[test]
fn lies_about_the_estimate_where_there_is_much_to_learn_from() {
    let truth = ParetoNbd::new(0.8, 9.0, 0.7, 14.0).unwrap();
    let cells = common::drawn(&truth, 10_000, 80.0, (3, 0));
    let cx = Context::default().seed(2);
    let fitted = MaximumLikelihood::<ParetoNbd>::new().fit_cells(&cells, TimeUnit::Week, &cx).unwrap();
    let posterior = Bayes::<ParetoNbd>::new().cells(&cells, TimeUnit::Week, &cx).unwrap();
    for (summary, estimate) in posterior.summaries.iter().zip(&fitted.report.parameters) {
        let error = estimate.standard_error.unwrap();
        assert!((summary.mean - estimate.value).abs() < 0.25 * error, "{summary:?} {estimate:?}");
        assert!((summary.deviation / error - 1.0).abs() < 0.1, "{summary:?} {estimate:?}");
        assert!(summary.r_hat < 1.01 && summary.effective > 1_500.0, "{summary:?}");
    }
}

#[test]
fn a_parameter_may_be_held_and_settings_are_checked() {
    let cells = common::drawn(&BgNbd::new(0.8, 9.0, 0.7, 3.0).unwrap(), 500, 60.0, (3, 0));
    let settings = Bayes::<BgNbd>::new().chains(2, 200).unwrap().fix("a", 0.7).unwrap();
    let posterior = settings.cells(&cells, TimeUnit::Week, &Context::default()).unwrap();
    assert!(posterior.chains.concat().iter().all(|p| p.values()[2] == 0.7));
    assert_eq!(posterior.draws().populations.len(), 400);
    let again = settings.cells(&cells, TimeUnit::Week, &Context::default()).unwrap();
    assert_eq!(posterior.chains, again.chains, "the same for a seed");
    let one = Bayes::<Nbd>::new().fix("r", 0.8).unwrap().cells(&cells, TimeUnit::Week, &Context::default());
    assert!(one.unwrap().accepted > 0.5, "a single parameter");
    let refused =
        |settings: Bayes<BgCnbd>| settings.cells(&cells, TimeUnit::Week, &Context::default()).unwrap_err();
    assert!(refused(Bayes::new()).to_string().contains("fix k"));
    let between = Bayes::<BgCnbd>::new().fix("k", 2.5).unwrap_err();
    assert!(between.to_string().contains("whole number"));
    let both = Bayes::new().fix("k", 2.0).unwrap().prior("k", 2.0, 1.0).unwrap();
    assert!(refused(both).to_string().contains("not held"));
    assert!(Bayes::<BgNbd>::new().chains(0, 100).is_err());
    assert!(Bayes::<BgNbd>::new().prior("k", 1.0, 1.0).is_err());
    assert!(Bayes::<BgNbd>::new().prior("a", 1.0, 0.0).is_err());
    let none = Bayes::<BgNbd>::new().cells(&Cells::default(), TimeUnit::Week, &Context::default());
    assert!(none.unwrap_err().to_string().contains("customer"));
}

/// Talts, Betancourt, Simpson, Vehtari & Gelman (2018), "Validating Bayesian Inference Algorithms with Simulation-Based Calibration":
/// of truths drawn from the prior, the ranks within the draws of their posteriors are uniform.
fn is_calibrated<P: Process>(medians: &[f64], held: Option<(&str, f64)>, rounds: u64) {
    const BINS: usize = 16;
    let mut settings = Bayes::<P>::new().chains(1, 300).unwrap();
    for (parameter, &median) in P::PARAMETERS.iter().zip(medians) {
        if held.is_some_and(|(name, _)| name == parameter.name) {
            continue;
        }
        settings = settings.prior(parameter.name, median, 0.4).unwrap();
    }
    if let Some((name, value)) = held {
        settings = settings.fix(name, value).unwrap();
    }
    let mut ranks = vec![[0.0; BINS]; medians.len()];
    for round in 0..rounds {
        let mut rng = ChaCha8Rng::seed_from_u64(17);
        rng.set_stream(round);
        let truth: Vec<f64> = (0..medians.len())
            .map(|i| {
                let z: f64 = StandardNormal.sample(&mut rng);
                match held {
                    Some((name, value)) if P::PARAMETERS[i].name == name => value,
                    _ => medians[i] * (0.4 * z).exp(),
                }
            })
            .collect();
        let cells = common::drawn(&P::from_values(&truth).unwrap(), 100, 60.0, (round, 1));
        let posterior = settings.cells(&cells, TimeUnit::Week, &Context::default().seed(round)).unwrap();
        // Every twentieth draw, so that they are nearly independent: 15 of them, ranks from 0 to 15.
        for (i, bins) in ranks.iter_mut().enumerate() {
            let below = posterior.chains[0].iter().step_by(20).filter(|p| p.values()[i] < truth[i]);
            bins[below.count()] += 1.0;
        }
    }
    let expected = rounds as f64 / BINS as f64;
    for (i, bins) in ranks.iter().enumerate() {
        if held.is_some_and(|(name, _)| P::PARAMETERS[i].name == name) {
            continue;
        }
        let chi: f64 = bins.iter().map(|n| (n - expected) * (n - expected) / expected).sum();
        let p = clv_math::special::gamma_q(0.5 * (BINS as f64 - 1.0), 0.5 * chi);
        // Some forty parameters in all: .01 corrected for them (Bonferroni).
        assert!(p > 0.01 / 40.0, "{} {}: p = {p}, ranks {bins:?}", P::KIND.name, P::PARAMETERS[i].name);
    }
}

#[test]
fn ranks_are_uniform_nbd_and_bg_family() {
    is_calibrated::<Nbd>(&[0.8, 8.0], None, 640);
    is_calibrated::<BgNbd>(&[0.8, 8.0, 0.8, 2.5], None, 640);
    is_calibrated::<MbgNbd>(&[0.8, 8.0, 0.8, 2.5], None, 640);
}

#[test]
fn ranks_are_uniform_at_a_beat() {
    is_calibrated::<BgCnbd>(&[0.8, 4.0, 0.8, 2.5, 2.0], Some(("k", 2.0)), 640);
    is_calibrated::<MbgCnbd>(&[0.8, 4.0, 0.8, 2.5, 3.0], Some(("k", 3.0)), 640);
}

#[test]
fn ranks_are_uniform_by_the_period_and_of_contracts() {
    is_calibrated::<BgBb>(&[1.2, 0.8, 0.7, 9.0], None, 320);
    is_calibrated::<BetaDiscreteWeibull>(&[0.8, 8.0, 1.2], None, 640);
    is_calibrated::<BetaDiscreteWeibull>(&[0.8, 8.0, 1.0], Some(("c", 1.0)), 640);
    is_calibrated::<WeibullGamma>(&[1.5, 30.0, 1.2], None, 640);
    is_calibrated::<WeibullGamma>(&[1.5, 30.0, 1.0], Some(("c", 1.0)), 640);
}

#[test]
fn ranks_are_uniform_pareto_nbd() {
    is_calibrated::<ParetoNbd>(&[0.8, 8.0, 0.7, 12.0], None, 480);
}

#[test]
fn ranks_are_uniform_ggom_nbd() {
    is_calibrated::<GgomNbd>(&[0.8, 8.0, 0.04, 0.7, 1.5], None, 160);
}
