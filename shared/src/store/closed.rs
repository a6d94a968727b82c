//! How long a lane stays closed, for readers that would wait in vain.

use super::{Store, StoreError};
use crate::model::LaneName;

/// A lane that takes no calls at present.
#[derive(Debug, Clone, PartialEq)]
pub struct Closed {
    /// Why it was closed.
    pub reason: String,
    /// For how long yet, by the database's clock, in seconds; `None` until an operator
    /// or a new key opens it.
    pub secs: Option<f64>,
}

impl Store {
    /// Why and for how long a lane is closed; `None` if it is open.
    ///
    /// # Errors
    ///
    /// Whatever the database reports.
    pub async fn closed(&self, lane: &LaneName) -> Result<Option<Closed>, StoreError> {
        let closed = sqlx::query_as!(
            Closed,
            r#"
            -- name: closed
            select coalesce(closed_reason, 'closed') as "reason!",
                   case when isfinite(closed_until)
                        then extract(epoch from closed_until - clock_timestamp())::float8
                   end as secs
            from larder.lanes
            where lane = $1 and closed_until > clock_timestamp()
            "#,
            lane.as_str(),
        )
        .fetch_optional(&self.pool)
        .await?;
        Ok(closed)
    }
}
