//! Whether every request that came had a reservation of its own, which was in force.
//!
//! Sums can agree by chance, one call too few here and one too many there. So each arrival
//! is given a row of the ledger: of the same endpoint, reserved before it came and not
//! ended before it. The one that ends first is taken, which finds a partner for every
//! arrival if there is any way to.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use chrono::{DateTime, TimeDelta, Utc};
use sandbox::Arrival;

use super::audit::Call;

/// What the comparison came to.
#[derive(Debug, Default)]
pub(crate) struct Matched {
    /// Arrivals without a reservation that was in force, by their numbers.
    pub(crate) unreserved: Vec<u64>,
    /// Calls that never came, as places in the ledger.
    pub(crate) never_came: Vec<usize>,
}

/// Compares one provider's arrivals with its rows; `clock_off` is how far the provider's
/// clock is ahead of the database's.
pub(crate) fn compare(arrivals: &[Arrival], calls: &[Call], clock_off: TimeDelta) -> Matched {
    let mut matched = Matched::default();
    for endpoint in ["quotes_latest", "listings_latest", "key_info", ""] {
        let arrivals = arrivals
            .iter()
            .filter(|one| endpoint_of(&one.path) == endpoint);
        let calls = calls.iter().enumerate();
        let calls = calls.filter(|(_, call)| call.requests == 1 && call.endpoint == endpoint);
        one_endpoint(arrivals, calls, clock_off, &mut matched);
    }
    matched
}

fn one_endpoint<'a>(
    arrivals: impl Iterator<Item = &'a Arrival>,
    calls: impl Iterator<Item = (usize, &'a Call)>,
    clock_off: TimeDelta,
    matched: &mut Matched,
) {
    let mut reserved: Vec<(usize, &Call)> = calls.collect();
    reserved.sort_by_key(|(_, call)| call.reserved_at);
    let mut reserved = reserved.into_iter().peekable();
    let mut in_force: BinaryHeap<Reverse<(DateTime<Utc>, usize)>> = BinaryHeap::new();
    for arrival in arrivals {
        // The database keeps microseconds.
        let at = arrival.at - clock_off;
        while let Some((nth, call)) = reserved.next_if(|(_, call)| call.reserved_at <= at) {
            in_force.push(Reverse((
                call.end_at.unwrap_or(DateTime::<Utc>::MAX_UTC),
                nth,
            )));
        }
        while let Some(Reverse((end, nth))) = in_force.peek().copied() {
            if end >= at - TimeDelta::microseconds(1) {
                break;
            }
            in_force.pop();
            matched.never_came.push(nth);
        }
        if in_force.pop().is_none() {
            matched.unreserved.push(arrival.number);
        }
    }
    matched
        .never_came
        .extend(in_force.into_iter().map(|Reverse((_, nth))| nth));
    matched.never_came.extend(reserved.map(|(nth, _)| nth));
}

/// The endpoint that the preset has for a path.
fn endpoint_of(path: &str) -> &'static str {
    match path {
        "/v3/cryptocurrency/quotes/latest" => "quotes_latest",
        "/v3/cryptocurrency/listings/latest" => "listings_latest",
        "/v1/key/info" => "key_info",
        _ => "",
    }
}
