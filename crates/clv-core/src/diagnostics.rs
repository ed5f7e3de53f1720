//! What to look at before a model is believed: series and tables, ready to plot.
//!
//! | question | answer |
//! | :-- | :-- |
//! | Do purchases come when a model says? | [`tracking`], for several models side by side; [`tracking_of_each`] with columns or cohorts |
//! | Do as many customers buy so often? | [`frequencies`], [`frequencies_of_each`] |
//! | Are forecasts right for those who bought often, or lately? | [`by_frequency`], [`by_recency`], [`by_both`] |
//! | What does a model say of whom? | [`grid`], [`dert`], [`path`] |
//! | Do as many come back as are said to? | [`active`] |
//! | How do customers buy? | [`gaps`], [`timing`] |
//! | Whom does it not understand? | [`worst`] |
//!
//! Deciles and other scores are in [`metrics`](crate::metrics); contours of a likelihood, heterogeneity and densities of spend are with the models.

mod active;
mod grid;
mod own;

use std::collections::BTreeMap;

use crate::cut::Cut;
use crate::error::{Error, Result};
use crate::model::{Activity, History, PurchaseForecast};
use crate::summary::{Purchases, Summary};
use crate::units::{Moment, Span, TimeUnit};

pub use self::active::active;
pub use self::grid::{DertCell, GridCell, dert, grid};
pub use self::own::{frequencies_of_each, tracking_of_each};

/// Repeat purchases of a period, and as many as models expected.
#[derive(Clone, Debug, PartialEq)]
pub struct Tracked {
    /// The end of the period, inclusive.
    pub until: Moment,
    /// Repeat purchases within it.
    pub actual: f64,
    /// What each of the models expected.
    pub expected: Vec<f64>,
    /// Since the beginning.
    pub actual_so_far: f64,
    /// The same of the models.
    pub expected_so_far: Vec<f64>,
}

/// Repeat purchases, period by period from the first purchase of all until a cut, of the customers of a summary as they join: beyond the
/// summary's own cut this is a forecast. What is expected is unconditional, of a new customer at the age that they have by then.
///
/// Fader, Hardie & Lee (2005), figure 4 and its neighbours.
///
/// # Errors
///
/// [`Error::Setting`] for a period of no length; as [`PurchaseForecast::expected_of_new`].
pub fn tracking(
    purchases: &Purchases,
    summary: &Summary,
    until: Cut,
    period: Span,
    models: &[&dyn PurchaseForecast],
) -> Result<Vec<Tracked>> {
    // How many joined when.
    let mut joined: BTreeMap<Moment, f64> = BTreeMap::new();
    summary.first.iter().for_each(|&first| *joined.entry(first).or_default() += 1.0);
    series(purchases, summary, until, period, |end| {
        let mut now = vec![0.0; models.len()];
        for (&first, customers) in joined.range(..=end) {
            let age = end.days_since(first) / summary.unit.days();
            for (sum, model) in now.iter_mut().zip(models) {
                *sum += customers * model.expected_of_new(age)?;
            }
        }
        Ok(now)
    })
}

/// Of what models expect up to the end of each period.
fn series(
    purchases: &Purchases,
    summary: &Summary,
    until: Cut,
    period: Span,
    expected_by: impl Fn(Moment) -> Result<Vec<f64>>,
) -> Result<Vec<Tracked>> {
    let days = period.in_days();
    if days <= 0.0 {
        return Err(Error::Setting { name: "period", given: days, allowed: "above 0 days" });
    }
    let Some(&start) = summary.first.iter().min() else { return Ok(Vec::new()) };
    let last = until.last();
    let mut times: Vec<Moment> = Vec::new();
    for &customer in &summary.customer {
        let when = purchases.when(customer);
        let known = when.partition_point(|&m| m <= last);
        times.extend(when[..known].iter().skip(1));
    }
    times.sort_unstable();
    let (mut series, mut counted) = (Vec::new(), 0);
    let mut before: Vec<f64> = Vec::new();
    for number in 1.. {
        // The last period ends with the grain of the cut.
        let end = start.plus_days(days * f64::from(number)).min(until.grain().floor(last));
        let all = times.partition_point(|&m| m <= end);
        let now = expected_by(end)?;
        before.resize(now.len(), 0.0);
        series.push(Tracked {
            until: end,
            actual: (all - counted) as f64,
            expected: now.iter().zip(&before).map(|(now, before)| now - before).collect(),
            actual_so_far: all as f64,
            expected_so_far: now.clone(),
        });
        (counted, before) = (all, now);
        if end >= until.grain().floor(last) {
            break;
        }
    }
    Ok(series)
}

/// Customers with a number of repeat purchases.
#[derive(Clone, Debug, PartialEq)]
pub struct Frequency {
    /// How many; of the last entry so many or more.
    pub purchases: u32,
    /// Customers who made them.
    pub customers: f64,
    /// As many as each of the models expected.
    pub expected: Vec<f64>,
}

/// How many customers made 0, 1, … and `most` or more repeat purchases, and how many should have, each in the time they were observed.
///
/// # Errors
///
/// As [`PurchaseForecast::probability_of_new`].
pub fn frequencies(summary: &Summary, most: u32, models: &[&dyn PurchaseForecast]) -> Result<Vec<Frequency>> {
    let mut table = counts(summary, most, models.len());
    // Equal ages have equal distributions.
    let mut ages: BTreeMap<u64, f64> = BTreeMap::new();
    summary.age.iter().for_each(|age| *ages.entry(age.to_bits()).or_default() += 1.0);
    for (age, customers) in ages {
        let age = f64::from_bits(age);
        for (place, model) in models.iter().enumerate() {
            expect(&mut table, place, customers, |count| model.probability_of_new(age, count))?;
        }
    }
    Ok(table)
}

/// How many made how many, with nothing expected yet of so many models.
fn counts(summary: &Summary, most: u32, models: usize) -> Vec<Frequency> {
    let none = |purchases| Frequency { purchases, customers: 0.0, expected: vec![0.0; models] };
    let mut table: Vec<Frequency> = (0..=most).map(none).collect();
    summary.frequency.iter().for_each(|&x| table[x.min(most) as usize].customers += 1.0);
    table
}

/// Adds what a model expects of so many customers who are alike.
fn expect(
    table: &mut [Frequency],
    place: usize,
    customers: f64,
    probability: impl Fn(u32) -> Result<f64>,
) -> Result<()> {
    let Some((last, counted)) = table.split_last_mut() else { return Ok(()) };
    let mut rest = 1.0;
    for row in counted {
        let probability = probability(row.purchases)?;
        row.expected[place] += customers * probability;
        rest -= probability;
    }
    last.expected[place] += customers * rest.max(0.0);
    Ok(())
}

/// Customers who are alike in something, what they did on average, and what was forecast for them.
#[derive(Clone, Debug, PartialEq)]
pub struct Alike<K> {
    /// In what.
    pub key: K,
    /// How many.
    pub customers: usize,
    /// Mean of what came.
    pub actual: f64,
    /// Mean of each of the forecasts.
    pub expected: Vec<f64>,
}

fn alike<K: Ord>(
    keys: impl Iterator<Item = K>,
    actual: &[f64],
    forecasts: &[&[f64]],
) -> Result<Vec<Alike<K>>> {
    let expected = actual.len();
    if let Some(other) = forecasts.iter().find(|f| f.len() != expected) {
        return Err(Error::Length { column: "forecast", given: other.len(), expected });
    }
    let mut groups: BTreeMap<K, Vec<usize>> = BTreeMap::new();
    let mut rows = 0;
    for (row, key) in keys.enumerate() {
        groups.entry(key).or_default().push(row);
        rows += 1;
    }
    if rows != expected {
        return Err(Error::Length { column: "actual", given: expected, expected: rows });
    }
    let mean = |of: &[f64], rows: &[usize]| rows.iter().map(|&r| of[r]).sum::<f64>() / rows.len() as f64;
    let one = |(key, rows): (K, Vec<usize>)| Alike {
        key,
        customers: rows.len(),
        actual: mean(actual, &rows),
        expected: forecasts.iter().map(|f| mean(f, &rows)).collect(),
    };
    Ok(groups.into_iter().map(one).collect())
}

/// Purchases of the holdout by those before it: 0, 1, … and `most` or more.
///
/// # Errors
///
/// [`Error::Length`].
pub fn by_frequency(
    summary: &Summary,
    most: u32,
    actual: &[f64],
    forecasts: &[&[f64]],
) -> Result<Vec<Alike<u32>>> {
    alike(summary.frequency.iter().map(|&x| x.min(most)), actual, forecasts)
}

/// The same by when the last purchase was, in steps of a width in the summary's unit; the key counts them.
///
/// # Errors
///
/// [`Error::Setting`] for a width that is not above 0; [`Error::Length`].
pub fn by_recency(
    summary: &Summary,
    width: f64,
    actual: &[f64],
    forecasts: &[&[f64]],
) -> Result<Vec<Alike<u32>>> {
    let width = crate::setting::above_zero("width", width)?;
    alike(summary.recency.iter().map(|t| (t / width) as u32), actual, forecasts)
}

/// The same by both.
///
/// # Errors
///
/// As [`by_recency`].
pub fn by_both(
    summary: &Summary,
    most: u32,
    width: f64,
    actual: &[f64],
    forecasts: &[&[f64]],
) -> Result<Vec<Alike<(u32, u32)>>> {
    let width = crate::setting::above_zero("width", width)?;
    let key = |(x, t): (&u32, &f64)| ((*x).min(most), (t / width) as u32);
    alike(summary.frequency.iter().zip(&summary.recency).map(key), actual, forecasts)
}

/// P(alive) of one customer over time, from the first purchase to a cut, in steps and at each purchase.
///
/// # Errors
///
/// [`Error::Setting`] for a step of no length; as the model.
pub fn path(
    purchases: &Purchases,
    customer: u32,
    until: Cut,
    unit: TimeUnit,
    step: Span,
    model: &dyn Activity,
) -> Result<Vec<(Moment, f64)>> {
    if step.in_days() <= 0.0 {
        return Err(Error::Setting { name: "step", given: step.in_days(), allowed: "above 0 days" });
    }
    let (when, end) = (purchases.when(customer), until.grain().floor(until.last()));
    let when = &when[..when.partition_point(|&m| m <= end)];
    let Some(&first) = when.first() else { return Ok(Vec::new()) };
    let steps = (1..).map(|number| first.plus_days(step.in_days() * f64::from(number)));
    let mut moments: Vec<Moment> = steps.take_while(|&m| m < end).chain(when.iter().copied()).collect();
    moments.push(end);
    moments.sort_unstable();
    moments.dedup();
    let in_units = |m: Moment| m.days_since(first) / unit.days();
    let one = |now: Moment| {
        let known = when.partition_point(|&m| m <= now);
        let history = History::new(known as u32 - 1, in_units(when[known - 1]), in_units(now))?;
        Ok((now, model.p_alive(&history, 0.0)?))
    };
    moments.into_iter().map(one).collect()
}

/// The times between purchases up to the summary's cut, customer by customer in its order and unit; none for those who bought once.
pub fn gaps(purchases: &Purchases, summary: &Summary) -> Vec<Vec<f64>> {
    let of = |times: Vec<f64>| times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    timing(purchases, summary).into_iter().map(of).collect()
}

/// When customers bought, from their first purchase on: 0 and the times of the repeats, in the summary's order and unit.
pub fn timing(purchases: &Purchases, summary: &Summary) -> Vec<Vec<f64>> {
    let unit = summary.unit.days();
    let of = |&customer: &u32| {
        let when = purchases.when(customer);
        let known = &when[..when.partition_point(|&m| m <= summary.cut.last())];
        known.iter().map(|m| m.days_since(known[0]) / unit).collect()
    };
    summary.customer.iter().map(of).collect()
}

/// The rows that a forecast fits worst, worst first: by Poisson's deviance `2 (a ln(a/f) − a + f)`, under which two purchases instead
/// of one are no surprise and two instead of none are.
///
/// # Errors
///
/// [`Error::Length`]; [`Error::Setting`] for a forecast that is negative or not finite.
pub fn worst(actual: &[f64], forecast: &[f64], count: usize) -> Result<Vec<(usize, f64)>> {
    let expected = actual.len();
    if forecast.len() != expected {
        return Err(Error::Length { column: "forecast", given: forecast.len(), expected });
    }
    let one = |(row, (&a, &f)): (usize, (&f64, &f64))| {
        if !(f.is_finite() && f >= 0.0 && a.is_finite() && a >= 0.0) {
            let given = if f.is_finite() && f >= 0.0 { a } else { f };
            return Err(Error::Cell {
                row,
                column: "purchases".into(),
                given,
                allowed: "finite, at least 0",
            });
        }
        let gain = if a > 0.0 { a * (a / f).ln() } else { 0.0 };
        Ok((row, 2.0 * (gain - a + f)))
    };
    let mut all: Vec<(usize, f64)> =
        actual.iter().zip(forecast).enumerate().map(one).collect::<Result<_>>()?;
    all.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    all.truncate(count);
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Discount, Grain, LogBuilder, Transaction, TransactionLog};

    /// Half a purchase a week for ever, told by Poisson; alive for `e^{−silence/10}`.
    #[derive(Debug)]
    pub(super) struct Steady;

    impl Activity for Steady {
        fn p_alive(&self, history: &History, later: f64) -> Result<f64> {
            Ok((-(history.age - history.recency + later) / 10.0).exp())
        }
    }

    impl PurchaseForecast for Steady {
        fn expected(&self, _history: &History, from: f64, to: f64) -> Result<f64> {
            Ok(0.5 * (to - from))
        }

        fn probability_of(&self, _history: &History, t: f64, count: u32) -> Result<f64> {
            self.probability_of_new(t, count)
        }

        fn expected_of_new(&self, t: f64) -> Result<f64> {
            Ok(0.5 * t)
        }

        fn probability_of_new(&self, t: f64, count: u32) -> Result<f64> {
            let mean = 0.5 * t;
            Ok((1..=count).map(f64::from).fold((-mean).exp(), |p, i| p * mean / i))
        }

        fn discounted(&self, history: &History, discount: Discount, horizon: Option<f64>) -> Result<f64> {
            let delta = discount.rate_per(TimeUnit::Week);
            let all = 0.5 / delta * self.p_alive(history, 0.0)?;
            Ok(all * horizon.map_or(1.0, |t| -(-delta * t).exp_m1()))
        }
    }

    pub(super) fn cut(day: &str) -> Cut {
        Cut::end_of(Moment::parse_date(day).unwrap(), Grain::Day)
    }

    /// Ada on the 1st, 8th and 22nd of January, Bob on the 8th and the 29th, Eve on the 20th; weeks end on the 8th, 15th, …
    pub(super) fn log() -> TransactionLog {
        let mut log = LogBuilder::new();
        for (name, day) in [("ada", 1), ("ada", 8), ("ada", 22), ("bob", 8), ("bob", 29), ("eve", 20)] {
            log.push(Transaction::new(name, Moment::parse_date(&format!("2024-01-{day:02}")).unwrap()))
                .unwrap();
        }
        log.finish()
    }

    #[test]
    fn tracked_by_hand() {
        let purchases = Purchases::of(&log(), Grain::Day).unwrap();
        let summary = purchases.summary(cut("2024-01-10"), TimeUnit::Week, Default::default()).unwrap();
        assert_eq!(summary.len(), 2, "Eve comes later");
        let week = Span::weeks(1.0).unwrap();
        let series = tracking(&purchases, &summary, cut("2024-01-31"), week, &[&Steady, &Steady]).unwrap();
        let actual: Vec<f64> = series.iter().map(|t| t.actual).collect();
        assert_eq!(actual, [1.0, 0.0, 1.0, 1.0, 0.0]);
        // Ada from the 1st, Bob from the 8th; the last period has two days.
        let expected: Vec<f64> = series.iter().map(|t| t.expected[1]).collect();
        for (got, want) in expected.iter().zip([0.5, 1.0, 1.0, 1.0, 2.0 / 7.0]) {
            assert!((got - want).abs() < 1e-12, "{expected:?}");
        }
        let last = &series[4];
        assert_eq!((last.until.date().to_string(), last.actual_so_far), ("2024-01-31".to_owned(), 3.0));
        assert!((last.expected_so_far[0] - 0.5 * (30.0 + 23.0) / 7.0).abs() < 1e-12);
        assert!(tracking(&purchases, &summary, cut("2024-01-31"), Span::days(0.0).unwrap(), &[]).is_err());
    }

    #[test]
    fn frequencies_by_hand() {
        let purchases = Purchases::of(&log(), Grain::Day).unwrap();
        let summary = purchases.summary(cut("2024-01-29"), TimeUnit::Week, Default::default()).unwrap();
        let table = frequencies(&summary, 2, &[&Steady]).unwrap();
        assert_eq!(table.iter().map(|f| f.customers).collect::<Vec<_>>(), [1.0, 1.0, 1.0]);
        let of = |weeks: f64, x: u32| Steady.probability_of_new(weeks, x).unwrap();
        let ages = [4.0, 3.0, 9.0 / 7.0];
        let none: f64 = ages.iter().map(|&a| of(a, 0)).sum();
        let one: f64 = ages.iter().map(|&a| of(a, 1)).sum();
        for (row, want) in table.iter().zip([none, one, 3.0 - none - one]) {
            assert!((row.expected[0] - want).abs() < 1e-12, "{table:?}");
        }
    }

    #[test]
    fn groups_by_hand() {
        let purchases = Purchases::of(&log(), Grain::Day).unwrap();
        let summary = purchases.summary(cut("2024-01-29"), TimeUnit::Week, Default::default()).unwrap();
        let (actual, forecast) = ([4.0, 2.0, 0.0], [3.0, 1.0, 1.0]);
        let groups = by_frequency(&summary, 1, &actual, &[&forecast]).unwrap();
        assert_eq!(groups.len(), 2);
        let often = Alike { key: 1, customers: 2, actual: 3.0, expected: vec![2.0] };
        assert_eq!(groups[1], often);
        // Both Ada's and Bob's last repeat came three weeks after their first purchase.
        let groups = by_recency(&summary, 2.0, &actual, &[&forecast]).unwrap();
        assert_eq!(groups.iter().map(|g| (g.key, g.customers)).collect::<Vec<_>>(), [(0, 1), (1, 2)]);
        let groups = by_both(&summary, 5, 2.0, &actual, &[]).unwrap();
        let keys: Vec<(u32, u32)> = groups.iter().map(|g| g.key).collect();
        assert_eq!(keys, [(0, 0), (1, 1), (2, 1)]);
        assert!(by_frequency(&summary, 1, &actual[..2], &[]).is_err());
        assert!(by_recency(&summary, 0.0, &actual, &[]).is_err());
    }

    #[test]
    fn paths_and_gaps_by_hand() {
        let purchases = Purchases::of(&log(), Grain::Day).unwrap();
        let two_weeks = Span::weeks(2.0).unwrap();
        let found = path(&purchases, 0, cut("2024-01-29"), TimeUnit::Week, two_weeks, &Steady).unwrap();
        let days: Vec<String> = found.iter().map(|(m, _)| m.date().to_string()).collect();
        assert_eq!(days, ["2024-01-01", "2024-01-08", "2024-01-15", "2024-01-22", "2024-01-29"]);
        let alive: Vec<f64> = found.iter().map(|p| p.1).collect();
        for (got, silence) in alive.iter().zip([0.0, 0.0, 1.0, 0.0, 1.0]) {
            assert!((got - f64::exp(-silence / 10.0)).abs() < 1e-12, "{alive:?}");
        }
        let summary = purchases.summary(cut("2024-01-29"), TimeUnit::Week, Default::default()).unwrap();
        assert_eq!(gaps(&purchases, &summary), [vec![1.0, 2.0], vec![3.0], vec![]]);
        assert_eq!(timing(&purchases, &summary)[0], [0.0, 1.0, 3.0]);
    }

    #[test]
    fn the_worst_are_those_of_most_surprise() {
        let found = worst(&[2.0, 2.0, 0.0], &[1.0, 0.1, 0.5], 2).unwrap();
        assert_eq!(found.iter().map(|w| w.0).collect::<Vec<_>>(), [1, 2]);
        assert!((found[1].1 - 1.0).abs() < 1e-12);
        assert_eq!(worst(&[1.0], &[0.0], 1).unwrap()[0].1, f64::INFINITY);
        assert!(worst(&[1.0], &[f64::NAN], 1).is_err() && worst(&[1.0], &[], 1).is_err());
    }
}
