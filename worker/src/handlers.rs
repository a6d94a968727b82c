//! Job kinds beside `refresh`: each is one file here and one line in [`Handlers::shipped`].
//!
//! A handler gets its args as a type of its own and answers with an [`Outcome`]. What
//! can go wrong around it is not its concern:
//!
//! | what happens                      | what becomes of the job                          |
//! |-----------------------------------|--------------------------------------------------|
//! | the args are not of its type      | it fails for good, with what is wrong in words   |
//! | it panics                         | tried again, with the panic's message as error   |
//! | it has not ended at its deadline  | dropped, and tried again                         |
//! | its worker dies                   | another worker runs it when the lease ends       |
//! | its worker stops                  | it is given back, and the attempt too            |
//!
//! So a job may run more than once, though its outcome is recorded once: what a handler
//! does to other systems must bear being done twice. `docs/adding-a-job-kind.md` walks
//! through a new one.
//!
//! # Not here
//!
//! How a run is bounded is in `worker::local`. A priced API is called by refreshes
//! only: a handler that calls one would spend past the budget.

mod noop;
mod services;
mod webhook;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::FutureExt;
use futures::future::BoxFuture;
use serde::de::DeserializeOwned;
use serde_json::Value;
use shared::model::{JobId, kind};
use tokio_util::sync::CancellationToken;

pub use noop::Noop;
pub use services::{Services, ServicesError};
pub use webhook::{Webhook, WebhookError, Webhooks};

/// What a handler knows of its job, and what it may use.
#[derive(Debug, Clone)]
pub struct HandlerContext {
    /// Which job. The same in every attempt, so it serves as an idempotency key.
    pub job: JobId,
    /// Which attempt this is, from 1 on.
    pub attempt: u32,
    /// After how many attempts the job fails for good.
    pub max_attempts: u32,
    /// When this attempt began, by the database's clock.
    pub started_at: DateTime<Utc>,
    /// Cancelled when the job's lease was lost, its deadline passed, or its worker has
    /// waited long enough at shutdown: whatever the handler still does will not count.
    pub lost: CancellationToken,
    /// What handlers share.
    pub services: Arc<Services>,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The job did what it was for.
    Done,
    /// Try again; the job fails if no attempt is left.
    Retry {
        /// How long from now; `None` for what the configuration's `queue.retry` says.
        after: Option<Duration>,
        /// What went wrong, in words and without secrets: it is stored.
        error: String,
    },
    /// It cannot succeed.
    Fail {
        /// Why, in words and without secrets: it is stored.
        error: String,
    },
}

impl Outcome {
    /// Try again after the usual wait.
    pub fn retry(error: impl Into<String>) -> Self {
        Self::Retry {
            after: None,
            error: error.into(),
        }
    }

    /// It cannot succeed.
    pub fn fail(error: impl Into<String>) -> Self {
        Self::Fail {
            error: error.into(),
        }
    }
}

/// Runs jobs of one kind.
pub trait Handler: Send + Sync + 'static {
    /// Name of the kind, as it stands in `jobs.kind`.
    const KIND: &'static str;

    /// What its jobs take. Args that are none, such as those of a job that was enqueued
    /// before an upgrade, fail their job for good.
    type Args: DeserializeOwned + Send;

    /// Runs one job once.
    ///
    /// Must not block its thread for long, or it cannot be dropped at its deadline:
    /// `tokio::task::spawn_blocking` is for what does.
    fn run(
        &self,
        args: Self::Args,
        context: HandlerContext,
    ) -> impl Future<Output = Outcome> + Send;
}

/// A handler whose type of args is forgotten, so that all can stand in one map.
pub(crate) trait AnyHandler: Send + Sync {
    /// Reads the args and runs the job.
    fn read_and_run(
        self: Arc<Self>,
        args: Value,
        context: HandlerContext,
    ) -> BoxFuture<'static, Outcome>;
}

impl<H: Handler> AnyHandler for H {
    fn read_and_run(
        self: Arc<Self>,
        args: Value,
        context: HandlerContext,
    ) -> BoxFuture<'static, Outcome> {
        async move {
            match kind::parse(&args) {
                Ok(args) => self.run(args, context).await,
                Err(wrong) => Outcome::fail(format!("args: {wrong}")),
            }
        }
        .boxed()
    }
}

/// The kinds that a worker knows.
#[derive(Clone, Default)]
pub struct Handlers {
    by_kind: HashMap<&'static str, Arc<dyn AnyHandler>>,
}

impl std::fmt::Debug for Handlers {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_set().entries(self.by_kind.keys()).finish()
    }
}

impl Handlers {
    /// The kinds that come with Larder.
    pub fn shipped() -> Self {
        Self::default().with(Noop).with(Webhook)
    }

    /// These kinds and one more, which replaces the one of its name.
    pub fn with<H: Handler>(mut self, handler: H) -> Self {
        self.by_kind.insert(H::KIND, Arc::new(handler));
        self
    }

    /// Names of the kinds.
    pub fn kinds(&self) -> Vec<String> {
        self.by_kind.keys().map(ToString::to_string).collect()
    }

    /// The handler of a kind.
    pub(crate) fn get(&self, kind: &str) -> Option<Arc<dyn AnyHandler>> {
        self.by_kind.get(kind).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The enqueuer takes what stands in the one list, the worker runs what stands in the
    /// other.
    #[test]
    fn every_kind_that_is_taken_is_run_and_the_other_way_round() {
        let mut run = Handlers::shipped().kinds();
        let mut taken: Vec<_> = kind::HANDLED.iter().map(|known| known.name).collect();
        run.sort_unstable();
        taken.sort_unstable();
        assert_eq!(run, taken);
    }
}
