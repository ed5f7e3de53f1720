//! What is known about customers themselves: age, gender, region, anything typed.

mod impute;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::identity::Identities;
use crate::names::Names;

pub use impute::{Imputation, Imputed};

/// Which statement stands when two sources say different things about one customer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Conflict {
    /// The first that was read: put the source you trust first.
    #[default]
    FirstStands,
    /// The last that was read.
    LastStands,
}

/// The values of one attribute, by customer; `None` where it is not known.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Values {
    /// Numbers: age, income.
    Numbers(Vec<Option<f64>>),
    /// Words: gender, region, occupation; numbers into [`Attribute::words`].
    Words(Vec<Option<u32>>),
}

impl Values {
    fn is_known(&self, row: usize) -> bool {
        match self {
            Self::Numbers(v) => v.get(row).copied().flatten().is_some(),
            Self::Words(v) => v.get(row).copied().flatten().is_some(),
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Numbers(v) => v.len(),
            Self::Words(v) => v.len(),
        }
    }
}

/// One attribute.
#[derive(Clone, Debug)]
pub struct Attribute {
    name: String,
    values: Values,
    words: Names,
    /// How each number was written, as a word; nothing for words, which their values are.
    spelt: Vec<Option<u32>>,
}

impl Attribute {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its values by customer.
    pub fn values(&self) -> &Values {
        &self.values
    }

    /// The distinct words; of numbers how they were written.
    pub fn words(&self) -> &Names {
        &self.words
    }

    /// The word of each customer, as a number into [`Attribute::words`]; of numbers how they were written.
    pub(crate) fn spelling(&self) -> &[Option<u32>] {
        match &self.values {
            Values::Numbers(_) => &self.spelt,
            Values::Words(of) => of,
        }
    }

    /// The value of a customer as it was written; `None` where it is not known.
    pub fn text(&self, row: usize) -> Option<String> {
        let written = self.spelling().get(row).copied().flatten().map(|w| self.words.name(w).to_owned());
        match &self.values {
            Values::Numbers(v) => {
                v.get(row).copied().flatten().map(|n| written.unwrap_or_else(|| n.to_string()))
            }
            Values::Words(_) => written,
        }
    }

    /// Of words that are mostly numbers, how many are none, and one of those: a column of numbers that a few cells have
    /// made one of words. Nothing otherwise, or if one is a code such as 01234.
    pub fn words_among_numbers(&self) -> Option<(usize, &str)> {
        let Values::Words(of) = &self.values else { return None };
        let is_number = |word: u32| as_number(self.words.name(word)).is_some();
        let (numbers, words): (Vec<u32>, Vec<u32>) =
            of.iter().flatten().copied().partition(|w| is_number(*w));
        let coded = words.iter().any(|word| is_code(self.words.name(*word)));
        let few = !coded && !words.is_empty() && words.len() < numbers.len();
        few.then(|| (words.len(), self.words.name(words[0])))
    }

    /// How many customers have no value.
    pub fn missing(&self) -> usize {
        (0..self.values.len()).filter(|&row| !self.values.is_known(row)).count()
    }
}

/// Attributes of customers, in columns.
///
/// ```
/// use clv_core::attributes::{Attributes, Conflict};
///
/// let mut people = Attributes::new(Conflict::FirstStands);
/// people.state("ada", "age", "36");
/// people.state("ada", "region", "north");
/// people.state("bob", "region", "south");
/// people.state("ada", "age", "37");              // another source: counted, and passed over
/// assert_eq!((people.conflicts(), people.first_conflict()), (1, Some(("ada", "age"))));
/// let people = people.typed();
/// assert_eq!(people.attribute("age").unwrap().text(0).unwrap(), "36");
/// assert_eq!(people.attribute("age").unwrap().missing(), 1);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Attributes {
    rule: Conflict,
    customers: Names,
    columns: Vec<Attribute>,
    conflicts: u64,
    /// Customer and attribute.
    first_conflict: Option<(String, String)>,
}

impl Attributes {
    /// None yet.
    pub fn new(rule: Conflict) -> Self {
        Self { rule, ..Self::default() }
    }

    /// States a value of an attribute, as text. An empty text states nothing.
    pub fn state(&mut self, customer: &str, attribute: &str, value: &str) {
        let value = value.trim();
        let row = self.customers.intern(customer) as usize;
        let column = match self.columns.iter().position(|c| c.name == attribute) {
            Some(column) => column,
            None => {
                let values = Values::Words(Vec::new());
                let (name, words) = (attribute.to_owned(), Names::default());
                self.columns.push(Attribute { name, values, words, spelt: Vec::new() });
                self.columns.len() - 1
            }
        };
        let customers = self.customers.len();
        let column = &mut self.columns[column];
        if value.is_empty() {
            return;
        }
        let before = self.conflicts;
        match &mut column.values {
            Values::Words(words) => {
                words.resize(customers, None);
                let word = column.words.intern(value);
                settle(&mut words[row], word, self.rule, &mut self.conflicts);
            }
            Values::Numbers(numbers) => {
                numbers.resize(customers, None);
                // A typed column stays typed: what is no number is not known.
                if let Some(number) = value.parse().ok().filter(|v: &f64| v.is_finite()) {
                    column.spelt.resize(customers, None);
                    let (slot, word) = (&mut column.spelt[row], column.words.intern(value));
                    // One fact stated twice is one contradiction.
                    settle(slot, word, self.rule, &mut 0);
                    settle(&mut numbers[row], number, self.rule, &mut self.conflicts);
                }
            }
        }
        if self.conflicts > before && self.first_conflict.is_none() {
            self.first_conflict = Some((customer.to_owned(), attribute.to_owned()));
        }
    }

    /// Columns whose every known value is a finite number become numbers.
    pub fn typed(mut self) -> Self {
        for column in &mut self.columns {
            let Values::Words(words) = &column.values else { continue };
            let parsed: Option<Vec<f64>> = column.words.iter().map(as_number).collect();
            if let Some(numbers) = parsed.filter(|n| !n.is_empty()) {
                column.spelt = words.clone();
                let values = words.iter().map(|w| w.map(|w| numbers[w as usize])).collect();
                column.values = Values::Numbers(values);
            }
        }
        self.fill_up();
        self
    }

    /// Takes on what others state, after what is stated here.
    pub fn absorb(&mut self, others: &Self) {
        for attribute in &others.columns {
            for (row, customer) in others.customers.iter().enumerate() {
                self.state(customer, &attribute.name, &attribute.text(row).unwrap_or_default());
            }
        }
        self.conflicts += others.conflicts;
        self.first_conflict = self.first_conflict.take().or_else(|| others.first_conflict.clone());
    }

    /// Who is known.
    pub fn customers(&self) -> &Names {
        &self.customers
    }

    /// The attributes in order of their first statement.
    pub fn columns(&self) -> &[Attribute] {
        &self.columns
    }

    /// An attribute by name.
    pub fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.columns.iter().find(|c| c.name == name)
    }

    /// Statements that contradicted an earlier one.
    pub fn conflicts(&self) -> u64 {
        self.conflicts
    }

    /// The first statement that contradicted an earlier one: of which customer, and of what. Names of one customer that contradict each other when they are
    /// brought together ([`Attributes::settle`]) are not among them.
    pub fn first_conflict(&self) -> Option<(&str, &str)> {
        self.first_conflict.as_ref().map(|(customer, attribute)| (customer.as_str(), attribute.as_str()))
    }

    /// Customers under the names that count; values of one customer under two names are settled by
    /// the rule, in the order in which the names were first read.
    pub fn settle(&mut self, same: &Identities) {
        self.fill_up();
        let (numbers, customers) = same.renumber(&self.customers);
        let count = customers.len();
        let (rule, conflicts) = (self.rule, &mut self.conflicts);
        for column in &mut self.columns {
            match &mut column.values {
                Values::Numbers(values) => {
                    merge(&mut column.spelt, &numbers, count, rule, &mut 0);
                    merge(values, &numbers, count, rule, conflicts);
                }
                Values::Words(values) => merge(values, &numbers, count, rule, conflicts),
            }
        }
        self.customers = customers;
    }

    /// Fills what is missing in one attribute.
    ///
    /// # Errors
    ///
    /// [`Error::MissingColumn`] if there is no such attribute; [`Error::CannotSay`] if the method
    /// does not fit its type; [`Error::TooLittleData`] if no value is known.
    pub fn impute(&mut self, attribute: &str, method: Imputation) -> Result<Imputed> {
        self.fill_up();
        let position = self.columns.iter().position(|c| c.name == attribute);
        let position = position
            .ok_or_else(|| Error::MissingColumn { model: "imputation", column: attribute.to_owned() })?;
        impute::impute(self, position, method)
    }

    fn fill_up(&mut self) {
        let count = self.customers.len();
        for column in &mut self.columns {
            match &mut column.values {
                Values::Numbers(v) => {
                    v.resize(count, None);
                    column.spelt.resize(count, None);
                }
                Values::Words(v) => v.resize(count, None),
            }
        }
    }
}

/// 01234 is a postcode: digits with a zero before them are a word.
fn is_code(text: &str) -> bool {
    text.len() > 1 && text.starts_with('0') && text.bytes().all(|b| b.is_ascii_digit())
}

fn as_number(text: &str) -> Option<f64> {
    text.parse().ok().filter(|v: &f64| v.is_finite() && !is_code(text))
}

fn settle<T: Copy + PartialEq>(slot: &mut Option<T>, value: T, rule: Conflict, conflicts: &mut u64) {
    match *slot {
        Some(old) if old != value => {
            *conflicts += 1;
            if rule == Conflict::LastStands {
                *slot = Some(value);
            }
        }
        _ => *slot = Some(value),
    }
}

fn merge<T: Copy + PartialEq>(
    values: &mut Vec<Option<T>>,
    numbers: &[u32],
    count: usize,
    rule: Conflict,
    conflicts: &mut u64,
) {
    let mut merged = vec![None; count];
    for (value, &to) in values.iter().zip(numbers) {
        if let Some(value) = *value {
            settle(&mut merged[to as usize], value, rule, conflicts);
        }
    }
    *values = merged;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_of_numbers_become_numbers_and_words_stay_words() {
        let mut people = Attributes::new(Conflict::LastStands);
        for (who, what, value) in [
            ("a", "age", "30"),
            ("b", "age", ""),
            ("c", "age", "41.5"),
            ("b", "job", "baker"),
            ("a", "job", "7"),
        ] {
            people.state(who, what, value);
        }
        people.state("a", "age", "31");
        people.state("a", "zip", "01234");
        people.state("b", "zip", "1234");
        let people = people.typed();
        let Values::Numbers(age) = people.attribute("age").unwrap().values() else { panic!("numbers") };
        assert_eq!(age, &[Some(31.0), None, Some(41.5)]);
        assert_eq!(people.attribute("job").unwrap().text(1).as_deref(), Some("baker"));
        assert_eq!(people.attribute("zip").unwrap().text(0).as_deref(), Some("01234"));
        assert_eq!((people.conflicts(), people.attribute("job").unwrap().missing()), (1, 1));
    }

    #[test]
    fn a_few_words_among_numbers_are_told_and_tables_are_put_together() {
        let mut people = Attributes::new(Conflict::FirstStands);
        for (who, age) in [("a", "30"), ("b", "41"), ("c", "n/a")] {
            people.state(who, "age", age);
        }
        let mut more = Attributes::new(Conflict::FirstStands);
        for (who, age) in [("c", "7"), ("d", "8"), ("d", "9")] {
            more.state(who, "age", age);
        }
        more.state("e", "region", "north");
        let age = |people: &Attributes| people.attribute("age").unwrap().clone();
        assert_eq!(age(&people).words_among_numbers(), Some((1, "n/a")));
        people.absorb(&more.typed());
        let people = people.typed();
        assert_eq!(age(&people).words_among_numbers(), Some((1, "n/a")));
        assert_eq!(
            (0..4).filter_map(|row| age(&people).text(row)).collect::<Vec<_>>(),
            ["30", "41", "n/a", "8"]
        );
        assert_eq!((people.conflicts(), people.customers().len()), (2, 5));
        assert_eq!(people.attribute("region").unwrap().words_among_numbers(), None);
        // A postcode is no slip.
        let mut people = Attributes::new(Conflict::FirstStands);
        for (who, zip) in [("a", "98765"), ("b", "80331"), ("c", "01234")] {
            people.state(who, "zip", zip);
        }
        assert_eq!(people.typed().attribute("zip").unwrap().words_among_numbers(), None);
    }

    #[test]
    fn numbers_remember_how_they_were_written() {
        let mut people = Attributes::new(Conflict::FirstStands);
        for (who, n) in [("a", "38.0"), ("b", "+49"), ("c", "12345678901234567890")] {
            people.state(who, "n", n);
        }
        let mut people = people.typed();
        people.state("d", "n", "9.90");
        people.state("a", "n", "38");
        let texts = |people: &Attributes| -> Vec<String> {
            (0..4).filter_map(|row| people.attribute("n").unwrap().text(row)).collect()
        };
        assert_eq!(texts(&people), ["38.0", "+49", "12345678901234567890", "9.90"]);
        assert_eq!(people.conflicts(), 0);
        people.settle(&Identities::default());
        assert_eq!(texts(&people).len(), 4);
    }

    #[test]
    fn two_names_of_one_customer_are_merged_by_the_rule() {
        for (rule, region) in [(Conflict::FirstStands, "north"), (Conflict::LastStands, "south")] {
            let mut people = Attributes::new(rule);
            people.state("device", "region", "north");
            people.state("ada", "region", "south");
            people.state("device", "age", "36");
            let mut same = Identities::default();
            same.alias("device", "ada");
            people.settle(&same);
            let people = people.typed();
            assert_eq!(people.customers().len(), 1);
            assert_eq!(people.attribute("region").unwrap().text(0).as_deref(), Some(region));
            assert_eq!(people.attribute("age").unwrap().text(0).as_deref(), Some("36"));
            assert_eq!(people.conflicts(), 1);
        }
    }
}
