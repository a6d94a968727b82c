//! The stretches of time that the sandbox's limits count over.
//!
//! CoinMarketCap counts requests by the UTC minute and, on the free plan, credits
//! by the UTC day and the UTC calendar month (v1 specification and SDK 5.0.0,
//! read 2026-11-23). Tests cannot wait for a month to end, so a window may also
//! be a short one aligned to the epoch, or a rolling one.

use chrono::{DateTime, Datelike, Months, NaiveTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

/// A stretch of time that a limit counts over.
///
/// In JSON: `"minute"`, `"day"`, `"month"`, `{"every_ms": 5000}` or
/// `{"rolling_ms": 60000}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Window {
    /// The UTC minute.
    Minute,
    /// The UTC day.
    Day,
    /// The UTC calendar month.
    Month,
    /// Equal stretches of that many milliseconds, aligned to the Unix epoch.
    EveryMs(u64),
    /// The last so many milliseconds, both ends included, at any instant.
    RollingMs(u64),
}

impl Window {
    /// When the window that holds `now` began; `None` for a rolling window, which
    /// has no beginning of its own.
    pub fn start(self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match self {
            Self::Minute => Some(aligned(now, 60_000)),
            Self::Day => Some(now.date_naive().and_time(NaiveTime::MIN).and_utc()),
            Self::Month => {
                let first = now.date_naive().with_day(1).unwrap_or(now.date_naive());
                Some(first.and_time(NaiveTime::MIN).and_utc())
            }
            Self::EveryMs(width) => Some(aligned(now, width)),
            Self::RollingMs(_) => None,
        }
    }

    /// When the window that holds `now` ends, and the next one begins.
    ///
    /// For a rolling window this is when everything counted at `now` is forgotten.
    pub fn end(self, now: DateTime<Utc>) -> DateTime<Utc> {
        let start = self.start(now).unwrap_or(now);
        match self {
            Self::Minute => start + TimeDelta::minutes(1),
            Self::Day => start + TimeDelta::days(1),
            Self::Month => start.checked_add_months(Months::new(1)).unwrap_or(start),
            Self::EveryMs(width) | Self::RollingMs(width) => start + millis(width),
        }
    }
}

/// The windows of the sandbox's three limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Windows {
    /// Counts requests.
    pub minute: Window,
    /// Counts credits, against `credits_per_day`.
    pub day: Window,
    /// Counts credits, against `credits_per_month`.
    pub month: Window,
}

impl Default for Windows {
    fn default() -> Self {
        Self {
            minute: Window::Minute,
            day: Window::Day,
            month: Window::Month,
        }
    }
}

fn aligned(now: DateTime<Utc>, width_ms: u64) -> DateTime<Utc> {
    let width = i64::try_from(width_ms.max(1)).unwrap_or(i64::MAX);
    now - TimeDelta::milliseconds(now.timestamp_millis().rem_euclid(width))
        - TimeDelta::nanoseconds(i64::from(now.timestamp_subsec_nanos() % 1_000_000))
}

fn millis(width: u64) -> TimeDelta {
    TimeDelta::milliseconds(i64::try_from(width).unwrap_or(i64::MAX / 2))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn a_month_runs_from_its_first_midnight_to_the_next() {
        let now = at("2024-02-29T23:59:59.999Z");
        assert_eq!(Window::Month.start(now), Some(at("2024-02-01T00:00:00Z")));
        assert_eq!(Window::Month.end(now), at("2024-03-01T00:00:00Z"));
        let december = at("2026-12-31T12:00:00Z");
        assert_eq!(Window::Month.end(december), at("2027-01-01T00:00:00Z"));
    }

    #[test]
    fn the_end_of_a_window_belongs_to_the_next() {
        for window in [
            Window::Minute,
            Window::Day,
            Window::Month,
            Window::EveryMs(5_000),
        ] {
            let end = window.end(at("2026-09-24T16:04:03.419Z"));
            assert_eq!(window.start(end), Some(end), "{window:?}");
        }
    }

    proptest! {
        #[test]
        fn every_instant_lies_in_its_own_window(ms in 0_i64..4_102_444_800_000, width in 1_u64..100_000_000) {
            let now = DateTime::from_timestamp_millis(ms).unwrap();
            for window in [Window::Minute, Window::Day, Window::Month, Window::EveryMs(width)] {
                let start = window.start(now).unwrap();
                prop_assert!(start <= now && now < window.end(now));
                prop_assert_eq!(window.start(window.end(now) - TimeDelta::milliseconds(1)), Some(start));
            }
        }
    }
}
