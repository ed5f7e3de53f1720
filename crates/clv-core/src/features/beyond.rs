//! What is known of customers beyond how often they bought, when, and for how much: the products, what they
//! did without buying, what they are, and who belongs to them.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use crate::attributes::{Attribute, Attributes, Values};
use crate::cut::Cut;
use crate::error::{Error, Result};
use crate::events::{EventKind, EventLog};
use crate::features::taste::{cosine, keywords};
use crate::features::{FeatureMatrix, Links, Source, Taste};
use crate::log::TransactionLog;
use crate::names::Names;
use crate::transform::hash_place;
use crate::units::{Moment, Span};

/// Columns of what else is known, as of any cut. NaN stands for what is not known of a customer
/// ([`Rows::with_missing`](crate::learn::Rows::with_missing), [`Step::Fill`](crate::transform::Step::Fill)); a
/// customer who never searched has searched 0 times.
///
/// Of the log's rows ([`Beyond::products`]):
///
/// | column | of the rows up to the cut |
/// | :-- | :-- |
/// | `products` | distinct products |
/// | `lines_per_order` | rows over orders (over days, if rows do not name their order) |
/// | `top_product_share` | share of the rows of the product bought most often |
/// | `rebought_share` | share of the rows whose product was bought in an earlier order |
/// | `units_per_line`, `unit_price` | mean quantity, and money over quantity; NaN without |
/// | `price_paid` | mean, over the rows, of their unit price over the mean unit price of that product: below 1 for who buys at a discount |
/// | `product_popularity` | mean, over the rows, of the share of all customers who have bought that product by then |
/// | `returned_share` | share of the rows with a negative amount, where the log keeps them |
/// | `night_share` … `evening_share` | share of the rows from 0, 6, 12 and 18 o'clock on |
/// | `quarter_1_share` … `quarter_4_share` | share of the rows in each quarter of the year |
///
/// Of holidays ([`Beyond::holidays`]): `before_holiday_share`, the share of the rows on a holiday or within the span
/// before one, and `days_to_holiday` from the cut to the next, the same for everybody; NaN after the last.
///
/// Of a catalogue ([`Beyond::catalogue`]), for each attribute `A` of products: a number's mean over the rows,
/// `bought_A`; of words `bought_A_count`, how many distinct, `bought_A_top_share`, and `bought_A=word`, the share of each.
///
/// Of taste ([`Beyond::taste`]): `taste_1@MARK` …, where the customer stands, and `taste_typical@MARK`, the cosine of the
/// angle to the mean of all, with the taste's [`mark`](Taste::mark): another taste has other axes.
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
/// and of words searched `searched_word#1` …, how many fall on each number by their hash ([`Beyond::keywords`]), or
/// `interest_1@MARK` …, where the searches stand ([`Beyond::interests`]).
///
/// Of attributes ([`Beyond::attributes`]), `own_A` for each number `A`; words as a column each, `own_region=north`. Attributes
/// have no time: state only what was known at the earliest cut. Of attributes with more than twenty words, of customers
/// or products, `own_region#1` … `own_region#16` by the words' hash. A model that was fitted on numbers (or words) asks
/// for numbers (or words), whatever a later table looks like.
///
/// Of links ([`Beyond::links`]), as far as they were known: `links`, to whomever, in the log or not, `linked_orders`,
/// `linked_spend` and `linked_silence`, days since any of those linked last bought.
///
/// ```
/// use clv_core::features::{Beyond, Source};
/// use clv_core::{Cut, Grain, LogBuilder, Moment, Transaction};
///
/// let mut log = LogBuilder::new();
/// for (day, product) in [("2024-01-05", "tea"), ("2024-01-09", "tea"), ("2024-01-09", "cup"), ("2024-02-01", "pot")] {
///     log.push(Transaction { product: Some(product), ..Transaction::new("ada", Moment::parse_date(day)?) })?;
/// }
/// let log = log.finish();
/// let cut = Cut::end_of(Moment::parse_date("2024-01-31")?, Grain::Day);
/// let beyond = Beyond::of(&log).products();
/// let ada = log.customers().find("ada").unwrap();
/// let known = beyond.columns(&["products".into(), "top_product_share".into()], cut, &[ada])?;
/// assert_eq!(known.row(0), [2.0, 2.0 / 3.0]);      // the pot came later
/// # Ok::<(), clv_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Beyond<'a> {
    log: &'a TransactionLog,
    /// Each customer's rows, in order of time.
    rows: Vec<Vec<u32>>,
    spans: Vec<Span>,
    products: bool,
    holidays: Option<(Vec<Moment>, Span)>,
    catalogue: Option<&'a Attributes>,
    taste: Option<&'a Taste>,
    events: Option<Happened<'a>>,
    keywords: usize,
    interests: Option<&'a Taste>,
    attributes: Option<&'a Attributes>,
    links: Option<&'a Links>,
}

/// Events, with each one's rows in order of time: of the log's customers, then of those who have not bought.
#[derive(Clone, Debug)]
struct Happened<'a> {
    events: &'a EventLog,
    rows: Vec<Vec<u32>>,
}

/// Of attributes with more words than this, hashes.
const WORDS: usize = 20;
const HASHES: usize = 16;

impl<'a> Beyond<'a> {
    /// Of the customers of a log; nothing yet.
    pub fn of(log: &'a TransactionLog) -> Self {
        let mut rows = vec![Vec::new(); log.customers().len()];
        (0..log.len()).for_each(|row| rows[log.customer()[row] as usize].push(row as u32));
        rows.iter_mut().for_each(|own| own.sort_by_key(|&row| log.time()[row as usize]));
        Self {
            log,
            rows,
            spans: Vec::new(),
            products: false,
            holidays: None,
            catalogue: None,
            taste: None,
            events: None,
            keywords: 0,
            interests: None,
            attributes: None,
            links: None,
        }
    }

    /// Counts events within these spans before the cut, too.
    pub fn within(self, spans: &[Span]) -> Self {
        Self { spans: spans.to_vec(), ..self }
    }

    /// With what the log's rows tell: products, prices, hours, seasons.
    pub fn products(self) -> Self {
        Self { products: true, ..self }
    }

    /// With holidays, and for how long before them people buy for them.
    pub fn holidays(self, days: &[Moment], before: Span) -> Self {
        let mut days = days.to_vec();
        days.sort_unstable();
        Self { holidays: Some((days, before)), ..self }
    }

    /// With what products are: attributes whose "customers" are the log's products.
    pub fn catalogue(self, products: &'a Attributes) -> Self {
        Self { catalogue: Some(products), ..self }
    }

    /// With where customers stand by what they bought.
    pub fn taste(self, taste: &'a Taste) -> Self {
        Self { taste: Some(taste), ..self }
    }

    /// With what customers did without buying. Purchases are steps of theirs too.
    pub fn events(self, events: &'a EventLog) -> Self {
        let mut numbers = Vec::with_capacity(events.customers().len());
        let mut rows = vec![Vec::new(); self.log.customers().len()];
        for name in events.customers().iter() {
            numbers.push(self.log.customers().find(name).map_or(rows.len(), |c| c as usize));
            if numbers[numbers.len() - 1] == rows.len() {
                rows.push(Vec::new());
            }
        }
        for row in 0..events.len() {
            rows[numbers[events.customer_number(row) as usize]].push(row as u32);
        }
        rows.iter_mut()
            .for_each(|own: &mut Vec<u32>| own.sort_by_key(|&row| events.event(row as usize).time));
        Self { events: Some(Happened { events, rows }), ..self }
    }

    /// With the words of searches, by their hash, in so many columns.
    pub fn keywords(self, columns: usize) -> Self {
        Self { keywords: columns, ..self }
    }

    /// With where customers stand by what they searched for.
    pub fn interests(self, taste: &'a Taste) -> Self {
        Self { interests: Some(taste), ..self }
    }

    /// With what customers are.
    pub fn attributes(self, attributes: &'a Attributes) -> Self {
        Self { attributes: Some(attributes), ..self }
    }

    /// With who belongs to whom.
    pub fn links(self, links: &'a Links) -> Self {
        Self { links: Some(links), ..self }
    }

    /// The columns of a group as of a cut, of kinds of events and words those that occur and those that are named; none if
    /// there is nothing to tell of.
    fn part(&self, group: Group, cut: Cut, customers: &[u32], named: &[String]) -> Result<Option<Part>> {
        let happened = self.events.as_ref().filter(|happened| !happened.events.is_empty());
        Ok(match group {
            Group::Products => self.products.then(|| self.of_products(cut, customers)),
            Group::Holidays => {
                let holidays = self.holidays.as_ref();
                holidays.map(|(days, before)| self.of_holidays(cut, customers, days, *before))
            }
            Group::Catalogue => {
                self.catalogue.map(|goods| self.of_catalogue(cut, customers, goods, named)).transpose()?
            }
            Group::Taste => self.taste.map(|taste| self.of_taste(cut, customers, taste)).transpose()?,
            Group::Events => happened.map(|happened| self.of_events(cut, customers, happened, named)),
            Group::Keywords => happened
                .filter(|_| self.keywords > 0)
                .map(|happened| self.of_keywords(cut, customers, happened)),
            Group::Interests => happened
                .zip(self.interests)
                .map(|(happened, taste)| self.of_interests(cut, customers, happened, taste))
                .transpose()?,
            Group::Attributes => {
                self.attributes.map(|people| self.of_attributes(customers, people, named)).transpose()?
            }
            Group::Links => self.links.map(|links| self.of_links(cut, customers, links)),
        })
    }

    /// A customer's rows up to a cut.
    fn past(&self, customer: usize, cut: Cut) -> &[u32] {
        let rows = self.rows.get(customer).map_or(&[][..], Vec::as_slice);
        &rows[..rows.partition_point(|&row| cut.is_past(self.log.time()[row as usize]))]
    }

    fn product(&self, row: u32) -> Option<u32> {
        self.log.product.get(row as usize).copied().flatten()
    }

    /// Money over quantity.
    fn unit_price(&self, row: u32) -> Option<f64> {
        let quantity = self.log.quantity(row as usize).filter(|q| *q > 0.0)?;
        Some(self.log.amount()?[row as usize].to_f64() / quantity)
    }

    fn of_products(&self, cut: Cut, customers: &[u32]) -> Part {
        let log = self.log;
        let mut buyers = vec![0.0_f64; log.products.len()];
        let mut prices = vec![(0.0_f64, 0.0_f64); log.products.len()];
        let mut known = 0.0;
        for customer in 0..self.rows.len() {
            let past = self.past(customer, cut);
            known += f64::from(!past.is_empty());
            let own: BTreeSet<u32> = past.iter().filter_map(|&row| self.product(row)).collect();
            own.iter().for_each(|&product| buyers[product as usize] += 1.0);
            for &row in past {
                if let (Some(product), Some(price)) = (self.product(row), self.unit_price(row)) {
                    let sum = &mut prices[product as usize];
                    *sum = (sum.0 + price, sum.1 + 1.0);
                }
            }
        }
        let rows = customers.iter().map(|&customer| {
            let rows = self.past(customer as usize, cut);
            let count = rows.len() as f64;
            // An order by its name, or the day.
            let order = |row: u32| {
                let named = log.order.get(row as usize).copied().flatten();
                let day = cut.grain().floor(log.time()[row as usize]);
                (named, if named.is_some() { Moment::from_micros(0) } else { day })
            };
            let orders: BTreeSet<_> = rows.iter().map(|&row| order(row)).collect();
            let mut times: BTreeMap<u32, usize> = BTreeMap::new();
            let (mut named, mut again) = (0.0, 0.0);
            for group in rows.chunk_by(|&a, &b| order(a) == order(b)) {
                for product in group.iter().filter_map(|&row| self.product(row)) {
                    named += 1.0;
                    again += f64::from(times.contains_key(&product));
                }
                let products = group.iter().filter_map(|&row| self.product(row));
                products.for_each(|p| *times.entry(p).or_default() += 1);
            }
            let units: Vec<(f64, u32)> =
                rows.iter().filter_map(|&row| Some((log.quantity(row as usize)?, row))).collect();
            let pieces: f64 = units.iter().map(|(quantity, _)| quantity).sum();
            let spent = log
                .amount()
                .map(|amount| units.iter().map(|&(_, row)| amount[row as usize].to_f64()).sum::<f64>());
            let price = spent.filter(|_| pieces > 0.0).map_or(f64::NAN, |money| money / pieces);
            let paid = rows.iter().filter_map(|&row| {
                let (sum, n) = prices[self.product(row)? as usize];
                let usual = Some(sum / n).filter(|usual| *usual > 0.0)?;
                Some(self.unit_price(row)? / usual)
            });
            let popularity = rows.iter().filter_map(|&row| Some(buyers[self.product(row)? as usize] / known));
            let negative = |row: &&u32| log.amount().is_some_and(|a| a[**row as usize].micros() < 0);
            let mut found = vec![
                times.len() as f64,
                share(count, orders.len() as f64),
                share(times.values().max().map_or(0.0, |n| *n as f64), named),
                share(again, named),
                share(pieces, units.len() as f64),
                price,
                mean(paid),
                mean(popularity),
                share(rows.iter().filter(negative).count() as f64, count),
            ];
            let (mut hours, mut quarters) = ([0.0; 4], [0.0; 4]);
            for &row in rows {
                let when = log.time()[row as usize];
                hours[(when.micros().rem_euclid(DAY) * 4 / DAY) as usize] += 1.0;
                quarters[(when.date().month() as usize - 1) / 3] += 1.0;
            }
            found.extend(hours.iter().chain(&quarters).map(|part| share(*part, count)));
            found
        });
        Part { names: PRODUCTS.map(String::from).to_vec(), rows: rows.collect() }
    }

    fn of_holidays(&self, cut: Cut, customers: &[u32], days: &[Moment], before: Span) -> Part {
        let next = |when: Moment| {
            let day = Moment::from_micros(when.micros() - when.micros().rem_euclid(DAY));
            days.get(days.partition_point(|holiday| *holiday < day)).map(|holiday| holiday.days_since(day))
        };
        let near =
            |row: &&u32| next(self.log.time()[**row as usize]).is_some_and(|ahead| ahead <= before.in_days());
        let ahead = next(cut.last()).unwrap_or(f64::NAN);
        let rows = customers.iter().map(|&customer| {
            let rows = self.past(customer as usize, cut);
            vec![share(rows.iter().filter(near).count() as f64, rows.len() as f64), ahead]
        });
        Part { names: HOLIDAYS.map(String::from).to_vec(), rows: rows.collect() }
    }

    fn of_catalogue(
        &self,
        cut: Cut,
        customers: &[u32],
        catalogue: &Attributes,
        asked: &[String],
    ) -> Result<Part> {
        let place: Vec<Option<usize>> = self
            .log
            .products
            .iter()
            .map(|name| catalogue.customers().find(name).map(|place| place as usize))
            .collect();
        let mut part = Part { names: Vec::new(), rows: vec![Vec::new(); customers.len()] };
        for attribute in catalogue.columns() {
            let name = format!("{CATALOGUE}{}", attribute.name());
            let known = Known::of(catalogue.customers(), attribute, &name, asked)?;
            match &known {
                Known::Numbers(_) => part.names.push(name),
                Known::Words(words, _) => {
                    part.names.extend([format!("{name}_count"), format!("{name}_top_share")]);
                    part.names.extend(words.columns.iter().cloned());
                }
            }
            for (row, &customer) in part.rows.iter_mut().zip(customers) {
                let bought = self
                    .past(customer as usize, cut)
                    .iter()
                    .filter_map(|&row| place[self.product(row)? as usize]);
                match &known {
                    Known::Numbers(numbers) => {
                        row.push(mean(bought.filter_map(|place| numbers.get(place).copied().flatten())));
                    }
                    Known::Words(words, of) => {
                        let mut counts: BTreeMap<u32, f64> = BTreeMap::new();
                        bought
                            .filter_map(|place| of.get(place).copied().flatten())
                            .for_each(|word| *counts.entry(word).or_default() += 1.0);
                        let all: f64 = counts.values().sum();
                        let top = counts.values().copied().fold(0.0, f64::max);
                        row.extend([counts.len() as f64, share(top, all)]);
                        let start = row.len();
                        row.resize(start + words.columns.len(), if all > 0.0 { 0.0 } else { f64::NAN });
                        for (word, count) in counts {
                            if let Some(column) = words.column(word) {
                                row[start + column] += count / all;
                            }
                        }
                    }
                }
            }
        }
        Ok(part)
    }

    fn of_taste(&self, cut: Cut, customers: &[u32], taste: &Taste) -> Result<Part> {
        expect_learned_before("taste", taste, cut)?;
        let point = |customer: usize| {
            taste.of_customer(
                self.past(customer, cut).iter().filter_map(|&row| self.log.product(row as usize)),
            )
        };
        let mut middle = vec![0.0; taste.dims()];
        for own in (0..self.rows.len()).filter_map(point) {
            middle.iter_mut().zip(own).for_each(|(sum, v)| *sum += v);
        }
        let mut names = axes(TASTE, taste);
        names.push(format!("{TASTE}typical@{}", taste.mark()));
        let rows = customers.iter().map(|&customer| {
            let own = point(customer as usize);
            let typical = own.as_ref().and_then(|own| cosine(own, &middle)).unwrap_or(f64::NAN);
            let mut row = own.unwrap_or_else(|| vec![f64::NAN; taste.dims()]);
            row.push(typical);
            row
        });
        Ok(Part { names, rows: rows.collect() })
    }

    fn of_events(&self, cut: Cut, customers: &[u32], happened: &Happened<'_>, named: &[String]) -> Part {
        let events = happened.events;
        let mut occurs: BTreeSet<EventKind> = events.as_of(&cut).map(|event| event.kind).collect();
        // As of an earlier cut than the one whose columns are asked for, a kind may not have occurred.
        let is_named = |kind: &EventKind| {
            let of = prefix(*kind);
            named.iter().any(|name| name.starts_with(&of))
        };
        occurs.extend(EventKind::ALL.into_iter().filter(is_named));
        let kinds: Vec<EventKind> = EventKind::ALL.into_iter().filter(|kind| occurs.contains(kind)).collect();
        let mut names = Vec::new();
        for of in kinds.iter().map(|kind| prefix(*kind)) {
            names.push(format!("{of}count"));
            names.extend(self.spans.iter().map(|span| format!("{of}within_{}_days", span.in_days())));
            names.extend(["subjects", "silence", "mean"].map(|what| format!("{of}{what}")));
        }
        names.push(NEXT.into());
        let (mut from, mut led) = (BTreeMap::new(), BTreeMap::new());
        for who in 0..happened.rows.len() {
            for pair in self.steps(cut, happened, who).windows(2) {
                *from.entry(pair[0].1).or_insert(0.0) += 1.0;
                if pair[1].1 == Action::Purchase {
                    *led.entry(pair[0].1).or_insert(0.0) += 1.0;
                }
            }
        }
        let rows = customers.iter().map(|&customer| {
            let own = happened.past(customer as usize, cut);
            let mut row = Vec::with_capacity(names.len());
            for kind in &kinds {
                let all: Vec<_> =
                    own.iter().map(|&row| events.event(row as usize)).filter(|e| e.kind == *kind).collect();
                row.push(all.len() as f64);
                for span in &self.spans {
                    let before = cut.minus(*span);
                    row.push(all.iter().filter(|event| !before.is_past(event.time)).count() as f64);
                }
                row.push(all.iter().filter_map(|event| event.subject).collect::<BTreeSet<_>>().len() as f64);
                let last = all.last().map(|event| event.time);
                row.push(last.map_or(f64::NAN, |last| silence(cut, last)));
                row.push(mean(all.iter().filter_map(|event| event.value)));
            }
            let last = self.steps(cut, happened, customer as usize).last().map(|step| step.1);
            let next = last.and_then(|last| Some(led.get(&last).copied().unwrap_or(0.0) / from.get(&last)?));
            row.push(next.unwrap_or(f64::NAN));
            row
        });
        let rows = rows.collect();
        Part { names, rows }
    }

    /// What somebody did, in order; at one moment, what they bought last.
    fn steps(&self, cut: Cut, happened: &Happened<'_>, who: usize) -> Vec<(Moment, Action)> {
        let events = happened.past(who, cut).iter().map(|&row| happened.events.event(row as usize));
        let mut steps: Vec<_> = events.map(|e| (e.time, Action::Event(e.kind as u8))).collect();
        let bought = self.past(who, cut).iter().map(|&row| (self.log.time()[row as usize], Action::Purchase));
        steps.extend(bought);
        steps.sort_unstable();
        // The rows of one order are one step, and so are events of one kind at one moment.
        steps.dedup();
        steps
    }

    fn of_keywords(&self, cut: Cut, customers: &[u32], happened: &Happened<'_>) -> Part {
        let names = hashes(KEYWORDS, self.keywords);
        let rows = customers.iter().map(|&customer| {
            let mut row = vec![0.0; self.keywords];
            for word in happened.searched(customer as usize, cut) {
                row[hash_place(&word, self.keywords)] += 1.0;
            }
            row
        });
        Part { names, rows: rows.collect() }
    }

    fn of_interests(
        &self,
        cut: Cut,
        customers: &[u32],
        happened: &Happened<'_>,
        taste: &Taste,
    ) -> Result<Part> {
        expect_learned_before("interests", taste, cut)?;
        let rows = customers.iter().map(|&customer| {
            let words: Vec<String> = happened.searched(customer as usize, cut).collect();
            let own = taste.of_customer(words.iter().map(String::as_str));
            own.unwrap_or_else(|| vec![f64::NAN; taste.dims()])
        });
        Ok(Part { names: axes(INTERESTS, taste), rows: rows.collect() })
    }

    fn of_attributes(&self, customers: &[u32], attributes: &Attributes, named: &[String]) -> Result<Part> {
        let place = |customer: u32| {
            let name = self.log.customers().name(customer);
            attributes.customers().find(name).map(|place| place as usize)
        };
        let places: Vec<Option<usize>> = customers.iter().map(|&customer| place(customer)).collect();
        let mut part = Part { names: Vec::new(), rows: vec![Vec::new(); customers.len()] };
        for attribute in attributes.columns() {
            let name = format!("{ATTRIBUTES}{}", attribute.name());
            match Known::of(attributes.customers(), attribute, &name, named)? {
                Known::Numbers(numbers) => {
                    part.names.push(name);
                    for (row, place) in part.rows.iter_mut().zip(&places) {
                        let known = place.and_then(|place| numbers.get(place).copied().flatten());
                        row.push(known.unwrap_or(f64::NAN));
                    }
                }
                Known::Words(words, of) => {
                    part.names.extend(words.columns.iter().cloned());
                    for (row, place) in part.rows.iter_mut().zip(&places) {
                        let start = row.len();
                        row.resize(start + words.columns.len(), 0.0);
                        let word = place.and_then(|place| of.get(place).copied().flatten());
                        if let Some(column) = word.and_then(|word| words.column(word)) {
                            row[start + column] = 1.0;
                        }
                    }
                }
            }
        }
        Ok(part)
    }

    fn of_links(&self, cut: Cut, customers: &[u32], links: &Links) -> Part {
        // By name: whether somebody linked is in the log at all may be a matter of the future.
        let mut linked: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (one, other, since) in &links.pairs {
            if cut.is_past(*since) {
                linked.entry(one).or_default().insert(other);
                linked.entry(other).or_default().insert(one);
            }
        }
        let day = |row: &u32| cut.grain().floor(self.log.time()[*row as usize]);
        let rows = customers.iter().map(|&customer| {
            let (mut count, mut orders, mut spend, mut last) = (0.0, 0.0, 0.0, None);
            let name = self.log.customers().name(customer);
            for other in linked.get(name).into_iter().flatten() {
                count += 1.0;
                let Some(other) = self.log.customers().find(other) else { continue };
                let past = self.past(other as usize, cut);
                orders += past.chunk_by(|a, b| day(a) == day(b)).count() as f64;
                let money = |&row: &u32| self.log.amount().map_or(0.0, |a| a[row as usize].to_f64());
                spend += past.iter().map(money).sum::<f64>();
                last = last.max(past.last().map(|&row| self.log.time()[row as usize]));
            }
            vec![count, orders, spend, last.map_or(f64::NAN, |last| silence(cut, last))]
        });
        Part { names: LINKS.map(String::from).to_vec(), rows: rows.collect() }
    }
}

impl Source for Beyond<'_> {
    fn names(&self, cut: Cut) -> Result<Vec<String>> {
        let mut names: Vec<String> = Vec::new();
        let mut seen = BTreeSet::new();
        for group in Group::ALL {
            // Of nobody, so that only names come.
            let part = self.part(group, cut, &[], &[])?;
            for name in part.into_iter().flat_map(|part| part.names) {
                if !seen.insert(name.clone()) {
                    return Err(Error::ColumnTwice { column: name });
                }
                names.push(name);
            }
        }
        Ok(names)
    }

    fn columns(&self, names: &[String], cut: Cut, customers: &[u32]) -> Result<FeatureMatrix> {
        // Only what is asked for: the rest costs time, and may not be told as of this cut.
        let asked: BTreeSet<Group> = names.iter().filter_map(|name| Group::of(name)).collect();
        let parts = asked.into_iter().map(|group| self.part(group, cut, customers, names));
        let parts: Vec<Part> = parts.filter_map(Result::transpose).collect::<Result<_>>()?;
        let mut places: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
        for (p, part) in parts.iter().enumerate() {
            for (column, name) in part.names.iter().enumerate() {
                if places.insert(name, (p, column)).is_some() {
                    return Err(Error::ColumnTwice { column: name.clone() });
                }
            }
        }
        let place = |name: &String| {
            let missing =
                || Error::MissingColumn { model: "what is known beyond the purchases", column: name.clone() };
            places.get(name.as_str()).copied().ok_or_else(missing)
        };
        let places: Vec<(usize, usize)> = names.iter().map(place).collect::<Result<_>>()?;
        let row = |r: usize| places.iter().map(move |&(p, column)| (p, r, column));
        let cells = (0..customers.len()).flat_map(row).map(|(p, r, column)| parts[p].rows[r][column]);
        FeatureMatrix::new(names.to_vec(), cells.collect())
    }
}

/// Columns that are made together, and named so that no two groups share a name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Group {
    Products,
    Holidays,
    Catalogue,
    Taste,
    Events,
    Keywords,
    Interests,
    Attributes,
    Links,
}

const PRODUCTS: [&str; 17] = [
    "products",
    "lines_per_order",
    "top_product_share",
    "rebought_share",
    "units_per_line",
    "unit_price",
    "price_paid",
    "product_popularity",
    "returned_share",
    "night_share",
    "morning_share",
    "afternoon_share",
    "evening_share",
    "quarter_1_share",
    "quarter_2_share",
    "quarter_3_share",
    "quarter_4_share",
];
const HOLIDAYS: [&str; 2] = ["before_holiday_share", "days_to_holiday"];
const LINKS: [&str; 4] = ["links", "linked_orders", "linked_spend", "linked_silence"];
const NEXT: &str = "next_is_purchase";
const CATALOGUE: &str = "bought_";
const TASTE: &str = "taste_";
const INTERESTS: &str = "interest_";
const KEYWORDS: &str = "searched_word";
const ATTRIBUTES: &str = "own_";

impl Group {
    const ALL: [Self; 9] = [
        Self::Products,
        Self::Holidays,
        Self::Catalogue,
        Self::Taste,
        Self::Events,
        Self::Keywords,
        Self::Interests,
        Self::Attributes,
        Self::Links,
    ];

    /// The group of a column, by its name.
    fn of(name: &str) -> Option<Self> {
        let of_event = || EventKind::ALL.into_iter().any(|kind| name.starts_with(&prefix(kind)));
        Some(match name {
            _ if PRODUCTS.contains(&name) => Self::Products,
            _ if HOLIDAYS.contains(&name) => Self::Holidays,
            _ if LINKS.contains(&name) => Self::Links,
            _ if name.starts_with(CATALOGUE) => Self::Catalogue,
            _ if name.starts_with(TASTE) => Self::Taste,
            _ if name.starts_with(INTERESTS) => Self::Interests,
            _ if name.starts_with(KEYWORDS) => Self::Keywords,
            _ if name.starts_with(ATTRIBUTES) => Self::Attributes,
            _ if name == NEXT || of_event() => Self::Events,
            _ => return None,
        })
    }
}

/// What the columns of a kind of event begin with.
fn prefix(kind: EventKind) -> String {
    format!("{}_", kind.to_string().replace('-', "_"))
}

/// The columns of a taste: with its mark, as another one's axes are others.
fn axes(of: &str, taste: &Taste) -> Vec<String> {
    let mark = taste.mark();
    (1..=taste.dims()).map(|d| format!("{of}{d}@{mark}")).collect()
}

impl<'a> Happened<'a> {
    fn past(&self, who: usize, cut: Cut) -> &[u32] {
        let rows = self.rows.get(who).map_or(&[][..], Vec::as_slice);
        &rows[..rows.partition_point(|&row| cut.is_past(self.events.event(row as usize).time))]
    }

    /// The words that somebody searched for.
    fn searched(&self, who: usize, cut: Cut) -> impl Iterator<Item = String> {
        self.past(who, cut)
            .iter()
            .map(|&row| self.events.event(row as usize))
            .filter(|event| event.kind == EventKind::Searched)
            .flat_map(|event| event.subject.into_iter().flat_map(keywords))
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

/// The values of an attribute, as numbers or as words: whichever of them its columns are asked for as, or else as
/// they are. A part of a table may hold only numbers where the whole holds words, and the other way round.
enum Known<'a> {
    Numbers(Cow<'a, [Option<f64>]>),
    Words(Words, &'a [Option<u32>]),
}

impl<'a> Known<'a> {
    fn of(whose: &Names, attribute: &'a Attribute, name: &str, asked: &[String]) -> Result<Self> {
        let (each, hashed) = (format!("{name}="), format!("{name}#"));
        let asked_words = asked.iter().any(|asked| asked.starts_with(&each) || asked.starts_with(&hashed));
        let asked_number = asked.iter().any(|asked| asked == name);
        Ok(match attribute.values() {
            Values::Numbers(numbers) if !asked_words => Self::Numbers(Cow::Borrowed(numbers)),
            Values::Words(of) if asked_number => {
                let number = |(row, word): (usize, &Option<u32>)| {
                    let Some(word) = word.map(|word| attribute.words().name(word)) else { return Ok(None) };
                    let number = word.parse().ok().filter(|v: &f64| v.is_finite());
                    number.map(Some).ok_or_else(|| Error::Attribute {
                        whose: whose.name(row as u32).to_owned(),
                        attribute: attribute.name().to_owned(),
                        given: word.to_owned(),
                        allowed: "a number, as where the model was fitted, or nothing",
                    })
                };
                Self::Numbers(of.iter().enumerate().map(number).collect::<Result<_>>()?)
            }
            _ => Self::Words(Words::of(attribute.words(), name, asked), attribute.spelling()),
        })
    }
}

/// The columns of an attribute's words: one each, or by hash if they are many.
struct Words {
    columns: Vec<String>,
    /// By the word's number.
    of: Vec<Option<usize>>,
}

impl Words {
    /// As named, where the attribute's columns are asked for by name: other data may know other words.
    fn of(words: &Names, name: &str, asked: &[String]) -> Self {
        let (each, hashed) = (format!("{name}="), format!("{name}#"));
        let mut columns: Vec<String> = asked.iter().filter(|n| n.starts_with(&each)).cloned().collect();
        let by_hash =
            asked.iter().any(|n| n.starts_with(&hashed)) || (columns.is_empty() && words.len() > WORDS);
        if by_hash {
            let of = words.iter().map(|word| Some(hash_place(word, HASHES))).collect();
            return Self { columns: hashes(name, HASHES), of };
        }
        if columns.is_empty() {
            columns = words.iter().map(|word| format!("{each}{word}")).collect();
        }
        let of = words
            .iter()
            .map(|word| columns.iter().position(|column| column[each.len()..] == *word))
            .collect();
        Self { columns, of }
    }

    fn column(&self, word: u32) -> Option<usize> {
        self.of[word as usize]
    }
}

const DAY: i64 = 86_400_000_000;

fn hashes(name: &str, columns: usize) -> Vec<String> {
    (1..=columns).map(|number| format!("{name}#{number}")).collect()
}

/// Days since a moment, in whole grains.
fn silence(cut: Cut, last: Moment) -> f64 {
    cut.last().days_since(cut.grain().floor(last))
}

/// NaN of nothing.
fn share(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { f64::NAN }
}

/// NaN of nothing.
fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0.0), |(sum, count), v| (sum + v, count + 1.0));
    share(sum, count)
}

fn expect_learned_before(what: &'static str, taste: &Taste, cut: Cut) -> Result<()> {
    if taste.until() <= cut.end() {
        return Ok(());
    }
    let given = taste.until().days_since(cut.end());
    Err(Error::Setting {
        name: what,
        given,
        allowed: "learned no later than the cut: 0 days after it at most",
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attributes::Conflict;
    use crate::events::Event;
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
            ("bob", "2024-02-10", "tea", 1.0, 4.0),
            ("bob", "2024-04-01", "pot", 9.0, 99.0),
        ] {
            let row = Transaction::new(who, day(when)).amount(amount).unwrap();
            log.push(Transaction { product: Some(product), quantity: Some(quantity), ..row }).unwrap();
        }
        let mut log = log.finish();
        log.add_prospect("eve");
        log
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
        push("bob", "2024-03-02", EventKind::Searched, Some("Tea pot, tea"), None);
        push("zoe", "2024-02-01", EventKind::Viewed, Some("pot"), None);
        push("zoe", "2024-02-02", EventKind::Viewed, Some("pot"), None);
        events
    }

    fn people() -> Attributes {
        let mut people = Attributes::new(Conflict::default());
        people.state("ada", "age", "40");
        people.state("bob", "region", "north");
        people.typed()
    }

    #[test]
    fn every_column_by_hand() {
        let (log, events, people) = (log(), events(), people());
        let mut goods = Attributes::new(Conflict::default());
        for (product, kind, weight) in [("tea", "food", "100"), ("cup", "china", "300")] {
            goods.state(product, "kind", kind);
            goods.state(product, "weight", weight);
        }
        let goods = goods.typed();
        let mut links = Links::default();
        links.link("ada", "bob", day("2024-02-20"));
        links.link("bob", "eve", day("2024-03-05"));
        let spans = [Span::weeks(2.0).unwrap()];
        let known = Beyond::of(&log)
            .products()
            .within(&spans)
            .events(&events)
            .attributes(&people)
            .catalogue(&goods)
            .links(&links)
            .holidays(&[day("2024-02-14"), day("2024-03-31")], Span::days(7.0).unwrap());
        let names = known.names(cut()).unwrap();
        let columns = known.columns(&names, cut(), &[0, 1, 2]).unwrap();
        let of = |row: usize, name: &str| columns.row(row)[columns.position(name).unwrap()];
        // Tea cost 5, 6 and 4 a piece.
        for (name, ada, bob) in [
            ("products", 2.0, 1.0),
            ("lines_per_order", 1.5, 1.0),
            ("top_product_share", 2.0 / 3.0, 1.0),
            ("rebought_share", 1.0 / 3.0, 0.0),
            ("units_per_line", 4.0 / 3.0, 1.0),
            ("unit_price", 6.0, 4.0),
            ("price_paid", (1.0 + 1.0 + 1.2) / 3.0, 0.8),
            // Both have bought tea, one of two a cup.
            ("product_popularity", 2.5 / 3.0, 1.0),
            ("returned_share", 0.0, 0.0),
            ("night_share", 1.0, 1.0),
            ("quarter_1_share", 1.0, 1.0),
            ("quarter_2_share", 0.0, 0.0),
            // Bob bought four days before the fourteenth of February.
            ("before_holiday_share", 0.0, 1.0),
            ("days_to_holiday", 30.0, 30.0),
            ("bought_kind_count", 2.0, 1.0),
            ("bought_kind_top_share", 2.0 / 3.0, 1.0),
            ("bought_kind=food", 2.0 / 3.0, 1.0),
            ("bought_kind=china", 1.0 / 3.0, 0.0),
            ("bought_weight", 500.0 / 3.0, 100.0),
            ("viewed_count", 3.0, 1.0),
            ("viewed_within_14_days", 1.0, 1.0),
            ("viewed_subjects", 2.0, 1.0),
            ("viewed_silence", 3.0, 10.0),
            ("viewed_mean", 20.0, 60.0),
            ("reviewed_count", 0.0, 1.0),
            ("reviewed_mean", f64::NAN, 4.0),
            // Views led to a purchase twice, and once, of somebody who has not bought, to another view.
            ("next_is_purchase", 2.0 / 3.0, 2.0 / 3.0),
            ("own_age", 40.0, f64::NAN),
            ("own_region=north", 0.0, 1.0),
            ("links", 1.0, 1.0),
            ("linked_orders", 1.0, 2.0),
            ("linked_spend", 4.0, 24.0),
            ("linked_silence", 20.0, 29.0),
        ] {
            for (row, expected) in [(0, ada), (1, bob)] {
                let found = of(row, name);
                assert!(
                    (found - expected).abs() < 1e-12 || (found.is_nan() && expected.is_nan()),
                    "{name} {row}: {found}"
                );
            }
        }
        // A prospect, whose link came later.
        assert_eq!((of(2, "products"), of(2, "viewed_count"), of(2, "links")), (0.0, 0.0, 0.0));
        assert!(of(2, "unit_price").is_nan() && of(2, "next_is_purchase").is_nan());
        // The search came after the cut.
        assert!(columns.position("searched_count").is_none());
    }

    #[test]
    fn words_searched_and_tastes() {
        let (log, events) = (log(), events());
        let later = Cut::end_of(day("2024-04-30"), Grain::Day);
        let taste = Taste::of(
            [(0, "tea"), (0, "pot"), (1, "tea"), (1, "pot"), (2, "cup"), (3, "cup")].into_iter(),
            cut(),
            1,
        )
        .unwrap();
        let known = Beyond::of(&log).events(&events).keywords(4).interests(&taste).taste(&taste);
        let columns = known.columns(&known.names(later).unwrap(), later, &[0, 1]).unwrap();
        let of = |row: usize, name: &str| columns.row(row)[columns.position(name).unwrap()];
        let words: f64 = (1..=4).map(|k| of(1, &format!("searched_word#{k}"))).sum();
        assert_eq!((words, of(1, "searched_count")), (3.0, 1.0));
        let mark = taste.mark();
        let interest = format!("interest_1@{mark}");
        assert!((of(1, &interest) - 1.0).abs() < 1e-12 && of(0, &interest).is_nan());
        assert!((of(1, &format!("taste_typical@{mark}")) - 1.0).abs() < 1e-12);
        // Learned in March, it is not to be asked as of January.
        let early = Cut::end_of(day("2024-01-31"), Grain::Day);
        for refused in [
            known.columns(&[format!("taste_1@{mark}")], early, &[0]).unwrap_err().to_string(),
            known.names(early).unwrap_err().to_string(),
        ] {
            assert!(refused.contains("taste"), "{refused}");
        }
        // What does not hang on the taste is told all the same; another taste's columns are not.
        assert!(known.columns(&["next_is_purchase".into()], early, &[0]).is_ok());
        assert!(known.columns(&["taste_1@00000000".into()], later, &[0]).is_err());
    }

    #[test]
    fn one_customer_is_as_among_others_and_the_future_is_not_looked_at() {
        let (log, events) = (log(), events());
        let known = Beyond::of(&log).products().events(&events);
        let names = known.names(cut()).unwrap();
        let bits = |columns: &FeatureMatrix, row: usize| -> Vec<u64> {
            columns.row(row).iter().map(|v| v.to_bits()).collect()
        };
        let both = known.columns(&names, cut(), &[0, 1]).unwrap();
        let one = known.columns(&names, cut(), &[1]).unwrap();
        assert_eq!(bits(&both, 1), bits(&one, 0));
        let leaks = crate::leakage::of_the_future(&log, cut(), |log| {
            let known = Beyond::of(log).products();
            known.columns(&known.names(cut())?, cut(), &[0, 1])
        });
        assert!(leaks.unwrap().is_empty());
    }

    /// Tables and a log that end at the cut give the same columns as those that go on after it.
    #[test]
    fn no_part_looks_at_what_came_later() {
        let rows = [
            ("ada", "2024-01-05", "tea", 2.0, 10.0),
            ("ada", "2024-02-01", "cup", 1.0, 6.0),
            ("bob", "2024-02-10", "tea", 1.0, 4.0),
            ("bob", "2024-02-11", "cup", 1.0, 5.0),
            ("bob", "2024-04-01", "pot", 9.0, 99.0),
            ("new", "2024-03-20", "tea", 1.0, 7.0),
            ("new", "2024-03-21", "cup", 1.0, 7.0),
        ];
        let happened = [
            ("ada", "2024-01-04", EventKind::Viewed, "tea"),
            ("ada", "2024-02-27", EventKind::Searched, "tea cup"),
            ("bob", "2024-02-20", EventKind::Searched, "cup tea"),
            ("new", "2024-02-25", EventKind::Viewed, "cup"),
            ("ada", "2024-03-05", EventKind::Searched, "pot tea"),
            ("new", "2024-03-06", EventKind::Reviewed, "pot"),
        ];
        let mut goods = Attributes::new(Conflict::default());
        for (product, kind) in [("tea", "food"), ("cup", "china"), ("pot", "china")] {
            goods.state(product, "kind", kind);
        }
        let (goods, people) = (goods.typed(), people());
        let mut links = Links::default();
        links.link("ada", "new", day("2024-02-20"));
        links.link("bob", "ada", day("2024-03-02"));
        let told = |until: &str| {
            let (until, mut log, mut events) = (day(until), LogBuilder::new(), EventLog::default());
            for (who, when, product, quantity, amount) in rows {
                if day(when) <= until {
                    let row = Transaction::new(who, day(when)).amount(amount).unwrap();
                    log.push(Transaction { product: Some(product), quantity: Some(quantity), ..row })
                        .unwrap();
                }
            }
            for (customer, when, kind, subject) in happened {
                if day(when) <= until {
                    events.push(Event {
                        customer,
                        time: day(when),
                        kind,
                        subject: Some(subject),
                        value: None,
                    });
                }
            }
            let log = log.finish();
            let taste = Taste::of_products(&log, cut(), 1).unwrap();
            let interests = Taste::of_searches(&events, cut(), 1).unwrap();
            let known = Beyond::of(&log)
                .products()
                .within(&[Span::weeks(2.0).unwrap()])
                .holidays(&[day("2024-03-31")], Span::days(14.0).unwrap())
                .catalogue(&goods)
                .taste(&taste)
                .events(&events)
                .keywords(4)
                .interests(&interests)
                .attributes(&people)
                .links(&links);
            let names = known.names(cut()).unwrap();
            let columns = known.columns(&names, cut(), &[0, 1]).unwrap();
            (names, columns.as_slice().iter().map(|v| v.to_bits()).collect::<Vec<_>>())
        };
        let (names, columns) = told("2024-03-01");
        assert!(names.len() > 40, "{names:?}");
        assert_eq!(told("2024-12-31"), (names.clone(), columns.clone()));
        let links = names.iter().position(|name| name == "links").unwrap();
        assert_eq!(f64::from_bits(columns[links]), 1.0, "linked to somebody who had not bought yet");
    }

    #[test]
    fn an_attribute_is_read_as_it_was_when_the_model_was_fitted() {
        let log = log();
        let stated = |rows: &[(&str, &str)]| {
            let mut people = Attributes::new(Conflict::default());
            rows.iter().for_each(|(who, value)| people.state(who, "size", value));
            people.typed()
        };
        let ask = |people: &Attributes, name: &str| {
            Beyond::of(&log).attributes(people).columns(&[name.to_owned()], cut(), &[0]).map(|c| c.row(0)[0])
        };
        // All numbers, of a table that held words as well.
        assert_eq!(ask(&stated(&[("ada", "40")]), "own_size=40").unwrap(), 1.0);
        assert_eq!(ask(&stated(&[("ada", "40.0")]), "own_size=40.0").unwrap(), 1.0);
        assert_eq!(ask(&stated(&[("ada", "40")]), "own_size=XL").unwrap(), 0.0);
        let hashed = format!("own_size#{}", hash_place("+49", HASHES) + 1);
        assert_eq!(ask(&stated(&[("ada", "+49")]), &hashed).unwrap(), 1.0);
        let words = stated(&[("ada", "40"), ("bob", "XL")]);
        let refused = ask(&words, "own_size").unwrap_err().to_string();
        assert!(["size", "XL", "bob"].iter().all(|word| refused.contains(word)), "{refused}");
        // A code with a zero before it, read as the number that it was elsewhere.
        assert_eq!(ask(&stated(&[("ada", "040")]), "own_size").unwrap(), 40.0);
        // Two columns of one name are refused.
        let mut people = Attributes::new(Conflict::default());
        people.state("ada", "size", "XL");
        people.state("ada", "size=XL", "1");
        let people = people.typed();
        let clash = Beyond::of(&log).attributes(&people).names(cut()).unwrap_err().to_string();
        assert!(clash.contains("own_size=XL"), "{clash}");
    }

    #[test]
    fn columns_are_asked_for_by_name_whatever_the_data_know() {
        let (log, events, people) = (log(), events(), people());
        let known = Beyond::of(&log).events(&events).attributes(&people);
        let asked = ["searched_count", "own_region=south", "own_region=north"].map(String::from);
        let columns = known.columns(&asked, cut(), &[1]).unwrap();
        assert_eq!(columns.row(0), [0.0, 0.0, 1.0]);
        let unknown = known.columns(&["income".into()], cut(), &[1]).unwrap_err().to_string();
        assert!(unknown.contains("income"), "{unknown}");
        assert!(Beyond::of(&log).names(cut()).unwrap().is_empty());
    }
}
