//! Intervals for any learner: bands that are as wide as rows that were not learned from need.

use serde::{Deserialize, Serialize};

use super::{Chosen, Regress, Regression, Rows, folds};
use crate::error::{Error, Result};
use crate::model::Context;

/// Intervals that grow with a number `t`, and of which the widest holds everything.
///
/// Conformal prediction asks of rows that were not learned from at which `t` their target comes in, and
/// takes the `t` that lets in the share that is wanted (Gupta, Kuchibhotla and Ramdas 2022).
pub trait Bands {
    /// The least `t` at which the interval of this row holds `y`.
    ///
    /// # Errors
    ///
    /// As [`Regression::at`].
    fn score(&self, row: &[f64], y: f64, scratch: &mut Vec<f32>) -> Result<f64>;

    /// The interval of this row at `t`.
    ///
    /// # Errors
    ///
    /// As [`Regression::at`].
    fn interval(&self, row: &[f64], t: f64, scratch: &mut Vec<f32>) -> Result<(f64, f64)>;
}

/// A forecast give or take `t` times a spread of the row's own, cut off at 0: for any learner of a mean.
///
/// ```text
/// [max(0, f(x) − t s(x)), f(x) + t s(x)]
/// ```
///
/// The spread is learned from the size of the errors (Lei et al. 2018), so that intervals are wide where
/// customers spend unlike amounts.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ScaledBands<F, S> {
    forecast: F,
    spread: S,
    /// No spread is taken for less.
    least: f64,
}

/// The forecasts of two quantiles, both moved outwards by `t` (conformalised quantile regression: Romano,
/// Patterson and Candès 2019), cut off at 0.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct QuantileBands<M> {
    /// Of the lower quantile.
    pub low: M,
    /// Of the upper.
    pub high: M,
}

/// A model that says a distribution of each row.
pub trait Distribution: Regression {
    /// The probability of at most `y`.
    ///
    /// # Errors
    ///
    /// As [`Regression::at`].
    fn cdf(&self, row: &[f64], y: f64, scratch: &mut Vec<f32>) -> Result<f64>;

    /// The least `y` whose probability of at most `y` is no less than `level`.
    ///
    /// # Errors
    ///
    /// As [`Regression::at`].
    fn quantile(&self, row: &[f64], level: f64, scratch: &mut Vec<f32>) -> Result<f64>;
}

/// The middle of a distribution, from its quantile `½ − t` to its quantile `½ + t`. A mass at 0 is
/// respected: where it reaches up to the lower quantile, the interval starts at 0 and holds it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Distributed<M>(pub M);

impl<F: Regression, S: Regression> ScaledBands<F, S> {
    /// Learns the forecast, and from the size of its errors in rows held out, the spread.
    ///
    /// # Errors
    ///
    /// As [`Regress::regress`]; [`Error::TooLittleData`] for fewer than five rows.
    pub fn learn(
        learner: &impl Regress<Model = F>,
        spread: &impl Regress<Model = S>,
        rows: &Rows<'_>,
        cx: &Context<'_>,
    ) -> Result<Self> {
        // Errors of rows that were learned from are too small.
        let fold = folds(rows, 5, cx.seed_value())?;
        let forecast = super::out_of_fold(learner, rows, &fold, cx)?;
        let sizes: Vec<f64> = forecast.iter().zip(rows.target()).map(|(f, y)| (y - f).abs()).collect();
        let total = rows.total_weight();
        let mean = sizes.iter().enumerate().map(|(row, size)| rows.weight(row) * size).sum::<f64>() / total;
        Ok(Self {
            forecast: learner.regress(rows, cx)?.model,
            spread: spread.regress(&rows.with_target(&sizes)?, cx)?.model,
            least: (1e-3 * mean).max(f64::MIN_POSITIVE),
        })
    }

    fn of(&self, row: &[f64], scratch: &mut Vec<f32>) -> Result<(f64, f64)> {
        Ok((self.forecast.at(row, scratch)?, self.spread.at(row, scratch)?.max(self.least)))
    }
}

/// A gap that the learner does not take would otherwise become an interval from 0 to 0.
fn expect_defined(end: f64) -> Result<()> {
    if end.is_nan() {
        let why = "a column of the row is not a number, and the learner takes no gaps";
        return Err(Error::NoEstimate { model: "an interval", why });
    }
    Ok(())
}

impl<F: Regression, S: Regression> Bands for ScaledBands<F, S> {
    fn score(&self, row: &[f64], y: f64, scratch: &mut Vec<f32>) -> Result<f64> {
        let (forecast, spread) = self.of(row, scratch)?;
        Ok((y - forecast).abs() / spread)
    }

    fn interval(&self, row: &[f64], t: f64, scratch: &mut Vec<f32>) -> Result<(f64, f64)> {
        let (forecast, spread) = self.of(row, scratch)?;
        expect_defined(forecast - t * spread)?;
        Ok(((forecast - t * spread).max(0.0), (forecast + t * spread).max(0.0)))
    }
}

impl<M: Regression> Bands for QuantileBands<M> {
    fn score(&self, row: &[f64], y: f64, scratch: &mut Vec<f32>) -> Result<f64> {
        Ok((self.low.at(row, scratch)? - y).max(y - self.high.at(row, scratch)?))
    }

    fn interval(&self, row: &[f64], t: f64, scratch: &mut Vec<f32>) -> Result<(f64, f64)> {
        let (low, high) = (self.low.at(row, scratch)? - t, self.high.at(row, scratch)? + t);
        expect_defined(low + high)?;
        // Quantiles learned apart may cross, and a negative t may turn them.
        let middle = (low + high) / 2.0;
        Ok((low.min(middle).max(0.0), high.max(middle).max(0.0)))
    }
}

impl<M: Distribution> Bands for Distributed<M> {
    fn score(&self, row: &[f64], y: f64, scratch: &mut Vec<f32>) -> Result<f64> {
        let below = self.0.cdf(row, y, scratch)?;
        // What lies at 0 comes in as soon as the lower quantile is 0, and is never above the upper one.
        Ok(if y <= 0.0 { (0.5 - below).max(0.0) } else { (below - 0.5).abs() })
    }

    fn interval(&self, row: &[f64], t: f64, scratch: &mut Vec<f32>) -> Result<(f64, f64)> {
        let t = t.clamp(0.0, 0.5);
        Ok((self.0.quantile(row, 0.5 - t, scratch)?, self.0.quantile(row, 0.5 + t, scratch)?))
    }
}

/// Bands, and at which `t` the targets of rows not learned from came in.
///
/// If those rows and a new one are exchangeable, an interval of level `1 − α` holds the new target with
/// probability at least `1 − α`, and at most `1/(n + 1)` more unless scores are tied (Vovk, Gammerman and
/// Shafer 2005; Lei et al. 2018, theorem 2). Over all rows, not for each kind of row. Rows of a later
/// time are not exchangeable with those of an earlier one: measure coverage by a backtest.
///
/// ```
/// use clv_core::learn::{Conformal, Mean, Rows, ScaledBands};
/// use clv_core::{Context, FeatureMatrix};
///
/// let columns = FeatureMatrix::new(vec!["x".into()], (0..200).map(f64::from).collect())?;
/// let target: Vec<f64> = (0..200).map(|i| f64::from(i * 37 % 101)).collect();
/// let rows = Rows::new(&columns, &target)?;
/// let cx = Context::default();
/// let conformal = Conformal::split(&rows, 0.5, &cx, |rows| ScaledBands::learn(&Mean, &Mean, rows, &cx))?;
/// let (low, high) = conformal.interval(columns.row(0), 0.9, &mut Vec::new())?;
/// assert!(low >= 0.0 && low < 15.0 && high > 85.0 && high < 110.0);
/// # Ok::<(), clv_core::Error>(())
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Conformal<B> {
    bands: B,
    /// Rising, of each time apart.
    scores: Vec<Vec<f64>>,
}

impl<B: Bands> Conformal<B> {
    /// Split conformal prediction: learns from a share of the rows, drawn by the context's seed, and
    /// measures with the others.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] unless the share is between 0 and 1; [`Error::TooLittleData`] if either side
    /// is empty; as `learn`.
    pub fn split(
        rows: &Rows<'_>,
        share: f64,
        cx: &Context<'_>,
        learn: impl FnOnce(&Rows<'_>) -> Result<B>,
    ) -> Result<Self> {
        // Drawn from an order of the rows' own, so that theirs does not matter.
        let order = super::canonical_order(rows);
        let (train, rest) = super::holdout(rows.len(), 1.0 - share, cx.seed_value())?;
        let [train, rest] = [train, rest].map(|part| part.into_iter().map(|i| order[i]).collect::<Vec<_>>());
        let bands = learn(&Chosen::of(rows, &train)?.rows()?)?;
        let rest = Chosen::of(rows, &rest)?;
        let rows = rest.rows()?;
        Self::of(bands, &rows)
    }

    /// Bands as they are, with rows that they were not learned from: of a later time, say. Rows of weight
    /// 0 are left out.
    ///
    /// # Errors
    ///
    /// [`Error::Cell`] for a target below 0, which no band holds, or a weight other than 0 and 1;
    /// [`Error::NoEstimate`] if a band says no number; as [`Bands::score`].
    pub fn of(bands: B, rows: &Rows<'_>) -> Result<Self> {
        rows.expect_positive(false)?;
        let mut scratch = Vec::new();
        let mut scores = Vec::with_capacity(rows.len());
        for row in 0..rows.len() {
            match rows.weight(row) {
                0.0 => continue,
                1.0 => {}
                given => {
                    let (column, allowed) = ("weight".to_owned(), "0 or 1 where intervals are measured");
                    return Err(Error::Cell { row, column, given, allowed });
                }
            }
            let score = bands.score(rows.features().row(row), rows.target()[row], &mut scratch)?;
            if score.is_nan() {
                return Err(Error::NoEstimate { model: "an interval", why: "a band is not a number" });
            }
            scores.push(score);
        }
        scores.sort_by(f64::total_cmp);
        Ok(Self { bands, scores: vec![scores] })
    }

    /// Cross-conformal prediction: measures each row with bands learned from the folds that it is not
    /// in, and keeps bands learned from all. All rows serve twice; the guarantee of [`Conformal::split`]
    /// holds only as far as one fold more or less does not change the bands (Vovk 2015; Barber et al.
    /// 2021).
    ///
    /// # Errors
    ///
    /// As [`folds`], or as `learn`.
    pub fn cross(
        rows: &Rows<'_>,
        count: usize,
        cx: &Context<'_>,
        learn: impl Fn(&Rows<'_>) -> Result<B>,
    ) -> Result<Self> {
        let fold = folds(rows, count, cx.seed_value())?;
        let mut scores = Vec::with_capacity(rows.len());
        for held in 0..count {
            let (out, others): (Vec<usize>, Vec<usize>) = (0..rows.len()).partition(|&r| fold[r] == held);
            let bands = learn(&Chosen::of(rows, &others)?.rows()?)?;
            let out = Chosen::of(rows, &out)?;
            let rows = out.rows()?;
            scores.extend(Self::of(bands, &rows)?.scores.into_iter().flatten());
        }
        scores.sort_by(f64::total_cmp);
        Ok(Self { bands: learn(rows)?, scores: vec![scores] })
    }

    /// Conformal prediction over time: the bands of each window are measured on the window after it, as they will be used,
    /// and an interval is as wide as the worst of these times called for. The bands that are kept are learned from the last
    /// window.
    ///
    /// Where seasons differ, [`Conformal::split`] holds its level within a season and not from one to the next; this holds it if
    /// the next change is no worse than the worst one seen. `windows` are rows as of origins one after another, the oldest
    /// first, such as [`Training::windows`](crate::Training::windows) gives.
    ///
    /// # Errors
    ///
    /// [`Error::TooLittleData`] for fewer than two windows; as `learn` and [`Conformal::of`].
    pub fn over_time(windows: &[Rows<'_>], learn: impl Fn(&Rows<'_>) -> Result<B>) -> Result<Self> {
        let needs = "two windows: one to learn from, one to measure on";
        let too_few = Error::TooLittleData { model: "an interval over time", needs, found: windows.len() };
        let (Some(newest), true) = (windows.last(), windows.len() > 1) else { return Err(too_few) };
        let mut scores = Vec::with_capacity(windows.len() - 1);
        for pair in windows.windows(2) {
            scores.extend(Self::of(learn(&pair[0])?, &pair[1])?.scores);
        }
        Ok(Self { bands: learn(newest)?, scores })
    }

    /// The interval that holds a share `level` of targets.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] unless the level is above 0 and below 1; [`Error::TooLittleData`] if there are
    /// too few rows to tell: `1/(1 − level)` are needed.
    pub fn interval(&self, row: &[f64], level: f64, scratch: &mut Vec<f32>) -> Result<(f64, f64)> {
        if !(level > 0.0 && level < 1.0) {
            return Err(Error::Setting { name: "level", given: level, allowed: "above 0, below 1" });
        }
        let mut widest = f64::NEG_INFINITY;
        for scores in &self.scores {
            let count = scores.len();
            // The ⌈(n + 1) level⌉-th smallest; the hair keeps 10 × 0.9 from being more than 9.
            let place = ((count + 1) as f64 * level - 1e-9).ceil().max(1.0) as usize;
            let Some(&t) = scores.get(place - 1) else {
                let needs = "1 / (1 - level) rows that were not learned from";
                return Err(Error::TooLittleData { model: "an interval", needs, found: count });
            };
            widest = widest.max(t);
        }
        self.bands.interval(row, widest, scratch)
    }

    /// The bands.
    pub fn bands(&self) -> &B {
        &self.bands
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FeatureMatrix;
    use crate::learn::Mean;

    #[test]
    fn the_level_is_the_share_of_held_rows_within() {
        let columns = FeatureMatrix::new(vec!["x".into()], (0..99).map(f64::from).collect()).unwrap();
        let target: Vec<f64> = (0..99).map(|i| 100.0 + f64::from(i * 37 % 99)).collect();
        let rows = Rows::new(&columns, &target).unwrap();
        let cx = Context::default();
        let bands = ScaledBands::learn(&Mean, &Mean, &rows, &cx).unwrap();
        let conformal = Conformal::of(bands, &rows).unwrap();
        for level in [0.5, 0.8, 0.9, 0.95] {
            let (low, high) = conformal.interval(&[0.0], level, &mut Vec::new()).unwrap();
            let inside = target.iter().filter(|y| (low..=high).contains(*y)).count() as f64;
            assert!((inside - 100.0 * level).abs() <= 2.0, "{level} {inside}");
        }
        let text = serde_json::to_string(&conformal).unwrap();
        let again: Conformal<ScaledBands<crate::learn::MeanModel, crate::learn::MeanModel>> =
            serde_json::from_str(&text).unwrap();
        let both = [&conformal, &again].map(|c| c.interval(&[0.0], 0.9, &mut Vec::new()).unwrap());
        assert_eq!(both[0], both[1]);

        // A later time in which amounts are twice as large asks for wider intervals, as does the same in another order.
        let later: Vec<f64> = target.iter().map(|y| 2.0 * y).collect();
        let later = rows.with_target(&later).unwrap();
        let learn = |rows: &Rows<'_>| ScaledBands::learn(&Mean, &Mean, rows, &cx);
        let width = |conformal: &Conformal<ScaledBands<_, _>>| {
            let (low, high) = conformal.interval(&[0.0], 0.8, &mut Vec::new()).unwrap();
            high - low
        };
        let still = width(&Conformal::over_time(&[rows, rows], learn).unwrap());
        let moved = width(&Conformal::over_time(&[rows, later, rows], learn).unwrap());
        assert!(moved > 2.0 * still, "{still} {moved}");
        assert!(Conformal::over_time(&[rows], learn).is_err());
        assert!(conformal.interval(&[0.0], 0.999, &mut Vec::new()).is_err());
        assert!(conformal.interval(&[0.0], 1.0, &mut Vec::new()).is_err());
    }
}
