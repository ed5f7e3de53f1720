//! Numbers kept as a sign and the logarithm of their magnitude.
//!
//! Likelihoods of a customer with a thousand purchases reach `10^900`; only their logarithms fit
//! in an `f64`.

/// A real number stored as its sign and `ln|value|`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SignedLog {
    /// `1.0`, `-1.0`, or `0.0` for exact zero.
    pub sign: f64,
    /// Natural logarithm of the magnitude; `-∞` for zero.
    pub ln_abs: f64,
}

impl SignedLog {
    /// Exact zero.
    pub const ZERO: Self = Self { sign: 0.0, ln_abs: f64::NEG_INFINITY };

    /// From a plain number.
    pub fn new(value: f64) -> Self {
        if value == 0.0 {
            return Self::ZERO;
        }
        Self { sign: value.signum(), ln_abs: value.abs().ln() }
    }

    /// A positive number given by its logarithm.
    pub fn from_ln(ln_abs: f64) -> Self {
        Self { sign: 1.0, ln_abs }
    }

    /// The plain number; overflows to `±∞` past `1.8e308`.
    pub fn value(self) -> f64 {
        self.sign * self.ln_abs.exp()
    }

    /// Product.
    pub fn times(self, other: Self) -> Self {
        Self { sign: self.sign * other.sign, ln_abs: self.ln_abs + other.ln_abs }
    }

    /// Sum, without leaving log space.
    pub fn plus(self, other: Self) -> Self {
        let (big, small) = if self.ln_abs >= other.ln_abs { (self, other) } else { (other, self) };
        if small.sign == 0.0 {
            return big;
        }
        let ratio = (small.ln_abs - big.ln_abs).exp();
        let factor = if big.sign == small.sign { ratio.ln_1p() } else { (-ratio).ln_1p() };
        if factor == f64::NEG_INFINITY {
            return Self::ZERO;
        }
        Self { sign: big.sign, ln_abs: big.ln_abs + factor }
    }
}

/// `ln(e^a + e^b)`.
pub fn ln_add(a: f64, b: f64) -> f64 {
    let (big, small) = if a >= b { (a, b) } else { (b, a) };
    if small == f64::NEG_INFINITY { big } else { big + (small - big).exp().ln_1p() }
}

/// `ln Σ e^{x_i}`; `-∞` for an empty sum.
pub fn ln_sum_exp(terms: &[f64]) -> f64 {
    let top = terms.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if top.is_infinite() {
        return top;
    }
    top + terms.iter().map(|t| (t - top).exp()).sum::<f64>().ln()
}

/// `ln(Σ sign_i e^{x_i})` with its sign.
///
/// ```
/// use clv_math::logspace::{signed_ln_sum_exp, SignedLog};
/// let terms = [SignedLog::new(5.0), SignedLog::new(-3.0), SignedLog::new(-4.0)];
/// assert!((signed_ln_sum_exp(&terms).value() + 2.0).abs() < 1e-14);
/// ```
pub fn signed_ln_sum_exp(terms: &[SignedLog]) -> SignedLog {
    let top = terms.iter().map(|t| t.ln_abs).fold(f64::NEG_INFINITY, f64::max);
    if top == f64::NEG_INFINITY {
        return SignedLog::ZERO;
    }
    let sum: f64 = terms.iter().map(|t| t.sign * (t.ln_abs - top).exp()).sum();
    let scaled = SignedLog::new(sum);
    SignedLog { sign: scaled.sign, ln_abs: scaled.ln_abs + top }
}

/// `(1 − e^{−x}) / x`, exact as `x → 0`: the factor by which a decaying rate shrinks an integral.
pub fn one_minus_exp_over(x: f64) -> f64 {
    if x.abs() < 1e-8 { 1.0 - 0.5 * x } else { -(-x).exp_m1() / x }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_beyond_the_range_of_a_float_stay_finite() {
        assert!((ln_sum_exp(&[1000.0, 1000.0]) - (1000.0 + 2.0_f64.ln())).abs() < 1e-12);
        assert_eq!(ln_sum_exp(&[]), f64::NEG_INFINITY);
        assert!((ln_add(-2000.0, -2001.0) - (-2000.0 + (-1.0_f64).exp().ln_1p())).abs() < 1e-12);
    }

    #[test]
    fn equal_and_opposite_terms_cancel_to_exact_zero() {
        let a = SignedLog::from_ln(700.0);
        assert_eq!(a.plus(SignedLog { sign: -1.0, ..a }), SignedLog::ZERO);
        assert_eq!(a.times(SignedLog::ZERO).value(), 0.0);
    }

    #[test]
    fn shrink_factor_has_its_limit() {
        assert_eq!(one_minus_exp_over(0.0), 1.0);
        assert!((one_minus_exp_over(1e-7) - (1.0 - 0.5e-7)).abs() < 1e-14);
        assert!((one_minus_exp_over(-2.0) - (2.0_f64.exp() - 1.0) / 2.0).abs() < 1e-14);
    }
}
