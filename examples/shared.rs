//! What the examples share: a shop to look at.

use std::error::Error;

use clv::prelude::*;

/// Two years of a simulated shop: 2,000 customers, who join over the first half year.
pub fn simulated_shop() -> Result<TransactionLog, Box<dyn Error>> {
    let customers = PurchaseModel::new(ParetoNbd::new(0.9, 8.0, 0.6, 15.0)?, TimeUnit::Week);
    let spend = GammaGamma::new(6.25, 3.74, 15.44)?;
    let (start, end) = (Moment::parse_date("2023-01-01")?, Moment::parse_date("2024-12-31")?);
    Ok(Simulation::new(2_000, start, end, 42)?.run(&customers, TimeUnit::Week, Some(&spend))?)
}

/// The end of a day.
pub fn end_of(day: &str) -> Result<Cut, Box<dyn Error>> {
    Ok(Cut::end_of(Moment::parse_date(day)?, Grain::Day))
}
