//! One file per verb.

pub(crate) mod auto;
pub(crate) mod cohorts;
pub(crate) mod completions;
pub(crate) mod evaluate;
pub(crate) mod fit;
pub(crate) mod inspect;
pub(crate) mod predict;
pub(crate) mod simulate;
pub(crate) mod stages;
pub(crate) mod summarize;
pub(crate) mod value;
