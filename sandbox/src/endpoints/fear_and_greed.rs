//! `/v3/fear-and-greed/latest`: a mood between 0 and 100, every fifteen steps, for
//! one credit.

use serde_json::json;

use super::Prepared;
use crate::clock::stamp;
use crate::fault::Fault;
use crate::market::Market;
use crate::query::Query;

/// CoinMarketCap renews it every fifteen minutes, prices every minute.
const STEPS: i64 = 15;

pub(super) fn prepare<'m>(query: &Query, market: Market<'m>) -> Result<Prepared<'m>, Fault> {
    query.allow(&[])?;
    Ok(Prepared::new(1, Vec::new(), move || {
        let value = (market.chance(0x6665_6172, STEPS) * 101.0) as u8;
        let mood = match value {
            0..20 => "Extreme fear",
            20..40 => "Fear",
            40..60 => "Neutral",
            60..80 => "Greed",
            _ => "Extreme greed",
        };
        json!({
            "value": value,
            "value_classification": mood,
            "update_time": stamp(market.updated_every(STEPS)),
        })
        .to_string()
    }))
}
