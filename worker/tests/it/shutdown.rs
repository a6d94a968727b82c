//! How a worker ends.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use sandbox::{Trouble, TroubleKind};
use shared::model::kind::AnyArgs;
use sqlx::PgPool;
use worker::{Handler, HandlerContext, Outcome};

use crate::own_process::OwnProcess;
use crate::relay::Relay;
use crate::rig::{Rig, Setting, eventually};
use crate::rows::{becomes, calls, ended, job, number};
use crate::spawned::Spawned;

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_call_in_flight_ends_and_is_recorded_before_the_worker_does(pool: PgPool) {
    let rig = Rig::new(pool, &[]).await;
    let asked = rig.enqueue(vec![rig.quote(1)]).await[0];
    let late = TroubleKind::Latency { ms: 1_000 };
    rig.upstream.script(Trouble::next(1, late));
    let mut worker = Spawned::start(&rig, &[], &[]);
    rig.arrived(1).await;
    // Another batch that must not be started any more.
    let global = rig.resource("coinmarketcap:/v1/global-metrics/quotes/latest");
    worker.signal(Signal::TERM);
    eventually("the worker stops", async || {
        worker.log().contains("stopping").then_some(())
    })
    .await;
    let left = rig.enqueue(vec![global]).await[0];
    rig.notify().await;
    assert_eq!(worker.exit().await.code(), Some(0), "{}", worker.log());

    assert_eq!(job(&rig.pool, asked).await.status, "completed");
    let left = job(&rig.pool, left).await;
    assert_eq!((left.status.as_str(), left.attempt), ("pending", 0));
    assert_eq!(rig.upstream.total().requests, 1);
    let mut calls = calls(&rig.pool).await.into_iter();
    assert_eq!(calls.next().unwrap().outcome.as_deref(), Some("ok"));
    // An admission that was under way is taken back unsent.
    assert!(calls.all(|call| (call.requests, call.credits) == (0, Some(0))));
    let workers = number(&rig.pool, "select count(*) from larder.workers").await;
    assert_eq!(workers, 0, "it signs off");
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_second_signal_ends_it_at_once(pool: PgPool) {
    let settings = [("WORKER__CALL_TIMEOUT", "300s"), ("WORKER__LEASE", "600s")];
    let rig = Rig::new(pool, &settings).await;
    rig.enqueue(vec![rig.quote(1)]).await;
    let late = TroubleKind::Latency { ms: 200_000 };
    rig.upstream.script(Trouble::next(1, late));
    let mut worker = Spawned::start(&rig, &[], &[]);
    rig.arrived(1).await;
    worker.signal(Signal::TERM);
    eventually("the worker stops", async || {
        worker.log().contains("stopping").then_some(())
    })
    .await;
    let second = Instant::now();
    worker.signal(Signal::INT);
    assert_eq!(worker.exit().await.code(), Some(130));
    assert!(second.elapsed() < Duration::from_secs(10));
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn once_ends_when_nothing_is_due(pool: PgPool) {
    let rig = Rig::new(pool, &[]).await;
    let mut worker = Spawned::start(&rig, &[], &["--once"]);
    assert_eq!(worker.exit().await.code(), Some(0), "{}", worker.log());

    let jobs = rig
        .enqueue(vec![
            rig.quote(1),
            rig.resource("coinmarketcap:/v1/global-metrics/quotes/latest"),
        ])
        .await;
    let local = rig.enqueue_kind("noop", 150).await;
    let mut worker = Spawned::start(&rig, &[], &["--once"]);
    assert_eq!(worker.exit().await.code(), Some(0), "{}", worker.log());
    for done in jobs.into_iter().chain(local) {
        assert_eq!(job(&rig.pool, done).await.status, "completed");
    }
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn once_ends_though_a_job_is_due_that_only_others_can_run(pool: PgPool) {
    let rig = Rig::new(pool, &[]).await;
    let other = rig.enqueue_kind("made_by_a_later_release", 1).await[0];
    let noop = rig.enqueue_kind("noop", 1).await[0];
    let mut worker = Spawned::start(&rig, &[], &["--once"]);
    assert_eq!(worker.exit().await.code(), Some(0), "{}", worker.log());
    assert_eq!(job(&rig.pool, noop).await.status, "completed");
    let other = job(&rig.pool, other).await;
    assert_eq!((other.status.as_str(), other.attempt), ("pending", 0));
}

/// Never comes to an end by itself.
struct Endless;

impl Handler for Endless {
    const KIND: &'static str = "endless";
    type Args = AnyArgs;

    async fn run(&self, _args: AnyArgs, _context: HandlerContext) -> Outcome {
        std::future::pending().await
    }
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn what_does_not_end_in_time_is_given_back_with_its_attempt(pool: PgPool) {
    let settings = [
        ("WORKER__SHUTDOWN_GRACE", "0s"),
        ("WORKER__LOCAL_CONCURRENCY", "5"),
    ];
    let rig = Rig::new(pool, &settings).await;
    rig.enqueue_kind("endless", 12).await;
    let worker = rig.worker_with(Endless);
    let running = "select count(*) from larder.jobs where status = 'running'";
    becomes(&rig.pool, running, 5).await;
    worker.stop().await;
    let waiting = "select count(*) from larder.jobs
                   where status = 'pending' and attempt = 0 and lease_token is null";
    assert_eq!(number(&rig.pool, waiting).await, 12);
}

/// A short grace, and calls that may take much longer.
const PRESSED: &[Setting<'_>] = &[
    ("WORKER__SHUTDOWN_GRACE", "2s"),
    ("WORKER__CALL_TIMEOUT", "120s"),
    ("WORKER__LEASE", "240s"),
];

/// The grace, and the moment that the last records take.
const PRESSED_END: Duration = Duration::from_secs(2 + 2);

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_call_that_is_not_answered_ends_with_the_grace_and_counts_as_spent(pool: PgPool) {
    let rig = Rig::new(pool, PRESSED).await;
    let asked = rig.enqueue(vec![rig.quote(1)]).await[0];
    let late = TroubleKind::Latency { ms: 100_000 };
    rig.upstream.script(Trouble::next(1, late));
    let mut worker = Spawned::start(&rig, &[], &[]);
    rig.arrived(1).await;
    let told = Instant::now();
    worker.signal(Signal::TERM);
    assert_eq!(worker.exit().await.code(), Some(0), "{}", worker.log());
    assert!(told.elapsed() < PRESSED_END, "{:?}", told.elapsed());

    let calls = calls(&rig.pool).await;
    assert_eq!(
        (calls.len(), calls[0].requests, calls[0].credits),
        (1, 1, Some(calls[0].reserved_credits))
    );
    assert_eq!(calls[0].outcome.as_deref(), Some("timeout"));
    // Nobody need wait for its lease.
    let left = job(&rig.pool, asked).await;
    assert_eq!((left.status.as_str(), left.attempt), ("pending", 1));
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn handlers_that_hang_or_block_their_thread_end_with_the_grace(pool: PgPool) {
    let rig = Rig::new(pool, PRESSED).await;
    rig.enqueue_kind("noting", 1).await;
    rig.enqueue_kind("blocking", 1).await;
    let mut worker = OwnProcess::start(&rig);
    let running = "select count(*) from larder.jobs where status = 'running'";
    becomes(&rig.pool, running, 2).await;
    // What blocks takes one thread, and others go on.
    let next = rig.enqueue_kind("noop", 1).await[0];
    rig.notify().await;
    assert_eq!(ended(&rig, next).await.status, "completed");
    let told = Instant::now();
    worker.signal(Signal::TERM);
    assert!(worker.exit().await.success());
    assert!(told.elapsed() < PRESSED_END, "{:?}", told.elapsed());
    let waiting = "select count(*) from larder.jobs
                   where status = 'pending' and attempt = 0 and lease_token is null";
    assert_eq!(number(&rig.pool, waiting).await, 2);
}

/// Nothing can be recorded while the ledger is locked.
#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_ledger_that_is_locked_holds_up_no_end(pool: PgPool) {
    let rig = Rig::new(pool, PRESSED).await;
    rig.enqueue(vec![rig.quote(1)]).await;
    let late = TroubleKind::Latency { ms: 1_000 };
    rig.upstream.script(Trouble::next(1, late));
    let mut worker = Spawned::start(&rig, &[], &[]);
    rig.arrived(1).await;
    let mut held = rig.pool.begin().await.unwrap();
    sqlx::query("lock table larder.api_calls in access exclusive mode")
        .execute(&mut *held)
        .await
        .unwrap();
    let told = Instant::now();
    worker.signal(Signal::TERM);
    assert_eq!(worker.exit().await.code(), Some(0), "{}", worker.log());
    assert!(told.elapsed() < PRESSED_END + Duration::from_secs(2));
    held.rollback().await.unwrap();
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_worker_that_lost_its_database_still_ends(pool: PgPool) {
    let settings = [("WORKER__SHUTDOWN_GRACE", "1s")];
    let rig = Rig::new(pool, &settings).await;
    let mut relay = Relay::start(&rig.pool).await;
    rig.enqueue(vec![rig.quote(1)]).await;
    let late = TroubleKind::Latency { ms: 300 };
    rig.upstream.script(Trouble::next(1, late));
    let url = relay.url();
    let mut worker = Spawned::start(&rig, &[("DATABASE_URL", &url)], &[]);
    rig.arrived(1).await;
    relay.cut().await;
    worker.signal(Signal::TERM);
    assert_eq!(worker.exit().await.code(), Some(0), "{}", worker.log());
    // Nobody could record the call: its reservation stands until it lapses as spent.
    let open = "select count(*) from larder.api_calls where settled_at is null";
    assert_eq!(number(&rig.pool, open).await, 1);
}
