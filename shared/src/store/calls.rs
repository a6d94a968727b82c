//! Reads the ledger.

use chrono::{DateTime, Utc};

use super::{Store, StoreError};

/// One request to a provider.
#[derive(Debug, Clone, PartialEq)]
pub struct LedgerRow {
    /// The call's number.
    pub id: i64,
    /// Whose.
    pub provider: String,
    /// Which of the provider's paths.
    pub endpoint: String,
    /// `planned`, `reader` or `operator`: who asked for it.
    pub class: String,
    /// Jobs that it was to answer.
    pub items: i32,
    /// When its cost was set aside.
    pub reserved_at: DateTime<Utc>,
    /// The most that it could cost.
    pub reserved_credits: i32,
    /// When its cost became final; `None` while it is in flight.
    pub settled_at: Option<DateTime<Utc>>,
    /// What it cost.
    pub credits: Option<i32>,
    /// What came of it.
    pub outcome: Option<String>,
    /// Status of the reply.
    pub http_status: Option<i16>,
    /// From sending it to the last byte, in seconds.
    pub duration_secs: Option<f64>,
}

impl Store {
    /// The ledger, newest first, before the call with the number `before`.
    ///
    /// # Errors
    ///
    /// Whatever the database reports.
    pub async fn calls(
        &self,
        provider: Option<&str>,
        before: Option<i64>,
        limit: i64,
    ) -> Result<Vec<LedgerRow>, StoreError> {
        let rows = sqlx::query_as!(
            LedgerRow,
            r#"
            -- name: calls
            select id, provider, endpoint, class, items, reserved_at, reserved_credits, settled_at,
                   credits, outcome, http_status,
                   extract(epoch from duration)::float8 as duration_secs
            from larder.api_calls
            where ($1::text is null or provider = $1) and ($2::bigint is null or id < $2)
            order by id desc
            limit $3
            "#,
            provider,
            before,
            limit,
        )
        .fetch_all(&self.db)
        .await?;
        Ok(rows)
    }

    /// Credits of this provider's calls since midnight, UTC; those in flight count as
    /// reserved.
    ///
    /// # Errors
    ///
    /// Whatever the database reports.
    pub async fn credits_today(&self, provider: &str) -> Result<u64, StoreError> {
        let credits = sqlx::query_scalar!(
            r#"
            -- name: credits_today
            select coalesce(sum(coalesce(credits, reserved_credits)), 0)::bigint as "credits!"
            from larder.api_calls
            where provider = $1
              and reserved_at >= date_trunc('day', clock_timestamp(), 'UTC')
            "#,
            provider,
        )
        .fetch_one(&self.db)
        .await?;
        Ok(u64::try_from(credits).unwrap_or(0))
    }
}
