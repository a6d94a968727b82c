//! Which trouble hits which call.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Trouble;
use super::script::Script;
use crate::chance::unit;

/// The trouble that is scripted at the moment.
#[derive(Debug)]
pub(crate) struct Board {
    seed: u64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    scripted: Vec<Trouble>,
    /// How often chance was asked, so that each answer differs and a run can be repeated.
    drawn: u64,
}

impl Board {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            seed,
            state: Mutex::new(State::default()),
        }
    }

    pub(crate) fn add(&self, trouble: Trouble) {
        self.state().scripted.push(trouble);
    }

    pub(crate) fn clear(&self) {
        self.state().scripted.clear();
    }

    /// What is scripted and not over yet.
    pub(crate) fn list(&self) -> Vec<Trouble> {
        self.state().scripted.clone()
    }

    /// Everything that hits a call to `path`, and counts it down.
    pub(crate) fn take(&self, path: &str) -> Script {
        let mut guard = self.state();
        let State { scripted, drawn } = &mut *guard;
        let mut script = Script::default();
        for trouble in scripted.iter_mut() {
            if trouble.path.as_deref().is_some_and(|only| only != path) {
                continue;
            }
            if let Some(share) = trouble.fraction {
                *drawn += 1;
                if unit(self.seed ^ drawn.rotate_left(32)) >= share {
                    continue;
                }
            }
            match &mut trouble.times {
                Some(0) => continue,
                Some(left) => *left -= 1,
                None => {}
            }
            script.add(&trouble.kind);
        }
        scripted.retain(|trouble| trouble.times != Some(0));
        script
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trouble::TroubleKind;

    #[test]
    fn trouble_for_the_next_calls_ends_after_them() {
        let board = Board::new(1);
        board.add(Trouble::next(2, TroubleKind::HalfBody).on("/a"));
        assert!(!board.take("/b").half);
        assert!(board.take("/a").half);
        assert!(board.take("/a").half);
        assert!(!board.take("/a").half);
        assert!(board.list().is_empty());
    }

    #[test]
    fn a_fraction_hits_about_its_share_and_the_same_calls_for_the_same_seed() {
        let run = |seed| -> Vec<bool> {
            let board = Board::new(seed);
            board.add(Trouble::fraction(0.3, TroubleKind::HalfBody));
            (0..1_000).map(|_| board.take("/a").half).collect()
        };
        let hits = run(7).into_iter().filter(|hit| *hit).count();
        assert!((250..350).contains(&hits), "{hits}");
        assert_eq!(run(7), run(7));
        assert_ne!(run(7), run(8));
    }
}
