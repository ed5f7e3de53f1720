//! Segment's events, one JSON object a line.
//!
//! Names follow Segment's specification (Spec: V2 Ecommerce Events, Spec: Identify, Spec: Alias).
//! A customer is the `userId`; before they log in, the `anonymousId`, which becomes theirs with the
//! first event that has both.

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
                // Segment delivers at least once: a message may come again.
                let message = text(value, "messageId");
                if message.is_some_and(|id| !seen.insert(id.to_owned())) {
                    to.set_aside(line, Reason::Duplicate, "messageId", message.unwrap_or_default());
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
    let Some(customer) = user.or(device) else {
        return to.reject(line, Reason::MissingCustomer, "userId", "", "a userId or an anonymousId");
    };
    let customer = key(customer, options.customer_key);
    if let (Some(_), Some(device)) = (user, device) {
        to.alias(device, &customer);
    }
    let kind = text(value, "type").unwrap_or("");
    if kind == "alias" {
        if let Some(previous) = text(value, "previousId") {
            to.alias(previous, &customer);
        }
        to.set_aside(line, Reason::NotAPurchase, "type", kind);
        return Ok(());
    }
    if kind == "identify" {
        if let Some(Value::Object(traits)) = value.get("traits") {
            for name in traits.keys() {
                let stated = cell_text(traits.get(name));
                to.attribute(&customer, name, &stated);
            }
        }
        to.set_aside(line, Reason::NotAPurchase, "type", kind);
        return Ok(());
    }
    let when = text(value, "timestamp").or_else(|| text(value, "originalTimestamp")).unwrap_or("");
    let time = match when {
        "" => return to.reject(line, Reason::MissingDate, "timestamp", "", DATES),
        when => match dates.read(when) {
            Ok(time) => time,
            Err(_) => return to.reject(line, Reason::BadDate, "timestamp", when, DATES),
        },
    };
    let event = text(value, "event").unwrap_or(kind);
    match event {
        "Order Completed" => order(to, line, value, &customer, time, 1.0),
        "Order Refunded" => {
            to.notice(Notice::Cancellation);
            order(to, line, value, &customer, time, -1.0)
        }
        _ => {
            let kind = EventKind::of(event);
            let property =
                |names: &[&str]| names.iter().find_map(|n| text(value, &format!("properties.{n}")));
            let subject = match kind {
                EventKind::Searched => property(&["query"]),
                EventKind::Touched => property(&["campaign", "promotion_id", "name"]),
                EventKind::Other => Some(event),
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
            to.event(Event { customer: &customer, time, kind, subject, value: worth });
            to.set_aside(line, Reason::NotAPurchase, "event", event);
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
    let product =
        only.and_then(|p| ["product_id", "sku"].iter().find_map(|n| p.get(n).and_then(Value::as_str)));
    let order = text(value, "properties.order_id");
    let currency = text(value, "properties.currency");
    to.transaction(
        line,
        Transaction {
            amount: Some(amount),
            order,
            product,
            quantity,
            currency,
            ..Transaction::new(customer, time)
        },
    )
}

fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    member(value, name).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty())
}

fn number(value: &Value, name: &str) -> Option<f64> {
    match cell(member(value, name)) {
        Cell::Number(n) => Some(n),
        Cell::Text(text) => Decimal::Point.read(text),
        _ => None,
    }
}

fn cell_text(value: Option<&Value>) -> String {
    match cell(value) {
        Cell::Text(text) => text.to_owned(),
        Cell::Number(n) => n.to_string(),
        _ => String::new(),
    }
}
