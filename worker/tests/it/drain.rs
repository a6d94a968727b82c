//! Many jobs, many workers, one budget.

use sandbox::SandboxConfig;
use sqlx::PgPool;

use crate::rig::{Rig, eventually};
use crate::rows::{lane, number, our_count};
use crate::spawned::Spawned;

const JOBS: u32 = 20_000;

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn four_processes_with_fifty_credits_spend_fifty_and_not_one_more(pool: PgPool) {
    let sandbox = SandboxConfig {
        coins: 21_000,
        // Counts only, so that what would have been refused is seen.
        enforce: false,
        ..SandboxConfig::default()
    };
    let settings = [("PROVIDERS__COINMARKETCAP__LIMITS__MONTH__CAP", "50")];
    let rig = Rig::with(pool, sandbox, &settings, "").await;
    for half in [0..JOBS / 2, JOBS / 2..JOBS] {
        let quotes = half.map(|number| rig.quote(900_001 + number)).collect();
        assert_eq!(rig.enqueue(quotes).await.len(), 10_000);
    }
    let mut workers: Vec<Spawned> = (0..4).map(|_| Spawned::start(&rig, &[], &[])).collect();

    eventually("the lane closes", async || {
        let closed = lane(&rig.pool).await.reason.as_deref() == Some("budget:month");
        let open = "select count(*) from larder.api_calls where settled_at is null";
        (closed && number(&rig.pool, open).await == 0).then_some(())
    })
    .await;

    let counted = rig.upstream.total();
    assert!((48..=50).contains(&counted.credits), "{counted:?}");
    assert_eq!(
        our_count(&rig.pool).await,
        (
            i64::try_from(counted.requests).unwrap(),
            i64::try_from(counted.credits).unwrap()
        )
    );
    // Each is done or waits, and waiting has cost no attempt.
    let done = "select count(*) from background_jobs where status = 'completed'";
    let waiting = "select count(*) from larder.jobs where status = 'pending' and attempt = 0";
    let (done, waiting) = (
        number(&rig.pool, done).await,
        number(&rig.pool, waiting).await,
    );
    assert_eq!(done + waiting, i64::from(JOBS));
    assert_eq!(done, 250 * i64::try_from(counted.credits).unwrap());
    for worker in &mut workers {
        worker.signal(rustix::process::Signal::TERM);
        assert_eq!(worker.exit().await.code(), Some(0), "{}", worker.log());
    }
    assert_eq!(rig.upstream.total(), counted, "a closed lane costs nothing");
}
