//! Gamma-Gamma: how much a customer spends per purchase, and how sure we are.

use std::error::Error;

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
    Ok(())
}
