//! A season that comes back every year: customers buy twice as often before the holidays. A model that does not know it takes the
//! silence of January for leaving; one that does forecasts the next season from its calendar.

use std::error::Error;

use clv::Timelines;
use clv::btyd::{Covariates, OverTimeFit, ratio};
use clv::prelude::*;

fn main() -> Result<(), Box<dyn Error>> {
    let mut season = Timelines::new(["high_season"])?;
    for year in 2022..2026 {
        season.state(None, Moment::parse_date(&format!("{year}-01-01"))?, &[0.0])?;
        season.state(None, Moment::parse_date(&format!("{year}-11-01"))?, &[1.0])?;
    }
    let log = shop(&season)?;
    let cut = clv_examples::end_of("2024-10-31")?;
    let purchases = Training::merge(&log, cut)?;
    let training = Training::new(&purchases, cut, TimeUnit::Week)?;
    let cx = Context::default();

    let covariates = Covariates::new().on_purchases(["high_season"])?;
    let fitted =
        OverTimeFit::<ParetoNbd>::new(covariates).fit(&training, &[&season], log.customers(), &cx)?;
    let estimate = &fitted.report.parameters[4];
    if let Some(found) = ratio(estimate, 0.95)? {
        let (low, high) = found.interval.unwrap_or((f64::NAN, f64::NAN));
        println!("in high season purchases come {:.2} times as often ({low:.2} to {high:.2})", found.ratio);
    }
    let plain = MaximumLikelihood::<ParetoNbd>::new().fit(&training, &cx)?;

    // The nine weeks until New Year, and the nine after it.
    let ask = |weeks| Ok::<_, clv::Error>(Ask::over(Span::weeks(weeks)?));
    let total = |purchases: Option<Vec<f64>>| purchases.unwrap_or_default().iter().sum::<f64>();
    let known = |weeks| -> Result<f64, Box<dyn Error>> {
        let forecast = fitted.model.forecast(&training, &[&season], log.customers(), &ask(weeks)?)?;
        Ok(total(forecast.purchases))
    };
    let unknown = |weeks| -> Result<f64, Box<dyn Error>> {
        let forecast = plain.model.predict(&training.summary().customers(), &ask(weeks)?)?;
        Ok(total(forecast.purchases))
    };
    let actual = |weeks| -> Result<f64, Box<dyn Error>> {
        let split = Split::new(cut, cut.plus(Span::weeks(weeks)?))?;
        Ok(Backtest::new(&log, split, TimeUnit::Week)?.actual_purchases().iter().sum())
    };
    println!("{:<22} {:>8} {:>12} {:>9}", "purchases", "happened", "with season", "without");
    for (what, from, to) in [("in nine weeks", 0.0, 9.0), ("in the nine after that", 9.0, 18.0)] {
        let between = |f: &dyn Fn(f64) -> Result<f64, Box<dyn Error>>| -> Result<f64, Box<dyn Error>> {
            Ok(f(to)? - if from > 0.0 { f(from)? } else { 0.0 })
        };
        let (happened, with, without) = (between(&actual)?, between(&known)?, between(&unknown)?);
        println!("{what:<22} {happened:>8.0} {with:>12.0} {without:>9.0}");
    }
    // Beyond what the calendar tells nothing is guessed.
    let too_far = fitted.model.forecast(&training, &[&season], log.customers(), &ask(200.0)?);
    println!("two hundred weeks: {}", too_far.err().map_or("forecast".to_owned(), |why| why.to_string()));
    Ok(())
}

/// Customers at twice their rate, of whose purchases every other one out of season never came.
fn shop(season: &Timelines) -> Result<TransactionLog, Box<dyn Error>> {
    let population = PurchaseModel::new(ParetoNbd::new(1.2, 6.0, 0.6, 40.0)?, TimeUnit::Week);
    let (start, end) = (Moment::parse_date("2022-01-01")?, Moment::parse_date("2025-03-31")?);
    let all = Simulation::new(1_500, start, end, 5)?.run(&population, TimeUnit::Week, None)?;
    let mut log = LogBuilder::new();
    let mut seen = vec![false; all.customers().len()];
    for row in 0..all.len() {
        let (number, time) = (all.customer()[row], all.time()[row]);
        let is_first = !std::mem::replace(&mut seen[number as usize], true);
        let name = all.customers().name(number);
        let is_high = season.line(name).at(time, 1)[0] > 0.0;
        // A coin by the second of the purchase.
        let coin = (time.micros() / 1_000_000).wrapping_mul(2_654_435_761) >> 16 & 1;
        if is_first || is_high || coin == 0 {
            log.push(Transaction::new(name, time))?;
        }
    }
    Ok(log.finish())
}
