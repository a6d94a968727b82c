//! The budget as a small machine, of which every history is looked at.
//!
//! Workers reserve, send, freeze, die, give up and answer; requests arrive late; leases
//! lapse; windows roll over; the database crashes, forgets or tells the wrong time; the
//! provider counts by a clock that is a little off. An exploration looks at every state
//! that these can come to, within bounds that are small and said beside each world: two or
//! three calls, a few ticks, one fault of each kind. Small bounds find such faults, since
//! the shortest way to each has two calls.
//!
//! | module       | question                                                            |
//! |--------------|---------------------------------------------------------------------|
//! | [`world`]    | what is explored: limits, rules, and how much may go wrong           |
//! | [`state`]    | where everything stands at one moment                                |
//! | [`steps`]    | what may happen next: [`admissions`], [`calls`], [`mishaps`]         |
//! | [`usage`]    | what stands against a limit, and what the provider really counted    |
//! | [`holds`]    | with every rule kept, nothing is overspent                           |
//! | [`broken`]   | with one rule left out, something is: that each is needed            |
//! | [`wider`]    | the same with wider bounds, by `scripts/explore-budget`              |
//! | [`replies`], [`leases`] | small machines of their own: old replies, lost leases     |
//!
//! # Not here
//!
//! That the SQL keeps these rules: `store/histories.rs` drives the real store through
//! random histories of the same sort, against a provider that counts.
#![allow(clippy::print_stdout, reason = "how much was looked at is the result")]

mod admissions;
mod broken;
mod calls;
mod explore;
mod holds;
mod leases;
mod mishaps;
mod replies;
mod state;
mod steps;
mod tidy;
mod usage;
mod wider;
mod world;
mod worlds;
