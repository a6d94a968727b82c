//! What `shared` promises to the other crates.

// Clippy's own allowance for tests does not reach functions that tests share.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod provider_charge;
mod provider_coinmarketcap;
mod provider_config;
mod provider_join;
mod provider_key_properties;
mod provider_keys;
mod provider_mutations;
mod provider_replies;
mod provider_shapes;
mod recordings;
