//! The least SQL that claims and completes jobs: what the queue's rate is held against.
//!
//! One narrow table, one index for the claim, no history and no fence but the worker's
//! number. One connection claims without waiting for the flush, another deletes what was
//! claimed and does wait, both in batches of 100 with prepared statements, at the same
//! time. The figures for this and for other shapes are in `docs/benchmarks.md`.
//!
//! Its statements are not checked at build time: no migration makes their table.

use futures::TryStreamExt as _;
use sqlx::postgres::PgConnection;
use sqlx::{Connection, Row};
use tokio::sync::mpsc;

use super::{StoreError, connect};

/// Makes the table anew.
pub(super) const TABLE: &str = "
    drop schema if exists bench cascade;
    create schema bench;
    create table bench.jobs (
        id bigint generated always as identity primary key,
        queue text not null default 'q',
        state smallint not null default 0,
        priority smallint not null default 0,
        run_at timestamptz not null default now(),
        attempts smallint not null default 0,
        worker_id bigint,
        lease_until timestamptz,
        payload jsonb not null,
        created_at timestamptz not null default now()
    );
    create index jobs_ready on bench.jobs (queue, priority, run_at, id) where state = 0;
";

/// Claims that may be waiting to be completed.
const AHEAD: usize = 4;

/// A table that two connections work off as fast as SQL can.
#[derive(Debug)]
pub struct BareQueue {
    url: String,
    filler: PgConnection,
}

impl BareQueue {
    /// Connects, and makes the table.
    ///
    /// # Errors
    ///
    /// Whatever the server reports.
    pub async fn connect(url: &str) -> Result<Self, StoreError> {
        let mut filler = connect(url).await?;
        sqlx::raw_sql(TABLE).execute(&mut filler).await?;
        Ok(Self {
            url: url.to_owned(),
            filler,
        })
    }

    /// Puts `jobs` jobs into the empty table.
    ///
    /// # Errors
    ///
    /// Whatever the server reports.
    pub async fn fill(&mut self, jobs: u32) -> Result<(), StoreError> {
        sqlx::raw_sql("truncate bench.jobs")
            .execute(&mut self.filler)
            .await?;
        sqlx::query(
            "
            -- name: bare_fill
            insert into bench.jobs (payload) select '{}' from generate_series(1, $1)
            ",
        )
        .bind(i64::from(jobs))
        .execute(&mut self.filler)
        .await?;
        sqlx::raw_sql("vacuum (analyze) bench.jobs")
            .execute(&mut self.filler)
            .await?;
        Ok(())
    }

    /// Connects as a worker does that starts, and claims and completes until nothing is left; answers how
    /// many there were.
    ///
    /// # Errors
    ///
    /// Whatever the server reports.
    pub async fn drain(&self) -> Result<u64, StoreError> {
        let (mut claimer, mut completer) =
            tokio::try_join!(connect(&self.url), connect(&self.url))?;
        // A claim that a crash loses only makes its jobs ready again.
        sqlx::raw_sql("set synchronous_commit = off")
            .execute(&mut claimer)
            .await?;
        let (claimed, to_complete) = mpsc::channel(AHEAD);
        let (_, completed) = tokio::try_join!(
            claim_all(&mut claimer, claimed),
            complete_all(&mut completer, to_complete),
        )?;
        hang_up([claimer, completer]).await;
        Ok(completed)
    }

    /// Hangs up.
    pub async fn close(self) {
        hang_up([self.filler]).await;
    }
}

async fn hang_up(connections: impl IntoIterator<Item = PgConnection>) {
    for connection in connections {
        // Whatever it says, the database is about to be dropped.
        let _ = connection.close().await;
    }
}

async fn claim_all(
    connection: &mut PgConnection,
    claimed: mpsc::Sender<Vec<i64>>,
) -> Result<(), StoreError> {
    loop {
        let ids: Vec<i64> = claim(&mut *connection).await?;
        if ids.is_empty() || claimed.send(ids).await.is_err() {
            return Ok(());
        }
    }
}

/// Claims at most 100 jobs.
pub(super) async fn claim<'c>(
    connection: impl sqlx::PgExecutor<'c>,
) -> Result<Vec<i64>, StoreError> {
    let ids = sqlx::query(
        "
        -- name: bare_claim
        update bench.jobs
        set state = 1, attempts = attempts + 1, worker_id = $1,
            lease_until = now() + interval '30 seconds'
        where id = any(array(
            select id from bench.jobs
            where queue = 'q' and state = 0 and run_at <= now()
            order by priority, run_at, id
            limit 100
            for update skip locked
        ))
        returning id, payload, attempts
        ",
    )
    .bind(1_i64)
    .fetch(connection)
    .map_ok(|row| row.get::<i64, _>(0))
    .try_collect()
    .await?;
    Ok(ids)
}

async fn complete_all(
    connection: &mut PgConnection,
    mut claimed: mpsc::Receiver<Vec<i64>>,
) -> Result<u64, StoreError> {
    let mut completed = 0;
    while let Some(ids) = claimed.recv().await {
        let done = sqlx::query(
            "
            -- name: bare_complete
            delete from bench.jobs where id = any($1) and worker_id = $2
            ",
        )
        .bind(&ids)
        .bind(1_i64)
        .execute(&mut *connection)
        .await?;
        completed += done.rows_affected();
    }
    Ok(completed)
}
