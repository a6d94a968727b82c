//! Workers against the sandbox, which counts for itself, and a real Postgres.
//!
//! A database to each test. `DATABASE_URL` names the server that they are made on.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking, also in a function that tests share"
)]

mod batch;
mod chaos;
mod closing;
mod counted;
mod crash;
mod database_trouble;
mod drain;
mod fairness;
mod follow;
mod handlers;
mod idle;
mod local;
mod locks;
mod own_process;
mod relay;
mod rig;
mod rows;
mod secrets;
mod shutdown;
mod signals;
mod silence;
mod spawned;
mod statistics;
mod storing;
#[path = "../../../shared/tests/it/tripping.rs"]
mod tripping;
mod trouble;
mod unchanged;
mod upstream_safety;
mod usage;
mod versions;
mod waking;
