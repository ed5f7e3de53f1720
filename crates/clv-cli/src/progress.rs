//! A line on standard error while something takes long.

use std::time::Duration;

use clv::model::{Observer, Progress};
use indicatif::{ProgressBar, ProgressStyle};

/// Shows passes over the data; silent where standard error is not a terminal.
pub(crate) struct Line(ProgressBar);

impl Line {
    pub(crate) fn new(what: &str) -> Self {
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{spinner} {prefix} {msg}") {
            bar.set_style(style);
        }
        bar.set_prefix(what.to_owned());
        bar.enable_steady_tick(Duration::from_millis(120));
        Self(bar)
    }
}

impl Observer for Line {
    fn on(&self, progress: Progress) {
        match progress {
            Progress::Pass { number, score } => self.0.set_message(format!("pass {number}: {score:.4}")),
            Progress::Round { number, of } => self.0.set_message(format!("round {number} of {of}")),
            Progress::Model { number, of } => self.0.set_message(format!("model {number} of {of}")),
            _ => {}
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
