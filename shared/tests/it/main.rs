//! What `shared` promises to the other crates.
#![allow(missing_docs, reason = "tests are documented by their names")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on should stop where it stands"
)]

mod budget_model;
mod config;
mod guides;
mod layout;
mod metrics;
mod plan;
mod provider_charge;
mod provider_coingecko;
mod provider_coinmarketcap;
mod provider_config;
mod provider_join;
mod provider_key_properties;
mod provider_keys;
mod provider_mutations;
mod provider_rate_limits;
mod provider_replies;
mod provider_shapes;
mod provider_usage;
mod recordings;
mod store;
mod tripping;
