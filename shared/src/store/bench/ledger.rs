//! A past for a provider that has just been made: calls in the ledger, as use leaves them.

use std::time::Duration;

use super::{BenchDatabase, StoreError, connect, execute};
use crate::model::{EndpointName, ProviderName};
use crate::store::seconds;

impl BenchDatabase {
    /// Adds `calls` calls that ended evenly over the last `span`, one in ten of them a
    /// reader's, each of one credit, and folds them into the totals.
    ///
    /// # Errors
    ///
    /// Whatever the server reports.
    pub async fn add_history(
        &self,
        provider: &ProviderName,
        endpoint: &EndpointName,
        calls: u32,
        span: Duration,
    ) -> Result<(), StoreError> {
        let mut connection = connect(&self.url).await?;
        sqlx::query!(
            r#"
            -- name: bench_history
            insert into larder.api_calls (
                provider, endpoint, batch_key, class, items, lease_token, worker, reserved_at,
                reserved_credits, leased_until, settled_at, end_at, credits, outcome, http_status,
                duration, needs_fold
            )
            select $1, $2, $2 || '?', case when n % 10 = 0 then 'reader' else 'planned' end, 1,
                   gen_random_uuid(), 'bench', at - took, 1, at + interval '30 s', at, at, 1, 'ok', 200,
                   took, true
            from generate_series(1, $3::bigint) n
            cross join lateral (
                select clock_timestamp() - make_interval(secs => ($3 - n) * $4::float8 / $3) as at,
                       interval '200 ms' as took
            ) t
            "#,
            provider.as_str(),
            endpoint.as_str(),
            i64::from(calls),
            seconds(span),
        )
        .execute(&mut connection)
        .await?;
        sqlx::query!(
            r#"
            -- name: bench_fold
            select larder.fold($1)
            "#,
            provider.as_str(),
        )
        .fetch_all(&mut connection)
        .await?;
        Ok(())
    }

    /// Gives the planner the statistics of every table that autovacuum would give it a
    /// minute later.
    ///
    /// # Errors
    ///
    /// Whatever the server reports.
    pub async fn settle_all(&self) -> Result<(), StoreError> {
        let mut connection = connect(&self.url).await?;
        execute(&mut connection, "vacuum (analyze)".to_owned()).await
    }
}
