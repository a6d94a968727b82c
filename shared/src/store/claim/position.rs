//! Where in the claim order the last claim ended.
//!
//! What was claimed leaves a dead row at the front of the index. Vacuum removes it, but
//! not while any transaction of the server is older: then a claim from the front reads
//! every job that was finished since, and its time grows from 0.2 to 57 ms in 5 minutes
//! at 2,000 jobs/s. From the last place on it stays at 0.2 ms.
//!
//! A job that is put in behind that place (with a lower priority number, or a `run_at`
//! before the last one's) is found from the front only. Claims go there
//!
//! - once a second, and
//! - whenever one from the last place found fewer jobs than asked for,
//!
//! but spend no more than about a twentieth of the time on it, whatever it costs.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use uuid::Uuid;

/// Longest time between two claims from the front, unless they are slow.
const FRONT_EVERY: Duration = Duration::from_secs(1);

/// A claim from the front is followed by this many times its own duration without one.
const SPARE: u32 = 20;

/// A place in the claim order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) priority: i16,
    pub(super) run_at: DateTime<Utc>,
    pub(super) id: Uuid,
}

/// How far claims have got, and when to start from the front again.
#[derive(Debug, Default)]
pub(super) struct Position {
    reached: Option<Place>,
    /// When the last claim from the front ended, and how long it took.
    front: Option<(Instant, Duration)>,
    /// The last claim from `reached` did not find enough.
    short: bool,
}

impl Position {
    /// After which place to claim; `None` for from the front.
    pub(super) fn start(&self, now: Instant) -> Option<Place> {
        let since = self
            .front
            .map(|(at, _)| now.saturating_duration_since(at))?;
        if self.wants_front(now) || since >= FRONT_EVERY.max(self.spare()) {
            return None;
        }
        self.reached
    }

    /// A claim ended at `now` and took `took`.
    pub(super) fn ended(
        &mut self,
        from_front: bool,
        reached: Option<Place>,
        short: bool,
        now: Instant,
        took: Duration,
    ) {
        if from_front {
            self.front = Some((now, took));
            // All that is due has been taken, so that nothing is left behind `reached`.
            self.short = false;
            self.reached = match short {
                true => self.reached.max(reached),
                false => reached,
            };
        } else {
            self.short = short;
            self.reached = self.reached.max(reached);
        }
    }

    /// Whether the next claim goes to the front because the last one fell short.
    pub(super) fn wants_front(&self, now: Instant) -> bool {
        let rested = self
            .front
            .is_none_or(|(at, _)| now.saturating_duration_since(at) >= self.spare());
        self.short && rested
    }

    fn spare(&self) -> Duration {
        self.front
            .map_or(Duration::ZERO, |(_, took)| took.saturating_mul(SPARE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn place(priority: i16, id: u128) -> Place {
        Place {
            priority,
            run_at: DateTime::<Utc>::UNIX_EPOCH,
            id: Uuid::from_u128(id),
        }
    }

    /// A position after a full claim from the front that took 1 ms and reached id 10.
    fn claimed(now: Instant) -> Position {
        let mut position = Position::default();
        assert_eq!(position.start(now), None);
        position.ended(true, Some(place(20, 10)), false, now, MS);
        position
    }

    #[test]
    fn claims_go_on_where_the_last_one_ended() {
        let now = Instant::now();
        let mut position = claimed(now);
        assert_eq!(position.start(now), Some(place(20, 10)));
        position.ended(false, Some(place(20, 30)), false, now, MS);
        assert_eq!(position.start(now), Some(place(20, 30)));
    }

    #[test]
    fn once_a_second_they_start_from_the_front() {
        let now = Instant::now();
        let position = claimed(now);
        assert!(position.start(now + 999 * MS).is_some());
        assert_eq!(position.start(now + 1000 * MS), None);
    }

    #[test]
    fn a_claim_that_falls_short_is_followed_by_one_from_the_front() {
        let now = Instant::now();
        let mut position = claimed(now);
        let later = now + 30 * MS;
        position.ended(false, None, true, later, MS);
        assert!(position.wants_front(later));
        assert_eq!(position.start(later), None);
        position.ended(true, None, true, later, MS);
        assert!(!position.wants_front(later));
        assert_eq!(position.start(later), Some(place(20, 10)));
    }

    #[test]
    fn slow_claims_from_the_front_are_rare() {
        let now = Instant::now();
        let mut position = claimed(now);
        position.ended(true, None, true, now, 100 * MS);
        position.ended(false, None, true, now, MS);
        for quiet in [0, 1000, 1999] {
            assert_eq!(position.start(now + quiet * MS), Some(place(20, 10)));
        }
        assert_eq!(position.start(now + 2000 * MS), None);
    }

    #[test]
    fn a_full_claim_from_the_front_moves_the_place_back() {
        let now = Instant::now();
        let mut position = claimed(now);
        position.ended(true, Some(place(0, 99)), false, now, MS);
        assert_eq!(position.start(now), Some(place(0, 99)));
        // A short one has taken everything up to the old place.
        position.ended(true, Some(place(0, 100)), true, now, MS);
        position.ended(true, Some(place(20, 7)), true, now, MS);
        assert_eq!(position.start(now), Some(place(20, 7)));
    }
}
