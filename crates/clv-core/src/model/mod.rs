//! The seams: what a model is before it is fitted ([`Fit`]) and after ([`Predict`]).
//!
//! Settings and fitted model are different types, so "not fitted yet" cannot be written down.
//!
//! ```text
//! settings: impl Fit ──fit(&Training)──► Fitted { model: impl Predict, report }
//!                                              │
//!              Customers + Ask ──predict_into──┴──► Forecast
//! ```
//!
//! Unlike models share a shelf as `Box<dyn Predict>`, or before the fit as [`Erased`] settings.

mod ask;
mod capabilities;
mod context;
mod customers;
mod forecast;
mod grained;
mod possible;
mod reads;
mod report;
mod reshaped;
mod stack;
pub(crate) mod totals;
mod training;
mod with_spend;

use std::fmt::Debug;

pub use ask::{Answers, Ask, Horizons};
pub use capabilities::{Activity, Foresee, NextPurchase, PurchaseForecast, Sample, Spend};
pub use context::{Context, Observer, Progress};
pub use customers::{Customers, History, Place};
pub use forecast::{Forecast, ForecastMut, Scratch};
pub use grained::Grained;
pub(crate) use grained::knowing;
pub use possible::{AmountsOf, DrawAmounts, DrawTimes, Drawn, Intervals, Possible, population_of};
pub use reads::{Histories, Reads};
pub use report::{Estimate, FitReport, Sampling, Warning};
pub use reshaped::{Reshaped, ReshapedModel, Shape};
pub use stack::{Stack, StackModel};
pub use totals::{Plan, Totals, predict_totals};
pub use training::{Labelled, Training};
pub use with_spend::WithSpend;

use crate::error::Result;
use crate::features::Feature;
use crate::saved::{Registry, SaveWriter};
use crate::units::{Grain, TimeUnit};

/// Settings that can be fitted to data.
pub trait Fit: Debug + Send + Sync {
    /// What comes out.
    type Model: Predict;

    /// Fits these settings.
    ///
    /// # Errors
    ///
    /// When there is no usable estimate; what is merely doubtful is a [`Warning`] in the report.
    fn fit(&self, data: &Training<'_>, cx: &Context<'_>) -> Result<Fitted<Self::Model>>;
}

/// A fitted model and the story of how it was found.
#[derive(Debug, Clone)]
pub struct Fitted<M> {
    /// The model.
    pub model: M,
    /// The story.
    pub report: FitReport,
}

impl<M> Fitted<M> {
    /// The same report over another model.
    pub fn map<N>(self, f: impl FnOnce(M) -> N) -> Fitted<N> {
        Fitted { model: f(self.model), report: self.report }
    }
}

/// Name and version of a model, for the saved form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind {
    /// Name, as on the command line: `pareto-nbd`.
    pub name: &'static str,
    /// Version of what it saves.
    pub version: u32,
    /// What a model of this kind is built around, if that says what is saved: a calibrated model's model.
    pub around: Option<&'static Self>,
}

impl Kind {
    /// Of a model that stands by itself.
    pub const fn new(name: &'static str, version: u32) -> Self {
        Self { name, version, around: None }
    }

    /// Of a model that is built around another kind.
    pub const fn around(name: &'static str, version: u32, inner: &'static Self) -> Self {
        Self { name, version, around: Some(inner) }
    }

    /// The name with what it is built around: `bagged of boosted-trees`.
    pub fn full_name(&self) -> String {
        self.around
            .map_or_else(|| self.name.to_owned(), |inner| format!("{} of {}", self.name, inner.full_name()))
    }

    /// Grows with each version within.
    pub(crate) fn full_version(&self) -> u32 {
        self.version + self.around.map_or(0, Self::full_version)
    }
}

/// A fitted model.
///
/// Object-safe: a service holds a `Box<dyn Predict>` and never knows which model is inside.
pub trait Predict: Debug + Send + Sync {
    /// Name and version.
    fn kind(&self) -> Kind;

    /// The unit in which it counts time.
    fn unit(&self) -> TimeUnit;

    /// What it can say, and for which horizons.
    fn answers(&self) -> Answers;

    /// Columns beyond the history that it needs in [`Customers::features`].
    fn needs(&self) -> &[Feature] {
        &[]
    }

    /// Which histories it reads: purchases, unless it says otherwise.
    fn reads(&self) -> Reads {
        Reads::default()
    }

    /// How purchases were merged that it was fitted to, if it knows ([`Grained`]).
    fn grain(&self) -> Option<Grain> {
        None
    }

    /// Forecasts for customers, written into the caller's columns.
    ///
    /// Allocates nothing once `scratch` has grown to the batch.
    ///
    /// # Errors
    ///
    /// When asked for a column that it cannot say, in another unit, or for a horizon that it was
    /// not trained for; [`Error::Grain`](crate::Error::Grain) and [`Error::Histories`](crate::Error::Histories) for histories of something else
    /// than those that it was fitted to.
    fn predict_into(
        &self,
        who: &Customers<'_>,
        ask: &Ask,
        scratch: &mut Scratch,
        out: &mut ForecastMut<'_>,
    ) -> Result<()>;

    /// Everything it can say, in columns of its own.
    ///
    /// # Errors
    ///
    /// As [`Predict::predict_into`].
    fn predict(&self, who: &Customers<'_>, ask: &Ask) -> Result<Forecast> {
        let mut forecast = Forecast::for_answers(&self.answers(), who.len());
        self.predict_into(who, ask, &mut Scratch::default(), &mut forecast.as_mut())?;
        Ok(forecast)
    }

    /// P(alive), now and later.
    fn activity(&self) -> Option<&dyn Activity> {
        None
    }

    /// Purchases over any window, and their distribution.
    fn purchases(&self) -> Option<&dyn PurchaseForecast> {
        None
    }

    /// Spend per purchase.
    fn spend(&self) -> Option<&dyn Spend> {
        None
    }

    /// When the next purchase comes.
    fn next_purchase(&self) -> Option<&dyn NextPurchase> {
        None
    }

    /// Simulated customers.
    fn sample(&self) -> Option<&dyn Sample> {
        None
    }

    /// Futures of a customer: when they buy.
    fn draw_times(&self) -> Option<&dyn DrawTimes> {
        None
    }

    /// And for how much.
    fn draw_amounts(&self) -> Option<&dyn DrawAmounts> {
        None
    }

    /// Forecasts with the calendar of what is to come, of a model that cannot do without.
    fn foresee(&self) -> Option<&dyn Foresee> {
        None
    }

    /// The model of one of these customers alone, of a model whose customers differ in more than their histories (columns, cohorts, parameters of their own that
    /// are drawn): it has the capabilities that ask for a history alone, and may refuse other histories than the customer's. None if the model's own are
    /// theirs, or nobody has them.
    ///
    /// # Errors
    ///
    /// As [`Predict::predict_into`].
    fn own(&self, _who: &Customers<'_>, _row: usize) -> Result<Option<Box<dyn Predict>>> {
        Ok(None)
    }

    /// Writes everything that is needed to load it again.
    ///
    /// # Errors
    ///
    /// When a field has no saved form.
    fn save(&self, to: &mut SaveWriter) -> Result<()>;
}

macro_rules! forward_predict {
    ($($pointer:ty),*) => { $(
        impl<P: Predict + ?Sized> Predict for $pointer {
            fn kind(&self) -> Kind {
                (**self).kind()
            }
            fn unit(&self) -> TimeUnit {
                (**self).unit()
            }
            fn answers(&self) -> Answers {
                (**self).answers()
            }
            fn needs(&self) -> &[Feature] {
                (**self).needs()
            }
            fn reads(&self) -> Reads {
                (**self).reads()
            }
            fn grain(&self) -> Option<Grain> {
                (**self).grain()
            }
            fn predict_into(
                &self,
                who: &Customers<'_>,
                ask: &Ask,
                scratch: &mut Scratch,
                out: &mut ForecastMut<'_>,
            ) -> Result<()> {
                (**self).predict_into(who, ask, scratch, out)
            }
            fn activity(&self) -> Option<&dyn Activity> {
                (**self).activity()
            }
            fn purchases(&self) -> Option<&dyn PurchaseForecast> {
                (**self).purchases()
            }
            fn spend(&self) -> Option<&dyn Spend> {
                (**self).spend()
            }
            fn next_purchase(&self) -> Option<&dyn NextPurchase> {
                (**self).next_purchase()
            }
            fn sample(&self) -> Option<&dyn Sample> {
                (**self).sample()
            }
            fn draw_times(&self) -> Option<&dyn DrawTimes> {
                (**self).draw_times()
            }
            fn draw_amounts(&self) -> Option<&dyn DrawAmounts> {
                (**self).draw_amounts()
            }
            fn foresee(&self) -> Option<&dyn Foresee> {
                (**self).foresee()
            }
            fn own(&self, who: &Customers<'_>, row: usize) -> Result<Option<Box<dyn Predict>>> {
                (**self).own(who, row)
            }
            fn save(&self, to: &mut SaveWriter) -> Result<()> {
                (**self).save(to)
            }
        }
    )* };
}
forward_predict!(Box<P>, std::sync::Arc<P>);

/// Settings that forget the type of their model: what a shelf of unlike models is made of. The fitted model knows the grain of what it was fitted to
/// ([`Grained`]).
///
/// ```
/// use clv_core::baselines::{MeanOfAll, Zero};
/// use clv_core::{Erased, Fit, Predict, Span};
///
/// let horizon = Span::weeks(39.0)?;
/// let shelf: Vec<Box<dyn Fit<Model = Box<dyn Predict>>>> =
///     vec![Box::new(Erased(Zero)), Box::new(Erased(MeanOfAll { horizon }))];
/// assert_eq!(shelf.len(), 2);
/// # Ok::<(), clv_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Erased<F>(pub F);

impl<F: Fit> Fit for Erased<F>
where
    F::Model: 'static,
{
    type Model = Box<dyn Predict>;
    fn fit(&self, data: &Training<'_>, cx: &Context<'_>) -> Result<Fitted<Self::Model>> {
        Ok(self.0.fit(data, cx)?.map(|model| knowing(model, data.summary().histories.grain())))
    }
}

impl<F: Fit + ?Sized> Fit for Box<F> {
    type Model = F::Model;
    fn fit(&self, data: &Training<'_>, cx: &Context<'_>) -> Result<Fitted<Self::Model>> {
        (**self).fit(data, cx)
    }
}

pub(crate) fn register(registry: &mut Registry) {
    with_spend::register(registry);
    stack::register(registry);
    reshaped::register(registry);
    crate::learn::register_informed(registry);
    crate::price::register(registry);
}
