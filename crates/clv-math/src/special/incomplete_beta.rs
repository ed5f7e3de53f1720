//! Regularised incomplete beta function and its inverse.

use super::gamma::stirling_rest;
use super::{ln_1p_minus, ln_beta};

/// `I_x(a, b)`, for `a, b > 0`, `x ∈ [0, 1]`: the distribution function of a beta variable.
///
/// Abramowitz & Stegun 26.5.8, by the modified Lentz method.
///
/// ```
/// use clv_math::special::beta_inc;
/// assert!((beta_inc(1.0, 3.0, 0.25) - (1.0 - 0.75_f64.powi(3))).abs() < 1e-15);
/// ```
pub fn beta_inc(a: f64, b: f64, x: f64) -> f64 {
    beta_inc_pair(a, b, x, 1.0 - x)
}

/// `I_x(a, b)` with `y = 1 − x` given apart, for `x` so near one that `1 − x` has lost its digits.
fn beta_inc_pair(a: f64, b: f64, x: f64, y: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if y <= 0.0 {
        return 1.0;
    }
    let value = if x < (a + 1.0) / (a + b + 2.0) {
        prefactor(a, b, x, y) * fraction(a, b, x) / a
    } else {
        1.0 - prefactor(a, b, x, y) * fraction(b, a, y) / b
    };
    value.clamp(0.0, 1.0)
}

/// The `x` with `I_x(a, b) = probability`, by bisection safeguarding Newton.
pub fn beta_inc_inverse(a: f64, b: f64, probability: f64) -> f64 {
    if probability <= 0.0 {
        return 0.0;
    }
    if probability >= 1.0 {
        return 1.0;
    }
    // Near zero I_x is x^a/(a B(a, b)), and halving would take too long to get there: with a = 1e-4 a
    // thousandth is reached at 10^{-30000}, which is 0.
    let ln_near_zero = (probability.ln() + a.ln() + ln_beta(a, b)) / a;
    if ln_near_zero < -40.0 - (1.0 + b).ln() {
        return ln_near_zero.exp();
    }
    let (mut low, mut high) = (0.0_f64, 1.0_f64);
    let mut x = a / (a + b);
    for _ in 0..200 {
        let error = beta_inc(a, b, x) - probability;
        if error > 0.0 {
            high = x;
        } else {
            low = x;
        }
        let density = ((a - 1.0) * x.ln() + (b - 1.0) * (-x).ln_1p() - ln_beta(a, b)).exp();
        let newton = x - error / density;
        let next = if newton > low && newton < high { newton } else { 0.5 * (low + high) };
        if (next - x).abs() <= 4.0 * f64::EPSILON * x || high - low <= f64::MIN_POSITIVE {
            return next;
        }
        x = next;
    }
    x
}

/// `x^a y^b / B(a, b)`.
fn prefactor(a: f64, b: f64, x: f64, y: f64) -> f64 {
    let n = a + b;
    let (x0, y0) = (a / n, b / n);
    let shift = x * y0 - y * x0; // = x − x₀, without forming it
    if a < 10.0 || b < 10.0 || shift.abs() > 0.5 * x0.min(y0) {
        return (a * x.ln() + b * y.ln() - ln_beta(a, b)).exp();
    }
    // Both exponents are large and cancel: expand around the mean x₀ = a/(a+b).
    let exponent = a * ln_1p_minus(shift / x0) + b * ln_1p_minus(-shift / y0);
    let rest = stirling_rest(a) + stirling_rest(b) - stirling_rest(n);
    (exponent - rest).exp() * (x0 * b / (2.0 * std::f64::consts::PI)).sqrt()
}

fn fraction(a: f64, b: f64, x: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let guard = |v: f64| if v.abs() < TINY { TINY } else { v };
    let mut c = 1.0;
    let mut d = 1.0 / guard(1.0 - (a + b) * x / (a + 1.0));
    let mut h = d;
    let mut m = 0.0;
    loop {
        m += 1.0;
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        d = 1.0 / guard(1.0 + even * d);
        c = guard(1.0 + even / c);
        h *= d * c;
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = 1.0 / guard(1.0 + odd * d);
        c = guard(1.0 + odd / c);
        let step = d * c;
        h *= step;
        if (step - 1.0).abs() < 2e-16 || m > 1e6 {
            return h;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inverse_reaches_into_the_smallest_numbers() {
        // b = 1: x = p^{1/a}.
        for (a, p) in [(0.01, 0.5), (0.01, 1e-3), (0.1, 1e-25), (0.02, 1e-6)] {
            let (x, want) = (beta_inc_inverse(a, 1.0, p), p.powf(1.0 / a));
            assert!((x / want - 1.0).abs() < 1e-10, "{a} {p}: {x} {want}");
        }
        assert_eq!(beta_inc_inverse(1e-4, 2.0, 1e-3), 0.0);
    }

    #[test]
    fn inverse_undoes_the_function() {
        for (a, b) in [(0.3, 0.9), (2.0, 5.0), (40.0, 3.0), (300.0, 200.0)] {
            for p in [1e-6, 0.01, 0.4, 0.9, 0.9999] {
                let x = beta_inc_inverse(a, b, p);
                assert!((beta_inc(a, b, x) - p).abs() < 1e-12 * (1.0 + 1.0 / p), "{a} {b} {p} {x}");
            }
        }
    }
}
