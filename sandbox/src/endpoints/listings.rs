//! `/v3` and `/v1` `/cryptocurrency/listings/latest`: the coins, sorted and paged.
//!
//! v3 costs a credit for every 250 coins returned, v1 for every 200, and both one
//! more for each currency beyond the first.

use serde_json::Value;

use super::coin_object::{self, Shape, Writer};
use super::{Prepared, batch_credits};
use crate::catalogue::Coin;
use crate::currency::Currency;
use crate::fault::Fault;
use crate::market::{Figures, Market};
use crate::query::Query;
use crate::selection::Converts;

/// What differs between the versions.
#[derive(Debug, Clone, Copy)]
pub(super) struct Version {
    shape: Shape,
    per_credit: usize,
}

pub(super) const V3: Version = Version {
    shape: coin_object::V3,
    per_credit: 250,
};
pub(super) const V1: Version = Version {
    shape: coin_object::V1_LISTINGS,
    per_credit: 200,
};

const FILTERS: [&str; 5] = [
    "price",
    "market_cap",
    "volume_24h",
    "circulating_supply",
    "percent_change_24h",
];

/// What `aux` is when it is not given: a request that states it gets the same answer
/// (SDK 5.0.0). Quotes write more.
const DEFAULT_AUX: [&str; 8] = [
    "num_market_pairs",
    "cmc_rank",
    "date_added",
    "tags",
    "platform",
    "max_supply",
    "circulating_supply",
    "total_supply",
];

const PARAMETERS: &[&str] = &[
    "start",
    "limit",
    "price_min",
    "price_max",
    "market_cap_min",
    "market_cap_max",
    "volume_24h_min",
    "volume_24h_max",
    "circulating_supply_min",
    "circulating_supply_max",
    "percent_change_24h_min",
    "percent_change_24h_max",
    "convert",
    "convert_id",
    "sort",
    "sort_dir",
    "cryptocurrency_type",
    "tag",
    "aux",
];

const SORTS: &[&str] = &[
    "market_cap",
    "market_cap_strict",
    "name",
    "symbol",
    "date_added",
    "price",
    "circulating_supply",
    "total_supply",
    "max_supply",
    "num_market_pairs",
    "market_cap_by_total_supply_strict",
    "volume_24h",
    "volume_7d",
    "volume_30d",
    "percent_change_1h",
    "percent_change_24h",
    "percent_change_7d",
];

pub(super) fn prepare<'m>(
    query: &Query,
    market: Market<'m>,
    version: Version,
) -> Result<Prepared<'m>, Fault> {
    query.allow(PARAMETERS)?;
    let start = query.number("start", 1..=100_000_usize)?.unwrap_or(1);
    let limit = query.number("limit", 1..=5_000_usize)?.unwrap_or(100);
    let converts = Converts::read(query, &market)?;
    let aux = query.aux(coin_object::AUX)?;
    let aux = aux.unwrap_or_else(|| DEFAULT_AUX.map(str::to_owned).to_vec());
    let coins = ordered(query, &market, &converts)?;
    let page: Vec<&Coin> = coins.into_iter().skip(start - 1).take(limit).collect();

    let credits = batch_credits(page.len(), version.per_credit) + converts.extra_credits();
    let writer = Writer::new(market, converts, version.shape, Some(aux));
    Ok(Prepared::new(credits, Vec::new(), move || {
        let data: Value = page.iter().map(|coin| writer.coin(coin)).collect();
        data.to_string()
    }))
}

/// The coins that pass the filters, in the order asked for.
fn ordered<'m>(
    query: &Query,
    market: &Market<'m>,
    converts: &Converts,
) -> Result<Vec<&'m Coin>, Fault> {
    let sort = query.choice("sort", SORTS, "market_cap")?;
    let descending = query.choice("sort_dir", &["asc", "desc"], "desc")? == "desc";
    let kind = query.choice("cryptocurrency_type", &["all", "coins", "tokens"], "all")?;
    let tag = query.get("tag").unwrap_or("all");
    let mut bounds = Vec::new();
    for name in FILTERS {
        let bound = |end: &str| query.number(&format!("{name}_{end}"), f64::MIN..=f64::MAX);
        let (low, high) = (bound("min")?, bound("max")?);
        if low.is_some() || high.is_some() {
            bounds.push((name, low.unwrap_or(f64::MIN), high.unwrap_or(f64::MAX)));
        }
    }

    let mut coins: Vec<&Coin> = market.catalogue.active().collect();
    coins.retain(|coin| match kind {
        "coins" => coin.platform.is_none(),
        "tokens" => coin.platform.is_some(),
        _ => true,
    });
    coins.retain(|coin| tag == "all" || coin.tags.iter().any(|(slug, ..)| *slug == tag));
    // The first currency decides; figures are worked out only where they matter.
    if let Some((_, currency)) = converts.list.first() {
        coins.retain(|coin| {
            bounds.is_empty() || {
                let figures = market.figures(coin, currency);
                let within = |(name, low, high): &(&str, f64, f64)| {
                    (*low..=*high).contains(&measure(name, coin, &figures))
                };
                bounds.iter().all(within)
            }
        });
        sort_by(&mut coins, sort, descending, market, currency);
    }
    Ok(coins)
}

fn sort_by(
    coins: &mut Vec<&Coin>,
    sort: &str,
    descending: bool,
    market: &Market<'_>,
    currency: &Currency,
) {
    match sort {
        // The default is CoinMarketCap's own rank, which is the catalogue's order.
        "market_cap" if descending => return,
        "market_cap" => return coins.reverse(),
        "name" => coins.sort_by_key(|coin| coin.name.to_lowercase()),
        "symbol" => coins.sort_by_key(|coin| coin.symbol.clone()),
        "date_added" => coins.sort_by_key(|coin| coin.date_added.clone()),
        _ => {
            let value = |coin: &&Coin| measure(sort, coin, &market.figures(coin, currency));
            let mut keyed: Vec<(f64, &Coin)> = coins.iter().map(|c| (value(c), *c)).collect();
            keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
            *coins = keyed.into_iter().map(|(_, coin)| coin).collect();
        }
    }
    if descending {
        coins.reverse();
    }
}

/// A coin's figure of that name.
fn measure(name: &str, coin: &Coin, figures: &Figures) -> f64 {
    match name {
        "price" => figures.price,
        "volume_24h" | "volume_7d" | "volume_30d" => figures.volume_24h,
        "circulating_supply" | "total_supply" => coin.supply,
        "max_supply" => coin.max_supply.unwrap_or(0.0),
        "num_market_pairs" => f64::from(coin.market_pairs),
        "percent_change_1h" => figures.changes[0],
        "percent_change_24h" => figures.changes[1],
        "percent_change_7d" => figures.changes[2],
        _ => figures.market_cap,
    }
}
