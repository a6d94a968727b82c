//! Shows jobs, and lets people cancel and retry them.

mod many;

use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

use super::again::again;
use super::{Store, StoreError, finish};
use crate::metrics;
use crate::model::{JobId, JobStatus};
use crate::store::db::Tx;

pub use many::{Cancelled, JobSelection, Retried};

/// A job as people see it, live or ended, and as the API shows it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct JobRow {
    /// Its id.
    pub id: JobId,
    /// Which queue it is in.
    pub lane: String,
    /// `refresh`, or the name of a handler.
    pub kind: String,
    /// Which of the provider's paths; for a refresh.
    pub endpoint: Option<String>,
    /// What it refreshes.
    #[serde(rename = "resource")]
    pub resource_key: Option<String>,
    /// What the handler gets.
    pub args: serde_json::Value,
    /// How urgent it is; a lower number goes first.
    pub priority: i16,
    /// Where it is in its life.
    pub status: JobStatus,
    /// When it may run.
    pub run_at: DateTime<Utc>,
    /// Attempts so far.
    pub attempt: i32,
    /// After how many it fails for good.
    pub max_attempts: i32,
    /// Leases of it that ran out.
    pub rescues: i32,
    /// One object for each attempt that failed.
    pub errors: serde_json::Value,
    /// Why a pending job waits: `due`, `scheduled`, `retry` or `lane_closed`.
    pub waiting: Option<String>,
    /// Whether a person asked a running job to stop.
    pub cancel_requested: bool,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
    /// When its latest attempt began.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub completed_at: Option<DateTime<Utc>>,
}

/// Which jobs to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JobFilter {
    /// In this status only.
    pub status: Option<JobStatus>,
    /// In this lane only.
    pub lane: Option<String>,
    /// Of this kind only.
    pub kind: Option<String>,
}

/// One page of jobs, newest first.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct JobsPage {
    /// The jobs.
    pub jobs: Vec<JobRow>,
    /// The last job's id, for asking for the next page; `None` on the last one.
    pub next: Option<JobId>,
}

impl Store {
    /// The job with this id, live or ended.
    ///
    /// # Errors
    ///
    /// [`StoreError::NoJob`] if there is none, or its day has been pruned.
    pub async fn job(&self, id: JobId) -> Result<JobRow, StoreError> {
        let mut tx = self.db.begin().await?;
        if let Some(row) = live_by_id(&mut tx, &[id]).await?.pop() {
            return Ok(row);
        }
        let row = sqlx::query_as!(
            JobRow,
            r#"
            -- name: finished_job
            select id as "id: JobId", lane, kind, endpoint, resource_key, args, priority,
                   status::text as "status!: JobStatus", run_at, attempt, max_attempts, rescues, errors,
                   null::text as waiting, false as "cancel_requested!", created_at, started_at,
                   completed_at as "completed_at?"
            from larder.finished_jobs
            where id = $1
            order by completed_at desc
            limit 1
            "#,
            id.0,
        )
        .fetch_optional(&mut tx)
        .await?;
        row.ok_or(StoreError::NoJob(id))
    }

    /// Jobs, newest first, after the job with the id `after`.
    ///
    /// # Errors
    ///
    /// Whatever the database reports.
    pub async fn jobs(
        &self,
        filter: &JobFilter,
        after: Option<JobId>,
        limit: i64,
    ) -> Result<JobsPage, StoreError> {
        // Ids sort by creation, so one column is the order and the cursor.
        let mut jobs = sqlx::query_as!(
            JobRow,
            r#"
            -- name: jobs
            select a.id as "id!: JobId", a.lane as "lane!", a.kind as "kind!", a.endpoint,
                   a.resource_key, a.args as "args!", a.priority as "priority!",
                   a.status::text as "status!: JobStatus", a.run_at as "run_at!", a.attempt as "attempt!",
                   a.max_attempts as "max_attempts!", a.rescues as "rescues!", a.errors as "errors!",
                   case when a.status = 'pending' then case
                       when l.closed_until > clock_timestamp() then 'lane_closed'
                       when a.run_at <= clock_timestamp() then 'due'
                       when a.attempt > 0 then 'retry'
                       else 'scheduled' end
                   end as waiting,
                   a.cancel_requested as "cancel_requested!", a.created_at as "created_at!",
                   a.started_at, a.completed_at
            from (
                (select id, lane, kind, endpoint, resource_key, args, priority, status, run_at,
                        attempt, max_attempts, rescues, errors, cancel_requested, created_at,
                        started_at, null::timestamptz as completed_at
                 from larder.jobs
                 where ($1::text is null or status = $1::text::larder.job_status)
                   and ($2::text is null or lane = $2)
                   and ($3::text is null or kind = $3)
                   and ($4::uuid is null or id < $4)
                 order by id desc
                 limit $5)
                union all
                (select id, lane, kind, endpoint, resource_key, args, priority, status, run_at,
                        attempt, max_attempts, rescues, errors, false, created_at,
                        started_at, completed_at
                 from larder.finished_jobs
                 where ($1::text is null or status = $1::text::larder.job_status)
                   and ($2::text is null or lane = $2)
                   and ($3::text is null or kind = $3)
                   and ($4::uuid is null or id < $4)
                 order by id desc
                 limit $5)
            ) a
            left join larder.lanes l using (lane)
            order by a.id desc
            limit $5
            "#,
            filter.status as Option<JobStatus>,
            filter.lane,
            filter.kind,
            after.map(|id| id.0),
            limit + 1,
        )
        .fetch_all(&self.db)
        .await?;
        let more = i64::try_from(jobs.len()).unwrap_or(i64::MAX) > limit;
        jobs.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        let next = jobs.last().filter(|_| more).map(|job| job.id);
        Ok(JobsPage { jobs, next })
    }

    /// Cancels a pending job, or asks a running one to stop; answers the job.
    ///
    /// # Errors
    ///
    /// [`StoreError::NoJob`], or [`StoreError::WrongStatus`] if it has ended.
    pub async fn cancel(&self, id: JobId) -> Result<JobRow, StoreError> {
        let was_pending = again(|| self.cancel_once(id)).await?;
        let job = self.job(id).await?;
        if was_pending {
            metrics::jobs_finished(&job.lane, "cancelled", 1);
        }
        Ok(job)
    }

    /// Answers whether it had not begun, and so has ended with this.
    async fn cancel_once(&self, id: JobId) -> Result<bool, StoreError> {
        let mut tx = self.db.begin().await?;
        // Not query_scalar!: it compares the name of the type, which Postgres tells
        // without its schema to a role that is called larder.
        let found = sqlx::query!(
            r#"
            -- name: cancel_lock
            select status::text as "status!: JobStatus" from larder.jobs where id = $1 for update
            "#,
            id.0,
        )
        .fetch_optional(&mut tx)
        .await?;
        let was_pending = match found.map(|row| row.status) {
            Some(JobStatus::Running) => {
                request_cancel_in(&mut tx, &[id.0]).await?;
                false
            }
            Some(_) => {
                finish::cancel_in(&mut tx, &[id.0]).await?;
                true
            }
            None => {
                let job = self.job(id).await?;
                return Err(StoreError::WrongStatus {
                    id,
                    status: job.status.as_str(),
                });
            }
        };
        tx.commit().await?;
        Ok(was_pending)
    }

    /// Lets a failed or cancelled job wait again, with all its attempts; answers the job.
    ///
    /// Only an answer that is asked for from now on satisfies it.
    ///
    /// # Errors
    ///
    /// [`StoreError::NoJob`], or [`StoreError::WrongStatus`] if it completed, is live, or
    /// is a refresh of a resource that has another live job.
    pub async fn retry(&self, id: JobId) -> Result<JobRow, StoreError> {
        let back = again(|| async {
            let mut tx = self.db.begin().await?;
            let back = many::retry_in(&mut tx, &[id.0]).await?;
            tx.commit().await?;
            Ok(back)
        });
        let back = back.await?;
        let job = self.job(id).await?;
        match back {
            0 => Err(StoreError::WrongStatus {
                id,
                status: job.status.as_str(),
            }),
            _ => Ok(job),
        }
    }
}

/// Asks running jobs to stop: their worker hears of it with its next heartbeat.
async fn request_cancel_in(tx: &mut Tx, ids: &[Uuid]) -> Result<(), StoreError> {
    if ids.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        r#"
        -- name: cancel_request
        update larder.jobs set cancel_requested = true where id = any($1)
        "#,
        ids,
    )
    .execute(&mut *tx)
    .await?;
    Ok(())
}

/// Live jobs by id, in no particular order.
pub(super) async fn live_by_id(tx: &mut Tx, ids: &[JobId]) -> Result<Vec<JobRow>, StoreError> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    let rows = sqlx::query_as!(
        JobRow,
        r#"
        -- name: live_jobs
        select j.id as "id!: JobId", j.lane as "lane!", j.kind as "kind!", j.endpoint, j.resource_key,
               j.args as "args!", j.priority as "priority!", j.status::text as "status!: JobStatus",
               j.run_at as "run_at!", j.attempt as "attempt!", j.max_attempts as "max_attempts!",
               j.rescues as "rescues!", j.errors as "errors!",
               case when j.status = 'pending' then case
                   when l.closed_until > clock_timestamp() then 'lane_closed'
                   when j.run_at <= clock_timestamp() then 'due'
                   when j.attempt > 0 then 'retry'
                   else 'scheduled' end
               end as waiting,
               j.cancel_requested as "cancel_requested!", j.created_at as "created_at!", j.started_at, null::timestamptz as completed_at
        from larder.jobs j
        left join larder.lanes l using (lane)
        where j.id = any($1)
        "#,
        &ids,
    )
    .fetch_all(&mut *tx)
    .await?;
    Ok(rows)
}
