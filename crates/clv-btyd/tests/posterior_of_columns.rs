//! Posteriors of models with columns: where they lie, and that ranks of truths within them are uniform.

#![allow(clippy::unwrap_used)]

use clv_btyd::{
    Bayes, BgCnbd, BgNbd, CovariateModel, Covariates, MaximumLikelihood, MbgCnbd, MbgNbd, OverTime,
    OverTimeModel, ParetoNbd, Posterior, Process, WithCovariates,
};
use clv_core::features::Source;
use clv_core::{
    Context, Cut, Error, FeatureMatrix, Fit, Grain, LogBuilder, Moment, TimeUnit, Timelines, Training,
    Transaction, TransactionLog,
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

const BINS: usize = 16;
const WEEKS: f64 = 60.0;

/// Every second customer has the first mark, every second pair the second: both of mean and deviation .5.
#[derive(Debug)]
struct Marks;

fn mark(name: &str, customer: u32) -> f64 {
    f64::from(if name == "own_one" { customer % 2 } else { customer / 2 % 2 })
}

impl Source for Marks {
    fn names(&self, _: Cut) -> Result<Vec<String>, Error> {
        Ok(["own_one", "own_two"].map(str::to_owned).to_vec())
    }

    fn columns(&self, names: &[String], _: Cut, customers: &[u32]) -> Result<FeatureMatrix, Error> {
        let cells = customers.iter().flat_map(|&c| names.iter().map(move |n| mark(n, c))).collect();
        FeatureMatrix::new(names.to_vec(), cells)
    }
}

fn day(after: f64) -> Moment {
    Moment::parse_date("2022-01-03").unwrap().plus_days(after)
}

/// A log of customers who all begin on the first day.
fn log(customers: u32, mut times_of: impl FnMut(u32, &mut Vec<f64>)) -> TransactionLog {
    let mut log = LogBuilder::new();
    let mut times = Vec::new();
    for customer in 0..customers {
        times.clear();
        times.push(0.0);
        times_of(customer, &mut times);
        for t in &times {
            log.push(Transaction::new(&format!("c{customer}"), day(7.0 * t))).unwrap();
        }
    }
    log.finish()
}

fn with<T>(log: &TransactionLog, run: impl FnOnce(&Training<'_>) -> T) -> T {
    let cut = Cut::end_of(day(7.0 * WEEKS - 1.0), Grain::Exact);
    let purchases = Training::merge(log, cut).unwrap();
    run(&Training::new(&purchases, cut, TimeUnit::Week).unwrap().knowing(&Marks))
}

/// Of customers whose columns move purchases and dropout by these, where columns are in standard deviations.
fn drawn<P: Process>(truth: &P, by: [f64; 2], customers: u32, seed: u64) -> TransactionLog {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let place = |name| P::PARAMETERS.iter().position(|p| p.name == name).unwrap();
    log(customers, |customer, times| {
        let mut own = truth.values();
        for ((name, power), (gamma, column)) in
            [P::PURCHASES[0], P::DROPOUT[0]].iter().zip(by.iter().zip(["own_one", "own_two"]))
        {
            own[place(*name)] *= (power * gamma * (mark(column, customer) - 0.5) / 0.5).exp();
        }
        P::from_values(&own).unwrap().purchase_times(WEEKS, &mut rng, times);
    })
}

fn covariates() -> Covariates {
    Covariates::new().on_purchases(["own_one"]).unwrap().on_dropout(["own_two"]).unwrap()
}

fn values<P: Process>(model: &CovariateModel<P>) -> Vec<f64> {
    drawn_of(model.parameters()).chain(model.coefficients().map(|c| c.1)).collect()
}

/// The four parameters that are drawn, without the `k` of a regular model.
fn drawn_of<P: Process>(process: &P) -> impl Iterator<Item = f64> {
    process.values().into_iter().take(4)
}

/// A process of these, of a regular model with a `k` of 2.
fn process<P: Process>(parameters: &[f64]) -> P {
    let k = P::PARAMETERS.get(4).map(|_| 2.0);
    P::from_values(&parameters[..4].iter().copied().chain(k).collect::<Vec<_>>()).unwrap()
}

#[test]
fn it_lies_about_the_estimate_in_the_columns_own_units() {
    let truth = ParetoNbd::new(0.8, 9.0, 0.7, 14.0).unwrap();
    with(&drawn(&truth, [0.3, -0.2], 6_000, 4), |training| {
        let cx = Context::default().seed(2);
        let fitted = WithCovariates::<ParetoNbd>::new(covariates()).fit(training, &cx).unwrap();
        let posterior: Posterior<CovariateModel<ParetoNbd>> =
            Bayes::new().with(covariates()).draw(training, &cx).unwrap();
        for (summary, estimate) in posterior.summaries.iter().zip(&fitted.report.parameters) {
            let error = estimate.standard_error.unwrap();
            assert_eq!(summary.name, estimate.name);
            assert!((summary.mean - estimate.value).abs() < 0.3 * error, "{summary:?} {estimate:?}");
            assert!((summary.deviation / error - 1.0).abs() < 0.12, "{summary:?} {estimate:?}");
            assert!(summary.r_hat < 1.01 && summary.effective > 1_000.0, "{summary:?}");
        }
        // Each draw is a model, whose mean is told.
        let place = truth.values().len();
        let all: Vec<f64> = posterior.chains.concat().iter().map(|model| values(model)[place]).collect();
        let mean = all.iter().sum::<f64>() / all.len() as f64;
        assert!((mean - posterior.summaries[place].mean).abs() < 1e-12);
        let penalised = covariates().penalty(0.1, 0.1).unwrap();
        let refused = Bayes::<ParetoNbd>::new().with(penalised).draw(training, &cx).unwrap_err();
        assert!(refused.to_string().contains("prior"), "{refused}");
        assert!(Bayes::<ParetoNbd>::new().with(covariates()).coefficient_deviation(0.0).is_err());
        // Columns in standard deviations say the same of what comes.
        let scaled = Bayes::<ParetoNbd>::new().with(covariates().standardized()).draw(training, &cx).unwrap();
        let [own, scaled] = [&posterior, &scaled].map(|p| p.summaries[place].mean);
        assert!((own * 0.5 / scaled - 1.0).abs() < 0.05, "{own} {scaled}");
    });
}

/// A truth from the prior: parameters and coefficients.
fn truth(medians: &[f64], coefficients: usize, round: u64) -> Vec<f64> {
    let mut rng = ChaCha8Rng::seed_from_u64(23);
    rng.set_stream(round);
    let mut normal = || -> f64 { StandardNormal.sample(&mut rng) };
    let parameters: Vec<f64> = medians.iter().map(|median| median * (0.4 * normal()).exp()).collect();
    parameters.into_iter().chain((0..coefficients).map(|_| 0.4 * normal())).collect()
}

fn settings<P: Process>(medians: &[f64]) -> Bayes<P> {
    let each = MaximumLikelihood::<P>::new();
    let each = if P::PARAMETERS.len() > 4 { each.fix("k", 2.0).unwrap() } else { each };
    let start = Bayes::of(each).unwrap().chains(1, 300).unwrap();
    let each = |settings: Bayes<P>, (parameter, &median): (&clv_btyd::Parameter, &f64)| {
        settings.prior(parameter.name, median, 0.4).unwrap()
    };
    P::PARAMETERS.iter().zip(medians).fold(start, each)
}

fn count<T>(posterior: &Posterior<T>, of: impl Fn(&T) -> Vec<f64>, truth: &[f64], ranks: &mut [[f64; BINS]]) {
    let draws: Vec<Vec<f64>> = posterior.chains[0].iter().step_by(20).map(of).collect();
    for (i, bins) in ranks.iter_mut().enumerate() {
        bins[draws.iter().filter(|draw| draw[i] < truth[i]).count()] += 1.0;
    }
}

fn expect_uniform(name: &str, ranks: &[[f64; BINS]], rounds: u64) {
    let expected = rounds as f64 / BINS as f64;
    for (i, bins) in ranks.iter().enumerate() {
        let chi: f64 = bins.iter().map(|n| (n - expected) * (n - expected) / expected).sum();
        let p = clv_math::special::gamma_q(0.5 * (BINS as f64 - 1.0), 0.5 * chi);
        // 44 in all: .01 corrected for them (Bonferroni).
        assert!(p > 0.01 / 44.0, "{name} {i}: p = {p}, ranks {bins:?}");
    }
}

fn is_calibrated<P: Process>(medians: &[f64; 4], rounds: u64) {
    let settings =
        settings::<P>(medians).with(covariates().standardized()).coefficient_deviation(0.4).unwrap();
    let mut ranks = vec![[0.0; BINS]; 6];
    for round in 0..rounds {
        let truth = truth(medians, 2, round);
        let log = drawn(&process::<P>(&truth), [truth[4], truth[5]], 100, 1_000 + round);
        let cx = Context::default().seed(round);
        let posterior = with(&log, |training| settings.draw(training, &cx).unwrap());
        count(&posterior, values, &truth, &mut ranks);
    }
    expect_uniform(P::KIND.name, &ranks, rounds);
}

#[test]
fn ranks_are_uniform_with_columns() {
    is_calibrated::<ParetoNbd>(&[0.8, 8.0, 0.7, 12.0], 320);
    is_calibrated::<BgNbd>(&[0.8, 8.0, 0.8, 2.5], 320);
    is_calibrated::<MbgNbd>(&[0.8, 8.0, 0.8, 2.5], 320);
    is_calibrated::<BgCnbd>(&[0.8, 4.0, 0.8, 2.5], 320);
}

/// A season of half of the time that all customers are seen.
fn season() -> Timelines {
    let mut season = Timelines::new(["season"]).unwrap();
    season.state(None, day(0.0), &[0.0]).unwrap();
    season.state(None, day(3.5 * WEEKS), &[1.0]).unwrap();
    season
}

fn is_calibrated_over_time<P: OverTime>(medians: &[f64; 4], rounds: u64) {
    let (season, covariates) = (season(), Covariates::new().on_purchases(["season"]).unwrap().standardized());
    let settings = settings::<P>(medians).over_time(covariates).coefficient_deviation(0.4).unwrap();
    let mut ranks = vec![[0.0; BINS]; 5];
    for round in 0..rounds {
        let truth = truth(medians, 1, round);
        // Counted from no season and in seasons, the rate is what it is at the mean.
        let gamma = truth[4] / 0.5;
        let mut plain = truth.clone();
        plain[1] *= (0.5 * gamma).exp();
        let model: P = process(&plain);
        let model = OverTimeModel::of(model, TimeUnit::Week, &[("season", true, false, gamma)]).unwrap();
        let length = clv_core::Span::weeks(WEEKS).unwrap();
        let future = model.of_new(&[&season], "anybody", day(0.0), length).unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(2_000 + round);
        let log = log(80, |_, times| {
            // By MBG/NBD some leave at their first purchase.
            if future.p_alive == 1.0 || rng.random::<f64>() < future.p_alive {
                future.alive.purchase_times(&mut rng, times);
            }
        });
        let cx = Context::default().seed(round);
        let posterior =
            with(&log, |training| settings.draw(training, &[&season], log.customers(), &cx).unwrap());
        let values = |model: &OverTimeModel<P>| {
            drawn_of(model.parameters()).chain(model.coefficients().map(|c| c.1)).collect()
        };
        count(&posterior, values, &truth, &mut ranks);
    }
    expect_uniform(P::KIND.name, &ranks, rounds);
}

#[test]
fn ranks_are_uniform_over_time() {
    is_calibrated_over_time::<ParetoNbd>(&[0.8, 8.0, 0.7, 12.0], 160);
    is_calibrated_over_time::<BgNbd>(&[0.8, 8.0, 0.8, 2.5], 160);
    is_calibrated_over_time::<MbgNbd>(&[0.8, 8.0, 0.8, 2.5], 160);
    is_calibrated_over_time::<MbgCnbd>(&[0.8, 4.0, 0.8, 2.5], 160);
}

#[test]
fn without_columns_it_is_the_plain_posterior() {
    let truth = BgNbd::new(0.8, 9.0, 0.7, 3.0).unwrap();
    with(&drawn(&truth, [0.0, 0.0], 300, 4), |training| {
        let cx = Context::default().seed(2);
        let settings = Bayes::<BgNbd>::new().chains(1, 200).unwrap();
        let plain = settings.cells(&training.cells(), TimeUnit::Week, &cx).unwrap();
        let moved = settings.with(Covariates::new()).draw(training, &cx).unwrap();
        for (a, b) in plain.summaries.iter().zip(&moved.summaries) {
            assert!((a.mean / b.mean - 1.0).abs() < 1e-6, "{a:?} {b:?}");
        }
    });
}
