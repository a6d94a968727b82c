//! The look before a claim: what is due, without a lock and without a write.
//!
//! A [`Looker`] remembers how far the jobs of each lane, and the leases, are known to have been
//! dealt with. What was finished leaves dead rows at the front of both indexes, which no vacuum
//! removes while some transaction of the server is older: a look from the front read
//! each of them again. What comes to stand before the known place (a `run_at` in the past, a
//! transaction that committed late) is found by a look from the front, once a second, or
//! after twenty times as long as such a look took.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};

use super::db::Db;
use super::{Store, StoreError};
use crate::model::LaneName;

/// Longest time between two looks from the front, unless they are slow.
const FRONT_EVERY: Duration = Duration::from_secs(1);

/// A look from the front is followed by this many times its own duration without one.
const SPARE: u32 = 20;

/// A job that became due may be committed so much later.
const SLACK: TimeDelta = TimeDelta::milliseconds(250);

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

/// Looks at all lanes for one process, again and again.
#[derive(Debug)]
pub struct Looker {
    db: Db,
    kinds: Vec<String>,
    /// When the last look from the front ended, and how long it took.
    front: Option<(Instant, Duration)>,
    /// In each lane: nothing waits that was due before.
    due: HashMap<String, DateTime<Utc>>,
    /// No lease ends before.
    leases: Option<DateTime<Utc>>,
}

impl Store {
    /// What looks whether anything can be claimed by who runs jobs of these `kinds`, beside
    /// refreshes.
    pub fn looker(&self, kinds: Vec<String>) -> Looker {
        Looker {
            db: self.db.promptly(),
            kinds,
            front: None,
            due: HashMap::new(),
            leases: None,
        }
    }

    /// Looks once, from the front.
    ///
    /// # Errors
    ///
    /// Whatever the database reports.
    pub async fn look(&self, kinds: &[String]) -> Result<Look, StoreError> {
        self.looker(kinds.to_vec()).look().await
    }
}

impl Looker {
    /// Looks. All that a closed lane ever costs.
    ///
    /// # Errors
    ///
    /// Whatever the database reports.
    pub async fn look(&mut self) -> Result<Look, StoreError> {
        let began = Instant::now();
        let from_front = self.goes_to_front(began);
        if from_front {
            self.due.clear();
            self.leases = None;
        }
        let (lanes, since): (Vec<String>, Vec<DateTime<Utc>>) = self
            .due
            .iter()
            .map(|(lane, since)| (lane.clone(), *since))
            .unzip();
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
                           where status = 'running' and leased_until < (select clock_timestamp())
                             and leased_until >= coalesce($4::timestamptz, '-infinity'))
                     or exists (select from larder.api_calls
                                where settled_at is null and provider = l.lane
                                  and leased_until < (select clock_timestamp())) as "expired!",
                   first.run_at,
                   (select clock_timestamp()) as "looked_at!"
            from larder.lanes l
            left join unnest($2::text[], $3::timestamptz[]) as known(lane, since) on known.lane = l.lane
            cross join lateral (
                select larder.first_due(l.lane, $1, coalesce(known.since, '-infinity')) as run_at
            ) first
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
            &self.kinds,
            &lanes,
            &since,
            self.leases as Option<DateTime<Utc>>,
        )
        .fetch_all(&self.db)
        .await?;
        if from_front {
            self.front = Some((Instant::now(), began.elapsed()));
        }
        let expired = rows.iter().any(|row| row.expired);
        for row in &rows {
            let all = row.looked_at - SLACK;
            let first = row.run_at.map_or(all, |run_at| run_at.min(all));
            self.due.insert(row.lane.clone(), first);
            if !expired {
                self.leases = Some(all);
            }
        }
        Ok(Look {
            expired,
            lanes: rows
                .into_iter()
                .filter(|row| row.run_at.is_some())
                .filter_map(|row| {
                    Some(LaneLook {
                        lane: row.lane.parse().ok()?,
                        wait: row.wait.map(Duration::from_secs_f64),
                    })
                })
                .collect(),
        })
    }

    fn goes_to_front(&self, now: Instant) -> bool {
        self.front.is_none_or(|(at, took)| {
            now.saturating_duration_since(at) >= FRONT_EVERY.max(took.saturating_mul(SPARE))
        })
    }
}
