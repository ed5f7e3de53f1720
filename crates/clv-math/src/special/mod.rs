//! Special functions of the likelihoods, most of them as logarithms.
//!
//! | function | what | promised relative error (see `tests/golden.rs`) |
//! | :-- | :-- | :-- |
//! | [`ln_gamma`] | `ln Γ(a)` | 4e-15 (absolute near its zeros 1 and 2) |
//! | [`digamma`], [`trigamma`] | `ψ`, `ψ′` | 4e-15 (absolute near the zero of ψ) |
//! | [`ln_beta`] | `ln B(a, b)`, tiny × huge included | 1e-14 |
//! | [`gamma_p`], [`gamma_q`] | regularised incomplete gamma | 1e-12 |
//! | [`beta_inc`] | regularised incomplete beta `I_x(a, b)` | 1e-11 |
//! | [`ln_hyp2f1`] | `ln|₂F₁(a, b; c; z)|` and its sign | 1e-11 absolute |
//! | [`ln_hyp1f1`] | `ln|₁F₁(a; b; z)|` and its sign | 1e-11 absolute |
//! | [`ln_hyperu`] | `ln U(a, b, z)` | 1e-11 absolute |
//!
//! An absolute error in a logarithm is a relative error in the function.

mod beta;
mod gamma;
mod hypergeometric;
mod incomplete_beta;
mod incomplete_gamma;
mod kummer;
mod normal;

pub use beta::ln_beta;
pub use gamma::{digamma, ln_gamma, ln_rising, trigamma};
pub use hypergeometric::{beta_power_mean, beta_power_means, ln_hyp2f1};
pub use incomplete_beta::{beta_inc, beta_inc_inverse};
pub use incomplete_gamma::{gamma_p, gamma_q};
pub use kummer::{ln_hyp1f1, ln_hyperu};
pub use normal::{normal_cdf, normal_quantile};

/// `ln(1 + u) − u` without cancellation for small `u`.
pub(crate) fn ln_1p_minus(u: f64) -> f64 {
    if u.abs() > 0.3 {
        return u.ln_1p() - u;
    }
    // ln(1+u) = 2 atanh(v), v = u/(2+u): an odd series that converges twice as fast as the plain one.
    let v = u / (2.0 + u);
    let v2 = v * v;
    let mut power = v * v2;
    let mut sum = 0.0;
    let mut k = 3.0;
    while power.abs() > 1e-18 * v.abs() * (v2 + f64::MIN_POSITIVE) {
        sum += power / k;
        power *= v2;
        k += 2.0;
        if k > 80.0 {
            break;
        }
    }
    // 2v − u = −u²/(2+u) = −u v
    2.0 * sum - u * v
}
