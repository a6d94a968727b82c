//! What the ledger tells those who ask.

use std::collections::BTreeMap;
use std::ops::{AddAssign, SubAssign};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// Requests and credits: those that arrived here, and those of others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Tally {
    /// Requests that arrived, whatever they were answered.
    pub requests: u64,
    /// Credits charged for them.
    pub credits: u64,
    /// Requests of others on the same account.
    pub foreign_requests: u64,
    /// Credits of others on the same account.
    pub foreign_credits: u64,
}

impl Tally {
    /// What the account's limits on requests see.
    pub fn all_requests(&self) -> u64 {
        self.requests.saturating_add(self.foreign_requests)
    }

    /// What the account's limits on credits see.
    pub fn all_credits(&self) -> u64 {
        self.credits.saturating_add(self.foreign_credits)
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.requests += other.requests;
        self.credits += other.credits;
        self.foreign_requests += other.foreign_requests;
        self.foreign_credits += other.foreign_credits;
    }
}

impl SubAssign for Tally {
    fn sub_assign(&mut self, other: Self) {
        self.requests -= other.requests;
        self.credits -= other.credits;
        self.foreign_requests -= other.foreign_requests;
        self.foreign_credits -= other.foreign_credits;
    }
}

/// One request, as it was counted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Arrival {
    /// 1 for the first since the start or the last reset.
    pub number: u64,
    /// By the provider's clock.
    pub at: DateTime<Utc>,
    /// Microseconds since the sandbox started, on a clock that never goes back.
    pub elapsed_micros: u64,
    /// The path, without its parameters.
    pub path: String,
    /// The ids, slugs or symbols that were asked for.
    pub asked: Vec<String>,
    /// Which of the accepted keys was used, counted from 0; `None` for none of them.
    pub key: Option<usize>,
    /// The HTTP status that was decided on.
    pub status: u16,
    /// The provider's own code; 0 for a success.
    pub error_code: u32,
    /// What it was charged.
    pub credits: u64,
    /// The scripted trouble that it met, by name.
    pub trouble: Vec<String>,
    /// Calls that were being answered at that instant, this one included: one whose caller
    /// has closed the connection is not.
    pub in_flight: u64,
}

/// What one path has counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct EndpointCount {
    /// Requests that arrived.
    pub requests: u64,
    /// Credits charged.
    pub credits: u64,
    /// Requests that were answered with an error.
    pub errors: u64,
}

/// What one window has counted.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct WindowCount {
    /// When it began; `None` for a rolling window.
    pub start: Option<DateTime<Utc>>,
    /// What it counted. Requests without a known key are not part of it.
    pub used: Tally,
}

/// Every window that counted something, oldest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WindowReport {
    /// Windows of the limit on requests.
    pub minute: Vec<WindowCount>,
    /// Windows of the daily limit on credits.
    pub day: Vec<WindowCount>,
    /// Windows of the monthly limit on credits.
    pub month: Vec<WindowCount>,
}

/// Everything that the ledger has counted since the start or the last reset.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LedgerReport {
    /// Over everything.
    pub total: Tally,
    /// How many requests were answered with each error code.
    pub refused: BTreeMap<u32, u64>,
    /// By path; unknown paths are together under `other`.
    pub endpoints: BTreeMap<String, EndpointCount>,
    /// By window.
    pub windows: WindowReport,
    /// The last requests, oldest first.
    pub arrivals: Vec<Arrival>,
}
