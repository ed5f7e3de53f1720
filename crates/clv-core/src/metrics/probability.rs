//! Is a forecast probability right? Actuals are 0 or 1 (or shares).

use super::Pairs;

/// Brier score: mean squared error of the probability.
pub fn brier(pairs: &Pairs<'_>) -> f64 {
    super::errors::mse(pairs)
}

/// Mean of `−y ln p − (1 − y) ln(1 − p)`, with `p` kept within `[1e-15, 1 − 1e-15]` as scikit-learn
/// does, so that one sure mistake does not make it infinite.
pub fn log_loss(pairs: &Pairs<'_>) -> f64 {
    pairs.mean(|y, p| {
        let p = p.clamp(1e-15, 1.0 - 1e-15);
        -y * p.ln() - (1.0 - y) * (-p).ln_1p()
    })
}

/// Area under the ROC curve: the chance that a random positive is ranked above a random negative,
/// ties counting half. `None` without both kinds.
pub fn roc_auc(pairs: &Pairs<'_>) -> Option<f64> {
    let (mut area, mut negatives) = (0.0, 0.0);
    let (mut all_pos, mut all_neg) = (0.0, 0.0);
    for (pos, neg) in groups_by_rising_score(pairs) {
        area += pos * (negatives + 0.5 * neg);
        negatives += neg;
        all_pos += pos;
        all_neg += neg;
    }
    (all_pos > 0.0 && all_neg > 0.0).then(|| area / (all_pos * all_neg))
}

/// Average precision: `Σ (Rₙ − Rₙ₋₁) Pₙ` over thresholds. `None` without positives.
pub fn pr_auc(pairs: &Pairs<'_>) -> Option<f64> {
    let groups = groups_by_rising_score(pairs);
    let all: f64 = groups.iter().map(|g| g.0).sum();
    if all <= 0.0 {
        return None;
    }
    let (mut area, mut hits, mut taken) = (0.0, 0.0, 0.0);
    for (pos, neg) in groups.into_iter().rev() {
        hits += pos;
        taken += pos + neg;
        if taken > 0.0 {
            area += pos / all * hits / taken;
        }
    }
    Some(area)
}

/// Weight of positives and negatives at each distinct score.
fn groups_by_rising_score(pairs: &Pairs<'_>) -> Vec<(f64, f64)> {
    let mut order: Vec<usize> = (0..pairs.len()).collect();
    order.sort_by(|&i, &j| pairs.forecast[i].total_cmp(&pairs.forecast[j]));
    order
        .chunk_by(|&i, &j| pairs.forecast[i] == pairs.forecast[j])
        .map(|group| {
            group.iter().fold((0.0, 0.0), |(pos, neg), &i| {
                let (w, y) = (pairs.weight(i), pairs.actual[i]);
                (pos + w * y, neg + w * (1.0 - y))
            })
        })
        .collect()
}

/// One bin of a calibration table.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CalibrationBin {
    /// Weight in the bin.
    pub weight: f64,
    /// Mean forecast probability.
    pub mean_forecast: f64,
    /// Share that happened.
    pub share: f64,
}

/// Forecast probability against what happened, in bins of equal width over `[0, 1]`; empty bins are
/// left out.
pub fn calibration(pairs: &Pairs<'_>, bins: usize) -> Vec<CalibrationBin> {
    let mut sums = vec![(0.0, 0.0, 0.0); bins.max(1)];
    for (y, p, w) in pairs.rows() {
        let bin = ((p * bins as f64) as usize).min(bins.max(1) - 1);
        sums[bin].0 += w;
        sums[bin].1 += w * p;
        sums[bin].2 += w * y;
    }
    sums.into_iter()
        .filter(|s| s.0 > 0.0)
        .map(|(weight, p, y)| CalibrationBin { weight, mean_forecast: p / weight, share: y / weight })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const Y: [f64; 4] = [0.0, 0.0, 1.0, 1.0];
    const P: [f64; 4] = [0.1, 0.4, 0.35, 0.8];

    #[test]
    fn scores_of_scikit_learn() {
        // sklearn.metrics on its own documentation example, 1.9.
        let pairs = Pairs::new(&Y, &P).unwrap();
        assert!((roc_auc(&pairs).unwrap() - 0.75).abs() < 1e-15);
        assert!((pr_auc(&pairs).unwrap() - 0.833_333_333_333_333_3).abs() < 1e-15);
        assert!((brier(&pairs) - 0.158_125).abs() < 1e-15);
        let by_hand = -(0.9_f64.ln() + 0.6_f64.ln() + 0.35_f64.ln() + 0.8_f64.ln()) / 4.0;
        assert!((log_loss(&pairs) - by_hand).abs() < 1e-15);
    }

    #[test]
    fn sure_mistakes_cost_much_but_not_everything() {
        let loss = log_loss(&Pairs::new(&[1.0], &[0.0]).unwrap());
        assert!(loss.is_finite() && loss > 30.0);
        assert_eq!(roc_auc(&Pairs::new(&[1.0, 1.0], &[0.2, 0.3]).unwrap()), None);
    }

    #[test]
    fn a_constant_score_is_a_coin_toss() {
        let pairs = Pairs::new(&Y, &[0.5; 4]).unwrap();
        assert_eq!(roc_auc(&pairs), Some(0.5));
        assert_eq!(pr_auc(&pairs), Some(0.5));
        let table = calibration(&pairs, 10);
        assert_eq!(table, [CalibrationBin { weight: 4.0, mean_forecast: 0.5, share: 0.5 }]);
    }
}
