//! Nobody starves: neither a lane beside a deep one, nor a job beside more urgent ones.

use std::sync::Arc;

use sandbox::{SandboxConfig, Trouble, TroubleKind};
use shared::model::kind::AnyArgs;
use shared::model::{JobId, Priority};
use shared::store::JobRequest;
use sqlx::PgPool;
use tokio::sync::Semaphore;
use worker::{Handler, HandlerContext, Outcome};

use crate::rig::Rig;
use crate::rows::{becomes, ended, number};

/// A second provider, at the same sandbox.
const ANOTHER: &str = r#"
[providers.another]
preset = "coinmarketcap"
base_url = "http://127.0.0.1:1"
key_env = "CMC_API_KEY"

[providers.another.budget]
reconcile_every = "0s"

[providers.another.limits.minute]
cap = 100000
"#;

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn no_lane_waits_for_a_deeper_one(pool: PgPool) {
    // Two calls at a time over all lanes, so that the lanes compete for them.
    let settings = [("WORKER__CONCURRENCY", "2")];
    let rig = Rig::with(pool, SandboxConfig::default(), &settings, ANOTHER).await;
    rig.upstream
        .script(Trouble::always(TroubleKind::Latency { ms: 20 }));
    let deep = |start| {
        rig.resource(&format!(
            "coinmarketcap:/v3/cryptocurrency/listings/latest?limit=1&start={start}"
        ))
    };
    rig.enqueue((1..=3_000).map(deep).collect()).await;
    let worker = rig.worker();
    rig.arrived(5).await;

    let other = rig.resource("another:/v1/global-metrics/quotes/latest");
    let other = rig.enqueue(vec![other]).await[0];
    let local = rig.enqueue_kind("noop", 10).await;
    rig.notify().await;
    for job in local {
        assert_eq!(ended(&rig, job).await.status, "completed");
    }
    // Nobody is there to answer it: what counts is that it had its turn.
    becomes(
        &rig.pool,
        "select count(*) from larder.api_calls where provider = 'another'",
        1,
    )
    .await;
    let left = "select count(*) from larder.jobs where lane = 'coinmarketcap'";
    let left = number(&rig.pool, left).await;
    assert!(left > 1_000, "the deep lane was not deep enough: {left}");
    let waiting = crate::rows::job(&rig.pool, other).await;
    assert_eq!(waiting.attempt, 1);
    worker.stop().await;
}

/// Runs when it is let.
struct Paced(Arc<Semaphore>);

impl Handler for Paced {
    const KIND: &'static str = "paced";
    type Args = AnyArgs;

    async fn run(&self, _args: AnyArgs, _context: HandlerContext) -> Outcome {
        self.0.acquire().await.unwrap().forget();
        Outcome::Done
    }
}

async fn put_in(rig: &Rig, count: usize, priority: Priority) -> Vec<JobId> {
    let request = JobRequest {
        kind: "paced".to_owned(),
        resource: None,
        args: serde_json::json!({}),
        class: "operator",
        priority,
        run_at: None,
        max_attempts: 1,
        must_be_newer: false,
    };
    let jobs = rig.store.enqueue(&vec![request; count]).await.unwrap();
    jobs.into_iter().map(|enqueued| enqueued.job.id).collect()
}

/// Of ten claims one goes by age: the bound that `docs/queue.md` gives.
#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn the_least_urgent_job_runs_under_constant_urgent_load(pool: PgPool) {
    let rig = Rig::new(pool, &[("WORKER__LOCAL_CONCURRENCY", "1")]).await;
    let turns = Arc::new(Semaphore::new(0));
    put_in(&rig, 5, Priority::READER_WAITING).await;
    let last = put_in(&rig, 1, Priority(32_767)).await[0];
    let worker = rig.worker_with(Paced(Arc::clone(&turns)));
    let mut runs = 0;
    while crate::rows::job(&rig.pool, last).await.status != "completed" {
        // One is done, two come: there is always somebody more urgent.
        put_in(&rig, 2, Priority::READER_WAITING).await;
        turns.add_permits(1);
        runs += 1;
        let done = "select count(*) from larder.finished_jobs";
        crate::rig::eventually("one more is done", async || {
            (number(&rig.pool, done).await == runs).then_some(())
        })
        .await;
        // Five were due before it, and of ten claims one goes by age.
        assert!(runs <= 70, "it still waits after {runs} others");
    }
    let urgent = "select count(*) from larder.jobs where priority = 0";
    assert!(
        number(&rig.pool, urgent).await > 0,
        "nobody more urgent waited"
    );
    turns.add_permits(1_000_000);
    worker.stop().await;
}
