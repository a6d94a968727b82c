//! When to look what claims passed by.
//!
//! - once a second, and
//! - whenever a claim found fewer jobs than asked for,
//!
//! but for no more than about a twentieth of the time, whatever it costs: while a snapshot is
//! held a look at everything reads every job that was finished since. So there are looks at what
//! is recent as well, which stay cheap: what was passed by lately is found within a second.

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
}

impl Pace {
    fn has_rested(&self, now: Instant) -> bool {
        !self.goes_on && self.rests_until.is_none_or(|until| now >= until)
    }
}

impl Looks {
    /// Whether it is time to look; `eager` when a claim found too little.
    pub(super) fn are_due(&self, now: Instant, eager: bool) -> bool {
        eager
            || self
                .last
                .is_none_or(|at| now.saturating_duration_since(at) >= EVERY)
    }

    /// How far back a look may go now.
    pub(super) fn depth(&self, now: Instant) -> Option<Depth> {
        let depths = [Depth::All, Depth::Recent];
        depths
            .into_iter()
            .find(|depth| self.pace(*depth).has_rested(now))
    }

    /// Whether a look of this sort goes on.
    pub(super) fn goes_on(&self, depth: Depth) -> bool {
        self.pace(depth).goes_on
    }

    /// When a look is possible that is not now: none goes on of that sort, and it rests until then.
    pub(super) fn next(&self) -> Option<Instant> {
        let paces = [&self.all, &self.recent].into_iter();
        paces
            .filter(|pace| !pace.goes_on)
            .filter_map(|pace| pace.rests_until)
            .min()
    }

    /// A look began.
    pub(super) fn began(&mut self, depth: Depth, now: Instant) {
        self.pace_mut(depth).goes_on = true;
        self.last = Some(now);
    }

    /// A look ended, and took `took`.
    pub(super) fn ended(&mut self, depth: Depth, now: Instant, took: Duration) {
        *self.pace_mut(depth) = Pace {
            goes_on: false,
            rests_until: Some(now + took.saturating_mul(SPARE)),
            took,
        };
    }

    /// A look could not be made: there is none of its sort for a while.
    pub(super) fn failed(&mut self, depth: Depth, now: Instant) {
        self.ended(depth, now, FAILED / SPARE);
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

    /// How far back to look, if it is time to.
    fn due(looks: &Looks, now: Instant, eager: bool) -> Option<Depth> {
        looks.depth(now).filter(|_| looks.are_due(now, eager))
    }

    /// Looks of which one at everything ended just now.
    fn looked(now: Instant, took: Duration) -> Looks {
        let mut looks = Looks::default();
        assert_eq!(due(&looks, now, false), Some(Depth::All));
        looks.began(Depth::All, now);
        looks.ended(Depth::All, now, took);
        looks
    }

    #[test]
    fn there_is_a_look_each_second() {
        let now = Instant::now();
        let looks = looked(now, MS);
        assert_eq!(due(&looks, now + 999 * MS, false), None);
        assert_eq!(due(&looks, now + 1000 * MS, false), Some(Depth::All));
    }

    #[test]
    fn after_a_claim_that_found_too_little_there_is_one_as_soon_as_the_last_may_be_followed() {
        let now = Instant::now();
        let mut looks = looked(now, MS);
        assert_eq!(due(&looks, now + 20 * MS, true), Some(Depth::All));
        assert_eq!(due(&looks, now + 19 * MS, true), Some(Depth::Recent));
        looks.ended(Depth::Recent, now, MS);
        assert_eq!(due(&looks, now + 19 * MS, true), None);
        assert_eq!(looks.next(), Some(now + 20 * MS));
    }

    #[test]
    fn looks_that_take_long_are_not_waited_for() {
        let now = Instant::now();
        let mut looks = Looks::default();
        assert_eq!(looks.patience(Depth::All), PATIENCE);
        looks.ended(Depth::All, now, 500 * MS);
        assert_eq!(looks.patience(Depth::All), Duration::ZERO);
        assert_eq!(looks.patience(Depth::Recent), PATIENCE);
        looks.failed(Depth::Recent, now);
        assert_eq!(due(&looks, now + 4_999 * MS, true), None);
        assert_eq!(due(&looks, now + 5_000 * MS, true), Some(Depth::Recent));
    }

    #[test]
    fn while_one_at_everything_goes_on_or_was_slow_the_others_look_at_what_is_recent() {
        let now = Instant::now();
        let mut looks = looked(now, 500 * MS);
        for ms in [1_000, 2_000, 9_999] {
            assert_eq!(due(&looks, now + ms * MS, false), Some(Depth::Recent));
        }
        let later = now + 10_000 * MS;
        assert_eq!(due(&looks, later, false), Some(Depth::All));
        looks.began(Depth::All, later);
        assert_eq!(due(&looks, later + 999 * MS, false), None);
        assert_eq!(due(&looks, later + 60_000 * MS, false), Some(Depth::Recent));
    }
}
