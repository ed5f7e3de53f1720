//! Segment's events, one JSON object a line.
//!
//! Names follow Segment's specification (Spec: V2 Ecommerce Events, Spec: Identify, Spec: Alias).
//! A customer is the `userId`; before they log in, the `anonymousId`, which becomes theirs with the
//! first event that has both.

use std::borrow::Cow;
use std::io::Read;
use std::path::Path;

use clv_core::events::{Event, EventKind};
use clv_core::ledger::Reason;
use clv_core::{Intake, Moment, Money, Notice, Transaction};
use serde_json::Value;

use crate::error::{Error, Result};
use crate::jsonl::{cell, member, objects};
use crate::options::ReadOptions;
use crate::row::key;
use crate::table::Cell;
use crate::values::{DATES, Dates, Decimal, NUMBERS};

/// Whether these members are those of Segment's events.
pub(crate) fn is_segment(header: &[String]) -> bool {
    let has = |name: &str| header.iter().any(|h| h == name);
    has("type")
        && (has("userId") || has("anonymousId"))
        && (has("event") || header.iter().any(|h| h.starts_with("traits.")))
}

/// Reads events: orders and refunds as transactions, the others as events, traits as attributes.
pub(crate) fn read(source: impl Read, name: &Path, options: &ReadOptions, to: &mut dyn Intake) -> Result<()> {
    let dates = Dates {
        format: options.date_format.clone(),
        order: options.day_or_month,
        zone: options.zone.clone(),
    };
    let mut seen = std::collections::HashSet::new();
    objects(source, name, &mut |line, object| {
        let entered = match object {
            Err(found) => to.reject(line, Reason::Malformed, "row", found, "one JSON object a line"),
            Ok(value) => {
                // Segment delivers at least once: a message may come again. Of orders whatever takes them
                // minds that, in this file or another.
                let message = text(value, "messageId");
                let order =
                    text(value, "event").is_some_and(|e| e == "Order Completed" || e == "Order Refunded");
                if let Some(id) = message.filter(|_| !order)
                    && !seen.insert(id.clone().into_owned())
                {
                    to.set_aside(line, Reason::Duplicate, "messageId", &id);
                    return Ok(());
                }
                enter(to, line, value, &dates, options)
            }
        };
        entered.map_err(|source| Error::Log { path: name.into(), source })
    })
}

fn enter(
    to: &mut dyn Intake,
    line: u64,
    value: &Value,
    dates: &Dates,
    options: &ReadOptions,
) -> clv_core::Result<()> {
    let (user, device) = (text(value, "userId"), text(value, "anonymousId"));
    let Some(name) = user.as_ref().or(device.as_ref()) else {
        return to.reject(line, Reason::MissingCustomer, "userId", "", "a userId or an anonymousId");
    };
    let customer = key(name, options.customer_key);
    if let (Some(_), Some(device)) = (&user, &device) {
        to.alias(&key(device, options.customer_key), &customer);
    }
    let kind = text(value, "type").unwrap_or_default();
    if kind == "alias" {
        if let Some(previous) = text(value, "previousId") {
            to.alias(&key(&previous, options.customer_key), &customer);
        }
        to.set_aside(line, Reason::NotAPurchase, "type", &kind);
        return Ok(());
    }
    if kind == "identify" {
        if let Some(Value::Object(traits)) = value.get("traits") {
            for name in traits.keys() {
                let stated = cell_text(traits.get(name));
                to.attribute(&customer, name, &stated);
            }
        }
        to.set_aside(line, Reason::NotAPurchase, "type", &kind);
        return Ok(());
    }
    let when = text(value, "timestamp").or_else(|| text(value, "originalTimestamp")).unwrap_or_default();
    let time = match &*when {
        "" => return to.reject(line, Reason::MissingDate, "timestamp", "", DATES),
        when => match dates.read(when) {
            Ok(time) => time,
            Err(_) => return to.reject(line, Reason::BadDate, "timestamp", when, DATES),
        },
    };
    let event = text(value, "event").unwrap_or(kind);
    match &*event {
        "Order Completed" => order(to, line, value, &customer, time, 1.0),
        "Order Refunded" => {
            to.notice(Notice::Cancellation);
            order(to, line, value, &customer, time, -1.0)
        }
        _ => {
            let kind = EventKind::of(&event);
            let property =
                |names: &[&str]| names.iter().find_map(|n| text(value, &format!("properties.{n}")));
            let subject = match kind {
                EventKind::Searched => property(&["query"]),
                EventKind::Touched => property(&["campaign", "promotion_id", "name"]),
                EventKind::Other => Some(event.clone()),
                _ => property(&["product_id", "sku", "list_id", "name", "path"]),
            };
            let amount =
                |names: &[&str]| names.iter().find_map(|n| number(value, &format!("properties.{n}")));
            let worth = match kind {
                EventKind::Viewed => amount(&["duration", "duration_seconds"]),
                EventKind::AddedToCart => amount(&["quantity"]),
                EventKind::Reviewed => amount(&["rating"]),
                EventKind::Satisfaction => amount(&["score", "rating"]),
                _ => None,
            };
            to.event(Event { customer: &customer, time, kind, subject: subject.as_deref(), value: worth });
            to.set_aside(line, Reason::NotAPurchase, "event", &event);
            Ok(())
        }
    }
}

fn order(
    to: &mut dyn Intake,
    line: u64,
    value: &Value,
    customer: &str,
    time: Moment,
    sign: f64,
) -> clv_core::Result<()> {
    let total = ["properties.total", "properties.revenue", "properties.value"];
    let found = total.iter().find_map(|name| member(value, name).map(|v| (*name, v)));
    let Some((name, stated)) = found else {
        return to.reject(line, Reason::MissingAmount, total[0], "", NUMBERS);
    };
    let amount = match cell(Some(stated)) {
        Cell::Whole(n) => Money::new(sign * (n as f64).abs()).ok(),
        Cell::Number(n) => Money::new(sign * n.abs()).ok(),
        Cell::Text(text) => Decimal::Point.read(text).and_then(|n| Money::new(sign * n.abs()).ok()),
        _ => None,
    };
    let Some(amount) = amount else {
        return to.reject(line, Reason::BadAmount, name, &stated.to_string(), NUMBERS);
    };
    let products = member(value, "properties.products").and_then(Value::as_array);
    let quantity = products.map(|list| {
        list.iter().map(|p| p.get("quantity").and_then(Value::as_f64).unwrap_or(1.0)).sum::<f64>()
    });
    // An order of one product names it.
    let only = products.filter(|list| list.len() == 1).and_then(|list| list.first());
    let product = only.and_then(|p| ["product_id", "sku"].iter().find_map(|n| p.get(n).and_then(id)));
    let order = text(value, "properties.order_id");
    let currency = text(value, "properties.currency");
    let event = text(value, "messageId");
    to.transaction(
        line,
        Transaction {
            amount: Some(amount),
            order: order.as_deref(),
            product: product.as_deref(),
            quantity,
            currency: currency.as_deref(),
            event: event.as_deref(),
            ..Transaction::new(customer, time)
        },
    )
}

/// A text, or a whole number as its digits: shops that number their customers send numbers.
fn text<'a>(value: &'a Value, name: &str) -> Option<Cow<'a, str>> {
    id(member(value, name)?)
}

fn id(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(text.trim()).filter(|t| !t.is_empty()).map(Cow::Borrowed),
        Value::Number(n) if n.is_i64() || n.is_u64() => Some(Cow::Owned(n.to_string())),
        _ => None,
    }
}

fn number(value: &Value, name: &str) -> Option<f64> {
    match cell(member(value, name)) {
        Cell::Whole(n) => Some(n as f64),
        Cell::Number(n) => Some(n),
        Cell::Text(text) => Decimal::Point.read(text),
        _ => None,
    }
}

fn cell_text(value: Option<&Value>) -> String {
    match cell(value) {
        Cell::Text(text) => text.to_owned(),
        Cell::Whole(n) => n.to_string(),
        Cell::Number(n) => n.to_string(),
        _ => String::new(),
    }
}
