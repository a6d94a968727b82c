//! Locks a provider, and counts what stands against it.

use std::collections::HashMap;
use std::time::Duration;

use super::{Tx, replaced};
use crate::budget::{Unit, Usage, UsageWindow};
use crate::model::{EndpointName, ProviderName};
use crate::store::StoreError;

/// A lane that is ours alone until the transaction ends.
pub(super) struct LockedLane {
    /// Whether its limits block.
    pub(super) enforce: bool,
    /// Whether the plan waits, since what is left is kept for readers.
    pub(super) kept: bool,
    /// Whether nothing but asking the provider for its count is allowed: the database was
    /// replaced by another one since it was last asked.
    pub(super) must_ask: bool,
}

/// How a lane was found.
pub(super) enum Found {
    /// Open, and locked.
    Open(LockedLane),
    /// Closed, or gone.
    Closed,
    /// Closed just now: the ledger may have lost what was committed.
    Replaced,
}

/// What was counted under the lock.
pub(super) struct Counted {
    pub(super) usages: Vec<Usage>,
    pub(super) endpoints: Endpoints,
    /// Calls that may start now, after the lane was closed for trouble.
    pub(super) slow_start: Option<usize>,
    /// Calls on their way.
    pub(super) in_flight: i64,
    /// Settled calls that are not yet in the totals.
    pub(super) unfolded: i64,
}

/// What has been learnt of the endpoints, and their calls in flight.
#[derive(Default)]
pub(super) struct Endpoints {
    known: HashMap<EndpointName, Known>,
}

#[derive(Default)]
struct Known {
    surcharge: u32,
    confirmed: bool,
    in_flight: i64,
    forbidden: bool,
}

impl Endpoints {
    /// Whether the provider said not long ago that this key may not call it.
    pub(super) fn is_forbidden(&self, endpoint: &EndpointName) -> bool {
        self.known
            .get(endpoint)
            .is_some_and(|known| known.forbidden)
    }

    /// Credits that the provider charged beyond the rule before.
    pub(super) fn surcharge(&self, endpoint: &EndpointName) -> u32 {
        self.known.get(endpoint).map_or(0, |known| known.surcharge)
    }

    /// Whether a call is in flight that has yet to confirm the endpoint's price.
    pub(super) fn must_wait(&self, endpoint: &EndpointName) -> bool {
        self.known
            .get(endpoint)
            .is_some_and(|known| !known.confirmed && known.in_flight > 0)
    }

    /// Notes that a call is on its way.
    pub(super) fn started(&mut self, endpoint: &EndpointName) {
        self.known.entry(endpoint.clone()).or_default().in_flight += 1;
    }
}

/// Takes the provider's lock: its lane's row, which all take who change what counts, and
/// then its limits'.
pub(super) async fn lock(tx: &mut Tx, provider: &ProviderName) -> Result<Found, StoreError> {
    let lane = sqlx::query!(
        r#"
        -- name: admit_lock
        with l as materialized (
            select * from larder.lanes
            where lane = $1 and is_provider and removed_at is null
            for no key update
        ),
        -- In the order of locks: the lane's name is known once the lane is locked.
        limits as materialized (
            select id from larder.limits
            where provider = (select lane from l) and removed_at is null
            order by id
            for no key update
        )
        select mode = 'enforce' as "enforce!", closed_until > clock_timestamp() as closed,
               coalesce(kept_until > clock_timestamp(), false) as "kept!",
               database_id, larder.database_id() as this_database,
               database_changed_at is not null as "changed!",
               (select count(*) from limits) as limits
        from l
        "#,
        provider.as_str(),
    )
    .fetch_optional(&mut *tx)
    .await?;
    let Some(lane) = lane.filter(|lane| lane.closed != Some(true)) else {
        return Ok(Found::Closed);
    };
    if lane.this_database.is_some() && lane.database_id != lane.this_database {
        let is_new = lane.database_id.is_none();
        replaced::note(tx, provider, lane.this_database.as_deref(), is_new).await?;
        if !is_new {
            return Ok(Found::Replaced);
        }
    }
    Ok(Found::Open(LockedLane {
        enforce: lane.enforce,
        kept: lane.kept,
        must_ask: lane.changed && !replaced::was_asked(tx, provider).await?,
    }))
}

/// Locks a provider's lane, closed or not, as everybody does who changes what counts.
pub(in crate::store) async fn lock_lane(
    tx: &mut Tx,
    provider: &ProviderName,
) -> Result<(), StoreError> {
    sqlx::query!(
        r#"
        -- name: lock_lane
        select lane from larder.lanes where lane = $1 for no key update
        "#,
        provider.as_str(),
    )
    .fetch_all(&mut *tx)
    .await?;
    Ok(())
}

/// Locks the limits of a provider whose lane is locked already.
pub(in crate::store) async fn lock_limits(
    tx: &mut Tx,
    provider: &ProviderName,
) -> Result<(), StoreError> {
    sqlx::query!(
        r#"
        -- name: admit_lock_limits
        select id from larder.limits
        where provider = $1 and removed_at is null
        order by id
        for no key update
        "#,
        provider.as_str(),
    )
    .fetch_all(&mut *tx)
    .await?;
    Ok(())
}

/// Counts. The caller holds the lock, which was taken in an earlier statement.
pub(super) async fn count(tx: &mut Tx, provider: &ProviderName) -> Result<Counted, StoreError> {
    let rows = sqlx::query!(
        r#"
        -- name: admit_count
        select u.limit_id as "limit_id!", u.name as "name!", u.unit as "unit!", u.cap as "cap!",
               u.soft as "soft!", extract(epoch from u.width)::float8 as width,
               u.starts_at is not null as "still!",
               case when isfinite(u.starts_at) then u.starts_at end as starts_at,
               case when isfinite(u.ends_at) then u.ends_at end as ends_at,
               u.spent + u.others as "spent!", u.reserved as "reserved!", u.kept as "kept!",
               u.alerted as "alerted!"
        from (
            -- A clock that was set back must not bring an earlier window back, in which
            -- the latest calls were not charged.
            select greatest(clock_timestamp(), (
                select c.reserved_at from larder.api_calls c
                where c.provider = $1
                order by c.id desc
                limit 1
            )) as now
        ) t
        cross join lateral larder.limit_usage($1, t.now) u
        order by u.limit_id, u.starts_at
        "#,
        provider.as_str(),
    )
    .fetch_all(&mut *tx)
    .await?;
    let usages = rows
        .into_iter()
        .map(|row| Usage {
            limit_id: row.limit_id,
            name: row.name,
            unit: match row.unit.as_str() {
                "requests" => Unit::Requests,
                _ => Unit::Credits,
            },
            cap: row.cap,
            soft: row.soft,
            rolling: row.width.map(Duration::from_secs_f64),
            window: row.still.then_some(UsageWindow {
                starts_at: row.starts_at,
                ends_at: row.ends_at,
            }),
            spent: row.spent,
            reserved: row.reserved,
            kept: row.kept,
            alerted: row.alerted,
        })
        .collect();
    let (endpoints, state) = state(tx, provider).await?;
    Ok(Counted {
        usages,
        endpoints,
        slow_start: state.slow_start(),
        in_flight: state.in_flight,
        unfolded: state.unfolded,
    })
}

/// What the lane's calls tell beside the counts of its limits.
#[derive(Default)]
struct State {
    in_flight: i64,
    unfolded: i64,
    /// Calls that went well since the lane opened again, if it was closed for trouble.
    went_well: Option<i64>,
}

impl State {
    /// Calls that may start while the lane starts slowly: each that went well doubles it.
    fn slow_start(&self) -> Option<usize> {
        let well = self.went_well.filter(|well| *well < 5)?;
        let allowed = 1_i64 << well;
        Some(usize::try_from((allowed - self.in_flight).max(0)).unwrap_or(0))
    }
}

/// The endpoints, and how the lane's calls stand, in one statement: a row to each endpoint,
/// and one without an endpoint where none is known.
async fn state(tx: &mut Tx, provider: &ProviderName) -> Result<(Endpoints, State), StoreError> {
    let rows = sqlx::query!(
        r#"
        -- name: admit_state
        with open as materialized (
            select endpoint, settled_at is null as flies, count(*) as calls
            from larder.api_calls
            where provider = $1 and (settled_at is null or needs_fold)
            group by endpoint, settled_at is null
        )
        select coalesce((select sum(calls) from open where not flies), 0)::bigint as "unfolded!",
               coalesce((select sum(calls) from open where flies), 0)::bigint as "in_flight!",
               case when l.closed_reason is not null and l.closed_reason !~ '^(budget|pace):' then (
                   select count(*) from (
                       select from larder.api_calls c
                       where c.provider = $1 and c.class <> 'usage' and c.settled_at is not null
                         and c.end_at >= l.closed_until and c.reserved_at >= l.closed_until
                         and c.outcome = 'ok'
                       limit 5
                   ) well
               ) end as went_well,
               k.endpoint as "endpoint?", coalesce(k.surcharge, 0) as "surcharge!",
               k.confirmed_at is not null as "confirmed!", coalesce(k.calls, 0) as "calls!",
               coalesce(k.forbidden_at > clock_timestamp() - interval '1 day'
                        and k.forbidden_key is not distinct from l.key_id, false) as "forbidden!"
        from larder.lanes l
        left join (
            select endpoint, e.surcharge, e.confirmed_at, e.forbidden_at, e.forbidden_key, o.calls
            from (select * from larder.endpoints where provider = $1) e
            full join (select * from open where flies) o using (endpoint)
        ) k on true
        where l.lane = $1
        "#,
        provider.as_str(),
    )
    .fetch_all(&mut *tx)
    .await?;
    let state = rows.first().map(|row| State {
        in_flight: row.in_flight,
        unfolded: row.unfolded,
        went_well: row.went_well,
    });
    let known = rows
        .into_iter()
        .filter_map(|row| {
            let known = Known {
                surcharge: u32::try_from(row.surcharge).unwrap_or(0),
                confirmed: row.confirmed,
                in_flight: row.calls,
                forbidden: row.forbidden,
            };
            Some((row.endpoint?.parse().ok()?, known))
        })
        .collect();
    Ok((Endpoints { known }, state.unwrap_or_default()))
}

/// Moves settled calls into the totals of their windows.
pub(super) async fn fold(tx: &mut Tx, provider: &ProviderName) -> Result<(), StoreError> {
    sqlx::query!(
        r#"
        -- name: admit_fold
        select larder.fold($1)
        "#,
        provider.as_str(),
    )
    .fetch_all(&mut *tx)
    .await?;
    Ok(())
}
