//! What a caller lends to a fit: seed, threads, ears and a brake.

use std::fmt::Debug;
use std::num::NonZeroUsize;

use crate::error::{Error, Result};

/// A step on the way of long work.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Progress {
    /// A pass over the data: which one, and the log-likelihood or score there.
    Pass {
        /// Counted from one.
        number: usize,
        /// Log-likelihood or score.
        score: f64,
    },
    /// A round of a Markov chain is done.
    Round {
        /// Which, from one.
        number: usize,
        /// Of how many.
        of: usize,
    },
    /// A model of several is done.
    Model {
        /// Which, from one.
        number: usize,
        /// Of how many.
        of: usize,
    },
}

/// Hears of progress.
pub trait Observer: Sync {
    /// Called from the fitting thread.
    fn on(&self, progress: Progress);
}

/// What a caller lends to a fit. The default: seed 0, one thread, nobody listening, no stop.
#[derive(Clone, Copy, Default)]
pub struct Context<'a> {
    seed: u64,
    threads: Option<NonZeroUsize>,
    observer: Option<&'a dyn Observer>,
    stop: Option<&'a (dyn Fn() -> bool + Sync)>,
}

impl<'a> Context<'a> {
    /// With a seed. The same input, seed and version give the same bits on any number of threads.
    pub fn seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// With up to so many threads, for the backends that use them.
    pub fn threads(self, threads: NonZeroUsize) -> Self {
        Self { threads: Some(threads), ..self }
    }

    /// With an observer.
    pub fn observer(self, observer: &'a dyn Observer) -> Self {
        Self { observer: Some(observer), ..self }
    }

    /// With a signal to stop, asked between passes.
    pub fn stop(self, stop: &'a (dyn Fn() -> bool + Sync)) -> Self {
        Self { stop: Some(stop), ..self }
    }

    /// The seed.
    pub fn seed_value(&self) -> u64 {
        self.seed
    }

    /// How many threads may be used; 1 unless the caller said more.
    pub fn thread_count(&self) -> usize {
        self.threads.map_or(1, NonZeroUsize::get)
    }

    /// Tells the observer.
    pub fn report(&self, progress: Progress) {
        if let Some(observer) = self.observer {
            observer.on(progress);
        }
    }

    /// Whether the caller wants to stop.
    pub fn stopped(&self) -> bool {
        self.stop.is_some_and(|stop| stop())
    }

    /// [`Error::Stopped`] if the caller wants to stop.
    ///
    /// # Errors
    ///
    /// That.
    pub fn check(&self) -> Result<()> {
        if self.stopped() { Err(Error::Stopped) } else { Ok(()) }
    }
}

impl Debug for Context<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context")
            .field("seed", &self.seed)
            .field("threads", &self.threads)
            .finish_non_exhaustive()
    }
}
