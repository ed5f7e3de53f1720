//! k-means.
//!
//! Our own: linfa's takes three times scikit-learn's time at a comparable tolerance.

use clv_core::transform::Step;
use clv_core::{Context, Error, FeatureMatrix, setting};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::profile::silhouette;
use crate::scaled::{Scaled, squared_distance};

/// Settings of k-means (Lloyd 1982) from k-means++ starts (Arthur and Vassilvitskii 2007): groups whose
/// squared distances from their means add up to as little as possible.
///
/// | Name | Default | Why |
/// | :-- | :-- | :-- |
/// | `clusters` | – | must be said; [`KMeans::choose`] helps |
/// | `transform` | `Standard` | else the column of the largest unit decides |
/// | `starts` | 10 | the best of them: one start often ends beside the optimum |
/// | `sweeps` | 300 | a few dozen are the rule |
/// | `batch` | all rows | a few thousand move the means as well, in less time: for millions of rows |
/// | `tolerance` | 1e-4 | at rest once the means together move by less than this share of a column's mean variance, squared (scikit-learn's rule): the last hundred sweeps move hardly anyone |
///
/// ```
/// use clv_cluster::KMeans;
/// use clv_core::{Context, FeatureMatrix};
///
/// let spend = FeatureMatrix::new(vec!["spend".into()], vec![1.0, 2.0, 1.5, 90.0, 95.0])?;
/// let model = KMeans::new(2)?.cluster(&spend, &Context::default())?;
/// let found = model.assign(&spend)?;
/// assert_eq!(found, [0, 0, 0, 1, 1]);       // the largest group first
/// # Ok::<(), clv_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct KMeans {
    clusters: usize,
    steps: Vec<Step>,
    starts: usize,
    sweeps: usize,
    batch: Option<usize>,
    tolerance: f64,
}

/// Clusters around means.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KMeansModel {
    scaled: Scaled,
    /// On the scaled columns, one mean after the other, the largest group's first.
    means: Vec<f64>,
    inertia: f64,
    converged: bool,
}

/// How well so many clusters fit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Choice {
    /// How many.
    pub clusters: usize,
    /// Squared distances from the means, added up; falls with every cluster.
    pub inertia: f64,
    /// Mean [`silhouette`], of a sample if there are many rows: the more, the better.
    pub silhouette: f64,
}

impl KMeans {
    /// So many clusters.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] for none.
    pub fn new(clusters: usize) -> Result<Self, Error> {
        if clusters == 0 {
            return Err(Error::Setting { name: "clusters", given: 0.0, allowed: "at least 1" });
        }
        Ok(Self {
            clusters,
            steps: vec![Step::Standard],
            starts: 10,
            sweeps: 300,
            batch: None,
            tolerance: 1e-4,
        })
    }

    /// Through other transforms; none takes columns as they are.
    pub fn transform(self, steps: Vec<Step>) -> Self {
        Self { steps, ..self }
    }

    /// The best of so many starts, at least one.
    pub fn starts(self, starts: usize) -> Self {
        Self { starts: starts.max(1), ..self }
    }

    /// By so many rows at a time, drawn with replacement: mini-batch k-means (Sculley 2010). Each mean moves
    /// towards a row by one over the rows it has taken so far, over as many rows in all as six sweeps; then
    /// each row goes to its nearest mean. It is not waited for rest. The result is a little worse than that of whole sweeps.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] for none.
    pub fn batch(self, rows: usize) -> Result<Self, Error> {
        if rows == 0 {
            return Err(Error::Setting { name: "batch", given: 0.0, allowed: "at least 1" });
        }
        Ok(Self { batch: Some(rows), ..self })
    }

    /// At rest once the means move by less than this; 0 for not at all.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] unless it is finite and at least 0.
    pub fn tolerance(self, tolerance: f64) -> Result<Self, Error> {
        Ok(Self { tolerance: setting::at_least_zero("tolerance", tolerance)?, ..self })
    }

    /// Finds clusters. The same rows and seed give the same clusters.
    ///
    /// # Errors
    ///
    /// [`Error::TooLittleData`] with fewer distinct rows than clusters, [`Error::Cell`] for a value that
    /// is not finite, [`Error::Stopped`].
    pub fn cluster(&self, rows: &FeatureMatrix, cx: &Context<'_>) -> Result<KMeansModel, Error> {
        let (scaled, columns) = Scaled::fit(&self.steps, rows)?;
        let points = Points { data: columns.as_slice(), width: columns.names().len() };
        let mut best: Option<Found> = None;
        let mut rng = ChaCha8Rng::seed_from_u64(cx.seed_value());
        for _ in 0..self.starts {
            cx.check()?;
            let found = match self.batch.filter(|&batch| batch < points.len()) {
                None => self.lloyd(points, points.start(self.clusters, &mut rng)?, cx)?,
                Some(batch) => self.by_batches(points, batch, &mut rng, cx)?,
            };
            if best.as_ref().is_none_or(|best| found.inertia < best.inertia) {
                best = Some(found);
            }
        }
        let found = best.unwrap_or_else(|| unreachable!("there is at least one start"));
        // The largest first, so that a number means the same from run to run as far as it can.
        let mut sizes = vec![0_usize; self.clusters];
        found.of.iter().for_each(|&c| sizes[c as usize] += 1);
        let mut order: Vec<usize> = (0..self.clusters).collect();
        order.sort_by_key(|&c| std::cmp::Reverse(sizes[c]));
        let means = order.iter().flat_map(|&c| found.mean(c, points.width)).copied().collect();
        Ok(KMeansModel { scaled, means, inertia: found.inertia, converged: found.converged })
    }

    /// Tries numbers of clusters, and says how well each fits.
    ///
    /// # Errors
    ///
    /// As [`KMeans::cluster`].
    pub fn choose(
        &self,
        clusters: std::ops::RangeInclusive<usize>,
        rows: &FeatureMatrix,
        cx: &Context<'_>,
    ) -> Result<Vec<Choice>, Error> {
        clusters
            .map(|clusters| {
                let model = Self { clusters, ..self.clone() }.cluster(rows, cx)?;
                let columns = model.scaled.apply(rows)?;
                let of: Vec<usize> = (0..columns.rows()).map(|row| model.nearest(columns.row(row))).collect();
                let silhouette = silhouette(&columns, &of, cx.seed_value());
                Ok(Choice { clusters, inertia: model.inertia, silhouette: silhouette.unwrap_or(0.0) })
            })
            .collect()
    }

    fn by_batches(
        &self,
        points: Points<'_>,
        batch: usize,
        rng: &mut impl Rng,
        cx: &Context<'_>,
    ) -> Result<Found, Error> {
        /// Passes over as many rows as there are, in all.
        const PASSES: usize = 6;
        /// A start is drawn from so many rows a cluster at least.
        const START: usize = 100;

        let p = points.width;
        let sample = points.drawn((START * self.clusters).max(batch), rng);
        // A sample may miss the few that are unlike the others.
        let start = Points { data: &sample, width: p }.start(self.clusters, rng);
        let mut means = start.or_else(|_| points.start(self.clusters, rng))?;
        let mut taken = vec![0.0; self.clusters];
        for _ in 0..(PASSES * points.len()).div_ceil(batch) {
            cx.check()?;
            let rows = points.drawn(batch, rng);
            let rows = Points { data: &rows, width: p };
            let mut found = Found { means, of: vec![0; batch], inertia: 0.0, converged: false };
            rows.nearest(&mut found);
            means = found.means;
            for (row, c) in rows.iter().zip(found.of) {
                let c = c as usize;
                taken[c] += 1.0;
                let mean = means[c * p..(c + 1) * p].iter_mut().zip(row);
                mean.for_each(|(mean, x)| *mean += (x - *mean) / taken[c]);
            }
        }
        let mut found = Found { means, of: vec![u32::MAX; points.len()], inertia: 0.0, converged: true };
        points.nearest(&mut found);
        Ok(found)
    }

    fn lloyd(&self, points: Points<'_>, means: Vec<f64>, cx: &Context<'_>) -> Result<Found, Error> {
        let (k, p) = (self.clusters, points.width);
        let mut found =
            Found { means, of: vec![u32::MAX; points.len()], inertia: f64::INFINITY, converged: false };
        let little = self.tolerance * points.mean_variance();
        for _ in 0..self.sweeps {
            cx.check()?;
            let moved = points.nearest(&mut found);
            if !moved {
                found.converged = true;
                break;
            }
            let before = found.means.clone();
            let (mut sums, mut counts) = (vec![0.0; k * p], vec![0_u32; k]);
            for (point, &c) in points.iter().zip(&found.of) {
                let c = c as usize;
                counts[c] += 1;
                sums[c * p..(c + 1) * p].iter_mut().zip(point).for_each(|(s, x)| *s += x);
            }
            for c in 0..k {
                // An empty cluster starts anew at the point farthest from its mean.
                if counts[c] == 0 {
                    let farthest = points.farthest(&found);
                    sums[c * p..(c + 1) * p].copy_from_slice(points.at(farthest));
                    counts[c] = 1;
                }
                let count = f64::from(counts[c]);
                let mean = found.means[c * p..(c + 1) * p].iter_mut().zip(&sums[c * p..(c + 1) * p]);
                mean.for_each(|(mean, sum)| *mean = sum / count);
            }
            if squared_distance(&before, &found.means) < little {
                points.nearest(&mut found);
                found.converged = true;
                break;
            }
        }
        Ok(found)
    }
}

#[derive(Debug)]
struct Found {
    means: Vec<f64>,
    of: Vec<u32>,
    inertia: f64,
    converged: bool,
}

impl Found {
    fn mean(&self, cluster: usize, width: usize) -> &[f64] {
        &self.means[cluster * width..(cluster + 1) * width]
    }
}

#[derive(Clone, Copy, Debug)]
struct Points<'a> {
    data: &'a [f64],
    width: usize,
}

impl<'a> Points<'a> {
    fn len(self) -> usize {
        self.data.len() / self.width
    }

    fn at(self, row: usize) -> &'a [f64] {
        &self.data[row * self.width..(row + 1) * self.width]
    }

    fn iter(self) -> std::slice::ChunksExact<'a, f64> {
        self.data.chunks_exact(self.width)
    }

    /// So many points, with replacement.
    fn drawn(self, count: usize, rng: &mut impl Rng) -> Vec<f64> {
        (0..count).flat_map(|_| self.at(rng.random_range(0..self.len()))).copied().collect()
    }

    /// The columns' variances, on average.
    fn mean_variance(self) -> f64 {
        let n = self.len() as f64;
        let variance = |j: usize| {
            let mean = self.iter().map(|point| point[j]).sum::<f64>() / n;
            self.iter().map(|point| (point[j] - mean).powi(2)).sum::<f64>() / n
        };
        (0..self.width).map(variance).sum::<f64>() / self.width as f64
    }

    /// Points drawn one after the other, each by its squared distance from those before; of a few such
    /// draws the one that leaves the least (as scikit-learn does).
    fn start(self, clusters: usize, rng: &mut impl Rng) -> Result<Vec<f64>, Error> {
        let mut means = self.at(rng.random_range(0..self.len())).to_vec();
        let mut nearest: Vec<f64> = self.iter().map(|point| squared_distance(point, &means)).collect();
        let tries = 2 + (clusters as f64).ln() as usize;
        for found in 1..clusters {
            let total: f64 = nearest.iter().sum();
            if total <= 0.0 {
                let needs = "as many distinct rows as clusters";
                return Err(Error::TooLittleData { model: "k-means", needs, found });
            }
            let mut best: Option<(f64, usize)> = None;
            for _ in 0..tries {
                let mut left = rng.random::<f64>() * total;
                let drawn = nearest.iter().position(|d| {
                    left -= d;
                    left < 0.0 && *d > 0.0
                });
                let drawn = drawn.unwrap_or_else(|| last_positive(&nearest));
                let point = self.at(drawn);
                let rest: f64 =
                    self.iter().zip(&nearest).map(|(x, d)| d.min(squared_distance(x, point))).sum();
                if best.is_none_or(|(least, _)| rest < least) {
                    best = Some((rest, drawn));
                }
            }
            let point = self.at(best.map_or(0, |(_, drawn)| drawn));
            nearest.iter_mut().zip(self.iter()).for_each(|(d, x)| *d = d.min(squared_distance(x, point)));
            means.extend_from_slice(point);
        }
        Ok(means)
    }

    /// Each point to its nearest mean, the first of equals; whether any moved.
    fn nearest(self, found: &mut Found) -> bool {
        let (k, p) = (found.means.len() / self.width, self.width);
        // Means column by column, so that the inner loop runs over clusters side by side.
        let across: Vec<f64> =
            (0..p).flat_map(|j| (0..k).map(move |c| (c, j))).map(|(c, j)| found.means[c * p + j]).collect();
        let mut distances = vec![0.0; k];
        let (mut moved, mut inertia) = (false, 0.0);
        for (point, of) in self.iter().zip(&mut found.of) {
            distances.fill(0.0);
            for (x, column) in point.iter().zip(across.chunks_exact(k)) {
                for (d, mean) in distances.iter_mut().zip(column) {
                    *d += (x - mean) * (x - mean);
                }
            }
            let (mut best, mut least) = (0, distances[0]);
            for (c, d) in distances.iter().enumerate().skip(1) {
                if *d < least {
                    (best, least) = (c, *d);
                }
            }
            moved |= *of != best as u32;
            *of = best as u32;
            inertia += least;
        }
        found.inertia = inertia;
        moved
    }

    fn farthest(self, found: &Found) -> usize {
        let far = |row: usize| squared_distance(self.at(row), found.mean(found.of[row] as usize, self.width));
        (0..self.len()).max_by(|&a, &b| far(a).total_cmp(&far(b))).unwrap_or(0)
    }
}

fn last_positive(nearest: &[f64]) -> usize {
    nearest.iter().rposition(|d| *d > 0.0).unwrap_or(0)
}

impl KMeansModel {
    /// Number of clusters.
    pub fn clusters(&self) -> usize {
        self.means.len() / self.scaled.columns.len()
    }

    /// The columns that were clustered.
    pub fn columns(&self) -> &[String] {
        &self.scaled.columns
    }

    /// Squared distances of the rows clustered from their means, on the scaled columns, added up.
    pub fn inertia(&self) -> f64 {
        self.inertia
    }

    /// Whether the best start came to rest within the sweeps allowed.
    pub fn converged(&self) -> bool {
        self.converged
    }

    /// The cluster of each row, the largest one being 0: whose mean is nearest.
    ///
    /// # Errors
    ///
    /// [`Error::MissingColumn`] if a column is not there.
    pub fn assign(&self, rows: &FeatureMatrix) -> Result<Vec<usize>, Error> {
        let columns = self.scaled.apply(rows)?;
        Ok((0..columns.rows()).map(|row| self.nearest(columns.row(row))).collect())
    }

    fn nearest(&self, point: &[f64]) -> usize {
        let mut best = (0, f64::INFINITY);
        for (c, mean) in self.means.chunks_exact(point.len()).enumerate() {
            let far = squared_distance(point, mean);
            if far < best.1 {
                best = (c, far);
            }
        }
        best.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn three_groups() -> FeatureMatrix {
        let point = |i: u32| {
            let (x, y) = [(0.0, 0.0), (10.0, 0.0), (0.0, 1000.0)][(i % 3) as usize];
            [x + f64::from(i * 37 % 11) / 10.0, y + f64::from(i * 53 % 13)]
        };
        FeatureMatrix::new(vec!["x".into(), "y".into()], (0..300).flat_map(point).collect()).unwrap()
    }

    #[test]
    fn groups_are_found_and_a_new_customer_goes_to_the_nearest() {
        let rows = three_groups();
        let model = KMeans::new(3).unwrap().cluster(&rows, &Context::default()).unwrap();
        let of = model.assign(&rows).unwrap();
        for row in 0..300 {
            assert_eq!(of[row], of[row % 3], "{row}");
        }
        assert!(model.converged() && of[0] != of[1] && of[1] != of[2] && of[0] != of[2]);
        let new = FeatureMatrix::new(rows.names().to_vec(), vec![9.0, 30.0]).unwrap();
        assert_eq!(model.assign(&new).unwrap(), [of[1]]);
        let loaded: KMeansModel = serde_json::from_str(&serde_json::to_string(&model).unwrap()).unwrap();
        assert_eq!(loaded, model);
        let other = FeatureMatrix::new(vec!["x".into()], vec![9.0]).unwrap();
        assert!(model.assign(&other).unwrap_err().to_string().contains("\"y\""));
    }

    #[test]
    fn at_rest_every_mean_is_its_groups_and_every_point_with_the_nearest() {
        // No structure at all: the definition is all there is to check.
        let rows = FeatureMatrix::new(
            vec!["x".into(), "y".into()],
            (0..500_u32).flat_map(|i| [f64::from(i * 37 % 101), f64::from(i * i % 97)]).collect(),
        )
        .unwrap();
        let model = KMeans::new(7)
            .unwrap()
            .tolerance(0.0)
            .unwrap()
            .transform(Vec::new())
            .cluster(&rows, &Context::default())
            .unwrap();
        let of = model.assign(&rows).unwrap();
        let mut inertia = 0.0;
        for c in 0..7 {
            let group: Vec<&[f64]> = (0..500).filter(|&r| of[r] == c).map(|r| rows.row(r)).collect();
            for j in 0..2 {
                let mean = group.iter().map(|p| p[j]).sum::<f64>() / group.len() as f64;
                assert!((mean - model.means[c * 2 + j]).abs() < 1e-9);
            }
            inertia += group.iter().map(|p| squared_distance(p, &model.means[c * 2..c * 2 + 2])).sum::<f64>();
        }
        assert!(model.converged() && (inertia / model.inertia() - 1.0).abs() < 1e-12);
    }

    #[test]
    fn the_number_of_groups_shows() {
        let choices = KMeans::new(1).unwrap().choose(2..=5, &three_groups(), &Context::default()).unwrap();
        let best = choices.iter().max_by(|a, b| a.silhouette.total_cmp(&b.silhouette)).unwrap();
        assert_eq!(best.clusters, 3);
        assert!(choices.windows(2).all(|pair| pair[1].inertia <= pair[0].inertia));
    }

    #[test]
    fn batches_come_near_to_whole_sweeps() {
        let x = |i: u32| [f64::from(i * 37 % 40) + f64::from(i % 5) * 90.0, f64::from(i * 53 % 31)];
        let names = vec!["a".into(), "b".into()];
        let rows = FeatureMatrix::new(names, (0..5_000).flat_map(x).collect()).unwrap();
        let whole = KMeans::new(5).unwrap();
        let cx = Context::default();
        let (full, some) = (
            whole.cluster(&rows, &cx).unwrap(),
            whole.clone().batch(200).unwrap().starts(3).cluster(&rows, &cx).unwrap(),
        );
        assert!(some.inertia < 1.02 * full.inertia, "{} {}", some.inertia, full.inertia);
        assert_eq!(some.assign(&rows).unwrap().len(), 5_000);
        assert!(whole.batch(0).is_err());
    }

    #[test]
    fn more_clusters_than_distinct_rows_are_refused() {
        let rows = FeatureMatrix::new(vec!["x".into()], vec![1.0, 1.0, 2.0]).unwrap();
        let error = KMeans::new(3).unwrap().cluster(&rows, &Context::default()).unwrap_err();
        assert!(error.to_string().contains("distinct rows"), "{error}");
        assert!(KMeans::new(0).is_err());
    }
}
