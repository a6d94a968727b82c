//! `/v3`, `/v2` and `/v1` `/cryptocurrency/quotes/latest`.
//!
//! | version | data, asked by id or slug | data, asked by symbol | credits |
//! |---------|---------------------------|-----------------------|---------|
//! | v3      | array of coins            | array of every match  | 250 coins each |
//! | v2      | map by id                 | map by symbol to an array of every match | 100 each |
//! | v1      | map by id                 | map by symbol to the largest match | 100 each |
//!
//! Each currency beyond the first costs one more. Coins that are left out cost
//! nothing, so an answer without any coin is free but for its extra currencies.

use serde_json::{Map, Value};

use super::coin_object::{self, Writer};
use super::{Prepared, batch_credits};
use crate::fault::Fault;
use crate::market::Market;
use crate::query::Query;
use crate::selection::{By, Converts, Selection};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    V3,
    V2,
    V1,
}

const PARAMETERS: &[&str] = &[
    "id",
    "slug",
    "symbol",
    "convert",
    "convert_id",
    "aux",
    "skip_invalid",
];

pub(super) fn prepare<'m>(
    query: &Query,
    market: Market<'m>,
    version: Version,
) -> Result<Prepared<'m>, Fault> {
    query.allow(PARAMETERS)?;
    let skip_invalid = query.flag("skip_invalid", true)?;
    let ways = [By::Id, By::Slug, By::Symbol];
    let mut selection = Selection::read(query, market.catalogue, &ways, skip_invalid)?;
    let converts = Converts::read(query, &market)?;
    let aux = query.aux(coin_object::AUX)?;
    let (shape, per_credit) = match version {
        Version::V3 => (coin_object::V3, 250),
        Version::V2 => (coin_object::V2, 100),
        Version::V1 => (coin_object::V1, 100),
    };
    if version == Version::V1 {
        selection = selection.best_only();
    }
    let credits = batch_credits(selection.coins().len(), per_credit) + converts.extra_credits();
    let writer = Writer::new(market, converts, shape, aux);
    let asked = selection.asked.clone();
    Ok(Prepared::new(credits, asked, move || {
        data(&selection, &writer, version).to_string()
    }))
}

fn data(selection: &Selection<'_>, writer: &Writer<'_>, version: Version) -> Value {
    if version == Version::V3 {
        let coins = selection.coins();
        return coins.into_iter().map(|coin| writer.coin(coin)).collect();
    }
    let mut map = Map::new();
    for (lookup, coins) in &selection.found {
        let mut written = coins.iter().map(|coin| writer.coin(coin));
        if selection.by == By::Symbol && version == Version::V2 {
            map.insert(lookup.to_uppercase(), written.collect());
        } else if let (Some(first), Some(value)) = (coins.first(), written.next()) {
            let key = match selection.by {
                By::Symbol => lookup.to_uppercase(),
                _ => first.id.to_string(),
            };
            map.insert(key, value);
        }
    }
    Value::Object(map)
}
