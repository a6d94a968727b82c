//! Counts the parts of a read that goes the whole way, as the short way counts them: each by
//! itself, as it was when the reader came.
//!
//! A part that the reader has to wait for is a miss, unless it is given as it was after all:
//! where nothing may be fetched, an old answer is better than none.

use std::collections::HashMap;

use shared::metrics::CacheReads;
use shared::model::ResourceKey;

use super::answer::Answer;
use super::entries::{Entries, Needs};
use super::proxy::Reading;

/// The parts of a read that are not counted yet. Those that are left in the end, also because
/// the reader went away, are misses.
#[derive(Debug)]
pub(super) struct Tally {
    reads: CacheReads,
    /// Each with the revision that will not do; 0 if there is none.
    awaited: HashMap<ResourceKey, i64>,
    now: f64,
}

impl Tally {
    /// Counts what can be given at once, and what is not there.
    pub(super) fn begin(reading: &Reading<'_>, entries: &Entries, needs: &Needs, now: f64) -> Self {
        let needed = needs.fetch.iter();
        let awaited: HashMap<ResourceKey, i64> = needed
            .map(|need| (need.resource.key.clone(), need.base))
            .collect();
        let reads = reading.app.manners.reads(reading.provider);
        let keys = reading
            .request
            .resources
            .iter()
            .map(|resource| &resource.key);
        let at_once = keys.filter(|key| !awaited.contains_key(*key));
        let mut absent = 0;
        reads.hits(at_once.filter_map(|key| {
            let held = entries.get(key);
            absent += usize::from(held.is_none());
            held.map(|held| held.state.at(now))
        }));
        reads.miss(absent);
        Self {
            reads,
            awaited,
            now,
        }
    }

    /// The reader is answered from these: what was to be newer and is not was given as it was.
    pub(super) fn given(mut self, entries: &Entries, answer: &Answer) {
        let mut as_they_were = Vec::new();
        let now = self.now;
        self.awaited.retain(|key, base| {
            let held = entries.get(key).map(|held| &held.state);
            let same = held.filter(|state| state.revision == *base);
            as_they_were.extend(same.map(|state| state.at(now)));
            same.is_none()
        });
        self.reads.hits(as_they_were.into_iter());
        self.reads.answered(answer.worth());
    }
}

impl Drop for Tally {
    fn drop(&mut self) {
        self.reads.miss(self.awaited.len());
    }
}
