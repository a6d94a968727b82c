//! `[[providers.x.rules]]`: what a reply means.

use serde::{Deserialize, Serialize};

use super::Scalar;

/// One rule: a reply that meets every condition of `when` means `then`.
///
/// ```toml
/// [[rules]]
/// when = { status = 429, pointer = "/status/error_code", is = 1008 }
/// then = { outcome = "throttled", close = "minute" }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleConfig {
    /// Which replies.
    pub when: ConditionConfig,
    /// What they mean.
    pub then: VerdictConfig,
}

/// Conditions on a reply; all that are given must hold.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ConditionConfig {
    /// The HTTP status.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<StatusMatch>,

    /// JSON pointer to the value that `is`, `in` or `not` looks at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,

    /// Name of the reply header that `is`, `in` or `not` looks at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header: Option<String>,

    /// The value, as text: `1008` and `"1008"` are the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is: Option<Scalar>,

    /// The value is one of these.
    #[serde(rename = "in", skip_serializing_if = "Vec::is_empty")]
    pub one_of: Vec<Scalar>,

    /// The value is there, is not null, and is none of these.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not: Vec<Scalar>,
}

/// HTTP statuses: one (`429`), a class (`"5xx"`), or a list of these.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum StatusMatch {
    /// Any of these.
    Any(Vec<Scalar>),
    /// This one.
    One(Scalar),
}

/// What a reply means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VerdictConfig {
    /// Its name in the ledger, the metrics and job errors.
    pub outcome: Outcome,

    /// What to close, and for how long; nothing unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub close: Option<CloseFor>,

    /// Whether the same request may succeed later; by the outcome unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
}

/// What a reply turned out to be: a closed set, so that it can be a metric label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The data that was asked for, or at least a part of it.
    Ok,
    /// The data is what it was: HTTP 304.
    NotModified,
    /// A success without data.
    Empty,
    /// What was asked for does not exist.
    NotFound,
    /// The provider does not understand or accept the question.
    BadRequest,
    /// Too many calls, or too much spent.
    Throttled,
    /// The key does not work, and will not until a person acts.
    KeyDead,
    /// The key may not call this endpoint.
    EndpointForbidden,
    /// The provider is in trouble.
    ProviderError,
    /// A success whose body is not what the provider documents.
    Malformed,
    /// The provider points somewhere else, where no key may follow.
    Redirect,
    /// A status that has no meaning here.
    Unexpected,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Self; 12] = [
        Self::Ok,
        Self::NotModified,
        Self::Empty,
        Self::NotFound,
        Self::BadRequest,
        Self::Throttled,
        Self::KeyDead,
        Self::EndpointForbidden,
        Self::ProviderError,
        Self::Malformed,
        Self::Redirect,
        Self::Unexpected,
    ];

    /// The outcome as it stands in the configuration, the ledger and the metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::NotModified => "not_modified",
            Self::Empty => "empty",
            Self::NotFound => "not_found",
            Self::BadRequest => "bad_request",
            Self::Throttled => "throttled",
            Self::KeyDead => "key_dead",
            Self::EndpointForbidden => "endpoint_forbidden",
            Self::ProviderError => "provider_error",
            Self::Malformed => "malformed",
            Self::Redirect => "redirect",
            Self::Unexpected => "unexpected",
        }
    }

    /// Whether the same request may succeed later, unless a rule says otherwise.
    ///
    /// A dead key is `Later`: a new key makes the same request good, and the
    /// closed lane keeps it from being sent before that.
    pub const fn retry(self) -> Retry {
        match self {
            Self::Ok
            | Self::NotModified
            | Self::NotFound
            | Self::BadRequest
            | Self::EndpointForbidden
            | Self::Redirect => Retry::Never,
            Self::Empty
            | Self::Throttled
            | Self::KeyDead
            | Self::ProviderError
            | Self::Malformed
            | Self::Unexpected => Retry::Later,
        }
    }
}

/// What a reply closes, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CloseFor {
    /// The lane, to the next minute.
    Minute,
    /// The lane, until the daily limit starts again.
    Day,
    /// The lane, until the monthly limit starts again.
    Month,
    /// Every provider behind the same address, for a while.
    Ip,
    /// The lane, until an operator or a new key opens it.
    Operator,
}

impl CloseFor {
    /// The word as it stands in the configuration and in a lane's reason.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Minute => "minute",
            Self::Day => "day",
            Self::Month => "month",
            Self::Ip => "ip",
            Self::Operator => "operator",
        }
    }
}

/// Whether the same request may succeed later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Retry {
    /// Asking again would only cost again.
    Never,
    /// It may, after a wait.
    Later,
}
