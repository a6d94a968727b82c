//! Brings what the configuration says into rows.

use super::{ListProblem, Store, StoreError, seconds};
use crate::budget::{LaneSpec, LimitSpec, LimitWindow};
use crate::model::{ProviderName, TrackSpec, Wanted};
use crate::store::db::Tx;

impl Store {
    /// Makes lanes, limits and tracked resources what the configuration says, in one
    /// transaction.
    ///
    /// Doing it twice changes nothing, so that any number of processes may do it at
    /// start. A lane, limit or resource that is missing is retired, and keeps its
    /// history and its entry. A raised cap, or a new key, opens the lane at once.
    ///
    /// # Errors
    ///
    /// Whatever the database reports; nothing is changed then.
    pub async fn sync(&self, lanes: &[LaneSpec], tracked: &[TrackSpec]) -> Result<(), StoreError> {
        self.sync_all(lanes, &Wanted::named(tracked)).await
    }

    /// The same with groups that follow a list: a list that cannot be read leaves the
    /// members of its group as they are, and is told in the log.
    ///
    /// # Errors
    ///
    /// Whatever the database reports; nothing is changed then.
    pub async fn sync_all(
        &self,
        lanes: &[LaneSpec],
        wanted: &Wanted<'_>,
    ) -> Result<(), StoreError> {
        let mut tx = self.db.begin().await?;
        // Locks in one order: lanes by name, then limits by id, then the configuration, then
        // resources by key.
        let mut lanes: Vec<&LaneSpec> = lanes.iter().collect();
        lanes.sort_by(|a, b| a.provider.cmp(&b.provider));
        for lane in &lanes {
            let same_grace = sync_lane(&mut tx, lane).await?;
            for limit in &lane.limits {
                sync_limit(&mut tx, &lane.provider, limit, same_grace).await?;
            }
        }
        retire_missing(&mut tx, &lanes).await?;
        let problems = super::follow::start(&mut tx, wanted).await?;
        tx.commit().await?;
        for ListProblem { group, list, why } in problems {
            tracing::info!(group, list, why, "the list of a group cannot be read");
        }
        Ok(())
    }
}

/// Answers whether calls are charged to the same calendar windows as before.
async fn sync_lane(tx: &mut Tx, lane: &LaneSpec) -> Result<bool, StoreError> {
    let same_grace = sqlx::query_scalar!(
        r#"
        -- name: sync_lane_before
        select reset_grace = make_interval(secs => $2) as "same!"
        from larder.lanes where lane = $1
        for no key update
        "#,
        lane.provider.as_str(),
        seconds(lane.reset_grace),
    )
    .fetch_optional(&mut *tx)
    .await?;
    sqlx::query!(
        r#"
        -- name: sync_lane
        insert into larder.lanes as l (
            lane, is_provider, key_id, reset_grace, max_freeze, max_transit, mode, max_attempts,
            readers_share, host, breaker_failures, breaker_pause, breaker_max_pause, reports_usage
        )
        values (
            $1, true, $2, make_interval(secs => $3), make_interval(secs => $4),
            make_interval(secs => $5), $6, $7,
            $8, $9, $10, make_interval(secs => $11), make_interval(secs => $12), $13
        )
        on conflict (lane) do update set
            readers_share = excluded.readers_share,
            -- What is kept is worked out anew.
            kept_until = case when l.readers_share = excluded.readers_share then l.kept_until end,
            host = excluded.host,
            breaker_failures = excluded.breaker_failures,
            breaker_pause = excluded.breaker_pause,
            breaker_max_pause = excluded.breaker_max_pause,
            reports_usage = excluded.reports_usage,
            -- A process that has no key, such as `larder init` somewhere else, knows of no other.
            key_id = coalesce(excluded.key_id, l.key_id),
            reset_grace = excluded.reset_grace,
            max_freeze = excluded.max_freeze,
            max_transit = excluded.max_transit,
            mode = excluded.mode,
            max_attempts = excluded.max_attempts,
            removed_at = null,
            -- A new key opens what the old one closed; slowly, so until now and not null.
            closed_until = case when excluded.key_id is not null
                                 and l.key_id is distinct from excluded.key_id
                                 and l.closed_reason like 'key%'
                                then least(l.closed_until, clock_timestamp()) else l.closed_until end
        "#,
        lane.provider.as_str(),
        lane.key_id,
        seconds(lane.reset_grace),
        seconds(lane.max_freeze),
        seconds(lane.max_transit),
        lane.mode.as_str(),
        i32::try_from(lane.max_attempts).unwrap_or(i32::MAX),
        lane.readers_share,
        lane.host,
        i32::try_from(lane.breaker_failures).unwrap_or(i32::MAX),
        seconds(lane.breaker_pause),
        seconds(lane.breaker_max_pause),
        lane.usage_endpoint.is_some(),
    )
    .execute(&mut *tx)
    .await?;
    Ok(same_grace.unwrap_or(true))
}

async fn sync_limit(
    tx: &mut Tx,
    provider: &ProviderName,
    limit: &LimitSpec,
    same_grace: bool,
) -> Result<(), StoreError> {
    let (kind, width, period, zone, day, time) = match &limit.window {
        LimitWindow::Rolling(width) => ("rolling", Some(seconds(*width)), None, None, None, None),
        LimitWindow::Calendar {
            period,
            zone,
            anchor_day,
            anchor_time,
        } => (
            "calendar",
            None,
            Some(period.as_str()),
            Some(zone.as_str()),
            Some(i16::from(*anchor_day)),
            Some(*anchor_time),
        ),
        LimitWindow::Concurrency => ("concurrency", None, None, None, None, None),
        LimitWindow::Discovered => ("discovered", None, None, None, None, None),
    };
    // Settled calls go into the totals first, since a rebuild adds up those that are there.
    sqlx::query!(
        r#"
        -- name: sync_fold
        select larder.fold($1)
        "#,
        provider.as_str(),
    )
    .fetch_all(&mut *tx)
    .await?;
    let before = sqlx::query!(
        r#"
        -- name: sync_limit_before
        select id, cap,
               removed_at is null
                 and (unit, kind) = ($3, $4)
                 and width is not distinct from make_interval(secs => $5)
                 and (period, zone, anchor_day, anchor_time)
                     is not distinct from ($6::text, $7::text, $8::smallint, $9::time) as "same!"
        from larder.limits
        where provider = $1 and name = $2
        for update
        "#,
        provider.as_str(),
        limit.name,
        limit.unit.as_str(),
        kind,
        width,
        period,
        zone,
        day,
        time,
    )
    .fetch_optional(&mut *tx)
    .await?;
    let id = sqlx::query_scalar!(
        r#"
        -- name: sync_limit
        insert into larder.limits (
            provider, name, unit, kind, cap, width, period, zone, anchor_day, anchor_time, soft
        )
        values ($1, $2, $3, $4, $5, make_interval(secs => $6), $7, $8, $9, $10, $11)
        on conflict (provider, name) do update set
            unit = excluded.unit, kind = excluded.kind, cap = excluded.cap, width = excluded.width,
            period = excluded.period, zone = excluded.zone, anchor_day = excluded.anchor_day,
            anchor_time = excluded.anchor_time, soft = excluded.soft, removed_at = null
        returning id
        "#,
        provider.as_str(),
        limit.name,
        limit.unit.as_str(),
        kind,
        i64::from(limit.cap),
        width,
        period,
        zone,
        day,
        time,
        limit.soft,
    )
    .fetch_one(&mut *tx)
    .await?;
    if !same_grace || !before.as_ref().is_some_and(|row| row.same) {
        sqlx::query!(
            r#"
            -- name: sync_rebuild
            select larder.rebuild_windows($1)::text
            "#,
            id,
        )
        .fetch_all(&mut *tx)
        .await?;
    }
    if before.is_some_and(|row| row.cap < i64::from(limit.cap) || !row.same) {
        reopen(tx, provider, &format!("budget:{}", limit.name)).await?;
    }
    Ok(())
}

/// Opens a lane that was closed for `reason`, which no longer holds.
async fn reopen(tx: &mut Tx, provider: &ProviderName, reason: &str) -> Result<(), StoreError> {
    sqlx::query!(
        r#"
        -- name: sync_reopen
        update larder.lanes
        set closed_until = case when closed_reason = $2 then null else closed_until end,
            closed_reason = case when closed_reason = $2 then null else closed_reason end,
            kept_until = null
        where lane = $1
        "#,
        provider.as_str(),
        reason,
    )
    .execute(&mut *tx)
    .await?;
    Ok(())
}

async fn retire_missing(tx: &mut Tx, lanes: &[&LaneSpec]) -> Result<(), StoreError> {
    let providers: Vec<String> = lanes.iter().map(|lane| lane.provider.to_string()).collect();
    let limits: Vec<String> = lanes
        .iter()
        .flat_map(|lane| {
            lane.limits
                .iter()
                .map(|limit| format!("{}:{}", lane.provider, limit.name))
        })
        .collect();
    let removed = sqlx::query!(
        r#"
        -- name: retire_limits
        update larder.limits set removed_at = clock_timestamp()
        where removed_at is null and provider || ':' || name <> all($1)
        returning provider, name
        "#,
        &limits,
    )
    .fetch_all(&mut *tx)
    .await?;
    for limit in removed {
        if let Ok(provider) = limit.provider.parse() {
            reopen(tx, &provider, &format!("budget:{}", limit.name)).await?;
        }
    }
    sqlx::query!(
        r#"
        -- name: retire_lanes
        update larder.lanes set removed_at = clock_timestamp()
        where is_provider and removed_at is null and lane <> all($1)
        "#,
        &providers,
    )
    .execute(&mut *tx)
    .await?;
    Ok(())
}
