//! The coins that the sandbox knows, the same in every run.
//!
//! The well-known ones have CoinMarketCap's own ids, names and slugs, so that an
//! application can be pointed at the sandbox unchanged; the rest are made up. Ids
//! never change. A symbol is not unique, as at CoinMarketCap, where `BTC` alone
//! matches 13 coins (recorded 2026-09-24).
//!
//! # Not here
//!
//! What a coin is worth: [`crate::market`].

mod known;
mod made;

use std::collections::HashMap;

/// One coin; what does not change about it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Coin {
    pub(crate) id: u32,
    pub(crate) name: String,
    pub(crate) symbol: String,
    pub(crate) slug: String,
    /// 1 is the largest; `None` for a coin that is no longer traded.
    pub(crate) rank: Option<u32>,
    /// Around what its price moves, in US dollars.
    pub(crate) base_price: f64,
    /// How far the price swings, as a share of it; next to nothing for a stablecoin.
    pub(crate) swing: f64,
    pub(crate) supply: f64,
    pub(crate) max_supply: Option<f64>,
    /// `YYYY-MM-DD`.
    pub(crate) date_added: String,
    pub(crate) market_pairs: u32,
    pub(crate) tags: Vec<Tag>,
    pub(crate) platform: Option<Platform>,
}

/// A label of a coin: slug, name, category.
pub(crate) type Tag = (&'static str, &'static str, &'static str);

/// The chain that a token lives on.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Platform {
    pub(crate) id: u32,
    pub(crate) name: &'static str,
    pub(crate) symbol: &'static str,
    pub(crate) slug: &'static str,
    pub(crate) token_address: String,
}

/// All coins: the active ones by rank, then those without a rank by id.
#[derive(Debug)]
pub(crate) struct Catalogue {
    coins: Vec<Coin>,
    by_id: HashMap<u32, usize>,
    by_slug: HashMap<String, usize>,
    by_symbol: HashMap<String, Vec<usize>>,
    /// What all active coins are worth in US dollars, by their base prices: shares
    /// of the whole need not move with every small coin.
    pub(crate) whole_value: f64,
}

impl Catalogue {
    /// A catalogue of `active` ranked coins, or of the well-known ones if that is
    /// more, and a few that are no longer traded.
    pub(crate) fn new(active: usize) -> Self {
        let mut coins = known::coins();
        made::fill(&mut coins, active);
        for (at, coin) in coins.iter_mut().enumerate() {
            coin.rank = u32::try_from(at + 1).ok();
        }
        let values = coins.iter().map(|coin| coin.base_price * coin.supply);
        let whole_value = values.sum();
        coins.extend(known::retired());

        let mut by_id = HashMap::new();
        let mut by_slug = HashMap::new();
        let mut by_symbol: HashMap<String, Vec<usize>> = HashMap::new();
        for (at, coin) in coins.iter().enumerate() {
            by_id.insert(coin.id, at);
            by_slug.insert(coin.slug.clone(), at);
            by_symbol.entry(coin.symbol.clone()).or_default().push(at);
        }
        Self {
            coins,
            by_id,
            by_slug,
            by_symbol,
            whole_value,
        }
    }

    /// Every coin, retired ones last.
    pub(crate) fn all(&self) -> &[Coin] {
        &self.coins
    }

    /// The coins that are traded, largest first.
    pub(crate) fn active(&self) -> impl Iterator<Item = &Coin> {
        self.coins.iter().filter(|coin| coin.rank.is_some())
    }

    pub(crate) fn by_id(&self, id: u32) -> Option<&Coin> {
        self.by_id.get(&id).map(|at| &self.coins[*at])
    }

    pub(crate) fn by_slug(&self, slug: &str) -> Option<&Coin> {
        self.by_slug.get(slug).map(|at| &self.coins[*at])
    }

    /// Every coin with that symbol in any case, largest first, retired ones last.
    pub(crate) fn by_symbol(&self, symbol: &str) -> Vec<&Coin> {
        let found = self.by_symbol.get(&symbol.to_uppercase());
        found
            .into_iter()
            .flatten()
            .map(|at| &self.coins[*at])
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn ids_and_slugs_are_unique_and_ranks_have_no_gap() {
        let catalogue = Catalogue::new(5_200);
        let ids: HashSet<u32> = catalogue.all().iter().map(|coin| coin.id).collect();
        let slugs: HashSet<&str> = catalogue.all().iter().map(|c| c.slug.as_str()).collect();
        assert_eq!(ids.len(), catalogue.all().len());
        assert_eq!(slugs.len(), catalogue.all().len());
        let ranks: Vec<u32> = catalogue.active().filter_map(|coin| coin.rank).collect();
        assert_eq!(ranks, (1..=5_200).collect::<Vec<_>>());
    }

    #[test]
    fn a_coin_keeps_its_id_when_the_catalogue_grows() {
        let small = Catalogue::new(1_000);
        let large = Catalogue::new(6_000);
        for coin in small.all() {
            let same = large.by_id(coin.id).unwrap();
            assert_eq!((&same.slug, &same.symbol), (&coin.slug, &coin.symbol));
        }
    }

    #[test]
    fn a_symbol_matches_several_coins_and_the_largest_comes_first() {
        let catalogue = Catalogue::new(5_200);
        let found = catalogue.by_symbol("btc");
        assert!(found.len() >= 10, "{}", found.len());
        assert_eq!(found[0].id, 1);
    }
}
