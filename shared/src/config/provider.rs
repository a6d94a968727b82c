//! `[providers.x]`: what one external API needs to be known about, as data.
//!
//! A preset of the project and an operator's own section have the same keys, so
//! nothing that a preset can say is out of an operator's reach. A section may name
//! a preset and change single keys of it.
//!
//! These structs say what was written, not whether it makes sense: the shape is
//! checked here (unknown keys, wrong types), the sense in
//! `provider::Provider::compile`, which reports every problem at once.
//!
//! # Not here
//!
//! Reading files, variables and overrides, and what an endpoint's data means.

mod endpoint;
mod limit;
mod preset;
mod rate_limit;
mod rule;
mod scalar;
mod usage;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use endpoint::{
    BatchConfig, CostConfig, EndpointConfig, ItemsConfig, ParameterConfig, SplitConfig,
};
pub use endpoint::{LetterCase, ParameterKind, SplitKind};
pub use limit::{CalendarUnit, LimitConfig, LimitUnit, WindowConfig};
pub use preset::{PRESETS, preset};
pub use rate_limit::{RateLimitConfig, ResetFormat};
pub use rule::{CloseFor, ConditionConfig, Outcome, Retry, RuleConfig, StatusMatch, VerdictConfig};
pub use scalar::Scalar;
pub use usage::{UsageConfig, UsageLimitConfig};

/// One external API with one key and one budget.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProviderConfig {
    /// Name of the preset that the other keys change; none for an API of one's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preset: Option<String>,

    /// Scheme, host and, where there is one, path prefix. `https` unless the host
    /// is this machine.
    pub base_url: String,

    /// Hosts beside this machine that may be called without TLS, such as a sandbox in
    /// a private network. The key travels readable there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub plain_http_hosts: Vec<String>,

    /// Name of the environment variable that holds the key; none for an API that
    /// needs no key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_env: Option<String>,

    /// Where the key goes in a request.
    pub auth: AuthConfig,

    /// Headers sent with every request.
    pub headers: BTreeMap<String, String>,

    /// Where the data stands in a reply; without it the body is the data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub envelope: Option<EnvelopeConfig>,

    /// Names of members, at any depth of the data, that change although the data did
    /// not, such as `last_updated`: an answer that differs in these alone counts as
    /// unchanged.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub volatile: Vec<String>,

    /// Whether replies carry an `ETag` or `Last-Modified` by which the next call for the
    /// same may ask whether anything changed. What a 304 costs is said in `cost`, where
    /// its outcome is `not_modified`.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub validators: bool,

    /// JSON pointer to the provider's own words about an error, such as
    /// `/status/error_message`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,

    /// JSON pointer to the code of an error, such as `/status/error_code`. An error
    /// of Larder's own has its HTTP status there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,

    /// Where a reply says what it cost, and which replies cost anything.
    pub cost: ReportedCostConfig,

    /// What may be spent, by name (`month`, `minute`).
    pub limits: BTreeMap<String, LimitConfig>,

    /// How the provider reports what has been spent, if it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<UsageConfig>,

    /// Which headers of a reply say what is left.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rate_limits: Vec<RateLimitConfig>,

    /// The provider's paths, by name (`quotes_latest`).
    pub endpoints: BTreeMap<String, EndpointConfig>,

    /// What replies mean, in order: the first rule that matches wins.
    pub rules: Vec<RuleConfig>,
}

/// Where the key goes in a request: exactly one of `header`, `query`, `bearer`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AuthConfig {
    /// Name of the header that carries the key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header: Option<String>,

    /// Name of the query parameter that carries the key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,

    /// Whether the key goes as `Authorization: Bearer`.
    pub bearer: bool,

    /// Query parameters that readers' programs may send a key in. Their values
    /// are dropped: they never enter a resource key and never go upstream.
    pub reader_query: Vec<String>,
}

/// Where the data, the time and the cost stand in a reply, as JSON pointers.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EnvelopeConfig {
    /// The data itself, such as `/data`.
    pub data: String,

    /// When the provider wrote the reply, such as `/status/timestamp`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<String>,

    /// Numbers that are 0 in an answer from the cache, since it cost nothing.
    pub zero: Vec<String>,

    /// A JSON object, as text: what stands beside the data in answers that Larder
    /// makes itself, which are errors and the report of usage. Its time and its zeros
    /// are filled in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub beside: Option<String>,
}

/// Where a reply says what it cost, and which replies cost anything.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReportedCostConfig {
    /// JSON pointer to the credits that the call cost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,

    /// Name of the reply header with the credits that the call cost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header: Option<String>,

    /// Outcomes that cost the endpoint's credits when the reply does not say.
    /// Without it every outcome does, which can only err on the safe side.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub charged: Option<Vec<Outcome>>,

    /// Outcomes that cost nothing when the reply does not say, while all others
    /// cost the endpoint's credits; instead of `charged`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub free: Option<Vec<Outcome>>,
}
