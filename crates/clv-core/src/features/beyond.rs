//! What is known of customers beyond how often they bought, when, and for how much: the products, what they
//! did without buying, and what they are.

use std::collections::{BTreeMap, BTreeSet};

use crate::attributes::{Attributes, Values};
use crate::cut::Cut;
use crate::error::{Error, Result};
use crate::events::{Event, EventKind, EventLog};
use crate::features::FeatureMatrix;
use crate::log::TransactionLog;
use crate::units::{Moment, Span};

/// Columns of what else is known, as of a cut. NaN stands for what is not known of a customer
/// ([`Rows::with_missing`](crate::learn::Rows::with_missing)); a customer who never searched has searched 0 times.
///
/// Of a log with products ([`Beyond::products`]):
///
/// | column | of the rows up to the cut |
/// | :-- | :-- |
/// | `products` | distinct products |
/// | `lines_per_order` | rows over orders (over days, if rows do not name their order) |
/// | `top_product_share` | share of the rows of the product bought most often |
/// | `rebought_share` | share of the rows whose product was bought in an earlier order |
/// | `units_per_line`, `unit_price` | mean quantity, and money over quantity; NaN without |
/// | `product_popularity` | mean, over the rows, of the share of all customers who have bought that product by then |
///
/// Of events ([`Beyond::events`]), for each kind `K` that occurs up to the cut:
///
/// | column | |
/// | :-- | :-- |
/// | `K_count`, `K_within_D_days` | how often: ever, within the last `D` days |
/// | `K_subjects` | distinct products, words or campaigns |
/// | `K_silence` | days since the last; NaN if there was none |
/// | `K_mean` | mean value: dwell time, pieces, rating, score; NaN if there was none |
/// | `next_is_purchase` | Markov: of all customers' steps up to the cut from the kind of action that was this customer's last, the share that led to a purchase; NaN if nobody has gone on from there |
///
/// Of attributes ([`Beyond::attributes`]): numbers as they are; words as the number of the word in the
/// attribute's [`words`](crate::attributes::Attribute::words), for a learner that takes categories. Attributes have no time:
/// state only what was known at the cut.
///
/// ```
/// use clv_core::{Cut, Grain, LogBuilder, Moment, Transaction, features::Beyond};
///
/// let mut log = LogBuilder::new();
/// for (day, product) in [("2024-01-05", "tea"), ("2024-01-09", "tea"), ("2024-01-09", "cup"), ("2024-02-01", "pot")] {
///     log.push(Transaction { product: Some(product), ..Transaction::new("ada", Moment::parse_date(day)?) })?;
/// }
/// let log = log.finish();
/// let cut = Cut::end_of(Moment::parse_date("2024-01-31")?, Grain::Day);
/// let known = Beyond::new(cut).products(&log).columns(&["ada"])?;
/// assert_eq!(known.names()[..3], ["products", "lines_per_order", "top_product_share"]);
/// assert_eq!(known.row(0)[..3], [2.0, 1.5, 2.0 / 3.0]);      // the pot came later
/// # Ok::<(), clv_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Beyond<'a> {
    cut: Cut,
    spans: Vec<Span>,
    log: Option<&'a TransactionLog>,
    events: Option<&'a EventLog>,
    attributes: Option<&'a Attributes>,
}

impl<'a> Beyond<'a> {
    /// As of a cut.
    pub fn new(cut: Cut) -> Self {
        Self { cut, spans: Vec::new(), log: None, events: None, attributes: None }
    }

    /// Counts events within these spans before the cut, too.
    pub fn within(self, spans: &[Span]) -> Self {
        Self { spans: spans.to_vec(), ..self }
    }

    /// With the products of a log.
    pub fn products(self, log: &'a TransactionLog) -> Self {
        Self { log: Some(log), ..self }
    }

    /// With what customers did without buying. With [`Beyond::products`] as well, purchases are steps of
    /// theirs too.
    pub fn events(self, events: &'a EventLog) -> Self {
        Self { events: Some(events), ..self }
    }

    /// With what customers are.
    pub fn attributes(self, attributes: &'a Attributes) -> Self {
        Self { attributes: Some(attributes), ..self }
    }

    /// The columns, a row for each of these customers. What is computed of one customer is the same alone
    /// and among others.
    ///
    /// # Errors
    ///
    /// [`Error::TooLittleData`] if nothing is known: no log, no events, no attributes.
    pub fn columns(&self, customers: &[&str]) -> Result<FeatureMatrix> {
        let mut parts: Vec<Part> = Vec::new();
        if let Some(log) = self.log {
            parts.push(self.of_products(log, customers));
        }
        if let Some(events) = self.events {
            parts.push(self.of_events(events, customers));
        }
        if let Some(attributes) = self.attributes {
            parts.push(of_attributes(attributes, customers));
        }
        let names: Vec<String> = parts.iter().flat_map(|part| part.names.iter().cloned()).collect();
        if names.is_empty() {
            let needs = "products, events or attributes";
            return Err(Error::TooLittleData { model: "a feature plan", needs, found: 0 });
        }
        let row = |r: usize| parts.iter().flat_map(move |part| part.rows[r].iter().copied());
        FeatureMatrix::new(names, (0..customers.len()).flat_map(row).collect())
    }

    fn of_products(&self, log: &TransactionLog, customers: &[&str]) -> Part {
        let mut of: Vec<Vec<usize>> = vec![Vec::new(); log.customers().len()];
        let mut buyers: BTreeMap<&str, BTreeSet<u32>> = BTreeMap::new();
        for row in (0..log.len()).filter(|&row| self.cut.is_past(log.time()[row])) {
            of[log.customer()[row] as usize].push(row);
            if let Some(product) = log.product(row) {
                buyers.entry(product).or_default().insert(log.customer()[row]);
            }
        }
        let known = of.iter().filter(|rows| !rows.is_empty()).count() as f64;
        let popularity = |row: usize| {
            let product = log.product(row)?;
            Some(buyers.get(product).map_or(0, BTreeSet::len) as f64 / known)
        };
        let names = [
            "products",
            "lines_per_order",
            "top_product_share",
            "rebought_share",
            "units_per_line",
            "unit_price",
            "product_popularity",
        ];
        let rows = customers.iter().map(|name| {
            let mut rows = log.customers().find(name).map_or(Vec::new(), |c| of[c as usize].clone());
            rows.sort_by_key(|&row| log.time()[row]);
            let count = rows.len() as f64;
            // An order by its name, or the day.
            let order = |row: usize| match log.order(row) {
                Some(order) => (order.to_owned(), Moment::from_micros(0)),
                None => (String::new(), self.cut.grain().floor(log.time()[row])),
            };
            let orders: BTreeSet<_> = rows.iter().map(|&row| order(row)).collect();
            let mut times: BTreeMap<&str, usize> = BTreeMap::new();
            let (mut named, mut again) = (0.0, 0.0);
            for group in rows.chunk_by(|&a, &b| order(a) == order(b)) {
                for &row in group {
                    let Some(product) = log.product(row) else { continue };
                    named += 1.0;
                    again += f64::from(times.contains_key(product));
                }
                group
                    .iter()
                    .filter_map(|&row| log.product(row))
                    .for_each(|p| *times.entry(p).or_default() += 1);
            }
            let units: Vec<(f64, usize)> =
                rows.iter().filter_map(|&row| Some((log.quantity(row)?, row))).collect();
            let spent = |rows: &[(f64, usize)]| {
                log.amount().map(|amount| rows.iter().map(|&(_, row)| amount[row].to_f64()).sum::<f64>())
            };
            let pieces: f64 = units.iter().map(|(quantity, _)| quantity).sum();
            let price = spent(&units).filter(|_| pieces > 0.0).map_or(f64::NAN, |money| money / pieces);
            let seen: Vec<f64> = rows.iter().filter_map(|&row| popularity(row)).collect();
            let top = times.values().max().map_or(0.0, |n| *n as f64);
            vec![
                times.len() as f64,
                share(count, orders.len() as f64),
                share(top, named),
                share(again, named),
                share(pieces, units.len() as f64),
                price,
                share(seen.iter().sum(), seen.len() as f64),
            ]
        });
        Part { names: names.map(String::from).to_vec(), rows: rows.collect() }
    }

    fn of_events(&self, events: &EventLog, customers: &[&str]) -> Part {
        let mut of: BTreeMap<&str, Vec<Event<'_>>> = BTreeMap::new();
        let mut kinds: Vec<EventKind> = Vec::new();
        for event in events.as_of(&self.cut) {
            of.entry(event.customer).or_default().push(event);
            if !kinds.contains(&event.kind) {
                kinds.push(event.kind);
            }
        }
        kinds.sort_by_key(|kind| EventKind::ALL.iter().position(|k| k == kind));
        let mut names = Vec::new();
        for kind in &kinds {
            let kind = kind.to_string().replace('-', "_");
            names.push(format!("{kind}_count"));
            names.extend(self.spans.iter().map(|span| format!("{kind}_within_{}_days", span.in_days())));
            names.extend(["subjects", "silence", "mean"].map(|what| format!("{kind}_{what}")));
        }
        names.push("next_is_purchase".into());
        let steps = self.steps(&of);
        let (mut from, mut led) = (BTreeMap::new(), BTreeMap::new());
        for path in steps.values() {
            for pair in path.windows(2) {
                *from.entry(pair[0].1).or_insert(0.0) += 1.0;
                if pair[1].1 == Action::Purchase {
                    *led.entry(pair[0].1).or_insert(0.0) += 1.0;
                }
            }
        }
        let rows = customers.iter().map(|name| {
            let own = of.get(name).map_or(&[][..], Vec::as_slice);
            let mut row = Vec::new();
            for kind in &kinds {
                let all: Vec<&Event<'_>> = own.iter().filter(|event| event.kind == *kind).collect();
                row.push(all.len() as f64);
                for span in &self.spans {
                    let before = self.cut.minus(*span);
                    row.push(all.iter().filter(|event| !before.is_past(event.time)).count() as f64);
                }
                row.push(all.iter().filter_map(|event| event.subject).collect::<BTreeSet<_>>().len() as f64);
                let last = all.iter().map(|event| event.time).max();
                row.push(
                    last.map_or(f64::NAN, |last| self.cut.last().days_since(self.cut.grain().floor(last))),
                );
                let values: Vec<f64> = all.iter().filter_map(|event| event.value).collect();
                row.push(share(values.iter().sum(), values.len() as f64));
            }
            let last = steps.get(name).and_then(|path| path.last()).map(|step| step.1);
            let next = last.and_then(|last| Some(led.get(&last).copied().unwrap_or(0.0) / from.get(&last)?));
            row.push(next.unwrap_or(f64::NAN));
            row
        });
        let rows = rows.collect();
        Part { names, rows }
    }

    /// What each customer did, in order; at one moment, what they bought last.
    fn steps<'b>(&self, of: &BTreeMap<&'b str, Vec<Event<'b>>>) -> BTreeMap<&'b str, Vec<(Moment, Action)>>
    where
        'a: 'b,
    {
        let mut steps: BTreeMap<&str, Vec<(Moment, Action)>> = BTreeMap::new();
        for (name, events) in of {
            steps
                .entry(name)
                .or_default()
                .extend(events.iter().map(|e| (e.time, Action::Event(e.kind as u8))));
        }
        if let Some(log) = self.log {
            for row in (0..log.len()).filter(|&row| self.cut.is_past(log.time()[row])) {
                let name = log.customers().name(log.customer()[row]);
                steps.entry(name).or_default().push((log.time()[row], Action::Purchase));
            }
        }
        for path in steps.values_mut() {
            path.sort_unstable();
            // The rows of one order are one step.
            path.dedup();
        }
        steps
    }
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Action {
    Event(u8),
    Purchase,
}

struct Part {
    names: Vec<String>,
    rows: Vec<Vec<f64>>,
}

/// NaN of nothing.
fn share(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { f64::NAN }
}

fn of_attributes(attributes: &Attributes, customers: &[&str]) -> Part {
    let names = attributes.columns().iter().map(|a| a.name().to_owned()).collect();
    let row = |name: &&str| {
        let number = attributes.customers().find(name).map(|c| c as usize);
        let value = |values: &Values| {
            let row = number?;
            match values {
                Values::Numbers(numbers) => numbers.get(row).copied().flatten(),
                Values::Words(words) => words.get(row).copied().flatten().map(f64::from),
            }
        };
        attributes.columns().iter().map(|a| value(a.values()).unwrap_or(f64::NAN)).collect()
    };
    Part { names, rows: customers.iter().map(row).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attributes::Conflict;
    use crate::units::Grain;
    use crate::{LogBuilder, Transaction};

    fn day(text: &str) -> Moment {
        Moment::parse_date(text).unwrap()
    }

    fn cut() -> Cut {
        Cut::end_of(day("2024-03-01"), Grain::Day)
    }

    fn log() -> TransactionLog {
        let mut log = LogBuilder::new();
        for (who, when, product, quantity, amount) in [
            ("ada", "2024-01-05", "tea", 2.0, 10.0),
            ("ada", "2024-01-05", "cup", 1.0, 8.0),
            ("ada", "2024-02-01", "tea", 1.0, 6.0),
            ("bob", "2024-02-10", "tea", 1.0, 5.0),
            ("bob", "2024-04-01", "pot", 9.0, 99.0),
        ] {
            let row = Transaction::new(who, day(when)).amount(amount).unwrap();
            log.push(Transaction { product: Some(product), quantity: Some(quantity), ..row }).unwrap();
        }
        log.finish()
    }

    fn events() -> EventLog {
        let mut events = EventLog::default();
        let mut push = |customer, when, kind, subject, value| {
            events.push(Event { customer, time: day(when), kind, subject, value });
        };
        push("ada", "2024-01-04", EventKind::Viewed, Some("tea"), Some(30.0));
        push("ada", "2024-01-31", EventKind::Viewed, Some("tea"), Some(10.0));
        push("ada", "2024-02-27", EventKind::Viewed, Some("cup"), None);
        push("bob", "2024-02-12", EventKind::Reviewed, Some("tea"), Some(4.0));
        push("bob", "2024-02-20", EventKind::Viewed, Some("pot"), Some(60.0));
        push("bob", "2024-03-02", EventKind::Searched, Some("pot"), None);
        events
    }

    #[test]
    fn every_column_by_hand() {
        let (log, events) = (log(), events());
        let mut people = Attributes::new(Conflict::default());
        people.state("ada", "age", "40");
        people.state("bob", "region", "north");
        let people = people.typed();
        let spans = [Span::weeks(2.0).unwrap()];
        let known = Beyond::new(cut()).within(&spans).products(&log).events(&events).attributes(&people);
        let columns = known.columns(&["ada", "bob", "eve"]).unwrap();
        let of = |row: usize, name: &str| columns.row(row)[columns.position(name).unwrap()];
        for (name, ada, bob) in [
            ("products", 2.0, 1.0),
            ("lines_per_order", 1.5, 1.0),
            ("top_product_share", 2.0 / 3.0, 1.0),
            ("rebought_share", 1.0 / 3.0, 0.0),
            ("units_per_line", 4.0 / 3.0, 1.0),
            ("unit_price", 6.0, 5.0),
            // Both have bought tea, one of two a cup.
            ("product_popularity", 2.5 / 3.0, 1.0),
            ("viewed_count", 3.0, 1.0),
            ("viewed_within_14_days", 1.0, 1.0),
            ("viewed_subjects", 2.0, 1.0),
            ("viewed_silence", 3.0, 10.0),
            ("viewed_mean", 20.0, 60.0),
            ("reviewed_count", 0.0, 1.0),
            ("reviewed_mean", f64::NAN, 4.0),
            // Views led to: a purchase, a purchase; the last ones have led to nothing yet.
            ("next_is_purchase", 1.0, 1.0),
            ("age", 40.0, f64::NAN),
            ("region", f64::NAN, 0.0),
        ] {
            for (row, expected) in [(0, ada), (1, bob)] {
                let found = of(row, name);
                assert!(
                    (found - expected).abs() < 1e-12 || (found.is_nan() && expected.is_nan()),
                    "{name} {row}: {found}"
                );
            }
        }
        assert_eq!((of(2, "products"), of(2, "viewed_count")), (0.0, 0.0));
        assert!(of(2, "unit_price").is_nan() && of(2, "next_is_purchase").is_nan());
        // The search came after the cut.
        assert!(columns.position("searched_count").is_none());
    }

    #[test]
    fn one_customer_is_as_among_others_and_the_future_is_not_looked_at() {
        let (log, events) = (log(), events());
        let known = Beyond::new(cut()).products(&log).events(&events);
        let bits = |columns: &FeatureMatrix, row: usize| -> Vec<u64> {
            columns.row(row).iter().map(|v| v.to_bits()).collect()
        };
        let (both, one) = (known.columns(&["ada", "bob"]).unwrap(), known.columns(&["bob"]).unwrap());
        assert_eq!(bits(&both, 1), bits(&one, 0));
        let leaks = crate::leakage::of_the_future(&log, cut(), |log| {
            Beyond::new(cut()).products(log).columns(&["ada", "bob"])
        });
        assert!(leaks.unwrap().is_empty());
        assert!(Beyond::new(cut()).columns(&["ada"]).is_err());
    }
}
