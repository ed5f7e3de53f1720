//! Covariates: what is known of customers beside their purchases, and moves a model's parameters.
//!
//! # Story
//!
//! Two customers with the same parameters of the population may still be unlike for reasons that are known: a region, a
//! channel, an age. A covariate `z` with a coefficient `γ` multiplies a parameter of this customer's population,
//!
//! ```text
//! ln θ_i = ln θ + Σ_c e_c γ_c z_ic,        e_c = ±1
//! ```
//!
//! so that what the parameter stands for has a ratio of `e^γ` for each unit of `z`:
//!
//! | process | parameter moved | `e^γ` is |
//! | :-- | :-- | :-- |
//! | purchases | `α`, with `−γ` | the ratio of the purchase rate |
//! | dropout of Pareto/NBD, GGom/NBD | `β`, with `−γ` | the ratio of the hazard of leaving |
//! | dropout of the BG family | `a`, with `+γ` | the ratio of the mean odds `a/b` of leaving at a purchase |
//! | purchases of BG/BB | `α`, with `+γ` | the ratio of the mean odds `α/β` of taking an opportunity |
//! | dropout of BG/BB | `γ`, with `+γ` | the ratio of the mean odds `γ/δ` of leaving before one |
//! | dropout of sBG, BdW | `α`, with `+γ` | the ratio of the mean odds `α/β` of leaving at the first renewal |
//! | spend of Gamma-Gamma | `γ`, with `+γ` | the ratio of the mean spend |
//! | dropout of exponential-gamma, Weibull-gamma | `α`, with `−γ` | how many times as fast time runs to the end; of exponential-gamma the ratio of the hazard |
//!
//! The static covariates of Fader & Hardie, "Incorporating Time-Invariant Covariates into the Pareto/NBD and BG/NBD Models"
//! (2007), but for the dropout of the BG family. There, and in CLVTools, `a` and `b` are moved by the same factor, which leaves the
//! mean chance to leave as it is and moves only how unlike customers are: on CLVTools' apparel data its parameters run off
//! without end (`a` = 4,603, `b` = 33,985). [`Covariates::on`] fits that as well.

mod bayes;
mod design;
mod fit;
mod model;
mod moved;
mod refit;
mod term;

use clv_core::Error;
use clv_core::setting::at_least_zero;

pub use bayes::BayesWithCovariates;
pub(crate) use bayes::{Unscaled, padded, unscaled};
pub(crate) use design::{Design, Effect, Groups};
pub(crate) use fit::{Columns, Fits, Within, coefficients, designed, effects};
pub use fit::{PenaltyScore, WithCovariates};
pub use model::CovariateModel;
pub(crate) use model::{evaluate, expect_words, register};
pub(crate) use moved::{MOST, Moved, saved_scaling};
pub(crate) use refit::own_of;
pub use term::Term;
pub(crate) use term::Words;

use crate::process::{Parameter, Process, unknown_parameter};

/// Which columns act upon what.
///
/// A column is named as a plan of features names it: `own_A` for an attribute `A` of
/// [`Beyond`](clv_core::features::Beyond). Words become a column for each but the first of them (`own_region=south`, beside a
/// reference that is left out), and [`Term`] tells what else there is: `log(own_income)`, `own_age:own_region=south`.
///
/// | Name | Default | Why |
/// | :-- | :-- | :-- |
/// | columns | none | |
/// | `penalty` | 0 | maximum likelihood |
/// | `standardized` | no | coefficients are read in the columns' own units |
///
/// ```
/// use clv_btyd::Covariates;
///
/// let covariates = Covariates::new()
///     .on_purchases(["own_gender", "own_channel"])?
///     .on_dropout(["own_channel"])?
///     .on_both(["own_region"])?;                     // one coefficient for the two processes
/// # Ok::<(), clv_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Covariates {
    pub(crate) asked: Vec<Asked>,
    /// What is held against a squared coefficient of purchases and of dropout.
    pub(crate) penalties: (f64, f64),
    pub(crate) standardized: bool,
}

/// A term and what it acts upon.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Asked {
    pub acts: Acts,
    pub term: Term,
}

/// What a column acts upon.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Acts {
    Purchases,
    Dropout,
    Both,
    /// Under a label, these parameters, each to a power.
    Parameters(String, Vec<(String, f64)>),
}

impl Acts {
    pub(crate) fn is_dropout(&self) -> bool {
        *self == Self::Dropout
    }

    /// What the coefficient of a term is called.
    pub(crate) fn name(&self, term: &Term) -> String {
        format!("{}.{term}", self.label())
    }

    fn label(&self) -> &str {
        match self {
            Self::Purchases => "purchase",
            Self::Dropout => "dropout",
            Self::Both => "both",
            Self::Parameters(label, _) => label,
        }
    }

    /// The parameters that are moved, by place.
    pub(crate) fn on(&self, of: &Movable) -> Result<Vec<(usize, f64)>, Error> {
        let cannot = |quantity, hint| Err(Error::CannotSay { model: of.model, quantity, hint });
        let dropout = || match of.dropout {
            [] => cannot("dropout", ": nobody leaves in it"),
            dropout => places(of.parameters, dropout),
        };
        let purchases = || match of.purchases {
            [] => cannot(
                "what moves purchases",
                ": they are not what it is a model of; a contract pays as long as it lasts",
            ),
            purchases => places(of.parameters, purchases),
        };
        Ok(match self {
            Self::Purchases => purchases()?,
            Self::Dropout => dropout()?,
            Self::Both => [purchases()?, dropout()?].concat(),
            Self::Parameters(_, named) => places(of.parameters, named)?,
        })
    }
}

/// What columns may act upon.
pub(crate) struct Movable {
    pub model: &'static str,
    pub parameters: &'static [Parameter],
    pub purchases: &'static [(&'static str, f64)],
    pub dropout: &'static [(&'static str, f64)],
}

impl Movable {
    pub(crate) fn of<P: Process>() -> Self {
        Self { model: P::KIND.name, parameters: P::PARAMETERS, purchases: P::PURCHASES, dropout: P::DROPOUT }
    }
}

/// Where named parameters stand.
pub(crate) fn places<S: AsRef<str>>(
    parameters: &[Parameter],
    named: &[(S, f64)],
) -> Result<Vec<(usize, f64)>, Error> {
    let one = |(name, power): &(S, f64)| {
        let place = parameters.iter().position(|p| p.name == name.as_ref());
        let place = place.ok_or_else(|| unknown_parameter(name.as_ref(), parameters))?;
        Ok((place, *power))
    };
    named.iter().map(one).collect()
}

impl Covariates {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// These act upon the purchase rate; their coefficients are named `purchase.column`.
    ///
    /// # Errors
    ///
    /// [`Error::Unreadable`] for a term that is none.
    pub fn on_purchases<S: AsRef<str>>(self, terms: impl IntoIterator<Item = S>) -> Result<Self, Error> {
        self.acting(&Acts::Purchases, terms)
    }

    /// These act upon leaving; their coefficients are named `dropout.column`.
    ///
    /// # Errors
    ///
    /// [`Error::Unreadable`] for a term that is none.
    pub fn on_dropout<S: AsRef<str>>(self, terms: impl IntoIterator<Item = S>) -> Result<Self, Error> {
        self.acting(&Acts::Dropout, terms)
    }

    /// These act upon both with one coefficient, named `both.column`: the equality constraint.
    ///
    /// # Errors
    ///
    /// [`Error::Unreadable`] for a term that is none.
    pub fn on_both<S: AsRef<str>>(self, terms: impl IntoIterator<Item = S>) -> Result<Self, Error> {
        self.acting(&Acts::Both, terms)
    }

    /// These act upon the amounts of [`GammaGammaFit`](crate::GammaGammaFit); their
    /// coefficients are named `spend.column`, and `e^γ` is the ratio of the mean spend.
    ///
    /// # Errors
    ///
    /// [`Error::Unreadable`] for a term that is none.
    pub fn on_spend<S: AsRef<str>>(self, terms: impl IntoIterator<Item = S>) -> Result<Self, Error> {
        self.on("spend", [("gamma", 1.0)], terms)
    }

    /// These act upon parameters by name, each to a power, with one coefficient named `label.column`: a way to shapes of one's own, such as
    /// the dropout of BG/NBD in CLVTools, `.on("life", [("a", 1.0), ("b", 1.0)], ["own_gender"])`.
    ///
    /// # Errors
    ///
    /// [`Error::Unreadable`] for a term that is none; the names are checked by the fit.
    pub fn on<S: AsRef<str>>(
        self,
        label: &str,
        parameters: impl IntoIterator<Item = (&'static str, f64)>,
        terms: impl IntoIterator<Item = S>,
    ) -> Result<Self, Error> {
        let named = parameters.into_iter().map(|(name, power)| (name.to_owned(), power)).collect();
        self.acting(&Acts::Parameters(label.to_owned(), named), terms)
    }

    fn acting<S: AsRef<str>>(
        mut self,
        acts: &Acts,
        terms: impl IntoIterator<Item = S>,
    ) -> Result<Self, Error> {
        for text in terms {
            for term in Term::parse(text.as_ref())? {
                let asked = Asked { acts: acts.clone(), term };
                if !self.asked.contains(&asked) {
                    self.asked.push(asked);
                }
            }
        }
        Ok(self)
    }

    /// An L2 penalty `λ Σ γ²` on the mean log-likelihood per customer, for coefficients of purchases (and all others) and of
    /// dropout; what acts upon both bears the first. Means most with [`Covariates::standardized`].
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] unless both are finite and at least 0.
    pub fn penalty(self, on_purchases: f64, on_dropout: f64) -> Result<Self, Error> {
        let penalties = (at_least_zero("penalty", on_purchases)?, at_least_zero("penalty", on_dropout)?);
        Ok(Self { penalties, ..self })
    }

    /// Columns less their mean and over their standard deviation among the customers that are fitted, both kept with the model: coefficients
    /// can be compared with each other, and a penalty treats all columns alike.
    pub fn standardized(self) -> Self {
        Self { standardized: true, ..self }
    }

    pub(crate) fn penalties(&self) -> (f64, f64) {
        self.penalties
    }

    /// The largest penalty, beside that of the parameters: with none of them a maximum is that of the likelihood.
    pub(crate) fn most_penalty(&self, of_parameters: f64) -> f64 {
        of_parameters.max(self.penalties.0).max(self.penalties.1)
    }

    pub(crate) fn is_standardized(&self) -> bool {
        self.standardized
    }

    /// Priors take the place of penalties.
    pub(crate) fn expect_no_penalty(&self) -> Result<(), Error> {
        let (one, other) = self.penalties;
        let asked = self.asked.len();
        if one == 0.0 && other == 0.0 || asked == 0 {
            return Ok(());
        }
        let allowed = "0: in a posterior the prior of the coefficients takes its place";
        Err(Error::Setting { name: "penalty of coefficients", given: one.max(other), allowed })
    }

    /// Whether nothing was asked.
    pub fn is_empty(&self) -> bool {
        self.asked.is_empty()
    }
}
