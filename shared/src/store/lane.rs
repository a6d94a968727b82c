//! Lists lanes, opens and closes them by hand.

use std::time::Duration;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use super::again::again;
use super::{Store, StoreError, seconds};
use crate::model::LaneName;

/// A lane, and whether it takes jobs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Lane {
    /// A provider's name, or `local`.
    pub lane: String,
    /// Whether its jobs are taken.
    pub open: bool,
    /// Until when it is closed; `None` also when that is up to an operator.
    pub closed_until: Option<DateTime<Utc>>,
    /// Why it is closed.
    pub reason: Option<String>,
}

impl Store {
    /// Every lane, by name.
    ///
    /// # Errors
    ///
    /// Whatever the database reports.
    pub async fn lanes(&self) -> Result<Vec<Lane>, StoreError> {
        let lanes = sqlx::query_as!(
            Lane,
            r#"
            -- name: lanes
            select lane, coalesce(closed_until <= t.at, true) as "open!",
                   case when closed_until > t.at and isfinite(closed_until) then closed_until
                   end as closed_until,
                   case when closed_until > t.at then closed_reason end as reason
            from larder.lanes
            cross join (select clock_timestamp() as at) t
            where removed_at is null
            order by lane
            "#
        )
        .fetch_all(&self.db)
        .await?;
        Ok(lanes)
    }

    /// Opens a lane; answers whether there is one of that name.
    ///
    /// # Errors
    ///
    /// Whatever the database reports.
    pub async fn open_lane(&self, lane: &LaneName) -> Result<bool, StoreError> {
        again(|| self.open_lane_once(lane)).await
    }

    async fn open_lane_once(&self, lane: &LaneName) -> Result<bool, StoreError> {
        let done = sqlx::query!(
            r#"
            -- name: open_lane
            -- Closed until now, not null: a lane that was closed starts slowly.
            update larder.lanes
            set database_changed_at = null,
                closed_until = case when closed_until > clock_timestamp()
                                    then clock_timestamp() else closed_until end,
                closed_reason = case when closed_until > clock_timestamp()
                                     then 'opened' else closed_reason end
            where lane = $1 and removed_at is null
            "#,
            lane.as_str(),
        )
        .execute(&self.db)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Closes a lane for a time, or until it is opened by hand; answers whether there is
    /// one of that name.
    ///
    /// # Errors
    ///
    /// Whatever the database reports.
    pub async fn close_lane(
        &self,
        lane: &LaneName,
        reason: &str,
        time: Option<Duration>,
    ) -> Result<bool, StoreError> {
        again(|| self.close_lane_once(lane, reason, time)).await
    }

    async fn close_lane_once(
        &self,
        lane: &LaneName,
        reason: &str,
        time: Option<Duration>,
    ) -> Result<bool, StoreError> {
        let done = sqlx::query!(
            r#"
            -- name: close_lane
            update larder.lanes
            set closed_until = case when $3::float8 is null then 'infinity'::timestamptz
                                    else clock_timestamp() + make_interval(secs => $3) end,
                closed_reason = $2,
                closed_at = clock_timestamp()
            where lane = $1 and removed_at is null
            "#,
            lane.as_str(),
            reason,
            time.map(seconds),
        )
        .execute(&self.db)
        .await?;
        Ok(done.rows_affected() == 1)
    }
}
