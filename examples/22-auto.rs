//! The best forecast without choosing: baselines, buy-till-you-die models and learners are tried, tuned and
//! averaged; what comes back is one model with a card that says how good it is.

use std::error::Error;

use clv::auto::Auto;
use clv::prelude::*;

fn main() -> Result<(), Box<dyn Error>> {
    let log = clv_examples::shop()?;
    let (first, last) = log.span().ok_or("the log is empty")?;
    // A quarter of the log, at most half a year: the search wants a past of its own.
    let horizon = Span::days((last.days_since(first) / 4.0).floor().min(182.0))?;
    let found = Auto::new(horizon).trials(6).run(
        &log,
        Cut::end_of(last, Grain::Day),
        &[],
        &Context::default().seed(7),
    )?;
    println!("{}", found.card);

    let folder = std::env::temp_dir().join("clv-auto.json");
    clv::saved::save(&found.model, &folder)?;
    let again = clv::registry().load(&folder)?;
    println!("saved and loaded: {}", again.kind().name);
    std::fs::remove_file(&folder)?;
    Ok(())
}
