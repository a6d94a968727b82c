//! `/v2/simple/price`: prices and little else; the `include_*` flags are free.

use serde_json::{Map, Value, json};

use super::{Prepared, batch_credits};
use crate::catalogue::Coin;
use crate::clock::stamp;
use crate::fault::Fault;
use crate::market::Market;
use crate::query::Query;
use crate::selection::{By, Converts, Selection};

const PARAMETERS: &[&str] = &[
    "id",
    "slug",
    "symbol",
    "convert",
    "convert_id",
    "include_market_cap",
    "include_24h_volume",
    "include_24h_change",
    "include_last_updated",
    "include_all",
    "precision",
    "skip_invalid",
];

struct Flags {
    market_cap: bool,
    volume: bool,
    change: bool,
    last_updated: bool,
    precision: Option<i32>,
}

pub(super) fn prepare<'m>(query: &Query, market: Market<'m>) -> Result<Prepared<'m>, Fault> {
    query.allow(PARAMETERS)?;
    let all = query.flag("include_all", false)?;
    let flags = Flags {
        market_cap: query.flag("include_market_cap", false)? || all,
        volume: query.flag("include_24h_volume", false)? || all,
        change: query.flag("include_24h_change", false)? || all,
        last_updated: query.flag("include_last_updated", false)? || all,
        precision: query.number("precision", 0..=18)?,
    };
    let skip_invalid = query.flag("skip_invalid", true)?;
    let ways = [By::Id, By::Slug, By::Symbol];
    let selection = Selection::read(query, market.catalogue, &ways, skip_invalid)?.best_only();
    let converts = Converts::read(query, &market)?;
    let coins = selection.coins();
    let credits = batch_credits(coins.len(), 250) + converts.extra_credits();
    Ok(Prepared::new(credits, selection.asked, move || {
        let row = |coin: &&Coin| row(coin, &market, &converts, &flags);
        coins.iter().map(row).collect::<Value>().to_string()
    }))
}

fn row(coin: &Coin, market: &Market<'_>, converts: &Converts, flags: &Flags) -> Value {
    let mut quotes = Vec::new();
    for (_, currency) in &converts.list {
        let figures = market.figures(coin, currency);
        let price = match flags.precision {
            Some(places) => {
                let scale = 10_f64.powi(places);
                (figures.price * scale).round() / scale
            }
            None => figures.price,
        };
        let mut quote = Map::new();
        quote.insert("symbol".into(), json!(currency.symbol));
        quote.insert("price".into(), json!(price));
        if flags.market_cap {
            quote.insert("market_cap".into(), json!(figures.market_cap));
        }
        if flags.volume {
            quote.insert("volume_24h".into(), json!(figures.volume_24h));
        }
        if flags.change {
            quote.insert("percent_change_24h".into(), json!(figures.changes[1]));
        }
        if flags.last_updated {
            quote.insert("last_updated".into(), json!(stamp(market.updated())));
        }
        quotes.push(Value::Object(quote));
    }
    json!({
        "id": coin.id,
        "name": coin.name,
        "symbol": coin.symbol,
        "slug": coin.slug,
        "quotes": quotes,
    })
}
