//! Locks that are in the way of workers.

use sqlx::{AssertSqlSafe, PgPool, Postgres, Transaction};

use crate::rig::eventually;

/// Keeps everybody from a table.
pub(crate) async fn lock(pool: &PgPool, table: &str) -> Transaction<'static, Postgres> {
    let mut held = pool.begin().await.unwrap();
    let lock = format!("lock table {table} in access exclusive mode");
    sqlx::raw_sql(AssertSqlSafe(lock))
        .execute(&mut *held)
        .await
        .unwrap();
    held
}

/// Waits until a statement of which this is a part waits for a lock.
pub(crate) async fn waits(pool: &PgPool, part: &str) {
    eventually("a statement waits for a lock", async || {
        let waiting = sqlx::query_scalar::<_, bool>(
            "select exists (select from pg_stat_activity
                            where datname = current_database() and pid <> pg_backend_pid()
                              and wait_event_type = 'Lock' and strpos(query, $1) > 0)",
        );
        let waiting = waiting.bind(part).fetch_one(pool).await.unwrap();
        waiting.then_some(())
    })
    .await;
}
