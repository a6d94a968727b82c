//! The kind `noop`: does nothing, for measuring the queue itself.

use futures::FutureExt;
use futures::future::BoxFuture;
use shared::model::kind;
use shared::store::{ClaimedJob, JobEnd};

use super::{Handler, HandlerContext};

/// Does nothing, and is done.
#[derive(Debug, Clone, Copy)]
pub struct Noop;

impl Handler for Noop {
    fn kind(&self) -> &'static str {
        kind::NOOP
    }

    fn run(&self, _job: ClaimedJob, _context: HandlerContext) -> BoxFuture<'static, JobEnd> {
        futures::future::ready(JobEnd::Done).boxed()
    }
}
