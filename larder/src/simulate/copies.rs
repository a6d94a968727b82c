//! The copies of a virtual month: when each was fetched, and since when it has been wrong.

use super::random::Random;
use super::world::World;

/// The cache: when each copy was fetched, and when it became wrong.
#[derive(Debug)]
pub(super) struct Copies {
    fetched: Vec<Option<f64>>,
    wrong_from: Vec<f64>,
    changes: Vec<f64>,
    random: Random,
}

impl Copies {
    /// None is there yet.
    pub(super) fn of(world: &World) -> Self {
        Self {
            fetched: vec![None; world.items()],
            wrong_from: vec![0.0; world.items()],
            changes: world.changes.clone(),
            random: Random::new(world.seed ^ 0x5eed_0f00_0000_0005),
        }
    }

    /// A new copy, right until the next change, which comes without memory.
    pub(super) fn fetch(&mut self, item: usize, now: f64) {
        self.fetched[item] = Some(now);
        self.wrong_from[item] = now + self.random.wait(self.changes[item]);
    }

    /// Whether it was ever fetched.
    pub(super) fn is_there(&self, item: usize) -> bool {
        self.fetched[item].is_some()
    }

    pub(super) fn fetched(&self, item: usize) -> f64 {
        self.fetched[item].unwrap_or_default()
    }

    /// Seconds since it was fetched; since the start, if it never was.
    pub(super) fn age(&self, item: usize, now: f64) -> f64 {
        now - self.fetched(item)
    }

    /// For how many seconds it has been wrong.
    pub(super) fn lag(&self, item: usize, now: f64) -> f64 {
        (now - self.wrong_from[item]).max(0.0)
    }
}
