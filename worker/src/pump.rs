//! Admits calls of one provider, one admission at a time, and sends them.
//!
//! One admission at a time for a provider and process: a second one would only wait for
//! the first one's lock, with a connection in its hand.

use std::sync::Arc;
use std::time::Duration;

use shared::budget::Usage;
use shared::metrics;
use shared::model::ProviderName;
use shared::store::{AdmitRequest, Store};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::clock::Moment;
use crate::executor::Executor;

/// What a pump needs to admit and to send.
#[derive(Debug)]
pub(crate) struct Pump {
    pub(crate) provider: ProviderName,
    pub(crate) store: Store,
    pub(crate) executor: Arc<Executor>,
    pub(crate) worker: String,
    pub(crate) key_id: Option<String>,
    pub(crate) lease: Duration,
    pub(crate) connect_timeout: Duration,
    /// Free slots, over all providers.
    pub(crate) slots: Arc<Semaphore>,
    /// The dispatcher saw due work in an open lane.
    pub(crate) due: Arc<Notify>,
    /// Calls that are on their way.
    pub(crate) calls: TaskTracker,
    pub(crate) stop: CancellationToken,
}

/// How long after an admission a call may still be sent: what is left of the lease covers
/// the time until the request is on the wire, connecting included. A lease is at least twice
/// as long as a call, and so as connecting.
pub(crate) fn sendable(lease: Duration, connect_timeout: Duration) -> Duration {
    let margin = (lease / 4).min(Duration::from_secs(2));
    lease.saturating_sub(margin).saturating_sub(connect_timeout)
}

impl Pump {
    /// Admits and sends whenever there is due work, until stopped.
    pub(crate) async fn run(self) {
        let mut admissions: u64 = 0;
        loop {
            tokio::select! {
                () = self.due.notified() => {}
                () = self.stop.cancelled() => return,
            }
            while !self.stop.is_cancelled() {
                let Some(slots) = self.free_slots().await else {
                    return;
                };
                admissions += 1;
                // Every tenth claim goes by age alone, so that nothing starves.
                if !self.admit(slots, admissions.is_multiple_of(10)).await {
                    break;
                }
            }
        }
    }

    /// All slots that are free, but at least one.
    async fn free_slots(&self) -> Option<Vec<OwnedSemaphorePermit>> {
        let first = tokio::select! {
            permit = Arc::clone(&self.slots).acquire_owned() => permit.ok()?,
            () = self.stop.cancelled() => return None,
        };
        let mut slots = vec![first];
        while let Ok(permit) = Arc::clone(&self.slots).try_acquire_owned() {
            slots.push(permit);
        }
        Some(slots)
    }

    /// Admits calls for the slots and starts them; answers whether more may be due.
    async fn admit(&self, mut slots: Vec<OwnedSemaphorePermit>, by_age: bool) -> bool {
        // From before the statement is issued: the lease in the database starts later.
        let send_by = Moment::now().after(sendable(self.lease, self.connect_timeout));
        let claim = self.executor.in_flight.claim();
        let request = AdmitRequest {
            provider: &self.provider,
            worker: &self.worker,
            key_id: self.key_id.as_deref(),
            lease: self.lease,
            max_calls: slots.len(),
            by_age,
        };
        let provider = Arc::clone(&self.executor.provider);
        let admission = match self.store.admit(&request, provider.as_ref()).await {
            Ok(admission) => admission,
            Err(error) => {
                // The dispatcher looks again within its poll interval.
                tracing::warn!(lane = %self.provider, error = %error.chain(), "cannot admit");
                return false;
            }
        };
        if let Some(reason) = &admission.closed {
            tracing::info!(lane = %self.provider, %reason, "lane closed: not enough for one call");
        }
        for usage in &admission.alerts {
            tell(&self.provider, usage);
        }
        if admission.ended > 0 {
            metrics::calls_avoided(self.provider.as_str(), admission.ended);
            self.executor.notifier.cache();
        }
        let more = !admission.busy && (!admission.calls.is_empty() || admission.ended > 0);
        for call in admission.calls {
            for job in &call.jobs {
                tracing::debug!(job = %job.id, call = %call.id, attempt = job.attempt, resource = %job.resource_key, "job claimed");
            }
            let (executor, slot) = (Arc::clone(&self.executor), slots.pop());
            let hold = executor.in_flight.hold_call(call.lease_token);
            self.calls.spawn(async move {
                executor.run(call, send_by, hold).await;
                drop(slot);
            });
        }
        drop(claim);
        more
    }
}

/// Tells an operator how full a window has become: once for each level.
fn tell(provider: &ProviderName, usage: &Usage) {
    let (limit, unit) = (&usage.name, usage.unit.as_str());
    let used = usage.spent + usage.reserved;
    let (percent, cap) = (usage.level(), usage.cap);
    let resets_at = usage.window.and_then(|window| window.ends_at);
    let resets_at = resets_at.map(|at| at.to_rfc3339());
    if percent >= 95 {
        tracing::warn!(%provider, limit, percent, used, cap, unit, resets_at, soft = usage.soft, "budget used");
    } else {
        tracing::info!(%provider, limit, percent, used, cap, unit, resets_at, soft = usage.soft, "budget used");
    }
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
