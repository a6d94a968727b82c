//! The threads of a process, and that they end with it.

use std::io;
use std::time::Duration;

/// How long tasks may take to be dropped.
const DROPPED: Duration = Duration::from_millis(500);

/// Runs a future to its end on a runtime of its own.
///
/// As a task: what is awaited on the thread that made the runtime has that thread woken by
/// another one for each answer from the network. A panic in it goes on here.
///
/// A handler may block its thread for ever: that thread is left behind, since the process
/// ends.
///
/// # Errors
///
/// The operating system gives no threads.
pub fn run<F>(future: F) -> io::Result<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let ended = runtime.block_on(runtime.spawn(future));
    runtime.shutdown_timeout(DROPPED);
    match ended.map_err(tokio::task::JoinError::try_into_panic) {
        Ok(ended) => Ok(ended),
        Err(Ok(panic)) => std::panic::resume_unwind(panic),
        // Nobody aborts it.
        Err(Err(error)) => Err(io::Error::other(error)),
    }
}
