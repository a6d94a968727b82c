//! What `shared` promises to the other crates.
#![allow(missing_docs, reason = "tests are documented by their names")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking, also in a function that tests share"
)]

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on should stop where it stands"
)]

mod config;
mod provider_coinmarketcap;
mod store;
