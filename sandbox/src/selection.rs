//! Which coins and which currencies a call asks for.
//!
//! `id`, `slug` and `symbol` exclude each other. A lookup that matches nothing is
//! left out of the answer, or is an error if `skip_invalid` is false: so an
//! unknown symbol is answered with a success and empty data, which is what
//! CoinMarketCap does (`reference/coinmarketcap.md` 1.4, 2026-11-23). The default
//! of `skip_invalid` is documented as true for v1 and v2 quotes and for
//! `/v2/simple/price`, as false for `/v2/cryptocurrency/info`, and nowhere for v3
//! quotes, where the sandbox takes true like its predecessors.

use std::collections::HashSet;

use crate::catalogue::{Catalogue, Coin};
use crate::currency::Currency;
use crate::fault::Fault;
use crate::market::Market;
use crate::query::Query;

/// The most ids in one call.
const MAX_LOOKUPS: usize = 5_000;
/// The most currencies in one call (CoinMarketCap's guide, 2026-11-23).
const MAX_CONVERTS: usize = 120;

/// What the coins of a call were named by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    Id,
    Slug,
    Symbol,
    Address,
}

impl By {
    fn parameter(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Slug => "slug",
            Self::Symbol => "symbol",
            Self::Address => "address",
        }
    }
}

/// The coins that a call asks for.
#[derive(Debug)]
pub(crate) struct Selection<'a> {
    pub(crate) by: By,
    /// As they were asked for.
    pub(crate) asked: Vec<String>,
    /// One entry for each lookup that matched, with the coins that it matched,
    /// largest first. Only a symbol can match more than one.
    pub(crate) found: Vec<(String, Vec<&'a Coin>)>,
}

impl<'a> Selection<'a> {
    /// Reads `id`, `slug`, `symbol` or (where the endpoint has it) `address`.
    pub(crate) fn read(
        query: &Query,
        catalogue: &'a Catalogue,
        ways: &[By],
        skip_invalid: bool,
    ) -> Result<Self, Fault> {
        let mut given = None;
        for by in ways {
            if let Some(list) = query.list(by.parameter())? {
                if given.is_some() {
                    return Err(Fault::bad(format!(
                        "\"value\" contains a conflict between exclusive peers [{}]",
                        names(ways)
                    )));
                }
                given = Some((*by, list));
            }
        }
        let Some((by, asked)) = given else {
            return Err(Fault::bad(format!(
                "\"value\" must contain at least one of [{}]",
                names(ways)
            )));
        };
        if asked.len() > MAX_LOOKUPS {
            return Err(Fault::bad(format!(
                "\"{}\" must not name more than {MAX_LOOKUPS}",
                by.parameter()
            )));
        }

        let mut seen = HashSet::new();
        let mut found = Vec::new();
        for lookup in &asked {
            let coins = matching(catalogue, by, lookup)?;
            if coins.is_empty() && !skip_invalid {
                return Err(invalid(by, lookup));
            }
            if !coins.is_empty() && seen.insert(lookup.to_uppercase()) {
                found.push((lookup.clone(), coins));
            }
        }
        Ok(Self { by, asked, found })
    }

    /// Every coin of the answer, each once.
    pub(crate) fn coins(&self) -> Vec<&'a Coin> {
        let mut seen = HashSet::new();
        let all = self.found.iter().flat_map(|(_, coins)| coins.iter());
        all.copied().filter(|coin| seen.insert(coin.id)).collect()
    }

    /// Keeps the largest coin of each lookup: what a symbol means where the answer
    /// has room for one.
    pub(crate) fn best_only(mut self) -> Self {
        for (_, coins) in &mut self.found {
            coins.truncate(1);
        }
        self
    }
}

fn matching<'a>(catalogue: &'a Catalogue, by: By, lookup: &str) -> Result<Vec<&'a Coin>, Fault> {
    Ok(match by {
        By::Id => {
            let id = lookup.parse::<u32>().map_err(|_| invalid(by, lookup))?;
            catalogue.by_id(id).into_iter().collect()
        }
        By::Slug => catalogue.by_slug(lookup).into_iter().collect(),
        By::Symbol => catalogue.by_symbol(lookup),
        By::Address => {
            let same = |coin: &&Coin| {
                let platform = coin.platform.as_ref();
                platform.is_some_and(|on| on.token_address.eq_ignore_ascii_case(lookup))
            };
            catalogue.all().iter().filter(same).collect()
        }
    })
}

fn invalid(by: By, lookup: &str) -> Fault {
    Fault::bad(format!(
        "Invalid value for \"{}\": \"{lookup}\"",
        by.parameter()
    ))
}

fn names(ways: &[By]) -> String {
    let names: Vec<&str> = ways.iter().map(|by| by.parameter()).collect();
    names.join(", ")
}

/// The currencies of a call; US dollars if it names none.
#[derive(Debug)]
pub(crate) struct Converts {
    /// What the currency is keyed by in the answer, and the currency.
    pub(crate) list: Vec<(String, Currency)>,
}

impl Converts {
    /// Reads `convert` (symbols) or `convert_id`.
    pub(crate) fn read(query: &Query, market: &Market<'_>) -> Result<Self, Fault> {
        let (name, asked, by_id) = match (query.list("convert")?, query.list("convert_id")?) {
            (Some(_), Some(_)) => {
                return Err(Fault::bad(
                    "\"convert\" conflict with forbidden peers [convert_id]",
                ));
            }
            (None, None) => ("convert", vec!["USD".to_owned()], false),
            (Some(symbols), None) => ("convert", symbols, false),
            (None, Some(ids)) => ("convert_id", ids, true),
        };
        if asked.len() > MAX_CONVERTS {
            return Err(Fault::bad(format!(
                "\"{name}\" must not name more than {MAX_CONVERTS}"
            )));
        }
        let mut list: Vec<(String, Currency)> = Vec::new();
        for one in asked {
            let currency = if by_id {
                one.parse().ok().and_then(|id| market.currency_by_id(id))
            } else {
                market.currency_by_symbol(&one)
            };
            let Some(currency) = currency else {
                return Err(Fault::bad(format!(
                    "Invalid value for \"{name}\": \"{one}\""
                )));
            };
            let key = if by_id { one } else { currency.symbol.clone() };
            if list.iter().all(|(earlier, _)| *earlier != key) {
                list.push((key, currency));
            }
        }
        Ok(Self { list })
    }

    /// Credits for the currencies beyond the first.
    pub(crate) fn extra_credits(&self) -> u64 {
        (self.list.len() as u64).saturating_sub(1)
    }
}
