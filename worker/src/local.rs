//! Runs handlers' jobs: claims in batches, records in batches.
//!
//! A claim need not be durable and its outcome must be, so claiming and recording go on
//! at once on two connections, and never in one statement, which deadlocks. A slot stays
//! taken until the outcome is committed: that is the back-pressure.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt;
use shared::metrics;
use shared::retry::RetryPolicy;
use shared::store::{ClaimedJob, JobEnd, JobOutcome, Store, Wake};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::handlers::{HandlerContext, Handlers};
use crate::in_flight::InFlight;

/// Most jobs in one claim, and most outcomes in one record: larger ones gain little.
const BATCH: usize = 500;

/// Runs the lane `local`.
#[derive(Debug)]
pub(crate) struct Local {
    pub(crate) store: Store,
    pub(crate) vital: Store,
    pub(crate) handlers: Handlers,
    pub(crate) worker: String,
    pub(crate) lease: Duration,
    pub(crate) slots: Arc<Semaphore>,
    pub(crate) due: Arc<Notify>,
    pub(crate) wake: Wake,
    pub(crate) in_flight: Arc<InFlight>,
    pub(crate) running: TaskTracker,
    /// Cancelled when handlers have had their time at shutdown.
    pub(crate) give_up: CancellationToken,
    pub(crate) stop: CancellationToken,
}

/// An outcome, and the slot that it holds until it is recorded.
type Ended = (JobOutcome, OwnedSemaphorePermit);

impl Local {
    /// Runs jobs until stopped, and then until the last outcome is recorded.
    pub(crate) async fn run(self) {
        let (ended, outcomes) = mpsc::channel(BATCH * 2);
        let flusher = tokio::spawn(flush(
            self.vital.clone(),
            self.in_flight.clone(),
            outcomes,
            self.give_up.clone(),
        ));
        let kinds = self.handlers.kinds();
        let mut claimer = self.store.claimer(&self.worker, kinds, self.lease);
        loop {
            tokio::select! {
                () = self.due.notified() => {}
                () = self.stop.cancelled() => break,
            }
            while !self.stop.is_cancelled() {
                let Some(slots) = self.free_slots().await else {
                    break;
                };
                let _claim = self.in_flight.claim();
                match claimer.claim(slots.len()).await {
                    Ok(claim) => {
                        self.start(claim.jobs, slots, &ended);
                        if !claim.more {
                            break;
                        }
                    }
                    Err(error) => {
                        tracing::warn!(error = %error.chain(), "cannot claim jobs");
                        break;
                    }
                }
            }
        }
        self.running.close();
        self.running.wait().await;
        drop(ended);
        // The flusher ends when it has recorded what was sent to it.
        let _ = flusher.await;
        self.wake.wake_jobs();
    }

    async fn free_slots(&self) -> Option<Vec<OwnedSemaphorePermit>> {
        let first = tokio::select! {
            permit = Arc::clone(&self.slots).acquire_owned() => permit.ok()?,
            () = self.stop.cancelled() => return None,
        };
        let mut slots = vec![first];
        while slots.len() < BATCH {
            match Arc::clone(&self.slots).try_acquire_owned() {
                Ok(permit) => slots.push(permit),
                Err(_) => break,
            }
        }
        Some(slots)
    }

    fn start(
        &self,
        jobs: Vec<ClaimedJob>,
        mut slots: Vec<OwnedSemaphorePermit>,
        ended: &mpsc::Sender<Ended>,
    ) {
        let claimed = Instant::now();
        let Some(token) = jobs.first().map(|job| job.lease_token) else {
            return;
        };
        let lost = self.in_flight.hold(token, jobs.len());
        for job in jobs {
            let (Some(slot), Some(handler)) = (slots.pop(), self.handlers.get(&job.kind)) else {
                // Never: as many are claimed as there are slots, of kinds that are known.
                self.in_flight.release(token, 1);
                continue;
            };
            let (id, lease_token) = (job.id, job.lease_token);
            let context = HandlerContext {
                lost: lost.child_token(),
            };
            let (ended, give_up) = (ended.clone(), self.give_up.clone());
            self.running.spawn(async move {
                let started = Instant::now();
                let lost = context.lost.clone();
                // In a block of its own: a handler may panic before it has made its future.
                let run = AssertUnwindSafe(async move { handler.run(job, context).await });
                let run = run.catch_unwind();
                let end = tokio::select! {
                    end = run => end.unwrap_or_else(|panic| panicked(panic.as_ref())),
                    () = give_up.cancelled() => {
                        lost.cancel();
                        JobEnd::Release
                    }
                };
                metrics::job_run("local", started - claimed, started.elapsed());
                let outcome = JobOutcome {
                    id,
                    lease_token,
                    end,
                };
                // The channel is open for as long as this task's tracker is waited for.
                let _ = ended.send((outcome, slot)).await;
            });
        }
    }
}

/// What a panic of a handler means for its job.
fn panicked(panic: &(dyn std::any::Any + Send)) -> JobEnd {
    let message = panic
        .downcast_ref::<&str>()
        .map(ToString::to_string)
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned());
    tracing::error!(%message, "a handler panicked");
    JobEnd::Retry {
        after: RetryPolicy::DATABASE.max,
        error: format!("panic: {message}"),
    }
}

/// Records outcomes as they come: everything that ended while the last record went on
/// goes into the next one.
async fn flush(
    store: Store,
    in_flight: Arc<InFlight>,
    mut outcomes: mpsc::Receiver<Ended>,
    give_up: CancellationToken,
) {
    let mut batch: Vec<Ended> = Vec::with_capacity(BATCH);
    while outcomes.recv_many(&mut batch, BATCH).await > 0 {
        let (ended, slots): (Vec<JobOutcome>, Vec<OwnedSemaphorePermit>) = batch.drain(..).unzip();
        let mut attempt = 0;
        loop {
            match store.finish(&ended).await {
                Ok(held) => {
                    report(&ended, held.len());
                    break;
                }
                Err(error) if error.is_transient() => {
                    attempt += 1;
                    tracing::warn!(attempt, error = %error.chain(), "cannot record outcomes yet");
                    tokio::select! {
                        () = tokio::time::sleep(RetryPolicy::DATABASE.after(attempt)) => {}
                        () = give_up.cancelled() => {
                            tracing::error!("stopped before the database came back; the jobs will be rescued");
                            break;
                        }
                    }
                }
                Err(error) => {
                    tracing::error!(error = %error.chain(), "cannot record outcomes; the jobs will be rescued");
                    break;
                }
            }
        }
        for outcome in &ended {
            in_flight.release(outcome.lease_token, 1);
        }
        drop(slots);
    }
}

fn report(ended: &[JobOutcome], held: usize) {
    let done = ended
        .iter()
        .filter(|outcome| outcome.end == JobEnd::Done)
        .count();
    let failed = ended
        .iter()
        .filter(|outcome| matches!(outcome.end, JobEnd::Fail { .. }))
        .count();
    metrics::jobs_finished("local", "completed", done);
    metrics::jobs_finished("local", "failed", failed);
    metrics::leases_lost(ended.len() - held);
}
