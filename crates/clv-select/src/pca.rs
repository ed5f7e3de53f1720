//! Principal components.

use clv_core::{Error, FeatureMatrix};
use clv_math::linalg::symmetric_eigen;
use serde::{Deserialize, Serialize};

/// Settings of principal component analysis (Pearson 1901; Hotelling 1933) on columns with mean 0 and
/// standard deviation 1: new columns, uncorrelated, each along the direction of most variance left.
///
/// ```
/// use clv_core::FeatureMatrix;
/// use clv_select::Pca;
///
/// let row = |i: u32| [f64::from(i), 2.0 * f64::from(i) + f64::from(i % 2)];
/// let rows = FeatureMatrix::new(vec!["a".into(), "b".into()], (0..50).flat_map(row).collect())?;
/// let pca = Pca::share(0.99)?.fit(&rows)?;
/// assert_eq!(pca.components(), 1);           // two columns, one direction
/// assert_eq!(pca.apply(&rows)?.names(), ["component_1"]);
/// # Ok::<(), clv_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pca {
    keep: Keep,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Keep {
    Count(usize),
    Share(f64),
}

/// Directions, and how to get there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PcaModel {
    columns: Vec<String>,
    mean: Vec<f64>,
    /// 0 for a column that does not vary.
    scale: Vec<f64>,
    /// One after the other.
    directions: Vec<f64>,
    shares: Vec<f64>,
}

impl Pca {
    /// So many components, or as many as there are columns.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] for none.
    pub fn count(components: usize) -> Result<Self, Error> {
        if components == 0 {
            return Err(Error::Setting { name: "components", given: 0.0, allowed: "at least 1" });
        }
        Ok(Self { keep: Keep::Count(components) })
    }

    /// As many components as hold this share of the variance.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] unless it is above 0 and at most 1.
    pub fn share(share: f64) -> Result<Self, Error> {
        Ok(Self { keep: Keep::Share(clv_core::setting::some_share("share", share)?) })
    }

    /// Finds the directions.
    ///
    /// # Errors
    ///
    /// [`Error::Cell`] for a value that is not finite, [`Error::NoEstimate`] if no column varies.
    pub fn fit(&self, rows: &FeatureMatrix) -> Result<PcaModel, Error> {
        rows.expect_finite()?;
        let (n, p) = (rows.rows() as f64, rows.names().len());
        let over = |f: &dyn Fn(&[f64]) -> f64| (0..rows.rows()).map(|r| f(rows.row(r))).sum::<f64>() / n;
        let mean: Vec<f64> = (0..p).map(|c| over(&|row| row[c])).collect();
        let deviation: Vec<f64> = (0..p).map(|c| over(&|row| (row[c] - mean[c]).powi(2)).sqrt()).collect();
        let varies = |c: usize| deviation[c] > 1e-12 * mean[c].abs();
        let scale: Vec<f64> = (0..p).map(|c| if varies(c) { 1.0 / deviation[c] } else { 0.0 }).collect();
        let (values, vectors) = symmetric_eigen(&crate::correlations(rows)?, p);
        let total: f64 = values.iter().map(|v| v.max(0.0)).sum();
        if total <= 0.0 {
            return Err(Error::NoEstimate { model: "principal components", why: "no column varies" });
        }
        let mut order: Vec<usize> = (0..p).collect();
        order.sort_by(|&a, &b| values[b].total_cmp(&values[a]));
        let mut model = PcaModel {
            columns: rows.names().to_vec(),
            mean,
            scale,
            directions: Vec::new(),
            shares: Vec::new(),
        };
        let mut held = 0.0;
        for k in order {
            let enough = match self.keep {
                Keep::Count(count) => model.shares.len() == count,
                Keep::Share(share) => held >= share - 1e-12,
            };
            if enough || values[k] <= 1e-12 * total {
                break;
            }
            let direction = &vectors[k];
            // A direction and its opposite are one; the largest part points up.
            let largest = direction.iter().fold(0.0_f64, |a, v| if v.abs() > a.abs() { *v } else { a });
            model.directions.extend(direction.iter().map(|v| v * largest.signum()));
            model.shares.push(values[k] / total);
            held += values[k] / total;
        }
        Ok(model)
    }
}

impl PcaModel {
    /// Number of components.
    pub fn components(&self) -> usize {
        self.shares.len()
    }

    /// Share of the variance that each component holds, falling.
    pub fn shares(&self) -> &[f64] {
        &self.shares
    }

    /// What each column adds to a component, per standard deviation.
    pub fn direction(&self, component: usize) -> &[f64] {
        &self.directions[component * self.columns.len()..(component + 1) * self.columns.len()]
    }

    /// The components of rows, as columns `component_1` and so on.
    ///
    /// # Errors
    ///
    /// [`Error::MissingColumn`] unless the columns are those that were fitted, in their order.
    pub fn apply(&self, rows: &FeatureMatrix) -> Result<FeatureMatrix, Error> {
        let unlike = self.columns.iter().enumerate().find(|(c, name)| rows.names().get(*c) != Some(name));
        if let Some((_, column)) = unlike {
            return Err(Error::MissingColumn { model: "principal components", column: column.clone() });
        }
        let names = (1..=self.components()).map(|k| format!("component_{k}")).collect();
        let value = |row: &[f64], k: usize| {
            let parts = self.direction(k).iter().enumerate();
            parts.map(|(c, d)| d * (row[c] - self.mean[c]) * self.scale[c]).sum::<f64>()
        };
        let data = (0..rows.rows())
            .flat_map(|r| (0..self.components()).map(move |k| value(rows.row(r), k)))
            .collect();
        FeatureMatrix::new(names, data)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// scikit-learn 1.9.1: `PCA().fit(StandardScaler().fit_transform(X)).explained_variance_ratio_`.
    #[test]
    fn components_are_scikit_learns_and_uncorrelated() {
        let x = |i: u32| {
            let (a, b) = (f64::from(i * 37 % 101) / 10.0, f64::from(i * 53 % 97) / 7.0);
            [a, b, f64::from(i % 5), a + b]
        };
        let names = ["a", "b", "c", "d"].map(String::from).to_vec();
        let rows = FeatureMatrix::new(names, (0..200).flat_map(x).collect()).unwrap();
        let pca = Pca::count(4).unwrap().fit(&rows).unwrap();
        for (found, expected) in pca.shares().iter().zip(SHARES) {
            assert!((found - expected).abs() < 1e-9, "{:?}", pca.shares());
        }
        // The fourth column is the sum of two others.
        assert_eq!(pca.components(), 3);
        let components = pca.apply(&rows).unwrap();
        for k in 0..3 {
            for l in 0..3 {
                let dot: f64 =
                    (0..200).map(|r| components.row(r)[k] * components.row(r)[l]).sum::<f64>() / 200.0;
                let expected = if k == l { 4.0 * pca.shares()[k] } else { 0.0 };
                assert!((dot - expected).abs() < 1e-9, "{k} {l} {dot}");
            }
        }
        let saved: PcaModel = serde_json::from_str(&serde_json::to_string(&pca).unwrap()).unwrap();
        assert_eq!(saved.apply(&rows).unwrap(), components);
        assert_eq!(Pca::share(0.5).unwrap().fit(&rows).unwrap().components(), 1);
        assert!(Pca::count(0).is_err() && Pca::share(0.0).is_err());
    }

    const SHARES: [f64; 3] = [0.5139810973901704, 0.25028248009989285, 0.2357364225099368];
}
