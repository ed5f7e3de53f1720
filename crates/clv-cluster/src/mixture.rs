//! Gaussian mixtures, fitted by linfa.

use clv_core::transform::Step;
use clv_core::{Context, Error, FeatureMatrix};
use clv_math::linalg::cholesky;
use linfa::DatasetBase;
use linfa::traits::Fit;
use linfa_clustering::GaussianMixtureModel;
use ndarray_linfa::{Array2, Axis};
use rand_xoshiro::Xoshiro256Plus;
use rand_xoshiro::rand_core::SeedableRng;
use serde::{Deserialize, Serialize};

use crate::scaled::Scaled;

const NAME: &str = "Gaussian mixture";

/// Settings of a mixture of normal distributions, each with its own covariance, by expectation
/// maximisation (Dempster, Laird and Rubin 1977).
///
/// | Name | Default | Why |
/// | :-- | :-- | :-- |
/// | `clusters` | – | must be said; compare [`MixtureModel::bic`] |
/// | `transform` | `Standard` | so that the floor under variances means the same for each column |
/// | `starts` | 5 | the best of them |
///
/// ```
/// use clv_cluster::GaussianMixture;
/// use clv_core::{Context, FeatureMatrix};
///
/// let spend: Vec<f64> = (0..100).map(|i| f64::from(i % 10) + if i < 60 { 0.0 } else { 100.0 }).collect();
/// let spend = FeatureMatrix::new(vec!["spend".into()], spend)?;
/// let model = GaussianMixture::new(2)?.cluster(&spend, &Context::default())?;
/// assert!((model.weights()[0] - 0.6).abs() < 1e-6);     // the largest group first
/// assert_eq!(model.assign(&spend)?[99], 1);
/// # Ok::<(), clv_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct GaussianMixture {
    clusters: usize,
    steps: Vec<Step>,
    starts: u64,
}

/// A fitted mixture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MixtureModel {
    scaled: Scaled,
    /// The largest first.
    parts: Vec<Part>,
    bic: f64,
}

/// A normal distribution on the scaled columns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Part {
    weight: f64,
    mean: Vec<f64>,
    /// Lower triangle `L` of the covariance `L Lᵀ`, row by row.
    lower: Vec<f64>,
}

impl GaussianMixture {
    /// So many groups.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] for none.
    pub fn new(clusters: usize) -> Result<Self, Error> {
        if clusters == 0 {
            return Err(Error::Setting { name: "clusters", given: 0.0, allowed: "at least 1" });
        }
        Ok(Self { clusters, steps: vec![Step::Standard], starts: 5 })
    }

    /// Through other transforms.
    pub fn transform(self, steps: Vec<Step>) -> Self {
        Self { steps, ..self }
    }

    /// The best of so many starts, at least one.
    pub fn starts(self, starts: u64) -> Self {
        Self { starts: starts.max(1), ..self }
    }

    /// Finds groups. The same rows and seed give the same groups.
    ///
    /// # Errors
    ///
    /// [`Error::TooLittleData`] with fewer rows than groups, [`Error::Cell`] for a value that is not
    /// finite, [`Error::Backend`] where expectation maximisation finds none.
    pub fn cluster(&self, rows: &FeatureMatrix, cx: &Context<'_>) -> Result<MixtureModel, Error> {
        cx.check()?;
        let (n, p) = (rows.rows(), rows.names().len());
        if n < self.clusters {
            return Err(Error::TooLittleData { model: NAME, needs: "as many rows as clusters", found: n });
        }
        let (scaled, columns) = Scaled::fit(&self.steps, rows)?;
        let backend =
            |source: Box<dyn std::error::Error + Send + Sync>| Error::Backend { model: NAME, source };
        let records = Array2::from_shape_vec((n, p), columns.as_slice().to_vec());
        let dataset = DatasetBase::from(records.map_err(|e| backend(Box::new(e)))?);
        let rng = Xoshiro256Plus::seed_from_u64(cx.seed_value());
        let fitted = GaussianMixtureModel::params_with_rng(self.clusters, rng)
            .n_runs(self.starts)
            .tolerance(1e-4)
            .max_n_iterations(500)
            .fit(&dataset)
            .map_err(|e| backend(e.to_string().into()))?;
        let shrunk =
            || Error::NoEstimate { model: NAME, why: "a group shrank to a point; ask for fewer groups" };
        let part = |k: usize| {
            let covariance: Vec<f64> = fitted.covariances().index_axis(Axis(0), k).iter().copied().collect();
            let lower = cholesky(&covariance, p).ok_or_else(shrunk)?;
            Ok(Part { weight: fitted.weights()[k], mean: fitted.means().row(k).to_vec(), lower })
        };
        let mut parts: Vec<Part> = (0..self.clusters).map(part).collect::<Result<_, Error>>()?;
        parts.sort_by(|a, b| b.weight.total_cmp(&a.weight));
        let mut model = MixtureModel { scaled, parts, bic: 0.0 };
        let log_likelihood: f64 = (0..n).map(|row| model.log_density(columns.row(row))).sum();
        let free = self.clusters * (1 + p + p * (p + 1) / 2) - 1;
        model.bic = free as f64 * (n as f64).ln() - 2.0 * log_likelihood;
        if model.bic.is_finite() { Ok(model) } else { Err(shrunk()) }
    }
}

impl Part {
    /// `ln(w N(x; μ, Σ))`.
    fn log_density(&self, x: &[f64]) -> f64 {
        let p = x.len();
        let mut z = vec![0.0; p];
        let (mut squares, mut log_root) = (0.0, 0.0);
        for i in 0..p {
            let dot: f64 = (0..i).map(|j| self.lower[i * p + j] * z[j]).sum();
            z[i] = (x[i] - self.mean[i] - dot) / self.lower[i * p + i];
            squares += z[i] * z[i];
            log_root += self.lower[i * p + i].ln();
        }
        self.weight.ln() - 0.5 * squares - log_root - 0.5 * p as f64 * (2.0 * std::f64::consts::PI).ln()
    }
}

impl MixtureModel {
    /// Each group's share, the largest first.
    pub fn weights(&self) -> Vec<f64> {
        self.parts.iter().map(|part| part.weight).collect()
    }

    /// The Bayesian criterion on the scaled columns, `k ln n − 2 ln L`: of several numbers of groups take
    /// the one with the least.
    pub fn bic(&self) -> f64 {
        self.bic
    }

    fn log_density(&self, x: &[f64]) -> f64 {
        let logs: Vec<f64> = self.parts.iter().map(|part| part.log_density(x)).collect();
        let largest = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        largest + logs.iter().map(|l| (l - largest).exp()).sum::<f64>().ln()
    }

    /// Each row's probability of each group.
    ///
    /// # Errors
    ///
    /// [`Error::MissingColumn`] if a column is not there.
    pub fn probabilities(&self, rows: &FeatureMatrix) -> Result<Vec<Vec<f64>>, Error> {
        let columns = self.scaled.apply(rows)?;
        let of = |row: usize| {
            let x = columns.row(row);
            let all = self.log_density(x);
            self.parts.iter().map(|part| (part.log_density(x) - all).exp()).collect()
        };
        Ok((0..columns.rows()).map(of).collect())
    }

    /// Each row's most probable group.
    ///
    /// # Errors
    ///
    /// As [`MixtureModel::probabilities`].
    pub fn assign(&self, rows: &FeatureMatrix) -> Result<Vec<usize>, Error> {
        let columns = self.scaled.apply(rows)?;
        let of = |row: usize| {
            let logs: Vec<f64> = self.parts.iter().map(|part| part.log_density(columns.row(row))).collect();
            (0..logs.len()).rev().max_by(|&a, &b| logs[a].total_cmp(&logs[b])).unwrap_or(0)
        };
        Ok((0..columns.rows()).map(of).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_that_cross_are_told_apart_by_their_direction() {
        // Two long thin groups across each other: k-means would cut them in the middle.
        let point = |i: u32| {
            let (t, thin) = (f64::from(i * 37 % 101) - 50.0, f64::from(i * 53 % 13) - 6.0);
            if i.is_multiple_of(3) { [t, thin / 10.0] } else { [thin / 10.0, t] }
        };
        let rows =
            FeatureMatrix::new(vec!["x".into(), "y".into()], (0..600).flat_map(point).collect()).unwrap();
        let model = GaussianMixture::new(2).unwrap().cluster(&rows, &Context::default()).unwrap();
        assert!((model.weights()[0] - 2.0 / 3.0).abs() < 0.05, "{:?}", model.weights());
        let of = model.assign(&rows).unwrap();
        let right = (0..600).filter(|&i| of[i] == usize::from(i % 3 == 0)).count();
        assert!(right > 560, "{right}");
        for row in model.probabilities(&rows).unwrap() {
            assert!((row.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        }
        let one = GaussianMixture::new(1).unwrap().cluster(&rows, &Context::default()).unwrap();
        assert!(model.bic() < one.bic());
        let loaded: MixtureModel = serde_json::from_str(&serde_json::to_string(&model).unwrap()).unwrap();
        assert_eq!(loaded.assign(&rows).unwrap(), of);
    }

    #[test]
    fn a_density_by_hand() {
        let part =
            Part { weight: 0.5, mean: vec![1.0, 0.0], lower: cholesky(&[4.0, 2.0, 2.0, 5.0], 2).unwrap() };
        // Σ = [[4, 2], [2, 5]]: |Σ| = 16, Σ⁻¹ = [[5, −2], [−2, 4]] / 16, and x − μ = (2, 1).
        let quadratic = (5.0 * 4.0 - 2.0 * 2.0 * 2.0 + 4.0) / 16.0;
        let by_hand =
            0.5_f64.ln() - 0.5 * quadratic - 0.5 * 16.0_f64.ln() - (2.0 * std::f64::consts::PI).ln();
        assert!((part.log_density(&[3.0, 1.0]) - by_hand).abs() < 1e-12);
    }
}
