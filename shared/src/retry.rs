//! How long to wait before trying again.
//!
//! The one place that knows the crate `backoff`, which is no longer maintained
//! (RUSTSEC-2025-0012): a replacement is a change of this file.

use std::time::Duration;

use backoff::ExponentialBackoff;
use backoff::backoff::Backoff;

/// Waits that grow from one attempt to the next, each somewhat at random, so that what
/// failed together does not come back together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RetryPolicy {
    /// Wait after the first attempt, give or take the jitter.
    pub initial: Duration,
    /// Longest wait, before the jitter.
    pub max: Duration,
    /// By how much a wait is longer than the one before.
    pub multiplier: f64,
    /// Part of the wait by which it varies, from 0 to 1.
    pub jitter: f64,
}

impl RetryPolicy {
    /// For transactions that are to be tried until they succeed: 50 ms, up to 2 s.
    pub const DATABASE: Self = Self {
        initial: Duration::from_millis(50),
        max: Duration::from_secs(2),
        multiplier: 2.0,
        jitter: 0.3,
    };

    /// The wait after `attempt` attempts, from 1 on.
    pub fn after(&self, attempt: u32) -> Duration {
        let mut waits = ExponentialBackoff {
            current_interval: self.initial,
            initial_interval: self.initial,
            max_interval: self.max,
            multiplier: self.multiplier,
            randomization_factor: self.jitter,
            max_elapsed_time: None,
            ..ExponentialBackoff::default()
        };
        // More steps than these change nothing: the wait is at its longest by then.
        let steps = attempt.clamp(1, 64);
        let mut wait = self.max;
        for _ in 0..steps {
            wait = waits.next_backoff().unwrap_or(self.max);
        }
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXACT: RetryPolicy = RetryPolicy {
        initial: Duration::from_secs(1),
        max: Duration::from_secs(10),
        multiplier: 2.0,
        jitter: 0.0,
    };

    #[test]
    fn waits_double_up_to_the_longest() {
        let waits: Vec<u64> = (0..=6)
            .map(|attempt| EXACT.after(attempt).as_secs())
            .collect();
        assert_eq!(waits, [1, 1, 2, 4, 8, 10, 10]);
        assert_eq!(EXACT.after(u32::MAX).as_secs(), 10);
    }

    #[test]
    fn jitter_stays_within_its_part() {
        let policy = RetryPolicy {
            jitter: 0.5,
            ..EXACT
        };
        for _ in 0..200 {
            let wait = policy.after(3).as_secs_f64();
            assert!((2.0..=6.0).contains(&wait), "{wait}");
        }
    }
}
