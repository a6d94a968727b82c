//! The preset for CoinMarketCap is sound.

use shared::config::provider::{ProviderConfig, preset};
use shared::provider::Provider;

pub(crate) fn coinmarketcap() -> Provider {
    let text = preset("coinmarketcap").unwrap();
    let config: ProviderConfig = toml::from_str(text).unwrap();
    Provider::compile(&"coinmarketcap".parse().unwrap(), &config).unwrap()
}

#[test]
fn the_preset_compiles_and_reads_a_question() {
    let provider = coinmarketcap();
    let query = [("id".to_owned(), "1,1027".to_owned())];
    let request = provider
        .read("/v3/cryptocurrency/quotes/latest", &query)
        .unwrap();
    let keys: Vec<&str> = request.resources.iter().map(|r| r.key.as_str()).collect();
    assert_eq!(
        keys,
        [
            "coinmarketcap:/v3/cryptocurrency/quotes/latest?id=1",
            "coinmarketcap:/v3/cryptocurrency/quotes/latest?id=1027"
        ]
    );
    assert_eq!(request.batch_key.as_str(), "quotes_latest?id=*");
}
