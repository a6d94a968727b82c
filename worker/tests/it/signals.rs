//! Workers that are told to stop under load, that stand still for longer than their leases,
//! and that their own jobs kill.

use std::os::unix::process::ExitStatusExt;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use sandbox::{Trouble, TroubleKind};
use sqlx::PgPool;

use crate::own_process::{OwnProcess, let_end, notes};
use crate::rig::{QUOTES, Rig, Setting, eventually};
use crate::rows::{becomes, calls, ended, number};
use crate::spawned::Spawned;

/// Short leases, so that a test need not wait for the usual half minute.
const SHORT: &[Setting<'_>] = &[
    ("WORKER__LEASE", "4s"),
    ("WORKER__CALL_TIMEOUT", "2s"),
    ("WORKER__CONNECT_TIMEOUT", "1s"),
];

/// How long a worker may take to stop: what the configuration gives it, and the moment that
/// the last records take.
const GRACE: Duration = Duration::from_secs(20 + 2);

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn workers_that_are_exchanged_under_load_lose_nothing_and_do_nothing_twice(pool: PgPool) {
    let settings = [("WORKER__CONCURRENCY", "4")];
    let rig = Rig::new(pool, &settings).await;
    rig.upstream
        .script(Trouble::always(TroubleKind::Latency { ms: 40 }));
    let list = |start| {
        rig.resource(&format!(
            "coinmarketcap:/v3/cryptocurrency/listings/latest?limit=1&start={start}"
        ))
    };
    let mut jobs = rig.enqueue((1..=90).map(list).collect()).await;
    jobs.extend(rig.enqueue_kind("noop", 2_000).await);
    let mut workers = [
        Spawned::start(&rig, &[], &[]),
        Spawned::start(&rig, &[], &[]),
    ];
    for (nth, arrivals) in [8, 20, 35, 50, 65].into_iter().enumerate() {
        rig.arrived(arrivals).await;
        let next = Spawned::start(&rig, &[], &[]);
        let mut old = std::mem::replace(&mut workers[nth % 2], next);
        let told = Instant::now();
        old.signal(Signal::TERM);
        assert_eq!(old.exit().await.code(), Some(0), "{}", old.log());
        assert!(told.elapsed() < GRACE, "{:?}", told.elapsed());
        jobs.extend(rig.enqueue_kind("noop", 200).await);
        rig.notify().await;
    }
    let count = i64::try_from(jobs.len()).unwrap();
    let once = "select count(distinct id) from larder.finished_jobs
                where status = 'completed' and attempt = 1 and rescues = 0";
    becomes(&rig.pool, once, count).await;
    for mut worker in workers {
        worker.signal(Signal::TERM);
        assert_eq!(worker.exit().await.code(), Some(0), "{}", worker.log());
    }
    let rows = "select count(*) from background_jobs";
    assert_eq!(number(&rig.pool, rows).await, count);
    assert_eq!(rig.upstream.total().requests, 90, "each was asked for once");
    let sent = "select sum(requests)::bigint from larder.api_calls";
    assert_eq!(number(&rig.pool, sent).await, 90);
}

/// Its call is answered while it stands still, and its job is done by another one: it wakes up
/// with an answer that nobody wants any more.
#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_worker_that_stood_still_finishes_no_call_of_another_ones(pool: PgPool) {
    let rig = Rig::new(pool, SHORT).await;
    let late = TroubleKind::Latency { ms: 1_000 };
    rig.upstream.script(Trouble::next(1, late));
    let job = rig.enqueue(vec![rig.quote(1)]).await[0];
    let mut still = Spawned::start(&rig, &[], &[]);
    rig.arrived(1).await;
    still.signal(Signal::STOP);

    let mut other = Spawned::start(&rig, &[], &[]);
    let done = ended(&rig, job).await;
    assert_eq!(
        (done.status.as_str(), done.attempt, done.rescues),
        ("completed", 1, 1)
    );
    let entry = "select call_id from larder.entries";
    let kept = number(&rig.pool, entry).await;
    still.signal(Signal::CONT);
    still.signal(Signal::TERM);
    assert_eq!(still.exit().await.code(), Some(0), "{}", still.log());
    other.signal(Signal::TERM);
    assert_eq!(other.exit().await.code(), Some(0), "{}", other.log());

    assert_eq!(
        rig.arrivals(QUOTES),
        2,
        "at least once, and both are counted"
    );
    // Beside what a slow machine admitted, could not send in time, and gave back.
    let calls = calls(&rig.pool).await.into_iter();
    let spent: Vec<_> = calls.map(|call| (call.requests, call.credits)).collect();
    let sent = spent.iter().filter(|call| **call == (1, Some(1)));
    let unsent = spent.iter().filter(|call| **call == (0, Some(0)));
    assert_eq!(
        (sent.count(), unsent.count()),
        (2, spent.len() - 2),
        "{spent:?}"
    );
    assert_eq!(number(&rig.pool, entry).await, kept);
    let rows = "select count(*) from background_jobs";
    assert_eq!(number(&rig.pool, rows).await, 1);
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_worker_that_stood_still_finishes_no_handlers_job_of_another_ones(pool: PgPool) {
    let rig = Rig::new(pool, SHORT).await;
    let job = rig.enqueue_kind("noting", 1).await[0];
    let mut still = OwnProcess::start(&rig);
    let begun = async |count: usize| {
        eventually("a handler begins", async || {
            (notes(rig.dir.path()).len() >= count).then_some(())
        })
        .await;
    };
    begun(1).await;
    still.signal(Signal::STOP);
    let mut other = OwnProcess::start(&rig);
    begun(2).await;
    // It ends what it began, while the other one holds the job and is at it.
    let_end(rig.dir.path(), still.id());
    still.signal(Signal::CONT);
    begun(3).await;
    // It stops when it has recorded what it can.
    still.signal(Signal::TERM);
    assert!(still.exit().await.success());
    let held = "select count(*) from larder.jobs where status = 'running' and rescues = 1
                  and leased_until > clock_timestamp()";
    assert_eq!(number(&rig.pool, held).await, 1, "it is the other one's");
    let_end(rig.dir.path(), other.id());
    let done = ended(&rig, job).await;
    assert_eq!(
        (done.status.as_str(), done.attempt, done.rescues),
        ("completed", 1, 1)
    );
    other.signal(Signal::TERM);
    assert!(other.exit().await.success());
    assert_eq!(notes(rig.dir.path()).len(), 4, "both ran it to its end");
    let ended = "select count(*) from larder.finished_jobs where status = 'completed'";
    assert_eq!(number(&rig.pool, ended).await, 1, "it is recorded once");
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_job_that_kills_its_worker_ends_as_failed(pool: PgPool) {
    let settings = [SHORT, &[("WORKER__MAX_RESCUES", "1")]].concat();
    let rig = Rig::new(pool, &settings).await;
    let job = rig.enqueue_kind("aborting", 1).await[0];
    for _ in 0..2 {
        let mut worker = OwnProcess::start(&rig);
        assert_eq!(worker.exit().await.signal(), Some(6), "it aborts");
    }
    // The third one finds that it was too often.
    let mut worker = OwnProcess::start(&rig);
    let failed = ended(&rig, job).await;
    assert_eq!((failed.status.as_str(), failed.rescues), ("failed", 1));
    let error = failed.error.unwrap();
    assert!(error.starts_with("worker_lost: "), "{error}");
    let next = rig.enqueue_kind("noop", 1).await[0];
    assert_eq!(ended(&rig, next).await.status, "completed");
    worker.signal(Signal::TERM);
    assert!(worker.exit().await.success());
}
