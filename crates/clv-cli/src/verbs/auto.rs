//! `clv auto`.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clv::auto::Auto;
use clv::features::Remembered;
use clv::tune::{Objective, Trial};
use clv::{Context, Moment, Span, TimeUnit};

use crate::args::{Format, Output, Transactions, date};
use crate::beyond::Tables;
use crate::failure::Failure;
use crate::input;
use crate::progress::Line;
use crate::show::note;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    transactions: Transactions,
    #[command(flatten)]
    beyond: Tables,
    /// Use what the rows tell beyond when and for how much: products, prices, hours, seasons.
    #[arg(long, help_heading = "Beyond the purchases")]
    products: bool,
    /// How far ahead to forecast, in time units.
    #[arg(long, value_name = "UNITS")]
    horizon: f64,
    /// The last day that counts [default: the last purchase].
    #[arg(long, value_name = "DATE", value_parser = date)]
    until: Option<Moment>,
    /// Time unit: day, week, month, year.
    #[arg(long, default_value = "week")]
    unit: TimeUnit,
    /// Points drawn in each family of models; 0 tries defaults only.
    #[arg(long, default_value_t = 12)]
    trials: usize,
    /// Stop searching after so many minutes, and finish with what was found.
    #[arg(long, value_name = "MINUTES")]
    minutes: Option<f64>,
    /// What is to be good: balanced, mae, rmse, gini, spearman, decile-mape.
    #[arg(long, default_value = "balanced", value_parser = objective)]
    objective: Objective,
    /// Holdouts that the search is judged on, at most.
    #[arg(long, default_value_t = 3)]
    origins: usize,
    /// Threads to search on; the result is the same.
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// Seed of the points that are drawn, and of models that draw random numbers.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// A file of trials: read if it is there, so that a search goes on, and written at the end (JSON).
    #[arg(long, value_name = "FILE")]
    resume: Option<PathBuf>,
    /// Where to write the model (JSON).
    #[arg(long)]
    output: PathBuf,
    #[command(flatten)]
    print: Output,
}

fn objective(text: &str) -> Result<Objective, String> {
    serde_json::from_value(text.into())
        .map_err(|_| format!("{text}: allowed are balanced, mae, rmse, gini, spearman and decile-mape"))
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let threads = NonZeroUsize::new(args.threads);
    let threads = threads.ok_or_else(|| Failure::usage("--threads 0: allowed are 1 and more"))?;
    let horizon = Span::new(args.horizon, args.unit).map_err(Failure::usage)?;
    if horizon.in_days() < 1.0 {
        return Err(Failure::usage(format_args!("--horizon {}: allowed is a day and more", args.horizon)));
    }
    let limit = match args.minutes {
        Some(minutes) if !(minutes > 0.0 && minutes < 1e6) => {
            return Err(Failure::usage(format_args!(
                "--minutes {minutes}: allowed is above 0, below a million"
            )));
        }
        minutes => minutes.map(|m| Duration::from_secs_f64(60.0 * m)),
    };
    for path in std::iter::once(&args.output).chain(&args.resume) {
        if path.extension().is_none_or(|ending| ending != "json") {
            return Err(Failure::usage(format_args!("{}: it is written as .json", path.display())));
        }
        let inputs: Vec<&Path> = args.transactions.inputs().into_iter().chain(args.beyond.inputs()).collect();
        input::expect_other(path, &inputs)?;
        // Found out now, and not after the search.
        if path.parent().is_some_and(|folder| !folder.as_os_str().is_empty() && !folder.is_dir()) {
            return Err(Failure::data(format_args!("{}: there is no such folder", path.display())));
        }
    }
    let known = args.resume.as_deref().map_or(Ok(Vec::new()), trials)?;
    let mut gathered = input::gather(&args.transactions, args.until)?;
    let log = std::mem::take(&mut gathered.log);
    let known_beyond = args.beyond.read(&args.transactions, &mut gathered, &log)?;
    let beyond = known_beyond.of(&log, args.products)?;
    let beyond = beyond.as_ref().map(|source| Remembered::new(source));
    let cut = input::cut(&log, &args.transactions, args.until)?;

    let begun = Instant::now();
    let stop = || limit.is_some_and(|limit| begun.elapsed() > limit);
    let found = {
        let line = Line::new("auto");
        let cx = Context::default().seed(args.seed).threads(threads).observer(&line).stop(&stop);
        let auto = Auto::new(horizon)
            .unit(args.unit)
            .trials(args.trials)
            .objective(args.objective)
            .origins(args.origins);
        let auto = match &beyond {
            Some(source) => auto.knowing(source),
            None => auto,
        };
        auto.run(&log, cut, &known, &cx)?
    };
    if stop() {
        note("the time was up: this is the best of what had been tried");
    }
    clv::saved::save(&found.model, &args.output)?;
    note(format_args!("{}: model written", args.output.display()));
    if let Some(path) = &args.resume {
        // Of another log or question, and still somebody's work.
        let search = found.trials.first().map(|trial| trial.search.as_str());
        let others = known.iter().filter(|trial| Some(trial.search.as_str()) != search);
        let others: Vec<&Trial> = others.collect();
        if !others.is_empty() {
            note(format_args!(
                "{}: {} trials are of another search, and stay as they are",
                path.display(),
                others.len()
            ));
        }
        let all: Vec<&Trial> = others.into_iter().chain(&found.trials).collect();
        let text = serde_json::to_string_pretty(&all).map_err(Failure::data)?;
        clv::saved::write_atomically(path, |file| file.write_all(text.as_bytes()))?;
        note(format_args!("{}: {} trials written", path.display(), found.trials.len()));
    }
    if args.print.format == Format::Json {
        return crate::show::json(&serde_json::to_value(&found.card).map_err(Failure::data)?);
    }
    crate::show::print(found.card.to_string().trim_end())
}

fn trials(path: &Path) -> Result<Vec<Trial>, Failure> {
    match std::fs::read_to_string(path) {
        Ok(text) => serde_json::from_str(&text)
            .map_err(|e| Failure::data(format_args!("{}: not a file of trials: {e}", path.display()))),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(e) => Err(Failure::data(format_args!("{}: {e}", path.display()))),
    }
}
