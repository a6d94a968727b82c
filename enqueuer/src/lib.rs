//! Puts jobs in, and answers readers from what the jobs brought.
//!
//! The enqueuer is the HTTP side of Larder. It calls no provider and runs no job: it
//! turns due resources into jobs when cron or its own timer says so ([`Enqueuer::run`]),
//! takes jobs from operators, shows what the database knows, and answers readers from
//! the cache. All state is in Postgres, so any number of enqueuers may run, and each may
//! be killed at any time.
//!
//! # When the database is away
//!
//! | when              | what happens                                                      |
//! |-------------------|-------------------------------------------------------------------|
//! | at start, wrong   | a refused login, an unknown database or host ends the start       |
//! | at start, away    | it stays up, `/readyz` says why, and it tries again               |
//! | later             | requests get a 503 problem with `Retry-After`; it recovers itself |
//!
//! # Not here
//!
//! Calls to providers, and what becomes of a job (`worker`); SQL (`shared::store`).
//! Reads are modules of their own, which neither the jobs' routes nor the tick import.

mod address;
mod app;
mod census;
mod clock;
mod connections;
mod delay;
mod descriptors;
mod door;
mod error;
mod http;
mod job_log;
mod lists;
mod metrics_page;
mod operator;
mod phase;
mod plan;
mod prepare;
mod problem;
mod query;
mod reads;
mod server;
mod tick;

pub use error::EnqueuerError;
pub use server::{Enqueuer, Settings};
