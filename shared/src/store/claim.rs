//! Claims jobs that call no priced API.
//!
//! One [`Claimer`] a process, on a connection that it keeps: a claim is one round trip.
//! It remembers how far it got in each priority ([`position`]), so that the rows that it and
//! others have dealt with are not read again by every claim; what it passed by so, it looks for
//! beside them ([`passed`]). Now and then it goes by age alone ([`turns`]), so that what is least
//! urgent has its turn too.
//!
//! A claim is a transaction of one statement and waits for no lock, so `now()` is when it looked;
//! unlike `clock_timestamp()` it is one time for the whole statement, which an index can be read up to.
//!
//! The rows that it locked it updates where they lie (`ctid`): nobody can move them meanwhile, and
//! to find each by its key again took a sixth of the claim. One that somebody changed between
//! the snapshot and the lock is not there for this claim, and is found by the next look.

mod looks;
mod passed;
mod position;
mod row;
mod turns;

use std::time::Duration;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::db::Db;
use super::{Store, StoreError, seconds};
use crate::model::JobId;

use passed::Passed;
use position::{Found, Position};
use row::{ClaimedRow, LookedRow, fetch};
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
    db: Db,
    worker: String,
    kinds: Vec<String>,
    lease: Duration,
    position: Position,
    turns: Turns,
    passed: Passed,
}

impl Store {
    /// What claims for the process `worker` jobs of these kinds, for `lease` at a time.
    ///
    /// Kinds that this process has no handler for are left to another one: during a
    /// rolling upgrade there is one.
    pub fn claimer(&self, worker: &str, kinds: Vec<String>, lease: Duration) -> Claimer {
        Claimer {
            db: self.db.promptly(),
            worker: worker.to_owned(),
            passed: Passed::new(&self.db, kinds.clone()),
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
    /// Lowest `priority` number first, then longest due, from the places on that the last
    /// claims reached. Every tenth claim takes the longest due whatever their priority, so that
    /// nothing starves. Before it claims it looks for what it passed by, if it is time to; what
    /// that finds has every second claim.
    ///
    /// The claim need not survive a crash of Postgres: a job whose claim was lost is
    /// ready again, as after a lease that ran out. So its commit is not waited for.
    ///
    /// # Errors
    ///
    /// Whatever the database reports.
    pub async fn claim(&mut self, most: usize) -> Result<Claim, StoreError> {
        if self.position.is_new() {
            // There is no other way to find anything.
            self.passed.owe();
        }
        self.look_back().await;
        let token = Uuid::new_v4();
        let passed = self.passed.is_their_turn();
        let rows = if passed {
            self.by_id(token, most).await?
        } else if self.position.is_new() {
            Vec::new()
        } else if self.turns.is_by_age() {
            self.by_age(token, most).await?
        } else {
            self.by_priority(token, most).await?
        };
        Ok(Claim {
            // What was passed by says nothing of what stands ahead.
            more: passed || rows.len() >= most || self.passed.has_found(),
            jobs: rows.into_iter().map(|row| row.job(token)).collect(),
        })
    }

    /// Looks for what claims passed by, if it is time to: it is once a second, and whenever a
    /// claim found too little. Answers whether there is something to claim.
    ///
    /// One that takes long goes on beside the claims: see [`looked_back`](Self::looked_back).
    pub async fn look_back(&mut self) -> bool {
        self.passed.look(&mut self.position, &mut self.turns).await
    }

    /// Waits until a look finds something that was passed by: for ever, if all has been looked at.
    ///
    /// Whoever drops this and waits anew misses nothing.
    pub async fn looked_back(&mut self) {
        self.passed.wait(&mut self.position, &mut self.turns).await;
    }

    async fn by_priority(
        &mut self,
        token: Uuid,
        most: usize,
    ) -> Result<Vec<ClaimedRow>, StoreError> {
        let (looked_at, rows) = self.claim_after(token, most).await?;
        self.turns.ended_by_priority();
        let short = rows.len() < most;
        let jobs = rows.iter().map(ClaimedRow::place).collect();
        self.position.claimed(&Found {
            jobs,
            short,
            looked_at,
        });
        if short {
            self.passed.owe();
        }
        Ok(rows)
    }

    async fn by_age(&mut self, token: Uuid, most: usize) -> Result<Vec<ClaimedRow>, StoreError> {
        let (looked_at, rows) = self.claim_oldest(token, most).await?;
        let reached = rows.iter().map(|row| row.run_at).max();
        let short = rows.len() < most;
        self.turns.ended_by_age(reached, short, looked_at);
        if short {
            self.passed.owe();
        }
        Ok(rows)
    }

    async fn by_id(&mut self, token: Uuid, most: usize) -> Result<Vec<ClaimedRow>, StoreError> {
        let ids = self.passed.take(most);
        let (_, rows) = self.claim_passed(token, &ids).await?;
        Ok(rows)
    }

    async fn claim_passed(
        &self,
        token: Uuid,
        ids: &[Uuid],
    ) -> Result<(DateTime<Utc>, Vec<ClaimedRow>), StoreError> {
        // `status::text`, so that no partial index can be taken: by its key, whatever the planner
        // believes.
        let claim = sqlx::query_as!(
            LookedRow,
            r#"
            -- name: claim_local_passed
            with claimed as (
                update larder.jobs
                set status = 'running',
                    attempt = attempt + 1,
                    started_at = clock_timestamp(),
                    lease_token = $1,
                    leased_by = $2,
                    leased_until = clock_timestamp() + make_interval(secs => $3)
                where ctid = any(array(
                    select ctid from larder.jobs
                    where id = any($4) and lane = 'local' and status::text = 'pending' and run_at <= now()
                      and kind = any($5)
                      and not exists (select from larder.lanes
                                      where lane = 'local' and closed_until > now())
                    for update skip locked
                ))
                returning id, kind, args, started_at, attempt, max_attempts, priority, run_at
            )
            select now() as "looked_at!", c.id, c.kind, c.args, c.started_at, c.attempt, c.max_attempts,
                   c.priority, c.run_at
            from (select set_config('synchronous_commit', 'off', true)) unflushed
            left join claimed c on true
            "#,
            token,
            self.worker,
            seconds(self.lease),
            ids,
            &self.kinds,
        );
        fetch(&self.db, claim).await
    }

    async fn claim_after(
        &self,
        token: Uuid,
        most: usize,
    ) -> Result<(DateTime<Utc>, Vec<ClaimedRow>), StoreError> {
        let after = self.position.places();
        let priorities: Vec<i16> = after.iter().map(|(priority, _)| *priority).collect();
        let times: Vec<DateTime<Utc>> = after.iter().map(|(_, place)| place.run_at).collect();
        let ids: Vec<Uuid> = after.iter().map(|(_, place)| place.id).collect();
        // The priorities are gone through in their order, and no further than is needed. Rows
        // are compared, not columns: what is due later is then behind the end of a scan, and
        // there is no condition that lets the planner take the index of run_at, and read a
        // lane for it.
        let claim = sqlx::query_as!(
            LookedRow,
            r#"
            -- name: claim_local_after
            with claimed as (
                update larder.jobs
                set status = 'running',
                    attempt = attempt + 1,
                    started_at = clock_timestamp(),
                    lease_token = $1,
                    leased_by = $2,
                    leased_until = clock_timestamp() + make_interval(secs => $3)
                where ctid = any(array(
                    select j.ctid
                    from unnest($4::smallint[], $5::timestamptz[], $6::uuid[]) as a(priority, run_at, id)
                    cross join lateral (
                        select ctid from larder.jobs
                        where lane = 'local' and status = 'pending'
                          and (priority, run_at, id) > (a.priority, a.run_at, a.id)
                          and (priority, run_at) <= (a.priority, now())
                          and kind = any($7)
                          and not exists (select from larder.lanes
                                          where lane = 'local' and closed_until > now())
                        order by priority, run_at, id
                        limit $8
                        for update skip locked
                    ) j
                    limit $8
                ))
                returning id, kind, args, started_at, attempt, max_attempts, priority, run_at
            )
            select now() as "looked_at!", c.id, c.kind, c.args, c.started_at, c.attempt, c.max_attempts,
                   c.priority, c.run_at
            from (select set_config('synchronous_commit', 'off', true)) unflushed
            left join claimed c on true
            "#,
            token,
            self.worker,
            seconds(self.lease),
            &priorities,
            &times,
            &ids,
            &self.kinds,
            i64::try_from(most).unwrap_or(i64::MAX),
        );
        fetch(&self.db, claim).await
    }

    async fn claim_oldest(
        &self,
        token: Uuid,
        most: usize,
    ) -> Result<(DateTime<Utc>, Vec<ClaimedRow>), StoreError> {
        let claim = sqlx::query_as!(
            LookedRow,
            r#"
            -- name: claim_local_by_age
            with claimed as (
                update larder.jobs
                set status = 'running',
                    attempt = attempt + 1,
                    started_at = clock_timestamp(),
                    lease_token = $1,
                    leased_by = $2,
                    leased_until = clock_timestamp() + make_interval(secs => $3)
                where ctid = any(array(
                    select ctid from larder.jobs
                    where lane = 'local' and status = 'pending' and run_at <= now()
                      and run_at >= coalesce($4::timestamptz, '-infinity')
                      and kind = any($5)
                      and not exists (select from larder.lanes
                                      where lane = 'local' and closed_until > now())
                    order by run_at
                    limit $6
                    for update skip locked
                ))
                returning id, kind, args, started_at, attempt, max_attempts, priority, run_at
            )
            select now() as "looked_at!", c.id, c.kind, c.args, c.started_at, c.attempt, c.max_attempts,
                   c.priority, c.run_at
            from (select set_config('synchronous_commit', 'off', true)) unflushed
            left join claimed c on true
            "#,
            token,
            self.worker,
            seconds(self.lease),
            self.turns.reached(),
            &self.kinds,
            i64::try_from(most).unwrap_or(i64::MAX),
        );
        fetch(&self.db, claim).await
    }
}
