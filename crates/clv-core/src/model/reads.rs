//! What histories are of, and which of them a model reads.

use std::fmt;

use crate::error::{Error, Result};
use crate::units::{Grain, TimeUnit};

/// What the histories of customers are of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Histories {
    /// Purchases, those within one grain merged.
    Purchases(Grain),
    /// Contracts: renewed or not, by the period.
    Renewals,
    /// Contracts: how long they lasted.
    Tenures,
}

impl Histories {
    /// How purchases are merged, if they are of purchases.
    pub fn grain(self) -> Option<Grain> {
        match self {
            Self::Purchases(grain) => Some(grain),
            Self::Renewals | Self::Tenures => None,
        }
    }
}

impl fmt::Display for Histories {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Purchases(grain) => write!(f, "purchases (grain {grain})"),
            Self::Renewals => f.write_str("renewals of contracts"),
            Self::Tenures => f.write_str("how long contracts lasted"),
        }
    }
}

/// Which histories a model reads, and so what its likelihood is of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reads {
    /// Purchases at any time.
    #[default]
    Purchases,
    /// Whether there was a purchase, period by period: purchases merged by the period that time is counted in.
    Periods,
    /// Whether a contract was renewed, period by period. A purchase each period tells it too.
    Renewals,
    /// How long contracts lasted. No log of purchases tells it: silence is not an end.
    Tenures,
}

impl fmt::Display for Reads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Purchases => "purchases",
            Self::Periods => {
                "whether there was a purchase, period by period: grain and unit the same day, week, month or year"
            }
            Self::Renewals => {
                "renewals of contracts, or a purchase each period: grain and unit the same day, week, month or year"
            }
            Self::Tenures => {
                "how long contracts lasted, from a table of their starts and ends (of one payment each period sbg and bdw tell the same)"
            }
        })
    }
}

impl Reads {
    /// Whether histories of contracts are read.
    pub fn contracts(self) -> bool {
        matches!(self, Self::Renewals | Self::Tenures)
    }

    /// Whether time is counted in whole periods.
    pub fn periods(self) -> bool {
        matches!(self, Self::Periods | Self::Renewals)
    }

    /// Refuses histories of another kind, or of purchases that are merged by another period than they are counted in.
    ///
    /// # Errors
    ///
    /// [`Error::Histories`] in the name of `model`.
    pub fn expect(self, model: &'static str, given: Histories, unit: TimeUnit) -> Result<()> {
        let fits = match (self, given) {
            (Self::Purchases, Histories::Purchases(_))
            | (Self::Renewals, Histories::Renewals)
            | (Self::Tenures, Histories::Tenures) => true,
            (Self::Periods | Self::Renewals, Histories::Purchases(grain)) => grain.is_one(unit),
            _ => false,
        };
        if fits { Ok(()) } else { Err(Error::Histories { model, reads: self, given, unit }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_model_reads_its_own() {
        use Histories::{Purchases, Renewals, Tenures};
        let given = [Purchases(Grain::Day), Purchases(Grain::Month), Renewals, Tenures];
        for (reads, fits) in [
            (Reads::Purchases, [true, true, false, false]),
            (Reads::Periods, [false, true, false, false]),
            (Reads::Renewals, [false, true, true, false]),
            (Reads::Tenures, [false, false, false, true]),
        ] {
            let found = given.map(|given| reads.expect("a model", given, TimeUnit::Month).is_ok());
            assert_eq!(found, fits, "{reads:?}");
        }
        let error = Reads::Periods.expect("bg-bb", Purchases(Grain::Month), TimeUnit::Week).unwrap_err();
        let error = error.to_string();
        assert!(
            error.contains("bg-bb") && error.contains("grain month") && error.contains("week"),
            "{error}"
        );
    }
}
