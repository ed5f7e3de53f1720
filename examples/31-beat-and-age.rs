//! Do customers buy at a beat, and do they leave the sooner the longer they have been customers? MBG/CNBD-k and GGom/NBD
//! beside MBG/NBD and Pareto/NBD: with a file, of the file; otherwise of a simulated grocer. The last third is kept back.

use std::error::Error;

use clv::model::{Activity, PurchaseForecast};
use clv::prelude::*;
use clv::shelf;

fn main() -> Result<(), Box<dyn Error>> {
    let log = match std::env::args().nth(1) {
        Some(file) => clv::io::read_log(file.as_ref(), &clv::io::ReadOptions::new())?.log,
        None => {
            let grocer = PurchaseModel::new(MbgCnbd::new(1.33, 2.81, 0.42, 0.79, 2)?, TimeUnit::Week);
            let (start, end) = (Moment::parse_date("2022-01-01")?, Moment::parse_date("2023-12-31")?);
            Simulation::new(2_000, start, end, 3)?.run(&grocer, TimeUnit::Week, None)?
        }
    };
    let (first, last) = log.span().ok_or("the log is empty")?;
    let end = Cut::end_of(last, Grain::Day);
    let cut = end.minus(Span::days((last.days_since(first) / 3.0).floor())?);
    let purchases = Training::merge(&log, cut)?;
    let training = Training::new(&purchases, cut, TimeUnit::Week)?;
    let cx = Context::default();

    // How regular: each k's log-likelihood, with the constant that tells one from another.
    println!("clicks to a purchase, and ln L of MBG/CNBD-k");
    let profile = RegularFit::<MbgCnbd>::new().most(5)?.profile(&training, &cx)?;
    for fitted in &profile {
        let k = fitted.report.parameters[4].value;
        println!("{k:>3} {:.2}", fitted.report.log_likelihood.unwrap_or(f64::NAN));
    }
    let beat = RegularFit::<MbgCnbd>::new().fit(&training, &cx)?.model;
    let random = MaximumLikelihood::<MbgNbd>::new().fit(&training, &cx)?.model;

    // Ten purchases, one every other week: how long may the next one be in coming?
    println!("\nweeks of silence, P(alive) at a beat, and at random");
    for silence in [0.0, 2.0, 4.0, 8.0, 16.0] {
        let customer = History::new(10, 20.0, 20.0 + silence)?;
        println!("{silence:>5} {:.3} {:.3}", beat.p_alive(&customer, 0.0)?, random.p_alive(&customer, 0.0)?);
    }
    println!("A new customer comes back {:.2} times in a year.", beat.expected_of_new(52.0)?);

    let backtest = Backtest::new(&log, Split::new(cut, end)?, TimeUnit::Week)?;
    println!("\n{:<12} {:>10} {:>8} {:>8}", "model", "purchases", "MAE", "RMSE");
    for name in ["mean", "mbg-nbd", "mbg-cnbd-k", "pareto-nbd", "ggom-nbd"] {
        let outcome = backtest.run(name, &shelf::settings(name, backtest.split().horizon())?, &cx)?;
        let scores = outcome.purchases;
        println!("{name:<12} {:>10.0} {:>8.4} {:>8.4}", scores.total_predicted, scores.mae, scores.rmse);
    }
    println!("{:<12} {:>10.0}", "(happened)", backtest.actual_purchases().iter().sum::<f64>());
    Ok(())
}
