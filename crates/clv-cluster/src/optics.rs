//! OPTICS.
//!
//! Our own: linfa's puts the first row of what hangs together behind others, and gives it a distance.

use clv_core::transform::Step;
use clv_core::{Context, Error, FeatureMatrix};

use crate::scaled::{Scaled, squared_distance};

/// Settings of OPTICS (Ankerst, Breunig, Kriegel and Sander 1999): customers in an order in which neighbours
/// stand together, each with the reach at which it joins those before it. One order holds the clusters
/// of [`Dbscan`](crate::Dbscan) for every reach; its plot shows them as valleys. Time grows with the square
/// of the rows.
///
/// | Name | Default | Why |
/// | :-- | :-- | :-- |
/// | `neighbours` | – | oneself included; the larger, the smoother the valleys |
/// | `reach` | no limit | nobody beyond it is a neighbour |
/// | `transform` | `Standard` | one reach for all columns |
///
/// ```
/// use clv_cluster::Optics;
/// use clv_core::{Context, FeatureMatrix};
///
/// let spend: Vec<f64> = (0..20).map(|i| f64::from(i % 10) + if i < 10 { 0.0 } else { 50.0 }).chain([25.0]).collect();
/// let spend = FeatureMatrix::new(vec!["spend".into()], spend)?;
/// let order = Optics::new(3)?.transform(vec![]).order(&spend, &Context::default())?;
/// let clusters = order.clusters(2.0);
/// assert_eq!((clusters[0], clusters[19], clusters[20]), (Some(0), Some(1), None));
/// # Ok::<(), clv_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Optics {
    neighbours: usize,
    reach: f64,
    steps: Vec<Step>,
}

/// Rows in order, each with its distances.
#[derive(Clone, Debug, PartialEq)]
pub struct OpticsOrder {
    /// Row numbers, in order.
    pub rows: Vec<usize>,
    /// The reach at which each of them joins one before it; infinite for the first of what hangs together.
    pub reachability: Vec<f64>,
    /// The reach at which each has enough neighbours; infinite if it never has.
    pub core: Vec<f64>,
}

impl Optics {
    /// With so many neighbours, oneself included.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] for fewer than 2.
    pub fn new(neighbours: usize) -> Result<Self, Error> {
        if neighbours < 2 {
            let given = neighbours as f64;
            return Err(Error::Setting { name: "neighbours", given, allowed: "at least 2" });
        }
        Ok(Self { neighbours, reach: f64::INFINITY, steps: vec![Step::Standard] })
    }

    /// Looks at nobody beyond this reach.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] unless it is above 0.
    pub fn reach(self, reach: f64) -> Result<Self, Error> {
        if reach > 0.0 {
            Ok(Self { reach, ..self })
        } else {
            Err(Error::Setting { name: "reach", given: reach, allowed: "above 0" })
        }
    }

    /// Through other transforms.
    pub fn transform(self, steps: Vec<Step>) -> Self {
        Self { steps, ..self }
    }

    /// Orders the rows.
    ///
    /// # Errors
    ///
    /// [`Error::Cell`] for a value that is not finite, [`Error::Stopped`].
    pub fn order(&self, rows: &FeatureMatrix, cx: &Context<'_>) -> Result<OpticsOrder, Error> {
        let (_, columns) = Scaled::fit(&self.steps, rows)?;
        let n = columns.rows();
        let mut order =
            OpticsOrder { rows: Vec::with_capacity(n), reachability: Vec::new(), core: Vec::new() };
        let (mut joins, mut done) = (vec![f64::INFINITY; n], vec![false; n]);
        let mut distances = vec![0.0; n];
        for _ in 0..n {
            cx.check()?;
            // The nearest to what has been ordered; where nothing is in reach, the first that is left.
            let left = (0..n).filter(|&row| !done[row]);
            let next = left.min_by(|&a, &b| joins[a].total_cmp(&joins[b]));
            let Some(row) = next else { break };
            done[row] = true;
            for (other, far) in distances.iter_mut().enumerate() {
                *far = squared_distance(columns.row(row), columns.row(other)).sqrt();
            }
            let core = self.core(&distances);
            if core.is_finite() {
                for other in (0..n).filter(|&other| !done[other] && distances[other] <= self.reach) {
                    joins[other] = joins[other].min(distances[other].max(core));
                }
            }
            order.rows.push(row);
            order.reachability.push(joins[row]);
            order.core.push(core);
        }
        Ok(order)
    }

    /// The distance of the last neighbour that is needed; infinite if it is beyond reach.
    fn core(&self, distances: &[f64]) -> f64 {
        let mut near = distances.to_vec();
        if near.len() < self.neighbours {
            return f64::INFINITY;
        }
        let (_, core, _) = near.select_nth_unstable_by(self.neighbours - 1, f64::total_cmp);
        if *core <= self.reach { *core } else { f64::INFINITY }
    }
}

impl OpticsOrder {
    /// The clusters at a reach, by row: those of DBSCAN with this reach, except that a row on the border of
    /// a cluster may lie alone (Ankerst et al., section 3.3). The largest cluster is 0.
    pub fn clusters(&self, reach: f64) -> Vec<Option<usize>> {
        let mut of = vec![None; self.rows.len()];
        let mut sizes: Vec<usize> = Vec::new();
        for ((&row, &joins), &core) in self.rows.iter().zip(&self.reachability).zip(&self.core) {
            // Infinity joins nobody and is nobody's reach, even where no limit is set.
            if !(joins.is_finite() && joins <= reach) {
                if !(core.is_finite() && core <= reach) {
                    continue;
                }
                sizes.push(0);
            }
            if let Some(size) = sizes.last_mut() {
                *size += 1;
                of[row] = Some(sizes.len() - 1);
            }
        }
        let mut order: Vec<usize> = (0..sizes.len()).collect();
        order.sort_by_key(|&c| (std::cmp::Reverse(sizes[c]), c));
        let mut rank = vec![0; sizes.len()];
        order.iter().enumerate().for_each(|(place, &c)| rank[c] = place);
        of.iter_mut().flatten().for_each(|c| *c = rank[*c]);
        of
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of all but the first, in scikit-learn's order.
    const REACHABILITY: f64 = 60.77336006455508;

    /// scikit-learn 1.9.1, `OPTICS(min_samples=4)` and `cluster_optics_dbscan`, on the same rows.
    #[test]
    fn distances_and_clusters_are_scikit_learns() {
        let x = |i: u32| {
            let far = |yes: bool, by: f64| if yes { by } else { 0.0 };
            [
                f64::from(i * 37 % 17) / 4.0 + far(!i.is_multiple_of(3), 12.0) + f64::from(i * i) / 5000.0,
                f64::from(i * 53 % 13) / 5.0 + far(i % 3 == 1, 9.0) + f64::from(i) / 700.0,
            ]
        };
        let rows = FeatureMatrix::new(vec!["a".into(), "b".into()], (0..60).flat_map(x).collect()).unwrap();
        let optics = Optics::new(4).unwrap().transform(vec![]);
        let order = optics.order(&rows, &Context::default()).unwrap();
        let mut seen = order.rows.clone();
        seen.sort_unstable();
        assert_eq!(seen, (0..60).collect::<Vec<_>>());
        let core = |row: usize| order.core[order.rows.iter().position(|r| *r == row).unwrap()];
        for (row, expected) in [(0, 1.406815), (6, 1.228498), (18, 0.6418), (17, 1.329682), (49, 0.729683)] {
            assert!((core(row) - expected).abs() < 1e-6, "{row}: {}", core(row));
        }
        // Where one of the three heaps ends, the next is joined from afar.
        let mut jumps: Vec<f64> = order.reachability.iter().copied().filter(|r| *r > 2.0).collect();
        jumps.sort_by(f64::total_cmp);
        assert!((jumps[0] - 6.863663).abs() < 1e-6 && (jumps[1] - 7.665439).abs() < 1e-6, "{jumps:?}");
        assert_eq!(jumps.len(), 3);
        let count = |reach| order.clusters(reach).iter().flatten().max().map_or(0, |c| c + 1);
        let held = |reach| order.clusters(reach).iter().flatten().count();
        for (reach, clusters, rows) in [(2.0, 3, 60), (1.2, 3, 52), (0.9, 7, 50), (0.1, 0, 0)] {
            assert_eq!((count(reach), held(reach)), (clusters, rows), "{reach}");
        }
        let (kept, near) =
            (order.clusters(2.0), optics.reach(2.0).unwrap().order(&rows, &Context::default()));
        assert!(kept.iter().all(Option::is_some));
        assert!(order.clusters(f64::INFINITY).iter().all(|c| *c == Some(0)));
        let sum = |of: &[f64]| of.iter().filter(|r| r.is_finite()).sum::<f64>();
        assert!((sum(&order.reachability) - REACHABILITY).abs() < 1e-4, "{}", sum(&order.reachability));
        // The same heaps, though ties may number them otherwise.
        let number = |of: Vec<Option<usize>>| of.into_iter().flatten().collect::<Vec<_>>();
        let (kept, near) = (number(kept), number(near.unwrap().clusters(2.0)));
        assert_eq!(crate::adjusted_rand(&kept, &near).unwrap(), 1.0);
    }
}
