//! What the user knows beyond the purchases: tables of customers, events and products.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clv::attributes::{Attributes, Conflict};
use clv::events::{EventKind, EventLog};
use clv::features::Beyond;
use clv::io::{CustomerKey, people};
use clv::{Cleaning, Feature, Gathered, Gathering, Moment, Reason, Span, TransactionLog};

use crate::args::{Transactions, date};
use crate::failure::Failure;
use crate::show::note;

/// Tables that tell of more than purchases.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Beyond the purchases")]
pub(crate) struct Tables {
    /// A table of customers, each further column an attribute that was known all along. May be repeated.
    #[arg(long, value_name = "FILE")]
    people: Vec<PathBuf>,
    /// A table of what customers did without buying: customer, date, kind (viewed, searched, ...) and, if known,
    /// subject and value. May be repeated.
    #[arg(long, value_name = "FILE")]
    events: Vec<PathBuf>,
    /// A table of products, each further column an attribute. May be repeated.
    #[arg(long, value_name = "FILE")]
    catalogue: Vec<PathBuf>,
    /// A holiday; what is bought within the two weeks before counts as bought for it. May be repeated.
    #[arg(long, value_name = "DATE", value_parser = date)]
    holiday: Vec<Moment>,
}

/// What was read.
pub(crate) struct Known {
    attributes: Attributes,
    events: EventLog,
    catalogue: Attributes,
    holidays: Vec<Moment>,
}

impl Tables {
    /// The files that are read.
    pub(crate) fn inputs(&self) -> impl Iterator<Item = &Path> {
        self.people.iter().chain(&self.events).chain(&self.catalogue).map(PathBuf::as_path)
    }

    /// Reads the tables, which come before what the log's own sources said of customers and events.
    pub(crate) fn read(
        &self,
        transactions: &Transactions,
        said: &mut Gathered,
        log: &TransactionLog,
    ) -> Result<Known, Failure> {
        let strict = transactions.cleaning.strict;
        let options = transactions.reading.options();
        let same = &said.identities;
        let mut attributes = Attributes::new(Conflict::FirstStands);
        let mut events = EventLog::default();
        let mut told = said.attributes.conflicts();
        for path in &self.people {
            let mut found = one(path, strict, |to| people::attributes(path, &options, to))?.attributes;
            found.settle(same);
            tell_conflicts(path.display(), found.conflicts(), found.first_conflict());
            told += found.conflicts();
            tell_known(path.display(), found.customers(), log);
            attributes.absorb(&found);
        }
        for path in &self.events {
            let mut found = one(path, strict, |to| people::events(path, None, &options, to))?.events;
            found.settle(same);
            tell_kinds(path, &found);
            if !found.is_empty() {
                tell_known(path.display(), found.customers(), log);
            }
            found.iter().for_each(|event| events.push(event));
        }
        std::mem::take(&mut said.events).iter().for_each(|event| events.push(event));
        attributes.absorb(&std::mem::take(&mut said.attributes));
        let attributes = attributes.typed();
        tell_conflicts("tables beside each other", attributes.conflicts() - told, None);
        tell_attributes("customers", &attributes);
        // Products are named as they are, whatever names a customer.
        let options = options.customer_key(CustomerKey::AsIs);
        let mut catalogue = Attributes::new(Conflict::FirstStands);
        for path in &self.catalogue {
            let found = one(path, strict, |to| people::catalogue(path, &options, to))?.attributes;
            let bought = log.products().len();
            tell_conflicts(path.display(), found.conflicts(), found.first_conflict());
            let known = log.products().iter().filter(|name| found.customers().find(name).is_some()).count();
            let warning = if known == 0 { "warning: " } else { "" };
            note(format_args!(
                "{warning}{}: it knows {known} of the {bought} products in the log",
                path.display()
            ));
            catalogue.absorb(&found);
        }
        let catalogue = catalogue.typed();
        tell_attributes("products", &catalogue);
        Ok(Known { attributes, events, catalogue, holidays: self.holiday.clone() })
    }
}

/// One table; tells what became of its rows.
pub(crate) fn one(
    path: &Path,
    strict: bool,
    read: impl FnOnce(&mut Gathering) -> clv::io::Result<people::TableColumns>,
) -> Result<Gathered, Failure> {
    let mut table = Gathering::new(Cleaning { strict, ..Cleaning::default() }, Conflict::FirstStands);
    let columns = read(&mut table)?;
    let table = table.finish();
    let ledger = table.log.ledger();
    let used = ledger.dropped_for(Reason::NotAPurchase);
    let mut fate = format!("{}: {columns}: {} rows read, {used} used", path.display(), ledger.read);
    for (reason, count) in ledger.dropped.iter().filter(|(reason, _)| **reason != Reason::NotAPurchase) {
        fate += &format!(", {count} left out: {reason}");
    }
    note(&fate);
    let refused = ledger.quoted.iter().filter(|row| row.reason != Reason::NotAPurchase);
    refused.for_each(|row| note(format_args!("  {row}")));
    Ok(table)
}

fn tell_kinds(path: &Path, events: &EventLog) {
    let kinds: Vec<String> = EventKind::ALL
        .into_iter()
        .filter(|kind| events.count(*kind) > 0)
        .map(|kind| format!("{} {kind}", events.count(kind)))
        .collect();
    if kinds.is_empty() {
        note(format_args!("warning: {}: no event", path.display()));
        return;
    }
    let (first, last) = events.iter().fold((i64::MAX, i64::MIN), |(first, last), event| {
        (first.min(event.time.micros()), last.max(event.time.micros()))
    });
    let day = |micros| Moment::from_micros(micros).date();
    note(format_args!("{}: {}, from {} to {}", path.display(), kinds.join(", "), day(first), day(last)));
    if events.count(EventKind::Other) > 0 {
        let known: Vec<String> = EventKind::ALL.iter().map(EventKind::to_string).collect();
        note(format_args!(
            "warning: {}: kinds other than these are all one: {}",
            path.display(),
            known.join(", ")
        ));
    }
}

/// How many of the log's customers a table knows, and how many others.
pub(crate) fn tell_known(of: impl std::fmt::Display, customers: &clv::Names, log: &TransactionLog) {
    let known = customers.iter().filter(|name| log.customers().find(name).is_some()).count();
    let warning = if known == 0 { "warning: " } else { "" };
    note(format_args!(
        "{warning}{of}: it knows {known} of the {} customers in the log, and {} others",
        log.customers().len(),
        customers.len() - known
    ));
}

pub(crate) fn tell_conflicts(of: impl std::fmt::Display, conflicts: u64, first: Option<(&str, &str)>) {
    if conflicts > 0 {
        let first = first
            .map_or(String::new(), |(whose, what)| format!(" ({what} of {whose:?} is the first of them)"));
        note(format_args!(
            "{of}: values stated differently, of which the first stand: {conflicts}{first}; a table says one of each"
        ));
    }
}

/// The column that amounts make.
pub(crate) const AMOUNTS: &str = "monetary_value";

/// With the customer instead of a row.
pub(crate) fn of_customer(error: clv::Error, training: &clv::Training<'_>, log: &TransactionLog) -> Failure {
    match by_name(&error, training, log) {
        Some(words) => Failure::data(words),
        None => Failure::from(error),
    }
}

/// The same in words, where there are better ones than the error's own.
pub(crate) fn by_name(
    error: &clv::Error,
    training: &clv::Training<'_>,
    log: &TransactionLog,
) -> Option<String> {
    let name = |row: usize| training.summary().customer.get(row).map_or("", |&c| log.customers().name(c));
    Some(match error {
        clv::Error::Cell { row, column, given, allowed } => {
            let given = if given.is_nan() { "not known".to_owned() } else { given.to_string() };
            format!("customer {:?}: {column} is {given}; allowed: {allowed}", name(*row))
        }
        clv::Error::History { row, field, given, allowed } => {
            format!("customer {:?}: {field} is {given}; allowed: {allowed}", name(*row))
        }
        clv::Error::MissingColumn { model, column } if column == AMOUNTS => {
            format!("{model} needs amounts, and the log has none (--amount names their column)")
        }
        _ => return None,
    })
}

/// Of a column that is not there, which there are.
pub(crate) fn missing_column(error: &clv::Error, columns: &[String], changing: &[String]) -> Option<String> {
    let clv::Error::MissingColumn { column, .. } = error else { return None };
    if column == AMOUNTS {
        return None;
    }
    // Of words the attribute, once.
    let attribute = |c: &'_ String| c.split_once('=').map_or(c.as_str(), |(name, _)| name).to_owned();
    let own: BTreeSet<String> = columns.iter().filter(|c| c.starts_with("own_")).map(attribute).collect();
    let own: Vec<String> = own.into_iter().collect();
    let mut there_are = Vec::new();
    if !changing.is_empty() {
        there_are.push(format!("columns of --over-time are {}", changing.join(", ")));
    }
    there_are.push(if own.is_empty() {
        "of customers nothing is known for good: give a table with --people".to_owned()
    } else {
        format!("columns of --people are {}", own.join(", "))
    });
    Some(format!("no column {column:?}; {}", there_are.join("; ")))
}

/// A training that knows what the tables tell, if there are any.
pub(crate) fn knowing<'a>(training: clv::Training<'a>, beyond: Option<&'a Beyond<'a>>) -> clv::Training<'a> {
    match beyond {
        Some(source) => training.knowing(source),
        None => training,
    }
}

/// The columns that a model needs; what is missing is a table that was not given again.
pub(crate) fn features(
    model: &dyn clv::Predict,
    training: &clv::Training<'_>,
    beyond: Option<&Beyond<'_>>,
) -> Result<clv::FeatureMatrix, Failure> {
    training.features(model.needs()).map_err(|error| match beyond {
        Some(_) if matches!(error, clv::Error::MissingColumn { .. }) => Failure::data(format_args!(
            "{error}; the model was made with more than the log: give the whole tables again that it was made with (--people, --events, --catalogue, --holiday)"
        )),
        _ => Failure::from(error),
    })
}

/// Words among numbers.
fn tell_attributes(whose: &str, attributes: &Attributes) {
    for attribute in attributes.columns() {
        if let Some((count, word)) = attribute.words_among_numbers() {
            note(format_args!(
                "warning: attribute {:?} of {whose} is read as words: {count} of its values are no numbers, such as {word:?}; leave them empty if they are not known",
                attribute.name()
            ));
        }
    }
}

impl Known {
    /// Tells of words that a model which asks for words does not know: they count as none of those that it does.
    pub(crate) fn tell_unknown_words(&self, needs: &[Feature]) {
        let asked: BTreeSet<String> = needs.iter().map(Feature::name).collect();
        for (prefix, table) in [("own_", &self.attributes), ("bought_", &self.catalogue)] {
            for attribute in table.columns() {
                let of = format!("{prefix}{}=", attribute.name());
                if !asked.range(of.clone()..).next().is_some_and(|name| name.starts_with(&of)) {
                    continue;
                }
                let unknown = attribute.words().iter().filter(|word| !asked.contains(&format!("{of}{word}")));
                let unknown: Vec<&str> = unknown.collect();
                if let Some(some) = unknown.get(..unknown.len().min(5)).filter(|some| !some.is_empty()) {
                    note(format_args!(
                        "warning: attribute {:?}: {} of its words are not known to the model, such as {}",
                        attribute.name(),
                        unknown.len(),
                        some.join(", ")
                    ));
                }
            }
        }
    }

    /// All of it, with what the log's rows tell of products if asked for; nothing if there is nothing.
    pub(crate) fn of<'a>(
        &'a self,
        log: &'a TransactionLog,
        products: bool,
    ) -> Result<Option<Beyond<'a>>, Failure> {
        let Self { attributes, events, catalogue, holidays } = self;
        let none = holidays.is_empty() && catalogue.columns().is_empty() && events.is_empty();
        if none && !products && attributes.columns().is_empty() {
            return Ok(None);
        }
        let mut beyond = Beyond::of(log);
        if products {
            beyond = beyond.products();
        }
        if !holidays.is_empty() {
            beyond = beyond.holidays(holidays, Span::weeks(2.0)?);
        }
        if !catalogue.columns().is_empty() {
            beyond = beyond.catalogue(catalogue);
        }
        if !events.is_empty() {
            beyond = beyond.within(&[Span::weeks(4.0)?]).events(events);
        }
        if !attributes.columns().is_empty() {
            beyond = beyond.attributes(attributes);
        }
        Ok(Some(beyond))
    }

    /// Whether a model asks for more than purchases tell.
    pub(crate) fn is_needed(needs: &[Feature]) -> bool {
        needs.iter().any(Feature::is_beyond_purchases)
    }
}
