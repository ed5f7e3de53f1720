//! What `clv evaluate` scores: models by name, and the same with columns and with other models of spend.

use clap::ValueEnum;
use clv::backtest::{Backtest, BoxedFit};
use clv::btyd::GammaGammaFit;
use clv::comparison::{OVER_TIME, WITH_COLUMNS};
use clv::shelf::SpendOrMean;
use clv::{Erased, TimeUnit, Timelines, WithSpend};

use crate::args::OverTime;
use crate::by::By;
use crate::failure::Failure;

/// What is scored beside the models themselves.
#[derive(Debug, clap::Args)]
pub(crate) struct Beside {
    /// What purchase models are joined with [default: gamma-gamma].
    #[arg(long, value_enum, value_name = "MODEL")]
    spend_model: Option<SpendArg>,
    #[command(flatten)]
    pub over_time: OverTime,
    #[command(flatten)]
    pub by: By,
}

/// A model of spend.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum SpendArg {
    #[default]
    GammaGamma,
    GammaGammaIndividually,
    LognormalSpend,
}

impl SpendArg {
    fn settings(self) -> SpendOrMean {
        match self {
            Self::GammaGamma => SpendOrMean::GammaGamma,
            Self::GammaGammaIndividually => SpendOrMean::GammaGammaIndividually,
            Self::LognormalSpend => SpendOrMean::Lognormal,
        }
    }
}

/// What is scored: a model, and by what it is moved.
pub(crate) struct Entry<'a> {
    pub name: String,
    model: &'a str,
    moved: Moved,
}

/// By what a model is moved.
#[derive(Clone, Copy, PartialEq)]
enum Moved {
    ByNothing,
    ByColumns,
    OverTime,
}

/// Each model by itself, and beside it those that are moved by the columns that were named.
pub(crate) fn entries<'a>(
    args: &Beside,
    names: &[&'a str],
    (unit, of_contracts): (TimeUnit, bool),
) -> Result<Vec<Entry<'a>>, Failure> {
    if !args.by.rates_by.is_empty() {
        return Err(Failure::usage(
            "--rates-by is for clv fit; others have --purchases-by, --dropout-by and --both-by",
        ));
    }
    let is_over_time = !args.over_time.over_time.is_empty();
    if is_over_time && args.by.acting_is_empty() {
        return Err(Failure::usage(
            "--over-time tells a model nothing unless --purchases-by, --dropout-by or --both-by name its columns",
        ));
    }
    if args.spend_model.is_some() && of_contracts {
        return Err(Failure::usage("--spend-model is of purchases: contracts have none"));
    }
    let is_lognormal = args.spend_model == Some(SpendArg::LognormalSpend);
    if !args.by.spend_by.is_empty() && (is_lognormal || of_contracts) {
        return Err(Failure::usage(
            "--spend-by moves gamma-gamma, which no other --spend-model and no contracts are joined with",
        ));
    }
    let mut all = Vec::new();
    for model in names {
        let plain = std::iter::once((Moved::ByNothing, ""));
        let takes = |found: Option<BoxedFit>, moved, suffix| found.map(|_| (moved, suffix));
        let more = if is_over_time {
            let horizon = clv::Span::new(1.0, unit)?;
            takes(
                crate::by::over_time(model, &args.by, (&[], &clv::Names::default()), horizon)?,
                Moved::OverTime,
                OVER_TIME,
            )
        } else {
            takes(crate::by::with_columns(model, &args.by)?, Moved::ByColumns, WITH_COLUMNS)
        };
        let of_spend = (more.is_none() && !args.by.spend_by.is_empty() && clv::shelf::wants_spend(model))
            .then_some((Moved::ByColumns, WITH_COLUMNS));
        for (moved, suffix) in plain.chain(more).chain(of_spend) {
            all.push(Entry { name: format!("{model}{suffix}"), model, moved });
        }
    }
    if !args.by.is_empty() && all.iter().all(|entry| entry.moved == Moved::ByNothing) {
        if args.by.penalty_of_columns.len() > 1 && names.iter().any(|name| name.ends_with("cnbd-k")) {
            return Err(Failure::usage(
                "bg-cnbd-k and mbg-cnbd-k choose their k under one penalty of the columns: give one --penalty-of-columns, or name another model beside them",
            ));
        }
        let those = if is_over_time {
            crate::by::OVER_TIME
        } else {
            "nbd, bg-nbd, mbg-nbd, pareto-nbd, ggom-nbd, bg-cnbd-k, mbg-cnbd-k, bg-bb, sbg, bdw, exponential-gamma, weibull-gamma (as far as they have purchases or dropout to move)"
        };
        return Err(Failure::usage(format_args!("none of these models takes columns: name one of {those}")));
    }
    Ok(all)
}

impl Entry<'_> {
    /// Its settings for a backtest, with what changes with time for the customers of these names.
    pub(crate) fn settings(
        &self,
        args: &Beside,
        backtest: &Backtest<'_>,
        calendar: (&[Timelines], &clv::Names),
    ) -> Result<BoxedFit, Failure> {
        let horizon = backtest.split().horizon();
        if backtest.actual_value().is_none() {
            let asked =
                [("--spend-by", !args.by.spend_by.is_empty()), ("--spend-model", args.spend_model.is_some())];
            if let Some((flag, _)) = asked.iter().find(|(_, is_there)| *is_there) {
                return Err(Failure::data(format_args!("{flag}: the log has no amounts")));
            }
        }
        let spend_model = args.spend_model.unwrap_or_default();
        let takes_spend = clv::shelf::wants_spend(self.model) && backtest.actual_value().is_some();
        let purchases = match self.moved {
            Moved::ByNothing if !takes_spend => return Ok(clv::shelf::settings_for(backtest, self.model)?),
            Moved::ByNothing => None,
            Moved::ByColumns => crate::by::with_columns(self.model, &args.by)?,
            Moved::OverTime => crate::by::over_time(self.model, &args.by, calendar, horizon)?,
        };
        let purchases = purchases.map_or_else(|| clv::shelf::settings(self.model, horizon), Ok)?;
        if !takes_spend {
            return Ok(purchases);
        }
        let gamma = GammaGammaFit::new();
        let gamma = match spend_model {
            SpendArg::GammaGamma => Some(gamma),
            SpendArg::GammaGammaIndividually => Some(gamma.individually()),
            SpendArg::LognormalSpend => None,
        };
        Ok(match gamma.zip(args.by.moving_spend()?) {
            Some((gamma, columns)) if self.moved != Moved::ByNothing => {
                Box::new(Erased(WithSpend::of(purchases, gamma.with(columns))))
            }
            _ => Box::new(Erased(WithSpend::of(purchases, spend_model.settings()))),
        })
    }
}
