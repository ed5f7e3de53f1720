//! Returns, taken off the purchases they belong to.

use crate::log::TransactionLog;
use crate::units::{Moment, Money};

/// What became of the rows of a log when its returns were netted.
#[derive(Debug, Default)]
pub(crate) struct Netted {
    /// Returns that were used up.
    pub matched: Vec<usize>,
    /// Returns of which something was left without a purchase.
    pub unmatched: Vec<usize>,
    /// Purchases of which nothing is left.
    pub returned: Vec<usize>,
    /// Purchases of which something is left.
    pub lowered: Vec<usize>,
}

/// Takes each return off the same customer's latest earlier purchases, and lowers their amounts.
///
/// Returns are worked through in order of time; at one moment, purchases come before returns, and
/// rows in their order. A return after `as_of` leaves purchases up to it whole.
pub(crate) fn net(log: &mut TransactionLog, as_of: Option<Moment>) -> Netted {
    let mut netted = Netted::default();
    let Some(mut amounts) = log.amount.take() else { return netted };
    let mut touched = vec![false; amounts.len()];
    // Purchases with something left, by customer, latest last.
    let mut open: Vec<Vec<usize>> = vec![Vec::new(); log.customers.len()];
    let mut by_time: Vec<usize> = (0..log.len()).collect();
    by_time.sort_by_key(|&row| (log.time[row], amounts[row] < Money::ZERO, row));
    for row in by_time {
        let own = &mut open[log.customer[row] as usize];
        if amounts[row] > Money::ZERO {
            own.push(row);
        } else if amounts[row] < Money::ZERO {
            let beyond = as_of.filter(|moment| log.time[row] > *moment);
            let within_reach = |purchase: usize| beyond.is_none_or(|moment| log.time[purchase] > moment);
            let mut owed = -amounts[row].micros();
            let mut take = |belongs: &dyn Fn(usize) -> bool| {
                for &purchase in own.iter().rev() {
                    if owed == 0 {
                        break;
                    }
                    let left = amounts[purchase].micros();
                    if left > 0 && belongs(purchase) && within_reach(purchase) {
                        let taken = owed.min(left);
                        owed -= taken;
                        amounts[purchase] = Money::from_micros(left - taken);
                        touched[purchase] = true;
                    }
                }
            };
            let order = number(&log.order, row);
            if order.is_some() {
                take(&|purchase| number(&log.order, purchase) == order);
            }
            let product = number(&log.product, row);
            take(&|purchase| product.is_none() || number(&log.product, purchase) == product);
            own.retain(|&purchase| amounts[purchase] > Money::ZERO);
            if owed > 0 { netted.unmatched.push(row) } else { netted.matched.push(row) }
        }
    }
    for (row, _) in touched.iter().enumerate().filter(|(_, touched)| **touched) {
        if amounts[row] == Money::ZERO { netted.returned.push(row) } else { netted.lowered.push(row) }
    }
    log.amount = Some(amounts);
    netted
}

fn number(column: &[Option<u32>], row: usize) -> Option<u32> {
    column.get(row).copied().flatten()
}
