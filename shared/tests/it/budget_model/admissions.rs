//! How a call is admitted: in one go, or statement by statement.

use super::state::{Admission, Call, Holder, Request, Row, State};
use super::usage::{fits, price, window_of};
use super::world::{Order, Probe, Window, World};

/// Whether anything at all is admitted now, apart from what the limits say.
fn open(world: &World, state: &State) -> bool {
    let unfinished = state.calls().any(|call| call.row == Row::Open);
    let probe = !state.half_open
        || match world.rules.probe {
            Probe::FromUnfinishedCalls => !unfinished,
            Probe::Flag => !state.probing,
        };
    let confirmed = state.confirmed || !world.rules.confirms_prices || !unfinished;
    // What others spend in a window is not known before it was looked at.
    let looked = world.chances.foreign == 0
        || match (state.known_foreign, world.limits[0].window) {
            (Some((_, of)), Window::Calendar(period)) => {
                i16::from(of) == window_of(state.time(world), period)
            }
            _ => false,
        };
    let unsure =
        world.rules.distrusts_clock && i16::from(state.closed_until) > i16::from(state.now);
    let failed_over = i16::from(state.closed_until) > state.time(world);
    probe && confirmed && looked && !unsure && !failed_over
}

pub(super) fn admit(world: &World, state: &State, provider: u8, reader: bool) -> Option<State> {
    (open(world, state) && fits(world, state, provider, reader)).then_some(())?;
    insert(world, state, provider, reader)
}

fn insert(world: &World, state: &State, provider: u8, reader: bool) -> Option<State> {
    let free = state.free(world)?;
    let time = state.time(world) as i8;
    let mut to = *state;
    to.probing = state.half_open;
    to.calls[free] = Some(Call {
        provider,
        reader,
        row: Row::Open,
        holder: Holder::Alive,
        request: Request::Unsent,
        again: None,
        reserved: time,
        send_by: state.now + world.lease as i8,
        leased_until: time + world.lease as i8,
        end: 0,
        price: price(world, state),
        charged: 0,
        cap: state.cap,
        unwarned: state.surcharge == 0,
    });
    Some(to)
}

pub(super) fn count(world: &World, state: &State, worker: usize) -> Option<State> {
    let locked = match (world.rules.order, state.admissions[worker]) {
        (Order::LockCountClaim, Admission::Locked) => true,
        (Order::LockCountClaim, _) => return None,
        (_, Admission::Idle) => false,
        _ => return None,
    };
    let mut to = *state;
    to.admissions[worker] = Admission::Counted {
        fits: open(world, state) && fits(world, state, 0, false),
        locked,
    };
    Some(to)
}

pub(super) fn lock(world: &World, state: &State, worker: usize) -> Option<State> {
    let taken = state.admissions.iter().any(|admission| {
        matches!(
            admission,
            Admission::Locked | Admission::Counted { locked: true, .. }
        )
    });
    if taken {
        return None;
    }
    let mut to = *state;
    to.admissions[worker] = match (world.rules.order, state.admissions[worker]) {
        (Order::LockCountClaim, Admission::Idle) => Admission::Locked,
        (
            Order::LockAndCountInOne | Order::CountLockClaim,
            Admission::Counted {
                fits,
                locked: false,
            },
        ) => Admission::Counted { fits, locked: true },
        _ => return None,
    };
    Some(to)
}

pub(super) fn claim(world: &World, state: &State, worker: usize) -> Option<State> {
    let Admission::Counted { fits, locked } = state.admissions[worker] else {
        return None;
    };
    (locked || world.rules.order == Order::NoLock).then_some(())?;
    let mut to = match fits {
        true => insert(world, state, 0, false)?,
        false => *state,
    };
    to.admissions[worker] = Admission::Idle;
    Some(to)
}
