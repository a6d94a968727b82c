//! A provider that counts requests when they arrive.

use chrono::{DateTime, TimeDelta, Utc};
use shared::budget::{LimitSpec, LimitWindow, Period};

/// A request that arrived.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arrival {
    pub(super) at: DateTime<Utc>,
    pub(super) credits: u32,
    /// Number of its call.
    pub(super) call: i64,
    /// Cap of the first limit when its call was admitted.
    pub(super) cap: u32,
}

/// What is too much, if anything is.
///
/// The clock of the provider is off by up to `grace`. `working` is how many requests it
/// works on at the moment.
pub(super) fn overspent(
    arrivals: &[Arrival],
    limits: &[LimitSpec],
    grace: TimeDelta,
    working: usize,
) -> Option<String> {
    for (nth, limit) in limits.iter().enumerate() {
        let sums = match &limit.window {
            LimitWindow::Rolling(width) => rolling(arrivals, TimeDelta::from_std(*width).unwrap()),
            LimitWindow::Calendar { period, .. } => [-grace, TimeDelta::zero(), grace]
                .iter()
                .flat_map(|skew| calendar(arrivals, *period, *skew))
                .collect(),
            LimitWindow::Concurrency => {
                if working > limit.cap as usize {
                    return Some(format!("the provider counts {working} at once"));
                }
                Vec::new()
            }
            LimitWindow::Discovered => panic!("no history has a discovered limit"),
        };
        for window in sums {
            let last = window.iter().max_by_key(|arrival| arrival.call);
            let cap = match last {
                Some(arrival) if nth == 0 => i64::from(arrival.cap),
                _ => i64::from(limit.cap),
            };
            let count: i64 = window
                .iter()
                .map(|arrival| limit.unit.amount(arrival.credits))
                .sum();
            if count > cap {
                return Some(format!(
                    "the provider counts {count} of {cap} for {}: {window:?}",
                    limit.name
                ));
            }
        }
    }
    None
}

/// Any stretch of the width, both ends included: it may as well begin at an arrival.
fn rolling(arrivals: &[Arrival], width: TimeDelta) -> Vec<Vec<Arrival>> {
    let within = |from: &Arrival| {
        let inside = arrivals
            .iter()
            .filter(|other| from.at <= other.at && other.at <= from.at + width);
        inside.copied().collect()
    };
    arrivals.iter().map(within).collect()
}

/// The windows of a provider whose clock is ahead by `skew`.
fn calendar(arrivals: &[Arrival], period: Period, skew: TimeDelta) -> Vec<Vec<Arrival>> {
    let name = |arrival: &Arrival| {
        let format = match period {
            Period::Minute => "%Y-%m-%dT%H:%M",
            Period::Hour => "%Y-%m-%dT%H",
            Period::Day => "%Y-%m-%d",
            Period::Month => "%Y-%m",
        };
        (arrival.at + skew).format(format).to_string()
    };
    let mut windows = std::collections::BTreeMap::<String, Vec<Arrival>>::new();
    for arrival in arrivals {
        windows.entry(name(arrival)).or_default().push(*arrival);
    }
    windows.into_values().collect()
}
