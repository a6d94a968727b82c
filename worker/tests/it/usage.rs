//! What a provider says of its own count, and of what is left.

use sandbox::{Trouble, TroubleKind};
use shared::store::LimitState;
use sqlx::PgPool;

use crate::rig::{QUOTES, Rig, eventually};
use crate::rows::{becomes, ended, lane, number, settled};

const KEY_INFO: &str = "/v1/key/info";

const ASKED: (&str, &str) = ("PROVIDERS__COINMARKETCAP__BUDGET__RECONCILE_EVERY", "10s");

async fn month(rig: &Rig) -> LimitState {
    let lanes = rig.store.budget().await.unwrap();
    let mut limits = lanes[0].limits.iter();
    limits.find(|limit| limit.name == "month").unwrap().clone()
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn what_others_spend_is_seen_within_an_interval_and_leaves_less_for_us(pool: PgPool) {
    let small = ("PROVIDERS__COINMARKETCAP__LIMITS__MONTH__CAP", "100");
    let rig = Rig::new(pool, &[ASKED, small]).await;
    rig.upstream.spend_elsewhere(3, 40);
    let worker = rig.worker();
    eventually("what others spent at first", async || {
        (month(&rig).await.foreign == 40).then_some(())
    })
    .await;
    rig.upstream.spend_elsewhere(3, 60);
    let full = eventually("what they spent since", async || {
        Some(month(&rig).await).filter(|month| month.remaining == 0)
    })
    .await;
    assert_eq!(full.remote.unwrap().used, Some(100));

    rig.enqueue(vec![rig.quote(1)]).await;
    rig.notify().await;
    becomes(
        &rig.pool,
        "select count(*) from larder.lanes where closed_reason = 'budget:month'",
        1,
    )
    .await;
    worker.stop().await;
    assert_eq!(rig.arrivals(QUOTES), 0);
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_usage_endpoint_that_fails_or_is_silent_neither_blocks_nor_frees(pool: PgPool) {
    for kind in [
        TroubleKind::Latency { ms: 600_000 },
        TroubleKind::Html { status: 200 },
        TroubleKind::EmptySuccess,
        TroubleKind::DropAfterCounting,
    ] {
        let words = format!("{kind:?}");
        sqlx::query("truncate larder.api_calls, larder.limit_windows, larder.limit_reports")
            .execute(&pool)
            .await
            .unwrap();
        let connect = ("WORKER__CONNECT_TIMEOUT", "1s");
        let whole = ("WORKER__CALL_TIMEOUT", "1s");
        let rig = Rig::new(pool.clone(), &[ASKED, connect, whole]).await;
        rig.upstream.script(Trouble::always(kind).on(KEY_INFO));
        let worker = rig.worker();
        rig.upstream.arrived(1).await;
        let job = rig.enqueue(vec![rig.quote(1)]).await[0];
        rig.notify().await;
        assert_eq!(ended(&rig, job).await.status, "completed", "{words}");
        let asked = "select count(*) from larder.api_calls
                     where class = 'usage' and settled_at is not null";
        becomes(&rig.pool, asked, 1).await;
        worker.stop().await;
        let reports = "select count(*) from larder.limit_reports";
        assert_eq!(number(&rig.pool, reports).await, 0, "{words}");
        assert_eq!(lane(&rig.pool).await.reason, None, "{words}");
    }
}

/// A provider that tells in its headers what is left and when that begins anew.
const HEADERS: &str = r#"
[[providers.coinmarketcap.rate_limits]]
limit = "minute"
cap = "x-limit"
remaining = "x-left"
reset = "x-reset"
format = "delta_s"
"#;

async fn closed_by(pool: PgPool, left: &str) -> (Option<String>, f64) {
    let rig = Rig::with(pool, Default::default(), &[], HEADERS).await;
    let headers = [("x-limit", "100"), ("x-left", left), ("x-reset", "120")];
    rig.upstream.script(Trouble::always(TroubleKind::Headers {
        headers: headers
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec(),
    }));
    rig.enqueue(vec![rig.quote(1)]).await;
    let worker = rig.worker();
    settled(&rig, 1).await;
    worker.stop().await;
    let lane = lane(&rig.pool).await;
    (lane.reason, lane.closed_for.unwrap_or(0.0))
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn nothing_left_by_the_headers_closes_the_lane_until_their_reset(pool: PgPool) {
    let (reason, secs) = closed_by(pool, "0").await;
    assert_eq!(reason.as_deref(), Some("rate_limit:minute"));
    assert!((secs - 120.0).abs() < 1.0, "{secs}");
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn little_left_by_the_headers_paces_the_lane(pool: PgPool) {
    let (reason, secs) = closed_by(pool, "5").await;
    assert_eq!(reason.as_deref(), Some("pace:minute"));
    assert!((secs - 20.0).abs() < 1.0, "{secs}");
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn plenty_left_by_the_headers_closes_nothing(pool: PgPool) {
    assert_eq!(closed_by(pool, "50").await.0, None);
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_provider_in_trouble_is_left_alone_after_a_few_calls(pool: PgPool) {
    let settings = [
        ("QUEUE__RETRY__INITIAL", "10ms"),
        ("QUEUE__RETRY__MAX", "20ms"),
        ("QUEUE__MAX_ATTEMPTS", "100"),
        ("WORKER__CONCURRENCY", "1"),
        ("PROVIDERS__COINMARKETCAP__BUDGET__BREAKER_FAILURES", "3"),
        ("PROVIDERS__COINMARKETCAP__BUDGET__BREAKER_PAUSE", "1h"),
        ("PROVIDERS__COINMARKETCAP__BUDGET__BREAKER_MAX_PAUSE", "1h"),
    ];
    let rig = Rig::new(pool, &settings).await;
    rig.upstream.script(Trouble::always(TroubleKind::Status {
        status: 502,
        body: None,
        headers: Vec::new(),
    }));
    rig.enqueue(vec![rig.quote(1)]).await;
    let worker = rig.worker();
    becomes(
        &rig.pool,
        "select count(*) from larder.lanes where closed_reason = 'breaker'",
        1,
    )
    .await;
    worker.stop().await;
    assert_eq!(rig.arrivals(QUOTES), 3);
}
