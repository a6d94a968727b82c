//! Whose turn it is: of ten claims nine take the most urgent jobs, one the longest due.
//!
//! So a job that is due waits, whatever is put in before it in the claim order, at most
//! until a tenth of what its lane gets done has been spent on what became due before it.
//!
//! A claim by age reads the index of `run_at`, at whose front dead rows stand that no vacuum
//! removes while an older transaction is open. So it goes on where the last one ended, too.

use chrono::{DateTime, Utc};

use super::position::seen_until;

/// Claims by priority between two by age.
const BETWEEN: u32 = 9;

/// Counts the claims of one process.
#[derive(Debug, Default)]
pub(super) struct Turns {
    /// Claims by priority since the last one by age.
    by_priority: u32,
    /// From when on the next one by age looks; `None` before the first.
    reached: Option<DateTime<Utc>>,
}

impl Turns {
    /// Whether the next claim goes by age alone.
    pub(super) fn is_by_age(&self) -> bool {
        self.by_priority >= BETWEEN
    }

    /// From when on a claim by age looks; `None` for from the front.
    pub(super) fn reached(&self) -> Option<DateTime<Utc>> {
        self.reached
    }

    /// A claim by priority ended.
    pub(super) fn ended_by_priority(&mut self) {
        self.by_priority = self.by_priority.saturating_add(1);
    }

    /// A claim by age looked at `looked_at`, and got up to `reached`, or took all if it was
    /// short.
    pub(super) fn ended_by_age(
        &mut self,
        reached: Option<DateTime<Utc>>,
        short: bool,
        looked_at: DateTime<Utc>,
    ) {
        self.by_priority = 0;
        let reached = match short {
            true => Some(seen_until(looked_at)),
            false => reached,
        };
        self.reached = self.reached.max(reached);
    }

    /// Claims by age start with what became due at this time, or earlier.
    pub(super) fn start_with(&mut self, first: DateTime<Utc>) {
        self.reached = self.reached.min(Some(first));
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    fn at(secs: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(secs)
    }

    #[test]
    fn every_tenth_claim_goes_by_age() {
        let mut turns = Turns::default();
        let mut by_age = Vec::new();
        for nth in 1..=30 {
            if turns.is_by_age() {
                by_age.push(nth);
                turns.ended_by_age(None, false, at(0));
            } else {
                turns.ended_by_priority();
            }
        }
        assert_eq!(by_age, [10, 20, 30]);
    }

    #[test]
    fn they_go_on_where_the_last_one_ended_or_with_what_they_are_shown() {
        let mut turns = Turns::default();
        assert_eq!(turns.reached(), None);
        turns.ended_by_age(Some(at(10)), false, at(1_000));
        turns.ended_by_age(Some(at(20)), false, at(1_000));
        turns.ended_by_age(None, false, at(1_000));
        assert_eq!(turns.reached(), Some(at(20)));
        turns.start_with(at(5));
        assert_eq!(turns.reached(), Some(at(5)));
        turns.ended_by_age(None, true, at(1_000));
        assert_eq!(turns.reached(), Some(seen_until(at(1_000))));
    }
}
