//! Tells what came of a call: in metrics, after the commit, and in the log.

use std::time::Duration;

use shared::metrics;
use shared::store::{AdmittedCall, CallRecord, JobResult, JobVerdict, Recorded, Settlement};

/// Counts a recorded call, and logs it: one line for it and one for each of its jobs.
pub(super) fn report(
    call: &AdmittedCall,
    record: &CallRecord,
    recorded: &Recorded,
    took: Duration,
) {
    let (provider, endpoint) = (record.provider.as_str(), record.endpoint.as_str());
    let credits = match record.settlement {
        Settlement::Answered { credits } => credits,
        Settlement::GaveUp => call.reserved_credits,
        Settlement::NotSent => 0,
    };
    metrics::api_call(provider, endpoint, record.outcome, took, call.jobs.len());
    // The call was one of them's own.
    metrics::calls_avoided(provider, recorded.completed.saturating_sub(1));
    metrics::credits(provider, endpoint, credits, recorded.drift);
    metrics::jobs_finished(provider, "completed", recorded.completed);
    metrics::jobs_finished(provider, "failed", recorded.failed);
    metrics::jobs_finished(provider, "cancelled", recorded.cancelled);
    metrics::retries(provider, recorded.retried);
    metrics::leases_lost(recorded.lost);
    for job in &call.jobs {
        metrics::job_run(provider, job.waited, took);
    }
    tracing::info!(
        call = %call.id,
        %provider,
        %endpoint,
        outcome = record.outcome,
        status = record.http_status,
        credits,
        resources = call.jobs.len(),
        completed = recorded.completed,
        failed = recorded.failed,
        waiting = recorded.waiting,
        ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        "call recorded",
    );
    for job in &record.jobs {
        report_job(call, job);
    }
    if recorded.drift > 0 {
        tracing::warn!(%provider, %endpoint, credits = recorded.drift, "the provider charged more than its rule says");
    }
    if let Some(close) = &record.close {
        tracing::warn!(lane = %provider, reason = %close.reason, call = %call.id, "lane closed by an answer");
    }
    if let Some(reason) = &recorded.closed {
        tracing::warn!(lane = %provider, reason, call = %call.id, "lane closed: its calls fail");
    }
}

/// One line for each job of a call, by which a job can be followed: what is as it should
/// be to those who ask for more, what is not to everybody.
fn report_job(call: &AdmittedCall, job: &JobResult) {
    let (call, resource) = (call.id, &job.resource_key);
    match &job.verdict {
        JobVerdict::Done => tracing::debug!(job = %job.id, %call, %resource, "job completed"),
        JobVerdict::Release => tracing::debug!(job = %job.id, %call, %resource, "job waits again"),
        JobVerdict::Retry { after, error } => tracing::info!(
            job = %job.id, %call, %resource, error,
            wait_ms = u64::try_from(after.as_millis()).unwrap_or(u64::MAX),
            "job's attempt failed",
        ),
        JobVerdict::NotFound => {
            tracing::info!(job = %job.id, %call, %resource, "job failed: there is no such thing");
        }
        JobVerdict::Fail { error } => {
            tracing::warn!(job = %job.id, %call, %resource, error, "job failed");
        }
    }
}
