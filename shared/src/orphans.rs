//! What the first process of a container owes to the others: to take note of their ends.
//!
//! A process whose parent has ended is given to process 1. When it ends too, it stays in the
//! table of processes until process 1 has asked how it ended; a shell that was killed while
//! it ran a health check leaves such ones behind, one every few seconds. An init would ask
//! (`docker run --init`), but nobody has to have one.
//!
//! # Not here
//!
//! `larder up` starts a Postgres of its own, whose end this would take from it.

use std::io;

use rustix::process::{WaitOptions, wait};
use tokio::signal::unix::{SignalKind, signal};

/// Takes note of the ends of orphans, if this is the first process of its container.
///
/// Only for programs that start no processes of their own.
///
/// # Errors
///
/// Whatever keeps it from being told of ends.
pub fn collect() -> io::Result<()> {
    if std::process::id() != 1 {
        return Ok(());
    }
    let mut ended = signal(SignalKind::child())?;
    tokio::spawn(async move {
        loop {
            // One signal may stand for several ends.
            while let Ok(Some(_)) = wait(WaitOptions::NOHANG) {}
            if ended.recv().await.is_none() {
                return;
            }
        }
    });
    Ok(())
}
