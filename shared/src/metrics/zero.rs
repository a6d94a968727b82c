//! Starts every series of a process at zero.
//!
//! A counter that appears with its first event has no zero before it, so that the first
//! event of each kind, the one that alerts are for, would be no increase.
#![expect(
    clippy::disallowed_macros,
    reason = "the metrics themselves are declared in metrics.rs"
)]

use metrics::{counter, gauge, histogram};

use super::{
    API_CALL_SECONDS, API_CALLS, BATCH_SIZE, BUDGET_DRIFT, CALLS_AVOIDED, COST_ANOMALIES,
    CREDITS_SPENT, JOB_RETRIES, JOB_RUN, JOB_WAIT, JOBS_FINISHED,
};

/// What the labels of a worker can be.
#[derive(Debug, Clone, Default)]
pub struct Labels {
    /// Providers, each with the names of its endpoints.
    pub providers: Vec<(String, Vec<String>)>,
    /// What can come of a call.
    pub outcomes: Vec<&'static str>,
}

/// Registers what an enqueuer may count beside its reads ([`super::CacheReads`]), at zero.
pub fn zero_cancelled<'a>(providers: impl Iterator<Item = &'a str>) {
    for lane in providers.chain(["local"]) {
        counter!(JOBS_FINISHED.name, "lane" => lane.to_owned(), "status" => "cancelled")
            .absolute(0);
    }
}

/// Registers every series that a worker may count, at zero.
pub fn zero(labels: &Labels) {
    for (provider, endpoints) in &labels.providers {
        counter!(CALLS_AVOIDED.name, "provider" => provider.clone()).absolute(0);
        for endpoint in endpoints {
            let both = [
                ("provider", provider.clone()),
                ("endpoint", endpoint.clone()),
            ];
            counter!(CREDITS_SPENT.name, &both).absolute(0);
            counter!(COST_ANOMALIES.name, &both).absolute(0);
            gauge!(BUDGET_DRIFT.name, &both).increment(0.0);
            let _ = histogram!(API_CALL_SECONDS.name, &both);
            let _ = histogram!(BATCH_SIZE.name, &both);
            for outcome in &labels.outcomes {
                counter!(API_CALLS.name, "provider" => provider.clone(), "endpoint" => endpoint.clone(), "outcome" => *outcome)
                    .absolute(0);
            }
        }
    }
    let lanes = labels
        .providers
        .iter()
        .map(|(provider, _)| provider.as_str());
    for lane in lanes.chain(["local"]) {
        for status in super::ENDS {
            counter!(JOBS_FINISHED.name, "lane" => lane.to_owned(), "status" => status).absolute(0);
        }
        counter!(JOB_RETRIES.name, "lane" => lane.to_owned()).absolute(0);
        let _ = histogram!(JOB_WAIT.name, "lane" => lane.to_owned());
        let _ = histogram!(JOB_RUN.name, "lane" => lane.to_owned());
    }
}
