//! `[providers.x]`: what is known of one provider.

use serde::{Deserialize, Serialize};

/// `[providers.x]`: what is known of one provider.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProviderConfig {
    /// Where its paths begin.
    pub base_url: String,
    /// Name of the environment variable that holds its key.
    #[serde(default)]
    pub key_env: Option<String>,
    /// What may be spent.
    #[serde(default)]
    pub limits: Vec<toml::Table>,
    /// Its paths.
    #[serde(default)]
    pub endpoints: toml::Table,
}
