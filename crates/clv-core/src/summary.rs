//! Each customer's history as of a cut.

use crate::cut::Cut;
use crate::error::{Error, Result};
use crate::log::TransactionLog;
use crate::model::{Customers, Histories, History};
use crate::units::{Grain, Moment, TimeUnit};

/// Which purchases the mean spend is taken over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SpendBasis {
    /// The `x` repeat purchases: the first is left out (often a promotion, and what brought the
    /// customer into the data).
    #[default]
    Repeats,
    /// All `x + 1` purchases.
    All,
}

impl SpendBasis {
    /// How many purchases the mean of a customer with `x` repeats is taken over.
    pub fn count(self, frequency: u32) -> f64 {
        f64::from(frequency) + if self == Self::All { 1.0 } else { 0.0 }
    }
}

/// Purchases merged by grain, customer by customer in order of time.
///
/// Built once from a log, it answers for any cut.
#[derive(Clone, Debug)]
pub struct Purchases {
    grain: Grain,
    /// Purchases of customer `c` stand at `starts[c]..starts[c + 1]`.
    starts: Vec<usize>,
    when: Vec<Moment>,
    /// Millionths of the currency unit.
    amount: Option<Vec<i64>>,
}

impl Purchases {
    /// Merges a log's rows by grain.
    ///
    /// # Errors
    ///
    /// [`Error::MoneyOverflow`].
    pub fn of(log: &TransactionLog, grain: Grain) -> Result<Self> {
        let customers = log.customers().len();
        let mut starts = vec![0_usize; customers + 1];
        for &c in log.customer() {
            starts[c as usize + 1] += 1;
        }
        for c in 0..customers {
            starts[c + 1] += starts[c];
        }
        // A counting sort by customer keeps the rows of each in input order.
        let mut next = starts.clone();
        let mut rows: Vec<(Moment, i64)> = vec![(Moment::from_micros(0), 0); log.len()];
        for (row, (&c, &time)) in log.customer().iter().zip(log.time()).enumerate() {
            let slot = &mut next[c as usize];
            rows[*slot] = (grain.floor(time), log.amount().map_or(0, |a| a[row].micros()));
            *slot += 1;
        }
        let mut merged = Self {
            grain,
            starts: Vec::with_capacity(customers + 1),
            when: Vec::with_capacity(rows.len()),
            amount: log.amount().map(|_| Vec::with_capacity(rows.len())),
        };
        merged.starts.push(0);
        for c in 0..customers {
            let own = &mut rows[starts[c]..starts[c + 1]];
            if !own.is_sorted_by_key(|r| r.0) {
                own.sort_unstable_by_key(|r| r.0);
            }
            for group in own.chunk_by(|a, b| a.0 == b.0) {
                let sum: i128 = group.iter().map(|r| i128::from(r.1)).sum();
                merged.when.push(group[0].0);
                if let Some(amount) = &mut merged.amount {
                    let overflow =
                        |_| Error::MoneyOverflow { customer: log.customers().name(c as u32).to_owned() };
                    amount.push(i64::try_from(sum).map_err(overflow)?);
                }
            }
            merged.starts.push(merged.when.len());
        }
        Ok(merged)
    }

    pub(crate) fn empty(grain: Grain, with_amounts: bool) -> Self {
        Self { grain, starts: vec![0], when: Vec::new(), amount: with_amounts.then(Vec::new) }
    }

    /// Adds the next customer's purchases, merged and in order.
    pub(crate) fn add(&mut self, when: &[Moment], amounts: &[i64]) {
        self.when.extend(when);
        if let Some(column) = &mut self.amount {
            column.extend(amounts);
        }
        self.starts.push(self.when.len());
    }

    /// Appends another's customers.
    pub(crate) fn append(&mut self, other: Self) {
        let before = self.when.len();
        self.starts.extend(other.starts.iter().skip(1).map(|start| start + before));
        self.when.extend(other.when);
        if let (Some(mine), Some(theirs)) = (&mut self.amount, other.amount) {
            mine.extend(theirs);
        }
    }

    /// The grain.
    pub fn grain(&self) -> Grain {
        self.grain
    }

    /// How many customers the log knows, prospects included.
    pub fn customers(&self) -> usize {
        self.starts.len() - 1
    }

    /// When a customer bought, in order.
    pub fn when(&self, customer: u32) -> &[Moment] {
        let c = customer as usize;
        &self.when[self.starts[c]..self.starts[c + 1]]
    }

    /// For how much, in millionths, in the same order.
    pub fn amounts(&self, customer: u32) -> Option<&[i64]> {
        let c = customer as usize;
        self.amount.as_ref().map(|a| &a[self.starts[c]..self.starts[c + 1]])
    }

    /// How many purchases of a customer fall after `after` and up to `until`, and what they sum to.
    pub fn between(&self, customer: u32, after: &Cut, until: &Cut) -> (u32, f64) {
        let when = self.when(customer);
        let from = when.partition_point(|&m| m <= after.last());
        let to = when.partition_point(|&m| m <= until.last());
        let sum: i128 =
            self.amounts(customer).map_or(0, |a| a[from..to.max(from)].iter().map(|&v| i128::from(v)).sum());
        (to.saturating_sub(from) as u32, sum as f64 / 1e6)
    }

    /// Every customer's history as of a cut.
    ///
    /// # Errors
    ///
    /// [`Error::TooLittleData`] if nobody has bought by then.
    pub fn summary(&self, cut: Cut, unit: TimeUnit, basis: SpendBasis) -> Result<Summary> {
        let mut summary = Summary::empty(cut, unit, basis, self.amount.is_some());
        for c in 0..self.customers() as u32 {
            summary.add(c, self.when(c), self.amounts(c));
        }
        if summary.customer.is_empty() {
            let (model, needs) = ("a summary", "customers who bought on or before the cut");
            return Err(Error::TooLittleData { model, needs, found: 0 });
        }
        Ok(summary)
    }
}

/// Money columns of a [`Summary`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SpendColumns {
    /// Mean amount of the purchases that the [`SpendBasis`] counts; 0 where there are none.
    pub mean: Vec<f64>,
    /// Amount of the first purchase.
    pub first: Vec<f64>,
    /// Total of all purchases up to the cut: the historic value.
    pub total: Vec<f64>,
}

/// The histories of all customers first seen on or before a cut, in columns.
///
/// | column | symbol | unit |
/// | :-- | :-- | :-- |
/// | `frequency` | `x` | repeat purchases: distinct grains minus one |
/// | `recency` | `t_x` | time from first to last purchase |
/// | `age` | `T` | time from first purchase to the cut |
/// | `spend.mean` | `z̄` | money per repeat purchase |
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Summary {
    /// As of when.
    pub cut: Cut,
    /// In what `recency` and `age` are counted.
    pub unit: TimeUnit,
    /// What the histories are of.
    pub histories: Histories,
    /// Which purchases the mean spend counts.
    pub basis: SpendBasis,
    /// Numbers into the log's customers.
    pub customer: Vec<u32>,
    /// First purchase (start of its grain).
    pub first: Vec<Moment>,
    /// Repeat purchases.
    pub frequency: Vec<u32>,
    /// Time from first to last purchase.
    pub recency: Vec<f64>,
    /// Time from first purchase to the cut.
    pub age: Vec<f64>,
    /// Money, if the log has amounts.
    pub spend: Option<SpendColumns>,
    /// Customers left out because their first purchase is after the cut.
    pub first_seen_later: usize,
    /// Customers left out because they never bought.
    pub prospects: usize,
}

impl Summary {
    /// Summarises a log as of a cut, mean spend over repeat purchases.
    ///
    /// # Errors
    ///
    /// As [`Purchases::of`] and [`Purchases::summary`].
    pub fn of(log: &TransactionLog, cut: Cut, unit: TimeUnit) -> Result<Self> {
        Purchases::of(log, cut.grain())?.summary(cut, unit, SpendBasis::default())
    }

    pub(crate) fn empty(cut: Cut, unit: TimeUnit, basis: SpendBasis, with_spend: bool) -> Self {
        Self {
            cut,
            unit,
            histories: Histories::Purchases(cut.grain()),
            basis,
            customer: Vec::new(),
            first: Vec::new(),
            frequency: Vec::new(),
            recency: Vec::new(),
            age: Vec::new(),
            spend: with_spend.then(SpendColumns::default),
            first_seen_later: 0,
            prospects: 0,
        }
    }

    /// Adds a customer by their purchases in order of time.
    pub(crate) fn add(&mut self, customer: u32, when: &[Moment], amounts: Option<&[i64]>) {
        let known = when.partition_point(|&m| m <= self.cut.last());
        if known == 0 {
            self.first_seen_later += usize::from(!when.is_empty());
            self.prospects += usize::from(when.is_empty());
            return;
        }
        let money = amounts
            .map(|amounts| (i128::from(amounts[0]), amounts[..known].iter().map(|&v| i128::from(v)).sum()));
        self.add_totals(customer, when[0], when[known - 1], known as u32, money);
    }

    /// Adds a customer by first and last purchase, number of purchases, and the first and all money.
    pub(crate) fn add_totals(
        &mut self,
        customer: u32,
        first: Moment,
        last: Moment,
        purchases: u32,
        money: Option<(i128, i128)>,
    ) {
        let days = self.unit.days();
        self.customer.push(customer);
        self.first.push(first);
        self.frequency.push(purchases - 1);
        self.recency.push(last.days_since(first) / days);
        self.age.push(self.cut.last().days_since(first) / days);
        if let (Some((first, total)), Some(spend)) = (money, &mut self.spend) {
            let counted = match self.basis {
                SpendBasis::Repeats => total - first,
                SpendBasis::All => total,
            };
            let count = self.basis.count(purchases - 1);
            spend.mean.push(if count > 0.0 { counted as f64 / (1e6 * count) } else { 0.0 });
            spend.first.push(first as f64 / 1e6);
            spend.total.push(total as f64 / 1e6);
        }
    }

    /// Keeps the marked rows.
    pub(crate) fn retain(&mut self, keep: &[bool]) {
        fn some<T>(column: &mut Vec<T>, keep: &[bool]) {
            let mut keep = keep.iter();
            column.retain(|_| keep.next().is_some_and(|keep| *keep));
        }
        some(&mut self.customer, keep);
        some(&mut self.first, keep);
        some(&mut self.frequency, keep);
        let spend = self.spend.iter_mut().flat_map(|s| [&mut s.mean, &mut s.first, &mut s.total]);
        spend.chain([&mut self.recency, &mut self.age]).for_each(|column| some(column, keep));
    }

    /// Appends another's customers, whose numbers begin after `before`.
    pub(crate) fn append(&mut self, other: Self, before: u32) {
        if self.is_empty() && before == 0 {
            let (later, prospects) = (self.first_seen_later, self.prospects);
            *self = other;
            self.first_seen_later += later;
            self.prospects += prospects;
            return;
        }
        self.customer.extend(other.customer.iter().map(|c| c + before));
        self.first.extend(other.first);
        self.frequency.extend(other.frequency);
        self.recency.extend(other.recency);
        self.age.extend(other.age);
        if let (Some(mine), Some(theirs)) = (&mut self.spend, other.spend) {
            mine.mean.extend(theirs.mean);
            mine.first.extend(theirs.first);
            mine.total.extend(theirs.total);
        }
        self.first_seen_later += other.first_seen_later;
        self.prospects += other.prospects;
    }

    /// Number of customers.
    pub fn len(&self) -> usize {
        self.customer.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.customer.is_empty()
    }

    /// One customer's history.
    ///
    /// # Panics
    ///
    /// If `row` is not below [`Summary::len`].
    pub fn history(&self, row: usize) -> History {
        let counted = self.basis.count(self.frequency[row]) > 0.0;
        History {
            frequency: self.frequency[row],
            recency: self.recency[row],
            age: self.age[row],
            spend: self.spend.as_ref().filter(|_| counted).map(|s| s.mean[row]),
        }
    }

    /// The columns as models see them.
    pub fn customers(&self) -> Customers<'_> {
        Customers::from_valid(
            self.unit,
            self.basis,
            &self.frequency,
            &self.recency,
            &self.age,
            self.spend.as_ref().map(|s| s.mean.as_slice()),
        )
        .of(self.histories)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{LogBuilder, Transaction};

    fn log(rows: &[(&str, i32, f64)]) -> TransactionLog {
        let mut log = LogBuilder::new();
        for &(who, day, amount) in rows {
            log.push(Transaction::new(who, Moment::from_days(day)).amount(amount).unwrap()).unwrap();
        }
        log.finish()
    }

    #[test]
    fn same_day_purchases_are_one_and_order_does_not_matter() {
        let rows =
            [("a", 0, 1.1), ("a", 7, 2.2), ("a", 7, 3.3), ("a", 21, 4.4), ("b", 3, 9.0), ("a", 40, 100.0)];
        let cut = Cut::end_of(Moment::from_days(28), Grain::Day);
        let forwards = Summary::of(&log(&rows), cut, TimeUnit::Week).unwrap();
        assert_eq!(forwards.history(0), History { frequency: 2, recency: 3.0, age: 4.0, spend: Some(4.95) });
        assert_eq!(forwards.history(1), History { frequency: 0, recency: 0.0, age: 25.0 / 7.0, spend: None });
        let mut reversed: Vec<_> = rows.into_iter().collect();
        reversed[..4].reverse();
        assert_eq!(Summary::of(&log(&reversed), cut, TimeUnit::Week).unwrap(), forwards);
    }

    #[test]
    fn what_comes_after_the_cut_is_left_out_and_counted() {
        let cut = Cut::end_of(Moment::from_days(5), Grain::Day);
        let s = Summary::of(&log(&[("a", 5, 1.0), ("late", 6, 1.0)]), cut, TimeUnit::Day).unwrap();
        assert_eq!((s.len(), s.first_seen_later), (1, 1));
        assert!(Summary::of(&log(&[("late", 6, 1.0)]), cut, TimeUnit::Day).is_err());
    }

    #[test]
    fn holdout_counts_grains_after_the_cut_up_to_its_end() {
        let log = log(&[("a", 0, 1.0), ("a", 6, 2.0), ("a", 6, 3.0), ("a", 10, 4.0), ("a", 11, 5.0)]);
        let purchases = Purchases::of(&log, Grain::Day).unwrap();
        let cut = |d| Cut::end_of(Moment::from_days(d), Grain::Day);
        assert_eq!(purchases.between(0, &cut(5), &cut(10)), (2, 9.0));
        assert_eq!(purchases.between(0, &cut(11), &cut(20)), (0, 0.0));
    }
}
