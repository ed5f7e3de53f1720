//! Limited-memory BFGS.

use super::{Minimum, StopReason};

/// Settings of [`lbfgs`].
///
/// | Name | Default | Meaning |
/// | :-- | :-- | :-- |
/// | `memory` | 10 | pairs of steps and gradient changes kept |
/// | `max_iterations` | 1000 | accepted steps |
/// | `gradient_tolerance` | 1e-8 | stop when no gradient component exceeds this, relative to `1 + abs(value)` |
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lbfgs {
    /// Pairs remembered.
    pub memory: usize,
    /// Budget of steps.
    pub max_iterations: usize,
    /// Largest gradient component at which to stop.
    pub gradient_tolerance: f64,
}

impl Default for Lbfgs {
    fn default() -> Self {
        Self { memory: 10, max_iterations: 1000, gradient_tolerance: 1e-8 }
    }
}

/// Minimises `f`, which returns value and gradient, from `start`.
///
/// Two-loop recursion (Nocedal & Wright, 2nd ed., algorithm 7.4) with a bisecting weak-Wolfe line
/// search (Lewis & Overton 2013), which also copes with kinks.
pub fn lbfgs(
    mut f: impl FnMut(&[f64]) -> Option<(f64, Vec<f64>)>,
    start: &[f64],
    settings: &Lbfgs,
) -> Minimum {
    let n = start.len();
    let mut end = Minimum {
        point: start.to_vec(),
        value: f64::INFINITY,
        gradient_norm: f64::INFINITY,
        iterations: 0,
        evaluations: 1,
        reason: StopReason::BadStart,
        at_bound: vec![false; n],
    };
    let Some((mut value, mut gradient)) = f(start) else {
        end.reason = StopReason::Interrupted;
        return end;
    };
    if !value.is_finite() || gradient.iter().any(|g| !g.is_finite()) {
        return end;
    }
    let mut point = start.to_vec();
    let mut pairs: Vec<(Vec<f64>, Vec<f64>, f64)> = Vec::new();
    end.reason = StopReason::IterationLimit;
    while end.iterations < settings.max_iterations {
        let norm = gradient.iter().fold(0.0_f64, |m, g| m.max(g.abs()));
        end.gradient_norm = norm;
        if norm <= settings.gradient_tolerance * (1.0 + value.abs()) {
            end.reason = StopReason::Converged;
            break;
        }
        let mut direction = two_loop(&pairs, &gradient);
        let mut slope = dot(&direction, &gradient);
        if slope.is_nan() || slope >= 0.0 {
            pairs.clear();
            direction = gradient.iter().map(|g| -g).collect();
            slope = dot(&direction, &gradient);
        }
        let first = if pairs.is_empty() { (1.0 / norm).min(1.0) } else { 1.0 };
        let (mut low, mut high, mut t) = (0.0, f64::INFINITY, first);
        let mut accepted = None;
        for _ in 0..60 {
            let trial: Vec<f64> = point.iter().zip(&direction).map(|(x, d)| x + t * d).collect();
            end.evaluations += 1;
            let Some((v, g)) = f(&trial) else {
                end.reason = StopReason::Interrupted;
                end.point = point;
                end.value = value;
                return end;
            };
            let finite = v.is_finite() && g.iter().all(|x| x.is_finite());
            if !finite || v > value + 1e-4 * t * slope {
                high = t;
            } else if dot(&g, &direction) < 0.9 * slope {
                accepted = Some((trial, v, g));
                low = t;
            } else {
                accepted = Some((trial, v, g));
                break;
            }
            t = if high.is_finite() { 0.5 * (low + high) } else { 2.0 * low };
        }
        let Some((trial, v, g)) = accepted else {
            end.reason = StopReason::NoFurtherDecrease;
            break;
        };
        let s: Vec<f64> = trial.iter().zip(&point).map(|(a, b)| a - b).collect();
        let y: Vec<f64> = g.iter().zip(&gradient).map(|(a, b)| a - b).collect();
        let sy = dot(&s, &y);
        if sy > 1e-300 {
            if pairs.len() == settings.memory {
                pairs.remove(0);
            }
            pairs.push((s, y, 1.0 / sy));
        }
        (point, value, gradient) = (trial, v, g);
        end.iterations += 1;
    }
    end.point = point;
    end.value = value;
    end
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

fn two_loop(pairs: &[(Vec<f64>, Vec<f64>, f64)], gradient: &[f64]) -> Vec<f64> {
    let mut q: Vec<f64> = gradient.iter().map(|g| -g).collect();
    let mut alphas = Vec::with_capacity(pairs.len());
    for (s, y, rho) in pairs.iter().rev() {
        let alpha = rho * dot(s, &q);
        q.iter_mut().zip(y).for_each(|(q, y)| *q -= alpha * y);
        alphas.push(alpha);
    }
    if let Some((s, y, _)) = pairs.last() {
        let scale = dot(s, y) / dot(y, y);
        q.iter_mut().for_each(|q| *q *= scale);
    }
    for ((s, y, rho), alpha) in pairs.iter().zip(alphas.iter().rev()) {
        let beta = rho * dot(y, &q);
        q.iter_mut().zip(s).for_each(|(q, s)| *q += (alpha - beta) * s);
    }
    q
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_of_fifty_valleys_is_walked_to_the_end() {
        let f = |x: &[f64]| {
            let (mut value, mut gradient) = (0.0, vec![0.0; x.len()]);
            for i in 0..x.len() - 1 {
                let (a, b) = (x[i], x[i + 1]);
                value += (1.0 - a).powi(2) + 100.0 * (b - a * a).powi(2);
                gradient[i] += -2.0 * (1.0 - a) - 400.0 * a * (b - a * a);
                gradient[i + 1] += 200.0 * (b - a * a);
            }
            Some((value, gradient))
        };
        let end = lbfgs(f, &[0.0; 50], &Lbfgs::default());
        assert_eq!(end.reason, StopReason::Converged);
        assert!(end.point.iter().all(|x| (x - 1.0).abs() < 1e-6));
    }
}
