//! Counts one window, whether it is a calendar one or a rolling one.

use std::collections::{BTreeMap, VecDeque};

use chrono::DateTime;

use super::report::{Tally, WindowCount};
use crate::clock::Moment;
use crate::window::Window;

/// Past windows that are remembered.
const KEPT_WINDOWS: usize = 2_000;

/// What was used in each window of one kind.
#[derive(Debug)]
pub(super) struct Meter {
    window: Window,
    /// By the window's start, in milliseconds; calendar windows only.
    past: BTreeMap<i64, Tally>,
    /// What a rolling window still holds, oldest first, and the sum of it.
    recent: VecDeque<(u64, Tally)>,
    sum: Tally,
}

impl Meter {
    pub(super) fn new(window: Window) -> Self {
        Self {
            window,
            past: BTreeMap::new(),
            recent: VecDeque::new(),
            sum: Tally::default(),
        }
    }

    pub(super) fn window(&self) -> Window {
        self.window
    }

    /// What the window that holds `now` has counted so far.
    pub(super) fn used(&mut self, now: Moment) -> Tally {
        if let Some(start) = self.window.start(now.wall) {
            let start = start.timestamp_millis();
            return self.past.get(&start).copied().unwrap_or_default();
        }
        self.forget(now);
        self.sum
    }

    pub(super) fn add(&mut self, now: Moment, amount: Tally) {
        if let Some(start) = self.window.start(now.wall) {
            *self.past.entry(start.timestamp_millis()).or_default() += amount;
            if self.past.len() > KEPT_WINDOWS {
                self.past.pop_first();
            }
            return;
        }
        self.forget(now);
        self.recent.push_back((now.micros, amount));
        self.sum += amount;
    }

    pub(super) fn clear(&mut self) {
        self.past.clear();
        self.recent.clear();
        self.sum = Tally::default();
    }

    /// Every window that counted something, oldest first. A rolling window has
    /// one row, as it stood at the last count.
    pub(super) fn counts(&self) -> Vec<WindowCount> {
        if let Window::RollingMs(_) = self.window {
            return vec![WindowCount {
                start: None,
                used: self.sum,
            }];
        }
        let row = |(start, used): (&i64, &Tally)| WindowCount {
            start: DateTime::from_timestamp_millis(*start),
            used: *used,
        };
        self.past.iter().map(row).collect()
    }

    fn forget(&mut self, now: Moment) {
        let Window::RollingMs(width) = self.window else {
            return;
        };
        let width = width.saturating_mul(1_000);
        while let Some((at, amount)) = self.recent.front() {
            // Both ends are included: what is exactly `width` old still counts.
            if now.micros.saturating_sub(*at) <= width {
                break;
            }
            self.sum -= *amount;
            self.recent.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(ms: i64) -> Moment {
        Moment {
            wall: DateTime::from_timestamp_millis(ms).unwrap(),
            micros: ms.unsigned_abs() * 1_000,
        }
    }

    const ONE: Tally = Tally {
        requests: 1,
        credits: 2,
        foreign_requests: 0,
        foreign_credits: 0,
    };

    #[test]
    fn a_calendar_window_starts_again_at_its_boundary() {
        let mut meter = Meter::new(Window::EveryMs(1_000));
        meter.add(moment(5_000), ONE);
        meter.add(moment(5_999), ONE);
        assert_eq!(meter.used(moment(5_999)).requests, 2);
        assert_eq!(meter.used(moment(6_000)).requests, 0);
        assert_eq!(meter.counts().len(), 1);
    }

    #[test]
    fn a_rolling_window_includes_both_of_its_ends() {
        let mut meter = Meter::new(Window::RollingMs(1_000));
        meter.add(moment(5_000), ONE);
        meter.add(moment(5_500), ONE);
        assert_eq!(meter.used(moment(6_000)).credits, 4);
        assert_eq!(meter.used(moment(6_001)).credits, 2);
        assert_eq!(meter.used(moment(6_501)).credits, 0);
    }
}
