//! What admitting a provider's calls and sending them takes, whatever the calls are for.

use std::sync::Arc;
use std::time::Duration;

use shared::model::ProviderName;
use shared::store::{AdmitRequest, AdmittedCall, Store};
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::clock::Moment;
use crate::executor::Executor;

/// Admits calls of one provider in this worker's name.
#[derive(Debug)]
pub(crate) struct Admitter {
    pub(crate) provider: ProviderName,
    pub(crate) store: Store,
    pub(crate) executor: Arc<Executor>,
    pub(crate) worker: String,
    pub(crate) key_id: Option<String>,
    pub(crate) lease: Duration,
    pub(crate) connect_timeout: Duration,
    /// Calls that are on their way.
    pub(crate) calls: TaskTracker,
    pub(crate) stop: CancellationToken,
}

impl Admitter {
    /// A request for up to `max_calls` calls.
    pub(crate) fn request(&self, max_calls: usize, by_age: bool) -> AdmitRequest<'_> {
        AdmitRequest {
            provider: &self.provider,
            worker: &self.worker,
            key_id: self.key_id.as_deref(),
            lease: self.lease,
            max_calls,
            by_age,
        }
    }

    /// Until when a call may be sent that is admitted from now on. To be asked before the
    /// statement is issued: the lease in the database starts later.
    pub(crate) fn send_by(&self) -> Moment {
        Moment::now().after(sendable(self.lease, self.connect_timeout))
    }

    /// Sends an admitted call, and gives its slot back when it is recorded.
    pub(crate) fn start(
        &self,
        call: AdmittedCall,
        send_by: Moment,
        slot: Option<OwnedSemaphorePermit>,
    ) {
        let executor = Arc::clone(&self.executor);
        let hold = executor.in_flight.hold_call(call.lease_token);
        self.calls.spawn(async move {
            executor.run(call, send_by, hold).await;
            drop(slot);
        });
    }
}

/// How long after an admission a call may still be sent: what is left of the lease covers
/// the time until the request is on the wire, connecting included. A lease is at least twice
/// as long as a call, and so as connecting.
fn sendable(lease: Duration, connect_timeout: Duration) -> Duration {
    let margin = (lease / 4).min(Duration::from_secs(2));
    lease.saturating_sub(margin).saturating_sub(connect_timeout)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shortest_lease_leaves_time_to_send_and_a_margin() {
        let secs = |lease, connect| {
            let (lease, connect) = (Duration::from_secs(lease), Duration::from_secs(connect));
            sendable(lease, connect).as_secs_f64()
        };
        assert_eq!(secs(2, 1), 0.5);
        assert_eq!(secs(30, 5), 23.0);
    }
}
