//! A coin with its market data, as listings and quotes write it.
//!
//! The versions differ in the fields that they have, in whether `quote` is an
//! array (v3) or a map, and in whether tags are objects or slugs. The field sets
//! are those of the recorded answers: v3 2026-09-24, v2 2022-06-16, v1 listings
//! 2019-02-08, with the changes of 30, 60 and 90 days that a client of 2026 cannot read a
//! listing without (byteforge-coinmarketcap 4.3). `aux` can leave fields out; those that it could add (volumes of 7
//! and 30 days) are not made up here.

use serde_json::{Map, Number, Value, json};

use crate::catalogue::{Coin, Platform};
use crate::clock::stamp;
use crate::market::Market;
use crate::selection::Converts;

/// How one version of the API writes a coin.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    /// Fields of the coin that this version lacks.
    without: &'static [&'static str],
    /// Fields of a quote that this version lacks.
    quote_without: &'static [&'static str],
    quote_is_array: bool,
    tags_are_slugs: bool,
}

/// v3 listings and quotes.
pub(super) const V3: Shape = Shape {
    without: &[],
    quote_without: &[],
    quote_is_array: true,
    tags_are_slugs: false,
};

/// v2 quotes.
pub(super) const V2: Shape = Shape {
    without: &["infinite_supply", "minted_market_cap"],
    quote_without: &["cex_volume_24h", "dex_volume_24h", "minted_market_cap"],
    quote_is_array: false,
    tags_are_slugs: false,
};

/// v1 quotes.
pub(super) const V1: Shape = Shape {
    tags_are_slugs: true,
    ..V2
};

/// v1 listings.
pub(super) const V1_LISTINGS: Shape = Shape {
    without: &[
        "infinite_supply",
        "minted_market_cap",
        "is_active",
        "is_fiat",
        "tvl_ratio",
        "self_reported_circulating_supply",
        "self_reported_market_cap",
    ],
    quote_without: &[
        "cex_volume_24h",
        "dex_volume_24h",
        "minted_market_cap",
        "volume_change_24h",
        "market_cap_dominance",
        "fully_diluted_market_cap",
        "tvl",
    ],
    quote_is_array: false,
    tags_are_slugs: true,
};

/// Fields that `aux` may name. Those among the coin's own are left out when `aux`
/// is given without them.
pub(super) const AUX: &[&str] = &[
    "num_market_pairs",
    "cmc_rank",
    "date_added",
    "tags",
    "platform",
    "max_supply",
    "circulating_supply",
    "total_supply",
    "market_cap_by_total_supply",
    "volume_24h_reported",
    "volume_7d",
    "volume_7d_reported",
    "volume_30d",
    "volume_30d_reported",
    "is_active",
    "is_fiat",
];

/// Writes coins of one shape, in the currencies of one call.
pub(super) struct Writer<'m> {
    pub(super) market: Market<'m>,
    pub(super) converts: Converts,
    pub(super) shape: Shape,
    pub(super) aux: Option<Vec<String>>,
}

impl<'m> Writer<'m> {
    pub(super) fn new(
        market: Market<'m>,
        converts: Converts,
        shape: Shape,
        aux: Option<Vec<String>>,
    ) -> Self {
        Self {
            market,
            converts,
            shape,
            aux,
        }
    }

    pub(super) fn coin(&self, coin: &Coin) -> Value {
        let usd = self.market.price(coin);
        let tags: Vec<Value> = if self.shape.tags_are_slugs {
            coin.tags.iter().map(|tag| json!(tag.0)).collect()
        } else {
            let object = |tag: &crate::catalogue::Tag| json!({"slug": tag.0, "name": tag.1, "category": tag.2});
            coin.tags.iter().map(object).collect()
        };
        let mut fields = object(json!({
            "id": coin.id,
            "name": coin.name,
            "symbol": coin.symbol,
            "slug": coin.slug,
            "tags": tags,
            "is_active": u8::from(coin.rank.is_some()),
            "infinite_supply": coin.max_supply.is_none(),
            "is_fiat": 0,
            "circulating_supply": number(coin.supply),
            "total_supply": number(coin.supply),
            "max_supply": coin.max_supply.map(number),
            "date_added": format!("{}T00:00:00.000Z", coin.date_added),
            "num_market_pairs": coin.market_pairs,
            "cmc_rank": coin.rank,
            "last_updated": stamp(self.market.updated()),
            "tvl_ratio": null,
            "platform": coin.platform.as_ref().map(platform),
            "self_reported_circulating_supply": null,
            "self_reported_market_cap": null,
            "minted_market_cap": usd * coin.supply,
        }));
        fields.retain(|name, _| self.keeps(name));
        fields.insert("quote".into(), self.quote(coin));
        Value::Object(fields)
    }

    fn keeps(&self, name: &str) -> bool {
        if self.shape.without.contains(&name) {
            return false;
        }
        match &self.aux {
            Some(wanted) => !AUX.contains(&name) || wanted.iter().any(|field| field == name),
            None => true,
        }
    }

    fn quote(&self, coin: &Coin) -> Value {
        let mut map = Map::new();
        let mut array = Vec::new();
        for (key, currency) in &self.converts.list {
            let figures = self.market.figures(coin, currency);
            let [hour, day, week, month, two_months, quarter] = figures.changes;
            let share =
                100.0 * figures.market_cap * currency.usd / self.market.catalogue.whole_value;
            let mut fields = object(json!({
                "price": figures.price,
                "volume_24h": figures.volume_24h,
                "volume_change_24h": figures.volume_change_24h,
                "cex_volume_24h": figures.volume_24h * 0.97,
                "dex_volume_24h": figures.volume_24h * 0.03,
                "percent_change_1h": hour,
                "percent_change_24h": day,
                "percent_change_7d": week,
                "percent_change_30d": month,
                "percent_change_60d": two_months,
                "percent_change_90d": quarter,
                "market_cap": figures.market_cap,
                "market_cap_dominance": (share * 10_000.0).round() / 10_000.0,
                "fully_diluted_market_cap": figures.fully_diluted,
                "minted_market_cap": figures.market_cap,
                "tvl": null,
                "last_updated": stamp(self.market.updated()),
            }));
            fields.retain(|name, _| !self.shape.quote_without.contains(&name.as_str()));
            if self.shape.quote_is_array {
                fields.insert("id".into(), json!(currency.id));
                fields.insert("symbol".into(), json!(currency.symbol));
                array.push(Value::Object(fields));
            } else {
                map.insert(key.clone(), Value::Object(fields));
            }
        }
        if self.shape.quote_is_array {
            Value::Array(array)
        } else {
            Value::Object(map)
        }
    }
}

pub(super) fn platform(platform: &Platform) -> Value {
    json!({
        "id": platform.id,
        "name": platform.name,
        "symbol": platform.symbol,
        "slug": platform.slug,
        "token_address": platform.token_address,
    })
}

/// Whole amounts without a fraction, as recorded: `20088743`, but `434903.623539`.
fn number(value: f64) -> Value {
    // Doubles are whole and exact up to 2^53.
    if value.fract() == 0.0 && value.abs() < 9e15 {
        return json!(value as i64);
    }
    Number::from_f64(value).map_or(Value::Null, Value::Number)
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}
