//! `[providers.x.limits.y]`: what may be spent, and over which stretch of time.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// One limit: at most `cap` of `unit` in a window.
///
/// ```toml
/// [limits.month]
/// unit = "credits"
/// cap = 15000
/// window = { calendar = "month" }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimitConfig {
    /// What is counted.
    pub unit: LimitUnit,

    /// Most that may be spent in one window.
    pub cap: u64,

    /// The stretch of time that the limit counts over.
    pub window: WindowConfig,

    /// Whether it only counts and warns, and never blocks a call.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub soft: bool,
}

/// What a limit counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitUnit {
    /// HTTP requests, whatever they cost.
    Requests,
    /// What the provider bills.
    Credits,
}

impl LimitUnit {
    /// The unit as it stands in the configuration, in answers and in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Credits => "credits",
        }
    }
}

/// The stretch of time of a limit: exactly one of `calendar`, `rolling`,
/// `concurrency`, `discovered`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WindowConfig {
    /// A fixed hour, day or month of the calendar.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calendar: Option<CalendarUnit>,

    /// Any stretch of this length.
    #[serde(with = "humantime_serde", skip_serializing_if = "Option::is_none")]
    pub rolling: Option<Duration>,

    /// Calls in flight at once.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub concurrency: bool,

    /// Until the instant that the provider last reported as its reset.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub discovered: bool,

    /// IANA time zone of a calendar window; `UTC` unless given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,

    /// Day of the month, 1 to 31, on which a calendar month begins; 1 unless
    /// given. In a shorter month it is that month's last day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub day: Option<u8>,

    /// Time of day, `HH:MM` or `HH:MM:SS`, at which a calendar day or month
    /// begins; midnight unless given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
}

/// Length of a calendar window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CalendarUnit {
    /// From one full minute to the next.
    Minute,
    /// From one full hour to the next.
    Hour,
    /// A day, from the anchor's time of day.
    Day,
    /// A month, from the anchor's day and time of day.
    Month,
}

impl CalendarUnit {
    /// The unit as it stands in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Month => "month",
        }
    }
}
