//! A fitted purchase model.

use clv_core::model::{
    Activity, Answers, DrawTimes, Horizons, Kind, NextPurchase, PurchaseForecast, Reads, Sample,
    population_of,
};
use clv_core::saved::{Registry, SaveWriter, SavedModel};
use clv_core::value::discounted_total;
use clv_core::{Ask, Customers, Discount, Error, ForecastMut, History, Predict, Scratch, Span, TimeUnit};
use rand_chacha::ChaCha8Rng;

use crate::future::Future;
use crate::process::{Process, save_parameters, saved_parameters, times_of};
use crate::simulate::uniform;

/// From how many customers on equal histories are looked for before computing.
const BATCH: usize = 32;

/// Population parameters and the time unit they are counted in: a fitted purchase model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PurchaseModel<P> {
    process: P,
    unit: TimeUnit,
}

/// The three columns of one history.
struct Row {
    p_alive: f64,
    purchases: f64,
    discounted: f64,
}

impl Row {
    /// Into the columns that are wanted.
    fn write(&self, r: usize, out: &mut ForecastMut<'_>) {
        let columns = [&mut out.p_alive, &mut out.purchases, &mut out.discounted_purchases];
        for (column, value) in columns.into_iter().zip([self.p_alive, self.purchases, self.discounted]) {
            if let Some(column) = column {
                column[r] = value;
            }
        }
    }
}

impl Want {
    fn of(out: &ForecastMut<'_>) -> Self {
        Self { purchases: out.purchases.is_some(), discounted: out.discounted_purchases.is_some() }
    }
}

impl<P: Process> PurchaseModel<P> {
    /// From known parameters, without a fit.
    pub fn new(process: P, unit: TimeUnit) -> Self {
        Self { process, unit }
    }

    /// The population parameters.
    pub fn parameters(&self) -> &P {
        &self.process
    }

    /// The forecasts of one of these customers.
    fn row(&self, who: &Customers<'_>, r: usize, ask: &Ask, want: Want) -> Result<Row, Error> {
        let frequency = who.frequency()[r];
        let (recency, age) = times_of::<P>(r, frequency, who.recency()[r], who.age()[r])?;
        let p_alive = self.process.p_alive(frequency, recency, age);
        let mut row = Row { p_alive, purchases: 0.0, discounted: 0.0 };
        let horizon = ask.horizon().in_units(self.unit);
        if p_alive == 0.0 || horizon == 0.0 || !(want.purchases || want.discounted) {
            return Ok(row);
        }
        let future = self.process.given_alive(frequency, recency, age);
        if want.discounted && ask.discounting().period().is_none() {
            let delta = ask.discounting().rate_per(self.unit);
            let (plain, discounted) = future.expected_and_discounted(horizon, delta);
            row.purchases = p_alive * plain;
            row.discounted = p_alive * discounted;
        } else {
            row.purchases = p_alive * future.expected(0.0, horizon);
            if want.discounted {
                let expected = |t| p_alive * future.expected(0.0, t);
                row.discounted = self.by_periods(ask.discounting(), ask.horizon(), expected);
            }
        }
        Ok(row)
    }

    /// What is asked of one of these customers.
    pub(crate) fn predict_row(
        &self,
        who: &Customers<'_>,
        r: usize,
        ask: &Ask,
        out: &mut ForecastMut<'_>,
    ) -> Result<(), Error> {
        let want = Want::of(out);
        self.row(who, r, ask, want)?.write(r, out);
        Ok(())
    }

    /// Discounted from period ends.
    fn by_periods(&self, discount: Discount, horizon: Span, expected: impl FnMut(f64) -> f64) -> f64 {
        // A discount with a period never asks for the continuous sum.
        discounted_total(discount, horizon, self.unit, expected, |_| f64::NAN)
    }

    fn check(&self, history: &History) -> Result<(), Error> {
        Customers::one(history, self.unit).map(|_| ())
    }

    fn alive(&self, history: &History) -> Result<(f64, crate::Future), Error> {
        self.check(history)?;
        let History { frequency, recency, age, .. } = *history;
        let (recency, age) = times_of::<P>(0, frequency, recency, age)?;
        let p_alive = self.process.p_alive(frequency, recency, age);
        Ok((p_alive, self.process.given_alive(frequency, recency, age)))
    }
}

/// Which columns are wanted.
#[derive(Clone, Copy)]
struct Want {
    purchases: bool,
    discounted: bool,
}

impl<P: Process> Predict for PurchaseModel<P> {
    fn kind(&self) -> Kind {
        P::KIND
    }

    fn unit(&self) -> TimeUnit {
        self.unit
    }

    fn answers(&self) -> Answers {
        Answers { p_alive: true, purchases: true, spend: false, value: false, horizons: Horizons::Any }
    }

    fn reads(&self) -> Reads {
        P::READS
    }

    fn predict_into(
        &self,
        who: &Customers<'_>,
        ask: &Ask,
        scratch: &mut Scratch,
        out: &mut ForecastMut<'_>,
    ) -> Result<(), Error> {
        who.expect(P::KIND.name, self.unit, P::READS)?;
        out.expect(P::KIND.name, &self.answers(), who.len())?;
        let want = Want::of(out);
        let row = |r: usize| self.row(who, r, ask, want);
        if who.len() < BATCH {
            for r in 0..who.len() {
                row(r)?.write(r, out);
            }
            return Ok(());
        }
        // Equal histories have equal forecasts: compute each once, then hand them out.
        scratch.cells.build(who);
        let [p_alive, purchases, discounted] = &mut scratch.columns;
        for column in [&mut *p_alive, &mut *purchases, &mut *discounted] {
            column.clear();
        }
        for &r in scratch.cells.representatives() {
            let one = row(r as usize)?;
            p_alive.push(one.p_alive);
            purchases.push(one.purchases);
            discounted.push(one.discounted);
        }
        for (r, &cell) in scratch.cells.cell_of_row().iter().enumerate() {
            let cell = cell as usize;
            let (p_alive, purchases, discounted) = (p_alive[cell], purchases[cell], discounted[cell]);
            Row { p_alive, purchases, discounted }.write(r, out);
        }
        Ok(())
    }

    fn activity(&self) -> Option<&dyn Activity> {
        Some(self)
    }

    fn purchases(&self) -> Option<&dyn PurchaseForecast> {
        Some(self)
    }

    fn next_purchase(&self) -> Option<&dyn NextPurchase> {
        Some(self)
    }

    fn sample(&self) -> Option<&dyn Sample> {
        Some(self)
    }

    fn draw_times(&self) -> Option<&dyn DrawTimes> {
        Some(self)
    }

    fn save(&self, to: &mut SaveWriter) -> Result<(), Error> {
        to.field("unit", &self.unit)?;
        save_parameters(P::PARAMETERS, &self.process.values(), to)
    }
}

impl<P: Process> DrawTimes for PurchaseModel<P> {
    fn visit_futures(
        &self,
        who: &Customers<'_>,
        row: usize,
        within: (f64, usize),
        rng: &mut ChaCha8Rng,
        see: &mut dyn FnMut(usize, &[f64]),
    ) -> Result<(), Error> {
        who.expect(P::KIND.name, self.unit, P::READS)?;
        draw_times(std::slice::from_ref(&self.process), who, row, within, rng, see)
    }
}

/// Futures of a customer, evenly under these populations: those of one number under the same one.
pub(crate) fn draw_times<P: Process>(
    populations: &[P],
    who: &Customers<'_>,
    row: usize,
    (length, draws): (f64, usize),
    rng: &mut ChaCha8Rng,
    see: &mut dyn FnMut(usize, &[f64]),
) -> Result<(), Error> {
    let x = who.frequency()[row];
    let (t_x, age) = times_of::<P>(row, x, who.recency()[row], who.age()[row])?;
    let of = |process: &P| (process.p_alive(x, t_x, age), process.given_alive(x, t_x, age));
    let own: Vec<(f64, Future)> = populations.iter().map(of).collect();
    let mut times = Vec::new();
    for draw in 0..draws {
        let (p_alive, future) = &own[population_of(draw, draws, own.len())];
        times.clear();
        if uniform(rng) < *p_alive {
            future.purchase_times(length, rng, &mut times);
        }
        see(draw, &times);
    }
    Ok(())
}

impl<P: Process> Activity for PurchaseModel<P> {
    fn p_alive(&self, history: &History, later: f64) -> Result<f64, Error> {
        check_time("later", later)?;
        let (p_alive, future) = self.alive(history)?;
        Ok(p_alive * future.survival(later))
    }
}

impl<P: Process> PurchaseForecast for PurchaseModel<P> {
    fn expected(&self, history: &History, from: f64, to: f64) -> Result<f64, Error> {
        check_window(from, to)?;
        let (p_alive, future) = self.alive(history)?;
        Ok(p_alive * future.expected(from, to))
    }

    fn probability_of(&self, history: &History, t: f64, count: u32) -> Result<f64, Error> {
        check_time("t", t)?;
        let (p_alive, future) = self.alive(history)?;
        Ok(with_gone(p_alive, future.probability_of(t, count), count))
    }

    fn expected_of_new(&self, t: f64) -> Result<f64, Error> {
        check_time("t", t)?;
        let (stays, future) = self.process.new_customer();
        Ok(stays * future.expected(0.0, t))
    }

    fn probability_of_new(&self, t: f64, count: u32) -> Result<f64, Error> {
        check_time("t", t)?;
        let (stays, future) = self.process.new_customer();
        Ok(with_gone(stays, future.probability_of(t, count), count))
    }

    fn discounted(&self, history: &History, discount: Discount, horizon: Option<f64>) -> Result<f64, Error> {
        let (p_alive, future) = self.alive(history)?;
        if p_alive == 0.0 {
            return Ok(0.0);
        }
        match horizon {
            Some(horizon) => {
                check_time("horizon", horizon)?;
                let expected = |t| p_alive * future.expected(0.0, t);
                let continuous = |delta| p_alive * future.expected_and_discounted(horizon, delta).1;
                Ok(discounted_total(
                    discount,
                    Span::new(horizon, self.unit)?,
                    self.unit,
                    expected,
                    continuous,
                ))
            }
            None if discount.period().is_some() => Err(Error::CannotSay {
                model: P::KIND.name,
                quantity: "the discounted sum of all the future by period ends",
                hint: "; discount continuously, or give a horizon",
            }),
            None => {
                let total = future.discounted_for_ever(discount.rate_per(self.unit));
                total.map(|d| p_alive * d).ok_or(Error::CannotSay {
                    model: P::KIND.name,
                    quantity: "the sum of all the future, which is infinite",
                    hint: "; give a discount rate above 0, or a horizon",
                })
            }
        }
    }
}

impl<P: Process> NextPurchase for PurchaseModel<P> {
    fn purchase_by(&self, history: &History, t: f64) -> Result<f64, Error> {
        check_time("t", t)?;
        let (p_alive, future) = self.alive(history)?;
        Ok(p_alive * (1.0 - future.probability_of(t, 0)))
    }

    fn median(&self, history: &History) -> Result<Option<f64>, Error> {
        let (p_alive, future) = self.alive(history)?;
        Ok(if p_alive > 0.5 { future.time_of_first(0.5 / p_alive) } else { None })
    }

    fn mean_within(&self, history: &History, horizon: f64) -> Result<f64, Error> {
        check_time("horizon", horizon)?;
        if horizon == 0.0 {
            return Err(Error::Setting { name: "horizon", given: horizon, allowed: "above 0" });
        }
        Ok(self.alive(history)?.1.mean_time_within(horizon))
    }
}

impl<P: Process> Sample for PurchaseModel<P> {
    fn purchase_times(&self, length: f64, rng: &mut ChaCha8Rng, times: &mut Vec<f64>) {
        self.process.purchase_times(length, rng, times);
    }
}

/// The probability of a count of one who is gone unless `alive`: the gone buy nothing.
pub(crate) fn with_gone(alive: f64, probability: f64, count: u32) -> f64 {
    let gone = if count == 0 { 1.0 - alive } else { 0.0 };
    (gone + alive * probability).clamp(0.0, 1.0)
}

/// Refuses windows that are none.
pub(crate) fn check_window(from: f64, to: f64) -> Result<(), Error> {
    check_time("from", from)?;
    check_time("to", to)?;
    if to < from {
        return Err(Error::Setting { name: "to", given: to, allowed: "not before the start of the window" });
    }
    Ok(())
}

pub(crate) fn check_time(name: &'static str, t: f64) -> Result<(), Error> {
    if t.is_finite() && t >= 0.0 {
        Ok(())
    } else {
        Err(Error::Setting { name, given: t, allowed: "finite, at least 0 (time units from now)" })
    }
}

/// Lets a registry load the model.
pub(crate) fn register<P: Process>(registry: &mut Registry) {
    registry.register(P::KIND, |saved, _| Ok(Box::new(load::<P>(saved)?)));
}

/// Unit and parameters as they were saved.
pub(crate) fn load<P: Process>(saved: &SavedModel) -> Result<PurchaseModel<P>, Error> {
    let unit = saved.field("unit")?;
    Ok(PurchaseModel::new(P::from_values(&saved_parameters(P::PARAMETERS, saved)?)?, unit))
}
