//! Whose turn it is: of ten claims nine take the most urgent jobs, one the longest due.
//!
//! So a job that is due waits, whatever is put in before it in the claim order, at most
//! until a tenth of what its lane gets done has been spent on what became due before it.
//!
//! A claim by age reads the index of `run_at` from its front, where dead rows stand that no
//! vacuum removes while an older transaction is open. So it goes on where the last one ended,
//! too; from the front it goes once a second, and spends there no more than about a
//! twentieth of the time, whatever it costs.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};

/// Claims by priority between two by age.
const BETWEEN: u32 = 9;

/// Longest time between two claims by age from the front, unless they are slow.
const FRONT_EVERY: Duration = Duration::from_secs(1);

/// A claim from the front is followed by this many times its own duration without one.
const SPARE: u32 = 20;

/// Counts the claims of one process.
#[derive(Debug, Default)]
pub(super) struct Turns {
    /// Claims by priority since the last one by age.
    by_priority: u32,
    /// From when on the next one by age looks.
    reached: Option<DateTime<Utc>>,
    /// When the last claim by age from the front ended, and how long it took.
    front: Option<(Instant, Duration)>,
}

impl Turns {
    /// Whether the next claim goes by age alone.
    pub(super) fn is_by_age(&self) -> bool {
        self.by_priority >= BETWEEN
    }

    /// From when on a claim by age looks; `None` for from the front.
    pub(super) fn start(&self, now: Instant) -> Option<DateTime<Utc>> {
        let (at, took) = self.front?;
        let rest = FRONT_EVERY.max(took.saturating_mul(SPARE));
        match now.saturating_duration_since(at) >= rest {
            true => None,
            false => self.reached,
        }
    }

    /// A claim by priority ended.
    pub(super) fn ended_by_priority(&mut self) {
        self.by_priority = self.by_priority.saturating_add(1);
    }

    /// A claim by age ended at `now`, took `took`, and got up to `reached`.
    pub(super) fn ended_by_age(
        &mut self,
        from_front: bool,
        reached: Option<DateTime<Utc>>,
        now: Instant,
        took: Duration,
    ) {
        self.by_priority = 0;
        if from_front {
            self.front = Some((now, took));
            self.reached = reached;
        } else {
            self.reached = self.reached.max(reached);
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn at(secs: i64) -> Option<DateTime<Utc>> {
        Some(DateTime::UNIX_EPOCH + TimeDelta::seconds(secs))
    }

    #[test]
    fn every_tenth_claim_goes_by_age() {
        let mut turns = Turns::default();
        let mut by_age = Vec::new();
        for nth in 1..=30 {
            if turns.is_by_age() {
                by_age.push(nth);
                turns.ended_by_age(true, None, Instant::now(), MS);
            } else {
                turns.ended_by_priority();
            }
        }
        assert_eq!(by_age, [10, 20, 30]);
    }

    #[test]
    fn they_go_on_where_the_last_one_ended_and_to_the_front_now_and_then() {
        let mut turns = Turns::default();
        let now = Instant::now();
        assert_eq!(turns.start(now), None);
        turns.ended_by_age(true, at(10), now, MS);
        turns.ended_by_age(false, at(20), now, MS);
        turns.ended_by_age(false, None, now, MS);
        assert_eq!(turns.start(now + 999 * MS), at(20));
        assert_eq!(turns.start(now + 1000 * MS), None);
        turns.ended_by_age(true, at(5), now, 100 * MS);
        assert_eq!(turns.start(now + 1999 * MS), at(5));
        assert_eq!(turns.start(now + 2000 * MS), None);
    }
}
