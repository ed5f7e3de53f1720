//! Ranges that settings keep to, for builders that refuse what lies outside.

use crate::error::{Error, Result};

/// A setting that is finite and at least 0.
///
/// # Errors
///
/// [`Error::Setting`] otherwise.
///
/// ```
/// assert_eq!(clv_core::setting::at_least_zero("penalty", 0.5)?, 0.5);
/// assert!(clv_core::setting::at_least_zero("penalty", f64::NAN).is_err());
/// # Ok::<(), clv_core::Error>(())
/// ```
pub fn at_least_zero(name: &'static str, given: f64) -> Result<f64> {
    if given.is_finite() && given >= 0.0 {
        Ok(given)
    } else {
        Err(Error::Setting { name, given, allowed: "finite, at least 0" })
    }
}

/// A setting that is finite and above 0.
///
/// # Errors
///
/// [`Error::Setting`] otherwise.
///
/// ```
/// assert_eq!(clv_core::setting::above_zero("cost", 0.5)?, 0.5);
/// assert!(clv_core::setting::above_zero("cost", 0.0).is_err());
/// # Ok::<(), clv_core::Error>(())
/// ```
pub fn above_zero(name: &'static str, given: f64) -> Result<f64> {
    if given.is_finite() && given > 0.0 {
        Ok(given)
    } else {
        Err(Error::Setting { name, given, allowed: "above 0, finite" })
    }
}

/// A share that leaves something: above 0 and at most 1.
///
/// # Errors
///
/// [`Error::Setting`] otherwise.
pub fn some_share(name: &'static str, given: f64) -> Result<f64> {
    if given > 0.0 && given <= 1.0 {
        Ok(given)
    } else {
        Err(Error::Setting { name, given, allowed: "above 0, at most 1" })
    }
}
