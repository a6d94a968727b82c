//! Opens and closes lanes by hand.

use std::time::Duration;

use super::again::again;
use super::{Store, StoreError, seconds};
use crate::model::LaneName;

impl Store {
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
