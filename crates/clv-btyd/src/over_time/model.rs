//! A fitted model whose covariates change with time.

use clv_core::model::{Answers, DrawTimes, Foresee, Horizons, Kind, population_of};
use clv_core::saved::{Registry, SaveWriter, SavedModel};
use clv_core::value::discounted_total;
use clv_core::{
    Ask, Customers, Error, FeatureMatrix, Forecast, ForecastMut, Moment, Names, Predict, Scratch, Span,
    TimeUnit, Timelines, Training,
};
use clv_math::minimise::Derivatives;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::fit::OverTime;
use super::future::{FutureOverTime, Stretch};
use super::known::{Known, known, path};
use super::pareto;
use super::path::{Coefficient, Pace, Pieces};
use crate::covariates::{Term, Words, saved_scaling};
use crate::future::Future;
use crate::model::PurchaseModel;
use crate::simulate::uniform;

/// A fitted model with covariates that change with time.
#[derive(Clone, Debug, PartialEq)]
pub struct OverTimeModel<P> {
    pub(super) process: P,
    pub(super) unit: TimeUnit,
    pub(super) terms: Vec<Term>,
    pub(super) words: Vec<Words>,
    pub(super) scaling: Vec<(f64, f64)>,
    pub(super) labels: Vec<String>,
    pub(super) coefficients: Vec<Coefficient>,
    /// Parameters, then coefficients.
    pub(super) values: Vec<f64>,
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
            words: Vec::new(),
            scaling: Vec::new(),
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
                model.scaling.push((0.0, 1.0));
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
    /// As [`OverTimeFit::fit`](crate::OverTimeFit::fit).
    pub fn ln_likelihood(
        &self,
        training: &Training<'_>,
        timelines: &[&Timelines],
        names: &Names,
    ) -> Result<f64, Error> {
        training.summary().customers().expect_unit(self.unit)?;
        let known = known(training, timelines, (&self.terms, &self.words, &self.scaling))?;
        let (mut scratch, mut total) = self.scratch();
        for row in 0..training.summary().len() {
            let (path, _) = path(&known, training, names, row)?;
            P::add(&self.values, &self.coefficients, &path, &mut scratch, &mut total);
        }
        Ok(total.value)
    }

    fn scratch(&self) -> (pareto::Scratch, Derivatives) {
        let n = self.values.len();
        let total = Derivatives { value: 0.0, gradient: vec![0.0; n], hessian: vec![0.0; n * n] };
        (pareto::Scratch::new(P::PARAMETERS.len(), self.coefficients.len()), total)
    }

    /// What each customer of a training log will do over a horizon.
    ///
    /// # Errors
    ///
    /// As [`OverTimeFit::fit`](crate::OverTimeFit::fit), the covariates being needed to the end of the horizon.
    pub fn futures(
        &self,
        training: &Training<'_>,
        timelines: &[&Timelines],
        names: &Names,
        horizon: Span,
    ) -> Result<Vec<OwnFuture>, Error> {
        let foreseen = foreseen(std::slice::from_ref(self), training, timelines, names, horizon)?;
        Ok((0..training.summary().len()).map(|row| foreseen.own(row, 0)).collect())
    }

    fn stretches(
        &self,
        known: &Known<'_>,
        name: &str,
        row: usize,
        (from, to): (Moment, Moment),
    ) -> Result<Vec<Stretch>, Error> {
        let pieces = known.pieces(name, row, (from, to), &[], self.unit)?;
        Ok(stretches(&pieces, &self.coefficients, &self.values[P::PARAMETERS.len()..]))
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
        let known =
            Known { timelines, terms: &self.terms, scaling: &self.scaling, fixed: FeatureMatrix::default() };
        let stretches = self.stretches(&known, customer, 0, (from, from.plus_days(horizon.in_days())))?;
        expect_paces(P::KIND.name, &stretches)?;
        let leaves = stretches.first().map_or(1.0, |s| s.leaves);
        let (p_alive, now) = P::newcomer(&self.values, leaves);
        Ok(OwnFuture { p_alive, alive: FutureOverTime { now, stretches } })
    }

    /// P(alive), expected purchases and discounted purchases of the customers of a training log.
    ///
    /// # Errors
    ///
    /// As [`OverTimeModel::futures`].
    pub fn forecast(
        &self,
        training: &Training<'_>,
        timelines: &[&Timelines],
        names: &Names,
        ask: &Ask,
    ) -> Result<Forecast, Error> {
        let foreseen = foreseen(std::slice::from_ref(self), training, timelines, names, ask.horizon())?;
        foreseen.predict(&training.summary().customers(), ask)
    }

    pub(super) const KIND: Kind = Kind::around("over-time", 1, &P::KIND);
}

/// The pieces of a future, as fast as these coefficients make its clocks.
pub(super) fn stretches(pieces: &Pieces, coefficients: &[Coefficient], values: &[f64]) -> Vec<Stretch> {
    let mut pace = Pace::new(values.len());
    let one = |piece: usize| {
        pace.set(coefficients, values, pieces.row(piece));
        Stretch { length: pieces.length[piece], buys: pace.a, leaves: pace.b }
    };
    (0..pieces.len()).map(one).collect()
}

/// Refuses clocks that go faster than any number.
fn expect_paces(model: &'static str, stretches: &[Stretch]) -> Result<(), Error> {
    if stretches.iter().all(|s| (s.length * s.buys).is_finite() && (s.length * s.leaves).is_finite()) {
        return Ok(());
    }
    let hint = ": a column is too far from what the coefficients were learned of";
    Err(Error::CannotSay { model, quantity: "purchases at rates beyond any number", hint })
}

/// What models that differ in their values alone foresee, on the average of them.
pub(super) fn foreseen<P: OverTime>(
    models: &[OverTimeModel<P>],
    training: &Training<'_>,
    timelines: &[&Timelines],
    names: &Names,
    horizon: Span,
) -> Result<Foreseen, Error> {
    let one = &models[0];
    let summary = training.summary();
    summary.customers().expect_unit(one.unit)?;
    let known = known(training, timelines, (&one.terms, &one.words, &one.scaling))?;
    let (mut scratch, mut total) = one.scratch();
    let (mut pieces, mut now) = (Vec::with_capacity(summary.len()), Vec::new());
    for row in 0..summary.len() {
        let (path, end) = path(&known, training, names, row)?;
        for model in models {
            let ln = P::add(&model.values, &model.coefficients, &path, &mut scratch, &mut total);
            now.push((ln.exp(), P::alive(&model.values, &model.coefficients, &path, &scratch)));
        }
        let ahead = (end, end.plus_days(horizon.in_days()));
        let own = known.pieces(names.name(summary.customer[row]), row, ahead, &[], one.unit)?;
        for model in models {
            let values = &model.values[P::PARAMETERS.len()..];
            expect_paces(P::KIND.name, &stretches(&own, &model.coefficients, values))?;
        }
        pieces.push(own);
    }
    Ok(Foreseen {
        model: P::KIND.name,
        unit: one.unit,
        horizon,
        coefficients: one.coefficients.clone(),
        values: models.iter().map(|model| model.values[P::PARAMETERS.len()..].to_vec()).collect(),
        pieces,
        now,
    })
}

impl<P: OverTime> Foresee for OverTimeModel<P> {
    fn columns(&self) -> Vec<String> {
        let mut columns: Vec<String> = Vec::new();
        for column in self.terms.iter().flat_map(Term::columns) {
            if !columns.iter().any(|known| known == column) {
                columns.push(column.to_owned());
            }
        }
        columns
    }

    fn foresee(
        &self,
        training: &Training<'_>,
        timelines: &[&Timelines],
        names: &Names,
        horizon: Span,
    ) -> Result<Box<dyn Predict>, Error> {
        Ok(Box::new(foreseen(std::slice::from_ref(self), training, timelines, names, horizon)?))
    }
}

/// A coefficient as it is saved.
#[derive(Serialize, Deserialize)]
struct Saved {
    name: String,
    term: usize,
    purchases: bool,
    dropout: bool,
    value: f64,
}

/// It says nothing of a history alone, which does not tell the calendar: ask what it foresees ([`Foresee`]).
impl<P: OverTime> Predict for OverTimeModel<P> {
    fn kind(&self) -> Kind {
        Self::KIND
    }

    fn unit(&self) -> TimeUnit {
        self.unit
    }

    fn answers(&self) -> Answers {
        PURCHASES
    }

    fn predict_into(
        &self,
        _: &Customers<'_>,
        _: &Ask,
        _: &mut Scratch,
        _: &mut ForecastMut<'_>,
    ) -> Result<(), Error> {
        Err(without_calendar(P::KIND.name))
    }

    fn foresee(&self) -> Option<&dyn Foresee> {
        Some(self)
    }

    fn save(&self, to: &mut SaveWriter) -> Result<(), Error> {
        PurchaseModel::new(self.process, self.unit).save(to)?;
        to.field("terms", &self.terms)?;
        to.field("words", &self.words)?;
        to.field("scaling", &self.scaling)?;
        let values = &self.values[P::PARAMETERS.len()..];
        let one = |((label, of), value): ((&String, &Coefficient), &f64)| Saved {
            name: label.clone(),
            term: of.term,
            purchases: of.buys,
            dropout: of.leaves,
            value: *value,
        };
        let coefficients: Vec<Saved> =
            self.labels.iter().zip(&self.coefficients).zip(values).map(one).collect();
        to.field("coefficients", &coefficients)
    }
}

/// A history alone does not tell the calendar.
pub(super) fn without_calendar(model: &'static str) -> Error {
    let hint = ": give what changes with time until the end of the horizon (foresee, --over-time)";
    Error::CannotSay { model, quantity: "the future without its calendar", hint }
}

pub(crate) fn register<P: OverTime>(registry: &mut Registry) {
    registry.register(OverTimeModel::<P>::KIND, |saved, _| Ok(Box::new(OverTimeModel::<P>::load(saved)?)));
    super::posterior::register::<P>(registry);
}

impl<P: OverTime> OverTimeModel<P> {
    /// The same with other values, of the parameters and then of the coefficients.
    pub(super) fn with_values(&self, values: &[f64]) -> Result<Self, Error> {
        let (given, expected) = (values.len(), self.values.len());
        if given != expected {
            return Err(Error::Length { column: "values", given, expected });
        }
        if let Some(given) = values.iter().copied().find(|value| !value.is_finite()) {
            return Err(Error::Setting { name: "coefficient", given, allowed: "finite" });
        }
        let process = P::from_values(&values[..P::PARAMETERS.len()])?;
        Ok(Self { process, values: values.to_vec(), ..self.clone() })
    }

    pub(super) fn load(saved: &SavedModel) -> Result<Self, Error> {
        let base: PurchaseModel<P> = crate::model::load(saved)?;
        let (process, terms): (P, Vec<Term>) = (*base.parameters(), saved.field("terms")?);
        let scaling = saved_scaling(saved, terms.len())?;
        let (mut labels, mut coefficients, mut values) = (Vec::new(), Vec::new(), process.values());
        for Saved { name, term, purchases, dropout, value } in saved.field::<Vec<Saved>>("coefficients")? {
            if term >= terms.len() {
                return Err(Error::Length { column: "terms", given: terms.len(), expected: term + 1 });
            }
            if !value.is_finite() {
                return Err(Error::Setting { name: "coefficient", given: value, allowed: "finite" });
            }
            labels.push(name);
            coefficients.push(Coefficient { term, buys: purchases, leaves: dropout });
            values.push(value);
        }
        let unit = base.unit();
        Ok(Self { process, unit, terms, words: saved.field("words")?, scaling, labels, coefficients, values })
    }
}

/// What populations foresee for the customers of one log, over one horizon.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Foreseen {
    model: &'static str,
    unit: TimeUnit,
    horizon: Span,
    coefficients: Vec<Coefficient>,
    /// Of each population the values of the coefficients.
    values: Vec<Vec<f64>>,
    /// Of each customer what is to come.
    pieces: Vec<Pieces>,
    /// Customer by customer, under each population: whether alive, and how then.
    now: Vec<(f64, Future)>,
}

const FORESEEN: Kind = Kind::new("foreseen", 1);
pub(super) const PURCHASES: Answers =
    Answers { p_alive: true, purchases: true, spend: false, value: false, horizons: Horizons::Any };

impl Predict for Foreseen {
    fn kind(&self) -> Kind {
        FORESEEN
    }

    fn unit(&self) -> TimeUnit {
        self.unit
    }

    fn answers(&self) -> Answers {
        Answers { horizons: Horizons::Only(self.horizon), ..PURCHASES }
    }

    fn predict_into(
        &self,
        who: &Customers<'_>,
        ask: &Ask,
        _: &mut Scratch,
        out: &mut ForecastMut<'_>,
    ) -> Result<(), Error> {
        who.expect_unit(self.unit)?;
        let answers = self.answers();
        out.expect(self.model, &answers, who.len())?;
        answers.expect_horizon(self.model, ask.horizon())?;
        self.expect_all(who)?;
        let horizon = ask.horizon().in_units(self.unit);
        for row in 0..self.pieces.len() {
            let futures: Vec<OwnFuture> =
                (0..self.values.len()).map(|population| self.own(row, population)).collect();
            let mean =
                |of: &dyn Fn(&OwnFuture) -> f64| futures.iter().map(of).sum::<f64>() / futures.len() as f64;
            if let Some(column) = &mut out.p_alive {
                column[row] = mean(&|future| future.p_alive);
            }
            let discounting = ask.discounting();
            let is_plain = discounting.period().is_none() && discounting.rate_per(self.unit) == 0.0;
            let mut plain = None;
            if out.purchases.is_some() || is_plain && out.discounted_purchases.is_some() {
                plain = Some(mean(&|future| future.expected(horizon, 0.0)));
            }
            if let Some((column, plain)) = out.purchases.as_mut().zip(plain) {
                column[row] = plain;
            }
            if let Some(column) = &mut out.discounted_purchases {
                // Without a discount it is the same.
                column[row] = plain.filter(|_| is_plain).unwrap_or_else(|| {
                    mean(&|future| {
                        let (by, within) =
                            (|t: f64| future.expected(t, 0.0), |delta: f64| future.expected(horizon, delta));
                        discounted_total(ask.discounting(), ask.horizon(), self.unit, by, within)
                    })
                });
            }
        }
        Ok(())
    }

    fn draw_times(&self) -> Option<&dyn DrawTimes> {
        Some(self)
    }

    fn save(&self, _: &mut SaveWriter) -> Result<(), Error> {
        let hint = ": save the model that foresees";
        Err(Error::CannotSay { model: self.model, quantity: "a saved form of one log's customers", hint })
    }
}

impl DrawTimes for Foreseen {
    fn visit_futures(
        &self,
        who: &Customers<'_>,
        row: usize,
        (length, draws): (f64, usize),
        rng: &mut ChaCha8Rng,
        see: &mut dyn FnMut(usize, &[f64]),
    ) -> Result<(), Error> {
        who.expect_unit(self.unit)?;
        self.answers().expect_horizon(self.model, Span::new(length, self.unit)?)?;
        self.expect_all(who)?;
        let futures: Vec<OwnFuture> =
            (0..self.values.len()).map(|population| self.own(row, population)).collect();
        let mut times = Vec::new();
        for draw in 0..draws {
            let future = &futures[population_of(draw, draws, futures.len())];
            times.clear();
            if uniform(rng) < future.p_alive {
                future.alive.purchase_times(rng, &mut times);
            }
            see(draw, &times);
        }
        Ok(())
    }
}

impl Foreseen {
    /// The future of a customer under one of the populations.
    fn own(&self, row: usize, population: usize) -> OwnFuture {
        let (p_alive, now) = self.now[row * self.values.len() + population];
        let stretches = stretches(&self.pieces[row], &self.coefficients, &self.values[population]);
        OwnFuture { p_alive, alive: FutureOverTime { now, stretches } }
    }

    fn expect_all(&self, who: &Customers<'_>) -> Result<(), Error> {
        let (given, expected) = (who.len(), self.pieces.len());
        if given == expected {
            return Ok(());
        }
        Err(Error::Length { column: "customers of the log that was foreseen", given, expected })
    }
}
