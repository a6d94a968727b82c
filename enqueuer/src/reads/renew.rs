//! Has old entries renewed that nobody refreshes ahead of need.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use shared::model::{Priority, ResourceKey, ResourceSpec};
use shared::store::JobRequest;

use super::flights::{Asked, Flights, read_request};
use crate::app::App;
use crate::job_log;

/// For how long a resource is not asked for again by this process.
const QUIET: Duration = Duration::from_secs(1);

/// Most resources that are remembered.
const MOST: usize = 10_000;

/// What this process has asked to be renewed of late, so that a thousand readers of one
/// old entry ask the database once. That a resource has one job at most is the
/// database's to see to; this only spares it the asking.
#[derive(Debug, Default)]
pub(crate) struct Renewals {
    /// Until when each is not asked for again, by whoever found it old.
    old: Mutex<HashMap<ResourceKey, Instant>>,
    /// The same, by readers who wanted a newer one.
    wanted: Mutex<HashMap<ResourceKey, Instant>>,
}

impl Renewals {
    /// Those of `resources` that nobody here has asked for of late.
    fn take(&self, resources: Vec<ResourceSpec>, now: Instant) -> Vec<ResourceSpec> {
        resources
            .into_iter()
            .filter(|resource| note(&self.old, &resource.key, now, QUIET))
            .collect()
    }

    /// Whether a reader may ask for a newer answer than there is: with others who do, or as
    /// the first one in `shortest`. Between processes an answer that came is young for all.
    pub(super) fn may_ask(&self, key: &ResourceKey, shortest: Duration, flights: &Flights) -> bool {
        flights.has(key, Asked::Newer) || note(&self.wanted, key, Instant::now(), shortest)
    }
}

/// Whether nobody has asked for this in the time that the last one was to be alone for; if
/// so, nobody else may in the next `quiet`.
fn note(
    asked: &Mutex<HashMap<ResourceKey, Instant>>,
    key: &ResourceKey,
    now: Instant,
    quiet: Duration,
) -> bool {
    let mut asked = asked.lock().unwrap_or_else(PoisonError::into_inner);
    if asked.get(key).is_some_and(|until| now < *until) {
        return false;
    }
    if asked.len() >= MOST {
        asked.retain(|_, until| now < *until);
    }
    if asked.len() < MOST {
        asked.insert(key.clone(), now + quiet);
    }
    true
}

/// Enqueues one refresh for each of `resources`, behind the reader's back: it has its
/// answer already.
pub(super) fn renew(app: &App, resources: Vec<ResourceSpec>) {
    let due = app.renewals.take(resources, Instant::now());
    if due.is_empty() {
        return;
    }
    let app = app.clone();
    tokio::spawn(async move {
        let attempts = app.config().queue.max_attempts;
        let requests: Vec<JobRequest> = due
            .into_iter()
            .map(|resource| read_request(resource, Priority::READER_REFRESH, attempts))
            .collect();
        match app.store.enqueue_announced(&requests, &app.notifier).await {
            Ok(enqueued) => {
                job_log::enqueued(&enqueued, "a reader of an old answer");
            }
            // The next reader asks again.
            Err(error) => {
                tracing::debug!(cause = error.chain(), "old entries are not being renewed");
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(key: &str) -> ResourceSpec {
        ResourceSpec {
            key: ResourceKey(key.to_owned()),
            provider: "coins".parse().unwrap(),
            endpoint: "quotes".parse().unwrap(),
            batch_key: shared::model::BatchKey("quotes?".to_owned()),
            item: None,
        }
    }

    #[test]
    fn many_readers_of_one_old_entry_ask_once_a_while() {
        let (renewals, now) = (Renewals::default(), Instant::now());
        assert_eq!(renewals.take(vec![spec("a"), spec("b")], now).len(), 2);
        assert_eq!(renewals.take(vec![spec("a")], now).len(), 0);
        assert_eq!(renewals.take(vec![spec("a")], now + QUIET).len(), 1);
    }

    #[test]
    fn readers_who_want_a_newer_answer_ask_once_or_join_who_did() {
        let (renewals, flights) = (Renewals::default(), Flights::default());
        let (key, minute) = (spec("a").key, Duration::from_secs(60));
        assert!(renewals.may_ask(&key, minute, &flights));
        assert!(!renewals.may_ask(&key, minute, &flights));
        let _watch = flights.join(&spec("a"), Asked::Newer, 1);
        assert!(renewals.may_ask(&key, minute, &flights));
    }
}
