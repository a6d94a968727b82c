//! Plans in rows: who makes one, what of, and what is rewritten.
//!
//! Any number of processes may plan. A plan is made by whoever takes the lease of its
//! provider, by the database's clock; a planner that dies loses it a minute later, and until
//! then ticks go on with the intervals that stand in the rows.

mod trigger;
mod write;

use std::time::Duration;

use uuid::Uuid;

use super::{Store, StoreError, seconds};
use crate::plan::changes::Changes;
use crate::plan::reads::{LONG, ReadCounts};
use crate::plan::{Observed, Window};

pub use trigger::Trigger;
pub use write::{PlanSummary, PlannedCall, PlannedRow, Triggers};

/// After which time another process may plan in place of one that died.
const LEASE: Duration = Duration::from_secs(60);

/// The right to plan for a provider.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PlanLease {
    /// Drawn for each lease.
    token: Uuid,
    /// The price of the last plan.
    pub price: Option<f64>,
    /// Over which time long counts of reads have faded.
    pub memory: Duration,
}

/// A tracked resource with a pace, as its plan sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct PlanRow {
    /// Its canonical key.
    pub key: String,
    /// What it shares calls with.
    pub batch_key: String,
    /// Whether the planner says its pace.
    pub planned: bool,
    /// Its pace in force, in seconds.
    pub every_secs: f64,
    /// Its hard bound, in seconds.
    pub max_age_secs: Option<f64>,
    /// Seconds since it was last read, or became known.
    pub unread_secs: f64,
    /// What is known of its demand.
    pub observed: Observed,
}

impl Store {
    /// Takes the right to plan for a provider, if its plan is older than `every` or something
    /// is read far more than was planned for, and nobody else is at it.
    ///
    /// # Errors
    ///
    /// Whatever the database reports.
    pub async fn lease_plan(
        &self,
        provider: &str,
        every: Duration,
    ) -> Result<Option<PlanLease>, StoreError> {
        let token = Uuid::new_v4();
        let row = sqlx::query!(
            r#"
            -- name: lease_plan
            insert into larder.plans as p (provider, leased_by, leased_until)
            select l.lane, $2, clock_timestamp() + make_interval(secs => $4)
            from larder.lanes l
            where l.lane = $1 and l.removed_at is null
              and not exists (
                  select from larder.plans p
                  where p.provider = $1
                    and (p.leased_until > clock_timestamp()
                         or p.planned_at > clock_timestamp() - make_interval(secs => $3)))
              and exists (select from larder.resources r where r.provider = $1 and r.tracked and r.planned)
            on conflict (provider) do update
            set leased_by = excluded.leased_by, leased_until = excluded.leased_until
            where p.leased_until is null or p.leased_until <= clock_timestamp()
            returning price, extract(epoch from memory)::float8 as "memory!"
            "#,
            provider,
            token,
            seconds(every),
            seconds(LEASE),
        )
        .fetch_optional(&self.db)
        .await?;
        Ok(row.map(|row| PlanLease {
            token,
            price: row.price,
            memory: Duration::try_from_secs_f64(row.memory).unwrap_or(LONG),
        }))
    }

    /// Whether something is read far more than its plan was made for.
    ///
    /// # Errors
    ///
    /// Whatever the database reports.
    pub async fn plan_is_outgrown(&self, provider: &str) -> Result<bool, StoreError> {
        // The same as `plan::reads::has_outgrown`; only what was read a moment ago can have.
        let outgrown = sqlx::query_scalar!(
            r#"
            -- name: plan_is_outgrown
            select exists (
                select from larder.resources r
                where r.provider = $1 and r.tracked and r.planned
                  and r.last_read_at > clock_timestamp() - interval '1 minute'
                  and r.reads_recent > 1.3 * 1800 * coalesce(r.planned_reads, 0) + 5
                  and extract(epoch from r.every) > 60
            ) as "outgrown!"
            "#,
            provider,
        )
        .fetch_one(&self.db)
        .await?;
        Ok(outgrown)
    }

    /// What a provider's windows leave, as of now: without what is kept for readers.
    ///
    /// # Errors
    ///
    /// Whatever the database reports.
    pub async fn plan_windows(&self, provider: &str) -> Result<Vec<Window>, StoreError> {
        let rows = sqlx::query!(
            r#"
            -- name: plan_windows
            select u.unit as "unit!", u.kind as "kind!", u.cap::float8 as "cap!",
                   (u.cap - u.spent - u.reserved - u.others - coalesce(u.kept, 0))::float8 as "left!",
                   case when isfinite(u.ends_at) then extract(epoch from u.ends_at - t.at)::float8
                   end as resets_in,
                   case when isfinite(u.ends_at) and isfinite(u.starts_at)
                        then extract(epoch from u.ends_at - u.starts_at)::float8 end as length,
                   extract(epoch from l.width)::float8 as width
            from (select clock_timestamp() as at) t
            cross join lateral larder.limit_usage($1, t.at) u
            join larder.limits l on l.id = u.limit_id
            where not l.soft and u.kind <> 'concurrency'
              and (u.starts_at is null or u.starts_at <= t.at and t.at < u.ends_at)
            "#,
            provider,
        )
        .fetch_all(&self.db)
        .await?;
        let window = |cap, left, resets_in, length, is_credits| Window {
            is_credits,
            cap,
            left,
            resets_in,
            length,
            readers_share: 0.0,
        };
        Ok(rows
            .into_iter()
            .filter_map(|row| {
                let is_credits = row.unit == "credits";
                match (row.width, row.resets_in, row.length) {
                    // What is left of a rolling window comes back within its length.
                    (Some(width), _, _) => Some(window(row.cap, row.cap, width, width, is_credits)),
                    (None, Some(resets_in), Some(length)) => {
                        Some(window(row.cap, row.left, resets_in, length, is_credits))
                    }
                    // A window whose end the provider has not told.
                    _ => None,
                }
            })
            .collect())
    }

    /// Every tracked resource of a provider that has a pace, with its demand as of now.
    ///
    /// # Errors
    ///
    /// Whatever the database reports.
    pub async fn plan_rows(
        &self,
        provider: &str,
        memory: Duration,
    ) -> Result<Vec<PlanRow>, StoreError> {
        let rows = sqlx::query!(
            r#"
            -- name: plan_rows
            select resource_key, batch_key, planned, extract(epoch from every)::float8 as "every!",
                   extract(epoch from max_age)::float8 as max_age, weight,
                   extract(epoch from t.now - coalesce(last_read_at, created_at))::float8 as "unread!",
                   extract(epoch from t.now - created_at)::float8 as "known_for!",
                   last_read_at is not null as "was_read!",
                   reads_recent, reads_long, changes, changed_secs, same_secs
            from larder.resources
            cross join (select clock_timestamp() as now) t
            where provider = $1 and tracked and every is not null
            order by resource_key
            "#,
            provider,
        )
        .fetch_all(&self.db)
        .await?;
        let observed =
            |counts: ReadCounts, unread: f64, known_for, weight, changes: Changes| Observed {
                counts: counts.after(unread, 0.0, memory),
                known_for,
                weight,
                // Seconds with a change are only counted where nobody dates them.
                is_dated: changes.changed > 0.0 && changes.changed_secs <= 0.0,
                changes,
            };
        Ok(rows
            .into_iter()
            .map(|row| PlanRow {
                key: row.resource_key,
                batch_key: row.batch_key,
                planned: row.planned,
                every_secs: row.every,
                max_age_secs: row.max_age,
                unread_secs: row.unread,
                observed: observed(
                    ReadCounts {
                        long: row.reads_long,
                        short: row.reads_recent,
                    },
                    if row.was_read { row.unread } else { 0.0 },
                    row.known_for,
                    row.weight,
                    Changes {
                        changed: row.changes,
                        changed_secs: row.changed_secs,
                        same_secs: row.same_secs,
                    },
                ),
            })
            .collect())
    }
}
