//! When a planned resource is due, and when a call for what is due is made.
//!
//! A call is made as soon as it can be full, or when what waits for it is late by a tenth of
//! its interval. That needs no tokens and no memory: the intervals add up to the budget, so
//! full calls come at the rate of the budget. `larder.enqueue_due` says the same in SQL.

use super::bounds::LATENESS;

/// An interval is shortened or lengthened by up to this share, so that what was fetched
/// together does not stay together.
const JITTER: f64 = 0.1;

/// Seconds from a refresh to the time when the next one is due. `chance` is evenly
/// distributed from 0 to 1. What has a hard bound is never due later than planned.
pub fn next_after(interval: f64, has_bound: bool, chance: f64) -> f64 {
    match has_bound {
        true => interval * (1.0 - JITTER * chance),
        false => interval * (1.0 - JITTER + 2.0 * JITTER * chance),
    }
}

/// How late in seconds a refresh may be while its call waits to be filled.
pub fn patience(interval: f64) -> f64 {
    LATENESS * interval
}
