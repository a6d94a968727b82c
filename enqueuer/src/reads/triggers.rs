//! Reads that wait for a call because the copy is unusually old, where `trigger_wait` lets them.
//!
//! A planned resource is answered as it is; but where readers agreed to wait, some of the
//! plan's calls are made for whoever meets an unusually old copy. What is unusual, and
//! whether there is a call for it, stands in the provider's plan, so that any number of
//! processes share one rate. A process keeps what it was last told, and asks only when a
//! copy is older than that: a few times for each call that is made. [`shared::plan::trigger`]
//! has the policy.
//!
//! Such a read costs nothing beyond the plan, and never waits longer than `trigger_wait`: if
//! nothing new has come by then it gets the copy, with its age. If the database is away, the
//! lane closed, or another read of this process is asking, it gets the copy at once.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use shared::model::ResourceKey;
use shared::plan::trigger::{Bucket, FOR_READS};
use shared::store::Trigger as Taken;
use tokio::sync::Mutex;

use super::entries::{self, Entries};
use super::fetch;
use super::flights::{Asked, Watch};
use super::proxy::Reading;
use crate::app::App;

/// How soon it is asked again whether reads may cause calls at all, in seconds.
const UNPLANNED: f64 = 15.0;

/// What a process knows of a provider's reads that wait for calls.
#[derive(Debug)]
pub(super) struct Trigger {
    /// How long a read waits at most.
    wait: Duration,
    told: ArcSwap<Told>,
    /// Held by the read that asks; the others take what there is.
    asking: Mutex<()>,
}

/// What was told last.
#[derive(Debug, Clone, Copy)]
struct Told {
    bucket: Bucket,
    /// Calls a second that are planned.
    rate: f64,
    /// When it was, on the clock of the copies.
    at: f64,
    /// Before which it is of no use to ask.
    quiet_until: f64,
}

impl Trigger {
    /// Asks at the first read that is older than `shortest`.
    pub(super) fn new(wait: Duration) -> Self {
        Self {
            wait,
            told: ArcSwap::from_pointee(Told {
                bucket: Bucket::new(0.0),
                rate: 0.0,
                at: 0.0,
                quiet_until: 0.0,
            }),
            asking: Mutex::new(()),
        }
    }

    /// Whether a read of a planned copy of this age may cause a call, for all that is known here.
    pub(super) fn may_fire(&self, now: f64, age: f64) -> bool {
        let told = self.told.load();
        let elapsed = (now - told.at).max(0.0);
        now >= told.quiet_until && age > told.bucket.after(elapsed, told.rate).threshold
    }

    /// Takes the token, over all processes.
    async fn take(&self, app: &App, reading: &Reading<'_>, batch_key: &str, age: f64) -> bool {
        let provider = reading.provider.name().as_str();
        let taken = app.store.take_trigger(provider, batch_key, age).await;
        let now = app.copies.now();
        match taken {
            Ok(taken) => {
                self.told.store(Arc::new(Told::by(taken, now)));
                taken.is_some_and(|taken| taken.granted)
            }
            Err(error) => {
                tracing::debug!(cause = error.chain(), "a read does not wait for a call");
                false
            }
        }
    }
}

impl Told {
    fn by(taken: Option<Taken>, now: f64) -> Self {
        let Some(taken) = taken else {
            return Self {
                bucket: Bucket::new(0.0),
                rate: 0.0,
                at: now,
                quiet_until: now + UNPLANNED,
            };
        };
        let (bucket, rate) = (taken.bucket, taken.calls_a_sec);
        let lacking = ((FOR_READS - bucket.tokens) / rate).max(0.0);
        Self {
            bucket,
            rate,
            at: now,
            // The plan may be made anew in the meantime.
            quiet_until: now + lacking.min(UNPLANNED),
        }
    }
}

/// Waits for a call, if what is read is unusually old and there is one for it. Answers
/// whether `entries` were renewed.
pub(super) async fn renew(reading: &Reading<'_>, entries: &mut Entries) -> bool {
    let app = reading.app;
    let Some(trigger) = app.manners.trigger(reading.provider) else {
        return false;
    };
    let lane = reading.provider.name().as_str();
    if reading.directives.only_if_cached || app.copies.closed(lane).is_some() {
        return false;
    }
    let watches = join(reading, entries, &trigger).await;
    if watches.is_empty() {
        return false;
    }
    let keys: Vec<ResourceKey> = watches.iter().map(|(key, _)| key.clone()).collect();
    let waited = fetch::wait(app, reading.wait.min(trigger.wait), watches).await;
    let failed = |key: &ResourceKey| waited.failed.iter().any(|(failed, _)| failed == key);
    let keys = keys.into_iter().filter(|key| !failed(key));
    entries.renew(app, keys).await.is_ok()
}

/// Joins the flights of what is unusually old, after taking the token for their call.
async fn join(
    reading: &Reading<'_>,
    entries: &Entries,
    trigger: &Trigger,
) -> Vec<(ResourceKey, Watch)> {
    let app = reading.app;
    let now = app.copies.now();
    let shortest = entries::shortest(reading).as_secs_f64();
    let mut old = Vec::new();
    for resource in &reading.request.resources {
        let held = entries.get(&resource.key);
        let state = held.map(|held| &held.state).filter(|state| state.planned);
        if let Some(state) = state {
            let age = now - state.born;
            if age > shortest && trigger.may_fire(now, age) {
                old.push((resource, state.revision, age));
            }
        }
    }
    let is_asked = |(resource, ..): &(&shared::model::ResourceSpec, i64, f64)| {
        app.flights.has(&resource.key, Asked::ByPlan)
    };
    if !old.iter().all(is_asked) {
        let Ok(_asking) = trigger.asking.try_lock() else {
            return Vec::new();
        };
        let oldest = old.iter().max_by(|a, b| a.2.total_cmp(&b.2));
        let Some((resource, _, age)) = oldest else {
            return Vec::new();
        };
        let batch_key = resource.batch_key.clone();
        if !trigger.take(app, reading, batch_key.as_str(), *age).await {
            return Vec::new();
        }
        // One call is paid for: what does not fit into it stays as it is.
        old.retain(|(resource, ..)| resource.batch_key == batch_key);
    }
    old.into_iter()
        .map(|(resource, revision, _)| {
            let watch = app.flights.join(resource, Asked::ByPlan, revision);
            (resource.key.clone(), watch)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_asks_again_when_there_may_be_a_call() {
        let taken = |tokens| Taken {
            granted: true,
            bucket: Bucket {
                tokens,
                threshold: 100.0,
            },
            calls_a_sec: 0.1,
        };
        let trigger = Trigger::new(Duration::from_secs(1));
        assert!(trigger.may_fire(0.0, 2.0), "nothing is known yet");
        trigger
            .told
            .store(Arc::new(Told::by(Some(taken(9.0)), 50.0)));
        assert!(!trigger.may_fire(50.0, 99.0));
        assert!(trigger.may_fire(50.0, 101.0));
        assert!(trigger.may_fire(1_050.0, 10.0), "time lowers the threshold");
        trigger
            .told
            .store(Arc::new(Told::by(Some(taken(2.5)), 50.0)));
        assert!(!trigger.may_fire(54.0, 1e9), "half a call is lacking");
        assert!(trigger.may_fire(56.0, 1e9));
        trigger.told.store(Arc::new(Told::by(None, 50.0)));
        assert!(!trigger.may_fire(60.0, 1e9));
        assert!(trigger.may_fire(66.0, 1e9));
    }
}
