//! Decoders of binary formats that panic on damaged files.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use crate::error::{Error, Result};

/// What makes a decoder panic on a damaged file becomes the error that it should be. (Found by
/// fuzzing; what can be checked beforehand is.)
pub(crate) fn guarded<T, E: std::error::Error + Send + Sync + 'static>(
    path: &Path,
    decode: impl FnOnce() -> Result<T, E>,
) -> Result<T> {
    match catch_unwind(AssertUnwindSafe(decode)) {
        Ok(decoded) => decoded.map_err(|e| Error::Format { path: path.into(), source: Box::new(e) }),
        Err(_) => {
            let source = "damaged: its parts contradict each other".into();
            Err(Error::Format { path: path.into(), source })
        }
    }
}
