//! The enqueuer over real TCP and a real Postgres, a database to each test.
#![allow(missing_docs, reason = "tests are documented by their names")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking, also in a function that tests share"
)]

mod access;
mod bad_jobs;
mod bad_operations;
mod bad_reads;
mod binary;
mod counted;
mod directives;
mod harness;
mod health;
mod idle;
mod job_args;
mod jobs;
mod jobs_many;
mod lists;
mod memory;
mod one_flight;
mod operations;
mod planning;
mod process_pending;
mod reads;
#[path = "../../../worker/tests/it/relay.rs"]
#[allow(dead_code, reason = "the worker's tests cut and stall it too")]
mod relay;
mod resources;
mod start;
mod triggers;
mod waiting;
