//! DBSCAN, through linfa.

use clv_core::transform::Step;
use clv_core::{Context, Error, FeatureMatrix, setting};
use linfa::traits::Transformer;
use ndarray_linfa::Array2;
use serde::{Deserialize, Serialize};

use crate::scaled::{Scaled, squared_distance};

/// Settings of DBSCAN (Ester, Kriegel, Sander and Xu 1996): a customer with `neighbours` others within
/// `reach` is dense; dense customers within reach of each other are one cluster, with those they reach;
/// the rest lie alone.
///
/// | Name | Default | Why |
/// | :-- | :-- | :-- |
/// | `reach` | – | on the scaled columns: with `Standard`, in standard deviations |
/// | `neighbours` | – | the larger, the fewer and denser the clusters |
/// | `transform` | `Standard` | one reach for all columns |
///
/// ```
/// use clv_cluster::Dbscan;
/// use clv_core::{Context, FeatureMatrix};
///
/// let spend: Vec<f64> = (0..20).map(|i| f64::from(i % 10) + if i < 10 { 0.0 } else { 50.0 }).chain([25.0]).collect();
/// let spend = FeatureMatrix::new(vec!["spend".into()], spend)?;
/// let model = Dbscan::new(2.0, 3)?.transform(vec![]).cluster(&spend, &Context::default())?;
/// assert_eq!(model.clusters(), 2);
/// assert_eq!(model.assign(&spend)?[20], None);          // in between, alone
/// # Ok::<(), clv_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Dbscan {
    reach: f64,
    neighbours: usize,
    steps: Vec<Step>,
}

/// Dense customers and their clusters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DbscanModel {
    scaled: Scaled,
    reach: f64,
    /// Dense rows, scaled, one after the other.
    dense: Vec<f64>,
    /// Their clusters.
    of: Vec<usize>,
}

impl Dbscan {
    /// With a reach, and so many customers within it (oneself included) to be dense.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] unless the reach is above 0 and finite, and the number at least 2.
    pub fn new(reach: f64, neighbours: usize) -> Result<Self, Error> {
        setting::above_zero("reach", reach)?;
        if neighbours < 2 {
            let given = neighbours as f64;
            return Err(Error::Setting { name: "neighbours", given, allowed: "at least 2" });
        }
        Ok(Self { reach, neighbours, steps: vec![Step::Standard] })
    }

    /// Through other transforms.
    pub fn transform(self, steps: Vec<Step>) -> Self {
        Self { steps, ..self }
    }

    /// Finds clusters.
    ///
    /// # Errors
    ///
    /// [`Error::Cell`] for a value that is not finite, [`Error::Stopped`].
    pub fn cluster(&self, rows: &FeatureMatrix, cx: &Context<'_>) -> Result<DbscanModel, Error> {
        let backend =
            |source: Box<dyn std::error::Error + Send + Sync>| Error::Backend { model: "DBSCAN", source };
        cx.check()?;
        let (scaled, columns) = Scaled::fit(&self.steps, rows)?;
        let (n, p) = (columns.rows(), columns.names().len());
        let records = Array2::from_shape_vec((n, p), columns.as_slice().to_vec());
        let records = records.map_err(|e| backend(Box::new(e)))?;
        let found = linfa_clustering::Dbscan::params(self.neighbours).tolerance(self.reach);
        let found = linfa::ParamGuard::check(found).map_err(|e| backend(Box::new(e)))?.transform(&records);
        cx.check()?;
        // The largest cluster first.
        let mut sizes: Vec<(usize, usize)> = Vec::new();
        for c in found.iter().flatten() {
            if *c >= sizes.len() {
                sizes.extend((sizes.len()..=*c).map(|c| (0, c)));
            }
            sizes[*c].0 += 1;
        }
        sizes.sort_by_key(|&(size, c)| (std::cmp::Reverse(size), c));
        let mut number = vec![0; sizes.len()];
        sizes.iter().enumerate().for_each(|(rank, &(_, c))| number[c] = rank);
        // Who is dense, linfa does not say: those with enough neighbours, all of whom have a cluster.
        let mut model = DbscanModel { scaled, reach: self.reach, dense: Vec::new(), of: Vec::new() };
        let near: Vec<(usize, usize)> = (0..n).filter_map(|row| Some((row, number[found[row]?]))).collect();
        for &(row, cluster) in &near {
            cx.check()?;
            let within =
                |&&(other, _): &&(usize, usize)| distance(columns.row(row), columns.row(other)) <= self.reach;
            if near.iter().filter(within).take(self.neighbours).count() == self.neighbours {
                model.dense.extend_from_slice(columns.row(row));
                model.of.push(cluster);
            }
        }
        Ok(model)
    }
}

impl DbscanModel {
    /// Number of clusters; 0 if nobody is dense.
    pub fn clusters(&self) -> usize {
        self.of.iter().max().map_or(0, |c| c + 1)
    }

    /// The cluster of each row, the largest one being 0: that of the nearest dense row within reach;
    /// `None` for those who lie alone.
    ///
    /// # Errors
    ///
    /// [`Error::MissingColumn`] if a column is not there.
    pub fn assign(&self, rows: &FeatureMatrix) -> Result<Vec<Option<usize>>, Error> {
        let columns = self.scaled.apply(rows)?;
        let width = columns.names().len().max(1);
        let of = |row: usize| {
            let mut best = (None, self.reach);
            for (dense, &c) in self.dense.chunks_exact(width).zip(&self.of) {
                let far = distance(columns.row(row), dense);
                if far < best.1 || (far == best.1 && best.0.is_none()) {
                    best = (Some(c), far);
                }
            }
            best.0
        };
        Ok((0..columns.rows()).map(of).collect())
    }
}

fn distance(a: &[f64], b: &[f64]) -> f64 {
    squared_distance(a, b).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_and_its_middle_are_two_and_one_far_off_is_alone() {
        let mut data: Vec<f64> = (0..100)
            .flat_map(|i| {
                let angle = f64::from(i) / 100.0 * std::f64::consts::TAU;
                [10.0 * angle.cos(), 10.0 * angle.sin()]
            })
            .collect();
        data.extend((0..30).flat_map(|i| [f64::from(i % 6) / 5.0, f64::from(i / 6) / 5.0]));
        data.extend([40.0, 40.0]);
        let rows = FeatureMatrix::new(vec!["x".into(), "y".into()], data).unwrap();
        let model =
            Dbscan::new(1.0, 3).unwrap().transform(Vec::new()).cluster(&rows, &Context::default()).unwrap();
        let of = model.assign(&rows).unwrap();
        assert_eq!(model.clusters(), 2);
        assert!(of[..100].iter().all(|c| *c == Some(0)) && of[100..130].iter().all(|c| *c == Some(1)));
        assert_eq!(of[130], None);
        let new = FeatureMatrix::new(rows.names().to_vec(), vec![0.5, -0.5, 20.0, 0.0]).unwrap();
        assert_eq!(model.assign(&new).unwrap(), [Some(1), None]);
        let loaded: DbscanModel = serde_json::from_str(&serde_json::to_string(&model).unwrap()).unwrap();
        assert_eq!(loaded, model);
        assert!(Dbscan::new(0.0, 3).is_err() && Dbscan::new(1.0, 1).is_err());
    }
}
