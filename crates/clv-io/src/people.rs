//! Tables that are not of purchases: attributes of customers, events, aliases.

use std::fmt;
use std::path::Path;

use clv_core::contracts::Contracts;
use clv_core::events::{Event, EventKind};
use clv_core::ledger::Reason;
use clv_core::{Intake, Timelines};

use crate::columns::{CUSTOMER, Column, DATE, File, PRODUCT, Shape};
use crate::dress::Dress;
use crate::error::{Error, Result};
use crate::options::ReadOptions;
use crate::row::key;
use crate::source;
use crate::table::{Cell, Digits, Dressed, Line, Refused, Row, Table};
use crate::values::{DATES, Decimal};

const KIND: &[&str] = &["event", "kind", "type", "action", "activity"];
const FROM: &[&str] = &["from", "since", "validfrom", "covdate", "week"];
const START: &[&str] = &[
    "start",
    "begin",
    "from",
    "since",
    "startdate",
    "begindate",
    "contractstart",
    "signup",
    "signupdate",
    "subscribed",
    "subscribedat",
    "activated",
    "activationdate",
    "joined",
    "joindate",
    "registrationinittime",
];
const END: &[&str] = &[
    "end",
    "until",
    "ended",
    "enddate",
    "contractend",
    "cancelled",
    "canceled",
    "cancelledat",
    "canceledat",
    "canceldate",
    "churned",
    "churndate",
    "terminated",
    "terminationdate",
    "expirationdate",
    "left",
];
const SUBJECT: &[&str] = &[
    "subject",
    "product",
    "productid",
    "sku",
    "stockcode",
    "query",
    "keywords",
    "campaign",
    "campaignid",
    "item",
];
const VALUE: &[&str] = &["value", "duration", "seconds", "rating", "score", "quantity"];

/// Which columns of a table were taken for what: `customer = kunde, date = tag`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableColumns(Vec<(&'static str, String)>);

impl fmt::Display for TableColumns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = |(what, name): &(&str, String)| format!("{what} = {name}");
        f.write_str(&self.0.iter().map(part).collect::<Vec<_>>().join(", "))
    }
}

/// Reads a table with a customer column; each other column is an attribute.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("people.csv");
/// use clv_core::attributes::Conflict;
/// std::fs::write(&path, "customer_id,age,region\nada,36,north\nbob,,south\n")?;
/// let mut shop = clv_core::Gathering::new(Default::default(), Conflict::FirstStands);
/// clv_io::people::attributes(&path, &clv_io::ReadOptions::new(), &mut shop)?;
/// let people = shop.finish().attributes;
/// assert_eq!(people.attribute("age").unwrap().missing(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// [`Error`]; rows without a customer are entries of the ledger.
pub fn attributes(path: &Path, options: &ReadOptions, to: &mut dyn Intake) -> Result<TableColumns> {
    attributes_of(path, ("customer", options.customer.as_deref(), CUSTOMER), options, to)
}

/// Reads a table with a product column; each other column is an attribute of the product, which stands where
/// otherwise a customer does.
///
/// # Errors
///
/// As [`attributes`].
pub fn catalogue(path: &Path, options: &ReadOptions, to: &mut dyn Intake) -> Result<TableColumns> {
    attributes_of(path, ("product", options.product.as_deref(), PRODUCT), options, to)
}

fn attributes_of(
    path: &Path,
    (what, stated, usual): (&'static str, Option<&str>, &'static [&'static str]),
    options: &ReadOptions,
    to: &mut dyn Intake,
) -> Result<TableColumns> {
    let table = source::open(path, options)?;
    let header = table.header().to_vec();
    let file = File { header: &header, path };
    let customer = file.of_table(what, stated, usual)?;
    let dress = Dress::default();
    // With a comma before the cents, a number is stated with a point.
    let commas: Vec<bool> = (0..header.len())
        .map(|position| {
            let proved = || Decimal::proved(table.sample(position).iter().map(String::as_str));
            options.decimal.unwrap_or_else(proved) == Decimal::Comma
        })
        .collect();
    let all: Vec<usize> = (0..header.len()).collect();
    each_row(table, path, &all, to, |to, line, row| {
        let row = Dressed { row, dress: &dress };
        match name(row, &customer, options) {
            Err(refused) => refuse(to, line, refused),
            Ok(who) => {
                for (position, attribute) in header.iter().enumerate() {
                    if position != customer.position && !attribute.is_empty() {
                        let cell = row.row.cell(position);
                        let number = if commas[position] { with_comma(cell) } else { None };
                        let stated = number.map_or_else(|| text(cell), |number| number.to_string());
                        to.attribute(&who, attribute, &stated);
                    }
                }
                to.set_aside(line, Reason::NotAPurchase, &customer.name, "attributes");
                Ok(())
            }
        }
    })?;
    Ok(TableColumns(vec![(what, customer.name)]))
}

/// Reads a table of events: customer, date, and as far as there are such columns kind, subject and
/// value. Without a kind column every row is of the kind given.
///
/// # Errors
///
/// As [`attributes`].
pub fn events(
    path: &Path,
    kind: Option<EventKind>,
    options: &ReadOptions,
    to: &mut dyn Intake,
) -> Result<TableColumns> {
    let table = source::open(path, options)?;
    let header = table.header().to_vec();
    let file = File { header: &header, path };
    let customer = file.of_table("customer", options.customer.as_deref(), CUSTOMER)?;
    let date = file.of_table("date", options.date.as_deref(), DATE)?;
    let (kinds, value) = (file.known(KIND)?, file.known(VALUE)?);
    let product = options.product.as_deref().filter(|name| header.iter().any(|h| h == name));
    let subject = product.map_or_else(|| file.known(SUBJECT), |name| file.named(name).map(Some))?;
    if kind.is_none() && kinds.is_none() {
        file.of_table("kind of event", None, KIND)?;
    }
    let dates = Dress::dates(table.as_ref(), &date, Shape::Plain, options, path)?;
    let proved = || {
        let sample = value.as_ref().map_or_else(Vec::new, |column| table.sample(column.position));
        Decimal::proved(sample.iter().map(String::as_str))
    };
    let dress = Dress { dates, decimal: options.decimal.unwrap_or_else(proved) };
    let all: Vec<usize> = (0..header.len()).collect();
    each_row(table, path, &all, to, |to, line, row| {
        let row = Dressed { row, dress: &dress };
        let read = || {
            let who = name(row, &customer, options)?;
            let time = row.moment(&date)?;
            let time = time.ok_or_else(|| Refused::new(Reason::MissingDate, &date, "", DATES))?;
            let value = value.as_ref().map(|column| row.number(column, Reason::BadQuantity));
            Ok((who, time, value.transpose()?.flatten()))
        };
        match read() {
            Err(refused) => refuse(to, line, refused),
            Ok((who, time, value)) => {
                let cell = |column: &Option<Column>| {
                    column.as_ref().map(|c| text(row.row.cell(c.position))).filter(|t| !t.is_empty())
                };
                let stated = cell(&kinds);
                let kind = kind.unwrap_or_else(|| EventKind::of(stated.as_deref().unwrap_or("")));
                let named = cell(&subject);
                let subject = match kind {
                    EventKind::Other => named.as_deref().or(stated.as_deref()),
                    _ => named.as_deref(),
                };
                to.event(Event { customer: &who, time, kind, subject, value });
                to.set_aside(line, Reason::NotAPurchase, "event", &kind.to_string());
                Ok(())
            }
        }
    })?;
    let mut taken = vec![("customer", customer.name), ("date", date.name)];
    let others = [("kind", kinds), ("subject", subject), ("value", value)];
    taken.extend(others.into_iter().filter_map(|(what, column)| Some((what, column?.name))));
    Ok(TableColumns(taken))
}

/// Reads values over time: a date from which a row holds, a customer unless it is of everybody, and each other column a number that
/// changes. Rows may come in any order.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("season.csv");
/// std::fs::write(&path, "from,high_season\n2024-01-01,0\n2024-11-15,1\n2025-01-01,0\n")?;
/// let mut ledger = clv_core::Gathering::new(Default::default(), Default::default());
/// let (season, columns) = clv_io::people::timelines(&path, &clv_io::ReadOptions::new(), &mut ledger)?;
/// assert_eq!(season.columns(), ["high_season"]);
/// assert_eq!(columns.to_string(), "date = from");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// As [`attributes`]; a row that says otherwise than another of the same customer and moment is an entry of the ledger.
pub fn timelines(
    path: &Path,
    options: &ReadOptions,
    to: &mut dyn Intake,
) -> Result<(Timelines, TableColumns)> {
    let table = source::open(path, options)?;
    let header = table.header().to_vec();
    let file = File { header: &header, path };
    let stated = options.customer.as_deref().filter(|name| header.iter().any(|h| h == name));
    let customer = stated.map_or_else(|| file.known(CUSTOMER), |name| file.named(name).map(Some))?;
    let own = options.date.as_deref().is_some_and(|name| header.iter().any(|h| h == name));
    let from = if own { None } else { file.known(FROM)? };
    let date = from.map_or_else(|| file.of_table("date", options.date.as_deref(), DATE), Ok)?;
    let is_value = |place: usize| {
        place != date.position
            && customer.as_ref().is_none_or(|c| c.position != place)
            && !header[place].is_empty()
    };
    let columns: Vec<Column> = (0..header.len())
        .filter(|&place| is_value(place))
        .map(|place| file.named(&header[place]))
        .collect::<Result<_>>()?;
    let dates = Dress::dates(table.as_ref(), &date, Shape::Plain, options, path)?;
    let proved = || {
        let samples: Vec<String> = columns.iter().flat_map(|column| table.sample(column.position)).collect();
        Decimal::proved(samples.iter().map(String::as_str))
    };
    let dress = Dress { dates, decimal: options.decimal.unwrap_or_else(proved) };
    let mut timelines = Timelines::new(columns.iter().map(|c| c.name.as_str()))
        .map_err(|source| Error::Log { path: path.into(), source })?;
    let all: Vec<usize> = (0..header.len()).collect();
    let mut values = Vec::new();
    each_row(table, path, &all, to, |to, line, row| {
        let row = Dressed { row, dress: &dress };
        let mut read = || {
            let who = customer.as_ref().map(|column| name(row, column, options)).transpose()?;
            let time = row.moment(&date)?;
            let time = time.ok_or_else(|| Refused::new(Reason::MissingDate, &date, "", DATES))?;
            values.clear();
            for column in &columns {
                let value = row.number(column, Reason::BadQuantity)?;
                let missing = || Refused::new(Reason::BadQuantity, column, "", "a number");
                values.push(value.ok_or_else(missing)?);
            }
            Ok((who, time))
        };
        match read() {
            Err(refused) => refuse(to, line, refused),
            Ok((who, time)) => fate_of(
                to,
                line,
                timelines.state(who.as_deref(), time, &values),
                (&date.name, "values over time"),
            ),
        }
    })?;
    let taken = customer.map(|column| ("customer", column.name)).into_iter().chain([("date", date.name)]);
    Ok((timelines, TableColumns(taken.collect())))
}

/// Reads contracts: a customer, the date from which theirs holds, and the date from which it no longer does, empty while it goes on. The columns of
/// the dates are those named, or known ones.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("contracts.csv");
/// std::fs::write(&path, "customer_id,start,end\nada,2024-01-15,2024-04-20\nbob,2024-01-31,\n")?;
/// let mut ledger = clv_core::Gathering::new(Default::default(), Default::default());
/// let options = clv_io::ReadOptions::new();
/// let (contracts, columns) = clv_io::people::contracts(&path, (None, None), &options, &mut ledger)?;
/// assert_eq!(contracts.len(), 2);
/// assert_eq!(columns.to_string(), "customer = customer_id, start = start, end = end");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// As [`attributes`]; a row that ends before it starts, or is a second contract of a customer, is an entry of the ledger.
pub fn contracts(
    path: &Path,
    (start, end): (Option<&str>, Option<&str>),
    options: &ReadOptions,
    to: &mut dyn Intake,
) -> Result<(Contracts, TableColumns)> {
    let table = source::open(path, options)?;
    let header = table.header().to_vec();
    let file = File { header: &header, path };
    let customer = file.of_table("customer", options.customer.as_deref(), CUSTOMER)?;
    let date = |what, stated: Option<&str>, usual| match stated {
        Some(name) => file.named(name),
        None => file.of_table(what, None, usual),
    };
    let (start, end) = (date("start of a contract", start, START)?, date("end of a contract", end, END)?);
    let dress = |column| {
        let dates = Dress::dates(table.as_ref(), column, Shape::Plain, options, path)?;
        Ok::<_, Error>(Dress { dates, ..Dress::default() })
    };
    let (of_start, of_end) = (dress(&start)?, dress(&end)?);
    let mut contracts = Contracts::default();
    let all: Vec<usize> = (0..header.len()).collect();
    each_row(table, path, &all, to, |to, line, row| {
        let read = || {
            let from = Dressed { row, dress: &of_start };
            let who = name(from, &customer, options)?;
            let begun = from.moment(&start)?;
            let begun = begun.ok_or_else(|| Refused::new(Reason::MissingDate, &start, "", DATES))?;
            Ok((who, begun, Dressed { row, dress: &of_end }.moment(&end)?))
        };
        match read() {
            Err(refused) => refuse(to, line, refused),
            Ok((who, begun, ended)) => {
                fate_of(to, line, contracts.state(&who, begun, ended), (&start.name, "contract"))
            }
        }
    })?;
    Ok((contracts, TableColumns(vec![("customer", customer.name), ("start", start.name), ("end", end.name)])))
}

/// Reads an alias table of two columns: a name, and the name that counts.
///
/// # Errors
///
/// As [`attributes`]; [`Error::NoColumn`] unless there are two columns.
pub fn aliases(path: &Path, options: &ReadOptions, to: &mut dyn Intake) -> Result<()> {
    let table = source::open(path, options)?;
    if table.header().len() < 2 {
        return Err(Error::NoColumn { path: path.into(), what: "customer", found: table.header().to_vec() });
    }
    each_row(table, path, &[0, 1], to, |to, line, row| {
        let (alias, customer) = (text(row.cell(0)), text(row.cell(1)));
        to.alias(&key(&alias, options.customer_key), &key(&customer, options.customer_key));
        to.set_aside(line, Reason::NotAPurchase, "alias", &alias);
        Ok(())
    })?;
    Ok(())
}

/// Takes in a table row by row; what is no row is an entry of the ledger.
fn each_row(
    table: Box<dyn Table>,
    path: &Path,
    wanted: &[usize],
    to: &mut dyn Intake,
    mut take: impl FnMut(&mut dyn Intake, u64, &dyn Row) -> clv_core::Result<()>,
) -> Result<()> {
    to.source(&path.display().to_string());
    table.visit(wanted, &mut |line: u64, found: Line<'_>| {
        let entered = match found {
            Line::Broken(found, allowed) => to.reject(line, Reason::Malformed, "row", found, allowed),
            Line::Row(row) => take(to, line, row),
        };
        entered.map_err(|source| Error::Log { path: path.into(), source })
    })?;
    Ok(())
}

/// The fate of a row by what was said of it: one that contradicts is an entry of the ledger.
fn fate_of(
    to: &mut dyn Intake,
    line: u64,
    said: clv_core::Result<()>,
    (field, what): (&str, &str),
) -> clv_core::Result<()> {
    match said {
        Ok(()) => {
            to.set_aside(line, Reason::NotAPurchase, field, what);
            Ok(())
        }
        Err(clv_core::Error::Attribute { attribute, given, allowed, .. }) => {
            to.reject(line, Reason::Malformed, &attribute, &given, allowed)
        }
        Err(other) => Err(other),
    }
}

fn name(row: Dressed<'_>, customer: &Column, options: &ReadOptions) -> Result<String, Refused> {
    let mut digits = Digits::new();
    let text = row.text(customer, &mut digits)?;
    if text.is_empty() {
        return Err(Refused::new(Reason::MissingCustomer, customer, "", "a name that is not empty"));
    }
    Ok(key(text, options.customer_key).into_owned())
}

/// A number that is read otherwise than with a point: 01234 stays the word that it is.
fn with_comma(cell: Cell<'_>) -> Option<f64> {
    match cell {
        Cell::Text(text) if text.contains([',', '.']) => Decimal::Comma.read(text),
        _ => None,
    }
}

fn refuse(to: &mut dyn Intake, line: u64, refused: Refused) -> clv_core::Result<()> {
    let Refused { reason, field, value, allowed } = refused;
    to.reject(line, reason, &field, &value, allowed)
}

fn text(cell: Cell<'_>) -> String {
    match cell {
        Cell::Text(text) => text.trim().to_owned(),
        Cell::Whole(n) => n.to_string(),
        Cell::Number(n) if n.is_finite() => n.to_string(),
        Cell::Moment(wall, _) => clv_core::Moment::from_micros(wall).to_string(),
        _ => String::new(),
    }
}
