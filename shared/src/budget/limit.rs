//! What an operator says of a provider's budget.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::{EndpointName, ProviderName};

/// What a limit counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Calls, whatever they cost.
    Requests,
    /// What the calls cost.
    Credits,
}

impl Unit {
    /// The unit as it stands in the database and in answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Credits => "credits",
        }
    }

    /// How much of this unit a call takes that costs `credits`.
    pub const fn amount(self, credits: u32) -> i64 {
        match self {
            Self::Requests => 1,
            Self::Credits => credits as i64,
        }
    }
}

/// How long a calendar window lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Period {
    /// 60 s, from a full minute on.
    Minute,
    /// From a full hour on.
    Hour,
    /// From the anchor's time of day on.
    Day,
    /// From the anchor's day and time of day on.
    Month,
}

impl Period {
    /// The period as `date_trunc` of Postgres names it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Month => "month",
        }
    }
}

/// The stretch of time that a limit counts over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LimitWindow {
    /// Any stretch of this length; at least 1 s.
    Rolling(Duration),
    /// A period of the calendar.
    Calendar {
        /// How long it lasts.
        period: Period,
        /// IANA time zone, such as `UTC` or `America/New_York`.
        zone: String,
        /// Day of the month on which a month begins, 1 to 31; a shorter month's last
        /// day stands in.
        anchor_day: u8,
        /// Time of day at which a day or month begins.
        anchor_time: chrono::NaiveTime,
    },
    /// Calls in flight at once.
    Concurrency,
    /// Until the instant that the provider last reported as its reset.
    Discovered,
}

/// One limit of a provider, such as 15,000 credits a month.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitSpec {
    /// Its name, unique within the provider.
    pub name: String,
    /// What it counts.
    pub unit: Unit,
    /// How much of it a window may hold.
    pub cap: u32,
    /// The stretch of time that it counts over.
    pub window: LimitWindow,
    /// Counts and warns, never blocks.
    pub soft: bool,
}

/// Whether limits block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// No call passes a cap.
    #[default]
    Enforce,
    /// Count, never block: for trying it out.
    Observe,
}

impl Mode {
    /// The mode as it stands in the database and in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Observe => "observe",
        }
    }
}

/// A provider's lane as the configuration describes it.
#[derive(Debug, Clone, PartialEq)]
pub struct LaneSpec {
    /// Whose lane it is.
    pub provider: ProviderName,
    /// Host and port that its calls go to, such as `api.example.com:443`: what a limit
    /// by address is shared by.
    pub host: String,
    /// Digest of the key in use, never the key; `None` where no key is needed or set.
    pub key_id: Option<String>,
    /// By how much the clocks of database and provider may differ.
    pub reset_grace: Duration,
    /// How long a process may be frozen between its check and its send.
    pub max_freeze: Duration,
    /// How long a request may travel after its sender gave it up.
    pub max_transit: Duration,
    /// Whether limits block.
    pub mode: Mode,
    /// Share of each window of credits that is kept for what readers miss, from 0 to 1.
    pub readers_share: f64,
    /// Calls in a row that may fail by the provider's or the network's fault before the
    /// lane is closed for a while; 0 for any number.
    pub breaker_failures: u32,
    /// How long such failures close it at first; each failed try doubles it.
    pub breaker_pause: Duration,
    /// How long such failures close it at most.
    pub breaker_max_pause: Duration,
    /// The endpoint that reports what has been spent on the key, if there is one.
    pub usage_endpoint: Option<EndpointName>,
    /// Attempts of the jobs that the tick makes.
    pub max_attempts: u32,
    /// All limits; those that are missing here are removed, and keep their history.
    pub limits: Vec<LimitSpec>,
}
