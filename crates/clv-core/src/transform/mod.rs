//! Columns as learners want them: fitted on the rows that are learned from, applied to any other, saved
//! with the model.
//!
//! [`Transforms`] change the numbers of a [`FeatureMatrix`], column by column. [`Encoder`] makes the
//! matrix in the first place: of attributes, which may be words and may be missing.

mod encode;
mod power;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::features::FeatureMatrix;

pub(crate) use encode::hash_place;
pub use encode::{Encoder, Encoding, Fill};

/// What is done to every column. `x` is a value, statistics are of the column it is fitted on.
///
/// | step | gives | for |
/// | :-- | :-- | :-- |
/// | `MinMax` | `(x − min) / (max − min)` | bounded inputs |
/// | `Standard` | `(x − mean) / sd`, with the population's `sd` | distances, penalties |
/// | `Robust` | `(x − median) / (q₇₅ − q₂₅)` | the same with outliers |
/// | `Log` | `sign(x) ln(1 + \|x\|)` | counts and money |
/// | `Asinh` | `asinh(x / median \|x\|)` | the same, linear near 0 |
/// | `Power` | Yeo and Johnson's (2000) transform with `λ` by maximum likelihood, then `Standard` | skew of unknown shape |
/// | `Quantile(n)` | the share of the column below, by `n` quantiles, linear in between | any shape, ranks only |
/// | `Clip(p)` | `x` held within the quantiles `p` and `1 − p` | outliers |
/// | `Fill` | the median where `x` is missing (NaN), 0 if all are | learners that refuse what is missing; the first step |
///
/// A column that does not vary becomes 0 (`Clip`, `Log` and `Asinh` apply as they are).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Step {
    /// To between 0 and 1.
    MinMax,
    /// To mean 0 and standard deviation 1; the "z-score".
    Standard,
    /// To median 0 and interquartile range 1.
    Robust,
    /// Logarithm of one plus the size, with the sign.
    Log,
    /// Inverse hyperbolic sine.
    Asinh,
    /// To as normal as a power makes it.
    Power,
    /// To the share of values below, by so many quantiles (at least 2).
    Quantile(usize),
    /// Held within the quantiles `p` and `1 − p`, `p` from 0 to below ½.
    Clip(f64),
    /// The median in place of what is missing.
    Fill,
}

/// Fitted transforms.
///
/// ```
/// use clv_core::FeatureMatrix;
/// use clv_core::transform::{Step, Transforms};
///
/// let train = FeatureMatrix::new(vec!["spend".into()], vec![1.0, 2.0, 3.0])?;
/// let transforms = Transforms::fit(&[Step::Standard], &train)?;
/// let later = FeatureMatrix::new(vec!["spend".into()], vec![2.0, 4.0])?;
/// let scaled = transforms.apply(&later)?;
/// assert_eq!(scaled.row(0), [0.0]);
/// assert!((scaled.row(1)[0] - 6.0_f64.sqrt()).abs() < 1e-12);
/// # Ok::<(), clv_core::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Transforms {
    /// Column by column, in the order of the steps; empty if there are none.
    columns: Vec<Vec<Map>>,
}

/// One step, fitted on one column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Map {
    /// `(x − shift) · scale`.
    Affine {
        shift: f64,
        scale: f64,
    },
    Log,
    Asinh {
        scale: f64,
    },
    Power {
        lambda: f64,
    },
    /// Increasing values, at equal steps from share 0 to share 1.
    Quantile {
        knots: Vec<f64>,
    },
    Clip {
        low: f64,
        high: f64,
    },
    Fill {
        with: f64,
    },
}

impl Transforms {
    /// Fits each step on what the steps before it made.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] for a step out of range, [`Error::TooLittleData`] without rows,
    /// [`Error::Cell`] for a value that is not finite, though NaN may stand where [`Step::Fill`] is the first step.
    pub fn fit(steps: &[Step], rows: &FeatureMatrix) -> Result<Self> {
        if steps.is_empty() {
            return Ok(Self::default());
        }
        if rows.rows() == 0 {
            return Err(Error::TooLittleData { model: "a transform", needs: "at least one row", found: 0 });
        }
        if steps[0] == Step::Fill {
            rows.expect_no_infinity()?;
        } else {
            rows.expect_finite()?;
        }
        let mut columns = Vec::with_capacity(rows.names().len());
        for column in 0..rows.names().len() {
            let mut values: Vec<f64> = rows.column(column).collect();
            let mut maps = Vec::new();
            for step in steps {
                for map in fitted(*step, &values)? {
                    values.iter_mut().for_each(|x| *x = map.at(*x));
                    maps.push(map);
                }
            }
            columns.push(maps);
        }
        Ok(Self { columns })
    }

    /// The same rows, transformed.
    ///
    /// # Errors
    ///
    /// [`Error::Length`] for rows of another width.
    pub fn apply(&self, rows: &FeatureMatrix) -> Result<FeatureMatrix> {
        let width = rows.names().len();
        if !self.columns.is_empty() && self.columns.len() != width {
            let expected = self.columns.len();
            return Err(Error::Length { column: "a row's columns", given: width, expected });
        }
        let mut data = rows.as_slice().to_vec();
        data.chunks_mut(width.max(1)).for_each(|row| self.apply_row(row));
        FeatureMatrix::new(rows.names().to_vec(), data)
    }

    /// One row, in place.
    ///
    /// # Panics
    ///
    /// Never; values beyond the columns that were fitted stay.
    pub fn apply_row(&self, row: &mut [f64]) {
        for (value, maps) in row.iter_mut().zip(&self.columns) {
            *value = maps.iter().fold(*value, |x, map| map.at(x));
        }
    }
}

impl Map {
    fn at(&self, x: f64) -> f64 {
        match self {
            Self::Affine { shift, scale } => (x - shift) * scale,
            Self::Log => x.abs().ln_1p().copysign(x),
            Self::Asinh { scale } => (x * scale).asinh(),
            Self::Power { lambda } => power::yeo_johnson(x, *lambda),
            Self::Quantile { knots } => share_below(knots, x),
            Self::Clip { low, high } => x.clamp(*low, *high),
            Self::Fill { with } => {
                if x.is_nan() {
                    *with
                } else {
                    x
                }
            }
        }
    }
}

/// A step as it fits a column of finite values.
fn fitted(step: Step, values: &[f64]) -> Result<Vec<Map>> {
    Ok(match step {
        Step::MinMax => {
            let low = values.iter().copied().fold(f64::INFINITY, f64::min);
            let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            vec![affine(low, high - low, high.abs())]
        }
        Step::Standard => vec![standard(values)],
        Step::Robust => {
            let sorted = sorted(values);
            let spread = quantile(&sorted, 0.75) - quantile(&sorted, 0.25);
            let median = quantile(&sorted, 0.5);
            vec![affine(median, spread, median.abs())]
        }
        Step::Log => vec![Map::Log],
        Step::Asinh => {
            let sizes: Vec<f64> = values.iter().map(|x| x.abs()).filter(|x| *x > 0.0).collect();
            let scale = if sizes.is_empty() { 1.0 } else { 1.0 / quantile(&sorted(&sizes), 0.5) };
            vec![Map::Asinh { scale }]
        }
        Step::Power => {
            let Map::Affine { scale, .. } = standard(values) else { return Ok(Vec::new()) };
            if scale == 0.0 {
                return Ok(vec![standard(values)]);
            }
            let map = Map::Power { lambda: power::best_lambda(values) };
            let powered: Vec<f64> = values.iter().map(|x| map.at(*x)).collect();
            let then = standard(&powered);
            vec![map, then]
        }
        Step::Quantile(count) => {
            if count < 2 {
                let (name, given) = ("quantiles", count as f64);
                return Err(Error::Setting { name, given, allowed: "at least 2" });
            }
            let sorted = sorted(values);
            if sorted[0] == sorted[sorted.len() - 1] {
                return Ok(vec![Map::Affine { shift: sorted[0], scale: 0.0 }]);
            }
            let knots = (0..count).map(|i| quantile(&sorted, i as f64 / (count - 1) as f64)).collect();
            vec![Map::Quantile { knots }]
        }
        Step::Clip(p) => {
            if !(0.0..0.5).contains(&p) {
                return Err(Error::Setting { name: "clip", given: p, allowed: "from 0 to below 0.5" });
            }
            let sorted = sorted(values);
            vec![Map::Clip { low: quantile(&sorted, p), high: quantile(&sorted, 1.0 - p) }]
        }
        Step::Fill => {
            let known: Vec<f64> = values.iter().copied().filter(|x| !x.is_nan()).collect();
            let with = if known.is_empty() { 0.0 } else { quantile(&sorted(&known), 0.5) };
            vec![Map::Fill { with }]
        }
    })
}

fn standard(values: &[f64]) -> Map {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let sd = (values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n).sqrt();
    affine(mean, sd, mean.abs())
}

/// A spread that is nothing but rounding beside the values' size is none.
fn affine(shift: f64, spread: f64, size: f64) -> Map {
    let varies = spread > 1e-13 * size && spread > 0.0;
    Map::Affine { shift, scale: if varies { 1.0 / spread } else { 0.0 } }
}

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted
}

/// Linear between the order statistics (Hyndman and Fan's type 7, the usual default).
pub(crate) fn quantile(sorted: &[f64], p: f64) -> f64 {
    let at = p * (sorted.len() - 1) as f64;
    let below = at.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + (at - below as f64) * (sorted[above] - sorted[below])
}

/// Where a value stands among increasing knots, from 0 to 1; between equal knots in their middle.
fn share_below(knots: &[f64], x: f64) -> f64 {
    let last = (knots.len() - 1) as f64;
    let (first_not_below, first_above) =
        (knots.partition_point(|k| *k < x), knots.partition_point(|k| *k <= x));
    if first_not_below < first_above {
        return (first_not_below + first_above - 1) as f64 / 2.0 / last;
    }
    if first_above == 0 {
        return 0.0;
    }
    if first_above == knots.len() {
        return 1.0;
    }
    let (low, high) = (knots[first_above - 1], knots[first_above]);
    ((first_above - 1) as f64 + (x - low) / (high - low)) / last
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(values: &[f64]) -> FeatureMatrix {
        FeatureMatrix::new(vec!["x".into()], values.to_vec()).unwrap()
    }

    fn through(step: Step, values: &[f64]) -> Vec<f64> {
        let rows = column(values);
        Transforms::fit(&[step], &rows).unwrap().apply(&rows).unwrap().as_slice().to_vec()
    }

    /// scikit-learn 1.9.1: MinMaxScaler, StandardScaler, RobustScaler, PowerTransformer and
    /// QuantileTransformer(n_quantiles=3) on the same column.
    #[test]
    fn the_values_of_scikit_learn() {
        let x = [1.0, 2.0, 2.0, 5.0, 30.0];
        let expected: [(Step, [f64; 5]); 5] = [
            (Step::MinMax, [0.0, 0.034482758620689655, 0.034482758620689655, 0.13793103448275862, 1.0]),
            (
                Step::Standard,
                [
                    -0.6316825162238794,
                    -0.5414421567633252,
                    -0.5414421567633252,
                    -0.2707210783816626,
                    1.9852879081321924,
                ],
            ),
            (Step::Robust, [-0.3333333333333333, 0.0, 0.0, 1.0, 9.333333333333334]),
            (Step::Quantile(3), [0.0, 0.5, 0.5, 0.5535714285714286, 1.0]),
            (
                Step::Power,
                [
                    -1.3223819030592294,
                    -0.4271399754872672,
                    -0.4271399754872672,
                    0.5796657268409329,
                    1.59699612719283,
                ],
            ),
        ];
        for (step, expected) in expected {
            for (found, expected) in through(step, &x).iter().zip(expected) {
                // Its search for a power stops at about eight digits.
                let close = if step == Step::Power { 1e-6 } else { 1e-12 };
                assert!((found - expected).abs() < close, "{step:?}: {found} {expected}");
            }
        }
    }

    #[test]
    fn a_column_that_does_not_vary_becomes_nothing() {
        for step in [Step::MinMax, Step::Standard, Step::Robust, Step::Power, Step::Quantile(10)] {
            assert_eq!(through(step, &[0.1; 7]), [0.0; 7], "{step:?}");
        }
        assert_eq!(through(Step::Asinh, &[0.0; 3]), [0.0; 3]);
    }

    #[test]
    fn signs_stay_and_fences_hold() {
        assert_eq!(through(Step::Log, &[-1.0, 0.0, 1.0]), [-(2.0_f64.ln()), 0.0, 2.0_f64.ln()]);
        let clipped = through(Step::Clip(0.25), &[0.0, 1.0, 2.0, 3.0, 100.0]);
        assert_eq!(clipped, [1.0, 1.0, 2.0, 3.0, 3.0]);
        let rows = column(&[1.0, f64::NAN]);
        assert!(Transforms::fit(&[Step::MinMax], &rows).unwrap_err().to_string().contains("\"x\""));
        assert!(Transforms::fit(&[Step::Clip(0.5)], &column(&[1.0])).is_err());
    }

    #[test]
    fn what_is_missing_is_filled_in() {
        let rows = column(&[1.0, f64::NAN, 5.0, 2.0]);
        let filled = Transforms::fit(&[Step::Fill, Step::MinMax], &rows).unwrap();
        assert_eq!(filled.apply(&rows).unwrap().as_slice(), [0.0, 0.25, 1.0, 0.25]);
        assert_eq!(through(Step::Fill, &[f64::NAN, f64::NAN]), [0.0, 0.0]);
    }

    #[test]
    fn steps_follow_each_other_and_survive_saving() {
        let rows = column(&[0.0, 1.0, 5.0, 50.0]);
        let transforms = Transforms::fit(&[Step::Log, Step::Standard], &rows).unwrap();
        let by_hand = Transforms::fit(&[Step::Log], &rows).unwrap().apply(&rows).unwrap();
        let by_hand = Transforms::fit(&[Step::Standard], &by_hand).unwrap().apply(&by_hand).unwrap();
        assert_eq!(transforms.apply(&rows).unwrap(), by_hand);
        let saved = serde_json::to_string(&transforms).unwrap();
        assert_eq!(serde_json::from_str::<Transforms>(&saved).unwrap(), transforms);
    }
}
