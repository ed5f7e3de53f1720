//! Does the forecast put customers in the right order, and are its levels right along it?

use super::Pairs;

/// Spearman's rank correlation, ties sharing their mean rank; `None` if either side is constant.
pub fn spearman(pairs: &Pairs<'_>) -> Option<f64> {
    let (a, b) = (ranks(pairs, pairs.actual), ranks(pairs, pairs.forecast));
    let total = pairs.total_weight();
    let mean = |r: &[f64]| r.iter().enumerate().map(|(i, v)| pairs.weight(i) * v).sum::<f64>() / total;
    let (ma, mb) = (mean(&a), mean(&b));
    let (mut ab, mut aa, mut bb) = (0.0, 0.0, 0.0);
    for i in 0..pairs.len() {
        let (w, da, db) = (pairs.weight(i), a[i] - ma, b[i] - mb);
        ab += w * da * db;
        aa += w * da * da;
        bb += w * db * db;
    }
    (aa > 0.0 && bb > 0.0).then(|| ab / (aa * bb).sqrt())
}

/// Mean ranks: the weight below plus half the weight at the value.
fn ranks(pairs: &Pairs<'_>, values: &[f64]) -> Vec<f64> {
    let order = sorted(values);
    let mut ranks = vec![0.0; values.len()];
    let mut below = 0.0;
    for group in order.chunk_by(|&i, &j| same(values[i], values[j])) {
        let weight: f64 = group.iter().map(|&i| pairs.weight(i)).sum();
        for &i in group {
            ranks[i] = below + 0.5 * weight;
        }
        below += weight;
    }
    ranks
}

fn sorted(values: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&i, &j| values[i].total_cmp(&values[j]));
    order
}

fn same(a: f64, b: f64) -> bool {
    a.total_cmp(&b).is_eq() || (a == 0.0 && b == 0.0)
}

/// Gini of the gains curve when customers are taken by falling forecast, divided by that of the
/// perfect order (Wang, Liu & Miao 2019, arXiv 1912.07753).
///
/// Tied forecasts are averaged over all their orders, so that a constant forecast scores exactly 0.
/// `None` if the actuals are all equal or do not sum to something positive.
pub fn normalized_gini(pairs: &Pairs<'_>) -> Option<f64> {
    let total: f64 = pairs.rows().map(|(y, _, w)| w * y).sum();
    if total <= 0.0 {
        return None;
    }
    let best = gini(pairs, pairs.actual);
    (best.abs() > 1e-15 * pairs.len() as f64).then(|| gini(pairs, pairs.forecast) / best)
}

/// `2 × area under the gains curve − 1`, customers taken by falling `key`.
fn gini(pairs: &Pairs<'_>, key: &[f64]) -> f64 {
    let order = sorted(key);
    let total: f64 = pairs.rows().map(|(y, _, w)| w * y).sum();
    let (mut area, mut gained) = (0.0, 0.0);
    for group in order.rchunk_groups(key) {
        let weight: f64 = group.iter().map(|&i| pairs.weight(i)).sum();
        let gain: f64 = group.iter().map(|&i| pairs.weight(i) * pairs.actual[i]).sum();
        // A tied group is a straight piece of the curve: the mean over its orders.
        area += weight * (gained + 0.5 * gain);
        gained += gain;
    }
    2.0 * area / (total * pairs.total_weight()) - 1.0
}

trait RchunkGroups {
    fn rchunk_groups<'a>(&'a self, key: &'a [f64]) -> impl Iterator<Item = &'a [usize]>;
}

impl RchunkGroups for [usize] {
    /// Groups of equal key, from the highest down.
    fn rchunk_groups<'a>(&'a self, key: &'a [f64]) -> impl Iterator<Item = &'a [usize]> {
        self.chunk_by(|&i, &j| same(key[i], key[j])).collect::<Vec<_>>().into_iter().rev()
    }
}

/// One tenth of the customers, by falling forecast.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Decile {
    /// Weight of customers in it.
    pub weight: f64,
    /// Their mean forecast.
    pub mean_forecast: f64,
    /// What they did on average.
    pub mean_actual: f64,
    /// Their share of all that was done.
    pub share_of_actual: f64,
}

/// Customers in ten (or `bins`) parts of equal weight by falling forecast.
///
/// A customer on a border, and customers tied across one, are split between the parts in proportion.
pub fn decile_table(pairs: &Pairs<'_>, bins: usize) -> Vec<Decile> {
    // None is as good as one.
    let bins = bins.max(1);
    let order = sorted(pairs.forecast);
    let per_bin = pairs.total_weight() / bins as f64;
    let total: f64 = pairs.rows().map(|(y, _, w)| w * y).sum();
    let mut sums = vec![(0.0, 0.0, 0.0); bins];
    let mut placed = 0.0;
    for group in order.rchunk_groups(pairs.forecast) {
        let weight: f64 = group.iter().map(|&i| pairs.weight(i)).sum();
        if weight == 0.0 {
            continue;
        }
        let actual = group.iter().map(|&i| pairs.weight(i) * pairs.actual[i]).sum::<f64>() / weight;
        let mut left = weight;
        while left > 0.0 {
            let bin = ((placed / per_bin + 1e-9) as usize).min(bins - 1);
            let room = if bin + 1 == bins { left } else { ((bin + 1) as f64 * per_bin - placed).min(left) };
            let room = if room <= 1e-12 * per_bin { left.min(per_bin) } else { room };
            sums[bin].0 += room;
            sums[bin].1 += room * pairs.forecast[group[0]];
            sums[bin].2 += room * actual;
            placed += room;
            left -= room;
            if left <= 1e-12 * per_bin {
                break;
            }
        }
    }
    sums.into_iter()
        .filter(|s| s.0 > 0.0)
        .map(|(weight, forecast, actual)| Decile {
            weight,
            mean_forecast: forecast / weight,
            mean_actual: actual / weight,
            share_of_actual: if total == 0.0 { 0.0 } else { actual / total },
        })
        .collect()
}

/// Mean over deciles of `|mean forecast − mean actual| / mean actual` (Wang et al. 2019); deciles
/// in which nothing was done are left out. `None` if nothing was done at all.
pub fn decile_mape(pairs: &Pairs<'_>) -> Option<f64> {
    let errors: Vec<f64> = decile_table(pairs, 10)
        .iter()
        .filter(|d| d.mean_actual > 0.0)
        .map(|d| (d.mean_forecast - d.mean_actual).abs() / d.mean_actual)
        .collect();
    (!errors.is_empty()).then(|| errors.iter().sum::<f64>() / errors.len() as f64)
}

/// How many times the average the best tenth of the forecast did; `None` if nothing was done.
pub fn top_decile_lift(pairs: &Pairs<'_>) -> Option<f64> {
    let mean = pairs.mean(|y, _| y);
    (mean > 0.0).then(|| decile_table(pairs, 10)[0].mean_actual / mean)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn perfect_order_is_one_and_a_constant_is_zero() {
        let y = [0.0, 5.0, 1.0, 1.0, 9.0];
        let perfect: Vec<f64> = y.iter().map(|v| v * 2.0 + 1.0).collect();
        assert!((normalized_gini(&Pairs::new(&y, &perfect).unwrap()).unwrap() - 1.0).abs() < 1e-14);
        assert!(normalized_gini(&Pairs::new(&y, &[3.0; 5]).unwrap()).unwrap().abs() < 1e-14);
        let reversed: Vec<f64> = y.iter().map(|v| -v).collect();
        assert!((normalized_gini(&Pairs::new(&y, &reversed).unwrap()).unwrap() + 1.0).abs() < 1e-14);
        assert_eq!(normalized_gini(&Pairs::new(&[0.0, 0.0], &[1.0, 2.0]).unwrap()), None);
    }

    #[test]
    fn gini_with_ties_is_the_mean_over_their_orders() {
        let (y, p) = ([4.0, 0.0, 1.0, 2.0], [2.0, 2.0, 1.0, 3.0]);
        let tied = normalized_gini(&Pairs::new(&y, &p).unwrap()).unwrap();
        let one = normalized_gini(&Pairs::new(&y, &[2.1, 2.0, 1.0, 3.0]).unwrap()).unwrap();
        let other = normalized_gini(&Pairs::new(&y, &[2.0, 2.1, 1.0, 3.0]).unwrap()).unwrap();
        assert!((tied - 0.5 * (one + other)).abs() < 1e-14);
    }

    #[test]
    fn spearman_of_scipy() {
        // scipy.stats.spearmanr([1, 2, 3, 4, 5], [5, 6, 7, 8, 7]).statistic
        let rho =
            spearman(&Pairs::new(&[1.0, 2.0, 3.0, 4.0, 5.0], &[5.0, 6.0, 7.0, 8.0, 7.0]).unwrap()).unwrap();
        assert!((rho - 0.820_782_681_668_123_3).abs() < 1e-14);
        assert_eq!(spearman(&Pairs::new(&[1.0, 2.0], &[3.0, 3.0]).unwrap()), None);
    }

    #[test]
    fn deciles_hold_a_tenth_each_even_with_ties_across_their_borders() {
        let y: Vec<f64> = (0..25).map(f64::from).collect();
        let p = vec![1.0; 25];
        let table = decile_table(&Pairs::new(&y, &p).unwrap(), 10);
        assert_eq!(table.len(), 10);
        for d in &table {
            assert!((d.weight - 2.5).abs() < 1e-9 && (d.mean_actual - 12.0).abs() < 1e-9);
            assert!((d.share_of_actual - 0.1).abs() < 1e-9);
        }
        let by_rank = decile_table(&Pairs::new(&y, &y).unwrap(), 5);
        assert!((by_rank[0].mean_actual - 22.0).abs() < 1e-9, "{by_rank:?}");
        assert!(decile_mape(&Pairs::new(&y, &y).unwrap()).unwrap() < 1e-12);
        assert!((top_decile_lift(&Pairs::new(&y, &p).unwrap()).unwrap() - 1.0).abs() < 1e-9);
    }
}
