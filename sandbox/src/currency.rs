//! The currencies that values can be converted to.
//!
//! Any fiat currency below or any coin of the catalogue. The ids are
//! CoinMarketCap's own (2781 is the US dollar, recorded 2026-09-24); the rates are
//! rough and fixed.

use crate::market::Market;

/// Something that a value can be expressed in.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Currency {
    pub(crate) id: u32,
    pub(crate) symbol: String,
    /// What one of it is worth in US dollars.
    pub(crate) usd: f64,
}

/// A fiat currency: id, name, sign, symbol, worth in US dollars.
pub(crate) type Fiat = (u32, &'static str, &'static str, &'static str, f64);

/// Fiat currencies, by id.
#[rustfmt::skip]
pub(crate) const FIATS: &[Fiat] = &[
    (2781, "United States Dollar", "$", "USD", 1.0),
    (2782, "Australian Dollar", "$", "AUD", 0.65),
    (2783, "Brazilian Real", "R$", "BRL", 0.18),
    (2784, "Canadian Dollar", "$", "CAD", 0.71),
    (2785, "Swiss Franc", "Fr", "CHF", 1.24),
    (2787, "Chinese Yuan", "¥", "CNY", 0.14),
    (2788, "Czech Koruna", "Kč", "CZK", 0.047),
    (2789, "Danish Krone", "kr", "DKK", 0.155),
    (2790, "Euro", "€", "EUR", 1.16),
    (2791, "Pound Sterling", "£", "GBP", 1.31),
    (2792, "Hong Kong Dollar", "$", "HKD", 0.128),
    (2796, "Indian Rupee", "₹", "INR", 0.0113),
    (2797, "Japanese Yen", "¥", "JPY", 0.0065),
    (2798, "South Korean Won", "₩", "KRW", 0.00068),
    (2799, "Mexican Peso", "$", "MXN", 0.054),
    (2801, "Norwegian Krone", "kr", "NOK", 0.098),
    (2802, "New Zealand Dollar", "$", "NZD", 0.56),
    (2805, "Polish Złoty", "zł", "PLN", 0.27),
    (2807, "Swedish Krona", "kr", "SEK", 0.105),
    (2808, "Singapore Dollar", "S$", "SGD", 0.77),
    (2810, "Turkish Lira", "₺", "TRY", 0.0236),
    (2812, "South African Rand", "R", "ZAR", 0.058),
];

/// Precious metals, which `include_metals` adds: id, name, symbol code.
pub(crate) const METALS: &[(u32, &str, &str)] = &[
    (3575, "Gold Troy Ounce", "XAU"),
    (3574, "Silver Troy Ounce", "XAG"),
    (3577, "Platinum Ounce", "XPT"),
    (3576, "Palladium Ounce", "XPD"),
];

impl Market<'_> {
    /// The currency with a symbol: fiat first, then the largest coin.
    pub(crate) fn currency_by_symbol(&self, symbol: &str) -> Option<Currency> {
        let wanted = symbol.to_uppercase();
        if let Some(fiat) = FIATS.iter().find(|fiat| fiat.3 == wanted) {
            return Some(of_fiat(fiat));
        }
        let coin = *self.catalogue.by_symbol(&wanted).first()?;
        Some(Currency {
            id: coin.id,
            symbol: coin.symbol.clone(),
            usd: self.price(coin),
        })
    }

    /// The currency with an id.
    pub(crate) fn currency_by_id(&self, id: u32) -> Option<Currency> {
        if let Some(fiat) = FIATS.iter().find(|fiat| fiat.0 == id) {
            return Some(of_fiat(fiat));
        }
        let coin = self.catalogue.by_id(id)?;
        Some(Currency {
            id,
            symbol: coin.symbol.clone(),
            usd: self.price(coin),
        })
    }
}

fn of_fiat(fiat: &Fiat) -> Currency {
    Currency {
        id: fiat.0,
        symbol: fiat.3.to_owned(),
        usd: fiat.4,
    }
}
