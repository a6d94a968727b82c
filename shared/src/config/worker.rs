//! `[worker]`: how jobs are claimed and run.

use std::net::SocketAddr;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::problems::Problems;

/// `[worker]`: how jobs are claimed and run.
///
/// Every key has a default, so an empty section is valid. Keys can be set in the
/// file or in the environment: `worker.lease` is `LARDER__WORKER__LEASE`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct WorkerConfig {
    /// API calls in flight at once in this process, over all providers.
    pub concurrency: u32,

    /// Handlers of the lane `local` that run at once in this process. They wait
    /// on the user's own systems, not on a budget, so there may be more of them.
    pub local_concurrency: u32,

    /// How long a claimed job stays ours without a heartbeat. Longer means a
    /// crashed worker's jobs wait longer; shorter means more heartbeats.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub lease: Duration,

    /// Deadline for one API call, from connecting to the last byte.
    ///
    /// The slowest answer of CoinMarketCap on record took 9.5 s (measured by a
    /// third party, 2026).
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub call_timeout: Duration,

    /// Deadline for the first byte of an answer, connecting included. Past
    /// `call_timeout` it is never reached.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub first_byte_timeout: Duration,

    /// Deadline for one run of a handler of the lane `local`. One that has not ended
    /// by then is dropped, and its job tried again.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub handler_timeout: Duration,

    /// Deadline for the connection and its TLS handshake, within `call_timeout`.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub connect_timeout: Duration,

    /// How often to look for due jobs when no notification arrives.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub poll_interval: Duration,

    /// Address of `/healthz`, `/readyz` and `/metrics`.
    #[schemars(with = "String")]
    pub listen: SocketAddr,

    /// How long calls in flight may take to end after the first signal to stop.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub shutdown_grace: Duration,

    /// How often a job may be taken back from a worker that died before it is
    /// failed: a job that kills its worker must end.
    pub max_rescues: u32,

    /// Most bytes of a provider's answer, after decompression.
    pub max_body_bytes: u64,

    /// Connections to Postgres in this process, beside the one that listens.
    pub database_connections: u32,
}

impl Default for WorkerConfig {
    fn default() -> Self {
        Self {
            concurrency: 8,
            local_concurrency: 64,
            lease: Duration::from_secs(30),
            call_timeout: Duration::from_secs(15),
            first_byte_timeout: Duration::from_secs(12),
            handler_timeout: Duration::from_secs(300),
            connect_timeout: Duration::from_secs(5),
            poll_interval: Duration::from_secs(1),
            listen: SocketAddr::from(([127, 0, 0, 1], 8081)),
            shutdown_grace: Duration::from_secs(20),
            max_rescues: 3,
            max_body_bytes: 32 << 20,
            database_connections: 8,
        }
    }
}

impl WorkerConfig {
    /// Adds to `problems` every rule this section breaks.
    ///
    /// All sections are checked before any is reported, so that one start shows
    /// every mistake.
    pub(super) fn check(&self, problems: &mut Problems) {
        problems.within(
            "worker.concurrency",
            self.concurrency,
            1..=1_000,
            "with 0 no job would ever run, and past 1000 one process runs out of sockets",
        );
        problems.within(
            "worker.local_concurrency",
            self.local_concurrency,
            1..=10_000,
            "with 0 no job of the lane local would ever run",
        );
        problems.within(
            "worker.lease",
            self.lease,
            Duration::from_secs(2)..=Duration::from_secs(3_600),
            "a shorter lease ends between two heartbeats, and a longer one leaves \
             a dead worker's jobs waiting for hours",
        );
        problems.within(
            "worker.call_timeout",
            self.call_timeout,
            Duration::from_millis(100)..=Duration::from_secs(600),
            "a call that may take no time never succeeds, and one without end holds its budget",
        );
        problems.within(
            "worker.first_byte_timeout",
            self.first_byte_timeout,
            Duration::from_millis(100)..=Duration::from_secs(600),
            "no answer begins in no time, and one that never begins holds its budget",
        );
        problems.within(
            "worker.handler_timeout",
            self.handler_timeout,
            Duration::from_secs(1)..=Duration::from_secs(86_400),
            "a handler that may take no time never succeeds, and one without end holds its slot",
        );
        problems.within(
            "worker.connect_timeout",
            self.connect_timeout,
            Duration::from_millis(50)..=Duration::from_secs(600),
            "no connection is made in no time",
        );
        problems.within(
            "worker.poll_interval",
            self.poll_interval,
            Duration::from_millis(50)..=Duration::from_secs(60),
            "polling is what still finds jobs when notifications are lost: \
             too often burdens an idle database, too rarely leaves jobs waiting",
        );
        problems.within(
            "worker.shutdown_grace",
            self.shutdown_grace,
            Duration::ZERO..=Duration::from_secs(3_600),
            "a worker that is told to stop should stop",
        );
        problems.within(
            "worker.max_rescues",
            self.max_rescues,
            0..=100,
            "a job that kills its worker would kill one worker after the other",
        );
        problems.within(
            "worker.max_body_bytes",
            self.max_body_bytes,
            1_024..=1 << 30,
            "an answer is held in memory while it is read",
        );
        problems.within(
            "worker.database_connections",
            self.database_connections,
            2..=1_000,
            "recording an answer and admitting the next call need one each",
        );
        self.check_together(problems);
    }

    /// The rules that tie two keys together.
    fn check_together(&self, problems: &mut Problems) {
        if self.lease < self.call_timeout.saturating_mul(2) {
            problems.contradiction(
                "worker.lease",
                self.lease,
                "must be at least twice",
                ("worker.call_timeout", self.call_timeout),
                "a job could be rescued, and its call repeated, while still in flight",
            );
        }
        if self.connect_timeout > self.call_timeout {
            problems.contradiction(
                "worker.connect_timeout",
                self.connect_timeout,
                "must be at most",
                ("worker.call_timeout", self.call_timeout),
                "connecting is part of the call, so the longer time would never be reached",
            );
        }
        if self.poll_interval >= self.lease {
            problems.contradiction(
                "worker.poll_interval",
                self.poll_interval,
                "must be less than",
                ("worker.lease", self.lease),
                "the jobs of a dead worker would wait longer for a poll than for their lease",
            );
        }
    }
}
