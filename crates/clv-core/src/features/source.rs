//! Columns that purchases do not tell.

use std::fmt::Debug;
use std::sync::{Mutex, PoisonError};

use crate::cut::Cut;
use crate::error::{Error, Result};
use crate::features::{Feature, FeatureMatrix};

/// Where columns come from that purchases alone do not tell: asked as of any cut, it knows nothing later.
///
/// A fit asks as of each origin that it learns from ([`Training::knowing`](crate::Training::knowing)), a
/// backtest as of each split ([`Backtest::knowing`](crate::backtest::Backtest::knowing)). Customers are numbers
/// into the log's [`customers`](crate::TransactionLog::customers).
pub trait Source: Debug + Sync {
    /// The columns that can be told as of a cut, no two of one name.
    ///
    /// # Errors
    ///
    /// What keeps them from being told, such as something that was learned after the cut.
    fn names(&self, cut: Cut) -> Result<Vec<String>>;

    /// Columns by name as of a cut, a row for each customer, who gets the same numbers alone and among others.
    /// NaN stands for what is not known of a customer.
    ///
    /// # Errors
    ///
    /// [`Error::MissingColumn`](crate::Error::MissingColumn) for a name that it cannot tell.
    fn columns(&self, names: &[String], cut: Cut, customers: &[u32]) -> Result<FeatureMatrix>;

    /// The columns as features, for a learner's plan.
    ///
    /// # Errors
    ///
    /// As [`Source::names`].
    fn features(&self, cut: Cut) -> Result<Vec<Feature>> {
        Ok(self.names(cut)?.into_iter().map(Feature::Column).collect())
    }
}

/// The source of those who know no more than the purchases.
#[derive(Debug, Clone, Copy)]
pub struct NothingMore;

impl Source for NothingMore {
    fn names(&self, _cut: Cut) -> Result<Vec<String>> {
        Ok(Vec::new())
    }

    fn columns(&self, names: &[String], _cut: Cut, _customers: &[u32]) -> Result<FeatureMatrix> {
        match names.first() {
            Some(name) => Err(Error::MissingColumn { model: "a feature plan", column: name.clone() }),
            None => Ok(FeatureMatrix::default()),
        }
    }
}

/// A source that keeps what it was asked: a search asks many times for the same columns as of few cuts.
#[derive(Debug)]
pub struct Remembered<'a> {
    source: &'a dyn Source,
    kept: Mutex<Vec<Kept>>,
}

#[derive(Debug)]
struct Kept {
    cut: Cut,
    names: Vec<String>,
    customers: Vec<u32>,
    columns: FeatureMatrix,
}

impl<'a> Remembered<'a> {
    /// Remembers what a source says.
    pub fn new(source: &'a dyn Source) -> Self {
        Self { source, kept: Mutex::default() }
    }
}

impl Source for Remembered<'_> {
    fn names(&self, cut: Cut) -> Result<Vec<String>> {
        self.source.names(cut)
    }

    fn columns(&self, names: &[String], cut: Cut, customers: &[u32]) -> Result<FeatureMatrix> {
        // What was kept is whole, whatever became of the thread that kept it.
        let kept = || self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let same = |k: &&Kept| k.cut == cut && k.names == names && k.customers == customers;
        if let Some(found) = kept().iter().find(same) {
            return Ok(found.columns.clone());
        }
        let columns = self.source.columns(names, cut, customers)?;
        let (names, customers) = (names.to_vec(), customers.to_vec());
        kept().push(Kept { cut, names, customers, columns: columns.clone() });
        Ok(columns)
    }
}
