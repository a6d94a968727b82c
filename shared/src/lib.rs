//! What both sides of Larder must agree on.
//!
//! The enqueuer puts rows in, the worker takes rows out, and neither knows the
//! other: they meet here, in the vocabulary ([`model`]), the configuration
//! ([`config`]), what is known of each provider ([`provider`]), the rules of the
//! budget ([`budget`]) and the rows themselves ([`store`]).
//!
//! Arrows run one way: `store → {db, model, budget}`, `provider → {config, model}`,
//! `config → model`. SQL stands in [`store`] only. `tests/it/layout.rs` checks both.

pub mod budget;
pub mod catalog;
pub mod config;
pub mod logging;
pub mod metrics;
pub mod model;
pub mod orphans;
pub mod plan;
pub mod planner;
pub mod provider;
pub mod retry;
pub mod schedule;
pub mod setup;
pub mod store;
