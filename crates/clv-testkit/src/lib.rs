//! The code in README and doc pages, run by `cargo test --doc`.

#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
pub mod readme {}

#[cfg(doctest)]
#[doc = include_str!("../../../docs/ADDING-A-MODEL.md")]
pub mod adding_a_model {}
