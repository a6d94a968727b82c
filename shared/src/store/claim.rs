//! Claims jobs that call no priced API.
//!
//! One [`Claimer`] a process, on a connection that it keeps: a claim is one round trip.
//! It remembers where in the claim order it got to ([`position`]), so that the rows that
//! it and others have dealt with are not read again by every claim. Now and then it goes
//! by age alone ([`turns`]), so that what is least urgent has its turn too.

mod position;
mod turns;

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use sqlx::Postgres;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Map;
use uuid::Uuid;

use super::{Store, StoreError, seconds};
use crate::model::JobId;

use position::{Place, Position};
use turns::Turns;

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
    turns: Turns,
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
            turns: Turns::default(),
        }
    }
}

impl Claimer {
    /// Claims up to `most` due jobs, unless the lane is closed.
    ///
    /// Lowest `priority` number first, then longest due, from the place on that the last
    /// claim reached; from the front once a second, and whenever too few were found. Every
    /// tenth claim takes the longest due whatever their priority, so that nothing starves.
    ///
    /// The claim need not survive a crash of Postgres: a job whose claim was lost is
    /// ready again, as after a lease that ran out. So its commit is not waited for.
    ///
    /// # Errors
    ///
    /// Whatever the database reports.
    pub async fn claim(&mut self, most: usize) -> Result<Claim, StoreError> {
        let began = Instant::now();
        let by_age = self.turns.is_by_age(began);
        let after = self.position.start(began);
        let token = Uuid::new_v4();
        let claimed = match by_age {
            true => self.claim_oldest(token, most).await,
            false => self.claim_after(token, after, most).await,
        };
        let rows = match claimed {
            Ok(rows) => rows,
            Err(error) => {
                // Perhaps broken; the pool finds out when it gets it back.
                self.connection = None;
                return Err(error);
            }
        };
        let short = rows.len() < most;
        let now = Instant::now();
        self.turns.ended(by_age, now, now - began);
        // What was longest due says nothing of how far the claims by priority have come.
        if !by_age {
            let reached = rows.iter().map(ClaimedRow::place).max();
            self.position
                .ended(after.is_none(), reached, short, now, now - began);
        }
        Ok(Claim {
            jobs: rows.into_iter().map(|row| row.job(token)).collect(),
            more: !short || self.position.wants_front(now),
        })
    }

    async fn claim_after(
        &mut self,
        token: Uuid,
        after: Option<Place>,
        most: usize,
    ) -> Result<Vec<ClaimedRow>, StoreError> {
        let after = after.unwrap_or(Place::FRONT);
        let claim = sqlx::query_as!(
            ClaimedRow,
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
        fetch(&self.store, &mut self.connection, claim).await
    }

    async fn claim_oldest(
        &mut self,
        token: Uuid,
        most: usize,
    ) -> Result<Vec<ClaimedRow>, StoreError> {
        let claim = sqlx::query_as!(
            ClaimedRow,
            r#"
            -- name: claim_local_by_age
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
                  and kind = any($4)
                  and not exists (select from larder.lanes
                                  where lane = 'local' and closed_until > (select clock_timestamp()))
                order by run_at
                limit $5
                for update skip locked
            ))
            returning id, kind, args, started_at as "started_at!", attempt, max_attempts, priority, run_at
            "#,
            token,
            self.worker,
            seconds(self.lease),
            &self.kinds,
            i64::try_from(most).unwrap_or(i64::MAX),
        );
        fetch(&self.store, &mut self.connection, claim).await
    }
}

/// Runs a claim on the connection that is kept for it; where sessions are shared, on any.
async fn fetch<F>(
    store: &Store,
    connection: &mut Option<PoolConnection<Postgres>>,
    claim: Map<'_, Postgres, F, PgArguments>,
) -> Result<Vec<ClaimedRow>, StoreError>
where
    F: FnMut(PgRow) -> Result<ClaimedRow, sqlx::Error> + Send,
{
    if store.db.is_shared().await? {
        return Ok(claim.fetch_all(&store.db).await?);
    }
    let connection = match connection {
        Some(connection) => connection,
        none => none.insert(store.db.acquire().await?),
    };
    Ok(claim.fetch_all(&mut **connection).await?)
}

/// A claimed job, as it stands in its row.
struct ClaimedRow {
    id: Uuid,
    kind: String,
    args: serde_json::Value,
    run_at: DateTime<Utc>,
    started_at: DateTime<Utc>,
    attempt: i32,
    max_attempts: i32,
    priority: i16,
}

impl ClaimedRow {
    fn place(&self) -> Place {
        Place {
            priority: self.priority,
            run_at: self.run_at,
            id: self.id,
        }
    }

    fn job(self, lease_token: Uuid) -> ClaimedJob {
        ClaimedJob {
            id: JobId(self.id),
            kind: self.kind,
            args: self.args,
            run_at: self.run_at,
            started_at: self.started_at,
            attempt: self.attempt,
            max_attempts: self.max_attempts,
            lease_token,
        }
    }
}

impl Place {
    /// Before every job: priorities are not negative.
    const FRONT: Self = Self {
        priority: i16::MIN,
        run_at: DateTime::<Utc>::UNIX_EPOCH,
        id: Uuid::nil(),
    };
}
