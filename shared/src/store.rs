//! All SQL of Larder, a file to each group of statements.
//!
//! Every statement is whole and named, every transaction short, and none is open
//! while anything but the database is waited for. Times are the database's:
//! `clock_timestamp()`, read after the locks that it must not be older than. In a condition
//! it stands as `(select clock_timestamp())`: a volatile function called row by row keeps an
//! index from being used.
//!
//! # One order of locks
//!
//! Lanes and limits (in id order, over all providers), then the ledger, then jobs by
//! id, then resources by key, then entries by key. Whoever would wait against this
//! order skips locked rows instead. Bulk inserts are sorted by key.
//!
//! # Not here
//!
//! Nothing is decided here that is not a condition on rows: prices come from
//! [`crate::budget::Pricing`], outcomes from the worker.

mod absences;
mod admit;
mod again;
mod alarm;
pub mod bench;
mod budget;
mod cache;
mod calls;
mod changes;
mod claim;
mod closed;
mod db;
mod demand;
mod durable;
mod enqueue;
mod error;
mod figures;
mod finish;
mod follow;
mod health;
mod heartbeat;
mod jobs;
mod lane;
mod listen;
mod look;
mod migrate;
mod notify;
mod plan;
mod pool;
mod pooler;
mod prune;
mod reach;
mod record;
mod reports;
mod resources;
mod roles;
mod schedule;
mod spending;
mod sync;
mod tick;
mod track;
mod upkeep;
mod validators;
mod views;

use std::str::FromStr;
use std::time::Duration;

use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use db::Db;
use pool::Pool;

pub use admit::{Admission, AdmitRequest, AdmittedCall, CallId, ClaimedRefresh, UsageRequest};
pub use budget::{LaneState, LimitState, RemoteState};
pub use cache::{CachedEntry, EndedRefresh};
pub use calls::LedgerRow;
pub use changes::{Changes, EntryMark, Position};
pub use claim::{Claim, ClaimedJob, Claimer};
pub use closed::Closed;
pub use enqueue::{Enqueued, JobRequest};
pub use error::StoreError;
pub use figures::{LaneNow, Pulse, ResourceCounts, WaitingCounts};
pub use finish::{Finished, JobEnd, JobOutcome};
pub use follow::{Followed, ListProblem};
pub use health::{DatabaseHealth, LastCall, SchemaHealth};
pub use jobs::{Cancelled, JobFilter, JobRow, JobSelection, JobsPage, Retried};
pub use lane::Lane;
pub use listen::{Listener, Wake};
pub use look::{LaneLook, Look, Looker};
pub use migrate::{MIGRATOR, SchemaAge};
pub use notify::Notifier;
pub use plan::{PlanLease, PlanRow, PlanSummary, PlannedCall, PlannedRow, Trigger, Triggers};
pub use prune::Retention;
pub use record::{
    CallRecord, CloseUntil, JobResult, JobVerdict, LaneClose, NewEntry, Recorded, Settlement,
    StoredEntry,
};
pub use reports::{LimitReport, TakenReport};
pub use resources::{ResourceFilter, ResourceOrder, ResourceRow};
pub use schedule::ScheduleRow;
pub use spending::SpentBy;
pub use tick::{ClosedLane, Ticked, TimersTick};
pub use upkeep::{LapsedCall, LostJob, Rescued};
pub use validators::Validator;

/// Channel on which jobs are announced. A hint: the payload is empty.
pub const JOBS_CHANNEL: &str = "larder_jobs";

/// Channel on which renewed entries are announced. A hint.
pub const CACHE_CHANNEL: &str = "larder_cache_changed";

/// Longest wait for a connection where nothing else is said: for commands.
const ACQUIRE: Duration = Duration::from_secs(5);

/// The database, as the rest of Larder sees it.
#[derive(Debug, Clone)]
pub struct Store {
    db: Db,
    /// For tests alone: opens nothing before one uses it.
    pool: PgPool,
}

impl Store {
    /// A store for the database of an existing pool that leads to Postgres itself, with as many
    /// connections, until that pool is closed.
    pub fn new(pool: PgPool) -> Self {
        let options = pool.connect_options().as_ref().clone();
        let connections = pool.options().get_max_connections();
        let own = Pool::new(options, connections, pool.options().get_acquire_timeout());
        let (closed, closing) = (pool.clone(), own.clone());
        tokio::spawn(async move {
            closed.close_event().await;
            closing.close();
        });
        Self {
            db: Db::direct(own),
            pool,
        }
    }

    /// A store with a pool of its own, of at most `connections` connections.
    ///
    /// Connects when the first statement needs it, so that a process can start, and
    /// say why it is not ready, while the database is away.
    ///
    /// # Errors
    ///
    /// [`StoreError::BadUrl`] if `url` is not a Postgres URL. The message never
    /// repeats it, since it may hold a password.
    pub fn connect_lazy(url: &str, connections: u32) -> Result<Self, StoreError> {
        Self::connect_lazy_within(url, connections, ACQUIRE)
    }

    /// The same, where nothing waits longer than `acquire_timeout` for a connection, a free
    /// one or a new one.
    ///
    /// # Errors
    ///
    /// As [`Store::connect_lazy`].
    pub fn connect_lazy_within(
        url: &str,
        connections: u32,
        acquire_timeout: Duration,
    ) -> Result<Self, StoreError> {
        let options = connect_options(url)?;
        Ok(Self {
            db: Db::new(Pool::new(options.clone(), connections, acquire_timeout)),
            pool: PgPoolOptions::new()
                .max_connections(connections)
                .connect_lazy_with(options),
        })
    }

    /// The same database through another pool, of at most `connections` connections, which the first
    /// one's work leaves free. What was found out about the way there holds for both.
    #[must_use]
    pub fn beside(&self, connections: u32) -> Self {
        Self {
            db: self.db.beside(connections),
            pool: self.pool.clone(),
        }
    }

    /// The same database, by connections that are all still to be made.
    #[must_use]
    pub fn afresh(&self) -> Self {
        Self {
            db: self.db.afresh(),
            pool: self.pool.clone(),
        }
    }

    /// A pool to the same database, for tests that look at rows.
    pub fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// Whether the database answers and takes writes.
    ///
    /// # Errors
    ///
    /// [`StoreError::ReadOnly`] where it is a standby or set read-only; otherwise
    /// whatever kept it from answering.
    pub async fn ping(&self) -> Result<(), StoreError> {
        let read_only = sqlx::query_scalar!(
            r#"
            -- name: ping
            select pg_is_in_recovery() or current_setting('transaction_read_only')::boolean as "read_only!"
            "#
        )
        .fetch_one(&self.db)
        .await?;
        if read_only {
            return Err(StoreError::ReadOnly);
        }
        Ok(())
    }
}

/// How Larder connects: under its own name.
fn connect_options(url: &str) -> Result<PgConnectOptions, StoreError> {
    let options = PgConnectOptions::from_str(url).map_err(|_| StoreError::BadUrl)?;
    // Poolers refuse parameters that they do not know; and numbers travel in binary anyway.
    let options = options.extra_float_digits(None);
    Ok(options.application_name("larder"))
}

/// Seconds as Postgres takes them: `make_interval(secs => $1)`.
fn seconds(duration: Duration) -> f64 {
    duration.as_secs_f64()
}
