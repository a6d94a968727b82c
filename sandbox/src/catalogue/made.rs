//! Coins that nobody ever issued, to fill the catalogue up.
//!
//! Coin number n is the same in every catalogue, whatever its size.

use super::{Coin, Platform, known};
use crate::chance::mix;

/// Ids of CoinMarketCap that applications ask for, beside those of the well-known coins:
/// they exist here too, under made-up names, so that such an application finds all of its
/// coins. The ids are public knowledge; Larder's example configuration tracks them.
#[rustfmt::skip]
const ASKED_FOR: [u32; 63] = [
    21_794, 4847, 27_075, 22_861, 7226, 11_840, 11_841, 5690, 22_974, 6719, 2416, 4157, 3513,
    23_149, 4066, 1765, 2563, 6210, 1966, 6783, 4558, 7653, 1376, 4846, 3155, 8646, 4172,
    20_314, 131, 2586, 5692, 6758, 5864, 1659, 6538, 7186, 8000, 13_502, 10_603, 18_876, 2130,
    1720, 2469, 1896, 1697, 1684, 109, 1567, 1042, 873, 2099, 1168, 3717, 4687, 3945, 5665,
    8104, 10_804, 23_095, 2577, 2682, 3773, 5632,
];

/// Other made-up ids start here, beyond those that CoinMarketCap has given out.
const FIRST_ID: u32 = 900_001;

const HEADS: [&str; 16] = [
    "Bal", "Cor", "Dun", "Fen", "Gal", "Hol", "Jor", "Kal", "Lum", "Mor", "Nov", "Pol", "Rin",
    "Sel", "Tor", "Vel",
];
const TAILS: [&str; 16] = [
    "ara", "bit", "chain", "dex", "eon", "fi", "grid", "hub", "ium", "link", "mint", "net", "ora",
    "pad", "swap", "verse",
];
/// Every fortieth made-up coin borrows one of these symbols.
const BORROWED: [&str; 8] = ["BTC", "ETH", "SOL", "DOGE", "BTC", "ADA", "LINK", "PEPE"];

/// Adds made-up coins until there are `wanted`.
pub(super) fn fill(coins: &mut Vec<Coin>, wanted: usize) {
    let missing = wanted.saturating_sub(coins.len());
    let largest = coins
        .last()
        .map_or(1e9, |coin| coin.base_price * coin.supply);
    for number in 0..u32::try_from(missing).unwrap_or(0) {
        coins.push(coin(number, largest));
    }
}

fn coin(number: u32, largest: f64) -> Coin {
    let id = match ASKED_FOR.get(number as usize) {
        Some(id) => *id,
        None => FIRST_ID + number - ASKED_FOR.len() as u32,
    };
    let random = mix(u64::from(id));
    let pick = |shift: u32, len: usize| ((random >> shift) as usize) % len;
    let stem = format!("{}{}", HEADS[pick(0, 16)], TAILS[pick(4, 16)]);
    let symbol = match number % 40 {
        7 => BORROWED[(number / 40) as usize % BORROWED.len()].to_owned(),
        _ => format!("{}{}", &stem[..3], number % 1_000).to_uppercase(),
    };
    // Market value falls with the rank, as it does in the world.
    let value = largest * 0.9 / (1.0 + f64::from(number) / 30.0).powf(1.6);
    let price = 10_f64.powf((pick(8, 7_000) as f64) / 1_000.0 - 5.0);
    let chain = pick(24, 3);
    Coin {
        id,
        name: format!("{stem} {number}"),
        symbol,
        slug: format!("{}-{number}", stem.to_lowercase()),
        rank: None,
        base_price: price,
        swing: 0.25,
        supply: (value / price).ceil(),
        max_supply: (pick(28, 2) == 0).then(|| (value / price).ceil() * 2.0),
        date_added: format!("20{}-{:02}-01", 17 + pick(32, 9), 1 + pick(40, 12)),
        market_pairs: 1 + pick(44, 60) as u32,
        tags: match pick(52, 3) {
            0 => Vec::new(),
            1 => vec![("memes", "Memes", "CATEGORY")],
            _ => vec![("defi", "DeFi", "CATEGORY")],
        },
        platform: match chain {
            0 => None,
            1 => Some(known::on_ethereum_at(id)),
            _ => Some(Platform {
                id: 1839,
                name: "BNB Smart Chain (BEP20)",
                symbol: "BNB",
                slug: "bnb",
                token_address: known::on_ethereum_at(id).token_address,
            }),
        },
    }
}
