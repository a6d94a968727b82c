//! How far claims have got, in each priority.
//!
//! What was claimed leaves a dead row at the front of the index. Vacuum removes it, but
//! not while any transaction of the server is older: then a claim from the front reads
//! every job that was finished since, and its time grows from 0.2 to 57 ms in 5 minutes
//! at 2,000 jobs/s. A job becomes due at the time that it is ordered by, so in each priority
//! what can be claimed next stands behind what was claimed last: from there on a claim stays
//! at 0.2 ms, however many priorities there are. What is put in before that place, claims
//! pass by: see [`super::passed`].

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

/// Most priorities whose places are kept.
pub(super) const MOST: usize = 32;

/// A job that became due may be committed so much later.
const SLACK: TimeDelta = TimeDelta::milliseconds(250);

/// Until when all that was due at `looked_at` has been seen, but for what is committed late.
pub(super) fn seen_until(looked_at: DateTime<Utc>) -> DateTime<Utc> {
    looked_at - SLACK
}

/// A place in the claim order of one priority.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) run_at: DateTime<Utc>,
    pub(super) id: Uuid,
}

impl Place {
    /// The last place before this one.
    fn before(self) -> Self {
        Self {
            id: Uuid::from_u128(self.id.as_u128().saturating_sub(1)),
            ..self
        }
    }

    /// The place up to which everything has been seen by a look at this time.
    fn seen(looked_at: DateTime<Utc>) -> Self {
        Self {
            run_at: seen_until(looked_at),
            id: Uuid::nil(),
        }
    }
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

/// How far claims have got.
#[derive(Debug, Default)]
pub(super) struct Position {
    reached: BTreeMap<i16, Reached>,
}

/// How far claims of one priority have got.
#[derive(Debug, Clone, Copy)]
struct Reached {
    /// The next one goes on after this place.
    from: Place,
    /// No claim has got further: what stands before it may have been passed by.
    to: Place,
}

impl Position {
    /// After which place to claim in which priority, the most urgent first.
    pub(super) fn places(&self) -> Vec<(i16, Place)> {
        let places = self.reached.iter();
        places
            .map(|(priority, reached)| (*priority, reached.from))
            .collect()
    }

    /// Up to which place claims may have passed a job by, in each priority.
    pub(super) fn ends(&self) -> Vec<(i16, Place)> {
        let places = self.reached.iter();
        places
            .map(|(priority, reached)| (*priority, reached.to))
            .collect()
    }

    /// Whether no priority is known.
    pub(super) fn is_new(&self) -> bool {
        self.reached.is_empty()
    }

    /// A claim from the places ended.
    pub(super) fn claimed(&mut self, found: &Found) {
        for (priority, place) in &found.jobs {
            let new = Reached {
                from: *place,
                to: *place,
            };
            let reached = self.reached.entry(*priority).or_insert(new);
            reached.from = reached.from.max(*place);
            reached.to = reached.to.max(*place);
        }
        if found.short {
            let all = Place::seen(found.looked_at);
            for reached in self.reached.values_mut() {
                reached.from = all;
                reached.to = reached.to.max(all);
            }
        }
        while self.reached.len() > MOST {
            // Of those that had jobs at the same time, the least urgent.
            let oldest = self.reached.iter().rev();
            let oldest = oldest.min_by_key(|(_, reached)| reached.from);
            let Some((&oldest, _)) = oldest else { break };
            self.reached.remove(&oldest);
        }
    }

    /// Claims of this priority start with the job at this place, or earlier.
    pub(super) fn start_with(&mut self, priority: i16, first: Place, looked_at: DateTime<Utc>) {
        // One that became due before it may be committed after it.
        let start = first.before().min(Place::seen(looked_at));
        let new = Reached {
            from: start,
            to: start,
        };
        let reached = self.reached.entry(priority).or_insert(new);
        reached.from = reached.from.min(start);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

    /// A position after a claim that found as many as it asked for.
    fn claimed() -> Position {
        let mut position = Position::default();
        assert!(position.is_new());
        position.claimed(&found(&[(10, 50), (20, 10)], false));
        position
    }

    #[test]
    fn claims_go_on_where_the_last_one_of_each_priority_ended() {
        let mut position = claimed();
        assert_eq!(position.places(), [(10, place(50)), (20, place(10))]);
        position.claimed(&found(&[(20, 30), (20, 20)], false));
        assert_eq!(position.places(), [(10, place(50)), (20, place(30))]);
    }

    #[test]
    fn a_claim_that_took_all_moves_every_place_to_a_moment_ago() {
        let mut position = claimed();
        position.claimed(&found(&[(20, 30)], true));
        let all = Place {
            run_at: at(1_000) - SLACK,
            id: Uuid::nil(),
        };
        assert_eq!(position.places(), [(10, all), (20, all)]);
        assert_eq!(position.ends(), [(10, all), (20, all)]);
    }

    #[test]
    fn what_stands_before_the_furthest_place_may_have_been_passed_by() {
        let mut position = Position::default();
        position.claimed(&found(&[(10, 1_000)], false));
        position.claimed(&found(&[], true));
        assert_eq!(position.places(), [(10, Place::seen(at(1_000)))]);
        assert_eq!(position.ends(), [(10, place(1_000))]);
    }

    #[test]
    fn claims_start_with_a_job_that_they_are_shown() {
        let mut position = claimed();
        position.start_with(10, place(5), at(1_000));
        position.start_with(20, place(30), at(1_000));
        position.start_with(30, place(7), at(1_000));
        let before = |secs| Place {
            id: Uuid::from_u128(6),
            ..place(secs)
        };
        let expected = [(10, before(5)), (20, place(10)), (30, before(7))];
        assert_eq!(position.places(), expected);
    }

    #[test]
    fn a_job_that_they_are_shown_hides_none_that_is_committed_later() {
        let mut position = Position::default();
        position.start_with(10, place(1_000), at(1_000));
        assert_eq!(position.places(), [(10, Place::seen(at(1_000)))]);
    }

    #[test]
    fn of_many_priorities_those_are_kept_that_had_jobs_last() {
        let mut position = claimed();
        let jobs: Vec<(i16, i64)> = (0..40)
            .map(|nth| (100 + nth, 100 + i64::from(nth)))
            .collect();
        position.claimed(&found(&jobs, false));
        let kept = position.places();
        assert_eq!(kept.len(), MOST);
        assert_eq!(kept[0].0, 108);
    }
}
