//! Maximum likelihood with covariates that change with time, and what a fitted model says.

use std::cell::RefCell;

use clv_core::{Context, Error, Fitted, Names, TimeUnit, Timelines, Training};
use clv_math::minimise::Derivatives;

use super::beta_geometric::Geometric;
use super::known::{known, path};
use super::model::OverTimeModel;
use super::pareto::{Pareto, Scratch};
use super::path::{Coefficient, Path};
use crate::beta_geometric::Chance;
use crate::covariates::{
    Columns, Covariates, Design, Effect, Fits, Groups, Movable, PenaltyScore, Term, Words, effects,
};
use crate::estimate::MaximumLikelihood;
use crate::future::Future;
use crate::left_out::{LeftOut, best};
use crate::process::Process;
use crate::search::{Coordinate, Found, Level, Search};
use crate::{BgCnbd, BgNbd, MbgCnbd, MbgNbd, ParetoNbd};

/// Models whose covariates may change with time: [`ParetoNbd`], [`BgNbd`], [`MbgNbd`], [`BgCnbd`], [`MbgCnbd`].
pub trait OverTime: Process + sealed::Likelihood {}

impl OverTime for ParetoNbd {}
impl OverTime for BgNbd {}
impl OverTime for MbgNbd {}
impl OverTime for BgCnbd {}
impl OverTime for MbgCnbd {}

pub(super) mod sealed {
    use super::*;

    /// A likelihood over paths.
    pub trait Likelihood {
        /// Adds a customer's log-likelihood, and returns the logarithm of P(alive).
        #[doc(hidden)]
        fn add(
            values: &[f64],
            of: &[Coefficient],
            path: &Path,
            scratch: &mut Scratch,
            total: &mut Derivatives,
        ) -> f64;

        /// What a customer will do who is alive; the scratch is as their likelihood left it.
        #[doc(hidden)]
        fn alive(values: &[f64], of: &[Coefficient], path: &Path, scratch: &Scratch) -> Future;

        /// The same of one who has just bought for the first time, and the chance to survive that.
        #[doc(hidden)]
        fn newcomer(values: &[f64], leaves: f64) -> (f64, Future);
    }
}

impl sealed::Likelihood for ParetoNbd {
    fn add(
        values: &[f64],
        of: &[Coefficient],
        path: &Path,
        scratch: &mut Scratch,
        total: &mut Derivatives,
    ) -> f64 {
        Pareto { values, of }.add(path, scratch, total)
    }

    fn alive(values: &[f64], _of: &[Coefficient], path: &Path, scratch: &Scratch) -> Future {
        let (k, rate) = (values[0] + path.x, values[1] + scratch.clocks.a);
        Future::LeavesAnytime { k, rate, s: values[2], life: values[3] + scratch.clocks.b }
    }

    fn newcomer(values: &[f64], _leaves: f64) -> (f64, Future) {
        let [k, rate, s, life] = values[..4] else { unreachable!("four parameters") };
        (1.0, Future::LeavesAnytime { k, rate, s, life })
    }
}

macro_rules! geometric {
    ($model:ty, $chance:expr, $clicks:expr, $now:expr) => {
        impl sealed::Likelihood for $model {
            fn add(
                values: &[f64],
                of: &[Coefficient],
                path: &Path,
                scratch: &mut Scratch,
                total: &mut Derivatives,
            ) -> f64 {
                Geometric { values, of, chance: $chance, clicks: $clicks(values) }.add(path, scratch, total)
            }

            fn alive(values: &[f64], of: &[Coefficient], path: &Path, scratch: &Scratch) -> Future {
                let clicks = $clicks(values);
                let stayed = Geometric { values, of, chance: $chance, clicks }.chances(path);
                let of_rate = (values[0] + clicks * path.x, values[1] + scratch.clocks.a);
                $now(of_rate, (values[2], values[3] + stayed), (clicks, scratch.silence))
            }

            fn newcomer(values: &[f64], leaves: f64) -> (f64, Future) {
                let [shape, rate, a, b] = values[..4] else { unreachable!("four parameters") };
                let now = |b: f64| $now((shape, rate), (a, b), ($clicks(values), 0.0));
                if $chance == Chance::AfterRepeats {
                    return (1.0, now(b));
                }
                use clv_math::special::ln_rising;
                let stays = (ln_rising(b, leaves) - ln_rising(a + b, leaves)).exp();
                (stays, now(b + leaves))
            }
        }
    };
}

fn at_random(_: &[f64]) -> f64 {
    1.0
}

fn leaves_after_purchase((k, rate): (f64, f64), (a, b): (f64, f64), _: (f64, f64)) -> Future {
    Future::LeavesAfterPurchase { k, rate, a, b }
}

/// `k`, behind `r, α, a, b`.
fn at_a_beat(values: &[f64]) -> f64 {
    values[4]
}

fn leaves_after_regular((shape, rate): (f64, f64), (a, b): (f64, f64), (k, silence): (f64, f64)) -> Future {
    // A beat of one is none.
    if k == 1.0 {
        return Future::LeavesAfterPurchase { k: shape, rate, a, b };
    }
    Future::LeavesAfterRegular { shape, rate, a, b, k: k as u32, silence }
}

geometric!(BgNbd, Chance::AfterRepeats, at_random, leaves_after_purchase);
geometric!(MbgNbd, Chance::AfterAll, at_random, leaves_after_purchase);
geometric!(BgCnbd, Chance::AfterRepeats, at_a_beat, leaves_after_regular);
geometric!(MbgCnbd, Chance::AfterAll, at_a_beat, leaves_after_regular);

/// How to fit a model with covariates that change with time.
///
/// Columns are looked for in the timelines first; what is not there is taken to be known all along, from what the training knows
/// beyond the purchases.
///
/// ```
/// use clv_btyd::{Covariates, OverTimeFit, ParetoNbd};
/// # use clv_btyd::{PurchaseModel, Simulation};
/// use clv_core::{Context, Cut, Grain, Moment, TimeUnit, Timelines, Training};
///
/// # let model = PurchaseModel::new(ParetoNbd::new(0.9, 8.0, 0.6, 15.0)?, TimeUnit::Week);
/// # let day = Moment::parse_date;
/// # let log = Simulation::new(200, day("2023-01-01")?, day("2023-12-31")?, 1)?.run(&model, TimeUnit::Week, None)?;
/// let mut season = Timelines::new(["high_season"])?;
/// season.state(None, day("2022-11-15")?, &[1.0])?;
/// season.state(None, day("2023-01-01")?, &[0.0])?;
/// season.state(None, day("2023-11-15")?, &[1.0])?;
///
/// let cut = Cut::end_of(day("2023-12-31")?, Grain::Day);
/// let purchases = Training::merge(&log, cut)?;
/// let training = Training::new(&purchases, cut, TimeUnit::Week)?;
/// let covariates = Covariates::new().on_purchases(["high_season"])?;
/// let settings = OverTimeFit::<ParetoNbd>::new(covariates);
/// let fitted = settings.fit(&training, &[&season], log.customers(), &Context::default())?;
/// let named: Vec<&str> = fitted.model.coefficients().map(|(name, _)| name).collect();
/// assert_eq!(named, ["purchase.high_season"]);
/// # Ok::<(), clv_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct OverTimeFit<P> {
    pub(super) each: MaximumLikelihood<P>,
    pub(super) covariates: Covariates,
}

/// Paths whose columns are scaled, and what is searched over them.
pub(super) struct Prepared {
    paths: Vec<Path>,
    terms: Vec<Term>,
    words: Vec<Words>,
    pub design: Design,
    pub idle: Vec<bool>,
    pub coefficients: Vec<Coefficient>,
    pub coordinates: Vec<Coordinate>,
}

impl Prepared {
    /// Everybody's path, as it was.
    pub(super) fn all(&self) -> Vec<&Path> {
        self.paths.iter().collect()
    }

    /// Those of some, maybe more than once.
    pub(super) fn some(&self, rows: &[usize]) -> Vec<&Path> {
        rows.iter().map(|&row| &self.paths[row]).collect()
    }

    /// Which coefficients these customers do not tell.
    pub(super) fn idle_among(&self, paths: &[&Path]) -> Vec<bool> {
        let weighed = weighed(paths.iter().copied(), self.terms.len());
        Design { scaling: Design::scales(&weighed), ..self.design.clone() }.idle(&weighed)
    }

    pub(super) fn scratch(&self) -> RefCell<Scratch> {
        RefCell::new(Scratch::new(self.design.parameters, self.coefficients.len()))
    }

    /// The highest point of the likelihood of these customers.
    pub(super) fn search<P: OverTime>(
        &self,
        paths: &[&Path],
        mut start: Vec<f64>,
        coordinates: Vec<Coordinate>,
        cx: &Context<'_>,
    ) -> Result<Found, Error> {
        start.resize(coordinates.len(), 0.0);
        let search = Search::over(P::KIND.name, coordinates, None);
        let scratch = self.scratch();
        let derivatives = |values: &[f64]| self.derivatives::<P>(values, paths, &scratch);
        let level = Level { customers: paths.len() as f64, derivatives: &derivatives };
        search.run(&[start], &[level], cx)
    }

    /// Log-likelihood of these customers, with its derivatives.
    pub(super) fn derivatives<P: OverTime>(
        &self,
        values: &[f64],
        paths: &[&Path],
        scratch: &RefCell<Scratch>,
    ) -> Option<Derivatives> {
        let n = self.coordinates.len();
        P::from_values(&values[..self.design.parameters]).ok()?;
        let mut total = Derivatives { value: 0.0, gradient: vec![0.0; n], hessian: vec![0.0; n * n] };
        for path in paths {
            P::add(values, &self.coefficients, path, &mut scratch.borrow_mut(), &mut total);
            if !total.value.is_finite() {
                return None;
            }
        }
        for i in 0..n {
            for j in 0..i {
                total.hessian[i * n + j] = total.hessian[j * n + i];
            }
        }
        total.gradient.iter().chain(&total.hessian).all(|v| v.is_finite()).then_some(total)
    }

    /// The model of values on the scale of a design.
    pub(super) fn model<P: OverTime>(
        &self,
        design: &Design,
        values: Vec<f64>,
        unit: TimeUnit,
    ) -> Result<OverTimeModel<P>, Error> {
        Ok(OverTimeModel {
            process: P::from_values(&values[..design.parameters])?,
            unit,
            terms: self.terms.clone(),
            words: self.words.clone(),
            scaling: design.scaling.clone(),
            labels: design.effects.iter().map(|effect| effect.label.clone()).collect(),
            coefficients: self.coefficients.clone(),
            values,
        })
    }
}

/// The columns of customers by how long they were through them.
fn weighed<'a>(paths: impl Iterator<Item = &'a Path>, terms: usize) -> Groups {
    let pieces = paths.map(|path| &path.pieces);
    Groups::weighed(pieces.flat_map(|p| (0..p.len()).map(|i| (p.length[i], p.row(i)))), terms)
}

/// The paths of the customers of a training.
struct Paths {
    paths: Vec<Path>,
    terms: Vec<Term>,
    words: Vec<Words>,
}

impl<P: OverTime> OverTimeFit<P> {
    /// With these and the defaults of [`MaximumLikelihood`].
    pub fn new(covariates: Covariates) -> Self {
        Self { each: MaximumLikelihood::new(), covariates }
    }

    /// Settings of the parameters: a penalty, fixed values.
    pub fn each(self, settings: MaximumLikelihood<P>) -> Self {
        Self { each: settings, ..self }
    }

    /// The penalties of the coefficients, of purchases and of dropout.
    pub fn penalties(&self) -> (f64, f64) {
        self.covariates.penalties()
    }

    /// Fits the customers of a training log, whose names are those of the timelines.
    ///
    /// # Errors
    ///
    /// As [`clv_core::Fit::fit`]; [`Error::Attribute`] naming a customer and a column that is not known from the first purchase to the cut.
    pub fn fit(
        &self,
        training: &Training<'_>,
        timelines: &[&Timelines],
        names: &Names,
        cx: &Context<'_>,
    ) -> Result<Fitted<OverTimeModel<P>>, Error> {
        let base = self.each.fit_cells(&training.cells(), training.summary().unit, cx)?;
        let prepared = self.prepare(training, timelines, names)?;
        let start = base.model.parameters().values();
        let found = prepared.search::<P>(&prepared.all(), start, prepared.coordinates.clone(), cx)?;
        self.fitted(&prepared, found, training.summary().unit)
    }

    /// The model of what was found.
    pub(super) fn fitted(
        &self,
        prepared: &Prepared,
        Found { values, mut report }: Found,
        unit: TimeUnit,
    ) -> Result<Fitted<OverTimeModel<P>>, Error> {
        report.unit = unit;
        report.warnings.extend(prepared.design.collinear(&prepared.idle));
        let fits = Fits { design: prepared.design.clone(), values, report };
        let Fits { design, values, report } = fits.in_units(&self.covariates);
        Ok(Fitted { model: prepared.model(&design, values, unit)?, report })
    }

    /// The penalty of the coefficients under which customers that are left out are most likely, by cross-validation over so many folds of customers, drawn by
    /// the context's seed; the same for both processes.
    ///
    /// # Errors
    ///
    /// As [`OverTimeFit::fit`]; [`Error::Setting`] for fewer than 2 folds or a penalty below 0; [`Error::NoEstimate`] if no penalty had an estimate in every
    /// fold.
    pub fn choose_penalty(
        self,
        training: &Training<'_>,
        timelines: &[&Timelines],
        names: &Names,
        (lambdas, folds): (&[f64], usize),
        cx: &Context<'_>,
    ) -> Result<(Self, Vec<PenaltyScore>), Error> {
        let left_out = LeftOut::new(training.summary().len(), folds, cx.seed_value())?;
        // Only where the searches start.
        let base = self.each.fit_cells(&training.cells(), training.summary().unit, cx)?;
        let mut scores = Vec::new();
        for &lambda in lambdas {
            let covariates = self.covariates.clone().penalty(lambda, lambda)?;
            let prepared = Self { covariates, ..self.clone() }.prepare(training, timelines, names)?;
            let scratch = prepared.scratch();
            let score = left_out.mean(|learned, judged| {
                let start = base.model.parameters().values();
                let coordinates = prepared.coordinates.clone();
                let found = prepared.search::<P>(&prepared.some(learned), start, coordinates, cx);
                cx.check()?;
                let judged = prepared.some(judged);
                let of = |found: Found| prepared.derivatives::<P>(&found.values, &judged, &scratch);
                Ok(found.ok().and_then(of).map(|found| found.value))
            })?;
            scores.push(PenaltyScore { lambda, score });
        }
        let why = "no penalty had an estimate in every fold";
        let lambda = best(P::KIND.name, scores.iter().map(|s| (s.lambda, s.score)), why)?;
        Ok((Self { covariates: self.covariates.penalty(lambda, lambda)?, ..self }, scores))
    }

    /// Paths whose columns are scaled, and what is searched over them.
    pub(super) fn prepare(
        &self,
        training: &Training<'_>,
        timelines: &[&Timelines],
        names: &Names,
    ) -> Result<Prepared, Error> {
        self.prepare_holding(training, timelines, names, None)
    }

    /// The same, to hold a parameter of the report.
    pub(super) fn prepare_holding(
        &self,
        training: &Training<'_>,
        timelines: &[&Timelines],
        names: &Names,
        holding: Option<&str>,
    ) -> Result<Prepared, Error> {
        let Paths { mut paths, terms, words } = self.paths(training, timelines, names)?;
        let known = training.columns_beyond()?;
        let effects = effects(&self.covariates, &Movable::of::<P>(), &terms, &known)?;
        let coefficients = coefficients::<P>(&effects)?;
        // Columns are scaled within the search, by their time-weighted means.
        let weighed = weighed(paths.iter(), terms.len());
        let mut design =
            Design { parameters: P::PARAMETERS.len(), effects, scaling: Design::scales(&weighed) };
        for effect in &design.effects {
            let is_held = |name: &str| holding == Some(name) || self.each.fixed_value(name).is_some();
            let held = effect.on.iter().any(|&(p, _)| is_held(P::PARAMETERS[p].name));
            // The chances of the BG family are not a clock: nothing there takes up a mean.
            if (held || P::DROPOUT[0].0 == "a" && effect.on.iter().any(|(p, _)| *p != 1))
                && !self.covariates.is_standardized()
            {
                design.scaling[effect.term].0 = 0.0;
            }
        }
        let idle = design.idle(&weighed);
        for path in &mut paths {
            for row in path.pieces.rows.chunks_exact_mut(terms.len().max(1)) {
                for (value, (centre, scale)) in row.iter_mut().zip(&design.scaling) {
                    *value = (*value - centre) / scale;
                }
            }
        }
        let summary = training.summary();
        let mean_age = summary.age.iter().sum::<f64>() / summary.len() as f64;
        let mut coordinates = self.each.coordinates(mean_age);
        coordinates.extend(design.coordinates(&idle, self.covariates.is_standardized()));
        Ok(Prepared { paths, terms, words, design, idle, coefficients, coordinates })
    }

    fn paths(
        &self,
        training: &Training<'_>,
        timelines: &[&Timelines],
        names: &Names,
    ) -> Result<Paths, Error> {
        let beyond = training.columns_beyond()?;
        let asked = self.covariates.asked.iter().map(|asked| &asked.term);
        let (terms, words) = Columns::terms_of(asked, &beyond)?;
        let unscaled = vec![(0.0, 1.0); terms.len()];
        let known = known(training, timelines, (&terms, &words, &unscaled))?;
        let rows = 0..training.summary().len();
        let paths =
            rows.map(|row| Ok(path(&known, training, names, row)?.0)).collect::<Result<_, Error>>()?;
        Ok(Paths { paths, terms, words })
    }
}

fn coefficients<P: Process>(effects: &[Effect]) -> Result<Vec<Coefficient>, Error> {
    let place = |name: &str| P::PARAMETERS.iter().position(|p| p.name == name).unwrap_or(usize::MAX);
    let (buys, leaves) = (place(P::PURCHASES[0].0), place(P::DROPOUT[0].0));
    let one = |effect: &Effect| {
        let acts = |at: usize| effect.on.iter().any(|(p, _)| *p == at);
        if effect.on.iter().any(|(p, _)| *p != buys && *p != leaves) {
            let quantity = "a covariate over time on other parameters than those of purchases and dropout";
            return Err(Error::CannotSay { model: P::KIND.name, quantity, hint: "" });
        }
        Ok(Coefficient { term: effect.term, buys: acts(buys), leaves: acts(leaves) })
    };
    effects.iter().map(one).collect()
}
