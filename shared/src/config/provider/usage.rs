//! `[providers.x.usage]`: how a provider reports what has been spent.

use serde::{Deserialize, Serialize};

/// Which endpoint reports usage, and where the figures stand in its reply.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UsageConfig {
    /// Name of the endpoint; it must be `local`, since its answer is never cached.
    pub endpoint: String,

    /// A JSON object, as text: what stands around the figures when a reader asks for
    /// them. The provider is not asked then; Larder's own figures are put where the
    /// pointers lead, with the envelope's time and zeros.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub around: Option<String>,

    /// The figures of each limit that the reply speaks of.
    pub limits: Vec<UsageLimitConfig>,
}

/// Where one limit's figures stand, as JSON pointers into the whole body.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UsageLimitConfig {
    /// Name of the limit under `limits`.
    pub limit: String,

    /// What has been spent in the current window.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub used: Option<String>,

    /// What is left in the current window.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left: Option<String>,

    /// The cap that the provider itself applies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cap: Option<String>,

    /// When the window ends: RFC 3339, or seconds or milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resets: Option<String>,
}
