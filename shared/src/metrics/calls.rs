//! What a process did: calls, credits, jobs. Each process counts its own.
#![expect(
    clippy::disallowed_macros,
    reason = "the metrics themselves are declared in metrics.rs"
)]

use std::time::Duration;

use metrics::{counter, gauge, histogram};

use super::{
    API_CALL_SECONDS, API_CALLS, BATCH_SIZE, BUDGET_DRIFT, CALLS_AVOIDED, COST_ANOMALIES,
    CREDITS_SPENT, JOB_RETRIES, JOB_RUN, JOB_WAIT, JOBS_FINISHED, JOBS_RESCUED, LAPSED,
    LEASES_LOST, LISTENER_UP, count,
};

/// One call, after its record was committed.
pub fn api_call(
    provider: &str,
    endpoint: &str,
    outcome: &'static str,
    took: Duration,
    batch: usize,
) {
    let (provider, endpoint) = (provider.to_owned(), endpoint.to_owned());
    histogram!(API_CALL_SECONDS.name, "provider" => provider.clone(), "endpoint" => endpoint.clone())
        .record(took);
    if batch > 0 {
        histogram!(BATCH_SIZE.name, "provider" => provider.clone(), "endpoint" => endpoint.clone())
            .record(count(batch));
    }
    counter!(API_CALLS.name, "provider" => provider, "endpoint" => endpoint, "outcome" => outcome)
        .increment(1);
}

/// What a call cost, after its record was committed.
pub fn credits(provider: &str, endpoint: &str, spent: u32, drift: u32) {
    let (provider, endpoint) = (provider.to_owned(), endpoint.to_owned());
    counter!(CREDITS_SPENT.name, "provider" => provider.clone(), "endpoint" => endpoint.clone())
        .increment(u64::from(spent));
    gauge!(BUDGET_DRIFT.name, "provider" => provider, "endpoint" => endpoint)
        .increment(f64::from(drift));
}

/// A call whose worker was lost: spent as reserved, and nobody knows how long it took.
pub fn lapsed(provider: &str, endpoint: &str, spent: u32) {
    counter!(API_CALLS.name, "provider" => provider.to_owned(), "endpoint" => endpoint.to_owned(), "outcome" => LAPSED)
        .increment(1);
    credits(provider, endpoint, spent, 0);
}

/// A reply whose reported cost was no cost.
pub fn cost_anomaly(provider: &str, endpoint: &str) {
    counter!(COST_ANOMALIES.name, "provider" => provider.to_owned(), "endpoint" => endpoint.to_owned())
        .increment(1);
}

/// Refreshes that needed no call of their own.
pub fn calls_avoided(provider: &str, refreshes: usize) {
    counter!(CALLS_AVOIDED.name, "provider" => provider.to_owned())
        .increment(u64::try_from(refreshes).unwrap_or(0));
}

/// Jobs that this process ended.
pub fn jobs_finished(lane: &str, status: &'static str, jobs: usize) {
    counter!(JOBS_FINISHED.name, "lane" => lane.to_owned(), "status" => status)
        .increment(u64::try_from(jobs).unwrap_or(0));
}

/// One attempt at a job: how long it had been due, and how long it took.
pub fn job_run(lane: &str, waited: Duration, took: Duration) {
    histogram!(JOB_WAIT.name, "lane" => lane.to_owned()).record(waited);
    histogram!(JOB_RUN.name, "lane" => lane.to_owned()).record(took);
}

/// Attempts that failed and will be made again.
pub fn retries(lane: &str, jobs: usize) {
    counter!(JOB_RETRIES.name, "lane" => lane.to_owned())
        .increment(u64::try_from(jobs).unwrap_or(0));
}

/// Jobs given back after their lease ran out.
pub fn rescued(jobs: usize) {
    counter!(JOBS_RESCUED.name).increment(u64::try_from(jobs).unwrap_or(0));
}

/// Results that were discarded because the lease had been lost.
pub fn leases_lost(jobs: usize) {
    counter!(LEASES_LOST.name).increment(u64::try_from(jobs).unwrap_or(0));
}

/// Whether notifications arrive.
pub fn listener(up: bool) {
    gauge!(LISTENER_UP.name).set(if up { 1.0 } else { 0.0 });
}
