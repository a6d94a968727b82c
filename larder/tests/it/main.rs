//! Tests of the binary `larder`, run as people run it.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails; clippy allows it in test functions only"
)]

mod bad_arguments;
mod bench;
mod chaos;
mod commands;
mod completions;
mod doctor;
mod forecast;
mod idle;
mod lanes;
mod measured;
mod private_postgres;
#[path = "../../../worker/tests/it/relay.rs"]
#[allow(dead_code, reason = "the worker's tests cut and stall it too")]
mod relay;
mod runs;
mod simulate;
mod survives;
mod views;
mod widths;
