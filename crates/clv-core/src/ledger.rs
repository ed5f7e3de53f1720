//! The row ledger: what became of every input row.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

/// Why a row did not enter the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
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
        })
    }
}

/// A row that was left out, quoted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RejectedRow {
    /// Line of the file (the header is line 1), or position of the row in memory, from one.
    pub line: u64,
    /// Why.
    pub reason: Reason,
    /// The field.
    pub field: String,
    /// What stood there, shortened to 80 characters.
    pub value: String,
    /// What is allowed.
    pub allowed: &'static str,
}

impl fmt::Display for RejectedRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "line {}, field {:?}: {}: {:?}; allowed: {}",
            self.line, self.field, self.reason, self.value, self.allowed
        )
    }
}

/// Every row read is either kept or counted under the reason why not.
///
/// `read = kept + Σ dropped` always holds; [`Ledger::adds_up`] checks it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Ledger {
    /// Rows read.
    pub read: u64,
    /// Rows that entered the log.
    pub kept: u64,
    /// Rows that did not, by reason.
    pub dropped: BTreeMap<Reason, u64>,
    /// The first [`Ledger::QUOTED`] of them per reason, word for word.
    pub quoted: Vec<RejectedRow>,
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
