//! `[[providers.x.rate_limits]]`: which headers of a reply say what is left.

use serde::{Deserialize, Serialize};

/// The headers that speak of one limit, with at least `remaining` or `reset`.
///
/// ```toml
/// [[rate_limits]]
/// limit = "minute"
/// cap = "x-ratelimit-limit-requests"
/// remaining = "x-ratelimit-remaining-requests"
/// reset = "x-ratelimit-reset-requests"
/// format = "go_duration"
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RateLimitConfig {
    /// Name of the limit under `limits` that they speak of; none if it is not one of
    /// ours.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<String>,

    /// Name of the header with the cap that the provider applies. For `structured`
    /// it is the one with the quota `q`, such as `RateLimit-Policy`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cap: Option<String>,

    /// Name of the header with what is left in the current window. Not for
    /// `structured`, where it stands in the header of `reset`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remaining: Option<String>,

    /// Name of the header that says when the window ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reset: Option<String>,

    /// How the header of `reset` is written; given with it, and only then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<ResetFormat>,

    /// Which policy of a `structured` header is meant; the first unless given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
}

/// How a header says when a window ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResetFormat {
    /// Seconds since 1970.
    EpochS,
    /// Milliseconds since 1970.
    EpochMs,
    /// Seconds from now.
    DeltaS,
    /// A time such as `2026-11-23T16:00:00Z`.
    Rfc3339,
    /// A date such as `Mon, 23 Nov 2026 16:00:00 GMT`.
    HttpDate,
    /// Time from now as the language Go writes it, such as `1s` or `6m0s`.
    GoDuration,
    /// `RateLimit: "default";r=50;t=30` of the IETF's draft 11 (2026-05-23): `r` is
    /// left, and the window ends in `t` seconds.
    Structured,
}
