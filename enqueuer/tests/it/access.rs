//! Who may call what.

use std::time::{Duration, Instant};

use reqwest::Method;

use super::harness::{READ_SECRET, SECRET, Server, TestResult, json, problem};

const PENDING: &str = "/api/jobs/process-pending";
const QUOTE: &str = "/proxy/coinmarketcap/v3/cryptocurrency/quotes/latest?id=1";

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn every_route_of_the_api_needs_a_bearer_secret(pool: sqlx::PgPool) -> TestResult {
    let server = Server::start(&pool).await;
    // Every route there is: a new one cannot be left out.
    let document = json(server.get("/openapi.json").send().await?, 200).await;
    let mut asked = Vec::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let guarded = !operation["security"].is_null();
            assert_eq!(guarded, path.starts_with("/api/"), "{method} {path}");
            if !guarded {
                continue;
            }
            let real = path.replace(['{', '}'], "");
            let method: Method = method.to_uppercase().parse()?;
            let response = server.request(method.clone(), &real).send().await?;
            let challenge = response.headers()["www-authenticate"].clone();
            assert_eq!(problem(response, 401).await.0, "unauthorized", "{path}");
            assert!(challenge.to_str()?.starts_with("Bearer"), "{path}");
            asked.push(format!("{method} {path}"));
        }
    }
    for known in ["GET /api/lanes", "POST /api/jobs/retry", "POST /api/jobs"] {
        assert!(asked.iter().any(|one| one == known), "{asked:?}");
    }
    assert_eq!(server.live_jobs().await, 0);
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn any_configured_secret_opens_and_only_as_bearer(pool: sqlx::PgPool) -> TestResult {
    let server = Server::start_with(&pool, &[("CRON_SECRET", "the-secret-of-cron")]).await;
    for right in [SECRET, "operators-secret-2", "the-secret-of-cron"] {
        let response = server.get("/api/budget").bearer_auth(right).send().await?;
        json(response, 200).await;
    }
    let in_query = server
        .get(&format!(
            "{PENDING}?secret={SECRET}&JOBS_API_SECRET={SECRET}"
        ))
        .send()
        .await?;
    problem(in_query, 401).await;
    let basic = server.get(PENDING).basic_auth("x", Some(SECRET));
    problem(basic.send().await?, 401).await;
    let in_another_header = server.get(PENDING).header("x-api-key", SECRET);
    problem(in_another_header.send().await?, 401).await;
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_trusted_proxy_says_who_asks_and_nobody_else_does(pool: sqlx::PgPool) -> TestResult {
    let allow = ("LARDER__ENQUEUER__ALLOW_FROM", r#"["203.0.113.0/24"]"#);
    let trust = ("LARDER__ENQUEUER__TRUSTED_PROXIES", r#"["127.0.0.1/32"]"#);
    let asked = async |server: &Server, forwarded: &str| {
        let request = server.operator(Method::GET, "/api/budget");
        let request = request.header("x-forwarded-for", forwarded);
        request.send().await.map(|answer| answer.status().as_u16())
    };
    let believing = Server::start_with(&pool, &[allow, trust]).await;
    assert_eq!(asked(&believing, "203.0.113.7").await?, 200);
    assert_eq!(asked(&believing, "203.0.113.7, 198.51.100.1").await?, 403);
    let doubting = Server::start_with(&pool, &[allow]).await;
    assert_eq!(asked(&doubting, "203.0.113.7").await?, 403);
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn wrong_secrets_wait_and_right_ones_from_there_do_not(pool: sqlx::PgPool) -> TestResult {
    let server = Server::start(&pool).await;
    let guess = || {
        server
            .get("/api/budget")
            .bearer_auth("a-wrong-secret-1")
            .send()
    };
    // Each of them waits at least as long as the one before: 0.1, 0.2, 0.4, 0.8 s.
    let begun = Instant::now();
    for guessed in futures::future::join_all((0..4).map(|_| guess())).await {
        assert_eq!(problem(guessed?, 401).await.0, "unauthorized");
    }
    assert!(begun.elapsed() >= Duration::from_millis(800));

    let (guessed, right) = tokio::join!(guess(), async {
        let begun = Instant::now();
        json(
            server
                .operator(Method::GET, "/api/budget")
                .send()
                .await
                .unwrap(),
            200,
        )
        .await;
        begun.elapsed()
    });

    problem(guessed?, 401).await;
    assert!(right < Duration::from_millis(1_500), "{right:?}");
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn only_listed_networks_reach_the_api(pool: sqlx::PgPool) -> TestResult {
    let list = "LARDER__ENQUEUER__ALLOW_FROM";
    let server = Server::start_with(&pool, &[(list, r#"["10.0.0.0/8"]"#)]).await;
    let refused = server.operator(Method::GET, "/api/budget").send().await?;
    assert_eq!(problem(refused, 403).await.0, "address-not-allowed");
    assert_eq!(server.get("/healthz").send().await?.status(), 200);

    let server = Server::start_with(&pool, &[(list, r#"["127.0.0.0/8"]"#)]).await;
    server.shown("/api/budget").await;
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn readers_show_their_secret_where_a_program_puts_the_key(pool: sqlx::PgPool) -> TestResult {
    let server = Server::start_with(&pool, &[("READ_API_SECRET", READ_SECRET)]).await;
    server.post("/api/jobs/process-pending", "").await;
    while let Some(call) = server.admit().await {
        server.answer(&call).await;
    }
    let in_query = format!("{QUOTE}&cmc_pro_api_key={READ_SECRET}");
    for right in [
        server.get(QUOTE).bearer_auth(READ_SECRET),
        server.get(QUOTE).header("X-CMC_PRO_API_KEY", READ_SECRET),
        server.get(&in_query),
    ] {
        let response = right.send().await?;
        let headers = response.headers().clone();
        json(response, 200).await;
        assert!(headers["cache-control"].to_str()?.starts_with("private"));
        assert_eq!(
            headers["vary"],
            "Accept-Encoding, Authorization, X-CMC_PRO_API_KEY"
        );
    }
    for wrong in [
        server.get(QUOTE),
        server.get(QUOTE).bearer_auth("wrong"),
        server.get(QUOTE).header("X-CMC_PRO_API_KEY", SECRET),
        server.get("/proxy/nobody/x"),
    ] {
        problem(wrong.send().await?, 401).await;
    }
    let stored = "select count(*) from larder.resources where resource_key ilike '%secret%'";
    assert_eq!(super::harness::number(&server.store, stored).await, 0);
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn strangers_cause_no_call_where_everybody_can_connect(pool: sqlx::PgPool) -> TestResult {
    let open = [("LARDER__ENQUEUER__LISTEN", "0.0.0.0:0")];
    let server = Server::start_with(&pool, &open).await;

    let spent = server.get("/proxy/coinmarketcap/v1/key/info").send();
    assert_eq!(problem(spent.await?, 403).await.0, "cache-only");
    let refused = server.get(QUOTE).send().await?;

    let (name, detail) = problem(refused, 403).await;
    assert_eq!(name, "cache-only");
    assert!(detail.contains("READ_API_SECRET"));
    assert_eq!(server.live_jobs().await, 0);
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn pages_of_listed_origins_read_the_cache_and_never_the_api(
    pool: sqlx::PgPool,
) -> TestResult {
    let origins = r#"["https://app.example.com"]"#;
    let server = Server::start_with(&pool, &[("LARDER__ENQUEUER__CORS_ORIGINS", origins)]).await;
    let allowed = "access-control-allow-origin";
    let ask = |method, path, origin: &'static str| {
        let request = server.request(method, path).header("origin", origin);
        request
            .header("access-control-request-method", "GET")
            .header("prefer", "wait=0")
            .send()
    };

    let preflight = ask(Method::OPTIONS, QUOTE, "https://app.example.com").await?;
    assert_eq!(preflight.status(), 200);
    assert_eq!(preflight.headers()[allowed], "https://app.example.com");
    let read = ask(Method::GET, QUOTE, "https://app.example.com").await?;
    assert_eq!(read.headers()[allowed], "https://app.example.com");
    let other = ask(Method::GET, QUOTE, "https://other.example.com").await?;
    assert!(!other.headers().contains_key(allowed));
    for method in [Method::OPTIONS, Method::GET] {
        let api = ask(method, "/api/budget", "https://app.example.com").await?;
        assert!(!api.headers().contains_key(allowed));
    }
    Ok(())
}
