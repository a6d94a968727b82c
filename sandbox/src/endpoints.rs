//! The endpoints: what each costs and what it answers.
//!
//! Each file reads its own parameters and returns a [`Prepared`] answer, whose
//! price is known before anything is counted, so that the ledger can refuse a
//! call or charge for it in one step. Credit rules are those of the official SDK
//! 5.0.0's docstrings (`reference/coinmarketcap/endpoints.tsv`, 2026-11-23).
//!
//! # Not here
//!
//! Keys, limits and counting: [`crate::ledger`]. Everything that goes wrong on
//! purpose: [`crate::trouble`].

mod coin_object;
mod fear_and_greed;
mod fiat_map;
mod global_metrics;
mod info;
mod key_info;
mod listings;
mod map;
mod price_conversion;
mod quotes;
mod simple_price;

use crate::config::KeyInfoForm;
use crate::envelope::Dialect;
use crate::fault::Fault;
use crate::ledger::Usage;
use crate::market::Market;
use crate::query::Query;

/// An answer that is ready but for what the ledger knows.
pub(crate) struct Prepared<'m> {
    /// What it costs.
    pub(crate) credits: u64,
    /// The ids, slugs or symbols that were asked for.
    pub(crate) asked: Vec<String>,
    /// `data`, as JSON.
    pub(crate) data: Box<dyn FnOnce(&Usage) -> String + 'm>,
}

impl<'m> Prepared<'m> {
    fn new(credits: u64, asked: Vec<String>, data: impl FnOnce() -> String + 'm) -> Self {
        Self {
            credits,
            asked,
            data: Box::new(|_| data()),
        }
    }
}

/// One of the paths that the sandbox answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Endpoint {
    Map,
    ListingsV3,
    ListingsV1,
    QuotesV3,
    QuotesV2,
    QuotesV1,
    SimplePrice,
    InfoV2,
    InfoV1,
    GlobalMetrics,
    FearAndGreed,
    FiatMap,
    PriceConversion,
    KeyInfo,
}

impl Endpoint {
    /// The endpoint at a path.
    pub(crate) fn at(path: &str) -> Option<Self> {
        Some(match path {
            "/v1/cryptocurrency/map" => Self::Map,
            "/v3/cryptocurrency/listings/latest" => Self::ListingsV3,
            "/v1/cryptocurrency/listings/latest" => Self::ListingsV1,
            "/v3/cryptocurrency/quotes/latest" => Self::QuotesV3,
            "/v2/cryptocurrency/quotes/latest" => Self::QuotesV2,
            "/v1/cryptocurrency/quotes/latest" => Self::QuotesV1,
            "/v2/simple/price" => Self::SimplePrice,
            "/v2/cryptocurrency/info" => Self::InfoV2,
            "/v1/cryptocurrency/info" => Self::InfoV1,
            "/v1/global-metrics/quotes/latest" => Self::GlobalMetrics,
            "/v3/fear-and-greed/latest" => Self::FearAndGreed,
            "/v1/fiat/map" => Self::FiatMap,
            "/v2/tools/price-conversion" => Self::PriceConversion,
            "/v1/key/info" => Self::KeyInfo,
            _ => return None,
        })
    }

    /// How the `status` of a path is written, errors included.
    pub(crate) fn dialect_of(path: &str) -> Dialect {
        if path.starts_with("/v3/") || path == "/v2/simple/price" {
            Dialect::Text
        } else {
            Dialect::Number
        }
    }

    /// Reads the parameters and works out the cost.
    pub(crate) fn prepare<'m>(
        self,
        query: &Query,
        market: Market<'m>,
        form: KeyInfoForm,
    ) -> Result<Prepared<'m>, Fault> {
        match self {
            Self::Map => map::prepare(query, market),
            Self::ListingsV3 => listings::prepare(query, market, listings::V3),
            Self::ListingsV1 => listings::prepare(query, market, listings::V1),
            Self::QuotesV3 => quotes::prepare(query, market, quotes::Version::V3),
            Self::QuotesV2 => quotes::prepare(query, market, quotes::Version::V2),
            Self::QuotesV1 => quotes::prepare(query, market, quotes::Version::V1),
            Self::SimplePrice => simple_price::prepare(query, market),
            Self::InfoV2 => info::prepare(query, market, info::Version::V2),
            Self::InfoV1 => info::prepare(query, market, info::Version::V1),
            Self::GlobalMetrics => global_metrics::prepare(query, market),
            Self::FearAndGreed => fear_and_greed::prepare(query, market),
            Self::FiatMap => fiat_map::prepare(query),
            Self::PriceConversion => price_conversion::prepare(query, market),
            Self::KeyInfo => key_info::prepare(query, market, form),
        }
    }
}

/// One credit for every `per` items, rounded up.
fn batch_credits(items: usize, per: usize) -> u64 {
    items.div_ceil(per) as u64
}
