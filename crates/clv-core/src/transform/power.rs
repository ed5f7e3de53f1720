//! Yeo and Johnson's power transform: "A new family of power transformations to improve normality or
//! symmetry", Biometrika 87 (2000), equations 2.1 and 3.1.

/// `ψ(λ, x)`, equation 2.1. `exp_m1` keeps the digits near `λ = 0` and `λ = 2`.
pub(super) fn yeo_johnson(x: f64, lambda: f64) -> f64 {
    let power = |log: f64, lambda: f64| if lambda == 0.0 { log } else { (lambda * log).exp_m1() / lambda };
    if x >= 0.0 { power(x.ln_1p(), lambda) } else { -power((-x).ln_1p(), 2.0 - lambda) }
}

/// The log-likelihood of `λ`, up to a constant: equation 3.1 at the best mean and variance.
fn log_likelihood(values: &[f64], lambda: f64) -> f64 {
    let n = values.len() as f64;
    let mean = values.iter().map(|x| yeo_johnson(*x, lambda)).sum::<f64>() / n;
    let variance = values.iter().map(|x| (yeo_johnson(*x, lambda) - mean).powi(2)).sum::<f64>() / n;
    let jacobian: f64 = values.iter().map(|x| x.abs().ln_1p().copysign(*x)).sum();
    let value = -0.5 * n * variance.ln() + (lambda - 1.0) * jacobian;
    if value.is_finite() { value } else { f64::NEG_INFINITY }
}

/// `λ` by maximum likelihood within [−4, 6], which is concave there for all practical purposes: golden
/// sections of the best of 41 steps.
pub(super) fn best_lambda(values: &[f64]) -> f64 {
    let at = |step: usize| -4.0 + 0.25 * step as f64;
    let better =
        |a: &usize, b: &usize| log_likelihood(values, at(*a)).total_cmp(&log_likelihood(values, at(*b)));
    let best = (0..=40).max_by(better).unwrap_or(20);
    let (mut low, mut high) = (at(best) - 0.25, at(best) + 0.25);
    let golden = (5.0_f64.sqrt() - 1.0) / 2.0;
    while high - low > 1e-8 {
        let (left, right) = (high - golden * (high - low), low + golden * (high - low));
        if log_likelihood(values, left) < log_likelihood(values, right) {
            low = left;
        } else {
            high = right;
        }
    }
    (low + high) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_inverse_exponential_is_made_straight() {
        // x = e^y − 1 with y symmetric: λ = 0 makes it symmetric again.
        let values: Vec<f64> = (0..=40).map(|i| (f64::from(i) / 10.0).exp() - 1.0).collect();
        let symmetric: Vec<f64> = (0..=40).map(|i| f64::from(i) / 10.0).collect();
        let best = best_lambda(&symmetric);
        assert!((best_lambda(&values) - 0.0).abs() < 0.2, "{}", best_lambda(&values));
        assert!((0.7..1.1).contains(&best), "{best}");
        for step in -8..8 {
            let lambda = best + 0.01 * f64::from(step);
            assert!(log_likelihood(&symmetric, lambda) <= log_likelihood(&symmetric, best) + 1e-9);
        }
    }

    #[test]
    fn the_ends_of_the_family_are_logarithms() {
        assert_eq!(yeo_johnson(3.0, 0.0), 4.0_f64.ln());
        assert_eq!(yeo_johnson(-3.0, 2.0), -(4.0_f64.ln()));
        assert_eq!(yeo_johnson(3.0, 1.0), 3.0);
        assert!((yeo_johnson(-3.0, 1.0) + 3.0).abs() < 1e-15);
        assert!((yeo_johnson(3.0, 1e-14) - 4.0_f64.ln()).abs() < 1e-12);
    }
}
