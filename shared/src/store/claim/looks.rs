//! When to look what claims passed by.
//!
//! - once a second, and
//! - whenever a claim found fewer jobs than asked for,
//!
//! but for no more than about a twentieth of the time, whatever it costs: while a snapshot is
//! held a look at everything reads every job that was finished since. So there are looks at what
//! is recent as well, which stay cheap: what was passed by lately is found within a second.
//!
//! A claim that found too little owes a look of each sort. It is made as soon as the last one of its
//! sort has rested, and only a claim owes anew: a process that nobody wakes comes to rest.

use std::time::{Duration, Instant};

/// Longest time between two looks, unless they are slow.
const EVERY: Duration = Duration::from_secs(1);

/// A look is followed by this many times its own duration without one of its sort.
const SPARE: u32 = 20;

/// How long after a look that failed there is none.
const FAILED: Duration = Duration::from_secs(5);

/// How long a look is waited for, unless the last one of its sort took longer.
const PATIENCE: Duration = Duration::from_millis(5);

/// How far back a look goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    /// To the very first job.
    All,
    /// To what became due ten seconds ago.
    Recent,
}

impl Depth {
    /// How many seconds it goes back; `None` for no end.
    pub(super) fn seconds(self) -> Option<f64> {
        match self {
            Self::All => None,
            Self::Recent => Some(10.0),
        }
    }
}

/// When looks began and ended.
#[derive(Debug, Default)]
pub(super) struct Looks {
    all: Pace,
    recent: Pace,
    /// When the last one began, of whichever sort.
    last: Option<Instant>,
}

#[derive(Debug, Default)]
struct Pace {
    goes_on: bool,
    /// Until when there is no other.
    rests_until: Option<Instant>,
    /// How long the last one took.
    took: Duration,
    /// Whether a claim found too little since the last one began.
    is_owed: bool,
}

impl Pace {
    fn has_rested(&self, now: Instant) -> bool {
        !self.goes_on && self.rests_until.is_none_or(|until| now >= until)
    }
}

impl Looks {
    /// A claim found too little.
    pub(super) fn owe(&mut self) {
        self.all.is_owed = true;
        self.recent.is_owed = true;
    }

    /// How far back to look now, if it is time to.
    pub(super) fn due(&self, now: Instant) -> Option<Depth> {
        let is_time = self
            .last
            .is_none_or(|at| now.saturating_duration_since(at) >= EVERY);
        [Depth::All, Depth::Recent].into_iter().find(|depth| {
            let pace = self.pace(*depth);
            pace.has_rested(now) && (pace.is_owed || is_time)
        })
    }

    /// Whether a look of this sort goes on.
    pub(super) fn goes_on(&self, depth: Depth) -> bool {
        self.pace(depth).goes_on
    }

    /// When a look is possible that is owed, and is not now.
    pub(super) fn next(&self) -> Option<Instant> {
        let paces = [&self.all, &self.recent].into_iter();
        paces
            .filter(|pace| pace.is_owed && !pace.goes_on)
            .filter_map(|pace| pace.rests_until)
            .min()
    }

    /// A look began.
    pub(super) fn began(&mut self, depth: Depth, now: Instant) {
        let pace = self.pace_mut(depth);
        pace.goes_on = true;
        pace.is_owed = false;
        self.last = Some(now);
    }

    /// A look at everything ended before anything else was done: it saw what is recent, too.
    pub(super) fn saw_recent(&mut self) {
        self.recent.is_owed = false;
    }

    /// A look ended, and took `took`.
    pub(super) fn ended(&mut self, depth: Depth, now: Instant, took: Duration) {
        let pace = self.pace_mut(depth);
        pace.goes_on = false;
        pace.rests_until = Some(now + took.saturating_mul(SPARE));
        pace.took = took;
    }

    /// A look could not be made: it is still owed, after a while.
    pub(super) fn failed(&mut self, depth: Depth, now: Instant) {
        self.ended(depth, now, FAILED / SPARE);
        self.pace_mut(depth).is_owed = true;
    }

    /// How long to wait for a look: not at all where it is likely to be in vain.
    pub(super) fn patience(&self, depth: Depth) -> Duration {
        match self.pace(depth).took <= PATIENCE {
            true => PATIENCE,
            false => Duration::ZERO,
        }
    }

    fn pace(&self, depth: Depth) -> &Pace {
        match depth {
            Depth::All => &self.all,
            Depth::Recent => &self.recent,
        }
    }

    fn pace_mut(&mut self, depth: Depth) -> &mut Pace {
        match depth {
            Depth::All => &mut self.all,
            Depth::Recent => &mut self.recent,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// Looks of which one at everything ended just now.
    fn looked(now: Instant, took: Duration) -> Looks {
        let mut looks = Looks::default();
        assert_eq!(looks.due(now), Some(Depth::All));
        looks.began(Depth::All, now);
        looks.ended(Depth::All, now, took);
        looks
    }

    #[test]
    fn there_is_a_look_each_second() {
        let now = Instant::now();
        let looks = looked(now, MS);
        assert_eq!(looks.due(now + 999 * MS), None);
        assert_eq!(looks.due(now + 1000 * MS), Some(Depth::All));
        assert_eq!(looks.next(), None);
    }

    #[test]
    fn after_a_claim_that_found_too_little_there_is_one_as_soon_as_the_last_may_be_followed() {
        let now = Instant::now();
        let mut looks = looked(now, MS);
        looks.owe();
        assert_eq!(looks.due(now + 20 * MS), Some(Depth::All));
        assert_eq!(looks.due(now + 19 * MS), Some(Depth::Recent));
        looks.began(Depth::Recent, now + 19 * MS);
        looks.ended(Depth::Recent, now + 19 * MS, MS);
        assert_eq!(looks.due(now + 19 * MS), None);
        assert_eq!(looks.next(), Some(now + 20 * MS));
    }

    #[test]
    fn a_look_at_everything_that_was_waited_for_pays_for_one_at_what_is_recent() {
        let now = Instant::now();
        let mut looks = Looks::default();
        looks.owe();
        looks.began(Depth::All, now);
        assert_eq!(looks.due(now), Some(Depth::Recent), "while it goes on");
        looks.ended(Depth::All, now, MS);
        looks.saw_recent();
        assert_eq!((looks.due(now), looks.next()), (None, None));
    }

    #[test]
    fn looks_that_take_long_are_not_waited_for() {
        let now = Instant::now();
        let mut looks = Looks::default();
        assert_eq!(looks.patience(Depth::All), PATIENCE);
        looks.ended(Depth::All, now, 500 * MS);
        assert_eq!(looks.patience(Depth::All), Duration::ZERO);
        assert_eq!(looks.patience(Depth::Recent), PATIENCE);
    }

    #[test]
    fn a_look_that_failed_is_made_again_after_a_while() {
        let now = Instant::now();
        let mut looks = looked(now, 500 * MS);
        looks.began(Depth::Recent, now);
        looks.failed(Depth::Recent, now);
        assert_eq!(looks.due(now + 4_999 * MS), None);
        assert_eq!(looks.due(now + 5_000 * MS), Some(Depth::Recent));
        assert_eq!(looks.next(), Some(now + 5_000 * MS));
    }

    #[test]
    fn while_one_at_everything_goes_on_or_was_slow_the_others_look_at_what_is_recent() {
        let now = Instant::now();
        let mut looks = looked(now, 500 * MS);
        for ms in [1_000, 2_000, 9_999] {
            assert_eq!(looks.due(now + ms * MS), Some(Depth::Recent));
        }
        let later = now + 10_000 * MS;
        assert_eq!(looks.due(later), Some(Depth::All));
        looks.began(Depth::All, later);
        assert_eq!(looks.due(later + 999 * MS), None);
        assert_eq!(looks.due(later + 60_000 * MS), Some(Depth::Recent));
    }
}
