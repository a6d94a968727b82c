//! Makes states alike that nothing can tell apart any more, so that fewer are looked at.

use super::state::{Call, Holder, Request, Row, State};
use super::usage::window_of;
use super::world::{Window, World};

pub(super) fn tidy(world: &World, mut state: State) -> State {
    for nth in 0..state.calls.len() {
        if let Some(call) = &mut state.calls[nth] {
            tidy_call(call);
        }
        if state.calls[nth].is_some_and(|call| is_over(world, &state, &call)) {
            state.calls[nth] = Some(OVER);
        }
    }
    state
}

/// A call that can neither arrive nor count any more. It keeps its place: the number of
/// calls is a bound.
const OVER: Call = Call {
    provider: 0,
    reader: false,
    row: Row::Released,
    holder: Holder::Gone,
    request: Request::Never,
    again: None,
    reserved: 0,
    send_by: 0,
    leased_until: 0,
    end: 0,
    price: 0,
    charged: 0,
    cap: 0,
    unwarned: false,
};

fn tidy_call(call: &mut Call) {
    if call.row != Row::Open {
        call.leased_until = 0;
    }
    if call.request != Request::Unsent {
        call.send_by = 0;
    }
    if call.request == Request::Never && call.row == Row::Released {
        *call = OVER;
    }
}

fn is_over(world: &World, state: &State, call: &Call) -> bool {
    let settled = matches!(
        call.row,
        Row::Settled | Row::Released | Row::Forgotten | Row::Lapsed
    );
    if !settled || call.holder != Holder::Gone || matches!(call.request, Request::Sent { .. }) {
        return false;
    }
    // A clock that goes back may bring old windows back, and a read may still be under way.
    if state.left.steps_back > 0 || state.ahead < 0 || state.read.is_some() {
        return false;
    }
    let ended = match call.row {
        Row::Settled | Row::Lapsed => i16::from(call.end),
        _ => i16::MIN,
    };
    let arrived = call.arrivals().map(|(at, _)| at).max().unwrap_or(i16::MIN);
    // The earlier of the two clocks, and the later of the two moments.
    let now = i16::from(state.now).min(state.time(world));
    let last = ended.max(arrived);
    world.limits.iter().all(|limit| match limit.window {
        Window::Rolling(width) => last.saturating_add(width) < now,
        Window::Concurrency => last < now,
        Window::Calendar(period) => {
            let first_that_counts = window_of(now - 2 * world.grace, period);
            window_of(last.saturating_add(2 * world.grace), period) < first_that_counts
        }
    })
}
