//! Maximum likelihood with covariates that change with time, and what a fitted model says.

use std::cell::RefCell;

use clv_core::model::Answers;
use clv_core::{
    Ask, Context, Error, Fitted, Forecast, Moment, Names, Span, Summary, TimeUnit, Timelines, Training,
    Warning,
};
use clv_math::minimise::Derivatives;

use super::beta_geometric::Geometric;
use super::future::{FutureOverTime, Stretch};
use super::pareto::{Pareto, Scratch};
use super::path::{Coefficient, Path, Pieces};
use crate::beta_geometric::Chance;
use crate::covariates::{Asked, Covariates, Design, Effect, Groups, Movable, Term};
use crate::estimate::MaximumLikelihood;
use crate::future::Future;
use crate::process::Process;
use crate::search::{Found, Level, Search};
use crate::{BgNbd, MbgNbd, ParetoNbd};

/// Models whose covariates may change with time: [`ParetoNbd`], [`BgNbd`], [`MbgNbd`].
pub trait OverTime: Process + sealed::Likelihood {}

impl OverTime for ParetoNbd {}
impl OverTime for BgNbd {}
impl OverTime for MbgNbd {}

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
    ($model:ty, $chance:expr) => {
        impl sealed::Likelihood for $model {
            fn add(
                values: &[f64],
                of: &[Coefficient],
                path: &Path,
                scratch: &mut Scratch,
                total: &mut Derivatives,
            ) -> f64 {
                Geometric { values, of, chance: $chance }.add(path, scratch, total)
            }

            fn alive(values: &[f64], of: &[Coefficient], path: &Path, scratch: &Scratch) -> Future {
                let (k, rate) = (values[0] + path.x, values[1] + scratch.clocks.a);
                let stayed = Geometric { values, of, chance: $chance }.chances(path);
                Future::LeavesAfterPurchase { k, rate, a: values[2], b: values[3] + stayed }
            }

            fn newcomer(values: &[f64], leaves: f64) -> (f64, Future) {
                let [k, rate, a, b] = values[..4] else { unreachable!("four parameters") };
                if $chance == Chance::AfterRepeats {
                    return (1.0, Future::LeavesAfterPurchase { k, rate, a, b });
                }
                use clv_math::special::ln_rising;
                let stays = (ln_rising(b, leaves) - ln_rising(a + b, leaves)).exp();
                (stays, Future::LeavesAfterPurchase { k, rate, a, b: b + leaves })
            }
        }
    };
}

geometric!(BgNbd, Chance::AfterRepeats);
geometric!(MbgNbd, Chance::AfterAll);

/// How to fit a model with covariates that change with time.
///
/// Columns are looked for in the timelines first; what is not there is taken to be known all along, from what the training knows
/// beyond the purchases.
///
/// ```no_run
/// use clv_btyd::{Covariates, OverTimeFit, ParetoNbd};
/// # use clv_core::Timelines;
/// # let (season, training, log): (Timelines, clv_core::Training<'_>, clv_core::TransactionLog) = unimplemented!();
///
/// let covariates = Covariates::new().on_purchases(["high_season", "own_gender"])?;
/// let settings = OverTimeFit::<ParetoNbd>::new(covariates);
/// let fitted = settings.fit(&training, &[&season], log.customers(), &clv_core::Context::default())?;
/// # Ok::<(), clv_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct OverTimeFit<P> {
    each: MaximumLikelihood<P>,
    covariates: Covariates,
}

/// A fitted model with covariates that change with time.
#[derive(Clone, Debug, PartialEq)]
pub struct OverTimeModel<P> {
    process: P,
    unit: TimeUnit,
    terms: Vec<Term>,
    labels: Vec<String>,
    coefficients: Vec<Coefficient>,
    /// Parameters, then coefficients.
    values: Vec<f64>,
}

/// What one customer will do: alive with some probability, and then this.
#[derive(Clone, Debug, PartialEq)]
pub struct OwnFuture {
    /// Probability of being alive now.
    pub p_alive: f64,
    /// What they will do if they are.
    pub alive: FutureOverTime,
}

impl OwnFuture {
    /// Expected purchases in `(0, t]`, discounted at a continuous rate per time unit.
    pub fn expected(&self, t: f64, delta: f64) -> f64 {
        self.p_alive * self.alive.expected(t, delta)
    }

    /// Probability of `count` purchases in `(0, t]`.
    pub fn probability_of(&self, t: f64, count: u32) -> f64 {
        let gone = if count == 0 { 1.0 - self.p_alive } else { 0.0 };
        self.p_alive.mul_add(self.alive.probability_of(t, count), gone)
    }
}

/// The covariates of a log's customers, by name of the column.
struct Known<'a> {
    timelines: &'a [&'a Timelines],
    terms: &'a [Term],
    /// Columns that are known all along, of each customer.
    fixed: clv_core::FeatureMatrix,
}

impl Known<'_> {
    fn value(&self, name: &str, customer: &str, row: usize, at: Moment) -> f64 {
        for timelines in self.timelines {
            if let Some(place) = timelines.position(name) {
                return timelines.line(customer).at(at, timelines.columns().len())[place];
            }
        }
        self.fixed.position(name).map_or(f64::NAN, |place| self.fixed.row(row)[place])
    }

    fn row(&self, customer: &str, row: usize, at: Moment) -> Result<Vec<f64>, Error> {
        let of = |name: &str| self.value(name, customer, row, at);
        let one = |term: &Term| {
            let value = term.value(of);
            if value.is_finite() {
                return Ok(value);
            }
            let column = term.unknown(of);
            Err(Error::Attribute {
                whose: customer.to_owned(),
                attribute: column.to_owned(),
                given: of(column).to_string(),
                allowed: "known and finite, above 0 for a logarithm",
            })
        };
        self.terms.iter().map(one).collect()
    }

    /// Pieces over `(from, to]`, with a boundary at each of these moments.
    fn pieces(
        &self,
        customer: &str,
        row: usize,
        (from, to): (Moment, Moment),
        bounds: &[Moment],
        unit: TimeUnit,
    ) -> Result<Pieces, Error> {
        for timelines in self.used() {
            timelines.expect(customer, from, to)?;
        }
        let mut all: Vec<Moment> = self
            .used()
            .flat_map(|timelines| timelines.line(customer).changes(from, to).iter().copied())
            .chain(bounds.iter().copied().filter(|m| *m > from && *m < to))
            .chain([from, to])
            .collect();
        all.sort_unstable();
        all.dedup();
        let mut pieces = Pieces { terms: self.terms.len(), ..Pieces::default() };
        for pair in all.windows(2) {
            let length = pair[1].days_since(pair[0]) / unit.days();
            let may_join = !bounds.contains(&pair[0]);
            pieces.push(length, &self.row(customer, row, pair[0])?, may_join);
        }
        Ok(pieces)
    }

    /// Those that a term reads.
    fn used(&self) -> impl Iterator<Item = &Timelines> {
        let read = |t: &&&Timelines| {
            self.terms.iter().flat_map(Term::columns).any(|column| t.position(column).is_some())
        };
        self.timelines.iter().filter(read).copied()
    }
}

/// The paths of the customers of a training.
struct Paths {
    paths: Vec<Path>,
    terms: Vec<Term>,
}

fn known<'a>(
    training: &Training<'_>,
    timelines: &'a [&'a Timelines],
    terms: &'a [Term],
) -> Result<Known<'a>, Error> {
    let is_over_time = |column: &str| timelines.iter().any(|t| t.position(column).is_some());
    let mut needs = Vec::new();
    for column in terms.iter().flat_map(Term::columns).filter(|column| !is_over_time(column)) {
        let feature = Term::feature(column);
        if !needs.contains(&feature) {
            needs.push(feature);
        }
    }
    Ok(Known { timelines, terms, fixed: training.features(&needs)? })
}

/// The past of a customer of the summary.
fn path(
    known: &Known<'_>,
    training: &Training<'_>,
    names: &Names,
    row: usize,
) -> Result<(Path, Moment), Error> {
    let needs = "the log itself: histories do not tell when customers bought";
    let model = "covariates over time";
    let purchases = training.purchases().ok_or(Error::TooLittleData { model, needs, found: 0 })?;
    let Summary { customer, age, cut, unit, .. } = training.summary();
    let when = purchases.when(customer[row]);
    let when = &when[..when.partition_point(|m| *m <= cut.last())];
    let (first, last) = (when[0], when[when.len() - 1]);
    let name = names.name(customer[row]);
    // What the age says is the end.
    let end = first.plus_days(age[row] * unit.days());
    let mut pieces = known.pieces(name, row, (first, end), &[last], *unit)?;
    // A row for a purchase at the very end, where nothing of the time is left.
    let mut starts = Vec::with_capacity(pieces.len());
    let mut at = 0.0;
    for length in &pieces.length {
        starts.push(at);
        at += length;
    }
    let time = |m: &Moment| m.days_since(first) / unit.days();
    let silent = starts.partition_point(|start| *start < time(&last) - 1e-9);
    let mut rows = Vec::with_capacity(when.len());
    for moment in when {
        let place = starts.partition_point(|start| *start <= time(moment) + 1e-9);
        let own = known.row(name, row, *moment)?;
        match place.checked_sub(1).filter(|&place| pieces.row(place) == own) {
            Some(place) => rows.push(place),
            None => {
                pieces.push(0.0, &own, false);
                rows.push(pieces.len() - 1);
            }
        }
    }
    let x = (when.len() - 1) as f64;
    Ok((Path { x, pieces, silent, at: rows }, end))
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
        let Paths { mut paths, terms } = self.paths(training, timelines, names)?;
        let base = self.each.fit_cells(&training.cells(), training.summary().unit, cx)?;
        let mut effects = Vec::new();
        for Asked { acts, term } in &self.covariates.asked {
            let on = acts.on(&Movable::of::<P>())?;
            for (place, term) in terms.iter().enumerate().filter(|(_, t)| *t == term) {
                let (other, dropout) = self.covariates.penalties;
                let penalty = if acts.is_dropout() { dropout } else { other };
                effects.push(Effect { label: acts.name(term), term: place, on: on.clone(), penalty });
            }
        }
        let coefficients = coefficients::<P>(&effects)?;
        // Columns are scaled within the search, by their time-weighted means.
        let weighed = Groups::weighed(
            paths.iter().flat_map(|p| (0..p.pieces.len()).map(|i| (p.pieces.length[i], p.pieces.row(i)))),
            terms.len(),
        );
        let mut design =
            Design { parameters: P::PARAMETERS.len(), effects, scaling: Design::scales(&weighed) };
        for effect in &design.effects {
            let held = effect.on.iter().any(|&(p, _)| self.each.fixed_value(P::PARAMETERS[p].name).is_some());
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
        let customers = summary.len() as f64;
        let mean_age = summary.age.iter().sum::<f64>() / customers;
        let mut coordinates = self.each.coordinates(mean_age);
        coordinates.extend(design.coordinates(&idle, self.covariates.is_standardized()));
        let n = coordinates.len();
        let scratch = RefCell::new(Scratch::new(P::PARAMETERS.len(), coefficients.len()));
        let derivatives = |values: &[f64]| {
            P::from_values(&values[..P::PARAMETERS.len()]).ok()?;
            let mut total = Derivatives { value: 0.0, gradient: vec![0.0; n], hessian: vec![0.0; n * n] };
            for path in &paths {
                P::add(values, &coefficients, path, &mut scratch.borrow_mut(), &mut total);
                if !total.value.is_finite() {
                    return None;
                }
            }
            for i in 0..n {
                for j in 0..i {
                    total.hessian[i * n + j] = total.hessian[j * n + i];
                }
            }
            Some(total)
        };
        let mut start = base.model.parameters().values();
        start.resize(n, 0.0);
        let search = Search::over(P::KIND.name, coordinates, None);
        let level = Level { customers, derivatives: &derivatives };
        let Found { mut values, mut report } = search.run(&[start], &[level], cx)?;
        report.unit = summary.unit;
        let columns: Vec<String> = design
            .effects
            .iter()
            .zip(&idle)
            .filter(|(_, idle)| **idle)
            .map(|(e, _)| e.label.clone())
            .collect();
        if !columns.is_empty() {
            report.warnings.push(Warning::Collinear { columns });
        }
        if !self.covariates.is_standardized() {
            design.unscale(&mut values, &mut report);
        }
        let model = OverTimeModel {
            process: P::from_values(&values[..P::PARAMETERS.len()])?,
            unit: summary.unit,
            terms,
            labels: design.effects.into_iter().map(|effect| effect.label).collect(),
            coefficients,
            values,
        };
        Ok(Fitted { model, report })
    }

    fn paths(
        &self,
        training: &Training<'_>,
        timelines: &[&Timelines],
        names: &Names,
    ) -> Result<Paths, Error> {
        let beyond = training.columns_beyond()?;
        let mut terms: Vec<Term> = Vec::new();
        for Asked { term, .. } in &self.covariates.asked {
            for term in term.spread(&beyond) {
                if !terms.contains(&term) {
                    terms.push(term);
                }
            }
        }
        let known = known(training, timelines, &terms)?;
        let rows = 0..training.summary().len();
        let paths =
            rows.map(|row| Ok(path(&known, training, names, row)?.0)).collect::<Result<_, Error>>()?;
        Ok(Paths { paths, terms })
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

impl<P: OverTime> OverTimeModel<P> {
    /// A model from known parameters and coefficients, each on purchases and dropout as named: `(term, on purchases, on dropout, value)`.
    ///
    /// # Errors
    ///
    /// [`Error::Unreadable`] for a term that is none or stands for several; [`Error::Setting`] for a value that is not finite.
    pub fn of(process: P, unit: TimeUnit, coefficients: &[(&str, bool, bool, f64)]) -> Result<Self, Error> {
        let mut model = Self {
            process,
            unit,
            terms: Vec::new(),
            labels: Vec::new(),
            coefficients: Vec::new(),
            values: process.values(),
        };
        for &(text, buys, leaves, value) in coefficients {
            let what = "covariate";
            let allowed = "one term";
            let [term] = &Term::parse(text)?[..] else {
                return Err(Error::Unreadable { what, given: text.to_owned(), allowed });
            };
            if !value.is_finite() {
                return Err(Error::Setting { name: "coefficient", given: value, allowed: "finite" });
            }
            let place = model.terms.iter().position(|t| t == term).unwrap_or_else(|| {
                model.terms.push(term.clone());
                model.terms.len() - 1
            });
            model.labels.push(text.to_owned());
            model.coefficients.push(Coefficient { term: place, buys, leaves });
            model.values.push(value);
        }
        Ok(model)
    }

    /// The population parameters of a customer whose covariates are all 0.
    pub fn parameters(&self) -> &P {
        &self.process
    }

    /// The coefficients by name.
    pub fn coefficients(&self) -> impl Iterator<Item = (&str, f64)> {
        let values = &self.values[P::PARAMETERS.len()..];
        self.labels.iter().map(String::as_str).zip(values.iter().copied())
    }

    /// Log-likelihood of the customers of a training log.
    ///
    /// # Errors
    ///
    /// As [`OverTimeFit::fit`].
    pub fn ln_likelihood(
        &self,
        training: &Training<'_>,
        timelines: &[&Timelines],
        names: &Names,
    ) -> Result<f64, Error> {
        let known = known(training, timelines, &self.terms)?;
        let (mut scratch, mut total) = self.scratch();
        for row in 0..training.summary().len() {
            let (path, _) = path(&known, training, names, row)?;
            P::add(&self.values, &self.coefficients, &path, &mut scratch, &mut total);
        }
        Ok(total.value)
    }

    fn scratch(&self) -> (Scratch, Derivatives) {
        let n = self.values.len();
        let total = Derivatives { value: 0.0, gradient: vec![0.0; n], hessian: vec![0.0; n * n] };
        (Scratch::new(P::PARAMETERS.len(), self.coefficients.len()), total)
    }

    /// What each customer of a training log will do over a horizon.
    ///
    /// # Errors
    ///
    /// As [`OverTimeFit::fit`], the covariates being needed to the end of the horizon.
    pub fn futures(
        &self,
        training: &Training<'_>,
        timelines: &[&Timelines],
        names: &Names,
        horizon: Span,
    ) -> Result<Vec<OwnFuture>, Error> {
        let known = known(training, timelines, &self.terms)?;
        let (mut scratch, mut total) = self.scratch();
        let mut futures = Vec::with_capacity(training.summary().len());
        for row in 0..training.summary().len() {
            let (path, end) = path(&known, training, names, row)?;
            let ln = P::add(&self.values, &self.coefficients, &path, &mut scratch, &mut total);
            let now = P::alive(&self.values, &self.coefficients, &path, &scratch);
            let name = names.name(training.summary().customer[row]);
            let stretches = self.stretches(&known, name, row, (end, end.plus_days(horizon.in_days())))?;
            futures.push(OwnFuture { p_alive: ln.exp(), alive: FutureOverTime { now, stretches } });
        }
        Ok(futures)
    }

    fn stretches(
        &self,
        known: &Known<'_>,
        name: &str,
        row: usize,
        (from, to): (Moment, Moment),
    ) -> Result<Vec<Stretch>, Error> {
        let pieces = known.pieces(name, row, (from, to), &[], self.unit)?;
        let values = &self.values[P::PARAMETERS.len()..];
        let mut pace = super::path::Pace::new(values.len());
        let one = |piece: usize| {
            pace.set(&self.coefficients, values, pieces.row(piece));
            Stretch { length: pieces.length[piece], buys: pace.a, leaves: pace.b }
        };
        Ok((0..pieces.len()).map(one).collect())
    }

    /// What somebody who first buys at this moment will do from then on, known by timelines alone.
    ///
    /// # Errors
    ///
    /// [`Error::MissingColumn`] for a term that the timelines do not tell; [`Error::Attribute`].
    pub fn of_new(
        &self,
        timelines: &[&Timelines],
        customer: &str,
        from: Moment,
        horizon: Span,
    ) -> Result<OwnFuture, Error> {
        for column in self.terms.iter().flat_map(Term::columns) {
            if timelines.iter().all(|t| t.position(column).is_none()) {
                return Err(Error::MissingColumn { model: P::KIND.name, column: column.to_owned() });
            }
        }
        let known = Known { timelines, terms: &self.terms, fixed: clv_core::FeatureMatrix::default() };
        let stretches = self.stretches(&known, customer, 0, (from, from.plus_days(horizon.in_days())))?;
        let leaves = stretches.first().map_or(1.0, |s| s.leaves);
        let (p_alive, now) = P::newcomer(&self.values, leaves);
        Ok(OwnFuture { p_alive, alive: FutureOverTime { now, stretches } })
    }

    /// P(alive), expected purchases and discounted purchases of the customers of a training log.
    ///
    /// # Errors
    ///
    /// As [`OverTimeModel::futures`]; [`Error::CannotSay`] for discounting from period ends.
    pub fn forecast(
        &self,
        training: &Training<'_>,
        timelines: &[&Timelines],
        names: &Names,
        ask: &Ask,
    ) -> Result<Forecast, Error> {
        if ask.discounting().period().is_some() {
            let quantity = "discounting from period ends";
            let hint = ": ask for a continuous rate";
            return Err(Error::CannotSay { model: P::KIND.name, quantity, hint });
        }
        let horizon = ask.horizon().in_units(self.unit);
        let delta = ask.discounting().rate_per(self.unit);
        let answers = Answers {
            p_alive: true,
            purchases: true,
            spend: false,
            value: false,
            horizons: clv_core::model::Horizons::Any,
        };
        let futures = self.futures(training, timelines, names, ask.horizon())?;
        let mut forecast = Forecast::for_answers(&answers, futures.len());
        let column = |of: &dyn Fn(&OwnFuture) -> f64| Some(futures.iter().map(of).collect::<Vec<f64>>());
        forecast.p_alive = column(&|f| f.p_alive);
        forecast.purchases = column(&|f| f.expected(horizon, 0.0));
        forecast.discounted_purchases = column(&|f| f.expected(horizon, delta));
        Ok(forecast)
    }
}
