//! Puts jobs in, one live refresh to a resource.

mod handlers;
mod request;

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};

use super::{JobRow, Notifier, Store, StoreError};
use crate::model::{JobId, ResourceSpec};
use crate::store::db::Tx;

pub use request::{Enqueued, JobRequest};

/// How often a request meets a live job that ends before it is answered, or loses against
/// another transaction. Each time somebody else has made the next one and ended it too: more
/// than a few is not chance.
const ROUNDS: usize = 20;

/// Everything is found by its key: a plan from when there was no entry would otherwise read all
/// entries for each job.
const BY_KEYS: &str = "begin; set local enable_seqscan = off";

impl Store {
    /// Enqueues jobs, all or none; answers them in the order of `requests`.
    ///
    /// A refresh of a resource that has a live job is answered with that job, made as
    /// urgent as the more urgent of the two. Nobody is told:
    /// [`Store::enqueue_announced`] wakes who waits. Nor is it looked up for jobs of handlers
    /// whether their lane is closed, which would be an eighth of what they cost: each is `due`
    /// or `scheduled`.
    ///
    /// # Errors
    ///
    /// [`StoreError::Contended`], or whatever the database reports; nothing is stored then.
    pub async fn enqueue(&self, requests: &[JobRequest]) -> Result<Vec<Enqueued>, StoreError> {
        if requests.iter().all(|request| request.resource.is_none()) {
            return self.enqueue_handlers(requests).await;
        }
        // In key order, so that two requests that share keys wait for each other in one order.
        let mut order: Vec<usize> = (0..requests.len()).collect();
        order.sort_by_key(|&index| {
            requests[index]
                .resource
                .as_ref()
                .map(|resource| &resource.key)
        });
        for _ in 0..ROUNDS {
            // A transaction to each round: one that kept what it has inserted would go against
            // the order of keys when it inserts the rest, and deadlock with another like it.
            match self.enqueue_round(requests, &order).await {
                Ok(Some(answered)) => return Ok(answered),
                Ok(None) => {}
                Err(error) if error.is_conflict() => {}
                Err(error) => return Err(error),
            }
        }
        Err(StoreError::Contended)
    }

    /// Enqueues jobs as [`Store::enqueue`] does, then wakes who waits for them.
    ///
    /// # Errors
    ///
    /// As [`Store::enqueue`]. That the announcement was lost is none: it costs a poll.
    pub async fn enqueue_announced(
        &self,
        requests: &[JobRequest],
        notifier: &Notifier,
    ) -> Result<Vec<Enqueued>, StoreError> {
        let enqueued = self.enqueue(requests).await?;
        notifier.jobs_now().await;
        Ok(enqueued)
    }

    async fn enqueue_handlers(&self, requests: &[JobRequest]) -> Result<Vec<Enqueued>, StoreError> {
        for _ in 0..ROUNDS {
            match handlers::enqueue(&self.db, requests).await {
                Err(error) if error.is_conflict() => {}
                ended => return ended,
            }
        }
        Err(StoreError::Contended)
    }

    /// One try; `None` if a live job ended before it was answered.
    async fn enqueue_round(
        &self,
        requests: &[JobRequest],
        order: &[usize],
    ) -> Result<Option<Vec<Enqueued>>, StoreError> {
        let mut tx = self.db.begin_with(BY_KEYS).await?;
        let answered = enqueue_in(&mut tx, requests, order).await?;
        if answered.len() < requests.len() {
            tx.rollback().await?;
            return Ok(None);
        }
        tx.commit().await?;
        Ok(Some(answered))
    }
}

/// Enqueues the requests, in this order; answers them, in their own order, without those
/// whose live job ended meanwhile.
async fn enqueue_in(
    tx: &mut Tx,
    requests: &[JobRequest],
    order: &[usize],
) -> Result<Vec<Enqueued>, StoreError> {
    let resources: Vec<&ResourceSpec> = requests
        .iter()
        .filter_map(|request| request.resource.as_ref())
        .collect();
    super::resources::insert_missing(tx, &resources, "read").await?;
    let ids: Vec<JobId> = requests.iter().map(|_| JobId::new()).collect();
    let new = insert(tx, requests, order, &ids).await?;
    let mut found: Vec<Option<JobId>> = ids
        .iter()
        .map(|id| Some(*id).filter(|id| new.contains(&id.0)))
        .collect();
    let met: Vec<usize> = order
        .iter()
        .copied()
        .filter(|&index| found[index].is_none())
        .collect();
    if !met.is_empty() {
        // A statement of its own: the insert could not see the rows that it met.
        raise(tx, requests, &met, &mut found).await?;
    }
    let live: Vec<JobId> = found.iter().copied().flatten().collect();
    let rows: HashMap<JobId, JobRow> = super::jobs::live_by_id(tx, &live)
        .await?
        .into_iter()
        .map(|row| (row.id, row))
        .collect();
    let answered = found.iter().zip(&ids).filter_map(|(found, own)| {
        let job = rows.get(found.as_ref()?)?.clone();
        let is_new = job.id == *own;
        Some(Enqueued { job, is_new })
    });
    Ok(answered.collect())
}

/// Inserts the requests of `order`; answers the ids that went in.
async fn insert(
    tx: &mut Tx,
    requests: &[JobRequest],
    order: &[usize],
    ids: &[JobId],
) -> Result<HashSet<uuid::Uuid>, StoreError> {
    let chosen = || order.iter().map(|&index| &requests[index]);
    let resource = |pick: fn(&ResourceSpec) -> Option<String>| -> Vec<Option<String>> {
        chosen()
            .map(|request| request.resource.as_ref().and_then(pick))
            .collect()
    };
    let id: Vec<uuid::Uuid> = order.iter().map(|&index| ids[index].0).collect();
    let lane: Vec<String> = chosen()
        .map(|request| match &request.resource {
            Some(resource) => resource.provider.to_string(),
            None => "local".to_owned(),
        })
        .collect();
    let kind: Vec<String> = chosen().map(|request| request.kind.clone()).collect();
    let endpoint = resource(|spec| Some(spec.endpoint.to_string()));
    let key = resource(|spec| Some(spec.key.to_string()));
    let batch = resource(|spec| Some(spec.batch_key.to_string()));
    let item = resource(|spec| spec.item.clone());
    let args: Vec<serde_json::Value> = chosen().map(|request| request.args.clone()).collect();
    let class: Vec<String> = chosen().map(|request| request.class.to_owned()).collect();
    let priority: Vec<i16> = chosen().map(|request| request.priority.0).collect();
    let run_at: Vec<Option<DateTime<Utc>>> = chosen().map(|request| request.run_at).collect();
    let newer: Vec<bool> = chosen().map(|request| request.must_be_newer).collect();
    let attempts: Vec<i32> = chosen().map(|request| request.max_attempts).collect();
    let inserted = sqlx::query_scalar!(
        r#"
        -- name: enqueue
        insert into larder.jobs (
            id, lane, kind, endpoint, resource_key, batch_key, item, args, class, priority,
            run_at, satisfied_after, max_attempts
        )
        select n.id, n.lane, n.kind, n.endpoint, n.key, n.batch_key, n.item, n.args, n.class,
               n.priority, coalesce(n.run_at, t.now),
               case when n.newer then t.now
                    else coalesce((select e.requested_at from larder.entries e
                                   where e.resource_key = n.key
                                     -- A fresh one came after the reader had looked.
                                     and (n.class <> 'reader' or e.fresh_until <= t.now)),
                                  '-infinity') end,
               n.max_attempts
        from unnest(
            $1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
            $8::jsonb[], $9::text[], $10::smallint[], $11::timestamptz[], $12::bool[], $13::int[]
        ) with ordinality as n(
            id, lane, kind, endpoint, key, batch_key, item, args, class, priority, run_at, newer,
            max_attempts, nth
        )
        cross join (select clock_timestamp() as now) t
        order by n.nth
        on conflict (resource_key) where resource_key is not null do nothing
        returning id
        "#,
        &id,
        &lane,
        &kind,
        &endpoint as &[Option<String>],
        &key as &[Option<String>],
        &batch as &[Option<String>],
        &item as &[Option<String>],
        &args,
        &class,
        &priority,
        &run_at as &[Option<DateTime<Utc>>],
        &newer,
        &attempts,
    )
    .fetch_all(&mut *tx)
    .await?;
    Ok(inserted.into_iter().collect())
}

/// Finds the live jobs that stood in the way, and makes them as urgent as what was asked.
///
/// A row that another transaction holds is found but not raised: waiting for it here, with
/// others already locked, is how two of us would deadlock.
async fn raise(
    tx: &mut Tx,
    requests: &[JobRequest],
    missing: &[usize],
    found: &mut [Option<JobId>],
) -> Result<(), StoreError> {
    let chosen = || missing.iter().map(|&index| &requests[index]);
    let keys: Vec<String> = chosen()
        .filter_map(|request| request.resource.as_ref().map(|spec| spec.key.to_string()))
        .collect();
    let priority: Vec<i16> = chosen().map(|request| request.priority.0).collect();
    let run_at: Vec<Option<DateTime<Utc>>> = chosen().map(|request| request.run_at).collect();
    let newer: Vec<bool> = chosen().map(|request| request.must_be_newer).collect();
    let rows = sqlx::query!(
        r#"
        -- name: enqueue_find
        select id, resource_key as "key!" from larder.jobs
        where resource_key = any($1) and kind = 'refresh'
        "#,
        &keys,
    )
    .fetch_all(&mut *tx)
    .await?;
    let live: HashMap<&str, JobId> = rows
        .iter()
        .map(|row| (row.key.as_str(), JobId(row.id)))
        .collect();
    for &index in missing {
        let key = requests[index]
            .resource
            .as_ref()
            .map(|spec| spec.key.as_str());
        found[index] = key.and_then(|key| live.get(key).copied());
    }
    sqlx::query!(
        r#"
        -- name: enqueue_raise
        with asked as (
            select key, min(priority) as priority, min(coalesce(run_at, clock_timestamp())) as run_at,
                   bool_or(newer) as newer
            from unnest($1::text[], $2::smallint[], $3::timestamptz[], $4::bool[])
                as a(key, priority, run_at, newer)
            group by key
        ),
        free as materialized (
            select j.id, a.priority, a.run_at, a.newer
            from asked a
            join larder.jobs j on j.resource_key = a.key and j.kind = 'refresh'
            where j.priority > a.priority or a.newer
               or (j.status = 'pending' and j.attempt = 0 and j.run_at > a.run_at)
            order by j.id
            for update of j skip locked
        )
        update larder.jobs j
        set priority = least(j.priority, f.priority),
            -- A wait between attempts stays: a provider in trouble is not called for each reader.
            run_at = case when j.status = 'pending' and j.attempt = 0
                          then least(j.run_at, f.run_at) else j.run_at end,
            satisfied_after = case when f.newer then clock_timestamp() else j.satisfied_after end
        from free f
        where j.id = f.id
        "#,
        &keys,
        &priority,
        &run_at as &[Option<DateTime<Utc>>],
        &newer,
    )
    .execute(&mut *tx)
    .await?;
    Ok(())
}
