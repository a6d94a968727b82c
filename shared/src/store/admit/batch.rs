//! Which jobs share a call.

use std::collections::HashSet;
use std::time::Duration;

use uuid::Uuid;

use super::{AdmitRequest, AdmittedCall, CallId, ClaimedRefresh, Open, Tx};
use crate::budget::{Pricing, Usage};
use crate::model::{BatchKey, EndpointName, JobId, ResourceKey};
use crate::store::record::failed_resources;
use crate::store::{StoreError, finish, seconds};

/// Why a job fails whose endpoint or parameters this configuration does not know.
pub(super) const UNKNOWN: &str =
    "unknown_endpoint: the configuration has no endpoint for this resource any more";

/// Why a job fails whose endpoint the provider refused this key not long ago.
pub(super) const FORBIDDEN: &str =
    "endpoint_forbidden: the provider said within the last day that this key may not call it";

/// Why a job fails that no window can ever hold.
#[derive(Debug, thiserror::Error)]
#[error(
    "too_expensive: a call costs up to {price} {unit}, the limit {name} allows {cap}",
    unit = .usage.unit.as_str(), name = .usage.name, cap = .usage.cap
)]
pub(super) struct TooExpensive {
    pub(super) price: u32,
    pub(super) usage: Usage,
}

/// Jobs that were claimed together.
pub(super) struct Claimed {
    pub(super) jobs: Vec<ClaimedRefresh>,
    pub(super) token: Uuid,
    pub(super) class: &'static str,
    /// Jobs that needed no call, because a newer answer than they want is there.
    pub(super) satisfied: usize,
}

/// Claims up to `most` due jobs of a batch, and ends those that need no call.
pub(super) async fn claim(
    tx: &mut Tx,
    request: &AdmitRequest<'_>,
    batch: &BatchKey,
    most: usize,
) -> Result<Claimed, StoreError> {
    let token = Uuid::new_v4();
    let rows = sqlx::query!(
        r#"
        -- name: admit_claim
        update larder.jobs
        set status = 'running',
            attempt = attempt + 1,
            started_at = clock_timestamp(),
            lease_token = $3,
            leased_by = $4,
            leased_until = clock_timestamp() + make_interval(secs => $5)
        -- An array, not a join: a join with the locking scan can become a hash join
        -- that reads the whole table.
        where id = any(array(
            select id from larder.jobs
            where lane = $1 and batch_key = $2 and status = 'pending' and run_at <= (select clock_timestamp())
            order by priority, run_at, id
            limit $6
            for update skip locked
        ))
        returning id, resource_key as "key!", item, attempt, max_attempts, class, priority,
            greatest(extract(epoch from started_at - run_at), 0)::float8 as "waited_secs!",
            exists (select from larder.entries e
                    where e.resource_key = jobs.resource_key
                      and e.requested_at > jobs.satisfied_after) as "satisfied!"
        "#,
        request.provider.as_str(),
        batch.as_str(),
        token,
        request.worker,
        seconds(request.lease),
        i64::try_from(most).unwrap_or(i64::MAX),
    )
    .fetch_all(&mut *tx)
    .await?;
    let satisfied: Vec<Uuid> = rows
        .iter()
        .filter(|row| row.satisfied)
        .map(|row| row.id)
        .collect();
    finish::complete_in(tx, &satisfied).await?;
    let class = rows
        .iter()
        .filter(|row| !row.satisfied)
        .min_by_key(|row| row.priority)
        .map_or("planned", |row| match row.class.as_str() {
            "reader" => "reader",
            "operator" => "operator",
            _ => "planned",
        });
    Ok(Claimed {
        token,
        class,
        satisfied: satisfied.len(),
        jobs: rows
            .into_iter()
            .filter(|row| !row.satisfied)
            .map(|row| ClaimedRefresh {
                id: JobId(row.id),
                resource_key: ResourceKey(row.key),
                item: row.item,
                attempt: row.attempt,
                max_attempts: row.max_attempts,
                waited: Duration::from_secs_f64(row.waited_secs),
            })
            .collect(),
    })
}

/// Fills the call up to what costs nothing extra, and writes its reservation.
pub(super) async fn reserve(
    tx: &mut Tx,
    request: &AdmitRequest<'_>,
    pricing: &dyn Pricing,
    open: &Open,
    endpoint: EndpointName,
    batch: BatchKey,
    claimed: Claimed,
) -> Result<AdmittedCall, StoreError> {
    let mut jobs = claimed.jobs;
    let room = pricing
        .items_for_same_cost(&batch, jobs.len())
        .saturating_sub(jobs.len());
    let reserved_credits = open
        .price(pricing, &batch, &endpoint, jobs.len())
        .unwrap_or(u32::MAX);
    let row = Row {
        endpoint: &endpoint,
        batch: &batch,
        class: claimed.class,
        items: jobs.len(),
        room,
        token: claimed.token,
        credits: reserved_credits,
    };
    let (id, riders) = write(tx, request, &row).await?;
    jobs.extend(riders);
    Ok(AdmittedCall {
        id,
        lease_token: claimed.token,
        endpoint,
        batch_key: batch,
        jobs,
        reserved_credits,
    })
}

/// A reservation to be written into the ledger.
pub(super) struct Row<'a> {
    pub(super) endpoint: &'a EndpointName,
    pub(super) batch: &'a BatchKey,
    pub(super) class: &'static str,
    pub(super) items: usize,
    /// How many more it can take for the same credits.
    pub(super) room: usize,
    pub(super) token: Uuid,
    pub(super) credits: u32,
}

/// Writes a reservation into the ledger, and fills the call: makes the soonest-due resources
/// of the batch that have no job into running jobs. Answers its number and those jobs.
///
/// They are jobs like any other, so that the unique index keeps to one live refresh of a
/// resource, and a rescue finds them.
pub(super) async fn write(
    tx: &mut Tx,
    request: &AdmitRequest<'_>,
    row: &Row<'_>,
) -> Result<(CallId, Vec<ClaimedRefresh>), StoreError> {
    let rows = sqlx::query!(
        r#"
        -- name: admit_reserve
        with riders as materialized (
            select r.resource_key, r.item, r.endpoint, r.fetched_at, l.max_attempts
            from larder.resources r
            join larder.lanes l on l.lane = r.provider
            where r.provider = $1 and r.batch_key = $3 and r.tracked
              -- Looked up for each (`offset` forbids a join): the plan that joins them while there
              -- are no jobs would read all jobs for each resource.
              and not exists (select from larder.jobs j
                              where j.resource_key = r.resource_key and j.kind = 'refresh' offset 0)
              -- Asking again within the provider's own update frequency buys nothing.
              and (r.fetched_at is null or not r.planned or r.fetched_at <= (
                  select clock_timestamp() - c.min_interval from larder.plan_calls c
                  where c.provider = $1 and c.batch_key = $3))
            order by r.next_refresh_at
            limit $11
            for update of r skip locked
        ),
        jobs as (
            insert into larder.jobs (
                id, lane, kind, endpoint, resource_key, batch_key, item, class, priority, status,
                satisfied_after, attempt, max_attempts, started_at, lease_token, leased_by, leased_until
            )
            select larder.uuid_v7(), $1, 'refresh', endpoint, resource_key, $3, item, 'planned', 20,
                   'running', coalesce(fetched_at, '-infinity'), 1, max_attempts, clock_timestamp(),
                   $6, $7, clock_timestamp() + make_interval(secs => $10)
            from riders
            order by resource_key
            on conflict (resource_key) where resource_key is not null do nothing
            returning id, resource_key, item, max_attempts
        ),
        call as (
            insert into larder.api_calls (
                provider, endpoint, batch_key, class, items, lease_token, worker, key_id,
                reserved_at, reserved_credits, leased_until
            )
            values ($1, $2, $3, $4, $5::integer + (select count(*) from jobs), $6, $7, $8,
                    greatest(clock_timestamp(), (
                        select c.reserved_at from larder.api_calls c
                        where c.provider = $1
                        order by c.id desc
                        limit 1
                    )),
                    $9, clock_timestamp() + make_interval(secs => $10))
            returning id
        )
        select call.id as "call!", jobs.id as "id?", resource_key, item, max_attempts as "max_attempts?"
        from call left join jobs on true
        "#,
        request.provider.as_str(),
        row.endpoint.as_str(),
        row.batch.as_str(),
        row.class,
        i32::try_from(row.items).unwrap_or(i32::MAX),
        row.token,
        request.worker,
        request.key_id,
        i32::try_from(row.credits).unwrap_or(i32::MAX),
        seconds(request.lease),
        i64::try_from(row.room).unwrap_or(i64::MAX),
    )
    .fetch_all(&mut *tx)
    .await?;
    let call = rows.first().map(|row| CallId(row.call));
    let call = call.ok_or(sqlx::Error::RowNotFound)?;
    let riders = rows.into_iter().filter_map(|row| {
        Some(ClaimedRefresh {
            id: JobId(row.id?),
            resource_key: ResourceKey(row.resource_key?),
            item: row.item,
            attempt: 1,
            max_attempts: row.max_attempts?,
            waited: Duration::ZERO,
        })
    });
    Ok((call, riders.collect()))
}

/// Fails the due jobs of a batch that no call can ever answer; answers how many completed all
/// the same, since their answer was there, and how many failed.
pub(super) async fn fail(
    tx: &mut Tx,
    request: &AdmitRequest<'_>,
    batch: &BatchKey,
    why: &str,
) -> Result<(usize, usize), StoreError> {
    let claimed = claim(tx, request, batch, 1000).await?;
    let ids: HashSet<Uuid> = claimed.jobs.iter().map(|job| job.id.0).collect();
    let ids: Vec<Uuid> = ids.into_iter().collect();
    finish::fail_in(tx, &ids, &vec![why.to_owned(); ids.len()]).await?;
    // Otherwise the next tick would make the same jobs again.
    let keys: Vec<String> = (claimed.jobs.iter())
        .map(|job| job.resource_key.to_string())
        .collect();
    failed_resources(tx, &keys).await?;
    Ok((claimed.satisfied, ids.len()))
}
