//! A real client against a real sandbox.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking, in its helpers too"
)]

mod admin;
mod caller;
mod costs;
mod errors;
mod ledger;
mod limits;
mod prices;
mod shapes;
mod troubles;
