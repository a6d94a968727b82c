//! A database that answers with errors, or late: what was accepted ends once all the same.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use sandbox::{Trouble, TroubleKind};
use shared::model::kind::AnyArgs;
use shared::model::{JobId, ResourceSpec};
use sqlx::{AssertSqlSafe, PgPool};
use tokio_util::sync::CancellationToken;
use worker::{Handler, HandlerContext, Handlers, Outcome, Worker, WorkerOptions};

use crate::rig::{Rig, Setting, eventually};
use crate::rows::{becomes, calls, ended, number};
use crate::tripping::trip;

/// Short leases, so that one that is not renewed is lost in the test's time, and so long that a
/// slow machine renews them.
const SHORT: &[Setting<'_>] = &[
    ("WORKER__LEASE", "9s"),
    ("WORKER__CALL_TIMEOUT", "4500ms"),
    ("WORKER__CONNECT_TIMEOUT", "4s"),
];

/// Longer than a lease that is not renewed.
const PAST_LEASE: Duration = Duration::from_secs(14);

/// Resources that share no call.
fn lists(rig: &Rig, count: u32) -> Vec<ResourceSpec> {
    let list =
        |start| format!("coinmarketcap:/v3/cryptocurrency/listings/latest?limit=1&start={start}");
    (1..=count)
        .map(|start| rig.resource(&list(start)))
        .collect()
}

/// Waits for the jobs; each must have ended well, at its first attempt and under its first lease.
async fn each_once(rig: &Rig, jobs: Vec<JobId>) {
    for job in jobs {
        let job = ended(rig, job).await;
        assert_eq!(
            (job.status.as_str(), job.attempt, job.rescues),
            ("completed", 1, 0),
            "{job:?}"
        );
    }
}

/// Of so many statements one fails.
const EVERY: u32 = 13;

async fn goes_on_in_spite_of(pool: PgPool, code: &str) {
    // An admission of two calls writes fewer statements than that, so it comes through.
    let settings = [
        ("WORKER__POLL_INTERVAL", "100ms"),
        ("WORKER__CONCURRENCY", "2"),
    ];
    let rig = Rig::new(pool, &settings).await;
    let mut jobs = rig.enqueue(lists(&rig, 12)).await;
    jobs.extend(rig.enqueue_kind("noop", 100).await);
    let tables = ["jobs", "finished_jobs", "api_calls", "entries"];
    trip(&rig.pool, &tables, &format!("% {EVERY} = 0"), code).await;
    let workers = [rig.worker(), rig.worker()];
    each_once(&rig, jobs).await;
    for worker in workers {
        worker.stop().await;
    }
    let written = number(&rig.pool, "select last_value from tripped").await;
    assert!(
        written > 4 * i64::from(EVERY),
        "hardly any statement failed: {written}"
    );
    assert_eq!(
        rig.upstream.total().requests,
        12,
        "an answer is not fetched again"
    );
    let settled = "select count(*) from larder.api_calls where outcome = 'ok'";
    assert_eq!(number(&rig.pool, settled).await, 12);
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn deadlocks_are_tried_again(pool: PgPool) {
    goes_on_in_spite_of(pool, "40P01").await;
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn serialization_failures_are_tried_again(pool: PgPool) {
    goes_on_in_spite_of(pool, "40001").await;
}

/// Waits for the database's own sessions of workers that are in its way: it must be late.
async fn waits_for_a_lock(pool: &PgPool) {
    eventually("a worker waits for a lock", async || {
        let waiting = "select count(*) from pg_stat_activity
                       where datname = current_database() and wait_event_type = 'Lock'";
        (number(pool, waiting).await > 0).then_some(())
    })
    .await;
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn statements_that_run_into_their_time_out_are_tried_again(pool: PgPool) {
    let rig = Rig::new(pool, &[("WORKER__POLL_INTERVAL", "100ms")]).await;
    let late = TroubleKind::Latency { ms: 300 };
    rig.upstream.script(Trouble::always(late));
    // As hosted databases set it for their roles.
    let worker = Worker::start(WorkerOptions {
        database_url: format!("{}?options[statement_timeout]=1s", rig.url),
        ..rig.options()
    })
    .unwrap();
    let mut jobs = Vec::new();
    for (table, round) in ["jobs", "entries", "finished_jobs", "lanes"]
        .into_iter()
        .zip(1..)
    {
        jobs.extend(rig.enqueue(lists(&rig, 4 * round)).await);
        jobs.extend(rig.enqueue_kind("noop", 20).await);
        rig.notify().await;
        rig.arrived(1).await;
        let mut held = rig.pool.begin().await.unwrap();
        let lock = format!("lock table larder.{table} in access exclusive mode");
        sqlx::raw_sql(AssertSqlSafe(lock))
            .execute(&mut *held)
            .await
            .unwrap();
        waits_for_a_lock(&rig.pool).await;
        // Several statements run into it one after the other.
        tokio::time::sleep(Duration::from_millis(2_500)).await;
        held.rollback().await.unwrap();
        for job in &jobs {
            assert_eq!(ended(&rig, *job).await.status, "completed");
        }
    }
    worker.stop().await;
    each_once(&rig, jobs).await;
    let asked = rig.upstream.total().requests;
    let settled = "select count(*) from larder.api_calls where outcome = 'ok'";
    assert_eq!(
        number(&rig.pool, settled).await,
        i64::try_from(asked).unwrap()
    );
}

/// Keeps a connection of those that claims and handlers share: with a statement that waits.
struct Hogging {
    begun: Arc<AtomicUsize>,
    go: CancellationToken,
}

impl Handler for Hogging {
    const KIND: &'static str = "hogging";
    type Args = AnyArgs;

    async fn run(&self, _args: AnyArgs, context: HandlerContext) -> Outcome {
        self.begun.fetch_add(1, Ordering::SeqCst);
        self.go.cancelled().await;
        match context.services.store.worker_gone("nobody").await {
            Ok(()) => Outcome::Done,
            Err(error) => Outcome::fail(error.to_string()),
        }
    }
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_pool_that_is_used_up_costs_no_lease_and_no_answer(pool: PgPool) {
    let settings = [SHORT, &[("WORKER__DATABASE_CONNECTIONS", "2")]].concat();
    let rig = Rig::new(pool, &settings).await;
    let (begun, go) = (Arc::<AtomicUsize>::default(), CancellationToken::new());
    let hogging = Hogging {
        begun: Arc::clone(&begun),
        go: go.clone(),
    };
    let late = TroubleKind::Latency { ms: 3_000 };
    rig.upstream.script(Trouble::always(late));
    let mut jobs = rig.enqueue_kind("hogging", 2).await;
    let call = rig.enqueue(lists(&rig, 1)).await[0];
    let worker = Worker::start(WorkerOptions {
        handlers: Handlers::shipped().with(hogging),
        ..rig.options()
    })
    .unwrap();
    rig.arrived(1).await;
    eventually("both run", async || {
        (begun.load(Ordering::SeqCst) == 2).then_some(())
    })
    .await;
    let mut held = rig.pool.begin().await.unwrap();
    sqlx::query("lock table larder.workers in access exclusive mode")
        .execute(&mut *held)
        .await
        .unwrap();
    go.cancel();
    let waiting = "select count(*) from pg_stat_activity
                   where datname = current_database() and wait_event_type = 'Lock'";
    becomes(&rig.pool, waiting, 2).await;
    // The answer comes now, and this one can only wait: both connections are taken.
    jobs.extend(rig.enqueue_kind("noop", 1).await);
    rig.notify().await;
    assert_eq!(ended(&rig, call).await.status, "completed");
    tokio::time::sleep(PAST_LEASE).await;
    let lost = "select count(*) from larder.jobs where kind = 'hogging'
                  and (status <> 'running' or attempt <> 1 or rescues > 0
                       or leased_until < clock_timestamp())";
    assert_eq!(number(&rig.pool, lost).await, 0);
    let unclaimed = "select count(*) from larder.jobs where kind = 'noop' and status = 'pending'";
    assert_eq!(
        number(&rig.pool, unclaimed).await,
        1,
        "a connection was free"
    );
    held.rollback().await.unwrap();
    jobs.push(call);
    each_once(&rig, jobs).await;
    worker.stop().await;
}

/// Records take all of their connections and wait, and heartbeats have others.
#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn records_that_wait_for_a_lock_cost_no_lease(pool: PgPool) {
    let rig = Rig::new(pool, SHORT).await;
    let mut lists = lists(&rig, 9);
    // Its price is known after this one, so that others run side by side.
    let mut jobs = rig.enqueue(vec![lists.remove(0)]).await;
    let worker = rig.worker();
    ended(&rig, jobs[0]).await;
    let late = TroubleKind::Latency { ms: 2_000 };
    rig.upstream.script(Trouble::always(late));
    jobs.extend(rig.enqueue(lists).await);
    rig.notify().await;
    rig.arrived(9).await;
    let mut held = rig.pool.begin().await.unwrap();
    sqlx::query("lock table larder.entries in access exclusive mode")
        .execute(&mut *held)
        .await
        .unwrap();
    waits_for_a_lock(&rig.pool).await;
    tokio::time::sleep(PAST_LEASE).await;
    held.rollback().await.unwrap();
    each_once(&rig, jobs).await;
    worker.stop().await;
    for call in calls(&rig.pool).await {
        assert_eq!(call.outcome.as_deref(), Some("ok"));
    }
    becomes(&rig.pool, "select count(*) from larder.entries", 9).await;
}
