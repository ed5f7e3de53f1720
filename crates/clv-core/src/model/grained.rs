//! A model that knows how the purchases it was fitted to were merged.

use super::ask::{Answers, Ask};
use super::capabilities::{Activity, Foresee, NextPurchase, PurchaseForecast, Sample, Spend};
use super::customers::Customers;
use super::forecast::{ForecastMut, Scratch};
use super::possible::{DrawAmounts, DrawTimes};
use super::reads::Reads;
use super::training::Training;
use super::{Kind, Predict};
use crate::error::{Error, Result};
use crate::features::Feature;
use crate::names::Names;
use crate::saved::SaveWriter;
use crate::timelines::Timelines;
use crate::units::{Grain, Span, TimeUnit};

/// A model that forecasts purchases merged as those that it was fitted to, and refuses others.
///
/// Rates of purchases by the day say nothing of purchases by the month: there are fewer of these, and each is worth more. The grain is saved with
/// the model. [`Erased`](crate::Erased) settings fit these; a model that was fitted as itself is made one by [`Grained::new`].
///
/// ```
/// use clv_core::model::{Grained, Histories};
/// use clv_core::{Ask, Customers, Grain, Predict, Price, Span, TimeUnit};
///
/// let model = Grained::new(Price::new(12.5, TimeUnit::Week)?, Grain::Day);
/// let by_month = Customers::new(TimeUnit::Week, &[1], &[4.0], &[9.0], None)?.of(Histories::Purchases(Grain::Month));
/// let error = model.predict(&by_month, &Ask::over(Span::weeks(4.0)?)).unwrap_err();
/// assert_eq!(error.to_string(), "price was fitted to purchases of grain day; these are of grain month; allowed: day");
/// # Ok::<(), clv_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Grained<M> {
    model: M,
    grain: Grain,
}

impl<M: Predict> Grained<M> {
    /// That was fitted to purchases of this grain.
    pub fn new(model: M, grain: Grain) -> Self {
        Self { model, grain }
    }
}

/// A model that knows the grain of what it was fitted to, as far as there is one and it does not know it yet.
pub(crate) fn knowing<M: Predict + 'static>(model: M, grain: Option<Grain>) -> Box<dyn Predict> {
    match grain {
        Some(grain) if model.grain().is_none() => Box::new(Grained::new(model, grain)),
        _ => Box::new(model),
    }
}

impl<M: Predict> Predict for Grained<M> {
    fn kind(&self) -> Kind {
        self.model.kind()
    }
    fn unit(&self) -> TimeUnit {
        self.model.unit()
    }
    fn answers(&self) -> Answers {
        self.model.answers()
    }
    fn needs(&self) -> &[Feature] {
        self.model.needs()
    }
    fn reads(&self) -> Reads {
        self.model.reads()
    }
    fn grain(&self) -> Option<Grain> {
        Some(self.grain)
    }

    fn predict_into(
        &self,
        who: &Customers<'_>,
        ask: &Ask,
        scratch: &mut Scratch,
        out: &mut ForecastMut<'_>,
    ) -> Result<()> {
        // Of what is no purchase there is no grain to hold beside its own.
        who.expect_histories(self.kind().name, self.reads())?;
        who.expect_grain(self)?;
        self.model.predict_into(who, ask, scratch, out)
    }

    fn activity(&self) -> Option<&dyn Activity> {
        self.model.activity()
    }
    fn purchases(&self) -> Option<&dyn PurchaseForecast> {
        self.model.purchases()
    }
    fn spend(&self) -> Option<&dyn Spend> {
        self.model.spend()
    }
    fn next_purchase(&self) -> Option<&dyn NextPurchase> {
        self.model.next_purchase()
    }
    fn sample(&self) -> Option<&dyn Sample> {
        self.model.sample()
    }
    fn draw_times(&self) -> Option<&dyn DrawTimes> {
        self.model.draw_times()
    }
    fn draw_amounts(&self) -> Option<&dyn DrawAmounts> {
        self.model.draw_amounts()
    }
    fn foresee(&self) -> Option<&dyn Foresee> {
        self.model.foresee().map(|_| self as &dyn Foresee)
    }

    fn own(&self, who: &Customers<'_>, row: usize) -> Result<Option<Box<dyn Predict>>> {
        self.model.own(who, row)
    }

    fn save(&self, to: &mut SaveWriter) -> Result<()> {
        self.model.save(to)
    }
}

impl<M: Predict> Foresee for Grained<M> {
    fn columns(&self) -> Vec<String> {
        self.model.foresee().map_or_else(Vec::new, Foresee::columns)
    }

    fn foresee(
        &self,
        training: &Training<'_>,
        timelines: &[&Timelines],
        names: &Names,
        horizon: Span,
    ) -> Result<Box<dyn Predict>> {
        training.summary().customers().expect_grain(self)?;
        let Some(of) = self.model.foresee() else {
            let (model, quantity) = (self.kind().name, "a future by the calendar");
            return Err(Error::CannotSay { model, quantity, hint: "" });
        };
        Ok(Box::new(Grained::new(of.foresee(training, timelines, names, horizon)?, self.grain)))
    }
}
