//! A forecast made larger, smaller, flatter or steeper.

use super::ask::{Answers, Ask, Horizons};
use super::context::Context;
use super::customers::Customers;
use super::forecast::{ForecastMut, Scratch};
use super::reads::Reads;
use super::training::Training;
use super::{Fit, FitReport, Fitted, Kind, Predict};
use crate::error::{Error, Result};
use crate::features::Feature;
use crate::saved::{Registry, SaveWriter};
use crate::setting::above_zero;
use crate::units::{Span, TimeUnit};

const KIND: Kind = Kind::new("reshaped", 1);

/// How a forecast is reshaped: `v` becomes `a m (v / m)^b`, `m` being the mean forecast of the customers that the
/// model was fitted on. The order of customers stays; below 1, `a` makes all smaller, and `b` brings high and low together.
///
/// What `a` and `b` should be is for holdouts to tell: a forecast of means is too high for most customers and
/// too low for a few, and one that was learned in a season too high or low for all.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Shape {
    scale: f64,
    power: f64,
}

impl Shape {
    /// A shape.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] unless both are above 0 and finite.
    pub fn new(scale: f64, power: f64) -> Result<Self> {
        Ok(Self { scale: above_zero("scale", scale)?, power: above_zero("power", power)? })
    }

    /// `a`.
    pub fn scale(&self) -> f64 {
        self.scale
    }

    /// `b`.
    pub fn power(&self) -> f64 {
        self.power
    }

    /// What a forecast becomes, where forecasts have the mean given.
    pub fn of(&self, forecast: f64, mean: f64) -> f64 {
        forecast * self.ratio(forecast, mean)
    }

    fn ratio(&self, forecast: f64, mean: f64) -> f64 {
        if forecast > 0.0 && mean > 0.0 { self.scale * (forecast / mean).powf(self.power - 1.0) } else { 1.0 }
    }
}

/// Settings whose forecast of one horizon is reshaped: of value if the model says value, of purchases otherwise.
#[derive(Clone, Debug)]
pub struct Reshaped<F> {
    settings: F,
    shape: Shape,
    horizon: Span,
}

impl<F: Fit> Reshaped<F> {
    /// Reshapes what settings forecast of a horizon.
    pub fn new(settings: F, shape: Shape, horizon: Span) -> Self {
        Self { settings, shape, horizon }
    }
}

impl<F: Fit> Fit for Reshaped<F>
where
    F::Model: 'static,
{
    type Model = ReshapedModel;

    fn fit(&self, data: &Training<'_>, cx: &Context<'_>) -> Result<Fitted<ReshapedModel>> {
        let Fitted { model, report } = self.settings.fit(data, cx)?;
        let forecast = data.forecast(&model, &Ask::over(self.horizon))?;
        let said: Vec<f64> = match (&forecast.value, &forecast.purchases) {
            (Some(value), _) => value.iter().map(|v| v.unwrap_or(0.0)).collect(),
            (None, Some(purchases)) => purchases.clone(),
            (None, None) => {
                let quantity = "purchases or value";
                return Err(Error::CannotSay { model: KIND.name, quantity, hint: "" });
            }
        };
        let mean = said.iter().sum::<f64>() / said.len() as f64;
        let report = FitReport { model: KIND.name, ..report };
        let (shape, horizon) = (self.shape, self.horizon);
        Ok(Fitted { model: ReshapedModel { inner: Box::new(model), shape, mean, horizon }, report })
    }
}

/// A fitted model whose forecast is reshaped.
#[derive(Debug)]
pub struct ReshapedModel {
    inner: Box<dyn Predict>,
    shape: Shape,
    mean: f64,
    horizon: Span,
}

impl ReshapedModel {
    /// The model beneath.
    pub fn inner(&self) -> &dyn Predict {
        &*self.inner
    }
}

impl Predict for ReshapedModel {
    fn kind(&self) -> Kind {
        KIND
    }

    fn unit(&self) -> TimeUnit {
        self.inner.unit()
    }

    fn answers(&self) -> Answers {
        Answers { horizons: Horizons::Only(self.horizon), ..self.inner.answers() }
    }

    fn needs(&self) -> &[Feature] {
        self.inner.needs()
    }

    fn reads(&self) -> Reads {
        self.inner.reads()
    }

    fn predict_into(
        &self,
        who: &Customers<'_>,
        ask: &Ask,
        scratch: &mut Scratch,
        out: &mut ForecastMut<'_>,
    ) -> Result<()> {
        let answers = self.answers();
        answers.expect_horizon(KIND.name, ask.horizon())?;
        let mut inner = scratch.inner.take().unwrap_or_default();
        let done = self.reshape(who, ask, &answers, (scratch, &mut inner), out);
        scratch.inner = Some(inner);
        done
    }

    fn save(&self, to: &mut SaveWriter) -> Result<()> {
        to.field("shape", &self.shape)?;
        to.field("mean", &self.mean)?;
        to.field("horizon", &self.horizon)?;
        to.nested("inner", &*self.inner)
    }
}

impl ReshapedModel {
    fn reshape(
        &self,
        who: &Customers<'_>,
        ask: &Ask,
        answers: &Answers,
        (scratch, inner): (&mut Scratch, &mut Scratch),
        out: &mut ForecastMut<'_>,
    ) -> Result<()> {
        self.inner.predict_into(who, ask, inner, out)?;
        // The shape is that of plain totals; discounts and margins are taken off as before.
        let plain = Ask::over(self.horizon);
        if answers.value {
            let Some(column) = &mut out.value else { return Ok(()) };
            let value = &mut scratch.summand_value;
            value.resize(who.len(), None);
            let mut only = ForecastMut { value: Some(&mut value[..]), ..ForecastMut::default() };
            self.inner.predict_into(who, &plain, inner, &mut only)?;
            for (said, plain) in column.iter_mut().zip(value) {
                let ratio = self.shape.ratio(plain.unwrap_or(0.0), self.mean);
                *said = said.map(|v| v * ratio);
            }
            return Ok(());
        }
        let purchases = &mut scratch.columns[0];
        purchases.resize(who.len(), 0.0);
        let mut only = ForecastMut { purchases: Some(&mut purchases[..]), ..ForecastMut::default() };
        self.inner.predict_into(who, &plain, inner, &mut only)?;
        for column in [&mut out.purchases, &mut out.discounted_purchases].into_iter().flatten() {
            for (said, plain) in column.iter_mut().zip(&*purchases) {
                *said *= self.shape.ratio(*plain, self.mean);
            }
        }
        Ok(())
    }
}

pub(super) fn register(registry: &mut Registry) {
    registry.register(KIND, |saved, registry| {
        let inner = saved.nested("inner", registry)?;
        let (shape, mean): (Shape, f64) = (saved.field("shape")?, saved.field("mean")?);
        let shape = Shape::new(shape.scale, shape.power)?;
        Ok(Box::new(ReshapedModel { inner, shape, mean, horizon: saved.field("horizon")? }))
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::baselines::{LastPeriod, MeanOfAll};
    use crate::cut::Cut;
    use crate::units::{Discount, Grain, Moment};
    use crate::{LogBuilder, Transaction};

    #[test]
    fn the_formula_by_hand_with_a_discount_and_saved() {
        let mut log = LogBuilder::new();
        for (who, day, amount) in [("ada", 1, 5.0), ("ada", 50, 40.0), ("bob", 2, 9.0), ("bob", 52, 10.0)] {
            log.push(Transaction::new(who, Moment::from_days(day)).amount(amount).unwrap()).unwrap();
        }
        let log = log.finish();
        let cut = Cut::end_of(Moment::from_days(56), Grain::Day);
        let purchases = Training::merge(&log, cut).unwrap();
        let training = Training::new(&purchases, cut, TimeUnit::Week).unwrap();
        let horizon = Span::weeks(2.0).unwrap();
        let settings = Reshaped::new(LastPeriod { horizon }, Shape::new(0.5, 2.0).unwrap(), horizon);
        let model = settings.fit(&training, &Context::default()).unwrap().model;
        // Of 40 and 10, with the mean 25: a m (v / m)² is 32 and 2.
        let value = |ask: &Ask| -> Vec<f64> {
            let forecast = training.forecast(&model, ask).unwrap();
            forecast.value.as_ref().unwrap().iter().map(|v| v.unwrap()).collect()
        };
        let plain = value(&Ask::over(horizon));
        assert!((plain[0] - 32.0).abs() < 1e-12 && (plain[1] - 2.0).abs() < 1e-12, "{plain:?}");
        let half = value(&Ask::over(horizon).margin(0.5).unwrap());
        assert!((half[0] - 16.0).abs() < 1e-12 && (half[1] - 1.0).abs() < 1e-12);
        let yearly = value(&Ask::over(horizon).discount(Discount::yearly(0.1).unwrap()));
        assert!((yearly[0] / plain[0] - yearly[1] / plain[1]).abs() < 1e-12 && yearly[0] < plain[0]);
        assert!(Shape::new(0.0, 1.0).is_err() && Shape::new(1.0, f64::NAN).is_err());
        let text = crate::saved::to_string(&model).unwrap();
        let again = Registry::core().read(&text).unwrap();
        let forecast = training.forecast(&*again, &Ask::over(horizon)).unwrap();
        assert_eq!(forecast.value.as_ref().unwrap()[0], Some(plain[0]));
        assert!(training.forecast(&model, &Ask::over(Span::weeks(3.0).unwrap())).is_err());
        let even = Reshaped::new(MeanOfAll { horizon }, Shape::new(2.0, 1.0).unwrap(), horizon);
        assert!(even.fit(&training, &Context::default()).is_ok());
    }
}
