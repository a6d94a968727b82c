//! Closes a lane that has not enough for one call, or not for the plan.

use super::Tx;
use crate::budget::Usage;
use crate::model::ProviderName;
use crate::store::{StoreError, seconds};

/// Closes the lane until the earliest time at which a call for `price` credits fits
/// `usage`. Once: a closed lane is not looked at again before that.
pub(super) async fn close(
    tx: &mut Tx,
    provider: &ProviderName,
    reason: &str,
    usage: &Usage,
    price: u32,
) -> Result<(), StoreError> {
    let amount = usage.unit.amount(price);
    sqlx::query!(
        r#"
        -- name: admit_close
        update larder.lanes l
        set closed_until = greatest(
                l.closed_until,
                coalesce(
                    -- A call sent just after a window began may be counted into the one before.
                    $3::timestamptz + l.reset_grace,
                    -- A window that moves: when enough of what has ended has passed out of it.
                    (
                        select freed.at + interval '1 millisecond'
                        from (
                            select e.at, sum(e.amount) over (order by e.at) as amount
                            from (
                                select c.end_at + make_interval(secs => $4) as at,
                                       case $5 when 'requests' then c.requests else c.credits end as amount
                                from larder.api_calls c
                                where c.provider = $1 and c.settled_at is not null
                                  and c.end_at >= (select clock_timestamp()) - make_interval(secs => $4)
                                union all
                                select r.expires_at, r.others from larder.limit_reports r
                                where r.limit_id = $7 and r.expires_at >= (select clock_timestamp())
                            ) e
                        ) freed
                        where $8 and freed.amount >= $6::bigint
                        order by freed.at
                        limit 1
                    ),
                    -- A window whose end nobody knows: somebody may have told it by then.
                    clock_timestamp() + interval '1 minute'
                ),
                clock_timestamp()
            ),
            closed_reason = $2,
            closed_at = clock_timestamp()
        where l.lane = $1
        "#,
        provider.as_str(),
        reason,
        usage.window.and_then(|window| window.ends_at),
        usage.rolling.map(seconds).unwrap_or(0.0),
        usage.unit.as_str(),
        usage.spent + amount - usage.cap,
        usage.limit_id,
        usage.window.is_none(),
    )
    .execute(&mut *tx)
    .await?;
    Ok(())
}

/// Lets the plan wait until so much less is kept for readers that a call for `price`
/// credits fits `usage`. Readers go on.
pub(super) async fn keep(
    tx: &mut Tx,
    provider: &ProviderName,
    usage: &Usage,
    price: u32,
) -> Result<(), StoreError> {
    let left = usage.cap - usage.spent - usage.reserved - usage.unit.amount(price);
    let window = usage.window;
    sqlx::query!(
        r#"
        -- name: admit_keep
        update larder.lanes l
        set kept_until = coalesce(
            -- What is kept shrinks evenly, to nothing at the window's end.
            least(
                w.ends_at + l.reset_grace,
                clock_timestamp() + (w.ends_at - w.starts_at)
                    * ($4::bigint / greatest(l.readers_share * $5::bigint, 0.000001))::float8
            ),
            clock_timestamp() + greatest(make_interval(secs => $6::float8 / 60), interval '1 second')
        )
        from (select $2::timestamptz as starts_at, $3::timestamptz as ends_at) w
        where l.lane = $1
        "#,
        provider.as_str(),
        window.and_then(|window| window.starts_at),
        window.and_then(|window| window.ends_at),
        (usage.kept - left).max(1),
        usage.cap,
        usage.rolling.map(seconds).unwrap_or(60.0),
    )
    .execute(&mut *tx)
    .await?;
    Ok(())
}

/// Remembers which level of use was told of a window.
pub(super) async fn alerted(tx: &mut Tx, usage: &Usage) -> Result<(), StoreError> {
    let starts_at = usage.window.and_then(|window| window.starts_at);
    sqlx::query!(
        r#"
        -- name: admit_alerted
        update larder.limits
        set alert_level = $2, alert_window = coalesce($3, '-infinity'::timestamptz)
        where id = $1
        "#,
        usage.limit_id,
        usage.level(),
        starts_at,
    )
    .execute(&mut *tx)
    .await?;
    Ok(())
}
