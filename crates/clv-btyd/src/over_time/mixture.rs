//! The logarithm of a sum of positive terms given by their logarithms, with derivatives.

use clv_math::minimise::Derivatives;

/// `ln Σ e^{t_i}`, one term after the other, with the gradient and the Hessian that follow from those of the terms.
#[derive(Clone, Debug)]
pub struct LnSum {
    most: f64,
    sum: f64,
    gradient: Vec<f64>,
    hessian: Vec<f64>,
}

impl LnSum {
    pub(crate) fn new(n: usize) -> Self {
        Self { most: f64::NEG_INFINITY, sum: 0.0, gradient: vec![0.0; n], hessian: vec![0.0; n * n] }
    }

    pub(crate) fn clear(&mut self) {
        self.most = f64::NEG_INFINITY;
        self.sum = 0.0;
        self.gradient.fill(0.0);
        self.hessian.fill(0.0);
    }

    /// The largest term so far.
    pub(crate) fn most(&self) -> f64 {
        self.most
    }

    pub(crate) fn ln(&self) -> f64 {
        self.most + self.sum.ln()
    }

    /// Adds a term with its gradient and the upper half of its Hessian.
    pub(crate) fn add(&mut self, term: f64, gradient: &[f64], hessian: &[f64]) {
        let n = gradient.len();
        if term > self.most {
            let down = (self.most - term).exp();
            self.sum *= down;
            self.gradient.iter_mut().chain(&mut self.hessian).for_each(|v| *v *= down);
            self.most = term;
        }
        let weight = (term - self.most).exp();
        if weight == 0.0 {
            return;
        }
        self.sum += weight;
        for i in 0..n {
            self.gradient[i] += weight * gradient[i];
            for j in i..n {
                self.hessian[i * n + j] += weight * (hessian[i * n + j] + gradient[i] * gradient[j]);
            }
        }
    }

    /// Adds the logarithm of the sum to a total.
    pub(crate) fn add_to(&self, total: &mut Derivatives) {
        let n = self.gradient.len();
        total.value += self.ln();
        for i in 0..n {
            let slope = self.gradient[i] / self.sum;
            total.gradient[i] += slope;
            for j in i..n {
                total.hessian[i * n + j] +=
                    self.hessian[i * n + j] / self.sum - slope * self.gradient[j] / self.sum;
            }
        }
    }
}
