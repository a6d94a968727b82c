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

/// What the insert answers to one job.
struct Inserted {
    run_at: DateTime<Utc>,
    created_at: DateTime<Utc>,
}

/// Enqueues them, all or none; answers them in their order.
pub(super) async fn enqueue(db: &Db, requests: &[JobRequest]) -> Result<Vec<Enqueued>, StoreError> {
    let ids: Vec<Uuid> = requests.iter().map(|_| JobId::new().0).collect();
    let inserted = match (requests, ids.as_slice()) {
        ([asked], &[id]) if asked.is_usual() => vec![insert_usual(db, asked, id).await?],
        _ => insert_all(db, requests, &ids).await?,
    };
    let answered = requests
        .iter()
        .zip(ids)
        .zip(inserted)
        .map(|((asked, id), row)| answer(asked, id, &row));
    Ok(answered.collect())
}

/// One job by itself, of which the table's defaults say the rest: each parameter more takes the
/// database a hundredth of what a job costs.
async fn insert_usual(db: &Db, asked: &JobRequest, id: Uuid) -> Result<Inserted, StoreError> {
    let inserted = sqlx::query_as!(
        Inserted,
        r#"
        -- name: enqueue_local_usual
        insert into larder.jobs (id, lane, kind, args) values ($1, 'local', $2, $3)
        returning run_at, created_at
        "#,
        id,
        asked.kind,
        asked.args,
    )
    .fetch_one(db)
    .await?;
    Ok(inserted)
}

async fn insert_all(
    db: &Db,
    requests: &[JobRequest],
    ids: &[Uuid],
) -> Result<Vec<Inserted>, StoreError> {
    let kinds: Vec<&str> = requests.iter().map(|job| job.kind.as_str()).collect();
    let args: Vec<&serde_json::Value> = requests.iter().map(|job| &job.args).collect();
    let classes: Vec<&str> = requests.iter().map(|job| job.class).collect();
    let priorities: Vec<i16> = requests.iter().map(|job| job.priority.0).collect();
    let times: Vec<Option<DateTime<Utc>>> = requests.iter().map(|job| job.run_at).collect();
    let attempts: Vec<i32> = requests.iter().map(|job| job.max_attempts).collect();
    // Rows return in the order in which the arrays are read.
    let inserted = sqlx::query_as!(
        Inserted,
        r#"
        -- name: enqueue_local
        insert into larder.jobs (id, lane, kind, args, class, priority, run_at, max_attempts)
        select n.id, 'local', n.kind, n.args, n.class, n.priority, coalesce(n.run_at, t.now), n.max_attempts
        from unnest(
            $1::uuid[], $2::text[], $3::jsonb[], $4::text[], $5::smallint[], $6::timestamptz[], $7::int[]
        ) as n(id, kind, args, class, priority, run_at, max_attempts)
        cross join (select clock_timestamp() as now) t
        returning run_at, created_at
        "#,
        ids,
        &kinds as &[&str],
        &args as &[&serde_json::Value],
        &classes as &[&str],
        &priorities,
        &times as &[Option<DateTime<Utc>>],
        &attempts,
    )
    .fetch_all(db)
    .await?;
    Ok(inserted)
}

fn answer(asked: &JobRequest, id: Uuid, row: &Inserted) -> Enqueued {
    let waiting = match asked.run_at.is_none() || row.run_at <= row.created_at {
        true => "due",
        false => "scheduled",
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
}
