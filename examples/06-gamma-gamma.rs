//! Gamma-Gamma: how much a customer spends per purchase, and how sure we are.

use std::error::Error;

use clv::btyd::{BayesSpend, LognormalSpendFit};
use clv::model::Spend;
use clv::prelude::*;

fn main() -> Result<(), Box<dyn Error>> {
    let log = clv_examples::simulated_shop()?;
    let purchases = Purchases::of(&log, Grain::Day)?;
    let training = Training::new(&purchases, clv_examples::end_of("2024-06-30")?, TimeUnit::Week)?;

    let fitted = GammaGammaFit::new().fit(&training, &Context::default())?;
    for p in &fitted.report.parameters {
        println!("{:>6} = {:.3} ± {:.3}", p.name, p.value, p.standard_error.unwrap_or(f64::NAN));
    }
    for warning in &fitted.report.warnings {
        println!("note: {warning}");
    }

    // The fewer purchases, the closer the expectation stays to the population's mean.
    let model = fitted.model;
    println!("\n{:>24} {:>9} {:>9} {:>9}", "repeats, mean spend", "expected", "5%", "95%");
    for (x, mean) in [(0, None), (1, Some(100.0)), (5, Some(100.0)), (50, Some(100.0))] {
        let mut customer = History::new(x, f64::from(x.min(1)), 52.0)?;
        if let Some(mean) = mean {
            customer = customer.spend(mean)?;
        }
        println!(
            "{:>24} {:>9.2} {:>9.2} {:>9.2}",
            mean.map_or(format!("{x}, –"), |m| format!("{x}, {m}")),
            model.expected_spend(&customer)?.unwrap_or(f64::NAN),
            model.spend_quantile(&customer, 0.05)?,
            model.spend_quantile(&customer, 0.95)?,
        );
    }

    // Is it the right shape? Of the same amounts, one by one, the likelier model is the better.
    let singly = GammaGammaFit::new().individually().fit(&training, &Context::default())?;
    let lognormal = LognormalSpendFit::new().fit(&training, &Context::default())?;
    let ln = |report: &clv::FitReport| report.log_likelihood.unwrap_or(f64::NAN);
    println!(
        "\nof amounts one by one: ln L gamma-gamma {:.0}, lognormal {:.0}",
        ln(&singly.report),
        ln(&lognormal.report)
    );
    // How mean spends lie, and how they should.
    println!("{:>9} {:>9} {:>9}", "mean", "density", "expected");
    for density in model.parameters().spend_densities(&training.summary().customers(), 7)? {
        println!("{:>9.2} {:>9.5} {:>9.5}", density.mean, density.actual, density.expected);
    }
    // And how sure the population is, for intervals of value beside a posterior of purchases.
    let posterior = BayesSpend::new(GammaGammaFit::new()).training(&training, &Context::default().seed(1))?;
    for summary in &posterior.summaries {
        let [low, _, high] = summary.quantiles;
        println!("{:>6}: 95% from {low:.2} to {high:.2} (R-hat {:.3})", summary.name, summary.r_hat);
    }
    Ok(())
}
