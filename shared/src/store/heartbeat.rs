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
                -- In the order in which a record locks them that raises their price.
                where id = any(array(
                    select id from larder.api_calls
                    where lease_token = any($1) and settled_at is null
                      and leased_until >= clock_timestamp()
                    order by id
                    for update
                ))
                returning id
            ),
            held as (
                select id from larder.jobs
                where lease_token = any($1) and status = 'running'
                  and leased_until >= clock_timestamp()
                  -- Always true. It has the calls locked first, which is the order that a
                  -- record takes them in: the other way round the two deadlock.
                  and (select count(*) from calls) >= 0
                order by id
                for update
            ),
            renewed as (
                update larder.jobs
                set leased_until = clock_timestamp() + make_interval(secs => $2)
                where id in (select id from held)
                returning lease_token
            )
            select distinct lease_token as "token!" from renewed
            "#,
            tokens,
            seconds(lease),
        )
        .fetch_all(&self.db)
        .await?;
        Ok(held.into_iter().collect())
    }
}
