//! What stands against a limit, by the rules; and what the provider has really counted.

use super::state::{Call, Holder, Request, Row, State};
use super::world::{Foreign, Limit, Share, Window, World};

/// Number of the calendar window that a moment lies in.
pub(crate) fn window_of(moment: i16, period: i16) -> i16 {
    moment.div_euclid(period)
}

/// Whether a call takes from a limit of `provider`.
fn concerns(world: &World, limit: &Limit, call: &Call, provider: u8) -> bool {
    call.counts() && (call.provider == provider || (limit.of_address && world.rules.shares_address))
}

/// What stands in the ledger for the calendar window of a number.
pub(crate) fn charged_to(
    world: &World,
    state: &State,
    limit: &Limit,
    period: i16,
    window: i16,
    provider: u8,
) -> i16 {
    let grace = world.widened_by();
    let calls = state.calls().filter(|call| {
        let first = window_of(i16::from(call.reserved) - grace, period);
        let last = match call.row {
            Row::Open if world.rules.unfinished_meets_next_window => i16::MAX,
            Row::Open => window_of(i16::from(call.reserved) + grace, period),
            _ if !world.rules.corrects_what_was_charged => {
                window_of(i16::from(call.reserved) + grace, period)
            }
            _ => window_of(i16::from(call.end) + grace, period),
        };
        concerns(world, limit, call, provider) && first <= window && window <= last
    });
    let ours: i16 = calls
        .map(|call| match world.rules.corrects_what_was_charged {
            true => call.amount(limit.credits),
            false if limit.credits => i16::from(call.price),
            false => 1,
        })
        .sum();
    let misplaced = usize::try_from(window)
        .ok()
        .and_then(|window| state.misplaced.get(window));
    let foreign = match state.known_foreign {
        Some((amount, of)) if i16::from(of) == window => i16::from(amount),
        _ => 0,
    };
    let total = match world.rules.foreign {
        // What is kept is the provider's whole count.
        Foreign::LargerOfTheTwo => ours.max(foreign),
        _ => ours + foreign,
    };
    total + misplaced.map_or(0, |amount| i16::from(*amount))
}

/// What stands against a limit now, in each window that a call sent now may be counted in.
fn used(world: &World, state: &State, limit: &Limit, provider: u8) -> i16 {
    let now = state.time(world);
    let sum = |counts: &dyn Fn(&Call) -> bool| -> i16 {
        let calls = state
            .calls()
            .filter(|call| concerns(world, limit, call, provider) && counts(call));
        calls.map(|call| call.amount(limit.credits)).sum()
    };
    match limit.window {
        Window::Rolling(width) if world.rules.occupies_after_its_end => {
            sum(&|call| call.row == Row::Open || now <= i16::from(call.end) + width)
        }
        Window::Rolling(width) => sum(&|call| now <= i16::from(call.reserved) + width),
        Window::Concurrency => sum(&|call| call.row == Row::Open || now <= i16::from(call.end)),
        Window::Calendar(period) => {
            let first = window_of(now - world.widened_by(), period);
            let windows = first..=window_of(now, period);
            let charged =
                windows.map(|window| charged_to(world, state, limit, period, window, provider));
            charged.max().unwrap_or(0)
        }
    }
}

/// The cap of a limit, which for the first one may have been changed.
pub(crate) fn cap(state: &State, limits: &[Limit], nth: usize) -> i16 {
    i16::from(if nth == 0 { state.cap } else { limits[nth].cap })
}

/// What planned calls leave of the first limit to readers.
pub(crate) fn kept_for_readers(world: &World, state: &State) -> i16 {
    let (Window::Calendar(period), share) =
        (world.limits[0].window, i16::from(world.readers_share))
    else {
        return 0;
    };
    let spent = state.calls().filter(|call| call.reader && call.counts());
    let spent = i16::try_from(spent.count()).unwrap_or(0);
    let left = period - state.time(world).rem_euclid(period);
    match world.rules.share {
        // Rounded up: a part of a call is of no use to a reader.
        Share::ByTimeLeft => ((share * (left - 1) + period - 1).div_euclid(period) - spent).max(0),
        Share::Fixed => (share - spent).max(0),
        Share::Nothing => 0,
    }
}

/// Whether one more call fits every limit.
pub(crate) fn fits(world: &World, state: &State, provider: u8, reader: bool) -> bool {
    let price = price(world, state);
    world.limits.iter().enumerate().all(|(nth, limit)| {
        let amount = if limit.credits { i16::from(price) } else { 1 };
        let kept = match nth {
            0 if !reader => kept_for_readers(world, state),
            _ => 0,
        };
        used(world, state, limit, provider) + amount <= cap(state, &world.limits, nth) - kept
    })
}

/// What is set aside for a call.
pub(crate) fn price(world: &World, state: &State) -> u8 {
    let rule = if world.rules.reserves_the_most {
        world.rule
    } else {
        world.cost.0
    };
    rule + state.surcharge
}

/// A request that the provider counted: when, what it cost, and of which call.
type Arrival<'a> = (i16, u8, &'a Call);

/// What the provider counted against the limits: the first thing that is too much.
///
/// The provider's clock is that of the database, or ahead or behind by `grace`; what we do
/// does not depend on which, so that one exploration covers all.
pub(crate) fn overspent(world: &World, state: &State) -> Option<String> {
    let now = i16::from(state.now);
    let mut times = state.calls().flat_map(Call::arrivals).map(|(at, _)| at);
    if !times.any(|at| at == now) {
        // It was looked at when the last one arrived.
        return None;
    }
    let mut skews: Vec<i16> = match world.skew {
        Some(skew) => vec![skew],
        None => (-world.grace..=world.grace).collect(),
    };
    skews.sort_by_key(|skew| skew.abs());
    skews
        .into_iter()
        .find_map(|skew| overspent_by(world, state, skew))
}

fn overspent_by(world: &World, state: &State, skew: i16) -> Option<String> {
    let mut arrivals: Vec<Arrival<'_>> = Vec::new();
    for call in state.calls() {
        arrivals.extend(call.arrivals().map(|(at, cost)| (at, cost, call)));
    }
    for (nth, limit) in world.limits.iter().enumerate() {
        for provider in 0..if limit.of_address { 1 } else { world.providers } {
            let of_limit: Vec<Arrival<'_>> = arrivals
                .iter()
                .filter(|(_, _, call)| limit.of_address || call.provider == provider)
                .copied()
                .collect();
            for (at, _, _) in &of_limit {
                let together: Vec<Arrival<'_>> = of_limit
                    .iter()
                    .filter(|arrival| together(state, limit, skew, *at, arrival))
                    .copied()
                    .collect();
                let foreign = match limit.window {
                    Window::Calendar(_) => i16::from(state.foreign),
                    _ => 0,
                };
                let counted: i16 = together
                    .iter()
                    .map(|(_, cost, _)| if limit.credits { i16::from(*cost) } else { 1 })
                    .sum();
                let allowed = allowed(world, limit, nth, &together);
                if counted + foreign > allowed {
                    return Some(format!(
                        "the provider counts {} of {allowed} in {:?}, with its clock ahead by {skew}",
                        counted + foreign,
                        limit.window
                    ));
                }
            }
        }
    }
    None
}

/// Whether the provider counts an arrival together with one at `at`.
fn together(state: &State, limit: &Limit, skew: i16, at: i16, other: &Arrival<'_>) -> bool {
    match limit.window {
        Window::Rolling(width) => at <= other.0 && other.0 <= at + width,
        Window::Calendar(period) => {
            window_of(at + skew, period) == window_of(other.0 + skew, period)
        }
        // At work on it: since just now, or for somebody who still waits for the answer.
        Window::Concurrency => {
            let now = i16::from(state.now);
            let waits = other.2.holder == Holder::Alive && other.2.row == Row::Open;
            at == now && (other.0 == now || waits)
        }
    }
}

/// How much they may be: the cap when the last of them was admitted. Calls that were
/// admitted before anybody could know their price are excused, and nothing else is.
fn allowed(world: &World, limit: &Limit, nth: usize, together: &[Arrival<'_>]) -> i16 {
    let last = together.iter().max_by_key(|(_, _, call)| call.reserved);
    let cap = match last {
        Some((_, _, call)) if nth == 0 => i16::from(call.cap),
        _ => i16::from(limit.cap),
    };
    if !limit.credits || world.cost.1 <= world.rule {
        return cap;
    }
    let unwarned = together.iter().filter(|(_, _, call)| call.unwarned);
    let unwarned: Vec<i16> = unwarned.map(|(_, cost, _)| i16::from(*cost)).collect();
    match world.confirmed {
        true => cap.max(unwarned.iter().sum()),
        // One at a time: only the first can come as a surprise.
        false => cap.max(unwarned.first().copied().unwrap_or(0)),
    }
}

/// A cost that is known and does not stand in the ledger, or a request without a row.
pub(crate) fn uncounted(state: &State) -> Option<String> {
    state.calls().find_map(|call| {
        let Request::Arrived { cost, .. } = call.request else {
            return None;
        };
        match call.row {
            Row::Settled if call.charged < cost => {
                Some(format!("{cost} was paid, the ledger says {}", call.charged))
            }
            Row::Unheard if call.charged != cost => Some(format!(
                "{cost} was paid, as was told, the ledger says {}",
                call.charged
            )),
            Row::Released | Row::Forgotten => Some(format!("{cost} was paid, the ledger says 0")),
            _ => None,
        }
    })
}

/// Whether planned calls have taken what is kept for readers.
pub(crate) fn readers_blocked(world: &World, state: &State) -> Option<String> {
    let mut kept = world.clone();
    kept.rules.share = Share::ByTimeLeft;
    let kept = kept_for_readers(&kept, state);
    let used = used(world, state, &world.limits[0], 0);
    let left = cap(state, &world.limits, 0) - used;
    (left < kept).then(|| format!("{left} are left, and {kept} are kept for readers"))
}

/// Whether a lane that opens slowly waits for a probe that nobody makes.
pub(crate) fn never_probed(world: &World, state: &State) -> Option<String> {
    let nobody = state
        .calls()
        .all(|call| call.row != Row::Open && call.holder == Holder::Gone);
    let blocked =
        state.half_open && state.probing && world.rules.probe == super::world::Probe::Flag;
    (nobody && blocked).then(|| "nobody probes, and nobody may".to_owned())
}

/// Whether planned calls have used the window up, when readers did not ask.
pub(crate) fn used_up(world: &World, state: &State) -> Option<String> {
    let planned = state.calls().all(|call| !call.reader);
    let left = cap(state, &world.limits, 0) - used(world, state, &world.limits[0], 0);
    (planned && left == 0).then(|| "nothing is left over".to_owned())
}
