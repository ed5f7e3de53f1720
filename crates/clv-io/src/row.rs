//! From a row of any format to a transaction, or to an entry in the ledger.

use std::borrow::Cow;
use std::path::Path;

use clv_core::cleaning::Returns;
use clv_core::identity::email_key;
use clv_core::ledger::Reason;
use clv_core::{Intake, Money, Notice, Transaction};
use sha2::{Digest, Sha256};

use crate::columns::{AmountFrom, Column, Recognised, Shape};
use crate::dress::Dress;
use crate::error::Error;
use crate::options::{CustomerKey, ReadOptions};
use crate::table::{Batch, Digits, Dressed, Line, Refused, Visit};
use crate::values::{DATES, Decimal, NUMBERS};

/// Enters a file's rows, one by one or many at once.
pub(crate) struct Entering<'a> {
    pub to: &'a mut dyn Intake,
    pub columns: &'a Recognised,
    pub dress: &'a Dress,
    pub options: &'a ReadOptions,
    pub path: &'a Path,
}

impl Visit for Entering<'_> {
    fn line(&mut self, number: u64, line: Line<'_>) -> crate::Result<()> {
        let entered = match line {
            Line::Row(row) => {
                enter(self.to, number, self.columns, Dressed { row, dress: self.dress }, self.options)
            }
            Line::Broken(found, allowed) => self.to.reject(number, Reason::Malformed, "row", found, allowed),
        };
        entered.map_err(|source| Error::Log { path: self.path.into(), source })
    }

    fn batch(&mut self, number: u64, batch: &mut dyn Batch) -> crate::Result<bool> {
        let Recognised { shape, customer, date, amount, quantity, currency, .. } = self.columns;
        // Other shapes, and these columns, have something to say about each row.
        let plain = matches!(shape, Shape::Plain | Shape::Cdnow) && quantity.is_none() && currency.is_none();
        let usual = self.dress.dates.format.is_none() && self.dress.decimal == Decimal::Point;
        if !plain || !usual || self.options.customer_key != CustomerKey::AsIs || self.options.event.is_some()
        {
            return Ok(false);
        }
        let amount = match amount {
            None => None,
            Some(AmountFrom::Column(column)) => Some(column.position),
            Some(AmountFrom::Product { .. }) => return Ok(false),
        };
        let Some(columns) = batch.columns(customer.position, date.position, amount) else { return Ok(false) };
        let entered = self.to.columns(number, &columns);
        entered.map_err(|source| Error::Log { path: self.path.into(), source })
    }
}

/// Enters a row of a table of purchases.
fn enter(
    to: &mut dyn Intake,
    line: u64,
    columns: &Recognised,
    row: Dressed<'_>,
    options: &ReadOptions,
) -> clv_core::Result<()> {
    if columns.shape == Shape::ShopifyOrders && further_item(columns, row) {
        let text = "an order's further item";
        to.set_aside(line, Reason::NotAPurchase, "Total", text);
        return Ok(());
    }
    notice(to, columns, row);
    let mut buffers: [Digits; 5] = std::array::from_fn(|_| Digits::new());
    match read(columns, row, options, &mut buffers) {
        Ok(found) => {
            let customer = key(found.customer, options.customer_key);
            if let Some((reason, field, value)) = found.not_paid {
                to.set_aside(line, reason, &field, &value);
                return Ok(());
            }
            if found.lowered {
                to.notice(Notice::Lowered);
            }
            if found.refunded {
                to.notice(Notice::Refunded);
            }
            to.transaction(line, Transaction { customer: &customer, ..found.transaction })
        }
        Err(Refused { reason, field, value, allowed }) => to.reject(line, reason, &field, &value, allowed),
    }
}

/// A customer's name as the options want it.
pub(crate) fn key(name: &str, key: CustomerKey) -> Cow<'_, str> {
    match key {
        CustomerKey::AsIs => Cow::Borrowed(name),
        CustomerKey::Email => Cow::Owned(email_key(name)),
        CustomerKey::EmailHash => {
            let email = email_key(name);
            if email.len() == 64 && email.bytes().all(|b| b.is_ascii_hexdigit()) {
                return Cow::Owned(email);
            }
            let digest = Sha256::digest(email.as_bytes());
            Cow::Owned(digest.iter().map(|byte| format!("{byte:02x}")).collect())
        }
    }
}

struct Found<'a> {
    customer: &'a str,
    transaction: Transaction<'a>,
    /// Some of it was paid back, and taken off.
    lowered: bool,
    /// Some of it was paid back, and left on.
    refunded: bool,
    /// It was never paid, or all of it was paid back.
    not_paid: Option<(Reason, String, String)>,
}

fn read<'a>(
    columns: &Recognised,
    row: Dressed<'a>,
    options: &ReadOptions,
    buffers: &'a mut [Digits; 5],
) -> Result<Found<'a>, Refused> {
    let Recognised { customer, date, amount, quantity, order, product, currency, .. } = columns;
    let [a, b, c, d, e] = buffers;
    let who = row.text(customer, a)?;
    if who.is_empty() {
        return Err(Refused::new(Reason::MissingCustomer, customer, "", "a name that is not empty"));
    }
    let time = row.moment(date)?.ok_or_else(|| Refused::new(Reason::MissingDate, date, "", DATES))?;
    let number = |column: &Column, missing, bad| {
        row.number(column, bad)?.ok_or_else(|| Refused::new(missing, column, "", NUMBERS))
    };
    let (missing, bad) = (Reason::MissingAmount, Reason::BadAmount);
    let mut paid = match amount {
        None => None,
        Some(AmountFrom::Column(column)) => Some((column, number(column, missing, bad)?)),
        Some(AmountFrom::Product { quantity, price }) => {
            let units = number(quantity, Reason::BadQuantity, Reason::BadQuantity)?;
            Some((price, units * number(price, missing, bad)?))
        }
    };
    let mut found = Found {
        customer: who,
        transaction: Transaction::new(who, time),
        lowered: false,
        refunded: false,
        not_paid: None,
    };
    if columns.shape == Shape::ShopifyOrders {
        payment(columns, row, options, &mut paid, &mut found)?;
    }
    let money = |(column, amount): (&Column, f64)| {
        let allowed = "an amount within ±9.2 trillion";
        Money::new(amount).map_err(|_| Refused::new(bad, column, &amount.to_string(), allowed))
    };
    found.transaction.amount = paid.map(money).transpose()?;
    found.transaction.order = optional(row, order, b)?;
    found.transaction.product = optional(row, product, c)?;
    found.transaction.currency = optional(row, currency, d)?;
    found.transaction.event = optional(row, &columns.event, e)?;
    // A quantity that is not needed for the amount may be unreadable.
    found.transaction.quantity =
        quantity.as_ref().and_then(|c| row.number(c, Reason::BadQuantity).ok().flatten());
    Ok(found)
}

fn optional<'a>(
    row: Dressed<'a>,
    column: &Option<Column>,
    digits: &'a mut Digits,
) -> Result<Option<&'a str>, Refused> {
    Ok(column.as_ref().map(|c| row.text(c, digits)).transpose()?.filter(|t| !t.is_empty()))
}

/// Facts that are counted whether the row can be used or not.
fn notice(to: &mut dyn Intake, columns: &Recognised, row: Dressed<'_>) {
    if let Some(column) = &columns.quantity
        && let Ok(Some(quantity)) = row.number(column, Reason::BadQuantity)
        && quantity < 0.0
    {
        to.notice(Notice::NegativeQuantity);
    }
    let mut digits = Digits::new();
    let cancelled = match columns.shape {
        Shape::UciOnlineRetail => columns
            .order
            .as_ref()
            .and_then(|c| row.text(c, &mut digits).ok())
            .is_some_and(|order| order.starts_with(['C', 'c'])),
        Shape::ShopifyOrders => columns
            .cancelled
            .as_ref()
            .and_then(|c| row.text(c, &mut digits).ok())
            .is_some_and(|when| !when.is_empty()),
        _ => false,
    };
    if cancelled {
        to.notice(Notice::Cancellation);
    }
}

/// Whether this row of Shopify's export is an order's second, third, … item: it has no total.
fn further_item(columns: &Recognised, row: Dressed<'_>) -> bool {
    let mut digits = Digits::new();
    let mut empty = |column: &Column| row.text(column, &mut digits).is_ok_and(str::is_empty);
    columns.payment.as_ref().is_some_and(&mut empty)
        && matches!(&columns.amount, Some(AmountFrom::Column(total)) if empty(total))
}

/// What Shopify says beside an order: whether it was paid, and what was paid back. The export does
/// not say when, unless the order was cancelled: an order paid back whole is no purchase, and a part is
/// taken off the order itself unless returns are to be left out.
fn payment(
    columns: &Recognised,
    row: Dressed<'_>,
    options: &ReadOptions,
    paid: &mut Option<(&Column, f64)>,
    found: &mut Found<'_>,
) -> Result<(), Refused> {
    let mut digits = Digits::new();
    if let Some(column) = &columns.payment {
        let status = row.text(column, &mut digits)?.to_lowercase();
        if matches!(status.as_str(), "voided" | "pending" | "authorized" | "expired") {
            found.not_paid = Some((Reason::NotPaid, column.name.clone(), status));
            return Ok(());
        }
    }
    let (Some(column), Some((_, total))) = (&columns.paid_back, paid) else { return Ok(()) };
    let back = row.number(column, Reason::BadAmount)?.unwrap_or(0.0);
    if back <= 0.0 {
        return Ok(());
    }
    // Cancelled after what is known: as of then it was a purchase.
    let cancelled = columns.cancelled.as_ref().map(|column| row.moment(column)).transpose()?.flatten();
    if options.cleaning.as_of.is_some_and(|as_of| cancelled.is_some_and(|when| when > as_of)) {
        return Ok(());
    }
    if back >= *total && options.cleaning.returns != Returns::Keep {
        found.not_paid = Some((Reason::Returned, column.name.clone(), back.to_string()));
    } else if options.cleaning.returns == Returns::Drop {
        found.refunded = true;
    } else {
        *total -= back;
        found.lowered = true;
    }
    Ok(())
}
