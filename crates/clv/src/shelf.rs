//! Settings by name: what a command line or a configuration file asks for.

#[cfg(feature = "btyd")]
use clv_btyd::Process;
#[cfg(feature = "btyd")]
use clv_core::backtest::Backtest;
use clv_core::backtest::BoxedFit;
#[cfg(feature = "btyd")]
use clv_core::baselines::OwnMeanSpend;
use clv_core::baselines::{ConstantRetention, LastPeriod, MeanOfAll, RfmCellMean, Zero};
#[cfg(any(feature = "linear", feature = "trees"))]
use clv_core::learn::Regress;
use clv_core::model::Reads;
#[cfg(all(feature = "btyd", feature = "linear", feature = "trees"))]
use clv_core::model::Stack;
#[cfg(feature = "linear")]
use clv_core::transform::Step;
#[cfg(feature = "btyd")]
use clv_core::{Context, Fit, Fitted, Predict, Training, Warning};
use clv_core::{Erased, Error, Span};

/// Bins per dimension of the `rfm-cell-mean` baseline: 27 cells, so that each has customers.
const RFM_BINS: usize = 3;

/// The members of the shelf's `stack`: one that knows the process, one line, and trees.
#[cfg(all(feature = "btyd", feature = "linear", feature = "trees"))]
const STACKED: [&str; 3] = ["pareto-nbd", "tweedie-glm", "boosted-tweedie"];

/// Names of the models that say how often and, joined with a spend model, for how much; baselines
/// first.
pub const VALUE_MODELS: &[&str] = &[
    "zero",
    "mean",
    "last-period",
    "rfm-cell-mean",
    #[cfg(feature = "btyd")]
    "nbd",
    #[cfg(feature = "btyd")]
    "bg-nbd",
    #[cfg(feature = "btyd")]
    "mbg-nbd",
    #[cfg(feature = "btyd")]
    "pareto-nbd",
    #[cfg(feature = "linear")]
    "linear",
    #[cfg(feature = "linear")]
    "tweedie-glm",
    #[cfg(feature = "linear")]
    "hurdle",
    #[cfg(feature = "trees")]
    "random-forest",
    #[cfg(feature = "trees")]
    "boosted-trees",
    #[cfg(feature = "trees")]
    "boosted-tweedie",
    #[cfg(feature = "trees")]
    "boosted-ziln",
    #[cfg(all(feature = "btyd", feature = "trees"))]
    "informed-trees",
    #[cfg(all(feature = "btyd", feature = "linear", feature = "trees"))]
    "stack",
];

/// Larger cases of models among [`VALUE_MODELS`], which take longer to fit: [`compared`] tries them as well.
pub const LARGER_MODELS: &[&str] = &[
    #[cfg(feature = "btyd")]
    "ggom-nbd",
    #[cfg(feature = "btyd")]
    "bg-cnbd-k",
    #[cfg(feature = "btyd")]
    "mbg-cnbd-k",
];

/// Names of the models that are compared where none are named, as `clv evaluate` does: [`VALUE_MODELS`], with [`LARGER_MODELS`] behind those of which they
/// are.
///
/// ```
/// let names = clv::shelf::compared();
/// assert_eq!(names[7..12], ["pareto-nbd", "ggom-nbd", "bg-cnbd-k", "mbg-cnbd-k", "linear"]);
/// ```
pub fn compared() -> Vec<&'static str> {
    let behind = VALUE_MODELS.iter().position(|name| *name == "pareto-nbd").map_or(0, |at| at + 1);
    let (before, after) = VALUE_MODELS.split_at(behind);
    [before, LARGER_MODELS, after].concat()
}

/// Names of the models of contracts, those of renewals first, and among these what has to be beaten.
pub const CONTRACT_MODELS: &[&str] = &[
    "constant-retention",
    #[cfg(feature = "btyd")]
    "sbg",
    #[cfg(feature = "btyd")]
    "bdw",
    #[cfg(feature = "btyd")]
    "exponential-gamma",
    #[cfg(feature = "btyd")]
    "weibull-gamma",
];

/// Tweedie's power for counts and money with many zeros: the middle of what is customary, 1.3 to 1.7.
#[cfg(any(feature = "linear", feature = "trees"))]
const POWER: f64 = 1.5;

/// Which histories the model of a name reads: purchases, for all that are not of periods or contracts.
///
/// ```
/// use clv::model::Reads;
///
/// assert_eq!(clv::shelf::reads("bdw"), Reads::Renewals);
/// assert_eq!(clv::shelf::reads("pareto-nbd"), Reads::Purchases);
/// ```
pub fn reads(name: &str) -> Reads {
    match name {
        "constant-retention" => Reads::Renewals,
        #[cfg(feature = "btyd")]
        "bg-bb" => clv_btyd::BgBb::READS,
        #[cfg(feature = "btyd")]
        "sbg" | "bdw" => clv_btyd::BetaDiscreteWeibull::READS,
        #[cfg(feature = "btyd")]
        "exponential-gamma" | "weibull-gamma" => clv_btyd::WeibullGamma::READS,
        _ => Reads::default(),
    }
}

/// Default settings by name; the horizon matters to baselines and learners only.
///
/// # Errors
///
/// [`Error::Unreadable`] for a name that this build does not know.
///
/// ```
/// let horizon = clv::Span::weeks(39.0)?;
/// assert!(clv::shelf::settings("pareto-nbd", horizon).is_ok());
/// assert!(clv::shelf::settings("crystal-ball", horizon).is_err());
/// # Ok::<(), clv::Error>(())
/// ```
pub fn settings(name: &str, horizon: Span) -> Result<BoxedFit, Error> {
    Ok(match name {
        "zero" => Box::new(Erased(Zero)),
        "mean" => Box::new(Erased(MeanOfAll { horizon })),
        "last-period" => Box::new(Erased(LastPeriod { horizon })),
        "constant-retention" => Box::new(Erased(ConstantRetention)),
        "rfm-cell-mean" => Box::new(Erased(RfmCellMean { horizon, bins: RFM_BINS })),
        #[cfg(feature = "btyd")]
        "nbd" => Box::new(Erased(clv_btyd::MaximumLikelihood::<clv_btyd::Nbd>::new())),
        #[cfg(feature = "btyd")]
        "bg-nbd" => Box::new(Erased(clv_btyd::MaximumLikelihood::<clv_btyd::BgNbd>::new())),
        #[cfg(feature = "btyd")]
        "mbg-nbd" => Box::new(Erased(clv_btyd::MaximumLikelihood::<clv_btyd::MbgNbd>::new())),
        #[cfg(feature = "btyd")]
        "pareto-nbd" => Box::new(Erased(clv_btyd::MaximumLikelihood::<clv_btyd::ParetoNbd>::new())),
        #[cfg(feature = "btyd")]
        "ggom-nbd" => Box::new(Erased(clv_btyd::MaximumLikelihood::<clv_btyd::GgomNbd>::new())),
        #[cfg(feature = "btyd")]
        "bg-cnbd-k" => Box::new(Erased(clv_btyd::RegularFit::<clv_btyd::BgCnbd>::new())),
        #[cfg(feature = "btyd")]
        "mbg-cnbd-k" => Box::new(Erased(clv_btyd::RegularFit::<clv_btyd::MbgCnbd>::new())),
        #[cfg(feature = "btyd")]
        "pareto-nbd-hb" => Box::new(Erased(clv_btyd::HierarchicalFit::<clv_btyd::MaLiu>::new())),
        #[cfg(feature = "btyd")]
        "pareto-nbd-abe" => Box::new(Erased(clv_btyd::HierarchicalFit::<clv_btyd::Abe>::new())),
        #[cfg(feature = "btyd")]
        "pareto-ggg" => Box::new(Erased(clv_btyd::HierarchicalFit::<clv_btyd::ParetoGgg>::new())),
        #[cfg(feature = "btyd")]
        "bg-bb" => Box::new(Erased(clv_btyd::MaximumLikelihood::<clv_btyd::BgBb>::new())),
        #[cfg(feature = "btyd")]
        "sbg" => Box::new(Erased(clv_btyd::MaximumLikelihood::shifted_beta_geometric())),
        #[cfg(feature = "btyd")]
        "bdw" => Box::new(Erased(clv_btyd::MaximumLikelihood::<clv_btyd::BetaDiscreteWeibull>::new())),
        #[cfg(feature = "btyd")]
        "exponential-gamma" => Box::new(Erased(clv_btyd::MaximumLikelihood::exponential_gamma())),
        #[cfg(feature = "btyd")]
        "weibull-gamma" => Box::new(Erased(clv_btyd::MaximumLikelihood::<clv_btyd::WeibullGamma>::new())),
        #[cfg(feature = "btyd")]
        "gamma-gamma" => Box::new(Erased(clv_btyd::GammaGammaFit::new())),
        #[cfg(feature = "btyd")]
        "lognormal-spend" => Box::new(Erased(clv_btyd::LognormalSpendFit::new())),
        #[cfg(feature = "linear")]
        "linear" => Box::new(Erased(clv_linear::LinearRegression.over(horizon))),
        // Means that grow by factors want columns that do.
        #[cfg(feature = "linear")]
        "tweedie-glm" => {
            let glm = clv_linear::Glm::tweedie(POWER)?.penalty(1e-3)?;
            Box::new(Erased(glm.over(horizon).transform(vec![Step::Log])))
        }
        #[cfg(feature = "linear")]
        "hurdle" => Box::new(Erased(clv_linear::Hurdle::default().over(horizon).transform(vec![Step::Log]))),
        #[cfg(feature = "trees")]
        "random-forest" => Box::new(Erased(clv_trees::RandomForest::new().over(horizon))),
        #[cfg(feature = "trees")]
        "boosted-trees" => Box::new(Erased(clv_trees::BoostedTrees::new().over(horizon))),
        #[cfg(feature = "trees")]
        "boosted-tweedie" => {
            let loss = clv_trees::Loss::Tweedie(POWER);
            Box::new(Erased(clv_trees::BoostedTrees::new().loss(loss).over(horizon)))
        }
        #[cfg(feature = "trees")]
        "boosted-ziln" => Box::new(Erased(clv_trees::BoostedZiln::default().over(horizon))),
        #[cfg(all(feature = "btyd", feature = "trees"))]
        "informed-trees" => Box::new(Erased(informed_trees(settings, horizon))),
        // Of purchases alone; `with_spend` stacks value too.
        #[cfg(all(feature = "btyd", feature = "linear", feature = "trees"))]
        "stack" => Box::new(Erased(Stack::of(&STACKED, settings, horizon)?)),
        _ => {
            return Err(Error::Unreadable {
                what: "model",
                given: name.to_owned(),
                allowed: "zero, mean, last-period, rfm-cell-mean, constant-retention, nbd, bg-nbd, mbg-nbd, pareto-nbd, ggom-nbd, bg-cnbd-k, mbg-cnbd-k, \
                          pareto-nbd-hb, pareto-nbd-abe, pareto-ggg, bg-bb, sbg, bdw, exponential-gamma, weibull-gamma, gamma-gamma, lognormal-spend, linear, tweedie-glm, hurdle, \
                          random-forest, boosted-trees, boosted-tweedie, boosted-ziln, informed-trees, stack (as far as their features are on)",
            });
        }
    })
}

/// Boosted trees that know what Pareto/NBD forecasts.
#[cfg(all(feature = "btyd", feature = "trees"))]
fn informed_trees(
    shelf: fn(&str, Span) -> Result<BoxedFit, Error>,
    horizon: Span,
) -> clv_core::learn::Informed<clv_trees::BoostedTrees> {
    let trees = clv_trees::BoostedTrees::new().loss(clv_trees::Loss::Tweedie(POWER));
    clv_core::learn::Informed::new(trees, move |horizon| shelf("pareto-nbd", horizon), horizon)
}

/// What purchase models are joined with: a spend model, or where it has nothing to learn from (one price for everything, nobody back) each
/// customer's own mean, with a warning that says so.
#[cfg(feature = "btyd")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SpendOrMean {
    /// Gamma-Gamma on mean amounts.
    #[default]
    GammaGamma,
    /// Gamma-Gamma on amounts one by one.
    GammaGammaIndividually,
    /// Lognormal spend.
    Lognormal,
}

#[cfg(feature = "btyd")]
impl Fit for SpendOrMean {
    type Model = Box<dyn Predict>;

    fn fit(&self, data: &Training<'_>, cx: &Context<'_>) -> Result<Fitted<Self::Model>, Error> {
        let gamma = clv_btyd::GammaGammaFit::new();
        let fitted = match self {
            Self::GammaGamma => Erased(gamma).fit(data, cx),
            Self::GammaGammaIndividually => Erased(gamma.individually()).fit(data, cx),
            Self::Lognormal => Erased(clv_btyd::LognormalSpendFit::new()).fit(data, cx),
        };
        match fitted {
            Err(why @ (Error::NoEstimate { .. } | Error::TooLittleData { .. })) => {
                let mut fitted = Erased(OwnMeanSpend).fit(data, cx)?;
                let plainer = "each customer's own mean spend";
                fitted.report.warnings.push(Warning::StandsIn { plainer, why: why.to_string() });
                Ok(fitted)
            }
            other => other,
        }
    }
}

/// Whether the model of a name says purchases alone, and value once it is joined with a spend model.
#[cfg(feature = "btyd")]
pub fn wants_spend(name: &str) -> bool {
    matches!(
        name,
        "nbd"
            | "bg-nbd"
            | "mbg-nbd"
            | "pareto-nbd"
            | "ggom-nbd"
            | "bg-cnbd-k"
            | "mbg-cnbd-k"
            | "pareto-nbd-hb"
            | "pareto-nbd-abe"
            | "pareto-ggg"
            | "bg-bb"
            | "sbg"
            | "bdw"
            | "constant-retention"
    )
}

/// As [`settings`]; a purchase model is joined with [`SpendOrMean`], so that it says value too.
///
/// # Errors
///
/// As [`settings`].
#[cfg(feature = "btyd")]
pub fn with_spend(name: &str, horizon: Span) -> Result<BoxedFit, Error> {
    let purchases = settings(name, horizon)?;
    Ok(match name {
        name if wants_spend(name) => {
            Box::new(Erased(clv_core::WithSpend::of(purchases, SpendOrMean::default())))
        }
        #[cfg(feature = "trees")]
        "informed-trees" => Box::new(Erased(informed_trees(with_spend, horizon))),
        #[cfg(all(feature = "linear", feature = "trees"))]
        "stack" => Box::new(Erased(Stack::of(&STACKED, with_spend, horizon)?)),
        _ => purchases,
    })
}

/// What a backtest calls for: the horizon of its holdout, and value if its log has amounts.
///
/// # Errors
///
/// As [`settings`].
#[cfg(feature = "btyd")]
pub fn settings_for(backtest: &Backtest<'_>, name: &str) -> Result<BoxedFit, Error> {
    let horizon = backtest.split().horizon();
    if backtest.actual_value().is_some() { with_spend(name, horizon) } else { settings(name, horizon) }
}
