//! Gauss–Legendre rules, and integrals of a function given by its logarithm.

use std::sync::OnceLock;

/// Nodes and weights on `[0, 1]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// Nodes in ascending order, inside `(0, 1)`.
    pub nodes: Vec<f64>,
    /// Weights; they sum to one.
    pub weights: Vec<f64>,
}

/// The Gauss–Legendre rule with `n` nodes on `[0, 1]`: exact for polynomials of degree `2n − 1`.
///
/// Newton's method on the Legendre polynomial from Tricomi's starting values; nodes are within
/// 1e-16 of 40-digit values.
pub fn gauss_legendre(n: usize) -> Rule {
    let mut nodes = vec![0.0; n];
    let mut weights = vec![0.0; n];
    for i in 0..n.div_ceil(2) {
        let mut z = (std::f64::consts::PI * (i as f64 + 0.75) / (n as f64 + 0.5)).cos();
        let mut slope = 1.0;
        for _ in 0..100 {
            let (value, derivative) = legendre(n, z);
            slope = derivative;
            let step = value / derivative;
            z -= step;
            if step.abs() < 1e-16 {
                slope = legendre(n, z).1;
                break;
            }
        }
        let weight = 1.0 / ((1.0 - z * z) * slope * slope);
        nodes[i] = 0.5 * (1.0 - z);
        nodes[n - 1 - i] = 0.5 * (1.0 + z);
        weights[i] = weight;
        weights[n - 1 - i] = weight;
    }
    Rule { nodes, weights }
}

/// `Pₙ(z)` and its derivative.
fn legendre(n: usize, z: f64) -> (f64, f64) {
    let (mut p0, mut p1) = (1.0, z);
    for k in 2..=n {
        let k = k as f64;
        (p0, p1) = (p1, ((2.0 * k - 1.0) * z * p1 - (k - 1.0) * p0) / k);
    }
    (p1, n as f64 * (z * p1 - p0) / (z * z - 1.0))
}

/// The rules of 8, 12, 16, 24 and 32 nodes, computed once.
pub fn rule(size: RuleSize) -> &'static Rule {
    static RULES: OnceLock<[Rule; 5]> = OnceLock::new();
    let rules = RULES.get_or_init(|| [8, 12, 16, 24, 32].map(gauss_legendre));
    &rules[size as usize]
}

/// Sizes of the rules kept ready by [`rule`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RuleSize {
    /// 8 nodes.
    N8,
    /// 12 nodes.
    N12,
    /// 16 nodes.
    N16,
    /// 24 nodes.
    N24,
    /// 32 nodes.
    N32,
}

/// Where the integrand becomes a pure exponential, and how fast it falls from there outwards.
///
/// Beyond `at` the integral is `f(at) / rate`, so a tail of any length costs one evaluation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tail {
    /// The point from which on (outwards) the exponential holds to the last bit.
    pub at: f64,
    /// Rate of decay outwards, positive.
    pub rate: f64,
}

/// The logarithm of the integral over the real line of `exp(ln_f(v))`, for a unimodal `ln_f` with
/// exponential tails.
///
/// The range is cut where the integrand has fallen by `e^-46` from its mode (or at the tails), and
/// integrated by 16-node panels no longer than 2.5 and no fewer than 16. `ln_f` should be analytic
/// in a strip of half-width about three, as functions of `e^v` on a logarithmic scale are.
pub fn ln_integral(ln_f: impl Fn(f64) -> f64, mode: f64, left: Tail, right: Tail) -> f64 {
    let mode = mode.clamp(left.at, right.at);
    let peak = ln_f(mode);
    if !peak.is_finite() {
        return peak;
    }
    let low = edge(&ln_f, mode, peak, left.at);
    let high = edge(&ln_f, mode, peak, right.at);
    let rule = rule(RuleSize::N16);
    let mut sum = 0.0;
    for (from, to) in [(low, mode), (mode, high)] {
        let length = to - from;
        if length <= 0.0 {
            continue;
        }
        let panels = (length / 2.5).ceil().max(8.0);
        let width = length / panels;
        let mut k = 0.0;
        while k < panels {
            let start = from + k * width;
            let panel: f64 = rule
                .nodes
                .iter()
                .zip(&rule.weights)
                .map(|(node, weight)| weight * (ln_f(start + width * node) - peak).exp())
                .sum();
            sum += width * panel;
            k += 1.0;
        }
    }
    if low <= left.at {
        sum += (ln_f(left.at) - peak).exp() / left.rate;
    }
    if high >= right.at {
        sum += (ln_f(right.at) - peak).exp() / right.rate;
    }
    peak + sum.ln()
}

/// Walks outwards from the mode, doubling the step, until the integrand is negligible or `limit`
/// is reached; then halves back so that narrow peaks are not lost inside a long range.
fn edge(ln_f: impl Fn(f64) -> f64, mode: f64, peak: f64, limit: f64) -> f64 {
    const DROP: f64 = 46.0;
    let fallen = |v: f64| {
        let f = ln_f(v);
        f.is_nan() || f < peak - DROP
    };
    let direction = (limit - mode).signum();
    let reach = (limit - mode).abs();
    if reach == 0.0 {
        return limit;
    }
    let mut step = 1e-6_f64.max(1e-12 * mode.abs()).min(reach);
    let mut inside = 0.0;
    while step < reach && !fallen(mode + direction * step) {
        inside = step;
        step *= 2.0;
    }
    if step >= reach {
        if !fallen(limit) {
            return limit;
        }
        step = reach;
    }
    for _ in 0..12 {
        let middle = 0.5 * (inside + step);
        if fallen(mode + direction * middle) {
            step = middle;
        } else {
            inside = middle;
        }
    }
    mode + direction * step
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::special::ln_gamma;

    #[test]
    fn rules_are_exact_for_polynomials_of_their_degree() {
        for n in [2_usize, 8, 16, 24, 32, 64] {
            let rule = gauss_legendre(n);
            assert!((rule.weights.iter().sum::<f64>() - 1.0).abs() < 1e-14);
            for degree in [0, 1, n, 2 * n - 1] {
                let sum: f64 =
                    rule.nodes.iter().zip(&rule.weights).map(|(x, w)| w * x.powi(degree as i32)).sum();
                assert!((sum * (degree as f64 + 1.0) - 1.0).abs() < 1e-13, "{n} {degree}");
            }
        }
    }

    #[test]
    fn gamma_integral_on_a_log_scale_at_any_size() {
        // ∫ t^{a−1} e^{−t} dt = Γ(a), t = e^v
        for a in [1e-4, 0.3, 1.0, 55.0, 1e4, 3e6] {
            let f = |v: f64| a * v - v.exp();
            let got = ln_integral(
                f,
                f64::ln(a),
                Tail { at: -45.0 + a.ln().min(0.0), rate: a },
                Tail { at: 700.0, rate: 1.0 },
            );
            let want = ln_gamma(a);
            assert!((got - want).abs() < 1e-12 * (1.0 + want.abs()), "{a}: {got} {want}");
        }
    }
}
