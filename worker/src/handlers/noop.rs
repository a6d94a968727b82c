//! The kind `noop`: does nothing, for measuring the queue itself.

use shared::model::kind::{self, AnyArgs};

use super::{Handler, HandlerContext, Outcome};

/// Does nothing, and is done.
#[derive(Debug, Clone, Copy)]
pub struct Noop;

impl Handler for Noop {
    const KIND: &'static str = kind::NOOP;
    type Args = AnyArgs;

    async fn run(&self, _args: AnyArgs, _context: HandlerContext) -> Outcome {
        Outcome::Done
    }
}
