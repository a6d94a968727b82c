//! Each limit lets exactly its cap through.

use chrono::TimeDelta;
use sandbox::{SandboxConfig, Window, Windows};

use crate::caller::{Caller, LONG_MS, quiet};

const QUOTE: &str = "/v3/cryptocurrency/quotes/latest?id=1";

fn next_window() -> TimeDelta {
    TimeDelta::milliseconds(i64::try_from(LONG_MS).unwrap())
}

#[tokio::test]
async fn the_minute_lets_its_cap_through_and_opens_again() {
    let config = SandboxConfig {
        requests_per_minute: 3,
        ..quiet()
    };
    let caller = Caller::start(config).await;
    // An error counts like any other request.
    assert_eq!(
        caller
            .get("/v3/cryptocurrency/quotes/latest?id=x")
            .await
            .status,
        400
    );
    assert_eq!(caller.get(QUOTE).await.status, 200);
    assert_eq!(caller.get("/v1/key/info").await.status, 200);
    for _ in 0..2 {
        let answer = caller.get(QUOTE).await;
        assert_eq!((answer.status, answer.code()), (429, 1008));
    }
    caller.handle.set_clock_offset(next_window());
    assert_eq!(caller.get(QUOTE).await.status, 200);
    assert_eq!(caller.handle.ledger(0).refused[&1008], 2);
}

#[tokio::test]
async fn a_rolling_minute_counts_any_stretch() {
    let config = SandboxConfig {
        requests_per_minute: 2,
        windows: Windows {
            minute: Window::RollingMs(LONG_MS),
            ..quiet().windows
        },
        ..quiet()
    };
    let caller = Caller::start(config).await;
    assert_eq!(caller.get(QUOTE).await.status, 200);
    assert_eq!(caller.get(QUOTE).await.status, 200);
    // The provider's wall clock does not matter to it.
    caller.handle.set_clock_offset(next_window());
    assert_eq!(caller.get(QUOTE).await.code(), 1008);
}

#[tokio::test]
async fn the_month_lets_its_cap_through_and_free_calls_beyond_it() {
    let config = SandboxConfig {
        credits_per_month: 5,
        ..quiet()
    };
    let caller = Caller::start(config).await;
    let four = "/v3/cryptocurrency/quotes/latest?id=1&convert=USD,EUR,GBP,JPY";
    assert_eq!(caller.get(four).await.credits(), 4);
    let answer = caller.get(four).await;
    assert_eq!((answer.status, answer.code()), (429, 1010));
    assert_eq!(caller.get(QUOTE).await.status, 200);
    assert_eq!(caller.get(QUOTE).await.code(), 1010);
    assert_eq!(
        caller.get("/v1/cryptocurrency/map?limit=1").await.status,
        200
    );
    let info = caller.get("/v1/key/info").await;
    let month = &info.data()["usage"]["current_month"];
    assert_eq!(
        (&month["credits_used"], &month["credits_left"]),
        (&5.into(), &0.into())
    );
    assert!(info.json()["status"]["notice"].is_string());
    caller.handle.set_clock_offset(next_window());
    assert_eq!(caller.get(QUOTE).await.status, 200);
}

#[tokio::test]
async fn the_day_is_limited_apart_from_the_month() {
    let config = SandboxConfig {
        credits_per_day: Some(1),
        ..quiet()
    };
    let caller = Caller::start(config).await;
    assert_eq!(caller.get(QUOTE).await.status, 200);
    let answer = caller.get(QUOTE).await;
    assert_eq!((answer.status, answer.code()), (429, 1009));
}

#[tokio::test]
async fn an_address_is_limited_whatever_its_keys() {
    let config = SandboxConfig {
        ip_requests_per_minute: Some(2),
        ..quiet()
    };
    let caller = Caller::start(config).await;
    assert_eq!(caller.get_with(QUOTE, &[]).await.unwrap().code(), 1002);
    assert_eq!(caller.get(QUOTE).await.status, 200);
    let answer = caller.get(QUOTE).await;
    assert_eq!((answer.status, answer.code()), (429, 1011));
}

#[tokio::test]
async fn what_others_spend_counts_but_is_told_apart() {
    let config = SandboxConfig {
        credits_per_month: 10,
        requests_per_minute: 10,
        ..quiet()
    };
    let caller = Caller::start(config).await;
    caller.handle.spend_elsewhere(3, 9);
    assert_eq!(caller.get(QUOTE).await.status, 200);
    assert_eq!(caller.get(QUOTE).await.code(), 1010);
    let info = caller.get("/v1/key/info").await.data();
    assert_eq!(info["usage"]["current_month"]["credits_used"], 10);
    assert_eq!(info["usage"]["current_minute"]["requests_made"], 6);
    let total = caller.handle.total();
    assert_eq!((total.credits, total.foreign_credits), (1, 9));
    assert_eq!((total.requests, total.foreign_requests), (3, 3));
}

#[tokio::test]
async fn limits_that_are_not_enforced_are_still_counted() {
    let config = SandboxConfig {
        requests_per_minute: 1,
        credits_per_month: 1,
        enforce: false,
        ..quiet()
    };
    let caller = Caller::start(config).await;
    for _ in 0..5 {
        assert_eq!(caller.get(QUOTE).await.status, 200);
    }
    let month = caller.handle.ledger(0).windows.month;
    assert_eq!((month.len(), month[0].used.credits), (1, 5));
}

#[tokio::test]
async fn a_changed_plan_holds_from_the_next_call_on() {
    let caller = Caller::quiet().await;
    assert_eq!(caller.get(QUOTE).await.status, 200);
    let mut plan = caller.handle.plan();
    plan.credits_per_month = 1;
    caller.handle.set_plan(plan.clone());
    assert_eq!(caller.get(QUOTE).await.code(), 1010);
    // What costs nothing is answered even when more is used than allowed.
    plan.credits_per_month = 0;
    caller.handle.set_plan(plan.clone());
    assert_eq!(caller.get("/v1/key/info").await.status, 200);
    plan.credits_per_month = 2;
    caller.handle.set_plan(plan);
    assert_eq!(caller.get(QUOTE).await.status, 200);
}

#[tokio::test]
async fn the_free_plan_resets_with_the_utc_month() {
    let caller = Caller::start(SandboxConfig::default()).await;
    let before = Window::Month.end(caller.handle.now());
    let plan = caller.get("/v1/key/info").await.data()["plan"].clone();
    let after = Window::Month.end(caller.handle.now());
    assert_eq!(plan["credit_limit_monthly"], 15_000);
    assert_eq!(plan["rate_limit_minute"], 50);
    let stamp = plan["credit_limit_monthly_reset_timestamp"]
        .as_str()
        .unwrap();
    let reset: chrono::DateTime<chrono::Utc> = stamp.parse().unwrap();
    assert!(reset == before || reset == after);
}
