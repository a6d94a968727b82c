//! A month of virtual time against a virtual provider, with the real planner.
//!
//! Readers come at random and popularity follows Zipf's law; answers change at random, some
//! within minutes and some within days. The planner learns all that from scratch. Its code
//! is [`shared::plan`], the same that plans for rows; the database, the network and the
//! clock are left out, so a month takes a second.
//!
//! What is measured is what readers would see: the age of each copy served, for how long it
//! had been wrong, and whether it was. Fixed intervals and a read-through cache are measured
//! in the same world at the same number of credits.
//!
//! # Not here
//!
//! Failures, latencies and daily cycles.

mod copies;
mod fixed;
mod gates;
mod limit;
mod planner;
mod random;
mod read_through;
mod schedule;
mod tally;
mod world;

pub use fixed::fixed_interval;
pub use gates::{Gate, Gates};
pub use limit::offline_limit;
pub use planner::{Scenario, Spent, simulate};
pub use read_through::read_through;
pub use tally::{Seen, Tally};
pub use world::{Burst, MONTH, READS, World};
