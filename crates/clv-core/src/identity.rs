//! One customer under several names: e-mail here, number there, a device before the first login.

use std::collections::BTreeMap;

use crate::names::Names;

/// Which names mean the same customer, settled by a stated rule.
///
/// An alias points to the name that counts; chains are followed to their end. Where an alias is
/// stated twice with different ends, **the first statement stands** and the later is counted as a
/// conflict. A statement that would close a circle says nothing new and is passed over.
///
/// ```
/// use clv_core::identity::Identities;
///
/// let mut same = Identities::default();
/// same.alias("device-7", "ada@example.org");
/// same.alias("ada@example.org", "1001");
/// same.alias("device-7", "1002");                // refused: device-7 is Ada's
/// assert_eq!(same.resolve("device-7"), "1001");
/// assert_eq!(same.resolve("someone else"), "someone else");
/// assert_eq!(same.conflicts(), 1);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Identities {
    names: Names,
    /// By number: the name it points to.
    next: Vec<Option<u32>>,
    conflicts: u64,
}

impl Identities {
    /// States that `name` means `customer`; whether that was news.
    pub fn alias(&mut self, name: &str, customer: &str) -> bool {
        if name.is_empty() || customer.is_empty() || name == customer {
            return false;
        }
        let (from, to) = (self.intern(name), self.intern(customer));
        match self.next[from as usize] {
            // Said before, or reached already by another way: not a conflict.
            Some(_) if self.end(from) == self.end(to) => false,
            Some(_) => {
                self.conflicts += 1;
                false
            }
            None if self.end(to) == from => false,
            None => {
                self.next[from as usize] = Some(to);
                true
            }
        }
    }

    /// The name that counts.
    pub fn resolve<'a>(&'a self, name: &'a str) -> &'a str {
        self.names.find(name).map_or(name, |number| self.names.name(self.end(number)))
    }

    /// Each name that points to another, with the one it points to.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        let next = self.next.iter().enumerate();
        next.filter_map(|(name, to)| Some((self.names.name(name as u32), self.names.name((*to)?))))
    }

    /// Statements that contradicted an earlier one.
    pub fn conflicts(&self) -> u64 {
        self.conflicts
    }

    /// Names that point to another.
    pub fn len(&self) -> usize {
        self.next.iter().flatten().count()
    }

    /// Whether no name points to another.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn intern(&mut self, name: &str) -> u32 {
        let number = self.names.intern(name);
        self.next.resize(self.names.len(), None);
        number
    }

    fn end(&self, mut number: u32) -> u32 {
        while let Some(next) = self.next[number as usize] {
            number = next;
        }
        number
    }

    /// For each of these names its number among the names that count, and those names.
    pub(crate) fn renumber(&self, names: &Names) -> (Vec<u32>, Names) {
        let mut settled = Names::default();
        let numbers = names.iter().map(|name| settled.intern(self.resolve(name))).collect();
        (numbers, settled)
    }
}

/// An e-mail address as a key: without surrounding space, in lower case.
///
/// The part before the @ is formally case-sensitive, and in practice never.
pub fn email_key(email: &str) -> String {
    email.trim().to_lowercase()
}

/// How many customers bear each settled name in more than one source: the size of the overlap.
pub fn overlap(sources: &[&Names], same: &Identities) -> BTreeMap<usize, usize> {
    let mut seen: std::collections::HashMap<&str, (usize, usize)> = std::collections::HashMap::new();
    for (source, names) in sources.iter().enumerate() {
        for name in names.iter() {
            let entry = seen.entry(same.resolve(name)).or_insert((0, usize::MAX));
            if entry.1 != source {
                *entry = (entry.0 + 1, source);
            }
        }
    }
    let mut by_count = BTreeMap::new();
    for (count, _) in seen.into_values() {
        *by_count.entry(count).or_default() += 1;
    }
    by_count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chains_are_followed_and_circles_refused() {
        let mut same = Identities::default();
        assert!(same.alias("a", "b") && same.alias("b", "c"));
        assert!(!same.alias("c", "a"), "would close a circle");
        assert!(!same.alias("a", "c"), "known already");
        assert_eq!((same.resolve("a"), same.resolve("b"), same.resolve("c")), ("c", "c", "c"));
        assert_eq!((same.conflicts(), same.len()), (0, 2));
        assert!(!same.alias("a", "d"));
        assert_eq!(same.conflicts(), 1);
    }

    #[test]
    fn overlap_counts_customers_by_how_many_sources_know_them() {
        let names = |list: &[&str]| {
            let mut names = Names::default();
            for name in list {
                names.intern(name);
            }
            names
        };
        let mut same = Identities::default();
        same.alias("x@shop", "1");
        let (left, right) = (names(&["1", "2"]), names(&["x@shop", "3"]));
        assert_eq!(overlap(&[&left, &right], &same), BTreeMap::from([(1, 2), (2, 1)]));
        assert_eq!(email_key("  Ada@Example.ORG "), "ada@example.org");
    }
}
