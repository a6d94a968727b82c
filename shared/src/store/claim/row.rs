//! A claimed job as it comes from its row.

use chrono::{DateTime, Utc};
use sqlx::Postgres;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Map;
use uuid::Uuid;

use super::ClaimedJob;
use super::position::Place;
use crate::model::JobId;
use crate::store::StoreError;
use crate::store::db::Db;

/// What a claim answers: at least one row, with the time of the look.
pub(super) struct LookedRow {
    /// When it looked.
    pub(super) looked_at: DateTime<Utc>,
    pub(super) id: Option<Uuid>,
    pub(super) kind: Option<String>,
    pub(super) args: Option<serde_json::Value>,
    pub(super) run_at: Option<DateTime<Utc>>,
    pub(super) started_at: Option<DateTime<Utc>>,
    pub(super) attempt: Option<i32>,
    pub(super) max_attempts: Option<i32>,
    pub(super) priority: Option<i16>,
}

impl LookedRow {
    /// The job, if the row has one.
    pub(super) fn claimed(self) -> Option<ClaimedRow> {
        Some(ClaimedRow {
            id: self.id?,
            kind: self.kind?,
            args: self.args?,
            run_at: self.run_at?,
            started_at: self.started_at?,
            attempt: self.attempt?,
            max_attempts: self.max_attempts?,
            priority: self.priority?,
        })
    }
}

/// A claimed job, as it stands in its row.
pub(super) struct ClaimedRow {
    id: Uuid,
    kind: String,
    args: serde_json::Value,
    /// When it became due.
    pub(super) run_at: DateTime<Utc>,
    started_at: DateTime<Utc>,
    attempt: i32,
    max_attempts: i32,
    priority: i16,
}

impl ClaimedRow {
    /// Its priority, and its place there.
    pub(super) fn place(&self) -> (i16, Place) {
        let (run_at, id) = (self.run_at, self.id);
        (self.priority, Place { run_at, id })
    }

    /// The job, held under this token.
    pub(super) fn job(self, lease_token: Uuid) -> ClaimedJob {
        ClaimedJob {
            id: JobId(self.id),
            kind: self.kind,
            args: self.args,
            run_at: self.run_at,
            started_at: self.started_at,
            attempt: self.attempt,
            max_attempts: self.max_attempts,
            lease_token,
        }
    }
}

/// Runs a claim. Answers when it looked, and the jobs.
pub(super) async fn fetch<F>(
    db: &Db,
    claim: Map<'_, Postgres, F, PgArguments>,
) -> Result<(DateTime<Utc>, Vec<ClaimedRow>), StoreError>
where
    F: FnMut(PgRow) -> Result<LookedRow, sqlx::Error> + Send,
{
    let rows = claim.fetch_all(db).await?;
    let looked_at = rows.first().map(|row| row.looked_at);
    Ok((
        looked_at.ok_or(sqlx::Error::RowNotFound)?,
        rows.into_iter().filter_map(LookedRow::claimed).collect(),
    ))
}
