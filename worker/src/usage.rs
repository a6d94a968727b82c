//! Asks a provider every so often what it has counted on the key.
//!
//! What others spend on the same key shows nowhere else. All workers together ask once in
//! an interval: whether it is time follows from the ledger, and is decided under the
//! provider's lock. After a throttled call the next one is asked as soon as the lane opens.
//!
//! # Not here
//!
//! What a report means for the budget: `larder.take_report` (`migrations/0003_ledger.sql`).

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use shared::model::{BatchKey, ProviderName};
use shared::store::{AdmitRequest, CallId, Store, UsageRequest};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::clock::Moment;
use crate::executor::Executor;
use crate::pump::sendable;

/// The call that the provider throttled last, which makes what was asked before it old.
#[derive(Debug, Default)]
pub(crate) struct Throttled {
    call: Mutex<Option<CallId>>,
    news: Notify,
}

impl Throttled {
    /// Notes a throttled call.
    pub(crate) fn note(&self, call: CallId) {
        let mut last = self.call.lock().unwrap_or_else(PoisonError::into_inner);
        *last = Some(last.map_or(call, |known| known.max(call)));
        self.news.notify_one();
    }

    fn last(&self) -> Option<CallId> {
        *self.call.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Asks one provider.
#[derive(Debug)]
pub(crate) struct UsageAsker {
    pub(crate) provider: ProviderName,
    pub(crate) store: Store,
    pub(crate) executor: Arc<Executor>,
    pub(crate) worker: String,
    pub(crate) key_id: Option<String>,
    pub(crate) lease: Duration,
    pub(crate) connect_timeout: Duration,
    /// The endpoint that reports usage.
    pub(crate) batch_key: BatchKey,
    pub(crate) every: Duration,
    pub(crate) calls: TaskTracker,
    pub(crate) stop: CancellationToken,
}

impl UsageAsker {
    /// Asks until stopped.
    pub(crate) async fn run(self) {
        // How often to look whether it is time, which is what keeps the interval.
        let look = (self.every / 10).clamp(Duration::from_millis(200), Duration::from_secs(30));
        loop {
            self.ask(self.every.saturating_sub(look)).await;
            tokio::select! {
                () = tokio::time::sleep(look) => {}
                () = self.executor.throttled.news.notified() => {}
                () = self.stop.cancelled() => return,
            }
        }
    }

    async fn ask(&self, every: Duration) {
        let send_by = Moment::now().after(sendable(self.lease, self.connect_timeout));
        let claim = self.executor.in_flight.claim();
        let request = AdmitRequest {
            provider: &self.provider,
            worker: &self.worker,
            key_id: self.key_id.as_deref(),
            lease: self.lease,
            max_calls: 1,
            by_age: false,
        };
        let usage = UsageRequest {
            batch_key: self.batch_key.clone(),
            every,
            after: self.executor.throttled.last(),
        };
        let provider = Arc::clone(&self.executor.provider);
        let admitted = self
            .store
            .admit_usage_call(&request, &usage, provider.as_ref());
        match admitted.await {
            Ok(None) => {}
            Ok(Some(call)) => {
                let hold = self.executor.in_flight.hold_call(call.lease_token);
                let executor = Arc::clone(&self.executor);
                self.calls
                    .spawn(async move { executor.run(call, send_by, hold).await });
            }
            Err(error) => {
                tracing::debug!(lane = %self.provider, error = %error.chain(), "cannot ask for the provider's count");
            }
        }
        drop(claim);
    }
}
