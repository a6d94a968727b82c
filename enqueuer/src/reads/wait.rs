//! Has missing resources fetched, and waits for them.
//!
//! A waiting reader is woken by the announcement of new entries; since an announcement
//! is a hint, it also looks by itself once a second. It registers for the next
//! announcement before it looks: one that comes between looking and waiting would be
//! missed otherwise.

use std::time::Duration;

use serde_json::json;
use shared::model::{JobId, LaneName, Priority, ResourceKey, ResourceSpec, kind};
use shared::store::{CachedEntry, Closed, JobRequest, StoreError};
use tokio::time::Instant;

use crate::app::App;
use crate::job_log;

/// Longest time between two looks.
const POLL: Duration = Duration::from_secs(1);

/// How a wait ended.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum End {
    /// Every resource has an answer, or has failed for good.
    Complete,
    /// Time ran out.
    TimedOut,
    /// The provider is not called at present.
    Closed(Closed),
    /// The server stops.
    Stopping,
}

/// What came of a wait.
#[derive(Debug)]
pub(super) struct Waited {
    /// The entries that are there now.
    pub(super) entries: Vec<CachedEntry>,
    /// The resources that failed for good, each with its error.
    pub(super) failed: Vec<(ResourceKey, String)>,
    /// How it ended.
    pub(super) end: End,
}

/// A refresh that a reader causes: any fresh answer will do.
pub(super) fn read_request(
    resource: ResourceSpec,
    priority: Priority,
    max_attempts: u32,
) -> JobRequest {
    JobRequest {
        kind: kind::REFRESH.to_owned(),
        resource: Some(resource),
        args: json!({}),
        class: "reader",
        priority,
        run_at: None,
        max_attempts: i32::try_from(max_attempts).unwrap_or(i32::MAX),
        must_be_newer: false,
    }
}

/// Has `missing` fetched, and waits until `is_good` says of each entry that it will do,
/// for at most `wait`. `is_old` says which of them have an entry that will not.
///
/// Nothing is enqueued for a closed lane, so that readers leave no pile of jobs behind
/// that all cost at once when it opens.
///
/// # Errors
///
/// Whatever the database reports.
pub(super) async fn fetch(
    app: &App,
    lane: &LaneName,
    missing: &[ResourceSpec],
    wait: Duration,
    is_old: impl Fn(&ResourceKey) -> bool,
    is_good: impl Fn(&CachedEntry) -> bool,
) -> Result<Waited, StoreError> {
    let deadline = Instant::now() + wait;
    let keys: Vec<ResourceKey> = missing.iter().map(|spec| spec.key.clone()).collect();
    let absent = app.store.absent(&keys).await?;
    let missing: Vec<ResourceSpec> = missing
        .iter()
        .filter(|spec| !absent.contains_key(&spec.key))
        .cloned()
        .collect();
    let known: Vec<(ResourceKey, String)> = absent
        .into_keys()
        .map(|key| (key, "not_found".to_owned()))
        .collect();
    if missing.is_empty() {
        return Ok(Waited {
            entries: Vec::new(),
            failed: known,
            end: End::Complete,
        });
    }
    if let Some(closed) = app.store.closed().await?.remove(lane.as_str()) {
        return Ok(Waited {
            entries: Vec::new(),
            failed: known,
            end: End::Closed(closed),
        });
    }
    let jobs = enqueue(app, &missing, is_old).await?;
    let keys: Vec<ResourceKey> = missing.iter().map(|spec| spec.key.clone()).collect();
    loop {
        let woken = app.wake.cache();
        tokio::pin!(woken);
        woken.as_mut().enable();
        let mut waited = look(app, lane, &keys, &jobs, &is_good).await?;
        waited.failed.extend(known.iter().cloned());
        if waited.end != End::TimedOut {
            return Ok(waited);
        }
        let now = Instant::now();
        if now >= deadline {
            return Ok(waited);
        }
        tokio::select! {
            () = woken => {}
            () = tokio::time::sleep_until(deadline.min(now + POLL)) => {}
            () = app.stop.cancelled() => {
                waited.end = End::Stopping;
                return Ok(waited);
            }
        }
    }
}

async fn enqueue(
    app: &App,
    missing: &[ResourceSpec],
    is_old: impl Fn(&ResourceKey) -> bool,
) -> Result<Vec<JobId>, StoreError> {
    let attempts = app.config().queue.max_attempts;
    let requests: Vec<JobRequest> = missing
        .iter()
        .map(|resource| JobRequest {
            must_be_newer: is_old(&resource.key),
            ..read_request(resource.clone(), Priority::READER_WAITING, attempts)
        })
        .collect();
    let enqueued = app.store.enqueue(&requests).await?;
    app.notifier.jobs();
    job_log::enqueued(&enqueued, "a waiting reader");
    Ok(enqueued
        .into_iter()
        .map(|enqueued| enqueued.job.id)
        .collect())
}

/// One look: what is there, what has failed, and whether waiting on makes sense.
/// [`End::TimedOut`] stands for "not yet".
async fn look(
    app: &App,
    lane: &LaneName,
    keys: &[ResourceKey],
    jobs: &[JobId],
    is_good: &impl Fn(&CachedEntry) -> bool,
) -> Result<Waited, StoreError> {
    // Failures first: a job that ends between the two statements as completed is seen in
    // the second, and one that fails is seen at the next look.
    let failed = app.store.failed_refreshes(jobs).await?;
    let entries = app.store.entries(keys).await?;
    let settled = keys.iter().all(|key| {
        let good = entries
            .iter()
            .any(|entry| entry.resource_key == *key && is_good(entry));
        good || failed.iter().any(|(failed, _)| failed == key)
    });
    let end = if settled {
        End::Complete
    } else {
        match app.store.closed().await?.remove(lane.as_str()) {
            Some(closed) => End::Closed(closed),
            None => End::TimedOut,
        }
    };
    Ok(Waited {
        entries,
        failed,
        end,
    })
}
