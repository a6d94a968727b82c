//! Replaces a reservation by its cost.

use super::{CallRecord, Settlement};
use crate::store::db::Tx;
use crate::store::{StoreError, seconds};

/// What settling came to.
pub(super) struct Settled {
    /// Whether this was the first settlement of the call.
    pub(super) first: bool,
    /// Credits charged beyond the reservation.
    pub(super) drift: u32,
}

/// Settles the call's ledger row, once; a row that lapsed takes the real cost late.
pub(super) async fn settle(tx: &mut Tx, record: &CallRecord) -> Result<Settled, StoreError> {
    let (credits, requests, gave_up) = match record.settlement {
        Settlement::Answered { credits } => (Some(to_i32(credits)), 1_i16, false),
        Settlement::GaveUp => (None, 1, true),
        Settlement::NotSent => (Some(0), 0, false),
    };
    let row = sqlx::query!(
        r#"
        -- name: settle
        update larder.api_calls c
        set settled_at = clock_timestamp(),
            -- The end of a call that lapsed was set when it did, and only moves later.
            end_at = greatest(c.end_at, c.reserved_at, clock_timestamp() + case when $4 then l.max_transit
                                                                 else interval '0' end),
            -- What lapsed and is over was counted as spent, by reports of the provider too: it
            -- is not given back.
            credits = case when c.end_at < clock_timestamp()
                           then greatest(c.credits, coalesce($2, c.reserved_credits))
                           else coalesce($2, c.reserved_credits) end,
            requests = $3,
            outcome = $5,
            http_status = $6,
            duration = make_interval(secs => $7),
            needs_fold = true
        from larder.lanes l
        where c.id = $1 and l.lane = c.provider and (c.settled_at is null or c.outcome = 'lapsed')
        returning c.credits as "credits!", c.reserved_credits,
            exists (select from larder.endpoints e
                    where e.provider = c.provider and e.endpoint = c.endpoint
                      and e.confirmed_at is not null) as "confirmed!"
        "#,
        record.call.0,
        credits,
        requests,
        gave_up,
        record.outcome,
        record
            .http_status
            .and_then(|status| i16::try_from(status).ok()),
        seconds(record.duration),
    )
    .fetch_optional(&mut *tx)
    .await?;
    let Some(row) = row else {
        return Ok(Settled {
            first: false,
            drift: 0,
        });
    };
    let drift = u32::try_from(row.credits - row.reserved_credits).unwrap_or(0);
    if drift == 0 && !row.confirmed && matches!(record.settlement, Settlement::Answered { .. }) {
        confirm_price(tx, record).await?;
    }
    Ok(Settled { first: true, drift })
}

/// Takes the lane's lock, which every admission takes first, and those of the endpoint's
/// calls in flight: what is admitted meanwhile would be counted, and reserved, at the
/// price from before.
pub(super) async fn lock_reservations(tx: &mut Tx, record: &CallRecord) -> Result<(), StoreError> {
    sqlx::query!(
        r#"
        -- name: raise_lock_lane
        select lane from larder.lanes where lane = $1 for no key update
        "#,
        record.provider.as_str(),
    )
    .fetch_all(&mut *tx)
    .await?;
    sqlx::query!(
        r#"
        -- name: raise_lock_reservations
        select id from larder.api_calls
        where provider = $1 and endpoint = $2
          and (settled_at is null or needs_fold) and settled_at is null
        order by id
        -- Not `skip locked`: who holds one may be a heartbeat, which settles nothing.
        for update
        "#,
        record.provider.as_str(),
        record.endpoint.as_str(),
    )
    .fetch_all(&mut *tx)
    .await?;
    Ok(())
}

/// The provider charged more than was reserved: later reservations set more aside, those
/// in flight are raised, and the endpoint runs one call at a time until a reply agrees.
/// The caller holds the locks of [`lock_reservations`].
pub(super) async fn raise_price(
    tx: &mut Tx,
    record: &CallRecord,
    drift: u32,
) -> Result<(), StoreError> {
    sqlx::query!(
        r#"
        -- name: raise_price
        insert into larder.endpoints as e (provider, endpoint, surcharge)
        values ($1, $2, $3)
        on conflict (provider, endpoint) do update
        set surcharge = e.surcharge + excluded.surcharge, confirmed_at = null
        "#,
        record.provider.as_str(),
        record.endpoint.as_str(),
        to_i32(drift),
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!(
        r#"
        -- name: raise_reservations
        update larder.api_calls set reserved_credits = reserved_credits + $3
        where provider = $1 and endpoint = $2
          and (settled_at is null or needs_fold) and settled_at is null
        "#,
        record.provider.as_str(),
        record.endpoint.as_str(),
        to_i32(drift),
    )
    .execute(&mut *tx)
    .await?;
    Ok(())
}

/// A reply agreed with its reservation, for the first time.
async fn confirm_price(tx: &mut Tx, record: &CallRecord) -> Result<(), StoreError> {
    sqlx::query!(
        r#"
        -- name: confirm_price
        insert into larder.endpoints as e (provider, endpoint, confirmed_at)
        values ($1, $2, clock_timestamp())
        on conflict (provider, endpoint) do update set confirmed_at = excluded.confirmed_at
        where e.confirmed_at is null
        "#,
        record.provider.as_str(),
        record.endpoint.as_str(),
    )
    .execute(&mut *tx)
    .await?;
    Ok(())
}

fn to_i32(credits: u32) -> i32 {
    i32::try_from(credits).unwrap_or(i32::MAX)
}
