//! What this process holds under leases at the moment.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::clock::Moment;

/// The leases that this process holds, each with a way to tell its holder that it is lost.
#[derive(Debug, Default)]
pub(crate) struct InFlight {
    held: Mutex<HashMap<Uuid, Held>>,
    /// Told when the last lease was released.
    emptied: Notify,
    claims: Mutex<Claims>,
}

/// Claims that have begun, and those of them whose leases are not noted yet.
#[derive(Debug, Default)]
struct Claims {
    begun: u64,
    open: usize,
}

#[derive(Debug)]
struct Held {
    since: Moment,
    lost: CancellationToken,
    /// Jobs that are held under it.
    jobs: usize,
}

/// A call's lease, noted as held until this is dropped: by a panic too, so that the lease
/// of a call that nobody carries on with runs out.
#[derive(Debug)]
pub(crate) struct Hold {
    in_flight: Arc<InFlight>,
    token: Uuid,
    /// Cancelled when the lease is lost.
    pub(crate) lost: CancellationToken,
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.in_flight.release(self.token, 1);
    }
}

/// A claim that is under way, until its leases are noted.
#[derive(Debug)]
pub(crate) struct Claim(Arc<InFlight>);

impl Drop for Claim {
    fn drop(&mut self) {
        self.0.claims().open -= 1;
    }
}

impl InFlight {
    /// Says that a claim begins: what it gets is ours before it is noted here.
    pub(crate) fn claim(self: &Arc<Self>) -> Claim {
        let mut claims = self.claims();
        claims.begun += 1;
        claims.open += 1;
        Claim(Arc::clone(self))
    }

    /// Notes a call's lease as held.
    pub(crate) fn hold_call(self: &Arc<Self>, token: Uuid) -> Hold {
        Hold {
            lost: self.hold(token, 1),
            in_flight: Arc::clone(self),
            token,
        }
    }

    /// The number of claims so far, if nothing is held and no claim is under way. Nothing
    /// was claimed between two equal answers.
    pub(crate) fn quiet_since(&self) -> Option<u64> {
        let claims = self.claims();
        (claims.open == 0 && self.lock().is_empty()).then_some(claims.begun)
    }

    fn claims(&self) -> MutexGuard<'_, Claims> {
        self.claims.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, Held>> {
        // The map is whole after each of the statements below, whoever panicked.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that `jobs` jobs are held under a lease; answers what is cancelled when it is
    /// lost.
    pub(crate) fn hold(&self, token: Uuid, jobs: usize) -> CancellationToken {
        let lost = CancellationToken::new();
        let held = Held {
            since: Moment::now(),
            lost: lost.clone(),
            jobs,
        };
        self.lock().insert(token, held);
        lost
    }

    /// Notes that `jobs` jobs are no longer held under a lease.
    pub(crate) fn release(&self, token: Uuid, jobs: usize) {
        let mut held = self.lock();
        if let Some(entry) = held.get_mut(&token) {
            entry.jobs = entry.jobs.saturating_sub(jobs);
            if entry.jobs == 0 {
                held.remove(&token);
            }
            if held.is_empty() {
                self.emptied.notify_waiters();
            }
        }
    }

    /// The leases that are older than `age`: only those need a heartbeat.
    pub(crate) fn older_than(&self, age: std::time::Duration) -> Vec<Uuid> {
        self.lock()
            .iter()
            .filter(|(_, held)| held.since.after(age).has_passed())
            .map(|(token, _)| *token)
            .collect()
    }

    /// Tells the holder of a lease that it is lost.
    pub(crate) fn lose(&self, token: Uuid) {
        if let Some(held) = self.lock().get(&token) {
            held.lost.cancel();
        }
    }

    /// Waits until nothing is held.
    pub(crate) async fn empty(&self) {
        loop {
            // Before the look: from its creation on it misses nothing.
            let emptied = self.emptied.notified();
            if self.is_empty() {
                return;
            }
            emptied.await;
        }
    }

    /// Whether nothing is held.
    pub(crate) fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }
}
