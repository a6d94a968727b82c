//! Reads of what is not in the cache yet.

use std::time::{Duration, Instant};

use serde_json::json;
use shared::store::JobVerdict;

use super::harness::{Server, TestResult, execute, json as body, number, problem};

const QUOTES: &str = "/proxy/coinmarketcap/v3/cryptocurrency/quotes/latest";

fn not_found() -> JobVerdict {
    JobVerdict::Fail {
        error: "not_found: coinmarketcap does not know it".to_owned(),
    }
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn fifty_readers_of_a_missing_resource_make_one_job_and_are_all_answered(
    pool: sqlx::PgPool,
) -> TestResult {
    let server = Server::start_untracked(&pool, &[]).await;
    let path = format!("{QUOTES}?id=4242");
    let readers = futures::future::join_all((0..50).map(|_| server.get(&path).send()));
    let worker = async {
        let call = server.until_admitted().await;
        assert_eq!(call.jobs.len(), 1);
        assert_eq!(server.store.job(call.jobs[0].id).await.unwrap().priority, 0);
        // Whoever comes now finds the running job, or the answer.
        let late = server.get(&path).send();
        let (late, ()) = tokio::join!(late, server.answer(&call));
        assert_eq!(late.unwrap().status(), 200);
    };

    let (readers, ()) = tokio::join!(readers, worker);

    for reader in readers {
        let reader = reader?;
        let status = reader.headers()["cache-status"].to_str()?.to_owned();
        assert!(status.starts_with("larder; "), "{status}");
        let answer = body(reader, 200).await;
        assert_eq!(answer["data"], json!([{"id": 4242, "price": 1.10}]));
    }
    // A reader that looked just before the answer came may have left a job, which ends
    // without a call.
    assert!(server.admit().await.is_none());
    assert_eq!(server.live_jobs().await, 0);
    let calls = number(&server.store, "select count(*) from larder.api_calls").await;
    assert_eq!(calls, 1);
    Ok(())
}

/// Polling would take up to a second.
#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_waiting_reader_is_woken_by_the_announcement(pool: sqlx::PgPool) -> TestResult {
    let server = Server::start_untracked(&pool, &[]).await;
    let mut waits = Vec::new();
    for id in 5_001..=5_005 {
        let path = format!("{QUOTES}?id={id}");
        let reader = async {
            let response = server.get(&path).send().await.unwrap();
            body(response, 200).await;
            Instant::now()
        };
        let worker = async {
            let call = server.until_admitted().await;
            let begun = Instant::now();
            server.answer(&call).await;
            begun
        };
        let (answered, recorded) = tokio::join!(reader, worker);
        waits.push(answered - recorded);
    }
    waits.sort();
    assert!(waits[2] < Duration::from_millis(700), "{waits:?}");
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_reader_who_will_not_wait_long_is_told_and_its_job_stays(
    pool: sqlx::PgPool,
) -> TestResult {
    let server = Server::start_untracked(&pool, &[]).await;
    let path = format!("{QUOTES}?id=4242");
    let begun = Instant::now();

    let response = server.get(&path).header("prefer", "wait=1").send().await?;

    assert!(begun.elapsed() >= Duration::from_secs(1));
    assert!(response.headers().contains_key("retry-after"));
    assert_eq!(problem(response, 504).await.0, "timed-out");
    assert_eq!(server.live_jobs().await, 1);
    let call = server.until_admitted().await;
    server.answer(&call).await;
    let response = server.get(&path).header("prefer", "wait=1").send().await?;
    assert_eq!(response.headers()["preference-applied"], "wait=1");
    body(response, 200).await;
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn only_what_is_missing_is_fetched_and_unknown_ids_are_left_out(
    pool: sqlx::PgPool,
) -> TestResult {
    let server = Server::start_untracked(&pool, &[]).await;
    let first = format!("{QUOTES}?id=4242");
    let (known, ()) = tokio::join!(server.get(&first).send(), async {
        let call = server.until_admitted().await;
        server.answer(&call).await;
    });
    body(known?, 200).await;

    let path = format!("{QUOTES}?id=7,4242,8");
    let (mixed, ()) = tokio::join!(server.get(&path).send(), async {
        let call = server.until_admitted().await;
        assert_eq!(call.jobs.len(), 2, "the known one is not fetched again");
        server.record(&call, &not_found(), |id| id == "8").await;
    });

    let answer = body(mixed?, 200).await;
    assert_eq!(
        answer["data"],
        json!([{"id": 4242, "price": 1.10}, {"id": 8, "price": 1.10}])
    );
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn failures_are_named(pool: sqlx::PgPool) -> TestResult {
    let server = Server::start_untracked(&pool, &[]).await;
    let malformed = JobVerdict::Fail {
        error: "malformed: html instead of JSON".to_owned(),
    };
    let refused = JobVerdict::Fail {
        error: "bad_request: Invalid value for \"convert\"".to_owned(),
    };
    for (id, verdict, status, name) in [
        (6, refused, 400, "refused-by-provider"),
        (7, not_found(), 404, "does-not-exist"),
        (8, malformed, 502, "refresh-failed"),
    ] {
        let path = format!("{QUOTES}?id={id}");
        let (response, ()) = tokio::join!(server.get(&path).send(), async {
            let call = server.until_admitted().await;
            server.record(&call, &verdict, |_| false).await;
        });
        let (found, detail) = problem(response?, status).await;
        assert_eq!(found, name, "{detail}");
        assert!(name != "refresh-failed" || detail.contains("html"));
    }
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_closed_lane_is_told_of_at_once_unless_there_is_an_old_answer(
    pool: sqlx::PgPool,
) -> TestResult {
    let max_age = ("LARDER__PROVIDERS__COINMARKETCAP__CACHE__MAX_AGE", "60s");
    let server = Server::start_untracked(&pool, &[max_age]).await;
    let known = format!("{QUOTES}?id=1");
    let (read, ()) = tokio::join!(server.get(&known).send(), async {
        let call = server.until_admitted().await;
        server.answer(&call).await;
    });
    body(read?, 200).await;
    let close = "/api/lanes/coinmarketcap/close";
    server.post(close, r#"{"for": "100s"}"#).await;
    execute(
        &server.store,
        "update larder.entries set fetched_at = clock_timestamp() - interval '1 h',
                fresh_until = clock_timestamp() - interval '59 m'",
    )
    .await;

    server.until_shown(&known, "age", "3600").await;
    let begun = Instant::now();
    let missing = server.get(&format!("{QUOTES}?id=1,2")).send().await?;
    assert!(begun.elapsed() < Duration::from_secs(5));

    let wait: u64 = missing.headers()["retry-after"].to_str()?.parse()?;
    assert!((90..=100).contains(&wait), "{wait}");
    assert_eq!(problem(missing, 503).await.0, "lane-closed");
    assert_eq!(server.live_jobs().await, 0, "nothing piles up");
    server.post(close, "").await;
    let missing = server.get(&format!("{QUOTES}?id=2")).send().await?;
    assert_eq!(missing.headers()["retry-after"], "3600");
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn stopping_lets_waiting_readers_go(pool: sqlx::PgPool) -> TestResult {
    let mut server = Server::start_untracked(&pool, &[]).await;
    let path = format!("{QUOTES}?id=4242");
    let (response, ()) = tokio::join!(server.get(&path).send(), async {
        server.until_admitted().await;
        server.stop.cancel();
    });
    assert_eq!(problem(response?, 503).await.0, "stopping");
    let ended = tokio::time::timeout(Duration::from_secs(5), &mut server.running).await;
    ended???;
    Ok(())
}
