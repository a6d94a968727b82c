//! Admits the call that asks a provider for its own count.
//!
//! It is a call like any other: reserved, counted and in the ledger. What it is not is a
//! job: whether one is due follows from the ledger, so that no flag of a killed worker
//! stands in the way, and all workers together ask once in an interval.

use std::time::Duration;

use sqlx::PgExecutor;
use uuid::Uuid;

use super::count::Found;
use super::open::Open;
use super::{AdmitRequest, AdmittedCall, CallId, Tx, batch, count};
use crate::budget::{Caller, Pricing, Verdict};
use crate::model::BatchKey;
use crate::store::{Store, StoreError, seconds};

/// Which call asks, and how often it may.
#[derive(Debug, Clone)]
pub struct UsageRequest {
    /// The batch key of the endpoint that reports usage.
    pub batch_key: BatchKey,
    /// How long the last answer is good.
    pub every: Duration,
    /// A call that was throttled: what was asked before it is out of date.
    pub after: Option<CallId>,
}

impl Store {
    /// Admits the call that asks for the provider's count; `None` when that is not due,
    /// does not fit, or the lane is closed.
    ///
    /// # Errors
    ///
    /// Whatever the database reports; nothing was admitted then.
    pub async fn admit_usage_call(
        &self,
        request: &AdmitRequest<'_>,
        usage: &UsageRequest,
        pricing: &dyn Pricing,
    ) -> Result<Option<AdmittedCall>, StoreError> {
        // Without the lock: all that it costs a process for which another one has asked.
        if !self.is_usage_due(request, usage).await? {
            return Ok(None);
        }
        let mut tx = self.begin_locking().await?;
        let lane = match count::lock(&mut tx, request.provider).await? {
            Found::Open(lane) => lane,
            Found::Closed => return Ok(None),
            Found::Replaced => {
                tx.commit().await?;
                return Ok(None);
            }
        };
        let counted = count::count(&mut tx, request.provider).await?;
        let open = Open::new(request, &lane, counted);
        let batch = &usage.batch_key;
        let Some(endpoint) = pricing.endpoint(batch) else {
            return Ok(None);
        };
        let credits = open.price(pricing, batch, &endpoint, 0).unwrap_or(0);
        // Again, now that nobody else can be about it.
        let fits = open.room > 0
            && open.grants.check(credits, Caller::Reader) == Verdict::Fits
            && self.is_usage_due_in(&mut tx, request, usage).await?;
        if !fits {
            return Ok(None);
        }
        let token = Uuid::new_v4();
        let row = batch::Row {
            endpoint: &endpoint,
            batch,
            class: "usage",
            items: 0,
            room: 0,
            token,
            credits,
        };
        let (id, _) = batch::write(&mut tx, request, &row).await?;
        tx.commit().await?;
        Ok(Some(AdmittedCall {
            id,
            lease_token: token,
            endpoint,
            batch_key: batch.clone(),
            jobs: Vec::new(),
            reserved_credits: credits,
        }))
    }

    async fn is_usage_due(
        &self,
        request: &AdmitRequest<'_>,
        usage: &UsageRequest,
    ) -> Result<bool, StoreError> {
        is_due(&self.db, request, usage).await
    }

    async fn is_usage_due_in(
        &self,
        tx: &mut Tx,
        request: &AdmitRequest<'_>,
        usage: &UsageRequest,
    ) -> Result<bool, StoreError> {
        is_due(tx, request, usage).await
    }
}

async fn is_due(
    executor: impl PgExecutor<'_>,
    request: &AdmitRequest<'_>,
    usage: &UsageRequest,
) -> Result<bool, StoreError> {
    let due = sqlx::query_scalar!(
        r#"
        -- name: usage_call_due
        select coalesce(l.closed_until <= clock_timestamp(), true)
           and (
               last.id is null
               or last.settled_at is not null and (
                   last.reserved_at < clock_timestamp() - make_interval(secs => $2)
                   or coalesce(last.id < $3, false)
                   or l.database_changed_at is not null
                      and coalesce(last.reserved_at < l.closed_until, true)
               )
           ) as "due!"
        from larder.lanes l
        left join lateral (
            select id, settled_at, reserved_at from larder.api_calls
            where provider = l.lane and class = 'usage'
            order by id desc
            limit 1
        ) last on true
        where l.lane = $1 and l.removed_at is null
        "#,
        request.provider.as_str(),
        seconds(usage.every),
        usage.after.map(|call| call.0),
    )
    .fetch_optional(executor)
    .await?;
    Ok(due.unwrap_or(false))
}
