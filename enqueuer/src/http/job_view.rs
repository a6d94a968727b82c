//! A job as the API shows it.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use shared::model::{JobId, JobStatus};
use shared::store::JobRow;

/// A job as the API shows it, live or ended.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct JobView {
    #[schemars(with = "uuid::Uuid")]
    id: JobId,
    kind: String,
    lane: String,
    endpoint: Option<String>,
    resource: Option<String>,
    args: serde_json::Value,
    priority: i16,
    #[schemars(with = "super::openapi::Status")]
    status: JobStatus,
    /// Why a pending job waits: due, scheduled, retry or lane_closed.
    waiting: Option<String>,
    cancel_requested: bool,
    run_at: DateTime<Utc>,
    attempt: i32,
    max_attempts: i32,
    rescues: i32,
    /// One for each attempt that failed.
    errors: serde_json::Value,
    created_at: DateTime<Utc>,
    started_at: Option<DateTime<Utc>>,
    completed_at: Option<DateTime<Utc>>,
}

impl JobView {
    pub(crate) fn id(&self) -> JobId {
        self.id
    }
}

impl From<JobRow> for JobView {
    fn from(row: JobRow) -> Self {
        Self {
            id: row.id,
            kind: row.kind,
            lane: row.lane,
            endpoint: row.endpoint,
            resource: row.resource_key,
            args: row.args,
            priority: row.priority,
            status: row.status,
            waiting: row.waiting,
            cancel_requested: row.cancel_requested,
            run_at: row.run_at,
            attempt: row.attempt,
            max_attempts: row.max_attempts,
            rescues: row.rescues,
            errors: row.errors,
            created_at: row.created_at,
            started_at: row.started_at,
            completed_at: row.completed_at,
        }
    }
}
