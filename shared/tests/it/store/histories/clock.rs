//! A database whose time is the test's.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;

/// The time that the database tells to whoever connects through [`Clock::pool`].
pub(super) struct Clock {
    pool: PgPool,
}

/// A minute and a half before an hour, a day and a month end.
pub(super) fn beginning() -> DateTime<Utc> {
    "2031-01-31T23:58:30Z".parse().unwrap()
}

impl Clock {
    pub(super) async fn start(pool: &PgPool) -> Self {
        sqlx::raw_sql(
            "create schema if not exists test_clock;
             create table if not exists test_clock.hand (at timestamptz not null);
             create or replace function test_clock.clock_timestamp() returns timestamptz
             language sql volatile as $$ select at from test_clock.hand $$;
             delete from test_clock.hand;
             insert into test_clock.hand values ('2031-01-31T23:58:30Z')",
        )
        .execute(pool)
        .await
        .unwrap();
        let options = (*pool.connect_options())
            .clone()
            .options([("search_path", "test_clock,pg_catalog,public")]);
        let pool = PgPoolOptions::new()
            .max_connections(2)
            .connect_with(options)
            .await
            .unwrap();
        let clock = Self { pool };
        let told: DateTime<Utc> = sqlx::query_scalar("select clock_timestamp()")
            .fetch_one(&clock.pool)
            .await
            .unwrap();
        assert_eq!(told, beginning(), "the database has its own clock still");
        clock
    }

    pub(super) fn pool(&self) -> &PgPool {
        &self.pool
    }

    pub(super) async fn set(&self, at: DateTime<Utc>) {
        sqlx::query("update test_clock.hand set at = $1")
            .bind(at)
            .execute(&self.pool)
            .await
            .unwrap();
    }

    /// Puts other words into the function that counts: a rule left out.
    pub(super) async fn rewrite_usage(&self, part: &str, instead: &str) {
        let before: String = sqlx::query_scalar(
            "select pg_get_functiondef(p.oid) from pg_proc p
             where p.pronamespace = 'larder'::regnamespace and p.proname = 'limit_usage'",
        )
        .fetch_one(&self.pool)
        .await
        .unwrap();
        let after = before.replace(part, instead);
        assert_ne!(before, after, "the function has no such part: {part}");
        sqlx::raw_sql(sqlx::AssertSqlSafe(after))
            .execute(&self.pool)
            .await
            .unwrap();
    }
}

/// The end of the hour that a moment lies in.
pub(super) fn end_of_hour(at: DateTime<Utc>) -> DateTime<Utc> {
    let into = at.timestamp().rem_euclid(3600);
    at + TimeDelta::seconds(3600 - into)
}
