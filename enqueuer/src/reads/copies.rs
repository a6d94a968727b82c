//! What this process keeps in memory, so that a fresh read asks the database nothing.
//!
//! Three things are kept: entries as the database has them, answers that were put together
//! from entries, by the words in which they were asked for, and what was learned on the
//! way (which lanes are closed, what a provider does not know). Entries and answers share
//! one bound of bytes; what is least read goes first.
//!
//! An answer is good for as long as each [`State`](super::held::State) it was made of is the current one of its
//! resource. Whoever replaces or drops an entry marks its state as gone, so an answer needs
//! no list of who uses it. Only [`super::keeper`] puts entries in, one statement after the
//! other, and never an earlier revision over a later one: a reader never sees an older
//! answer after a newer one.
//!
//! Times are seconds on this process's monotonic clock. Ages are the database's: an entry's
//! age when it was loaded, and the time since.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{DefaultHashBuilder, Lifecycle, Weighter};
use shared::model::ResourceKey;
use shared::store::{CachedEntry, Closed, EntryMark};

use super::answer::Answer;
use super::attention::Attention;
use super::demand::Counter;
use super::held::Held;

/// Most absences that are remembered.
const MOST_ABSENT: usize = 20_000;

/// Longest words that an answer is kept by: room for some two thousand ids.
const LONGEST_WORDS: usize = 16 * 1024;

#[derive(Debug, Clone)]
struct Bytes;

impl Weighter<ResourceKey, Arc<Held>> for Bytes {
    fn weight(&self, key: &ResourceKey, held: &Arc<Held>) -> u64 {
        (key.as_str().len() + held.bytes()) as u64
    }
}

impl Weighter<Box<str>, Arc<Answer>> for Bytes {
    fn weight(&self, words: &Box<str>, answer: &Arc<Answer>) -> u64 {
        (words.len() + answer.bytes()) as u64
    }
}

/// Marks what the bound pushes out: nobody renews it any more.
#[derive(Debug, Clone)]
struct EndEvicted;

impl Lifecycle<ResourceKey, Arc<Held>> for EndEvicted {
    type RequestState = ();

    fn on_evict(&self, (): &mut (), _: ResourceKey, held: Arc<Held>) {
        held.state.end();
    }
}

/// What this process keeps in memory.
#[derive(Debug)]
pub(crate) struct Copies {
    began: Instant,
    entries: Cache<ResourceKey, Arc<Held>, Bytes, DefaultHashBuilder, EndEvicted>,
    answers: Cache<Box<str>, Arc<Answer>, Bytes>,
    absent: Cache<ResourceKey, f64>,
    closed: RwLock<HashMap<String, (Closed, f64)>>,
    /// Whether anybody reads what is kept.
    pub(super) attention: Attention,
}

impl Copies {
    /// Keeps nothing yet, and at most so many bytes.
    pub(crate) fn new(bytes: u64) -> Self {
        // Half for entries, half for answers. A guess at their number, which only sizes tables.
        let half = bytes / 2;
        let number = usize::try_from(half / 2_048).unwrap_or(usize::MAX);
        let number = number.clamp(16, 100_000);
        Self {
            began: Instant::now(),
            entries: Cache::with(
                number,
                half,
                Bytes,
                DefaultHashBuilder::default(),
                EndEvicted,
            ),
            answers: Cache::with(
                number,
                half,
                Bytes,
                DefaultHashBuilder::default(),
                DefaultLifecycle::default(),
            ),
            absent: Cache::new(MOST_ABSENT),
            closed: RwLock::default(),
            attention: Attention::default(),
        }
    }

    /// Now, in seconds on the clock of the copies.
    pub(super) fn now(&self) -> f64 {
        self.began.elapsed().as_secs_f64()
    }

    /// The entry of a resource, if it is kept.
    pub(super) fn entry(&self, key: &ResourceKey) -> Option<Arc<Held>> {
        self.entries.get(key)
    }

    /// The revision that is kept of a resource, without counting as a read, and whether it
    /// was read since it was loaded.
    pub(super) fn kept(&self, key: &ResourceKey) -> Option<(i64, bool)> {
        let held = self.entries.peek(key)?;
        Some((held.state.revision, held.state.was_read()))
    }

    /// The resources whose entries are kept.
    pub(super) fn keys(&self) -> Vec<ResourceKey> {
        self.entries.iter().map(|(key, _)| key).collect()
    }

    /// Forgets the entry of a resource unless it is as the database has it.
    pub(super) fn check(&self, key: &ResourceKey, mark: Option<&EntryMark>) {
        let Some(held) = self.entries.peek(key) else {
            return;
        };
        let state = &held.state;
        if !mark.is_some_and(|mark| state.is_as(mark)) {
            self.forget(key);
        }
    }

    /// Whether nothing is kept that could grow old.
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Keeps an entry as it was loaded `at`; answers what is current now.
    pub(super) fn put(&self, entry: CachedEntry, at: f64) -> Arc<Held> {
        let key = entry.resource_key.clone();
        self.absent.remove(&key);
        let before = self.entries.peek(&key);
        if let Some(before) = &before
            && before.state.revision > entry.revision
        {
            return Arc::clone(before);
        }
        let counter = match &before {
            Some(before) => Arc::clone(&before.state.counter),
            None => Counter::of(key.clone()),
        };
        let held = Arc::new(Held::new(entry, counter, at));
        self.entries.insert(key, Arc::clone(&held));
        if let Some(before) = before {
            before.state.end();
        }
        held
    }

    /// Forgets the entry of a resource.
    pub(super) fn forget(&self, key: &ResourceKey) {
        if let Some((_, held)) = self.entries.remove(key) {
            held.state.end();
        }
    }

    /// Forgets all entries, and with them all answers.
    pub(super) fn forget_all(&self) {
        for key in self.keys() {
            self.forget(&key);
        }
        self.answers.clear();
    }

    /// The answer to a question in these words, if it was put together before.
    pub(super) fn answer(&self, words: &str) -> Option<Arc<Answer>> {
        self.answers.get(words)
    }

    /// Keeps an answer by the words of its question, which must hold no secret.
    pub(super) fn keep_answer(&self, words: &str, answer: &Arc<Answer>) {
        if words.len() <= LONGEST_WORDS {
            self.answers.insert(words.into(), Arc::clone(answer));
        }
    }

    /// Whether a provider said not long ago that it does not know a resource.
    pub(super) fn is_absent(&self, key: &ResourceKey) -> bool {
        self.absent.get(key).is_some_and(|until| self.now() < until)
    }

    /// Remembers for `secs` that a provider does not know a resource.
    pub(super) fn note_absent(&self, key: ResourceKey, secs: f64) {
        self.absent.insert(key, self.now() + secs);
    }

    /// Forgets that a provider does not know a resource.
    pub(super) fn note_present(&self, key: &ResourceKey) {
        self.absent.remove(key);
    }

    /// Why and for how long a lane is closed, as of the last look.
    pub(super) fn closed(&self, lane: &str) -> Option<Closed> {
        let lanes = self.closed.read().unwrap_or_else(PoisonError::into_inner);
        let (closed, at) = lanes.get(lane)?;
        let left = closed.secs.map(|secs| at + secs - self.now());
        left.is_none_or(|left| left > 0.0).then(|| Closed {
            reason: closed.reason.clone(),
            secs: left,
        })
    }

    /// Takes over which lanes are closed.
    pub(super) fn set_closed(&self, closed: HashMap<String, Closed>) {
        let now = self.now();
        let closed = closed
            .into_iter()
            .map(|(lane, closed)| (lane, (closed, now)))
            .collect();
        *self.closed.write().unwrap_or_else(PoisonError::into_inner) = closed;
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use serde_json::value::RawValue;

    use super::*;

    fn entry(key: &str, revision: i64, bytes: usize) -> CachedEntry {
        CachedEntry {
            resource_key: ResourceKey(key.to_owned()),
            body: RawValue::from_string(format!("\"{}\"", "x".repeat(bytes))).unwrap(),
            envelope: None,
            fetched_at: DateTime::UNIX_EPOCH,
            age_secs: 1.0,
            ttl_secs: 9.0,
            tracked: true,
            planned: false,
            max_age_secs: None,
            revision,
        }
    }

    #[test]
    fn an_earlier_revision_never_replaces_a_later_one() {
        let copies = Copies::new(1 << 20);
        let key = ResourceKey("a".to_owned());
        let second = copies.put(entry("a", 2, 10), 0.0);
        let kept = copies.put(entry("a", 1, 10), 0.0);
        assert_eq!(kept.state.revision, 2);
        assert!(!second.state.is_gone());

        let third = copies.put(entry("a", 3, 10), 0.0);

        assert!(
            second.state.is_gone(),
            "answers made of it are not given again"
        );
        assert!(!third.state.is_gone());
        assert!(Arc::ptr_eq(&second.state.counter, &third.state.counter));
        copies.forget(&key);
        assert!(third.state.is_gone() && copies.is_empty());
    }

    #[test]
    fn what_the_bound_pushes_out_is_marked_as_gone() {
        let copies = Copies::new(200_000);
        let held: Vec<_> = (0..1_000)
            .map(|nth| copies.put(entry(&nth.to_string(), nth, 1_000), 0.0))
            .collect();
        let kept = (0..1_000)
            .filter(|nth: &i32| copies.kept(&ResourceKey(nth.to_string())).is_some())
            .count();
        let alive = held.iter().filter(|held| !held.state.is_gone()).count();
        assert_eq!(kept, alive);
        assert!(kept > 10 && kept < 100, "{kept}");
    }

    #[test]
    fn a_lane_is_closed_until_its_time_has_passed() {
        let copies = Copies::new(1 << 20);
        let closed = |secs| Closed {
            reason: "budget:month".to_owned(),
            secs,
        };
        copies.set_closed(HashMap::from([
            ("for a while".to_owned(), closed(Some(60.0))),
            ("over".to_owned(), closed(Some(-1.0))),
            ("for good".to_owned(), closed(None)),
        ]));
        assert!(copies.closed("for a while").unwrap().secs.unwrap() > 50.0);
        assert_eq!(copies.closed("for good").unwrap().secs, None);
        assert_eq!(copies.closed("over"), None);
        assert_eq!(copies.closed("another"), None);
    }
}
