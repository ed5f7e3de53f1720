//! The Nelder–Mead simplex search.

use super::{Minimum, StopReason};

/// Settings of [`nelder_mead`].
///
/// | Name | Default | Meaning |
/// | :-- | :-- | :-- |
/// | `max_evaluations` | 5000 | calls of the function |
/// | `tolerance` | 1e-10 | stop when the simplex values differ by less, relative to `1 + abs(value)` |
/// | `step` | 0.5 | first edge length, in every variable |
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NelderMead {
    /// Budget of calls.
    pub max_evaluations: usize,
    /// Spread of values at which to stop.
    pub tolerance: f64,
    /// First edge length.
    pub step: f64,
}

impl Default for NelderMead {
    fn default() -> Self {
        Self { max_evaluations: 5000, tolerance: 1e-10, step: 0.5 }
    }
}

/// Minimises `f` from `start` without derivatives (Nelder & Mead 1965; Lagarias et al. 1998).
///
/// A value that is not finite counts as worst. `f` returns `None` to interrupt.
pub fn nelder_mead(
    mut f: impl FnMut(&[f64]) -> Option<f64>,
    start: &[f64],
    settings: &NelderMead,
) -> Minimum {
    let n = start.len();
    let mut end = Minimum {
        point: start.to_vec(),
        value: f64::INFINITY,
        gradient_norm: f64::INFINITY,
        iterations: 0,
        evaluations: 0,
        reason: StopReason::IterationLimit,
        at_bound: vec![false; n],
    };
    let mut interrupted = false;
    let mut call = |x: &[f64], evaluations: &mut usize| {
        *evaluations += 1;
        match f(x) {
            Some(v) if v.is_finite() => v,
            Some(_) => f64::INFINITY,
            None => {
                interrupted = true;
                f64::INFINITY
            }
        }
    };
    let mut simplex: Vec<(Vec<f64>, f64)> = Vec::with_capacity(n + 1);
    for k in 0..=n {
        let mut x = start.to_vec();
        if k > 0 {
            x[k - 1] += settings.step;
        }
        let v = call(&x, &mut end.evaluations);
        simplex.push((x, v));
    }
    if simplex.iter().all(|(_, v)| v.is_infinite()) {
        end.reason = StopReason::BadStart;
        return end;
    }
    while end.evaluations < settings.max_evaluations {
        simplex.sort_by(|a, b| a.1.total_cmp(&b.1));
        let (best, worst) = (simplex[0].1, simplex[n].1);
        let size = (0..n).map(|i| (simplex[n].0[i] - simplex[0].0[i]).abs()).fold(0.0, f64::max);
        if worst - best <= settings.tolerance * (1.0 + best.abs()) && size < settings.tolerance.sqrt() {
            end.reason = StopReason::Converged;
            break;
        }
        let centre: Vec<f64> =
            (0..n).map(|i| simplex[..n].iter().map(|(x, _)| x[i]).sum::<f64>() / n as f64).collect();
        let towards = |factor: f64, from: &[f64]| -> Vec<f64> {
            centre.iter().zip(from).map(|(c, w)| c + factor * (w - c)).collect()
        };
        let reflected = towards(-1.0, &simplex[n].0);
        let fr = call(&reflected, &mut end.evaluations);
        let replacement = if fr < best {
            let expanded = towards(-2.0, &simplex[n].0);
            let fe = call(&expanded, &mut end.evaluations);
            Some(if fe < fr { (expanded, fe) } else { (reflected, fr) })
        } else if fr < simplex[n - 1].1 {
            Some((reflected, fr))
        } else {
            let factor = if fr < worst { -0.5 } else { 0.5 };
            let contracted = towards(factor, &simplex[n].0);
            let fc = call(&contracted, &mut end.evaluations);
            (fc < fr.min(worst)).then_some((contracted, fc))
        };
        match replacement {
            Some(vertex) => simplex[n] = vertex,
            None => {
                let anchor = simplex[0].0.clone();
                for vertex in &mut simplex[1..] {
                    vertex.0.iter_mut().zip(&anchor).for_each(|(x, a)| *x = a + 0.5 * (*x - a));
                    vertex.1 = call(&vertex.0, &mut end.evaluations);
                }
            }
        }
        end.iterations += 1;
    }
    simplex.sort_by(|a, b| a.1.total_cmp(&b.1));
    let (point, value) = simplex.swap_remove(0);
    end.point = point;
    end.value = value;
    if interrupted {
        end.reason = StopReason::Interrupted;
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_known_minimum_without_derivatives() {
        let f = |x: &[f64]| Some((1.0 - x[0]).powi(2) + 100.0 * (x[1] - x[0] * x[0]).powi(2));
        let end = nelder_mead(f, &[-1.2, 1.0], &NelderMead::default());
        assert_eq!(end.reason, StopReason::Converged);
        assert!((end.point[0] - 1.0).abs() < 1e-4 && (end.point[1] - 1.0).abs() < 1e-4);
    }

    #[test]
    fn a_function_that_is_never_finite_is_a_bad_start() {
        let end = nelder_mead(|_| Some(f64::NAN), &[0.0, 0.0], &NelderMead::default());
        assert_eq!(end.reason, StopReason::BadStart);
    }
}
