//! `clv cohorts`.

use std::path::PathBuf;

use clap::ValueEnum;
use clv::cohorts::{Cohort, Cohorts, Period};
use serde_json::{Value, json};

use crate::args::{Format, Observation, Output, PeriodArg, Transactions};
use crate::failure::Failure;
use crate::input::{self, Observed};
use crate::show::{note, table};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    transactions: Transactions,
    #[command(flatten)]
    observation: Observation,
    /// By which pages of the calendar customers are grouped [default: month, or the week or year of --grain].
    #[arg(long, value_enum)]
    by: Option<PeriodArg>,
    /// What the table shows.
    #[arg(long, value_enum, default_value_t = Show::Retention)]
    show: Show,
    /// Where to write all numbers: .csv, .jsonl (each also .gz or .zst) or .parquet.
    #[arg(long)]
    output: Option<PathBuf>,
    #[command(flatten)]
    print: Output,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Show {
    /// Share of the cohort that bought.
    Retention,
    /// Share that had come back by then.
    RepeatRate,
    /// Money per customer of the cohort.
    Revenue,
    /// The same, summed up.
    CumulativeRevenue,
}

impl Show {
    fn of(self, cohort: &Cohort, age: usize) -> Option<f64> {
        match self {
            Self::Retention => cohort.retention(age),
            Self::RepeatRate => cohort.repeat_rate(age),
            Self::Revenue => cohort.revenue_per_customer(age),
            Self::CumulativeRevenue => cohort.cumulative_revenue(age),
        }
    }

    fn text(self, value: Option<f64>) -> String {
        match (self, value) {
            (_, None) => String::new(),
            (Self::Retention | Self::RepeatRate, Some(share)) => format!("{:.1}%", 100.0 * share),
            (_, Some(money)) => format!("{money:.2}"),
        }
    }
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    if let Some(path) = &args.output {
        input::expect_output(path, &args.transactions.inputs())?;
    }
    let grain = args.transactions.grain();
    let period = args.by.map_or_else(|| Period::of_grain(grain), Period::from);
    period.expect_grain(grain).map_err(Failure::usage)?;
    let observed = Observed::read(&args.transactions, &args.observation)?;
    let money = matches!(args.show, Show::Revenue | Show::CumulativeRevenue);
    if money && observed.log.amount().is_none() {
        return Err(Failure::usage(
            "--show revenue: the log has no amounts; allowed are retention and repeat-rate",
        ));
    }
    let cohorts = Cohorts::of(&observed.purchases, observed.cut, period)?;
    if let Some(path) = &args.output {
        clv::io::write::cohorts(&cohorts, path)?;
    }
    if args.print.format == Format::Json {
        let cohort = |c: &Cohort| -> Value {
            let series = |of: &dyn Fn(usize) -> Option<f64>| (0..c.cells.len()).map(of).collect::<Vec<_>>();
            json!({
                "cohort": period.name(c.period),
                "customers": c.customers,
                "retention": series(&|age| c.retention(age)),
                "repeat_rate": series(&|age| c.repeat_rate(age)),
                "revenue_per_customer": series(&|age| c.revenue_per_customer(age)),
            })
        };
        return crate::show::json(&json!({
            "until": observed.cut.last_day().to_string(),
            "cohorts": cohorts.cohorts.iter().map(cohort).collect::<Vec<_>>(),
        }));
    }
    let ages = cohorts.cohorts.iter().map(|c| c.cells.len()).max().unwrap_or(0);
    let names: Vec<String> = (0..ages).map(|age| age.to_string()).collect();
    let mut header = vec!["cohort", "customers"];
    header.extend(names.iter().map(String::as_str));
    table(
        &header,
        cohorts.cohorts.iter().map(|c| {
            let mut row = vec![period.name(c.period), c.customers.to_string()];
            row.extend((0..ages).map(|age| args.show.text(args.show.of(c, age))));
            row
        }),
    )?;
    note("columns: age in periods from the one they came in; a period that is not over is left empty");
    Ok(())
}
