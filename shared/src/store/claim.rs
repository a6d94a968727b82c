//! Claims jobs that call no priced API.
//!
//! One [`Claimer`] a process, on a connection that it keeps: a claim is one round trip.
//! It remembers where in the claim order it got to ([`position`]), so that the rows that
//! it and others have dealt with are not read again by every claim.

mod position;

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use sqlx::Postgres;
use sqlx::pool::PoolConnection;
use uuid::Uuid;

use super::{Store, StoreError, seconds};
use crate::model::JobId;

use position::{Place, Position};

/// A handler's job that is ours until its lease ends.
#[derive(Debug, Clone, PartialEq)]
pub struct ClaimedJob {
    /// Which job.
    pub id: JobId,
    /// Which handler it is for.
    pub kind: String,
    /// What the handler gets.
    pub args: serde_json::Value,
    /// When it became due.
    pub run_at: DateTime<Utc>,
    /// When this attempt began, by the database's clock.
    pub started_at: DateTime<Utc>,
    /// Which attempt this is, from 1 on.
    pub attempt: i32,
    /// After how many it fails for good.
    pub max_attempts: i32,
    /// What it is held under.
    pub lease_token: Uuid,
}

/// What came of one claim.
#[derive(Debug, Clone, PartialEq)]
pub struct Claim {
    /// The jobs, in no particular order.
    pub jobs: Vec<ClaimedJob>,
    /// Whether claiming again at once may find more.
    pub more: bool,
}

/// Claims the jobs of the lane `local` for one process.
#[derive(Debug)]
pub struct Claimer {
    store: Store,
    /// Kept from claim to claim, since a pool tries a connection each time it changes hands.
    connection: Option<PoolConnection<Postgres>>,
    worker: String,
    kinds: Vec<String>,
    lease: Duration,
    position: Position,
}

impl Store {
    /// What claims for the process `worker` jobs of these kinds, for `lease` at a time.
    ///
    /// Kinds that this process has no handler for are left to another one: during a
    /// rolling upgrade there is one.
    pub fn claimer(&self, worker: &str, kinds: Vec<String>, lease: Duration) -> Claimer {
        Claimer {
            store: self.clone(),
            connection: None,
            worker: worker.to_owned(),
            kinds,
            lease,
            position: Position::default(),
        }
    }
}

impl Claimer {
    /// Claims up to `most` due jobs, unless the lane is closed.
    ///
    /// Lowest `priority` number first, then longest due, from the place on that the last
    /// claim reached; from the front once a second, and whenever too few were found.
    ///
    /// The claim need not survive a crash of Postgres: a job whose claim was lost is
    /// ready again, as after a lease that ran out. So its commit is not waited for.
    ///
    /// # Errors
    ///
    /// Whatever the database reports.
    pub async fn claim(&mut self, most: usize) -> Result<Claim, StoreError> {
        let began = Instant::now();
        let after = self.position.start(began);
        let rows = match self.claim_after(after, most).await {
            Ok(rows) => rows,
            Err(error) => {
                // Perhaps broken; the pool finds out when it gets it back.
                self.connection = None;
                return Err(error);
            }
        };
        let reached = rows.iter().map(|row| row.place).max();
        let short = rows.len() < most;
        let now = Instant::now();
        self.position
            .ended(after.is_none(), reached, short, now, now - began);
        Ok(Claim {
            jobs: rows.into_iter().map(|row| row.job).collect(),
            more: !short || self.position.wants_front(now),
        })
    }

    async fn claim_after(
        &mut self,
        after: Option<Place>,
        most: usize,
    ) -> Result<Vec<ClaimedRow>, StoreError> {
        let after = after.unwrap_or(Place::FRONT);
        let token = Uuid::new_v4();
        let claim = sqlx::query!(
            r#"
            -- name: claim_local
            with unflushed as materialized (
                select set_config('synchronous_commit', 'off', true)
            )
            update larder.jobs
            set status = 'running',
                attempt = attempt + 1,
                started_at = clock_timestamp(),
                lease_token = $1,
                leased_by = $2,
                leased_until = clock_timestamp() + make_interval(secs => $3)
            where exists (select from unflushed) and id = any(array(
                select id from larder.jobs
                where lane = 'local' and status = 'pending' and run_at <= (select clock_timestamp())
                  and (priority, run_at, id) > ($4, $5, $6)
                  and kind = any($7)
                  and not exists (select from larder.lanes
                                  where lane = 'local' and closed_until > (select clock_timestamp()))
                order by priority, run_at, id
                limit $8
                for update skip locked
            ))
            returning id, kind, args, started_at as "started_at!", attempt, max_attempts, priority, run_at
            "#,
            token,
            self.worker,
            seconds(self.lease),
            after.priority,
            after.run_at,
            after.id,
            &self.kinds,
            i64::try_from(most).unwrap_or(i64::MAX),
        );
        let rows = if self.store.db.is_shared().await? {
            claim.fetch_all(&self.store.db).await?
        } else {
            let connection = match &mut self.connection {
                Some(connection) => connection,
                none => none.insert(self.store.db.acquire().await?),
            };
            claim.fetch_all(&mut **connection).await?
        };
        Ok(rows
            .into_iter()
            .map(|row| ClaimedRow {
                place: Place {
                    priority: row.priority,
                    run_at: row.run_at,
                    id: row.id,
                },
                job: ClaimedJob {
                    id: JobId(row.id),
                    kind: row.kind,
                    args: row.args,
                    run_at: row.run_at,
                    started_at: row.started_at,
                    attempt: row.attempt,
                    max_attempts: row.max_attempts,
                    lease_token: token,
                },
            })
            .collect())
    }
}

/// A claimed job, and where it stood.
struct ClaimedRow {
    place: Place,
    job: ClaimedJob,
}

impl Place {
    /// Before every job: priorities are not negative.
    const FRONT: Self = Self {
        priority: i16::MIN,
        run_at: DateTime::<Utc>::UNIX_EPOCH,
        id: Uuid::nil(),
    };
}
