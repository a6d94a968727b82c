//! Renews leases.

use std::collections::HashSet;
use std::time::Duration;

use uuid::Uuid;

use super::{Store, StoreError, seconds};

impl Store {
    /// Extends the leases held under `tokens`; answers those that are still held.
    ///
    /// A token that is missing from the answer was rescued: whoever holds it must not
    /// send what it has not sent yet.
    ///
    /// Rows that somebody has locked are left as they are: mostly it is the record of that
    /// very call, which may itself wait for a lock, and all other leases would run out
    /// meanwhile. Nobody rescues what is locked.
    ///
    /// # Errors
    ///
    /// Whatever the database reports; the leases run on as they were.
    pub async fn heartbeat(
        &self,
        tokens: &[Uuid],
        lease: Duration,
    ) -> Result<HashSet<Uuid>, StoreError> {
        let held = sqlx::query_scalar!(
            r#"
            -- name: heartbeat
            with calls as (
                update larder.api_calls
                set leased_until = clock_timestamp() + make_interval(secs => $2)
                where id = any(array(
                    select id from larder.api_calls
                    where lease_token = any($1) and settled_at is null
                      and leased_until >= clock_timestamp()
                    order by id
                    for update skip locked
                ))
            ),
            free as materialized (
                select id from larder.jobs
                where lease_token = any($1) and status = 'running'
                  and leased_until >= clock_timestamp()
                order by id
                for update skip locked
            ),
            renewed as (
                update larder.jobs
                set leased_until = clock_timestamp() + make_interval(secs => $2)
                where id in (select id from free)
                returning lease_token
            )
            select lease_token as "token!" from renewed
            union
            select lease_token from larder.jobs
            where lease_token = any($1) and status = 'running'
              and leased_until >= clock_timestamp()
            "#,
            tokens,
            seconds(lease),
        )
        .fetch_all(&self.db.promptly())
        .await?;
        Ok(held.into_iter().collect())
    }
}
