//! What cron calls.

use reqwest::Method;
use serde_json::{Value, json};

use super::harness::{Server, TestResult, execute, json as body, problem};

const PENDING: &str = "/api/jobs/process-pending";

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn due_resources_become_jobs_once(pool: sqlx::PgPool) -> TestResult {
    let server = Server::start(&pool).await;

    let first = server.post(PENDING, "").await;

    assert_eq!(first.headers()["cache-control"], "no-store");
    assert_eq!(
        body(first, 202).await,
        json!({"due": 102, "enqueued": 102, "already_waiting": 0, "closed_lanes": []})
    );
    let again = server.operator(Method::GET, PENDING).send().await?;
    assert_eq!(
        body(again, 202).await,
        json!({"due": 102, "enqueued": 0, "already_waiting": 102, "closed_lanes": []})
    );
    assert_eq!(server.live_jobs().await, 102);
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn debug_adds_the_keys_of_what_was_enqueued(pool: sqlx::PgPool) -> TestResult {
    let server = Server::start(&pool).await;
    let answer = body(
        server.post(&format!("{PENDING}?debug=true&_=1"), "").await,
        202,
    )
    .await;
    let keys = answer["resources"].as_array().unwrap();
    assert_eq!(keys.len(), 102);
    assert!(keys.contains(&Value::from(
        "coinmarketcap:/v3/cryptocurrency/quotes/latest?id=1"
    )));
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_closed_lane_is_named_with_its_reason_and_end(pool: sqlx::PgPool) -> TestResult {
    let server = Server::start(&pool).await;
    server
        .post("/api/lanes/coinmarketcap/close", r#"{"reason": "holiday"}"#)
        .await;
    let answer = body(server.post(PENDING, "").await, 202).await;
    assert_eq!(
        answer,
        json!({
            "due": 0, "enqueued": 0, "already_waiting": 0,
            "closed_lanes": [{"lane": "coinmarketcap", "reason": "holiday", "until": null}],
        })
    );

    execute(
        &server.store,
        "update larder.lanes set closed_until = '2999-01-01T00:00:00Z' where closed_reason = 'holiday'",
    )
    .await;
    let answer = body(server.post(PENDING, "").await, 202).await;
    assert_eq!(answer["closed_lanes"][0]["until"], "2999-01-01T00:00:00Z");
    Ok(())
}

/// A link checker or a browser's prefetch must not enqueue anything.
#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn head_and_other_methods_are_refused(pool: sqlx::PgPool) -> TestResult {
    let server = Server::start(&pool).await;
    let head = server.operator(Method::HEAD, PENDING).send().await?;
    assert_eq!(head.status(), 405);
    assert_eq!(head.headers()["allow"], "GET,POST");
    let put = server.operator(Method::PUT, PENDING).send().await?;
    assert!(put.headers().contains_key("allow"));
    assert_eq!(problem(put, 405).await.0, "method-not-allowed");
    assert_eq!(server.live_jobs().await, 0);
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn the_built_in_tick_enqueues_without_cron(pool: sqlx::PgPool) -> TestResult {
    let server = Server::start_with(&pool, &[("LARDER__ENQUEUER__TICK_EVERY", "200ms")]).await;
    let call = server.until_admitted().await;
    assert!(!call.jobs.is_empty());
    Ok(())
}
