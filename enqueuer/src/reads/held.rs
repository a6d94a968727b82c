//! An entry in memory, and whether it is still the current one of its resource.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::{DateTime, Utc};
use serde_json::value::RawValue;
use shared::store::{CachedEntry, EntryMark};

use super::demand::Counter;

/// Bytes that an entry takes beside its text: key, state, counter, the cache's own.
const ENTRY_OVERHEAD: usize = 400;

/// When an entry is fresh, and whether it is still the current one.
#[derive(Debug)]
pub(super) struct State {
    pub(super) counter: Arc<Counter>,
    pub(super) revision: i64,
    /// When its age was zero.
    pub(super) born: f64,
    /// Until when it is fresh.
    pub(super) fresh_until: f64,
    /// Whether its resource is refreshed ahead of need.
    pub(super) tracked: bool,
    /// Whether the planner says how often.
    pub(super) planned: bool,
    /// Past this age, in seconds, a reader waits, if its resource says so.
    pub(super) max_age: Option<f64>,
    gone: AtomicBool,
    read: AtomicBool,
}

impl State {
    /// Whether another state of the resource has taken its place.
    pub(super) fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Acquire)
    }

    /// Whether it is fresh, and its age in seconds.
    pub(super) fn at(&self, now: f64) -> (bool, f64) {
        (now < self.fresh_until, now - self.born)
    }

    /// Notes that somebody was answered from it.
    pub(super) fn note_read(&self) {
        if !self.read.load(Ordering::Relaxed) {
            self.read.store(true, Ordering::Relaxed);
        }
    }

    /// Whether somebody was answered from it.
    pub(super) fn was_read(&self) -> bool {
        self.read.load(Ordering::Relaxed)
    }

    /// Whether it is as the database has it.
    pub(super) fn is_as(&self, mark: &EntryMark) -> bool {
        self.revision == mark.revision
            && self.tracked == mark.tracked
            && self.planned == mark.planned
            && self.max_age == mark.max_age_secs
    }

    /// Another state takes its place, or none.
    pub(super) fn end(&self) {
        self.gone.store(true, Ordering::Release);
    }
}

/// An entry as the database had it.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) body: Box<RawValue>,
    pub(super) envelope: Option<Box<RawValue>>,
    pub(super) fetched_at: DateTime<Utc>,
    pub(super) state: Arc<State>,
}

impl Held {
    /// An entry as it was loaded `at`.
    pub(super) fn new(entry: CachedEntry, counter: Arc<Counter>, at: f64) -> Self {
        Self {
            body: entry.body,
            envelope: entry.envelope,
            fetched_at: entry.fetched_at,
            state: Arc::new(State {
                counter,
                revision: entry.revision,
                born: at - entry.age_secs,
                fresh_until: at + entry.ttl_secs,
                tracked: entry.tracked,
                planned: entry.planned,
                max_age: entry.max_age_secs,
                gone: AtomicBool::new(false),
                read: AtomicBool::new(false),
            }),
        }
    }

    /// What it weighs in memory.
    pub(super) fn bytes(&self) -> usize {
        let envelope = self.envelope.as_ref().map_or(0, |text| text.get().len());
        ENTRY_OVERHEAD + self.body.get().len() + envelope
    }
}
