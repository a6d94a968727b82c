//! Runs handlers' jobs: claims in batches, records in batches.
//!
//! A claim need not be durable and its outcome must be, so claiming and recording go on
//! at once on two connections, and never in one statement, which deadlocks; looks for what
//! claims passed by go on beside them. A slot stays taken until the outcome is committed: that
//! is the back-pressure.

mod flush;
mod run;

use std::sync::Arc;
use std::time::{Duration, Instant};

use shared::metrics;
use shared::store::{ClaimedJob, JobEnd, JobOutcome, Store, Wake};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::in_flight::InFlight;
use crate::vital::Vital;

use flush::{Ended, Flusher};

pub(crate) use run::Runner;

/// Most jobs in one claim, and most outcomes in one record: larger ones gain little.
const BATCH: usize = 500;

/// Runs the lane `local`.
#[derive(Debug)]
pub(crate) struct Local {
    pub(crate) store: Store,
    pub(crate) vital: Vital,
    pub(crate) runner: Arc<Runner>,
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

impl Local {
    /// Runs jobs until stopped, and then until the last outcome is recorded.
    pub(crate) async fn run(self) {
        let (ended, outcomes) = mpsc::channel(BATCH * 2);
        let flusher = Flusher {
            vital: self.vital.clone(),
            in_flight: Arc::clone(&self.in_flight),
            give_up: self.give_up.clone(),
        };
        let flusher = tokio::spawn(flusher.run(outcomes));
        let kinds = self.runner.handlers.kinds();
        let mut claimer = self.store.claimer(&self.worker, kinds, self.lease);
        loop {
            tokio::select! {
                () = self.due.notified() => {}
                () = claimer.looked_back() => {}
                () = self.stop.cancelled() => break,
            }
            while !self.stop.is_cancelled() {
                let Some(slots) = self.free_slots().await else {
                    break;
                };
                let _claim = self.in_flight.claim();
                match claimer.claim(slots.num_permits()).await {
                    Ok(claim) => {
                        self.start(claim.jobs, slots, &ended);
                        if claim.more {
                            continue;
                        }
                        // Somebody may wait for these few: they begin before the claimer looks.
                        tokio::task::yield_now().await;
                        if !claimer.look_back().await {
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

    /// All slots that are free, but at least one.
    async fn free_slots(&self) -> Option<OwnedSemaphorePermit> {
        let mut slots = tokio::select! {
            permit = Arc::clone(&self.slots).acquire_owned() => permit.ok()?,
            () = self.stop.cancelled() => return None,
        };
        let others = self.slots.available_permits().min(BATCH - 1);
        let others = u32::try_from(others).unwrap_or_default();
        // Somebody may be faster; then one job is claimed, and the next claim is for more.
        if let Ok(others) = Arc::clone(&self.slots).try_acquire_many_owned(others) {
            slots.merge(others);
        }
        Some(slots)
    }

    fn start(
        &self,
        jobs: Vec<ClaimedJob>,
        mut slots: OwnedSemaphorePermit,
        ended: &mpsc::Sender<Ended>,
    ) {
        let Some(token) = jobs.first().map(|job| job.lease_token) else {
            return;
        };
        let lost = self.in_flight.hold(token, jobs.len());
        for job in jobs {
            let Some(slot) = slots.split(1) else {
                // Never: as many are claimed as there are slots.
                self.in_flight.release(token, 1);
                continue;
            };
            let (id, lease_token) = (job.id, job.lease_token);
            let is_last = job.attempt >= job.max_attempts;
            let (runner, lost) = (Arc::clone(&self.runner), lost.child_token());
            let (ended, give_up) = (ended.clone(), self.give_up.clone());
            self.running.spawn(async move {
                let waited = (job.started_at - job.run_at).to_std().unwrap_or_default();
                let started = Instant::now();
                let end = match runner.run(job, lost, &give_up).await {
                    // The record would find so too; said here, it is counted as what it is.
                    JobEnd::Retry { error, .. } if is_last => JobEnd::Fail { error },
                    end => end,
                };
                metrics::job_run("local", waited, started.elapsed());
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
