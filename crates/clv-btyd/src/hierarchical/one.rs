//! The model of one customer: what their own parameters, drawn, say of what is to come.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use clv_core::model::{Activity, Answers, Kind, PurchaseForecast};
use clv_core::saved::SaveWriter;
use clv_core::value::discounted_total;
use clv_core::{
    Ask, Customers, Discount, Error, FeatureMatrix, ForecastMut, History, Predict, Scratch, Span, TimeUnit,
};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::own::{Logs, Own, Seen, sum_come};
use super::population::Population;
use super::{HierarchicalModel, Hierarchy};
use crate::ParetoNbd;
use crate::model::{PurchaseModel, check_time, with_gone};

/// As many newcomers are drawn, evenly of all populations.
const NEWCOMERS: usize = 4_000;
/// Numbers of their own, beside those of chains and of customers.
const OF_NEWCOMERS: u64 = u64::MAX - 1;
/// As many answers about newcomers are kept.
const KEPT: usize = 100_000;

/// Newcomers that were drawn, with what is expected of them by some times; of populations that no column moves all customers share them.
#[derive(Clone, Debug, Default)]
pub(super) struct Newcomers(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    drawn: OnceLock<Vec<Logs>>,
    /// By the bits of the time.
    expected: Mutex<HashMap<u64, f64>>,
}

/// What was drawn follows from the model.
impl PartialEq for Newcomers {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// A hierarchical model asked of one customer. Where it needs columns they are theirs, and where the gaps between purchases are among these
/// it answers of the history that the gaps are of alone.
#[derive(Debug)]
pub(super) struct OneCustomer<H: Hierarchy> {
    model: HierarchicalModel<H>,
    columns: Vec<f64>,
    /// The row that moves their population.
    row: Vec<f64>,
    history: History,
    given: Given,
    newcomers: Newcomers,
}

/// Draws of a customer's parameters with the probability of being alive now, given a history.
#[derive(Clone, Debug)]
struct Given {
    silence: f64,
    draws: Vec<(Logs, f64)>,
}

impl Given {
    /// The mean over the draws, of customers who are gone too.
    fn mean(&self, mut of: impl FnMut(&Logs) -> f64) -> f64 {
        let sum = |(own, alive): &(Logs, f64)| if *alive > 0.0 { alive * of(own) } else { 0.0 };
        self.draws.iter().map(sum).sum::<f64>() / self.draws.len() as f64
    }
}

impl<H: Hierarchy> OneCustomer<H> {
    pub(super) fn of(
        model: HierarchicalModel<H>,
        history: History,
        columns: Vec<f64>,
    ) -> Result<Self, Error> {
        let (given, row) = draw(&model, &history, &columns)?;
        let newcomers = if H::COVARIATES { Newcomers::default() } else { model.newcomers.clone() };
        Ok(Self { model, columns, row, history, given, newcomers })
    }

    /// What is asked of the draws given a history.
    fn ask<T>(&self, history: &History, of: impl FnOnce(&Given) -> T) -> Result<T, Error> {
        if self.is_own(history)? {
            return Ok(of(&self.given));
        }
        Ok(of(&draw(&self.model, history, &self.columns)?.0))
    }

    /// Whether the history is the customer's; another is refused where its gaps are not known.
    fn is_own(&self, history: &History) -> Result<bool, Error> {
        let times = |h: &History| (h.frequency, h.recency, h.age);
        let is_own = times(history) == times(&self.history);
        if H::Own::ASKS_GAPS && !is_own {
            let quantity = "another history than the customer's";
            let hint = ", whose gaps between purchases are not known: ask the model for them with this one";
            return Err(Error::CannotSay { model: H::KIND.name, quantity, hint });
        }
        Ok(is_own)
    }

    /// Customers of the populations, of whom nothing is known but the columns.
    fn newcomers(&self) -> &[Logs] {
        self.newcomers.0.drawn.get_or_init(|| {
            let populations = &self.model.populations;
            let mut rng = ChaCha8Rng::seed_from_u64(self.model.seed);
            rng.set_stream(OF_NEWCOMERS);
            let each = NEWCOMERS.div_ceil(populations.len());
            let of = |population: &H::Population| -> Vec<Logs> {
                (0..each).map(|_| population.draw_own(&self.row, &mut rng)).collect()
            };
            populations.iter().flat_map(of).collect()
        })
    }

    /// The mean over populations whose newcomers have a formula, if they have one.
    fn exactly_of_new(
        &self,
        of: impl Fn(&PurchaseModel<ParetoNbd>) -> Result<f64, Error>,
    ) -> Option<Result<f64, Error>> {
        let values = &self.model.values;
        let one =
            |values: &Vec<f64>| H::newcomers(values).map(|p| of(&PurchaseModel::new(p, self.model.unit)));
        let each: Result<Vec<f64>, Error> = values.iter().map(one).collect::<Option<_>>()?;
        Some(each.map(|each| each.iter().sum::<f64>() / each.len() as f64))
    }

    fn mean_of_new(&self, of: impl FnMut(&Logs) -> f64) -> f64 {
        let newcomers = self.newcomers();
        newcomers.iter().map(of).sum::<f64>() / newcomers.len() as f64
    }
}

fn draw<H: Hierarchy>(
    model: &HierarchicalModel<H>,
    history: &History,
    columns: &[f64],
) -> Result<(Given, Vec<f64>), Error> {
    Customers::one(history, model.unit)?;
    let (mut row, mut draws) = (Vec::new(), Vec::with_capacity(model.populations.len()));
    let seen: Seen = model.seen((history.frequency, history.recency, history.age), columns, 0, &mut row)?;
    model.draw(&seen, &row, |own, _| draws.push((*own, H::Own::p_alive(own, &seen))));
    Ok((Given { silence: seen.age - seen.t_x, draws }, row))
}

/// The chance of exactly so many, of a customer who is alive.
fn exactly<O: Own>(own: &Logs, silence: f64, t: f64, count: u32) -> f64 {
    let n = f64::from(count);
    let come = if count == 0 { 1.0 } else { O::come(own, silence, t, 0.0, n) };
    (come - O::come(own, silence, t, 0.0, n + 1.0)).max(0.0)
}

impl<H: Hierarchy> Predict for OneCustomer<H> {
    fn kind(&self) -> Kind {
        H::KIND
    }

    fn unit(&self) -> TimeUnit {
        self.model.unit
    }

    fn answers(&self) -> Answers {
        self.model.answers()
    }

    fn predict_into(
        &self,
        who: &Customers<'_>,
        ask: &Ask,
        scratch: &mut Scratch,
        out: &mut ForecastMut<'_>,
    ) -> Result<(), Error> {
        (0..who.len()).try_for_each(|row| self.is_own(&who.history(row)).map(|_| ()))?;
        let same = self.columns.iter().copied();
        let columns = (0..who.len()).flat_map(|_| same.clone()).collect();
        let features = FeatureMatrix::new(self.model.names.clone(), columns)?;
        let who = if self.columns.is_empty() { *who } else { who.with_features(&features)? };
        self.model.predict_into(&who, ask, scratch, out)
    }

    fn activity(&self) -> Option<&dyn Activity> {
        Some(self)
    }

    fn purchases(&self) -> Option<&dyn PurchaseForecast> {
        Some(self)
    }

    fn save(&self, _to: &mut SaveWriter) -> Result<(), Error> {
        let hint = ": save the model of all";
        Err(Error::CannotSay { model: H::KIND.name, quantity: "a saved form of one customer", hint })
    }
}

impl<H: Hierarchy> Activity for OneCustomer<H> {
    fn p_alive(&self, history: &History, later: f64) -> Result<f64, Error> {
        check_time("later", later)?;
        self.ask(history, |given| given.mean(|own| (-own[1].exp() * later).exp()).clamp(0.0, 1.0))
    }
}

impl<H: Hierarchy> PurchaseForecast for OneCustomer<H> {
    fn expected(&self, history: &History, from: f64, to: f64) -> Result<f64, Error> {
        crate::model::check_window(from, to)?;
        self.ask(history, |given| {
            let by = |own: &Logs, t: f64| sum_come::<H::Own>(own, given.silence, t, 0.0);
            given.mean(|own| (by(own, to) - if from > 0.0 { by(own, from) } else { 0.0 }).max(0.0))
        })
    }

    fn probability_of(&self, history: &History, t: f64, count: u32) -> Result<f64, Error> {
        check_time("t", t)?;
        self.ask(history, |given| {
            let alive = given.mean(|_| 1.0);
            let some = given.mean(|own| exactly::<H::Own>(own, given.silence, t, count));
            with_gone(alive, if alive > 0.0 { some / alive } else { 0.0 }, count)
        })
    }

    fn expected_of_new(&self, t: f64) -> Result<f64, Error> {
        check_time("t", t)?;
        if let Some(exact) = self.exactly_of_new(|model| model.expected_of_new(t)) {
            return exact;
        }
        // Customers share ages, and newcomers where no column moves them.
        let kept = || self.newcomers.0.expected.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = kept().get(&t.to_bits()) {
            return Ok(*known);
        }
        let expected = self.mean_of_new(|own| sum_come::<H::Own>(own, 0.0, t, 0.0));
        let mut kept = kept();
        if kept.len() < KEPT {
            kept.insert(t.to_bits(), expected);
        }
        Ok(expected)
    }

    fn probability_of_new(&self, t: f64, count: u32) -> Result<f64, Error> {
        check_time("t", t)?;
        if let Some(exact) = self.exactly_of_new(|model| model.probability_of_new(t, count)) {
            return exact;
        }
        Ok(self.mean_of_new(|own| exactly::<H::Own>(own, 0.0, t, count)).clamp(0.0, 1.0))
    }

    fn discounted(&self, history: &History, discount: Discount, horizon: Option<f64>) -> Result<f64, Error> {
        let Some(horizon) = horizon else {
            let hint = ": some of the populations hardly ever lose a customer; give a horizon";
            let quantity = "the discounted sum of all the future";
            return Err(Error::CannotSay { model: H::KIND.name, quantity, hint });
        };
        check_time("horizon", horizon)?;
        let (span, unit) = (Span::new(horizon, self.model.unit)?, self.model.unit);
        self.ask(history, |given| {
            let by = |t: f64, delta: f64| given.mean(|own| sum_come::<H::Own>(own, given.silence, t, delta));
            discounted_total(discount, span, unit, |t| by(t, 0.0), |delta| by(horizon, delta))
        })
    }
}

#[cfg(test)]
mod tests {
    use clv_core::Feature;
    use clv_math::special::gamma_q;

    use super::super::own::{AtABeat, AtRandom};
    use super::*;
    use crate::{MaLiu, ParetoGgg};

    const OWN: [Logs; 7] = [
        [-1.2, -3.0, 0.0],
        [-0.5, -2.0, 1.5],
        [-1.0, -4.0, -1.0],
        [-1.0, -4.0, -3.0],
        [0.4, -1.0, 4.6],
        [-2.0, 1.0, 0.7],
        [-1.2, -30.0, 1.0],
    ];
    const SILENCES: [f64; 5] = [0.0, 1e-9, 0.02, 3.0, 11.0];

    /// Of those who are alive: no chance is below nothing, the sum over counts is one, and of counts times their chance what is expected. It holds of whatever
    /// falls to nothing; that it is the right thing forty digits and futures say.
    fn adds_up<O: Own>(own: &Logs, silence: f64, t: f64) {
        let chances: Vec<f64> = (0..400).map(|n| exactly::<O>(own, silence, t, n)).collect();
        let whole: f64 = chances.iter().sum();
        assert!((whole - 1.0).abs() < 1e-9, "{own:?} {silence}: {whole}");
        let mean: f64 = chances.iter().enumerate().map(|(n, p)| n as f64 * p).sum();
        let expected = sum_come::<O>(own, silence, t, 0.0);
        assert!((mean - expected).abs() < 1e-8 * (1.0 + mean), "{own:?} {silence}: {mean} {expected}");
    }

    #[test]
    fn counts_add_up() {
        for own in OWN {
            for silence in SILENCES {
                adds_up::<AtABeat>(&own, silence, 17.0);
            }
            adds_up::<AtRandom>(&own, 3.0, 17.0);
        }
    }

    /// mpmath with 25 digits, over the time of the first purchase in short panels: `k`, the silence, `n`, the discount.
    #[test]
    #[allow(clippy::excessive_precision)]
    fn purchases_to_come_beside_many_digits() {
        for (k, silence, n, delta, want) in [
            (0.05, 1e-9, 2.0, 0.0, 0.814797477442249),
            (0.05, 1e-9, 4.0, 0.03, 0.64689279188028),
            (0.05, 0.02, 2.0, 0.0, 0.685428213869888),
            (0.05, 0.02, 4.0, 0.03, 0.524915422466305),
            (0.05, 3.0, 2.0, 0.0, 0.438654457469316),
            (0.05, 3.0, 4.0, 0.03, 0.30756357658869),
            (8.0, 1e-9, 2.0, 0.0, 0.718988094951631),
            (8.0, 1e-9, 4.0, 0.03, 0.334335023551579),
            (8.0, 0.02, 2.0, 0.0, 0.719707485274725),
            (8.0, 0.02, 4.0, 0.03, 0.335112866122406),
            (8.0, 3.0, 2.0, 0.0, 0.802706903846932),
            (8.0, 3.0, 4.0, 0.03, 0.415101039017099),
            (60.0, 1e-9, 2.0, 0.0, 0.716862501552098),
            (60.0, 1e-9, 4.0, 0.03, 0.344957996738012),
            (60.0, 0.02, 2.0, 0.0, 0.717579722568529),
            (60.0, 0.02, 4.0, 0.03, 0.345511190013186),
            (60.0, 3.0, 2.0, 0.0, 0.826159177495311),
            (60.0, 3.0, 4.0, 0.03, 0.432859244062969),
            (99.5, 1e-9, 2.0, 0.0, 0.7167311520313),
            (99.5, 1e-9, 4.0, 0.03, 0.344645131882012),
            (99.5, 0.02, 2.0, 0.0, 0.717448241632519),
            (99.5, 0.02, 4.0, 0.03, 0.3451970119423),
            (99.5, 3.0, 2.0, 0.0, 0.828825896151044),
            (99.5, 3.0, 4.0, 0.03, 0.434834787131073),
            (150.0, 1e-9, 2.0, 0.0, 0.716663915654059),
            (150.0, 1e-9, 4.0, 0.03, 0.344479863759312),
            (150.0, 0.02, 2.0, 0.0, 0.717380937985276),
            (150.0, 0.02, 4.0, 0.03, 0.345031472695121),
            (150.0, 3.0, 2.0, 0.0, 0.830362133658575),
            (150.0, 3.0, 4.0, 0.03, 0.435990048430051),
            (400.0, 1e-9, 2.0, 0.0, 0.716581057637576),
            (400.0, 1e-9, 4.0, 0.03, 0.344276120063392),
            (400.0, 0.02, 2.0, 0.0, 0.717297997069338),
            (400.0, 0.02, 4.0, 0.03, 0.344827402736461),
            (400.0, 3.0, 2.0, 0.0, 0.832214886468533),
            (400.0, 3.0, 4.0, 0.03, 0.437378827173372),
        ] {
            let own = [f64::ln(0.3), f64::ln(0.05), f64::ln(k)];
            let got = AtABeat::come(&own, silence, 17.0, delta, n);
            // Ends of a small power are hard for both.
            let within = if k < 1.0 { 1e-9 } else { 1e-11 };
            assert!((got - want).abs() < within, "{k} {silence} {n} {delta}: {got} {want}");
        }
    }

    /// Of bursts as many come as the sum over all of them says, of which most are taken together.
    #[test]
    fn bursts_are_added_up() {
        for (lambda, k, silence, t, delta) in [
            (2.0, 0.004, 0.0, 3.0, 0.0),
            (2.0, 0.004, 2.0, 3.0, 0.0),
            (2.0, 0.004, 2.0, 0.5, 0.1),
            (10.0, 8.0, 0.0, 52.0, 0.0),
            (10.0, 50.0, 0.0, 52.0, 0.01),
            (10.0, 1.0, 0.0, 52.0, 0.0),
            (30.0, 20.0, 0.01, 20.0, 0.0),
        ] {
            let own = [f64::ln(lambda), f64::ln(0.004), f64::ln(k)];
            let by_hand = |t: f64, delta: f64| -> f64 {
                let come = |n: u32| AtABeat::come(&own, silence, t, delta, f64::from(n));
                (1..).map(come).take_while(|come| *come > 1e-14).sum()
            };
            {
                let (got, want) = (sum_come::<AtABeat>(&own, silence, t, delta), by_hand(t, delta));
                assert!((got / want - 1.0).abs() < 1e-8, "{silence} {t}: {got} {want}");
            }
        }
    }

    /// A beat of one is none.
    #[test]
    fn a_beat_of_one_is_at_random() {
        for own in [[-1.2, -3.0, 0.0], [1.0, -0.5, 0.0], [-6.0, -9.0, 0.0]] {
            for silence in SILENCES {
                for n in [1.0, 2.0, 5.0, 40.0] {
                    for delta in [0.0, 0.01] {
                        let got = AtABeat::come(&own, silence, 17.0, delta, n);
                        let want = AtRandom::come(&own, silence, 17.0, delta, n);
                        assert!((got - want).abs() < 1e-12, "{own:?} {silence} {n}: {got} {want}");
                    }
                }
            }
        }
    }

    /// 200,000 futures of a customer who is alive, after a silence: counts, their mean, and the discounted sum.
    #[test]
    fn futures_come_as_often() {
        fn check<O: Own>(own: &Logs, silence: f64, rng: &mut ChaCha8Rng) {
            let (n, t, delta) = (200_000, 17.0, 0.03);
            let mut counts = vec![0_u32; 400];
            let (mut sum, mut squares, mut times) = ([0.0; 2], [0.0; 2], Vec::new());
            for _ in 0..n {
                times.clear();
                O::purchase_times(own, silence, t, rng, &mut times);
                counts[times.len()] += 1;
                let discounted: f64 = times.iter().map(|t| (-delta * t).exp()).sum();
                for (at, v) in [times.len() as f64, discounted].into_iter().enumerate() {
                    sum[at] += v;
                    squares[at] += v * v;
                }
            }
            for (at, delta) in [0.0, delta].into_iter().enumerate() {
                let mean = sum[at] / f64::from(n);
                let error = ((squares[at] / f64::from(n) - mean * mean) / f64::from(n)).sqrt();
                let expected = sum_come::<O>(own, silence, t, delta);
                assert!((mean - expected).abs() < 4.5 * error + 1e-9, "{own:?} {silence}: {mean} {expected}");
            }
            // As many counts as have five customers or more, and the others as one.
            let expect: Vec<f64> = (0..60).map(|c| f64::from(n) * exactly::<O>(own, silence, t, c)).collect();
            let (mut chi, mut bins) = (0.0, 0);
            let (mut rest, mut rest_of) = (f64::from(n), f64::from(n));
            for (count, expected) in counts.iter().zip(&expect).filter(|(_, e)| **e >= 5.0) {
                chi += (f64::from(*count) - expected).powi(2) / expected;
                (rest, rest_of, bins) = (rest - f64::from(*count), rest_of - expected, bins + 1);
            }
            if rest_of >= 5.0 {
                (chi, bins) = (chi + (rest - rest_of).powi(2) / rest_of, bins + 1);
            }
            let p = gamma_q(0.5 * f64::from(bins - 1), 0.5 * chi);
            assert!(p > 1e-4, "{own:?} {silence}: {p}, {counts:?} {expect:?}");
        }
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        for own in &OWN[..5] {
            // Of who was silent for longer, at so steady a beat, nobody is alive.
            let silences = [0.0, 0.02, 3.0, 11.0].into_iter().filter(|s| own[2] < 4.0 || *s < 11.0);
            for silence in silences {
                check::<AtABeat>(own, silence, &mut rng);
            }
        }
        check::<AtRandom>(&OWN[0], 3.0, &mut rng);
        check::<AtRandom>(&OWN[5], 1.0, &mut rng);
    }

    fn history() -> History {
        History::new(4, 21.0, 26.0).unwrap()
    }

    /// The forecast of a customer, the sum over the counts and 200,000 futures of theirs are of one mind.
    fn is_of_one_mind<H: Hierarchy>(values: &[f64], columns: Vec<f64>) {
        // Populations that are nearly the same: what differs is the customer.
        let values: Vec<Vec<f64>> =
            (0..400).map(|i| values.iter().map(|v| v * (1.0 + 1e-4 * f64::from(i))).collect()).collect();
        let model = HierarchicalModel::<H>::of(values, Default::default(), TimeUnit::Week, 1).unwrap();
        let features =
            FeatureMatrix::new(model.needs().iter().map(Feature::name).collect(), columns.clone()).unwrap();
        let h = &history();
        let known = Customers::one(h, TimeUnit::Week).unwrap();
        let known = if columns.is_empty() { known } else { known.with_features(&features).unwrap() };
        let own = model.own(&known, 0).unwrap().unwrap();
        let asked = own.purchases().unwrap();
        let expected = asked.expected(h, 0.0, 30.0).unwrap();
        let apart = asked.expected(h, 0.0, 9.0).unwrap() + asked.expected(h, 9.0, 30.0).unwrap();
        assert!((expected - apart).abs() < 1e-9, "{expected} {apart}");
        let chances: Vec<f64> = (0..200).map(|n| asked.probability_of(h, 30.0, n).unwrap()).collect();
        assert!((chances.iter().sum::<f64>() - 1.0).abs() < 1e-9);
        let mean: f64 = chances.iter().enumerate().map(|(n, p)| n as f64 * p).sum();
        assert!((mean - expected).abs() < 1e-7 * mean, "{mean} {expected}");

        let n = 200_000;
        let (mut sum, mut squares, mut none) = (0.0, 0.0, 0.0);
        let mut see = |_: usize, times: &[f64]| {
            let count = times.len() as f64;
            (sum, squares, none) =
                (sum + count, squares + count * count, none + f64::from(u8::from(count == 0.0)));
        };
        let mut rng = ChaCha8Rng::seed_from_u64(8);
        model.draw_times().unwrap().visit_futures(&known, 0, (30.0, n), &mut rng, &mut see).unwrap();
        let n = n as f64;
        let error = ((squares / n - (sum / n).powi(2)) / n).sqrt();
        assert!((sum / n - expected).abs() < 4.5 * error, "{} {expected}", sum / n);
        assert!((none / n - chances[0]).abs() < 4.5 * (chances[0] * (1.0 - chances[0]) / n).sqrt());

        // The model of all says the same; at a beat it is the mean of one future for each population.
        let all = model.predict(&known, &Ask::over(Span::weeks(30.0).unwrap())).unwrap();
        let (alive, now) = (all.p_alive.unwrap()[0], own.activity().unwrap().p_alive(h, 0.0).unwrap());
        assert!((alive - now).abs() < 1e-12, "{alive} {now}");
        let together = all.purchases.unwrap()[0];
        let near = if H::Own::ASKS_GAPS { 4.5 * error * (n / 400.0).sqrt() } else { 1e-9 };
        assert!((together - expected).abs() < near, "{together} {expected}");
        let later = own.activity().unwrap().p_alive(h, 9.0).unwrap();
        assert!(later < now && later > 0.0);
        let weekly = Discount::yearly(0.1).unwrap();
        let discounted = asked.discounted(h, weekly, Some(30.0)).unwrap();
        assert!(0.9 * expected < discounted && discounted < expected);
        assert!(asked.discounted(h, weekly, None).is_err());
        let of_new: f64 = (0..300).map(|n| asked.probability_of_new(30.0, n).unwrap()).sum();
        assert!((of_new - 1.0).abs() < 1e-6, "{of_new}");
    }

    #[test]
    fn forecasts_counts_and_futures_are_of_one_mind() {
        is_of_one_mind::<MaLiu>(&[1.5, 6.0, 0.9, 12.0], Vec::new());
        is_of_one_mind::<super::super::Abe>(&[-1.4, -2.9, 0.6, 0.1, 0.8], Vec::new());
        is_of_one_mind::<ParetoGgg>(&[1.5, 6.0, 0.9, 12.0, 3.0, 1.0], vec![4.0 * f64::ln(5.0)]);
    }

    /// Drawn newcomers, where no formula tells of them, are as the formula of others says.
    #[test]
    fn drawn_newcomers() {
        // With a beat of one for everybody Pareto/GGG is Pareto/NBD.
        let beats = vec![vec![0.8, 9.0, 0.7, 11.0, 1e7, 1e7]; 10];
        let model = HierarchicalModel::<ParetoGgg>::of(beats, Default::default(), TimeUnit::Week, 1).unwrap();
        let h = &history();
        let names = model.needs().iter().map(Feature::name).collect();
        let gaps = FeatureMatrix::new(names, vec![4.0 * f64::ln(5.0)]).unwrap();
        let one = Customers::one(h, TimeUnit::Week).unwrap().with_features(&gaps).unwrap();
        let own = model.own(&one, 0).unwrap().unwrap();
        let pareto = PurchaseModel::new(ParetoNbd::new(0.8, 9.0, 0.7, 11.0).unwrap(), TimeUnit::Week);
        let asked = own.purchases().unwrap();
        let (got, want) = (asked.expected_of_new(52.0).unwrap(), pareto.expected_of_new(52.0).unwrap());
        assert!((got / want - 1.0).abs() < 0.08, "{got} {want}");
        // Asked again, and of another customer, it is the same number.
        let other = model.own(&one, 0).unwrap().unwrap();
        assert_eq!(other.purchases().unwrap().expected_of_new(52.0).unwrap(), got);
        for n in 0..4 {
            let (got, want) =
                (asked.probability_of_new(52.0, n).unwrap(), pareto.probability_of_new(52.0, n).unwrap());
            assert!((got - want).abs() < 4.0 * (want * (1.0 - want) / 4_000.0).sqrt(), "{n}: {got} {want}");
        }
    }

    /// Newcomers of gamma rates are those of Pareto/NBD, and other histories are drawn anew or refused.
    #[test]
    fn newcomers_and_other_histories() {
        let values = vec![vec![0.8, 9.0, 0.7, 11.0]];
        let model = HierarchicalModel::<MaLiu>::of(values, Default::default(), TimeUnit::Week, 1).unwrap();
        let h = &history();
        let one = Customers::one(h, TimeUnit::Week).unwrap();
        let own = model.own(&one, 0).unwrap().unwrap();
        let pareto = crate::ParetoNbd::new(0.8, 9.0, 0.7, 11.0).unwrap();
        let pareto = crate::PurchaseModel::new(pareto, TimeUnit::Week);
        let asked = own.purchases().unwrap();
        let (got, want) = (asked.expected_of_new(52.0).unwrap(), pareto.expected_of_new(52.0).unwrap());
        assert!((got / want - 1.0).abs() < 1e-12, "{got} {want}");
        for n in 0..4 {
            let (got, want) =
                (asked.probability_of_new(52.0, n).unwrap(), pareto.probability_of_new(52.0, n).unwrap());
            assert!((got - want).abs() < 1e-12, "{n}: {got} {want}");
        }
        let other = History::new(1, 3.0, 40.0).unwrap();
        let moved = own.activity().unwrap().p_alive(&other, 0.0).unwrap();
        let known = Customers::one(&other, TimeUnit::Week).unwrap();
        let anew = model.predict(&known, &Ask::over(Span::weeks(1.0).unwrap())).unwrap();
        assert_eq!(moved, anew.p_alive.unwrap()[0]);

        let beats = vec![vec![1.5, 6.0, 0.9, 12.0, 3.0, 2.0]];
        let model = HierarchicalModel::<ParetoGgg>::of(beats, Default::default(), TimeUnit::Week, 1).unwrap();
        let names = model.needs().iter().map(Feature::name).collect();
        let gaps = FeatureMatrix::new(names, vec![4.0 * f64::ln(5.0)]).unwrap();
        let one = one.with_features(&gaps).unwrap();
        let own = model.own(&one, 0).unwrap().unwrap();
        let error = own.activity().unwrap().p_alive(&other, 0.0).unwrap_err().to_string();
        assert!(error.contains("gaps between purchases"), "{error}");
        let week = Ask::over(Span::weeks(1.0).unwrap());
        assert!(own.predict(&known, &week).is_err() && own.predict(&one, &week).is_ok());
        assert!(own.activity().unwrap().p_alive(h, 0.0).is_ok());
    }
}
