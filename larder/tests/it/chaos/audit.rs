//! What the database notes for us while a run goes on: every outcome and every entry that
//! was replaced, by triggers, so that nothing that is undone later can hide.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{FromRow, PgPool};
use uuid::Uuid;

const TABLES: &str = r#"
create schema chaos;

create table chaos.outcomes (operation text not null, id uuid not null, status text not null);
create function chaos.note_outcome() returns trigger language plpgsql as $$
begin
    insert into chaos.outcomes values (
        tg_op,
        case when tg_op = 'DELETE' then old.id else new.id end,
        case when tg_op = 'DELETE' then old.status else new.status end
    );
    return null;
end $$;
create trigger outcomes after insert or update or delete on larder.finished_jobs
    for each row execute function chaos.note_outcome();

create table chaos.replaced (
    resource_key text not null,
    was_from timestamptz, is_from timestamptz,
    was_said timestamptz, is_said timestamptz
);
create function chaos.note_replaced() returns trigger language plpgsql as $$
begin
    insert into chaos.replaced values (
        new.resource_key,
        -- When the provider says that the data is from, read out of what it wrote.
        (old.body ->> 'last_updated')::timestamptz, (new.body ->> 'last_updated')::timestamptz,
        -- When the provider answered.
        (old.envelope #>> '{status,timestamp}')::timestamptz,
        (new.envelope #>> '{status,timestamp}')::timestamptz
    );
    return null;
end $$;
create trigger replaced after update on larder.entries
    for each row execute function chaos.note_replaced();
"#;

/// Sets the triggers up.
pub(crate) async fn install(pool: &PgPool) {
    sqlx::raw_sql(TABLES).execute(pool).await.unwrap();
}

/// Something that happened to an ended job.
#[derive(Debug, Clone, FromRow)]
pub(crate) struct Noted {
    pub(crate) operation: String,
    pub(crate) id: Uuid,
    pub(crate) status: String,
}

pub(crate) async fn outcomes(pool: &PgPool) -> Vec<Noted> {
    sqlx::query_as("select operation, id, status from chaos.outcomes")
        .fetch_all(pool)
        .await
        .unwrap()
}

/// An entry that took another one's place.
#[derive(Debug, Clone, FromRow)]
pub(crate) struct Replaced {
    /// Of what.
    #[expect(dead_code, reason = "for the message of a run that fails")]
    pub(crate) resource_key: String,
    pub(crate) was_from: Option<DateTime<Utc>>,
    pub(crate) is_from: Option<DateTime<Utc>>,
    pub(crate) was_said: Option<DateTime<Utc>>,
    pub(crate) is_said: Option<DateTime<Utc>>,
}

impl Replaced {
    /// Whether the new entry is older: by the data's own time where both say one, else by
    /// when the provider answered; `None` if neither is known.
    pub(crate) fn by_an_older(&self) -> Option<bool> {
        let earlier = |is: Option<DateTime<Utc>>, was: Option<DateTime<Utc>>| Some(is? < was?);
        earlier(self.is_from, self.was_from).or(earlier(self.is_said, self.was_said))
    }
}

pub(crate) async fn replaced(pool: &PgPool) -> Vec<Replaced> {
    sqlx::query_as("select * from chaos.replaced")
        .fetch_all(pool)
        .await
        .unwrap()
}

/// A row of the ledger.
#[derive(Debug, Clone, FromRow)]
pub(crate) struct Call {
    pub(crate) provider: String,
    pub(crate) worker: String,
    pub(crate) endpoint: String,
    pub(crate) reserved_at: DateTime<Utc>,
    pub(crate) end_at: Option<DateTime<Utc>>,
    pub(crate) requests: i16,
    pub(crate) credits: i32,
    pub(crate) reserved_credits: i32,
    pub(crate) outcome: Option<String>,
}

/// The whole ledger.
pub(crate) async fn ledger(pool: &PgPool) -> Vec<Call> {
    sqlx::query_as(
        "select provider, worker, endpoint, reserved_at, end_at, requests,
                coalesce(credits, reserved_credits) as credits, reserved_credits, outcome
         from larder.api_calls order by id",
    )
    .fetch_all(pool)
    .await
    .unwrap()
}

/// Jobs that wait or run, and calls that are not settled.
pub(crate) async fn left_over(pool: &PgPool) -> (i64, i64, i64) {
    sqlx::query_as(
        "select (select count(*) from larder.jobs where status = 'pending'),
                (select count(*) from larder.jobs where status = 'running'),
                (select count(*) from larder.api_calls where settled_at is null)",
    )
    .fetch_one(pool)
    .await
    .unwrap()
}

/// Completed refreshes without an answer in the cache.
pub(crate) async fn completed_without_answer(pool: &PgPool) -> i64 {
    sqlx::query_scalar(
        "select count(*) from larder.finished_jobs j
         where j.status = 'completed' and j.kind = 'refresh'
           and not exists (select from larder.entries e where e.resource_key = j.resource_key)",
    )
    .fetch_one(pool)
    .await
    .unwrap()
}

/// Jobs of a kind that wait or run.
pub(crate) async fn live(pool: &PgPool, kind: &str) -> i64 {
    sqlx::query_scalar("select count(*) from larder.jobs where kind = $1")
        .bind(kind)
        .fetch_one(pool)
        .await
        .unwrap()
}

/// Jobs and calls that a worker still holds.
pub(crate) async fn held(pool: &PgPool, worker: &str) -> i64 {
    sqlx::query_scalar(
        "select (select count(*) from larder.jobs
                 where leased_by = $1 and leased_until > clock_timestamp())
              + (select count(*) from larder.api_calls
                 where worker = $1 and settled_at is null and leased_until > clock_timestamp())",
    )
    .bind(worker)
    .fetch_one(pool)
    .await
    .unwrap()
}

/// What became of a job, and of what kind it was.
#[derive(Debug, Clone, FromRow)]
pub(crate) struct Ended {
    /// Which.
    #[expect(dead_code, reason = "for the message of a run that fails")]
    pub(crate) id: Uuid,
    pub(crate) kind: String,
    pub(crate) args: Value,
    pub(crate) status: String,
    pub(crate) attempt: i32,
    pub(crate) max_attempts: i32,
    pub(crate) rescues: i32,
    pub(crate) error: Option<String>,
}

pub(crate) async fn ended(pool: &PgPool) -> Vec<Ended> {
    sqlx::query_as(
        "select id, kind, args, status::text, attempt, max_attempts, rescues,
                errors -> -1 ->> 'error' as error
         from larder.finished_jobs",
    )
    .fetch_all(pool)
    .await
    .unwrap()
}
