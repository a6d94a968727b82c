//! What a call means for its ledger row, its jobs and its lane: the one table.
//!
//! | what came back               | cost         | jobs                            | lane            |
//! |------------------------------|--------------|---------------------------------|-----------------|
//! | an answer                    | as reported  | done, item by item              |                 |
//! | an item that is not there    | as reported  | fails, `not_found`              |                 |
//! | throttled, dead key          | as reported  | wait again, no attempt is used  | closed          |
//! | what there is has not changed | as reported | done, and the entry is renewed    |                 |
//! | an error that may pass       | as reported  | try again later                 |                 |
//! | an error that stays          | as reported  | fail                            |                 |
//! | no answer                    | as reserved  | try again later                 |                 |
//! | no connection                | nothing      | try again later                 |                 |
//! | never handed to the client   | nothing      | wait again, no attempt is used  |                 |

use std::time::Duration;

use serde_json::value::RawValue;
use shared::model::ResourceKey;
use shared::provider::{Charge, CloseFor, ItemReading, Outcome, Reading, Retry, RetryAfter};
use shared::retry::RetryPolicy;
use shared::store::{
    AdmittedCall, ClaimedRefresh, CloseUntil, JobResult, JobVerdict, LaneClose, NewEntry,
    Settlement,
};

use crate::client::CallError;

/// The outcome of a call whose answer the database refused.
pub(crate) const CANNOT_STORE: &str = "cannot_store";

/// How long an address is left alone that a provider has throttled as a whole: the rule
/// gives no time, and one minute is what the shortest windows of providers last.
const IP_PAUSE: Duration = Duration::from_secs(60);

/// What is to be recorded of a call, apart from who it was.
#[derive(Debug)]
pub(crate) struct Verdict {
    pub(crate) settlement: Settlement,
    pub(crate) outcome: &'static str,
    pub(crate) entries: Vec<NewEntry>,
    /// Resources whose entries are as they were.
    pub(crate) unchanged: Vec<ResourceKey>,
    pub(crate) jobs: Vec<JobResult>,
    pub(crate) close: Option<LaneClose>,
}

impl Verdict {
    /// A 304 to a call that asked whether anything changed answers all of its jobs.
    pub(crate) fn accept_unchanged(&mut self) {
        if self.outcome != Outcome::NotModified.as_str() {
            return;
        }
        for job in &mut self.jobs {
            job.verdict = JobVerdict::Done;
            self.unchanged.push(job.resource_key.clone());
        }
    }
}

/// The verdict on a complete reply. `date` is the reply's own `Date`, for a `Retry-After`
/// that names a moment: what counts is the time between the two.
pub(crate) fn of_reading(
    call: &AdmittedCall,
    reading: Reading,
    date: Option<RetryAfter>,
    retry: &RetryPolicy,
    max_retry_after: Duration,
) -> Verdict {
    let credits = match reading.charged {
        Charge::Reported(credits) => credits,
        Charge::ByRule { .. } => call.reserved_credits,
        Charge::Free => 0,
    };
    let retry_after = reading
        .retry_after
        .and_then(|after| wait(after, date))
        .map(|after| after.min(max_retry_after));
    let close = reading
        .close
        .map(|close| lane_close(reading.outcome, close, retry_after));
    let error = in_words(&reading);
    let mut entries = Vec::new();
    let mut jobs = Vec::with_capacity(call.jobs.len());
    let readings: std::collections::HashMap<String, ItemReading> =
        reading.items.into_iter().collect();
    for job in &call.jobs {
        let item = job.item.as_deref().unwrap_or_default();
        let verdict = match readings.get(item) {
            Some(ItemReading::Found(answer)) => match entry(job, answer) {
                Some(entry) => {
                    entries.push(entry);
                    JobVerdict::Done
                }
                None => later(job, retry, retry_after, "malformed: the answer is not JSON"),
            },
            Some(ItemReading::NotFound) => JobVerdict::NotFound,
            Some(ItemReading::Malformed { reason }) => {
                later(job, retry, retry_after, &format!("malformed: {reason}"))
            }
            None if close.is_some() => JobVerdict::Release,
            None if reading.retry == Retry::Never => JobVerdict::Fail {
                error: error.clone(),
            },
            None => later(job, retry, retry_after, &error),
        };
        jobs.push(JobResult {
            id: job.id,
            resource_key: job.resource_key.clone(),
            verdict,
        });
    }
    Verdict {
        settlement: Settlement::Answered { credits },
        outcome: reading.outcome.as_str(),
        entries,
        unchanged: Vec::new(),
        jobs,
        close,
    }
}

/// The verdict on a call without a complete reply.
pub(crate) fn of_error(call: &AdmittedCall, error: &CallError, retry: &RetryPolicy) -> Verdict {
    let words = format!("{}: {}", error.outcome(), error.in_words());
    let jobs = call
        .jobs
        .iter()
        .map(|job| JobResult {
            id: job.id,
            resource_key: job.resource_key.clone(),
            verdict: match error {
                CallError::TooLate | CallError::Stopped => JobVerdict::Release,
                CallError::Unaskable => JobVerdict::Fail {
                    error: words.clone(),
                },
                _ => later(job, retry, None, &words),
            },
        })
        .collect();
    Verdict {
        settlement: match error.was_not_sent() {
            true => Settlement::NotSent,
            false => Settlement::GaveUp,
        },
        outcome: error.outcome(),
        entries: Vec::new(),
        unchanged: Vec::new(),
        jobs,
        close: None,
    }
}

/// What is left of a verdict that could not be stored: its cost. The jobs fail, since
/// fetching the same answer again would be paid again.
pub(crate) fn without_answers(verdict: Verdict, why: &str) -> Verdict {
    let jobs = verdict
        .jobs
        .into_iter()
        .map(|job| JobResult {
            verdict: match job.verdict {
                JobVerdict::Done => JobVerdict::Fail {
                    error: format!("{CANNOT_STORE}: {why}"),
                },
                other => other,
            },
            ..job
        })
        .collect();
    Verdict {
        outcome: CANNOT_STORE,
        entries: Vec::new(),
        unchanged: Vec::new(),
        jobs,
        ..verdict
    }
}

fn entry(job: &ClaimedRefresh, answer: &shared::provider::Answer) -> Option<NewEntry> {
    let raw = |text: &String| RawValue::from_string(text.clone()).ok();
    Some(NewEntry {
        resource_key: job.resource_key.clone(),
        body: raw(&answer.body)?,
        envelope: match &answer.envelope {
            Some(envelope) => Some(raw(envelope)?),
            None => None,
        },
        provider_time: answer.provider_time,
        content_hash: answer.content_hash.clone(),
    })
}

fn later(
    job: &ClaimedRefresh,
    retry: &RetryPolicy,
    retry_after: Option<Duration>,
    error: &str,
) -> JobVerdict {
    let attempt = u32::try_from(job.attempt).unwrap_or(1);
    JobVerdict::Retry {
        after: retry_after.unwrap_or_else(|| retry.after(attempt)),
        error: error.to_owned(),
    }
}

fn lane_close(outcome: Outcome, close: CloseFor, retry_after: Option<Duration>) -> LaneClose {
    let (until, what) = match close {
        CloseFor::Minute => (CloseUntil::Minute, "minute"),
        CloseFor::Day => (CloseUntil::Day, "day"),
        CloseFor::Month => (CloseUntil::Month, "month"),
        CloseFor::Ip => (CloseUntil::For(IP_PAUSE), "ip"),
        CloseFor::Operator => (CloseUntil::Operator, ""),
    };
    LaneClose {
        reason: match what {
            "" => outcome.as_str().to_owned(),
            what => format!("{}:{what}", outcome.as_str()),
        },
        until,
        // Nobody asks to be called again with a dead key.
        retry_after: retry_after.filter(|_| until != CloseUntil::Operator),
        by_address: close == CloseFor::Ip,
    }
}

fn wait(after: RetryAfter, date: Option<RetryAfter>) -> Option<Duration> {
    match (after, date) {
        (RetryAfter::Seconds(secs), _) => Some(Duration::from_secs(secs)),
        (RetryAfter::At(at), Some(RetryAfter::At(date))) => (at - date).to_std().ok(),
        (RetryAfter::At(_), _) => None,
    }
}

fn in_words(reading: &Reading) -> String {
    let what = reading.outcome.as_str();
    match (&reading.message, &reading.reason) {
        (Some(words), _) | (None, Some(words)) => format!("{what}: {words}"),
        (None, None) => what.to_owned(),
    }
}
