//! Claims jobs that call no priced API.

use std::time::Duration;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{Store, StoreError, seconds};
use crate::model::JobId;

/// A handler's job that is ours until its lease ends.
#[derive(Debug, Clone, PartialEq)]
pub struct ClaimedJob {
    /// Which job.
    pub id: JobId,
    /// Which handler it is for.
    pub kind: String,
    /// What the handler gets.
    pub args: serde_json::Value,
    /// When this attempt began, by the database's clock.
    pub started_at: DateTime<Utc>,
    /// Which attempt this is, from 1 on.
    pub attempt: i32,
    /// After how many it fails for good.
    pub max_attempts: i32,
    /// What it is held under.
    pub lease_token: Uuid,
}

impl Store {
    /// Claims up to `most` due jobs of the lane `local` of the given kinds.
    ///
    /// Lowest `priority` number first, then longest due; the rows come back in no
    /// particular order. Kinds that this process has no handler for are left to another
    /// one: during a rolling upgrade there is one.
    ///
    /// The claim need not survive a crash of Postgres: a job whose claim was lost is
    /// ready again, as after a lease that ran out. So its commit is not waited for.
    ///
    /// # Errors
    ///
    /// Whatever the database reports.
    pub async fn claim_local(
        &self,
        worker: &str,
        kinds: &[String],
        lease: Duration,
        most: usize,
    ) -> Result<Vec<ClaimedJob>, StoreError> {
        let jobs = sqlx::query_as!(
            ClaimedJob,
            r#"
            -- name: claim_local
            with unflushed as materialized (
                select set_config('synchronous_commit', 'off', true)
            )
            update larder.jobs
            set status = 'running',
                attempt = attempt + 1,
                started_at = clock_timestamp(),
                lease_token = $1,
                leased_by = $2,
                leased_until = clock_timestamp() + make_interval(secs => $3)
            where exists (select from unflushed) and id = any(array(
                select id from larder.jobs
                where lane = 'local' and status = 'pending' and run_at <= (select clock_timestamp())
                  and kind = any($4)
                order by priority, run_at, id
                limit $5
                for update skip locked
            ))
            returning id as "id: JobId", kind, args, started_at as "started_at!", attempt, max_attempts,
                      lease_token as "lease_token!"
            "#,
            Uuid::new_v4(),
            worker,
            seconds(lease),
            kinds,
            i64::try_from(most).unwrap_or(i64::MAX),
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(jobs)
    }
}
