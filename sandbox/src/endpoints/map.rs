//! `/v1/cryptocurrency/map`: every coin's id, name and symbol. It is free.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use super::{Prepared, coin_object};
use crate::catalogue::Coin;
use crate::clock::stamp;
use crate::fault::Fault;
use crate::market::Market;
use crate::query::Query;

const PARAMETERS: &[&str] = &["listing_status", "start", "limit", "sort", "symbol", "aux"];
const AUX: &[&str] = &[
    "platform",
    "first_historical_data",
    "last_historical_data",
    "is_active",
    "status",
];
const HISTORY_MS: i64 = 300_000;

pub(super) fn prepare<'m>(query: &Query, market: Market<'m>) -> Result<Prepared<'m>, Fault> {
    query.allow(PARAMETERS)?;
    let start = query.number("start", 1..=100_000_usize)?.unwrap_or(1);
    let limit = query
        .number("limit", 1..=5_000_usize)?
        .unwrap_or(usize::MAX);
    let sort = query.choice("sort", &["id", "cmc_rank"], "id")?;
    let statuses = ["active", "inactive", "untracked"];
    let status = query.choice("listing_status", &statuses, "active")?;
    let aux = query.aux(AUX)?;

    let symbols = query.list("symbol")?;
    let coins: Vec<&Coin> = match &symbols {
        // Named symbols bring retired coins too, in the order of the names (recorded 2026-09-24).
        Some(symbols) => {
            let found = symbols.iter().map(|one| market.catalogue.by_symbol(one));
            found.flatten().collect()
        }
        None => {
            let listed = |coin: &&Coin| match status {
                "active" => coin.rank.is_some(),
                "inactive" => coin.rank.is_none(),
                _ => false,
            };
            let mut coins: Vec<&Coin> = market.catalogue.all().iter().filter(listed).collect();
            if sort == "id" {
                coins.sort_by_key(|coin| coin.id);
            }
            coins
        }
    };
    let page: Vec<&Coin> = coins.into_iter().skip(start - 1).take(limit).collect();
    let asked = symbols.unwrap_or_default();
    Ok(Prepared::new(0, asked, move || {
        let row = |coin: &&Coin| row(coin, market.now, aux.as_deref());
        page.iter().map(row).collect::<Value>().to_string()
    }))
}

fn row(coin: &Coin, now: DateTime<Utc>, aux: Option<&[String]>) -> Value {
    let last = now.timestamp_millis().div_euclid(HISTORY_MS) * HISTORY_MS;
    let last = DateTime::from_timestamp_millis(last).unwrap_or(now);
    let mut fields = Map::new();
    let mut put = |name: &str, value: Value| {
        let wanted =
            aux.is_none_or(|aux| !AUX.contains(&name) || aux.iter().any(|one| one == name));
        if wanted {
            fields.insert(name.to_owned(), value);
        }
    };
    put("id", json!(coin.id));
    put("name", json!(coin.name));
    put("symbol", json!(coin.symbol));
    put("slug", json!(coin.slug));
    put("rank", json!(coin.rank));
    put("is_active", json!(u8::from(coin.rank.is_some())));
    let first = format!("{}T00:05:00.000Z", coin.date_added);
    put("first_historical_data", json!(first));
    put("last_historical_data", json!(stamp(last)));
    let platform = coin.platform.as_ref().map(coin_object::platform);
    put("platform", json!(platform));
    Value::Object(fields)
}
