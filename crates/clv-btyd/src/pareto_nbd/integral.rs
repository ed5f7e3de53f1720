//! The odds that a silent customer has left, by quadrature.
//!
//! ```text
//! odds = s (α+T)^k (β+T)^s ∫_{t_x}^{T} (α+τ)^{−k} (β+τ)^{−(s+1)} dτ,    k = r + x
//! ```
//!
//! With `P = min(α, β)` and `y = ln((P+τ)/(P+t_x))`, the logarithm of the distance to the nearer
//! pole, the integrand is `e^{h(y)}` with a concave `h` that changes on a scale of one:
//!
//! ```text
//! α ≤ β:  h = ln s + k (Y − y) + s ln((β+T)/(β+τ)) − ln(β+τ) + ln(α+t_x) + y
//! β < α:  h = ln s + k ln((α+T)/(α+τ)) + s (Y − y)
//! ```
//!
//! Where it has fallen by `e^{−40}` from its top it is cut, and the rest is a few panels of
//! Gauss–Legendre nodes. First and second derivatives are moments over the same nodes. Neither
//! `s = 1` nor `α = β` is special, nothing cancels and nothing overflows.

use clv_math::quadrature::{RuleSize, rule};

use crate::process::Sums;

/// Fall from the top at which the integrand is cut: `e^{−40}` is 4e-18.
const CUT: f64 = 40.0;

/// One customer's silence from `recency` to `age`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Silence {
    pub k: f64,
    pub alpha: f64,
    pub s: f64,
    pub beta: f64,
    pub recency: f64,
    pub age: f64,
}

/// A point of the integration: `ln((α+T)/(α+τ))`, `ln((β+T)/(β+τ))`, `α+τ`, `β+τ` and the weighted
/// integrand.
#[derive(Clone, Copy, Debug)]
struct Node {
    fall_a: f64,
    fall_b: f64,
    to_a: f64,
    to_b: f64,
    weight: f64,
}

impl Silence {
    /// Logarithm of the odds; `−∞` for a customer who bought at the very end.
    pub(super) fn ln_odds_gone(&self) -> f64 {
        let mut sum = 0.0;
        match self.nodes(|node| sum += node.weight) {
            Some(top) => top + sum.ln(),
            None => f64::NEG_INFINITY,
        }
    }

    /// Adds `ln(1 + odds)` and its derivatives in `r, α, s, β`.
    pub(super) fn add_derivatives(&self, sums: &mut Sums<4>) {
        let Self { k, alpha, s, beta, age, .. } = *self;
        let (end_a, end_b) = (1.0 / (alpha + age), 1.0 / (beta + age));
        // Moments of the integrand: total, slopes, products of slopes, curvatures.
        let mut total = 0.0;
        let mut slope = [0.0; 4];
        let mut curve = [[0.0; 4]; 4];
        let top = self.nodes(|node| {
            let (here_a, here_b) = (1.0 / node.to_a, 1.0 / node.to_b);
            let gap_a = end_a - here_a;
            let g = [node.fall_a, k * gap_a, 1.0 / s + node.fall_b, s * end_b - (s + 1.0) * here_b];
            total += node.weight;
            for i in 0..4 {
                slope[i] += node.weight * g[i];
                for j in i..4 {
                    curve[i][j] += node.weight * g[i] * g[j];
                }
            }
            curve[0][1] += node.weight * gap_a;
            curve[1][1] += node.weight * k * (here_a * here_a - end_a * end_a);
            curve[2][3] += node.weight * (end_b - here_b);
            curve[3][3] += node.weight * ((s + 1.0) * here_b * here_b - s * end_b * end_b);
        });
        let Some(top) = top else { return };
        let ln_odds = top + total.ln();
        let w = 1.0 / (1.0 + (-ln_odds).exp());
        sums.value += crate::beta_geometric::softplus(ln_odds);
        for g in &mut slope {
            *g /= total;
        }
        for i in 0..4 {
            sums.gradient[i] += w * slope[i];
            for j in i..4 {
                let mut second = curve[i][j] / total;
                if i == 2 && j == 2 {
                    second -= 1.0 / (s * s);
                }
                sums.hessian[i][j] += w * second - w * w * slope[i] * slope[j];
            }
        }
    }

    /// Visits the nodes and returns the logarithm of the scale of their weights; `None` if there is
    /// no silence to integrate over.
    fn nodes(&self, mut visit: impl FnMut(Node)) -> Option<f64> {
        let Self { k, alpha, s, beta, recency, age } = *self;
        let near = alpha.min(beta);
        let start = near + recency;
        let length = ((age - recency) / start).ln_1p();
        if length <= 0.0 {
            return None;
        }
        let alpha_is_near = alpha <= beta;
        let (far, gap) = (alpha.max(beta), (alpha - beta).abs());
        let (far_end, ln_far_end) = (far + age, (far + age).ln());
        // The node at y, and h there but for the constant that the scale carries.
        let at = |y: f64| {
            let to_near = start * y.exp();
            let to_far = gap + to_near;
            if alpha_is_near {
                let ln_far = to_far.ln();
                let (fall_a, fall_b) = (length - y, ln_far_end - ln_far);
                let h = k * fall_a + s * fall_b - ln_far + y;
                (Node { fall_a, fall_b, to_a: to_near, to_b: to_far, weight: 0.0 }, h)
            } else {
                let (fall_a, fall_b) = ((far_end / to_far).ln(), length - y);
                let h = k * fall_a + s * fall_b;
                (Node { fall_a, fall_b, to_a: to_far, to_b: to_near, weight: 0.0 }, h)
            }
        };
        let constant = if alpha_is_near { (s * start).ln() } else { s.ln() };
        let mode = self.mode(start, gap, length, alpha_is_near);
        let top = at(mode).1;
        // h is concave: from a top at the start it falls at least as fast as its first slope.
        let near_share = start / (gap + start);
        let slope = if alpha_is_near { k - 1.0 + (s + 1.0) * near_share } else { s + k * near_share };
        let mut end = if mode == 0.0 { length.min(CUT / slope) } else { length };
        let mut drop = top - at(end).1;
        let (mut inside, mut outside) = (mode, end);
        while drop > 1.5 * CUT && outside - inside > 1e-12 * outside {
            end = 0.5 * (inside + outside);
            drop = top - at(end).1;
            if drop > CUT {
                outside = end;
            } else {
                inside = end;
                // The last point inside is not enough: take the one outside.
                if top - at(outside).1 <= 1.5 * CUT {
                    end = outside;
                    drop = CUT;
                } else {
                    drop = f64::INFINITY;
                }
            }
        }
        let (panels, size) = match end {
            w if w < 1.0 && drop < 3.0 => (1.0, RuleSize::N8),
            w if w < 2.5 && drop < 8.0 => (1.0, RuleSize::N12),
            w if w < 3.5 && drop < 14.0 => (1.0, RuleSize::N16),
            w => ((w / 5.0).ceil(), RuleSize::N24),
        };
        let step = end / panels;
        let rule = rule(size);
        let mut panel = 0.0;
        while panel < panels {
            for (node, weight) in rule.nodes.iter().zip(&rule.weights) {
                let (here, h) = at((panel + node) * step);
                visit(Node { weight: step * weight * (h - top).exp(), ..here });
            }
            panel += 1.0;
        }
        Some(constant + top)
    }

    /// Where `h` is largest: at the start, but for `x = 0` with `r < 1` it may lie inside.
    fn mode(&self, start: f64, gap: f64, length: f64, alpha_is_near: bool) -> f64 {
        let share = (1.0 - self.k) / (self.s + 1.0);
        if !alpha_is_near || share <= 0.0 || gap == 0.0 {
            return 0.0;
        }
        if share >= 1.0 {
            return length;
        }
        (gap * share / ((1.0 - share) * start)).ln().clamp(0.0, length)
    }
}
