//! Health, metrics, and what is told of paths that are none.

use reqwest::Method;

use shared::metrics::ALL;

use super::harness::{Server, TestResult, execute, json as body, problem};
use super::relay::Relay;
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
    // As pg_cron does, and no enqueuer notices.
    execute(&server.store, "select larder.tick()").await;

    let response = server.get("/metrics").send().await?;

    let kind = response.headers()["content-type"].to_str()?.to_owned();
    assert!(kind.starts_with("text/plain"), "{kind}");
    let page = response.text().await?;
    for line in [
        "larder_database_up 1",
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

/// Those on a page that the database knows.
fn of_the_database(page: &str) -> Vec<&str> {
    let of_it = ALL.iter().filter(|metric| metric.is_of_the_database());
    let names: Vec<&str> = of_it.map(|metric| metric.name).collect();
    let is_of_it = |line: &&str| {
        line.split(['{', ' '])
            .next()
            .is_some_and(|name| names.contains(&name))
    };
    page.lines().filter(is_of_it).collect()
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn without_the_database_no_page_shows_what_it_last_knew(pool: sqlx::PgPool) -> TestResult {
    let mut relay = Relay::start(&pool).await;
    let server = Server::start_at(&relay.url(), &pool, &[]).await;
    server.until_ready_says("no worker has been seen").await;
    execute(&server.store, "select larder.tick()").await;
    let page = async || server.get("/metrics").send().await?.text().await;
    let before = page().await?;
    assert!(before.contains("\nlarder_database_up 1\n"), "{before}");
    let known = of_the_database(&before).len();
    assert!(known > 40, "premise: {known} in\n{before}");

    relay.cut().await;
    let without = page().await?;
    assert!(without.contains("\nlarder_database_up 0\n"), "{without}");
    assert_eq!(of_the_database(&without), Vec::<&str>::new());
    assert!(without.contains("larder_build_info{"), "the rest is there");

    relay.mend().await;
    while !page().await?.contains("\nlarder_database_up 1\n") {}
    assert_eq!(of_the_database(&page().await?).len(), known);
    Ok(())
}

/// What has no value, or is no more, is not on the page either.
#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_figure_that_there_is_no_more_is_gone(pool: sqlx::PgPool) -> TestResult {
    let server = Server::start(&pool).await;
    let page = async || server.get("/metrics").send().await?.text().await;
    execute(&server.store, "select larder.tick()").await;
    let before = page().await?;
    let gone = [
        "larder_last_tick_timestamp_seconds",
        "larder_lane_open{lane=\"local\"}",
        "larder_budget_projected{",
    ];
    for name in gone {
        assert!(before.contains(name), "premise: {name} in\n{before}");
    }

    for sql in [
        "update larder.last_tick set at = null",
        "update larder.lanes set removed_at = clock_timestamp() where lane = 'local'",
        "update larder.limits set removed_at = clock_timestamp() where kind = 'calendar'",
    ] {
        execute(&server.store, sql).await;
    }

    let after = page().await?;
    for name in gone {
        assert!(!after.contains(name), "{name} is in\n{after}");
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
