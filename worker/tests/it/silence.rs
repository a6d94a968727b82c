//! Connections that fall silent while something is being recorded, and a worker that is told
//! to stop meanwhile: it waits for no answer that will not come.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use sandbox::{Trouble, TroubleKind};
use shared::model::JobId;
use sqlx::PgPool;

use crate::locks::{lock, waits};
use crate::relay::Relay;
use crate::rig::Rig;
use crate::rows::{calls, ended, job, number};
use crate::spawned::Spawned;

/// Longer than the database lets a session keep its locks that has fallen silent.
const GRACE: Duration = Duration::from_secs(8);

/// The moment that the last records take after it, and what a process takes to end.
const END: Duration = Duration::from_secs(2 + 2);

/// A worker that reaches its database through a relay.
async fn behind_a_relay(pool: PgPool) -> (Rig, Relay, Spawned) {
    let grace = format!("{}s", GRACE.as_secs());
    let rig = Rig::new(pool, &[("WORKER__SHUTDOWN_GRACE", &grace)]).await;
    let relay = Relay::start(&rig.pool).await;
    let late = TroubleKind::Latency { ms: 1_000 };
    rig.upstream.script(Trouble::next(1, late));
    let url = relay.url();
    let worker = Spawned::start(&rig, &[("DATABASE_URL", &url)], &[]);
    (rig, relay, worker)
}

/// Tells it to stop; it must end well and in time.
async fn stops(worker: &mut Spawned) {
    let told = Instant::now();
    worker.signal(Signal::TERM);
    assert_eq!(worker.exit().await.code(), Some(0), "{}", worker.log());
    assert!(told.elapsed() < GRACE + END, "{:?}", told.elapsed());
}

async fn ended_once(rig: &Rig, id: JobId, status: &str) {
    let job = job(&rig.pool, id).await;
    assert_eq!(
        (job.status.as_str(), job.attempt, job.rescues),
        (status, 1, 0),
        "{job:?}"
    );
}

/// The session in which the record began keeps what it has locked until the database ends it.
#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn an_answer_that_waits_on_a_silent_connection_is_recorded_before_the_end(pool: PgPool) {
    let (rig, relay, mut worker) = behind_a_relay(pool).await;
    let asked = rig.enqueue(vec![rig.quote(1)]).await[0];
    rig.arrived(1).await;
    let held = lock(&rig.pool, "larder.entries").await;
    waits(&rig.pool, "larder.entries").await;
    relay.stall();
    held.rollback().await.unwrap();
    stops(&mut worker).await;

    ended_once(&rig, asked, "completed").await;
    let calls = calls(&rig.pool).await;
    assert_eq!(calls.len(), 1);
    assert_eq!(calls[0].outcome.as_deref(), Some("ok"));
    assert_eq!(rig.upstream.total().requests, 1);
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn outcomes_that_wait_on_a_silent_connection_are_recorded_before_the_end(pool: PgPool) {
    let (rig, relay, mut worker) = behind_a_relay(pool).await;
    let held = lock(&rig.pool, "larder.finished_jobs").await;
    // They have no arguments, so they fail.
    let jobs = rig.enqueue_kind("webhook", 3).await;
    rig.notify().await;
    waits(&rig.pool, "name: fail").await;
    relay.stall();
    held.rollback().await.unwrap();
    stops(&mut worker).await;

    for job in jobs {
        ended_once(&rig, job, "failed").await;
    }
}

/// The first try comes through, and its worker is not told: the second one changes nothing.
#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_commit_that_nobody_heard_of_is_harmed_by_no_second_try(pool: PgPool) {
    let (rig, relay, mut worker) = behind_a_relay(pool).await;
    sqlx::raw_sql(
        "create table gate ();
         create function pass() returns trigger language plpgsql as $$
         begin
             lock table gate in access share mode;
             return null;
         end $$;
         create constraint trigger pass after update of settled_at on larder.api_calls
             deferrable initially deferred for each row execute function pass();",
    )
    .execute(&rig.pool)
    .await
    .unwrap();
    let asked = rig.enqueue(vec![rig.quote(1)]).await[0];
    rig.arrived(1).await;
    let held = lock(&rig.pool, "gate").await;
    waits(&rig.pool, "commit").await;
    relay.stall();
    held.rollback().await.unwrap();
    ended(&rig, asked).await;
    let settled =
        "select (extract(epoch from max(settled_at)) * 1000000)::bigint from larder.api_calls";
    let first = number(&rig.pool, settled).await;
    stops(&mut worker).await;

    ended_once(&rig, asked, "completed").await;
    assert_eq!(number(&rig.pool, settled).await, first);
    let calls = calls(&rig.pool).await;
    assert_eq!((calls.len(), calls[0].requests), (1, 1));
    assert_eq!(calls[0].credits, Some(1));
    assert_eq!(calls[0].outcome.as_deref(), Some("ok"));
    let rows = "select count(*) from background_jobs";
    assert_eq!(number(&rig.pool, rows).await, 1);
}
