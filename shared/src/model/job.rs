//! A job's identity, its life and its urgency.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Identity of a job: a uuid of version 7, so that ids sort by creation.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, sqlx::Type,
)]
#[serde(transparent)]
#[sqlx(transparent)]
pub struct JobId(pub Uuid);

impl JobId {
    /// A new id.
    ///
    /// Its time is the process's, which decides nothing: ids order jobs only
    /// among those of the same priority and `run_at`.
    pub fn new() -> Self {
        Self(Uuid::now_v7())
    }
}

impl Default for JobId {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

/// Where a job is in its life.
///
/// ```text
///                            ┌─► completed
///   pending ────► running ───┼─► failed      no attempts left, or not retryable
///      ▲             │       └─► cancelled   by a person (also from pending)
///      └─────────────┘
///       retry: attempt used · rescue: rescue counted · release: attempt given back
/// ```
///
/// A pending job runs when `run_at <= now` and its lane is open. Why it waits is
/// not a state but a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum JobStatus {
    /// Waits for its time, its lane, or a worker.
    Pending,
    /// Held by a worker under a lease.
    Running,
    /// Done; its answer is in the cache.
    Completed,
    /// Failed for good.
    Failed,
    /// Stopped by a person.
    Cancelled,
}

// As text: a type of our own has a number that must be asked for, between a statement's
// preparation and its execution, where a pooler may have changed the session.
impl sqlx::Type<sqlx::Postgres> for JobStatus {
    fn type_info() -> sqlx::postgres::PgTypeInfo {
        <str as sqlx::Type<sqlx::Postgres>>::type_info()
    }
}

impl sqlx::Encode<'_, sqlx::Postgres> for JobStatus {
    fn encode_by_ref(
        &self,
        buffer: &mut sqlx::postgres::PgArgumentBuffer,
    ) -> Result<sqlx::encode::IsNull, sqlx::error::BoxDynError> {
        <&str as sqlx::Encode<sqlx::Postgres>>::encode(self.as_str(), buffer)
    }
}

impl sqlx::Decode<'_, sqlx::Postgres> for JobStatus {
    fn decode(value: sqlx::postgres::PgValueRef<'_>) -> Result<Self, sqlx::error::BoxDynError> {
        let text = <&str as sqlx::Decode<sqlx::Postgres>>::decode(value)?;
        let found = Self::ALL.into_iter().find(|status| status.as_str() == text);
        found.ok_or_else(|| format!("{text:?} is no status of a job").into())
    }
}

impl JobStatus {
    /// Every status, in the order of a job's life.
    pub const ALL: [Self; 5] = [
        Self::Pending,
        Self::Running,
        Self::Completed,
        Self::Failed,
        Self::Cancelled,
    ];

    /// The status as it stands in the database and in answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether the job will never run again unless a person retries it.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }

    /// Whether the queue may move a job from `self` to `next`.
    ///
    /// The `where` clauses in `store/` enforce this; the table is here so that
    /// people can read it.
    pub const fn may_become(self, next: Self) -> bool {
        match self {
            Self::Pending => matches!(next, Self::Running | Self::Cancelled),
            Self::Running => !matches!(next, Self::Running),
            Self::Completed => false,
            Self::Failed | Self::Cancelled => matches!(next, Self::Pending),
        }
    }
}

/// How urgent a job is; a lower number goes first.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, sqlx::Type,
)]
#[serde(transparent)]
#[sqlx(transparent)]
pub struct Priority(pub i16);

impl Priority {
    /// A reader waits for the answer.
    pub const READER_WAITING: Self = Self(0);
    /// A reader was answered from an old entry; this renews it.
    pub const READER_REFRESH: Self = Self(10);
    /// The plan wants it.
    pub const PLANNED: Self = Self(20);
}
