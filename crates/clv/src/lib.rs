//! Customer lifetime value, from a transaction log to what each customer will be worth.
//!
//! ```
//! use clv::prelude::*;
//!
//! // A log: from a file (`clv::io::read_log`), from rows, or simulated.
//! let truth = PurchaseModel::new(ParetoNbd::new(0.55, 10.6, 0.61, 11.7)?, TimeUnit::Week);
//! let spend = GammaGamma::new(6.25, 3.74, 15.44)?;
//! let (start, end) = (Moment::parse_date("2024-01-01")?, Moment::parse_date("2024-12-31")?);
//! let log = Simulation::new(2_000, start, end, 42)?.run(&truth, TimeUnit::Week, Some(&spend))?;
//!
//! // What was known at the end of September; nothing later can get in.
//! let cut = Cut::end_of(Moment::parse_date("2024-09-30")?, Grain::Day);
//! let purchases = Purchases::of(&log, Grain::Day)?;
//! let training = Training::new(&purchases, cut, TimeUnit::Week)?;
//!
//! // Settings are fitted to a model and the story of the fit.
//! let settings =
//!     WithSpend::of(MaximumLikelihood::<ParetoNbd>::new(), GammaGammaFit::new());
//! let fitted = settings.fit(&training, &Context::default())?;
//! assert!(fitted.report.converged);
//!
//! // Who will be worth what over the next year?
//! let ask = Ask::over(Span::weeks(52.0)?).discount(Discount::yearly(0.1)?);
//! let forecast = fitted.model.predict(&training.summary().customers(), &ask)?;
//! let total: f64 = forecast.value.unwrap().iter().flatten().sum();
//! assert!(total > 0.0);
//! # Ok::<(), clv::Error>(())
//! ```
//!
//! # Where to look
//!
//! | question | answer |
//! | :-- | :-- |
//! | How do I read my file? | [`io::read_log`] |
//! | What is a customer's history? | [`Summary`], [`History`] |
//! | Which model? | [`btyd`] for probabilities and any horizon; [`linear`] and [`trees`] for one horizon |
//! | Who is like whom? | [`cluster`], [`rfm`] |
//! | How do I learn from a table of my own? | [`transform`], [`learn`] |
//! | How do I compare models? | [`backtest::Backtest`] with a [`shelf`] |
//! | What do I look at before I believe a model? | [`diagnostics`] |
//! | How good is good? | [`baselines`], [`metrics`] |
//! | Who is new, active, loyal, churned? | [`StageRules`] |
//! | Which model is best, without choosing? | [`auto`] |
//! | How do I keep a model? | [`saved::save`], [`registry`] |
//! | How do I add my own model? | implement [`Fit`] and [`Predict`]; `docs/ADDING-A-MODEL.md` |
//!
//! # Features
//!
//! `btyd`, `linear`, `trees`, `cluster`, `select`, `auto`, `io` and `parquet`, all on by default; each only adds.
//!
//! # What it does not do yet
//!
//! Neural networks and decisions on top of forecasts.

pub use clv_core::*;

#[cfg(feature = "btyd")]
pub use clv_btyd as btyd;
#[cfg(feature = "cluster")]
pub use clv_cluster as cluster;
#[cfg(feature = "io")]
pub use clv_io as io;
#[cfg(feature = "linear")]
pub use clv_linear as linear;
#[cfg(feature = "select")]
pub use clv_select as select;
#[cfg(feature = "trees")]
pub use clv_trees as trees;

#[cfg(feature = "auto")]
pub mod auto;
#[cfg(feature = "btyd")]
pub mod comparison;
pub mod shelf;

use clv_core::saved::Registry;

/// Loads every model that this build knows.
///
/// ```
/// # let path = std::path::Path::new("no such model.json");
/// let error = clv::registry().load(path).unwrap_err();
/// assert!(error.to_string().contains("no such model.json"));
/// ```
pub fn registry() -> Registry {
    #[allow(unused_mut)]
    let mut registry = Registry::core();
    #[cfg(feature = "btyd")]
    clv_btyd::register(&mut registry);
    #[cfg(feature = "linear")]
    clv_linear::register(&mut registry);
    #[cfg(feature = "trees")]
    clv_trees::register(&mut registry);
    registry
}

/// What most programs need.
pub mod prelude {
    #[cfg(feature = "btyd")]
    pub use clv_btyd::{
        BgCnbd, BgNbd, GammaGamma, GammaGammaFit, GgomNbd, MaximumLikelihood, MbgCnbd, MbgNbd, Nbd,
        ParetoNbd, PurchaseModel, RegularFit, Simulation, SpendModel,
    };
    pub use clv_core::backtest::Backtest;
    pub use clv_core::learn::{Regress, Regression, Rows};
    pub use clv_core::summary::Purchases;
    pub use clv_core::{
        Ask, Context, Customers, Cut, Discount, Fit, Forecast, Grain, History, LogBuilder, Moment, Predict,
        Scratch, Span, Split, Stage, StageRules, Summary, TimeUnit, Training, Transaction, TransactionLog,
        WithSpend,
    };
    #[cfg(feature = "linear")]
    pub use clv_linear::{ElasticNet, Glm, Hurdle, LinearRegression, Ziln};
    #[cfg(feature = "trees")]
    pub use clv_trees::{BoostedTrees, DecisionTree, RandomForest};
}
