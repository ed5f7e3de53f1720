//! What the user knows beyond the purchases: tables of customers, events and products.

use std::path::{Path, PathBuf};

use clv::attributes::{Attributes, Conflict};
use clv::events::{EventKind, EventLog};
use clv::features::Beyond;
use clv::identity::Identities;
use clv::io::{ReadOptions, people};
use clv::{Feature, Gathered, Gathering, Moment, Span, TransactionLog};

use crate::args::{Reading, date};
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
    /// A table of products, each further column an attribute.
    #[arg(long, value_name = "FILE")]
    catalogue: Option<PathBuf>,
    /// A holiday; what is bought within the two weeks before counts as bought for it. May be repeated.
    #[arg(long, value_name = "DATE", value_parser = date)]
    holiday: Vec<Moment>,
}

/// What was read.
pub(crate) struct Known {
    attributes: Attributes,
    events: EventLog,
    catalogue: Option<Attributes>,
    holidays: Vec<Moment>,
}

impl Tables {
    /// The files that are read.
    pub(crate) fn inputs(&self) -> impl Iterator<Item = &Path> {
        self.people.iter().chain(&self.events).chain(&self.catalogue).map(PathBuf::as_path)
    }

    /// Reads the tables, after what the log's own sources said of customers and events.
    pub(crate) fn read(
        &self,
        reading: &Reading,
        said: &mut Gathered,
        log: &TransactionLog,
    ) -> Result<Known, Failure> {
        // Their columns are their own: only how names are written is as in the log.
        let options = ReadOptions::new().customer_key(reading.customer_key());
        let mut tables = Gathering::new(Default::default(), Conflict::FirstStands);
        for path in &self.people {
            people::attributes(path, &options, &mut tables)?;
        }
        for path in &self.events {
            people::events(path, None, &options, &mut tables)?;
        }
        let mut tables = tables.finish();
        tell(&self.people, &self.events, &tables);
        let same: &Identities = &said.identities;
        tell_known(&tables, log);
        tables.attributes.settle(same);
        tables.events.settle(same);
        let from_log = std::mem::take(&mut said.events);
        let mut events = tables.events;
        from_log.iter().for_each(|event| events.push(event));
        let own = std::mem::take(&mut said.attributes);
        let attributes = if self.people.is_empty() { own } else { tables.attributes };
        let catalogue = match &self.catalogue {
            None => None,
            Some(path) => {
                let mut goods = Gathering::new(Default::default(), Conflict::FirstStands);
                people::catalogue(path, &options, &mut goods)?;
                let goods = goods.finish().attributes;
                note(format_args!("{}: {} products", path.display(), goods.customers().len()));
                Some(goods)
            }
        };
        Ok(Known { attributes, events, catalogue, holidays: self.holiday.clone() })
    }
}

fn tell(people: &[PathBuf], events: &[PathBuf], tables: &Gathered) {
    let refused = tables.log.ledger().quoted.iter().filter(|q| q.reason != clv::Reason::NotAPurchase);
    refused.for_each(|row| note(format_args!("  {row}")));
    if !people.is_empty() {
        let (attributes, customers) =
            (tables.attributes.columns().len(), tables.attributes.customers().len());
        note(format_args!("{attributes} attributes of {customers} customers"));
    }
    if !events.is_empty() {
        let kinds: Vec<String> = EventKind::ALL
            .into_iter()
            .filter(|kind| tables.events.count(*kind) > 0)
            .map(|kind| format!("{} {kind}", tables.events.count(kind)))
            .collect();
        note(format_args!("events: {}", if kinds.is_empty() { "none".into() } else { kinds.join(", ") }));
        if tables.events.count(EventKind::Other) > 0 {
            let known: Vec<String> = EventKind::ALL.iter().map(EventKind::to_string).collect();
            note(format_args!("kinds other than these are all one: {}", known.join(", ")));
        }
    }
}

/// How many of the tables' customers are the log's.
fn tell_known(tables: &Gathered, log: &TransactionLog) {
    for (what, names) in
        [("attributes", tables.attributes.customers()), ("events", tables.events.customers())]
    {
        let known = names.iter().filter(|name| log.customers().find(name).is_some()).count();
        if known < names.len() {
            note(format_args!("{what}: of {} customers {known} are in the log", names.len()));
        }
    }
}

impl Known {
    /// All of it, with what the log's rows tell of products if asked for; nothing if there is nothing.
    pub(crate) fn of<'a>(
        &'a self,
        log: &'a TransactionLog,
        products: bool,
    ) -> Result<Option<Beyond<'a>>, Failure> {
        let Self { attributes, events, catalogue, holidays } = self;
        let none = holidays.is_empty() && catalogue.is_none() && events.is_empty();
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
        if let Some(catalogue) = catalogue {
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
