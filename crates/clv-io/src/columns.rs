//! Which column is which.

use std::fmt;
use std::path::Path;

use crate::error::{Error, Result};
use crate::options::ReadOptions;

/// Names by which a column is recognised, compared without case, spaces and punctuation; the first
/// that the file has is taken.
pub(crate) const CUSTOMER: &[&str] = &[
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
    "customername",
    "kunde",
    "kundennummer",
    "kundenid",
    "clientname",
];
pub(crate) const DATE: &[&str] = &[
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
    "bestelldatum",
    "datum",
    "kaufdatum",
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
    "betrag",
    "umsatz",
    "montant",
    "importe",
];
const PRICE: &[&str] = &["unitprice", "price", "itemprice", "priceperunit"];
const QUANTITY: &[&str] = &["quantity", "qty", "units", "numberofcds"];
const ORDER: &[&str] = &[
    "orderid",
    "invoiceno",
    "invoice",
    "basketid",
    "transactionid",
    "ordernumber",
    "order",
    "bestellnr",
    "bestellnummer",
    "rechnungsnr",
    "rechnungsnummer",
];
pub(crate) const PRODUCT: &[&str] = &["productid", "stockcode", "sku", "itemid", "product", "item"];
const CURRENCY: &[&str] = &["currency", "currencycode"];

/// A shape of file that is known by its columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Shape {
    /// One row a purchase or order line, columns known by their names.
    #[default]
    Plain,
    /// The CDNOW log (Fader and Hardie), with its header or without.
    Cdnow,
    /// Online Retail and Online Retail II (UCI 352, 502): an invoice number that begins with C is a
    /// cancellation; dates have the month first.
    UciOnlineRetail,
    /// Shopify's order export: the first row of an order has its total, further rows are its items.
    ShopifyOrders,
    /// Segment's events, one a line: orders, refunds, views, searches, carts, identify.
    SegmentEvents,
}

impl Shape {
    fn of(names: &[String]) -> Self {
        let has = |name: &str| names.iter().any(|n| n == name);
        if has("stockcode") && (has("invoiceno") || has("invoice")) && has("invoicedate") {
            Self::UciOnlineRetail
        } else if has("financialstatus") && has("name") && has("createdat") && has("total") {
            Self::ShopifyOrders
        } else if has("numberofcds") && has("dollarvalue") {
            Self::Cdnow
        } else {
            Self::Plain
        }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain => "a table of purchases",
            Self::Cdnow => "CDNOW",
            Self::UciOnlineRetail => "UCI Online Retail",
            Self::ShopifyOrders => "Shopify's order export",
            Self::SegmentEvents => "Segment events",
        })
    }
}

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
    /// The shape of the file.
    pub shape: Shape,
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
    /// What was paid back, and how far it was paid at all: Shopify says so beside the order.
    pub(crate) paid_back: Option<Column>,
    pub(crate) payment: Option<Column>,
    pub(crate) cancelled: Option<Column>,
    /// What identifies an event, however often it is delivered.
    pub event: Option<Column>,
}

impl Recognised {
    /// Finds the columns of a header.
    ///
    /// # Errors
    ///
    /// [`Error::NoColumn`], [`Error::UnknownColumn`], [`Error::TwiceInHeader`].
    pub fn of(header: &[String], options: &ReadOptions, path: &Path) -> Result<Self> {
        let file = File { header, path };
        let plain: Vec<String> = header.iter().map(|h| self::plain(h)).collect();
        let shape = Shape::of(&plain);
        if shape == Shape::ShopifyOrders {
            return Self::shopify(&file, options);
        }
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
            shape,
            customer,
            date,
            amount,
            quantity,
            order: file.optional(options.order.as_deref(), ORDER)?,
            product: file.optional(options.product.as_deref(), PRODUCT)?,
            currency: file.known(CURRENCY)?,
            paid_back: None,
            payment: None,
            cancelled: None,
            event: options.event.as_deref().map(|name| file.named(name)).transpose()?,
        })
    }

    fn shopify(file: &File<'_>, options: &ReadOptions) -> Result<Self> {
        let amount = match &options.amount {
            Some(name) => Some(AmountFrom::Column(file.named(name)?)),
            None => file.known(&["total"])?.map(AmountFrom::Column),
        };
        Ok(Self {
            shape: Shape::ShopifyOrders,
            customer: file.needed("customer", options.customer.as_deref(), &["email", "customerid"])?,
            date: file.needed("date", options.date.as_deref(), &["createdat"])?,
            amount,
            quantity: None,
            order: file.known(&["name"])?,
            product: None,
            currency: file.known(CURRENCY)?,
            paid_back: file.known(&["refundedamount"])?,
            payment: file.known(&["financialstatus"])?,
            cancelled: file.known(&["cancelledat"])?,
            event: options.event.as_deref().map(|name| file.named(name)).transpose()?,
        })
    }

    /// The columns that are asked for.
    pub(crate) fn positions(&self) -> Vec<usize> {
        let Self { shape: _, customer, date, amount, quantity, order, product, currency, .. } = self;
        let mut needed = vec![customer, date];
        match amount {
            Some(AmountFrom::Column(column)) => needed.push(column),
            Some(AmountFrom::Product { quantity, price }) => needed.extend([quantity, price]),
            None => {}
        }
        let Self { paid_back, payment, cancelled, event, .. } = self;
        let optional = [quantity, order, product, currency, paid_back, payment, cancelled, event];
        needed.extend(optional.into_iter().flatten());
        let mut positions: Vec<usize> = needed.into_iter().map(|c| c.position).collect();
        positions.sort_unstable();
        positions.dedup();
        positions
    }
}

impl fmt::Display for Recognised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "customer = {}, date = {}", self.customer.name, self.date.name)?;
        match &self.amount {
            None => write!(f, ", no amounts")?,
            Some(AmountFrom::Column(c)) => write!(f, ", amount = {}", c.name)?,
            Some(AmountFrom::Product { quantity, price }) => {
                write!(f, ", amount = {} × {}", quantity.name, price.name)?;
            }
        }
        let others = [
            ("order", &self.order),
            ("product", &self.product),
            ("currency", &self.currency),
            ("event", &self.event),
        ];
        for (what, column) in others {
            if let Some(column) = column {
                write!(f, ", {what} = {}", column.name)?;
            }
        }
        Ok(())
    }
}

/// A header, and where it stands.
pub(crate) struct File<'a> {
    pub header: &'a [String],
    pub path: &'a Path,
}

impl File<'_> {
    fn at(&self, position: usize) -> Result<Column> {
        let name = self.header[position].clone();
        if self.header.iter().filter(|h| **h == name).count() > 1 {
            return Err(Error::TwiceInHeader { path: self.path.into(), name });
        }
        Ok(Column { name, position })
    }

    pub(crate) fn named(&self, name: &str) -> Result<Column> {
        match self.header.iter().position(|h| h == name) {
            Some(position) => self.at(position),
            None => Err(Error::UnknownColumn {
                path: self.path.into(),
                name: name.to_owned(),
                found: self.header.to_vec(),
            }),
        }
    }

    pub(crate) fn known(&self, names: &[&str]) -> Result<Option<Column>> {
        let plain: Vec<String> = self.header.iter().map(|h| plain(h)).collect();
        let found = names.iter().find_map(|name| plain.iter().position(|h| h == name));
        found.map(|position| self.at(position)).transpose()
    }

    /// The column that is named, or else one that is known.
    fn optional(&self, named: Option<&str>, names: &[&str]) -> Result<Option<Column>> {
        match named {
            Some(name) => self.named(name).map(Some),
            None => self.known(names),
        }
    }

    /// A column of a table beside the log: the one that is named, where the table has it (it is the log's name for such a
    /// column), or else one that is known.
    pub(crate) fn of_table(
        &self,
        what: &'static str,
        named: Option<&str>,
        names: &'static [&'static str],
    ) -> Result<Column> {
        let own = named.and_then(|name| self.header.iter().position(|h| h == name));
        let found = own.map_or_else(|| self.known(names), |position| self.at(position).map(Some));
        found?.ok_or_else(|| Error::NoTableColumn {
            path: self.path.into(),
            what,
            names,
            found: self.header.to_vec(),
        })
    }

    pub(crate) fn needed(&self, what: &'static str, named: Option<&str>, names: &[&str]) -> Result<Column> {
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
pub(crate) fn plain(name: &str) -> String {
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
                "customer = CustomerID, date = InvoiceDate, amount = Quantity × UnitPrice, order = InvoiceNo, product = StockCode",
            ),
            ("Id,Date,Price", "customer = Id, date = Date, amount = Price"),
            ("cust,date", "customer = cust, date = date, no amounts"),
        ] {
            assert_eq!(recognise(header).unwrap().to_string(), said);
        }
    }

    #[test]
    fn shopify_is_known_by_its_columns() {
        let recognised = recognise(
            "Name,Email,Financial Status,Paid at,Currency,Subtotal,Shipping,Taxes,Total,Created at,Lineitem \
             quantity,Lineitem name,Lineitem price,Cancelled at,Refunded Amount,Id",
        )
        .unwrap();
        assert_eq!(recognised.shape, Shape::ShopifyOrders);
        assert_eq!(
            recognised.to_string(),
            "customer = Email, date = Created at, amount = Total, order = Name, currency = Currency"
        );
        assert_eq!(recognised.order.unwrap().name, "Name");
        assert_eq!(
            recognise("InvoiceNo,StockCode,Quantity,InvoiceDate,UnitPrice,CustomerID").unwrap().shape,
            Shape::UciOnlineRetail
        );
    }

    #[test]
    fn what_is_missing_is_said_with_what_there_is() {
        let error = recognise("who,date").unwrap_err().to_string();
        assert!(error.contains("--customer") && error.contains("who, date"), "{error}");
        assert!(recognise("customer,date,date").unwrap_err().to_string().contains("twice"));
    }
}
