//! Workers that are killed: what they held is done by others, what they may have spent
//! is spent.

use std::time::{Duration, Instant};

use sandbox::{Trouble, TroubleKind};
use sqlx::PgPool;

use crate::rig::{Rig, Setting};
use crate::rows::{calls, ended, number, our_count};
use crate::spawned::Spawned;

/// Short leases, so that a test need not wait for the usual half minute.
const SHORT: &[Setting<'_>] = &[
    ("WORKER__LEASE", "3s"),
    ("WORKER__CALL_TIMEOUT", "1500ms"),
    ("WORKER__CONNECT_TIMEOUT", "1s"),
];

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_call_whose_worker_was_killed_is_spent_and_its_jobs_finish_elsewhere(pool: PgPool) {
    let rig = Rig::new(pool, SHORT).await;
    let jobs = rig
        .enqueue((900_001..900_004).map(|id| rig.quote(id)).collect())
        .await;
    let late = TroubleKind::Latency { ms: 60_000 };
    rig.upstream.script(Trouble::next(1, late));
    let mut first = Spawned::start(&rig, &[], &[]);
    rig.arrived(1).await;
    first.kill().await;
    let killed = Instant::now();

    let mut second = Spawned::start(&rig, &[], &[]);
    for job in jobs {
        let job = ended(&rig, job).await;
        assert_eq!(job.status, "completed");
        assert_eq!((job.attempt, job.rescues), (1, 1), "a rescue is no attempt");
    }
    assert!(killed.elapsed() < Duration::from_secs(3 + 10));

    let calls = calls(&rig.pool).await;
    assert_eq!(calls[0].outcome.as_deref(), Some("lapsed"));
    assert_eq!((calls[0].requests, calls[0].credits), (1, Some(1)));
    // It counts for as long as its worker may have been frozen and its request travel.
    assert!(calls[0].tail.unwrap() > 0.0);
    let counted = rig.upstream.total();
    let (requests, credits) = our_count(&rig.pool).await;
    assert!(counted.requests <= u64::try_from(requests).unwrap());
    assert!(counted.credits <= u64::try_from(credits).unwrap());
    second.kill().await;
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_job_that_is_rescued_too_often_fails(pool: PgPool) {
    let settings = [SHORT, &[("WORKER__MAX_RESCUES", "1")]].concat();
    let rig = Rig::new(pool, &settings).await;
    let job = rig.enqueue(vec![rig.quote(1)]).await[0];
    let late = TroubleKind::Latency { ms: 60_000 };
    rig.upstream.script(Trouble::always(late));
    for count in 1..=2 {
        let mut worker = Spawned::start(&rig, &[], &[]);
        rig.arrived(count).await;
        worker.kill().await;
    }
    let last = rig.worker();
    let job = ended(&rig, job).await;
    last.stop().await;
    assert_eq!(job.status, "failed");
    assert!(job.error.unwrap().starts_with("worker_lost"));
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn workers_killed_at_any_instant_lose_no_job_and_hide_no_call(pool: PgPool) {
    let settings = [SHORT, &[("WORKER__MAX_RESCUES", "100")]].concat();
    let rig = Rig::new(pool, &settings).await;
    // A batch each, so that there are many calls: 40 currencies would not do, 40 slugs' pages do.
    let resources: Vec<_> = (1..=40)
        .map(|start| {
            rig.resource(&format!(
                "coinmarketcap:/v3/cryptocurrency/listings/latest?limit=1&start={start}"
            ))
        })
        .collect();
    let jobs = rig.enqueue(resources).await;
    rig.upstream
        .script(Trouble::always(TroubleKind::Latency { ms: 60 }));
    // Killed when so many calls have arrived: each time at another instant of its work.
    for arrivals in [1, 2, 5, 9, 14, 20] {
        let mut worker = Spawned::start(&rig, &[("LARDER__WORKER__CONCURRENCY", "3")], &[]);
        rig.arrived(arrivals).await;
        worker.kill().await;
    }
    rig.upstream.clear_troubles();
    let last = rig.worker();
    for job in &jobs {
        assert_eq!(ended(&rig, *job).await.status, "completed");
    }
    last.stop().await;
    let entries = number(&rig.pool, "select count(*) from larder.cache").await;
    assert_eq!(entries, 40);
    let live = number(&rig.pool, "select count(*) from larder.jobs").await;
    assert_eq!(live, 0);
    let counted = rig.upstream.total();
    let (requests, credits) = our_count(&rig.pool).await;
    assert!(counted.requests <= u64::try_from(requests).unwrap());
    assert!(counted.credits <= u64::try_from(credits).unwrap());
}
