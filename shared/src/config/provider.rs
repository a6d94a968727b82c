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
    pub limits: toml::Table,
    /// Its paths.
    #[serde(default)]
    pub endpoints: toml::Table,
}

/// Every preset: its name and its text.
pub const PRESETS: [(&str, &str); 1] = [(
    "coinmarketcap",
    include_str!("../../presets/coinmarketcap.toml"),
)];

/// The text of the preset with this name.
pub fn preset(name: &str) -> Option<&'static str> {
    let found = PRESETS.iter().find(|(known, _)| *known == name);
    found.map(|(_, text)| *text)
}
