//! The worker against a real Postgres and real servers.
#![allow(missing_docs, reason = "tests are documented by their names")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking, also in a function that tests share"
)]

mod handlers;
