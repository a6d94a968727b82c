//! What a sandbox is started with.

use std::fmt;
use std::time::Duration;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use crate::window::Windows;

/// Everything that a sandbox is started with.
///
/// The default is CoinMarketCap's free plan as recorded on 2026-09-24: 15,000
/// credits a month, 50 requests a minute, no daily limit, and a `/v1/key/info`
/// without daily fields. It accepts the key `sandbox-key`.
#[derive(Clone)]
pub struct SandboxConfig {
    /// The keys that are accepted. All belong to one account and share its plan
    /// and its counts; each has a state of its own.
    pub keys: Vec<String>,
    /// Credits in one window `windows.month`.
    pub credits_per_month: u64,
    /// Credits in one window `windows.day`; `None` is no daily limit.
    pub credits_per_day: Option<u64>,
    /// Requests in one window `windows.minute`, answered with an error or not.
    pub requests_per_minute: u64,
    /// Requests in one window `windows.minute` whatever their key, answered with
    /// 1011 beyond it; `None` is no such limit.
    pub ip_requests_per_minute: Option<u64>,
    /// Paths that the plan does not include (403 with 1006).
    pub unsupported: Vec<String>,
    /// Whether the limits are enforced. If not they are only counted, so that a
    /// test can see by how much a caller would have passed them.
    pub enforce: bool,
    /// What `/v1/key/info` looks like.
    pub key_info_form: KeyInfoForm,
    /// Chooses the prices, and which calls a fraction of trouble hits.
    pub seed: u64,
    /// How far the provider's clock is ahead of this machine's.
    pub clock_offset: TimeDelta,
    /// What the limits count over.
    pub windows: Windows,
    /// How often prices move. CoinMarketCap's move every 60 s.
    pub price_step: Duration,
    /// How many active coins there are; at least the well-known ones.
    pub coins: usize,
}

impl Default for SandboxConfig {
    fn default() -> Self {
        Self {
            keys: vec!["sandbox-key".to_owned()],
            credits_per_month: 15_000,
            credits_per_day: None,
            requests_per_minute: 50,
            ip_requests_per_minute: None,
            unsupported: vec!["/v2/cryptocurrency/market-pairs/latest".to_owned()],
            enforce: true,
            key_info_form: KeyInfoForm::default(),
            seed: 1,
            clock_offset: TimeDelta::zero(),
            windows: Windows::default(),
            price_step: Duration::from_secs(60),
            coins: 5_200,
        }
    }
}

impl SandboxConfig {
    /// The part of the configuration that can change while the sandbox runs.
    pub fn plan(&self) -> Plan {
        Plan {
            credits_per_month: self.credits_per_month,
            credits_per_day: self.credits_per_day,
            requests_per_minute: self.requests_per_minute,
            ip_requests_per_minute: self.ip_requests_per_minute,
            unsupported: self.unsupported.clone(),
            enforce: self.enforce,
        }
    }
}

// By hand, so that no key is ever printed: somebody may try the sandbox with a real one.
impl fmt::Debug for SandboxConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SandboxConfig")
            .field("keys", &self.keys.len())
            .field("plan", &self.plan())
            .field("key_info_form", &self.key_info_form)
            .field("seed", &self.seed)
            .field("clock_offset", &self.clock_offset)
            .field("windows", &self.windows)
            .field("price_step", &self.price_step)
            .field("coins", &self.coins)
            .finish()
    }
}

/// The account's plan: what may be spent, and on what.
///
/// Can be changed while the sandbox runs; the fields mean the same as in
/// [`SandboxConfig`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Credits in one window of the month.
    pub credits_per_month: u64,
    /// Credits in one window of the day, if limited.
    pub credits_per_day: Option<u64>,
    /// Requests in one window of the minute.
    pub requests_per_minute: u64,
    /// Requests in one window of the minute whatever their key, if limited.
    pub ip_requests_per_minute: Option<u64>,
    /// Paths that answer 403 with 1006.
    pub unsupported: Vec<String>,
    /// Whether limits refuse calls, or only count them.
    pub enforce: bool,
}

/// Which of its two known forms `/v1/key/info` has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyInfoForm {
    /// As recorded on 2026-09-24: no daily limit, no daily fields.
    #[default]
    Current,
    /// As older plans have it: `credit_limit_daily`, `credit_limit_daily_reset`,
    /// `credit_limit_daily_reset_timestamp` and `current_day.credits_left` too.
    WithDaily,
}

/// What an accepted key is worth at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyState {
    /// It works.
    #[default]
    Active,
    /// 401 with 1001: no longer known, as after a rotation.
    Invalid,
    /// 402 with 1003: never activated.
    NeedsPayment,
    /// 402 with 1004: the plan has expired.
    Expired,
    /// 403 with 1005: the call needs a key, and this one does not count as one.
    Required,
    /// 403 with 1007.
    Disabled,
}
