//! Pareto/NBD whose rates change with time.

use std::ops::ControlFlow;

use clv_math::minimise::Derivatives;
use clv_math::quadrature::{RuleSize, rule};
use clv_math::special::{digamma, ln_rising, trigamma};

use super::mixture::LnSum;
use super::path::{Clocks, Coefficient, Pace, Path};

/// What is `e^{−45}` of the largest adds nothing.
const NOTHING: f64 = 45.0;

/// Memory that one customer leaves to the next.
#[derive(Debug)]
pub struct Scratch {
    pub clocks: Clocks,
    /// How far that of purchases went since the last of them, of regular customers.
    pub silence: f64,
    at: Clocks,
    pub gap: Clocks,
    pub pace: Pace,
    pub sum: LnSum,
    pub gradient: Vec<f64>,
    pub hessian: Vec<f64>,
}

impl Scratch {
    pub(crate) fn new(parameters: usize, coefficients: usize) -> Self {
        let n = parameters + coefficients;
        Self {
            clocks: Clocks::new(coefficients),
            silence: 0.0,
            at: Clocks::new(coefficients),
            gap: Clocks::new(coefficients),
            pace: Pace::new(coefficients),
            sum: LnSum::new(n),
            gradient: vec![0.0; n],
            hessian: vec![0.0; n * n],
        }
    }
}

/// `r, α, s, β` and the coefficients.
pub(crate) struct Pareto<'a> {
    pub values: &'a [f64],
    pub of: &'a [Coefficient],
}

impl Pareto<'_> {
    /// Adds the logarithm of
    ///
    /// ```text
    /// L = Γ(r+x)/Γ(r) α^r β^s Π_j e^{γz(t_j)} [ (α+A(T))^{−(r+x)} (β+B(T))^{−s} + s ∫_{t_x}^{T} (α+A(τ))^{−(r+x)} (β+B(τ))^{−(s+1)} b(τ) dτ ]
    /// ```
    ///
    /// with the clocks `A(t) = ∫_0^t e^{γz(u)} du` and `B(t) = ∫_0^t b(u) du`, `b = e^{δz}`: Bachmann, Meierer & Näf (2021), "The Role of
    /// Time-Varying Contextual Factors in Latent Attrition Models for Customer Base Analysis", Marketing Science 40(4), with the integral
    /// over each piece by quadrature instead of as a difference of ₂F₁s. Returns the logarithm of P(alive).
    pub(crate) fn add(&self, path: &Path, scratch: &mut Scratch, total: &mut Derivatives) -> f64 {
        let [r, alpha, s, beta] = self.values[..4] else { unreachable!("four parameters") };
        let coefficients = &self.values[4..];
        let (x, n) = (path.x, self.values.len());
        total.value += ln_rising(r, x) + r * alpha.ln() + s * beta.ln();
        total.gradient[0] += digamma(r + x) - digamma(r) + alpha.ln();
        total.gradient[1] += r / alpha;
        total.gradient[2] += beta.ln();
        total.gradient[3] += s / beta;
        total.hessian[0] += trigamma(r + x) - trigamma(r);
        total.hessian[1] += 1.0 / alpha;
        total.hessian[n + 1] -= r / (alpha * alpha);
        total.hessian[2 * n + 3] += 1.0 / beta;
        total.hessian[3 * n + 3] -= s / (beta * beta);
        for &row in &path.at[1..] {
            for (e, coefficient) in self.of.iter().enumerate().filter(|(_, c)| c.buys) {
                let z = path.pieces.row(row)[coefficient.term];
                total.value += coefficients[e] * z;
                total.gradient[4 + e] += z;
            }
        }
        let Scratch { clocks, at, pace, sum, gradient, hessian, .. } = scratch;
        *clocks = Clocks::new(self.of.len());
        sum.clear();
        for piece in 0..path.silent {
            pace.set(self.of, coefficients, path.pieces.row(piece));
            clocks.advance(path.pieces.length[piece], pace);
        }
        for piece in path.silent..path.pieces.len() {
            pace.set(self.of, coefficients, path.pieces.row(piece));
            let length = path.pieces.length[piece];
            panels(self.values, x, length, clocks, pace, |time, weight| {
                at.set_after(clocks, time, pace);
                let f = self.point(x, s + 1.0, at, gradient, hessian);
                gradient[2] += 1.0 / s;
                hessian[2 * n + 2] -= 1.0 / (s * s);
                for e in 0..self.of.len() {
                    gradient[4 + e] += pace.b_z[e];
                }
                let term = f + s.ln() + pace.ln_b;
                sum.add(term + weight.ln(), gradient, hessian);
                if term + length.ln() < sum.most() - NOTHING {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            });
            clocks.advance(length, pace);
        }
        let alive = self.point(x, s, clocks, gradient, hessian);
        sum.add(alive, gradient, hessian);
        sum.add_to(total);
        alive - sum.ln()
    }

    /// `−(r+x) ln(α+A) − shape · ln(β+B)` with its derivatives.
    fn point(&self, x: f64, shape: f64, at: &Clocks, gradient: &mut [f64], hessian: &mut [f64]) -> f64 {
        let [r, alpha, _, beta] = self.values[..4] else { unreachable!("four parameters") };
        let (n, k) = (self.values.len(), r + x);
        let (a, b) = (alpha + at.a, beta + at.b);
        let (ln_a, ln_b) = (a.ln(), b.ln());
        let (per_a, per_b) = (1.0 / a, 1.0 / b);
        gradient[..4].copy_from_slice(&[-ln_a, -k * per_a, -ln_b, -shape * per_b]);
        hessian.fill(0.0);
        hessian[1] = -per_a;
        hessian[n + 1] = k * per_a * per_a;
        hessian[2 * n + 3] = -per_b;
        hessian[3 * n + 3] = shape * per_b * per_b;
        let count = n - 4;
        for e in 0..count {
            let (da, db) = (at.a_e[e] * per_a, at.b_e[e] * per_b);
            gradient[4 + e] = -k * da - shape * db;
            hessian[4 + e] = -da;
            hessian[n + 4 + e] = k * da * per_a;
            hessian[2 * n + 4 + e] = -db;
            hessian[3 * n + 4 + e] = shape * db * per_b;
            for f in e..count {
                let (daf, dbf) = (at.a_e[f] * per_a, at.b_e[f] * per_b);
                hessian[(4 + e) * n + 4 + f] = k * (da * daf - at.a_ef[e * count + f] * per_a)
                    + shape * (db * dbf - at.b_ef[e * count + f] * per_b);
            }
        }
        -k * ln_a - shape * ln_b
    }
}

/// Goes through the nodes of a piece: panels over which neither pole comes near and the integrand falls by no more than `e^{−10}`.
pub(crate) fn panels(
    values: &[f64],
    x: f64,
    length: f64,
    clocks: &Clocks,
    pace: &Pace,
    mut at: impl FnMut(f64, f64) -> ControlFlow<()>,
) {
    let [r, alpha, s, beta] = values[..4] else { unreachable!("four parameters") };
    let falls = r + x + s + 1.0;
    let (mut start, mut a, mut b) = (0.0, alpha + clocks.a, beta + clocks.b);
    while start < length {
        let left = length - start;
        // The two factors fall together by no more than one of their joint power on a scale between theirs (Jensen): a great s with a great β
        // falls no faster than a small one.
        let scale = falls / ((r + x) * pace.a / a + (s + 1.0) * pace.b / b);
        // By how much the logarithms may grow: as a fall of the integrand, and as a distance to the poles.
        let within = |most: f64| {
            let far = most.exp_m1();
            (scale * (5.0 * most / falls).exp_m1()).min(a * far / pace.a).min(b * far / pace.b)
        };
        let (width, size) =
            if left <= within(0.4) { (left, RuleSize::N8) } else { (left.min(within(1.4)), RuleSize::N16) };
        let rule = rule(size);
        let mut going = ControlFlow::Continue(());
        for (node, weight) in rule.nodes.iter().zip(&rule.weights) {
            going = at(start + width * node, width * weight);
        }
        if going.is_break() {
            return;
        }
        start += width;
        a += pace.a * width;
        b += pace.b * width;
    }
}
