//! Rows in any order, kept small until they are asked for.

use std::collections::BTreeMap;

use super::collate::{collate, in_parallel};
use super::key::{Key, Roster};
use crate::cut::Cut;
use crate::error::{Error, Result};
use crate::identity::Identities;
use crate::ledger::{Ledger, Reason};
use crate::names::Names;
use crate::summary::{Purchases, SpendBasis, Summary};
use crate::units::{Grain, Moment, Money, TimeUnit};

/// Rows are spread over this many parts by their customer, so that each part is worked on in cache.
pub(super) const PARTS: usize = 1024;
/// Rows in a full block: 128 KiB, which the allocator gives back as soon as a part is done.
const BLOCK: usize = 8192;

/// A purchase in 16 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub key: Key,
    /// Number of the grain since 1970.
    pub grain: i32,
    /// In hundredths of the currency unit.
    pub cents: i32,
}

/// A purchase that does not fit: to the microsecond, or finer or larger than cents in 32 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Wide {
    pub grain: i64,
    pub micros: i64,
}

/// The rows of some customers, in blocks that never move.
#[derive(Clone, Debug, Default)]
pub(super) struct Part {
    pub blocks: Vec<Vec<Row>>,
    pub wide: Vec<(Key, Wide)>,
}

impl Part {
    #[inline]
    fn push(&mut self, row: Row) {
        match self.blocks.last_mut() {
            Some(block) if block.len() < block.capacity() => block.push(row),
            _ => self.grow(row),
        }
    }

    #[cold]
    fn grow(&mut self, row: Row) {
        // Small shops pay for small blocks: 32 rows, then 64, up to full ones.
        let capacity = self.blocks.last().map_or(32, |block| (2 * block.capacity()).min(BLOCK));
        let mut block = Vec::with_capacity(capacity);
        block.push(row);
        self.blocks.push(block);
    }

    pub(super) fn rows(&self) -> usize {
        self.blocks.iter().map(Vec::len).sum::<usize>() + self.wide.len()
    }
}

/// An event that carries an identifier, and whether it came with different contents.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Event {
    /// The name of its customer: two ledgers may know it by different keys.
    pub customer: String,
    pub what: Wide,
    pub conflicting: bool,
}

/// A log of purchases in any order, any split: the whole truth in 16 bytes a row.
///
/// Rows may come late, in any order, from several ledgers merged. Events that carry an identifier
/// may be delivered any number of times; should one come with different contents, the latest in time
/// and then the larger counts, and it is counted among [`GrainLedger::conflicts`].
#[derive(Clone, Debug)]
pub struct GrainLedger {
    pub(super) grain: Grain,
    pub(super) parts: Vec<Part>,
    pub(super) long: Names,
    pub(super) events: BTreeMap<String, Event>,
    pub(super) same: Identities,
    /// Whether rows have amounts; not known before the first.
    pub(super) amounts: Option<bool>,
    pub(super) currency: Option<String>,
    pub(super) ledger: Ledger,
}

impl GrainLedger {
    /// An empty ledger whose purchases merge by this grain.
    pub fn new(grain: Grain) -> Self {
        Self {
            grain,
            parts: vec![Part::default(); PARTS],
            long: Names::default(),
            events: BTreeMap::new(),
            same: Identities::default(),
            amounts: None,
            currency: None,
            ledger: Ledger::default(),
        }
    }

    /// Adds a purchase.
    ///
    /// # Errors
    ///
    /// [`Error::MixedAmounts`] if some purchases have an amount and others not.
    pub fn push(&mut self, customer: &str, time: Moment, amount: Option<Money>) -> Result<()> {
        self.expect_amount(customer, time, amount.is_some())?;
        let key = Key::of(customer, &mut self.long);
        self.put(key, self.index(time), amount.map_or(0, Money::micros));
        Ok(())
    }

    /// States that a name means a customer, for what is pushed before and after; see [`Identities`].
    pub fn alias(&mut self, name: &str, customer: &str) {
        self.same.alias(name, customer);
    }

    /// Which names are the same customer.
    pub fn identities(&self) -> &Identities {
        &self.same
    }

    /// Adds an event that carries an identifier; whether it was new. The same identifier again changes
    /// nothing.
    ///
    /// # Errors
    ///
    /// As [`GrainLedger::push`].
    pub fn push_event(
        &mut self,
        id: &str,
        customer: &str,
        time: Moment,
        amount: Option<Money>,
    ) -> Result<bool> {
        self.expect_amount(customer, time, amount.is_some())?;
        let what = Wide { grain: self.index(time), micros: amount.map_or(0, Money::micros) };
        let event = Event { customer: customer.to_owned(), what, conflicting: false };
        Ok(settle(&mut self.events, id.to_owned(), event))
    }

    /// Takes in what another ledger holds.
    ///
    /// # Errors
    ///
    /// [`Error::Unreadable`] if the grains differ, [`Error::MixedAmounts`], [`Error::MixedCurrency`].
    pub fn merge(&mut self, other: Self) -> Result<()> {
        if self.grain != other.grain {
            let allowed = "the grain of the other ledger; take both by the same";
            return Err(Error::Unreadable { what: "grain", given: other.grain.to_string(), allowed });
        }
        if let (Some(mine), Some(theirs)) = (self.amounts, other.amounts)
            && mine != theirs
        {
            let (customer, time) = ("(of the other ledger)".to_owned(), "any time".to_owned());
            return Err(Error::MixedAmounts { customer, time, present: theirs });
        }
        if let (Some(first), Some(second)) = (&self.currency, &other.currency)
            && first != second
        {
            return Err(Error::MixedCurrency { first: first.clone(), second: second.clone() });
        }
        self.amounts = self.amounts.or(other.amounts);
        self.currency = self.currency.take().or(other.currency);
        let places: Vec<u32> = other.long.iter().map(|name| self.long.intern(name)).collect();
        for (mine, mut theirs) in self.parts.iter_mut().zip(other.parts) {
            if !places.is_empty() {
                theirs.blocks.iter_mut().flatten().for_each(|row| row.key = row.key.moved(&places));
                theirs.wide.iter_mut().for_each(|(key, _)| *key = key.moved(&places));
            }
            mine.wide.append(&mut theirs.wide);
            // The block in use stays last.
            let last = mine.blocks.pop();
            mine.blocks.append(&mut theirs.blocks);
            mine.blocks.extend(last);
        }
        self.ledger.absorb(other.ledger);
        for (id, event) in other.events {
            // Kept there, and here too: one of them was a repeat. (Rows that were pushed and not read
            // are in no ledger.)
            if !settle(&mut self.events, id, event) && self.ledger.kept > 0 {
                self.ledger.kept -= 1;
                *self.ledger.dropped.entry(Reason::Duplicate).or_default() += 1;
            }
        }
        for (name, customer) in other.same.pairs() {
            self.same.alias(name, customer);
        }
        Ok(())
    }

    /// The grain.
    pub fn grain(&self) -> Grain {
        self.grain
    }

    /// Purchases held, before those of the same grain merge.
    pub fn rows(&self) -> usize {
        self.parts.iter().map(Part::rows).sum::<usize>() + self.events.len()
    }

    /// Identifiers that came with different contents.
    pub fn conflicts(&self) -> usize {
        self.events.values().filter(|event| event.conflicting).count()
    }

    /// What became of the rows that were read in through [`Intake`](crate::Intake).
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The rows quoted stand so many lines later than they knew: they were read from the middle of a
    /// file.
    pub fn move_lines(&mut self, lines: u64) {
        self.ledger.quoted.iter_mut().for_each(|row| row.line += lines);
    }

    /// The first and the last moment, in whole grains.
    pub fn span(&self) -> Option<(Moment, Moment)> {
        let mut ends: Option<(i64, i64)> = None;
        let mut see = |grain: i64| {
            ends = Some(ends.map_or((grain, grain), |(a, b)| (a.min(grain), b.max(grain))));
        };
        for part in &self.parts {
            part.blocks.iter().flatten().for_each(|row| see(i64::from(row.grain)));
            part.wide.iter().for_each(|(_, wide)| see(wide.grain));
        }
        self.events.values().for_each(|event| see(event.what.grain));
        ends.map(|(first, last)| (self.grain.start(first), self.grain.start(last)))
    }

    /// Every customer's history as of a cut, on so many threads.
    ///
    /// # Errors
    ///
    /// [`Error::TooLittleData`] if nobody has bought by then; [`Error::MoneyOverflow`];
    /// [`Error::Setting`] if the cut has another grain.
    pub fn summary(
        self,
        cut: Cut,
        unit: TimeUnit,
        basis: SpendBasis,
        threads: usize,
    ) -> Result<(Roster, Summary)> {
        let (roster, mut summaries) = self.summaries(&[cut], unit, basis, threads)?;
        Ok((roster, summaries.swap_remove(0)))
    }

    /// Histories as of several cuts in one pass.
    ///
    /// # Errors
    ///
    /// As [`GrainLedger::summary`].
    pub fn summaries(
        self,
        cuts: &[Cut],
        unit: TimeUnit,
        basis: SpendBasis,
        threads: usize,
    ) -> Result<(Roster, Vec<Summary>)> {
        for cut in cuts {
            cut.expect_grain(self.grain)?;
        }
        let with_spend = self.amounts == Some(true);
        let begin = || {
            (Vec::new(), cuts.iter().map(|c| Summary::empty(*c, unit, basis, with_spend)).collect::<Vec<_>>())
        };
        let (grain, long, parts) = self.settled();
        let fragments = in_parallel(parts, threads, |parts| {
            let (mut keys, mut summaries) = begin();
            for part in parts {
                collate(
                    part,
                    grain,
                    &long,
                    &mut |key, when, amounts| {
                        let customer = keys.len() as u32;
                        keys.push(key);
                        for summary in &mut summaries {
                            summary.add(customer, when, with_spend.then_some(amounts));
                        }
                        Ok(())
                    },
                    &|key| key.name(&long).into_owned(),
                )?;
            }
            Ok((keys, summaries))
        })?;
        let (mut keys, mut summaries) = begin();
        for (more, fragment) in fragments {
            let before = keys.len() as u32;
            keys.extend(more);
            for (whole, part) in summaries.iter_mut().zip(fragment) {
                whole.append(part, before);
            }
        }
        if summaries.iter().any(Summary::is_empty) {
            let (model, needs) = ("a summary", "customers who bought on or before the cut");
            return Err(Error::TooLittleData { model, needs, found: 0 });
        }
        Ok((Roster { keys, long }, summaries))
    }

    /// All purchases, merged by grain, for any cut and any holdout.
    ///
    /// # Errors
    ///
    /// [`Error::MoneyOverflow`].
    pub fn purchases(self, threads: usize) -> Result<(Roster, Purchases)> {
        let with_amounts = self.amounts == Some(true);
        let (grain, long, parts) = self.settled();
        let fragments = in_parallel(parts, threads, |parts| {
            let (mut keys, mut purchases) = (Vec::new(), Purchases::empty(grain, with_amounts));
            for part in parts {
                collate(
                    part,
                    grain,
                    &long,
                    &mut |key, when, amounts| {
                        keys.push(key);
                        purchases.add(when, amounts);
                        Ok(())
                    },
                    &|key| key.name(&long).into_owned(),
                )?;
            }
            Ok((keys, purchases))
        })?;
        let (mut keys, mut purchases) = (Vec::new(), Purchases::empty(grain, with_amounts));
        for (more, fragment) in fragments {
            keys.extend(more);
            purchases.append(fragment);
        }
        Ok((Roster { keys, long }, purchases))
    }

    /// Parts with the identified events among their rows.
    pub(super) fn settled(mut self) -> (Grain, Names, Vec<Part>) {
        if !self.same.is_empty() {
            self = self.under_settled_names();
        }
        for (_, event) in std::mem::take(&mut self.events) {
            let key = Key::of(&event.customer, &mut self.long);
            self.put(key, event.what.grain, event.what.micros);
        }
        (self.grain, self.long, self.parts)
    }

    /// Every row under the name that counts.
    fn under_settled_names(mut self) -> Self {
        let same = std::mem::take(&mut self.same);
        let mut settled = Self::new(self.grain);
        settled.amounts = self.amounts;
        for part in std::mem::take(&mut self.parts) {
            for row in part.blocks.into_iter().flatten() {
                let key = Key::of(same.resolve(&row.key.name(&self.long)), &mut settled.long);
                settled.put(key, i64::from(row.grain), i64::from(row.cents) * 10_000);
            }
            for (key, wide) in part.wide {
                let key = Key::of(same.resolve(&key.name(&self.long)), &mut settled.long);
                settled.put(key, wide.grain, wide.micros);
            }
        }
        settled.events = std::mem::take(&mut self.events);
        for event in settled.events.values_mut() {
            event.customer = same.resolve(&event.customer).to_owned();
        }
        settled
    }

    #[inline]
    pub(super) fn put(&mut self, key: Key, grain: i64, micros: i64) {
        let part = (key.spread(&self.long) >> (64 - PARTS.trailing_zeros())) as usize;
        let cents = micros / 10_000;
        match (i32::try_from(grain), i32::try_from(cents)) {
            (Ok(grain), Ok(small)) if cents * 10_000 == micros => {
                self.parts[part].push(Row { key, grain, cents: small });
            }
            _ => self.parts[part].wide.push((key, Wide { grain, micros })),
        }
    }

    #[inline]
    pub(super) fn index(&self, time: Moment) -> i64 {
        self.grain.index(time)
    }

    pub(super) fn expect_amount(&mut self, customer: &str, time: Moment, present: bool) -> Result<()> {
        if *self.amounts.get_or_insert(present) == present {
            return Ok(());
        }
        Err(Error::MixedAmounts { customer: customer.to_owned(), time: time.to_string(), present })
    }
}

/// Enters an event unless it is known; whether it was new. Of different contents the latest, then the
/// larger counts.
fn settle(events: &mut BTreeMap<String, Event>, id: String, event: Event) -> bool {
    match events.entry(id) {
        std::collections::btree_map::Entry::Vacant(free) => {
            free.insert(event);
            true
        }
        std::collections::btree_map::Entry::Occupied(mut known) => {
            let known = known.get_mut();
            let differs = (known.what, &known.customer) != (event.what, &event.customer);
            let conflicting = known.conflicting || event.conflicting || differs;
            if (event.what, &event.customer) > (known.what, &known.customer) {
                *known = event;
            }
            known.conflicting = conflicting;
            false
        }
    }
}
