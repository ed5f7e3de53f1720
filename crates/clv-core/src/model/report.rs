//! The story of a fit.

use std::borrow::Cow;
use std::fmt;

use crate::units::{Span, TimeUnit};

/// A parameter with its uncertainty.
#[derive(Clone, Debug, PartialEq)]
pub struct Estimate {
    /// Name, as in the literature; of a coefficient with its column's.
    pub name: Cow<'static, str>,
    /// Value on the natural scale.
    pub value: f64,
    /// Standard error on the natural scale; `None` if fixed or not identified.
    pub standard_error: Option<f64>,
    /// Whether the caller fixed it.
    pub fixed: bool,
    /// Whether it may have either sign: the coefficient of a covariate. Parameters are positive.
    pub is_coefficient: bool,
    /// The 95% interval, where the fit told the whole posterior and not only its curvature: the 2.5% and 97.5% quantiles.
    pub quantiles: Option<(f64, f64)>,
}

/// How a model was found and how far to trust it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct FitReport {
    /// Kind of the model.
    pub model: &'static str,
    /// Time unit of the parameters.
    pub unit: TimeUnit,
    /// Customers fitted on.
    pub customers: usize,
    /// Distinct histories among them, or training rows.
    pub rows: usize,
    /// Parameters, for models that have named ones.
    pub parameters: Vec<Estimate>,
    /// Covariance of the free parameters on the natural scale, row by row.
    pub covariance: Option<Vec<f64>>,
    /// Log-likelihood, penalty not included.
    pub log_likelihood: Option<f64>,
    /// Whether a penalty or a prior drew the parameters away from the likeliest: then criteria and tests by the likelihood do not hold.
    pub penalised: bool,
    /// Whether the minimiser converged.
    pub converged: bool,
    /// Function evaluations on all rows.
    pub evaluations: usize,
    /// What to beware of.
    pub warnings: Vec<Warning>,
    /// How well it was drawn from a posterior, if it was.
    pub sampling: Option<Sampling>,
    /// The report of a model of something else that was fitted with it: spend beside purchases. Its
    /// likelihood is of other data, so the criteria of the two do not add up to one.
    pub beside: Option<Box<Self>>,
}

/// How far draws from a posterior can be trusted, by the parameter that was drawn worst.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    /// Draws of all chains.
    pub draws: usize,
    /// The largest R̂ of split chains: near 1 if the chains agree.
    pub r_hat: f64,
    /// The least effective sample size: as many independent draws would say as much.
    pub effective: f64,
}

impl FitReport {
    /// An empty story of a model without a likelihood.
    pub fn new(model: &'static str, unit: TimeUnit, customers: usize) -> Self {
        Self {
            model,
            unit,
            customers,
            rows: customers,
            parameters: Vec::new(),
            covariance: None,
            log_likelihood: None,
            penalised: false,
            converged: true,
            evaluations: 0,
            warnings: Vec::new(),
            sampling: None,
            beside: None,
        }
    }

    /// The report and the one of a model fitted beside it, flat.
    pub fn all_parameters(&self) -> impl Iterator<Item = &Estimate> {
        self.parameters.iter().chain(self.beside.iter().flat_map(|report| &report.parameters))
    }

    /// What to beware of in either, each with the kind of model that it is of.
    pub fn all_warnings(&self) -> impl Iterator<Item = (&'static str, &Warning)> {
        let of = |report: &'_ Self| report.model;
        let beside = self.beside.iter().flat_map(move |r| r.warnings.iter().map(move |w| (of(r), w)));
        self.warnings.iter().map(|warning| (self.model, warning)).chain(beside)
    }

    /// Number of free parameters.
    pub fn free_parameters(&self) -> usize {
        self.parameters.iter().filter(|p| !p.fixed).count()
    }

    /// Akaike's criterion, `2k − 2 ln L`; none of a penalised fit, which has fewer parameters in effect.
    pub fn aic(&self) -> Option<f64> {
        self.log_likelihood
            .filter(|_| !self.penalised)
            .map(|ll| 2.0 * self.free_parameters() as f64 - 2.0 * ll)
    }

    /// The Bayesian criterion, `k ln n − 2 ln L`, with `n` customers; none of a penalised fit.
    pub fn bic(&self) -> Option<f64> {
        let k = self.free_parameters() as f64;
        self.log_likelihood.filter(|_| !self.penalised).map(|ll| k * (self.customers as f64).ln() - 2.0 * ll)
    }

    /// The value of a parameter.
    pub fn parameter(&self, name: &str) -> Option<f64> {
        self.all_parameters().find(|p| p.name == name).map(|p| p.value)
    }
}

/// What to beware of, with advice.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Warning {
    /// The minimiser spent its budget.
    NotConverged {
        /// Largest component of the gradient.
        gradient: f64,
    },
    /// The likelihood hardly changes along some parameters together.
    FlatDirection {
        /// Which.
        parameters: Vec<Cow<'static, str>>,
    },
    /// A parameter ran to the edge of what is searched.
    AtBoundary {
        /// Which.
        parameter: Cow<'static, str>,
        /// The edge.
        value: f64,
        /// What it means.
        meaning: &'static str,
    },
    /// Customers that the model cannot use.
    LeftOut {
        /// How many.
        customers: usize,
        /// Why.
        why: &'static str,
    },
    /// Amounts that the model cannot use, of customers who have others.
    AmountsLeftOut {
        /// Of how many customers.
        customers: usize,
        /// Why.
        why: &'static str,
    },
    /// The data have no estimate of their own, so that a prior speaks alone.
    PriorAlone {
        /// Why there is none.
        why: &'static str,
    },
    /// Nobody or hardly anybody came back.
    FewRepeatBuyers {
        /// How many did.
        customers: usize,
    },
    /// The population mean does not exist.
    UndefinedMean {
        /// The estimate of `q`.
        q: f64,
    },
    /// Populations drawn of which the mean spend does not exist, or hardly does.
    HeavyTail {
        /// How many.
        populations: usize,
        /// Of how many.
        of: usize,
        /// The least `q` of them.
        least: f64,
    },
    /// One of the populations drawn makes much of what is expected of a new customer's spend.
    OneDraw {
        /// Which share of it.
        share: f64,
        /// Of how many populations.
        of: usize,
    },
    /// The past is too short for the horizon, so a shorter window was learned and scaled up.
    ShortWindow {
        /// What was learned.
        window: Span,
        /// What was asked.
        horizon: Span,
    },
    /// A model could not be fitted, and a plainer one stands in.
    StandsIn {
        /// The plainer one.
        plainer: &'static str,
        /// Why the other could not be fitted.
        why: String,
    },
    /// Markov chains that do not agree with each other.
    ChainsApart {
        /// The largest R̂ of a parameter.
        r_hat: f64,
    },
    /// Columns that say nothing beside the others.
    Collinear {
        /// Which.
        columns: Vec<String>,
    },
}

impl Warning {
    /// Adds warnings that are not there yet: parts of one fit often tell of the same thing.
    pub fn add_new(to: &mut Vec<Self>, more: impl IntoIterator<Item = Self>) {
        for warning in more {
            if !to.contains(&warning) {
                to.push(warning);
            }
        }
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotConverged { gradient } => {
                write!(
                    f,
                    "the search stopped early (gradient {gradient:.1e}); start elsewhere or add a penalty"
                )
            }
            Self::FlatDirection { parameters } => {
                let (names, apart) =
                    (parameters.join(" and "), if parameters.len() > 1 { " apart" } else { "" });
                write!(
                    f,
                    "the data hardly tell {names}{apart}; forecasts of customers and times like these are unaffected, the single values mean little; fix one or add a penalty"
                )
            }
            Self::AtBoundary { parameter, value, meaning } => {
                write!(f, "{parameter} ran to {value:.3e}, the edge of the search: {meaning}")
            }
            Self::LeftOut { customers, why } => write!(f, "{customers} customers were left out: {why}"),
            Self::AmountsLeftOut { customers, why } => {
                write!(f, "amounts of {customers} customers, not the customers, were left out: {why}")
            }
            Self::PriorAlone { why } => write!(f, "the prior decides: {why}"),
            Self::FewRepeatBuyers { customers } => write!(
                f,
                "only {customers} customers came back: there is next to nothing to learn dropout from; observe longer"
            ),
            Self::UndefinedMean { q } => write!(
                f,
                "q is {q:.3}, and with q ≤ 1 the mean spend of the population does not exist: new customers get no expected spend, use the median"
            ),
            Self::HeavyTail { populations, of, least } if *least <= 1.0 => write!(
                f,
                "{populations} of {of} populations drawn have a q near or below 1 (the least {least:.3}), and with q ≤ 1 a mean does not exist: customers of whom no purchase, or too few, count get no expected spend; fit the likeliest population, or use the median"
            ),
            Self::HeavyTail { populations, of, least } => write!(
                f,
                "{populations} of {of} populations drawn have a q near 1 (the least {least:.3}), and with q ≤ 1 a mean does not exist: the expected spend of customers of whom no purchase counts is that of a few draws; use the median"
            ),
            Self::OneDraw { share, of } => write!(
                f,
                "one of {of} populations drawn makes {:.0}% of the expected spend of customers of whom no purchase counts: the mean over populations hardly exists where there is so little to learn from; fit the likeliest population, or use the median",
                100.0 * share
            ),
            Self::ShortWindow { window, horizon } => write!(
                f,
                "the past is too short to learn a horizon of {horizon}: a window of {window} was learned and scaled up"
            ),
            Self::StandsIn { plainer, why } => write!(f, "{why}; {plainer} stands in"),
            Self::ChainsApart { r_hat } => {
                write!(f, "the chains do not agree yet (R-hat {r_hat:.2}); give them more warm-up and draws")
            }
            Self::Collinear { columns } => {
                write!(f, "columns say nothing beside the others and were left out: {}", columns.join(", "))
            }
        }
    }
}
