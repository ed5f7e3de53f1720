//! What can go wrong, with the evidence.

use std::path::PathBuf;

use crate::ledger::RejectedRow;
use crate::model::{Histories, Reads};
use crate::units::{Grain, Span, TimeUnit};

/// The result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong: which row, customer or setting, what was given, what is allowed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A row was refused, in strict mode.
    #[error("{0}")]
    Row(Box<RejectedRow>),
    /// A text is not a date, time, number, unit or name of a choice.
    #[error("{what} {given:?} is not understood; allowed: {allowed}")]
    Unreadable {
        /// What was expected.
        what: &'static str,
        /// What was given.
        given: String,
        /// What would have been understood.
        allowed: &'static str,
    },
    /// A setting is out of its range.
    #[error("{name} is {given}; allowed: {allowed}")]
    Setting {
        /// Its name.
        name: &'static str,
        /// What was given.
        given: f64,
        /// The range.
        allowed: &'static str,
    },
    /// A history contradicts itself.
    #[error("customer in row {row}: {field} is {given}; allowed: {allowed}")]
    History {
        /// Position among the customers given, from zero.
        row: usize,
        /// The field.
        field: &'static str,
        /// Its value.
        given: f64,
        /// The range.
        allowed: &'static str,
    },
    /// A value that a learner cannot take.
    #[error("row {row}, column {column:?}: {given}; allowed: {allowed}")]
    Cell {
        /// Position among the rows given, from zero.
        row: usize,
        /// The column.
        column: String,
        /// Its value.
        given: f64,
        /// The range.
        allowed: &'static str,
    },
    /// Words where numbers are asked for.
    #[error("column {column:?} has words such as {example:?}; allowed: numbers, or an encoding of words")]
    NotANumber {
        /// The column.
        column: String,
        /// One of the words.
        example: String,
    },
    /// Columns of different lengths.
    #[error("column {column} has {given} rows where {expected} are expected")]
    Length {
        /// The column.
        column: &'static str,
        /// Its length.
        given: usize,
        /// The length of the others.
        expected: usize,
    },
    /// A log holds one currency; this is a second one.
    #[error(
        "a log holds one currency: this one is in {first}, and a row is in {second}; convert before reading"
    )]
    MixedCurrency {
        /// The log's.
        first: String,
        /// The row's.
        second: String,
    },
    /// Some rows have an amount and others do not.
    #[error("customer {customer:?} at {time}: {}", if *.present { "an amount, where earlier rows have none" } else { "no amount, where earlier rows have one" })]
    MixedAmounts {
        /// The customer.
        customer: String,
        /// When.
        time: String,
        /// Whether this row has one.
        present: bool,
    },
    /// A sum of money left the range of ±9.2 trillion.
    #[error("the amounts of customer {customer:?} add up to more than 9.2 trillion")]
    MoneyOverflow {
        /// The customer.
        customer: String,
    },
    /// A purchase earlier than what is known of its customer, where order is needed.
    #[error(
        "customer {customer:?}: a purchase at {given} comes after one at {last}; an ordered summary cannot go back: sort the input, or take a grain ledger"
    )]
    Late {
        /// The customer.
        customer: String,
        /// When it was.
        given: String,
        /// The last that was known.
        last: String,
    },
    /// There is nothing to work on.
    #[error("{model} needs {needs}, and there are {found}")]
    TooLittleData {
        /// Who needs it.
        model: &'static str,
        /// What it needs.
        needs: &'static str,
        /// How many there are.
        found: usize,
    },
    /// The histories are in another time unit than the model.
    #[error(
        "the model counts in {model}s and the histories are in {given}s; summarise them with unit {model}"
    )]
    Unit {
        /// The model's unit.
        model: TimeUnit,
        /// The histories' unit.
        given: TimeUnit,
    },
    /// The histories are of something else than the model reads.
    #[error("{model} reads {reads}; these histories are of {given}, with time in {unit}s")]
    Histories {
        /// The model.
        model: &'static str,
        /// What it reads.
        reads: Reads,
        /// What the histories are of.
        given: Histories,
        /// The histories' unit.
        unit: TimeUnit,
    },
    /// Purchases are merged otherwise than those that the model was fitted to.
    #[error(
        "{model} was fitted to purchases of grain {fitted}; these are of grain {given}; allowed: {fitted}"
    )]
    Grain {
        /// The model.
        model: &'static str,
        /// The grain of what it was fitted to.
        fitted: Grain,
        /// The grain of these.
        given: Grain,
    },
    /// Models that were fitted to purchases merged unlike each other's are to be joined.
    #[error(
        "{one} was fitted to purchases of grain {of_one} and {other} to those of grain {of_other}: fit both to the same"
    )]
    GrainsApart {
        /// One model.
        one: &'static str,
        /// The grain of what it was fitted to.
        of_one: Grain,
        /// The other.
        other: &'static str,
        /// The grain of what it was fitted to.
        of_other: Grain,
    },
    /// A name that is none of those known.
    #[error("{what} {given:?} is not known; allowed: {known}")]
    UnknownName {
        /// What was named.
        what: &'static str,
        /// As it was given.
        given: String,
        /// Those known, with commas between.
        known: String,
    },
    /// A model was asked for something that it cannot say.
    #[error("{model} does not say {quantity}{}", .hint)]
    CannotSay {
        /// The model.
        model: &'static str,
        /// What was asked.
        quantity: &'static str,
        /// What would.
        hint: &'static str,
    },
    /// A model trained for one horizon was asked for another.
    #[error(
        "{model} was trained for a horizon of {trained} and asked for {asked}; train it for that, or allow extrapolation"
    )]
    Horizon {
        /// The model.
        model: &'static str,
        /// What it was trained for.
        trained: Span,
        /// What was asked.
        asked: Span,
    },
    /// A model needs a column that the customers do not have.
    #[error("{model} needs the column {column:?}, which these customers do not have")]
    MissingColumn {
        /// The model.
        model: &'static str,
        /// The column.
        column: String,
    },
    /// An attribute says what a model cannot read.
    #[error("attribute {attribute:?} of {whose:?}: {given:?}, expected {allowed}")]
    Attribute {
        /// Of which customer or product.
        whose: String,
        /// The attribute.
        attribute: String,
        /// What it says.
        given: String,
        /// What it may say.
        allowed: &'static str,
    },
    /// Two columns have one name, or a further one has the name of one of the history's.
    #[error("two columns are named {column:?}: a further column needs a name of its own")]
    ColumnTwice {
        /// The name.
        column: String,
    },
    /// The likelihood could not be maximised at all.
    #[error("{model} found no usable estimate: {why}")]
    NoEstimate {
        /// The model.
        model: &'static str,
        /// The reason.
        why: &'static str,
    },
    /// The caller's stop signal.
    #[error("stopped by the caller")]
    Stopped,
    /// A saved model that cannot be loaded.
    #[error(transparent)]
    Saved(#[from] crate::saved::SavedError),
    /// A file that cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// The system's word.
        source: std::io::Error,
    },
    /// A backend's own trouble.
    #[error("{model}: {source}")]
    Backend {
        /// The model.
        model: &'static str,
        /// The backend's word.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}
