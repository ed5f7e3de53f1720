//! Customers as single words.

use std::borrow::Cow;
use std::cmp::Ordering;

use crate::names::{CustomerNames, Names};

/// A customer in 64 bits: a number as it is, a text of up to seven bytes packed, a longer one by its
/// place among the long names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key(u64);

const NUMBER: u64 = 0;
const PACKED: u64 = 1;
const LONG: u64 = 2;

impl Key {
    pub(super) fn of(name: &str, long: &mut Names) -> Self {
        Self::short(name.as_bytes()).unwrap_or_else(|| Self(u64::from(long.intern(name)) << 2 | LONG))
    }

    /// The key of a name that needs no place among the long ones.
    #[inline]
    fn short(name: &[u8]) -> Option<Self> {
        // As many digits as surely fit, and no zero before them: 007 is not 7.
        if (1..=18).contains(&name.len()) && (name[0] != b'0' || name.len() == 1) {
            let mut number = 0_u64;
            let mut digits = true;
            for &byte in name {
                let digit = byte.wrapping_sub(b'0');
                digits &= digit < 10;
                number = number.wrapping_mul(10).wrapping_add(u64::from(digit));
            }
            if digits {
                return Some(Self(number << 2 | NUMBER));
            }
        }
        if name.len() > 7 {
            return None;
        }
        let mut bytes = [0; 8];
        bytes[..name.len()].copy_from_slice(name);
        Some(Self(u64::from_be_bytes(bytes) | (name.len() as u64) << 2 | PACKED))
    }

    /// The key of a whole number, which is that of its digits; `None` if it is negative or huge.
    #[inline]
    pub(super) fn of_number(number: i64) -> Option<Self> {
        (0..1_000_000_000_000_000_000).contains(&number).then_some(Self((number as u64) << 2 | NUMBER))
    }

    /// Where it stands in another ledger's long names.
    pub(super) fn moved(self, places: &[u32]) -> Self {
        match self.0 & 3 {
            LONG => Self(u64::from(places[(self.0 >> 2) as usize]) << 2 | LONG),
            _ => self,
        }
    }

    pub(super) fn name(self, long: &Names) -> Cow<'_, str> {
        match self.0 & 3 {
            NUMBER => Cow::Owned((self.0 >> 2).to_string()),
            PACKED => {
                let length = (self.0 >> 2 & 7) as usize;
                Cow::Owned(String::from_utf8_lossy(&self.0.to_be_bytes()[..length]).into_owned())
            }
            _ => Cow::Borrowed(long.name((self.0 >> 2) as u32)),
        }
    }

    /// A number that depends on the name alone, never on what else was read.
    #[inline]
    pub(super) fn spread(self, long: &Names) -> u64 {
        if self.0 & 3 != LONG {
            return mix(self.0);
        }
        // FNV-1a over the text.
        let text = long.name((self.0 >> 2) as u32);
        mix(text.bytes().fold(0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3)))
    }

    /// Within a ledger, for hashing.
    #[inline]
    pub(super) fn word(self) -> u64 {
        self.0
    }

    /// Numbers by value, then texts by their bytes.
    pub(super) fn compare(self, other: Self, long: &Names) -> Ordering {
        match (self.0 & 3, other.0 & 3) {
            (NUMBER, NUMBER) => self.0.cmp(&other.0),
            (NUMBER, _) => Ordering::Less,
            (_, NUMBER) => Ordering::Greater,
            _ => self.name(long).as_bytes().cmp(other.name(long).as_bytes()),
        }
    }
}

/// Multiply and fold: the upper half of a product depends on all bits.
#[inline]
pub(super) fn mix(word: u64) -> u64 {
    let product = u128::from(word ^ 0x9e37_79b9_7f4a_7c15) * 0xd6e8_feb8_6659_fd93_u128;
    (product >> 64) as u64 ^ product as u64
}

/// A column of customers as numbers.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum CustomerColumn<'a> {
    /// 32 bits.
    I32(&'a [i32]),
    /// 64 bits.
    I64(&'a [i64]),
}

impl CustomerColumn<'_> {
    #[inline]
    pub(super) fn get(&self, row: usize) -> i64 {
        match self {
            Self::I32(values) => i64::from(values[row]),
            Self::I64(values) => values[row],
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::I32(values) => values.len(),
            Self::I64(values) => values.len(),
        }
    }
}

/// The customers of a summary at scale.
///
/// Their order depends on their names alone.
#[derive(Clone, Debug, Default)]
pub struct Roster {
    pub(super) keys: Vec<Key>,
    pub(super) long: Names,
}

impl Roster {
    /// How many.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The name of a customer.
    ///
    /// # Panics
    ///
    /// If `customer` is not below [`Roster::len`].
    pub fn name(&self, customer: u32) -> Cow<'_, str> {
        self.keys[customer as usize].name(&self.long)
    }

    /// The customers' numbers in order of their names: numbers by value, then texts by their bytes.
    pub fn sorted(&self) -> Vec<u32> {
        let mut order: Vec<u32> = (0..self.keys.len() as u32).collect();
        let key = |customer: &u32| self.keys[*customer as usize];
        order.sort_unstable_by(|a, b| key(a).compare(key(b), &self.long));
        order
    }

    /// As interned names, with the same numbers.
    pub fn names(&self) -> Names {
        let mut names = Names::default();
        for customer in 0..self.len() as u32 {
            names.intern(&self.name(customer));
        }
        names
    }
}

impl CustomerNames for Roster {
    fn name_of(&self, customer: u32) -> Cow<'_, str> {
        self.name(customer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_comes_back_and_no_two_names_share_a_key() {
        let mut long = Names::default();
        let names = [
            "7",
            "07",
            "007",
            "0",
            "00",
            "",
            "a",
            "1234567",
            "12345678",
            "999999999999999999",
            "1000000000000000000",
            "abcdefg",
            "abcdefgh",
            "Zoë",
            "-1",
            "1.0",
            "\0",
            "\0\0",
            "a b",
        ];
        let keys: Vec<Key> = names.iter().map(|n| Key::of(n, &mut long)).collect();
        for (key, name) in keys.iter().zip(names) {
            assert_eq!(key.name(&long), name);
        }
        for i in 0..keys.len() {
            for j in 0..i {
                assert_ne!(keys[i], keys[j], "{:?} {:?}", names[i], names[j]);
            }
        }
        assert_eq!(Key::of_number(1234), Some(Key::of("1234", &mut long)));
        assert_eq!((Key::of_number(-1), Key::of_number(i64::MAX)), (None, None));
    }

    #[test]
    fn the_order_is_that_of_numbers_then_of_texts() {
        let mut roster = Roster::default();
        for name in ["b", "10", "a long name", "9", "07", "a"] {
            let key = Key::of(name, &mut roster.long);
            roster.keys.push(key);
        }
        let sorted: Vec<_> = roster.sorted().into_iter().map(|c| roster.name(c).into_owned()).collect();
        assert_eq!(sorted, ["9", "10", "07", "a", "a long name", "b"]);
        assert_eq!(roster.names().name(2), "a long name");
    }
}
