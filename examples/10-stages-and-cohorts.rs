//! Who stands where, who moved, and how cohorts stay.

use std::error::Error;

use clv::cohorts::{Cohorts, Period};
use clv::prelude::*;
use clv::stages::Course;
use clv::sufficiency::Sufficiency;
use clv_examples::{end_of, simulated_shop};

fn main() -> Result<(), Box<dyn Error>> {
    let log = simulated_shop()?;
    let purchases = Purchases::of(&log, Grain::Day)?;
    let (from, until) = (end_of("2023-12-31")?, end_of("2024-12-31")?);

    // Is there enough data?
    for verdict in Sufficiency::of(&purchases, until, Span::weeks(52.0)?)?.verdicts {
        println!("{:>6}  {}: {}", verdict.carries.to_string(), verdict.models, verdict.why);
    }

    // Thresholds from the shop's own rhythm, as of the first date: nothing later has a part in them.
    let rules = StageRules::learn_thresholds(&purchases, from, TimeUnit::Week, Span::days(90.0)?)?;
    println!(
        "\nchurned after {:.1} of one's own gaps, loyal from {} purchases",
        rules.overdue_gaps(),
        rules.loyal_from()
    );
    let quarter = Span::new(3.0, TimeUnit::Month)?;
    let dates: Vec<Cut> = std::iter::successors(Some(from), |date| Some(date.plus(quarter)))
        .take_while(|date| date.last() <= until.last())
        .collect();
    let course = Course::of(&purchases, &rules, &dates)?;
    for (date, cut) in dates.iter().enumerate() {
        let [_, new, active, loyal, churned] = course.counts(date);
        print!("{}: {new} new, {active} active, {loyal} loyal, {churned} churned", cut.last_day());
        if date > 0 {
            let flows = course.flows(date - 1, date)?;
            print!("; lost {}, won back {}", flows.churned, flows.won_back);
        }
        println!();
    }
    let moved = course.transitions(0, dates.len() - 1)?;
    if let Some(share) = moved.share(Stage::Loyal, Stage::Churned) {
        println!(
            "of the loyal {:.0}% ({:.0}–{:.0}) are churned at the end",
            100.0 * share.estimate,
            100.0 * share.lower,
            100.0 * share.upper
        );
    }

    // Cohorts: a month that is not over is absent, not zero.
    let cohorts = Cohorts::of(&purchases, until, Period::Quarter)?;
    for cohort in &cohorts.cohorts {
        let share = |age| cohort.retention(age).map_or("–".into(), |r: f64| format!("{:.0}%", 100.0 * r));
        let money = cohort.cumulative_revenue(3).map_or("–".into(), |r| format!("{r:.2}"));
        println!(
            "{} ({} customers): retention {} {} {} {}, {money} each in a year",
            cohorts.period.name(cohort.period),
            cohort.customers,
            share(0),
            share(1),
            share(2),
            share(8)
        );
    }
    Ok(())
}
