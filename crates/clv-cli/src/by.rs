//! Columns that move a model's parameters.

use clv::backtest::BoxedFit;
use clv::btyd::{
    BayesOverTime, BetaDiscreteWeibull, BgBb, BgCnbd, BgNbd, CohortFit, CohortModel, CovariateModel,
    Covariates, GgomNbd, MaximumLikelihood, MbgCnbd, MbgNbd, Nbd, OverTime, OverTimeFit, OverTimeModel,
    ParetoNbd, PenaltyScore, Process, RegularFit, RegularOverTime, WeibullGamma, WithCovariates,
};
use clv::model::Foresee;
use clv::{Context, Erased, Fit, Fitted, Names, Predict, Span, Timelines, Training};

use crate::args::PeriodArg;
use crate::failure::Failure;
use crate::show::{note, short_or_dash};

/// Columns that move a model's parameters.
#[derive(Debug, clap::Args)]
#[command(
    next_help_heading = "Covariates, for nbd, bg-nbd, mbg-nbd, pareto-nbd, ggom-nbd, bg-cnbd-k, mbg-cnbd-k, bg-bb and models of contracts (clv fit: also pareto-nbd-abe)"
)]
pub(crate) struct By {
    /// Columns that move how often customers buy, such as own_region,log(own_income) for columns region and income of --people.
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    pub purchases_by: Vec<String>,
    /// Columns that move how soon customers leave.
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    dropout_by: Vec<String>,
    /// Columns that move both, by the same factor.
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    both_by: Vec<String>,
    /// Columns that move the logarithms of both rates, each its own way; for pareto-nbd-abe alone.
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    pub rates_by: Vec<String>,
    /// Columns that move how much customers spend at a time, by gamma-gamma.
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    pub spend_by: Vec<String>,
    /// Bring columns to mean 0 and deviation 1 first.
    #[arg(long)]
    pub standardize: bool,
    /// L2 penalty on the coefficients, against the mean log-likelihood of a customer: .0001 is little, .1 much. Of several the best by
    /// cross-validation is taken; name 0 among them.
    #[arg(long, value_name = "LAMBDAS", value_delimiter = ',', allow_negative_numbers = true)]
    pub penalty_of_columns: Vec<f64>,
}

impl By {
    pub(crate) fn is_empty(&self) -> bool {
        self.acting_is_empty() && self.rates_by.is_empty() && self.spend_by.is_empty()
    }

    /// Of the amounts; none if no column was named.
    pub(crate) fn of_spend(&self) -> Result<Option<Covariates>, Failure> {
        if !self.acting_is_empty() || !self.rates_by.is_empty() {
            return Err(Failure::usage(
                "gamma-gamma takes --spend-by, and no columns that move purchases or dropout",
            ));
        }
        if self.spend_by.is_empty() {
            // With its complaint about settings of columns that nobody named.
            return self.covariates();
        }
        self.moving_spend()
    }

    /// Of the amounts, whatever else is moved.
    pub(crate) fn moving_spend(&self) -> Result<Option<Covariates>, Failure> {
        if self.spend_by.is_empty() {
            return Ok(None);
        }
        let covariates = Covariates::new().on_spend(&self.spend_by).map_err(Failure::usage)?;
        let covariates = if self.standardize { covariates.standardized() } else { covariates };
        match self.penalty_of_columns[..] {
            [] => Ok(Some(covariates)),
            [lambda] => covariates.penalty(lambda, lambda).map(Some).map_err(Failure::usage),
            _ => Err(Failure::usage("of gamma-gamma --penalty-of-columns takes one value")),
        }
    }

    pub(crate) fn acting_is_empty(&self) -> bool {
        self.purchases_by.is_empty() && self.dropout_by.is_empty() && self.both_by.is_empty()
    }

    /// None if no column was named.
    pub(crate) fn covariates(&self) -> Result<Option<Covariates>, Failure> {
        if !self.rates_by.is_empty() {
            return Err(Failure::usage(
                "--rates-by is for pareto-nbd-abe; others have --purchases-by, --dropout-by and --both-by",
            ));
        }
        if self.acting_is_empty() {
            if self.spend_by.is_empty() && (self.standardize || !self.penalty_of_columns.is_empty()) {
                return Err(Failure::usage(
                    "--standardize and --penalty-of-columns are for columns named by --purchases-by, --dropout-by, --both-by or --spend-by",
                ));
            }
            return Ok(None);
        }
        let covariates = Covariates::new()
            .on_purchases(&self.purchases_by)
            .and_then(|all| all.on_dropout(&self.dropout_by))
            .and_then(|all| all.on_both(&self.both_by))
            .map_err(Failure::usage)?;
        let covariates = if self.standardize { covariates.standardized() } else { covariates };
        let covariates = match self.penalty_of_columns[..] {
            [lambda] => covariates.penalty(lambda, lambda).map_err(Failure::usage)?,
            _ => covariates,
        };
        Ok(Some(covariates))
    }
}

/// Cohorts of customers.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Cohorts")]
pub(crate) struct Cohorts {
    /// Fit a population to each cohort by the month, quarter or year of its first purchase, near to the others as far as its customers do not say otherwise (for
    /// nbd, bg-nbd, mbg-nbd, pareto-nbd, ggom-nbd, bg-cnbd-k, mbg-cnbd-k, bg-bb, sbg, bdw, exponential-gamma, weibull-gamma).
    #[arg(long, value_enum, value_name = "PERIOD")]
    pub by_cohort: Option<PeriodArg>,
    /// How far cohorts are from each other, as the deviation of the logarithms: 0 for all together, inf for each apart. Of several the best by cross-validation is
    /// taken.
    #[arg(
        long,
        value_name = "DEVIATIONS",
        value_delimiter = ',',
        default_value = "0.2",
        allow_negative_numbers = true,
        requires = "by_cohort"
    )]
    cohort_deviation: Vec<f64>,
}

impl Cohorts {
    /// With the deviation that was named, or the best of several.
    pub(crate) fn settings<P: Process>(&self, fit: CohortFit<P>) -> Result<BoxedFit, Failure> {
        for deviation in &self.cohort_deviation {
            fit.clone().deviation(*deviation).map_err(Failure::usage)?;
        }
        let deviations = self.cohort_deviation.clone();
        Ok(Box::new(Erased(BestCohorts { fit, deviations })))
    }
}

/// Cohorts with the best of several deviations, if there are several.
#[derive(Debug)]
struct BestCohorts<P> {
    fit: CohortFit<P>,
    deviations: Vec<f64>,
}

impl<P: Process> Fit for BestCohorts<P> {
    type Model = CohortModel<P>;

    fn fit(&self, data: &Training<'_>, cx: &Context<'_>) -> clv::Result<Fitted<Self::Model>> {
        if let [deviation] = self.deviations[..] {
            return self.fit.clone().deviation(deviation)?.fit(data, cx);
        }
        let (best, scores) = self.fit.clone().choose_deviation(data, &self.deviations, FOLDS, cx)?;
        for score in scores {
            let of = short_or_dash(score.score);
            note(format_args!("deviation {}: mean ln L of customers left out {of}", score.deviation));
        }
        note(format_args!("taken: deviation {}", best.deviation_value()));
        best.fit(data, cx)
    }
}

/// Folds that choose a penalty.
const FOLDS: usize = 5;

fn tell_penalties(scores: &[PenaltyScore], taken: f64) {
    for score in scores {
        let of = short_or_dash(score.score);
        note(format_args!("penalty {}: mean ln L of customers left out {of}", score.lambda));
    }
    note(format_args!("taken: penalty {taken}"));
}

/// With the best of several penalties, if there are several.
#[derive(Debug)]
pub(crate) struct BestOf<P> {
    pub with: WithCovariates<P>,
    pub lambdas: Vec<f64>,
}

impl<P: Process> Fit for BestOf<P> {
    type Model = CovariateModel<P>;

    fn fit(&self, data: &Training<'_>, cx: &Context<'_>) -> clv::Result<Fitted<Self::Model>> {
        if self.lambdas.len() < 2 {
            return self.with.fit(data, cx);
        }
        let (best, scores) = self.with.clone().choose_penalty(data, &self.lambdas, FOLDS, cx)?;
        tell_penalties(&scores, best.penalties().0);
        best.fit(data, cx)
    }
}

/// Settings of a model whose columns change with time, and all that they need beside the purchases.
#[derive(Debug)]
pub(crate) struct ByTheCalendar<P> {
    pub fit: OverTimeFit<P>,
    /// The same with `k` chosen, where it is not given.
    pub chooses: Option<RegularOverTime<P>>,
    /// Draws from its posterior instead.
    pub bayes: Option<BayesOverTime<P>>,
    /// Penalties of the columns to choose from, if there are several.
    pub lambdas: Vec<f64>,
    pub timelines: Vec<Timelines>,
    pub names: Names,
}

impl<P: OverTime> Fit for ByTheCalendar<P> {
    type Model = Box<dyn Predict>;

    fn fit(&self, data: &Training<'_>, cx: &Context<'_>) -> clv::Result<Fitted<Self::Model>> {
        let timelines: Vec<&Timelines> = self.timelines.iter().collect();
        if let Some(bayes) = &self.bayes {
            let fitted = bayes.fit(data, &timelines, &self.names, cx)?;
            return Ok(fitted.map(|model| Box::new(model) as Box<dyn Predict>));
        }
        Ok(self.likeliest(data, &timelines, cx)?.map(|model| Box::new(model) as Box<dyn Predict>))
    }
}

impl<P: OverTime> ByTheCalendar<P> {
    fn likeliest(
        &self,
        data: &Training<'_>,
        timelines: &[&Timelines],
        cx: &Context<'_>,
    ) -> clv::Result<Fitted<OverTimeModel<P>>> {
        if let Some(chooses) = &self.chooses {
            return chooses.fit(data, timelines, &self.names, cx);
        }
        if self.lambdas.len() < 2 {
            return self.fit.fit(data, timelines, &self.names, cx);
        }
        let lambdas = (&self.lambdas[..], FOLDS);
        let (best, scores) = self.fit.clone().choose_penalty(data, timelines, &self.names, lambdas, cx)?;
        tell_penalties(&scores, best.penalties().0);
        best.fit(data, timelines, &self.names, cx)
    }
}

/// The same where the horizon is known: what comes out forecasts like any other model.
#[derive(Debug)]
struct Foreseeing<P> {
    of: ByTheCalendar<P>,
    horizon: Span,
}

impl<P: OverTime> Fit for Foreseeing<P> {
    type Model = Box<dyn Predict>;

    fn fit(&self, data: &Training<'_>, cx: &Context<'_>) -> clv::Result<Fitted<Self::Model>> {
        let timelines: Vec<&Timelines> = self.of.timelines.iter().collect();
        let Fitted { model, report } = self.of.likeliest(data, &timelines, cx)?;
        let model = Foresee::foresee(&model, data, &timelines, &self.of.names, self.horizon)?;
        Ok(Fitted { model, report })
    }
}

/// Models that take columns over time, as they are named.
pub(crate) const OVER_TIME: &str = "pareto-nbd, bg-nbd, mbg-nbd, bg-cnbd-k, mbg-cnbd-k";

/// Columns of a model that chooses its `k`, which it does under one penalty of the columns alone.
fn of_one_penalty(name: &str, by: &By) -> Result<Option<Covariates>, Failure> {
    let covariates = by.covariates()?;
    if covariates.is_some() && by.penalty_of_columns.len() > 1 {
        note(format_args!(
            "{name} is judged without columns: with several --penalty-of-columns it does not choose its k"
        ));
        return Ok(None);
    }
    Ok(covariates)
}

/// The model of a name with the columns that were named; none if it takes none.
pub(crate) fn with_columns(name: &str, by: &By) -> Result<Option<BoxedFit>, Failure> {
    fn of<P: Process>(by: &By, each: MaximumLikelihood<P>) -> Result<Option<BoxedFit>, Failure> {
        let moves_purchases = !by.purchases_by.is_empty() || !by.both_by.is_empty();
        let moves_dropout = !by.dropout_by.is_empty() || !by.both_by.is_empty();
        // Purchases that are agreed are moved by nothing, nor is the leaving of those who never do.
        if moves_purchases && P::PURCHASES.is_empty() || moves_dropout && P::DROPOUT.is_empty() {
            return Ok(None);
        }
        let Some(covariates) = by.covariates()? else { return Ok(None) };
        let with = WithCovariates::new(covariates).each(each);
        Ok(Some(Box::new(Erased(BestOf { with, lambdas: by.penalty_of_columns.clone() }))))
    }
    fn regular<P: Process>(name: &str, by: &By) -> Result<Option<BoxedFit>, Failure> {
        let fit = |covariates| Box::new(Erased(RegularFit::<P>::new().with(covariates))) as BoxedFit;
        Ok(of_one_penalty(name, by)?.map(fit))
    }
    match name {
        "nbd" => of(by, MaximumLikelihood::<Nbd>::new()),
        "bg-nbd" => of(by, MaximumLikelihood::<BgNbd>::new()),
        "mbg-nbd" => of(by, MaximumLikelihood::<MbgNbd>::new()),
        "pareto-nbd" => of(by, MaximumLikelihood::<ParetoNbd>::new()),
        "ggom-nbd" => of(by, MaximumLikelihood::<GgomNbd>::new()),
        "bg-cnbd-k" => regular::<BgCnbd>(name, by),
        "mbg-cnbd-k" => regular::<MbgCnbd>(name, by),
        "bg-bb" => of(by, MaximumLikelihood::<BgBb>::new()),
        "sbg" => of(by, MaximumLikelihood::shifted_beta_geometric()),
        "bdw" => of(by, MaximumLikelihood::<BetaDiscreteWeibull>::new()),
        "exponential-gamma" => of(by, MaximumLikelihood::exponential_gamma()),
        "weibull-gamma" => of(by, MaximumLikelihood::<WeibullGamma>::new()),
        _ => Ok(None),
    }
}

/// The model of a name with columns that change with time, to forecast so far ahead; none if it takes none.
pub(crate) fn over_time(
    name: &str,
    by: &By,
    calendar: (&[Timelines], &Names),
    horizon: Span,
) -> Result<Option<BoxedFit>, Failure> {
    fn of<P: OverTime>(
        by: &By,
        (timelines, names): (&[Timelines], &Names),
        (horizon, covariates): (Span, Option<Covariates>),
        chooses: impl FnOnce(Covariates) -> Option<RegularOverTime<P>>,
    ) -> Result<Option<BoxedFit>, Failure> {
        let Some(covariates) = covariates else { return Ok(None) };
        let of = ByTheCalendar {
            fit: OverTimeFit::<P>::new(covariates.clone()),
            chooses: chooses(covariates),
            bayes: None,
            lambdas: by.penalty_of_columns.clone(),
            timelines: timelines.to_vec(),
            names: names.clone(),
        };
        Ok(Some(Box::new(Foreseeing { of, horizon })))
    }
    fn chosen<P: Process>(covariates: Covariates) -> Option<RegularOverTime<P>> {
        Some(RegularFit::new().over_time(covariates))
    }
    match name {
        "pareto-nbd" => of::<ParetoNbd>(by, calendar, (horizon, by.covariates()?), |_| None),
        "bg-nbd" => of::<BgNbd>(by, calendar, (horizon, by.covariates()?), |_| None),
        "mbg-nbd" => of::<MbgNbd>(by, calendar, (horizon, by.covariates()?), |_| None),
        "bg-cnbd-k" => of::<BgCnbd>(by, calendar, (horizon, of_one_penalty(name, by)?), chosen),
        "mbg-cnbd-k" => of::<MbgCnbd>(by, calendar, (horizon, of_one_penalty(name, by)?), chosen),
        _ => Ok(None),
    }
}
