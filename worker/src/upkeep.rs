//! Puts right what others left behind, and keeps the house.
//!
//! Every worker does it; each statement takes only what nobody else has locked, so that
//! two workers at it share the work.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use shared::metrics;
use shared::store::{Notifier, Retention, Store};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// How often a worker says that it is alive: readiness allows a minute.
const SEEN_EVERY: Duration = Duration::from_secs(15);

/// How often it is looked for tables that have outgrown their statistics: as long as a session may
/// go on with a plan that it made while a queue was empty. An idle process is to ask little.
const GROWN_EVERY: Duration = Duration::from_secs(10);

/// How often partitions are made ahead, where they stand a week ahead, and old ones dropped.
const PARTITIONS_EVERY: Duration = Duration::from_secs(3600);

/// Shortest time between two rescues, so that many expired leases are taken together.
const RESCUE_GAP: Duration = Duration::from_secs(1);

/// The upkeep of one worker.
#[derive(Debug)]
pub(crate) struct Upkeep {
    pub(crate) store: Store,
    pub(crate) notifier: Notifier,
    pub(crate) worker: String,
    pub(crate) max_rescues: u32,
    pub(crate) retention: Retention,
    pub(crate) rescue: Notify,
}

impl Upkeep {
    /// Some lease has run out.
    pub(crate) fn ask_for_rescue(&self) {
        self.rescue.notify_one();
    }

    /// Keeps house until stopped.
    pub(crate) async fn run(self: Arc<Self>, stop: CancellationToken) {
        let mut seen = tokio::time::interval(SEEN_EVERY);
        let mut partitions = tokio::time::interval(PARTITIONS_EVERY);
        let mut grown = tokio::time::interval(GROWN_EVERY);
        let mut failing = HashSet::new();
        loop {
            let (what, done) = tokio::select! {
                _ = seen.tick() => (
                    "being seen",
                    self.store.worker_seen(&self.worker, env!("CARGO_PKG_VERSION")).await,
                ),
                _ = grown.tick() => ("statistics", self.store.analyze_grown().await.map(drop)),
                _ = partitions.tick() => ("partitions", self.turn_the_pages().await),
                () = self.rescue.notified() => {
                    let done = self.rescue_all().await;
                    tokio::time::sleep(RESCUE_GAP).await;
                    ("rescue", done)
                }
                () = stop.cancelled() => return,
            };
            match done {
                Ok(()) => {
                    if failing.remove(what) {
                        tracing::info!(what, "upkeep works again");
                    }
                }
                // Once, until it works again: a database that is away would fill the log.
                Err(error) if failing.insert(what) => {
                    tracing::warn!(what, error = %error.chain(), "upkeep failed; it is tried again");
                }
                Err(error) => {
                    tracing::debug!(what, error = %error.chain(), "upkeep failed again");
                }
            }
        }
    }

    async fn turn_the_pages(&self) -> Result<(), shared::store::StoreError> {
        self.store.make_partitions().await?;
        let dropped = self.store.prune(self.retention).await?;
        if dropped > 0 {
            tracing::info!(days = dropped, "old history dropped");
        }
        Ok(())
    }

    async fn rescue_all(&self) -> Result<(), shared::store::StoreError> {
        let rescued = self.store.rescue(self.max_rescues).await?;
        if !rescued.lapsed.is_empty() {
            tracing::warn!(
                calls = rescued.lapsed.len(),
                "calls lapsed: spent as reserved"
            );
        }
        for call in &rescued.lapsed {
            let credits = u32::try_from(call.credits).unwrap_or(0);
            metrics::lapsed(&call.provider, &call.endpoint, credits);
        }
        for (status, jobs) in [
            ("failed", &rescued.failed),
            ("cancelled", &rescued.cancelled),
        ] {
            for job in jobs {
                metrics::jobs_finished(&job.lane, status, 1);
            }
        }
        let jobs = rescued.waiting.len() + rescued.failed.len();
        if jobs > 0 {
            tracing::warn!(
                waiting = rescued.waiting.len(),
                failed = rescued.failed.len(),
                "jobs of a lost worker rescued"
            );
            metrics::rescued(jobs);
            self.notifier.jobs();
        }
        Ok(())
    }
}
