//! Hierarchical models on CDNOW and the grocery log of BTYDplus, beside the posteriors that it publishes.
//!
//! Run with `CLV_DATA=<folder> cargo test -p clv --test hierarchical -- --ignored`.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clv::attributes::{Attributes, Conflict};
use clv::backtest::{Backtest, Scores};
use clv::btyd::{
    Abe, Bayes, HierarchicalFit, HierarchicalPosterior, Hierarchy, MaLiu, ParetoGgg, ParetoNbd,
    PosteriorSummary,
};
use clv::features::{Beyond, FeatureMatrix};
use clv::model::Possible;
use clv::prelude::*;

fn log(name: &str) -> TransactionLog {
    let folder = std::env::var("CLV_DATA").expect("CLV_DATA names the folder with the data sets");
    clv::io::read_log(&PathBuf::from(folder).join(name), &clv::io::ReadOptions::new()).unwrap().log
}

fn cut(date: &str) -> Cut {
    Cut::end_of(Moment::parse_date(date).unwrap(), Grain::Day)
}

fn two_threads() -> Context<'static> {
    Context::default().seed(5).threads(NonZeroUsize::new(2).unwrap())
}

fn posterior<H: Hierarchy>(
    settings: &HierarchicalFit<H>,
    training: &Training<'_>,
) -> HierarchicalPosterior<H> {
    let posterior = settings.posterior(training, &two_threads()).unwrap();
    for s in &posterior.summaries {
        let [low, median, high] = s.quantiles;
        println!(
            "{:26} {low:8.3} {median:8.3} {high:8.3}  R-hat {:.3}, effective {:.0}",
            s.name, s.r_hat, s.effective
        );
        assert!(s.r_hat < 1.1, "{s:?}");
    }
    posterior
}

/// Beside 2.5%, 50% and 97.5% quantiles of so many effective draws: within four Monte Carlo errors of both, of normal quantiles with our spread on that side,
/// and what rounding takes.
fn beside(summaries: &[PosteriorSummary], others: &[(&str, [f64; 3], f64)], rounding: f64) {
    for (name, other, draws) in others {
        let summary = summaries.iter().find(|s| s.name == *name).unwrap();
        let [low, median, high] = summary.quantiles;
        let spreads = [(median - low) / 1.96, (high - low) / 3.92, (high - median) / 1.96];
        for (place, of_quantile) in [2.671, 1.253, 2.671].into_iter().enumerate() {
            let error = of_quantile * spreads[place] * (1.0 / summary.effective + 1.0 / draws).sqrt();
            if other[place].is_nan() {
                continue;
            }
            let off = summary.quantiles[place] - other[place];
            println!("{name} {place}: {off:.3}, {:.1} errors", off / error);
            assert!(off.abs() < 4.0 * error + rounding, "{summary:?}, {other:?} of {draws} draws");
        }
    }
}

/// Abe's model on CDNOW as BTYDplus prints it, M1 and M2: 2 chains of 7,500 rounds.
fn abe() -> HierarchicalFit<Abe> {
    HierarchicalFit::new().chains(4, 1_000).unwrap()
}

#[test]
#[ignore = "needs CLV_DATA"]
fn abe_on_cdnow() {
    let log = log("cdnow_sample.csv.zst");
    let purchases = Training::merge(&log, cut("1997-09-30")).unwrap();
    let training = Training::new(&purchases, cut("1997-09-30"), TimeUnit::Week).unwrap();
    let found = posterior(&abe(), &training);
    // No better mixed than our 16,000 rounds, and every 50th kept.
    let published = [
        ("ln_lambda.intercept", [-3.70, -3.54, -3.32]),
        ("ln_mu.intercept", [-3.96, -3.59, -3.26]),
        ("variance.lambda", [1.10, 1.34, 1.65]),
        ("covariance.lambda.mu", [-0.20, 0.13, 0.74]),
        ("variance.mu", [1.44, 2.62, 5.05]),
    ];
    let drawn = published.map(|(name, quantiles)| {
        let effective = found.summaries.iter().find(|s| s.name == name).unwrap().effective;
        (name, quantiles, (effective * 15_000.0 / 16_000.0).min(300.0))
    });
    beside(&found.summaries, &drawn, 0.005);
}

#[test]
#[ignore = "needs CLV_DATA"]
fn abe_on_cdnow_by_the_first_amount() {
    let log = log("cdnow_sample.csv.zst");
    let purchases = Training::merge(&log, cut("1997-09-30")).unwrap();
    // In thousands of dollars, which the prior of the coefficients asks for; of two rows on the first day the first, as there.
    let mut people = Attributes::new(Conflict::FirstStands);
    for (&customer, amount) in log.customer().iter().zip(log.amount().unwrap()) {
        people.state(log.customers().name(customer), "first", &format!("{}", amount.micros() as f64 / 1e9));
    }
    let people = people.typed();
    let beyond = Beyond::of(&log).attributes(&people);
    let training = Training::new(&purchases, cut("1997-09-30"), TimeUnit::Week).unwrap().knowing(&beyond);
    let found = posterior(&abe().columns(["own_first"]).unwrap(), &training);
    // Not compared, as the printed chains had not settled when they were first kept: the .01 and .55 at 2.5% of the variances of ln λ and ln μ, and with them
    // the ends towards 0 of what they go with: -3.19, -2.69 of the intercepts, .04, -9.02 of the coefficients. The column explains .04 of the variance of
    // ln λ (6.04² times its own, .0011), which is 1.10 to 1.65 without it; no draw of ours comes near. Of such chains a hundred effective draws are assumed.
    let unsettled = f64::NAN;
    let drawn = [
        ("ln_lambda.intercept", [-4.02, -3.77, unsettled]),
        ("ln_mu.intercept", [-4.37, -3.73, unsettled]),
        ("ln_lambda.own_first", [unsettled, 6.04, 9.39]),
        ("ln_mu.own_first", [unsettled, 1.73, 7.90]),
        ("variance.lambda", [unsettled, 1.35, 1.79]),
        ("covariance.lambda.mu", [-0.35, 0.22, 0.76]),
        ("variance.mu", [unsettled, 2.59, 4.97]),
    ]
    .map(|(name, quantiles)| (name, quantiles, 100.0));
    beside(&found.summaries, &drawn, 0.005);
    let place = found.summaries.iter().position(|s| s.name == "variance.lambda").unwrap();
    let least = found.chains.iter().flatten().map(|draw| draw[place]).fold(f64::INFINITY, f64::min);
    println!("least variance of ln λ: {least:.3}");
    assert!(least > 0.7, "{least}");
}

/// The same posterior twice: with customers' rates drawn, and without any.
#[test]
#[ignore = "needs CLV_DATA"]
fn ma_and_liu_is_pareto_nbd() {
    let log = log("cdnow_sample.csv.zst");
    let purchases = Training::merge(&log, cut("1997-09-30")).unwrap();
    let training = Training::new(&purchases, cut("1997-09-30"), TimeUnit::Week).unwrap();
    let without = Bayes::<ParetoNbd>::new().cells(&training.cells(), TimeUnit::Week, &two_threads()).unwrap();
    let with_rates = posterior(&HierarchicalFit::<MaLiu>::new().chains(4, 500).unwrap(), &training);
    let quantiles: Vec<(&str, [f64; 3], f64)> =
        without.summaries.iter().map(|s| (s.name.as_ref(), s.quantiles, s.effective)).collect();
    for s in &without.summaries {
        println!("{:26} {:?} R-hat {:.4}, effective {:.0}", s.name, s.quantiles, s.r_hat, s.effective);
        assert!(s.r_hat < 1.01 && s.effective > 2_000.0, "{s:?}");
    }
    beside(&with_rates.summaries, &quantiles, 0.0);
}

#[test]
#[ignore = "needs CLV_DATA"]
fn ggg_on_groceries() {
    let log = log("grocery_elog.csv.zst");
    let split = Split::new(cut("2006-12-31"), cut("2007-12-30")).unwrap();
    let backtest = Backtest::new(&log, split, TimeUnit::Week).unwrap();
    let training = backtest.training().unwrap();
    // A prior nearly as flat as that of the published figures.
    let settings = HierarchicalFit::<ParetoGgg>::new().chains(2, 400).unwrap().prior_deviation(3.0).unwrap();
    let found = posterior(&settings, &training);
    let medians =
        [("t", 1.695), ("gamma", 0.373), ("r", 0.948), ("alpha", 5.243), ("s", 0.432), ("beta", 4.348)];
    for (name, published) in medians {
        let summary = found.summaries.iter().find(|s| s.name == name).unwrap();
        let error = 1.253 * summary.deviation * (1.0 / summary.effective + 1.0 / GROCERY_DRAWS).sqrt();
        println!("{name}: {:.1} errors", (summary.quantiles[1] - published) / error);
        assert!(
            (summary.quantiles[1] - published).abs() < 4.0 * error,
            "{summary:?}, published median {published}"
        );
    }
    let ask = Ask::over(backtest.horizon());
    let forecast = training.forecast(&found.model, &ask).unwrap();
    let scores = Scores::of(backtest.actual_purchases(), forecast.purchases.as_ref().unwrap()).unwrap();
    println!("{:.1} of 3389 purchases, MAE {:.4}", scores.total_predicted, scores.mae);
    // Published: 3,815 purchases, a mean absolute error of 1.380 (.621 as sum over sum).
    assert!((scores.total_predicted / 3_815.0 - 1.0).abs() < 0.01, "{scores:?}");
    assert!((scores.mae / 1.380 - 1.0).abs() < 0.01, "{scores:?}");

    // Medians of customers' own parameters on average, .316 of whom are alive in more than half of the draws. The 69.546 of their lifetimes is not told:
    // no draw of ours has a time of leaving.
    let (summary, features) = (training.summary(), training.features(found.model.needs()).unwrap());
    let populations = found.model.own_draws(&summary.history(0), features.row(0)).unwrap().len();
    let (mut medians, mut by_population) = ([0.0; 4], vec![[0.0; 4]; populations]);
    for row in 0..summary.len() {
        let own = found.model.own_draws(&summary.history(row), features.row(row)).unwrap();
        let columns = [0, 1, 2, 3]
            .map(|of| own.iter().map(|d| [d.k, d.lambda, d.mu, d.p_alive][of]).collect::<Vec<_>>());
        for (of, mut column) in columns.into_iter().enumerate() {
            column.iter().zip(&mut by_population).for_each(|(value, sums)| sums[of] += value);
            let alive = column.iter().sum::<f64>() / column.len() as f64;
            column.sort_by(f64::total_cmp);
            medians[of] += if of == 3 { f64::from(u8::from(alive > 0.5)) } else { column[column.len() / 2] };
        }
    }
    let customers = summary.len() as f64;
    for (of, (name, published)) in
        [("k", 3.892), ("lambda", 0.160), ("mu", 0.065), ("z", 0.316)].into_iter().enumerate()
    {
        let means: Vec<f64> = by_population.iter().map(|sums| sums[of] / customers).collect();
        let error = deviation(&means) / GROCERY_DRAWS.sqrt();
        let off = medians[of] / customers - published;
        println!("{name}: {:.4}, {:.1} errors", medians[of] / customers, off / error);
        assert!(off.abs() < 4.0 * error + 0.0005, "{name}: {}", medians[of] / customers);
    }
    // x, t_x, purchases to come, P(some), P(alive) of the first customers: means of draws, of counts and of yes or no.
    for (id, x, t_x, expected, any, alive) in [
        ("1", 0, 0.0, 0.02, 0.02, 0.03),
        ("2", 1, 50.28571, 1.01, 0.59, 1.00),
        ("3", 19, 48.57143, 14.76, 0.87, 0.87),
        ("4", 0, 0.0, 0.04, 0.03, 0.13),
        ("5", 2, 40.42857, 2.02, 0.84, 0.91),
        ("6", 5, 47.57143, 4.46, 0.92, 0.95),
    ] {
        let customer = log.customers().find(id).unwrap();
        let row = summary.customer.iter().position(|c| *c == customer).unwrap();
        let history = summary.history(row);
        assert!(history.frequency == x && (history.recency - t_x).abs() < 1e-5, "{history:?}");
        let own = FeatureMatrix::new(features.names().to_vec(), features.row(row).to_vec()).unwrap();
        let one = Customers::one(&history, TimeUnit::Week).unwrap().with_features(&own).unwrap();
        let futures = Possible::new().draws(4_000).unwrap();
        let futures = futures.of(&found.model, &one, &ask, |_| 0, &two_threads()).unwrap();
        let counts = futures.total_purchases;
        let p_alive = forecast.p_alive.as_ref().unwrap()[row];
        for (what, got, published, deviation) in [
            ("expected", counts.mean(), expected, deviation(counts.sorted())),
            ("any", futures.any[0], any, (futures.any[0] * (1.0 - futures.any[0])).sqrt()),
            ("alive", p_alive, alive, (p_alive * (1.0 - p_alive)).sqrt()),
        ] {
            let error = deviation / GROCERY_DRAWS.sqrt();
            println!("{id} {what}: {got:.3}, published {published}, {:.1} errors", (got - published) / error);
            assert!(
                (got - published).abs() < 4.0 * error + 0.005,
                "{id} {what}: {got}, published {published}"
            );
        }
    }
}

/// What BTYDplus prints of groceries is of a hundred draws, every 50th of 2 chains of 2,500 rounds; half as many independent ones are assumed.
const GROCERY_DRAWS: f64 = 50.0;

fn deviation(values: &[f64]) -> f64 {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    (values.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / n).sqrt()
}

/// Pareto/NBD by the vignette's own sampler forecasts 4,018 of 3,389 purchases, .688 of them as sum of errors.
#[test]
#[ignore = "needs CLV_DATA"]
fn ma_and_liu_on_groceries() {
    let log = log("grocery_elog.csv.zst");
    let split = Split::new(cut("2006-12-31"), cut("2007-12-30")).unwrap();
    let backtest = Backtest::new(&log, split, TimeUnit::Week).unwrap();
    let training = backtest.training().unwrap();
    let settings = HierarchicalFit::<MaLiu>::new().chains(4, 500).unwrap().prior_deviation(3.0).unwrap();
    let found = posterior(&settings, &training);
    let ask = Ask::over(backtest.horizon());
    let forecast = training.forecast(&found.model, &ask).unwrap();
    let scores = Scores::of(backtest.actual_purchases(), forecast.purchases.as_ref().unwrap()).unwrap();
    let futures = Possible::new().of(
        &found.model,
        &training.summary().customers(),
        &ask,
        |row| row as u64,
        &two_threads(),
    );
    let error = deviation(futures.unwrap().total_purchases.sorted()) / GROCERY_DRAWS.sqrt();
    println!("{:.1} ± {error:.1} of 3389 purchases, MAE {:.4}", scores.total_predicted, scores.mae);
    assert!((scores.total_predicted - 4_018.0).abs() < 4.0 * error, "{scores:?}");
    // A mean absolute error of 1.529; another run of the vignette printed 1.514. Errors of its hundred draws add to it.
    assert!((scores.mae / (0.688 * 3_389.0 / 1_525.0) - 1.0).abs() < 0.015, "{scores:?}");
}

#[test]
#[ignore = "needs CLV_DATA"]
fn a_forecast_depends_on_the_customer_alone_and_is_saved() {
    let log = log("grocery_elog.csv.zst");
    let purchases = Training::merge(&log, cut("2006-12-31")).unwrap();
    let training = Training::new(&purchases, cut("2006-12-31"), TimeUnit::Week).unwrap();
    let settings = HierarchicalFit::<ParetoGgg>::new().chains(1, 50).unwrap().warmup(50);
    let model = settings.fit(&training, &two_threads()).unwrap().model;
    let features = training.features(model.needs()).unwrap();
    let who = training.summary().customers().with_features(&features).unwrap();
    let ask = Ask::over(Span::weeks(52.0).unwrap()).discount(Discount::yearly(0.1).unwrap());
    let all = model.predict(&who, &ask).unwrap();
    let path = std::env::temp_dir().join(format!("clv-hierarchical-{}.json", std::process::id()));
    clv::saved::save(&model, &path).unwrap();
    let again = clv::registry().load(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    assert_eq!(again.predict(&who, &ask).unwrap(), all);
    for row in [0, 7, 900] {
        let history = who.history(row);
        let own = FeatureMatrix::new(features.names().to_vec(), features.row(row).to_vec()).unwrap();
        let one = Customers::one(&history, TimeUnit::Week).unwrap().with_features(&own).unwrap();
        let alone = model.predict(&one, &ask).unwrap();
        assert_eq!(alone.purchases.unwrap()[0], all.purchases.as_ref().unwrap()[row]);
        let own = model.own_draws(&who.history(row), features.row(row)).unwrap();
        let alive = own.iter().map(|d| d.p_alive).sum::<f64>() / own.len() as f64;
        let together = all.p_alive.as_ref().unwrap()[row];
        assert!((alive - together).abs() < 1e-12, "{row}: {alive} {together}");
    }
}
