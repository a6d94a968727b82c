//! Everything at once: what the provider counts stays within what we count, and within
//! the limits.

use std::time::Duration;

use sandbox::{SandboxConfig, Trouble, TroubleKind};
use sqlx::PgPool;

use crate::rig::{Rig, eventually};
use crate::rows::{number, our_count};

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn every_arrival_has_its_own_reservation_whatever_goes_wrong(pool: PgPool) {
    let settings = [
        // One in three calls fails here, and all jobs are to end.
        ("PROVIDERS__COINMARKETCAP__BUDGET__BREAKER_FAILURES", "0"),
        ("QUEUE__RETRY__INITIAL", "20ms"),
        ("QUEUE__RETRY__MAX", "100ms"),
        ("WORKER__CALL_TIMEOUT", "400ms"),
        ("WORKER__CONNECT_TIMEOUT", "200ms"),
        ("PROVIDERS__COINMARKETCAP__LIMITS__MINUTE__CAP", "25"),
        (
            "PROVIDERS__COINMARKETCAP__LIMITS__MINUTE__WINDOW__ROLLING",
            "2s",
        ),
    ];
    let sandbox = SandboxConfig {
        enforce: false,
        ..SandboxConfig::default()
    };
    let rig = Rig::with(pool, sandbox, &settings, "").await;
    let broken = TroubleKind::Status {
        status: 500,
        body: None,
        headers: Vec::new(),
    };
    for (share, kind) in [
        (0.15, TroubleKind::DropAfterCounting),
        (0.10, TroubleKind::DropBeforeCounting),
        (0.15, broken),
        (0.10, TroubleKind::HalfBody),
        (0.20, TroubleKind::Latency { ms: 100 }),
        // Arrives after its sender has given up, but within max_transit.
        (0.10, TroubleKind::Transit { ms: 900 }),
    ] {
        rig.upstream.script(Trouble::fraction(share, kind));
    }
    let resources: Vec<_> = (1..=60)
        .map(|start| {
            rig.resource(&format!(
                "coinmarketcap:/v3/cryptocurrency/listings/latest?limit=1&start={start}"
            ))
        })
        .collect();
    rig.enqueue(resources).await;
    let workers = [rig.worker(), rig.worker()];
    eventually("all jobs end", async || {
        let live = number(&rig.pool, "select count(*) from larder.jobs").await;
        (live == 0).then_some(())
    })
    .await;
    for worker in workers {
        worker.stop().await;
    }

    let (requests, credits) = our_count(&rig.pool).await;
    let counted = rig.upstream.total();
    assert!(counted.requests > 60, "there was trouble: {counted:?}");
    assert!(counted.requests <= u64::try_from(requests).unwrap());
    assert!(counted.credits <= u64::try_from(credits).unwrap());
    let peak = rig.upstream.peak(Duration::from_secs(2));
    assert!(peak.requests <= 25, "{peak:?}");
    let ended = "select count(*) from larder.finished_jobs";
    assert_eq!(number(&rig.pool, ended).await, 60);
    // A completed refresh has an answer.
    let without = "select count(*) from larder.finished_jobs j
                   where status = 'completed'
                     and not exists (select from larder.cache c where c.resource_key = j.resource_key)";
    assert_eq!(number(&rig.pool, without).await, 0);
}
