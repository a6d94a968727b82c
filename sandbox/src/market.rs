//! What everything is worth at one instant.
//!
//! A price is a pure function of the seed, the coin and the step of time (60 s by
//! default): two reads within one step are identical, as at CoinMarketCap, where
//! "the same JSON comes back within a minute", and reads of different steps differ.
//!
//! # Not here
//!
//! How a price is written into an answer: [`crate::endpoints`].

use chrono::{DateTime, TimeDelta, Utc};

use crate::catalogue::{Catalogue, Coin};
use crate::chance::{mix, unit};
use crate::currency::Currency;

/// The catalogue at one step of time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Market<'a> {
    pub(crate) catalogue: &'a Catalogue,
    /// The instant of the call, by the provider's clock.
    pub(crate) now: DateTime<Utc>,
    seed: u64,
    step_ms: i64,
}

/// The figures of one coin, in one currency.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Figures {
    pub(crate) price: f64,
    pub(crate) volume_24h: f64,
    pub(crate) volume_change_24h: f64,
    pub(crate) market_cap: f64,
    pub(crate) fully_diluted: f64,
    /// Percent over 1 h, 24 h, 7 d, 30 d, 60 d and 90 d.
    pub(crate) changes: [f64; 6],
}

const HOUR_MS: i64 = 3_600_000;
/// The stretches that [`Figures::changes`] looks back over.
const BACK_MS: [i64; 6] = [
    HOUR_MS,
    24 * HOUR_MS,
    7 * 24 * HOUR_MS,
    30 * 24 * HOUR_MS,
    60 * 24 * HOUR_MS,
    90 * 24 * HOUR_MS,
];

impl<'a> Market<'a> {
    pub(crate) fn new(
        catalogue: &'a Catalogue,
        seed: u64,
        step_ms: i64,
        now: DateTime<Utc>,
    ) -> Self {
        Self {
            catalogue,
            now,
            seed,
            step_ms: step_ms.max(1),
        }
    }

    /// When the current prices came to hold.
    pub(crate) fn updated(&self) -> DateTime<Utc> {
        self.updated_every(1)
    }

    /// The same for something that moves only every `steps` steps.
    pub(crate) fn updated_every(&self, steps: i64) -> DateTime<Utc> {
        let width = self.step_ms * steps;
        let start = self.now.timestamp_millis().div_euclid(width) * width;
        DateTime::from_timestamp_millis(start).unwrap_or(self.now)
    }

    /// This market as it stood at the start of a longer step.
    pub(crate) fn every(self, steps: i64) -> Self {
        Self {
            now: self.updated_every(steps),
            ..self
        }
    }

    /// A number in `0.0..1.0` that changes every `steps` steps.
    pub(crate) fn chance(&self, salt: u64, steps: i64) -> f64 {
        let at = self.updated_every(steps).timestamp_millis().unsigned_abs();
        unit(mix(self.seed ^ salt) ^ at)
    }

    /// The price of `coin` in US dollars, now.
    pub(crate) fn price(&self, coin: &Coin) -> f64 {
        self.price_at(coin, self.now)
    }

    fn price_at(&self, coin: &Coin, at: DateTime<Utc>) -> f64 {
        let step = at.timestamp_millis().div_euclid(self.step_ms);
        let own = mix(self.seed ^ mix(u64::from(coin.id)));
        let phase = unit(own) * std::f64::consts::TAU;
        let hours = (step * self.step_ms) as f64 / HOUR_MS as f64;
        // Two slow waves and a little noise; the noise makes neighbouring steps differ.
        let wave = 0.7 * (hours / 97.0 + phase).sin() + 0.25 * (hours / 7.3 + 2.0 * phase).sin();
        let noise = 0.05 * (2.0 * unit(own ^ step.unsigned_abs()) - 1.0);
        round(coin.base_price * (1.0 + coin.swing * (wave + noise)))
    }

    /// Everything about `coin` in `currency`, now.
    pub(crate) fn figures(&self, coin: &Coin, currency: &Currency) -> Figures {
        let usd = self.price(coin);
        let rate = 1.0 / currency.usd;
        let own = mix(self.seed ^ u64::from(coin.id) ^ 0x766f_6c75);
        let busy = 0.02 + 0.1 * unit(own);
        let moved = self.chance(own, 1) - 0.5;
        let price = usd * rate;
        Figures {
            price,
            volume_24h: price * coin.supply * busy * (1.0 + 0.2 * moved),
            volume_change_24h: round4(moved * 40.0),
            market_cap: price * coin.supply,
            fully_diluted: price * coin.max_supply.unwrap_or(coin.supply),
            changes: BACK_MS.map(|back| {
                let before = self.price_at(coin, self.now - TimeDelta::milliseconds(back));
                round4((usd / before - 1.0) * 100.0)
            }),
        }
    }
}

/// Twelve significant digits: short enough to read, long enough to tell steps apart.
fn round(value: f64) -> f64 {
    let scale = 10_f64.powi(11 - value.abs().log10().floor() as i32);
    (value * scale).round() / scale
}

fn round4(value: f64) -> f64 {
    (value * 10_000.0).round() / 10_000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_price_holds_for_its_step_and_then_moves(seed: u64, minute in 0_i64..40_000_000, ms in 0_i64..60_000) {
            let catalogue = Catalogue::new(60);
            let at = |ms| DateTime::from_timestamp_millis(ms).unwrap();
            let start = Market::new(&catalogue, seed, 60_000, at(minute * 60_000));
            let later = Market::new(&catalogue, seed, 60_000, at(minute * 60_000 + ms));
            let next = Market::new(&catalogue, seed, 60_000, at((minute + 1) * 60_000));
            for coin in catalogue.active() {
                prop_assert!(start.price(coin) > 0.0);
                prop_assert_eq!(start.price(coin), later.price(coin));
                prop_assert_ne!(start.price(coin), next.price(coin));
            }
            prop_assert_eq!(later.updated(), at(minute * 60_000));
        }
    }
}
