//! Stops in order at the first signal, at once at the second.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::cli::Failure;

/// SIGINT and SIGTERM, from the moment of their registration on, and SIGHUP if asked for.
#[derive(Debug)]
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Option<Signal>,
}

impl Signals {
    /// Registers. Do it before anything is started that has to be stopped.
    pub(crate) fn register() -> Result<Self, Failure> {
        let register = |kind| signal(kind).map_err(|error| Failure::from(&error));
        Ok(Self {
            interrupt: register(SignalKind::interrupt())?,
            terminate: register(SignalKind::terminate())?,
            hangup: None,
        })
    }

    /// Registers, and stops when the terminal goes away too; not under `nohup`, which asks for
    /// the opposite.
    pub(crate) fn register_with_hangup() -> Result<Self, Failure> {
        let mut signals = Self::register()?;
        if !ignores_hangup() {
            let hangup = signal(SignalKind::hangup()).map_err(|error| Failure::from(&error))?;
            signals.hangup = Some(hangup);
        }
        Ok(signals)
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
            () = async {
                match &mut self.hangup {
                    Some(hangup) => { hangup.recv().await; }
                    None => std::future::pending().await,
                }
            } => {}
        }
    }
}

/// Whether whoever started this process had it ignore SIGHUP, as far as the system tells.
fn ignores_hangup() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    // SIGHUP is the first of the mask.
    ignored
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask & 1 == 1)
}
