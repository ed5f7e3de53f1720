//! Trust-region Newton within a box.

use super::{Derivatives, Minimum, StopReason};
use crate::linalg::{cholesky, cholesky_solve, symmetric_eigen};

/// After so many steps …
const STRETCH: usize = 25;
/// … that together gained less than this, relative to `1 + abs(value)`, the valley is flat.
const FLAT_STRETCH: f64 = 1e-9;

/// Settings of [`newton`].
///
/// | Name | Default | Meaning |
/// | :-- | :-- | :-- |
/// | `max_iterations` | 200 | function evaluations with derivatives |
/// | `tolerance` | 1e-13 | stop when the predicted decrease is below this, relative to `1 + abs(value)` |
/// | `max_step` | 2.0 | longest step in any variable |
/// | `lower`, `upper` | none | bounds of the box, per variable |
#[derive(Debug, Clone, PartialEq)]
pub struct Newton {
    /// Budget of evaluations.
    pub max_iterations: usize,
    /// Relative predicted decrease at which to stop.
    pub tolerance: f64,
    /// Longest step in any variable.
    pub max_step: f64,
    /// Lower bounds; empty for none.
    pub lower: Vec<f64>,
    /// Upper bounds; empty for none.
    pub upper: Vec<f64>,
}

impl Default for Newton {
    fn default() -> Self {
        Self { max_iterations: 200, tolerance: 1e-13, max_step: 2.0, lower: Vec::new(), upper: Vec::new() }
    }
}

/// Minimises `f` from `start` with exact gradient and Hessian.
///
/// Each step solves the model `g·p + ½ p·(H + λI)·p` with `λ` large enough for the step to stay
/// within the trust radius and the matrix to be positive definite (Nocedal & Wright, *Numerical
/// Optimization*, 2nd ed., chapter 4). Variables on a bound whose gradient points outwards are held.
///
/// `f` returns `None` to interrupt. A value that is not finite rejects the step.
pub fn newton(mut f: impl FnMut(&[f64]) -> Option<Derivatives>, start: &[f64], settings: &Newton) -> Minimum {
    let n = start.len();
    let bound = |b: &[f64], i: usize, none: f64| b.get(i).copied().unwrap_or(none);
    let clamp = |x: f64, i: usize| {
        x.clamp(bound(&settings.lower, i, f64::NEG_INFINITY), bound(&settings.upper, i, f64::INFINITY))
    };
    let held = |point: &[f64], here: &Derivatives| -> Vec<bool> {
        (0..n)
            .map(|i| {
                (point[i] <= bound(&settings.lower, i, f64::NEG_INFINITY) && here.gradient[i] > 0.0)
                    || (point[i] >= bound(&settings.upper, i, f64::INFINITY) && here.gradient[i] < 0.0)
            })
            .collect()
    };
    let mut point: Vec<f64> = start.iter().enumerate().map(|(i, &x)| clamp(x, i)).collect();
    let mut end = Minimum {
        point: point.clone(),
        value: f64::INFINITY,
        gradient_norm: f64::INFINITY,
        iterations: 0,
        evaluations: 1,
        reason: StopReason::BadStart,
        at_bound: vec![false; n],
    };
    let Some(mut here) = f(&point) else {
        end.reason = StopReason::Interrupted;
        return end;
    };
    if !usable(&here) {
        return end;
    }
    let mut radius = 1.0_f64.min(settings.max_step);
    end.reason = StopReason::IterationLimit;
    let mut milestone = here.value;
    while end.evaluations < settings.max_iterations {
        let held = held(&point, &here);
        end.gradient_norm = (0..n).filter(|&i| !held[i]).map(|i| here.gradient[i].abs()).fold(0.0, f64::max);
        let mut free: Vec<usize> = (0..n).filter(|&i| !held[i]).collect();
        let mut moved = vec![0.0; n];
        let (mut step, mut newton_decrease) = trust_step(&here, &free, &moved, radius);
        // Variables that would leave the box go to its wall, and the others are solved for again.
        while let Some(k) = free.iter().position(|&i| clamp(point[i] + step[i], i) != point[i] + step[i]) {
            let i = free.remove(k);
            moved[i] = clamp(point[i] + step[i], i) - point[i];
            step = trust_step(&here, &free, &moved, radius).0;
            newton_decrease = None;
        }
        let scale = 1.0 + here.value.abs();
        if held.iter().all(|h| *h) || newton_decrease.is_some_and(|d| d <= settings.tolerance * scale) {
            end.reason = StopReason::Converged;
            // One last full step costs an evaluation and buys the quadratic digits.
            if let Some((trial, there)) = try_step(&mut f, &point, &step, &clamp) {
                end.evaluations += 1;
                if usable(&there) && there.value <= here.value {
                    (point, here) = (trial, there);
                    end.iterations += 1;
                }
            }
            break;
        }
        let trial: Vec<f64> = (0..n).map(|i| clamp(point[i] + step[i], i)).collect();
        let taken: Vec<f64> = (0..n).map(|i| trial[i] - point[i]).collect();
        let length = taken.iter().fold(0.0_f64, |m, s| m.max(s.abs()));
        let predicted = -model_change(&here, &taken, n);
        end.evaluations += 1;
        let Some(there) = f(&trial) else {
            end.reason = StopReason::Interrupted;
            break;
        };
        let actual = here.value - there.value;
        let good = usable(&there) && actual >= 1e-4 * predicted.max(0.0) && actual > 0.0;
        if good {
            let quality = actual / predicted.max(f64::MIN_POSITIVE);
            if quality > 0.75 && length > 0.9 * radius {
                radius = (2.0 * radius).min(settings.max_step);
            } else if quality < 0.25 {
                radius = (0.5 * length).max(1e-12);
            }
            (point, here) = (trial, there);
            end.iterations += 1;
            // Along a flat valley steps go on for ever and gain nothing.
            if end.iterations.is_multiple_of(STRETCH) {
                if milestone - here.value <= FLAT_STRETCH * scale {
                    end.reason = StopReason::NoFurtherDecrease;
                    break;
                }
                milestone = here.value;
            }
        } else {
            // Within rounding of the minimum neither sign of `actual` means anything.
            if usable(&there) && predicted <= 16.0 * f64::EPSILON * scale {
                end.reason = StopReason::Converged;
                break;
            }
            radius = 0.25 * length.min(radius);
            if radius < 1e-12 {
                end.reason = StopReason::NoFurtherDecrease;
                break;
            }
        }
    }
    end.at_bound = held(&point, &here);
    end.value = here.value;
    end.point = point;
    end
}

fn usable(d: &Derivatives) -> bool {
    d.value.is_finite() && d.gradient.iter().chain(&d.hessian).all(|v| v.is_finite())
}

fn try_step(
    f: &mut impl FnMut(&[f64]) -> Option<Derivatives>,
    point: &[f64],
    step: &[f64],
    clamp: &impl Fn(f64, usize) -> f64,
) -> Option<(Vec<f64>, Derivatives)> {
    if step.iter().all(|s| *s == 0.0) {
        return None;
    }
    let trial: Vec<f64> = point.iter().zip(step).enumerate().map(|(i, (x, s))| clamp(x + s, i)).collect();
    f(&trial).map(|there| (trial, there))
}

fn model_change(d: &Derivatives, step: &[f64], n: usize) -> f64 {
    let mut change = 0.0;
    for i in 0..n {
        change += d.gradient[i] * step[i];
        for j in 0..n {
            change += 0.5 * step[i] * d.hessian[i * n + j] * step[j];
        }
    }
    change
}

/// The step: over the free variables by the model, given that the others move by `moved`; and the
/// decrease a full Newton step promises (`None` while the Hessian is not positive definite or the
/// step is cut short).
fn trust_step(d: &Derivatives, free: &[usize], moved: &[f64], radius: f64) -> (Vec<f64>, Option<f64>) {
    let (m, n) = (free.len(), moved.len());
    let mut step = moved.to_vec();
    if m == 0 {
        return (step, Some(0.0));
    }
    let h: Vec<f64> = free
        .iter()
        .flat_map(|&i| free.iter().map(move |&j| (i, j)))
        .map(|(i, j)| d.hessian[i * n + j])
        .collect();
    let pull = |i: usize| -> f64 { (0..n).map(|j| d.hessian[i * n + j] * moved[j]).sum() };
    let g: Vec<f64> = free.iter().map(|&i| -d.gradient[i] - pull(i)).collect();
    let norm = |p: &[f64]| p.iter().fold(0.0_f64, |a, b| a.max(b.abs()));
    let shift = match cholesky(&h, m).map(|l| cholesky_solve(&l, m, &g)) {
        Some(p) if norm(&p) <= radius => {
            let decrease = 0.5 * p.iter().zip(&g).map(|(a, b)| a * b).sum::<f64>();
            free.iter().zip(p).for_each(|(&i, p)| step[i] = p);
            return (step, Some(decrease));
        }
        Some(_) => 1e-3,
        None => {
            let (values, _) = symmetric_eigen(&h, m);
            (-values[0]).max(0.0) * 1.01 + 1e-8 * values[m - 1].abs().max(1e-8)
        }
    };
    let p = shifted_step(&h, &g, shift, radius);
    free.iter().zip(p).for_each(|(&i, p)| step[i] = p);
    (step, None)
}

/// `−(H + λI)⁻¹ g` with the smallest `λ`, to a factor, that keeps it within the radius. By doubling
/// then bisection: the matrix is tiny, so a factorisation costs less than one likelihood term.
fn shifted_step(h: &[f64], g: &[f64], shift: f64, radius: f64) -> Vec<f64> {
    let m = g.len();
    let solve = |lambda: f64| {
        let mut shifted = h.to_vec();
        (0..m).for_each(|i| shifted[i * m + i] += lambda);
        let p = cholesky(&shifted, m).map(|l| cholesky_solve(&l, m, g))?;
        p.iter().all(|v| v.abs() <= radius).then_some(p)
    };
    let (mut low, mut high) = (0.0, shift.max(1e-10));
    let mut best = vec![0.0; m];
    for _ in 0..200 {
        if let Some(p) = solve(high) {
            best = p;
            break;
        }
        low = high;
        high *= 4.0;
    }
    for _ in 0..8 {
        let middle = 0.5 * (low + high);
        match solve(middle) {
            Some(p) => (high, best) = (middle, p),
            None => low = middle,
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rosenbrock(x: &[f64]) -> Option<Derivatives> {
        let (a, b) = (x[0], x[1]);
        Some(Derivatives {
            value: (1.0 - a).powi(2) + 100.0 * (b - a * a).powi(2),
            gradient: vec![-2.0 * (1.0 - a) - 400.0 * a * (b - a * a), 200.0 * (b - a * a)],
            hessian: vec![2.0 - 400.0 * b + 1200.0 * a * a, -400.0 * a, -400.0 * a, 200.0],
        })
    }

    #[test]
    fn walks_the_curved_valley_to_its_known_minimum() {
        let end = newton(rosenbrock, &[-1.2, 1.0], &Newton::default());
        assert_eq!(end.reason, StopReason::Converged);
        assert!((end.point[0] - 1.0).abs() < 1e-10 && (end.point[1] - 1.0).abs() < 1e-10);
        assert!(end.evaluations < 60);
    }

    #[test]
    fn stops_on_a_bound_and_says_which() {
        let settings = Newton { upper: vec![0.5, f64::INFINITY], ..Newton::default() };
        let end = newton(rosenbrock, &[-1.2, 1.0], &settings);
        assert_eq!(end.at_bound, [true, false]);
        assert!((end.point[0] - 0.5).abs() < 1e-15 && (end.point[1] - 0.25).abs() < 1e-9);
    }

    #[test]
    fn a_start_that_is_not_finite_is_said_so() {
        let nan = |_: &[f64]| Some(Derivatives { value: f64::NAN, gradient: vec![0.0], hessian: vec![1.0] });
        assert_eq!(newton(nan, &[0.0], &Newton::default()).reason, StopReason::BadStart);
        assert_eq!(newton(|_: &[f64]| None, &[0.0], &Newton::default()).reason, StopReason::Interrupted);
    }
}
