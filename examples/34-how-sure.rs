//! How sure is a forecast? Posterior draws of the population, and futures drawn of each: for one customer, and for a total. With a file,
//! of the file; otherwise of a simulated shop.

use std::error::Error;

use clv::btyd::{Bayes, Predictive};
use clv::prelude::*;

fn main() -> Result<(), Box<dyn Error>> {
    let log = clv_examples::shop()?;
    let backtest = clv_examples::backtest(&log)?;
    let training = backtest.training()?;
    let summary = training.summary();
    let horizon = backtest.split().horizon().in_units(TimeUnit::Week);
    let cx = Context::default().seed(1);

    let posterior = Bayes::<ParetoNbd>::new().cells(&training.cells(), TimeUnit::Week, &cx)?;
    println!("{:<6} {:>8} {:>8} {:>8} {:>7} {:>9}", "", "2.5%", "median", "97.5%", "R-hat", "effective");
    for s in &posterior.summaries {
        let [low, median, high] = s.quantiles;
        println!("{:<6} {low:>8.3} {median:>8.3} {high:>8.3} {:>7.3} {:>9.0}", s.name, s.r_hat, s.effective);
    }

    // Their own randomness, and how sure the population is.
    let mut futures =
        Predictive::new(posterior.draws().populations, TimeUnit::Week)?.discount(Discount::yearly(0.1)?)?;
    if summary.spend.is_some() {
        let spend = GammaGammaFit::new().fit(&training, &cx)?.model;
        futures = futures.spend(vec![*spend.parameters()])?;
    }
    let best = (0..summary.len()).max_by_key(|&row| summary.frequency[row]).unwrap_or(0);
    let customers = summary.customers();
    let one = futures.customer(&customers.history(best), horizon, 4_000, &cx)?;
    let (low, high) = one.purchases.interval(0.9)?;
    let (worst, mean_of_worst) = one.value.at_risk(0.05)?;
    println!(
        "\nwho bought most ({} times): {:.1} purchases expected, with 90% from {low} to {high}",
        summary.frequency[best] + 1,
        one.purchases.mean()
    );
    println!(
        "worth {:.0}; more than twice that with {:.1}%; 19 of 20 times at least {worst:.0}, and {mean_of_worst:.0} on average otherwise",
        one.value.mean(),
        100.0 * one.value.probability_above(2.0 * one.value.mean())
    );
    let all = futures.total(&customers, horizon, 400, &cx)?;
    let (low, high) = all.purchases.interval(0.95)?;
    let happened: f64 = backtest.actual_purchases().iter().sum();
    println!("all customers: 95% from {low} to {high} purchases; {happened} happened");
    let (low, high) = all.value.interval(0.95)?;
    println!(
        "the customer base is worth {:.0} over that time, 95% from {low:.0} to {high:.0}",
        all.value.mean()
    );
    Ok(())
}
