//! Interned names: each distinct text once, known by a small number.

use std::borrow::Cow;
use std::hash::BuildHasher;

use hashbrown::HashTable;

/// A set of names numbered in the order of their first appearance.
#[derive(Clone, Default)]
pub struct Names {
    text: String,
    ends: Vec<usize>,
    table: HashTable<u32>,
}

impl Names {
    /// The number of a name, added if new.
    pub fn intern(&mut self, name: &str) -> u32 {
        let hash = hash(name);
        let (text, ends) = (&self.text, &self.ends);
        if let Some(&found) = self.table.find(hash, |&i| slice(text, ends, i) == name) {
            return found;
        }
        let index = u32::try_from(self.ends.len()).expect("fewer than 2^32 distinct names fit in memory");
        self.text.push_str(name);
        self.ends.push(self.text.len());
        let (text, ends) = (&self.text, &self.ends);
        self.table.insert_unique(hash, index, |&i| self::hash(slice(text, ends, i)));
        index
    }

    /// The number of a name, if it is known.
    pub fn find(&self, name: &str) -> Option<u32> {
        self.table.find(hash(name), |&i| self.name(i) == name).copied()
    }

    /// The name of a number given by this set.
    pub fn name(&self, index: u32) -> &str {
        slice(&self.text, &self.ends, index)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// All names in the order of their numbers.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.ends.len()).map(|i| slice(&self.text, &self.ends, i as u32))
    }
}

/// Names of customers by their number.
pub trait CustomerNames {
    /// The name of a customer.
    fn name_of(&self, customer: u32) -> Cow<'_, str>;
}

impl CustomerNames for Names {
    fn name_of(&self, customer: u32) -> Cow<'_, str> {
        Cow::Borrowed(self.name(customer))
    }
}

impl std::fmt::Debug for Names {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Names({})", self.len())
    }
}

fn slice<'a>(text: &'a str, ends: &[usize], index: u32) -> &'a str {
    let i = index as usize;
    let start = if i == 0 { 0 } else { ends[i - 1] };
    &text[start..ends[i]]
}

// A fixed seed: numbering never depends on it, and a library draws on no global randomness.
fn hash(name: &str) -> u64 {
    foldhash::fast::FixedState::with_seed(0x636c_7600).hash_one(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_their_number_and_their_text() {
        let mut names = Names::default();
        for i in 0..5000 {
            assert_eq!(names.intern(&format!("c{i}")), i);
        }
        assert_eq!(names.intern("c17"), 17);
        assert_eq!(names.name(4999), "c4999");
        assert_eq!(names.find("nobody"), None);
        assert_eq!(names.intern(""), 5000);
        assert_eq!(names.name(5000), "");
    }
}
