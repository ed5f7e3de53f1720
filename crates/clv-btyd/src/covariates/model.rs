//! A fitted purchase model with covariates.

use clv_core::model::{Answers, DrawTimes, Kind, Reads};
use clv_core::saved::{Registry, SaveWriter, SavedModel};
use clv_core::{Ask, Customers, Error, Feature, ForecastMut, Predict, Scratch, TimeUnit};

use super::moved::{MOST, Moved};
use super::{Term, Words};
use crate::model::PurchaseModel;
use crate::posterior_model::sealed::Drawn;
use crate::process::Process;
use rand_chacha::ChaCha8Rng;

/// A purchase model whose customers have parameters of their own, by what is known of them.
///
/// Forecasts need the columns that it was fitted with ([`Predict::needs`]). Whatever else a purchase model can be asked it
/// is asked of one customer's own model, [`CovariateModel::of_columns`]: the expected purchases of somebody who has
/// not bought yet, by covariates alone, among others.
#[derive(Clone, Debug, PartialEq)]
pub struct CovariateModel<P> {
    base: PurchaseModel<P>,
    moved: Moved,
}

/// Refuses a customer who has none of the words that are known: all columns are 0 then, and so are those of nobody else.
pub(crate) fn expect_words(words: &[Words], of: impl Fn(&str) -> f64, row: usize) -> Result<(), Error> {
    for Words { column, columns } in words {
        let known: f64 = columns.iter().map(|name| of(name)).sum();
        if known != 1.0 {
            let allowed = "one of the words that are known; fill in what is missing first";
            let gap = columns.iter().find(|name| of(name).is_nan());
            return Err(Error::Cell { row, column: gap.unwrap_or(column).clone(), given: f64::NAN, allowed });
        }
    }
    Ok(())
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
    expect_words(words, of, row)?;
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

    pub(super) fn of(base: PurchaseModel<P>, moved: Moved) -> Self {
        Self { base, moved }
    }

    /// The population parameters of a customer whose covariates are all 0 (at their means, if they were standardised).
    pub fn parameters(&self) -> &P {
        self.base.parameters()
    }

    /// The coefficients by name.
    pub fn coefficients(&self) -> impl Iterator<Item = (&str, f64)> {
        self.moved.coefficients()
    }

    /// The model of a customer with these columns, in the order of [`Predict::needs`].
    ///
    /// # Errors
    ///
    /// [`Error::Length`]; [`Error::Cell`] for a value that is not known.
    pub fn of_row(&self, columns: &[f64]) -> Result<PurchaseModel<P>, Error> {
        self.with(&self.moved.of_row(columns)?)
    }

    /// The model of a customer with these columns by name; of words it is enough to name the one that they have (`own_region=south`), and not even
    /// that of the reference.
    ///
    /// # Errors
    ///
    /// [`Error::MissingColumn`] for a number that is not named, [`Error::Unreadable`] for a name that the model does not
    /// read, as [`CovariateModel::of_row`] otherwise.
    pub fn of_columns(&self, columns: &[(&str, f64)]) -> Result<PurchaseModel<P>, Error> {
        self.with(&self.moved.of_columns(columns)?)
    }

    fn with(&self, own: &[f64]) -> Result<PurchaseModel<P>, Error> {
        Ok(PurchaseModel::new(P::from_values(own)?, self.base.unit()))
    }
}

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
        &self.moved.needs
    }

    fn reads(&self) -> Reads {
        P::READS
    }

    fn predict_into(
        &self,
        who: &Customers<'_>,
        ask: &Ask,
        scratch: &mut Scratch,
        out: &mut ForecastMut<'_>,
    ) -> Result<(), Error> {
        who.expect(P::KIND.name, self.unit(), P::READS)?;
        out.expect(P::KIND.name, &self.answers(), who.len())?;
        let Scratch { places, row, columns: [terms, ..], .. } = scratch;
        if who.is_empty() {
            return Ok(());
        }
        who.find(P::KIND.name, &self.moved.columns, places)?;
        row.clear();
        row.resize(self.moved.columns.len(), 0.0);
        let mut own = [0.0; MOST];
        for r in 0..who.len() {
            who.fill_row(places, r, row);
            self.with(self.moved.own(row, r, terms, &mut own)?)?.predict_row(who, r, ask, out)?;
        }
        Ok(())
    }

    fn draw_times(&self) -> Option<&dyn DrawTimes> {
        Some(self)
    }

    fn own(&self, who: &Customers<'_>, row: usize) -> Result<Option<Box<dyn Predict>>, Error> {
        Ok(Some(Box::new(PurchaseModel::new(self.of_customer(who, row)?, self.unit()))))
    }

    fn save(&self, to: &mut SaveWriter) -> Result<(), Error> {
        self.base.save(to)?;
        self.moved.save(P::PARAMETERS, to)
    }
}

impl<P: Process> Drawn for CovariateModel<P> {
    type Process = P;
    const KIND: Kind = Self::KIND;

    fn values(&self) -> Vec<f64> {
        self.moved.values().to_vec()
    }

    fn with_values(&self, values: &[f64]) -> Result<Self, Error> {
        let moved = self.moved.with_values(values)?;
        let base = self.with(values.get(..P::PARAMETERS.len()).unwrap_or_default())?;
        Ok(Self { base, moved })
    }

    fn load(saved: &SavedModel) -> Result<Self, Error> {
        let base: PurchaseModel<P> = crate::model::load(saved)?;
        let values = base.parameters().values();
        let moved = Moved::load(P::KIND.name, P::PARAMETERS, values, saved)?;
        Ok(Self { base, moved })
    }

    fn of_customer(&self, who: &Customers<'_>, row: usize) -> Result<P, Error> {
        P::from_values(&self.moved.of_customer(who, row)?)
    }
}

impl<P: Process> DrawTimes for CovariateModel<P> {
    fn visit_futures(
        &self,
        who: &Customers<'_>,
        row: usize,
        within: (f64, usize),
        rng: &mut ChaCha8Rng,
        see: &mut dyn FnMut(usize, &[f64]),
    ) -> Result<(), Error> {
        self.moved
            .of_customer(who, row)
            .and_then(|own| self.with(&own)?.visit_futures(who, row, within, rng, see))
    }
}

pub(crate) fn register<P: Process>(registry: &mut Registry) {
    registry.register(CovariateModel::<P>::KIND, |saved, _| {
        Ok(Box::new(<CovariateModel<P> as Drawn>::load(saved)?))
    });
}
