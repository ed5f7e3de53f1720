//! From arguments to a log, a cut and histories.

use std::path::Path;

use clv::attributes::Conflict;
use clv::contracts::Contracts;
use clv::events::EventKind;
use clv::identity::Identities;
use clv::io::ReadOptions;
use clv::model::Reads;
use clv::summary::Purchases;
use clv::{
    Cut, Gathered, Gathering, Grain, Ledger, LogBuilder, Moment, Span, TimeUnit, Training, TransactionLog,
};

use crate::args::{Observation, Transactions, end_of_day};
use crate::failure::Failure;
use crate::interrupt;
use crate::progress::Line;
use crate::show::note;

/// Everything that the sources say, read with `known` as the end of what may reach into cleaning.
pub(crate) fn gather(args: &Transactions, known: Option<Moment>) -> Result<Gathered, Failure> {
    let mut cleaning = args.cleaning.cleaning().map_err(Failure::usage)?;
    cleaning.as_of = known.map(end_of_day);
    warn_of_files_given_twice(args);
    let options = args.reading.options().cleaning(cleaning.clone());
    let nets = cleaning.returns == clv::cleaning::Returns::Net;
    let mut gathering = Gathering::new(cleaning, Conflict::FirstStands);
    if let Some(path) = &args.reading.aliases {
        note_aliases(path, &options, gathering.identities())?;
    }
    let line = Line::new("reading");
    let sources = clv::io::read_into(&args.files, &options, &mut gathering)?;
    let gathered = gathering.finish();
    drop(line);
    sources.iter().for_each(note);
    let unnamed =
        |s: &&clv::io::Source| s.columns.as_ref().is_some_and(|c| c.order.is_none() && c.product.is_none());
    if nets && let Some(source) = sources.iter().find(unnamed) {
        note(format_args!(
            "{}: no order and no product column, so returns are matched by time alone; name one with --order or --product",
            source.path.display()
        ));
    }
    tell(gathered.log.ledger());
    let (same, people) = (&gathered.identities, &gathered.attributes);
    if same.conflicts() > 0 {
        note(format_args!(
            "{} names were said to be of two customers: the first statement stands",
            same.conflicts()
        ));
    }
    if people.conflicts() > 0 {
        note(format_args!("{} attributes were stated differently: the first stands", people.conflicts()));
    }
    if gathered.log.is_empty() {
        return Err(Failure::data(format_args!("{}: no row could be used", args.files[0].display())));
    }
    Ok(gathered)
}

/// Reads the log, and tells what was recognised and left out.
pub(crate) fn log(args: &Transactions, known: Option<Moment>) -> Result<TransactionLog, Failure> {
    Ok(gather(args, known)?.log)
}

fn warn_of_files_given_twice(args: &Transactions) {
    let mut seen = std::collections::BTreeSet::new();
    for path in &args.files {
        let real = std::fs::canonicalize(path).unwrap_or_else(|_| path.clone());
        if !seen.insert(real) {
            note(format_args!("warning: {} is given twice, and its rows count twice", path.display()));
        }
    }
}

/// Reads which names are one customer. Its rows are no rows of the log, so they are told of apart.
fn note_aliases(path: &Path, options: &ReadOptions, same: &mut Identities) -> Result<(), Failure> {
    let mut table = LogBuilder::new();
    clv::io::people::aliases(path, options, &mut table)?;
    *same = table.identities().clone();
    note(format_args!(
        "{}: {} aliases, {} contradict an earlier one",
        path.display(),
        same.len(),
        same.conflicts()
    ));
    Ok(())
}

/// Tells what became of the rows, and what was noticed about them.
pub(crate) fn tell(ledger: &Ledger) {
    note(format_args!("{ledger}"));
    for row in &ledger.quoted {
        note(format_args!("  {row}"));
    }
    if !ledger.noticed.is_empty() {
        let facts: Vec<String> = ledger.noticed.iter().map(|(fact, n)| format!("{n} {fact}")).collect();
        note(format_args!("noticed, kept or not: {}", facts.join(", ")));
    }
}

/// That a file can be written, before the work begins.
pub(crate) fn expect_output(path: &Path, inputs: &[&Path]) -> Result<(), Failure> {
    clv::io::write::expect_ending(path)?;
    expect_other(path, inputs)
}

/// That an output is none of the inputs.
pub(crate) fn expect_other(path: &Path, inputs: &[&Path]) -> Result<(), Failure> {
    let real = |path: &Path| std::fs::canonicalize(path).ok();
    if let Some(output) = real(path)
        && inputs.iter().any(|input| {
            real(input).is_some_and(|input| input == output || output.starts_with(&input) && input.is_dir())
        })
    {
        return Err(Failure::usage(format_args!("{}: the output would overwrite an input", path.display())));
    }
    interrupt::writing(path);
    Ok(())
}

/// The cut of `--until`, by default at the last purchase.
pub(crate) fn cut(log: &TransactionLog, args: &Transactions, until: Option<Moment>) -> Result<Cut, Failure> {
    let (_, last) = log.span().unwrap_or((Moment::from_days(0), Moment::from_days(0)));
    if let Some(until) = until
        && until.days_since(last) > 31.0
    {
        note(format_args!(
            "warning: {} is {:.0} days after the last purchase ({}): if the log ends earlier, that silence is not the customers'",
            until.date(),
            until.days_since(last),
            last.date()
        ));
    }
    if let Some(until) = until {
        return end_of_period(until, args.grain());
    }
    tell_gap(log, last);
    let cut = Cut::end_of(last, args.grain());
    let unit = match args.grain() {
        Grain::Week => TimeUnit::Week,
        Grain::Month => TimeUnit::Month,
        Grain::Year => TimeUnit::Year,
        _ => return Ok(cut),
    };
    if last.date() == cut.last_day() {
        return Ok(cut);
    }
    let whole = cut.minus(Span::new(1.0, unit)?);
    note(format_args!(
        "the log ends within a {}, on {}: observed until {}, the end of the last whole one, unless another is named",
        args.grain(),
        last.date(),
        whole.last_day()
    ));
    Ok(whole)
}

/// Warns of a last purchase that comes long after all others: a wrong date moves the end of observation with it.
fn tell_gap(log: &TransactionLog, last: Moment) {
    /// No shop is silent so long before a purchase that is right.
    const LONG: f64 = 92.0;
    let before = log.time().iter().copied().filter(|time| last.days_since(*time) > 1.0).max();
    if let Some(before) = before
        && last.days_since(before) > LONG
    {
        note(format_args!(
            "warning: the log ends on {}, {:.0} days after what comes before ({}): if that date is wrong, --latest leaves it out; --until names the end of observation",
            last.date(),
            last.days_since(before),
            before.date()
        ));
    }
}

/// What is made of contracts.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Histories {
    /// How long they have lasted.
    Tenures,
    /// Renewals that were due, to learn from.
    RenewalsDue,
    /// Renewals, and who goes on.
    Renewals,
}

/// A table of contracts, and what else its rows say.
pub(crate) fn contracts(
    args: &Transactions,
    columns: &crate::args::Contracts,
) -> Result<(Contracts, Gathered), Failure> {
    let [path] = &args.files[..] else {
        return Err(Failure::usage("--contracts takes one file"));
    };
    let named = (columns.start.as_deref(), columns.end.as_deref());
    let mut contracts = Contracts::default();
    let gathered = crate::beyond::one(path, args.cleaning.strict, |to| {
        let (found, columns) = clv::io::people::contracts(path, named, &args.reading.options(), to)?;
        contracts = found;
        Ok(columns)
    })?;
    if contracts.is_empty() {
        return Err(Failure::data(format_args!("{}: no row could be used", path.display())));
    }
    Ok((contracts, gathered))
}

/// Warns of a date that the table may not reach: contracts that ended since are then taken to go on.
pub(crate) fn tell_silence(contracts: &Contracts, until: Moment) {
    if let Some(last) = contracts.last_stated(end_of_day(until))
        && until.days_since(last) > 31.0
    {
        note(format_args!(
            "warning: {} is {:.0} days after the last start or end in the table ({}): if that was made earlier, contracts that have ended since are taken to go on",
            until.date(),
            until.days_since(last),
            last.date()
        ));
    }
}

/// Warns of contracts that end otherwise than the models of them take it.
pub(crate) fn tell_ends(contracts: &Contracts, reads: Reads, cut: Cut, unit: TimeUnit) {
    /// Fewer ends tell nothing.
    const ENOUGH: usize = 10;
    /// The share of ends that may be otherwise.
    const FEW: f64 = 0.1;
    let (ended, at_renewals) = contracts.ended(cut, unit);
    if ended < ENOUGH {
        return;
    }
    // Contracts of a year end at the renewals of months too: the longest tells how they are made.
    let made_of = |unit: TimeUnit| {
        let (ended, at_renewals) = contracts.ended(cut, unit);
        (((ended - at_renewals) as f64) < FEW * ended as f64).then_some((unit, at_renewals))
    };
    let longest = [TimeUnit::Year, TimeUnit::Month, TimeUnit::Week].into_iter().find_map(made_of);
    match (reads, longest) {
        (Reads::Tenures, Some((longest, at_renewals))) => note(format_args!(
            "warning: {at_renewals} of {ended} contracts ended at renewals, one each {longest}: models of tenures take ends as coming at any time; sbg and bdw, fitted with --unit {longest}, are of renewals"
        )),
        (Reads::Renewals, Some((longest, at_renewals))) if longest != unit => note(format_args!(
            "warning: {at_renewals} of {ended} contracts ended at renewals, one each {longest}, and not each {unit}: fit with --unit {longest}"
        )),
        (Reads::Renewals, None) if (ended - at_renewals) as f64 > FEW * ended as f64 => note(format_args!(
            "warning: {} of {ended} contracts ended between two renewals: models of renewals take one that goes on as decided at its last, though it has survived part of the way to the next, and tell too few renewals; exponential-gamma and weibull-gamma take ends as they come",
            ended - at_renewals
        )),
        _ => {}
    }
}

/// A log without purchases, which names the customers.
pub(crate) fn names_of(contracts: &Contracts) -> TransactionLog {
    let mut log = TransactionLog::default();
    contracts.customers().iter().for_each(|name| log.add_prospect(name));
    log
}

/// The end of a day that the user names: of purchases by the week from Monday, the calendar month or year the last of one, as what is broken off is none to be counted.
pub(crate) fn end_of_period(day: Moment, grain: Grain) -> Result<Cut, Failure> {
    let cut = Cut::end_of(day, grain);
    if day.date() == cut.last_day() {
        return Ok(cut);
    }
    match grain {
        Grain::Week | Grain::Month | Grain::Year => Err(Failure::usage(format_args!(
            "{} does not end a {grain}: with --grain {grain} name {} or the end of the {grain} before{}",
            day.date(),
            cut.last_day(),
            if grain == Grain::Week { " (a week ends on Sunday)" } else { "" }
        ))),
        Grain::Exact | Grain::Hour | Grain::Day => Ok(cut),
    }
}

/// A log as of a cut, ready to be fitted or scored.
pub(crate) struct Observed {
    pub log: TransactionLog,
    pub purchases: Purchases,
    pub cut: Cut,
    pub unit: TimeUnit,
    /// Histories of contracts, instead of purchases.
    contracts: Option<clv::Summary>,
}

impl Observed {
    pub(crate) fn read(args: &Transactions, observation: &Observation) -> Result<Self, Failure> {
        Self::of(log(args, observation.until)?, args, observation)
    }

    /// With all else that the sources say.
    pub(crate) fn gathered(
        args: &Transactions,
        observation: &Observation,
    ) -> Result<(Self, Gathered), Failure> {
        let mut gathered = gather(args, observation.until)?;
        let log = std::mem::take(&mut gathered.log);
        Ok((Self::of(log, args, observation)?, gathered))
    }

    /// Contracts. A log without purchases names their customers.
    pub(crate) fn contracts(
        args: &Transactions,
        observation: &Observation,
        columns: &crate::args::Contracts,
        histories: Histories,
    ) -> Result<(Self, Gathered), Failure> {
        let (contracts, gathered) = contracts(args, columns)?;
        // No date of the table tells it: ends may be known long before, and contracts that go on say nothing.
        let until = observation.until.ok_or_else(|| {
            Failure::usage(
                "--contracts needs --until, the last day of which it is known that contracts went on",
            )
        })?;
        let cut = Cut::end_of(until, clv::Grain::Day);
        let unit = observation.unit.unwrap_or(TimeUnit::Month);
        let log = names_of(&contracts);
        let reads = if matches!(histories, Histories::Tenures) { Reads::Tenures } else { Reads::Renewals };
        tell_silence(&contracts, until);
        tell_ends(&contracts, reads, cut, unit);
        let summary = match histories {
            Histories::Tenures => contracts.tenures(cut, unit),
            Histories::RenewalsDue => contracts.renewals_due(cut, unit),
            Histories::Renewals => contracts.renewals(cut, unit),
        }?;
        let purchases = Purchases::of(&log, clv::Grain::Day)?;
        Ok((Self { log, purchases, cut, unit, contracts: Some(summary) }, gathered))
    }

    /// The same with a table of who was known since when; its customers are prospects until they buy.
    pub(crate) fn with_prospects(
        args: &Transactions,
        observation: &Observation,
        known: &Path,
    ) -> Result<(Self, Vec<Option<Moment>>), Failure> {
        let options = args.reading.options();
        let table = crate::beyond::one(known, args.cleaning.strict, |to| {
            clv::io::people::events(known, Some(EventKind::Other), &options, to)
        })?;
        let mut gathered = gather(args, observation.until)?;
        note(format_args!(
            "{}: {} customers known since a date",
            known.display(),
            table.events.customers().len()
        ));
        let mut log = gathered.log;
        let same = &gathered.identities;
        table.events.customers().iter().for_each(|name| log.add_prospect(same.resolve(name)));
        let mut since = vec![None; log.customers().len()];
        for event in table.events.iter().chain(gathered.events.iter()) {
            if let Some(customer) = log.customers().find(same.resolve(event.customer)) {
                let first: &mut Option<Moment> = &mut since[customer as usize];
                *first = Some(first.map_or(event.time, |known| known.min(event.time)));
            }
        }
        gathered.log = TransactionLog::default();
        Ok((Self::of(log, args, observation)?, since))
    }

    fn of(log: TransactionLog, args: &Transactions, observation: &Observation) -> Result<Self, Failure> {
        let cut = cut(&log, args, observation.until)?;
        let line = Line::new("merging");
        let purchases = Purchases::of(&log, args.grain())?;
        drop(line);
        Ok(Self { log, purchases, cut, unit: observation.unit.unwrap_or_default(), contracts: None })
    }

    pub(crate) fn training(&self) -> Result<Training<'_>, Failure> {
        let training = match &self.contracts {
            None => Training::new(&self.purchases, self.cut, self.unit)?,
            Some(contracts) => Training::from_summary(contracts.clone()),
        };
        let summary = training.summary();
        note(format_args!("{} customers as of {}", summary.len(), self.cut.last_day()));
        if summary.first_seen_later > 0 {
            note(format_args!("{} customers first seen later are left out", summary.first_seen_later));
        }
        Ok(training)
    }
}
