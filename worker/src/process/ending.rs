//! How a worker stops, and that it does within its grace whatever hangs.

use std::time::Duration;

use super::Worker;

/// How long before its end the grace counts as nearly over. With [`LAST`] it is as long as
/// the database lets a session keep its locks that has fallen silent in a transaction, so
/// that what the first try to record has locked is free before the end.
const EARLY: Duration = Duration::from_secs(3);

/// How long the last records may take after the grace.
const LAST: Duration = Duration::from_secs(2);

impl Worker {
    /// Stops in order: claims nothing more, lets calls in flight end and records them,
    /// gives the rest back with their attempts.
    ///
    /// Shortly before the grace is over, what still waits to be recorded is tried on fresh
    /// connections too. When it is over, calls without an answer are recorded as spent and
    /// handlers are left alone. What then cannot be recorded either, since the database does
    /// not answer, is put right when its lease ends.
    pub async fn stop(self) {
        let (name, grace) = (self.name.clone(), self.grace);
        let (pressed, give_up) = (self.pressed.clone(), self.give_up.clone());
        let early = EARLY.min(grace / 2);
        let mut ending = std::pin::pin!(self.end_in_order());
        let mut has_ended = false;
        for (time, then) in [(grace - early, &pressed), (early, &give_up)] {
            if !has_ended {
                has_ended = tokio::time::timeout(time, &mut ending).await.is_ok();
                then.cancel();
            }
        }
        if !has_ended && tokio::time::timeout(LAST, ending).await.is_err() {
            tracing::error!(worker = %name, "the database did not take the last records: jobs will be rescued, calls lapse as spent");
        }
        tracing::info!(worker = %name, "worker stopped");
    }

    async fn end_in_order(self) {
        self.stop.cancel();
        self.calls.close();
        self.parts.close();
        self.parts.wait().await;
        self.calls.wait().await;
        self.end.cancel();
        self.upkeep.close();
        // Otherwise it could say that this worker lives, after it has signed off.
        self.upkeep.wait().await;
        if let Err(error) = self.store.worker_gone(&self.name).await {
            tracing::debug!(error = %error.chain(), "could not sign off");
        }
    }
}
