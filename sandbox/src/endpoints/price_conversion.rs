//! `/v2/tools/price-conversion`: an amount of one currency in others.
//!
//! One credit, and one for each currency beyond the first. `data` is an object
//! when asked by id (recorded 2026-09-24) and an array of every match when asked
//! by symbol (SDK 5.0.0's model). `time` is refused: the sandbox has no history.

use serde_json::{Map, Value, json};

use super::Prepared;
use crate::clock::stamp;
use crate::currency::FIATS;
use crate::fault::Fault;
use crate::market::Market;
use crate::query::Query;
use crate::selection::Converts;

const PARAMETERS: &[&str] = &["amount", "id", "symbol", "convert", "convert_id"];

/// What is converted.
struct Source {
    id: u32,
    symbol: String,
    name: String,
    usd: f64,
}

pub(super) fn prepare<'m>(query: &Query, market: Market<'m>) -> Result<Prepared<'m>, Fault> {
    query.allow(PARAMETERS)?;
    let amount = query
        .number("amount", 0.000_000_01..=1e12_f64)?
        .ok_or_else(|| Fault::bad("\"amount\" is required"))?;
    let (sources, many) = sources(query, &market)?;
    let converts = Converts::read(query, &market)?;
    let credits = 1 + converts.extra_credits();
    let asked = query.get("id").or_else(|| query.get("symbol"));
    let asked = asked.map(str::to_owned).into_iter().collect();
    Ok(Prepared::new(credits, asked, move || {
        let updated = stamp(market.updated());
        let mut rows = Vec::new();
        for source in &sources {
            let mut quote = Map::new();
            for (key, currency) in &converts.list {
                let price = amount * source.usd / currency.usd;
                quote.insert(
                    key.clone(),
                    json!({"price": price, "last_updated": updated}),
                );
            }
            rows.push(json!({
                "id": source.id,
                "symbol": source.symbol,
                "name": source.name,
                "amount": amount,
                "quote": quote,
                "last_updated": updated,
            }));
        }
        match rows.pop() {
            Some(only) if !many => only.to_string(),
            last => {
                rows.extend(last);
                Value::Array(rows).to_string()
            }
        }
    }))
}

fn sources(query: &Query, market: &Market<'_>) -> Result<(Vec<Source>, bool), Fault> {
    let mut found = Vec::new();
    let (name, given) = match (query.get("id"), query.get("symbol")) {
        (Some(id), None) => ("id", id),
        (None, Some(symbol)) => ("symbol", symbol),
        _ => return Err(Fault::bad("\"value\" must contain one of [id, symbol]")),
    };
    let coins = match given.parse().ok().filter(|_| name == "id") {
        Some(id) => market.catalogue.by_id(id).into_iter().collect(),
        None if name == "symbol" => market.catalogue.by_symbol(given),
        None => Vec::new(),
    };
    for fiat in FIATS {
        let same = match name {
            "id" => fiat.0.to_string() == given,
            _ => fiat.3.eq_ignore_ascii_case(given),
        };
        if same {
            found.push(Source {
                id: fiat.0,
                symbol: fiat.3.to_owned(),
                name: fiat.1.to_owned(),
                usd: fiat.4,
            });
        }
    }
    for coin in coins {
        found.push(Source {
            id: coin.id,
            symbol: coin.symbol.clone(),
            name: coin.name.clone(),
            usd: market.price(coin),
        });
    }
    if found.is_empty() {
        return Err(Fault::bad(format!(
            "Invalid value for \"{name}\": \"{given}\""
        )));
    }
    Ok((found, name == "symbol"))
}
