//! Closes a lane for what a call came to.
//!
//! The lane is locked before the ledger, as an admission does it: a record that locked
//! its own row first could wait for an admission that waits for it.

use super::{CallRecord, CloseUntil, LaneClose};
use crate::store::db::Tx;
use crate::store::{StoreError, seconds};

/// What a call can come to that the provider, or the way to it, is to blame for.
const FAILURES: [&str; 4] = ["provider_error", "timeout", "broken", "connect"];

/// Closes the lane, unless the answer belongs to an earlier key. Only ever later: an
/// answer that would open it sooner changes nothing, its reason included.
pub(super) async fn close_lane(
    tx: &mut Tx,
    record: &CallRecord,
    close: &LaneClose,
) -> Result<(), StoreError> {
    lock(tx, record, close.by_address).await?;
    let (period, time) = match close.until {
        CloseUntil::For(time) => (None, Some(seconds(time))),
        CloseUntil::Minute => (Some("minute"), None),
        CloseUntil::Day => (Some("day"), None),
        CloseUntil::Month => (Some("month"), None),
        CloseUntil::Operator => (None, None),
    };
    sqlx::query!(
        r#"
        -- name: close_lane_for
        update larder.lanes l
        set closed_until = wanted.until, closed_reason = $2, closed_at = clock_timestamp()
        from (
            select n.lane, coalesce(
                clock_timestamp() + make_interval(secs => $4),
                clock_timestamp() + make_interval(secs => $5),
                (
                    select w.ends_at + n.reset_grace
                    from (select 1) one
                    left join larder.limits m
                        on m.provider = n.lane and m.kind = 'calendar' and m.period = $6
                       and m.removed_at is null
                    cross join lateral larder.window_at(
                        $6, coalesce(m.zone, 'UTC'), coalesce(m.anchor_day, 1::smallint),
                        coalesce(m.anchor_time, time '00:00'), clock_timestamp()
                    ) w
                    where $6::text is not null
                    order by w.ends_at desc
                    limit 1
                ),
                'infinity'
            ) as until
            from larder.lanes n
            where n.lane = $1
               or $7 and n.host = (select o.host from larder.lanes o where o.lane = $1)
        ) wanted
        where l.lane = wanted.lane
          and (l.closed_until is null or l.closed_until < wanted.until)
          -- What is said of an address is true for every key.
          and ($7 or exists (select from larder.api_calls c
                             where c.id = $3 and c.key_id is not distinct from l.key_id))
        "#,
        record.provider.as_str(),
        close.reason,
        record.call.0,
        close.retry_after.map(seconds),
        time,
        period,
        close.by_address,
    )
    .execute(&mut *tx)
    .await?;
    Ok(())
}

/// Takes the locks that closing needs: of every lane behind the address, by name.
async fn lock(tx: &mut Tx, record: &CallRecord, by_address: bool) -> Result<(), StoreError> {
    sqlx::query!(
        r#"
        -- name: record_lock_lanes
        select lane from larder.lanes
        where lane = $1 or $2 and host = (select o.host from larder.lanes o where o.lane = $1)
        order by lane
        for no key update
        "#,
        record.provider.as_str(),
        by_address,
    )
    .fetch_all(&mut *tx)
    .await?;
    Ok(())
}

/// Takes the lane's lock for a call that may have to open the circuit breaker; answers
/// whether it may.
pub(super) async fn prepare_breaker(tx: &mut Tx, record: &CallRecord) -> Result<bool, StoreError> {
    if !FAILURES.contains(&record.outcome) {
        return Ok(false);
    }
    lock(tx, record, false).await?;
    Ok(true)
}

/// Closes the lane when as many calls in a row have failed as its breaker allows, or when
/// the call that tried whether it is well again has.
///
/// Which call that was follows from the ledger: it began after the lane had opened, and
/// none has gone well since. Each pause is twice the one before. Answers the reason.
pub(super) async fn open_breaker(
    tx: &mut Tx,
    record: &CallRecord,
) -> Result<Option<String>, StoreError> {
    let reason = sqlx::query_scalar!(
        r#"
        -- name: open_breaker
        with call as (select reserved_at from larder.api_calls where id = $2),
        state as (
            select l.*, l.closed_reason = 'breaker' and call.reserved_at >= l.closed_until
                and not exists (
                    select from larder.api_calls c
                    where c.provider = l.lane and c.class <> 'usage' and c.settled_at is not null
                      and c.end_at >= l.closed_until and c.reserved_at >= l.closed_until
                      and c.outcome <> all($3)
                ) as tried
            from larder.lanes l cross join call
            where l.lane = $1 and l.breaker_failures > 0
              and not coalesce(l.closed_until > clock_timestamp(), false)
        ),
        failures as (
            select count(*) as count
            from (
                select c.outcome, bool_and(c.outcome = any($3)) over (order by c.id desc) as failed
                from (
                    select c.id, c.outcome from larder.api_calls c, state s
                    where c.provider = $1 and c.class <> 'usage' and c.settled_at is not null
                    order by c.id desc
                    limit (select breaker_failures from state)
                ) c
            ) latest
            where failed
        )
        update larder.lanes l
        set closed_until = clock_timestamp() + case
                when s.tried then least(2 * (s.closed_until - s.closed_at), s.breaker_max_pause)
                else s.breaker_pause end,
            closed_at = clock_timestamp(),
            closed_reason = 'breaker'
        from state s, failures f
        where l.lane = s.lane and (s.tried or f.count >= s.breaker_failures)
        returning l.closed_reason as "reason!"
        "#,
        record.provider.as_str(),
        record.call.0,
        &FAILURES.map(str::to_owned),
    )
    .fetch_optional(&mut *tx)
    .await?;
    Ok(reason)
}

/// Remembers that the key may not call the endpoint, so that nobody asks again today.
pub(super) async fn forbid(tx: &mut Tx, record: &CallRecord) -> Result<(), StoreError> {
    sqlx::query!(
        r#"
        -- name: forbid_endpoint
        insert into larder.endpoints as e (provider, endpoint, forbidden_key, forbidden_at)
        select $1, $2, c.key_id, clock_timestamp() from larder.api_calls c where c.id = $3
        on conflict (provider, endpoint) do update
        set forbidden_key = excluded.forbidden_key, forbidden_at = excluded.forbidden_at
        "#,
        record.provider.as_str(),
        record.endpoint.as_str(),
        record.call.0,
    )
    .execute(&mut *tx)
    .await?;
    Ok(())
}
