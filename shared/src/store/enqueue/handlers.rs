//! Puts in jobs of handlers: one statement, which is a transaction of its own.
//!
//! None of them is a duplicate and none has an entry, so nothing has to be looked up first, and
//! what is answered follows from what was asked and from what the insert returns. One round
//! trip is what a job costs its caller, and most of that is the flush.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{Enqueued, JobRequest};
use crate::model::{JobId, JobStatus};
use crate::store::db::Db;
use crate::store::{JobRow, StoreError};

/// Enqueues them, all or none; answers them in their order.
pub(super) async fn enqueue(db: &Db, requests: &[JobRequest]) -> Result<Vec<Enqueued>, StoreError> {
    let ids: Vec<Uuid> = requests.iter().map(|_| JobId::new().0).collect();
    let kinds: Vec<&str> = requests.iter().map(|job| job.kind.as_str()).collect();
    let args: Vec<&serde_json::Value> = requests.iter().map(|job| &job.args).collect();
    let classes: Vec<&str> = requests.iter().map(|job| job.class).collect();
    let priorities: Vec<i16> = requests.iter().map(|job| job.priority.0).collect();
    let times: Vec<Option<DateTime<Utc>>> = requests.iter().map(|job| job.run_at).collect();
    let attempts: Vec<i32> = requests.iter().map(|job| job.max_attempts).collect();
    let rows = sqlx::query!(
        r#"
        -- name: enqueue_local
        insert into larder.jobs (id, lane, kind, args, class, priority, run_at, max_attempts)
        select n.id, 'local', n.kind, n.args, n.class, n.priority, coalesce(n.run_at, t.now), n.max_attempts
        from unnest(
            $1::uuid[], $2::text[], $3::jsonb[], $4::text[], $5::smallint[], $6::timestamptz[], $7::int[]
        ) as n(id, kind, args, class, priority, run_at, max_attempts)
        cross join (select clock_timestamp() as now) t
        returning run_at, created_at, clock_timestamp() as "now!",
                  (select closed_until from larder.lanes where lane = 'local') as closed_until
        "#,
        &ids,
        &kinds as &[&str],
        &args as &[&serde_json::Value],
        &classes as &[&str],
        &priorities,
        &times as &[Option<DateTime<Utc>>],
        &attempts,
    )
    .fetch_all(db)
    .await?;
    // Rows return in the order in which the arrays are read.
    let answered = requests
        .iter()
        .zip(ids)
        .zip(rows)
        .map(|((asked, id), row)| {
            let is_closed = row.closed_until.is_some_and(|until| until > row.now);
            let waiting = match (is_closed, row.run_at <= row.now) {
                (true, _) => "lane_closed",
                (false, true) => "due",
                (false, false) => "scheduled",
            };
            Enqueued {
                job: JobRow {
                    id: JobId(id),
                    lane: "local".to_owned(),
                    kind: asked.kind.clone(),
                    endpoint: None,
                    resource_key: None,
                    args: asked.args.clone(),
                    priority: asked.priority.0,
                    status: JobStatus::Pending,
                    run_at: row.run_at,
                    attempt: 0,
                    max_attempts: asked.max_attempts,
                    rescues: 0,
                    errors: serde_json::Value::Array(Vec::new()),
                    waiting: Some(waiting.to_owned()),
                    cancel_requested: false,
                    created_at: row.created_at,
                    started_at: None,
                    completed_at: None,
                },
                is_new: true,
            }
        });
    Ok(answered.collect())
}
