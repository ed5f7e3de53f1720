//! Purchases in order of time: a few words for each customer.

use hashbrown::HashTable;

use super::key::{Key, Roster, mix};
use crate::cut::Cut;
use crate::error::{Error, Result};
use crate::ledger::Ledger;
use crate::names::Names;
use crate::summary::{SpendBasis, Summary};
use crate::units::{Grain, Moment, Money, TimeUnit};

/// What is known of a customer so far.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct State {
    pub first: i64,
    pub last: i64,
    /// Distinct grains.
    pub purchases: u32,
    /// Amount of the first grain, and of all.
    pub first_micros: i64,
    pub total_micros: i128,
}

/// Histories of customers whose purchases come in order of time.
///
/// Each customer's purchases must not go back in time by more than a grain; a late one is refused
/// by name. Memory is proportional to customers, however long the log.
#[derive(Clone, Debug)]
pub struct OrderedSummary {
    pub(super) grain: Grain,
    pub(super) long: Names,
    pub(super) keys: Vec<Key>,
    pub(super) states: Vec<State>,
    pub(super) amounts: Option<bool>,
    pub(super) currency: Option<String>,
    pub(super) ledger: Ledger,
    pub(super) until: Option<Cut>,
    pub(super) has_aliases: bool,
    table: HashTable<u32>,
}

impl OrderedSummary {
    /// An empty summary whose purchases merge by this grain.
    pub fn new(grain: Grain) -> Self {
        Self {
            grain,
            long: Names::default(),
            keys: Vec::new(),
            states: Vec::new(),
            amounts: None,
            currency: None,
            ledger: Ledger::default(),
            until: None,
            has_aliases: false,
            table: HashTable::new(),
        }
    }

    /// Readers pass over what comes after this cut, and count it: a summary cannot go back.
    ///
    /// # Errors
    ///
    /// [`Error::Unreadable`] if the cut has another grain.
    pub fn until(self, cut: Cut) -> Result<Self> {
        cut.expect_grain(self.grain)?;
        Ok(Self { until: Some(cut), ..self })
    }

    /// What became of the rows that were read in.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Adds a purchase.
    ///
    /// # Errors
    ///
    /// [`Error::Late`] if it is earlier than the customer's last; [`Error::MixedAmounts`];
    /// [`Error::MoneyOverflow`]. Then nothing has changed.
    pub fn push(&mut self, customer: &str, time: Moment, amount: Option<Money>) -> Result<()> {
        self.expect_amount(customer, time, amount.is_some())?;
        let key = Key::of(customer, &mut self.long);
        self.put(key, self.grain.index(time), amount.map_or(0, Money::micros), 1)
    }

    /// Takes in a summary of a later time.
    ///
    /// # Errors
    ///
    /// [`Error::Late`] naming the first customer who bought earlier there than here; then nothing
    /// has changed. [`Error::MixedAmounts`].
    pub fn merge(&mut self, later: Self) -> Result<()> {
        if let (Some(mine), Some(theirs)) = (self.amounts, later.amounts)
            && mine != theirs
        {
            let (customer, time) = ("(of the other summary)".to_owned(), "any time".to_owned());
            return Err(Error::MixedAmounts { customer, time, present: theirs });
        }
        if self.grain != later.grain {
            let allowed = "the grain of the other summary; take both by the same";
            return Err(Error::Unreadable { what: "grain", given: later.grain.to_string(), allowed });
        }
        if let (Some(first), Some(second)) = (&self.currency, &later.currency)
            && first != second
        {
            return Err(Error::MixedCurrency { first: first.clone(), second: second.clone() });
        }
        let places: Vec<u32> = later.long.iter().map(|name| self.long.intern(name)).collect();
        for (key, state) in later.keys.iter().zip(&later.states) {
            if let Some(known) = self.find(key.moved(&places)) {
                let mine = &self.states[known as usize];
                if state.first < mine.last {
                    return Err(self.late(key.moved(&places), state.first, known));
                }
                if mine.first_micros.checked_add(state.first_micros).is_none() {
                    let customer = key.moved(&places).name(&self.long).into_owned();
                    return Err(Error::MoneyOverflow { customer });
                }
            }
        }
        self.amounts = self.amounts.or(later.amounts);
        self.currency = self.currency.take().or(later.currency);
        self.ledger.absorb(later.ledger);
        for (key, state) in later.keys.iter().zip(later.states) {
            let key = key.moved(&places);
            match self.find(key) {
                None => self.insert(key, state),
                Some(known) => {
                    let mine = &mut self.states[known as usize];
                    let same = mine.last == state.first;
                    if same && mine.purchases == 1 {
                        mine.first_micros += state.first_micros;
                    }
                    mine.purchases += state.purchases - u32::from(same);
                    mine.last = state.last;
                    mine.total_micros += state.total_micros;
                }
            }
        }
        Ok(())
    }

    /// Number of customers.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The last moment, in whole grains.
    pub fn last(&self) -> Option<Moment> {
        self.states.iter().map(|s| s.last).max().map(|grain| self.grain.start(grain))
    }

    /// Every customer's history as of a cut not before the last purchase.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] if the cut is earlier, or of another grain; [`Error::TooLittleData`].
    pub fn summary(&self, cut: Cut, unit: TimeUnit, basis: SpendBasis) -> Result<(Roster, Summary)> {
        cut.expect_grain(self.grain)?;
        if let Some(last) = self.last()
            && cut.last() < last
        {
            return Err(Error::Setting {
                name: "days from the last purchase to the cut of an ordered summary",
                given: cut.last().days_since(last),
                allowed: "0 or more: it has forgotten what came between",
            });
        }
        let with_spend = self.amounts == Some(true);
        let mut summary = Summary::empty(cut, unit, basis, with_spend);
        let mut order: Vec<u32> = (0..self.keys.len() as u32).collect();
        let key = |n: &u32| self.keys[*n as usize];
        order.sort_by_cached_key(|n| {
            key(n).spread(&self.long) >> (64 - super::grains::PARTS.trailing_zeros())
        });
        // As the grain ledger has them: by part, then by name.
        for run in order.chunk_by_mut(|a, b| {
            let part = |n: &u32| key(n).spread(&self.long) >> (64 - super::grains::PARTS.trailing_zeros());
            part(a) == part(b)
        }) {
            run.sort_unstable_by(|a, b| key(a).compare(key(b), &self.long));
        }
        for (customer, &n) in order.iter().enumerate() {
            let s = &self.states[n as usize];
            let (first, last) = (self.grain.start(s.first), self.grain.start(s.last));
            let money = with_spend.then_some((i128::from(s.first_micros), s.total_micros));
            summary.add_totals(customer as u32, first, last, s.purchases, money);
        }
        if summary.is_empty() {
            return Err(Error::TooLittleData { model: "a summary", needs: "purchases", found: 0 });
        }
        let keys = order.iter().map(key).collect();
        Ok((Roster { keys, long: self.long.clone() }, summary))
    }

    pub(super) fn put(&mut self, key: Key, grain: i64, micros: i64, purchases: u32) -> Result<()> {
        let Some(known) = self.find(key) else {
            let total = i128::from(micros);
            self.insert(
                key,
                State { first: grain, last: grain, purchases, first_micros: micros, total_micros: total },
            );
            return Ok(());
        };
        let state = &mut self.states[known as usize];
        if grain < state.last {
            return Err(self.late(key, grain, known));
        }
        if grain == state.last {
            if state.purchases == 1 {
                let sum = state.first_micros.checked_add(micros);
                let long = &self.long;
                let overflow = || Error::MoneyOverflow { customer: key.name(long).into_owned() };
                state.first_micros = sum.ok_or_else(overflow)?;
            }
        } else {
            state.purchases += purchases;
            state.last = grain;
        }
        state.total_micros += i128::from(micros);
        Ok(())
    }

    pub(super) fn insert(&mut self, key: Key, state: State) {
        let number = self.keys.len() as u32;
        self.keys.push(key);
        self.states.push(state);
        let keys = &self.keys;
        self.table.insert_unique(mix(key.word()), number, |&n| mix(keys[n as usize].word()));
    }

    pub(super) fn expect_amount(&mut self, customer: &str, time: Moment, present: bool) -> Result<()> {
        if *self.amounts.get_or_insert(present) == present {
            return Ok(());
        }
        Err(Error::MixedAmounts { customer: customer.to_owned(), time: time.to_string(), present })
    }

    fn find(&self, key: Key) -> Option<u32> {
        self.table.find(mix(key.word()), |&n| self.keys[n as usize] == key).copied()
    }

    fn late(&self, key: Key, grain: i64, known: u32) -> Error {
        Error::Late {
            customer: key.name(&self.long).into_owned(),
            given: self.grain.start(grain).to_string(),
            last: self.grain.start(self.states[known as usize].last).to_string(),
        }
    }
}
