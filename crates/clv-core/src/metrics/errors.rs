//! Errors of a forecast in the units of what is forecast.

use super::Pairs;
use crate::error::{Error, Result};

/// Mean squared error.
pub fn mse(pairs: &Pairs<'_>) -> f64 {
    pairs.mean(|y, p| (y - p) * (y - p))
}

/// Root of the mean squared error.
pub fn rmse(pairs: &Pairs<'_>) -> f64 {
    mse(pairs).sqrt()
}

/// Mean absolute error.
pub fn mae(pairs: &Pairs<'_>) -> f64 {
    pairs.mean(|y, p| (y - p).abs())
}

/// Median absolute error: the smallest error that at least half of the weight does not exceed,
/// midway to the next where it is exactly half.
pub fn median_ae(pairs: &Pairs<'_>) -> f64 {
    let mut errors: Vec<(f64, f64)> =
        pairs.rows().filter(|r| r.2 > 0.0).map(|(y, p, w)| ((y - p).abs(), w)).collect();
    errors.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let half = 0.5 * pairs.total_weight();
    let mut below = 0.0;
    for (i, (error, weight)) in errors.iter().enumerate() {
        below += weight;
        if (below - half).abs() <= 1e-12 * half {
            return 0.5 * (error + errors.get(i + 1).map_or(*error, |next| next.0));
        }
        if below > half {
            return *error;
        }
    }
    errors.last().map_or(0.0, |e| e.0)
}

/// Mean of forecast minus actual: positive if the forecast is too high.
pub fn bias(pairs: &Pairs<'_>) -> f64 {
    pairs.mean(|y, p| p - y)
}

/// Coefficient of determination, `1 − Σ(y − p)² / Σ(y − ȳ)²`; `None` if all actuals are equal.
pub fn r2(pairs: &Pairs<'_>) -> Option<f64> {
    let mean = pairs.mean(|y, _| y);
    let spread = pairs.mean(|y, _| (y - mean) * (y - mean));
    (spread > 0.0).then(|| 1.0 - mse(pairs) / spread)
}

/// Share of actuals inside their intervals, ends included.
///
/// # Errors
///
/// [`Error::Length`].
pub fn interval_coverage(
    actual: &[f64],
    lower: &[f64],
    upper: &[f64],
    weights: Option<&[f64]>,
) -> Result<f64> {
    let expected = actual.len();
    let weighed = weights.map_or(expected, <[f64]>::len);
    for (column, given) in [("lower", lower.len()), ("upper", upper.len()), ("weight", weighed)] {
        if given != expected {
            return Err(Error::Length { column, given, expected });
        }
    }
    if expected == 0 {
        return Err(Error::TooLittleData {
            model: "interval coverage",
            needs: "at least one customer",
            found: 0,
        });
    }
    let weight = |row: usize| weights.map_or(1.0, |w| w[row]);
    let all: f64 = (0..expected).map(weight).sum();
    if !(all.is_finite() && all > 0.0) {
        return Err(Error::Setting { name: "sum of weights", given: all, allowed: "finite, above 0" });
    }
    let within = |row: &usize| lower[*row] <= actual[*row] && actual[*row] <= upper[*row];
    Ok((0..expected).filter(within).map(weight).sum::<f64>() / all)
}

#[cfg(test)]
mod tests {
    use super::*;

    const Y: [f64; 4] = [1.0, 2.0, 3.0, 6.0];
    const P: [f64; 4] = [2.0, 2.0, 1.0, 6.5];

    #[test]
    fn errors_by_hand() {
        let pairs = Pairs::new(&Y, &P).unwrap();
        assert!((mse(&pairs) - (1.0 + 4.0 + 0.25) / 4.0).abs() < 1e-15);
        assert!((mae(&pairs) - 3.5 / 4.0).abs() < 1e-15);
        assert!((median_ae(&pairs) - 0.75).abs() < 1e-15);
        assert!((bias(&pairs) + 0.5 / 4.0).abs() < 1e-15);
        assert!((r2(&pairs).unwrap() - (1.0 - 5.25 / 14.0)).abs() < 1e-15);
        assert_eq!(r2(&Pairs::new(&[1.0, 1.0], &[0.0, 2.0]).unwrap()), None);
    }

    #[test]
    fn a_weight_of_two_is_a_row_twice() {
        let weighted = Pairs::new(&Y, &P).unwrap().weighted(&[2.0, 1.0, 0.0, 3.0]).unwrap();
        let (y, p) = ([1.0, 1.0, 2.0, 6.0, 6.0, 6.0], [2.0, 2.0, 2.0, 6.5, 6.5, 6.5]);
        let repeated = Pairs::new(&y, &p).unwrap();
        for metric in [mse, rmse, mae, median_ae, bias] {
            assert!((metric(&weighted) - metric(&repeated)).abs() < 1e-14);
        }
    }

    #[test]
    fn what_is_not_a_number_never_gets_in() {
        assert!(Pairs::new(&[1.0], &[f64::NAN]).is_err());
        assert!(Pairs::new(&[1.0, 2.0], &[1.0]).is_err());
        assert!(Pairs::new(&[], &[]).is_err());
        assert!(Pairs::new(&Y, &P).unwrap().weighted(&[0.0; 4]).is_err());
    }

    #[test]
    fn coverage_counts_the_ends() {
        assert_eq!(
            interval_coverage(&[1.0, 2.0, 3.0, 4.0], &[1.0, 0.0, 4.0, 4.0], &[1.0, 1.9, 5.0, 4.0], None)
                .unwrap(),
            0.5
        );
        let (y, l, u) = ([1.0, 5.0], [0.0, 0.0], [2.0, 2.0]);
        assert_eq!(interval_coverage(&y, &l, &u, Some(&[3.0, 1.0])).unwrap(), 0.75);
        assert!(interval_coverage(&y, &l, &u, Some(&[0.0, 0.0])).is_err());
    }
}
