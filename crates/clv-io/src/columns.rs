//! Which column is which.

use std::fmt;
use std::path::Path;

use crate::error::{Error, Result};
use crate::options::ReadOptions;

/// Names by which a column is recognised, compared without case, spaces and punctuation; the first
/// that the file has is taken.
const CUSTOMER: &[&str] = &[
    "customerid",
    "customer",
    "customernumber",
    "custid",
    "cust",
    "clientid",
    "client",
    "userid",
    "user",
    "memberid",
    "householdid",
    "masterid",
    "buyerid",
    "customeremail",
    "email",
    "id",
];
const DATE: &[&str] = &[
    "date",
    "orderdate",
    "invoicedate",
    "transactiondatelocal",
    "transactiondate",
    "purchasedate",
    "datetime",
    "timestamp",
    "transactiontimestamp",
    "ordertimestamp",
    "createdat",
    "time",
    "day",
];
const AMOUNT: &[&str] = &[
    "amount",
    "revenue",
    "totalprice",
    "totalamount",
    "ordertotal",
    "orderamount",
    "salesvalue",
    "dollarvalue",
    "monetaryvalue",
    "sales",
    "total",
    "spend",
    "value",
];
const PRICE: &[&str] = &["unitprice", "price", "itemprice", "priceperunit"];
const QUANTITY: &[&str] = &["quantity", "qty", "units", "numberofcds"];
const ORDER: &[&str] =
    &["orderid", "invoiceno", "invoice", "basketid", "transactionid", "ordernumber", "order"];
const PRODUCT: &[&str] = &["productid", "stockcode", "sku", "itemid", "product", "item"];
const CURRENCY: &[&str] = &["currency", "currencycode"];

/// A column by name and position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its position in the file.
    pub position: usize,
}

/// Where the amount of a row comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AmountFrom {
    /// A column.
    Column(Column),
    /// Quantity times unit price.
    Product {
        /// How many.
        quantity: Column,
        /// For how much each.
        price: Column,
    },
}

/// Which column was taken for what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recognised {
    /// Who.
    pub customer: Column,
    /// When.
    pub date: Column,
    /// For how much.
    pub amount: Option<AmountFrom>,
    /// How many.
    pub quantity: Option<Column>,
    /// In which order.
    pub order: Option<Column>,
    /// What.
    pub product: Option<Column>,
    /// In which currency.
    pub currency: Option<Column>,
}

impl Recognised {
    /// Finds the columns of a header.
    ///
    /// # Errors
    ///
    /// [`Error::NoColumn`], [`Error::UnknownColumn`], [`Error::TwiceInHeader`].
    pub fn of(header: &[String], options: &ReadOptions, path: &Path) -> Result<Self> {
        let file = File { header, path };
        let customer = file.needed("customer", options.customer.as_deref(), CUSTOMER)?;
        let date = file.needed("date", options.date.as_deref(), DATE)?;
        let quantity = file.known(QUANTITY)?;
        let amount = match &options.amount {
            Some(name) => Some(AmountFrom::Column(file.named(name)?)),
            None => match (file.known(AMOUNT)?, file.known(PRICE)?, &quantity) {
                (Some(total), _, _) => Some(AmountFrom::Column(total)),
                (None, Some(price), Some(quantity)) => {
                    Some(AmountFrom::Product { quantity: quantity.clone(), price })
                }
                (None, Some(price), None) => Some(AmountFrom::Column(price)),
                (None, None, _) => None,
            },
        };
        Ok(Self {
            customer,
            date,
            amount,
            quantity,
            order: file.known(ORDER)?,
            product: file.known(PRODUCT)?,
            currency: file.known(CURRENCY)?,
        })
    }
}

impl fmt::Display for Recognised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "customer = {}, date = {}", self.customer.name, self.date.name)?;
        match &self.amount {
            None => write!(f, ", no amounts"),
            Some(AmountFrom::Column(c)) => write!(f, ", amount = {}", c.name),
            Some(AmountFrom::Product { quantity, price }) => {
                write!(f, ", amount = {} × {}", quantity.name, price.name)
            }
        }
    }
}

struct File<'a> {
    header: &'a [String],
    path: &'a Path,
}

impl File<'_> {
    fn at(&self, position: usize) -> Result<Column> {
        let name = self.header[position].clone();
        if self.header.iter().filter(|h| **h == name).count() > 1 {
            return Err(Error::TwiceInHeader { path: self.path.into(), name });
        }
        Ok(Column { name, position })
    }

    fn named(&self, name: &str) -> Result<Column> {
        match self.header.iter().position(|h| h == name) {
            Some(position) => self.at(position),
            None => Err(Error::UnknownColumn {
                path: self.path.into(),
                name: name.to_owned(),
                found: self.header.to_vec(),
            }),
        }
    }

    fn known(&self, names: &[&str]) -> Result<Option<Column>> {
        let plain: Vec<String> = self.header.iter().map(|h| plain(h)).collect();
        let found = names.iter().find_map(|name| plain.iter().position(|h| h == name));
        found.map(|position| self.at(position)).transpose()
    }

    fn needed(&self, what: &'static str, named: Option<&str>, names: &[&str]) -> Result<Column> {
        if let Some(name) = named {
            return self.named(name);
        }
        self.known(names)?.ok_or_else(|| Error::NoColumn {
            path: self.path.into(),
            what,
            found: self.header.to_vec(),
        })
    }
}

/// Letters and digits in lower case.
fn plain(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recognise(header: &str) -> Result<Recognised> {
        let header: Vec<String> = header.split(',').map(str::to_owned).collect();
        Recognised::of(&header, &ReadOptions::new(), Path::new("shop.csv"))
    }

    #[test]
    fn known_shapes_are_recognised() {
        for (header, said) in [
            (
                "customer_id,date,number_of_cds,dollar_value",
                "customer = customer_id, date = date, amount = dollar_value",
            ),
            (
                "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country",
                "customer = CustomerID, date = InvoiceDate, amount = Quantity × UnitPrice",
            ),
            ("Id,Date,Price", "customer = Id, date = Date, amount = Price"),
            ("cust,date", "customer = cust, date = date, no amounts"),
        ] {
            assert_eq!(recognise(header).unwrap().to_string(), said);
        }
    }

    #[test]
    fn what_is_missing_is_said_with_what_there_is() {
        let error = recognise("who,date").unwrap_err().to_string();
        assert!(error.contains("--customer") && error.contains("who, date"), "{error}");
        assert!(recognise("customer,date,date").unwrap_err().to_string().contains("twice"));
    }
}
