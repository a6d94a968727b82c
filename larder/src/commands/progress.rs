//! How far work has come that takes long: a bar on standard error, where somebody sits there.

use std::borrow::Cow;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressFinish, ProgressStyle};

/// A bar, which goes away when the work ends. Draws nothing where standard error is no terminal.
#[derive(Debug)]
pub(crate) struct Progress(ProgressBar);

impl Progress {
    /// A bar of so many steps.
    pub(crate) fn of(steps: u64) -> Self {
        let bar = ProgressBar::with_draw_target(Some(steps), ProgressDrawTarget::stderr());
        let bar = bar.with_finish(ProgressFinish::AndClear);
        match ProgressStyle::with_template("{bar:40} {percent:>3} %  {elapsed}  {msg}") {
            Ok(style) => bar.set_style(style),
            // The bar has a style of its own.
            Err(error) => tracing::debug!(%error, "the bar's template is wrong"),
        }
        Self(bar)
    }

    /// Says what is being done.
    pub(crate) fn doing(&self, what: impl Into<Cow<'static, str>>) {
        self.0.set_message(what);
    }

    /// Says how many steps of how many are done.
    pub(crate) fn is_at(&self, step: u64, steps: u64) {
        self.0.set_length(steps);
        self.0.set_position(step);
    }

    /// One step more is done.
    pub(crate) fn step(&self) {
        self.0.inc(1);
    }
}
