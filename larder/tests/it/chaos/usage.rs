//! How much of each cap a run without faults used.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use sandbox::Arrival;

use super::audit::Call;
use super::lanes::{Limit, Unit, Window};
use super::windows::begin;

/// Longer than `reset_grace` and a call together.
const CLOSE: TimeDelta = TimeDelta::seconds(3);

/// What was used of a limit, and what could have been.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Used {
    /// Used in the worst whole window, or on average where windows roll.
    pub(crate) amount: f64,
    /// What could have been used: the cap; of rolling windows the cap × w / (w + how long
    /// a call occupies one after its reservation).
    pub(crate) of: f64,
    /// How long that is on average, in seconds; nothing for calendar windows.
    pub(crate) occupied: f64,
}

impl Used {
    pub(crate) fn share(&self) -> f64 {
        self.amount / self.of
    }
}

/// What was used of a limit in a run, of which begin and end are given; `None` if no
/// whole window was seen, or if it counts calls in flight.
pub(crate) fn of(
    limit: &Limit,
    arrivals: &[Arrival],
    calls: &[Call],
    run: (DateTime<Utc>, DateTime<Utc>),
) -> Option<Used> {
    let amount = |arrival: &Arrival| match limit.unit {
        Unit::Requests => 1,
        Unit::Credits => arrival.credits,
    };
    let cap = limit.cap as f64;
    match limit.window {
        Window::InFlight => None,
        Window::Rolling(width) => {
            let lasted: Vec<f64> = calls
                .iter()
                .filter_map(|call| Some((call.end_at? - call.reserved_at).as_seconds_f64()))
                .collect();
            let occupied = lasted.iter().sum::<f64>() / lasted.len() as f64;
            let width = width.as_secs_f64();
            // From the first call to the last that completes a whole number of caps.
            let (first, mut sum, mut caps, mut whole) = (arrivals.first()?, 0, 0, None);
            for arrival in arrivals {
                if sum / limit.cap > caps {
                    caps = sum / limit.cap;
                    whole = Some((sum, arrival.elapsed_micros));
                }
                sum += amount(arrival);
            }
            let (sum, at) = whole?;
            let seconds = (at - first.elapsed_micros) as f64 / 1e6;
            Some(Used {
                amount: sum as f64 / seconds * (width + occupied),
                of: cap,
                occupied,
            })
        }
        Window::Minute | Window::Day(_) => {
            let mut sums: BTreeMap<DateTime<Utc>, u64> = BTreeMap::new();
            for arrival in arrivals {
                *sums.entry(begin(limit.window, arrival.at)).or_default() += amount(arrival);
            }
            let last = begin(limit.window, run.1);
            let is_day = matches!(limit.window, Window::Day(_));
            let worst = sums
                .into_iter()
                // Whole ones: a day that began during the run is as good, since its cap is
                // used up at once.
                .filter(|(begin, _)| *begin >= run.0 && (is_day || *begin < last))
                // Calls this close to a reset are charged to two windows, so the second of
                // them has room for fewer. Under backlog only the run's begin does that.
                .filter(|(begin, _)| {
                    let close = *begin - CLOSE..*begin;
                    !arrivals.iter().any(|arrival| close.contains(&arrival.at))
                })
                .map(|(_, sum)| sum)
                .min()?;
            Some(Used {
                amount: worst as f64,
                of: cap,
                occupied: 0.0,
            })
        }
    }
}
