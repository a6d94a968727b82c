//! Recorded answers of CoinMarketCap, and what tests do with them.
//!
//! Where each of them comes from stands in `tests/fixtures/coinmarketcap/README.md`.

use proptest::test_runner::Config as ProptestConfig;
use serde_json::Value;
use shared::config::provider::{ProviderConfig, preset};
use shared::model::BatchKey;
use shared::provider::{Provider, RawReply, Reading};

macro_rules! recording {
    ($name:literal) => {
        include_str!(concat!("../fixtures/coinmarketcap/", $name))
    };
}

pub(crate) const V1_LISTINGS: &str =
    recording!("v1_cryptocurrency_listings_latest.2019-02-08.json");
pub(crate) const V1_MAP: &str = recording!("v1_cryptocurrency_map.2026-09-24.exchange.json");
pub(crate) const V1_KEY_INFO: &str = recording!("v1_key_info.2026-09-24.exchange.json");
pub(crate) const V2_QUOTES_BY_ID: &str =
    recording!("v2_cryptocurrency_quotes_latest_by_id.2022-06-16.json");
pub(crate) const V2_QUOTES_BY_SYMBOL: &str =
    recording!("v2_cryptocurrency_quotes_latest_by_symbol.2022-06-16.json");
pub(crate) const V2_PRICE_CONVERSION: &str =
    recording!("v2_price_conversion.2026-09-24.exchange.json");
pub(crate) const V2_SIMPLE_PRICE: &str = recording!("v2_simple_price.2026-09-24.exchange.json");
pub(crate) const V3_QUOTES: &str =
    recording!("v3_cryptocurrency_quotes_latest.2026-09-24.exchange.json");
pub(crate) const ERROR_400: &str = recording!("error_400_parameter_error.2026-09-24.exchange.json");
pub(crate) const ERROR_403: &str =
    recording!("error_403_1006_plan_not_authorized.2026-09-24.exchange.json");
pub(crate) const ERROR_500: &str = recording!("error_500_system_busy.2026-09-26.exchange.json");

/// The engine of the preset.
pub(crate) fn coinmarketcap() -> Provider {
    provider("coinmarketcap", preset("coinmarketcap").unwrap())
}

/// The engine of a provider written as TOML.
pub(crate) fn provider(name: &str, text: &str) -> Provider {
    let config: ProviderConfig = toml::from_str(text).unwrap();
    Provider::compile(&name.parse().unwrap(), &config).unwrap()
}

/// Status and body of a recording, whether of a whole exchange or of a body only.
pub(crate) fn recorded(text: &str) -> (u16, Value) {
    let value: Value = serde_json::from_str(text).unwrap();
    match value.get("response") {
        Some(response) => (
            u16::try_from(response["status"].as_u64().unwrap()).unwrap(),
            response["body"].clone(),
        ),
        None => (200, value),
    }
}

/// What the engine makes of a body.
pub(crate) fn understand(
    provider: &Provider,
    batch_key: &str,
    items: &[&str],
    status: u16,
    body: &str,
) -> Reading {
    let items: Vec<String> = items.iter().map(|item| (*item).to_owned()).collect();
    let reply = RawReply {
        status,
        headers: &[],
        body: body.as_bytes(),
    };
    provider.understand(&BatchKey(batch_key.to_owned()), &items, &reply)
}

/// What the engine makes of a recording.
pub(crate) fn understand_recorded(
    provider: &Provider,
    batch_key: &str,
    items: &[&str],
    text: &str,
) -> Reading {
    let (status, body) = recorded(text);
    understand(provider, batch_key, items, status, &body.to_string())
}

/// How many cases a property is tried with: 1,000, or `PROPTEST_CASES` for a longer
/// hunt.
pub(crate) fn cases() -> ProptestConfig {
    match std::env::var_os("PROPTEST_CASES") {
        Some(_) => ProptestConfig::default(),
        None => ProptestConfig::with_cases(1_000),
    }
}

/// Pairs of a query.
pub(crate) fn query(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}
