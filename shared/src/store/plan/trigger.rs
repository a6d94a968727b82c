//! A read that waits for a call: takes its token, over all processes.

use crate::plan::trigger::Bucket;
use crate::store::{Store, StoreError};

/// What came of asking for a token.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Trigger {
    /// Whether there is one: the call is to be made.
    pub granted: bool,
    /// Tokens and threshold after it.
    pub bucket: Bucket,
    /// Calls a second that are planned.
    pub calls_a_sec: f64,
}

impl Store {
    /// Takes a token for a call of this batch, if its plan lets reads cause calls, `age_secs`
    /// is past the threshold and past what asking again buys nothing in, and one is there for
    /// reads. `None` if no read may cause a call.
    ///
    /// # Errors
    ///
    /// Whatever the database reports; no token is taken then.
    pub async fn take_trigger(
        &self,
        provider: &str,
        batch_key: &str,
        age_secs: f64,
    ) -> Result<Option<Trigger>, StoreError> {
        let row = sqlx::query!(
            r#"
            -- name: take_trigger
            with taken as (
                update larder.plans p
                set (tokens, threshold, bucket_at) =
                    (select b.tokens - c.price, b.threshold * exp(0.05), clock_timestamp()
                     from larder.plan_bucket(p) b)
                from larder.plan_calls c
                where p.provider = $1 and p.calls_a_sec is not null
                  and (c.provider, c.batch_key) = ($1, $2)
                  and $3 >= extract(epoch from c.min_interval)::float8
                  and (select b.tokens >= 3 and $3 > b.threshold from larder.plan_bucket(p) b)
                returning p.tokens, p.threshold, p.calls_a_sec
            )
            select true as "granted!", tokens as "tokens!", threshold as "threshold!",
                   calls_a_sec as "calls_a_sec!"
            from taken
            union all
            select false, b.tokens, b.threshold, p.calls_a_sec
            from larder.plans p
            cross join larder.plan_bucket(p) b
            where p.provider = $1 and p.calls_a_sec is not null and not exists (select from taken)
            "#,
            provider,
            batch_key,
            age_secs,
        )
        .fetch_optional(&self.db)
        .await?;
        Ok(row.map(|row| Trigger {
            granted: row.granted,
            bucket: Bucket {
                tokens: row.tokens,
                threshold: row.threshold,
            },
            calls_a_sec: row.calls_a_sec,
        }))
    }
}
