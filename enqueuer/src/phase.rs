//! Whether the enqueuer has prepared its database yet.

use tokio::sync::watch;

/// How far the start has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The schema or the configuration's rows are not in place yet, because of this.
    Starting(String),
    /// Everything is in place.
    Prepared,
}

/// The phase as everybody sees it. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct CurrentPhase(watch::Sender<Phase>);

impl CurrentPhase {
    pub(crate) fn new() -> Self {
        let waiting = "the database has not been prepared yet".to_owned();
        Self(watch::Sender::new(Phase::Starting(waiting)))
    }

    pub(crate) fn get(&self) -> Phase {
        self.0.borrow().clone()
    }

    /// Sets the phase; answers whether that changed it.
    pub(crate) fn set(&self, phase: Phase) -> bool {
        self.0.send_if_modified(|current| {
            let changed = *current != phase;
            *current = phase;
            changed
        })
    }
}
