//! Minimisers of smooth functions of a few variables, each telling why it stopped.
//!
//! * [`newton`]: trust-region Newton with exact gradient and Hessian; two to a dozen variables.
//! * [`lbfgs`]: limited-memory BFGS with a gradient; many variables.
//! * [`nelder_mead`]: the simplex search, when there is no derivative to trust.

mod lbfgs;
mod nelder_mead;
mod newton;

pub use lbfgs::{Lbfgs, lbfgs};
pub use nelder_mead::{NelderMead, nelder_mead};
pub use newton::{Newton, newton};

/// Value, gradient and Hessian (row by row) at a point.
#[derive(Debug, Clone, PartialEq)]
pub struct Derivatives {
    /// The function.
    pub value: f64,
    /// First derivatives.
    pub gradient: Vec<f64>,
    /// Second derivatives, `n × n` row by row.
    pub hessian: Vec<f64>,
}

/// Why a minimiser stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum StopReason {
    /// The gradient, in the metric of the curvature, promises no further decrease.
    Converged,
    /// Steps became too small to change the value, with a gradient that is small but not tiny.
    NoFurtherDecrease,
    /// The budget of iterations is spent.
    IterationLimit,
    /// The function is not finite at the starting point.
    BadStart,
    /// The caller asked to stop.
    Interrupted,
}

impl StopReason {
    /// Whether the point is a minimum as far as the minimiser can tell.
    pub fn is_converged(self) -> bool {
        matches!(self, Self::Converged | Self::NoFurtherDecrease)
    }
}

/// Where a minimiser ended, and the story of how.
#[derive(Debug, Clone, PartialEq)]
pub struct Minimum {
    /// The best point seen.
    pub point: Vec<f64>,
    /// The function there.
    pub value: f64,
    /// Largest absolute gradient component there, bounds respected; NaN-free, `∞` if unknown.
    pub gradient_norm: f64,
    /// Accepted steps.
    pub iterations: usize,
    /// Calls of the function.
    pub evaluations: usize,
    /// Why it stopped.
    pub reason: StopReason,
    /// Which variables ended on a bound.
    pub at_bound: Vec<bool>,
}
