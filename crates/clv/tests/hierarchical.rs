//! Hierarchical models on CDNOW and the grocery log of BTYDplus, beside the posteriors that it publishes.
//!
//! Run with `CLV_DATA=<folder> cargo test -p clv --test hierarchical -- --ignored`.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clv::attributes::{Attributes, Conflict};
use clv::backtest::Backtest;
use clv::btyd::{
    Abe, Bayes, HierarchicalFit, HierarchicalPosterior, Hierarchy, MaLiu, ParetoGgg, ParetoNbd,
    PosteriorSummary,
};
use clv::features::{Beyond, FeatureMatrix};
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
        assert!(s.r_hat < 1.15, "{s:?}");
    }
    posterior
}

/// Beside published 2.5%, 50% and 97.5% quantiles, within shares of the interval: those were drawn by a chain as well.
fn beside(summaries: &[PosteriorSummary], published: &[(&str, [f64; 3])], within: [f64; 3]) {
    for (name, published) in published {
        let summary = summaries.iter().find(|s| s.name == *name).unwrap();
        let width = published[2] - published[0];
        for ((got, want), within) in summary.quantiles.iter().zip(published).zip(within) {
            assert!((got - want).abs() < within * width, "{summary:?}, published {published:?}");
        }
    }
}

#[test]
#[ignore = "needs CLV_DATA"]
fn abe_on_cdnow() {
    let log = log("cdnow_sample.csv.zst");
    let purchases = Training::merge(&log, cut("1997-09-30")).unwrap();
    let training = Training::new(&purchases, cut("1997-09-30"), TimeUnit::Week).unwrap();
    let settings = HierarchicalFit::<Abe>::new().chains(4, 500).unwrap();
    let plain = posterior(&settings, &training);
    beside(
        &plain.summaries,
        &[
            ("ln_lambda.intercept", [-3.70, -3.54, -3.32]),
            ("ln_mu.intercept", [-3.96, -3.59, -3.26]),
            ("variance.lambda", [1.10, 1.34, 1.65]),
            ("covariance.lambda.mu", [-0.20, 0.13, 0.74]),
            ("variance.mu", [1.44, 2.62, 5.05]),
        ],
        [0.25, 0.15, 0.5],
    );
    // The first amount in thousands of dollars, which the prior of the coefficients asks for.
    let spend = training.summary().spend.as_ref().unwrap();
    let mut people = Attributes::new(Conflict::FirstStands);
    for (&customer, first) in training.summary().customer.iter().zip(&spend.first) {
        people.state(log.customers().name(customer), "first", &format!("{}", first / 1000.0));
    }
    let people = people.typed();
    let beyond = Beyond::of(&log).attributes(&people);
    let training = Training::new(&purchases, cut("1997-09-30"), TimeUnit::Week).unwrap().knowing(&beyond);
    let moved = posterior(&settings.columns(["own_first"]).unwrap(), &training);
    beside(
        &moved.summaries,
        &[
            ("ln_lambda.intercept", [-4.02, -3.77, -3.19]),
            ("ln_mu.intercept", [-4.37, -3.73, -2.69]),
            ("ln_lambda.own_first", [0.04, 6.04, 9.39]),
            ("ln_mu.own_first", [-9.02, 1.73, 7.90]),
            ("covariance.lambda.mu", [-0.35, 0.22, 0.76]),
        ],
        [0.45, 0.2, 0.45],
    );
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
    let quantiles: Vec<(&str, [f64; 3])> =
        without.summaries.iter().map(|s| (s.name.as_ref(), s.quantiles)).collect();
    for s in &without.summaries {
        println!("{:26} {:?} R-hat {:.4}, effective {:.0}", s.name, s.quantiles, s.r_hat, s.effective);
        assert!(s.r_hat < 1.01 && s.effective > 2_000.0, "{s:?}");
    }
    beside(&with_rates.summaries, &quantiles, [0.1, 0.1, 0.5]);
}

#[test]
#[ignore = "needs CLV_DATA"]
fn ggg_on_groceries() {
    let log = log("grocery_elog.csv.zst");
    let split = Split::new(cut("2006-12-31"), cut("2007-12-30")).unwrap();
    let backtest = Backtest::new(&log, split, TimeUnit::Week).unwrap();
    // A prior nearly as flat as that of the published figures.
    let settings = HierarchicalFit::<ParetoGgg>::new().chains(2, 400).unwrap().prior_deviation(3.0).unwrap();
    let outcome = backtest.run("pareto-ggg", &clv::Erased(settings), &two_threads()).unwrap();
    let medians =
        [("t", 1.695), ("gamma", 0.373), ("r", 0.948), ("alpha", 5.243), ("s", 0.432), ("beta", 4.348)];
    for (name, published) in medians {
        let found = outcome.report.parameters.iter().find(|p| p.name == name).unwrap();
        let error = found.standard_error.unwrap();
        assert!((found.value - published).abs() < 0.6 * error, "{found:?}, published median {published}");
    }
    let scores = &outcome.purchases;
    println!("{:.1} of 3389 purchases, MAE {:.4}", scores.total_predicted, scores.mae);
    // Published: 3,815 purchases, a mean absolute error of 1.380 (.621 as sum over sum).
    assert!((scores.total_predicted / 3_815.0 - 1.0).abs() < 0.01, "{scores:?}");
    assert!((scores.mae / 1.380 - 1.0).abs() < 0.01, "{scores:?}");
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
        let own = model.own(&who.history(row), features.row(row)).unwrap();
        let alive = own.iter().map(|d| d.p_alive).sum::<f64>() / own.len() as f64;
        let together = all.p_alive.as_ref().unwrap()[row];
        assert!((alive - together).abs() < 1e-12, "{row}: {alive} {together}");
    }
}
