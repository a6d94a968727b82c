//! What may happen next, and what it leads to.

use super::admissions::{admit, claim, count, lock};
use super::explore::Machine;
use super::state::{CALLS, Call, Holder, Read, Request, Row, State};
use super::usage::{self, window_of};
use super::world::{Window, World};

/// One step of a history.
#[derive(Debug, Clone, Copy)]
#[expect(dead_code, reason = "the numbers are printed")]
pub(crate) enum Step {
    Tick,
    /// An admission in one go, as it is under the lock.
    Admit {
        provider: u8,
        reader: bool,
    },
    /// A statement of an admission by one of two workers.
    Count(usize),
    Lock(usize),
    Claim(usize),
    Send(usize),
    /// It looks at its clock, may send, and stops for a while.
    Freeze(usize),
    Thaw(usize),
    Kill(usize),
    Arrive {
        call: usize,
        cost: u8,
    },
    Lose(usize),
    /// The client sends the same request once more.
    Resend(usize),
    Heartbeat(usize),
    Answer(usize),
    GiveUp(usize),
    /// The connection breaks, and the call is taken for not sent.
    TakeForUnsent(usize),
    Release(usize),
    Lapse(usize),
    Crash,
    FailOver,
    ClockBack,
    ClockAhead,
    SetCap(u8),
    SpendOfOthers,
    BeginRead,
    CountRemotely,
    EndRead,
    Prune,
}

/// The protocol in a world; which of the two promises to look at is said besides.
pub(crate) struct Budget {
    pub(crate) world: World,
    pub(crate) promise: Promise,
}

/// What must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Promise {
    /// The provider counts no more than the cap in any window.
    Cap,
    /// The same, and what is known to be paid stands in the ledger.
    CapAndLedger,
    /// Readers find what is kept for them.
    ReadersShare,
    /// Planned calls alone never use a window up. Found wrong where all is well.
    NothingUsedUp,
    /// A lane that nobody probes can be probed.
    Probe,
}

impl Machine for Budget {
    type State = State;
    type Step = Step;

    fn start(&self) -> State {
        State::start(&self.world)
    }

    fn steps(&self, state: &State, into: &mut Vec<(Step, State)>) {
        let world = &self.world;
        let mut may = |step, to: Option<State>| {
            if let Some(to) = to {
                into.push((step, super::tidy::tidy(world, to)));
            }
        };
        may(Step::Tick, tick(world, state));
        if world.by_statement {
            for worker in 0..2 {
                may(Step::Count(worker), count(world, state, worker));
                may(Step::Lock(worker), lock(world, state, worker));
                may(Step::Claim(worker), claim(world, state, worker));
            }
        } else {
            for provider in 0..world.providers {
                for reader in [false, true] {
                    if !reader || world.readers_share > 0 {
                        let to = admit(world, state, provider, reader);
                        may(Step::Admit { provider, reader }, to);
                    }
                }
            }
        }
        for nth in 0..CALLS {
            let Some(call) = state.calls[nth] else {
                continue;
            };
            let with = |left: Option<super::world::Chances>, call: Option<Call>| {
                let mut to = *state;
                to.calls[nth] = Some(call?);
                to.left = left?;
                Some(to)
            };
            let free = Some(state.left);
            may(Step::Send(nth), with(free, call.send(world, state.now)));
            let freezes = spend(state, |left| &mut left.freezes);
            may(
                Step::Freeze(nth),
                with(freezes, call.freeze(world, state.now)),
            );
            may(Step::Thaw(nth), with(free, call.thaw(state.now)));
            let kills = spend(state, |left| &mut left.kills);
            may(Step::Kill(nth), with(kills, call.kill()));
            for cost in world.cost.0..=world.cost.1 {
                let arrived = call.arrive(state.now, cost);
                may(Step::Arrive { call: nth, cost }, with(free, arrived));
            }
            let losses = spend(state, |left| &mut left.losses);
            may(Step::Lose(nth), with(losses, call.lose()));
            if !world.rules.client_sends_once {
                let resends = spend(state, |left| &mut left.resends);
                may(Step::Resend(nth), with(resends, call.resend(state.now)));
            }
            let time = state.time(world) as i8;
            let beats = spend(state, |left| &mut left.heartbeats);
            may(Step::Heartbeat(nth), with(beats, call.beat(world, time)));
            may(Step::Answer(nth), answer(world, state, nth));
            let unknowns = spend(state, |left| &mut left.unknowns);
            may(Step::GiveUp(nth), with(unknowns, call.give_up(world, time)));
            if !world.rules.reset_is_unknown {
                let released = call.take_for_unsent(time);
                may(Step::TakeForUnsent(nth), with(unknowns, released));
            }
            let releases = spend(state, |left| &mut left.releases);
            may(Step::Release(nth), with(releases, call.release(time)));
            may(Step::Lapse(nth), with(free, call.lapse(world, time)));
        }
        super::mishaps::mishaps(world, state, &mut may);
    }

    /// Calls have no names, and neither have workers. What is over is told from what is
    /// not there, as the number of calls is a bound.
    fn canonical(&self, state: &State) -> State {
        let mut same = *state;
        same.calls.sort_unstable();
        same.admissions.sort_unstable();
        same
    }

    fn wrong(&self, state: &State) -> Option<String> {
        match self.promise {
            Promise::Cap => usage::overspent(&self.world, state),
            Promise::CapAndLedger => {
                usage::overspent(&self.world, state).or_else(|| usage::uncounted(state))
            }
            Promise::ReadersShare => usage::readers_blocked(&self.world, state),
            Promise::NothingUsedUp => usage::used_up(&self.world, state),
            Promise::Probe => usage::never_probed(&self.world, state),
        }
    }
}

/// The chances that are left after one was taken; `None` if there was none.
pub(crate) fn spend(
    state: &State,
    of: impl Fn(&mut super::world::Chances) -> &mut u8,
) -> Option<super::world::Chances> {
    let mut left = state.left;
    let chance = of(&mut left);
    *chance = chance.checked_sub(1)?;
    Some(left)
}

/// Time passes, unless something must happen before.
fn tick(world: &World, state: &State) -> Option<State> {
    let due = |since: i8, after: i16| i16::from(state.now) >= i16::from(since) + after;
    let waits = state.calls().any(|call| match (call.request, call.holder) {
        (Request::Sent { at }, _) => due(at, world.max_transit),
        (_, Holder::Frozen { since }) => due(since, world.max_freeze),
        _ => false,
    });
    if waits || i16::from(state.now) >= world.ticks {
        return None;
    }
    let mut to = *state;
    to.now += 1;
    to.told = to.time(world) as i8;
    Some(to)
}

fn answer(world: &World, state: &State, nth: usize) -> Option<State> {
    let call = state.calls[nth]?;
    let Request::Arrived { cost, .. } = call.request else {
        return None;
    };
    (call.holder == Holder::Alive).then_some(())?;
    let time = state.time(world) as i8;
    let mut to = *state;
    let mut settled = Call {
        holder: Holder::Gone,
        row: Row::Settled,
        end: time,
        charged: cost,
        ..call
    };
    match call.row {
        Row::Open => {}
        Row::Lapsed if world.rules.late_cost_counts => settled.end = call.end.max(time),
        Row::Lapsed => {
            settled = Call {
                row: Row::Unheard,
                holder: Holder::Gone,
                ..call
            }
        }
        _ => return None,
    }
    to.calls[nth] = Some(settled);
    to.probing = false;
    to.half_open = false;
    if !world.rules.corrects_what_was_charged {
        misplace(world, &mut to, i16::from(cost) - i16::from(call.price));
    }
    let drift = cost.saturating_sub(call.price);
    if drift > 0 {
        to.surcharge += drift;
        to.confirmed = false;
        for other in to.calls.iter_mut().flatten() {
            if other.row == Row::Open && world.rules.raises_calls_in_flight {
                other.price += drift;
            }
        }
    } else if call.row == Row::Open {
        to.confirmed = true;
    }
    Some(to)
}

/// A correction by date: into the window of the present, whichever was charged.
fn misplace(world: &World, to: &mut State, amount: i16) {
    for limit in &world.limits {
        let Window::Calendar(period) = limit.window else {
            continue;
        };
        let window = window_of(to.time(world), period);
        let place = usize::try_from(window)
            .ok()
            .and_then(|at| to.misplaced.get_mut(at));
        if let Some(place) = place {
            *place += amount as i8;
        }
    }
}

pub(crate) fn begin_read(world: &World, state: &State) -> Option<Read> {
    let Window::Calendar(period) = world.limits[0].window else {
        return None;
    };
    let now = state.time(world);
    let window = window_of(now, period);
    let ended = |call: &&Call| call.row != Row::Open && i16::from(call.end) < now;
    let charged = |ended_only: bool| {
        let mut seen = *state;
        seen.known_foreign = None;
        for call in &mut seen.calls {
            *call = call.filter(|call| !ended_only || ended(&call));
        }
        usage::charged_to(world, &seen, &world.limits[0], period, window, 0)
    };
    Some(Read {
        began: now as i8,
        ended_before: charged(true) as u8,
        all_of_ours: charged(false) as u8,
        counted: None,
    })
}
