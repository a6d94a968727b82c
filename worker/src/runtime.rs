//! The threads of a process, and that they end with it.

use std::io;
use std::time::Duration;

/// How long tasks may take to be dropped.
const DROPPED: Duration = Duration::from_millis(500);

/// Runs a future to its end on a runtime of its own.
///
/// A handler may block its thread for ever: that thread is left behind, since the process
/// ends.
///
/// # Errors
///
/// The operating system gives no threads.
pub fn run<F: Future>(future: F) -> io::Result<F::Output> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let ended = runtime.block_on(future);
    runtime.shutdown_timeout(DROPPED);
    Ok(ended)
}
