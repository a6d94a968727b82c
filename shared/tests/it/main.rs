//! Tests of `shared` against a real Postgres.
#![allow(missing_docs, reason = "tests are documented by their names")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod store;
