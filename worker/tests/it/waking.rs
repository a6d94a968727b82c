//! What makes a worker look, and what it does when its database goes away.

use std::time::{Duration, Instant};

use sandbox::{Trouble, TroubleKind};
use sqlx::PgPool;
use worker::{Worker, WorkerOptions};

use crate::relay::Relay;
use crate::rig::{Rig, Setting, eventually};
use crate::rows::{becomes, ended, number, our_count};

/// Polling as good as switched off: what starts sooner was woken.
const HARDLY_POLLING: &[Setting<'_>] =
    &[("WORKER__POLL_INTERVAL", "30s"), ("WORKER__LEASE", "60s")];

/// Well below the poll interval.
const WOKEN: Duration = Duration::from_secs(15);

/// Waits until a worker listens; answers its connection's process id.
async fn listening(rig: &Rig, other_than: i64) -> i64 {
    eventually("somebody listens", async || {
        let id: Option<i32> = sqlx::query_scalar(
            "select pid from pg_stat_activity
             where datname = current_database() and application_name = 'larder listen'
               and state = 'idle' and query ilike '%listen%' and pid <> $1
             order by backend_start desc",
        )
        .bind(other_than)
        .fetch_optional(&rig.pool)
        .await
        .unwrap();
        id.map(i64::from)
    })
    .await
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_notification_starts_a_job_at_once(pool: PgPool) {
    let rig = Rig::new(pool, HARDLY_POLLING).await;
    let worker = rig.worker();
    listening(&rig, 0).await;
    for id in 1..=5 {
        let asked = Instant::now();
        let job = rig.enqueue(vec![rig.quote(900_000 + id)]).await[0];
        rig.notify().await;
        assert_eq!(ended(&rig, job).await.status, "completed");
        assert!(asked.elapsed() < WOKEN);
    }
    worker.stop().await;
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_job_for_later_starts_when_its_time_has_come(pool: PgPool) {
    let rig = Rig::new(pool, HARDLY_POLLING).await;
    let worker = rig.worker();
    listening(&rig, 0).await;
    let asked = Instant::now();
    sqlx::query("select larder.enqueue('noop', run_at => clock_timestamp() + interval '1 second')")
        .execute(&rig.pool)
        .await
        .unwrap();
    // Whoever enqueues for later notifies too, so that sleepers learn the new time.
    rig.notify().await;
    let done = "select count(*) from larder.finished_jobs where started_at >= run_at";
    becomes(&rig.pool, done, 1).await;
    let waited = asked.elapsed();
    assert!(
        waited >= Duration::from_secs(1) && waited < WOKEN,
        "{waited:?}"
    );
    worker.stop().await;
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn without_listening_a_job_is_found_by_polling(pool: PgPool) {
    let rig = Rig::new(pool, &[("WORKER__POLL_INTERVAL", "100ms")]).await;
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = format!("postgres://larder@{}/larder", free.local_addr().unwrap());
    drop(free);
    let worker = Worker::start(WorkerOptions {
        listen_url: Some(nobody),
        ..rig.options()
    })
    .unwrap();
    for id in 1..=3 {
        let job = rig.enqueue(vec![rig.quote(900_000 + id)]).await[0];
        assert_eq!(ended(&rig, job).await.status, "completed");
    }
    worker.stop().await;
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_listener_that_was_cut_off_listens_again_and_misses_nothing(pool: PgPool) {
    let rig = Rig::new(pool, HARDLY_POLLING).await;
    let worker = rig.worker();
    let mut process = listening(&rig, 0).await;
    for id in 1..=3 {
        sqlx::query("select pg_terminate_backend($1::int)")
            .bind(i32::try_from(process).unwrap())
            .execute(&rig.pool)
            .await
            .unwrap();
        // Announced while nobody listens.
        let asked = Instant::now();
        let job = rig.enqueue(vec![rig.quote(900_000 + id)]).await[0];
        rig.notify().await;
        assert_eq!(ended(&rig, job).await.status, "completed");
        assert!(asked.elapsed() < WOKEN);
        process = listening(&rig, process).await;
        // And announced to the new connection.
        let asked = Instant::now();
        let job = rig.enqueue(vec![rig.quote(900_100 + id)]).await[0];
        rig.notify().await;
        ended(&rig, job).await;
        assert!(asked.elapsed() < WOKEN);
    }
    worker.stop().await;
}

/// The connection is there and nothing comes of it, as where a firewall has forgotten it.
#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_listener_whose_connection_died_without_a_word_listens_again(pool: PgPool) {
    let rig = Rig::new(pool, HARDLY_POLLING).await;
    let relay = Relay::start(&rig.pool).await;
    let worker = Worker::start(WorkerOptions {
        listen_url: Some(relay.url()),
        ..rig.options()
    })
    .unwrap();
    let mut process = listening(&rig, 0).await;
    for id in 1..=2 {
        relay.stall();
        let stalled = Instant::now();
        let asked = rig.enqueue(vec![rig.quote(900_000 + id)]).await[0];
        // Nobody hears it; who finds the connection dead looks for what it missed.
        rig.notify().await;
        process = listening(&rig, process).await;
        let found = stalled.elapsed();
        assert!(found <= Duration::from_secs(15), "{found:?}");
        assert_eq!(ended(&rig, asked).await.status, "completed");
        // Heard on the new connection.
        let asked = Instant::now();
        let job = rig.enqueue(vec![rig.quote(900_100 + id)]).await[0];
        rig.notify().await;
        assert_eq!(ended(&rig, job).await.status, "completed");
        assert!(asked.elapsed() < WOKEN);
    }
    worker.stop().await;
}

/// All of them, in the middle of whatever they were at.
#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_worker_whose_connections_all_died_without_a_word_goes_on(pool: PgPool) {
    let rig = Rig::new(pool, &[("WORKER__POLL_INTERVAL", "50ms")]).await;
    let relay = Relay::start(&rig.pool).await;
    let worker = Worker::start(WorkerOptions {
        database_url: relay.url(),
        listen_url: Some(relay.url()),
        ..rig.options()
    })
    .unwrap();
    let job = rig.enqueue(vec![rig.quote(900_100)]).await[0];
    assert_eq!(ended(&rig, job).await.status, "completed");
    for id in 1..=2 {
        relay.stall();
        let stalled = Instant::now();
        let job = rig.enqueue(vec![rig.quote(900_000 + id)]).await[0];
        assert_eq!(ended(&rig, job).await.status, "completed");
        let found = stalled.elapsed();
        assert!(found <= Duration::from_secs(30), "{found:?}");
    }
    worker.stop().await;
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_worker_whose_connections_are_all_terminated_goes_on(pool: PgPool) {
    let settings = [
        ("WORKER__LEASE", "4s"),
        ("WORKER__CALL_TIMEOUT", "2s"),
        ("WORKER__CONNECT_TIMEOUT", "1s"),
    ];
    let rig = Rig::new(pool, &settings).await;
    rig.upstream
        .script(Trouble::always(TroubleKind::Latency { ms: 40 }));
    let resources: Vec<_> = (1..=60)
        .map(|start| {
            rig.resource(&format!(
                "coinmarketcap:/v3/cryptocurrency/listings/latest?limit=1&start={start}"
            ))
        })
        .collect();
    let jobs = rig.enqueue(resources).await;
    let worker = rig.worker();
    for arrivals in [1, 6, 20, 35] {
        rig.arrived(arrivals).await;
        sqlx::query(
            "select pg_terminate_backend(pid) from pg_stat_activity
             where datname = current_database() and application_name like 'larder%'",
        )
        .execute(&rig.pool)
        .await
        .unwrap();
    }
    for job in jobs {
        assert_eq!(ended(&rig, job).await.status, "completed");
    }
    worker.stop().await;
    let counted = rig.upstream.total();
    let (requests, credits) = our_count(&rig.pool).await;
    assert!(counted.requests <= u64::try_from(requests).unwrap());
    assert!(counted.credits <= u64::try_from(credits).unwrap());
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn an_answer_that_came_while_the_database_was_away_is_recorded_when_it_is_back(pool: PgPool) {
    let rig = Rig::new(pool, &[]).await;
    let mut relay = Relay::start(&rig.pool).await;
    let late = TroubleKind::Latency { ms: 300 };
    rig.upstream.script(Trouble::next(1, late));
    let job = rig.enqueue(vec![rig.quote(1)]).await[0];
    let worker = Worker::start(WorkerOptions {
        database_url: relay.url(),
        ..rig.options()
    })
    .unwrap();
    rig.arrived(1).await;
    relay.cut().await;
    // The answer comes, and cannot be recorded.
    tokio::time::sleep(Duration::from_millis(600)).await;
    relay.mend().await;
    let job = ended(&rig, job).await;
    assert_eq!((job.status.as_str(), job.attempt), ("completed", 1));
    assert_eq!(rig.upstream.total().requests, 1);

    let next = rig.enqueue(vec![rig.quote(1027)]).await[0];
    assert_eq!(ended(&rig, next).await.status, "completed");
    worker.stop().await;
    let settled = "select count(*) from larder.api_calls where outcome = 'ok'";
    assert_eq!(number(&rig.pool, settled).await, 2);
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_lane_that_is_opened_goes_on_at_once(pool: PgPool) {
    let rig = Rig::new(pool, HARDLY_POLLING).await;
    let name = "coinmarketcap".parse().unwrap();
    rig.store.close_lane(&name, "operator", None).await.unwrap();
    let job = rig.enqueue(vec![rig.quote(1)]).await[0];
    let noop = rig.enqueue_kind("noop", 1).await[0];
    let worker = rig.worker();
    listening(&rig, 0).await;
    // It has looked, and found the lane closed.
    ended(&rig, noop).await;
    rig.store.open_lane(&name).await.unwrap();
    let asked = Instant::now();
    rig.notify().await;
    assert_eq!(ended(&rig, job).await.status, "completed");
    assert!(asked.elapsed() < WOKEN);
    worker.stop().await;
}
