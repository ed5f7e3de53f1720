//! The logarithm of the beta function.

use super::gamma::{ln_gamma, stirling_rest};

/// `ln B(a, b) = ln Γ(a) + ln Γ(b) − ln Γ(a + b)`, for `a, b > 0`.
///
/// The three log-gammas cancel when one argument is large (`B(1e-6, 1e8)` keeps four digits of
/// sixteen that way); there the difference is taken analytically (Didonato & Morris 1992, TOMS 708,
/// `betaln`).
///
/// ```
/// use clv_math::special::ln_beta;
/// // B(1, b) = 1/b
/// assert!((ln_beta(1.0, 1e8) + 1e8_f64.ln()).abs() < 1e-14);
/// ```
pub fn ln_beta(a: f64, b: f64) -> f64 {
    let (small, large) = if a <= b { (a, b) } else { (b, a) };
    if large < 10.0 {
        return ln_gamma(small) + ln_gamma(large) - ln_gamma(small + large);
    }
    let h = small / large;
    let corrections = stirling_rest(large) - stirling_rest(small + large);
    if small < 10.0 {
        let difference = -(large - 0.5) * h.ln_1p() - small * (small + large).ln() + small + corrections;
        return ln_gamma(small) + difference;
    }
    const HALF_LN_TWO_PI: f64 = 0.918_938_533_204_672_8;
    HALF_LN_TWO_PI - 0.5 * large.ln() + (small - 0.5) * (h / (1.0 + h)).ln() - large * h.ln_1p()
        + stirling_rest(small)
        + corrections
}
