//! A linear regression on features: the plainest learner, trained one horizon back.

use std::error::Error;

use clv::Feature;
use clv::prelude::*;

fn main() -> Result<(), Box<dyn Error>> {
    let log = clv_examples::simulated_shop()?;
    let purchases = Purchases::of(&log, Grain::Day)?;
    let training = Training::new(&purchases, clv_examples::end_of("2024-06-30")?, TimeUnit::Week)?;

    let horizon = Span::weeks(26.0)?;
    let mut features = Feature::of_summary(true);
    features.push(Feature::PurchasesWithin(Span::weeks(13.0)?));
    let fitted = LinearRegression.over(horizon).features(features).fit(&training, &Context::default())?;
    let line = fitted.model.purchases_model();
    println!("purchases in {horizon} = {:.4}", line.intercept());
    for (name, slope) in fitted.model.columns().iter().zip(line.slopes()) {
        println!("    {slope:+.5} × {name}");
    }
    for warning in &fitted.report.warnings {
        println!("warning: {warning}");
    }

    let model = fitted.model;
    let features = training.features(model.needs())?;
    let who = training.summary().customers().with_features(&features)?;
    let forecast = model.predict(&who, &Ask::over(horizon))?;
    let total: f64 = forecast.purchases.iter().flatten().sum();
    println!("{} customers, {total:.0} purchases expected", who.len());
    // A learner answers for the horizon it learned, and says so.
    if let Err(error) = model.predict(&who, &Ask::over(Span::weeks(52.0)?)) {
        println!("asked for a year: {error}");
    }
    Ok(())
}
