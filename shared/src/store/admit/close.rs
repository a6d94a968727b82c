//! Closes a lane that has not enough for one call.

use super::Tx;
use crate::budget::Usage;
use crate::model::ProviderName;
use crate::store::{StoreError, seconds};

/// Closes the lane until the earliest time at which a call for `price` credits fits
/// `usage`. Once: a closed lane is not looked at again before that.
pub(super) async fn close(
    tx: &mut Tx<'_>,
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
                -- A call sent just after a window began may be counted into the one before.
                $3::timestamptz + l.reset_grace,
                -- A rolling window: when enough of what has ended has passed out of it.
                (
                    select ended.end_at + make_interval(secs => $4) + interval '1 millisecond'
                    from (
                        select c.end_at, sum(case $5 when 'requests' then c.requests else c.credits end)
                            over (order by c.end_at, c.id) as freed
                        from larder.api_calls c
                        where c.provider = $1 and c.settled_at is not null
                          and c.end_at >= (select clock_timestamp()) - make_interval(secs => $4)
                    ) ended
                    where ended.freed >= $6
                    order by ended.end_at
                    limit 1
                ),
                clock_timestamp()
            ),
            closed_reason = $2,
            closed_at = clock_timestamp()
        where l.lane = $1
        "#,
        provider.as_str(),
        reason,
        usage.ends_at,
        usage.rolling.map(seconds).unwrap_or(0.0),
        usage.unit.as_str(),
        usage.spent + amount - usage.cap,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}
