//! Hierarchical models on CDNOW and the grocery log of BTYDplus, beside the posteriors that it publishes.
//!
//! Run with `CLV_DATA=<folder> cargo test -p clv --test hierarchical -- --ignored`.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Instant;

use clv::attributes::{Attributes, Conflict};
use clv::backtest::Backtest;
use clv::btyd::{
    Abe, Bayes, HierarchicalFit, HierarchicalPosterior, Hierarchy, MaLiu, ParetoGgg, PosteriorSummary,
};
use clv::features::Beyond;
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
    let start = Instant::now();
    let posterior = settings.posterior(training, &two_threads()).unwrap();
    println!("{:.1?}", start.elapsed());
    for s in &posterior.summaries {
        let [low, median, high] = s.quantiles;
        println!(
            "{:32} {low:8.3} {median:8.3} {high:8.3}  R-hat {:.3}, effective {:.0}",
            s.name, s.r_hat, s.effective
        );
    }
    posterior
}

fn quantiles(summary: &PosteriorSummary, published: [f64; 3], within: [f64; 3]) {
    for ((got, want), within) in summary.quantiles.iter().zip(published).zip(within) {
        assert!((got - want).abs() < within, "{summary:?}, published {published:?}");
    }
}

#[test]
#[ignore = "needs CLV_DATA"]
fn abe_on_cdnow() {
    let log = log("cdnow_sample.csv.zst");
    let purchases = Training::merge(&log, cut("1997-09-30")).unwrap();
    let training = Training::new(&purchases, cut("1997-09-30"), TimeUnit::Week).unwrap();
    let settings = HierarchicalFit::<Abe>::new().chains(4, 4_000).unwrap();
    let plain = posterior(&settings, &training);
    let _ = plain;
    let spend = training.summary().spend.as_ref().unwrap();
    let mut people = Attributes::new(Conflict::FirstStands);
    for (&customer, first) in training.summary().customer.iter().zip(&spend.first) {
        people.state(log.customers().name(customer), "first", &format!("{}", first / 1000.0));
    }
    let people = people.typed();
    let beyond = Beyond::of(&log).attributes(&people);
    let training = Training::new(&purchases, cut("1997-09-30"), TimeUnit::Week).unwrap();
    let training = training.knowing(&beyond);
    let settings = settings.columns(["own_first"]).unwrap();
    let moved = posterior(&settings, &training);
    let _ = moved;
}

#[test]
#[ignore = "needs CLV_DATA"]
fn ma_and_liu_is_pareto_nbd() {
    let log = log("cdnow_sample.csv.zst");
    let purchases = Training::merge(&log, cut("1997-09-30")).unwrap();
    let training = Training::new(&purchases, cut("1997-09-30"), TimeUnit::Week).unwrap();
    let with_rates = posterior(&HierarchicalFit::<MaLiu>::new().chains(4, 4_000).unwrap(), &training);
    let _ = with_rates;
    let without = Bayes::<clv::btyd::ParetoNbd>::new()
        .cells(&training.cells(), TimeUnit::Week, &two_threads())
        .unwrap();
    println!("{:?}", without.summaries);
}

#[test]
#[ignore = "needs CLV_DATA"]
fn ggg_on_groceries() {
    let log = log("grocery_elog.csv.zst");
    let split = Split::new(cut("2006-12-31"), cut("2007-12-30")).unwrap();
    let purchases = Training::merge(&log, split.train).unwrap();
    let training = Training::new(&purchases, split.train, TimeUnit::Week).unwrap();
    let settings =
        HierarchicalFit::<ParetoGgg>::new().chains(2, 1_000).unwrap().prior_deviation(3.0).unwrap();
    let _ = posterior(&settings, &training);
    let backtest = Backtest::new(&log, split, TimeUnit::Week).unwrap();
    let start = Instant::now();
    let outcome = backtest.run("pareto-ggg", &clv::Erased(settings), &two_threads()).unwrap();
    println!("{:?} {:.1?}", outcome.purchases, start.elapsed());
}
