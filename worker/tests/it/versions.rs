//! Workers of two releases side by side, and a schema that is a release ahead.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use shared::model::kind::AnyArgs;
use sqlx::{AssertSqlSafe, PgPool};
use worker::{Handler, HandlerContext, Outcome};

use crate::rig::Rig;
use crate::rows::{becomes, ended, number};

/// A kind that only the newer release knows.
struct Newer(Arc<AtomicUsize>);

impl Handler for Newer {
    const KIND: &'static str = "newer";
    type Args = AnyArgs;

    async fn run(&self, _args: AnyArgs, _context: HandlerContext) -> Outcome {
        self.0.fetch_add(1, Ordering::SeqCst);
        Outcome::Done
    }
}

/// What an additive migration does, on every table that workers write to.
async fn migrate_further(pool: &PgPool) {
    for table in [
        "jobs",
        "finished_jobs",
        "api_calls",
        "entries",
        "resources",
        "lanes",
        "limits",
        "limit_windows",
        "workers",
    ] {
        let add =
            format!("alter table larder.{table} add column later text default 'a release ahead'");
        sqlx::query(AssertSqlSafe(add)).execute(pool).await.unwrap();
    }
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn workers_of_two_releases_lose_nothing_while_the_schema_is_renewed(pool: PgPool) {
    let rig = Rig::new(pool, &[("WORKER__POLL_INTERVAL", "100ms")]).await;
    let ran = Arc::default();
    let older = rig.worker();
    let mut jobs = rig.enqueue_kind("newer", 30).await;
    jobs.extend(rig.enqueue_kind("noop", 30).await);
    jobs.extend(
        rig.enqueue((900_001..=900_005).map(|id| rig.quote(id)).collect())
            .await,
    );
    rig.notify().await;
    // The older one does what it knows, and leaves the rest as it is.
    becomes(&rig.pool, "select count(*) from larder.finished_jobs", 35).await;
    let left = "select count(*) from larder.jobs where kind = 'newer' and attempt = 0";
    assert_eq!(number(&rig.pool, left).await, 30);

    migrate_further(&rig.pool).await;
    let newer = rig.worker_with(Newer(Arc::clone(&ran)));
    jobs.extend(rig.enqueue_kind("newer", 30).await);
    jobs.extend(rig.enqueue_kind("noop", 300).await);
    jobs.extend(
        rig.enqueue((900_006..=900_020).map(|id| rig.quote(id)).collect())
            .await,
    );
    rig.notify().await;
    let count = jobs.len();
    for job in jobs {
        let job = ended(&rig, job).await;
        assert_eq!(
            (job.status.as_str(), job.attempt),
            ("completed", 1),
            "{job:?}"
        );
    }
    newer.stop().await;
    // The older one goes on alone, on the newer schema.
    let last = rig.enqueue_kind("noop", 1).await[0];
    rig.notify().await;
    assert_eq!(ended(&rig, last).await.status, "completed");
    older.stop().await;
    assert_eq!(ran.load(Ordering::SeqCst), 60);
    let rows = "select count(*) from background_jobs";
    let rows = number(&rig.pool, rows).await;
    assert_eq!(usize::try_from(rows).unwrap(), count + 1);
}
