//! Counters of reads, which are too short and too many to look for a counter each time.
#![expect(
    clippy::disallowed_macros,
    reason = "the metrics themselves are declared in metrics.rs"
)]

use std::fmt;

use metrics::{Counter, Histogram, counter, histogram};

use super::{CACHE_AGE, CACHE_READS};

/// Where the reads of one provider are counted. Made once, since a read is too short to
/// look for its counters each time. Cheap to clone.
#[derive(Clone)]
pub struct CacheReads {
    fresh: Counter,
    stale: Counter,
    missed: Counter,
    age: Histogram,
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
        }
    }

    /// So many resources were read together, the oldest of this age.
    pub fn hit(&self, is_fresh: bool, resources: usize, age_secs: f64) {
        let counter = if is_fresh { &self.fresh } else { &self.stale };
        counter.increment(u64::try_from(resources).unwrap_or(0));
        self.age.record(age_secs);
    }

    /// So many resources were asked for that were not there.
    pub fn miss(&self, resources: usize) {
        self.missed.increment(u64::try_from(resources).unwrap_or(0));
    }
}

impl fmt::Debug for CacheReads {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("CacheReads")
    }
}
