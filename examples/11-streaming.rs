//! A service that takes in events as they come: late, twice, from two instances; stopped and resumed.

use std::error::Error;

use clv::Money;
use clv::prelude::*;
use clv::scale::GrainLedger;
use clv_examples::end_of;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::temp_dir().join(format!("clv-streaming-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let at = |day: &str| Moment::parse_date(day);

    // Two instances of a service, each with events that carry an identifier.
    let (mut one, mut two) = (GrainLedger::new(Grain::Day), GrainLedger::new(Grain::Day));
    one.push_event("e1", "ada", at("2024-01-03")?, Some(Money::new(20.0)?))?;
    one.push_event("e2", "ada", at("2024-03-05")?, Some(Money::new(30.0)?))?;
    two.push_event("e3", "bob", at("2024-01-10")?, Some(Money::new(5.0)?))?;
    two.push_event("e2", "ada", at("2024-03-05")?, Some(Money::new(30.0)?))?; // delivered again, elsewhere
    two.push_event("e4", "ada", at("2024-02-01")?, Some(Money::new(25.0)?))?; // late

    // One of them stops, and goes on later.
    let file = folder.join("two.ledger");
    two.save(&file)?;
    let two = GrainLedger::load(&file)?;
    std::fs::remove_dir_all(&folder)?;

    one.merge(two)?;
    println!("{} events, {} in conflict", one.rows(), one.conflicts());
    let (customers, summary) = one.summary(end_of("2024-06-30")?, TimeUnit::Week, Default::default(), 1)?;
    let model = WithSpend::join(
        PurchaseModel::new(ParetoNbd::new(0.553, 10.578, 0.606, 11.669)?, TimeUnit::Week),
        SpendModel::new(GammaGamma::new(6.25, 3.74, 15.44)?, TimeUnit::Week),
    )?;
    let forecast = model.predict(&summary.customers(), &Ask::over(Span::weeks(52.0)?))?;
    let value = forecast.value.unwrap_or_default();
    for (row, &customer) in summary.customer.iter().enumerate() {
        let history = summary.history(row);
        println!(
            "{}: {} repeats, last {:.1} weeks after the first, worth {:.2} over the next year",
            customers.name(customer),
            history.frequency,
            history.recency,
            value[row].unwrap_or(0.0)
        );
    }
    Ok(())
}
