//! How often a resource is read, from two decayed counts.
//!
//! A count that forgets over days is steady, and one that forgets within half an hour sees a
//! burst. Each is one number: `count ← count · e^(-elapsed/τ) + reads`. The long count is
//! the estimate unless the short one is so far from it that chance does not explain it.
//!
//! What has hardly been observed is drawn to the mean of its provider, so that a new
//! resource starts as a usual one and a plan without any reads treats all alike.

use std::time::Duration;

use super::measure::measure;

/// Over which time the short count forgets.
pub const SHORT: Duration = Duration::from_secs(1_800);

/// Over which time the long count forgets, before anything is known of the demand.
pub const LONG: Duration = Duration::from_secs(7 * 86_400);

/// The long count forgets no faster and no slower than this.
const LONG_RANGE: (f64, f64) = (86_400.0, 14.0 * 86_400.0);

/// How many reads of each resource the long count should hold.
const LONG_READS: f64 = 100.0;

/// Reads that the mean of all counts for.
const PRIOR: f64 = 0.5;

/// Less time than this, in seconds, says nothing of a burst.
const SOONEST: f64 = 60.0;

/// Decayed counts of the reads of one resource.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ReadCounts {
    /// That forgets over days.
    pub long: f64,
    /// That forgets over [`SHORT`].
    pub short: f64,
}

impl ReadCounts {
    /// The counts after `elapsed` seconds and then so many more reads.
    ///
    /// What is no count (NaN, negative) is taken as none.
    #[must_use]
    pub fn after(self, elapsed: f64, reads: f64, long: Duration) -> Self {
        let elapsed = elapsed.max(0.0);
        let reads = measure(reads);
        Self {
            long: measure(self.long) * (-elapsed / long.as_secs_f64()).exp() + reads,
            short: measure(self.short) * (-elapsed / SHORT.as_secs_f64()).exp() + reads,
        }
    }

    /// Reads per second, of a resource that has been known for so many seconds, among
    /// others that are read `mean` times a second.
    pub fn rate(self, known_for: f64, mean: f64, long: Duration) -> f64 {
        let tau = long.as_secs_f64();
        let steady = match mean > 0.0 && mean.is_finite() {
            true => (measure(self.long) + PRIOR) / (effective(known_for, tau) + PRIOR / mean),
            false => 0.0,
        };
        // A new resource had no time yet to be read less than usual.
        let time = effective(known_for, SHORT.as_secs_f64());
        let (expected, seen) = (steady * time, measure(self.short));
        let deviation = (expected / 2.0).sqrt();
        let is_burst = seen > expected + 4.0 * deviation + 4.0;
        let is_lull = expected > 20.0 && seen < expected - 4.0 * deviation;
        match is_burst || is_lull {
            true => (seen + PRIOR) / time.max(SOONEST),
            false => steady,
        }
    }
}

/// Whether a resource is read so much more than its plan was made for, at `planned` reads a
/// second, that it should not wait for the next plan.
pub fn has_outgrown(short: f64, planned: f64) -> bool {
    short > 1.3 * planned * SHORT.as_secs_f64() + 5.0
}

/// Reads per second from a decayed count alone, of what has been known for so long.
pub fn plain_rate(count: f64, known_for: f64, tau: Duration) -> f64 {
    measure(count) / effective(known_for, tau.as_secs_f64()).max(f64::MIN_POSITIVE)
}

/// Over which time the long count should forget, for so many resources and reads a second
/// of all of them: long enough to hold some reads of each, if they are read at all.
pub fn long_memory(resources: usize, reads: f64) -> Duration {
    let wanted = LONG_READS * resources as f64 / reads;
    let (least, most) = LONG_RANGE;
    match wanted.is_nan() {
        true => LONG,
        false => Duration::from_secs_f64(wanted.clamp(least, most)),
    }
}

/// The time that a decayed count stands for, after `known_for` seconds; none after less than
/// a microsecond, which no row can tell.
pub(super) fn effective(known_for: f64, tau: f64) -> f64 {
    match known_for >= 1e-6 {
        true => tau * -(-known_for / tau).exp_m1(),
        false => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: f64 = 86_400.0;

    #[test]
    fn a_burst_is_seen_within_minutes_and_noise_is_not() {
        let (mean, long) = (0.001, LONG);
        let steady = ReadCounts {
            long: 0.001 * 6.0 * DAY,
            short: 3.6,
        };
        let usual = steady.rate(14.0 * DAY, mean, long);
        assert!((usual / 0.001 - 1.0).abs() < 0.1, "{usual}");
        let noisy = ReadCounts {
            short: 9.0,
            ..steady
        };
        assert_eq!(noisy.rate(14.0 * DAY, mean, long), usual);
        let burst = steady.after(60.0, 20.0, long);
        assert!(burst.rate(14.0 * DAY, mean, long) > 5.0 * usual);
    }

    #[test]
    fn what_nobody_knows_is_as_usual() {
        let new = ReadCounts::default();
        assert_eq!(new.rate(0.0, 0.25, LONG), 0.25);
        assert!(new.rate(30.0 * DAY, 0.25, LONG) < 1e-5);
    }

    #[test]
    fn what_is_no_count_counts_as_none() {
        let broken = ReadCounts {
            long: f64::NAN,
            short: -5.0,
        };
        assert_eq!(
            broken.rate(0.0, 0.25, LONG),
            ReadCounts::default().rate(0.0, 0.25, LONG)
        );
        assert_eq!(broken.after(1.0, f64::NAN, LONG), ReadCounts::default());
        assert_eq!(broken.rate(DAY, f64::NAN, LONG), 0.0);
    }

    #[test]
    fn memory_is_as_long_as_the_demand_is_thin() {
        assert_eq!(
            long_memory(2_000, 10_000.0 / (30.0 * DAY)),
            Duration::from_secs(14 * 86_400)
        );
        assert_eq!(
            long_memory(2_000, 1e7 / (30.0 * DAY)),
            Duration::from_secs(86_400)
        );
        assert_eq!(long_memory(10, 0.0), Duration::from_secs(14 * 86_400));
        assert_eq!(long_memory(0, 0.0), LONG);
    }
}
