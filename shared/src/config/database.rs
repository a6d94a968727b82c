//! `[database]`: how every process talks to Postgres.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::problems::Problems;

/// `[database]`: how every process talks to Postgres.
///
/// Where it stands is a secret, since the URL carries a password: it comes from
/// `DATABASE_URL` and `DATABASE_LISTEN_URL` only. How long a statement may run is the
/// role's to say (`alter role … set statement_timeout`): a transaction pooler takes it
/// neither as a connection's option nor as a session's setting.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DatabaseConfig {
    /// Longest wait for a connection, a free one or a new one.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub acquire_timeout: Duration,
}

impl Default for DatabaseConfig {
    fn default() -> Self {
        Self {
            acquire_timeout: Duration::from_secs(5),
        }
    }
}

impl DatabaseConfig {
    /// Adds to `problems` every rule this section breaks.
    pub(super) fn check(&self, problems: &mut Problems) {
        problems.within(
            "database.acquire_timeout",
            self.acquire_timeout,
            Duration::from_millis(100)..=Duration::from_secs(300),
            "no connection is made in no time, and a request should not wait for minutes",
        );
    }
}
