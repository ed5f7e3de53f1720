//! Work in many like pieces, on as many threads as the caller lends.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use clv_core::{Context, Error};

/// The pieces in order, whatever thread did each.
///
/// # Errors
///
/// [`Error::Stopped`].
pub(crate) fn side_by_side<T: Send>(
    pieces: usize,
    cx: &Context<'_>,
    work: impl Fn(usize) -> T + Sync,
) -> Result<Vec<T>, Error> {
    let done: Mutex<Vec<(usize, T)>> = Mutex::default();
    let next = AtomicUsize::new(0);
    let take = || {
        loop {
            let piece = next.fetch_add(1, Ordering::Relaxed);
            if piece >= pieces || cx.stopped() {
                return;
            }
            let one = work(piece);
            done.lock().unwrap_or_else(PoisonError::into_inner).push((piece, one));
        }
    };
    std::thread::scope(|scope| {
        (1..cx.thread_count().min(pieces)).for_each(|_| drop(scope.spawn(take)));
        take();
    });
    cx.check()?;
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(piece, _)| *piece);
    Ok(done.into_iter().map(|(_, one)| one).collect())
}
