//! Two-part models: whether a customer comes back, and for how much if they do.

use std::error::Error;

use clv::Erased;
use clv::prelude::*;
use clv::transform::Step;

fn main() -> Result<(), Box<dyn Error>> {
    let log = clv_examples::shop()?;
    let backtest = clv_examples::backtest(&log)?;
    let horizon = backtest.split().horizon();
    let logs = vec![Step::Log];
    let hurdle = Hurdle::default().over(horizon).transform(logs.clone());
    clv_examples::judge(&backtest, "hurdle", Box::new(Erased(hurdle)))?;
    let ziln = Ziln::default().over(horizon).transform(logs);
    clv_examples::judge(&backtest, "ZILN", Box::new(Erased(ziln.clone())))?;

    let training = backtest.training()?;
    let model = ziln.fit(&training, &Context::default())?.model;
    let Some(value) = model.value_model() else { return Ok(()) };
    // Frequency, recency, age and mean spend, on the scale that was learned.
    let regular = [6.0, 40.0, 45.0, 30.0_f64].map(f64::ln_1p);
    let clv::linear::ZeroInflatedLognormal { p, mu, sigma } =
        value.distribution(&regular, &mut Vec::new())?;
    println!(
        "six purchases of 30, the last five weeks ago: more than 0 with probability {p:.2}, then half of \
         them above {:.2} and a sixth above {:.2}",
        mu.exp(),
        (mu + sigma).exp()
    );
    Ok(())
}
