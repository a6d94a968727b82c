//! Forgets what has been kept for long enough.

use std::time::Duration;

use super::{Store, StoreError, seconds};

/// For how long each kind of history is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Completed and cancelled jobs.
    pub finished: Duration,
    /// Failed jobs.
    pub failed: Duration,
}

/// For how long calls are kept: longer than the longest window, a month, and what may
/// come late for it.
const CALLS_KEPT: Duration = Duration::from_secs(100 * 86_400);

/// Rows that one statement deletes at most, so that no lock is held for long.
const AT_MOST: i64 = 10_000;

impl Store {
    /// Drops the days of history that are over, and deletes old calls, absences and ticks;
    /// answers how many days were dropped.
    ///
    /// A day that is being read at the moment is left for the next time.
    ///
    /// # Errors
    ///
    /// Whatever the database reports.
    pub async fn prune(&self, retention: Retention) -> Result<i32, StoreError> {
        let dropped = sqlx::query_scalar!(
            r#"
            -- name: drop_partitions
            select larder.drop_partitions(make_interval(secs => $1), make_interval(secs => $2)) as "dropped!"
            "#,
            seconds(retention.finished),
            seconds(retention.failed),
        )
        .fetch_one(&self.db)
        .await?;
        sqlx::query!(
            r#"
            -- name: prune_calls
            delete from larder.api_calls
            where id = any(array(
                select c.id from larder.api_calls c
                where c.reserved_at < (select clock_timestamp()) - make_interval(secs => $1)
                  and c.settled_at is not null and not c.needs_fold
                  -- Nothing that still stands in a window, however long that is.
                  and not exists (
                      select from larder.limits l
                      where l.provider = c.provider and l.removed_at is null
                        and (l.kind = 'rolling' and c.end_at >= (select clock_timestamp()) - l.width
                             or l.kind = 'discovered' and exists (
                                 select from larder.limit_windows_met(
                                     l, (select clock_timestamp()), (select clock_timestamp())) w
                                 where c.end_at >= w.starts_at))
                  )
                order by c.reserved_at
                limit $2
                for update of c skip locked
            ))
            "#,
            seconds(CALLS_KEPT),
            AT_MOST,
        )
        .execute(&self.db)
        .await?;
        sqlx::query!(
            r#"
            -- name: prune_ended_calls
            delete from larder.ended_calls e
            where e.starts_at < (select clock_timestamp()) - make_interval(secs => $1)
              and not exists (
                  select from larder.limits l
                  where l.provider = e.provider and l.removed_at is null and l.kind = 'rolling'
                    and e.starts_at >= (select clock_timestamp()) - l.width - interval '1 hour'
              )
            "#,
            seconds(CALLS_KEPT),
        )
        .execute(&self.db)
        .await?;
        sqlx::query!(
            r#"
            -- name: prune_absences
            delete from larder.absences where until < (select clock_timestamp())
            "#
        )
        .execute(&self.db)
        .await?;
        sqlx::query!(
            r#"
            -- name: prune_schedule_ticks
            delete from larder.schedule_ticks t using larder.schedules s
            where s.id = t.schedule_id and t.tick_at < s.last_tick_at
              and t.made_at < (select clock_timestamp()) - interval '30 days'
            "#
        )
        .execute(&self.db)
        .await?;
        Ok(dropped)
    }

    /// Drops a provider's untracked resources beyond `most`, least recently read first,
    /// with their entries; answers how many.
    ///
    /// One that has a live job stays: somebody waits for it.
    ///
    /// # Errors
    ///
    /// Whatever the database reports.
    pub async fn drop_untracked(&self, provider: &str, most: u32) -> Result<u64, StoreError> {
        let mut tx = self.db.begin().await?;
        let keys = sqlx::query_scalar!(
            r#"
            -- name: drop_untracked
            delete from larder.resources
            where resource_key = any(array(
                select r.resource_key from larder.resources r
                where r.provider = $1 and not r.tracked
                  and not exists (select from larder.jobs j
                                  where j.resource_key = r.resource_key and j.kind = 'refresh')
                order by r.last_read_at nulls first, r.created_at
                limit greatest((select count(*) from larder.resources
                                where provider = $1 and not tracked) - $2, 0)
                for update skip locked
            ))
            returning resource_key
            "#,
            provider,
            i64::from(most),
        )
        .fetch_all(&mut tx)
        .await?;
        sqlx::query!(
            r#"
            -- name: drop_untracked_entries
            delete from larder.entries
            where resource_key = any(array(
                select resource_key from larder.entries
                where resource_key = any($1)
                order by resource_key
                for update
            ))
            "#,
            &keys,
        )
        .execute(&mut tx)
        .await?;
        tx.commit().await?;
        Ok(u64::try_from(keys.len()).unwrap_or(u64::MAX))
    }
}
