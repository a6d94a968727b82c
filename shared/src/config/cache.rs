//! `[providers.x.cache]`: how long one provider's answers are good.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::optional;
use super::problems::Problems;

/// `[providers.x.cache]`: how long one provider's answers are good.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ProviderCache {
    /// How long an untracked resource is fresh. Empty: as long as the endpoint
    /// says that its data stays the same.
    #[serde(with = "optional")]
    #[schemars(with = "String")]
    pub fresh_for: Option<Duration>,

    /// Age past which a reader waits for a refresh instead of getting the old
    /// answer. Empty: an old answer is always better than none.
    #[serde(with = "optional")]
    #[schemars(with = "String")]
    pub max_age: Option<Duration>,

    /// Shortest time between two refreshes of one resource. Empty: the
    /// endpoint's update frequency, since asking more often buys nothing.
    #[serde(with = "optional")]
    #[schemars(with = "String")]
    pub min_interval: Option<Duration>,

    /// How long a read of an unusually old copy of a planned resource waits for a new one.
    /// Such reads cause up to three quarters of the planner's calls, and none beyond them.
    /// Zero: readers of planned resources never wait.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub trigger_wait: Duration,

    /// How long "there is no such thing" is remembered, so that a wrong id is
    /// paid for once.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub negative_ttl: Duration,

    /// Most untracked resources that are kept; the least recently read goes first.
    pub max_untracked: u32,
}

impl Default for ProviderCache {
    fn default() -> Self {
        Self {
            fresh_for: None,
            max_age: None,
            min_interval: None,
            trigger_wait: Duration::ZERO,
            negative_ttl: Duration::from_secs(600),
            max_untracked: 10_000,
        }
    }
}

impl ProviderCache {
    /// Adds to `problems` every rule that the table at `path` breaks.
    pub(super) fn check(&self, path: &str, problems: &mut Problems) {
        let key = |name: &str| format!("{path}.{name}");
        let year = Duration::from_secs(366 * 86_400);
        let times = [
            (
                "fresh_for",
                self.fresh_for,
                "with less every read would cost a call",
            ),
            (
                "max_age",
                self.max_age,
                "with less every reader would wait for a call",
            ),
            (
                "min_interval",
                self.min_interval,
                "no provider's data changes faster",
            ),
        ];
        for (name, time, reason) in times {
            if let Some(time) = time {
                problems.within(&key(name), time, Duration::from_secs(1)..=year, reason);
            }
        }
        problems.within(
            &key("trigger_wait"),
            self.trigger_wait,
            Duration::ZERO..=Duration::from_secs(60),
            "readers would rather have the old answer",
        );
        problems.within(
            &key("negative_ttl"),
            self.negative_ttl,
            Duration::from_secs(1)..=year,
            "with less every question about a wrong id would cost a call",
        );
        problems.within(
            &key("max_untracked"),
            self.max_untracked,
            0..=10_000_000,
            "each is a row and its answer",
        );
        if let (Some(fresh_for), Some(max_age)) = (self.fresh_for, self.max_age)
            && max_age < fresh_for
        {
            problems.contradiction(
                &key("max_age"),
                max_age,
                "must be at least",
                (&key("fresh_for"), fresh_for),
                "an answer would be refused while it is still fresh",
            );
        }
    }
}
