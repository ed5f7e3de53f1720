//! What every model must keep to, as a suite that a model of one's own can run too.
//!
//! ```
//! use clv_core::baselines::Zero;
//! use clv_core::saved::Registry;
//! use clv_core::{Context, Cut, Fit, Grain, LogBuilder, Moment, Span, TimeUnit, Training, Transaction};
//!
//! let mut log = LogBuilder::new();
//! for day in [0, 10, 30, 75] {
//!     log.push(Transaction::new("a", Moment::from_days(day)).amount(5.0)?)?;
//! }
//! let cut = Cut::end_of(Moment::from_days(90), Grain::Day);
//! let purchases = Training::merge(&log.finish(), cut)?;
//! let training = Training::new(&purchases, cut, TimeUnit::Week)?;
//! let model = Zero.fit(&training, &Context::default())?.model;
//! let broken = clv_core::conformance::check(&model, &Registry::core(), &training, Span::weeks(10.0)?)?;
//! assert!(broken.is_empty(), "{broken:?}");
//! # Ok::<(), clv_core::Error>(())
//! ```

use crate::error::{Error, Result};
use crate::features::FeatureMatrix;
use crate::model::{
    Answers, Ask, Customers, Forecast, ForecastMut, Histories, Horizons, Predict, Reads, Scratch, Training,
};
use crate::saved::{Registry, SavedError, to_string};
use crate::units::{Discount, Grain, Span, TimeUnit};

/// Runs a model through the suite on the customers of a training log. Returns a sentence for each
/// promise that it breaks; an empty list is a pass.
///
/// The promises: forecasts are finite, not negative, probabilities at most 1; each customer's
/// forecast is the same alone, in a batch and in any order; columns that were not asked for change
/// nothing; what is not known of a customer (NaN) is refused by the column's name or forecast all the same; what it cannot say, another unit, another horizon (if it has one), columns of the wrong
/// length and, of a model that knows its grain, purchases of another are typed errors, and histories of another kind than it reads as well (if it knows its grain, or reads
/// others than purchases); discounting never adds; a loaded copy forecasts the same bits and knows the same of what it
/// reads; damage to the saved form is noticed.
///
/// # Errors
///
/// Whatever the model itself returns for a plain forecast.
pub fn check(
    model: &dyn Predict,
    registry: &Registry,
    training: &Training<'_>,
    horizon: Span,
) -> Result<Vec<String>> {
    let summary = training.summary();
    let features = training.features(model.needs())?;
    let mut who = summary.customers();
    if features.rows() > 0 {
        who = who.with_features(&features)?;
    }
    let ask = Ask::over(horizon).discount(Discount::yearly(0.1)?).margin(0.5)?;
    let whole = model.predict(&who, &ask)?;
    let mut suite = Suite { model, ask, broken: Vec::new() };
    suite.ranges(&whole, who.len());
    suite.one_by_one(training, &features, &whole)?;
    suite.single_columns(&who, &whole)?;
    suite.refusals(training, &who)?;
    suite.gaps(training, &features)?;
    suite.discounting(&who, &whole)?;
    suite.saved(registry, &who, &whole)?;
    Ok(suite.broken)
}

struct Suite<'a> {
    model: &'a dyn Predict,
    ask: Ask,
    broken: Vec<String>,
}

impl Suite<'_> {
    fn expect(&mut self, kept: bool, promise: impl FnOnce() -> String) {
        if !kept {
            self.broken.push(promise());
        }
    }

    fn ranges(&mut self, whole: &Forecast, rows: usize) {
        let numbers = [
            ("p_alive", &whole.p_alive, 1.0),
            ("purchases", &whole.purchases, f64::MAX),
            ("discounted purchases", &whole.discounted_purchases, f64::MAX),
        ];
        for (name, column, most) in numbers {
            let column = column.as_deref().unwrap_or_default();
            let bad = column.iter().position(|v| !(0.0..=most).contains(v));
            self.expect(bad.is_none(), || format!("{name} is out of range in row {bad:?}"));
            self.expect(column.is_empty() || column.len() == rows, || format!("{name} has missing rows"));
        }
        for (name, column) in [("spend", &whole.spend), ("value", &whole.value)] {
            let column = column.as_deref().unwrap_or_default();
            let bad = column.iter().position(|v| v.is_some_and(|v| !(0.0..=f64::MAX).contains(&v)));
            self.expect(bad.is_none(), || format!("{name} is out of range in row {bad:?}"));
        }
    }

    /// Last to first, alone, with one scratch.
    fn one_by_one(&mut self, training: &Training<'_>, all: &FeatureMatrix, whole: &Forecast) -> Result<()> {
        let summary = training.summary();
        let mut scratch = Scratch::default();
        for row in (0..summary.len()).rev() {
            let history = summary.history(row);
            // Customers without a purchase to take a mean over carry 0, as in a batch.
            let mean = [summary.spend.as_ref().map_or(0.0, |s| s.mean[row])];
            let (x, t_x, age) = ([history.frequency], [history.recency], [history.age]);
            let spend = summary.spend.as_ref().map(|_| mean.as_slice());
            let mut one = Customers::new(summary.unit, &x, &t_x, &age, spend)?.spend_basis(summary.basis);
            let features;
            if all.rows() > 0 {
                features = FeatureMatrix::new(all.names().to_vec(), all.row(row).to_vec())?;
                one = one.with_features(&features)?;
            }
            let mut alone = Forecast::for_answers(&self.model.answers(), 1);
            self.model.predict_into(&one, &self.ask, &mut scratch, &mut alone.as_mut())?;
            let same = alone == slice(whole, row);
            self.expect(same, || format!("row {row} alone is forecast {alone:?}, in a batch otherwise"));
            if !same {
                break;
            }
        }
        Ok(())
    }

    fn single_columns(&mut self, who: &Customers<'_>, whole: &Forecast) -> Result<()> {
        let answers = self.model.answers();
        let none = Answers { p_alive: false, purchases: false, spend: false, value: false, ..answers };
        let mut scratch = Scratch::default();
        for (name, only, full) in [
            (
                "p_alive",
                Answers { p_alive: answers.p_alive, ..none },
                Forecast { p_alive: whole.p_alive.clone(), ..Forecast::default() },
            ),
            (
                "spend",
                Answers { spend: answers.spend, ..none },
                Forecast { spend: whole.spend.clone(), ..Forecast::default() },
            ),
            (
                "value",
                Answers { value: answers.value, ..none },
                Forecast { value: whole.value.clone(), ..Forecast::default() },
            ),
        ] {
            let mut part = Forecast::for_answers(&only, who.len());
            self.model.predict_into(who, &self.ask, &mut scratch, &mut part.as_mut())?;
            self.expect(part == full, || format!("{name} changes when nothing else is asked for"));
        }
        Ok(())
    }

    fn refusals(&mut self, training: &Training<'_>, who: &Customers<'_>) -> Result<()> {
        let answers = self.model.answers();
        let mut scratch = Scratch::default();
        let rows = who.len();
        let (mut numbers, mut short) = (vec![0.0; rows], vec![0.0; rows + 1]);
        if !answers.p_alive {
            let mut out = ForecastMut { p_alive: Some(&mut numbers), ..ForecastMut::default() };
            let said = self.model.predict_into(who, &self.ask, &mut scratch, &mut out);
            let refused = matches!(said, Err(Error::CannotSay { .. }));
            self.expect(refused, || "P(alive), which it does not say, is not refused".into());
        }
        if answers.purchases {
            let mut out = ForecastMut { purchases: Some(&mut short), ..ForecastMut::default() };
            let said = self.model.predict_into(who, &self.ask, &mut scratch, &mut out);
            let refused = matches!(said, Err(Error::Length { .. }));
            self.expect(refused, || "a column of the wrong length is not refused".into());
            let summary = training.summary();
            let other = if summary.unit == TimeUnit::Day { TimeUnit::Year } else { TimeUnit::Day };
            let strangers = Customers::new(other, who.frequency(), who.recency(), who.age(), who.spend())?;
            let said = self.model.predict(&strangers, &self.ask);
            let refused = matches!(said, Err(Error::Unit { .. }));
            self.expect(refused, || "another time unit is not refused".into());
        }
        if let Some(fitted) = self.model.grain() {
            let grain = if fitted == Grain::Day { Grain::Month } else { Grain::Day };
            let said = self.model.predict(&who.of(Histories::Purchases(grain)), &self.ask);
            let refused = matches!(said, Err(Error::Grain { .. } | Error::Histories { .. }));
            self.expect(refused, || "purchases merged otherwise are not refused".into());
        }
        let reads = self.model.reads();
        if self.model.grain().is_some() || reads != Reads::Purchases {
            let other = if reads == Reads::Tenures { Histories::Renewals } else { Histories::Tenures };
            let said = self.model.predict(&who.of(other), &self.ask);
            let refused = matches!(said, Err(Error::Histories { .. }));
            self.expect(refused, || format!("it reads {reads}, and does not refuse {other}"));
        }
        if let Horizons::Only(trained) = answers.horizons {
            let twice = Ask::over(Span::days(2.0 * trained.in_days() + 1.0)?);
            let said = self.model.predict(who, &twice);
            let refused = matches!(said, Err(Error::Horizon { .. }));
            self.expect(refused, || "a horizon that it was not trained for is not refused".into());
        }
        Ok(())
    }

    /// Something is not known of the first customer: that is refused by the column's name, or forecast all the same.
    fn gaps(&mut self, training: &Training<'_>, all: &FeatureMatrix) -> Result<()> {
        let summary = training.summary();
        if all.rows() == 0 {
            return Ok(());
        }
        let (x, t_x, age) = (&summary.frequency[..1], &summary.recency[..1], &summary.age[..1]);
        let spend = summary.spend.as_ref().map(|s| &s.mean[..1]);
        for (place, name) in all.names().iter().enumerate() {
            let mut row = all.row(0).to_vec();
            row[place] = f64::NAN;
            let features = FeatureMatrix::new(all.names().to_vec(), row)?;
            let one = Customers::new(summary.unit, x, t_x, age, spend)?.spend_basis(summary.basis);
            match self.model.predict(&one.with_features(&features)?, &self.ask) {
                Ok(said) => self.ranges(&said, 1),
                Err(Error::Cell { column, .. }) if column == *name => {}
                Err(error) => {
                    self.broken.push(format!("a gap in {name:?} is refused by the words {error}"));
                }
            }
        }
        Ok(())
    }

    fn discounting(&mut self, who: &Customers<'_>, whole: &Forecast) -> Result<()> {
        let plain = self.model.predict(who, &Ask::over(self.ask.horizon()))?;
        if let (Some(purchases), Some(discounted)) = (&whole.purchases, &whole.discounted_purchases) {
            let adds = purchases.iter().zip(discounted).position(|(p, d)| *d > *p * (1.0 + 1e-9));
            self.expect(adds.is_none(), || format!("discounting adds purchases in row {adds:?}"));
            let same = plain.discounted_purchases == plain.purchases;
            self.expect(same, || "without a discount, discounted purchases are not the purchases".into());
        }
        if let (Some(half), Some(full)) = (&whole.value, &plain.value) {
            let more =
                half.iter().zip(full).position(|(h, f)| matches!((h, f), (Some(h), Some(f)) if *h > *f));
            self.expect(more.is_none(), || {
                format!("half the margin and a discount add value in row {more:?}")
            });
        }
        Ok(())
    }

    fn saved(&mut self, registry: &Registry, who: &Customers<'_>, whole: &Forecast) -> Result<()> {
        let text = to_string(self.model)?;
        let loaded = match registry.read(&text) {
            Ok(loaded) => loaded,
            Err(error) => {
                self.broken.push(format!("its saved form does not load: {error}"));
                return Ok(());
            }
        };
        let knows = (loaded.grain(), loaded.reads()) == (self.model.grain(), self.model.reads());
        self.expect(knows, || "a loaded copy knows otherwise what it reads".into());
        let again = loaded.predict(who, &self.ask)?;
        self.expect(again == *whole, || "a loaded copy forecasts otherwise".into());
        let stable = to_string(loaded.as_ref())? == text;
        self.expect(stable, || "a loaded copy is saved otherwise".into());
        // One digit of the body changed.
        let body = text.rfind("\"body\"").map_or(0, |at| at + 8);
        if let Some(digit) = text[body..].find(|c: char| c.is_ascii_digit() && c != '0').map(|at| body + at) {
            let mut damaged = text.into_bytes();
            damaged[digit] = if damaged[digit] == b'9' { b'8' } else { damaged[digit] + 1 };
            let damaged = String::from_utf8_lossy(&damaged).into_owned();
            let noticed = matches!(registry.read(&damaged), Err(Error::Saved(SavedError::Damaged { .. })));
            self.expect(noticed, || "damage to its saved form goes unnoticed".into());
        }
        Ok(())
    }
}

fn slice(whole: &Forecast, row: usize) -> Forecast {
    let number = |column: &Option<Vec<f64>>| column.as_ref().map(|c| vec![c[row]]);
    let estimate = |column: &Option<Vec<Option<f64>>>| column.as_ref().map(|c| vec![c[row]]);
    Forecast {
        p_alive: number(&whole.p_alive),
        purchases: number(&whole.purchases),
        discounted_purchases: number(&whole.discounted_purchases),
        spend: estimate(&whole.spend),
        value: estimate(&whole.value),
    }
}
