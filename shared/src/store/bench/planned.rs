//! Many planned resources with a past, and what a plan of them writes.

use crate::store::{Store, StoreError};

impl Store {
    /// Tracks so many resources of a provider as the planner paces them, each with reads and
    /// changes of its own.
    ///
    /// # Errors
    ///
    /// Whatever the database reports.
    pub async fn fill_planned(
        &self,
        provider: &str,
        batch_key: &str,
        resources: u32,
    ) -> Result<(), StoreError> {
        sqlx::query!(
            r#"
            -- name: bench_fill_planned
            insert into larder.resources (
                resource_key, provider, endpoint, batch_key, item, params, tracked, origin, every,
                planned, next_refresh_at, fetched_at, created_at, last_read_at, reads_recent,
                reads_long, changes, changed_secs, same_secs
            )
            select $1 || ':/bench?id=' || n, $1, split_part($2, '?', 1), $2, n::text, '{}', true, 'api',
                   interval '1 hour', true, now() + interval '1 hour', now(), now() - interval '30 days',
                   now(), 1e3 / n, 1e5 / n, 50, 1e6 * random(), 1e6 * random()
            from generate_series(1, $3::integer) n
            "#,
            provider,
            batch_key,
            i32::try_from(resources).unwrap_or(i32::MAX),
        )
        .execute(&self.db)
        .await?;
        sqlx::query!("-- name: bench_analyze\nanalyze larder.resources")
            .execute(&self.db)
            .await?;
        Ok(())
    }

    /// How many bytes of log the server has written since it began.
    ///
    /// # Errors
    ///
    /// Whatever the database reports.
    pub async fn log_position(&self) -> Result<f64, StoreError> {
        let bytes = sqlx::query_scalar!(
            r#"
            -- name: bench_log_position
            select pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::float8 as "bytes!"
            "#
        )
        .fetch_one(&self.db)
        .await?;
        Ok(bytes)
    }
}
