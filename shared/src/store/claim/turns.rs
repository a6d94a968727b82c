//! Whose turn it is: of ten claims nine take the most urgent jobs, one the longest due.
//!
//! So a job that is due waits, whatever is put in before it in the claim order, at most
//! until a tenth of what its lane gets done has been spent on what became due before it.
//!
//! A claim by age reads the index of `run_at` from its front, where dead rows stand that no
//! vacuum removes while an older transaction is open. So it spends, as a claim from the
//! front does, no more than about a twentieth of the time, whatever it costs.

use std::time::{Duration, Instant};

/// Claims by priority between two by age.
const BETWEEN: u32 = 9;

/// A claim by age is followed by this many times its own duration without one.
const SPARE: u32 = 20;

/// Counts the claims of one process.
#[derive(Debug, Default)]
pub(super) struct Turns {
    /// Claims by priority since the last one by age.
    by_priority: u32,
    /// When the last claim by age ended, and how long it took.
    by_age: Option<(Instant, Duration)>,
}

impl Turns {
    /// Whether the next claim goes by age alone.
    pub(super) fn is_by_age(&self, now: Instant) -> bool {
        let rested = self.by_age.is_none_or(|(at, took)| {
            now.saturating_duration_since(at) >= took.saturating_mul(SPARE)
        });
        self.by_priority >= BETWEEN && rested
    }

    /// A claim ended at `now` and took `took`.
    pub(super) fn ended(&mut self, by_age: bool, now: Instant, took: Duration) {
        if by_age {
            self.by_priority = 0;
            self.by_age = Some((now, took));
        } else {
            self.by_priority = self.by_priority.saturating_add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn every_tenth_claim_goes_by_age() {
        let mut turns = Turns::default();
        let mut now = Instant::now();
        let mut by_age = Vec::new();
        for nth in 1..=30 {
            let turn = turns.is_by_age(now);
            by_age.extend(turn.then_some(nth));
            now += 3 * MS;
            turns.ended(turn, now, MS);
        }
        assert_eq!(by_age, [10, 20, 30]);
    }

    #[test]
    fn one_that_took_long_is_followed_by_none_for_a_while() {
        let mut turns = Turns::default();
        let now = Instant::now();
        turns.ended(true, now, 50 * MS);
        for _ in 0..20 {
            turns.ended(false, now, MS);
        }
        assert!(!turns.is_by_age(now + 999 * MS));
        assert!(turns.is_by_age(now + 1000 * MS));
    }
}
