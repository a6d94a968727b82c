//! Makes due resources into jobs.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::types::Json;

use super::again::again;
use super::{Followed, Store, StoreError, follow};
use crate::model::Wanted;

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
}

/// What a timer's tick did, and whether one was enough.
#[derive(Debug, Clone, PartialEq)]
pub struct TimersTick {
    /// As in [`Ticked`].
    pub due: i64,
    /// As in [`Ticked`].
    pub enqueued: i64,
    /// Whether the moment of some schedule may be over.
    pub schedules: bool,
    /// Why no list has to be followed; `None` if one has another entry than last time.
    pub followed: Option<Followed>,
}

/// A lane that takes no calls, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
                   (select coalesce(jsonb_agg(jsonb_build_object(
                               'lane', lane, 'reason', closed_reason,
                               'until', case when isfinite(closed_until) then closed_until end)
                               order by lane), '[]')
                    from larder.lanes
                    where removed_at is null and closed_until > clock_timestamp()
                   ) as "closed_lanes!: Json<Vec<ClosedLane>>"
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
            closed_lanes: row.closed_lanes.0,
        })
    }

    /// A tick, and a look whether schedules and lists have to be seen to, in one statement:
    /// mostly they have not, and many timers tick for years. If they have, do that, and tick
    /// again.
    ///
    /// # Errors
    ///
    /// Whatever the database reports.
    pub async fn timers_tick(&self, wanted: &Wanted<'_>) -> Result<TimersTick, StoreError> {
        again(|| self.timers_tick_once(wanted)).await
    }

    async fn timers_tick_once(&self, wanted: &Wanted<'_>) -> Result<TimersTick, StoreError> {
        let row = sqlx::query!(
            r#"
            -- name: timers_tick
            select d.due as "due!", d.enqueued as "enqueued!", c.digest as "digest!",
                   -- The same as in due_schedules and follow_look.
                   exists (select from larder.schedules s
                           where (s.next_tick_at is null or s.next_tick_at <= (select clock_timestamp()))
                             and exists (select from larder.resources r where r.schedule_id = s.id offset 0)
                   ) as "schedules!",
                   exists (select from larder.entries e
                           where e.resource_key = any($1)
                             and c.lists ->> e.resource_key is distinct from e.call_id::text) as "changed!"
            from larder.enqueue_due() d
            cross join larder.configuration c
            "#,
            &follow::keys(wanted),
        )
        .fetch_one(&self.db)
        .await?;
        Ok(TimersTick {
            due: row.due,
            enqueued: row.enqueued,
            schedules: row.schedules,
            followed: follow::nothing_to_do(wanted, &row.digest, row.changed),
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
