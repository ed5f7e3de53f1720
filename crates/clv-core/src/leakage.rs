//! Does a column know the future?
//!
//! Columns of [`Feature`](crate::Feature) cannot. Those of one's own may: a sum over all orders, a status
//! that was set when the customer left. [`of_the_future`] finds what changes when the future does;
//! [`suspects`] finds what is too good to be true, such as a table's column of which nobody knows when it
//! was written.

use crate::cut::Cut;
use crate::error::{Error, Result};
use crate::features::FeatureMatrix;
use crate::learn::Rows;
use crate::log::TransactionLog;
use crate::metrics::{Pairs, probability, ranking};
use crate::units::Money;

/// Names of the columns that change when what lies after the cut does: computes them from the log as it is,
/// from the log without its future, and from the log with its future thrown about.
///
/// # Errors
///
/// As `columns`; [`Error::Length`] if they then have other rows or columns, which is a leak as well.
///
/// ```
/// use clv_core::{Cut, FeatureMatrix, Grain, LogBuilder, Moment, Transaction, TransactionLog, leakage};
///
/// let mut log = LogBuilder::new();
/// for (customer, day) in [("ada", "2024-01-05"), ("bob", "2024-01-09"), ("ada", "2024-03-01")] {
///     log.push(Transaction::new(customer, Moment::parse_date(day)?))?;
/// }
/// let cut = Cut::end_of(Moment::parse_date("2024-01-31")?, Grain::Day);
/// let columns = |log: &TransactionLog| {
///     let orders = |past: bool, who: u32| {
///         let counts = |row: &usize| log.customer()[*row] == who && (!past || cut.is_past(log.time()[*row]));
///         (0..log.len()).filter(counts).count() as f64
///     };
///     let data = (0..2).flat_map(|who| [orders(true, who), orders(false, who)]).collect();
///     FeatureMatrix::new(vec!["orders_so_far".into(), "orders".into()], data)
/// };
/// assert_eq!(leakage::of_the_future(&log.finish(), cut, columns)?, ["orders"]);
/// # Ok::<(), clv_core::Error>(())
/// ```
pub fn of_the_future(
    log: &TransactionLog,
    cut: Cut,
    columns: impl Fn(&TransactionLog) -> Result<FeatureMatrix>,
) -> Result<Vec<String>> {
    let known = columns(log)?;
    let mut leaks = vec![false; known.names().len()];
    for future in [Future::None, Future::ThrownAbout] {
        let other = columns(&with(log, cut, future))?;
        if other.rows() != known.rows() || other.names() != known.names() {
            let (given, expected) = (other.rows(), known.rows());
            return Err(Error::Length { column: "rows with another future", given, expected });
        }
        for row in 0..known.rows() {
            let pairs = known.row(row).iter().zip(other.row(row));
            for (leak, (a, b)) in leaks.iter_mut().zip(pairs) {
                *leak |= a.to_bits() != b.to_bits();
            }
        }
    }
    Ok(known.names().iter().zip(leaks).filter(|(_, leak)| *leak).map(|(name, _)| name.clone()).collect())
}

#[derive(Clone, Copy, PartialEq)]
enum Future {
    None,
    ThrownAbout,
}

/// The same past, with the same customers under the same numbers, and another future.
fn with(log: &TransactionLog, cut: Cut, future: Future) -> TransactionLog {
    let past: Vec<bool> = log.time().iter().map(|time| cut.is_past(*time)).collect();
    let mut other = log.clone();
    match future {
        Future::None => other.retain(&past),
        Future::ThrownAbout => {
            for row in (0..other.len()).filter(|&row| !past[row]) {
                other.time[row] = other.time[row].plus_days((row % 89) as f64 + 1.0);
                if let Some(amount) = &mut other.amount {
                    let more = amount[row].micros().saturating_mul(7).saturating_add(1);
                    amount[row] = Money::from_micros(more);
                }
            }
        }
    }
    other
}

/// A column that tells the target by itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Suspect {
    /// Its name.
    pub column: String,
    /// How well it orders the target, 0 by chance, 1 fully: twice the ROC area less 1 where the target is 0
    /// and 1, Spearman's rank correlation otherwise, both in size.
    pub order: f64,
}

/// Columns that order the target by themselves as well as `most` or better, the best first. Behaviour of the
/// past hardly ever orders what customers will do by more than .9: look at where such a column comes from
/// before you trust a model that uses it.
///
/// # Errors
///
/// [`Error::Cell`] for a missing value; [`Error::Setting`] unless `most` is above 0 and at most 1.
pub fn suspects(rows: &Rows<'_>, most: f64) -> Result<Vec<Suspect>> {
    crate::setting::some_share("most", most)?;
    rows.expect_complete()?;
    let yes_or_no = rows.expect_yes_or_no().is_ok();
    let mut found = Vec::new();
    for (place, column) in rows.features().names().iter().enumerate() {
        let values: Vec<f64> = rows.features().column(place).collect();
        let mut pairs = Pairs::new(rows.target(), &values)?;
        if let Some(weights) = rows.weights() {
            pairs = pairs.weighted(weights)?;
        }
        let order = if yes_or_no {
            probability::roc_auc(&pairs).map(|area| (2.0 * area - 1.0).abs())
        } else {
            ranking::spearman(&pairs).map(f64::abs)
        };
        if let Some(order) = order.filter(|order| *order >= most) {
            found.push(Suspect { column: column.clone(), order });
        }
    }
    found.sort_by(|a, b| b.order.total_cmp(&a.order));
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::summary::{Purchases, SpendBasis};
    use crate::units::{Grain, Moment, Span, TimeUnit};
    use crate::{Feature, Training};
    use crate::{LogBuilder, Transaction};

    fn log() -> TransactionLog {
        let mut log = LogBuilder::new();
        let start = Moment::parse_date("2024-01-01").unwrap();
        for customer in 0..40_u32 {
            let name = format!("c{customer}");
            for day in (customer % 7..300).step_by(3 + customer as usize % 23) {
                let row = Transaction::new(&name, start.plus_days(f64::from(day)))
                    .amount(f64::from(1 + day % 5))
                    .unwrap();
                log.push(row).unwrap();
            }
        }
        log.finish()
    }

    #[test]
    fn a_planted_column_is_caught_and_ours_are_clean() {
        let log = log();
        let cut = Cut::end_of(Moment::parse_date("2024-06-30").unwrap(), Grain::Day);
        let spans = [Span::weeks(4.0).unwrap(), Span::weeks(13.0).unwrap()];
        let plan = Feature::broad(&spans, true);
        let columns = |planted: bool| {
            let plan = plan.clone();
            move |log: &TransactionLog| {
                let purchases = Purchases::of(log, Grain::Day)?;
                let summary = purchases.summary(cut, TimeUnit::Week, SpendBasis::default())?;
                let ours = FeatureMatrix::compute(&plan, &purchases, &summary)?;
                if !planted {
                    return Ok(ours);
                }
                // The last purchase there ever was: it knows who has left.
                let last = |customer: u32| {
                    let times =
                        (0..log.len()).filter(|&r| log.customer()[r] == customer).map(|r| log.time()[r]);
                    times.max().map_or(0.0, |last| last.days_since(cut.last()))
                };
                let names = ours.names().iter().cloned().chain(["last_order".into()]).collect();
                let row = |r: usize| {
                    ours.row(r).iter().copied().chain([last(summary.customer[r])]).collect::<Vec<_>>()
                };
                FeatureMatrix::new(names, (0..ours.rows()).flat_map(row).collect())
            }
        };
        assert!(of_the_future(&log, cut, columns(false)).unwrap().is_empty());
        assert_eq!(of_the_future(&log, cut, columns(true)).unwrap(), ["last_order"]);

        let purchases = Purchases::of(&log, Grain::Day).unwrap();
        let end = cut.plus(Span::weeks(8.0).unwrap());
        let training = Training::new(&purchases, end, TimeUnit::Week).unwrap();
        let labelled = training.labelled(Span::weeks(8.0).unwrap(), &plan).unwrap();
        let names = labelled.features.names().iter().cloned().chain(["target_in_disguise".into()]).collect();
        let disguised = |r: usize| {
            let known = labelled.features.row(r).iter().copied();
            known.chain([labelled.purchases[r].sqrt() * 3.0 + 1.0]).collect::<Vec<_>>()
        };
        let rows = labelled.features.rows();
        let columns = FeatureMatrix::new(names, (0..rows).flat_map(disguised).collect()).unwrap();
        let found = suspects(&Rows::new(&columns, &labelled.purchases).unwrap(), 0.99).unwrap();
        assert_eq!(found.iter().map(|s| s.column.as_str()).collect::<Vec<_>>(), ["target_in_disguise"]);
    }

    #[test]
    fn yes_or_no_is_judged_by_the_area() {
        let columns =
            FeatureMatrix::new(vec!["a".into(), "b".into()], vec![1.0, 3.0, 2.0, 1.0, 3.0, 2.0, 4.0, 1.0])
                .unwrap();
        let found = suspects(&Rows::new(&columns, &[0.0, 0.0, 1.0, 1.0]).unwrap(), 0.9).unwrap();
        assert_eq!(found, [Suspect { column: "a".into(), order: 1.0 }]);
    }
}
