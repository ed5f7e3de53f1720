//! How far to trust draws of Markov chains.
//!
//! Vehtari, Gelman, Simpson, Carpenter & Bürkner (2021), "Rank-Normalization, Folding, and Localization: An Improved R̂ for Assessing
//! Convergence of MCMC", Bayesian Analysis 16(2), sections 2 and 3, on the draws as they are.

/// R̂ of split chains: the spread of all draws over that within half-chains, as standard deviations; 1 if all agree, NaN with fewer than 4
/// draws a chain or where none moves.
///
/// ```
/// let alike = [vec![0.1, 0.4, 0.2, 0.3, 0.25, 0.15], vec![0.3, 0.1, 0.35, 0.2, 0.15, 0.3]];
/// let apart = [vec![0.1, 0.4, 0.2, 0.3, 0.25, 0.15], vec![9.3, 9.1, 9.35, 9.2, 9.15, 9.3]];
/// use clv_math::chains::r_hat;
/// assert!(r_hat(&alike) < 1.2 && r_hat(&apart) > 10.0);
/// ```
pub fn r_hat(chains: &[Vec<f64>]) -> f64 {
    let halves = split(chains);
    let (within, total) = variances(&halves);
    // A chain that does not move tells nothing.
    if total == 0.0 { f64::NAN } else { (total / within).sqrt() }
}

/// As many independent draws would tell the mean as well: the number of draws over their integrated autocorrelation, by Geyer's initial
/// monotone sequence over split chains; NaN with fewer than 8 draws a chain or where none moves.
///
/// ```
/// use clv_math::chains::effective_sample_size;
/// // Each value four times over: a quarter of the draws.
/// let mix = |h: u64| (h ^ (h >> 31)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
/// let noise = |i: u64| (mix(mix(i.wrapping_mul(0x9e37_79b9_7f4a_7c15))) >> 40) as f64;
/// let slow = vec![(0..4_000).map(|i| noise(i / 4)).collect::<Vec<f64>>()];
/// let effective = effective_sample_size(&slow);
/// assert!((850.0..1_200.0).contains(&effective), "{effective}");
/// ```
pub fn effective_sample_size(chains: &[Vec<f64>]) -> f64 {
    let halves = split(chains);
    let n = halves.first().map_or(0, |half| half.len());
    let draws = (n * halves.len()) as f64;
    let (within, total) = variances(&halves);
    if total == 0.0 || n < 4 {
        return f64::NAN;
    }
    let means: Vec<f64> = halves.iter().map(|half| half.iter().sum::<f64>() / n as f64).collect();
    let covariance = |lag: usize| {
        let of = |(half, mean): (&&[f64], &f64)| {
            half[..n - lag].iter().zip(&half[lag..]).map(|(a, b)| (a - mean) * (b - mean)).sum::<f64>()
                / n as f64
        };
        halves.iter().zip(&means).map(of).sum::<f64>() / halves.len() as f64
    };
    let correlation = |lag: usize| 1.0 - (within - covariance(lag) * n as f64 / (n as f64 - 1.0)) / total;
    let (mut sum, mut last, mut lag) = (0.0, f64::INFINITY, 0);
    while lag + 1 < n {
        let pair = correlation(lag) + correlation(lag + 1);
        if pair <= 0.0 {
            break;
        }
        // Pairs do not grow.
        last = pair.min(last);
        sum += last;
        lag += 2;
    }
    let time = (2.0 * sum - 1.0).max(1.0 / draws.log10().max(1.0));
    draws / time
}

fn split(chains: &[Vec<f64>]) -> Vec<&[f64]> {
    let n = chains.iter().map(Vec::len).min().unwrap_or(0) / 2;
    chains.iter().flat_map(|chain| [&chain[..n], &chain[chain.len() - n..]]).collect()
}

/// The mean variance within chains, and the variance of all draws that it and the chains' means give.
fn variances(halves: &[&[f64]]) -> (f64, f64) {
    let n = halves.first().map_or(0, |half| half.len()) as f64;
    let m = halves.len() as f64;
    let means: Vec<f64> = halves.iter().map(|half| half.iter().sum::<f64>() / n).collect();
    let variance =
        |(half, mean): (&&[f64], &f64)| half.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / (n - 1.0);
    let within = halves.iter().zip(&means).map(variance).sum::<f64>() / m;
    let grand = means.iter().sum::<f64>() / m;
    let between = means.iter().map(|mean| (mean - grand) * (mean - grand)).sum::<f64>() / (m - 1.0).max(1.0);
    (within, within * (n - 1.0) / n + between)
}
