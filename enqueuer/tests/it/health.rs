//! Health, metrics, and what is told of paths that are none.

use reqwest::Method;

use super::harness::{Server, TestResult, execute, json as body, problem};
use super::start::{AHEAD, REFUSES};

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn it_is_ready_when_a_worker_has_been_seen_lately(pool: sqlx::PgPool) -> TestResult {
    let server = Server::start(&pool).await;
    let ready = async || server.get("/readyz").send().await.unwrap();
    let (name, detail) = problem(ready().await, 503).await;
    assert_eq!(name, "not-ready");
    assert!(detail.contains("no worker has been seen"), "{detail}");

    execute(
        &server.store,
        "insert into larder.workers (worker, seen_at, version) values ('w', clock_timestamp(), '0')",
    )
    .await;
    body(ready().await, 200).await;
    execute(
        &server.store,
        "update larder.workers set seen_at = clock_timestamp() - interval '61 s'",
    )
    .await;
    let (_, detail) = problem(ready().await, 503).await;
    assert!(detail.contains("61 s ago"), "{detail}");
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_schema_of_a_later_release_is_no_reason_unless_it_says_so(
    pool: sqlx::PgPool,
) -> TestResult {
    let server = Server::start(&pool).await;
    execute(&server.store, AHEAD).await;
    let (_, detail) = problem(server.get("/readyz").send().await?, 503).await;
    assert!(detail.contains("no worker has been seen"), "{detail}");
    execute(&server.store, REFUSES).await;
    let (_, detail) = problem(server.get("/readyz").send().await?, 503).await;
    assert!(detail.contains("migration 9999"), "{detail}");
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn metrics_show_what_the_database_knows(pool: sqlx::PgPool) -> TestResult {
    let server = Server::start(&pool).await;
    server.post("/api/jobs/process-pending", "").await;

    let response = server.get("/metrics").send().await?;

    let kind = response.headers()["content-type"].to_str()?.to_owned();
    assert!(kind.starts_with("text/plain"), "{kind}");
    let page = response.text().await?;
    for line in [
        // Other tests of this process set the same gauges: names and labels, no values.
        "larder_budget_limit{provider=\"coinmarketcap\",limit=\"month\",unit=\"credits\"} 15000",
        "larder_lane_open{lane=\"coinmarketcap\"}",
        "larder_jobs{lane=\"coinmarketcap\",status=\"pending\"}",
        "larder_jobs{lane=\"local\",status=\"running\"} 0",
        "larder_oldest_due_job_seconds{lane=\"coinmarketcap\"}",
        "larder_last_tick_timestamp_seconds 1",
        "larder_build_info{version=\"0.1.0\"} 1",
        "# TYPE larder_budget_spent gauge",
    ] {
        assert!(page.contains(line), "{line} is not in\n{page}");
    }
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn metrics_can_stand_at_an_address_of_their_own(pool: sqlx::PgPool) -> TestResult {
    let url = super::harness::url_of(&pool);
    let own = [("LARDER__ENQUEUER__METRICS_LISTEN", "127.0.0.1:0")];
    let settings = super::harness::settings(&url, &own);
    let enqueuer = enqueuer::Enqueuer::bind(settings).await?;
    let (api, metrics) = (enqueuer.address(), enqueuer.metrics_address());
    let stop = tokio_util::sync::CancellationToken::new();
    let running = tokio::spawn(enqueuer.run(stop.clone()));
    let client = super::harness::client();

    let shown = client
        .get(format!("http://{metrics}/metrics"))
        .send()
        .await?;
    assert_eq!(shown.status(), 200);
    let hidden = client.get(format!("http://{api}/metrics")).send().await?;
    problem(hidden, 404).await;
    let elsewhere = client.get(format!("http://{metrics}/api/budget")).send();
    problem(elsewhere.await?, 404).await;
    stop.cancel();
    running.await??;
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn unknown_paths_and_methods_are_problems_too(pool: sqlx::PgPool) -> TestResult {
    let server = Server::start(&pool).await;
    for path in ["/nothing", "/api", "/api/nothing", "/api/jobs/x/y/z"] {
        let refused = server.operator(Method::GET, path).send().await?;
        assert_eq!(problem(refused, 404).await.0, "not-found", "{path}");
    }
    for (path, allow) in [
        ("/healthz", "GET,HEAD"),
        ("/metrics", "GET,HEAD"),
        ("/api/budget", "GET,HEAD"),
        ("/api/resources/x", "PUT,DELETE"),
        ("/api/jobs/x/retry", "POST"),
    ] {
        let refused = server.operator(Method::PATCH, path).send().await?;
        assert_eq!(refused.headers()["allow"], allow, "{path}");
        assert_eq!(problem(refused, 405).await.0, "method-not-allowed");
    }
    let listed = server.get("/openapi.json").send().await?.text().await?;
    assert!(listed.contains("/api/jobs/process-pending"));
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn the_operators_page_loads_nothing_from_elsewhere(pool: sqlx::PgPool) -> TestResult {
    let server = Server::start(&pool).await;
    for (path, kind) in [
        ("/", "text/html; charset=utf-8"),
        ("/page/page.js", "text/javascript; charset=utf-8"),
        ("/page/page.css", "text/css; charset=utf-8"),
    ] {
        let shown = server.get(path).send().await?;
        assert_eq!(shown.status(), 200, "{path}");
        assert_eq!(shown.headers()["content-type"], kind, "{path}");
        assert_eq!(shown.headers()["x-content-type-options"], "nosniff");
        assert_eq!(shown.headers()["x-frame-options"], "DENY");
        let policy = shown.headers()["content-security-policy"].to_str()?;
        assert!(policy.starts_with("default-src 'none'; script-src 'self';"));
        assert!(!policy.contains("unsafe"), "{policy}");
    }
    let unknown = server.get("/page/nothing.js").send().await?;
    problem(unknown, 404).await;
    Ok(())
}
