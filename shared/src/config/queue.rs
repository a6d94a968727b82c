//! `[queue]`: how often a job is tried and how long it is remembered.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::problems::Problems;

/// One day.
const DAY: Duration = Duration::from_secs(86_400);

/// `[queue]`: how often a job is tried and how long it is remembered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct QueueConfig {
    /// Attempts of a job that does not say otherwise, the first one included.
    pub max_attempts: u32,

    /// How long completed and cancelled jobs are kept. Whole days count, because
    /// a day's jobs are dropped together.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub keep_finished: Duration,

    /// How long failed jobs are kept.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub keep_failed: Duration,

    /// `[queue.retry]`: the wait before the next attempt.
    pub retry: RetryConfig,
}

impl Default for QueueConfig {
    fn default() -> Self {
        Self {
            max_attempts: 5,
            keep_finished: DAY * 7,
            keep_failed: DAY * 30,
            retry: RetryConfig::default(),
        }
    }
}

/// `[queue.retry]`: the wait before a failed job's next attempt.
///
/// `initial`, then `multiplier` times as long for each further attempt, never
/// more than `max`, each shortened or lengthened by chance by up to `jitter` of
/// itself. A provider's `Retry-After` wins over it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RetryConfig {
    /// Wait after the first failed attempt.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub initial: Duration,

    /// Longest wait.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub max: Duration,

    /// Factor from one wait to the next.
    pub multiplier: f64,

    /// Share of a wait that chance may add or take away, so that jobs which
    /// failed together do not come back together.
    pub jitter: f64,
}

impl Default for RetryConfig {
    fn default() -> Self {
        Self {
            initial: Duration::from_secs(1),
            max: Duration::from_secs(300),
            multiplier: 2.0,
            jitter: 0.3,
        }
    }
}

impl QueueConfig {
    /// Adds to `problems` every rule this section breaks.
    pub(super) fn check(&self, problems: &mut Problems) {
        problems.within(
            "queue.max_attempts",
            self.max_attempts,
            1..=100,
            "with 0 no job would ever run, and a job that fails 100 times will not succeed",
        );
        let kept = "history is kept and dropped in whole days, as partitions of a table";
        problems.within(
            "queue.keep_finished",
            self.keep_finished,
            DAY..=DAY * 3_650,
            kept,
        );
        problems.within(
            "queue.keep_failed",
            self.keep_failed,
            DAY..=DAY * 3_650,
            kept,
        );
        self.retry.check(problems);
    }
}

impl RetryConfig {
    fn check(&self, problems: &mut Problems) {
        problems.within(
            "queue.retry.initial",
            self.initial,
            Duration::from_millis(10)..=DAY,
            "a retry without a wait hits the same trouble again",
        );
        problems.within(
            "queue.retry.max",
            self.max,
            Duration::from_millis(10)..=DAY * 7,
            "the wait must end",
        );
        problems.within(
            "queue.retry.multiplier",
            self.multiplier,
            1.0..=10.0,
            "below 1 the waits would shrink while the trouble lasts",
        );
        problems.within(
            "queue.retry.jitter",
            self.jitter,
            0.0..=1.0,
            "it is a share of the wait",
        );
        if self.initial > self.max {
            problems.contradiction(
                "queue.retry.initial",
                self.initial,
                "must be at most",
                ("queue.retry.max", self.max),
                "the first wait would already be longer than the longest",
            );
        }
    }
}
