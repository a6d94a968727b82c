//! `[providers.x.budget]`: how carefully one provider's budget is guarded.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::problems::Problems;
use crate::plan::Objective;

/// `[providers.x.budget]`: how carefully one provider's budget is guarded.
///
/// The promise never to overspend holds while no process freezes for longer than
/// `max_freeze`, no request travels for longer than `max_transit`, and the clocks
/// of database and provider differ by at most `reset_grace` (DESIGN section 3).
/// Larger values are safer and leave a little more of each window unused.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ProviderBudget {
    /// Whether a limit blocks calls or is only counted.
    pub mode: BudgetMode,

    /// What the planner makes least for what has neither `every` nor `schedule`: `lag`, for
    /// how long the copy served has been wrong; `age`, how old it is; `fresh`, the share of
    /// reads that get a wrong one.
    pub objective: Objective,

    /// Most that the clocks of database and provider may differ. A call near a
    /// reset is charged to the windows on both sides.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub reset_grace: Duration,

    /// Longest time for which a worker may stand still and still send: a laptop
    /// that sleeps, a container that is paused.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub max_freeze: Duration,

    /// Longest time for which a request can be under way after its sender gave up.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub max_transit: Duration,

    /// Most that a provider's `Retry-After` is believed.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub max_retry_after: Duration,

    /// Share of each window of credits that is kept for what readers miss, from 0
    /// to 1. What they have not used becomes free towards the window's end.
    pub readers_share: f64,

    /// How often the provider's own count is read, where it has a usage endpoint;
    /// `0s` for never.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub reconcile_every: Duration,

    /// Calls in a row that may fail by a 5xx, a time-out or a broken connection before
    /// the lane is closed for a while; 0 for any number.
    pub breaker_failures: u32,

    /// How long the lane is closed the first time; each failed try doubles it.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub breaker_pause: Duration,

    /// Longest time for which such failures close the lane.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub breaker_max_pause: Duration,
}

/// Whether a limit blocks calls or is only counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BudgetMode {
    /// No call is made that a limit does not grant.
    Enforce,
    /// Count, warn, never block: for trying out.
    Observe,
}

impl Default for ProviderBudget {
    fn default() -> Self {
        Self {
            objective: Objective::default(),
            mode: BudgetMode::Enforce,
            reset_grace: Duration::from_secs(5),
            max_freeze: Duration::from_secs(600),
            max_transit: Duration::from_secs(30),
            max_retry_after: Duration::from_secs(3_600),
            readers_share: 0.1,
            reconcile_every: Duration::from_secs(300),
            breaker_failures: 5,
            breaker_pause: Duration::from_secs(10),
            breaker_max_pause: Duration::from_secs(300),
        }
    }
}

impl ProviderBudget {
    /// Adds to `problems` every rule that the table at `path` breaks.
    pub(super) fn check(&self, path: &str, problems: &mut Problems) {
        let key = |name: &str| format!("{path}.{name}");
        let hour = Duration::from_secs(3_600);
        problems.within(
            &key("reset_grace"),
            self.reset_grace,
            Duration::ZERO..=hour,
            "every call this close to a reset is charged to two windows",
        );
        problems.within(
            &key("max_freeze"),
            self.max_freeze,
            Duration::from_secs(1)..=hour * 24,
            "a worker that wakes up later than this could spend what was given away",
        );
        problems.within(
            &key("max_transit"),
            self.max_transit,
            Duration::from_secs(1)..=hour,
            "a request that was given up may still arrive and be charged",
        );
        problems.within(
            &key("max_retry_after"),
            self.max_retry_after,
            Duration::from_secs(1)..=hour * 24 * 31,
            "a provider's wrong header would otherwise close the lane for good, or not at all",
        );
        problems.within(
            &key("readers_share"),
            self.readers_share,
            0.0..=1.0,
            "it is a share of each window: 0.1 keeps a tenth for readers",
        );
        problems.within(
            &key("reconcile_every"),
            self.reconcile_every,
            Duration::ZERO..=hour * 24,
            "what others spend stays unseen between two looks; \"0s\" turns them off",
        );
        if self.reconcile_every > Duration::ZERO && self.reconcile_every < Duration::from_secs(10) {
            problems.add(
                &key("reconcile_every"),
                self.reconcile_every,
                "must be at least \"10s\", or \"0s\" for never",
                "every look costs a request",
            );
        }
        self.check_breaker(path, problems);
    }

    fn check_breaker(&self, path: &str, problems: &mut Problems) {
        let key = |name: &str| format!("{path}.{name}");
        let longest = Duration::from_secs(86_400);
        problems.within(
            &key("breaker_failures"),
            self.breaker_failures,
            0..=1_000,
            "each of them may have been paid for; 0 turns the breaker off",
        );
        for (name, pause) in [
            ("breaker_pause", self.breaker_pause),
            ("breaker_max_pause", self.breaker_max_pause),
        ] {
            problems.within(
                &key(name),
                pause,
                Duration::from_secs(1)..=longest,
                "after a pause one call finds out whether the provider is well again",
            );
        }
        if self.breaker_max_pause < self.breaker_pause {
            problems.contradiction(
                &key("breaker_max_pause"),
                self.breaker_max_pause,
                "must be at least",
                (&key("breaker_pause"), self.breaker_pause),
                "the first pause is the shortest",
            );
        }
    }
}
