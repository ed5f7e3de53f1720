//! Where readers put what they read.

use crate::attributes::{Attributes, Conflict};
use crate::builder::LogBuilder;
use crate::cleaning::Cleaning;
use crate::error::Result;
use crate::events::{Event, EventLog};
use crate::identity::Identities;
use crate::ledger::{Notice, Reason};
use crate::log::{Transaction, TransactionLog};
use crate::scale::Columns;

/// Takes in what readers read, row by row: a log, a summary at scale, a whole shop.
///
/// Every row of a source ends in exactly one of [`transaction`](Intake::transaction),
/// [`reject`](Intake::reject) and [`set_aside`](Intake::set_aside), so that a ledger adds up.
pub trait Intake {
    /// A source begins; its name is quoted with its rows.
    fn source(&mut self, name: &str) {
        let _ = name;
    }

    /// A purchase, return or order line.
    ///
    /// # Errors
    ///
    /// As [`LogBuilder::push`].
    fn transaction(&mut self, line: u64, row: Transaction<'_>) -> Result<()>;

    /// A row that cannot be read.
    ///
    /// # Errors
    ///
    /// [`Error::Row`](crate::Error::Row) in strict mode.
    fn reject(
        &mut self,
        line: u64,
        reason: Reason,
        field: &str,
        value: &str,
        allowed: &'static str,
    ) -> Result<()>;

    /// A row that is sound, and is no purchase.
    fn set_aside(&mut self, line: u64, reason: Reason, field: &str, value: &str);

    /// A fact about the row that is being read.
    fn notice(&mut self, fact: Notice);

    /// Many transactions at once, the first on this line; false if they are wanted row by row.
    ///
    /// # Errors
    ///
    /// As [`Intake::transaction`].
    fn columns(&mut self, line: u64, columns: &Columns<'_>) -> Result<bool> {
        let _ = (line, columns);
        Ok(false)
    }

    /// Something a customer did besides buying; whether it is wanted.
    fn event(&mut self, event: Event<'_>) -> bool {
        let _ = event;
        false
    }

    /// Something known about a customer; whether it is wanted.
    fn attribute(&mut self, customer: &str, name: &str, value: &str) -> bool {
        let _ = (customer, name, value);
        false
    }

    /// `name` means `customer`.
    fn alias(&mut self, name: &str, customer: &str) {
        let _ = (name, customer);
    }
}

impl Intake for LogBuilder {
    fn source(&mut self, name: &str) {
        self.read_from(name);
    }

    fn transaction(&mut self, line: u64, row: Transaction<'_>) -> Result<()> {
        self.push_line(line, row)
    }

    fn reject(
        &mut self,
        line: u64,
        reason: Reason,
        field: &str,
        value: &str,
        allowed: &'static str,
    ) -> Result<()> {
        Self::reject(self, line, reason, field, value, allowed)
    }

    fn set_aside(&mut self, line: u64, reason: Reason, field: &str, value: &str) {
        Self::set_aside(self, line, reason, field, value);
    }

    fn notice(&mut self, fact: Notice) {
        Self::notice(self, fact);
    }

    fn alias(&mut self, name: &str, customer: &str) {
        self.identities().alias(name, customer);
    }
}

/// Gathers everything that several sources say about the same customers.
#[derive(Debug, Default)]
pub struct Gathering {
    log: LogBuilder,
    events: EventLog,
    attributes: Attributes,
}

impl Gathering {
    /// Nothing yet; transactions are cleaned and conflicts settled by these rules.
    pub fn new(cleaning: Cleaning, conflicts: Conflict) -> Self {
        Self {
            log: LogBuilder::with(cleaning),
            events: EventLog::default(),
            attributes: Attributes::new(conflicts),
        }
    }

    /// Which names are the same customer, for what is read before and after.
    pub fn identities(&mut self) -> &mut Identities {
        self.log.identities()
    }

    /// Everything, customers under the names that count, attributes typed. Customers that only
    /// events or attributes name are prospects of the log.
    pub fn finish(mut self) -> Gathered {
        let identities = self.log.identities().clone();
        self.events.settle(&identities);
        self.attributes.settle(&identities);
        for name in self.events.customers().iter().chain(self.attributes.customers().iter()) {
            self.log.prospect(name);
        }
        Gathered {
            log: self.log.finish(),
            events: self.events,
            attributes: self.attributes.typed(),
            identities,
        }
    }
}

/// What several sources say about the same customers.
#[derive(Clone, Debug, Default)]
pub struct Gathered {
    /// What they bought.
    pub log: TransactionLog,
    /// What else they did.
    pub events: EventLog,
    /// What is known about them.
    pub attributes: Attributes,
    /// Which of their names are the same.
    pub identities: Identities,
}

impl Intake for Gathering {
    fn source(&mut self, name: &str) {
        self.log.read_from(name);
    }

    fn transaction(&mut self, line: u64, row: Transaction<'_>) -> Result<()> {
        self.log.push_line(line, row)
    }

    fn reject(
        &mut self,
        line: u64,
        reason: Reason,
        field: &str,
        value: &str,
        allowed: &'static str,
    ) -> Result<()> {
        self.log.reject(line, reason, field, value, allowed)
    }

    fn set_aside(&mut self, line: u64, reason: Reason, field: &str, value: &str) {
        self.log.set_aside(line, reason, field, value);
    }

    fn notice(&mut self, fact: Notice) {
        self.log.notice(fact);
    }

    fn event(&mut self, event: Event<'_>) -> bool {
        self.events.push(event);
        true
    }

    fn attribute(&mut self, customer: &str, name: &str, value: &str) -> bool {
        self.attributes.state(customer, name, value);
        true
    }

    fn alias(&mut self, name: &str, customer: &str) {
        self.log.identities().alias(name, customer);
    }
}
