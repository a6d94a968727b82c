//! Coins that exist, with the ids that CoinMarketCap gave them.
//!
//! Ids, names and slugs are public knowledge; prices and supplies are rough
//! figures to swing around and mean nothing.

use super::{Coin, Platform, Tag};

/// id, name, symbol, slug, price, supply, maximum supply, year added, traits.
type Row = (
    u32,
    &'static str,
    &'static str,
    &'static str,
    f64,
    f64,
    Option<f64>,
    u16,
    Trait,
);

#[derive(Clone, Copy, PartialEq)]
enum Trait {
    Mined,
    Chain,
    Token,
    Stable,
}
use Trait::{Chain, Mined, Stable, Token};

#[rustfmt::skip]
const ROWS: &[Row] = &[
    (1, "Bitcoin", "BTC", "bitcoin", 84_000.0, 20_088_743.0, Some(21_000_000.0), 2010, Mined),
    (1027, "Ethereum", "ETH", "ethereum", 2_900.0, 120_700_000.0, None, 2015, Chain),
    (825, "Tether", "USDT", "tether", 1.0, 175_000_000_000.0, None, 2015, Stable),
    (1839, "BNB", "BNB", "bnb", 880.0, 137_700_000.0, None, 2017, Chain),
    (52, "XRP", "XRP", "xrp", 2.1, 60_000_000_000.0, Some(100_000_000_000.0), 2013, Chain),
    (5426, "Solana", "SOL", "solana", 140.0, 560_000_000.0, None, 2020, Chain),
    (3408, "USDC", "USDC", "usd-coin", 1.0, 75_000_000_000.0, None, 2018, Stable),
    (1958, "TRON", "TRX", "tron", 0.28, 94_700_000_000.0, None, 2017, Chain),
    (74, "Dogecoin", "DOGE", "dogecoin", 0.15, 151_000_000_000.0, None, 2013, Mined),
    (2010, "Cardano", "ADA", "cardano", 0.48, 36_000_000_000.0, Some(45_000_000_000.0), 2017, Chain),
    (1831, "Bitcoin Cash", "BCH", "bitcoin-cash", 520.0, 19_950_000.0, Some(21_000_000.0), 2017, Mined),
    (32196, "Hyperliquid", "HYPE", "hyperliquid", 32.0, 270_000_000.0, Some(1_000_000_000.0), 2024, Chain),
    (1975, "Chainlink", "LINK", "chainlink", 12.5, 697_000_000.0, Some(1_000_000_000.0), 2017, Token),
    (3957, "UNUS SED LEO", "LEO", "unus-sed-leo", 9.2, 922_000_000.0, None, 2019, Token),
    (328, "Monero", "XMR", "monero", 390.0, 18_440_000.0, None, 2014, Mined),
    (512, "Stellar", "XLM", "stellar", 0.22, 32_000_000_000.0, Some(50_001_806_812.0), 2014, Chain),
    (1437, "Zcash", "ZEC", "zcash", 400.0, 16_300_000.0, Some(21_000_000.0), 2016, Mined),
    (4943, "Dai", "DAI", "multi-collateral-dai", 1.0, 5_360_000_000.0, None, 2019, Stable),
    (2, "Litecoin", "LTC", "litecoin", 82.0, 76_500_000.0, Some(84_000_000.0), 2013, Mined),
    (20947, "Sui", "SUI", "sui", 1.45, 3_680_000_000.0, Some(10_000_000_000.0), 2023, Chain),
    (5805, "Avalanche", "AVAX", "avalanche", 12.6, 427_000_000.0, Some(715_748_719.0), 2020, Chain),
    (4642, "Hedera", "HBAR", "hedera", 0.12, 42_400_000_000.0, Some(50_000_000_000.0), 2019, Chain),
    (5994, "Shiba Inu", "SHIB", "shiba-inu", 0.000_008, 589_200_000_000_000.0, None, 2020, Token),
    (11419, "Toncoin", "TON", "toncoin", 1.55, 2_500_000_000.0, None, 2021, Chain),
    (3635, "Cronos", "CRO", "cronos", 0.1, 38_000_000_000.0, Some(100_000_000_000.0), 2018, Chain),
    (6636, "Polkadot", "DOT", "polkadot-new", 2.0, 1_640_000_000.0, None, 2020, Chain),
    (7083, "Uniswap", "UNI", "uniswap", 5.2, 630_000_000.0, Some(1_000_000_000.0), 2020, Token),
    (4705, "PAX Gold", "PAXG", "pax-gold", 4_250.0, 434_903.623_539, None, 2019, Token),
    (7278, "Aave", "AAVE", "aave", 175.0, 15_200_000.0, Some(16_000_000.0), 2020, Token),
    (6535, "NEAR Protocol", "NEAR", "near-protocol", 1.65, 1_270_000_000.0, None, 2020, Chain),
    (24478, "Pepe", "PEPE", "pepe", 0.000_004, 420_690_000_000_000.0, Some(420_690_000_000_000.0), 2023, Token),
    (1321, "Ethereum Classic", "ETC", "ethereum-classic", 13.0, 155_000_000.0, Some(210_700_000.0), 2016, Mined),
    (3794, "Cosmos", "ATOM", "cosmos", 2.3, 480_000_000.0, None, 2019, Chain),
    (2280, "Filecoin", "FIL", "filecoin", 1.4, 720_000_000.0, None, 2017, Mined),
    (1518, "Maker", "MKR", "maker", 1_500.0, 870_000.0, Some(1_005_577.0), 2017, Token),
    (8916, "Internet Computer", "ICP", "internet-computer", 3.6, 545_000_000.0, None, 2021, Chain),
    (3890, "Polygon", "MATIC", "polygon", 0.14, 1_920_000_000.0, Some(10_000_000_000.0), 2019, Token),
    (3077, "VeChain", "VET", "vechain", 0.013, 86_000_000_000.0, None, 2018, Chain),
    (4030, "Algorand", "ALGO", "algorand", 0.14, 8_800_000_000.0, Some(10_000_000_000.0), 2019, Chain),
    (2011, "Tezos", "XTZ", "tezos", 0.5, 1_070_000_000.0, None, 2017, Chain),
];

const MINED: &[Tag] = &[
    ("mineable", "Mineable", "OTHERS"),
    ("pow", "PoW", "ALGORITHM"),
];
const CHAIN: &[Tag] = &[
    ("layer-1", "Layer 1", "CATEGORY"),
    ("smart-contracts", "Smart Contracts", "CATEGORY"),
];
const TOKEN: &[Tag] = &[
    ("ethereum-ecosystem", "Ethereum Ecosystem", "PLATFORM"),
    ("defi", "DeFi", "CATEGORY"),
];
const STABLE: &[Tag] = &[
    ("stablecoin", "Stablecoin", "CATEGORY"),
    ("ethereum-ecosystem", "Ethereum Ecosystem", "PLATFORM"),
];

/// The well-known coins, largest first.
pub(super) fn coins() -> Vec<Coin> {
    let mut coins = Vec::with_capacity(ROWS.len());
    for (id, name, symbol, slug, price, supply, max, year, kind) in ROWS.iter().copied() {
        let (tags, swing) = match kind {
            Mined => (MINED, 0.08),
            Chain => (CHAIN, 0.12),
            Token => (TOKEN, 0.15),
            Stable => (STABLE, 0.001),
        };
        let on_ethereum = matches!(kind, Token | Stable);
        coins.push(Coin {
            id,
            name: name.to_owned(),
            symbol: symbol.to_owned(),
            slug: slug.to_owned(),
            rank: None,
            base_price: price,
            swing,
            supply,
            max_supply: max,
            date_added: format!("{year}-07-13"),
            market_pairs: 12_751 / (u32::try_from(coins.len()).unwrap_or(0) + 1) + 40,
            tags: tags.to_vec(),
            platform: on_ethereum.then(|| on_ethereum_at(id)),
        });
    }
    coins
}

/// Coins that nobody trades any more: known to the map, without a rank.
///
/// The ids are those of the recorded answer to `map?symbol=BTC` (2026-09-24).
pub(super) fn retired() -> Vec<Coin> {
    let old = [30_938_u32, 31_469, 31_652, 34_316];
    let coin = |id: u32| Coin {
        id,
        name: format!("Retired Bitcoin {id}"),
        symbol: "BTC".to_owned(),
        slug: format!("retired-bitcoin-{id}"),
        rank: None,
        base_price: 0.000_1,
        swing: 0.0,
        supply: 1_000_000.0,
        max_supply: None,
        date_added: "2024-05-02".to_owned(),
        market_pairs: 0,
        tags: Vec::new(),
        platform: Some(on_ethereum_at(id)),
    };
    old.into_iter().map(coin).collect()
}

/// The Ethereum platform with a made-up contract address.
pub(super) fn on_ethereum_at(id: u32) -> Platform {
    Platform {
        id: 1027,
        name: "Ethereum",
        symbol: "ETH",
        slug: "ethereum",
        token_address: format!("0x{:040x}", u128::from(id) * 0x9e37_79b9_7f4a_7c15),
    }
}
