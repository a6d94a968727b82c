//! Admits calls of one provider, one admission at a time, and sends them.
//!
//! One admission at a time for a provider and process: a second one would only wait for
//! the first one's lock, with a connection in its hand.

use std::sync::Arc;

use shared::budget::Usage;
use shared::metrics;
use shared::model::ProviderName;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use crate::admitter::Admitter;

/// What a pump needs beside its admitter.
#[derive(Debug)]
pub(crate) struct Pump {
    pub(crate) admitter: Arc<Admitter>,
    /// Free slots, over all providers.
    pub(crate) slots: Arc<Semaphore>,
    /// The dispatcher saw due work in an open lane.
    pub(crate) due: Arc<Notify>,
}

impl Pump {
    /// Admits and sends whenever there is due work, until stopped.
    pub(crate) async fn run(self) {
        let mut admissions: u64 = 0;
        loop {
            tokio::select! {
                () = self.due.notified() => {}
                () = self.admitter.stop.cancelled() => return,
            }
            while !self.admitter.stop.is_cancelled() {
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
            () = self.admitter.stop.cancelled() => return None,
        };
        let mut slots = vec![first];
        while let Ok(permit) = Arc::clone(&self.slots).try_acquire_owned() {
            slots.push(permit);
        }
        Some(slots)
    }

    /// Admits calls for the slots and starts them; answers whether more may be due.
    async fn admit(&self, mut slots: Vec<OwnedSemaphorePermit>, by_age: bool) -> bool {
        let Admitter {
            provider, executor, ..
        } = &*self.admitter;
        let send_by = self.admitter.send_by();
        let claim = executor.in_flight.claim();
        let request = self.admitter.request(slots.len(), by_age);
        let admitted = self.admitter.store.admit(&request, &*executor.provider);
        let admission = match admitted.await {
            Ok(admission) => admission,
            Err(error) => {
                // The dispatcher looks again within its poll interval.
                tracing::warn!(lane = %provider, error = %error.chain(), "cannot admit");
                return false;
            }
        };
        if let Some(reason) = &admission.closed {
            tell_closed(provider, reason);
        }
        for usage in &admission.alerts {
            tell(provider, usage);
        }
        if admission.has_ended() {
            let lane = provider.as_str();
            metrics::calls_avoided(lane, admission.satisfied);
            metrics::jobs_finished(lane, "completed", admission.satisfied);
            metrics::jobs_finished(lane, "failed", admission.failed);
            executor.notifier.cache();
        }
        let more = !admission.busy && (!admission.calls.is_empty() || admission.has_ended());
        for call in admission.calls {
            for job in &call.jobs {
                tracing::debug!(job = %job.id, call = %call.id, attempt = job.attempt, resource = %job.resource_key, "job claimed");
            }
            self.admitter.start(call, send_by, slots.pop());
        }
        drop(claim);
        more
    }
}

fn tell_closed(provider: &ProviderName, reason: &str) {
    if reason == "database_replaced" {
        tracing::warn!(lane = %provider, reason, "lane held: this is another database than before, and calls may be missing in it");
    } else {
        tracing::info!(lane = %provider, reason, "lane closed: not enough for one call");
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
