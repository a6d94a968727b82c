//! Stops in order at the first signal, at once at the second.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::cli::Failure;

/// SIGINT and SIGTERM, from the moment of their registration on.
#[derive(Debug)]
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// Registers. Do it before anything is started that has to be stopped.
    pub(crate) fn register() -> Result<Self, Failure> {
        let register = |kind| signal(kind).map_err(|error| Failure::from(&error));
        Ok(Self {
            interrupt: register(SignalKind::interrupt())?,
            terminate: register(SignalKind::terminate())?,
        })
    }

    /// Waits for the first signal. From then on a second one ends the process.
    pub(crate) async fn stop(&mut self) {
        self.next().await;
        let Ok(mut again) = Self::register() else {
            return;
        };
        tokio::spawn(async move {
            again.next().await;
            std::process::exit(130);
        });
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
