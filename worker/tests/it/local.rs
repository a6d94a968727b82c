//! Jobs of handlers.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use rustix::process::Signal;
use shared::model::kind::AnyArgs;
use sqlx::{AssertSqlSafe, PgPool};
use uuid::Uuid;
use worker::{Handler, HandlerContext, Handlers, Outcome, Worker, WorkerOptions};

use crate::locks::{lock, waits};
use crate::rig::{Rig, eventually};
use crate::rows::{becomes, ended, job, number};
use crate::spawned::Spawned;

/// Counts how often each job was run.
#[derive(Clone, Default)]
struct Counting(Arc<Mutex<HashMap<Uuid, u32>>>);

impl Handler for Counting {
    const KIND: &'static str = "counting";
    type Args = AnyArgs;

    async fn run(&self, _args: AnyArgs, context: HandlerContext) -> Outcome {
        *self.0.lock().unwrap().entry(context.job.0).or_default() += 1;
        Outcome::Done
    }
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_thousand_jobs_run_once_each_on_two_workers(pool: PgPool) {
    let rig = Rig::new(pool, &[]).await;
    let counting = Counting::default();
    let start = || {
        Worker::start(WorkerOptions {
            handlers: Handlers::shipped().with(counting.clone()),
            ..rig.options()
        })
        .unwrap()
    };
    let workers = [start(), start()];
    rig.enqueue_kind("counting", 500).await;
    rig.enqueue_kind("noop", 500).await;
    rig.notify().await;
    rig.enqueue_kind("counting", 500).await;
    rig.enqueue_kind("noop", 500).await;
    rig.notify().await;
    let done = "select count(distinct id) from larder.finished_jobs
                where status = 'completed' and attempt = 1 and rescues = 0";
    becomes(&rig.pool, done, 2_000).await;
    let rows = "select count(*) from background_jobs";
    assert_eq!(number(&rig.pool, rows).await, 2_000);
    for worker in workers {
        worker.stop().await;
    }
    let runs = counting.0.lock().unwrap();
    assert_eq!(runs.len(), 1_000);
    assert!(runs.values().all(|count| *count == 1));
}

/// Panics the first time, in one of two places.
struct Panicking {
    before_it_waits: bool,
}

impl Handler for Panicking {
    const KIND: &'static str = "panicking";
    type Args = AnyArgs;

    async fn run(&self, _args: AnyArgs, context: HandlerContext) -> Outcome {
        let first = context.attempt == 1;
        assert!(!(self.before_it_waits && first), "at once\0");
        tokio::task::yield_now().await;
        assert!(!first, "while it ran\0");
        Outcome::Done
    }
}

async fn a_panic_is_an_attempt(pool: PgPool, before_it_waits: bool) {
    let again_soon = [("QUEUE__RETRY__INITIAL", "10ms")];
    let rig = Rig::new(pool, &again_soon).await;
    let worker = rig.worker_with(Panicking { before_it_waits });
    let jobs = rig.enqueue_kind("panicking", 3).await;
    let others = rig.enqueue_kind("noop", 20).await;
    rig.notify().await;
    for job in others {
        assert_eq!(ended(&rig, job).await.status, "completed");
    }
    for job in jobs {
        let job = ended(&rig, job).await;
        assert_eq!((job.status.as_str(), job.attempt), ("completed", 2));
        assert_eq!(job.rescues, 0);
        assert!(job.error.unwrap().starts_with("panic: "));
    }
    worker.stop().await;
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_handler_that_panics_is_tried_again_and_harms_nobody(pool: PgPool) {
    a_panic_is_an_attempt(pool, false).await;
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_handler_that_panics_before_it_waits_does_no_more_harm(pool: PgPool) {
    a_panic_is_an_attempt(pool, true).await;
}

/// Runs until it is told that its lease is lost.
struct Held(Arc<Mutex<Vec<Uuid>>>);

impl Handler for Held {
    const KIND: &'static str = "held";
    type Args = AnyArgs;

    async fn run(&self, _args: AnyArgs, context: HandlerContext) -> Outcome {
        context.lost.cancelled().await;
        self.0.lock().unwrap().push(context.job.0);
        Outcome::Done
    }
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn who_lost_its_lease_is_told_and_finishes_nothing(pool: PgPool) {
    let settings = [
        ("WORKER__LEASE", "2s"),
        ("WORKER__CALL_TIMEOUT", "1s"),
        ("WORKER__CONNECT_TIMEOUT", "1s"),
        ("WORKER__SHUTDOWN_GRACE", "0s"),
    ];
    let rig = Rig::new(pool, &settings).await;
    let told = Arc::new(Mutex::new(Vec::new()));
    let job = rig.enqueue_kind("held", 1).await[0];
    let worker = rig.worker_with(Held(Arc::clone(&told)));
    let running = "select count(*) from larder.jobs where status = 'running'";
    becomes(&rig.pool, running, 1).await;
    // Somebody else has it now.
    sqlx::raw_sql(
        "update larder.jobs set status = 'pending', attempt = attempt - 1, lease_token = null,
                leased_by = null, leased_until = null;
         update larder.jobs set status = 'running', attempt = attempt + 1,
                lease_token = gen_random_uuid(), leased_by = 'another',
                leased_until = clock_timestamp() + interval '1 hour'",
    )
    .execute(&rig.pool)
    .await
    .unwrap();
    eventually("it is told", async || {
        told.lock().unwrap().contains(&job.0).then_some(())
    })
    .await;
    worker.stop().await;
    let theirs =
        "select count(*) from larder.jobs where status = 'running' and leased_by = 'another'";
    assert_eq!(number(&rig.pool, theirs).await, 1);
}

/// Takes longer than its lease.
struct Slow;

impl Handler for Slow {
    const KIND: &'static str = "slow";
    type Args = AnyArgs;

    async fn run(&self, _args: AnyArgs, _context: HandlerContext) -> Outcome {
        tokio::time::sleep(std::time::Duration::from_secs(5)).await;
        Outcome::Done
    }
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn what_takes_longer_than_a_lease_keeps_it(pool: PgPool) {
    let settings = [
        ("WORKER__LEASE", "2s"),
        ("WORKER__CALL_TIMEOUT", "1s"),
        ("WORKER__CONNECT_TIMEOUT", "1s"),
    ];
    let rig = Rig::new(pool, &settings).await;
    let job = rig.enqueue_kind("slow", 1).await[0];
    let workers = [rig.worker_with(Slow), rig.worker_with(Slow)];
    let job = ended(&rig, job).await;
    assert_eq!((job.status.as_str(), job.attempt), ("completed", 1));
    assert_eq!(job.rescues, 0);
    for worker in workers {
        worker.stop().await;
    }
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn an_outcome_that_the_database_refuses_costs_no_other(pool: PgPool) {
    let rig = Rig::new(pool, &[]).await;
    let mut held = lock(&rig.pool, "larder.finished_jobs").await;
    rig.enqueue_kind("noop", 1).await;
    let mut worker = Spawned::start(&rig, &[], &[]);
    waits(&rig.pool, "name: complete_held").await;
    // While this record waits, the others come together.
    let jobs = rig.enqueue_kind("noop", 20).await;
    let refused = jobs[10];
    rig.notify().await;
    let running = "select count(*) from larder.jobs where status = 'running'";
    becomes(&rig.pool, running, 21).await;
    let refusal = format!(
        "create function refuse() returns trigger language plpgsql as $$
         begin
             raise exception 'refused' using errcode = '22023';
         end $$;
         create trigger refuse before insert on larder.finished_jobs
             for each row when (new.id = '{refused}') execute function refuse();"
    );
    sqlx::raw_sql(AssertSqlSafe(refusal))
        .execute(&mut *held)
        .await
        .unwrap();
    held.commit().await.unwrap();
    let once = "select count(*) from larder.finished_jobs
                where status = 'completed' and attempt = 1 and rescues = 0";
    becomes(&rig.pool, once, 20).await;
    worker.signal(Signal::TERM);
    assert_eq!(worker.exit().await.code(), Some(0), "{}", worker.log());
    assert_eq!(job(&rig.pool, refused).await.status, "running");
    let log = worker.log();
    let told: Vec<&str> = log.lines().filter(|line| line.contains("ERROR")).collect();
    assert!(
        told.len() == 1 && told[0].contains(&refused.to_string()),
        "{log}"
    );
}
