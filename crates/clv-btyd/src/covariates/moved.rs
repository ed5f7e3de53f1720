//! Parameters that are moved by what is known of a customer.

use std::collections::BTreeMap;

use clv_core::saved::{SaveWriter, SavedModel};
use clv_core::{Customers, Error, Feature};
use serde::{Deserialize, Serialize};

use super::design::{Design, Effect};
use super::{Term, Words, evaluate, places};
use crate::process::Parameter;

/// Terms, coefficients, and the parameters that they move: all of a model with covariates but what it is a model of.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Moved {
    model: &'static str,
    terms: Vec<Term>,
    words: Vec<Words>,
    design: Design,
    /// Parameters, then coefficients.
    values: Vec<f64>,
    pub needs: Vec<Feature>,
    pub columns: Vec<String>,
}

/// A coefficient as it is saved.
#[derive(Serialize, Deserialize)]
struct Saved {
    name: String,
    term: usize,
    on: BTreeMap<String, f64>,
    value: f64,
}

/// As many parameters as a model may have.
pub(crate) const MOST: usize = 8;

impl Moved {
    pub(crate) fn of(
        model: &'static str,
        (terms, words): (Vec<Term>, Vec<Words>),
        design: Design,
        values: &[f64],
    ) -> Result<Self, Error> {
        let needs = Term::needs(&terms, &words);
        let columns = needs.iter().map(Feature::name).collect();
        if let Some(place) = values.iter().position(|v| !v.is_finite()) {
            return Err(Error::Setting { name: "coefficient", given: values[place], allowed: "finite" });
        }
        Ok(Self { model, terms, words, design, values: values.to_vec(), needs, columns })
    }

    /// Parameters, then coefficients.
    pub(crate) fn values(&self) -> &[f64] {
        &self.values
    }

    /// The same with other values.
    pub(crate) fn with_values(&self, values: &[f64]) -> Result<Self, Error> {
        let (given, expected) = (values.len(), self.values.len());
        if given != expected {
            return Err(Error::Length { column: "values of a draw", given, expected });
        }
        Self::of(self.model, (self.terms.clone(), self.words.clone()), self.design.clone(), values)
    }

    /// The coefficients by name.
    pub(crate) fn coefficients(&self) -> impl Iterator<Item = (&str, f64)> {
        let values = &self.values[self.design.parameters..];
        self.design.effects.iter().map(|effect| effect.label.as_str()).zip(values.iter().copied())
    }

    /// The parameters of a customer with these columns, in the order of the needs; `terms` is memory for what they are made of.
    pub(crate) fn own<'a>(
        &self,
        columns: &[f64],
        row: usize,
        terms: &mut Vec<f64>,
        own: &'a mut [f64; MOST],
    ) -> Result<&'a [f64], Error> {
        terms.clear();
        evaluate(&self.terms, &self.words, &self.columns, columns, row, terms)?;
        Ok(self.of_terms(terms, own))
    }

    /// The parameters of a customer with these terms.
    pub(crate) fn of_terms<'a>(&self, terms: &[f64], own: &'a mut [f64; MOST]) -> &'a [f64] {
        let own = &mut own[..self.design.parameters];
        self.design.moved(&self.values, terms, own);
        own
    }

    /// The terms of one of these customers.
    pub(crate) fn terms_of(&self, who: &Customers<'_>, row: usize) -> Result<Vec<f64>, Error> {
        let (mut places, mut columns) = (Vec::new(), vec![0.0; self.columns.len()]);
        who.find(self.model, &self.columns, &mut places)?;
        who.fill_row(&places, row, &mut columns);
        let mut terms = Vec::with_capacity(self.terms.len());
        evaluate(&self.terms, &self.words, &self.columns, &columns, row, &mut terms)?;
        Ok(terms)
    }

    /// The same of one of these customers.
    pub(crate) fn of_customer(&self, who: &Customers<'_>, row: usize) -> Result<Vec<f64>, Error> {
        Ok(self.of_terms(&self.terms_of(who, row)?, &mut [0.0; MOST]).to_vec())
    }

    /// The same of one customer.
    pub(crate) fn of_row(&self, columns: &[f64]) -> Result<Vec<f64>, Error> {
        if columns.len() != self.needs.len() {
            let (given, expected) = (columns.len(), self.needs.len());
            return Err(Error::Length { column: "covariates", given, expected });
        }
        Ok(self.own(columns, 0, &mut Vec::with_capacity(self.terms.len()), &mut [0.0; MOST])?.to_vec())
    }

    /// The same, columns by name.
    pub(crate) fn of_columns(&self, columns: &[(&str, f64)]) -> Result<Vec<f64>, Error> {
        if let Some((name, _)) = columns.iter().find(|(name, _)| !self.columns.iter().any(|c| c == name)) {
            return Err(Error::Unreadable {
                what: "covariate",
                given: (*name).to_owned(),
                allowed: "the columns that the model needs",
            });
        }
        let given = |column: &str| columns.iter().find(|(name, _)| *name == column).map(|(_, value)| *value);
        let one = |column: &String| {
            let missing = || Error::MissingColumn { model: self.model, column: column.clone() };
            // Who has none of the words that are named has the first, which the others are beside.
            let by_words = || {
                let words = self.words.iter().find(|words| words.columns.contains(column))?;
                let named: f64 = words.columns.iter().filter_map(|name| given(name)).sum();
                Some(if *column == words.columns[0] { 1.0 - named } else { 0.0 })
            };
            given(column).or_else(by_words).ok_or_else(missing)
        };
        self.of_row(&self.columns.iter().map(one).collect::<Result<Vec<f64>, Error>>()?)
    }

    pub(crate) fn save(&self, parameters: &[Parameter], to: &mut SaveWriter) -> Result<(), Error> {
        let Design { effects, scaling, parameters: first } = &self.design;
        to.field("terms", &self.terms)?;
        to.field("words", &self.words)?;
        to.field("scaling", scaling)?;
        let one = |(effect, value): (&Effect, &f64)| Saved {
            name: effect.label.clone(),
            term: effect.term,
            on: effect.on.iter().map(|&(p, power)| (parameters[p].name.to_owned(), power)).collect(),
            value: *value,
        };
        let coefficients: Vec<Saved> = effects.iter().zip(&self.values[*first..]).map(one).collect();
        to.field("coefficients", &coefficients)
    }

    /// As saved, of parameters with these values.
    pub(crate) fn load(
        model: &'static str,
        parameters: &[Parameter],
        mut values: Vec<f64>,
        saved: &SavedModel,
    ) -> Result<Self, Error> {
        let terms: Vec<Term> = saved.field("terms")?;
        let scaling = saved_scaling(saved, terms.len())?;
        let mut effects = Vec::new();
        for Saved { name, term, on, value } in saved.field::<Vec<Saved>>("coefficients")? {
            if term >= terms.len() {
                return Err(Error::Length { column: "terms", given: terms.len(), expected: term + 1 });
            }
            let named: Vec<(String, f64)> = on.into_iter().collect();
            effects.push(Effect { label: name, term, on: places(parameters, &named)?, penalty: 0.0 });
            values.push(value);
        }
        let design = Design { parameters: parameters.len(), effects, scaling };
        Self::of(model, (terms, saved.field("words")?), design, &values)
    }
}

/// Of each term what is taken off it and what it is divided by, as saved.
pub(crate) fn saved_scaling(saved: &SavedModel, terms: usize) -> Result<Vec<(f64, f64)>, Error> {
    let scaling: Vec<(f64, f64)> = saved.field("scaling")?;
    if scaling.len() != terms {
        return Err(Error::Length { column: "terms", given: scaling.len(), expected: terms });
    }
    match scaling.iter().find(|(centre, scale)| !(centre.is_finite() && *scale > 0.0)) {
        Some((_, scale)) => Err(Error::Setting { name: "scaling", given: *scale, allowed: "above 0" }),
        None => Ok(scaling),
    }
}
