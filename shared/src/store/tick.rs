//! Makes due resources into jobs.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::again::again;
use super::{Store, StoreError};

/// What one tick did, as the API shows it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Ticked {
    /// Due resources of open lanes: `enqueued + already_waiting`.
    pub due: i64,
    /// Those that became jobs now.
    pub enqueued: i64,
    /// Those that have a live job.
    pub already_waiting: i64,
    /// Keys of those that became jobs, if asked for.
    #[serde(rename = "resources", skip_serializing_if = "Option::is_none")]
    pub keys: Option<Vec<String>>,
    /// Lanes for which nothing was enqueued.
    pub closed_lanes: Vec<ClosedLane>,
    /// When it was, as a Unix time of the database.
    #[serde(skip)]
    pub at_unix_secs: f64,
}

/// A lane that takes no calls, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClosedLane {
    /// Which lane.
    pub lane: String,
    /// Why it was closed.
    pub reason: String,
    /// Until when; `None` until an operator or a new key opens it.
    pub until: Option<DateTime<Utc>>,
}

impl Store {
    /// Makes due resources of open lanes into jobs, each at most once whoever else ticks.
    ///
    /// Call [`super::Notifier::jobs`] after it when something was enqueued.
    ///
    /// # Errors
    ///
    /// Whatever the database reports.
    pub async fn tick(&self, keys: bool) -> Result<Ticked, StoreError> {
        again(|| self.tick_once(keys)).await
    }

    async fn tick_once(&self, keys: bool) -> Result<Ticked, StoreError> {
        let row = sqlx::query!(
            r#"
            -- name: tick
            select due as "due!", enqueued as "enqueued!", already_waiting as "already_waiting!", keys,
                   extract(epoch from clock_timestamp())::float8 as "at_unix_secs!"
            from larder.enqueue_due(p_keys => $1)
            "#,
            keys,
        )
        .fetch_one(&self.db)
        .await?;
        Ok(Ticked {
            due: row.due,
            enqueued: row.enqueued,
            already_waiting: row.already_waiting,
            keys: keys.then(|| row.keys.unwrap_or_default()),
            at_unix_secs: row.at_unix_secs,
            closed_lanes: self.closed_lanes().await?,
        })
    }

    /// The lanes that are closed now.
    ///
    /// # Errors
    ///
    /// Whatever the database reports.
    pub async fn closed_lanes(&self) -> Result<Vec<ClosedLane>, StoreError> {
        let lanes = sqlx::query_as!(
            ClosedLane,
            r#"
            -- name: closed_lanes
            select lane, closed_reason as "reason!",
                   case when isfinite(closed_until) then closed_until end as until
            from larder.lanes
            where removed_at is null and closed_until > clock_timestamp()
            order by lane
            "#
        )
        .fetch_all(&self.db)
        .await?;
        Ok(lanes)
    }
}
