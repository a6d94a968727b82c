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

use shared::model::BatchKey;
use shared::store::{CallId, UsageRequest};
use tokio::sync::Notify;

use crate::admitter::Admitter;

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
    pub(crate) admitter: Arc<Admitter>,
    /// The endpoint that reports usage.
    pub(crate) batch_key: BatchKey,
    pub(crate) every: Duration,
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
                () = self.admitter.executor.throttled.news.notified() => {}
                () = self.admitter.stop.cancelled() => return,
            }
        }
    }

    async fn ask(&self, every: Duration) {
        let Admitter {
            provider,
            store,
            executor,
            ..
        } = &*self.admitter;
        let send_by = self.admitter.send_by();
        let claim = executor.in_flight.claim();
        let usage = UsageRequest {
            batch_key: self.batch_key.clone(),
            every,
            after: executor.throttled.last(),
        };
        let request = self.admitter.request(1, false);
        let admitted = store.admit_usage_call(&request, &usage, &*executor.provider);
        match admitted.await {
            Ok(None) => {}
            Ok(Some(call)) => self.admitter.start(call, send_by, None),
            Err(error) => {
                tracing::debug!(lane = %provider, error = %error.chain(), "cannot ask for the provider's count");
            }
        }
        drop(claim);
    }
}
