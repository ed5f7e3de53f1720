//! From a row of any format to a transaction, or to an entry in the ledger.

use clv_core::ledger::Reason;
use clv_core::{LogBuilder, Moment, Money, Transaction};

use crate::columns::{AmountFrom, Column, Recognised};
use crate::values::{DATES, NUMBERS};

/// Why a row was refused: reason, field, value, what is allowed.
#[derive(Debug)]
pub(crate) struct Refused {
    reason: Reason,
    field: String,
    value: String,
    allowed: &'static str,
}

impl Refused {
    pub(crate) fn new(reason: Reason, column: &Column, value: &str, allowed: &'static str) -> Self {
        Self { reason, field: column.name.clone(), value: value.to_owned(), allowed }
    }
}

/// One row of a file. Texts are trimmed; what is missing is empty or `None`.
pub(crate) trait Row<'a> {
    fn text(&self, column: &Column) -> Result<&'a str, Refused>;
    fn moment(&self, column: &Column) -> Result<Option<Moment>, Refused>;
    fn number(&self, column: &Column, bad: Reason) -> Result<Option<f64>, Refused>;
}

/// Enters a row into the log or, with its reason, into the ledger.
pub(crate) fn enter<'a>(
    log: &mut LogBuilder,
    line: u64,
    columns: &Recognised,
    row: &impl Row<'a>,
) -> clv_core::Result<()> {
    match transaction(columns, row) {
        Ok(transaction) => log.push_line(line, transaction),
        Err(Refused { reason, field, value, allowed }) => log.reject(line, reason, &field, &value, allowed),
    }
}

fn transaction<'a>(columns: &Recognised, row: &impl Row<'a>) -> Result<Transaction<'a>, Refused> {
    let Recognised { customer, date, amount, quantity, order, product, currency } = columns;
    let who = row.text(customer)?;
    if who.is_empty() {
        return Err(Refused::new(Reason::MissingCustomer, customer, "", "a name that is not empty"));
    }
    let time = row.moment(date)?.ok_or_else(|| Refused::new(Reason::MissingDate, date, "", DATES))?;
    let number = |column: &Column, missing, bad| {
        row.number(column, bad)?.ok_or_else(|| Refused::new(missing, column, "", NUMBERS))
    };
    let (missing, bad) = (Reason::MissingAmount, Reason::BadAmount);
    let paid = match amount {
        None => None,
        Some(AmountFrom::Column(column)) => Some((column, number(column, missing, bad)?)),
        Some(AmountFrom::Product { quantity, price }) => {
            let units = number(quantity, Reason::BadQuantity, Reason::BadQuantity)?;
            Some((price, units * number(price, missing, bad)?))
        }
    };
    let money = |(column, amount): (&Column, f64)| {
        let allowed = "an amount within ±9.2 trillion";
        Money::new(amount).map_err(|_| Refused::new(bad, column, &amount.to_string(), allowed))
    };
    let optional = |column: &Option<Column>| -> Result<Option<&'a str>, Refused> {
        Ok(column.as_ref().map(|c| row.text(c)).transpose()?.filter(|t| !t.is_empty()))
    };
    Ok(Transaction {
        customer: who,
        time,
        amount: paid.map(money).transpose()?,
        order: optional(order)?,
        product: optional(product)?,
        // A quantity that is not needed for the amount may be unreadable.
        quantity: quantity.as_ref().and_then(|c| row.number(c, Reason::BadQuantity).ok().flatten()),
        currency: optional(currency)?,
    })
}
