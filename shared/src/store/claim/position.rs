//! How far claims have got, in each priority.
//!
//! What was claimed leaves a dead row at the front of the index. Vacuum removes it, but
//! not while any transaction of the server is older: then a claim from the front reads
//! every job that was finished since, and its time grows from 0.2 to 57 ms in 5 minutes
//! at 2,000 jobs/s. A job becomes due at the time that it is ordered by, so in each priority
//! what can be claimed next stands behind what was claimed last: from there on a claim stays
//! at 0.2 ms, however many priorities there are.
//!
//! What is put in before that place is found from the front only: a job of a priority that
//! was not seen yet, a `run_at` in the past, one that waits again because its worker died.
//! Claims go there
//!
//! - once a second, and
//! - whenever one from the last places found fewer jobs than asked for,
//!
//! but spend no more than about a twentieth of the time on it, whatever it costs.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

/// Longest time between two claims from the front, unless they are slow.
const FRONT_EVERY: Duration = Duration::from_secs(1);

/// A claim from the front is followed by this many times its own duration without one.
const SPARE: u32 = 20;

/// Most priorities whose places are kept; the rest is found from the front.
const MOST: usize = 32;

/// A job that became due may be committed so much later.
const SLACK: TimeDelta = TimeDelta::milliseconds(250);

/// A place in the claim order of one priority.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) run_at: DateTime<Utc>,
    pub(super) id: Uuid,
}

/// What a claim found.
#[derive(Debug)]
pub(super) struct Found {
    /// Priority and place of each job.
    pub(super) jobs: Vec<(i16, Place)>,
    /// Whether there were fewer than asked for.
    pub(super) short: bool,
    /// When it looked, by the database's clock.
    pub(super) looked_at: DateTime<Utc>,
}

/// How far claims have got, and when to start from the front again.
#[derive(Debug, Default)]
pub(super) struct Position {
    reached: BTreeMap<i16, Place>,
    /// When the last claim from the front ended, and how long it took.
    front: Option<(Instant, Duration)>,
    /// The last claim from the places found too little.
    short: bool,
}

impl Position {
    /// After which place to claim in which priority, the most urgent first; `None` for from
    /// the front.
    pub(super) fn start(&self, now: Instant) -> Option<Vec<(i16, Place)>> {
        let since = self
            .front
            .map(|(at, _)| now.saturating_duration_since(at))?;
        let is_new = self.reached.is_empty();
        if is_new || self.wants_front(now) || since >= FRONT_EVERY.max(self.spare()) {
            return None;
        }
        let places = self.reached.iter();
        Some(
            places
                .map(|(priority, place)| (*priority, *place))
                .collect(),
        )
    }

    /// A claim ended at `now` and took `took`.
    pub(super) fn ended(&mut self, from_front: bool, found: &Found, now: Instant, took: Duration) {
        if from_front {
            self.front = Some((now, took));
            // In what it took there is nothing left before its last one: the places may have
            // been too far on.
            for (priority, _) in &found.jobs {
                self.reached.remove(priority);
            }
        }
        for (priority, place) in &found.jobs {
            let reached = self.reached.entry(*priority).or_insert(*place);
            *reached = (*reached).max(*place);
        }
        if found.short {
            // Everything that was due has been taken; what is committed late may still come.
            let all = Place {
                run_at: found.looked_at - SLACK,
                id: Uuid::nil(),
            };
            for reached in self.reached.values_mut() {
                *reached = all;
            }
        }
        self.short = found.short && !from_front;
        while self.reached.len() > MOST {
            let oldest = self.reached.iter().min_by_key(|(_, place)| **place);
            let Some((&oldest, _)) = oldest else { break };
            self.reached.remove(&oldest);
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

    fn at(secs: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(secs)
    }

    fn place(secs: i64) -> Place {
        Place {
            run_at: at(secs),
            id: Uuid::from_u128(7),
        }
    }

    fn found(jobs: &[(i16, i64)], short: bool) -> Found {
        Found {
            jobs: jobs
                .iter()
                .map(|(priority, secs)| (*priority, place(*secs)))
                .collect(),
            short,
            looked_at: at(1_000),
        }
    }

    /// A position after a full claim from the front that took 1 ms.
    fn claimed(now: Instant) -> Position {
        let mut position = Position::default();
        assert_eq!(position.start(now), None);
        position.ended(true, &found(&[(10, 50), (20, 10)], false), now, MS);
        position
    }

    #[test]
    fn claims_go_on_where_the_last_one_of_each_priority_ended() {
        let now = Instant::now();
        let mut position = claimed(now);
        assert_eq!(
            position.start(now),
            Some(vec![(10, place(50)), (20, place(10))])
        );
        position.ended(false, &found(&[(20, 30), (20, 20)], false), now, MS);
        assert_eq!(
            position.start(now),
            Some(vec![(10, place(50)), (20, place(30))])
        );
    }

    #[test]
    fn a_claim_that_took_all_moves_every_place_to_a_moment_ago() {
        let now = Instant::now();
        let mut position = claimed(now);
        position.ended(false, &found(&[(20, 30)], true), now, MS);
        let all = Place {
            run_at: at(1_000) - SLACK,
            id: Uuid::nil(),
        };
        assert_eq!(position.start(now), Some(vec![(10, all), (20, all)]));
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
        position.ended(false, &found(&[], true), later, MS);
        assert!(position.wants_front(later));
        assert_eq!(position.start(later), None);
        position.ended(true, &found(&[], true), later, MS);
        assert!(!position.wants_front(later));
        assert!(position.start(later).is_some());
    }

    #[test]
    fn slow_claims_from_the_front_are_rare() {
        let now = Instant::now();
        let mut position = claimed(now);
        position.ended(true, &found(&[], true), now, 100 * MS);
        position.ended(false, &found(&[], true), now, MS);
        for quiet in [0, 1000, 1999] {
            assert!(position.start(now + quiet * MS).is_some());
        }
        assert_eq!(position.start(now + 2000 * MS), None);
    }

    #[test]
    fn a_full_claim_from_the_front_moves_the_places_of_what_it_took_back() {
        let now = Instant::now();
        let mut position = claimed(now);
        position.ended(true, &found(&[(10, 5)], false), now, MS);
        assert_eq!(
            position.start(now),
            Some(vec![(10, place(5)), (20, place(10))])
        );
    }

    #[test]
    fn of_many_priorities_those_are_kept_that_had_jobs_last() {
        let now = Instant::now();
        let mut position = claimed(now);
        let jobs: Vec<(i16, i64)> = (0..40)
            .map(|nth| (100 + nth, 100 + i64::from(nth)))
            .collect();
        position.ended(false, &found(&jobs, false), now, MS);
        let kept = position.start(now).unwrap();
        assert_eq!(kept.len(), MOST);
        assert_eq!(kept[0].0, 108);
    }
}
