//! A purchase model and a spend model joined into a value model.

use super::ask::{Answers, Ask};
use super::capabilities::{Activity, NextPurchase, PurchaseForecast, Sample, Spend};
use super::context::Context;
use super::customers::Customers;
use super::forecast::{ForecastMut, Scratch};
use super::possible::{DrawAmounts, DrawTimes};
use super::reads::Reads;
use super::training::Training;
use super::{Fit, Fitted, Kind, Predict};
use crate::error::{Error, Result};
use crate::features::Feature;
use crate::saved::{Registry, SaveWriter};
use crate::units::{Grain, TimeUnit};

/// Purchases from one model, spend from another: value = margin × spend × discounted purchases.
///
/// As settings it fits both and keeps the purchase model's report, with the spend model's beside it;
/// as a model it answers all columns. The two are taken as independent, as Gamma-Gamma assumes.
#[derive(Debug, Clone)]
pub struct WithSpend<P, S> {
    /// How often.
    pub purchases: P,
    /// For how much.
    pub spend: S,
    /// The columns that both need, if each needs some.
    needs: Vec<Feature>,
}

const KIND: Kind = Kind::new("with-spend", 1);

impl<P: Fit, S: Fit> Fit for WithSpend<P, S> {
    type Model = WithSpend<P::Model, S::Model>;

    fn fit(&self, data: &Training<'_>, cx: &Context<'_>) -> Result<Fitted<Self::Model>> {
        let purchases = self.purchases.fit(data, cx)?;
        let spend = self.spend.fit(data, cx)?;
        let mut report = purchases.report;
        report.converged &= spend.report.converged;
        report.beside = Some(Box::new(spend.report));
        Ok(Fitted { model: WithSpend::of(purchases.model, spend.model).with_needs(), report })
    }
}

impl<P: Predict, S: Predict> Predict for WithSpend<P, S> {
    fn kind(&self) -> Kind {
        KIND
    }

    fn unit(&self) -> TimeUnit {
        self.purchases.unit()
    }

    fn answers(&self) -> Answers {
        let (purchases, spend) = (self.purchases.answers(), self.spend.answers());
        Answers { spend: spend.spend, value: purchases.purchases && spend.spend, ..purchases }
    }

    fn needs(&self) -> &[Feature] {
        if !self.needs.is_empty() {
            return &self.needs;
        }
        let of_purchases = self.purchases.needs();
        if of_purchases.is_empty() { self.spend.needs() } else { of_purchases }
    }

    fn predict_into(
        &self,
        who: &Customers<'_>,
        ask: &Ask,
        scratch: &mut Scratch,
        out: &mut ForecastMut<'_>,
    ) -> Result<()> {
        out.expect(KIND.name, &self.answers(), who.len())?;
        // Of both: the purchases alone may be asked for, and the spend know the grain.
        who.expect_grain(self)?;
        let only_spend = |column| ForecastMut { spend: Some(column), ..ForecastMut::default() };
        match (&mut out.value, &mut out.spend) {
            (Some(value), _) => self.spend.predict_into(who, ask, scratch, &mut only_spend(value))?,
            (None, Some(spend)) => self.spend.predict_into(who, ask, scratch, &mut only_spend(spend))?,
            (None, None) => {}
        }
        if let (Some(value), Some(spend)) = (&out.value, &mut out.spend) {
            spend.copy_from_slice(value);
        }
        let Some(value) = &mut out.value else {
            let mut rest = purchase_columns(out, None);
            return self.purchases.predict_into(who, ask, scratch, &mut rest);
        };
        // Discounted purchases are needed for the value; borrow memory for them if not asked for.
        let mut borrowed = std::mem::take(&mut scratch.discounted);
        let value: &mut [Option<f64>] = value;
        let mut rest = ForecastMut {
            p_alive: out.p_alive.as_deref_mut(),
            purchases: out.purchases.as_deref_mut(),
            discounted_purchases: None,
            ..ForecastMut::default()
        };
        let discounted: &mut [f64] = match &mut out.discounted_purchases {
            Some(column) => column,
            None => {
                borrowed.resize(who.len(), 0.0);
                &mut borrowed
            }
        };
        rest.discounted_purchases = Some(&mut *discounted);
        let done = self.purchases.predict_into(who, ask, scratch, &mut rest);
        if done.is_ok() {
            for (value, n) in value.iter_mut().zip(discounted.iter()) {
                *value = value.map(|spend| ask.margin_share() * spend * n);
            }
        }
        scratch.discounted = borrowed;
        done
    }

    fn reads(&self) -> Reads {
        self.purchases.reads()
    }
    fn grain(&self) -> Option<Grain> {
        self.purchases.grain().or_else(|| self.spend.grain())
    }
    fn activity(&self) -> Option<&dyn Activity> {
        self.purchases.activity()
    }
    fn purchases(&self) -> Option<&dyn PurchaseForecast> {
        self.purchases.purchases()
    }
    fn spend(&self) -> Option<&dyn Spend> {
        self.spend.spend()
    }
    fn next_purchase(&self) -> Option<&dyn NextPurchase> {
        self.purchases.next_purchase()
    }
    fn draw_times(&self) -> Option<&dyn DrawTimes> {
        self.purchases.draw_times()
    }
    fn draw_amounts(&self) -> Option<&dyn DrawAmounts> {
        self.spend.draw_amounts()
    }
    fn sample(&self) -> Option<&dyn Sample> {
        self.purchases.sample()
    }
    fn own(&self, who: &Customers<'_>, row: usize) -> Result<Option<Box<dyn Predict>>> {
        self.purchases.own(who, row)
    }

    fn save(&self, to: &mut SaveWriter) -> Result<()> {
        to.nested("purchases", &self.purchases)?;
        to.nested("spend", &self.spend)
    }
}

fn purchase_columns<'b>(out: &'b mut ForecastMut<'_>, discounted: Option<&'b mut [f64]>) -> ForecastMut<'b> {
    ForecastMut {
        p_alive: out.p_alive.as_deref_mut(),
        purchases: out.purchases.as_deref_mut(),
        discounted_purchases: discounted.or(out.discounted_purchases.as_deref_mut()),
        ..ForecastMut::default()
    }
}

impl<P, S> WithSpend<P, S> {
    /// Settings of either.
    pub fn of(purchases: P, spend: S) -> Self {
        Self { purchases, spend, needs: Vec::new() }
    }
}

impl<P: Predict, S: Predict> WithSpend<P, S> {
    fn with_needs(mut self) -> Self {
        let (one, other) = (self.purchases.needs(), self.spend.needs());
        if !one.is_empty() && !other.is_empty() {
            let more = other.iter().filter(|feature| !one.contains(feature));
            self.needs = one.iter().chain(more).cloned().collect();
        }
        self
    }

    /// Joins two fitted models.
    ///
    /// # Errors
    ///
    /// [`Error::CannotSay`] if the first does not say purchases or the second does not say spend; [`Error::GrainsApart`] if they were
    /// fitted to purchases merged unlike each other, which are not worth the same.
    pub fn join(purchases: P, spend: S) -> Result<Self> {
        let missing = |model: Kind, quantity| Error::CannotSay { model: model.name, quantity, hint: "" };
        if !purchases.answers().purchases {
            return Err(missing(purchases.kind(), "purchases"));
        }
        if !spend.answers().spend {
            return Err(missing(spend.kind(), "spend"));
        }
        if let (Some(of_one), Some(of_other)) = (purchases.grain(), spend.grain())
            && of_one != of_other
        {
            let (one, other) = (purchases.kind().name, spend.kind().name);
            return Err(Error::GrainsApart { one, of_one, other, of_other });
        }
        Ok(Self::of(purchases, spend).with_needs())
    }
}

pub(super) fn register(registry: &mut Registry) {
    registry.register(KIND, |saved, registry| {
        let (purchases, spend) = (saved.nested("purchases", registry)?, saved.nested("spend", registry)?);
        Ok(Box::new(WithSpend::join(purchases, spend)?))
    });
}
