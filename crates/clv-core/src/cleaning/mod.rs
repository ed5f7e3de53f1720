//! What is done with rows that are no plain purchase: every policy stated, every row accounted for.
//!
//! Some policies look at one row (an amount of zero, a date in the future) and act as it comes in;
//! others need the whole log (a return and the purchase it belongs to, an outlier) and act in
//! [`LogBuilder::finish`](crate::LogBuilder::finish). Either way the ledger adds up, and
//! [`Ledger::before`](crate::Ledger) keeps the headline numbers as they would be without any policy.

mod outliers;
mod returns;

use serde::{Deserialize, Serialize};

use crate::ledger::Reason;
use crate::log::Transaction;
use crate::units::{Moment, Money};

pub use outliers::{Fences, OutlierAction, OutlierRule, Outliers};
pub(crate) use returns::net;

/// What to do with a kind of row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Policy {
    /// It enters the log.
    Keep,
    /// It does not, and is counted.
    Drop,
}

/// What to do with a row of negative amount: a return, a refund, a cancelled order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Returns {
    /// It is left out and counted; the purchase it belongs to stays whole.
    Drop,
    /// It enters the log as it is, and lowers the amount of its own day.
    Keep,
    /// It is taken off the customer's latest earlier purchases until it is used up: those of the
    /// same order first, then those of the same product (any, where the return names none). A
    /// purchase wholly returned leaves the log; what finds no purchase is counted as unmatched.
    Net,
}

/// How rows are cleaned on their way in.
///
/// | Name | Default | Why |
/// | :-- | :-- | :-- |
/// | `zero_amounts` | keep | 8 of CDNOW's 2,357 customers bought only for nothing; published numbers count them |
/// | `returns` | drop | a negative amount is no purchase; netting needs the purchase to be in the file |
/// | `duplicates` | keep | equal rows merge into their day anyway, and may be two equal purchases |
/// | `latest` | none | a library has no clock: say what "the future" is |
/// | `outliers` | none | a large order is a fact; capping it is a choice |
/// | `test_marks` | none | a customer may be called Test; say what marks a trial order in your shop |
/// | `as_of` | none | with a cut in mind, set it: nothing later may reach into the past |
/// | `strict` | false | stop at the first row that cannot be read |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cleaning {
    /// Rows with an amount of zero.
    pub zero_amounts: Policy,
    /// Rows with a negative amount.
    pub returns: Returns,
    /// Rows equal to an earlier one in every field.
    pub duplicates: Policy,
    /// Rows later than this are dated in the future, and left out.
    pub latest: Option<Moment>,
    /// Amounts far from the others.
    pub outliers: Option<Outliers>,
    /// A row whose customer, order or product contains one of these, in any case of letters, is a
    /// trial order, and left out.
    pub test_marks: Vec<String>,
    /// Where past and future part: a return after this moment is taken off no purchase up to it, and
    /// what counts as an outlier is learned from rows up to it. Without it a return of next month
    /// would reach into what was known this month.
    pub as_of: Option<Moment>,
    /// Whether a row that cannot be read is an error.
    pub strict: bool,
}

impl Default for Cleaning {
    fn default() -> Self {
        Self {
            zero_amounts: Policy::Keep,
            returns: Returns::Drop,
            duplicates: Policy::Keep,
            latest: None,
            outliers: None,
            test_marks: Vec::new(),
            as_of: None,
            strict: false,
        }
    }
}

impl Cleaning {
    /// Why a row is left out by a policy that looks at this row alone.
    pub fn refuses(&self, row: &Transaction<'_>) -> Option<Reason> {
        if self.latest.is_some_and(|latest| row.time > latest) {
            return Some(Reason::Future);
        }
        if !self.test_marks.is_empty() {
            let names = [Some(row.customer), row.order, row.product];
            let marked = |name: &str| {
                let name = name.to_lowercase();
                self.test_marks.iter().any(|mark| !mark.is_empty() && name.contains(&mark.to_lowercase()))
            };
            if names.into_iter().flatten().any(marked) {
                return Some(Reason::TestOrder);
            }
        }
        match row.amount {
            Some(amount) if amount < Money::ZERO && self.returns == Returns::Drop => Some(Reason::Return),
            Some(Money::ZERO) if self.zero_amounts == Policy::Drop => Some(Reason::ZeroAmount),
            _ => None,
        }
    }

    /// Whether some policy can decide only when all rows are known.
    pub fn decides_late(&self) -> bool {
        self.returns == Returns::Net || self.outliers.is_some()
    }
}
