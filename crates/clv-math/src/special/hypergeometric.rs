//! The Gauss hypergeometric function in log space.

use super::ln_beta;
use crate::logspace::SignedLog;
use crate::quadrature::{Tail, ln_integral};

/// `₂F₁(a, b; c; z)` as sign and logarithm, for `z < 1`; `None` outside the domain below.
///
/// # Domain
///
/// * `z ∈ [0, 1)`: any `a`, `b` with `c > 0`, or `c < 0` not an integer. When all three are
///   positive every term is positive and the error is a few units in the last place; with negative
///   parameters the first terms alternate and digits are lost as they cancel.
/// * `z < 0`: `c > a` or `c > b`, with `c > 0`: Pfaff's transform brings it to `[0, 1)`.
/// * `c > b > 0` (or `c > a > 0`) near `z = 1`, where the series would need more than 20,000 terms:
///   Euler's integral (Abramowitz & Stegun 15.3.1) on a logarithmic scale.
///
/// The logarithm matters: 20 of 196 values taken from real customers overflow an `f64`.
///
/// ```
/// use clv_math::special::ln_hyp2f1;
/// // ₂F₁(a, b; b; z) = (1 − z)^{−a}
/// let f = ln_hyp2f1(900.0, 3.0, 3.0, 0.9).unwrap();
/// assert!((f.ln_abs - 900.0 * 10.0_f64.ln()).abs() < 1e-9);
/// ```
pub fn ln_hyp2f1(a: f64, b: f64, c: f64, z: f64) -> Option<SignedLog> {
    if ![a, b, c, z].iter().all(|v| v.is_finite()) || z >= 1.0 || (c <= 0.0 && c.fract() == 0.0) {
        return None;
    }
    if z == 0.0 || a == 0.0 || b == 0.0 {
        return Some(SignedLog::from_ln(0.0));
    }
    if z < 0.0 {
        // Pfaff: F(a, b; c; z) = (1−z)^{−a} F(a, c−b; c; z/(z−1)), kept with positive parameters.
        let w = -z;
        let inner = w / (1.0 + w);
        let (power, other) = if c > b && a > 0.0 {
            (a, c - b)
        } else if c > a && b > 0.0 {
            (b, c - a)
        } else {
            return None;
        };
        // b = c: F(a, c; c; z) = (1−z)^{−a} exactly.
        let f = if other == 0.0 { SignedLog::from_ln(0.0) } else { on_unit(power, other, c, inner)? };
        return Some(SignedLog { sign: f.sign, ln_abs: f.ln_abs - power * w.ln_1p() });
    }
    on_unit(a, b, c, z)
}

/// `z ∈ (0, 1)`.
fn on_unit(a: f64, b: f64, c: f64, z: f64) -> Option<SignedLog> {
    let q = (-z).ln_1p();
    let (ea, eb) = (c - a, c - b);
    if ea == 0.0 || eb == 0.0 {
        return Some(SignedLog::from_ln((ea + eb - c) * q));
    }
    // Euler's transform has smaller parameters, hence fewer terms, if it keeps them positive.
    let euler_positive = ea > 0.0 && eb > 0.0;
    let plain_positive = a > 0.0 && b > 0.0;
    let use_euler = c > 0.0 && euler_positive && (!plain_positive || ea * eb < a * b);
    let (p, s, extra) = if use_euler { (ea, eb, (c - a - b) * q) } else { (a, b, 0.0) };
    if let Some(f) = series(p, s, c, z, 20_000.0) {
        return Some(SignedLog { sign: f.sign, ln_abs: f.ln_abs + extra });
    }
    let (power, mixed) = if c > b && b > 0.0 { (a, b) } else { (b, a) };
    if c > mixed && mixed > 0.0 && power > 0.0 {
        // F(power, mixed; c; z) with z = w/(1+w): Euler transform brings −w into the mixture form.
        let w = z / (1.0 - z);
        return Some(SignedLog::from_ln(
            ln_beta_power_mean_by_integral(c - mixed, mixed, power, w) + power * w.ln_1p(),
        ));
    }
    // Neither form of Euler's integral holds: a long sum, up to z = 1 − 1e-5.
    let f = series(p, s, c, z, 5e6)?;
    Some(SignedLog { sign: f.sign, ln_abs: f.ln_abs + extra })
}

/// The plain series, rescaled when it grows; `None` if `most` terms do not suffice.
fn series(a: f64, b: f64, c: f64, z: f64, most: f64) -> Option<SignedLog> {
    const LIMIT: f64 = 1e250;
    let (mut term, mut sum, mut carry, mut scale) = (1.0_f64, 1.0_f64, 0.0_f64, 0.0_f64);
    let mut n = 0.0;
    while n < most {
        let ratio = (a + n) * (b + n) / ((c + n) * (n + 1.0)) * z;
        term *= ratio;
        n += 1.0;
        // Kahan: thousands of terms would otherwise lose three digits.
        let y = term - carry;
        let t = sum + y;
        carry = (t - sum) - y;
        sum = t;
        if term == 0.0 {
            return Some(finish(sum, scale));
        }
        if term.abs() > LIMIT {
            (term, sum, carry) = (term / LIMIT, sum / LIMIT, carry / LIMIT);
            scale += LIMIT.ln();
        }
        let settled = n > -a && n > -b && n > -c;
        // Past here the ratios approach z from one side: a geometric bound on what is left.
        let next = ((a + n) * (b + n) / ((c + n) * (n + 1.0)) * z).abs();
        let bound = next.max(z);
        if settled && bound < 1.0 && term.abs() * bound <= 1e-17 * sum.abs() * (1.0 - bound) {
            return Some(finish(sum, scale));
        }
    }
    None
}

fn finish(sum: f64, scale: f64) -> SignedLog {
    let f = SignedLog::new(sum);
    SignedLog { sign: f.sign, ln_abs: f.ln_abs + scale }
}

/// `ln E[(1 + w p)^{−k}]` for `p ~ Beta(a, b)`, that is `ln ₂F₁(k, a; a + b; −w)`, for positive
/// `a`, `b`, `k` and `w ≥ 0`, at any size of them.
///
/// The chance to survive, and the expected rate, of a customer who leaves with probability `p` after
/// each of their purchases have this form.
pub fn beta_power_mean(a: f64, b: f64, k: f64, w: f64) -> f64 {
    if w == 0.0 || k == 0.0 {
        return 0.0;
    }
    let c = a + b;
    let z = w / (1.0 + w);
    let log_w = w.ln_1p();
    let e = c - k;
    // Terms of the two positive series peak near n where the ratio passes one; both are short
    // unless z is close to one or the parameters are huge.
    if z < 0.97 {
        if e >= 0.0 && e * a * z < 300.0 * c {
            if let Some(f) = series(e, a, c, z, 20_000.0) {
                return (f.ln_abs - a * log_w).min(0.0);
            }
        } else if e < 0.0
            && k * b * z < 300.0 * c
            && k * z / (1.0 - z) < 300.0
            && let Some(f) = series(k, b, c, z, 20_000.0)
        {
            return (f.ln_abs - k * log_w).min(0.0);
        }
    }
    ln_beta_power_mean_by_integral(a, b, k, w)
}

/// [`beta_power_mean`] (the plain number, not its logarithm) at several `w` at once, written over
/// them.
///
/// The coefficients of the series do not depend on `w`: eight points cost little more than one.
pub fn beta_power_means(a: f64, b: f64, k: f64, w: &mut [f64]) {
    const LANES: usize = 8;
    for chunk in w.chunks_mut(LANES) {
        let top = chunk.iter().copied().fold(0.0, f64::max);
        let z_top = top / (1.0 + top);
        let (c, e) = (a + b, a + b - k);
        let (p, q) = if e >= 0.0 { (e, a) } else { (k, b) };
        let short = p * q < 40.0 * c && p * z_top < 40.0 * (1.0 - z_top);
        if z_top > 0.9 || !short {
            chunk.iter_mut().for_each(|w| *w = beta_power_mean(a, b, k, *w).exp());
            continue;
        }
        let mut z = [0.0; LANES];
        chunk.iter().zip(&mut z).for_each(|(w, z)| *z = w / (1.0 + w));
        let (mut sum, mut power) = ([1.0; LANES], [1.0; LANES]);
        let (mut coefficient, mut n) = (1.0, 0.0);
        let mut z_power = 1.0;
        loop {
            coefficient *= (p + n) * (q + n) / ((c + n) * (n + 1.0));
            n += 1.0;
            z_power *= z_top;
            for i in 0..LANES {
                power[i] *= z[i];
                sum[i] += coefficient * power[i];
            }
            // The ratio of terms falls towards z from above, or rises towards it from below.
            let ratio = ((p + n) * (q + n) / ((c + n) * (n + 1.0))).max(1.0) * z_top;
            if coefficient * z_power <= 1e-17 * (1.0 - ratio) {
                break;
            }
        }
        let exponent = if e >= 0.0 { a } else { k };
        chunk.iter_mut().zip(sum).for_each(|(w, sum)| *w = (sum * (-exponent * w.ln_1p()).exp()).min(1.0));
    }
}

/// The same by quadrature over `v = ln(p / (1 − p))`, where the integrand is unimodal with
/// exponential tails whatever the parameters.
fn ln_beta_power_mean_by_integral(a: f64, b: f64, k: f64, w: f64) -> f64 {
    let ln_f = |v: f64| {
        // ln p and ln(1−p) from v without cancellation on either side.
        let (ln_p, ln_q) = if v < 0.0 {
            let l = -v.exp().ln_1p();
            (v + l, l)
        } else {
            let l = -(-v).exp().ln_1p();
            (l, l - v)
        };
        a * ln_p + b * ln_q - k * (w * ln_p.exp()).ln_1p()
    };
    // Mode: (a − (a+b) p)(1 + w p) − k w p (1 − p) = 0, a quadratic with one root in (0, 1).
    let (qa, qb, qc) = (w * (k - a - b), a * w - (a + b) - k * w, a);
    let discriminant = (qb * qb - 4.0 * qa * qc).max(0.0).sqrt();
    let p = if qb < 0.0 { 2.0 * qc / (-qb + discriminant) } else { (-qb - discriminant) / (2.0 * qa) };
    let p = p.clamp(1e-300, 1.0 - 1e-16);
    let mode = p.ln() - (-p).ln_1p();
    // Left of −40 − ln(scale) the factors in (1−p) and (1+wp) are one; right of it p is one.
    let left = Tail { at: -40.0 - (1.0 + k * w + a + b).ln(), rate: a };
    let right = Tail { at: 40.0 + (1.0 + k + a + b).ln(), rate: b };
    (ln_integral(ln_f, mode, left, right) - ln_beta(a, b)).min(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_and_integral_agree_on_the_mixture() {
        for (a, b, k, w) in [
            (0.793, 2.426, 2.243, 1.2),
            (0.05, 4.0, 30.0, 0.3),
            (12.0, 0.4, 3.0, 6.0),
            (2.0, 9.0, 100.0, 0.02),
        ] {
            let by_series = beta_power_mean(a, b, k, w);
            let by_integral = ln_beta_power_mean_by_integral(a, b, k, w);
            assert!(
                (by_series - by_integral).abs() < 1e-12 * (1.0 + by_series.abs()),
                "{a} {b} {k} {w}: {by_series} {by_integral}"
            );
        }
    }

    #[test]
    fn many_points_at_once_are_the_single_points() {
        for (a, b, k) in [(0.793, 2.426, 2.243), (0.05, 4.0, 30.0), (0.5, 0.4, 0.9), (3.0, 700.0, 700.0)] {
            let points: Vec<f64> = (0..11).map(|i| 0.3 * f64::from(i * i)).collect();
            let mut got = points.clone();
            beta_power_means(a, b, k, &mut got);
            for (w, got) in points.iter().zip(got) {
                let want = beta_power_mean(a, b, k, *w).exp();
                assert!((got - want).abs() < 1e-13 * want, "{a} {b} {k} {w}: {got} {want}");
            }
        }
    }

    #[test]
    fn mixture_is_a_log_probability_at_every_size() {
        for &a in &[1e-4, 1.0, 1e4] {
            for &b in &[1e-4, 1.0, 5e4] {
                for &k in &[1e-4, 1.0, 5e4] {
                    for &w in &[1e-8, 1.0, 1e8] {
                        let v = beta_power_mean(a, b, k, w);
                        assert!(v.is_finite() && v <= 0.0, "{a} {b} {k} {w}: {v}");
                        assert!(v >= -k * f64::ln_1p(w) * (1.0 + 1e-9) - 1e-9, "{a} {b} {k} {w}: {v}");
                    }
                }
            }
        }
    }

    #[test]
    fn refuses_what_it_cannot_do() {
        assert!(ln_hyp2f1(1.0, 1.0, 2.0, 1.0).is_none());
        assert!(ln_hyp2f1(1.0, 1.0, -3.0, 0.5).is_none());
        assert!(ln_hyp2f1(f64::NAN, 1.0, 2.0, 0.5).is_none());
    }
}
