//! `[providers.x.usage]`: how a provider reports what has been spent.

use serde::{Deserialize, Serialize};

use super::CalendarUnit;

/// Which endpoint reports usage, and where the figures stand in its reply.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UsageConfig {
    /// Name of the endpoint; it must be `local`, since its answer is never cached.
    pub endpoint: String,

    /// Whether the figures count the call that asks for them; false is the safe side.
    pub counts_itself: bool,

    /// JSON pointer to the credits spent since midnight, UTC. Written only, in the
    /// report that Larder makes itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub today: Option<String>,

    /// The figures of each limit that the reply speaks of.
    pub limits: Vec<UsageLimitConfig>,
}

/// Where one limit's figures stand, as JSON pointers into the whole body.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UsageLimitConfig {
    /// Name of the limit under `limits`.
    pub limit: String,

    /// Whether that limit may be missing; nothing is read for it then. For a preset,
    /// which knows of figures that only some plans have.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,

    /// The calendar window, in UTC, that the figures count over, where that is not
    /// the limit's own: `minute` for a provider that counts UTC minutes while our
    /// limit is any 60 s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window: Option<CalendarUnit>,

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

    /// How long the window lasts, as a sentence such as `In 6 days, 7 hours, 51
    /// minutes`. Written only, in the report that Larder makes itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resets_in: Option<String>,
}
