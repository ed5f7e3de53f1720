//! Support vector machines through linfa.

use clv_core::learn::{Chosen, Learned, Regress, Regression, Rows, canonical_order};
use clv_core::model::Kind;
use clv_core::{Context, Error, Warning, setting};
use linfa::DatasetBase;
use linfa::traits::Fit;
use linfa_svm::Svm as LinfaSvm;
use ndarray_linfa::{Array1, Array2};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::columns::Standardised;

const NAME: &str = "svm";

/// Settings of a support vector machine (Cortes and Vapnik 1995; Drucker et al. 1997), on columns with
/// mean 0 and standard deviation 1.
///
/// As a regression it minimises `½ ‖f‖² + C Σ max(0, |y − f(x) − b| − ε)`; as a classifier of targets 0 and
/// 1, `½ ‖f‖² + C Σ max(0, 1 − s (f(x) + b))` with `s = ±1`, and its forecast is the margin `f(x) + b`,
/// above 0 for a 1. [`Calibrated`](clv_core::learn::Calibrated) makes a probability of the margin, and
/// [`OneVsRest`](clv_core::learn::OneVsRest) on top of that, classes.
///
/// | Name | Default | Why |
/// | :-- | :-- | :-- |
/// | `cost` `C` | 1 | scikit-learn's |
/// | `kernel` | Gaussian | `exp(−γ ‖x − x'‖²)` with `γ` one over the number of columns: scikit-learn's on scaled columns |
/// | `width` `ε` | .1 | of the target's standard deviation: errors within it cost nothing |
/// | `rows` | 4,000 | time and memory grow with the square of rows; of more, so many are drawn by the seed, with a warning |
///
/// What it forecasts is nearer to a median than to a mean: sums of forecasts come out low where a few
/// customers spend most. For values, prefer [`Glm`](crate::Glm) or trees.
///
/// ```
/// use clv_core::learn::{Regress, Regression, Rows};
/// use clv_core::{Context, FeatureMatrix};
/// use clv_linear::Svm;
///
/// let x: Vec<f64> = (0..100).map(|i| f64::from(i) / 10.0).collect();
/// let y: Vec<f64> = x.iter().map(|x| x.sin()).collect();
/// let columns = FeatureMatrix::new(vec!["time".into()], x)?;
/// let svm = Svm::regression().cost(100.0)?;
/// let model = svm.regress(&Rows::new(&columns, &y)?, &Context::default())?.model;
/// assert!((model.at(&[5.0], &mut Vec::new())? - 5.0_f64.sin()).abs() < 0.2);
/// # Ok::<(), clv_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Svm {
    task: Task,
    kernel: Kernel,
    cost: f64,
    width: f64,
    rows: usize,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Task {
    Regression,
    Classifier,
}

/// How alike two rows are.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Kernel {
    /// `x·x'`: a line.
    Linear,
    /// `exp(−γ ‖x − x'‖²)`.
    Gaussian {
        /// `γ`, or none for one over the number of columns.
        gamma: Option<f64>,
    },
}

impl Svm {
    /// Of numbers.
    pub fn regression() -> Self {
        let kernel = Kernel::Gaussian { gamma: None };
        Self { task: Task::Regression, kernel, cost: 1.0, width: 0.1, rows: 4_000 }
    }

    /// Of yes or no.
    pub fn classifier() -> Self {
        Self { task: Task::Classifier, ..Self::regression() }
    }

    /// What an error costs beside a steep function.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] unless it is above 0 and finite.
    pub fn cost(self, cost: f64) -> Result<Self, Error> {
        Ok(Self { cost: setting::above_zero("cost", cost)?, ..self })
    }

    /// How alike two rows are.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] unless `γ` is above 0 and finite.
    pub fn kernel(self, kernel: Kernel) -> Result<Self, Error> {
        if let Kernel::Gaussian { gamma: Some(gamma) } = kernel {
            setting::above_zero("gamma", gamma)?;
        }
        Ok(Self { kernel, ..self })
    }

    /// Errors within this share of the target's standard deviation cost nothing.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] unless it is finite and at least 0.
    pub fn width(self, share: f64) -> Result<Self, Error> {
        Ok(Self { width: setting::at_least_zero("width", share)?, ..self })
    }

    /// How many rows are learned from at most.
    pub fn rows(self, rows: usize) -> Self {
        Self { rows, ..self }
    }
}

/// A fitted support vector machine: the rows that hold it, with their weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SvmModel {
    kernel: Kernel,
    mean: Vec<f64>,
    /// 0 for a constant column, which is not looked at.
    scale: Vec<f64>,
    /// Support vectors, standardised, one after the other; for a linear kernel their one sum.
    vectors: Vec<f64>,
    weights: Vec<f64>,
    intercept: f64,
    /// Of the target.
    size: f64,
    centre: f64,
}

impl Regress for Svm {
    type Model = SvmModel;

    /// Rows of weight 0 are left out; other weights than 1 are refused, as linfa's solver has one cost for
    /// all rows.
    fn regress(&self, rows: &Rows<'_>, cx: &Context<'_>) -> Result<Learned<SvmModel>, Error> {
        cx.check()?;
        if let Some(row) = (0..rows.len()).find(|&r| rows.weight(r) != 0.0 && rows.weight(r) != 1.0) {
            let (given, allowed) = (rows.weight(row), "0 or 1 for a support vector machine");
            return Err(Error::Cell { row, column: "weight".into(), given, allowed });
        }
        if self.task == Task::Classifier {
            rows.expect_yes_or_no()?;
        }
        // In an order of the rows' own: the solver's path hangs on it.
        let mut kept = canonical_order(rows);
        kept.retain(|&row| rows.weight(row) > 0.0);
        let mut warnings = Vec::new();
        if kept.len() > self.rows {
            let customers = kept.len() - self.rows;
            warnings
                .push(Warning::LeftOut { customers, why: "more rows than a support vector machine takes" });
            kept.shuffle(&mut ChaCha8Rng::seed_from_u64(cx.seed_value()));
            kept.truncate(self.rows);
        }
        let chosen = Chosen::of(rows, &kept)?;
        let rows = chosen.rows()?;
        let columns = Standardised::of(&rows, false)?;
        warnings.extend(columns.warning(&rows));
        let (n, p) = (rows.len(), columns.kept.len());
        if p == 0 || rows.target().windows(2).all(|pair| pair[0] == pair[1]) {
            return Err(Error::NoEstimate { model: NAME, why: "every row, or every target, is the same" });
        }
        let records = Array2::from_shape_vec((n, p), columns.data.clone()).map_err(backend)?;
        let (kernel, gamma) = match self.kernel {
            Kernel::Linear => (Kernel::Linear, None),
            Kernel::Gaussian { gamma } => {
                let gamma = gamma.unwrap_or(1.0 / p as f64);
                (Kernel::Gaussian { gamma: Some(gamma) }, Some(gamma))
            }
        };
        let (centre, size, alpha, rho) = match self.task {
            Task::Regression => {
                let mean = rows.target().iter().sum::<f64>() / n as f64;
                let size = (rows.target().iter().map(|y| (y - mean).powi(2)).sum::<f64>() / n as f64).sqrt();
                let target: Array1<f64> = rows.target().iter().map(|y| (y - mean) / size).collect();
                let params = LinfaSvm::<f64, f64>::params().c_svr(self.cost, Some(self.width)).eps(1e-5);
                let params = match gamma {
                    None => params.linear_kernel(),
                    Some(gamma) => params.gaussian_kernel(1.0 / gamma),
                };
                let fitted = params.fit(&DatasetBase::new(records, target)).map_err(backend)?;
                (mean, size, fitted.alpha, fitted.rho)
            }
            Task::Classifier => {
                let target: Array1<bool> = rows.target().iter().map(|y| *y == 1.0).collect();
                let params = LinfaSvm::<f64, bool>::params().pos_neg_weights(self.cost, self.cost).eps(1e-5);
                let params = match gamma {
                    None => params.linear_kernel(),
                    Some(gamma) => params.gaussian_kernel(1.0 / gamma),
                };
                let fitted = params.fit(&DatasetBase::new(records, target)).map_err(backend)?;
                (0.0, 1.0, fitted.alpha, fitted.rho)
            }
        };
        cx.check()?;
        let mut scale = vec![0.0; columns.mean.len()];
        columns.kept.iter().for_each(|&c| scale[c] = 1.0 / columns.spread[c]);
        let mut model = SvmModel {
            kernel,
            mean: columns.mean.clone(),
            scale,
            vectors: Vec::new(),
            weights: Vec::new(),
            intercept: -rho,
            size,
            centre,
        };
        model.keep(&rows, &alpha);
        Ok(Learned { model, warnings })
    }
}

fn backend(source: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::Backend { model: NAME, source: Box::new(source) }
}

impl SvmModel {
    fn keep(&mut self, rows: &Rows<'_>, alpha: &[f64]) {
        let width = self.mean.len();
        let standard = |row: usize| -> Vec<f64> {
            let values = rows.features().row(row);
            (0..width).map(|c| (values[c] - self.mean[c]) * self.scale[c]).collect()
        };
        let holding: Vec<usize> = (0..alpha.len()).filter(|&i| alpha[i] != 0.0).collect();
        match self.kernel {
            Kernel::Linear => {
                let mut sum = vec![0.0; width];
                for &i in &holding {
                    sum.iter_mut().zip(standard(i)).for_each(|(s, v)| *s += alpha[i] * v);
                }
                (self.vectors, self.weights) = (sum, vec![1.0]);
            }
            Kernel::Gaussian { .. } => {
                self.vectors = holding.iter().flat_map(|&i| standard(i)).collect();
                self.weights = holding.iter().map(|&i| alpha[i]).collect();
            }
        }
    }

    /// Number of rows that hold the model; 1 for a linear kernel, whose rows are one sum.
    pub fn support_vectors(&self) -> usize {
        self.weights.len()
    }
}

impl Regression for SvmModel {
    const KIND: Kind = Kind::new(NAME, 1);

    fn width(&self) -> usize {
        self.mean.len()
    }

    fn at(&self, row: &[f64], _: &mut Vec<f32>) -> Result<f64, Error> {
        let mut sum = self.intercept;
        let standard = |c: usize| (row[c] - self.mean[c]) * self.scale[c];
        for (vector, weight) in self.vectors.chunks_exact(row.len().max(1)).zip(&self.weights) {
            let of = |f: &dyn Fn(f64, f64) -> f64| {
                vector.iter().enumerate().map(|(c, v)| f(*v, standard(c))).sum::<f64>()
            };
            sum += weight
                * match self.kernel {
                    Kernel::Linear => of(&|a, b| a * b),
                    Kernel::Gaussian { gamma } => {
                        (-gamma.unwrap_or_default() * of(&|a, b| (a - b) * (a - b))).exp()
                    }
                };
        }
        Ok(self.centre + self.size * sum)
    }
}
