//! `[enqueuer]`: the HTTP side, which puts jobs in and answers readers.

use std::net::SocketAddr;
use std::time::Duration;

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

use super::optional;
use super::problems::Problems;

/// `[enqueuer]`: the HTTP side, which puts jobs in and answers readers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct EnqueuerConfig {
    /// Address of the HTTP API and of the proxy for readers.
    #[schemars(with = "String")]
    pub listen: SocketAddr,

    /// Address of `/metrics`, if it should be another one than `listen`. Empty:
    /// the same one.
    #[serde(with = "optional")]
    #[schemars(with = "String")]
    pub metrics_listen: Option<SocketAddr>,

    /// How often due resources become jobs without cron calling. `0s`: never, so
    /// that only `process-pending` ticks.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub tick_every: Duration,

    /// How often the paces of what has neither `every` nor `schedule` are planned; `0s` for
    /// never in this process. What is read far more than planned is planned at once.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub plan_every: Duration,

    /// Deadline for one request, waiting for a missing resource included.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub request_timeout: Duration,

    /// How long a reader waits for a missing resource unless it says otherwise.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub default_wait: Duration,

    /// Longest wait that a reader can ask for with `Prefer: wait=n`.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub max_wait: Duration,

    /// Most jobs in the array of one `POST /api/jobs`.
    pub max_jobs_per_request: u32,

    /// Most bytes of a request's body.
    pub max_body_bytes: u64,

    /// Connections to Postgres in this process, beside the one that listens.
    pub database_connections: u32,

    /// Most bytes of answers that are kept in memory, so that a fresh read asks the
    /// database nothing. 0: none.
    pub memory_bytes: u64,

    /// Most calls that one client's misses may cause in a minute. 0: as many as the
    /// budget has for readers.
    pub misses_per_minute: u32,

    /// Networks that may call `/api`, in CIDR form such as `10.0.0.0/8`. Empty:
    /// all. The secret is asked for in any case.
    #[schemars(with = "Vec<String>")]
    pub allow_from: Vec<IpNet>,

    /// Reverse proxies, in CIDR form, whose `X-Forwarded-For` is believed. Empty: nobody's,
    /// since anybody can write that header.
    #[schemars(with = "Vec<String>")]
    pub trusted_proxies: Vec<IpNet>,

    /// Origins whose pages may read `/proxy` in a browser, such as
    /// `https://app.example.com`, or `*`. Never applies to `/api`.
    pub cors_origins: Vec<String>,
}

impl Default for EnqueuerConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            metrics_listen: None,
            tick_every: Duration::from_secs(5),
            plan_every: Duration::from_secs(300),
            request_timeout: Duration::from_secs(40),
            default_wait: Duration::from_secs(10),
            max_wait: Duration::from_secs(30),
            max_jobs_per_request: 10_000,
            max_body_bytes: 16 << 20,
            database_connections: 8,
            memory_bytes: 256 << 20,
            misses_per_minute: 600,
            allow_from: Vec::new(),
            trusted_proxies: Vec::new(),
            cors_origins: Vec::new(),
        }
    }
}

impl EnqueuerConfig {
    /// Adds to `problems` every rule this section breaks.
    pub(super) fn check(&self, problems: &mut Problems) {
        problems.within(
            "enqueuer.tick_every",
            self.tick_every,
            Duration::ZERO..=Duration::from_secs(3_600),
            "resources become due between two ticks; \"0s\" turns the built-in tick off",
        );
        problems.within(
            "enqueuer.plan_every",
            self.plan_every,
            Duration::ZERO..=Duration::from_secs(86_400),
            "demand and budget move between two plans; \"0s\" turns the planner off",
        );
        problems.within(
            "enqueuer.request_timeout",
            self.request_timeout,
            Duration::from_secs(1)..=Duration::from_secs(600),
            "a request that may take no time is never answered",
        );
        problems.within(
            "enqueuer.max_wait",
            self.max_wait,
            Duration::ZERO..=Duration::from_secs(300),
            "a waiting reader holds a connection",
        );
        problems.within(
            "enqueuer.max_jobs_per_request",
            self.max_jobs_per_request,
            1..=100_000,
            "an array is stored in one transaction, all or nothing",
        );
        problems.within(
            "enqueuer.max_body_bytes",
            self.max_body_bytes,
            1_024..=1 << 30,
            "a body is held in memory while it is read",
        );
        problems.within(
            "enqueuer.database_connections",
            self.database_connections,
            1..=1_000,
            "without a connection nothing can be stored or read",
        );
        problems.within(
            "enqueuer.memory_bytes",
            self.memory_bytes,
            0..=1 << 40,
            "it is taken from this machine's memory",
        );
        if self.tick_every > Duration::ZERO && self.tick_every < Duration::from_millis(100) {
            problems.add(
                "enqueuer.tick_every",
                self.tick_every,
                "must be at least \"100ms\", or \"0s\" for no tick",
                "every tick asks the database what is due",
            );
        }
        self.check_together(problems);
        self.check_origins(problems);
    }

    /// The rules that tie two keys together.
    fn check_together(&self, problems: &mut Problems) {
        if self.default_wait > self.max_wait {
            problems.contradiction(
                "enqueuer.default_wait",
                self.default_wait,
                "must be at most",
                ("enqueuer.max_wait", self.max_wait),
                "who asks for nothing would wait longer than anybody may ask for",
            );
        }
        if self.request_timeout <= self.max_wait {
            problems.contradiction(
                "enqueuer.request_timeout",
                self.request_timeout,
                "must be more than",
                ("enqueuer.max_wait", self.max_wait),
                "a waiting reader would be cut off before its wait ends",
            );
        }
        if self.metrics_listen == Some(self.listen) && self.listen.port() != 0 {
            problems.contradiction(
                "enqueuer.metrics_listen",
                self.listen,
                "must differ from",
                ("enqueuer.listen", self.listen),
                "an address can be bound once; leave it empty to serve /metrics with the API",
            );
        }
    }

    fn check_origins(&self, problems: &mut Problems) {
        for (index, origin) in self.cors_origins.iter().enumerate() {
            let exact = Url::parse(origin)
                .is_ok_and(|url| url.has_host() && url.origin().ascii_serialization() == *origin);
            if origin != "*" && !exact {
                problems.add(
                    &format!("enqueuer.cors_origins[{index}]"),
                    origin,
                    "must be \"*\" or an origin such as \"https://app.example.com\", \
                     in lower case, without a path",
                    "browsers compare the whole text",
                );
            }
        }
    }
}
