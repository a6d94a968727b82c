//! `/v1/global-metrics/quotes/latest`: the market as a whole, every five steps.
//!
//! One credit, and one for each currency beyond the first. The fields are those
//! of the official SDK 5.0.0's model (2026-11-23); none was recorded.

use serde_json::{Map, Value, json};

use super::Prepared;
use crate::clock::stamp;
use crate::fault::Fault;
use crate::market::Market;
use crate::query::Query;
use crate::selection::Converts;

/// CoinMarketCap renews it every five minutes, prices every minute.
const STEPS: i64 = 5;

pub(super) fn prepare<'m>(query: &Query, market: Market<'m>) -> Result<Prepared<'m>, Fault> {
    query.allow(&["convert", "convert_id"])?;
    let market = market.every(STEPS);
    let converts = Converts::read(query, &market)?;
    let credits = 1 + converts.extra_credits();
    Ok(Prepared::new(credits, Vec::new(), move || {
        data(&market, &converts).to_string()
    }))
}

fn data(market: &Market<'_>, converts: &Converts) -> Value {
    let active = market.catalogue.active().count();
    let pairs: u32 = market
        .catalogue
        .active()
        .map(|coin| coin.market_pairs)
        .sum();
    let moved = market.chance(0x676c_6f62, STEPS) - 0.5;
    let whole = market.catalogue.whole_value * (1.0 + 0.02 * moved);
    let updated = stamp(market.updated());
    let share = |id: u32| {
        let coin = market.catalogue.by_id(id);
        coin.map_or(0.0, |coin| 100.0 * market.price(coin) * coin.supply / whole)
    };
    let (btc, eth) = (share(1), share(1027));

    let mut quote = Map::new();
    for (key, currency) in &converts.list {
        let value = whole / currency.usd;
        quote.insert(
            key.clone(),
            json!({
                "total_market_cap": value,
                "total_volume_24h": value * 0.04,
                "total_volume_24h_reported": value * 0.05,
                "altcoin_volume_24h": value * 0.02,
                "altcoin_volume_24h_reported": value * 0.03,
                "altcoin_market_cap": value * (1.0 - btc / 100.0),
                "defi_volume_24h": value * 0.003,
                "defi_volume_24h_reported": value * 0.003,
                "defi_24h_percentage_change": moved,
                "defi_market_cap": value * 0.03,
                "stablecoin_volume_24h": value * 0.035,
                "stablecoin_volume_24h_reported": value * 0.04,
                "stablecoin_24h_percentage_change": -moved,
                "stablecoin_market_cap": value * 0.08,
                "derivatives_volume_24h": value * 0.25,
                "derivatives_volume_24h_reported": value * 0.26,
                "derivatives_24h_percentage_change": 2.0 * moved,
                "total_market_cap_yesterday": value * 0.99,
                "total_volume_24h_yesterday": value * 0.041,
                "total_market_cap_yesterday_percentage_change": 1.0101,
                "total_volume_24h_yesterday_percentage_change": -2.439,
                "last_updated": updated,
            }),
        );
    }
    json!({
        "active_cryptocurrencies": active,
        "total_cryptocurrencies": market.catalogue.all().len(),
        "active_market_pairs": pairs,
        "active_exchanges": 900,
        "total_exchanges": 11_000,
        "eth_dominance": eth,
        "btc_dominance": btc,
        "eth_dominance_yesterday": eth,
        "btc_dominance_yesterday": btc,
        "eth_dominance_24h_percentage_change": 0.0,
        "btc_dominance_24h_percentage_change": 0.0,
        "defi_volume_24h": whole * 0.003,
        "defi_volume_24h_reported": whole * 0.003,
        "defi_market_cap": whole * 0.03,
        "defi_24h_percentage_change": moved,
        "stablecoin_volume_24h": whole * 0.035,
        "stablecoin_volume_24h_reported": whole * 0.04,
        "stablecoin_market_cap": whole * 0.08,
        "stablecoin_24h_percentage_change": -moved,
        "derivatives_volume_24h": whole * 0.25,
        "derivatives_volume_24h_reported": whole * 0.26,
        "derivatives_24h_percentage_change": 2.0 * moved,
        "quote": quote,
        "last_updated": updated,
    })
}
