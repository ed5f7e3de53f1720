//! The program `clv`: customer lifetime value on the command line.
//!
//! Results go to standard output, notes and progress to standard error. Exit 0: done; 1: the data or
//! the fit is at fault; 2: the command line is.

mod args;
mod between;
mod beyond;
mod by;
mod entries;
mod failure;
mod input;
mod interrupt;
mod progress;
mod show;
mod verbs;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Customer lifetime value: from a transaction log to what each customer will be worth.
#[derive(Debug, Parser)]
#[command(
    name = "clv",
    version,
    max_term_width = 100,
    after_help = "Results go to standard output, notes to standard error.\nExit 0: done; 1: the data or the fit is at fault; 2: the command line is.\nDates are written YYYY-MM-DD."
)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Write a transaction log of simulated customers.
    Simulate(verbs::simulate::Args),
    /// Say what is in the files, what is done with it, and which models it can carry.
    Inspect(verbs::inspect::Args),
    /// Write each customer's history: frequency, recency, age, mean spend.
    Summarize(verbs::summarize::Args),
    /// Fit a model and write it.
    Fit(verbs::fit::Args),
    /// Find the model that forecasts best, and write it with a card that says how good it is.
    Auto(verbs::auto::Args),
    /// Forecast purchases, spend and value with a fitted model.
    Predict(verbs::predict::Args),
    /// Fit models on the past and score their forecasts on a holdout.
    Evaluate(verbs::evaluate::Args),
    /// Tell each customer's lifecycle stage, at a date or over time.
    Stages(verbs::stages::Args),
    /// Tell how acquisition cohorts stay, come back and spend.
    Cohorts(verbs::cohorts::Args),
    /// Value each customer after margin, returns and costs: historic, future, total.
    Value(verbs::value::Args),
    /// Print completions for a shell.
    Completions(verbs::completions::Args),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    interrupt::watch();
    let done = match cli.verb {
        Verb::Simulate(args) => verbs::simulate::run(&args),
        Verb::Inspect(args) => verbs::inspect::run(&args),
        Verb::Cohorts(args) => verbs::cohorts::run(&args),
        Verb::Value(args) => verbs::value::run(&args),
        Verb::Summarize(args) => verbs::summarize::run(&args),
        Verb::Auto(args) => verbs::auto::run(&args),
        Verb::Fit(args) => verbs::fit::run(&args),
        Verb::Predict(args) => verbs::predict::run(&args),
        Verb::Evaluate(args) => verbs::evaluate::run(&args),
        Verb::Stages(args) => verbs::stages::run(&args),
        Verb::Completions(args) => verbs::completions::run(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if let Some(text) = failure.text() {
                show::note(format_args!("clv: {text}"));
            }
            ExitCode::from(failure.exit_code())
        }
    }
}
