//! What a reply says that was overtaken: an answer, or when a window is reset.
//!
//! Up to three calls are admitted one after the other, read what the provider says at some
//! moment, and are recorded at some later one, in any order. What was kept must never fall
//! back behind what was kept before.

use super::explore::{Machine, fails, holds};

/// When a reply replaces what is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Replaces {
    /// When its version, the provider's own, is no older. A reset instant is its own version.
    ByVersion,
    /// When its call was admitted after the other one was recorded.
    WhenAdmittedAfter,
    /// Always: the last record stays.
    ByRecord,
    /// When its call was admitted later.
    ByAdmission,
    /// When its answer came in later.
    ByAnswer,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Call {
    /// What it read, once the request arrived.
    version: Option<u8>,
    /// Which answer came in first, once it came.
    answered: Option<u8>,
    recorded: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Kept {
    version: u8,
    call: u8,
    answered: u8,
    /// The last call that was admitted when this one was recorded.
    last_call: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct State {
    version: u8,
    answers: u8,
    calls: [Option<Call>; 3],
    kept: Option<Kept>,
    newest_kept: u8,
}

#[derive(Debug, Clone, Copy)]
#[expect(dead_code, reason = "the numbers are printed")]
enum Step {
    ProviderChanges,
    Admit(usize),
    Arrive(usize),
    Answer(usize),
    Record(usize),
}

struct Replies(Replaces);

impl Machine for Replies {
    type State = State;
    type Step = Step;

    fn start(&self) -> State {
        State {
            version: 0,
            answers: 0,
            calls: [None; 3],
            kept: None,
            newest_kept: 0,
        }
    }

    fn steps(&self, state: &State, into: &mut Vec<(Step, State)>) {
        if state.version < 4 {
            let version = state.version + 1;
            into.push((Step::ProviderChanges, State { version, ..*state }));
        }
        if let Some(free) = state.calls.iter().position(Option::is_none) {
            let mut to = *state;
            to.calls[free] = Some(Call {
                version: None,
                answered: None,
                recorded: false,
            });
            into.push((Step::Admit(free), to));
        }
        for nth in 0..state.calls.len() {
            let Some(call) = state.calls[nth] else {
                continue;
            };
            let mut to = *state;
            match call {
                Call { version: None, .. } => {
                    let version = Some(state.version);
                    to.calls[nth] = Some(Call { version, ..call });
                    into.push((Step::Arrive(nth), to));
                }
                Call { answered: None, .. } => {
                    let answered = Some(state.answers);
                    to.answers += 1;
                    to.calls[nth] = Some(Call { answered, ..call });
                    into.push((Step::Answer(nth), to));
                }
                Call {
                    version: Some(version),
                    answered: Some(answered),
                    recorded: false,
                } => {
                    let recorded = true;
                    to.calls[nth] = Some(Call { recorded, ..call });
                    let admitted = state.calls.iter().flatten().count();
                    let new = Kept {
                        version,
                        answered,
                        call: nth as u8,
                        last_call: admitted as u8 - 1,
                    };
                    if state.kept.is_none_or(|old| self.0.replaces(&old, &new)) {
                        to.kept = Some(new);
                        to.newest_kept = to.newest_kept.max(version);
                    }
                    into.push((Step::Record(nth), to));
                }
                _ => {}
            }
        }
    }

    fn wrong(&self, state: &State) -> Option<String> {
        let kept = state.kept?.version;
        let newest = state.newest_kept;
        (kept < newest).then(|| format!("{kept} has replaced {newest}"))
    }
}

impl Replaces {
    fn replaces(self, old: &Kept, new: &Kept) -> bool {
        match self {
            Self::ByVersion => new.version >= old.version,
            Self::WhenAdmittedAfter => new.call > old.last_call,
            Self::ByRecord => true,
            Self::ByAdmission => new.call > old.call,
            Self::ByAnswer => new.answered > old.answered,
        }
    }
}

#[test]
fn a_newer_answer_stays() {
    holds("answers by version", &Replies(Replaces::ByVersion));
    let without_overlap = Replies(Replaces::WhenAdmittedAfter);
    holds("answers without overlap", &without_overlap);
}

#[test]
fn hole_10_any_other_order_replaces_a_newer_answer_by_an_older_one() {
    for order in [
        Replaces::ByRecord,
        Replaces::ByAdmission,
        Replaces::ByAnswer,
    ] {
        fails(&format!("{order:?}"), &Replies(order));
    }
}

/// A reset instant only moves later, and it is its own version.
#[test]
fn hole_23_a_reset_that_is_taken_as_it_comes_rolls_a_window_back() {
    holds("resets that only move later", &Replies(Replaces::ByVersion));
    fails("resets as they come", &Replies(Replaces::ByRecord));
}
