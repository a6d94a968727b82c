//! The providers that come with Larder.

/// Every preset: its name and its text, a table with the keys of
/// [`ProviderConfig`](super::ProviderConfig).
pub const PRESETS: [(&str, &str); 2] = [
    ("coingecko", include_str!("../../../presets/coingecko.toml")),
    (
        "coinmarketcap",
        include_str!("../../../presets/coinmarketcap.toml"),
    ),
];

/// The text of the preset with this name.
pub fn preset(name: &str) -> Option<&'static str> {
    PRESETS
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, text)| *text)
}
