//! Whether what came to a provider kept within a limit: an own count, which shares nothing
//! with the code that admits.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use sandbox::Arrival;

use super::lanes::{Limit, Unit, Window};

/// What was counted against one limit.
#[derive(Debug, Clone)]
pub(crate) struct Count {
    /// The most in any of its windows.
    pub(crate) most: u64,
    /// How many windows were looked at: calendar ones that saw a call; else every
    /// stretch that begins with a call.
    pub(crate) windows: usize,
}

/// Counts arrivals, in order, against a limit.
pub(crate) fn count(limit: &Limit, arrivals: &[Arrival]) -> Count {
    let amount = |arrival: &Arrival| match limit.unit {
        Unit::Requests => 1,
        Unit::Credits => arrival.credits,
    };
    match limit.window {
        Window::InFlight => Count {
            most: arrivals.iter().map(|one| one.in_flight).max().unwrap_or(0),
            windows: arrivals.len(),
        },
        Window::Rolling(width) => {
            let width = u64::try_from(width.as_micros()).unwrap();
            let mut most = 0;
            // Every fullest stretch begins with an arrival; both of its ends count.
            for (nth, first) in arrivals.iter().enumerate() {
                let within = arrivals[nth..]
                    .iter()
                    .take_while(|one| one.elapsed_micros - first.elapsed_micros <= width);
                most = most.max(within.map(amount).sum());
            }
            Count {
                most,
                windows: arrivals.len(),
            }
        }
        Window::Minute | Window::Day(_) => {
            let mut sums: BTreeMap<DateTime<Utc>, u64> = BTreeMap::new();
            for arrival in arrivals {
                *sums.entry(begin(limit.window, arrival.at)).or_default() += amount(arrival);
            }
            Count {
                most: sums.values().copied().max().unwrap_or(0),
                windows: sums.len(),
            }
        }
    }
}

/// When the calendar window of an instant began.
pub(crate) fn begin(window: Window, at: DateTime<Utc>) -> DateTime<Utc> {
    let (anchor, length) = match window {
        Window::Day(anchor) => (anchor, TimeDelta::days(1)),
        _ => (DateTime::UNIX_EPOCH, TimeDelta::minutes(1)),
    };
    let windows = (at - anchor)
        .num_microseconds()
        .unwrap()
        .div_euclid(length.num_microseconds().unwrap());
    anchor + length * i32::try_from(windows).unwrap()
}
