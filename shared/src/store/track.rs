//! Which resources are refreshed ahead of need, and how.

use std::collections::HashMap;
use std::time::Duration;

use super::again::again;
use super::{Store, StoreError, resources, seconds};
use crate::model::{Pace, ResourceSpec, TrackSpec, Tracking};
use crate::store::db::Tx;

impl Store {
    /// Tracks a resource from now on, as a person asked for it.
    ///
    /// # Errors
    ///
    /// Whatever the database reports.
    pub async fn track(
        &self,
        resource: &ResourceSpec,
        tracking: &Tracking,
    ) -> Result<(), StoreError> {
        again(|| self.track_once(resource, tracking)).await
    }

    async fn track_once(
        &self,
        resource: &ResourceSpec,
        tracking: &Tracking,
    ) -> Result<(), StoreError> {
        let mut tx = self.db.begin().await?;
        let spec = TrackSpec {
            resource: resource.clone(),
            group: String::new(),
            tracking: tracking.clone(),
        };
        track(&mut tx, &[&spec], "api", true).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Stops tracking a resource; its entry stays. Answers whether it was tracked.
    ///
    /// # Errors
    ///
    /// Whatever the database reports.
    pub async fn untrack(&self, key: &str) -> Result<bool, StoreError> {
        again(|| self.untrack_once(key)).await
    }

    async fn untrack_once(&self, key: &str) -> Result<bool, StoreError> {
        let done = sqlx::query!(
            r#"
            -- name: untrack
            update larder.resources
            set tracked = false, origin = 'read', tracked_group = null, every = null, planned = false,
                schedule_id = null, next_refresh_at = null, max_age = null, fresh_for = null, weight = 1
            where resource_key = $1 and tracked
            "#,
            key,
        )
        .execute(&self.db)
        .await?;
        Ok(done.rows_affected() == 1)
    }
}

/// Tracks what a configuration names and what its lists have, and no longer what is in
/// neither: all but `kept` and the members of `kept_groups`.
pub(super) async fn sync(
    tx: &mut Tx,
    named: &[TrackSpec],
    members: &[TrackSpec],
    kept: &[String],
    kept_groups: &[String],
) -> Result<(), StoreError> {
    let (named, members) = (by_key(named), by_key(members));
    // Before any row is locked: an insert can wait for one who waits for a row.
    let specs = named.iter().chain(&members).map(|track| &track.resource);
    resources::insert_missing(tx, &specs.collect::<Vec<_>>(), "config").await?;
    // All rows in one order, before the statements that each take some of them.
    sqlx::query!(
        r#"
        -- name: track_lock
        select resource_key from larder.resources
        where resource_key = any($1) or (tracked and origin = 'config')
        order by resource_key
        for update
        "#,
        kept,
    )
    .fetch_all(&mut *tx)
    .await?;
    track(tx, &named, "config", true).await?;
    track(tx, &members, "config", false).await?;
    sqlx::query!(
        r#"
        -- name: untrack_missing
        update larder.resources
        set tracked = false, origin = 'read', tracked_group = null, every = null, planned = false,
            schedule_id = null, next_refresh_at = null, max_age = null, fresh_for = null, weight = 1
        where tracked and origin = 'config' and resource_key <> all($1)
          and coalesce(tracked_group <> all($2), true)
        "#,
        kept,
        kept_groups,
    )
    .execute(&mut *tx)
    .await?;
    Ok(())
}

/// In key order; of two groups with the same resource the first one has it.
fn by_key(tracked: &[TrackSpec]) -> Vec<&TrackSpec> {
    let mut tracked: Vec<&TrackSpec> = tracked.iter().collect();
    tracked.sort_by(|a, b| a.resource.key.cmp(&b.resource.key));
    tracked.dedup_by(|later, first| later.resource.key == first.resource.key);
    tracked
}

/// Tracks resources in key order. Rows that are as they should be are not written; those
/// that a person tracks only if they are to be taken over.
async fn track(
    tx: &mut Tx,
    tracked: &[&TrackSpec],
    origin: &str,
    take_over: bool,
) -> Result<(), StoreError> {
    if tracked.is_empty() {
        return Ok(());
    }
    let specs: Vec<&ResourceSpec> = tracked.iter().map(|track| &track.resource).collect();
    resources::insert_missing(tx, &specs, origin).await?;
    let schedules = schedules(tx, tracked).await?;
    let column = |pick: fn(&TrackSpec) -> Option<f64>| -> Vec<Option<f64>> {
        tracked.iter().map(|track| pick(track)).collect()
    };
    let keys: Vec<String> = specs.iter().map(|spec| spec.key.to_string()).collect();
    let groups: Vec<String> = tracked.iter().map(|track| track.group.clone()).collect();
    let every = column(|track| match &track.tracking.pace {
        Pace::Every(every) => Some(seconds(*every)),
        Pace::Planned => Some(first_pace(track.tracking.max_age)),
        Pace::Schedule { .. } => None,
    });
    let planned: Vec<bool> = (tracked.iter())
        .map(|track| track.tracking.pace == Pace::Planned)
        .collect();
    let schedule: Vec<Option<i64>> = tracked
        .iter()
        .map(|track| match &track.tracking.pace {
            Pace::Every(_) | Pace::Planned => None,
            Pace::Schedule { expression, zone } => {
                schedules.get(&(expression.clone(), zone.clone())).copied()
            }
        })
        .collect();
    let weights: Vec<f64> = tracked.iter().map(|track| track.tracking.weight).collect();
    sqlx::query!(
        r#"
        -- name: track
        with wanted as (
            select w.key, nullif(w.tracked_group, '') as tracked_group,
                   make_interval(secs => w.every) as every, w.schedule_id,
                   make_interval(secs => w.max_age) as max_age,
                   make_interval(secs => w.fresh_for) as fresh_for, w.weight, w.planned
            from unnest($1::text[], $2::text[], $3::float8[], $4::bigint[], $5::float8[], $6::float8[],
                        $7::float8[], $10::boolean[])
                as w(key, tracked_group, every, schedule_id, max_age, fresh_for, weight, planned)
        ),
        changed as materialized (
            select r.resource_key,
                   -- A new pace counts from the last answer; a pace that stays keeps its time.
                   r.tracked and (p.every, r.schedule_id) is not distinct from (r.every, w.schedule_id)
                       as same_pace,
                   p.every
            from wanted w
            join larder.resources r on r.resource_key = w.key
            -- What was planned already stays as planned.
            cross join lateral (
                select case when w.planned and r.planned then r.every else w.every end as every
            ) p
            where (r.tracked, r.origin, r.tracked_group, r.every, r.schedule_id, r.max_age, r.fresh_for,
                   r.weight, r.planned)
                  is distinct from
                  (true, $8, w.tracked_group, p.every, w.schedule_id, w.max_age, w.fresh_for, w.weight,
                   w.planned)
              and ($9 or not r.tracked or r.origin <> 'api')
            order by r.resource_key
            for update of r
        )
        update larder.resources r
        set tracked = true,
            origin = $8,
            tracked_group = w.tracked_group,
            next_refresh_at = case when c.same_pace then r.next_refresh_at
                                   when c.every is null and r.fetched_at is not null then null
                                   else coalesce(r.fetched_at + c.every, clock_timestamp()) end,
            every = c.every,
            planned = w.planned,
            schedule_id = w.schedule_id,
            max_age = w.max_age,
            fresh_for = w.fresh_for,
            weight = w.weight
        from changed c
        join wanted w on w.key = c.resource_key
        where r.resource_key = c.resource_key
        "#,
        &keys,
        &groups,
        &every as &[Option<f64>],
        &schedule as &[Option<i64>],
        &column(|track| track.tracking.max_age.map(seconds)) as &[Option<f64>],
        &column(|track| track.tracking.fresh_for.map(seconds)) as &[Option<f64>],
        &weights,
        origin,
        take_over,
        &planned,
    )
    .execute(&mut *tx)
    .await?;
    Ok(())
}

/// The pace in seconds of what is planned, until the first plan.
fn first_pace(max_age: Option<Duration>) -> f64 {
    const HOUR: f64 = 3_600.0;
    max_age.map_or(HOUR, |bound| (seconds(bound) / 2.0).clamp(1.0, HOUR))
}

/// Rows of the schedules that are named; a new one begins now, so that no tick from before
/// it is made up.
async fn schedules(
    tx: &mut Tx,
    tracked: &[&TrackSpec],
) -> Result<HashMap<(String, String), i64>, StoreError> {
    let mut named: Vec<(String, String)> = tracked
        .iter()
        .filter_map(|track| match &track.tracking.pace {
            Pace::Schedule { expression, zone } => Some((expression.clone(), zone.clone())),
            Pace::Every(_) | Pace::Planned => None,
        })
        .collect();
    if named.is_empty() {
        return Ok(HashMap::new());
    }
    named.sort();
    named.dedup();
    let (expressions, zones): (Vec<String>, Vec<String>) = named.into_iter().unzip();
    sqlx::query!(
        r#"
        -- name: insert_schedules
        insert into larder.schedules (expression, zone)
        select * from unnest($1::text[], $2::text[])
        on conflict (expression, zone) do nothing
        "#,
        &expressions,
        &zones,
    )
    .execute(&mut *tx)
    .await?;
    let rows = sqlx::query!(
        r#"
        -- name: find_schedules
        select s.id, s.expression, s.zone from larder.schedules s
        join unnest($1::text[], $2::text[]) as n(expression, zone) using (expression, zone)
        "#,
        &expressions,
        &zones,
    )
    .fetch_all(&mut *tx)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| ((row.expression, row.zone), row.id))
        .collect())
}
