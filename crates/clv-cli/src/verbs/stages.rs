//! `clv stages`.

use std::path::PathBuf;

use clv::stages::Course;
use clv::{Ask, Cut, Moment, Predict, Span, Stage, StageRules};
use serde_json::{Map, Value, json};

use crate::args::{Format, Observation, Output, Transactions, date};
use crate::failure::Failure;
use crate::input::{self, Observed};
use crate::show::{note, print, short, table};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    transactions: Transactions,
    #[command(flatten)]
    observation: Observation,
    /// Decide by this fitted model's P(alive) instead of the customer's own rhythm.
    #[arg(long, conflicts_with = "every")]
    model: Option<PathBuf>,
    /// P(alive) below which a model's verdict is churned.
    #[arg(long, default_value_t = 0.5, requires = "model", value_name = "PROBABILITY")]
    churned_below: f64,
    /// How many of a customer's gaps of silence are churn, or `learned`: the thresholds under which
    /// the stages told apart best what customers bought in the --window before.
    #[arg(long, default_value = "3", conflicts_with = "model", allow_negative_numbers = true, value_name = "GAPS|learned", value_parser = overdue)]
    overdue: Overdue,
    /// With --overdue learned: how many days to look back on [default: 90].
    #[arg(long, value_name = "DAYS")]
    window: Option<f64>,
    /// From how many purchases on a customer is loyal [default: 4, or learned].
    #[arg(long, value_name = "PURCHASES")]
    loyal_from: Option<u32>,
    /// Follow the stages over time, at dates so many days apart.
    #[arg(long, value_name = "DAYS")]
    every: Option<u32>,
    /// First date of --every [default: a year before the end, or the middle of the log].
    #[arg(long, value_name = "DATE", value_parser = date, requires = "every")]
    from: Option<Moment>,
    /// Who was known before they bought, and since when: a table with the columns customer and date
    /// (sign-ups, visits). They are prospects until they buy.
    #[arg(long, value_name = "FILE")]
    prospects: Option<PathBuf>,
    /// Where to write, of --every the counts by date: .csv, .jsonl (each also .gz or .zst) or .parquet.
    #[arg(long)]
    output: Option<PathBuf>,
    #[command(flatten)]
    print: Output,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Overdue {
    Gaps(f64),
    Learned,
}

fn overdue(text: &str) -> Result<Overdue, String> {
    match text {
        "learned" => Ok(Overdue::Learned),
        _ => text.parse().map(Overdue::Gaps).map_err(|_| "expected a number or \"learned\"".to_owned()),
    }
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    if let Some(path) = &args.output {
        input::expect_output(path, &args.transactions.inputs())?;
    }
    if args.window.is_some() && args.overdue != Overdue::Learned {
        return Err(Failure::usage("--window is for --overdue learned"));
    }
    if args.every == Some(0) {
        return Err(Failure::usage("--every 0: allowed are 1 and more"));
    }
    let model = args.model.as_deref().map(crate::args::load).transpose()?;
    if let Some(model) = &model
        && !model.answers().p_alive
    {
        return Err(Failure::usage(format_args!(
            "{} does not say P(alive); use a buy-till-you-die model",
            model.kind().name
        )));
    }
    let transactions = args.transactions.of(model.as_deref().zip(args.model.as_deref()))?;
    let (mut observed, since) = match &args.prospects {
        None => (Observed::read(&transactions, &args.observation)?, None),
        Some(path) => {
            let (observed, since) = Observed::with_prospects(&transactions, &args.observation, path)?;
            (observed, Some(since))
        }
    };
    if let (Some(model), None) = (&model, args.observation.unit) {
        observed.unit = model.unit();
    }
    match args.every {
        None => at_the_end(args, model.as_deref(), &observed, since.as_deref()),
        Some(days) => over_time(args, &observed, since.as_deref(), days),
    }
}

/// Rules as of a cut: nothing later has a part in them.
fn rules(args: &Args, observed: &Observed, cut: Cut) -> Result<StageRules, Failure> {
    let rules = match args.overdue {
        Overdue::Learned => {
            let window = Span::days(args.window.unwrap_or(90.0)).map_err(Failure::usage)?;
            let rules = StageRules::learn_thresholds(&observed.purchases, cut, observed.unit, window)?;
            let new =
                rules.fuse().map_or_else(String::new, |fuse| format!(", new for {:.0} days", fuse.in_days()));
            note(format_args!(
                "learned: churned after {} of one's own gaps{new}, loyal from {} purchases",
                short(rules.overdue_gaps()),
                rules.loyal_from()
            ));
            rules
        }
        Overdue::Gaps(gaps) => {
            let summary = observed.purchases.summary(cut, observed.unit, Default::default())?;
            StageRules::learn(&summary.customers()).overdue(gaps).map_err(Failure::usage)?
        }
    };
    let rules = args.loyal_from.map_or(rules, |purchases| rules.loyal_purchases(purchases));
    rules.churned_below(args.churned_below).map_err(Failure::usage)
}

fn at_the_end(
    args: &Args,
    model: Option<&dyn Predict>,
    observed: &Observed,
    since: Option<&[Option<Moment>]>,
) -> Result<(), Failure> {
    let training = observed.training()?;
    let summary = training.summary();
    let who = summary.customers();
    let rules = rules(args, observed, observed.cut)?;
    let p_alive = match model {
        None => None,
        Some(model) => model.predict(&who, &Ask::over(Span::new(0.0, model.unit())?))?.p_alive,
    };
    let stages: Vec<Stage> = (0..who.len())
        .map(|row| match &p_alive {
            None => rules.by_rhythm(&who.history(row)),
            Some(p) => rules.by_p_alive(&who.history(row), p[row]),
        })
        .collect();
    let customers = observed.log.customers();
    // Known by the cut, and not bought by then.
    let known =
        |c: &u32| since.is_none_or(|since| since[*c as usize].is_some_and(|m| observed.cut.is_past(m)));
    let none_yet = |c: &u32| !observed.purchases.when(*c).first().is_some_and(|m| observed.cut.is_past(*m));
    let never = |c: &u32| since.is_some() || observed.purchases.when(*c).is_empty();
    let prospects: Vec<u32> =
        (0..customers.len() as u32).filter(|c| none_yet(c) && never(c) && known(c)).collect();
    if let Some(path) = &args.output {
        let known = summary.customer.iter().map(|c| customers.name(*c)).zip(stages.iter().copied());
        let prospects = prospects.iter().map(|c| (customers.name(*c), Stage::Prospect));
        clv::io::write::stages(known.chain(prospects), path)?;
    }
    let count = |stage: Stage| match stage {
        Stage::Prospect => prospects.len(),
        _ => stages.iter().filter(|s| **s == stage).count(),
    };
    let (gap, unit) = rules.population_gap();
    if args.print.format == Format::Json {
        let counts: Map<String, Value> =
            Stage::ALL.into_iter().map(|s| (s.to_string(), count(s).into())).collect();
        return crate::show::json(&json!({
            "until": observed.cut.last_day().to_string(),
            "unit": unit.to_string(),
            "population_gap": gap,
            "overdue": rules.overdue_gaps(),
            "decided_by": model.map_or("rhythm", |m| m.kind().name),
            "stages": counts,
        }));
    }
    let all = (who.len() + prospects.len()) as f64;
    table(
        &["stage", "customers", "share"],
        Stage::ALL.into_iter().map(|s| {
            vec![s.to_string(), count(s).to_string(), format!("{:.1}%", 100.0 * count(s) as f64 / all)]
        }),
    )?;
    note(format_args!("mean gap between purchases: {} {unit}s", short(gap)));
    Ok(())
}

fn over_time(
    args: &Args,
    observed: &Observed,
    since: Option<&[Option<Moment>]>,
    days: u32,
) -> Result<(), Failure> {
    let last = observed.cut;
    let (first_purchase, _) = observed.log.span().unwrap_or((last.last(), last.last()));
    let span = last.last().days_since(first_purchase);
    let from = args.from.unwrap_or_else(|| last.last().plus_days(-(span / 2.0).min(365.0).floor()));
    let first = Cut::end_of(from, last.grain());
    let step = Span::days(f64::from(days))?;
    let mut dates = vec![first];
    while let Some(next) = dates.last().map(|date| date.plus(step))
        && next.last() <= last.last()
    {
        dates.push(next);
    }
    if dates.len() < 2 {
        return Err(Failure::usage("--every and --from leave fewer than two dates"));
    }
    let rules = rules(args, observed, first)?;
    let mut course = Course::of(&observed.purchases, &rules, &dates)?;
    if let Some(since) = since {
        course = course.known_since(since)?;
    }
    if let Some(path) = &args.output {
        clv::io::write::course(&course, path)?;
    }
    let end = dates.len() - 1;
    let transitions = course.transitions(0, end)?;
    // Dates further apart would miss the way there and back.
    let flip_back = if days <= 7 { course.flip_back_rate(Span::days(14.0)?).ok() } else { None };
    if args.print.format == Format::Json {
        let flows = |from: usize, to: usize| -> Result<Value, Failure> {
            let f = course.flows(from, to)?;
            Ok(json!({
                "acquired": f.acquired, "converted": f.converted, "came_back": f.came_back,
                "became_loyal": f.became_loyal, "churned": f.churned, "won_back": f.won_back,
            }))
        };
        let by_date: Vec<Value> = (0..dates.len())
            .map(|date| {
                let counts = course.counts(date);
                let counts: Map<String, Value> =
                    Stage::ALL.iter().zip(counts).map(|(s, n)| (s.to_string(), n.into())).collect();
                let since = if date == 0 { Value::Null } else { flows(date - 1, date)? };
                Ok(json!({ "date": dates[date].last_day().to_string(), "stages": counts, "flows": since }))
            })
            .collect::<Result<_, Failure>>()?;
        let share = |from: Stage, to: Stage| {
            let count = transitions.count(from, to);
            transitions.share(from, to).map(|s| {
                json!({
                    "from": from.to_string(), "to": to.to_string(), "customers": count,
                    "share": s.estimate, "lower": s.lower, "upper": s.upper,
                })
            })
        };
        let shares: Vec<Value> =
            Stage::ALL.iter().flat_map(|from| Stage::ALL.iter().filter_map(|to| share(*from, *to))).collect();
        let times: Map<String, Value> = Stage::ALL
            .iter()
            .map(|stage| {
                let time = course.time_in(*stage);
                let median = time.median.map(|span| span.in_days());
                (
                    stage.to_string(),
                    json!({ "spells": time.spells, "ended": time.ended, "median_days": median }),
                )
            })
            .collect();
        return crate::show::json(&json!({
            "overdue": rules.overdue_gaps(),
            "new_for_days": rules.fuse().map(|fuse| fuse.in_days()),
            "loyal_from": rules.loyal_from(),
            "transitions": shares,
            "time_in_stage": times,
            "dates": by_date,
            "flip_back_within_two_weeks": flip_back,
        }));
    }
    print("Customers by stage, and what happened since the date before")?;
    table(
        &[
            "date",
            "prospect",
            "new",
            "active",
            "loyal",
            "churned",
            "acquired",
            "of prospects",
            "came back",
            "became loyal",
            "lost",
            "won back",
        ],
        (0..dates.len()).map(|date| {
            let mut row = vec![dates[date].last_day().to_string()];
            row.extend(course.counts(date).map(|n| n.to_string()));
            match date.checked_sub(1).map(|before| course.flows(before, date)) {
                Some(Ok(f)) => {
                    let flows = [f.acquired, f.converted, f.came_back, f.became_loyal, f.churned, f.won_back];
                    row.extend(flows.map(|n| n.to_string()));
                }
                _ => row.extend(vec![String::new(); 6]),
            }
            row
        }),
    )?;
    print(format_args!("\nFrom the first date to the last: share of each stage (95% interval)"))?;
    table(
        &["from", "customers", "new", "active", "loyal", "churned"],
        Stage::ALL.iter().map(|from| {
            let all: usize = Stage::ALL.iter().map(|to| transitions.count(*from, *to)).sum();
            let mut row = vec![from.to_string(), all.to_string()];
            row.extend(Stage::ALL.iter().skip(1).map(|to| match transitions.share(*from, *to) {
                None => String::new(),
                Some(s) => {
                    format!("{:.1}% ({:.1}–{:.1})", 100.0 * s.estimate, 100.0 * s.lower, 100.0 * s.upper)
                }
            }));
            row
        }),
    )?;
    print("\nTime in a stage, of spells that began on the way")?;
    table(
        &["stage", "spells", "ended", "median days"],
        Stage::ALL.iter().map(|stage| {
            let time = course.time_in(*stage);
            let median = time.median.map_or_else(|| "–".to_owned(), |span| short(span.in_days()));
            vec![stage.to_string(), time.spells.to_string(), time.ended.to_string(), median]
        }),
    )?;
    if let Some(rate) = flip_back {
        note(format_args!("{:.2}% leave their stage and are back in it within two weeks", 100.0 * rate));
    }
    Ok(())
}
