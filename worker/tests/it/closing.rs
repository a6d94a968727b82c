//! Answers that close the lane: why, until when, and at no cost for the jobs that wait.

use std::time::Duration;

use sandbox::{KeyState, RetryAfter, Trouble, TroubleKind};
use sqlx::PgPool;

use crate::rig::{KEY, Rig, Setting};
use crate::rows::{becomes, ended, job, lane, settled};
use crate::trouble::{Left, left_by};

async fn closed_by(pool: PgPool, code: u32, retry_after: Option<RetryAfter>) -> Left {
    let settings: &[Setting<'_>] = &[("PROVIDERS__COINMARKETCAP__BUDGET__MAX_RETRY_AFTER", "300s")];
    let kind = TroubleKind::Limited {
        code,
        retry_after,
        headers: Vec::new(),
    };
    let left = left_by(pool, kind, settings).await;
    // Its attempt was given back, and there is no error to be seen in it.
    assert_eq!((left.job.status.as_str(), left.job.attempt), ("pending", 0));
    assert_eq!(left.job.error, None);
    assert_eq!((left.call.requests, left.call.credits), (1, Some(0)));
    left
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn the_limit_of_the_minute_closes_it_until_the_next_one(pool: PgPool) {
    let left = closed_by(pool, 1008, None).await;
    assert_eq!(left.outcome(), "throttled");
    assert_eq!(left.lane.reason.as_deref(), Some("throttled:minute"));
    assert_eq!(left.lane.to_the_minute, Some(true));
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn the_limit_of_the_day_closes_it_until_the_next_one(pool: PgPool) {
    let left = closed_by(pool, 1009, None).await;
    assert_eq!(left.lane.reason.as_deref(), Some("throttled:day"));
    assert_eq!(left.lane.to_the_day, Some(true));
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn the_limit_of_the_month_closes_it_until_the_next_one(pool: PgPool) {
    let left = closed_by(pool, 1010, None).await;
    assert_eq!(left.lane.reason.as_deref(), Some("throttled:month"));
    assert_eq!(left.lane.to_the_month, Some(true));
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn the_limit_of_an_address_closes_it_for_a_minute(pool: PgPool) {
    let left = closed_by(pool, 1011, None).await;
    assert_eq!(left.lane.reason.as_deref(), Some("throttled:ip"));
    assert!((left.lane.closed_for.unwrap() - 60.0).abs() < 0.5);
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn the_providers_own_word_on_when_to_come_back_wins(pool: PgPool) {
    let left = closed_by(pool, 1008, Some(RetryAfter::Seconds(250))).await;
    assert!((left.lane.closed_for.unwrap() - 250.0).abs() < 0.5);
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn its_word_may_be_a_date(pool: PgPool) {
    let left = closed_by(pool, 1008, Some(RetryAfter::DateIn(120))).await;
    // Dates have whole seconds.
    assert!((left.lane.closed_for.unwrap() - 120.0).abs() <= 2.0);
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn its_word_is_believed_only_so_far(pool: PgPool) {
    let left = closed_by(pool, 1010, Some(RetryAfter::Seconds(4_000_000_000))).await;
    assert!((left.lane.closed_for.unwrap() - 300.0).abs() < 0.5);
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_throttling_without_the_providers_code_is_one_of_the_minute(pool: PgPool) {
    let bare = TroubleKind::Status {
        status: 429,
        body: Some("slow down".to_owned()),
        headers: Vec::new(),
    };
    let left = left_by(pool, bare, &[]).await;
    assert_eq!(left.lane.reason.as_deref(), Some("throttled:minute"));
    assert_eq!((left.job.status.as_str(), left.job.attempt), ("pending", 0));
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_key_that_is_worth_nothing_closes_it_until_an_operator_opens_it(pool: PgPool) {
    let states = [
        KeyState::Invalid,
        KeyState::NeedsPayment,
        KeyState::Expired,
        KeyState::Required,
        KeyState::Disabled,
    ];
    let rig = Rig::new(pool, &[]).await;
    let name = "coinmarketcap".parse().unwrap();
    let worker = rig.worker();
    let mut done = 0;
    for state in states {
        rig.upstream.set_key(KEY, state);
        let id = rig.enqueue(vec![rig.quote(1)]).await[0];
        rig.notify().await;
        let call = settled(&rig, done + 1).await.pop().unwrap();
        assert_eq!(call.outcome.as_deref(), Some("key_dead"), "{state:?}");
        let closed = lane(&rig.pool).await;
        assert_eq!(closed.reason.as_deref(), Some("key_dead"), "{state:?}");
        assert_eq!(closed.for_good, Some(true), "{state:?}");
        let waiting = job(&rig.pool, id).await;
        assert_eq!((waiting.status.as_str(), waiting.attempt), ("pending", 0));

        // Nothing is sent until somebody opens it; then the same job is done.
        rig.notify().await;
        rig.upstream.set_key(KEY, KeyState::Active);
        rig.store.open_lane(&name).await.unwrap();
        rig.notify().await;
        assert_eq!(ended(&rig, id).await.status, "completed", "{state:?}");
        done += 2;
    }
    worker.stop().await;
    assert_eq!(rig.upstream.total().requests, u64::try_from(done).unwrap());
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_closed_lane_sends_nothing_until_its_time_has_come(pool: PgPool) {
    let rig = Rig::new(pool, &[]).await;
    rig.upstream.script(Trouble::next(
        1,
        TroubleKind::Limited {
            code: 1008,
            retry_after: Some(RetryAfter::Seconds(2)),
            headers: Vec::new(),
        },
    ));
    let id = rig.enqueue(vec![rig.quote(1)]).await[0];
    let worker = rig.worker();
    assert_eq!(ended(&rig, id).await.status, "completed");
    worker.stop().await;
    let arrivals = rig.upstream.arrivals();
    assert_eq!(arrivals.len(), 2);
    let between = arrivals[1].elapsed_micros - arrivals[0].elapsed_micros;
    assert!(between >= 2_000_000, "{between}");
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_lesser_reason_does_not_hide_a_greater_one(pool: PgPool) {
    // Two calls at once: one finds the key dead, the other, later, that the minute is full.
    let rig = Rig::new(pool, &[]).await;
    let name = "coinmarketcap".parse().unwrap();
    let global = rig.resource("coinmarketcap:/v1/global-metrics/quotes/latest");
    let code = |code| TroubleKind::Limited {
        code,
        retry_after: None,
        headers: Vec::new(),
    };
    let path = "/v1/global-metrics/quotes/latest";
    rig.upstream
        .script(Trouble::next(1, code(1001)).on(crate::rig::QUOTES));
    rig.upstream.script(Trouble::next(1, code(1008)).on(path));
    let late = TroubleKind::Latency { ms: 500 };
    rig.upstream.script(Trouble::next(1, late).on(path));
    rig.enqueue(vec![rig.quote(1), global]).await;
    let worker = rig.worker();
    settled(&rig, 2).await;
    let closed = lane(&rig.pool).await;
    assert_eq!(closed.for_good, Some(true));
    assert_eq!(closed.reason.as_deref(), Some("key_dead"));

    rig.store.open_lane(&name).await.unwrap();
    rig.notify().await;
    let none = "select count(*) from larder.jobs";
    becomes(&rig.pool, none, 0).await;
    worker.stop().await;
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn an_empty_budget_closes_it_until_a_call_fits_again(pool: PgPool) {
    let settings = [
        ("PROVIDERS__COINMARKETCAP__LIMITS__MONTH__CAP", "2"),
        (
            "PROVIDERS__COINMARKETCAP__LIMITS__MONTH__WINDOW__ROLLING",
            "2s",
        ),
    ];
    let rig = Rig::new(pool, &settings).await;
    let resources = (1..=6)
        .map(|start| {
            rig.resource(&format!(
                "coinmarketcap:/v3/cryptocurrency/listings/latest?limit=1&start={start}"
            ))
        })
        .collect();
    let jobs = rig.enqueue(resources).await;
    let worker = rig.worker();
    for id in jobs {
        let done = ended(&rig, id).await;
        assert_eq!((done.status.as_str(), done.attempt), ("completed", 1));
    }
    worker.stop().await;
    let peak = rig.upstream.peak(Duration::from_secs(2));
    assert!(peak.credits <= 2, "{peak:?}");
    assert_eq!(
        lane(&rig.pool).await.reason.as_deref(),
        Some("budget:month")
    );
}
