//! When a planned resource is due, and when a call for what is due is made.
//!
//! A call is made as soon as [`enough`] of what fits into it is due, or something in it has
//! been due for longer than its [`patience`]; it is filled with what is due next. That needs
//! no tokens and no memory: the intervals add up to the budget, so calls come at the rate of
//! the budget. Waiting until a whole call is due would make everything late by half the time
//! between two calls, and hot items would force calls that are half empty of what is due:
//! either is made up for by the next plan, but costs 1 to 2 % of what a credit could buy.
//!
//! `larder.enqueue_due` says the same in SQL.

/// An interval is shortened or lengthened by up to this share, so that what was fetched
/// together does not stay together.
const JITTER: f64 = 0.1;

/// Share of a call that must be due for it to be made.
const ENOUGH: f64 = 0.6;

/// What of its interval a resource waits for its call, once it is due.
const PATIENCE: f64 = 0.25;

/// The same where a hard bound is near.
pub(super) const PATIENCE_OF_BOUNDED: f64 = 0.1;

/// Seconds from a refresh to the time when the next one is due. `chance` is evenly
/// distributed from 0 to 1. What has a hard bound is never due later than planned.
pub fn next_after(interval: f64, has_bound: bool, chance: f64) -> f64 {
    match has_bound {
        true => interval * (1.0 - JITTER * chance),
        false => interval * (1.0 - JITTER + 2.0 * JITTER * chance),
    }
}

/// How late in seconds a refresh may be while its call waits to be filled.
pub fn patience(interval: f64, has_bound: bool) -> f64 {
    interval
        * if has_bound {
            PATIENCE_OF_BOUNDED
        } else {
            PATIENCE
        }
}

/// How many due resources make a call that holds so many.
pub fn enough(items: usize) -> usize {
    ((items as f64 * ENOUGH).round() as usize).max(1)
}
