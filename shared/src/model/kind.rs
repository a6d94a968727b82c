//! The kinds of jobs that there are.

/// The kind that refreshes one resource.
pub const REFRESH: &str = "refresh";

/// The kind that does nothing: for measuring the queue.
pub const NOOP: &str = "noop";

/// Every kind that a handler of the worker runs.
///
/// The names stand here because the enqueuer, which does not know the worker, refuses
/// what nobody could run; the worker's registry has a handler for each.
pub const HANDLED: &[&str] = &[NOOP];
