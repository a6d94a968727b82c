//! Records outcomes as they come: everything that ended while the last record went on goes
//! into the next one.

use std::collections::HashSet;
use std::sync::Arc;

use shared::metrics;
use shared::model::JobId;
use shared::retry::RetryPolicy;
use shared::store::{Finished, JobEnd, JobOutcome, StoreError};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio_util::sync::CancellationToken;

use super::BATCH;
use crate::in_flight::InFlight;
use crate::vital::Vital;

/// An outcome, and the slot that it holds until it is recorded.
pub(super) type Ended = (JobOutcome, OwnedSemaphorePermit);

/// Records what handlers' jobs came to.
pub(super) struct Flusher {
    pub(super) vital: Vital,
    pub(super) in_flight: Arc<InFlight>,
    /// Cancelled when nobody waits for the database any more.
    pub(super) give_up: CancellationToken,
}

impl Flusher {
    /// Records until the last sender is gone.
    pub(super) async fn run(self, mut outcomes: mpsc::Receiver<Ended>) {
        // A connection takes as long as some hundred records: the first outcome finds it made. Should
        // this fail, the record says so.
        let store = self.vital.store.clone();
        tokio::spawn(async move { store.ping().await });
        let mut batch: Vec<Ended> = Vec::with_capacity(BATCH);
        while outcomes.recv_many(&mut batch, BATCH).await > 0 {
            let (ended, slots): (Vec<JobOutcome>, Vec<OwnedSemaphorePermit>) =
                batch.drain(..).unzip();
            self.record(&ended).await;
            for outcome in &ended {
                self.in_flight.release(outcome.lease_token, 1);
            }
            drop(slots);
        }
    }

    /// Records these together; where the database refuses that, one by one, so that the one
    /// that it refuses costs no other.
    async fn record(&self, ended: &[JobOutcome]) {
        let Err(error) = self.try_to_record(ended).await else {
            return;
        };
        if let [outcome] = ended {
            tracing::error!(job = %outcome.id, error = %error.chain(), "cannot record an outcome; the job will be rescued");
            return;
        }
        tracing::warn!(jobs = ended.len(), error = %error.chain(), "cannot record outcomes together; recording one by one");
        for outcome in ended {
            Box::pin(self.record(std::slice::from_ref(outcome))).await;
        }
    }

    /// Records until the database has it, or the worker has waited long enough to stop.
    /// Answers only what no further try can help.
    async fn try_to_record(&self, ended: &[JobOutcome]) -> Result<(), StoreError> {
        let mut attempt = 0;
        loop {
            match self.vital.record(|store| store.finish(ended)).await {
                Ok(finished) => {
                    report(ended, &finished);
                    return Ok(());
                }
                Err(error) if error.is_transient() => {
                    attempt += 1;
                    tracing::warn!(attempt, error = %error.chain(), "cannot record outcomes yet");
                    tokio::select! {
                        () = tokio::time::sleep(RetryPolicy::DATABASE.after(attempt)) => {}
                        () = self.give_up.cancelled() => {
                            tracing::error!("stopped before the database came back; the jobs will be rescued");
                            return Ok(());
                        }
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }
}

/// Counts what was recorded, and not what was to be.
fn report(ended: &[JobOutcome], finished: &Finished) {
    let recorded: HashSet<JobId> = finished.held.iter().copied().collect();
    let cancelled: HashSet<JobId> = finished.cancelled.iter().copied().collect();
    let count = |is_it: fn(&JobEnd) -> bool| {
        let ours = ended
            .iter()
            .filter(|outcome| recorded.contains(&outcome.id) && !cancelled.contains(&outcome.id));
        ours.filter(|outcome| is_it(&outcome.end)).count()
    };
    metrics::retries("local", count(|end| matches!(end, JobEnd::Retry { .. })));
    metrics::jobs_finished("local", "completed", count(|end| *end == JobEnd::Done));
    let failed = count(|end| matches!(end, JobEnd::Fail { .. }));
    metrics::jobs_finished("local", "failed", failed);
    metrics::jobs_finished("local", "cancelled", cancelled.len());
    metrics::leases_lost(ended.len() - recorded.len());
}
