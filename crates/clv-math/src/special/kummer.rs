//! Confluent hypergeometric functions: Kummer's ₁F₁ and Tricomi's U.

use super::ln_gamma;
use crate::logspace::SignedLog;
use crate::quadrature::{Tail, ln_integral};

/// `₁F₁(a; b; z)` as sign and logarithm, for `b > 0`, and for negative `z` with `b ≥ a`.
///
/// `None` outside that domain: for `z ≪ 0` and `b < a` the value is a small difference of large
/// terms.
///
/// Abramowitz & Stegun 13.1.2 and 13.1.27.
pub fn ln_hyp1f1(a: f64, b: f64, z: f64) -> Option<SignedLog> {
    if ![a, b, z].iter().all(|v| v.is_finite()) || b <= 0.0 {
        return None;
    }
    if z < 0.0 {
        if b < a {
            return None;
        }
        let f = ln_hyp1f1(b - a, b, -z)?;
        return Some(SignedLog { sign: f.sign, ln_abs: f.ln_abs + z });
    }
    if a < 0.0 {
        return None;
    }
    const LIMIT: f64 = 1e250;
    let (mut term, mut sum, mut carry, mut scale) = (1.0_f64, 1.0_f64, 0.0_f64, 0.0_f64);
    let mut n = 0.0;
    loop {
        let ratio = (a + n) / (b + n) * z / (n + 1.0);
        term *= ratio;
        n += 1.0;
        let y = term - carry;
        let t = sum + y;
        carry = (t - sum) - y;
        sum = t;
        if term > LIMIT {
            (term, sum, carry) = (term / LIMIT, sum / LIMIT, carry / LIMIT);
            scale += LIMIT.ln();
        }
        if term <= 1e-18 * sum && ratio < 0.9 {
            let f = SignedLog::new(sum);
            return Some(SignedLog { sign: f.sign, ln_abs: f.ln_abs + scale });
        }
        if n > 1e7 {
            return None;
        }
    }
}

/// `ln U(a, b, z)`, for `a > 0`, `z > 0` and any real `b`; U is positive there.
///
/// # Formula
///
/// ```text
/// U(a, b, z) = 1/Γ(a) ∫₀^∞ e^{−zt} t^{a−1} (1 + t)^{b−a−1} dt
/// ```
///
/// Abramowitz & Stegun 13.2.5, integrated over `ln t`, where it has one peak.
///
/// ```
/// use clv_math::special::ln_hyperu;
/// // U(a, a + 1, z) = z^{−a}
/// assert!((ln_hyperu(2.5, 3.5, 0.01) + 2.5 * 0.01_f64.ln()).abs() < 1e-12);
/// ```
pub fn ln_hyperu(a: f64, b: f64, z: f64) -> f64 {
    let m = b - a - 1.0;
    let ln_f = |v: f64| {
        let ln_1p_t = if v > 0.0 { v + (-v).exp().ln_1p() } else { v.exp().ln_1p() };
        a * v + m * ln_1p_t - z * v.exp()
    };
    // Peak: −z t² + (a − z + m) t + a = 0 has exactly one positive root.
    let h = a - z + m;
    let root = (h * h + 4.0 * z * a).sqrt();
    let t = if h > 0.0 { (h + root) / (2.0 * z) } else { 2.0 * a / (root - h) };
    let left = Tail { at: -42.0 - (1.0 + m.abs() + z + a).ln(), rate: a };
    let right = Tail { at: (800.0 / z).ln().max(t.ln()) + 10.0, rate: 1.0 };
    ln_integral(ln_f, t.ln(), left, right) - ln_gamma(a)
}
