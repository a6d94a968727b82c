//! Looks what is due, and wakes whoever can do it.
//!
//! One dispatcher a process. It is woken by a hint or by its timer, and either way reads
//! the truth from the rows: the same code, always exercised. The timer sleeps until the
//! next job is due, at most the poll interval, since a hint may be lost.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use shared::metrics;
use shared::retry::RetryPolicy;
use shared::store::{Look, Looker, Wake};
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::upkeep::Upkeep;

/// Wakes the lanes of a process.
#[derive(Debug)]
pub(crate) struct Dispatcher {
    pub(crate) looker: Looker,
    pub(crate) wake: Wake,
    /// Each lane's name, and how to wake who claims in it.
    pub(crate) lanes: HashMap<String, Arc<Notify>>,
    pub(crate) upkeep: Arc<Upkeep>,
    pub(crate) poll_interval: Duration,
    pub(crate) stop: CancellationToken,
}

/// Shortest sleep between two looks that nobody asked for.
const SHORTEST: Duration = Duration::from_millis(5);

/// How long after a hint it looks: long enough for the local lane's claim, which starts at once
/// and which a look at the same moment would slow down, and for other hints of the same burst.
const AFTER_HINT: Duration = Duration::from_millis(3);

/// How many times as long as a look the dispatcher rests after it, whoever asks: looking
/// takes at most a twentieth of a connection's time, also where a long transaction makes each
/// look read what has long been dead.
const REST: u32 = 20;

impl Dispatcher {
    /// Dispatches until stopped.
    pub(crate) async fn run(mut self) {
        let mut next = Instant::now();
        let mut rested = next;
        let mut failures = 0;
        // What waits for a process that starts is claimed while it looks for the first time.
        self.wake_local();
        loop {
            tokio::select! {
                () = self.wake.jobs() => {
                    self.wake_local();
                    next = next.min(rested.max(Instant::now() + AFTER_HINT));
                    continue;
                }
                () = self.wake.calls() => {
                    next = next.min(rested);
                    continue;
                }
                () = tokio::time::sleep_until(next) => {}
                () = self.stop.cancelled() => return,
            }
            metrics::listener(self.wake.is_listening());
            let began = Instant::now();
            let wait = match self.looker.look().await {
                Ok(look) => {
                    if failures > 0 {
                        tracing::info!("the database is back");
                    }
                    failures = 0;
                    self.dispatch(&look)
                }
                Err(error) => {
                    failures += 1;
                    if failures == 1 {
                        tracing::warn!(error = %error.chain(), "cannot look for jobs; trying again");
                    }
                    RetryPolicy::DATABASE.after(failures)
                }
            };
            let ended = Instant::now();
            let rest = (ended - began).saturating_mul(REST).min(self.poll_interval);
            rested = ended + rest;
            next = ended + wait.max(rest);
        }
    }

    /// Lets the lane `local` claim without a look: its claim costs what a look costs, and
    /// the one who enqueued has waited long enough.
    fn wake_local(&self) {
        if let Some(local) = self.lanes.get("local") {
            local.notify_one();
        }
    }

    /// Wakes the lanes that have due work; answers how long nothing else will be due.
    fn dispatch(&self, look: &Look) -> Duration {
        if look.expired {
            self.upkeep.ask_for_rescue();
        }
        let mut wait = self.poll_interval;
        for seen in &look.lanes {
            let Some(lane) = self.lanes.get(seen.lane.as_str()) else {
                // Another process has its configuration.
                continue;
            };
            match seen.wait {
                Some(Duration::ZERO) => lane.notify_one(),
                Some(until) => wait = wait.min(until),
                None => {}
            }
        }
        wait.max(SHORTEST)
    }
}
