//! Ends jobs, or lets them wait again.
//!
//! Finishing moves the row to `larder.finished_jobs`. The functions that take a
//! transaction trust their caller to hold the rows; [`Store::finish`] is for handlers'
//! jobs, and is fenced by each job's lease token.

use std::collections::HashMap;
use std::time::Duration;

use sqlx::PgExecutor;
use uuid::Uuid;

use super::{Store, StoreError, seconds};
use crate::model::JobId;
use crate::store::db::Tx;

/// How a handler's job ended.
#[derive(Debug, Clone, PartialEq)]
pub enum JobEnd {
    /// It did what it was for.
    Done,
    /// Try again after a while; fails if no attempt is left.
    Retry {
        /// How long from now.
        after: Duration,
        /// What went wrong, in words.
        error: String,
    },
    /// It cannot succeed.
    Fail {
        /// Why, in words.
        error: String,
    },
    /// It was not started: it waits again, and the attempt is given back.
    Release,
}

/// A job that a handler is through with.
#[derive(Debug, Clone, PartialEq)]
pub struct JobOutcome {
    /// Which job.
    pub id: JobId,
    /// What it is held under.
    pub lease_token: Uuid,
    /// How it ended.
    pub end: JobEnd,
}

/// The jobs whose end was recorded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Finished {
    /// Those that were still ours. The others' results are discarded.
    pub held: Vec<JobId>,
    /// Those of them that a person had cancelled meanwhile: they ended as that.
    pub cancelled: Vec<JobId>,
}

impl Store {
    /// Records how handlers' jobs ended, all in one durable transaction.
    ///
    /// # Errors
    ///
    /// Whatever the database reports; nothing was recorded then.
    pub async fn finish(&self, outcomes: &[JobOutcome]) -> Result<Finished, StoreError> {
        let (done, others): (Vec<&JobOutcome>, Vec<&JobOutcome>) = outcomes
            .iter()
            .partition(|outcome| outcome.end == JobEnd::Done);
        // By far the most: one statement, which is a transaction of its own.
        if others.is_empty() {
            let held = complete_held(&self.db, done).await?;
            return Ok(Finished {
                held,
                cancelled: Vec::new(),
            });
        }
        let mut tx = self.begin_recording().await?;
        let done = complete_held(&mut tx, done).await?;
        let mut finished = end_held(&mut tx, others).await?;
        finished.held.extend(done);
        tx.commit().await?;
        Ok(finished)
    }
}

/// Ends those of the jobs as completed that are held under their tokens; answers which.
async fn complete_held(
    executor: impl PgExecutor<'_>,
    outcomes: Vec<&JobOutcome>,
) -> Result<Vec<JobId>, StoreError> {
    if outcomes.is_empty() {
        return Ok(Vec::new());
    }
    let (ids, tokens) = ids_and_tokens(outcomes);
    let held = sqlx::query_scalar!(
        r#"
        -- name: complete_held
        with ended as (
            delete from larder.jobs j
            where j.id = any($1) and j.lease_token = ($2::uuid[])[width_bucket(j.id, $1::uuid[])]
            returning j.*
        )
        insert into larder.finished_jobs (
            id, lane, kind, endpoint, resource_key, batch_key, item, args, class, priority, status,
            run_at, attempt, max_attempts, rescues, call_id, errors, created_at, started_at, completed_at
        )
        select id, lane, kind, endpoint, resource_key, batch_key, item, args, class, priority,
               'completed', run_at, attempt, max_attempts, rescues, call_id, errors, created_at,
               started_at, clock_timestamp()
        from ended
        returning id as "id: JobId"
        "#,
        &ids,
        &tokens,
    )
    .fetch_all(executor)
    .await?;
    Ok(held)
}

/// Ends those of the jobs that are held under their tokens, or lets them wait; answers
/// which.
async fn end_held(tx: &mut Tx, outcomes: Vec<&JobOutcome>) -> Result<Finished, StoreError> {
    let (ids, tokens) = ids_and_tokens(outcomes.clone());
    let held = sqlx::query!(
        r#"
        -- name: finish_held
        select j.id, j.attempt >= j.max_attempts as "last_attempt!", j.cancel_requested
        from larder.jobs j
        where j.id = any($1) and j.lease_token = ($2::uuid[])[width_bucket(j.id, $1::uuid[])]
        order by j.id
        for update
        "#,
        &ids,
        &tokens,
    )
    .fetch_all(&mut *tx)
    .await?;
    let held: HashMap<Uuid, (bool, bool)> = held
        .into_iter()
        .map(|row| (row.id, (row.last_attempt, row.cancel_requested)))
        .collect();
    let mut release = Vec::new();
    let mut cancel = Vec::new();
    let (mut failed, mut failed_why) = (Vec::new(), Vec::new());
    let (mut retry, mut retry_why, mut retry_after) = (Vec::new(), Vec::new(), Vec::new());
    for outcome in outcomes {
        let Some(&(last_attempt, cancel_requested)) = held.get(&outcome.id.0) else {
            continue;
        };
        match &outcome.end {
            // Recorded before, by one statement of its own.
            JobEnd::Done => {}
            _ if cancel_requested => cancel.push(outcome.id.0),
            JobEnd::Release => release.push(outcome.id.0),
            JobEnd::Retry { after, error } if !last_attempt => {
                retry.push(outcome.id.0);
                retry_why.push(error.clone());
                retry_after.push(seconds(*after));
            }
            JobEnd::Retry { error, .. } | JobEnd::Fail { error } => {
                failed.push(outcome.id.0);
                failed_why.push(error.clone());
            }
        }
    }
    fail_in(tx, &failed, &failed_why).await?;
    cancel_in(tx, &cancel).await?;
    release_in(tx, &release).await?;
    retry_in(tx, &retry, &retry_why, &retry_after).await?;
    Ok(Finished {
        held: held.into_keys().map(JobId).collect(),
        cancelled: cancel.into_iter().map(JobId).collect(),
    })
}

/// Ids, in the order in which everybody locks jobs, and the token of each.
///
/// Since the ids are sorted, a statement finds a row's token by a binary search
/// (`width_bucket`). A join with the two arrays would let the planner choose: with
/// statistics from before the claim it compared each of 500 rows with each of 500 tokens,
/// which took 280 ms.
fn ids_and_tokens(mut outcomes: Vec<&JobOutcome>) -> (Vec<Uuid>, Vec<Uuid>) {
    outcomes.sort_by_key(|outcome| outcome.id);
    outcomes
        .iter()
        .map(|outcome| (outcome.id.0, outcome.lease_token))
        .unzip()
}

/// Ends jobs as completed.
pub(super) async fn complete_in(tx: &mut Tx, ids: &[Uuid]) -> Result<(), StoreError> {
    if ids.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        r#"
        -- name: complete
        with ended as (
            delete from larder.jobs where id = any($1) returning *
        )
        insert into larder.finished_jobs (
            id, lane, kind, endpoint, resource_key, batch_key, item, args, class, priority, status,
            run_at, attempt, max_attempts, rescues, call_id, errors, created_at, started_at, completed_at
        )
        select id, lane, kind, endpoint, resource_key, batch_key, item, args, class, priority,
               'completed', run_at, attempt, max_attempts, rescues, call_id, errors, created_at,
               started_at, clock_timestamp()
        from ended
        "#,
        ids,
    )
    .execute(&mut *tx)
    .await?;
    Ok(())
}

/// Ends jobs as failed, each with its error.
pub(super) async fn fail_in(
    tx: &mut Tx,
    ids: &[Uuid],
    errors: &[String],
) -> Result<(), StoreError> {
    if ids.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        r#"
        -- name: fail
        with why as (
            select * from unnest($1::uuid[], $2::text[]) as w(id, error)
        ),
        ended as (
            delete from larder.jobs where id = any($1) returning *
        )
        insert into larder.finished_jobs (
            id, lane, kind, endpoint, resource_key, batch_key, item, args, class, priority, status,
            run_at, attempt, max_attempts, rescues, call_id, errors, created_at, started_at, completed_at
        )
        select id, lane, kind, endpoint, resource_key, batch_key, item, args, class, priority,
               'failed', run_at, attempt, max_attempts, rescues, call_id,
               errors || jsonb_build_object('attempt', attempt, 'at', clock_timestamp(), 'error', error),
               created_at, started_at, clock_timestamp()
        from ended join why using (id)
        "#,
        ids,
        &storable(errors),
    )
    .execute(&mut *tx)
    .await?;
    Ok(())
}

/// The errors without what Postgres keeps in no text: one NUL, say of a handler's panic,
/// would undo the records of all jobs that are recorded with it.
fn storable(errors: &[String]) -> Vec<String> {
    errors
        .iter()
        .map(|error| error.replace('\0', " "))
        .collect()
}

/// Ends jobs as cancelled.
pub(super) async fn cancel_in(tx: &mut Tx, ids: &[Uuid]) -> Result<(), StoreError> {
    if ids.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        r#"
        -- name: cancel
        with ended as (
            delete from larder.jobs where id = any($1) returning *
        )
        insert into larder.finished_jobs (
            id, lane, kind, endpoint, resource_key, batch_key, item, args, class, priority, status,
            run_at, attempt, max_attempts, rescues, call_id, errors, created_at, started_at, completed_at
        )
        select id, lane, kind, endpoint, resource_key, batch_key, item, args, class, priority,
               'cancelled', run_at, attempt, max_attempts, rescues, call_id, errors, created_at,
               started_at, clock_timestamp()
        from ended
        "#,
        ids,
    )
    .execute(&mut *tx)
    .await?;
    Ok(())
}

/// Lets jobs wait again as if they had not been claimed.
pub(super) async fn release_in(tx: &mut Tx, ids: &[Uuid]) -> Result<(), StoreError> {
    if ids.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        r#"
        -- name: release
        update larder.jobs
        set status = 'pending', attempt = attempt - 1, lease_token = null, leased_by = null,
            leased_until = null, call_id = null
        where id = any($1)
        "#,
        ids,
    )
    .execute(&mut *tx)
    .await?;
    Ok(())
}

/// Lets jobs wait for their next attempt, each with the error of this one.
pub(super) async fn retry_in(
    tx: &mut Tx,
    ids: &[Uuid],
    errors: &[String],
    after_secs: &[f64],
) -> Result<(), StoreError> {
    if ids.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        r#"
        -- name: retry_later
        update larder.jobs j
        set status = 'pending', lease_token = null, leased_by = null, leased_until = null,
            call_id = null,
            run_at = clock_timestamp() + make_interval(secs => w.after),
            errors = j.errors
                || jsonb_build_object('attempt', j.attempt, 'at', clock_timestamp(), 'error', w.error)
        from unnest($1::uuid[], $2::text[], $3::float8[]) as w(id, error, after)
        where j.id = any($1) and j.id = w.id
        "#,
        ids,
        &storable(errors),
        after_secs,
    )
    .execute(&mut *tx)
    .await?;
    Ok(())
}
