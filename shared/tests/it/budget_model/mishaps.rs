//! What happens to the database, to the configuration, and to the key by others.

use super::state::{Row, State};
use super::steps::{Step, begin_read, spend};
use super::usage::window_of;
use super::world::{Foreign, Window, World};

pub(super) fn mishaps(world: &World, state: &State, may: &mut impl FnMut(Step, Option<State>)) {
    may(Step::Crash, crash(world, state));
    may(Step::FailOver, fail_over(world, state));
    may(Step::ClockBack, clock_back(world, state));
    may(Step::ClockAhead, clock_ahead(world, state));
    if let Some(left) = spend(state, |left| &mut left.cap_changes) {
        let cap = match state.cap == world.lower_cap {
            true => world.limits[0].cap,
            false => world.lower_cap,
        };
        may(
            Step::SetCap(cap),
            Some(State {
                cap,
                left,
                ..*state
            }),
        );
    }
    if let Some(left) = spend(state, |left| &mut left.foreign) {
        let before = state.now == 0 && state.read.is_none() && state.known_foreign.is_none();
        let foreign = state.foreign + 1;
        may(
            Step::SpendOfOthers,
            before.then_some(State {
                foreign,
                left,
                ..*state
            }),
        );
    }
    if let Some(left) = spend(state, |left| &mut left.reads) {
        let read = begin_read(world, state);
        let idle = state.read.is_none() && read.is_some();
        may(
            Step::BeginRead,
            idle.then_some(State {
                read,
                left,
                ..*state
            }),
        );
    }
    may(Step::CountRemotely, count_remotely(world, state));
    may(Step::EndRead, end_read(world, state));
    if let Some(left) = spend(state, |left| &mut left.prunes) {
        may(Step::Prune, Some(prune(world, State { left, ..*state })));
    }
}

/// What was committed just now and is not on disk is gone.
fn crash(world: &World, state: &State) -> Option<State> {
    let left = spend(state, |left| &mut left.crashes)?;
    let mut to = State { left, ..*state };
    if !world.rules.durable_admission {
        forget_the_latest(world, &mut to);
    }
    Some(to)
}

/// Another server takes over, which has not got the last commits.
fn fail_over(world: &World, state: &State) -> Option<State> {
    let left = spend(state, |left| &mut left.failovers)?;
    let mut to = State { left, ..*state };
    forget_the_latest(world, &mut to);
    if world.rules.waits_after_failover {
        // What was forgotten is a lease old at most when nobody can send it any more.
        to.closed_until =
            (state.time(world) + world.lease + world.hold() + world.widest() + 1) as i8;
    }
    Some(to)
}

fn forget_the_latest(world: &World, to: &mut State) {
    let now = to.time(world);
    for call in to.calls.iter_mut().flatten() {
        if i16::from(call.reserved) == now && call.row == Row::Open {
            call.row = Row::Forgotten;
        }
    }
}

fn clock_back(world: &World, state: &State) -> Option<State> {
    let left = spend(state, |left| &mut left.steps_back)?;
    let ahead = state.ahead - world.step as i8;
    (i16::from(state.now) >= world.step).then_some(State {
        ahead,
        left,
        ..*state
    })
}

fn clock_ahead(world: &World, state: &State) -> Option<State> {
    let left = spend(state, |left| &mut left.jumps)?;
    let mut to = State {
        ahead: state.ahead + world.step as i8,
        left,
        ..*state
    };
    if world.rules.distrusts_clock {
        // Of the time that really passes, which a worker measures.
        to.closed_until = state.now + (world.lease + world.hold() + world.widest() + 1) as i8;
    }
    to.told = to.time(world) as i8;
    Some(to)
}

/// The provider counts what has arrived in its present window.
fn count_remotely(world: &World, state: &State) -> Option<State> {
    let mut read = state.read.filter(|read| read.counted.is_none())?;
    let Window::Calendar(period) = world.limits[0].window else {
        return None;
    };
    let skew = world.skew.unwrap_or(0);
    let window = window_of(i16::from(state.now) + skew, period);
    let ours: u8 = state
        .calls()
        .flat_map(super::state::Call::arrivals)
        .filter(|(at, _)| window_of(at + skew, period) == window)
        .map(|(_, cost)| if world.limits[0].credits { cost } else { 1 })
        .sum();
    read.counted = Some(ours + state.foreign);
    Some(State {
        read: Some(read),
        ..*state
    })
}

fn end_read(world: &World, state: &State) -> Option<State> {
    let read = state.read?;
    let counted = read.counted?;
    let Window::Calendar(period) = world.limits[0].window else {
        return None;
    };
    let mut to = State {
        read: None,
        ..*state
    };
    let (began, now) = (i16::from(read.began), state.time(world));
    let window = window_of(now, period);
    let sure = window_of(began - world.grace, period) == window_of(now + world.grace, period);
    if sure || !world.rules.drops_reads_at_boundaries {
        let amount = match world.rules.foreign {
            Foreign::AddedToOurs => counted.saturating_sub(read.ended_before),
            Foreign::LargerOfTheTwo => counted,
            Foreign::BeyondAllOfOurs => counted.saturating_sub(read.all_of_ours),
        };
        to.known_foreign = Some((amount, window as i8));
    }
    Some(to)
}

/// Old calls are deleted.
fn prune(world: &World, mut to: State) -> State {
    let now = to.time(world);
    for call in to.calls.iter_mut().flatten() {
        let old = match world.rules.keeps_what_counts {
            true => i16::from(call.end) + world.widest(),
            false => i16::from(call.reserved) + world.widest(),
        };
        let settled = matches!(call.row, Row::Settled | Row::Lapsed);
        if settled && old < now {
            call.row = Row::Forgotten;
        }
    }
    to
}
