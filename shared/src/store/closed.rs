//! How long a lane stays closed, for readers that would wait in vain.

use std::collections::HashMap;

use serde::Deserialize;

use super::{Store, StoreError};

/// A lane that takes no calls at present.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Closed {
    /// Why it was closed.
    pub reason: String,
    /// For how long yet, by the database's clock, in seconds; `None` until an operator
    /// or a new key opens it.
    pub secs: Option<f64>,
}

impl Store {
    /// The lanes that are closed at present, by name.
    ///
    /// # Errors
    ///
    /// Whatever the database reports.
    pub async fn closed(&self) -> Result<HashMap<String, Closed>, StoreError> {
        let rows = sqlx::query!(
            r#"
            -- name: closed
            select lane, coalesce(closed_reason, 'closed') as "reason!",
                   case when isfinite(closed_until)
                        then extract(epoch from closed_until - clock_timestamp())::float8
                   end as secs
            from larder.lanes
            where removed_at is null and closed_until > clock_timestamp()
            "#,
        )
        .fetch_all(&self.db)
        .await?;
        Ok(rows
            .into_iter()
            .map(|row| {
                let closed = Closed {
                    reason: row.reason,
                    secs: row.secs,
                };
                (row.lane, closed)
            })
            .collect())
    }
}
