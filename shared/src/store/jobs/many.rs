//! Retries and cancels all jobs that a selection picks.
//!
//! A batch to a transaction, so that nothing else waits long for 100,000 jobs: what is
//! done stays done when a later batch fails, and doing it again does the rest. A batch
//! begins behind the last id of the one before, so it ends also while jobs come and go.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

use super::JobFilter;
use crate::metrics;
use crate::model::JobStatus;
use crate::store::again::again;
use crate::store::db::Tx;
use crate::store::{Store, StoreError, finish};

/// Jobs that one transaction locks at most.
const BATCH: i64 = 1_000;

/// Which jobs to retry or cancel.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JobSelection {
    /// What they have in common.
    pub filter: JobFilter,
    /// Asked for before this moment only.
    pub created_before: Option<DateTime<Utc>>,
    /// At most so many; `None` for all.
    pub limit: Option<u32>,
    /// Only those behind this one, in the order that they are done in: what was said under
    /// `next`. A job that was retried and failed again meanwhile is then not picked again.
    pub behind: Option<Uuid>,
}

/// What became of the jobs that were to be retried.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Retried {
    /// Failed and cancelled jobs that were picked: `retried + already_waiting`.
    pub matched: u64,
    /// Those that wait again.
    pub retried: u64,
    /// Refreshes that stay ended, since another live job is for the same resource.
    pub already_waiting: u64,
    /// The last job that was picked, if the limit left out those behind it.
    #[serde(skip)]
    pub next: Option<Uuid>,
}

/// What became of the jobs that were to be cancelled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Cancelled {
    /// Live jobs that were picked: `cancelled + cancel_requested`.
    pub matched: u64,
    /// Pending ones, which have ended.
    pub cancelled: u64,
    /// Running ones, which were asked to stop.
    pub cancel_requested: u64,
    /// The last job that was picked, if the limit left out those behind it.
    #[serde(skip)]
    pub next: Option<Uuid>,
}

impl JobSelection {
    /// How many the next batch may have after `done`; `None` for no further batch.
    fn room(&self, done: u64) -> Option<i64> {
        let left = match self.limit {
            Some(limit) => u64::from(limit).saturating_sub(done),
            None => u64::MAX,
        };
        let room = i64::try_from(left).unwrap_or(i64::MAX).min(BATCH);
        (room > 0).then_some(room)
    }
}

impl Store {
    /// Lets the failed and cancelled jobs that are picked wait again, the newest first,
    /// each as [`Store::retry`] does. Call [`crate::store::Notifier::jobs`] after it.
    ///
    /// # Errors
    ///
    /// Whatever the database reports; jobs of earlier batches wait again all the same.
    pub async fn retry_many(&self, selection: &JobSelection) -> Result<Retried, StoreError> {
        let mut retried = Retried::default();
        let mut before = selection.behind.unwrap_or(Uuid::max());
        while let Some(room) = selection.room(retried.matched) {
            let batch = again(|| self.retry_batch(selection, before, room)).await?;
            let Some((last, picked, back)) = batch else {
                return Ok(retried);
            };
            before = last;
            retried.matched += picked;
            retried.retried += back;
            retried.already_waiting += picked - back;
        }
        retried.next = Some(before);
        Ok(retried)
    }

    /// The last job that was picked, how many there were, and how many of them wait again.
    async fn retry_batch(
        &self,
        selection: &JobSelection,
        before: Uuid,
        room: i64,
    ) -> Result<Option<(Uuid, u64, u64)>, StoreError> {
        let mut tx = self.db.begin().await?;
        let ids = sqlx::query_scalar!(
            r#"
            -- name: retry_pick
            select id from larder.finished_jobs
            where status in ('failed', 'cancelled')
              and ($1::text is null or status = $1::text::larder.job_status)
              and ($2::text is null or lane = $2)
              and ($3::text is null or kind = $3)
              and ($4::timestamptz is null or created_at < $4)
              and id < $5
            order by id desc
            limit $6
            -- One that somebody else holds is being retried, or pruned.
            for update skip locked
            "#,
            selection.filter.status as Option<JobStatus>,
            selection.filter.lane,
            selection.filter.kind,
            selection.created_before,
            before,
            room,
        )
        .fetch_all(&mut tx)
        .await?;
        let Some(last) = ids.last() else {
            return Ok(None);
        };
        let back = retry_in(&mut tx, &ids).await?;
        tx.commit().await?;
        let picked = u64::try_from(ids.len()).unwrap_or(u64::MAX);
        Ok(Some((*last, picked, back)))
    }

    /// Cancels the pending jobs that are picked, and asks the running ones to stop, the
    /// oldest first.
    ///
    /// # Errors
    ///
    /// Whatever the database reports; jobs of earlier batches are cancelled all the same.
    pub async fn cancel_many(&self, selection: &JobSelection) -> Result<Cancelled, StoreError> {
        let mut cancelled = Cancelled::default();
        let mut after = selection.behind.unwrap_or(Uuid::nil());
        while let Some(room) = selection.room(cancelled.matched) {
            let batch = again(|| self.cancel_batch(selection, after, room)).await?;
            let Some((last, pending, running)) = batch else {
                return Ok(cancelled);
            };
            after = last;
            cancelled.cancelled += pending;
            cancelled.cancel_requested += running;
            cancelled.matched = cancelled.cancelled + cancelled.cancel_requested;
        }
        cancelled.next = Some(after);
        Ok(cancelled)
    }

    /// The last job that was picked, and how many were pending and running.
    async fn cancel_batch(
        &self,
        selection: &JobSelection,
        after: Uuid,
        room: i64,
    ) -> Result<Option<(Uuid, u64, u64)>, StoreError> {
        let mut tx = self.db.begin().await?;
        let rows = sqlx::query!(
            r#"
            -- name: cancel_pick
            select id, lane, status = 'running' as "running!" from larder.jobs
            where ($1::text is null or status = $1::text::larder.job_status)
              and ($2::text is null or lane = $2)
              and ($3::text is null or kind = $3)
              and ($4::timestamptz is null or created_at < $4)
              and id > $5
            order by id
            limit $6
            for update
            "#,
            selection.filter.status as Option<JobStatus>,
            selection.filter.lane,
            selection.filter.kind,
            selection.created_before,
            after,
            room,
        )
        .fetch_all(&mut tx)
        .await?;
        let Some(last) = rows.last().map(|row| row.id) else {
            return Ok(None);
        };
        let (running, pending): (Vec<_>, Vec<_>) = rows.iter().partition(|row| row.running);
        let running: Vec<Uuid> = running.into_iter().map(|row| row.id).collect();
        let mut lanes: BTreeMap<&str, usize> = BTreeMap::new();
        for row in &pending {
            *lanes.entry(&row.lane).or_default() += 1;
        }
        let pending: Vec<Uuid> = pending.into_iter().map(|row| row.id).collect();
        super::request_cancel_in(&mut tx, &running).await?;
        finish::cancel_in(&mut tx, &pending).await?;
        tx.commit().await?;
        // Here and not by the caller, who does not hear of what was done before a failure.
        for (lane, jobs) in lanes {
            metrics::jobs_finished(lane, "cancelled", jobs);
        }
        let count = |ids: &[Uuid]| u64::try_from(ids.len()).unwrap_or(u64::MAX);
        Ok(Some((last, count(&pending), count(&running))))
    }
}

/// Lets those of the jobs wait again that failed or were cancelled, unless another live
/// job refreshes the same resource; answers how many.
pub(super) async fn retry_in(tx: &mut Tx, ids: &[Uuid]) -> Result<u64, StoreError> {
    let back = sqlx::query!(
        r#"
        -- name: retry
        with ended as materialized (
            select * from larder.finished_jobs
            where id = any($1) and status in ('failed', 'cancelled')
            for update
        ),
        -- In key order, as everybody inserts jobs; of several for one resource the newest.
        back as (
            insert into larder.jobs (
                id, lane, kind, endpoint, resource_key, batch_key, item, args, class, priority,
                satisfied_after, max_attempts, errors, created_at
            )
            select id, lane, kind, endpoint, resource_key, batch_key, item, args, class, priority,
                   clock_timestamp(), max_attempts, errors, created_at
            from ended
            order by resource_key, id desc
            on conflict (resource_key) where resource_key is not null do nothing
            returning id
        )
        delete from larder.finished_jobs where id in (select id from back)
        "#,
        ids,
    )
    .execute(&mut *tx)
    .await?;
    Ok(back.rows_affected())
}
