//! Takes jobs out of the queue, calls providers within their budget, and records.
//!
//! ```text
//! listener (hint) or timer ─► dispatcher ─► a pump for each provider: admit ─► executor: call, record
//!                                       └─► local: claim ─► handlers ─► flusher: record in batches
//! upkeep: rescue what others left, partitions, being seen
//! ```
//!
//! Everything that calls a provider goes through `executor`; a call is never retried
//! in place, since a retry costs budget and must reserve again. Every process of this
//! kind can be killed at any instant: what it leaves behind is put right by the others.
//!
//! # Not here
//!
//! SQL is in [`shared::store`]; what a reply means is [`shared::provider`]'s; jobs are
//! put in by the crate `enqueuer`, which this one does not know.

mod admitter;
mod client;
mod clock;
pub mod daemon;
mod dispatcher;
mod executor;
pub mod handlers;
mod heartbeat;
mod http;
mod in_flight;
mod labels;
mod local;
mod pacing;
mod process;
mod pump;
pub mod runtime;
mod upkeep;
mod usage;
mod verdict;
mod vital;

pub use handlers::{Handler, HandlerContext, Handlers, Outcome};
pub use http::{RenderMetrics, serve};
pub use process::{Worker, WorkerError, WorkerOptions};
