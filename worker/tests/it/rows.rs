//! What stands in the tables.

use shared::model::JobId;
use sqlx::{FromRow, PgPool};

use crate::rig::{Rig, eventually};

/// A job, live or finished.
#[derive(Debug, Clone, FromRow)]
pub(crate) struct Job {
    pub(crate) status: String,
    pub(crate) attempt: i32,
    pub(crate) rescues: i32,
    /// The last error.
    pub(crate) error: Option<String>,
    /// How long until it may run.
    pub(crate) wait: f64,
}

/// A row of the ledger.
#[derive(Debug, Clone, FromRow)]
pub(crate) struct Call {
    pub(crate) outcome: Option<String>,
    pub(crate) requests: i16,
    pub(crate) credits: Option<i32>,
    pub(crate) reserved_credits: i32,
    pub(crate) http_status: Option<i16>,
    /// How long after its settlement it still counts.
    pub(crate) tail: Option<f64>,
}

/// The provider's lane.
#[derive(Debug, Clone, FromRow)]
pub(crate) struct Lane {
    pub(crate) reason: Option<String>,
    /// Until when, from when it was closed.
    pub(crate) closed_for: Option<f64>,
    pub(crate) for_good: Option<bool>,
    pub(crate) to_the_minute: Option<bool>,
    pub(crate) to_the_day: Option<bool>,
    pub(crate) to_the_month: Option<bool>,
}

pub(crate) async fn job(pool: &PgPool, id: JobId) -> Job {
    sqlx::query_as(
        "select status::text, attempt, rescues, error,
                extract(epoch from run_at - clock_timestamp())::float8 as wait
         from background_jobs where id = $1",
    )
    .bind(id.0)
    .fetch_one(pool)
    .await
    .unwrap()
}

/// Every call, in the order of admission.
pub(crate) async fn calls(pool: &PgPool) -> Vec<Call> {
    sqlx::query_as(
        "select outcome, requests, credits, reserved_credits, http_status,
                extract(epoch from end_at - settled_at)::float8 as tail
         from larder.api_calls order by id",
    )
    .fetch_all(pool)
    .await
    .unwrap()
}

pub(crate) async fn lane(pool: &PgPool) -> Lane {
    sqlx::query_as(
        "select closed_reason as reason,
                case when isfinite(closed_until)
                     then extract(epoch from closed_until - closed_at)::float8 end as closed_for,
                closed_until = 'infinity' as for_good,
                closed_until = date_trunc('minute', closed_at, 'UTC') + interval '1 minute' + reset_grace
                    as to_the_minute,
                closed_until = date_trunc('day', closed_at, 'UTC') + interval '1 day' + reset_grace
                    as to_the_day,
                closed_until = (date_trunc('month', closed_at at time zone 'UTC') + interval '1 month')
                    at time zone 'UTC' + reset_grace as to_the_month
         from larder.lanes where lane = 'coinmarketcap'",
    )
    .fetch_one(pool)
    .await
    .unwrap()
}

pub(crate) async fn number(pool: &PgPool, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql).fetch_one(pool).await.unwrap()
}

/// Waits until `sql` gives `wanted`.
pub(crate) async fn becomes(pool: &PgPool, sql: &'static str, wanted: i64) {
    eventually(&format!("{wanted} from {sql}"), async || {
        (number(pool, sql).await == wanted).then_some(())
    })
    .await;
}

/// Waits until so many calls are settled.
pub(crate) async fn settled(rig: &Rig, wanted: i64) -> Vec<Call> {
    let sql = "select count(*) from larder.api_calls where settled_at is not null";
    becomes(&rig.pool, sql, wanted).await;
    calls(&rig.pool).await
}

/// Waits until a job has ended in one way or the other.
pub(crate) async fn ended(rig: &Rig, id: JobId) -> Job {
    eventually("the end of a job", async || {
        let job = job(&rig.pool, id).await;
        let live = ["pending", "running"].contains(&job.status.as_str());
        (!live).then_some(job)
    })
    .await
}

/// The numbers that must fit between the two ledgers: requests and credits of ours.
pub(crate) async fn our_count(pool: &PgPool) -> (i64, i64) {
    sqlx::query_as(
        "select coalesce(sum(requests), 0)::bigint,
                coalesce(sum(coalesce(credits, reserved_credits)), 0)::bigint
         from larder.api_calls",
    )
    .fetch_one(pool)
    .await
    .unwrap()
}
