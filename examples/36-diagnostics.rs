//! What to look at before a model is believed: BG/NBD and Pareto/NBD on one shop, beside what came. With a file, of the file; otherwise of a simulated
//! shop whose customers are Pareto/NBD's. The last 26 weeks, or the last third, are kept back.

use std::error::Error;

use clv::diagnostics;
use clv::model::PurchaseForecast;
use clv::prelude::*;

fn main() -> Result<(), Box<dyn Error>> {
    let log = clv_examples::shop()?;
    let backtest = clv_examples::backtest(&log)?;
    let (split, training, cx) = (backtest.split(), backtest.training()?, Context::default());
    let purchases = Purchases::of(&log, Grain::Day)?;
    let (summary, actual) = (training.summary(), backtest.actual_purchases());
    let ask = Ask::over(split.horizon());
    let weeks = split.horizon().in_units(TimeUnit::Week);

    let settings = MaximumLikelihood::<ParetoNbd>::new();
    let pareto = settings.fit_cells(&training.cells(), TimeUnit::Week, &cx)?;
    let bg = MaximumLikelihood::<BgNbd>::new().fit(&training, &cx)?.model;
    let models: [&dyn PurchaseForecast; 2] = [&bg, &pareto.model];
    let forecast = |model: &dyn Predict| -> Result<Vec<f64>, Box<dyn Error>> {
        Ok(training.forecast(model, &ask)?.purchases.ok_or("no purchases")?)
    };
    let (of_bg, of_pareto) = (forecast(&bg)?, forecast(&pareto.model)?);

    println!("tracking: repeat purchases of each 13 weeks");
    println!("{:<12} {:>9} {:>9} {:>10}", "until", "came", "BG/NBD", "Pareto/NBD");
    let quarter = Span::weeks(13.0)?;
    for row in diagnostics::tracking(&purchases, summary, split.holdout, quarter, &models)? {
        let [bg, pareto] = row.expected[..] else { continue };
        println!("{:<12} {:>9} {bg:>9.0} {pareto:>10.0}", row.until.date(), row.actual);
    }

    println!("\nfrequencies: customers with so many repeat purchases, at last or more");
    for row in diagnostics::frequencies(summary, 5, &models)? {
        let [bg, pareto] = row.expected[..] else { continue };
        println!("{:<12} {:>9} {bg:>9.0} {pareto:>10.0}", row.purchases, row.customers);
    }

    println!("\nconditional expectation: purchases of the holdout by those before it, at last or more");
    for row in diagnostics::by_frequency(summary, 5, actual, &[&of_bg, &of_pareto])? {
        let [bg, pareto] = row.expected[..] else { continue };
        println!("{:<12} {:>9.2} {bg:>9.2} {pareto:>10.2}", row.key, row.actual);
    }

    for (name, model) in [("BG/NBD", models[0]), ("Pareto/NBD", models[1])] {
        println!("\nP(active) of {name}: customers, said, came back");
        for bin in diagnostics::active(summary, actual, weeks, 5, model)? {
            println!("{:>9} {:>9.3} {:>9.3}", bin.weight, bin.mean_forecast, bin.share);
        }
    }

    println!(
        "\nDERT of Pareto/NBD at 15% a year, of an age of 52 weeks: repeats, and last seen in week 13, 26, 39, 52"
    );
    let cells = diagnostics::dert(&pareto.model, 52.0, 12, 4, Discount::yearly(0.15)?, None)?;
    for row in cells[1..].chunks(4).step_by(3) {
        let values: Vec<String> = row.iter().map(|cell| format!("{:>7.2}", cell.dert)).collect();
        println!("{:<4} {}", row[0].frequency, values.join(" "));
    }

    println!("\nln L of Pareto/NBD less its maximum, s down and beta across: a ridge");
    let most = pareto.report.log_likelihood.unwrap_or(f64::NAN);
    let [s, beta] = [2, 3].map(|place| [0.7, 1.0, 1.4].map(|by| by * pareto.report.parameters[place].value));
    let points = settings.contours(&training.cells(), &pareto, ("s", &s), ("beta", &beta), &cx)?;
    for row in points.chunks(3) {
        let values: Vec<String> = row.iter().map(|p| format!("{:>8.1}", p.log_likelihood - most)).collect();
        println!("{:>5.2} {}", row[0].first, values.join(" "));
    }

    println!("\nworst fits of Pareto/NBD: repeats, silence, came, expected");
    for (row, deviance) in diagnostics::worst(actual, &of_pareto, 5)? {
        let History { frequency, recency, age, .. } = summary.history(row);
        let name = log.customers().name(summary.customer[row]);
        let (came, expected, silence) = (actual[row], of_pareto[row], age - recency);
        println!(
            "{name:<8} {frequency:>4} {silence:>6.1} {came:>4} {expected:>6.2}   deviance {deviance:.1}"
        );
    }
    Ok(())
}
