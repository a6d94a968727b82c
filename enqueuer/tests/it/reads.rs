//! Reads of what is in the cache.

use reqwest::Method;
use serde_json::json;

use super::harness::{Server, TestResult, execute, json as body, number, problem};

const QUOTES: &str = "/proxy/coinmarketcap/v3/cryptocurrency/quotes/latest";

/// A server with an answer to everything that the example tracks.
async fn filled(pool: &sqlx::PgPool) -> Server {
    let server = Server::start(pool).await;
    server.post("/api/jobs/process-pending", "").await;
    while let Some(call) = server.admit().await {
        server.answer(&call).await;
    }
    server
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn several_ids_are_answered_from_one_entry_each_in_the_order_asked(
    pool: sqlx::PgPool,
) -> TestResult {
    let server = filled(&pool).await;
    execute(
        &server.store,
        "update larder.entries set fetched_at = clock_timestamp() - interval '40.5 s',
                fresh_until = clock_timestamp() + interval '20.5 s'
         where resource_key like '%id=1027'",
    )
    .await;

    let response = server
        .get(&format!("{QUOTES}?id=825,1027,825,1"))
        .send()
        .await?;

    let headers = response.headers().clone();
    let answer = body(response, 200).await;
    assert_eq!(
        answer["data"],
        json!([
            {"id": 825, "price": 1.10}, {"id": 1027, "price": 1.10}, {"id": 1, "price": 1.10},
        ])
    );
    assert_eq!(answer["status"]["credit_count"], 0);
    for (name, value) in [
        ("cache-status", "larder; hit; ttl=20"),
        ("age", "40"),
        (
            "cache-control",
            "max-age=60, stale-while-revalidate=60, stale-if-error=86400",
        ),
        ("vary", "Accept-Encoding"),
        ("content-type", "application/json"),
        ("x-content-type-options", "nosniff"),
        ("content-security-policy", "sandbox; default-src 'none'"),
    ] {
        assert_eq!(headers[name], value, "{name}");
    }
    assert_eq!(server.live_jobs().await, 0, "a fresh read costs nothing");
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn what_the_key_has_spent_comes_from_the_ledger(pool: sqlx::PgPool) -> TestResult {
    let server = filled(&pool).await;
    let spent = number(
        &server.store,
        "select sum(credits)::bigint from larder.api_calls",
    )
    .await;

    let response = server
        .get("/proxy/coinmarketcap/v1/key/info")
        .send()
        .await?;

    assert_eq!(response.headers()["cache-control"], "no-store");
    let info = body(response, 200).await;
    assert!(spent > 0);
    assert_eq!(
        info["data"]["usage"]["current_month"],
        json!({"credits_used": spent, "credits_left": 15_000 - spent})
    );
    assert!(info["data"]["usage"]["current_day"]["credits_used"].is_u64());
    assert_eq!(info["data"]["plan"]["credit_limit_monthly"], 15_000);
    assert_eq!(info["data"]["plan"]["rate_limit_minute"], 45);
    assert_eq!(info["status"]["error_code"], 0);
    assert_eq!(info["status"]["credit_count"], 0);
    assert_eq!(server.live_jobs().await, 0, "the provider is not asked");
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn head_is_answered_without_a_body_and_other_methods_are_refused(
    pool: sqlx::PgPool,
) -> TestResult {
    let server = filled(&pool).await;
    let path = format!("{QUOTES}?id=1");
    let head = server.request(Method::HEAD, &path).send().await?;
    assert_eq!(head.status(), 200);
    assert!(head.headers().contains_key("cache-status"));
    for method in [Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS] {
        let refused = server.request(method, &path).send().await?;
        assert_eq!(refused.headers()["allow"], "GET,HEAD");
        assert_eq!(problem(refused, 405).await.0, "method-not-allowed");
    }
    Ok(())
}

/// The plan refreshes it: a reader adds nothing to the bill.
#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn an_overdue_tracked_entry_is_answered_and_enqueues_nothing(
    pool: sqlx::PgPool,
) -> TestResult {
    let server = filled(&pool).await;
    make_overdue(&server).await;

    let response = server.get(&format!("{QUOTES}?id=1")).send().await?;

    assert_eq!(response.headers()["cache-status"], "larder; hit; ttl=-10");
    assert_eq!(
        response.headers()["cache-control"],
        "max-age=0, stale-while-revalidate=60, stale-if-error=86400"
    );
    body(response, 200).await;
    assert_eq!(server.live_jobs().await, 0);
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn an_old_untracked_entry_is_answered_and_renewed_once(pool: sqlx::PgPool) -> TestResult {
    let server = filled(&pool).await;
    make_overdue(&server).await;
    execute(
        &server.store,
        "update larder.resources set tracked = false, every = null, next_refresh_at = null",
    )
    .await;

    let path = format!("{QUOTES}?id=1");
    let reads = futures::future::join_all((0..20).map(|_| server.get(&path).send())).await;

    for read in reads {
        assert_eq!(read?.headers()["cache-status"], "larder; hit; ttl=-10");
    }
    let call = server.until_admitted().await;
    assert_eq!(call.jobs.len(), 1);
    let row = server.store.job(call.jobs[0].id).await?;
    assert_eq!(row.priority, 10);
    server.answer(&call).await;
    assert_eq!(
        number(
            &server.store,
            "select count(*) from larder.finished_jobs where class = 'reader'"
        )
        .await,
        1
    );
    Ok(())
}

async fn make_overdue(server: &Server) {
    execute(
        &server.store,
        "update larder.entries set fetched_at = clock_timestamp() - interval '70 s',
                fresh_until = clock_timestamp() - interval '9.5 s'",
    )
    .await;
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn what_is_no_question_is_refused_and_enqueues_nothing(pool: sqlx::PgPool) -> TestResult {
    let server = Server::start(&pool).await;
    let long = "9".repeat(10_240);
    let many: Vec<String> = (1..=6_000).map(|id| id.to_string()).collect();
    for (path, status, name) in [
        ("/proxy/".to_owned(), 404, "not-found"),
        ("/proxy/nobody/v1/x".to_owned(), 404, "unknown-provider"),
        ("/proxy/coinmarketcap".to_owned(), 404, "unknown-endpoint"),
        (
            "/proxy/coinmarketcap/v9/x".to_owned(),
            404,
            "unknown-endpoint",
        ),
        (
            "/proxy/coinmarketcap/v1/key/info?id=1".to_owned(),
            422,
            "invalid-parameter",
        ),
        (
            "/proxy/coinmarketcap/v3%2Fcryptocurrency%2Fquotes%2Flatest?id=1".to_owned(),
            404,
            "unknown-endpoint",
        ),
        (
            "/proxy/coinmarketcap/v3/cryptocurrency//quotes/latest?id=1".to_owned(),
            404,
            "unknown-endpoint",
        ),
        (QUOTES.to_owned(), 422, "invalid-parameter"),
        (format!("{QUOTES}?id="), 422, "invalid-parameter"),
        (format!("{QUOTES}?id=x"), 422, "invalid-parameter"),
        (
            format!("{QUOTES}?id=1&colour=red"),
            422,
            "invalid-parameter",
        ),
        (format!("{QUOTES}?id=1%00"), 422, "invalid-parameter"),
        (format!("{QUOTES}?slug=a%00"), 422, "invalid-parameter"),
        (format!("{QUOTES}?id={long}"), 422, "invalid-parameter"),
        (
            format!("{QUOTES}?id={}", many.join(",")),
            422,
            "invalid-parameter",
        ),
    ] {
        let shown: String = path.chars().take(100).collect();
        let refused = problem(server.get(&path).send().await?, status).await;
        assert_eq!(refused.0, name, "{shown}: {}", refused.1);
    }
    assert_eq!(server.live_jobs().await, 0);
    Ok(())
}

/// A client library tidies such paths up, so they are written by hand.
#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn paths_that_climb_reach_nothing(pool: sqlx::PgPool) -> TestResult {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    let server = Server::start(&pool).await;
    let address = server.base.strip_prefix("http://").unwrap();
    for path in [
        "/proxy/../api/budget",
        "/proxy/coinmarketcap/../../healthz",
        "/proxy/coinmarketcap/%2e%2e/v1/key/info",
        "/proxy/coinmarketcap/v1/./key/info",
        "/proxy/coinmarketcap/%00",
        "/proxy/%2e%2e%2fapi%2fbudget",
    ] {
        let mut stream = tokio::net::TcpStream::connect(address).await?;
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        assert!(answer.starts_with("HTTP/1.1 404 "), "{path}: {answer}");
        assert!(answer.contains("/problems/unknown-"), "{path}: {answer}");
    }
    assert_eq!(server.live_jobs().await, 0);
    Ok(())
}
