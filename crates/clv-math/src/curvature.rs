//! From the Hessian at an optimum to uncertainty.

use crate::linalg::{inverse, symmetric_eigen};

/// What the curvature of a minimised negative log-likelihood says about its parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct Curvature {
    n: usize,
    /// Covariance matrix, row by row, if the Hessian is positive definite.
    covariance: Option<Vec<f64>>,
    eigenvalues: Vec<f64>,
    eigenvectors: Vec<Vec<f64>>,
}

/// A direction in which the function hardly changes.
#[derive(Debug, Clone, PartialEq)]
pub struct FlatDirection {
    /// Its second derivative.
    pub curvature: f64,
    /// Unit vector.
    pub direction: Vec<f64>,
}

impl FlatDirection {
    /// The variables that make up most of it: those with at least half the largest component.
    pub fn variables(&self) -> Vec<usize> {
        let top = self.direction.iter().fold(0.0_f64, |m, d| m.max(d.abs()));
        (0..self.direction.len()).filter(|&i| self.direction[i].abs() >= 0.5 * top).collect()
    }
}

impl Curvature {
    /// From the `n × n` Hessian of the negative log-likelihood, row by row.
    pub fn new(hessian: &[f64], n: usize) -> Self {
        let (eigenvalues, eigenvectors) = symmetric_eigen(hessian, n);
        Self { n, covariance: inverse(hessian, n), eigenvalues, eigenvectors }
    }

    /// Covariance, row by row; `None` if the point is not a strict minimum.
    pub fn covariance(&self) -> Option<&[f64]> {
        self.covariance.as_deref()
    }

    /// Square roots of the covariance's diagonal.
    pub fn standard_errors(&self) -> Option<Vec<f64>> {
        let covariance = self.covariance.as_ref()?;
        Some((0..self.n).map(|i| covariance[i * self.n + i].sqrt()).collect())
    }

    /// Standard error of a function of the parameters with the given gradient (delta method).
    pub fn delta_method(&self, gradient: &[f64]) -> Option<f64> {
        let covariance = self.covariance.as_ref()?;
        let mut variance = 0.0;
        for i in 0..self.n {
            for j in 0..self.n {
                variance += gradient[i] * covariance[i * self.n + j] * gradient[j];
            }
        }
        Some(variance.max(0.0).sqrt())
    }

    /// Directions whose curvature is below `threshold`: with parameters on a log scale and the
    /// Hessian of the whole log-likelihood, 0.04 means a standard error of a factor `e^5`.
    pub fn flat_directions(&self, threshold: f64) -> Vec<FlatDirection> {
        self.eigenvalues
            .iter()
            .zip(&self.eigenvectors)
            .filter(|(value, _)| **value < threshold)
            .map(|(&curvature, direction)| FlatDirection { curvature, direction: direction.clone() })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn standard_errors_and_delta_method_by_hand() {
        // Hessian diag(4, 25): variances 1/4 and 1/25.
        let c = Curvature::new(&[4.0, 0.0, 0.0, 25.0], 2);
        assert_eq!(c.standard_errors().unwrap(), [0.5, 0.2]);
        assert!((c.delta_method(&[1.0, 1.0]).unwrap() - (0.25_f64 + 0.04).sqrt()).abs() < 1e-15);
        assert!(c.flat_directions(0.04).is_empty());
    }

    #[test]
    fn a_ridge_is_named_by_its_variables() {
        // Only x₀ + x₁ is determined; x₂ is.
        let c = Curvature::new(&[1.0, 1.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 3.0], 3);
        assert!(c.covariance().is_none());
        let flat = c.flat_directions(1e-3);
        assert_eq!(flat.len(), 1);
        assert_eq!(flat[0].variables(), [0, 1]);
    }
}
