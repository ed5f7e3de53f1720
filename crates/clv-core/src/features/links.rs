//! Who belongs to whom: households, referrals.

use crate::units::Moment;

/// Links between customers, each known since a moment: of one household, referred by.
///
/// ```
/// use clv_core::{Moment, features::Links};
///
/// let mut links = Links::default();
/// links.link("ada", "bob", Moment::parse_date("2024-01-31")?);
/// assert_eq!(links.len(), 1);
/// # Ok::<(), clv_core::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Links {
    pub(super) pairs: Vec<(String, String, Moment)>,
}

impl Links {
    /// Links two customers, in both directions; a customer with themselves is no link.
    pub fn link(&mut self, one: &str, other: &str, since: Moment) {
        if one != other {
            self.pairs.push((one.to_owned(), other.to_owned(), since));
        }
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.pairs.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }
}
