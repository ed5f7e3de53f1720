//! Customers with parameters of their own, drawn together with their population: their rates (Ma & Liu), how regular each of them is
//! (Pareto/GGG), and whether those who buy often stay longer (Abe). With a file, of the file; otherwise of a simulated grocer, half of whose
//! customers come at a beat.

use std::error::Error;
use std::num::NonZeroUsize;

use clv::btyd::{Abe, HierarchicalFit, HierarchicalPosterior, Hierarchy, MaLiu, OwnDraw, ParetoGgg};
use clv::model::Activity;
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
    let customers = training.summary().customers();
    let loyal: Vec<usize> = (0..customers.len()).filter(|&r| customers.frequency()[r] >= 8).collect();
    let some = || loyal.iter().copied().step_by(1 + loyal.len() / 8);
    let name = |row: usize| log.customers().name(training.summary().customer[row]);

    // Ma & Liu: Pareto/NBD with draws of each customer's rates. P(alive) is nearly that of the likeliest population, which is found far quicker.
    let posterior = drawn::<MaLiu>("Ma & Liu", &training)?;
    let plain = MaximumLikelihood::<ParetoNbd>::new().fit(&training, &Context::default())?.model;
    println!("\ncustomer    purchases  silence  a week: 5%  mean  95%  P(alive)  by Pareto/NBD");
    for row in some() {
        let history = customers.history(row);
        let draws = posterior.model.own_draws(&history, &[])?;
        let mut rates: Vec<f64> = draws.iter().map(|d| d.lambda).collect();
        rates.sort_by(f64::total_cmp);
        let at = |share: f64| rates[((rates.len() - 1) as f64 * share).round() as usize];
        println!(
            "{:<11} {:>9} {:>8.1} {:>11.2} {:>5.2} {:>4.2} {:>9.3} {:>14.3}",
            name(row),
            history.frequency + 1,
            history.age - history.recency,
            at(0.05),
            mean(&draws, |d| d.lambda),
            at(0.95),
            mean(&draws, |d| d.p_alive),
            plain.p_alive(&history, 0.0)?
        );
    }

    // Pareto/GGG: the same silence tells more of whoever comes at a beat.
    let posterior = drawn::<ParetoGgg>("Pareto/GGG", &training)?;
    let features = training.features(posterior.model.needs())?;
    println!("\ncustomer    purchases  silence  k       P(alive)");
    for row in some() {
        let history = customers.history(row);
        let draws = posterior.model.own_draws(&history, features.row(row))?;
        println!(
            "{:<11} {:>9} {:>8.1}  {:<7.2} {:.3}",
            name(row),
            history.frequency + 1,
            history.age - history.recency,
            mean(&draws, |d| d.k),
            mean(&draws, |d| d.p_alive)
        );
    }

    // Abe: a covariance of ln lambda and ln mu below 0 says that those who buy often stay longer.
    drawn::<Abe>("Abe", &training)?;
    Ok(())
}

/// Few rounds, to be quick: an R-hat well above 1 asks for more.
fn drawn<H: Hierarchy>(
    title: &str,
    training: &Training<'_>,
) -> Result<HierarchicalPosterior<H>, Box<dyn Error>> {
    let settings = HierarchicalFit::<H>::new().chains(2, 200)?.warmup(160).thin(NonZeroUsize::MIN);
    let posterior = settings.posterior(training, &Context::default().seed(1))?;
    println!("\n{title:<24} {:>8} {:>8} {:>8} {:>7}", "2.5%", "median", "97.5%", "R-hat");
    for s in &posterior.summaries {
        let [low, median, high] = s.quantiles;
        println!("{:<24} {low:>8.3} {median:>8.3} {high:>8.3} {:>7.3}", s.name, s.r_hat);
    }
    Ok(posterior)
}

fn mean(draws: &[OwnDraw], of: fn(&OwnDraw) -> f64) -> f64 {
    draws.iter().map(of).sum::<f64>() / draws.len() as f64
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
