//! From arguments to a log, a cut and histories.

use std::path::Path;

use clv::identity::Identities;
use clv::io::ReadOptions;
use clv::summary::Purchases;
use clv::{Cut, Ledger, LogBuilder, Moment, TimeUnit, Training, TransactionLog};

use crate::args::{Observation, Transactions};
use crate::failure::Failure;
use crate::interrupt;
use crate::progress::Line;
use crate::show::note;

/// Reads the log, and tells what was recognised and left out.
pub(crate) fn log(args: &Transactions) -> Result<TransactionLog, Failure> {
    let cleaning = args.cleaning.cleaning().map_err(Failure::usage)?;
    let line = Line::new("reading");
    let options = args.reading.options().cleaning(cleaning.clone());
    let mut builder = LogBuilder::with(cleaning);
    if let Some(path) = &args.reading.aliases {
        note_aliases(path, &options, builder.identities())?;
    }
    let sources = clv::io::read_into(&args.files, &options, &mut builder)?;
    drop(line);
    sources.iter().for_each(note);
    let log = builder.finish();
    tell(log.ledger());
    if log.is_empty() {
        return Err(Failure::data(format_args!("{}: no row could be used", args.files[0].display())));
    }
    Ok(log)
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
pub(crate) fn expect_output(path: &Path) -> Result<(), Failure> {
    clv::io::write::expect_ending(path)?;
    interrupt::writing(path);
    Ok(())
}

/// The cut of `--until`, by default at the last purchase.
pub(crate) fn cut(log: &TransactionLog, args: &Transactions, until: Option<Moment>) -> Cut {
    let last = || log.span().map_or(Moment::from_days(0), |(_, last)| last);
    Cut::end_of(until.unwrap_or_else(last), args.grain)
}

/// A log as of a cut, ready to be fitted or scored.
pub(crate) struct Observed {
    pub log: TransactionLog,
    pub purchases: Purchases,
    pub cut: Cut,
    pub unit: TimeUnit,
}

impl Observed {
    pub(crate) fn read(args: &Transactions, observation: &Observation) -> Result<Self, Failure> {
        Self::of(log(args)?, args, observation)
    }

    /// The same with a table of who was known since when; its customers are prospects until they buy.
    pub(crate) fn with_prospects(
        args: &Transactions,
        observation: &Observation,
        known: &Path,
    ) -> Result<(Self, Vec<Option<Moment>>), Failure> {
        let cleaning = args.cleaning.cleaning().map_err(Failure::usage)?;
        let options = args.reading.options().cleaning(cleaning.clone());
        let mut gathering = clv::Gathering::new(cleaning, clv::attributes::Conflict::FirstStands);
        for source in clv::io::read_into(&args.files, &options, &mut gathering)? {
            note(source);
        }
        let kind = Some(clv::events::EventKind::Other);
        clv::io::people::events(known, kind, &options, &mut gathering)?;
        let gathered = gathering.finish();
        tell(gathered.log.ledger());
        let mut since = vec![None; gathered.log.customers().len()];
        for event in gathered.events.iter() {
            if let Some(customer) = gathered.log.customers().find(event.customer) {
                let first: &mut Option<Moment> = &mut since[customer as usize];
                *first = Some(first.map_or(event.time, |known| known.min(event.time)));
            }
        }
        Ok((Self::of(gathered.log, args, observation)?, since))
    }

    fn of(log: TransactionLog, args: &Transactions, observation: &Observation) -> Result<Self, Failure> {
        let cut = cut(&log, args, observation.until);
        let line = Line::new("merging");
        let purchases = Purchases::of(&log, args.grain)?;
        drop(line);
        Ok(Self { log, purchases, cut, unit: observation.unit.unwrap_or_default() })
    }

    pub(crate) fn training(&self) -> Result<Training<'_>, Failure> {
        let training = Training::new(&self.purchases, self.cut, self.unit)?;
        let summary = training.summary();
        note(format_args!("{} customers as of {}", summary.len(), self.cut.last_day()));
        if summary.first_seen_later > 0 {
            note(format_args!("{} customers first seen later are left out", summary.first_seen_later));
        }
        Ok(training)
    }
}
