//! Data for the benches: simulated once per run, always the same.

use clv::prelude::*;

/// A simulated shop like CDNOW: so many customers who join over twelve weeks, observed for a year.
pub fn shop(customers: usize) -> TransactionLog {
    let truth =
        PurchaseModel::new(ParetoNbd::new(0.553, 10.58, 0.606, 11.67).expect("valid"), TimeUnit::Week);
    let spend = GammaGamma::new(6.25, 3.74, 15.44).expect("valid");
    let date = |text| Moment::parse_date(text).expect("valid");
    Simulation::new(customers, date("2022-01-03"), date("2023-01-02"), 42)
        .and_then(|s| s.joining_until(Cut::end_of(date("2022-03-27"), Grain::Day)))
        .and_then(|s| s.run(&truth, TimeUnit::Week, Some(&spend)))
        .expect("valid settings")
}

/// The shop's histories at its end.
pub fn histories(customers: usize) -> Summary {
    let cut = Cut::end_of(Moment::parse_date("2023-01-02").expect("valid"), Grain::Day);
    Summary::of(&shop(customers), cut, TimeUnit::Week).expect("customers have bought")
}

/// CDNOW's published parameters, with its spend model.
pub fn value_model() -> Box<dyn Predict> {
    let purchases =
        PurchaseModel::new(ParetoNbd::new(0.553, 10.578, 0.606, 11.669).expect("valid"), TimeUnit::Week);
    let spend = SpendModel::new(GammaGamma::new(6.25, 3.74, 15.44).expect("valid"), TimeUnit::Week);
    Box::new(WithSpend::join(purchases, spend).expect("purchases and spend"))
}
