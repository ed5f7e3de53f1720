//! What customers do besides buying: views, searches, carts, reviews, and campaigns that touch them.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::cut::Cut;
use crate::identity::Identities;
use crate::names::Names;
use crate::units::Moment;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum EventKind {
    /// Looked at a product or page; the value is the seconds spent there.
    Viewed,
    /// Searched; the subject is the words.
    Searched,
    /// Put a product into the cart; the value is how many.
    AddedToCart,
    /// Reviewed a product; the value is the rating.
    Reviewed,
    /// Said how content they are; the value is the score.
    Satisfaction,
    /// Was touched by a campaign; the subject is the campaign.
    Touched,
    /// Anything else; the subject is its name.
    Other,
}

impl EventKind {
    /// All kinds.
    pub const ALL: [Self; 7] = [
        Self::Viewed,
        Self::Searched,
        Self::AddedToCart,
        Self::Reviewed,
        Self::Satisfaction,
        Self::Touched,
        Self::Other,
    ];

    /// The kind that a name stands for, in the words that shops use.
    pub fn of(name: &str) -> Self {
        let plain: String =
            name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
        match plain.as_str() {
            "productviewed" | "productlistviewed" | "viewed" | "view" | "pageview" | "page" | "screen" => {
                Self::Viewed
            }
            "productssearched" | "searched" | "search" => Self::Searched,
            "productadded" | "addedtocart" | "addtocart" | "cart" => Self::AddedToCart,
            "productreviewed" | "reviewed" | "review" | "rating" => Self::Reviewed,
            "satisfaction" | "nps" | "csat" | "survey" => Self::Satisfaction,
            "touched" | "touch" | "campaign" | "emailsent" | "emaildelivered" | "promotionviewed" => {
                Self::Touched
            }
            _ => Self::Other,
        }
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Viewed => "viewed",
            Self::Searched => "searched",
            Self::AddedToCart => "added-to-cart",
            Self::Reviewed => "reviewed",
            Self::Satisfaction => "satisfaction",
            Self::Touched => "touched",
            Self::Other => "other",
        })
    }
}

/// One event on its way in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Event<'a> {
    /// Who.
    pub customer: &'a str,
    /// When.
    pub time: Moment,
    /// What.
    pub kind: EventKind,
    /// Which product, words or campaign.
    pub subject: Option<&'a str>,
    /// Seconds, rating, score or number.
    pub value: Option<f64>,
}

/// Events in columns.
#[derive(Clone, Debug, Default)]
pub struct EventLog {
    customers: Names,
    subjects: Names,
    customer: Vec<u32>,
    time: Vec<Moment>,
    kind: Vec<EventKind>,
    subject: Vec<Option<u32>>,
    value: Vec<Option<f64>>,
}

impl EventLog {
    /// Adds an event.
    pub fn push(&mut self, event: Event<'_>) {
        self.customer.push(self.customers.intern(event.customer));
        self.time.push(event.time);
        self.kind.push(event.kind);
        self.subject.push(event.subject.map(|s| self.subjects.intern(s)));
        self.value.push(event.value.filter(|v| v.is_finite()));
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.kind.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.kind.is_empty()
    }

    /// Who did something.
    pub fn customers(&self) -> &Names {
        &self.customers
    }

    /// One event.
    ///
    /// # Panics
    ///
    /// If `row` is not below [`EventLog::len`].
    pub fn event(&self, row: usize) -> Event<'_> {
        Event {
            customer: self.customers.name(self.customer[row]),
            time: self.time[row],
            kind: self.kind[row],
            subject: self.subject[row].map(|s| self.subjects.name(s)),
            value: self.value[row],
        }
    }

    /// Whose an event is: a number into [`EventLog::customers`].
    pub(crate) fn customer_number(&self, row: usize) -> u32 {
        self.customer[row]
    }

    /// All events in their order.
    pub fn iter(&self) -> impl Iterator<Item = Event<'_>> {
        (0..self.len()).map(|row| self.event(row))
    }

    /// The events known as of a cut: nothing later gets in.
    pub fn as_of(&self, cut: &Cut) -> impl Iterator<Item = Event<'_>> {
        let cut = *cut;
        self.iter().filter(move |event| cut.is_past(event.time))
    }

    /// How many of a kind.
    pub fn count(&self, kind: EventKind) -> usize {
        self.kind.iter().filter(|k| **k == kind).count()
    }

    /// Customers under the names that count.
    pub fn settle(&mut self, same: &Identities) {
        let (numbers, customers) = same.renumber(&self.customers);
        self.customers = customers;
        for customer in &mut self.customer {
            *customer = numbers[*customer as usize];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Grain;

    #[test]
    fn events_after_the_cut_do_not_get_in() {
        let mut log = EventLog::default();
        for (day, words) in [(1, "shoes"), (5, "red shoes"), (9, "returns")] {
            log.push(Event {
                customer: "a",
                time: Moment::from_days(day),
                kind: EventKind::of("Products Searched"),
                subject: Some(words),
                value: None,
            });
        }
        let known: Vec<_> = log.as_of(&Cut::end_of(Moment::from_days(5), Grain::Day)).collect();
        assert_eq!(known.iter().map(|e| e.subject.unwrap()).collect::<Vec<_>>(), ["shoes", "red shoes"]);
        assert_eq!((log.count(EventKind::Searched), log.count(EventKind::Viewed)), (3, 0));
    }

    #[test]
    fn a_customer_under_two_names_is_one_after_settling() {
        let mut log = EventLog::default();
        for customer in ["device", "ada"] {
            let (time, kind) = (Moment::from_days(1), EventKind::Viewed);
            log.push(Event { customer, time, kind, subject: None, value: Some(f64::NAN) });
        }
        let mut same = Identities::default();
        same.alias("device", "ada");
        log.settle(&same);
        assert_eq!(log.customers().len(), 1);
        assert!(log.iter().all(|e| e.customer == "ada" && e.value.is_none()));
    }
}
