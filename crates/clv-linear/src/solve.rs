//! Small symmetric systems.

/// The solution of `A x = b`, `A` symmetric and positive, row by row. Directions along which `A` has
/// next to no curvature get no step, where `clv-math`'s Cholesky would give up.
pub(crate) fn solve_positive(a: &[f64], b: &[f64]) -> Vec<f64> {
    let k = b.len();
    let mut lower = a.to_vec();
    let mut flat = vec![false; k];
    for j in 0..k {
        let pivot = lower[j * k + j] - (0..j).map(|m| lower[j * k + m].powi(2)).sum::<f64>();
        flat[j] = pivot <= 1e-14 * a[j * k + j].abs() || pivot <= 0.0;
        let root = if flat[j] { 1.0 } else { pivot.sqrt() };
        lower[j * k + j] = root;
        for i in j + 1..k {
            let dot: f64 = (0..j).map(|m| lower[i * k + m] * lower[j * k + m]).sum();
            lower[i * k + j] = if flat[j] { 0.0 } else { (lower[i * k + j] - dot) / root };
        }
    }
    let mut x = vec![0.0; k];
    for i in 0..k {
        let dot: f64 = (0..i).map(|m| lower[i * k + m] * x[m]).sum();
        x[i] = if flat[i] { 0.0 } else { (b[i] - dot) / lower[i * k + i] };
    }
    for i in (0..k).rev() {
        let dot: f64 = (i + 1..k).map(|m| lower[m * k + i] * x[m]).sum();
        x[i] = if flat[i] { 0.0 } else { (x[i] - dot) / lower[i * k + i] };
    }
    x
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_system_is_solved_and_a_flat_direction_left_alone() {
        let x = solve_positive(&[4.0, 2.0, 2.0, 3.0], &[10.0, 8.0]);
        assert!((x[0] - 1.75).abs() < 1e-14 && (x[1] - 1.5).abs() < 1e-14, "{x:?}");
        let x = solve_positive(&[2.0, 0.0, 0.0, 0.0], &[4.0, 1.0]);
        assert!((x[0] - 2.0).abs() < 1e-14 && x[1] == 0.0, "{x:?}");
    }
}
