//! `clv value`.

use std::borrow::Cow;
use std::path::PathBuf;

use clv::cohorts::Period;
use clv::model::{Activity, Drawn, Predict, Reads};
use clv::value::{Economics, Future, GroupValue, LifetimeValue, Past, by_group, discounted_years, equity};
use clv::{Discount, History, Span, TimeUnit};
use serde_json::{Value, json};

use crate::args::{Asking, Format, Observation, Output, Transactions, share};
use crate::between::{Between, of_all, tell_caution};
use crate::beyond::{Known, Tables};
use crate::failure::Failure;
use crate::input::{self, Observed};
use crate::progress::Line;
use crate::show::{note, short, short_or_dash, table};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    asking: Asking,
    #[command(flatten)]
    transactions: Transactions,
    #[command(flatten)]
    beyond: Tables,
    #[command(flatten)]
    observation: Observation,
    /// Share of spend that is earned.
    #[arg(long, default_value_t = 1.0, value_parser = share, allow_negative_numbers = true)]
    margin: f64,
    /// Share of spend that comes back, where returns were not netted.
    #[arg(long, default_value_t = 0.0, value_name = "SHARE", allow_negative_numbers = true)]
    returned: f64,
    /// Cost of serving one purchase.
    #[arg(long, default_value_t = 0.0, value_name = "COST", allow_negative_numbers = true)]
    per_purchase: f64,
    /// Cost of a year of an active customer: in the past from the first purchase to the end of observation, or of payments until the last has run out.
    #[arg(long, default_value_t = 0.0, value_name = "COST", allow_negative_numbers = true)]
    per_year: f64,
    /// Cost of winning a customer.
    #[arg(long, default_value_t = 0.0, value_name = "COST", allow_negative_numbers = true)]
    acquisition: f64,
    /// Costs of winning them, customer by customer: a table with the columns customer and cost.
    #[arg(long, value_name = "FILE", conflicts_with = "acquisition")]
    acquisition_costs: Option<PathBuf>,
    /// Sum up by acquisition month (of --grain week or year by these), or by this column of --customers.
    #[arg(long, default_value = "cohort", value_name = "cohort|COLUMN")]
    by: String,
    /// A table about customers: channel, segment, anything to sum up by (--by).
    #[arg(long, value_name = "FILE")]
    customers: Option<PathBuf>,
    #[command(flatten)]
    between: Between,
    /// Where to write: .csv, .jsonl (each also .gz or .zst) or .parquet.
    #[arg(long)]
    output: PathBuf,
    #[command(flatten)]
    print: Output,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let (model, transactions) = args.asking.model(&args.transactions)?;
    args.asking.expect_unit(&args.observation, &model)?;
    let ask = args.asking.ask(&model)?;
    let (horizon, discount) = (ask.horizon(), ask.discounting());
    let shop = Economics::default()
        .margin(args.margin)
        .and_then(|e| e.returned(args.returned))
        .and_then(|e| e.per_purchase(args.per_purchase))
        .and_then(|e| e.per_year(args.per_year))
        .and_then(|e| e.acquisition(args.acquisition))
        .map_err(Failure::usage)?;
    if !model.answers().value {
        return Err(Failure::usage(
            "the model does not say spend; give a fitted gamma-gamma with --spend, or one --price",
        ));
    }
    let inputs: Vec<_> =
        args.asking.inputs(&args.transactions).into_iter().chain(args.beyond.inputs()).collect();
    input::expect_output(&args.output, &inputs)?;
    if args.returned > 0.0 && args.transactions.cleaning.returns == crate::args::ReturnsArg::Net {
        return Err(Failure::usage(
            "--returned with --returns net would take returns off twice; leave one out",
        ));
    }
    if args.between.interval.is_some() && (args.per_purchase != 0.0 || args.per_year != 0.0) {
        return Err(Failure::usage(
            "--interval is of money that comes in: give it without --per-purchase and --per-year, which are not drawn",
        ));
    }
    if args.customers.is_some() && args.by == "cohort" {
        return Err(Failure::usage("--customers is a table to sum up by: name its column with --by"));
    }
    let costs = args.acquisition_costs.as_ref().map(|path| attribute_table(path, args)).transpose()?;
    if let (Some(costs), Some(path)) = (&costs, &args.acquisition_costs)
        && costs.attribute("cost").is_none()
    {
        let found: Vec<&str> = costs.columns().iter().map(|c| c.name()).collect();
        let found = found.join(", ");
        return Err(Failure::usage(format_args!(
            "{}: no column \"cost\" (beside the customer it has: {found})",
            path.display()
        )));
    }
    let table_of = args.customers.as_ref().map(|path| attribute_table(path, args)).transpose()?;
    let (mut observed, mut gathered) = Observed::gathered(&transactions, &args.observation)?;
    observed.unit = model.unit();
    let known = args.beyond.read(&args.transactions, &mut gathered, &observed.log)?;
    known.tell_unknown_words(model.needs());
    let beyond = if Known::is_needed(model.needs()) { known.of(&observed.log, true)? } else { None };
    let training = crate::beyond::knowing(observed.training()?, beyond.as_ref());
    let summary = training.summary();
    let spent = summary.spend.as_ref();
    if spent.is_none() && args.asking.price.is_none() {
        return Err(Failure::data(
            "the log has no amounts: there is no value, unless --amount names their column or --price is what each purchase brings",
        ));
    }
    let features = crate::beyond::features(&model, &training, beyond.as_ref())?;
    let mut who = summary.customers();
    if features.rows() > 0 {
        who = who.with_features(&features)?;
    }
    let of_customer = |error| crate::beyond::of_customer(error, &training, &observed.log);
    if args.per_year > 0.0
        && model.activity().is_none()
        && (who.is_empty() || model.own(&who, 0).map_err(of_customer)?.is_none())
    {
        if model.answers().p_alive {
            return Err(Failure::usage(format_args!(
                "--per-year needs to know when customers leave, which {} does not say of a time to come: take another model, or leave it out",
                model.kind().full_name()
            )));
        }
        note("this model does not say who leaves: --per-year is of all customers, over the whole horizon");
    }
    for (path, table) in args.acquisition_costs.iter().zip(&costs).chain(args.customers.iter().zip(&table_of))
    {
        crate::beyond::tell_known(path.display(), table.customers(), &observed.log);
    }
    let line = Line::new("valuing");
    let forecast = model.predict(&who, &ask).map_err(of_customer)?;
    let without_cost = std::cell::Cell::new(0_usize);
    let value_of = |row: usize| -> Result<LifetimeValue, Failure> {
        let history = who.history(row);
        let bought = f64::from(history.frequency) + 1.0;
        let past = Past {
            spent: spent.map_or(args.asking.price.unwrap_or_default() * bought, |spent| spent.total[row]),
            purchases: bought,
            years: lasted(model.reads(), &history) / observed.unit.per_year(),
        };
        let years = if args.per_year > 0.0 {
            let own = model.own(&who, row).map_err(of_customer)?;
            let activity = own.as_deref().unwrap_or(&model).activity().unwrap_or(&Stays);
            discounted_years(activity, &history, discount, horizon, observed.unit)?
        } else {
            0.0
        };
        let purchases = forecast.discounted_purchases.as_ref().map_or(0.0, |d| d[row]);
        let value = forecast.value.as_ref().and_then(|v| v[row]);
        let future = Future {
            discounted_purchases: purchases,
            // A learner says value and no spend: then it is one purchase of that value.
            spend: match (forecast.spend.as_ref().and_then(|s| s[row]), value) {
                (Some(spend), _) => Some(spend),
                (None, Some(value)) if purchases > 0.0 => Some(value / purchases),
                (None, Some(_)) => Some(0.0),
                (None, None) => None,
            },
            discounted_years: years,
        };
        let mut shop = shop;
        if let Some(costs) = &costs {
            let name = observed.log.customers().name(summary.customer[row]);
            let known = costs.customers().find(name);
            let cost = known.and_then(|c| costs.attribute("cost").and_then(|a| a.text(c as usize)));
            if cost.is_none() {
                without_cost.set(without_cost.get() + 1);
            }
            let cost = cost.map_or(Ok(0.0), |text| {
                text.parse::<f64>()
                    .map_err(|_| Failure::data(format_args!("customer {name:?}: cost {text:?} is no number")))
            })?;
            shop = shop
                .acquisition(cost)
                .map_err(|error| Failure::data(format_args!("customer {name:?}: {error}")))?;
        }
        Ok(shop.value(&past, &future))
    };
    let values: Vec<LifetimeValue> = (0..summary.len()).map(value_of).collect::<Result<_, _>>()?;
    drop(line);
    // What is earned of what is spent, as the values have it.
    let earned = ask.margin(args.margin * (1.0 - args.returned)).map_err(Failure::usage)?;
    let intervals = args.between.draw(&args.asking, &model, &who, &earned, (&observed, &summary.customer))?;
    if without_cost.get() > 0 {
        note(format_args!("{} customers have no cost in the table: taken as 0", without_cost.get()));
    }
    let customers = observed.log.customers();
    clv::io::write::values(summary, customers, &values, &args.output)?;
    let groups = match (args.by.as_str(), &table_of) {
        ("cohort", _) => {
            // First purchases are known by their grain.
            let period = Period::of_grain(transactions.grain());
            by_group(&values, |row| period.name(period.index(summary.first[row])).into())
        }
        (column, None) => {
            return Err(Failure::usage(format_args!(
                "--by {column} needs a table with that column: --customers FILE"
            )));
        }
        (column, Some(people)) => {
            let Some(attribute) = people.attribute(column) else {
                let found: Vec<&str> = people.columns().iter().map(|c| c.name()).collect();
                return Err(Failure::usage(format_args!(
                    "--by {column}: --customers has {}",
                    found.join(", ")
                )));
            };
            by_group(&values, |row| {
                let known = people.customers().find(customers.name(summary.customer[row]));
                known.and_then(|c| attribute.text(c as usize)).map_or(Cow::Borrowed("(unknown)"), Cow::Owned)
            })
        }
    };
    let all = equity(&values);
    // Customers without a cost in the table say nothing of what winning one costs.
    let cost = all.acquisition / (all.customers - without_cost.get()).max(1) as f64;
    let payback =
        if cost > 0.0 { payback(&model, shop.acquisition(cost)?, (horizon, args.per_year))? } else { None };
    if cost > 0.0 && payback.is_none() {
        note(format_args!(
            "{} says nothing of {}: when one pays back what winning them costs is not told",
            model.kind().full_name(),
            if model.purchases().is_none() { "new customers" } else { "what new customers spend" }
        ));
    }
    tell_caution(&model);
    let drawn = intervals.as_ref().and_then(|drawn| drawn.total_value.as_ref());
    tell(args, &groups, &all, (payback, drawn))
}

/// How long somebody has been a customer: of payments, which tell who has left, until the last of them has run out; of purchases nobody sees when.
fn lasted(reads: Reads, history: &History) -> f64 {
    if reads.contracts() { history.age.min(history.recency + 1.0) } else { history.age }
}

/// As if nobody left.
#[derive(Debug)]
struct Stays;

impl Activity for Stays {
    fn p_alive(&self, _: &History, _: f64) -> clv::Result<f64> {
        Ok(1.0)
    }
}

/// When a new customer won at this cost has paid for it: `Some(None)` if not within the horizon,
/// `None` if the model says nothing of new customers.
fn payback(
    model: &dyn Predict,
    shop: Economics,
    (horizon, per_year): (Span, f64),
) -> Result<Option<Option<Span>>, Failure> {
    let (Some(purchases), Some(spend)) = (model.purchases(), model.spend()) else { return Ok(None) };
    let Some(spend) = spend.expected_spend(&History::new(0, 0.0, 0.0)?)? else { return Ok(None) };
    let (unit, new, undiscounted) = (model.unit(), History::new(0, 0.0, 0.0)?, Discount::yearly(0.0)?);
    let active_years = |t: f64| match model.activity() {
        _ if per_year == 0.0 => Ok(0.0),
        Some(activity) => discounted_years(activity, &new, undiscounted, Span::new(t, unit)?, unit),
        None => Ok(t / unit.per_year()),
    };
    Ok(Some(shop.payback(spend, horizon, unit, |t| purchases.expected_of_new(t), active_years)?))
}

fn attribute_table(path: &std::path::Path, args: &Args) -> Result<clv::attributes::Attributes, Failure> {
    // Its columns are its own: only what names a customer is as in the log.
    let options = args.transactions.reading.options();
    let strict = args.transactions.cleaning.strict;
    let read = |to: &mut clv::Gathering| clv::io::people::attributes(path, &options, to);
    let found = crate::beyond::one(path, strict, read)?.attributes;
    crate::beyond::tell_conflicts(path.display(), found.conflicts(), found.first_conflict());
    Ok(found)
}

fn tell(
    args: &Args,
    groups: &[GroupValue],
    all: &GroupValue,
    (payback, drawn): (Option<Option<Span>>, Option<&Drawn>),
) -> Result<(), Failure> {
    let level = args.between.interval.unwrap_or_default();
    let ends = drawn.map(|drawn| drawn.interval(level)).transpose()?;
    if args.print.format == Format::Json {
        let group = |g: &GroupValue| -> Value {
            json!({
                "label": g.label,
                "customers": g.customers,
                "historic": g.historic,
                "future": g.future,
                "total": g.total(),
                "acquisition": g.acquisition,
                "net_per_customer": g.net_per_customer(),
                "return_on_acquisition": g.return_on_acquisition(),
                "undefined": g.undefined,
            })
        };
        return crate::show::json(&json!({
            "equity": group(all),
            "groups": groups.iter().map(group).collect::<Vec<_>>(),
            "payback_of_a_new_customer_days": payback.flatten().map(|span| span.in_units(TimeUnit::Day)),
            "interval": ends.map(|(low, high)| json!({
                "level": level,
                "draws": args.between.draws,
                "future": [low, high],
                "future_mean": drawn.map(Drawn::mean),
                "total": [all.historic + low, all.historic + high],
            })),
            "output": args.output.display().to_string(),
        }));
    }
    let row = |g: &GroupValue| {
        vec![
            g.label.clone(),
            g.customers.to_string(),
            short(g.historic),
            short(g.future),
            short(g.total()),
            short(g.acquisition),
            short(g.net_per_customer()),
            short_or_dash(g.return_on_acquisition()),
        ]
    };
    table(
        &[
            args.by.as_str(),
            "customers",
            "historic",
            "future",
            "total",
            "acquisition",
            "net each",
            "total/acquisition",
        ],
        groups.iter().chain([all]).map(row),
    )?;
    if let (Some(drawn), Some((low, high))) = (drawn, ends) {
        let more = all.historic;
        let rows = [
            ("future", [drawn.mean(), low, high]),
            ("total", [more + drawn.mean(), more + low, more + high]),
        ];
        of_all(level, rows)?;
    }
    match payback {
        None => {}
        Some(Some(span)) => {
            note(format_args!("a new customer pays back what winning them costs after {span}"))
        }
        Some(None) => note("a new customer does not pay back within the horizon what winning them costs"),
    }
    if all.undefined > 0 {
        note(format_args!(
            "warning: {} customers have an undefined future, which is not in the sums{}",
            all.undefined,
            if drawn.is_some() { ", and in what is drawn it is" } else { "" }
        ));
    }
    Ok(())
}
