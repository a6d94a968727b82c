//! What a call means for its jobs and for the plan.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use super::{CallRecord, JobVerdict, Recorded};
use crate::store::db::Tx;
use crate::store::{StoreError, absences, finish, seconds};

/// Why a job fails whose resource the provider does not know.
const NOT_FOUND: &str = "not_found: the provider does not know it";

/// Finishes the jobs that are still ours, and moves their resources' next refresh.
pub(super) async fn finish(
    tx: &mut Tx<'_>,
    record: &CallRecord,
    recorded: &mut Recorded,
) -> Result<(), StoreError> {
    let ids: Vec<Uuid> = record.jobs.iter().map(|job| job.id.0).collect();
    let held = sqlx::query!(
        r#"
        -- name: record_held
        select j.id,
               -- Asked for again after this call's request went out: it runs once more.
               j.satisfied_after > c.reserved_at as "again!",
               j.attempt >= j.max_attempts as "last_attempt!",
               j.cancel_requested
        from larder.jobs j
        join larder.api_calls c on c.id = $3
        where j.id = any($1) and j.lease_token = $2 and j.status = 'running'
        order by j.id
        for update of j
        "#,
        &ids,
        record.lease_token,
        record.call.0,
    )
    .fetch_all(&mut *tx)
    .await?;
    let held: HashMap<Uuid, _> = held.into_iter().map(|row| (row.id, row)).collect();
    let mut done = Vec::new();
    let mut again = Vec::new();
    let mut release = Vec::new();
    let mut cancel = Vec::new();
    let (mut failed, mut failed_why) = (Vec::new(), Vec::new());
    let (mut retry, mut retry_why, mut retry_after) = (Vec::new(), Vec::new(), Vec::new());
    for job in &record.jobs {
        let Some(row) = held.get(&job.id.0) else {
            recorded.lost += 1;
            continue;
        };
        match &job.verdict {
            JobVerdict::Done if row.again => again.push(row.id),
            JobVerdict::Done => done.push(row.id),
            _ if row.cancel_requested => cancel.push(row.id),
            JobVerdict::Release => release.push(row.id),
            JobVerdict::Retry { error, .. } if row.last_attempt => {
                failed.push(row.id);
                failed_why.push(error.clone());
            }
            JobVerdict::Retry { after, error } => {
                retry.push(row.id);
                retry_why.push(error.clone());
                retry_after.push(seconds(*after));
            }
            JobVerdict::NotFound => {
                failed.push(row.id);
                failed_why.push(NOT_FOUND.to_owned());
            }
            JobVerdict::Fail { error } => {
                failed.push(row.id);
                failed_why.push(error.clone());
            }
        }
    }
    let answered: HashSet<Uuid> = done.iter().chain(&again).copied().collect();
    let failed_ids: HashSet<Uuid> = failed.iter().copied().collect();
    let keys = |chosen: &HashSet<Uuid>| -> Vec<String> {
        record
            .jobs
            .iter()
            .filter(|job| chosen.contains(&job.id.0))
            .map(|job| job.resource_key.to_string())
            .collect()
    };
    recorded.completed = done.len();
    recorded.failed = failed.len();
    recorded.waiting = again.len() + release.len() + retry.len();
    finish::complete_in(tx, &done).await?;
    finish::fail_in(tx, &failed, &failed_why).await?;
    finish::cancel_in(tx, &cancel).await?;
    finish::release_in(tx, &release).await?;
    finish::release_in(tx, &again).await?;
    finish::retry_in(tx, &retry, &retry_why, &retry_after).await?;
    answered_resources(tx, &keys(&answered)).await?;
    failed_resources(tx, &keys(&failed_ids)).await?;
    // Also of jobs that we have lost: what the provider said is true all the same.
    let said = |wanted: fn(&JobVerdict) -> bool| -> Vec<String> {
        let jobs = record.jobs.iter().filter(|job| wanted(&job.verdict));
        jobs.map(|job| job.resource_key.to_string()).collect()
    };
    let absent = said(|verdict| *verdict == JobVerdict::NotFound);
    let found = said(|verdict| *verdict == JobVerdict::Done);
    absences::remember(
        tx,
        record.provider.as_str(),
        &absent,
        &found,
        record.negative_ttl,
    )
    .await?;
    Ok(())
}

/// Moves the next refresh of what was answered.
async fn answered_resources(tx: &mut Tx<'_>, keys: &[String]) -> Result<(), StoreError> {
    if keys.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        r#"
        -- name: answered_resources
        with locked as materialized (
            select resource_key from larder.resources
            where resource_key = any($1)
            order by resource_key
            for update
        )
        update larder.resources
        set fetched_at = clock_timestamp(),
            failures = 0,
            next_refresh_at = clock_timestamp() + every
        where resource_key in (select resource_key from locked)
        "#,
        keys,
    )
    .execute(&mut *tx)
    .await?;
    Ok(())
}

/// Moves the next refresh of what failed for good, further each time: otherwise every
/// tick would pay for the same failure again.
pub(in crate::store) async fn failed_resources(
    tx: &mut Tx<'_>,
    keys: &[String],
) -> Result<(), StoreError> {
    if keys.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        r#"
        -- name: failed_resources
        with locked as materialized (
            select resource_key from larder.resources
            where resource_key = any($1)
            order by resource_key
            for update
        )
        update larder.resources
        set failures = failures + 1,
            next_refresh_at = clock_timestamp()
                + least(every * power(2, least(failures + 1, 20)), greatest(every, interval '1 day'))
        where resource_key in (select resource_key from locked)
        "#,
        keys,
    )
    .execute(&mut *tx)
    .await?;
    Ok(())
}
