//! Runs one handler once, within bounds that it cannot leave.
//!
//! The handler runs as a task of its own, so a panic ends that task alone, wherever it is
//! raised, and one that waits for ever is dropped at its deadline. A handler that blocks
//! its thread takes that thread from the whole process, timers included: what blocks
//! belongs into `tokio::task::spawn_blocking`, as [`crate::Handler`] says.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use shared::retry::RetryPolicy;
use shared::store::{ClaimedJob, JobEnd};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument;

use crate::handlers::{HandlerContext, Handlers, Outcome, Services};

/// Most characters of an error that is kept with its job.
const MOST_ERROR: usize = 2_000;

/// Longest time that a job can be made to wait: a slip must not hide it for ever, and a
/// time that the database cannot add would spoil the whole batch of outcomes.
const LONGEST_WAIT: Duration = Duration::from_secs(366 * 86_400);

/// Runs handlers.
#[derive(Debug)]
pub(crate) struct Runner {
    pub(crate) handlers: Handlers,
    pub(crate) services: Arc<Services>,
    /// When a handler that has not ended is dropped.
    pub(crate) deadline: Duration,
    /// Waits of jobs whose handler names none.
    pub(crate) retry: RetryPolicy,
}

impl Runner {
    /// Runs a job once; `lost` tells its handler when that is in vain.
    pub(super) async fn run(
        &self,
        job: ClaimedJob,
        lost: CancellationToken,
        give_up: &CancellationToken,
    ) -> JobEnd {
        // Only kinds that have a handler are claimed.
        let Some(handler) = self.handlers.get(&job.kind) else {
            return JobEnd::Release;
        };
        let attempt = u32::try_from(job.attempt).unwrap_or(1);
        let context = HandlerContext {
            job: job.id,
            attempt,
            max_attempts: u32::try_from(job.max_attempts).unwrap_or(1),
            started_at: job.started_at,
            lost: lost.clone(),
            services: Arc::clone(&self.services),
        };
        let span = tracing::info_span!("job", id = %job.id, kind = job.kind, attempt);
        let running = handler.read_and_run(job.args, context).instrument(span);
        // Aborted when dropped, which both of the other branches do.
        let running = AbortOnDropHandle::new(tokio::spawn(running));
        let outcome = tokio::select! {
            biased;
            ended = running => match ended.map_err(tokio::task::JoinError::try_into_panic) {
                Ok(outcome) => outcome,
                Err(Ok(panic)) => Outcome::retry(format!("panic: {}", message(panic.as_ref()))),
                // Its task was ended from outside: the runtime stops.
                Err(Err(_)) => return JobEnd::Release,
            },
            () = give_up.cancelled() => {
                lost.cancel();
                return JobEnd::Release;
            }
            () = tokio::time::sleep(self.deadline) => {
                lost.cancel();
                let deadline = humantime::format_duration(self.deadline);
                Outcome::retry(format!("deadline: it had not ended after {deadline}"))
            }
        };
        match &outcome {
            Outcome::Done => {
                tracing::debug!(job = %job.id, kind = job.kind, attempt, "job completed");
            }
            Outcome::Retry { error, .. } | Outcome::Fail { error } => tracing::warn!(
                job = %job.id,
                kind = job.kind,
                attempt,
                error = kept(error),
                "a job's attempt failed"
            ),
        }
        self.end(outcome, attempt)
    }

    fn end(&self, outcome: Outcome, attempt: u32) -> JobEnd {
        match outcome {
            Outcome::Done => JobEnd::Done,
            Outcome::Retry { after, error } => JobEnd::Retry {
                after: after
                    .unwrap_or_else(|| self.retry.after(attempt))
                    .min(LONGEST_WAIT),
                error: kept(&error),
            },
            Outcome::Fail { error } => JobEnd::Fail {
                error: kept(&error),
            },
        }
    }
}

/// An error as Postgres can keep it, which is without NUL, and as people can read it.
fn kept(error: &str) -> String {
    let letters = error.chars().take(MOST_ERROR);
    letters
        .map(|letter| if letter == '\0' { '\u{fffd}' } else { letter })
        .collect()
}

/// What a panic said.
fn message(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_kept_in_a_form_that_postgres_takes() {
        assert_eq!(kept("a\0b"), "a\u{fffd}b");
        assert_eq!(kept(&"é".repeat(5_000)).chars().count(), MOST_ERROR);
    }
}
