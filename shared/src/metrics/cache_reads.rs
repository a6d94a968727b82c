//! Counters of reads, which are too short and too many to look for a counter each time.
#![expect(
    clippy::disallowed_macros,
    reason = "the metrics themselves are declared in metrics.rs"
)]

use std::fmt;

use metrics::{Counter, Histogram, counter, histogram};

use super::{CACHE_AGE, CACHE_READS, READ_WORTH};

/// Where the reads of one provider are counted. Made once, since a read is too short to
/// look for its counters each time. Cheap to clone.
#[derive(Clone)]
pub struct CacheReads {
    fresh: Counter,
    stale: Counter,
    missed: Counter,
    age: Histogram,
    worth: Counter,
}

impl CacheReads {
    /// The counters of a provider.
    pub fn of(provider: &str) -> Self {
        let counter = |result: &'static str| counter!(CACHE_READS.name, "provider" => provider.to_owned(), "result" => result);
        Self {
            fresh: counter("fresh"),
            stale: counter("stale"),
            missed: counter("miss"),
            age: histogram!(CACHE_AGE.name, "provider" => provider.to_owned()),
            worth: counter!(READ_WORTH.name, "provider" => provider.to_owned()),
        }
    }

    /// Resources that were answered from the cache together: whether each was fresh, and its
    /// age in seconds.
    pub fn hits(&self, parts: impl Iterator<Item = (bool, f64)>) {
        let (mut fresh, mut stale) = (0, 0);
        for (is_fresh, age_secs) in parts {
            *(if is_fresh { &mut fresh } else { &mut stale }) += 1;
            self.age.record(age_secs);
        }
        for (counter, resources) in [(&self.fresh, fresh), (&self.stale, stale)] {
            if resources > 0 {
                counter.increment(resources);
            }
        }
    }

    /// A request was answered that would have cost so many credits as a call.
    pub fn answered(&self, credits: u64) {
        self.worth.increment(credits);
    }

    /// So many resources were asked for that were not there, or too old to be given.
    pub fn miss(&self, resources: usize) {
        self.missed.increment(u64::try_from(resources).unwrap_or(0));
    }
}

impl fmt::Debug for CacheReads {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("CacheReads")
    }
}
