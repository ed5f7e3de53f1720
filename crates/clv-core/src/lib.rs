//! The nouns and seams of the `clv` workspace: everything that a model of customer lifetime value
//! needs, and no model.
//!
//! A transaction takes one way through this crate, forwards:
//!
//! ```text
//! rows ─► TransactionLog ─► Summary (as of a Cut) ─► Training ─► [a backend fits] ─► Forecast ─► scores
//! ```
//!
//! ```
//! use clv_core::{Cut, Grain, LogBuilder, Moment, Summary, TimeUnit, Transaction};
//!
//! let mut log = LogBuilder::new();
//! for (day, amount) in [("1997-01-01", 29.33), ("1997-01-18", 29.73), ("1997-08-02", 14.96)] {
//!     log.push(Transaction::new("0001", Moment::parse_date(day)?).amount(amount)?)?;
//! }
//! let log = log.finish();
//! let cut = Cut::end_of(Moment::parse_date("1997-09-30")?, Grain::Day);
//! let summary = Summary::of(&log, cut, TimeUnit::Week)?;
//! let history = summary.history(0);
//! assert_eq!(history.frequency, 2);
//! assert!((history.recency - 30.42857143).abs() < 1e-8);
//! assert!((history.age - 38.85714286).abs() < 1e-8);
//! assert!((history.spend.unwrap() - 22.345).abs() < 1e-12);
//! # Ok::<(), clv_core::Error>(())
//! ```
//!
//! | module | the question it answers |
//! | :-- | :-- |
//! | [`units`] | what is a moment, a span, a grain, a discount? |
//! | [`log`] | who bought when, for how much? |
//! | [`cleaning`] | what is done with returns, duplicates, zeros, outliers? |
//! | [`attributes`], [`events`] | what else is known about customers, what else did they do? |
//! | [`identity`] | which names are one customer? |
//! | [`ledger`] | what became of each input row? |
//! | [`sufficiency`] | is there enough data, and for what? |
//! | [`cut`] | what was known when? |
//! | [`summary`] | what is each customer's history as of a cut? |
//! | [`scale`] | the same, of logs too large to hold? |
//! | [`cells`] | which histories are the same? |
//! | [`features`] | what else was known, by name? |
//! | [`transform`] | columns as learners want them? |
//! | [`learn`] | one number per row of columns, and a model of customers from it? |
//! | [`model`] | what is a model, before and after it is fitted? |
//! | [`baselines`] | what would a model have to beat? |
//! | [`rfm`] | which quantile of recency, frequency and spend? |
//! | [`backtest`] | how good was the forecast? |
//! | [`metrics`] | how is "good" measured? |
//! | [`tune`] | which settings forecast best? |
//! | [`leakage`] | does a column know the future? |
//! | [`drift`] | have the customers changed since? |
//! | [`stages`] | prospect, new, active, loyal or churned? |
//! | [`cohorts`] | who came when, and who of them stays? |
//! | [`value`] | what is a stream of purchases worth today? |
//! | [`setting`] | is a setting within its range? |
//! | [`saved`] | how does a model rest on disk? |
//! | [`conformance`] | does a model keep the promises of the seams? |
//!
//! What this crate does not do: read files (`clv-io`), fit models (`clv-btyd`, `clv-linear`,
//! `clv-trees`), print, read the clock, or start threads beyond those that
//! a caller's [`Context`] allows.

pub mod attributes;
pub mod backtest;
pub mod baselines;
mod builder;
pub mod cells;
pub mod cleaning;
pub mod cohorts;
pub mod conformance;
pub mod contracts;
pub mod cut;
pub mod diagnostics;
pub mod drift;
mod error;
pub mod events;
pub mod features;
pub mod identity;
mod intake;
pub mod leakage;
pub mod learn;
pub mod ledger;
pub mod log;
mod mean_spend;
pub mod metrics;
pub mod model;
mod names;
mod price;
mod retention;
pub mod rfm;
pub mod saved;
pub mod scale;
pub mod setting;
pub mod stages;
pub mod sufficiency;
pub mod summary;
pub mod timelines;
pub mod transform;
pub mod tune;
pub mod units;
pub mod value;

pub use builder::LogBuilder;
pub use cells::Cells;
pub use cleaning::Cleaning;
pub use cut::{Cut, Split};
pub use error::{Error, Result};
pub use features::{Feature, FeatureMatrix};
pub use intake::{Gathered, Gathering, Intake};
pub use ledger::{Headline, Ledger, Notice, Reason};
pub use log::{Transaction, TransactionLog};
pub use model::{
    Ask, Context, Customers, Erased, Fit, FitReport, Fitted, Forecast, ForecastMut, History, Predict,
    Scratch, Training, Warning, WithSpend,
};
pub use names::{CustomerNames, Names};
pub use price::Price;
pub use stages::{Stage, StageRules};
pub use summary::Summary;
pub use timelines::Timelines;
pub use units::{Discount, Grain, Moment, Money, Span, TimeUnit};
