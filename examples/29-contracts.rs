//! Contracts: of customers who may leave at each renewal, who will still be there, and what are they worth? The shifted
//! beta-geometric model beside a constant churn rate, on the two segments of Fader and Hardie (2007).

use std::error::Error;

use clv::btyd::{BetaDiscreteWeibull, Cohort, Tenure, WeibullGamma};
use clv::prelude::*;

/// Of 1,000 customers, those left after each year.
const REGULAR: [f64; 13] =
    [1000.0, 631.0, 468.0, 382.0, 326.0, 289.0, 262.0, 241.0, 223.0, 207.0, 194.0, 183.0, 173.0];
const HIGH_END: [f64; 13] =
    [1000.0, 869.0, 743.0, 653.0, 593.0, 551.0, 517.0, 491.0, 468.0, 445.0, 427.0, 409.0, 394.0];

fn main() -> Result<(), Box<dyn Error>> {
    let cx = Context::default();
    for (name, seen) in [("regular", REGULAR), ("high end", HIGH_END)] {
        // Seven years are known, five are to be forecast.
        let cohort = Cohort::cells(&[Cohort::new(&seen[..8])?]);
        let fit = |settings: MaximumLikelihood<BetaDiscreteWeibull>| {
            settings.fit_cells(&cohort, TimeUnit::Year, &cx).map(|fitted| *fitted.model.parameters())
        };
        let (sbg, bdw) = (fit(MaximumLikelihood::shifted_beta_geometric())?, fit(MaximumLikelihood::new())?);
        let [alpha, beta, _] = sbg.values();
        println!(
            "{name}: alpha {alpha:.3}, beta {beta:.3}; c of the beta-discrete-Weibull {:.3}",
            bdw.values()[2]
        );
        let churn = 1.0 - (seen[7] / seen[0]).powf(1.0 / 7.0);
        println!("{:>6} {:>7} {:>7} {:>7} {:>15}", "year", "left", "sBG", "BdW", "constant churn");
        let (mut errors, mut naive) = (0.0, 0.0);
        for year in 8..=12_u32 {
            let left = seen[year as usize];
            let constant = 1000.0 * (1.0 - churn).powi(year as i32);
            let (one, other) = (1000.0 * sbg.survival(year), 1000.0 * bdw.survival(year));
            println!("{year:>6} {left:>7.0} {one:>7.0} {other:>7.0} {constant:>15.0}");
            errors += (one - left).abs() / 5.0;
            naive += (constant - left).abs() / 5.0;
        }
        println!("MAE: sBG {errors:.1} of 1,000, constant churn {naive:.1}");
        // Those who stayed are not more loyal than they were: the others have gone.
        for renewed in [0, 5] {
            let value = sbg.residual_renewals(renewed, 0.1)?.ok_or("infinite")?;
            println!("worth after {renewed} renewals: {value:.2} payments more, discounted at 10%");
        }
    }

    // Lines that may end at any day: months, some still running.
    let mut tenures = Vec::new();
    for i in 0..600 {
        let months = f64::from(1 + i * 37 % 90).sqrt() * 4.0;
        tenures.push(if months < 30.0 { Tenure::ended(months)? } else { Tenure::running(30.0)? });
    }
    let fitted =
        MaximumLikelihood::<WeibullGamma>::new().fit_cells(&Tenure::cells(&tenures), TimeUnit::Month, &cx)?;
    let lines = fitted.model.parameters();
    println!(
        "lines: {:.0}% still there after a year, {:.0}% after two",
        100.0 * lines.survival(12.0)?,
        100.0 * lines.survival(24.0)?
    );
    Ok(())
}
