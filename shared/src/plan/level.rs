//! Spends what is left beyond the least rates, at one price for all.
//!
//! Spending falls as the price λ rises, so λ is bracketed and found by Newton's iteration on
//! `ln spend` over `ln λ`, with bisection wherever a step would leave the bracket: 4 to 8
//! passes over the items. Two things need care in floating point:
//!
//! - **Scale.** Reads, costs and times of an instance may be of any magnitude. They are
//!   divided by their greatest or typical value first, so that squares neither overflow
//!   nor vanish.
//! - **Cliffs.** For [`Objective::Fresh`] an item's rate falls from far above zero to zero
//!   within one step of a `f64` λ. When the bracket has shrunk to two neighbouring numbers
//!   and the budget lies between what they spend, the rates are mixed of both.

use super::inverse::{gain_inverse, lag_gain_inverse};
use super::sum::{Sum, sum};
use super::{Item, Objective};

/// Passes over the items at most; bisection alone would need about as many.
const MOST_PASSES: usize = 250;

/// An instance in units of its own: greatest reads 1, greatest cost 1, typical rate 1.
pub(super) struct Scaled<'a> {
    /// As they were given.
    given: &'a [Item],
    objective: Objective,
    items: Vec<ScaledItem>,
    /// What may be spent beyond the least rates.
    rest: f64,
    /// What a rate of 1 is in the caller's units.
    rate_unit: f64,
    /// What a price of 1 is in the caller's units.
    price_unit: f64,
}

struct ScaledItem {
    cost: f64,
    changes: f64,
    min_rate: f64,
    /// How much more it may be.
    room: f64,
    /// What turns a function of the price into the rate, or into what is inverted.
    factor: f64,
}

/// Where to look for the price, and how close.
#[derive(Debug, Clone, Copy)]
pub(super) struct Search {
    /// A price to start from.
    pub(super) near: Option<f64>,
    /// What may be spent too much or too little, as a share of what is shared out.
    pub(super) tolerance: f64,
}

/// What a price spends beyond the least rates.
struct Pass {
    /// For the items within their boxes.
    free: f64,
    /// For the items at their greatest rates.
    full: f64,
    /// How `free` falls with the logarithm of the price.
    slope: f64,
}

/// Between which prices the budget is spent, and how to mix what they buy.
struct Level {
    low: f64,
    high: f64,
    /// Share of `low` in the rates, and of `high`: together 1, but either may be too small
    /// to be the difference of the other from 1.
    shares: (f64, f64),
}

impl Level {
    fn exact(price: f64) -> Self {
        Self {
            low: price,
            high: price,
            shares: (1.0, 0.0),
        }
    }

    fn middle(&self) -> f64 {
        self.low + (self.high - self.low) * self.shares.1
    }
}

impl<'a> Scaled<'a> {
    /// Of items with something to gain, and of what may be spent beyond their least rates.
    pub(super) fn of(objective: Objective, items: &'a [Item], rest: f64) -> Self {
        let useful = || items.iter().filter(|item| item.is_useful(objective));
        let greatest = |of: fn(&Item) -> f64| useful().map(of).fold(0.0, f64::max);
        let reads_unit = greatest(|item| item.reads);
        let cost_unit = greatest(|item| item.cost);
        let rate_unit = rest / sum(useful().map(|item| item.cost));
        let scale = |item: &Item| {
            let cost = item.cost / cost_unit;
            let reads = item.reads / reads_unit;
            // Beyond this nothing changes with it any more, and its square would overflow.
            let changes = (item.changes / rate_unit).min(1e90);
            let factor = match objective {
                _ if !item.is_useful(objective) => f64::NAN,
                Objective::Age => (reads / (2.0 * cost)).sqrt(),
                Objective::Fresh => cost / reads * changes,
                Objective::Lag => (cost / reads).cbrt() * changes.cbrt().powi(2),
            };
            ScaledItem {
                cost,
                changes,
                min_rate: item.min_rate / rate_unit,
                room: (item.max_rate - item.min_rate) / rate_unit,
                factor,
            }
        };
        let per_cost = reads_unit / cost_unit;
        Self {
            given: items,
            objective,
            items: items.iter().map(scale).collect(),
            rest: rest / cost_unit / rate_unit,
            rate_unit,
            price_unit: match objective {
                Objective::Age | Objective::Lag => per_cost / rate_unit / rate_unit,
                Objective::Fresh => per_cost / rate_unit,
            },
        }
    }

    /// The rates at which the rest is spent, and the price.
    pub(super) fn fill(&self, search: Search) -> (Vec<f64>, f64) {
        let level = self.level(search);
        (self.rates(&level), level.middle() * self.price_unit)
    }

    /// The rate that an item has at a price, and how it falls with the price's logarithm.
    /// Without the box; 0 if it is not worth any refresh.
    fn rate(&self, item: &ScaledItem, price: Price) -> (f64, f64) {
        if item.factor.is_nan() {
            return (0.0, 0.0);
        }
        match self.objective {
            Objective::Age => {
                let rate = item.factor / price.root;
                (rate, rate / 2.0)
            }
            Objective::Fresh => match gain_inverse(price.plain * item.factor) {
                Some(root) => {
                    let rate = item.changes / root.x;
                    (rate, rate * root.elasticity)
                }
                None => (0.0, 0.0),
            },
            Objective::Lag => {
                let root = lag_gain_inverse(price.cube_root * item.factor);
                let rate = item.changes / root.x;
                (rate, rate * root.elasticity)
            }
        }
    }

    fn pass(&self, price: f64) -> Pass {
        let price = Price::of(price);
        let (mut free, mut full, mut slope) = (Sum::default(), Sum::default(), 0.0);
        for item in &self.items {
            let (rate, falls) = self.rate(item, price);
            let extra = rate - item.min_rate;
            if extra >= item.room {
                full.add(item.cost * item.room);
            } else if extra > 0.0 {
                free.add(item.cost * extra);
                slope += item.cost * falls;
            }
        }
        Pass {
            free: free.total(),
            full: full.total(),
            slope,
        }
    }

    /// Finds the price at which the budget is spent.
    fn level(&self, search: Search) -> Level {
        let near = search.near.map(|price| price / self.price_unit);
        let mut price = near
            .filter(|price| price.is_finite() && *price > 0.0)
            .unwrap_or(0.1);
        let (mut low, mut high) = (0.0, f64::INFINITY);
        let (mut low_spend, mut high_spend) = (f64::INFINITY, 0.0);
        let mut leap = 16.0;
        for _ in 0..MOST_PASSES {
            let pass = self.pass(price);
            let (spend, for_free) = (pass.free + pass.full, self.rest - pass.full);
            let exact = search.tolerance * for_free.abs() + 4.0 * f64::EPSILON * self.rest;
            if (spend - self.rest).abs() <= exact {
                return Level::exact(price);
            }
            if spend > self.rest {
                (low, low_spend) = (price, spend);
            } else {
                (high, high_spend) = (price, spend);
            }
            let newton = price * ((pass.free / for_free).ln() * pass.free / pass.slope).exp();
            price = if newton > low && newton < high && newton.is_finite() {
                newton
            } else {
                middle(low, high, &mut leap)
            };
            if price <= low || price >= high {
                break;
            }
        }
        let apart = low_spend - high_spend;
        let shares = (
            (self.rest - high_spend) / apart,
            (low_spend - self.rest) / apart,
        );
        match shares.0.is_finite() && shares.1.is_finite() {
            true => Level { low, high, shares },
            false => Level::exact(if low > 0.0 { low } else { high }),
        }
    }

    /// What a level buys, in the caller's units.
    fn rates(&self, level: &Level) -> Vec<f64> {
        let (low, high) = (Price::of(level.low), Price::of(level.high));
        let extra = |item: &ScaledItem, price| {
            let (rate, _) = self.rate(item, price);
            (rate - item.min_rate).clamp(0.0, item.room)
        };
        let mixed = |item: &ScaledItem| {
            let (of_low, of_high) = level.shares;
            let at_low = extra(item, low);
            match of_high > 0.0 {
                true => at_low * of_low + extra(item, high) * of_high,
                false => at_low,
            }
        };
        let with_least = |(item, scaled): (&Item, &ScaledItem)| {
            let rate = item.min_rate + mixed(scaled) * self.rate_unit;
            rate.min(item.max_rate)
        };
        self.given.iter().zip(&self.items).map(with_least).collect()
    }
}

/// A price between two others, on the scale of its logarithm.
fn middle(low: f64, high: f64, leap: &mut f64) -> f64 {
    *leap *= *leap;
    if low == 0.0 {
        (high / *leap).max(f64::MIN_POSITIVE)
    } else if high.is_infinite() {
        (low * *leap).min(f64::MAX)
    } else if high > low * 1.01 {
        low.sqrt() * high.sqrt()
    } else {
        low + (high - low) / 2.0
    }
}

/// A price with what the objectives need of it, taken once for all items.
#[derive(Clone, Copy)]
struct Price {
    plain: f64,
    root: f64,
    cube_root: f64,
}

impl Price {
    fn of(price: f64) -> Self {
        Self {
            plain: price,
            root: price.sqrt(),
            cube_root: (3.0 * price).cbrt(),
        }
    }
}
