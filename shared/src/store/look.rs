//! The look before a claim: what is due, without a lock and without a write.

use std::time::Duration;

use super::{Store, StoreError};
use crate::model::LaneName;

/// What a worker sees of all lanes at once.
#[derive(Debug, Clone, PartialEq)]
pub struct Look {
    /// Every lane that has waiting jobs.
    pub lanes: Vec<LaneLook>,
    /// Whether some lease has run out.
    pub expired: bool,
}

/// What waits in one lane.
#[derive(Debug, Clone, PartialEq)]
pub struct LaneLook {
    /// Which lane.
    pub lane: LaneName,
    /// How long until its next job may run: nothing when one is due, and not before a
    /// closed lane opens. `None` for a lane that is closed until somebody opens it.
    pub wait: Option<Duration>,
}

impl Store {
    /// Looks whether anything can be claimed by who runs jobs of these `kinds`, beside
    /// refreshes. All that a closed lane ever costs.
    ///
    /// # Errors
    ///
    /// Whatever the database reports.
    pub async fn look(&self, kinds: &[String]) -> Result<Look, StoreError> {
        let rows = sqlx::query!(
            r#"
            -- name: look
            select l.lane,
                   case when l.closed_until = 'infinity' then null
                        else greatest(extract(epoch from
                            greatest(
                                least(greatest(first.run_at, kept.until), urgent.run_at), l.closed_until
                            ) - clock_timestamp()), 0)::float8
                   end as wait,
                   exists (select from larder.jobs
                           where status = 'running' and leased_until < (select clock_timestamp()))
                     or exists (select from larder.api_calls
                                where settled_at is null and provider = l.lane
                                  and leased_until < (select clock_timestamp())) as "expired!",
                   first.run_at is not null as "waiting!"
            from larder.lanes l
            cross join lateral (select larder.first_due(l.lane, $1) as run_at) first
            -- What is left is kept for readers: the plan's jobs wait, theirs do not.
            left join lateral (
                select l.kept_until as until where l.kept_until > (select clock_timestamp())
            ) kept on true
            left join lateral (
                select min(run_at) as run_at from larder.jobs
                where kept.until is not null
                  and lane = l.lane and status = 'pending' and priority < 20
                  and (kind = 'refresh' or kind = any($1))
            ) urgent on true
            where l.removed_at is null
            "#,
            kinds,
        )
        .fetch_all(&self.db.promptly())
        .await?;
        Ok(Look {
            expired: rows.iter().any(|row| row.expired),
            lanes: rows
                .into_iter()
                .filter(|row| row.waiting)
                .filter_map(|row| {
                    Some(LaneLook {
                        lane: row.lane.parse().ok()?,
                        wait: row.wait.map(Duration::from_secs_f64),
                    })
                })
                .collect(),
        })
    }
}
