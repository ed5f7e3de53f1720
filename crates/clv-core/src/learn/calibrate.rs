//! Probabilities that mean what they say, and the threshold that costs least.

use serde::{Deserialize, Serialize};

use super::{Learned, Regress, Regression, Rows, folds, out_of_fold};
use crate::error::{Error, Result};
use crate::metrics::Pairs;
use crate::model::{Context, Kind};
use crate::setting;

/// From a score to a probability.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Calibration {
    /// `1 / (1 + exp(a s + b))` (Platt 1999).
    Platt {
        /// Below 0 where a higher score means more.
        a: f64,
        /// Of a score of 0.
        b: f64,
    },
    /// Straight lines between points that never fall; level beyond the outermost.
    Isotonic {
        /// Scores, rising.
        score: Vec<f64>,
        /// The probability at each.
        probability: Vec<f64>,
    },
}

impl Calibration {
    /// Platt's: two numbers, by maximum likelihood on targets that are moved off 0 and 1, to
    /// `(n₊ + 1)/(n₊ + 2)` and `1/(n₋ + 2)`, so that scores that tell all apart do not run away
    /// (Platt 1999; Lin, Lin and Weng 2007).
    ///
    /// # Errors
    ///
    /// [`Error::Cell`] for an outcome other than 0 and 1.
    pub fn platt(pairs: &Pairs<'_>) -> Result<Self> {
        const STEPS: usize = 200;

        expect_yes_or_no(pairs)?;
        let sum = |of: f64| pairs.rows().filter(|r| r.0 == of).map(|r| r.2).sum::<f64>();
        let (yes, no) = (sum(1.0), sum(0.0));
        let (high, low) = ((yes + 1.0) / (yes + 2.0), 1.0 / (no + 2.0));
        let goal = |y: f64| if y == 1.0 { high } else { low };
        let value = |a: f64, b: f64| {
            // −t ln p − (1 − t) ln(1 − p), p = 1/(1 + e^f), without overflow.
            let loss = |(y, s, w): (f64, f64, f64)| {
                let f = a * s + b;
                w * (f.max(0.0) + (-f.abs()).exp().ln_1p() - (1.0 - goal(y)) * f)
            };
            pairs.rows().map(loss).sum::<f64>()
        };
        let (mut a, mut b) = (0.0, ((no + 1.0) / (yes + 1.0)).ln());
        let mut least = value(a, b);
        for _ in 0..STEPS {
            let (mut ga, mut gb, mut haa, mut hab, mut hbb) = (0.0, 0.0, 1e-12, 0.0, 1e-12);
            for (y, s, w) in pairs.rows() {
                let p = 1.0 / (1.0 + (a * s + b).exp());
                let (first, second) = (w * (goal(y) - p), w * p * (1.0 - p));
                ga += s * first;
                gb += first;
                haa += s * s * second;
                hab += s * second;
                hbb += second;
            }
            let determinant = haa * hbb - hab * hab;
            let (da, db) = ((hbb * ga - hab * gb) / determinant, (haa * gb - hab * ga) / determinant);
            let decrease = ga * da + gb * db;
            if decrease.is_nan() || decrease <= 1e-14 * (1.0 + least.abs()) {
                break;
            }
            let mut share = 1.0;
            while share > 1e-10 {
                let found = value(a - share * da, b - share * db);
                if found < least - 1e-4 * share * decrease {
                    (a, b, least) = (a - share * da, b - share * db, found);
                    break;
                }
                share /= 2.0;
            }
            if share <= 1e-10 {
                break;
            }
        }
        Ok(Self::Platt { a, b })
    }

    /// The rising step curve nearest to the outcomes in squared error, by pooling neighbours that fall
    /// (Ayer et al. 1955; Zadrozny and Elkan 2002), with straight lines between its corners as in
    /// scikit-learn's `IsotonicRegression`.
    ///
    /// Outcomes may be any number.
    pub fn isotonic(pairs: &Pairs<'_>) -> Self {
        let rows: Vec<(f64, f64, f64)> = pairs.rows().filter(|r| r.2 > 0.0).collect();
        let mut order: Vec<usize> = (0..rows.len()).collect();
        order.sort_by(|&i, &j| rows[i].1.total_cmp(&rows[j].1));
        // Blocks of (weight, mean, first score, last score).
        let mut blocks: Vec<(f64, f64, f64, f64)> = Vec::new();
        for group in order.chunk_by(|&i, &j| rows[i].1 == rows[j].1) {
            let weight: f64 = group.iter().map(|&i| rows[i].2).sum();
            let mean = group.iter().map(|&i| rows[i].2 * rows[i].0).sum::<f64>() / weight;
            let score = rows[group[0]].1;
            let mut block = (weight, mean, score, score);
            while let Some(&last) = blocks.last() {
                if last.1 < block.1 {
                    break;
                }
                blocks.pop();
                let weight = last.0 + block.0;
                block = (weight, (last.0 * last.1 + block.0 * block.1) / weight, last.2, block.3);
            }
            blocks.push(block);
        }
        let (mut score, mut probability) = (Vec::new(), Vec::new());
        for (_, mean, first, last) in blocks {
            score.push(first);
            probability.push(mean);
            if last > first {
                score.push(last);
                probability.push(mean);
            }
        }
        Self::Isotonic { score, probability }
    }

    /// The probability that a score stands for; NaN of NaN.
    pub fn at(&self, s: f64) -> f64 {
        match self {
            _ if s.is_nan() => s,
            Self::Platt { a, b } => 1.0 / (1.0 + (a * s + b).exp()),
            Self::Isotonic { score, probability } => {
                let above = score.partition_point(|known| *known < s);
                if above == 0 {
                    return probability.first().copied().unwrap_or(f64::NAN);
                }
                if above == score.len() {
                    return probability[above - 1];
                }
                let share = (s - score[above - 1]) / (score[above] - score[above - 1]);
                probability[above - 1] + share * (probability[above] - probability[above - 1])
            }
        }
    }
}

fn expect_yes_or_no(pairs: &Pairs<'_>) -> Result<()> {
    match pairs.rows().enumerate().find(|(_, (y, _, _))| *y != 0.0 && *y != 1.0) {
        None => Ok(()),
        Some((row, (given, _, _))) => {
            Err(Error::Cell { row, column: "outcome".into(), given, allowed: "0 or 1" })
        }
    }
}

/// How a learner's score becomes a probability.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// [`Calibration::platt`]: for few rows, or a margin such as a support vector machine's.
    Platt,
    /// [`Calibration::isotonic`]: for some thousand rows and more.
    Isotonic,
}

/// A learner of yes or no whose forecast is made a probability by what models said of rows that they had
/// not seen. The learner that is kept has learned from all rows.
///
/// | Name | Default | Why |
/// | :-- | :-- | :-- |
/// | `method` | – | [`Method`] |
/// | `folds` | 5 | models that are learned for the scores; scikit-learn's |
///
/// ```
/// use clv_core::learn::{Calibrated, Mean, Method, Regress, Regression, Rows};
/// use clv_core::{Context, FeatureMatrix};
///
/// let columns = FeatureMatrix::new(vec!["x".into()], (0..40).map(f64::from).collect())?;
/// let churned: Vec<f64> = (0..40).map(|i| f64::from(i % 4 == 0)).collect();
/// let model = Calibrated::new(Mean, Method::Platt).regress(&Rows::new(&columns, &churned)?, &Context::default())?;
/// assert!((model.model.at(&[3.0], &mut Vec::new())? - 0.25).abs() < 0.05);
/// # Ok::<(), clv_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Calibrated<R> {
    learner: R,
    method: Method,
    folds: usize,
}

impl<R: Regress> Calibrated<R> {
    /// Five folds.
    pub fn new(learner: R, method: Method) -> Self {
        Self { learner, method, folds: 5 }
    }

    /// Another number of folds.
    pub fn folds(self, folds: usize) -> Self {
        Self { folds, ..self }
    }
}

/// A model and what makes a probability of its forecast.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(bound(serialize = "M: Serialize", deserialize = "M: serde::de::DeserializeOwned"))]
pub struct CalibratedModel<M> {
    model: M,
    calibration: Calibration,
}

impl<M> CalibratedModel<M> {
    /// What makes a probability of a score.
    pub fn calibration(&self) -> &Calibration {
        &self.calibration
    }
}

impl<R: Regress> Regress for Calibrated<R> {
    type Model = CalibratedModel<R::Model>;

    fn regress(&self, rows: &Rows<'_>, cx: &Context<'_>) -> Result<Learned<Self::Model>> {
        rows.expect_yes_or_no()?;
        let fold = folds(rows, self.folds, cx.seed_value())?;
        let scores = out_of_fold(&self.learner, rows, &fold, cx)?;
        let mut pairs = Pairs::new(rows.target(), &scores)?;
        if let Some(weights) = rows.weights() {
            pairs = pairs.weighted(weights)?;
        }
        let calibration = match self.method {
            Method::Platt => Calibration::platt(&pairs)?,
            Method::Isotonic => Calibration::isotonic(&pairs),
        };
        let Learned { model, warnings } = self.learner.regress(rows, cx)?;
        Ok(Learned { model: CalibratedModel { model, calibration }, warnings })
    }
}

impl<M: Regression> Regression for CalibratedModel<M> {
    const KIND: Kind = Kind::around("calibrated", 1, &M::KIND);

    fn width(&self) -> usize {
        self.model.width()
    }

    fn at(&self, row: &[f64], scratch: &mut Vec<f32>) -> Result<f64> {
        Ok(self.calibration.at(self.model.at(row, scratch)?))
    }
}

/// What a wrong alarm and a missed case cost, in the same unit.
///
/// With probabilities that are calibrated, an alarm is worth its cost where
/// `p > false_alarm / (false_alarm + missed)` (Elkan 2001).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Costs {
    false_alarm: f64,
    missed: f64,
}

impl Costs {
    /// Two costs.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] unless both are finite and at least 0, and one of them above 0.
    ///
    /// ```
    /// use clv_core::learn::Costs;
    /// // A voucher costs 5, a customer lost 45.
    /// assert_eq!(Costs::new(5.0, 45.0)?.threshold(), 0.1);
    /// # Ok::<(), clv_core::Error>(())
    /// ```
    pub fn new(false_alarm: f64, missed: f64) -> Result<Self> {
        setting::at_least_zero("false_alarm", false_alarm)?;
        setting::at_least_zero("missed", missed)?;
        if false_alarm + missed == 0.0 {
            return Err(Error::Setting {
                name: "missed",
                given: missed,
                allowed: "above 0 if alarms cost nothing",
            });
        }
        Ok(Self { false_alarm, missed })
    }

    /// Above which calibrated probability an alarm is worth it.
    pub fn threshold(&self) -> f64 {
        self.false_alarm / (self.false_alarm + self.missed)
    }

    /// What alarms above a threshold would have cost, per row.
    pub fn of(&self, pairs: &Pairs<'_>, threshold: f64) -> f64 {
        pairs.mean(|y, p| if p > threshold { self.false_alarm * (1.0 - y) } else { self.missed * y })
    }

    /// The threshold that would have cost least over these rows, with that cost per row, for scores that
    /// are no probabilities. Never an alarm is infinity.
    pub fn cheapest(&self, pairs: &Pairs<'_>) -> (f64, f64) {
        let mut rows: Vec<(f64, f64, f64)> = pairs.rows().collect();
        rows.sort_by(|a, b| b.1.total_cmp(&a.1));
        let total = pairs.total_weight();
        let mut cost: f64 = rows.iter().map(|(y, _, w)| w * self.missed * y).sum();
        let mut best = (f64::INFINITY, cost / total);
        let mut groups = rows.chunk_by(|a, b| a.1 == b.1).peekable();
        while let Some(group) = groups.next() {
            cost += group
                .iter()
                .map(|(y, _, w)| w * (self.false_alarm * (1.0 - y) - self.missed * y))
                .sum::<f64>();
            if cost / total < best.1 {
                // Halfway to the next score: between the two it does not matter.
                let here = group[0].1;
                let below = groups.peek().map_or(here - 1.0, |next| next[0].1);
                best = ((here + below) / 2.0, cost / total);
            }
        }
        best
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// scikit-learn 1.9.1: `IsotonicRegression(out_of_bounds="clip")`.
    #[test]
    fn isotonic_regression_pools_what_falls() {
        let (scores, outcomes) = ([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [0.0, 1.0, 0.0, 1.0, 1.0, 0.0]);
        let curve = Calibration::isotonic(&Pairs::new(&outcomes, &scores).unwrap());
        for (s, p) in
            [(0.0, 0.0), (1.0, 0.0), (1.5, 0.25), (2.0, 0.5), (3.0, 0.5), (3.5, 7.0 / 12.0), (9.0, 2.0 / 3.0)]
        {
            assert!((curve.at(s) - p).abs() < 1e-12, "{s} {}", curve.at(s));
        }
    }

    #[test]
    fn platts_curve_is_where_the_likelihood_is_highest_and_stays_finite() {
        let scores: Vec<f64> = (0..400).map(|i| f64::from(i) / 100.0 - 2.0).collect();
        let outcomes: Vec<f64> = scores
            .iter()
            .enumerate()
            .map(|(i, s)| f64::from(1.0 / (1.0 + (-2.0 * s - 0.5).exp()) > (i * 7919 % 400) as f64 / 400.0))
            .collect();
        let Calibration::Platt { a, b } =
            Calibration::platt(&Pairs::new(&outcomes, &scores).unwrap()).unwrap()
        else {
            unreachable!()
        };
        assert!((a + 2.0).abs() < 0.4 && (b + 0.5).abs() < 0.3, "{a} {b}");
        let apart = [0.0, 0.0, 1.0, 1.0];
        let curve = Calibration::platt(&Pairs::new(&apart, &[-1.0, -2.0, 1.0, 2.0]).unwrap()).unwrap();
        assert!(curve.at(2.0) > 0.7 && curve.at(2.0) < 0.99 && curve.at(-2.0) < 0.3, "{curve:?}");
        assert!(Calibration::platt(&Pairs::new(&[0.5], &[1.0]).unwrap()).is_err());
    }

    #[test]
    fn the_cheapest_threshold_is_cheaper_than_any_other() {
        let scores: Vec<f64> = (0..50).map(|i| f64::from(i * 37 % 50)).collect();
        let outcomes: Vec<f64> = (0..50).map(|i| f64::from(i * 37 % 50 + i % 9 > 28)).collect();
        let pairs = Pairs::new(&outcomes, &scores).unwrap();
        for costs in
            [Costs::new(1.0, 1.0).unwrap(), Costs::new(1.0, 9.0).unwrap(), Costs::new(5.0, 0.1).unwrap()]
        {
            let (threshold, cost) = costs.cheapest(&pairs);
            assert!((costs.of(&pairs, threshold) - cost).abs() < 1e-12);
            for other in -1..51 {
                assert!(costs.of(&pairs, f64::from(other) + 0.5) >= cost - 1e-12);
            }
        }
        assert!(Costs::new(0.0, 0.0).is_err() && Costs::new(-1.0, 1.0).is_err());
    }
}
