//! Turns one admitted batch into exactly one API call.
//!
//! This is the only module that calls a provider, and [`Executor::run`] is its only
//! entry point. The batch arrives from [`shared::store::Store::admit`] with its jobs
//! claimed and its worst-case cost reserved, and takes three steps:
//!
//! 1. **Call** the provider while [`crate::heartbeat`] extends the lease. No transaction
//!    is open while we wait on the network.
//! 2. **Record** the result in one transaction: entries, settlement, jobs.
//! 3. **Report** metrics, after the commit, so that a rolled-back batch is never counted.
//!
//! # If the process is killed
//!
//! | when            | rows left behind             | put right by                           |
//! |-----------------|------------------------------|----------------------------------------|
//! | before the call | leased jobs and a reservation | [`crate::upkeep`]: rescue at lease end |
//! | during the call | the same                     | the same; it lapses as *spent*         |
//! | while recording | the same, since it rolls back | the same                               |
//!
//! So a provider may see a call twice, and the ledger may over-count by one call, but it
//! never under-counts. `tests/it/crash.rs` kills the process and checks it.
//!
//! # Not here
//!
//! Which jobs share a call is decided at admission, and what a reply means for a job in
//! [`crate::verdict`]. Neither does any IO.

mod anomalies;
mod conditions;
mod limits;
mod report;

use std::sync::Arc;
use std::time::{Duration, Instant};

use shared::provider::{Charge, Provider, RawReply, RetryAfter};
use shared::retry::RetryPolicy;
use shared::store::{AdmittedCall, CallRecord, Notifier, Recorded, StoreError, Validator, Wake};
use tokio_util::sync::CancellationToken;

pub(crate) use anomalies::Anomalies;

use crate::client::{CallError, Client, Reply};
use crate::clock::Moment;
use crate::in_flight::{Hold, InFlight};
use crate::pacing;
use crate::usage::Throttled;
use crate::verdict::{self, Verdict};
use crate::vital::Vital;

/// Calls one provider for admitted batches.
#[derive(Debug)]
pub(crate) struct Executor {
    pub(crate) vital: Vital,
    pub(crate) provider: Arc<Provider>,
    pub(crate) client: Client,
    pub(crate) retry: RetryPolicy,
    /// For how long an answer is fresh whose resource is not tracked; `None` for as long
    /// as the provider takes to renew it.
    pub(crate) fresh_for: Option<Duration>,
    pub(crate) negative_ttl: Duration,
    pub(crate) max_retry_after: Duration,
    pub(crate) throttled: Throttled,
    pub(crate) anomalies: Anomalies,
    pub(crate) in_flight: Arc<InFlight>,
    pub(crate) notifier: Notifier,
    pub(crate) wake: Wake,
    /// Calls that are not sent yet are not sent any more.
    pub(crate) stop: CancellationToken,
    /// What is not answered by now is recorded as spent, and what cannot be recorded lapses.
    pub(crate) give_up: CancellationToken,
}

impl Executor {
    /// Sends an admitted call, unless `send_by` has passed, and records what came of it.
    pub(crate) async fn run(&self, mut call: AdmittedCall, send_by: Moment, hold: Hold) {
        let condition = self.condition(&mut call).await;
        let started = Instant::now();
        let replied = self
            .call(&call, condition.as_ref(), send_by, &hold.lost)
            .await;
        let took = started.elapsed();
        let mut reports = Vec::new();
        let mut validator = None;
        let (status, verdict) = match replied {
            Ok(reply) => {
                let raw = RawReply {
                    status: reply.status,
                    headers: &reply.headers,
                    body: &reply.body,
                };
                let items = items(&call);
                let reading = self.provider.understand(&call.batch_key, &items, &raw);
                if reading.charged == (Charge::ByRule { anomaly: true }) {
                    (self.anomalies).note(self.provider.name(), &call.endpoint, call.id);
                }
                validator = self.validator(&call, &reply);
                let date = header(&reply, "date").and_then(RetryAfter::parse);
                let mut verdict =
                    verdict::of_reading(&call, reading, date, &self.retry, self.max_retry_after);
                if condition.is_some() {
                    verdict.accept_unchanged();
                }
                let limits = self
                    .provider
                    .rate_limits(&raw, date.and_then(RetryAfter::moment));
                if verdict.close.is_none() {
                    verdict.close = pacing::close(&limits, self.max_retry_after);
                }
                reports = self.reports(&call, &raw, limits);
                (Some(reply.status), verdict)
            }
            Err(error) => (None, verdict::of_error(&call, &error, &self.retry)),
        };
        let is_throttled = verdict.outcome == "throttled";
        let recorded = self.record(&call, status, took, verdict, validator).await;
        drop(hold);
        if let Some(recorded) = recorded {
            self.announce(&recorded);
            self.take(&call, reports).await;
        }
        if is_throttled {
            self.throttled.note(call.id);
        }
    }

    async fn call(
        &self,
        call: &AdmittedCall,
        condition: Option<&Validator>,
        send_by: Moment,
        lost: &CancellationToken,
    ) -> Result<Reply, CallError> {
        let request = self
            .provider
            .call(&call.batch_key, &items(call))
            .map_err(|error| {
                // Admission priced this batch with the same configuration.
                tracing::error!(call = %call.id, %error, "an admitted batch cannot be asked for");
                CallError::Unaskable
            })?;
        if lost.is_cancelled() {
            return Err(CallError::TooLate);
        }
        let condition = condition.map(|condition| condition.line.as_str());
        tokio::select! {
            // What is there already is not thrown away.
            biased;
            replied = self.client.send(&request, condition, send_by, &self.stop) => replied,
            () = self.give_up.cancelled() => Err(CallError::GivenUp),
        }
    }

    /// Records until the database has it: an answer that was paid for is not dropped
    /// because the database is away for a moment. Only a worker that has waited long enough
    /// to stop leaves it, and then it lapses as spent.
    async fn record(
        &self,
        call: &AdmittedCall,
        http_status: Option<u16>,
        took: Duration,
        verdict: Verdict,
        validator: Option<Validator>,
    ) -> Option<Recorded> {
        let outcome = verdict.outcome;
        let mut record = self.row(call, http_status, took, verdict);
        record.validator = validator;
        let mut attempt = 0;
        loop {
            match self.vital.record(|store| store.record(&record)).await {
                Ok(recorded) => {
                    report::report(call, &record, &recorded, took);
                    return Some(recorded);
                }
                Err(error) if error.is_transient() => {
                    attempt += 1;
                    tracing::warn!(call = %call.id, attempt, error = %error.chain(), "cannot record yet");
                    tokio::select! {
                        () = tokio::time::sleep(RetryPolicy::DATABASE.after(attempt)) => {}
                        () = self.give_up.cancelled() => {
                            tracing::error!(call = %call.id, "stopped before the database came back; the call will lapse as spent");
                            return None;
                        }
                    }
                }
                Err(error)
                    if record.entries.is_empty() && record.outcome == verdict::CANNOT_STORE =>
                {
                    tracing::error!(call = %call.id, error = %error.chain(), "cannot record; the call will lapse as spent");
                    return None;
                }
                Err(error) => {
                    tracing::error!(call = %call.id, error = %error.chain(), "cannot store the answer; recording its cost alone");
                    record = self.cost_alone(record, outcome, &error);
                }
            }
        }
    }

    fn row(
        &self,
        call: &AdmittedCall,
        http_status: Option<u16>,
        duration: Duration,
        verdict: Verdict,
    ) -> CallRecord {
        let fresh_for = self.fresh_for.unwrap_or_else(|| {
            let endpoint = self.provider.endpoint(&call.endpoint);
            endpoint.map_or(Duration::from_secs(60), |known| known.update_frequency())
        });
        CallRecord {
            call: call.id,
            provider: self.provider.name().clone(),
            endpoint: call.endpoint.clone(),
            lease_token: call.lease_token,
            settlement: verdict.settlement,
            outcome: verdict.outcome,
            http_status,
            duration,
            entries: verdict.entries,
            validator: None,
            unchanged: verdict.unchanged,
            fresh_for,
            negative_ttl: self.negative_ttl,
            jobs: verdict.jobs,
            close: verdict.close,
        }
    }

    fn cost_alone(
        &self,
        record: CallRecord,
        outcome: &'static str,
        error: &StoreError,
    ) -> CallRecord {
        let verdict = Verdict {
            settlement: record.settlement,
            outcome,
            entries: Vec::new(),
            unchanged: Vec::new(),
            jobs: record.jobs,
            close: record.close,
        };
        let verdict = verdict::without_answers(verdict, &error.to_string());
        CallRecord {
            outcome: verdict.outcome,
            entries: verdict.entries,
            unchanged: verdict.unchanged,
            jobs: verdict.jobs,
            close: verdict.close,
            ..record
        }
    }

    fn announce(&self, recorded: &Recorded) {
        if !recorded.stored.is_empty() || recorded.failed > 0 {
            self.notifier.cache();
            self.wake.wake_cache();
        }
        self.wake.wake_calls();
    }
}

fn items(call: &AdmittedCall) -> Vec<String> {
    call.jobs
        .iter()
        .filter_map(|job| job.item.clone())
        .collect()
}

fn header<'a>(reply: &'a Reply, name: &str) -> Option<&'a str> {
    reply
        .headers
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.as_str())
}

#[cfg(test)]
mod tests;
