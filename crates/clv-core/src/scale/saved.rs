//! Ledgers and summaries at rest: whole or not at all, and refused when damaged.

use std::path::Path;

use super::grains::{Event, GrainLedger, Wide};
use super::key::Key;
use super::ordered::{OrderedSummary, State};
use crate::error::{Error, Result};
use crate::ledger::Ledger;
use crate::saved::{SavedError, write_atomically};
use crate::units::Grain;

const GRAINS: &[u8; 8] = b"clvgrn01";
const ORDERED: &[u8; 8] = b"clvord01";

impl GrainLedger {
    /// Writes all it holds.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn save(&self, path: &Path) -> Result<()> {
        let mut out = Bytes::new(GRAINS, self.grain, self.amounts);
        out.text(self.currency.as_deref().unwrap_or(""));
        out.text(&serde_json::to_string(&self.ledger).unwrap_or_default());
        out.number(self.rows() as u64 - self.events.len() as u64);
        for part in &self.parts {
            for row in part.blocks.iter().flatten() {
                out.row(&row.key.name(&self.long), i64::from(row.grain), i64::from(row.cents) * 10_000);
            }
            for (key, wide) in &part.wide {
                out.row(&key.name(&self.long), wide.grain, wide.micros);
            }
        }
        out.number(self.events.len() as u64);
        for (id, event) in &self.events {
            out.text(id);
            out.row(&event.customer, event.what.grain, event.what.micros);
            out.number(u64::from(event.conflicting));
        }
        out.number(self.same.len() as u64);
        for (name, customer) in self.same.pairs() {
            out.text(name);
            out.text(customer);
        }
        out.write(path)
    }

    /// Reads what was saved, to go on from there.
    ///
    /// # Errors
    ///
    /// [`Error::Io`]; [`Error::Saved`] if the file is damaged, of another kind, or newer.
    pub fn load(path: &Path) -> Result<Self> {
        Self::from_bytes(&read(path)?, path)
    }

    /// The same from memory; `name` stands for the file in errors.
    ///
    /// # Errors
    ///
    /// [`Error::Saved`], as [`GrainLedger::load`].
    pub fn from_bytes(bytes: &[u8], name: &Path) -> Result<Self> {
        let mut from = Reader::open(bytes, GRAINS, name)?;
        let mut found = Self::new(from.grain()?);
        found.amounts = from.amounts()?;
        (found.currency, found.ledger) = from.currency_and_ledger()?;
        for _ in 0..from.number()? {
            let (customer, what) = from.row()?;
            let key = Key::of(customer, &mut found.long);
            found.put(key, what.grain, what.micros);
        }
        for _ in 0..from.number()? {
            let id = from.text()?.to_owned();
            let (customer, what) = from.row()?;
            let event = Event { customer: customer.to_owned(), what, conflicting: from.number()? != 0 };
            found.events.insert(id, event);
        }
        for _ in 0..from.number()? {
            let name = from.text()?;
            found.same.alias(name, from.text()?);
        }
        Ok(found)
    }
}

impl OrderedSummary {
    /// Writes all it holds.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn save(&self, path: &Path) -> Result<()> {
        let mut out = Bytes::new(ORDERED, self.grain, self.amounts);
        out.text(self.currency.as_deref().unwrap_or(""));
        out.text(&serde_json::to_string(&self.ledger).unwrap_or_default());
        out.number(self.keys.len() as u64);
        for (key, s) in self.keys.iter().zip(&self.states) {
            out.row(&key.name(&self.long), s.first, s.first_micros);
            out.signed(s.last);
            out.number(u64::from(s.purchases));
            out.0.extend(s.total_micros.to_le_bytes());
        }
        out.write(path)
    }

    /// Reads what was saved, to go on from there.
    ///
    /// # Errors
    ///
    /// As [`GrainLedger::load`].
    pub fn load(path: &Path) -> Result<Self> {
        Self::from_bytes(&read(path)?, path)
    }

    /// The same from memory; `name` stands for the file in errors.
    ///
    /// # Errors
    ///
    /// As [`GrainLedger::from_bytes`].
    pub fn from_bytes(bytes: &[u8], name: &Path) -> Result<Self> {
        let mut from = Reader::open(bytes, ORDERED, name)?;
        let mut found = Self::new(from.grain()?);
        found.amounts = from.amounts()?;
        (found.currency, found.ledger) = from.currency_and_ledger()?;
        for _ in 0..from.number()? {
            let (customer, first) = from.row()?;
            let key = Key::of(customer, &mut found.long);
            let last = from.signed()?;
            let purchases = u32::try_from(from.number()?).map_err(|_| from.damaged())?;
            let total: [u8; 16] = from.take(16)?.try_into().map_err(|_| from.damaged())?;
            let total_micros = i128::from_le_bytes(total);
            let state =
                State { first: first.grain, last, purchases, first_micros: first.micros, total_micros };
            found.insert(key, state);
        }
        Ok(found)
    }
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|source| Error::Io { path: path.into(), source })
}

/// What is to be written: numbers of variable length, small ones short.
struct Bytes(Vec<u8>);

impl Bytes {
    fn new(kind: &[u8; 8], grain: Grain, amounts: Option<bool>) -> Self {
        let mut bytes = Self(kind.to_vec());
        bytes.number(grain as u64);
        bytes.number(amounts.map_or(0, |a| 1 + u64::from(a)));
        bytes
    }

    fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
    }

    /// Zigzag: small negative numbers are short too.
    fn signed(&mut self, number: i64) {
        self.number((number << 1 ^ number >> 63) as u64);
    }

    fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.0.extend(text.as_bytes());
    }

    fn row(&mut self, customer: &str, grain: i64, micros: i64) {
        self.text(customer);
        self.signed(grain);
        self.signed(micros);
    }

    fn write(mut self, path: &Path) -> Result<()> {
        let sum = crc32fast::hash(&self.0);
        self.0.extend(sum.to_le_bytes());
        write_atomically(path, |file| file.write_all(&self.0))
    }
}

struct Reader<'a> {
    rest: &'a [u8],
    path: &'a Path,
}

impl<'a> Reader<'a> {
    fn open(bytes: &'a [u8], kind: &[u8; 8], path: &'a Path) -> Result<Self> {
        let damaged = |why| Error::Saved(SavedError::File { path: path.into(), why });
        let (body, sum) = bytes.split_last_chunk::<4>().ok_or_else(|| damaged("it is too short"))?;
        let head = body.get(..8).ok_or_else(|| damaged("it is too short"))?;
        if head[..6] != kind[..6] {
            return Err(damaged("it is not a saved ledger of this kind"));
        }
        if head != kind {
            return Err(damaged("it was written by a newer version"));
        }
        if crc32fast::hash(body) != u32::from_le_bytes(*sum) {
            return Err(damaged("its checksum does not match"));
        }
        Ok(Self { rest: &body[8..], path })
    }

    fn damaged(&self) -> Error {
        Error::Saved(SavedError::File { path: self.path.into(), why: "it ends early or contradicts itself" })
    }

    fn take(&mut self, n: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(n).ok_or_else(|| self.damaged())?;
        self.rest = rest;
        Ok(taken)
    }

    fn number(&mut self) -> Result<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.take(1)?[0];
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(self.damaged())
    }

    fn signed(&mut self) -> Result<i64> {
        let number = self.number()?;
        Ok((number >> 1) as i64 ^ -((number & 1) as i64))
    }

    fn text(&mut self) -> Result<&'a str> {
        let length = usize::try_from(self.number()?).map_err(|_| self.damaged())?;
        let bytes = self.take(length)?;
        std::str::from_utf8(bytes).map_err(|_| self.damaged())
    }

    fn currency_and_ledger(&mut self) -> Result<(Option<String>, Ledger)> {
        let currency = Some(self.text()?.to_owned()).filter(|c| !c.is_empty());
        let ledger = serde_json::from_str(self.text()?).map_err(|_| self.damaged())?;
        Ok((currency, ledger))
    }

    fn row(&mut self) -> Result<(&'a str, Wide)> {
        Ok((self.text()?, Wide { grain: self.signed()?, micros: self.signed()? }))
    }

    fn grain(&mut self) -> Result<Grain> {
        [Grain::Exact, Grain::Hour, Grain::Day, Grain::Week]
            .get(self.number()? as usize)
            .copied()
            .ok_or_else(|| self.damaged())
    }

    fn amounts(&mut self) -> Result<Option<bool>> {
        match self.number()? {
            0 => Ok(None),
            1 => Ok(Some(false)),
            2 => Ok(Some(true)),
            _ => Err(self.damaged()),
        }
    }
}
