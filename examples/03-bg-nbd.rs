//! BG/NBD: customers who may leave after any repeat purchase. One-time buyers never look gone.

use std::error::Error;

use clv::model::{Activity, NextPurchase, PurchaseForecast};
use clv::prelude::*;

fn main() -> Result<(), Box<dyn Error>> {
    let log = clv_examples::simulated_shop()?;
    let purchases = Purchases::of(&log, Grain::Day)?;
    let training = Training::new(&purchases, clv_examples::end_of("2024-06-30")?, TimeUnit::Week)?;

    let fitted = MaximumLikelihood::<BgNbd>::new().fit(&training, &Context::default())?;
    println!(
        "BG/NBD on {} customers, ln L = {:.3}",
        fitted.report.customers,
        fitted.report.log_likelihood.unwrap_or(f64::NAN)
    );
    for p in &fitted.report.parameters {
        println!("{:>6} = {:.4} ± {:.4}", p.name, p.value, p.standard_error.unwrap_or(f64::NAN));
    }

    let model = fitted.model;
    println!(
        "\n{:>14} {:>8} {:>9} {:>9} {:>9} {:>12}",
        "x, t_x, T", "P(alive)", "in a year", "E[X(26)]", "P(X = 0)", "median wait"
    );
    for (x, recency, age) in [(0, 0.0, 60.0), (1, 10.0, 60.0), (6, 20.0, 60.0), (6, 58.0, 60.0)] {
        let customer = History::new(x, recency, age)?;
        println!(
            "{:>14} {:>8.3} {:>9.3} {:>9.3} {:>9.3} {:>12}",
            format!("{x}, {recency}, {age}"),
            model.p_alive(&customer, 0.0)?,
            model.p_alive(&customer, 52.0)?,
            model.expected(&customer, 0.0, 26.0)?,
            model.probability_of(&customer, 26.0, 0)?,
            model.median(&customer)?.map_or("none expected".into(), |t| format!("{t:.1} weeks")),
        );
    }
    println!("\nA new customer comes back {:.2} times in a year.", model.expected_of_new(52.0)?);
    Ok(())
}
