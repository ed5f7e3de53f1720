//! A fitted purchase model with covariates.

use std::collections::BTreeMap;

use clv_core::model::{Answers, Kind};
use clv_core::saved::{Registry, SaveWriter};
use clv_core::{Ask, Customers, Error, Feature, ForecastMut, Predict, Scratch, TimeUnit};
use serde::{Deserialize, Serialize};

use super::design::{Design, Effect};
use super::{Term, Words, places};
use crate::model::PurchaseModel;
use crate::process::Process;

/// A purchase model whose customers have parameters of their own, by what is known of them.
///
/// Forecasts need the columns that it was fitted with ([`Predict::needs`]). Whatever else a purchase model can be asked it
/// is asked of one customer's own model, [`CovariateModel::of_columns`]: the expected purchases of somebody who has
/// not bought yet, by covariates alone, among others.
#[derive(Clone, Debug, PartialEq)]
pub struct CovariateModel<P> {
    base: PurchaseModel<P>,
    terms: Vec<Term>,
    words: Vec<Words>,
    design: Design,
    /// Parameters, then coefficients.
    values: Vec<f64>,
    needs: Vec<Feature>,
    columns: Vec<String>,
}

/// A coefficient as it is saved.
#[derive(Serialize, Deserialize)]
struct Saved {
    name: String,
    term: usize,
    on: BTreeMap<String, f64>,
    value: f64,
}

/// Appends the terms of a row of columns.
pub(crate) fn evaluate(
    terms: &[Term],
    words: &[Words],
    names: &[String],
    columns: &[f64],
    row: usize,
    to: &mut Vec<f64>,
) -> Result<(), Error> {
    let of = |name: &str| names.iter().position(|n| n == name).map_or(f64::NAN, |place| columns[place]);
    for Words { column, columns } in words {
        // Of who has no word, or one that is new, all columns are 0, and so are those of nobody else.
        let known: f64 = columns.iter().map(|name| of(name)).sum();
        if known != 1.0 {
            let allowed = "one of the words that are known; fill in what is missing first";
            let gap = columns.iter().find(|name| of(name).is_nan());
            return Err(Error::Cell { row, column: gap.unwrap_or(column).clone(), given: f64::NAN, allowed });
        }
    }
    for term in terms {
        let value = term.value(of);
        if !value.is_finite() {
            let column = term.unknown(of).to_owned();
            let given = of(&column);
            let allowed = "known and finite, above 0 for a logarithm; fill in what is missing first";
            return Err(Error::Cell { row, column, given, allowed });
        }
        to.push(value);
    }
    Ok(())
}

impl<P: Process> CovariateModel<P> {
    const KIND: Kind = Kind::around("covariates", 1, &P::KIND);

    pub(super) fn of(
        base: PurchaseModel<P>,
        terms: Vec<Term>,
        words: Vec<Words>,
        design: Design,
        values: &[f64],
    ) -> Result<Self, Error> {
        let needs = Term::needs(&terms, &words);
        let columns = needs.iter().map(Feature::name).collect();
        let model = Self { base, terms, words, design, values: values.to_vec(), needs, columns };
        if let Some(place) = model.values.iter().position(|v| !v.is_finite()) {
            let allowed = "finite";
            return Err(Error::Setting { name: "coefficient", given: model.values[place], allowed });
        }
        Ok(model)
    }

    /// The population parameters of a customer whose covariates are all 0 (at their means, if they were standardised).
    pub fn parameters(&self) -> &P {
        self.base.parameters()
    }

    /// The coefficients by name.
    pub fn coefficients(&self) -> impl Iterator<Item = (&str, f64)> {
        let values = &self.values[self.design.parameters..];
        self.design.effects.iter().map(|effect| effect.label.as_str()).zip(values.iter().copied())
    }

    /// The model of a customer with these columns, in the order of [`Predict::needs`].
    ///
    /// # Errors
    ///
    /// [`Error::Length`]; [`Error::Cell`] for a value that is not known.
    pub fn of_row(&self, columns: &[f64]) -> Result<PurchaseModel<P>, Error> {
        if columns.len() != self.needs.len() {
            let (given, expected) = (columns.len(), self.needs.len());
            return Err(Error::Length { column: "covariates", given, expected });
        }
        let mut row = Vec::with_capacity(self.terms.len());
        evaluate(&self.terms, &self.words, &self.columns, columns, 0, &mut row)?;
        self.moved(&row)
    }

    /// The model of a customer with these columns by name; of words it is enough to name the one that they have (`own_region=south`), and not even
    /// that of the reference.
    ///
    /// # Errors
    ///
    /// [`Error::MissingColumn`] for a number that is not named, [`Error::Unreadable`] for a name that the model does not
    /// read, as [`CovariateModel::of_row`] otherwise.
    pub fn of_columns(&self, columns: &[(&str, f64)]) -> Result<PurchaseModel<P>, Error> {
        if let Some((name, _)) = columns.iter().find(|(name, _)| !self.columns.iter().any(|c| c == name)) {
            return Err(Error::Unreadable {
                what: "covariate",
                given: (*name).to_owned(),
                allowed: "the columns that the model needs",
            });
        }
        let given = |column: &str| columns.iter().find(|(name, _)| *name == column).map(|(_, value)| *value);
        let one = |column: &String| {
            let missing = || Error::MissingColumn { model: P::KIND.name, column: column.clone() };
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

    fn moved(&self, terms: &[f64]) -> Result<PurchaseModel<P>, Error> {
        let mut own = [0.0; MOST];
        let own = &mut own[..self.design.parameters];
        self.design.moved(&self.values, terms, own);
        Ok(PurchaseModel::new(P::from_values(own)?, self.base.unit()))
    }
}

/// As many parameters as a process may have.
const MOST: usize = 8;

impl<P: Process> Predict for CovariateModel<P> {
    fn kind(&self) -> Kind {
        Self::KIND
    }

    fn unit(&self) -> TimeUnit {
        self.base.unit()
    }

    fn answers(&self) -> Answers {
        self.base.answers()
    }

    fn needs(&self) -> &[Feature] {
        &self.needs
    }

    fn predict_into(
        &self,
        who: &Customers<'_>,
        ask: &Ask,
        scratch: &mut Scratch,
        out: &mut ForecastMut<'_>,
    ) -> Result<(), Error> {
        who.expect_unit(self.unit())?;
        out.expect(P::KIND.name, &self.answers(), who.len())?;
        let Scratch { places, row, columns: [terms, ..], .. } = scratch;
        if who.is_empty() {
            return Ok(());
        }
        who.find(P::KIND.name, &self.columns, places)?;
        row.clear();
        row.resize(self.columns.len(), 0.0);
        for r in 0..who.len() {
            who.fill_row(places, r, row);
            terms.clear();
            evaluate(&self.terms, &self.words, &self.columns, row, r, terms)?;
            self.moved(terms)?.predict_row(who, r, ask, out)?;
        }
        Ok(())
    }

    fn save(&self, to: &mut SaveWriter) -> Result<(), Error> {
        let Design { effects, scaling, parameters } = &self.design;
        self.base.save(to)?;
        to.field("terms", &self.terms)?;
        to.field("words", &self.words)?;
        to.field("scaling", scaling)?;
        let one = |(effect, value): (&Effect, &f64)| Saved {
            name: effect.label.clone(),
            term: effect.term,
            on: effect.on.iter().map(|&(p, power)| (P::PARAMETERS[p].name.to_owned(), power)).collect(),
            value: *value,
        };
        let coefficients: Vec<Saved> = effects.iter().zip(&self.values[*parameters..]).map(one).collect();
        to.field("coefficients", &coefficients)
    }
}

pub(crate) fn register<P: Process>(registry: &mut Registry) {
    registry.register(CovariateModel::<P>::KIND, |saved, _| {
        let base: PurchaseModel<P> = crate::model::load(saved)?;
        let terms: Vec<Term> = saved.field("terms")?;
        let scaling: Vec<(f64, f64)> = saved.field("scaling")?;
        if let Some((_, scale)) = scaling.iter().find(|(centre, scale)| !(centre.is_finite() && *scale > 0.0))
        {
            return Err(Error::Setting { name: "scaling", given: *scale, allowed: "above 0" });
        }
        let mut values = base.parameters().values();
        let mut effects = Vec::new();
        for Saved { name, term, on, value } in saved.field::<Vec<Saved>>("coefficients")? {
            if term >= terms.len() || scaling.len() != terms.len() {
                let (given, expected) = (scaling.len(), terms.len());
                return Err(Error::Length { column: "terms", given, expected });
            }
            let named: Vec<(String, f64)> = on.into_iter().collect();
            effects.push(Effect { label: name, term, on: places(P::PARAMETERS, &named)?, penalty: 0.0 });
            values.push(value);
        }
        let design = Design { parameters: P::PARAMETERS.len(), effects, scaling };
        Ok(Box::new(CovariateModel::of(base, terms, saved.field("words")?, design, &values)?))
    });
}
