//! Lines: least squares, ridge, lasso and elastic net through linfa, kept from its traps.
//!
//! linfa solves least squares by QR without pivoting: columns that repeat each other come back with
//! coefficients of ±1e14. So columns are centred and scaled here, and those that say nothing beside the
//! others are found and left out before linfa sees them.

use clv_core::learn::{Learned, Regress, Regression, Rows};
use clv_core::model::Kind;
use clv_core::{Context, Error, Warning, setting};
use linfa::DatasetBase;
use linfa::traits::Fit;
use ndarray_linfa::{Array1, Array2};
use serde::{Deserialize, Serialize};

use crate::columns::Standardised;
use crate::solve::solve_positive;

const NAME: &str = "linear";

/// Least squares: the line with the smallest `Σ w (y − b₀ − b·x)²`.
///
/// ```
/// use clv_core::learn::{Regress, Regression, Rows};
/// use clv_core::{Context, FeatureMatrix};
/// use clv_linear::LinearRegression;
///
/// let columns = FeatureMatrix::new(vec!["visits".into()], vec![1.0, 2.0, 4.0])?;
/// let rows = Rows::new(&columns, &[5.0, 7.0, 11.0])?;
/// let line = LinearRegression.regress(&rows, &Context::default())?.model;
/// assert!((line.intercept() - 3.0).abs() < 1e-12 && (line.slopes()[0] - 2.0).abs() < 1e-12);
/// # Ok::<(), clv_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LinearRegression;

/// Least squares with a price on slopes: minimises
///
/// ```text
/// 1/(2n) Σ (y − b₀ − b·x)² + α ρ Σ|bⱼ| + α (1 − ρ)/2 Σ bⱼ²
/// ```
///
/// on columns with mean 0 and standard deviation 1, so that no column is dear because of its unit
/// (Zou and Hastie 2005; scikit-learn's `ElasticNet` after `StandardScaler`). `ρ = 1` is the lasso, which
/// leaves columns out; `ρ = 0` is ridge regression.
///
/// | Name | Default | Why |
/// | :-- | :-- | :-- |
/// | `penalty` `α` | – | in units of the target's variance over the slopes; choose it by a backtest |
/// | `l1_ratio` `ρ` | – | by the constructor |
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ElasticNet {
    penalty: f64,
    l1_ratio: f64,
}

impl ElasticNet {
    /// With a penalty, and the share of it that is on absolute slopes.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] unless the penalty is above 0 and finite, and the share between 0 and 1.
    pub fn new(penalty: f64, l1_ratio: f64) -> Result<Self, Error> {
        setting::above_zero("penalty", penalty)?;
        if !(0.0..=1.0).contains(&l1_ratio) {
            return Err(Error::Setting { name: "l1_ratio", given: l1_ratio, allowed: "0 to 1" });
        }
        Ok(Self { penalty, l1_ratio })
    }

    /// Ridge regression.
    ///
    /// # Errors
    ///
    /// As [`ElasticNet::new`].
    pub fn ridge(penalty: f64) -> Result<Self, Error> {
        Self::new(penalty, 0.0)
    }

    /// The lasso.
    ///
    /// # Errors
    ///
    /// As [`ElasticNet::new`].
    pub fn lasso(penalty: f64) -> Result<Self, Error> {
        Self::new(penalty, 1.0)
    }
}

/// A fitted line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Line {
    intercept: f64,
    slopes: Vec<f64>,
}

impl Line {
    /// Refuses numbers that are not finite, in the name of `model`.
    pub(crate) fn new(intercept: f64, slopes: Vec<f64>, model: &'static str) -> Result<Self, Error> {
        if intercept.is_finite() && slopes.iter().all(|s| s.is_finite()) {
            Ok(Self { intercept, slopes })
        } else {
            Err(Error::NoEstimate { model, why: "the line did not come out finite" })
        }
    }

    /// The value where every column is 0.
    pub fn intercept(&self) -> f64 {
        self.intercept
    }

    /// One slope a column; 0 for those left out.
    pub fn slopes(&self) -> &[f64] {
        &self.slopes
    }
}

impl Regression for Line {
    const KIND: Kind = Kind::new(NAME, 1);

    fn width(&self) -> usize {
        self.slopes.len()
    }

    fn at(&self, row: &[f64], _: &mut Vec<f32>) -> Result<f64, Error> {
        Ok(self.intercept + self.slopes.iter().zip(row).map(|(s, v)| s * v).sum::<f64>())
    }
}

impl Regress for LinearRegression {
    type Model = Line;

    fn regress(&self, rows: &Rows<'_>, cx: &Context<'_>) -> Result<Learned<Line>, Error> {
        cx.check()?;
        let columns = Standardised::of(rows, true)?;
        solve(rows, &columns, |records, targets| {
            let fitted = linfa_linear::LinearRegression::new()
                .with_intercept(false)
                .fit(&DatasetBase::new(records, targets))
                .map_err(backend)?;
            Ok((fitted.params().to_vec(), None))
        })
    }
}

impl Regress for ElasticNet {
    type Model = Line;

    fn regress(&self, rows: &Rows<'_>, cx: &Context<'_>) -> Result<Learned<Line>, Error> {
        /// Sweeps over the columns, of which a few dozen are the rule.
        const SWEEPS: u32 = 10_000;
        /// Share of the target's variance that the duality gap may keep.
        const TOLERANCE: f64 = 1e-12;

        cx.check()?;
        let columns = Standardised::of(rows, false)?;
        solve(rows, &columns, |records, targets| {
            if self.l1_ratio == 0.0 {
                // Ridge has its solution in closed form, and linfa's duality gap never closes on it.
                let n = targets.len() as f64;
                let mut gram = records.t().dot(&records) / n;
                gram.diag_mut().mapv_inplace(|d| d + self.penalty);
                let right = records.t().dot(&targets) / n;
                return Ok((solve_positive(&gram.into_iter().collect::<Vec<_>>(), &right.to_vec()), None));
            }
            let dataset = DatasetBase::new(records, targets);
            let fitted = linfa_elasticnet::ElasticNet::<f64>::params()
                .penalty(self.penalty)
                .l1_ratio(self.l1_ratio)
                .with_intercept(false)
                .tolerance(TOLERANCE)
                .max_iterations(SWEEPS)
                .fit(&dataset)
                .map_err(backend)?;
            let slopes = fitted.hyperplane().to_vec();
            let gradient = self.distance_from_optimum(&dataset.records, &dataset.targets, &slopes);
            let warning = (gradient > 1e-6 * self.penalty).then_some(Warning::NotConverged { gradient });
            Ok((slopes, warning))
        })
    }
}

impl ElasticNet {
    /// By how much a slope's subgradient misses 0, at most.
    fn distance_from_optimum(&self, records: &Array2<f64>, targets: &Array1<f64>, slopes: &[f64]) -> f64 {
        let residuals = targets - &records.dot(&Array1::from_vec(slopes.to_vec()));
        let pull = records.t().dot(&residuals) / targets.len() as f64;
        let (price, ridge) = (self.penalty * self.l1_ratio, self.penalty * (1.0 - self.l1_ratio));
        let distance = |(pull, slope): (&f64, &f64)| {
            if *slope == 0.0 {
                (pull.abs() - price).max(0.0)
            } else {
                (ridge * slope + price * slope.signum() - pull).abs()
            }
        };
        pull.iter().zip(slopes).map(distance).fold(0.0, f64::max)
    }
}

type Solved = Result<(Vec<f64>, Option<Warning>), Error>;

/// Hands linfa the standardised rows, each times the root of its weight, and takes its slopes back.
fn solve(
    rows: &Rows<'_>,
    columns: &Standardised,
    with: impl FnOnce(Array2<f64>, Array1<f64>) -> Solved,
) -> Result<Learned<Line>, Error> {
    let (n, p) = (rows.len(), columns.kept.len());
    let total = rows.total_weight();
    let mean = rows.mean();
    let mut warnings = columns.warning(rows);
    let slopes = if p == 0 || n <= p {
        // Fewer rows than columns: any line would do, so the flat one is taken, and told of.
        if n <= p {
            warnings = vec![Warning::Collinear { columns: rows.features().names().to_vec() }];
        }
        vec![0.0; p]
    } else {
        // Weights that average 1, so that a penalty means the same with them and without.
        let roots: Vec<f64> = (0..n).map(|r| (rows.weight(r) * n as f64 / total).sqrt()).collect();
        let data = columns.data.iter().enumerate().map(|(i, v)| v * roots[i / p]).collect();
        let records = Array2::from_shape_vec((n, p), data).map_err(backend)?;
        let targets = rows.target().iter().zip(&roots).map(|(y, root)| (y - mean) * root).collect();
        let (slopes, warning) = with(records, targets)?;
        warnings.extend(warning);
        slopes
    };
    let (intercept, slopes) = columns.back(mean, &slopes);
    Ok(Learned { model: Line::new(intercept, slopes, NAME)?, warnings })
}

fn backend(source: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::Backend { model: NAME, source: Box::new(source) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clv_core::FeatureMatrix;

    fn matrix(rows: &[[f64; 3]]) -> FeatureMatrix {
        FeatureMatrix::new(vec!["a".into(), "b".into(), "c".into()], rows.concat()).unwrap()
    }

    #[test]
    fn an_exact_line_is_found_and_repeated_columns_are_left_out() {
        let rows: Vec<[f64; 3]> = (0..50)
            .map(|i| {
                let (a, b) = (f64::from(i % 7), 1e6 + f64::from(i % 11));
                [a, b, 2.0 * a - 3.0 * b]
            })
            .collect();
        let target: Vec<f64> = rows.iter().map(|r| 4.0 + 2.0 * r[0] - 0.5 * r[1]).collect();
        let columns = matrix(&rows);
        let learned =
            LinearRegression.regress(&Rows::new(&columns, &target).unwrap(), &Context::default()).unwrap();
        assert_eq!(learned.warnings, [Warning::Collinear { columns: vec!["c".into()] }]);
        for (found, y) in learned.model.predict(&columns).unwrap().iter().zip(&target) {
            assert!((found - y).abs() < 1e-8, "{found} {y}");
        }
    }

    #[test]
    fn constant_columns_leave_the_mean() {
        let columns = matrix(&[[1.0, 5.0, 0.0]; 6]);
        let rows = Rows::new(&columns, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]).unwrap();
        let learned = LinearRegression.regress(&rows, &Context::default()).unwrap();
        assert_eq!(learned.warnings.len(), 1);
        assert_eq!(learned.model.predict(&columns).unwrap(), [3.5; 6]);
    }

    #[test]
    fn a_weight_of_two_is_the_row_twice() {
        let (x, y) = (
            [[1.0, 2.0, 0.5], [2.0, 1.0, 3.0], [4.0, 0.0, 1.0], [3.0, 3.0, 2.0], [0.0, 1.0, 1.0]],
            [1.0, 4.0, 2.0, 8.0, 3.0],
        );
        let mut twice = x.to_vec();
        twice.push(x[3]);
        let (once, twice) = (matrix(&x), matrix(&twice));
        let y_twice = [1.0, 4.0, 2.0, 8.0, 3.0, 8.0];
        let weights = [1.0, 1.0, 1.0, 2.0, 1.0];
        let weighted = Rows::new(&once, &y).unwrap().weighted(&weights).unwrap();
        let doubled = Rows::new(&twice, &y_twice).unwrap();
        let cx = Context::default();
        for (a, b) in [
            (LinearRegression.regress(&weighted, &cx), LinearRegression.regress(&doubled, &cx)),
            (
                ElasticNet::new(0.1, 0.5).unwrap().regress(&weighted, &cx),
                ElasticNet::new(0.1, 0.5).unwrap().regress(&doubled, &cx),
            ),
        ] {
            let (a, b) = (a.unwrap().model, b.unwrap().model);
            assert!((a.intercept - b.intercept).abs() < 1e-9);
            assert!(a.slopes.iter().zip(&b.slopes).all(|(a, b)| (a - b).abs() < 1e-9), "{a:?} {b:?}");
        }
    }
}
