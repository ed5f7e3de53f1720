//! Cohorts that differ, of which some are young and small: a population for all of them, one for each, or each drawn towards a common middle as far as
//! customers who were left out say. A simulated shop whose customers buy less often from month to month, and whose last cohorts are few.

use std::collections::BTreeMap;
use std::error::Error;

use clv::btyd::CohortFit;
use clv::cohorts::Period;
use clv::model::PurchaseForecast;
use clv::prelude::*;

/// Of each month from January 2023: customers, and the `α` of their purchase rate, of which more is slower.
const COHORTS: [(usize, f64); 8] =
    [(400, 3.0), (350, 4.0), (300, 5.0), (250, 7.0), (200, 9.0), (100, 12.0), (60, 15.0), (40, 18.0)];

fn main() -> Result<(), Box<dyn Error>> {
    let log = shop()?;
    let split = Split::new(clv_examples::end_of("2023-09-30")?, clv_examples::end_of("2024-03-31")?)?;
    let backtest = Backtest::new(&log, split, TimeUnit::Week)?;
    let training = backtest.training()?;
    let cx = Context::default().seed(1);
    let by = CohortFit::<BgNbd>::by(Period::Month);

    // How far apart: by customers that are left out, a fifth of them at a time.
    let (chosen, scores) =
        by.clone().choose_deviation(&training, &[0.0, 0.1, 0.3, 1.0, f64::INFINITY], 5, &cx)?;
    println!("deviation  ln L of a customer left out");
    for score in scores {
        println!(
            "{:>9}  {}",
            score.deviation,
            score.score.map_or("no estimate".into(), |of| format!("{of:.4}"))
        );
    }
    println!("chosen: {}\n", chosen.deviation_value());

    let together = by.clone().deviation(0.0)?.fit(&training, &cx)?.model;
    let apart = by.deviation(f64::INFINITY)?.fit(&training, &cx)?.model;
    let partly = chosen.fit(&training, &cx)?.model;
    let happened = by_cohort(&training, backtest.actual_purchases());
    let mut forecasts = Vec::new();
    for model in [&together, &apart, &partly] {
        let forecast = training.forecast(model, &Ask::over(split.horizon()))?;
        forecasts.push(by_cohort(&training, &forecast.purchases.ok_or("no purchases")?));
    }
    println!("purchases within {}", split.horizon());
    println!(
        "{:<8} {:>9} {:>9} {:>8} {:>8} {:>8}",
        "cohort", "customers", "happened", "together", "apart", "partly"
    );
    let mut errors = [0.0; 3];
    for (cohort, (customers, came)) in &happened {
        print!("{:<8} {customers:>9} {came:>9.0}", Period::Month.name(*cohort));
        for (forecast, error) in forecasts.iter().zip(&mut errors) {
            let total = forecast[cohort].1;
            *error += (total - came).abs();
            print!(" {total:>8.0}");
        }
        println!();
    }
    println!("{:<28} {:>8.0} {:>8.0} {:>8.0}", "sum of errors", errors[0], errors[1], errors[2]);

    // Of new customers no history tells how quick they are: all that is known is their population.
    println!("\na new customer comes back so many times in a year");
    println!(
        "{:<8} {:>9} {:>9} {:>8} {:>8} {:>8}",
        "cohort", "customers", "truth", "together", "apart", "partly"
    );
    let mut errors = [0.0; 3];
    for ((cohort, (customers, _)), (_, alpha)) in happened.iter().zip(COHORTS) {
        let truth = population(alpha)?.expected_of_new(52.0)?;
        print!("{:<8} {customers:>9} {truth:>9.2}", Period::Month.name(*cohort));
        for (model, error) in [&together, &apart, &partly].into_iter().zip(&mut errors) {
            let expected = model.of_cohort(*cohort).expected_of_new(52.0)?;
            *error += (expected - truth).abs();
            print!(" {expected:>8.2}");
        }
        println!();
    }
    println!("{:<28} {:>8.2} {:>8.2} {:>8.2}", "sum of errors", errors[0], errors[1], errors[2]);
    println!(
        "\nOf a month that has not come the middle of all is taken: {:.2} times.",
        partly.common().expected_of_new(52.0)?
    );
    Ok(())
}

/// How many customers, and the sum over them of so many each.
fn by_cohort(training: &Training<'_>, each: &[f64]) -> BTreeMap<i64, (usize, f64)> {
    let mut sums = BTreeMap::new();
    for (first, value) in training.summary().first.iter().zip(each) {
        let (customers, sum) = sums.entry(Period::Month.index(*first)).or_insert((0, 0.0));
        *customers += 1;
        *sum += value;
    }
    sums
}

fn population(alpha: f64) -> Result<PurchaseModel<BgNbd>, clv::Error> {
    Ok(PurchaseModel::new(BgNbd::new(1.2, alpha, 0.8, 2.5)?, TimeUnit::Week))
}

fn shop() -> Result<TransactionLog, Box<dyn Error>> {
    let end = Moment::parse_date("2024-03-31")?;
    let mut log = LogBuilder::new();
    for (month, (customers, alpha)) in (1..).zip(COHORTS) {
        let start = Moment::parse_date(&format!("2023-{month:02}-01"))?;
        let part = Simulation::new(customers, start, end, month)?
            .joining_until(clv_examples::end_of(&format!("2023-{month:02}-28"))?)?
            .run(&population(alpha)?, TimeUnit::Week, None)?;
        for row in 0..part.len() {
            let name = format!("{month}-{}", part.customers().name(part.customer()[row]));
            log.push(Transaction::new(&name, part.time()[row]))?;
        }
    }
    Ok(log.finish())
}
