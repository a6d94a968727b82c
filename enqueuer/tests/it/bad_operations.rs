//! Bad input at every route for operators: the one who sent it is told, and it is never our error.

use reqwest::Method;
use serde_json::json;

use super::bad_reads::word;
use super::harness::{Server, TestResult, json as body, number};

/// Texts that a column, a number or a moment cannot hold, as they stand in a URL.
const HOSTILE: [&str; 14] = [
    "%00",
    "a%00b",
    "%FF%FE",
    "-1",
    "0",
    "9223372036854775808",
    "1e400",
    "NaN",
    "..%2f..%2f",
    "%27;drop%20table%20larder.jobs;--",
    "%F0%9F%92%A9",
    "%E2%80%AE",
    "+262142-12-31T23:59:59Z",
    "ffffffff-ffff-ffff-ffff-ffffffffffff",
];

/// Moments outside of what Postgres keeps, and outside of four digits.
const FAR: [&str; 6] = [
    "10000-01-01T00:00:00Z",
    "+10000-01-01T00:00:00Z",
    "+262142-12-31T23:59:59Z",
    "-262142-01-01T00:00:00Z",
    "-5000-01-01T00:00:00Z",
    "0000-01-01T00:00:00Z",
];

async fn is_refused_or_handled(server: &Server, method: Method, path: &str, sent: String) {
    let request = server.operator(method.clone(), path).body(sent.clone());
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let said = response.text().await.unwrap();
    let shown: String = sent.chars().take(120).collect();
    assert!(status < 500, "{method} {path} {shown}: {status} {said}");
    let hidden = ["postgres", "sqlx", "violates"];
    assert!(
        status < 400 || !hidden.iter().any(|word| said.contains(word)),
        "{method} {path} {shown}: {said}"
    );
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn what_stands_in_a_url_is_never_our_error(pool: sqlx::PgPool) -> TestResult {
    let server = Server::start(&pool).await;
    server.post("/api/jobs", json!({"kind": "noop"})).await;
    for text in HOSTILE.iter().chain(&FAR) {
        for (method, path) in [
            (Method::GET, "/api/jobs/*"),
            (Method::POST, "/api/jobs/*/retry"),
            (Method::POST, "/api/jobs/*/cancel"),
            (Method::POST, "/api/lanes/*/open"),
            (Method::POST, "/api/lanes/*/close"),
            (Method::PUT, "/api/resources/*"),
            (Method::PUT, "/api/resources/coinmarketcap:/v1/*"),
            (Method::DELETE, "/api/resources/*"),
            (Method::GET, "/api/jobs?status=*"),
            (Method::GET, "/api/jobs?lane=*"),
            (Method::GET, "/api/jobs?kind=*"),
            (Method::GET, "/api/jobs?limit=*"),
            (Method::GET, "/api/jobs?cursor=*"),
            (Method::GET, "/api/jobs?*=1"),
            (Method::GET, "/api/calls?provider=*"),
            (Method::GET, "/api/calls?cursor=*"),
            (Method::GET, "/api/resources?provider=*"),
            (Method::GET, "/api/resources?tracked=*"),
            (Method::GET, "/api/resources?cursor=*"),
            (Method::POST, "/api/jobs/process-pending?debug=*"),
        ] {
            let path = path.replace('*', text);
            is_refused_or_handled(&server, method, &path, String::new()).await;
        }
    }
    let words: Vec<String> = (0..600).map(|_| word()).collect();
    let path = format!(
        "/api/resources/coinmarketcap:/v3/cryptocurrency/quotes/latest?id=1&convert={}",
        words.join(",")
    );
    is_refused_or_handled(&server, Method::PUT, &path, String::new()).await;
    // A cursor that was made by hand, in the form of ours.
    for last in ["\0", "-1", "99999999999999999999", "x"] {
        let cursor: String = last.bytes().map(|byte| format!("{byte:02x}")).collect();
        for list in ["jobs?", "calls?", "resources?", "resources?sort=age&"] {
            let path = format!("/api/{list}cursor={cursor}");
            is_refused_or_handled(&server, Method::GET, &path, String::new()).await;
        }
    }
    let made = "select count(*) from larder.jobs where kind <> 'refresh'";
    assert_eq!(number(&server.store, made).await, 1);
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn what_stands_in_a_body_is_never_our_error(pool: sqlx::PgPool) -> TestResult {
    let server = Server::start(&pool).await;
    let key = "/api/resources/coinmarketcap:/v1/cryptocurrency/map";
    let mut bodies = vec![
        "{".to_owned(),
        "null".to_owned(),
        "[]".to_owned(),
        "\"\\ud800\"".to_owned(),
        "[".repeat(100_000),
        "{\"all\":true,\"all\":true}".to_owned(),
        json!({"limit": -1, "all": true}).to_string(),
        json!({"limit": 4_294_967_296_u64, "all": true}).to_string(),
        json!({"lane": "\0"}).to_string(),
        json!({"kind": "a\0b"}).to_string(),
        json!({"reason": "\0"}).to_string(),
        json!({"reason": "x".repeat(1 << 20)}).to_string(),
        json!({"for": "1000000000years"}).to_string(),
        json!({"for": "18446744073709551615s"}).to_string(),
        json!({"every": "0s"}).to_string(),
        json!({"every": "-1s"}).to_string(),
        json!({"every": "1ns"}).to_string(),
        json!({"schedule": "\0 * * * *"}).to_string(),
        json!({"schedule": "* * 31 2 *"}).to_string(),
        json!({"schedule": "* * * * *", "zone": "a\0b"}).to_string(),
        json!({"weight": -1}).to_string(),
        json!({"weight": 1e308}).to_string(),
    ];
    bodies.extend(FAR.map(|at| json!({"created_before": at}).to_string()));
    for sent in bodies {
        for (method, path) in [
            (Method::POST, "/api/jobs"),
            (Method::POST, "/api/jobs/retry"),
            (Method::POST, "/api/jobs/cancel"),
            (Method::POST, "/api/lanes/coinmarketcap/close"),
            (Method::PUT, key),
        ] {
            is_refused_or_handled(&server, method, path, sent.clone()).await;
        }
    }
    Ok(())
}

/// What can be asked for in a job, at both ends of what is taken.
#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn the_last_values_that_are_taken_can_be_stored_listed_and_run(
    pool: sqlx::PgPool,
) -> TestResult {
    let server = Server::start(&pool).await;
    let args = json!({"text": "x".repeat(65_000), "deep": [[[[1e308, -0.0, "\u{fffd}"]]]]});
    let jobs = json!([
        {"kind": "noop", "run_at": "9999-12-31T23:59:59.999999Z", "priority": 0},
        {"kind": "noop", "run_at": "0001-01-01T00:00:00Z", "priority": 32_767},
        {"kind": "noop", "max_attempts": 1, "args": args},
        {"kind": "noop", "max_attempts": 1_000},
    ]);
    let taken = body(server.post("/api/jobs", &jobs).await, 202).await;
    assert_eq!(taken.as_array().unwrap().len(), 4);
    let listed = server.shown("/api/jobs").await;
    assert_eq!(listed["jobs"].as_array().unwrap().len(), 4);
    let due = server.store.look(&["noop".to_owned()]).await?;
    assert_eq!(due.lanes.len(), 1);
    let mut claimer = server.store.claimer(
        "w",
        vec!["noop".to_owned()],
        std::time::Duration::from_secs(30),
    );
    let claimed = claimer.claim(10).await?.jobs;
    assert_eq!(claimed.len(), 3);
    assert!(claimed.iter().any(|job| job.args == args));

    let too_much = json!({"kind": "noop", "args": {"text": "x".repeat(1 << 20)}});
    let refused = body(server.post("/api/jobs", &too_much).await, 422).await;
    let detail = refused["detail"].as_str().unwrap();
    assert!(detail.contains("at most 65536 are kept"), "{detail}");
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn the_same_resource_many_times_in_an_array_is_one_job(pool: sqlx::PgPool) -> TestResult {
    let server = Server::start(&pool).await;
    let spellings = [
        "coinmarketcap:/v3/cryptocurrency/quotes/latest?id=7",
        "coinmarketcap:/v3/cryptocurrency/quotes/latest?convert=USD&id=7",
        "coinmarketcap:/v3/cryptocurrency/quotes/latest?id=7&convert=USD",
    ];
    let jobs: Vec<_> = (0..300)
        .map(|nth| json!({"kind": "refresh", "resource": spellings[nth % 3]}))
        .collect();
    let answered = body(server.post("/api/jobs", json!(jobs)).await, 202).await;
    let answered = answered.as_array().unwrap();
    assert_eq!(answered.len(), 300);
    assert!(answered.iter().all(|job| job["id"] == answered[0]["id"]));
    assert_eq!(
        answered.iter().filter(|job| job["is_new"] == true).count(),
        1
    );
    assert_eq!(server.live_jobs().await, 1);
    let again = body(server.post("/api/jobs", json!(jobs)).await, 200).await;
    assert_eq!(again[0]["id"], answered[0]["id"]);
    Ok(())
}
