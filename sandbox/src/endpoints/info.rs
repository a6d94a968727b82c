//! `/v2/cryptocurrency/info` and `/v1/…`: what a coin is. A credit for every 250, or 100.
//!
//! No answer of this endpoint was recorded; the fields are those of the official
//! SDK 5.0.0's model (2026-11-23). v1 has the largest coin of a symbol, not a list.

use serde_json::{Map, Value, json};

use super::{Prepared, batch_credits, coin_object};
use crate::catalogue::Coin;
use crate::fault::Fault;
use crate::market::Market;
use crate::query::Query;
use crate::selection::{By, Selection};

const PARAMETERS: &[&str] = &["id", "slug", "symbol", "address", "skip_invalid", "aux"];
const AUX: &[&str] = &[
    "urls",
    "logo",
    "description",
    "tags",
    "platform",
    "date_added",
    "notice",
    "status",
];

/// Which of the two it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    V2,
    V1,
}

pub(super) fn prepare<'m>(
    query: &Query,
    market: Market<'m>,
    version: Version,
) -> Result<Prepared<'m>, Fault> {
    query.allow(PARAMETERS)?;
    let skip_invalid = query.flag("skip_invalid", false)?;
    let aux = query.aux(AUX)?;
    let ways = [By::Id, By::Slug, By::Symbol, By::Address];
    let selection = Selection::read(query, market.catalogue, &ways, skip_invalid)?;
    let per_credit = match version {
        Version::V2 => 250,
        Version::V1 => 100,
    };
    let credits = batch_credits(selection.coins().len(), per_credit);
    let asked = selection.asked.clone();
    Ok(Prepared::new(credits, asked, move || {
        let mut map = Map::new();
        for (lookup, coins) in &selection.found {
            let written: Vec<Value> = coins.iter().map(|c| about(c, aux.as_deref())).collect();
            if selection.by == By::Symbol {
                let value = match version {
                    Version::V2 => Value::Array(written),
                    Version::V1 => written.into_iter().next().unwrap_or_default(),
                };
                map.insert(lookup.to_uppercase(), value);
                continue;
            }
            for (coin, value) in coins.iter().zip(written) {
                map.insert(coin.id.to_string(), value);
            }
        }
        Value::Object(map).to_string()
    }))
}

fn about(coin: &Coin, aux: Option<&[String]>) -> Value {
    let kind = match coin.platform {
        Some(_) => "token",
        None => "coin",
    };
    let slugs: Vec<&str> = coin.tags.iter().map(|tag| tag.0).collect();
    let names: Vec<&str> = coin.tags.iter().map(|tag| tag.1).collect();
    let groups: Vec<&str> = coin.tags.iter().map(|tag| tag.2).collect();
    let contracts: Vec<Value> = coin
        .platform
        .iter()
        .map(|on| {
            json!({
                "contract_address": on.token_address,
                "platform": {
                    "name": on.name,
                    "coin": {"id": on.id.to_string(), "name": on.name, "symbol": on.symbol, "slug": on.slug},
                },
            })
        })
        .collect();
    let mut value = json!({
        "id": coin.id,
        "name": coin.name,
        "symbol": coin.symbol,
        "category": kind,
        "description": format!("{} ({}) is a {kind} of the sandbox.", coin.name, coin.symbol),
        "slug": coin.slug,
        "logo": format!("https://s2.coinmarketcap.com/static/img/coins/64x64/{}.png", coin.id),
        "subreddit": "",
        "notice": "",
        "tags": slugs,
        "tag_names": names,
        "tag_groups": groups,
        "urls": {
            "website": [], "twitter": [], "message_board": [], "chat": [], "facebook": [],
            "explorer": [], "reddit": [], "technical_doc": [], "source_code": [], "announcement": [],
        },
        "platform": coin.platform.as_ref().map(coin_object::platform),
        "date_added": format!("{}T00:00:00.000Z", coin.date_added),
        "twitter_username": "",
        "is_hidden": 0,
        "date_launched": null,
        "contract_address": contracts,
        "self_reported_circulating_supply": null,
        "self_reported_tags": null,
        "self_reported_market_cap": null,
        "infinite_supply": coin.max_supply.is_none(),
    });
    if let (Some(wanted), Value::Object(fields)) = (aux, &mut value) {
        fields.retain(|name, _| !AUX.contains(&name.as_str()) || wanted.contains(name));
    }
    value
}
