//! Do 95% intervals cover the truth 95 times in a hundred? By `cargo xtask recovery`; what came out stands in
//! docs/NUMERICS.md.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod common;

use clv_btyd::{
    BetaDiscreteWeibull, BgBb, BgCnbd, BgNbd, Cohort, Covariates, GammaGammaFit, GgomNbd, LognormalSpend,
    LognormalSpendFit, MaximumLikelihood, MbgCnbd, MbgNbd, Nbd, OverTimeFit, ParetoNbd, Process, Scale,
    Tenure, Tries, WeibullGamma, WithCovariates, log_interval,
};
use clv_core::attributes::{Attributes, Conflict};
use clv_core::features::Beyond;
use clv_core::summary::Purchases;
use clv_core::{
    Context, Customers, Cut, Fit, FitReport, Grain, LogBuilder, Moment, TimeUnit, Timelines, Training,
    Transaction, TransactionLog,
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Exp1, Gamma};

const REPETITIONS: u64 = 1_000;
const SEED: u64 = 20_261_126;

fn covers<P: Process>(truth: &[f64], customers: usize, length: f64) {
    let process = P::from_values(truth).unwrap();
    let searched: Vec<usize> = (0..truth.len()).filter(|&i| P::PARAMETERS[i].scale != Scale::Count).collect();
    let mut fit = MaximumLikelihood::<P>::new();
    for i in (0..truth.len()).filter(|i| !searched.contains(i)) {
        fit = fit.fix(P::PARAMETERS[i].name, truth[i]).unwrap();
    }
    let (mut by_curvature, mut by_profile) = (vec![0_u32; truth.len()], vec![0_u32; truth.len()]);
    let cx = Context::default();
    for repetition in 0..REPETITIONS {
        let cells = common::drawn(&process, customers, length, (SEED, repetition + 1));
        let fitted = fit.fit_cells(&cells, TimeUnit::Week, &cx).unwrap();
        for &i in &searched {
            let estimate = &fitted.report.parameters[i];
            let within =
                log_interval(estimate, 0.95).unwrap().is_some_and(|(a, b)| a <= truth[i] && truth[i] <= b);
            by_curvature[i] += u32::from(within);
            // The profile's interval holds the truth if the likelihood there is near enough to its maximum.
            let there = fit.clone().fix(&estimate.name, truth[i]).unwrap().start(*fitted.model.parameters());
            let there = there.fit_cells(&cells, TimeUnit::Week, &cx).unwrap().report.log_likelihood.unwrap();
            let lost = 2.0 * (fitted.report.log_likelihood.unwrap() - there);
            // The 95% point of chi-square with one degree of freedom.
            by_profile[i] += u32::from(lost <= 3.841_458_820_694_124);
        }
    }
    for &i in &searched {
        let share = |count: u32| 100.0 * f64::from(count) / REPETITIONS as f64;
        println!(
            "| {} | {} | {} | {:.1} | {:.1} |",
            P::KIND.name,
            P::PARAMETERS[i].name,
            truth[i],
            share(by_curvature[i]),
            share(by_profile[i])
        );
        assert!((92.5..=97.5).contains(&share(by_profile[i])), "{} {i}", P::KIND.name);
    }
}

#[test]
#[ignore = "minutes: cargo xtask recovery"]
fn ninety_five_percent_intervals_cover_the_truth() {
    println!("{REPETITIONS} repetitions, seed {SEED}, 1,500 customers for 62 to 104 weeks (GGom/NBD: 4,000)");
    println!("| model | parameter | truth | curvature, % | profile, % |");
    covers::<Nbd>(&[0.4, 12.0], 1_500, 104.0);
    covers::<BgNbd>(&[0.5, 6.0, 0.8, 2.4], 1_500, 104.0);
    covers::<MbgNbd>(&[0.9, 6.0, 0.9, 1.6], 1_500, 104.0);
    covers::<ParetoNbd>(&[0.9, 6.0, 0.8, 20.0], 1_500, 104.0);
    covers::<BgCnbd>(&[0.85, 1.45, 0.79, 2.42, 3.0], 1_500, 104.0);
    covers::<MbgCnbd>(&[1.3, 2.8, 0.42, 0.79, 2.0], 1_500, 104.0);
    covers::<GgomNbd>(&[0.9, 6.0, 0.06, 0.7, 8.0], 4_000, 104.0);
}

/// The same by the curvature alone, of anything that has a report.
///
/// Tells the parameters that it does not hold of.
fn holds(name: &str, truth: &[f64], fit: impl Fn(ChaCha8Rng) -> FitReport) -> Vec<String> {
    let mut missed = Vec::new();
    let mut within = vec![0_u32; truth.len()];
    let mut report = None;
    for repetition in 0..REPETITIONS {
        let mut rng = ChaCha8Rng::seed_from_u64(SEED);
        rng.set_stream(repetition + 1);
        let found = fit(rng);
        for ((estimate, truth), within) in found.parameters.iter().zip(truth).zip(&mut within) {
            let interval = log_interval(estimate, 0.95).unwrap();
            *within += u32::from(interval.is_some_and(|(a, b)| a <= *truth && *truth <= b));
        }
        report = Some(found);
    }
    for ((estimate, truth), within) in report.unwrap().parameters.iter().zip(truth).zip(within) {
        if estimate.fixed {
            continue;
        }
        let share = 100.0 * f64::from(within) / REPETITIONS as f64;
        println!("| {name} | {} | {truth} | {share:.1} | |", estimate.name);
        if !(92.5..=97.5).contains(&share) {
            missed.push(format!("{name} {}: {share}", estimate.name));
        }
    }
    missed
}

#[test]
#[ignore = "minutes: cargo xtask recovery"]
fn intervals_of_contracts_opportunities_and_spend() {
    let cx = Context::default();
    let mut missed = Vec::new();
    for (name, truth, fit) in [
        ("sBG", [0.7, 1.2, 1.0], MaximumLikelihood::shifted_beta_geometric()),
        ("BdW", [0.7, 1.2, 1.4], MaximumLikelihood::<BetaDiscreteWeibull>::new()),
    ] {
        let model = BetaDiscreteWeibull::new(truth[0], truth[1], truth[2]).unwrap();
        missed.extend(holds(name, &truth, |mut rng| {
            let mut left = vec![3_000.0; 11];
            for _ in 0..3_000 {
                if let Some(at) = model.draw(10, &mut rng) {
                    left[at as usize..].iter_mut().for_each(|n| *n -= 1.0);
                }
            }
            fit.fit_cells(&Cohort::cells(&[Cohort::new(&left).unwrap()]), TimeUnit::Year, &cx).unwrap().report
        }));
    }
    for (name, truth, fit) in [
        ("exponential-gamma", [1.5, 20.0, 1.0], MaximumLikelihood::exponential_gamma()),
        ("Weibull-gamma", [1.5, 20.0, 1.3], MaximumLikelihood::<WeibullGamma>::new()),
    ] {
        let model = WeibullGamma::new(truth[0], truth[1], truth[2]).unwrap();
        missed.extend(holds(name, &truth, |mut rng| {
            let one = |_| {
                let (lasts, seen) = (model.draw(&mut rng), 10.0 + 50.0 * rng.random::<f64>());
                if lasts < seen { Tenure::ended(lasts).unwrap() } else { Tenure::running(seen).unwrap() }
            };
            let tenures: Vec<Tenure> = (0..3_000).map(one).collect();
            fit.fit_cells(&Tenure::cells(&tenures), TimeUnit::Month, &cx).unwrap().report
        }));
    }
    let truth = [1.2, 0.75, 0.66, 2.8];
    let model = BgBb::new(truth[0], truth[1], truth[2], truth[3]).unwrap();
    missed.extend(holds("bg-bb", &truth, |mut rng| {
        let tries: Vec<_> = (0..3_000).map(|i| (model.draw(6 + i % 5, &mut rng), 1.0)).collect();
        let cells = Tries::cells(&tries).unwrap();
        MaximumLikelihood::<BgBb>::new().fit_cells(&cells, TimeUnit::Year, &cx).unwrap().report
    }));
    let truth = [6.25, 3.74, 15.44];
    let x: Vec<u32> = (0..3_000).map(|i| 1 + i % 7).collect();
    let (t_x, age) = (vec![30.0; x.len()], vec![50.0; x.len()]);
    missed.extend(holds("gamma-gamma", &truth, |mut rng| {
        let [p, q, gamma] = truth;
        let one = |&x: &u32| {
            // A mean of x gamma variables of shape p at rate ν is one of shape p x at rate ν x.
            let (x, nu) = (f64::from(x), Gamma::new(q, 1.0 / gamma).unwrap().sample(&mut rng));
            Gamma::new(p * x, 1.0 / (nu * x)).unwrap().sample(&mut rng)
        };
        let means: Vec<f64> = x.iter().map(one).collect();
        let who = Customers::new(TimeUnit::Week, &x, &t_x, &age, Some(&means)).unwrap();
        GammaGammaFit::new().fit_customers(&who, &cx).unwrap().report
    }));
    let truth = [30.0, 0.6, 0.5];
    let model = LognormalSpend::new(truth[0], truth[1], truth[2]).unwrap();
    missed.extend(holds("lognormal-spend", &truth, |mut rng| {
        let customers: Vec<Vec<f64>> = (0..3_000).map(|i| model.draw(1 + i % 7, &mut rng)).collect();
        LognormalSpendFit::new().amounts(&customers, &cx).unwrap().report
    }));
    assert!(missed.is_empty(), "{missed:?}");
}

const START: &str = "2020-01-01";

fn day(after: f64) -> Moment {
    Moment::parse_date(START).unwrap().plus_days(after)
}

/// A customer of an hour or more between purchases, from a day on.
fn push(log: &mut LogBuilder, name: &str, first: f64, weeks: &[f64]) {
    for t in std::iter::once(&0.0).chain(weeks) {
        log.push(Transaction::new(name, day(first + 7.0 * t))).unwrap();
    }
}

fn observed(log: &TransactionLog) -> (Purchases, Cut) {
    (Purchases::of(log, Grain::Exact).unwrap(), Cut::end_of(day(7.0 * 104.0), Grain::Exact))
}

#[test]
#[ignore = "minutes: cargo xtask recovery"]
fn intervals_of_coefficients() {
    let cx = Context::default();
    let (buys, leaves) = ([0.6, -0.3], [-0.5, 0.4]);
    fn with<P: Process>(
        name: &str,
        truth: &[f64],
        buys: [f64; 2],
        leaves: [f64; 2],
        cx: &Context<'_>,
    ) -> Vec<String> {
        let all: Vec<f64> = truth.iter().chain(&buys).chain(&leaves).copied().collect();
        holds(name, &all, |mut rng| {
            let (mut log, mut people) = (LogBuilder::new(), Attributes::new(Conflict::FirstStands));
            let mut times = Vec::new();
            for i in 0..2_000 {
                let z = [f64::from(u8::from(i % 2 == 0)), (i % 5) as f64 / 2.0 - 1.0];
                let by = |of: [f64; 2]| (of[0] * z[0] + of[1] * z[1]).exp();
                let mut own = truth.to_vec();
                for (moved, by) in [(P::PURCHASES, by(buys)), (P::DROPOUT, by(leaves))] {
                    for (parameter, power) in moved {
                        let place = P::PARAMETERS.iter().position(|p| p.name == *parameter).unwrap();
                        own[place] *= by.powf(*power);
                    }
                }
                let name = format!("c{i}");
                people.state(&name, "one", &z[0].to_string());
                people.state(&name, "two", &z[1].to_string());
                let first = 7.0 * 40.0 * rng.random::<f64>();
                times.clear();
                let process = P::from_values(&own).unwrap();
                process.purchase_times(104.0 - first / 7.0, &mut rng, &mut times);
                push(&mut log, &name, first, &times);
            }
            let (log, people) = (log.finish(), people.typed());
            let (purchases, cut) = observed(&log);
            let beyond = Beyond::of(&log).attributes(&people);
            let training = Training::new(&purchases, cut, TimeUnit::Week).unwrap().knowing(&beyond);
            let names = ["own_one", "own_two"];
            let asked = Covariates::new().on_purchases(names).unwrap().on_dropout(names).unwrap();
            WithCovariates::<P>::new(asked).fit(&training, cx).unwrap().report
        })
    }
    let mut missed = with::<ParetoNbd>("covariates of pareto-nbd", &[0.9, 6.0, 0.8, 20.0], buys, leaves, &cx);
    missed.extend(with::<BgNbd>("covariates of bg-nbd", &[0.5, 6.0, 0.8, 2.4], buys, leaves, &cx));
    // Half a year of season, half a year without, for all.
    let truth = [0.9, 6.0, 0.8, 20.0, 0.7, -0.6];
    let mut season = Timelines::new(["season"]).unwrap();
    for half in 0..6 {
        let high = f64::from(half % 2);
        season.state(None, day(-7.0 + 7.0 * 26.0 * f64::from(half)), &[high]).unwrap();
    }
    // Time on a clock that runs faster in season, from a day on.
    let clock = |from: f64, to: f64, by: f64| {
        let cuts: Vec<f64> = (0..6).map(|half| -7.0 + 7.0 * 26.0 * f64::from(half)).collect();
        let mut sum = 0.0;
        for (half, start) in cuts.iter().enumerate() {
            let (a, b) = (from.max(*start), to.min(start + 7.0 * 26.0));
            let pace = if half % 2 == 1 { by.exp() } else { 1.0 };
            sum += (b - a).max(0.0) / 7.0 * pace;
        }
        sum
    };
    missed.extend(holds("covariates over time of pareto-nbd", &truth, |mut rng| {
        let mut log = LogBuilder::new();
        let end = 7.0 * 105.0;
        for i in 0..1_000 {
            let first = 7.0 * 40.0 * rng.random::<f64>();
            // The day on which a clock has run so long; after the end it is no matter which.
            let when = |by: f64, run: f64| {
                let (mut low, mut high) = (first, end);
                if clock(first, end, by) < run {
                    return end;
                }
                for _ in 0..60 {
                    let middle = 0.5 * (low + high);
                    if clock(first, middle, by) < run { low = middle } else { high = middle }
                }
                high
            };
            let lambda = Gamma::new(truth[0], 1.0 / truth[1]).unwrap().sample(&mut rng);
            let mu = Gamma::new(truth[2], 1.0 / truth[3]).unwrap().sample(&mut rng);
            let mut wait = |rate: f64| {
                let unit: f64 = Exp1.sample(&mut rng);
                unit / rate
            };
            let gone = when(truth[5], wait(mu));
            let (mut run, mut times) = (wait(lambda), Vec::new());
            loop {
                let at = when(truth[4], run);
                if at >= gone {
                    break;
                }
                times.push((at - first) / 7.0);
                run += wait(lambda);
            }
            push(&mut log, &format!("c{i}"), first, &times);
        }
        let log = log.finish();
        let (purchases, cut) = observed(&log);
        let training = Training::new(&purchases, cut, TimeUnit::Week).unwrap();
        let asked = Covariates::new().on_purchases(["season"]).unwrap().on_dropout(["season"]).unwrap();
        let fit = OverTimeFit::<ParetoNbd>::new(asked);
        fit.fit(&training, &[&season], log.customers(), &cx).unwrap().report
    }));
    assert!(missed.is_empty(), "{missed:?}");
}
