//! Which settings forecast best? Trials over rolling origins, on a grid, by chance, or by halving.
//!
//! What is tuned on must not be what is reported: keep the newest holdout out of the search, and judge
//! what the search chose on that.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::backtest::{Backtest, BoxedFit, Scores};
use crate::baselines::MeanOfAll;
use crate::error::{Error, Result};
use crate::model::{Context, Erased, Progress};
use crate::units::Span;

/// What is to be good about a forecast. Each becomes a loss: lower is better, 0 is perfect, and 1 is (but
/// for deciles) as good as forecasting the mean for everybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Objective {
    /// Mean absolute error.
    Mae,
    /// Root mean squared error.
    Rmse,
    /// One less the normalised Gini: the order of customers.
    Gini,
    /// One less Spearman's rank correlation.
    Spearman,
    /// Mean relative error over deciles: what is forecast for each tenth of the customers.
    DecileMape,
    /// The mean of the five.
    #[default]
    Balanced,
}

impl Objective {
    /// What a balanced forecast is to be good at alike.
    pub const PARTS: [Self; 5] = [Self::Mae, Self::Rmse, Self::Gini, Self::Spearman, Self::DecileMape];

    /// The loss, relative to that of the mean. What is undefined (the order of equal forecasts) counts as
    /// no order.
    pub fn loss(self, scores: &Scores, mean: &Scores) -> f64 {
        let ratio = |of: f64, to: f64| if to > 0.0 { of / to } else { 1.0 };
        let order = |of: Option<f64>| 1.0 - of.unwrap_or(0.0);
        match self {
            Self::Mae => ratio(scores.mae, mean.mae),
            Self::Rmse => ratio(scores.rmse, mean.rmse),
            Self::Gini => order(scores.normalized_gini),
            Self::Spearman => order(scores.spearman),
            // Not beside the mean's: all its deciles are the same customers in another order.
            Self::DecileMape => scores.decile_mape.unwrap_or(1.0),
            Self::Balanced => {
                let losses = Self::PARTS.iter().map(|part| part.loss(scores, mean));
                losses.sum::<f64>() / Self::PARTS.len() as f64
            }
        }
    }
}

/// What a setting may be.
#[derive(Clone, Debug, PartialEq)]
pub enum Range {
    /// One of these.
    OneOf(Vec<f64>),
    /// Anything between, evenly.
    Between(f64, f64),
    /// Anything between, evenly on a logarithmic scale; both above 0.
    LogBetween(f64, f64),
    /// A whole number between, both included.
    Whole(u32, u32),
    /// A whole number between, both included, evenly on a logarithmic scale; both above 0.
    LogWhole(u32, u32),
}

impl Range {
    /// The value at a share of the way.
    fn at(&self, share: f64) -> f64 {
        let between = |low: f64, high: f64| low + share * (high - low);
        let log = |low: f64, high: f64| between(low.ln(), high.ln()).exp();
        match self {
            Self::OneOf(values) => values[((share * values.len() as f64) as usize).min(values.len() - 1)],
            Self::Between(low, high) => between(*low, *high),
            Self::LogBetween(low, high) => log(*low, *high),
            // Each number has as much of the way.
            Self::Whole(low, high) => {
                between(f64::from(*low), f64::from(*high) + 1.0).floor().min(f64::from(*high))
            }
            Self::LogWhole(low, high) => log(f64::from(*low), f64::from(*high)).round(),
        }
    }

    fn grid(&self, per: usize) -> Vec<f64> {
        let mut values: Vec<f64> = match self {
            Self::OneOf(values) => values.clone(),
            _ if per == 1 => vec![self.at(0.5)],
            _ => (0..per).map(|i| self.at(i as f64 / (per - 1) as f64)).collect(),
        };
        values.dedup();
        values
    }

    fn check(&self, name: &'static str) -> Result<()> {
        let (given, fits) = match self {
            Self::OneOf(values) => {
                (values.len() as f64, !values.is_empty() && values.iter().all(|v| v.is_finite()))
            }
            Self::Between(low, high) => (*low, low.is_finite() && high.is_finite() && low <= high),
            Self::LogBetween(low, high) => (*low, *low > 0.0 && high.is_finite() && low <= high),
            Self::Whole(low, high) => (f64::from(*low), low <= high),
            Self::LogWhole(low, high) => (f64::from(*low), *low > 0 && low <= high),
        };
        if fits {
            Ok(())
        } else {
            Err(Error::Setting { name, given, allowed: "a range from low to high, above 0 if logarithmic" })
        }
    }
}

/// Settings by name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Point(BTreeMap<String, f64>);

impl Point {
    /// A setting.
    ///
    /// # Errors
    ///
    /// [`Error::Unreadable`] if the point does not have it.
    pub fn get(&self, name: &str) -> Result<f64> {
        let allowed = "a setting of the space that was searched";
        let missing = || Error::Unreadable { what: "setting", given: name.to_owned(), allowed };
        self.0.get(name).copied().ok_or_else(missing)
    }

    /// A setting that is a count.
    ///
    /// # Errors
    ///
    /// As [`Point::get`].
    pub fn count(&self, name: &str) -> Result<usize> {
        Ok(self.get(name)?.round().max(0.0) as usize)
    }

    /// Names and values, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, f64)> {
        self.0.iter().map(|(name, value)| (name.as_str(), *value))
    }
}

/// From settings by name to settings, for a horizon.
pub type Build = Box<dyn Fn(&Point, Span) -> Result<BoxedFit> + Send + Sync>;

/// Models that differ in settings.
pub struct Family {
    name: String,
    space: Vec<(&'static str, Range)>,
    build: Build,
}

impl std::fmt::Debug for Family {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Family").field("name", &self.name).field("space", &self.space).finish_non_exhaustive()
    }
}

impl Family {
    /// A family with its space; an empty one has one point.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] for an empty range.
    pub fn new(name: &str, space: Vec<(&'static str, Range)>, build: Build) -> Result<Self> {
        space.iter().try_for_each(|(name, range)| range.check(name))?;
        Ok(Self { name: name.to_owned(), space, build })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Settings at a point.
    ///
    /// # Errors
    ///
    /// As the family's own.
    pub fn settings(&self, point: &Point, horizon: Span) -> Result<BoxedFit> {
        (self.build)(point, horizon)
    }

    fn draw(&self, rng: &mut ChaCha8Rng) -> Point {
        Point(self.space.iter().map(|(name, range)| ((*name).to_owned(), range.at(rng.random()))).collect())
    }

    fn grid(&self, per: usize) -> Vec<Point> {
        let mut points = vec![Point::default()];
        for (name, range) in &self.space {
            let with = |point: &Point, value: f64| {
                let mut point = point.clone();
                point.0.insert((*name).to_owned(), value);
                point
            };
            let values = range.grid(per);
            points =
                points.iter().flat_map(|p| values.iter().map(|v| with(p, *v)).collect::<Vec<_>>()).collect();
        }
        points
    }
}

/// Which points are tried.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum How {
    /// All points of a grid with so many values a setting, on every origin.
    Grid(usize),
    /// So many points in each family drawn by the seed, on every origin (Bergstra and Bengio 2012). A
    /// family without settings has one.
    Random(usize),
    /// So many points in each family drawn by the seed, all on the newest origin, the better third of
    /// them on the next one as well, and so on (successive halving: Jamieson and Talwalkar 2016).
    Halving(usize),
}

/// One point, tried.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// Of which family.
    pub family: String,
    /// Its settings.
    pub point: Point,
    /// Of which search: what is looked for, on which origins of which log, with which seed.
    pub search: String,
    /// Its loss on each origin on which it was tried, the newest first.
    pub losses: Vec<f64>,
    /// Why it could not be fitted, if so; it then has no loss on the origin where that was.
    pub failure: Option<String>,
}

impl Trial {
    /// Mean loss over the origins tried; infinite if it failed.
    pub fn loss(&self) -> f64 {
        if self.failure.is_some() || self.losses.is_empty() {
            return f64::INFINITY;
        }
        self.losses.iter().sum::<f64>() / self.losses.len() as f64
    }
}

/// A search over families.
///
/// The same origins, families, plan and seed give the same trials on any number of threads
/// ([`Context::threads`]). Told to stop, it returns what is done; given that again, it goes on from there.
#[derive(Debug)]
pub struct Search<'a> {
    origins: &'a [Backtest<'a>],
    objective: Objective,
    means: Vec<Scores>,
    /// What a loss hangs on beside settings, objective and seed.
    about: String,
}

impl<'a> Search<'a> {
    /// Over these origins, the newest first, such as [`Backtest::rolling`] gives. It looks at value if the
    /// log has amounts, at purchases otherwise.
    ///
    /// # Errors
    ///
    /// [`Error::TooLittleData`] without origins; as [`Source::names`](crate::features::Source::names).
    pub fn new(origins: &'a [Backtest<'a>], objective: Objective) -> Result<Self> {
        if origins.is_empty() {
            return Err(Error::TooLittleData { model: "a search", needs: "at least one origin", found: 0 });
        }
        let mean = |origin: &Backtest<'_>| {
            let mean: BoxedFit = Box::new(Erased(MeanOfAll { horizon: origin.split().horizon() }));
            scores(origin, &mean, &Context::default())
        };
        let means: Vec<Scores> = origins.iter().map(mean).collect::<Result<_>>()?;
        let about: Vec<String> = origins.iter().zip(&means).map(about).collect::<Result<_>>()?;
        Ok(Self { origins, objective, means, about: about.join("; ") })
    }

    /// The loss of settings on an origin.
    ///
    /// # Errors
    ///
    /// As the fit.
    pub fn loss(&self, family: &Family, point: &Point, origin: usize, cx: &Context<'_>) -> Result<f64> {
        let settings = family.settings(point, self.origins[origin].split().horizon())?;
        let scores = scores(&self.origins[origin], &settings, cx)?;
        Ok(self.objective.loss(&scores, &self.means[origin]))
    }

    /// Tries. Trials in `known` are not tried again; those of another search are not looked at.
    ///
    /// # Errors
    ///
    /// Only what is no fault of a point; a fit that fails is told in its trial.
    pub fn run(
        &self,
        families: &[Family],
        how: How,
        known: &[Trial],
        cx: &Context<'_>,
    ) -> Result<Vec<Trial>> {
        let search = format!("{:?}, seed {}, {}", self.objective, cx.seed_value(), self.about);
        let mut all = Vec::new();
        for (place, family) in families.iter().enumerate() {
            let mut trials: Vec<Trial> = self
                .points(family, place, how, cx)
                .map(|point| begun(&search, family, point, known))
                .collect();
            let mut alive: Vec<usize> = (0..trials.len()).collect();
            for origin in 0..self.origins.len() {
                self.try_all(family, &mut trials, &alive, origin, cx);
                if matches!(how, How::Halving(_)) {
                    alive.retain(|&t| trials[t].losses.len() > origin);
                    // By the origins so far, as a trial that was known may have been on more.
                    let loss = |t: usize| trials[t].losses[..=origin].iter().sum::<f64>();
                    alive.sort_by(|&a, &b| loss(a).total_cmp(&loss(b)));
                    alive.truncate(alive.len().div_ceil(3));
                }
            }
            all.extend(trials.into_iter().filter(|t| !t.losses.is_empty() || t.failure.is_some()));
            cx.report(Progress::Model { number: place + 1, of: families.len() });
        }
        Ok(all)
    }

    fn points(
        &self,
        family: &Family,
        place: usize,
        how: How,
        cx: &Context<'_>,
    ) -> impl Iterator<Item = Point> {
        // Each family draws from a stream of its own, so that one more changes nothing of the others.
        let mut rng = ChaCha8Rng::seed_from_u64(cx.seed_value());
        rng.set_stream(place as u64 + 1);
        let points = match how {
            _ if family.space.is_empty() => vec![Point::default()],
            How::Grid(per) => family.grid(per.max(1)),
            How::Random(count) | How::Halving(count) => (0..count).map(|_| family.draw(&mut rng)).collect(),
        };
        let mut unlike: Vec<Point> = Vec::with_capacity(points.len());
        for point in points {
            if !unlike.contains(&point) {
                unlike.push(point);
            }
        }
        unlike.into_iter()
    }

    /// Tries those of the trials that are alive and have not been tried on an origin.
    fn try_all(
        &self,
        family: &Family,
        trials: &mut [Trial],
        alive: &[usize],
        origin: usize,
        cx: &Context<'_>,
    ) {
        let due: Vec<usize> = alive
            .iter()
            .copied()
            .filter(|&t| trials[t].losses.len() == origin && trials[t].failure.is_none())
            .collect();
        let results: Mutex<Vec<(usize, Result<f64>)>> = Mutex::new(Vec::new());
        let next = AtomicUsize::new(0);
        // Each fit has one thread: there are more fits than threads.
        let alone = cx.threads(std::num::NonZeroUsize::MIN);
        let work = || {
            while let Some(&trial) = due.get(next.fetch_add(1, Ordering::Relaxed)) {
                if cx.stopped() {
                    return;
                }
                let loss = self.loss(family, &trials[trial].point, origin, &alone);
                results.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push((trial, loss));
            }
        };
        let threads = cx.thread_count().min(due.len());
        if threads <= 1 {
            work();
        } else {
            std::thread::scope(|scope| {
                for _ in 0..threads {
                    scope.spawn(work);
                }
            });
        }
        for (trial, loss) in results.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner) {
            match loss {
                Ok(loss) => trials[trial].losses.push(loss),
                Err(Error::Stopped) => {}
                Err(error) => trials[trial].failure = Some(error.to_string()),
            }
        }
    }
}

/// The best trial of each family, the least loss first; those that failed are left out. Within a family
/// trials on more origins go before those on fewer, as one origin may have been kind.
pub fn best(trials: &[Trial]) -> Vec<&Trial> {
    let mut best: Vec<&Trial> = Vec::new();
    let better = |a: &Trial, b: &Trial| (b.losses.len(), a.loss()) < (a.losses.len(), b.loss());
    for trial in trials.iter().filter(|t| t.loss().is_finite()) {
        match best.iter_mut().find(|b| b.family == trial.family) {
            None => best.push(trial),
            Some(known) if better(trial, known) => *known = trial,
            Some(_) => {}
        }
    }
    best.sort_by(|a, b| a.loss().total_cmp(&b.loss()));
    best
}

/// What a loss on an origin hangs on, what the source says included.
fn about((origin, mean): (&Backtest<'_>, &Scores)) -> Result<String> {
    let split = origin.split();
    let names = origin.source().names(split.train)?;
    let beyond = if names.is_empty() {
        String::new()
    } else {
        let training = origin.training()?;
        let mut hash = crc32fast::Hasher::new();
        hash.update(names.join("\n").as_bytes());
        // What is forecast with, and what is learned from.
        for cut in [split.train, split.train.minus(split.horizon())] {
            let told = origin.source().columns(&names, cut, &training.summary().customer)?;
            told.as_slice().iter().for_each(|cell| hash.update(&cell.to_le_bytes()));
        }
        format!(" and columns {:08x}", hash.finalize())
    };
    Ok(format!(
        "{} to {}: {} customers, {} of {}{beyond}",
        split.train.last_day(),
        split.holdout.last_day(),
        origin.actual_purchases().len(),
        origin.actual_purchases().iter().sum::<f64>(),
        mean.total_actual
    ))
}

/// A trial as it was known, or a new one.
fn begun(search: &str, family: &Family, point: Point, known: &[Trial]) -> Trial {
    let same = known.iter().find(|t| t.family == family.name && t.point == point && t.search == search);
    same.cloned().unwrap_or_else(|| Trial {
        family: family.name.clone(),
        point,
        search: search.to_owned(),
        losses: Vec::new(),
        failure: None,
    })
}

/// Scores of value if there are amounts, of purchases otherwise. Of all customers: what a model leaves
/// undefined counts as nothing, or it would be rewarded for leaving out the hard ones.
fn scores(origin: &Backtest<'_>, settings: &BoxedFit, cx: &Context<'_>) -> Result<Scores> {
    let said = origin.forecast(settings, cx)?;
    let Some(actual) = origin.actual_value() else {
        return Scores::of(origin.actual_purchases(), &said.purchases);
    };
    let hint = "; join it with a spend model";
    let alone = Error::CannotSay { model: "a model of purchases alone", quantity: "value", hint };
    let value: Vec<f64> = said.value.ok_or(alone)?.into_iter().map(|v| v.unwrap_or(0.0)).collect();
    Scores::of(actual, &value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::baselines::{LastPeriod, RfmCellMean};
    use crate::cut::Cut;
    use crate::units::{Grain, Moment, TimeUnit};
    use crate::{LogBuilder, Transaction};

    /// A year of customers who buy every so many days, half of whom stop in summer.
    fn origins() -> Vec<Backtest<'static>> {
        let mut log = LogBuilder::new();
        let start = Moment::parse_date("2024-01-01").unwrap();
        for customer in 0..60_u32 {
            let (every, name) = (5 + customer % 20, format!("c{customer}"));
            let until = if customer % 2 == 0 { 365 } else { 180 };
            for day in (customer % 9..until).step_by(every as usize) {
                let when = start.plus_days(f64::from(day));
                log.push(Transaction::new(&name, when).amount(f64::from(1 + customer % 7)).unwrap()).unwrap();
            }
        }
        let end = Cut::end_of(Moment::parse_date("2024-12-30").unwrap(), Grain::Day);
        Backtest::rolling(&log.finish(), end, Span::weeks(8.0).unwrap(), 3, TimeUnit::Week).unwrap()
    }

    fn families() -> Vec<Family> {
        let cells: Build = Box::new(|point, horizon| {
            Ok(Box::new(Erased(RfmCellMean { horizon, bins: point.count("bins")? })))
        });
        let last: Build = Box::new(|_, horizon| Ok(Box::new(Erased(LastPeriod { horizon }))));
        vec![
            Family::new("cells", vec![("bins", Range::Whole(1, 6))], cells).unwrap(),
            Family::new("last", Vec::new(), last).unwrap(),
        ]
    }

    #[test]
    fn trials_are_the_same_on_two_threads_and_go_on_where_they_stopped() {
        let origins = origins();
        assert_eq!(origins.len(), 3);
        assert!(origins[0].split().train.last() > origins[1].split().train.last());
        let search = Search::new(&origins, Objective::Balanced).unwrap();
        let cx = Context::default().seed(3);
        for how in [How::Grid(6), How::Random(5), How::Halving(6)] {
            let trials = search.run(&families(), how, &[], &cx).unwrap();
            let two = std::num::NonZeroUsize::new(2).unwrap();
            assert_eq!(search.run(&families(), how, &[], &cx.threads(two)).unwrap(), trials);
            assert_eq!(search.run(&families(), how, &trials[..2], &cx).unwrap(), trials);
            // Told to stop after some trials, and given them again.
            let asked = AtomicUsize::new(0);
            let stop = || asked.fetch_add(1, Ordering::Relaxed) > 3;
            let some = search.run(&families(), how, &[], &cx.stop(&stop)).unwrap();
            assert!(some.len() < trials.len() || some != trials);
            assert_eq!(search.run(&families(), how, &some, &cx).unwrap(), trials);
            let best = best(&trials);
            assert_eq!(best.len(), 2);
            assert!(best[0].loss() <= best[1].loss() && best[0].loss() < 1.0, "{best:?}");
        }
        let halved = search.run(&families(), How::Halving(6), &[], &cx).unwrap();
        let tried: Vec<usize> = halved.iter().map(|t| t.losses.len()).collect();
        assert_eq!((tried.iter().filter(|n| **n == 3).count(), tried.last()), (2, Some(&3)), "{tried:?}");
    }

    #[test]
    fn a_fit_that_fails_is_told_and_ends_nothing() {
        let origins = origins();
        let search = Search::new(&origins, Objective::Mae).unwrap();
        let broken: Build = Box::new(|point, _| Err(point.get("width").unwrap_err()));
        let mut all = families();
        all.push(Family::new("broken", Vec::new(), broken).unwrap());
        let trials = search.run(&all, How::Random(2), &[], &Context::default()).unwrap();
        assert!(trials.last().unwrap().failure.as_ref().unwrap().contains("width"));
        assert_eq!(best(&trials).len(), 2);
        assert!(
            Family::new("x", vec![("a", Range::LogBetween(0.0, 1.0))], Box::new(|_, _| unreachable!()))
                .is_err()
        );
        assert!(Search::new(&[], Objective::Mae).is_err());
    }

    #[test]
    fn the_mean_has_a_loss_of_one_and_the_perfect_forecast_of_none() {
        let actual = [0.0, 1.0, 2.0, 3.0, 4.0, 8.0, 0.0, 1.0, 5.0, 2.0];
        let mean = Scores::of(&actual, &[2.6; 10]).unwrap();
        let exact = Scores::of(&actual, &actual).unwrap();
        for objective in [Objective::Mae, Objective::Rmse, Objective::Gini, Objective::Spearman] {
            assert!((objective.loss(&mean, &mean) - 1.0).abs() < 1e-12, "{objective:?}");
            assert!(objective.loss(&exact, &mean).abs() < 1e-12, "{objective:?}");
        }
        assert!(Objective::Balanced.loss(&mean, &mean) > 0.79);
    }
}
