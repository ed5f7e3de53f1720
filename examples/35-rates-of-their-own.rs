//! Customers with parameters of their own: how regular is each of them (Pareto/GGG), and do those who buy often stay longer (Abe)? With a
//! file, of the file; otherwise of a simulated grocer, half of whose customers come at a beat.

use std::error::Error;
use std::num::NonZeroUsize;

use clv::btyd::{Abe, HierarchicalFit, ParetoGgg};
use clv::prelude::*;

fn main() -> Result<(), Box<dyn Error>> {
    let log = match std::env::args().nth(1) {
        Some(file) => clv::io::read_log(file.as_ref(), &clv::io::ReadOptions::new())?.log,
        None => grocer()?,
    };
    let (first, last) = log.span().ok_or("the log is empty")?;
    let cut = Cut::end_of(last, Grain::Day).minus(Span::days((last.days_since(first) / 3.0).floor())?);
    let purchases = Training::merge(&log, cut)?;
    let training = Training::new(&purchases, cut, TimeUnit::Week)?;
    let cx = Context::default().seed(1);

    let settings = HierarchicalFit::<ParetoGgg>::new().chains(2, 200)?.warmup(160).thin(NonZeroUsize::MIN);
    let posterior = settings.posterior(&training, &cx)?;
    println!("{:<24} {:>8} {:>8} {:>8} {:>7}", "Pareto/GGG", "2.5%", "median", "97.5%", "R-hat");
    let show = |s: &clv::btyd::PosteriorSummary| {
        let [low, median, high] = s.quantiles;
        println!("{:<24} {low:>8.3} {median:>8.3} {high:>8.3} {:>7.3}", s.name, s.r_hat);
    };
    posterior.summaries.iter().for_each(show);

    let customers = training.summary().customers();
    let features = training.features(posterior.model.needs())?;
    let loyal: Vec<usize> = (0..customers.len()).filter(|&r| customers.frequency()[r] >= 8).collect();
    println!("\ncustomer  purchases  silence  k       P(alive)");
    for &row in loyal.iter().step_by(1 + loyal.len() / 8) {
        let history = customers.history(row);
        let draws = posterior.model.own(&history, features.row(row))?;
        let mean =
            |of: fn(&clv::btyd::OwnDraw) -> f64| draws.iter().map(of).sum::<f64>() / draws.len() as f64;
        println!(
            "{:<9} {:>9} {:>8.1}  {:<7.2} {:.3}",
            log.customers().name(training.summary().customer[row]),
            history.frequency + 1,
            history.age - history.recency,
            mean(|d| d.k),
            mean(|d| d.p_alive)
        );
    }

    let abe = HierarchicalFit::<Abe>::new()
        .chains(2, 200)?
        .warmup(160)
        .thin(NonZeroUsize::MIN)
        .posterior(&training, &cx)?;
    println!("\n{:<24} {:>8} {:>8} {:>8} {:>7}", "Abe", "2.5%", "median", "97.5%", "R-hat");
    abe.summaries.iter().for_each(show);
    Ok(())
}

/// Those at a beat, and those at random.
fn grocer() -> Result<TransactionLog, Box<dyn Error>> {
    let (start, end) = (Moment::parse_date("2022-01-01")?, Moment::parse_date("2023-12-31")?);
    let beat = PurchaseModel::new(MbgCnbd::new(3.0, 2.0, 0.5, 4.0, 6)?, TimeUnit::Week);
    let random = PurchaseModel::new(MbgCnbd::new(3.0, 12.0, 0.5, 4.0, 1)?, TimeUnit::Week);
    let mut log = LogBuilder::new();
    for (kind, model) in [("beat", beat), ("random", random)] {
        let part = Simulation::new(120, start, end, 3)?.run(&model, TimeUnit::Week, None)?;
        for row in 0..part.len() {
            let name = format!("{kind}-{}", part.customers().name(part.customer()[row]));
            log.push(Transaction::new(&name, part.time()[row]))?;
        }
    }
    Ok(log.finish())
}
