//! What a reader's `Cache-Control` does.

use std::time::Duration;

use serde_json::json;

use super::harness::{Server, TestResult, execute, json as body, number, problem};

const ONE: &str = "/proxy/coinmarketcap/v3/cryptocurrency/quotes/latest?id=1";

fn status(response: &reqwest::Response) -> String {
    response.headers()["cache-status"]
        .to_str()
        .unwrap()
        .to_owned()
}

/// A server with entries of this age.
async fn aged(pool: &sqlx::PgPool, age: &'static str) -> Server {
    let server = Server::start(pool).await;
    server.fill().await;
    execute(&server.store, age).await;
    server
}

const TWO_MINUTES: &str = "update larder.entries set fetched_at = fetched_at - interval '2 m'";

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_reader_has_an_answer_renewed_once_in_its_shortest_interval(
    pool: sqlx::PgPool,
) -> TestResult {
    let server = aged(&pool, TWO_MINUTES).await;
    let calls = "select count(*) from larder.api_calls";
    let before = number(&server.store, calls).await;
    let no_cache = || server.get(ONE).header("cache-control", "no-cache").send();

    let (renewed, ()) = tokio::join!(no_cache(), async {
        let call = server.until_admitted().await;
        assert!(call.jobs.iter().any(|job| job.item.as_deref() == Some("1")));
        server.answer(&call).await;
    });

    let renewed = renewed?;
    assert!(status(&renewed).starts_with("larder; fwd=request; stored"));
    assert_eq!(renewed.headers()["age"], "0");
    for _ in 0..5 {
        let read = no_cache().await?;
        assert!(
            status(&read).starts_with("larder; hit"),
            "{}",
            status(&read)
        );
        body(read, 200).await;
    }
    assert_eq!(number(&server.store, calls).await, before + 1);
    assert_eq!(server.live_jobs().await, 0);
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_failed_renewal_leaves_the_old_answer_and_is_not_asked_for_again(
    pool: sqlx::PgPool,
) -> TestResult {
    let server = aged(&pool, TWO_MINUTES).await;
    let impatient = || {
        let read = server.get(ONE).header("cache-control", "max-age=60");
        read.header("prefer", "wait=0").send()
    };
    for _ in 0..3 {
        let read = impatient().await?;
        assert_eq!(read.headers()["age"], "120");
        body(read, 200).await;
    }
    server.until_live_jobs(1).await;
    execute(&server.store, "delete from larder.jobs").await;
    body(impatient().await?, 200).await;
    assert_eq!(
        server.live_jobs().await,
        0,
        "once in a minute, come what may"
    );
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn only_if_cached_never_causes_a_call(pool: sqlx::PgPool) -> TestResult {
    let server = aged(&pool, TWO_MINUTES).await;
    let read = |path: &str, directives: &'static str| {
        server.get(path).header("cache-control", directives).send()
    };
    let missing = ONE.replace("id=1", "id=4242");
    for (path, directives, expected) in [
        (ONE, "only-if-cached", 200),
        (ONE, "only-if-cached, max-age=300", 200),
        (ONE, "only-if-cached, max-age=60", 504),
        (ONE, "only-if-cached, min-fresh=100000", 504),
        (&missing, "only-if-cached", 504),
    ] {
        let answer = read(path, directives).await?;
        if expected == 504 {
            assert_eq!(problem(answer, 504).await.0, "not-cached", "{directives}");
        } else {
            body(answer, expected).await;
        }
    }
    assert_eq!(server.live_jobs().await, 0);
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn max_stale_takes_what_is_past_its_bound_of_age(pool: sqlx::PgPool) -> TestResult {
    let bound = [("LARDER__PROVIDERS__COINMARKETCAP__CACHE__MAX_AGE", "60s")];
    let server = Server::start_untracked(&pool, &bound).await;
    let (read, ()) = tokio::join!(server.get(ONE).send(), async {
        let call = server.until_admitted().await;
        server.answer(&call).await;
    });
    let answer = body(read?, 200).await;
    assert_eq!(answer["data"], json!([{"id": 1, "price": 1.10}]));
    execute(&server.store, TWO_MINUTES).await;
    execute(
        &server.store,
        "update larder.entries set fresh_until = clock_timestamp() - interval '1 m'",
    )
    .await;
    server.post("/api/lanes/coinmarketcap/close", "").await;
    // Forgotten copies are loaded anew: from here on everybody sees the old entry.
    server.until_shown(ONE, "age", "120").await;

    let taken = server.get(ONE).header("cache-control", "max-stale").send();
    assert!(status(&taken.await?).starts_with("larder; hit; ttl=-"));
    let refused = server
        .get(ONE)
        .header("cache-control", "max-stale=5, only-if-cached");
    assert_eq!(problem(refused.send().await?, 504).await.0, "not-cached");
    let begun = std::time::Instant::now();
    let old = server.get(ONE).send().await?;
    assert!(begun.elapsed() < Duration::from_secs(5));
    body(old, 200).await;
    Ok(())
}
