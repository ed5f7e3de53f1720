//! Summaries of logs too large to hold: rows come in, histories come out.
//!
//! | type | input | memory |
//! | :-- | :-- | :-- |
//! | [`GrainLedger`] | any order, any split, late events, repeated deliveries | 16 bytes a row |
//! | [`OrderedSummary`] | in order of time for each customer; late data are refused | proportional to customers |
//!
//! Both can be pushed into, merged, saved and resumed at any time, and give the same bits as
//! [`Summary::of`](crate::Summary::of) does on the whole log, whatever the order, split or number of
//! threads.
//!
//! ```
//! use clv_core::scale::GrainLedger;
//! use clv_core::{Cut, Grain, Moment, Money, TimeUnit};
//!
//! let mut monday = GrainLedger::new(Grain::Day);
//! let mut tuesday = GrainLedger::new(Grain::Day);
//! tuesday.push("ada", Moment::parse_date("2024-03-05")?, Some(Money::new(20.0)?))?;
//! monday.push("ada", Moment::parse_date("2024-01-01")?, Some(Money::new(10.0)?))?;
//! tuesday.merge(monday)?;
//! let cut = Cut::end_of(Moment::parse_date("2024-03-31")?, Grain::Day);
//! let (customers, summary) = tuesday.summary(cut, TimeUnit::Week, Default::default(), 1)?;
//! assert_eq!(customers.name(0), "ada");
//! assert_eq!(summary.history(0).frequency, 1);
//! # Ok::<(), clv_core::Error>(())
//! ```

mod collate;
mod grains;
mod intake;
mod key;
mod ordered;
mod saved;

pub use grains::GrainLedger;
pub use intake::{Columns, Holds, ScaleIntake};
pub use key::{CustomerColumn, Roster};
pub use ordered::OrderedSummary;
