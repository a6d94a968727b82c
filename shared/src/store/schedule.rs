//! Ticks of schedules: each made once, whoever makes it.

use chrono::{DateTime, Utc};

use super::{Store, StoreError};

/// A schedule that resources are refreshed by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduleRow {
    /// Its row.
    pub id: i64,
    /// Cron expression of five fields.
    pub expression: String,
    /// IANA time zone that it is read in.
    pub zone: String,
    /// Ticks up to here are over.
    pub last_tick_at: DateTime<Utc>,
    /// When the next tick is expected; `None` before anybody has looked.
    pub next_tick_at: Option<DateTime<Utc>>,
    /// The database's time, which decides what is over.
    pub now: DateTime<Utc>,
}

impl Store {
    /// The schedules that some tracked resource is refreshed by, and whose next tick is
    /// over or not known.
    ///
    /// # Errors
    ///
    /// Whatever the database reports.
    pub async fn due_schedules(&self) -> Result<Vec<ScheduleRow>, StoreError> {
        let rows = sqlx::query_as!(
            ScheduleRow,
            r#"
            -- name: due_schedules
            select id, expression, zone, last_tick_at, next_tick_at, clock_timestamp() as "now!"
            from larder.schedules s
            where (next_tick_at is null or next_tick_at <= (select clock_timestamp()))
              -- Looked up for each: a join (`offset` forbids one) could read all resources.
              and exists (select from larder.resources r where r.schedule_id = s.id offset 0)
            order by id
            "#
        )
        .fetch_all(&self.db)
        .await?;
        Ok(rows)
    }

    /// Makes a tick: every resource of the schedule is due. Answers how many, and `None`
    /// if somebody else has made it. `tick` is `None` where there is nothing to make up.
    ///
    /// # Errors
    ///
    /// Whatever the database reports.
    pub async fn make_tick(
        &self,
        schedule: i64,
        tick: Option<DateTime<Utc>>,
        next: Option<DateTime<Utc>>,
    ) -> Result<Option<u64>, StoreError> {
        let mut tx = self.db.begin().await?;
        let mut made = None;
        if let Some(tick) = tick {
            let first = sqlx::query!(
                r#"
                -- name: make_tick
                insert into larder.schedule_ticks (schedule_id, tick_at) values ($1, $2)
                on conflict do nothing
                "#,
                schedule,
                tick,
            )
            .execute(&mut tx)
            .await?;
            if first.rows_affected() == 1 {
                let due = sqlx::query!(
                    r#"
                    -- name: tick_resources
                    with locked as materialized (
                        select resource_key from larder.resources
                        where schedule_id = $1 and tracked
                        order by resource_key
                        for update
                    )
                    update larder.resources set next_refresh_at = $2
                    where resource_key in (select resource_key from locked)
                    "#,
                    schedule,
                    tick,
                )
                .execute(&mut tx)
                .await?;
                made = Some(due.rows_affected());
            }
        }
        sqlx::query!(
            r#"
            -- name: next_tick
            update larder.schedules
            set last_tick_at = greatest(last_tick_at, coalesce($2, last_tick_at)),
                next_tick_at = greatest(next_tick_at, $3)
            where id = $1
            "#,
            schedule,
            tick,
            next,
        )
        .execute(&mut tx)
        .await?;
        tx.commit().await?;
        Ok(made)
    }
}
