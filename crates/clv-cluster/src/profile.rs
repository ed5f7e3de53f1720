//! What clusters are like, and whether they are there at all.

use clv_core::{Error, FeatureMatrix};
use rand::SeedableRng;
use rand::seq::index::sample;
use rand_chacha::ChaCha8Rng;

use crate::scaled::squared_distance;

/// Rows of which every pair is looked at; of more, a sample of so many.
const PAIRS: usize = 2_000;

/// What a cluster is like.
#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    /// Its number.
    pub cluster: usize,
    /// Its rows.
    pub rows: usize,
    /// Its share of all rows.
    pub share: f64,
    /// Each column's name, its mean in the cluster, and its mean over all rows.
    pub means: Vec<(String, f64, f64)>,
}

/// What each cluster is like, in the columns as they came: those that were clustered, or any others of
/// the same rows, such as what the customers went on to spend.
///
/// # Errors
///
/// [`Error::Length`] unless there is a cluster for each row.
pub fn profiles(rows: &FeatureMatrix, of: &[usize]) -> Result<Vec<Profile>, Error> {
    if of.len() != rows.rows() {
        return Err(Error::Length { column: "clusters", given: of.len(), expected: rows.rows() });
    }
    let (count, width) = (of.iter().max().map_or(0, |c| c + 1), rows.names().len());
    let (mut sums, mut sizes) = (vec![0.0; count * width], vec![0_usize; count]);
    let mut all = vec![0.0; width];
    for (row, &c) in of.iter().enumerate() {
        sizes[c] += 1;
        for (j, value) in rows.row(row).iter().enumerate() {
            sums[c * width + j] += value;
            all[j] += value;
        }
    }
    let profile = |cluster: usize| {
        let size = sizes[cluster];
        let mean = |j: usize| sums[cluster * width + j] / size as f64;
        let means = rows.names().iter().enumerate();
        Profile {
            cluster,
            rows: size,
            share: size as f64 / of.len() as f64,
            means: means.map(|(j, name)| (name.clone(), mean(j), all[j] / of.len() as f64)).collect(),
        }
    };
    Ok((0..count).filter(|&c| sizes[c] > 0).map(profile).collect())
}

/// Mean silhouette (Rousseeuw 1987): for each row `(b − a) / max(a, b)`, with `a` the mean distance from
/// the others of its cluster and `b` that from the nearest other cluster; near 1 where clusters lie apart,
/// near 0 where they run into each other. Of more than 2,000 rows a sample drawn by `seed`. `None` with a
/// single cluster.
///
/// Give it the scaled columns: distances of columns on unlike scales mean nothing.
pub fn silhouette(rows: &FeatureMatrix, of: &[usize], seed: u64) -> Option<f64> {
    let n = rows.rows().min(of.len());
    let chosen: Vec<usize> = if n > PAIRS {
        sample(&mut ChaCha8Rng::seed_from_u64(seed), n, PAIRS).into_vec()
    } else {
        (0..n).collect()
    };
    let clusters = of.iter().max()? + 1;
    let mut sizes = vec![0_usize; clusters];
    chosen.iter().for_each(|&row| sizes[of[row]] += 1);
    if sizes.iter().filter(|&&size| size > 0).count() < 2 {
        return None;
    }
    let mut sum = 0.0;
    for &row in &chosen {
        let mut distances = vec![0.0; clusters];
        for &other in &chosen {
            distances[of[other]] += squared_distance(rows.row(row), rows.row(other)).sqrt();
        }
        let own = of[row];
        if sizes[own] < 2 {
            // Alone in its cluster: 0 by definition.
            continue;
        }
        let inside = distances[own] / (sizes[own] - 1) as f64;
        let others = (0..clusters).filter(|&c| c != own && sizes[c] > 0);
        let outside = others.map(|c| distances[c] / sizes[c] as f64).fold(f64::INFINITY, f64::min);
        let larger = inside.max(outside);
        if larger > 0.0 {
            sum += (outside - inside) / larger;
        }
    }
    Some(sum / chosen.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silhouette_by_hand() {
        let rows = FeatureMatrix::new(vec!["x".into()], vec![0.0, 1.0, 4.0, 6.0]).unwrap();
        // a = 1, 1, 2, 2; b = 5, 4, 3.5, 5.5
        let by_hand = [4.0 / 5.0, 3.0 / 4.0, 1.5 / 3.5, 3.5 / 5.5];
        let found = silhouette(&rows, &[0, 0, 1, 1], 1).unwrap();
        assert!((found - by_hand.iter().sum::<f64>() / 4.0).abs() < 1e-12);
        assert_eq!(silhouette(&rows, &[0; 4], 1), None);
    }

    #[test]
    fn a_profile_by_hand() {
        let rows = FeatureMatrix::new(vec!["x".into()], vec![1.0, 3.0, 8.0]).unwrap();
        let found = profiles(&rows, &[0, 0, 2]).unwrap();
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].rows, found[1].cluster), (2, 2));
        assert_eq!(found[0].means, [("x".into(), 2.0, 4.0)]);
        assert!(profiles(&rows, &[0]).is_err());
    }
}
