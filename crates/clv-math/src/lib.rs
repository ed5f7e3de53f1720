//! The mathematics under the `clv` crates. No customer appears here.
//!
//! ```
//! use clv_math::special::{ln_gamma, ln_hyp2f1};
//!
//! assert!((ln_gamma(5.0) - 24.0_f64.ln()).abs() < 1e-14);
//! // ₂F₁(1, 1; 2; z) = −ln(1 − z) / z
//! let f = ln_hyp2f1(1.0, 1.0, 2.0, 0.5).unwrap();
//! assert!((f.value() - 2.0 * 2.0_f64.ln()).abs() < 1e-14);
//! ```
//!
//! | module | what is in it |
//! | :-- | :-- |
//! | [`special`] | log-gamma, digamma, trigamma, log-beta, incomplete gamma and beta, the normal, log ₂F₁, log ₁F₁, log U |
//! | [`logspace`] | numbers kept as sign and logarithm; log-sum-exp |
//! | [`quadrature`] | Gauss–Legendre rules; integrals of unimodal functions given by their logarithm |
//! | [`transform`] | the maps between a bounded parameter and the real line, with derivatives |
//! | [`minimise`] | trust-region Newton, L-BFGS, Nelder–Mead; each says why it stopped |
//! | [`chains`] | R̂ and the effective sample size of Markov chains |
//! | [`curvature`] | from the Hessian at an optimum to covariance, standard errors and flat directions |
//! | [`linalg`] | Cholesky and symmetric eigenvalues for matrices of a dozen rows |
//! | [`ZeroInflatedLognormal`] | a mass at 0, a lognormal above |
//!
//! What it does not do: large linear algebra, complex arguments, arbitrary precision. You probably
//! want the `clv` crate, not this one.

pub mod chains;
pub mod curvature;
pub mod linalg;
pub mod logspace;
pub mod minimise;
pub mod quadrature;
pub mod special;
pub mod transform;
mod ziln;

pub use ziln::ZeroInflatedLognormal;
