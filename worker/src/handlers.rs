//! Job kinds beside `refresh`: each is one file here and one line in [`Handlers::shipped`].

mod noop;

use std::collections::HashMap;
use std::sync::Arc;

use futures::future::BoxFuture;
use shared::store::{ClaimedJob, JobEnd};
use tokio_util::sync::CancellationToken;

pub use noop::Noop;

/// What a handler may use.
#[derive(Debug, Clone)]
pub struct HandlerContext {
    /// Cancelled when the job's lease was lost, or its worker has waited long enough for
    /// it at shutdown: whatever the handler still does will not count.
    pub lost: CancellationToken,
}

/// Runs jobs of one kind.
///
/// Execution is at least once: a handler whose worker dies runs again elsewhere. Its
/// outcome is recorded once.
pub trait Handler: Send + Sync + 'static {
    /// Name of the kind, as it stands in `jobs.kind`.
    fn kind(&self) -> &'static str;

    /// Runs one job to its end.
    fn run(&self, job: ClaimedJob, context: HandlerContext) -> BoxFuture<'static, JobEnd>;
}

/// The kinds that a worker knows.
#[derive(Clone, Default)]
pub struct Handlers {
    by_kind: HashMap<&'static str, Arc<dyn Handler>>,
}

impl std::fmt::Debug for Handlers {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_set().entries(self.by_kind.keys()).finish()
    }
}

impl Handlers {
    /// The kinds that come with Larder.
    pub fn shipped() -> Self {
        Self::default().with(Noop)
    }

    /// These kinds and one more.
    pub fn with(mut self, handler: impl Handler) -> Self {
        self.by_kind.insert(handler.kind(), Arc::new(handler));
        self
    }

    /// Names of the kinds.
    pub fn kinds(&self) -> Vec<String> {
        self.by_kind.keys().map(ToString::to_string).collect()
    }

    /// The handler of a kind.
    pub(crate) fn get(&self, kind: &str) -> Option<Arc<dyn Handler>> {
        self.by_kind.get(kind).cloned()
    }
}
