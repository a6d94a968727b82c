//! What a call means for its jobs and for the plan.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{CallRecord, JobVerdict, NewEntry, Recorded};
use crate::store::db::Tx;
use crate::store::{StoreError, absences, finish, seconds};

/// Why a job fails whose resource the provider does not know.
const NOT_FOUND: &str = "not_found: the provider does not know it";

/// Finishes the jobs that are still ours, and moves their resources' next refresh.
pub(super) async fn finish(
    tx: &mut Tx,
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
    recorded.cancelled = cancel.len();
    recorded.retried = retry.len();
    recorded.waiting = again.len() + release.len() + retry.len();
    finish::complete_in(tx, &done).await?;
    finish::fail_in(tx, &failed, &failed_why).await?;
    finish::cancel_in(tx, &cancel).await?;
    finish::release_in(tx, &release).await?;
    finish::release_in(tx, &again).await?;
    finish::retry_in(tx, &retry, &retry_why, &retry_after).await?;
    answered_resources(tx, record, &keys(&answered)).await?;
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

/// Moves the next refresh of what was answered, and remembers of what is planned whether it
/// had changed: [`crate::plan::changes`] says what the sums mean.
async fn answered_resources(
    tx: &mut Tx,
    record: &CallRecord,
    keys: &[String],
) -> Result<(), StoreError> {
    if keys.is_empty() {
        return Ok(());
    }
    let answers: HashMap<&str, &NewEntry> = (record.entries.iter())
        .map(|entry| (entry.resource_key.as_str(), entry))
        .collect();
    let entries = || keys.iter().map(|key| answers.get(key.as_str()));
    let hashes: Vec<Option<Vec<u8>>> = entries().map(|entry| entry?.content_hash.clone()).collect();
    let times: Vec<Option<DateTime<Utc>>> = entries().map(|entry| entry?.provider_time).collect();
    sqlx::query!(
        r#"
        -- name: answered_resources
        with locked as materialized (
            select resource_key, fetched_at from larder.resources
            where resource_key = any($1)
            order by resource_key
            for update
        ),
        seen as (
            select l.resource_key, t.now, n.provider_time is not null as is_dated,
                   extract(epoch from t.now - l.fetched_at)::float8 as secs,
                   -- Where the provider does not date it: whether it says something else.
                   not coalesce(e.content_hash = n.content_hash, false) as differs,
                   greatest(extract(epoch from t.now - n.provider_time)::float8, 0) as last
            from locked l
            cross join (select clock_timestamp() as now) t
            join unnest($1::text[], $2::bytea[], $3::timestamptz[])
                as n(key, content_hash, provider_time) on n.key = l.resource_key
            left join larder.entries e on e.resource_key = l.resource_key
        )
        update larder.resources r
        set fetched_at = s.now,
            failures = 0,
            -- What was fetched together does not stay together; what has a bound is never late.
            next_refresh_at = s.now + r.every * case when not r.planned then 1
                when r.max_age is null then 0.9 + 0.2 * random() else 1 - 0.1 * random() end,
            changes = case when not r.planned or s.secs is null then r.changes
                else 0.99 * r.changes
                     + case when s.is_dated then s.last < s.secs else s.differs end::int end,
            changed_secs = case when not r.planned or s.secs is null then r.changed_secs
                else 0.99 * r.changed_secs
                     + case when not s.is_dated and s.differs then s.secs else 0 end end,
            same_secs = case when not r.planned or s.secs is null then r.same_secs
                else 0.99 * r.same_secs
                     + case when s.is_dated then least(s.last, s.secs)
                            when s.differs then 0 else s.secs end end
        from seen s
        where r.resource_key = s.resource_key
        "#,
        keys,
        &hashes as &[Option<Vec<u8>>],
        &times as &[Option<DateTime<Utc>>],
    )
    .execute(&mut *tx)
    .await?;
    Ok(())
}

/// Moves the next refresh of what failed for good, further each time: otherwise every
/// tick would pay for the same failure again.
pub(in crate::store) async fn failed_resources(
    tx: &mut Tx,
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
