//! Who comes back in a month, if at all? BG/BB counts calendar months in which a customer bought, as the donors of a yearly appeal are counted:
//! with a file, of the file; otherwise of the simulated shop. The last third of the months is kept back.

use std::error::Error;

use clv::btyd::{BgBb, Tries};
use clv::prelude::*;

fn main() -> Result<(), Box<dyn Error>> {
    let log = clv_examples::shop()?;
    let (first, last) = log.span().ok_or("the log is empty")?;
    // The month in which the log ends is broken off, unless it ends with it.
    let this = Cut::end_of(last, Grain::Month);
    let whole = this.end().days_since(last) <= 1.0;
    let end = if whole { this } else { this.minus(Span::new(1.0, TimeUnit::Month)?) };
    let months = (end.last().days_since(first) / TimeUnit::Month.days()).round();
    let ahead = Span::new((months / 3.0).floor(), TimeUnit::Month)?;
    let backtest = Backtest::new(&log, Split::new(end.minus(ahead), end)?, TimeUnit::Month)?;

    let fitted = MaximumLikelihood::<BgBb>::new().fit(&backtest.training()?, &Context::default())?;
    for estimate in fitted.report.all_parameters() {
        println!("{:>6} {:.3}", estimate.name, estimate.value);
    }
    // In the paper's own terms: somebody who bought in two of six months, last in the third.
    let lapsed = Tries::new(2, 3, 6)?;
    let months = fitted.model.parameters();
    println!(
        "bought in 2 of 6 months, last in the third: still a customer with probability {:.2}, {:.2} months with a purchase in the next 6",
        months.p_alive(&lapsed, 0),
        months.expected(&lapsed, 6)
    );

    println!("{:>12} {:>8} {:>8} {:>9} {:>9}", "", "MAE", "RMSE", "forecast", "came");
    for name in ["mean", "last-period", "pareto-nbd", "bg-bb"] {
        let settings = clv::shelf::settings(name, backtest.split().horizon())?;
        let scores = backtest.run(name, &settings, &Context::default())?.purchases;
        let (total, came) = (scores.total_predicted, scores.total_actual);
        println!("{name:>12} {:>8.4} {:>8.4} {total:>9.0} {came:>9.0}", scores.mae, scores.rmse);
    }
    Ok(())
}
