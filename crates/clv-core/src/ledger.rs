//! The row ledger: what became of every input row.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a row did not enter the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Reason {
    /// The row cannot be split into fields, or its text is not UTF-8.
    Malformed,
    /// No customer.
    MissingCustomer,
    /// No date.
    MissingDate,
    /// A date that cannot be read.
    BadDate,
    /// No amount, where the file has an amount column.
    MissingAmount,
    /// An amount that is not a number.
    BadAmount,
    /// A quantity that is not a number.
    BadQuantity,
    /// A negative amount, under the policy to leave returns out.
    Return,
    /// An amount of zero, under the policy to leave those out.
    ZeroAmount,
    /// The same as an earlier row, under the policy to leave duplicates out.
    Duplicate,
    /// Later than the latest moment allowed.
    Future,
    /// Marked as a trial order.
    TestOrder,
    /// A return that was taken off earlier purchases.
    ReturnMatched,
    /// A return of which something was left when no purchase was left to take it off.
    ReturnUnmatched,
    /// A purchase wholly returned.
    Returned,
    /// An amount far from the others, under the policy to leave those out.
    Outlier,
    /// A record of another kind than a purchase, in a file of several kinds.
    NotAPurchase,
    /// A purchase that was not paid, or was voided.
    NotPaid,
    /// After the end of observation, where that was set before reading.
    AfterCut,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "malformed row",
            Self::MissingCustomer => "no customer",
            Self::MissingDate => "no date",
            Self::BadDate => "unreadable date",
            Self::MissingAmount => "no amount",
            Self::BadAmount => "unreadable amount",
            Self::BadQuantity => "unreadable quantity",
            Self::Return => "return (negative amount)",
            Self::ZeroAmount => "amount of zero",
            Self::Duplicate => "duplicate row",
            Self::Future => "date in the future",
            Self::TestOrder => "trial order",
            Self::ReturnMatched => "return, taken off its purchase",
            Self::ReturnUnmatched => "return without a purchase to match",
            Self::Returned => "purchase wholly returned",
            Self::Outlier => "amount far from the others",
            Self::NotAPurchase => "no purchase, but another kind of record",
            Self::NotPaid => "not paid, or voided",
            Self::AfterCut => "after the end of observation",
        })
    }
}

/// What was noticed about rows, whether they were kept or not: facts, not fates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Notice {
    /// No customer.
    WithoutCustomer,
    /// An order marked as cancelled.
    Cancellation,
    /// A negative quantity.
    NegativeQuantity,
    /// A negative amount.
    NegativeAmount,
    /// An amount of zero.
    ZeroAmount,
    /// A purchase lowered by a return.
    Lowered,
    /// A purchase of which a part was paid back, and which was left whole.
    Refunded,
    /// An amount moved to a fence.
    Capped,
    /// An amount far from the others, left as it is.
    Far,
    /// A name of the customer settled through other names of theirs.
    Alias,
    /// An event that was delivered again with different contents.
    Conflict,
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::WithoutCustomer => "without a customer",
            Self::Cancellation => "cancellations",
            Self::NegativeQuantity => "negative quantities",
            Self::NegativeAmount => "negative amounts",
            Self::ZeroAmount => "amounts of zero",
            Self::Lowered => "purchases lowered by a return",
            Self::Refunded => "purchases left whole though a part was paid back",
            Self::Capped => "amounts moved to a fence",
            Self::Far => "amounts far from the others",
            Self::Alias => "names settled as an alias",
            Self::Conflict => "events delivered again with different contents",
        })
    }
}

/// The numbers everybody looks at first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Headline {
    /// Rows with a customer, a date and, where there are amounts, an amount.
    pub rows: u64,
    /// Customers with such a row; not known where rows are not held.
    pub customers: Option<u64>,
    /// Sum of the amounts, in millionths.
    #[serde(with = "as_text")]
    pub revenue_micros: i128,
}

/// JSON has no whole numbers beyond 64 bits.
mod as_text {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(value: &i128, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&value.to_string())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<i128, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

impl Headline {
    /// Sum of the amounts.
    pub fn revenue(&self) -> f64 {
        self.revenue_micros as f64 / 1e6
    }
}

/// A row that was left out, quoted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RejectedRow {
    /// The file, where several were read.
    pub source: Option<String>,
    /// Line of the file (the header is line 1), or position of the row in memory, from one.
    pub line: u64,
    /// Why.
    pub reason: Reason,
    /// The field.
    pub field: String,
    /// What stood there, shortened to 80 characters.
    pub value: String,
    /// What is allowed.
    pub allowed: Cow<'static, str>,
}

impl fmt::Display for RejectedRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(source) = &self.source {
            write!(f, "{source}, ")?;
        }
        write!(
            f,
            "line {}, field {:?}: {}: {:?}; allowed: {}",
            self.line, self.field, self.reason, self.value, self.allowed
        )
    }
}

/// Every row read is either kept or counted under the reason why not.
///
/// `read = kept + Σ dropped` always holds; [`Ledger::adds_up`] checks it. What was noticed overlaps with both.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    /// Rows read.
    pub read: u64,
    /// Rows that entered the log.
    pub kept: u64,
    /// Rows that did not, by reason.
    pub dropped: BTreeMap<Reason, u64>,
    /// The first [`Ledger::QUOTED`] of them per reason, word for word.
    pub quoted: Vec<RejectedRow>,
    /// Facts about rows, kept or not.
    pub noticed: BTreeMap<Notice, u64>,
    /// The headline numbers of all rows that could be read, before any policy acted.
    pub before: Headline,
}

impl Ledger {
    /// How many rows are quoted per reason.
    pub const QUOTED: u64 = 5;

    /// Enters a row that was left out.
    pub fn drop_row(&mut self, row: RejectedRow) {
        self.read += 1;
        let count = self.dropped.entry(row.reason).or_default();
        *count += 1;
        if *count <= Self::QUOTED {
            self.quoted.push(row);
        }
    }

    /// Enters a row that was kept.
    pub fn keep_row(&mut self) {
        self.read += 1;
        self.kept += 1;
    }

    /// Moves a row that was kept to those left out.
    pub(crate) fn unkeep_row(&mut self, row: RejectedRow) {
        self.kept -= 1;
        self.read -= 1;
        self.drop_row(row);
    }

    /// Notices a fact about a row.
    pub fn notice(&mut self, fact: Notice) {
        *self.noticed.entry(fact).or_default() += 1;
    }

    /// How often a fact was noticed.
    pub fn noticed(&self, fact: Notice) -> u64 {
        self.noticed.get(&fact).copied().unwrap_or(0)
    }

    /// Takes another ledger's rows in, as those of a next file of the same log.
    pub fn absorb(&mut self, other: Self) {
        self.read += other.read;
        self.kept += other.kept;
        for (reason, count) in other.dropped {
            *self.dropped.entry(reason).or_default() += count;
        }
        for (fact, count) in other.noticed {
            *self.noticed.entry(fact).or_default() += count;
        }
        for row in other.quoted {
            let quoted = self.quoted.iter().filter(|q| q.reason == row.reason).count();
            if (quoted as u64) < Self::QUOTED {
                self.quoted.push(row);
            }
        }
        self.before.rows += other.before.rows;
        // Some may be in both.
        if other.read > 0 {
            self.before.customers = None;
        }
        self.before.revenue_micros += other.before.revenue_micros;
    }

    /// Rows left out for a reason.
    pub fn dropped_for(&self, reason: Reason) -> u64 {
        self.dropped.get(&reason).copied().unwrap_or(0)
    }

    /// Whether every row read is accounted for.
    pub fn adds_up(&self) -> bool {
        self.read == self.kept + self.dropped.values().sum::<u64>()
    }
}

impl fmt::Display for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} rows read, {} kept", self.read, self.kept)?;
        for (reason, count) in &self.dropped {
            write!(f, ", {count} left out: {reason}")?;
        }
        Ok(())
    }
}
