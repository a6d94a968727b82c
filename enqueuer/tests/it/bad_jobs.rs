//! Bad bodies of `POST /api/jobs`: a problem that names what is wrong, and nothing stored.

use serde_json::json;

use super::bad_reads::word;
use super::harness::{Server, TestResult, json as body, problem};

const KEY: &str = "coinmarketcap:/v3/cryptocurrency/quotes/latest?id=1";

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn each_bad_job_is_refused_by_name_and_nothing_is_stored(pool: sqlx::PgPool) -> TestResult {
    let server = Server::start(&pool).await;
    let long = "x".repeat(65_536);
    let words: Vec<String> = (0..600).map(|_| word()).collect();
    let words = words.join(",");
    for (sent, status, name, detail) in [
        ("{".to_owned(), 400, "malformed-json", "EOF"),
        (String::new(), 400, "malformed-json", "EOF"),
        ("\u{feff}{}".to_owned(), 400, "malformed-json", "expected"),
        ("[".repeat(500), 400, "malformed-json", "recursion"),
        (
            r#"{"kind":"noop","priority":1e999}"#.to_owned(),
            400,
            "malformed-json",
            "range",
        ),
        ("7".to_owned(), 422, "invalid-field", "object"),
        ("{}".to_owned(), 422, "invalid-field", "kind"),
        (json!({"kind": 7}).to_string(), 422, "invalid-field", "kind"),
        (
            json!({"kind": "mine"}).to_string(),
            422,
            "unknown-kind",
            "\"mine\"",
        ),
        (
            json!({"kind": "mi\0ne"}).to_string(),
            422,
            "unknown-kind",
            "mi",
        ),
        (
            json!({"kind": "noop", "colour": 1}).to_string(),
            422,
            "invalid-field",
            "colour",
        ),
        (
            json!({"kind": "noop", "resource": KEY}).to_string(),
            422,
            "invalid-field",
            "resource",
        ),
        (
            json!({"kind": "noop", "args": []}).to_string(),
            422,
            "invalid-field",
            "args",
        ),
        (
            json!({"kind": "noop", "args": {"a": "\0"}}).to_string(),
            422,
            "invalid-field",
            "NUL",
        ),
        (
            json!({"kind": "noop", "args": {"\0": 1}}).to_string(),
            422,
            "invalid-field",
            "NUL",
        ),
        (
            json!({"kind": "noop", "args": {"a": long}}).to_string(),
            422,
            "invalid-field",
            "65536",
        ),
        (
            json!({"kind": "noop", "priority": -1}).to_string(),
            422,
            "invalid-field",
            "priority",
        ),
        (
            json!({"kind": "noop", "priority": 32768}).to_string(),
            422,
            "invalid-field",
            "priority",
        ),
        (
            json!({"kind": "noop", "priority": 1.5}).to_string(),
            422,
            "invalid-field",
            "priority",
        ),
        (
            json!({"kind": "noop", "max_attempts": 0}).to_string(),
            422,
            "invalid-field",
            "max_att",
        ),
        (
            json!({"kind": "noop", "max_attempts": 1001}).to_string(),
            422,
            "invalid-field",
            "1001",
        ),
        (
            json!({"kind": "noop", "run_at": "soon"}).to_string(),
            422,
            "invalid-field",
            "run_at",
        ),
        (
            json!({"kind": "noop", "run_at": "9999-12-31T23:59:59-01:00"}).to_string(),
            422,
            "invalid-field",
            "run_at",
        ),
        (
            json!({"kind": "noop", "run_at": "9999-12-31T23:59:60Z"}).to_string(),
            422,
            "invalid-field",
            "run_at",
        ),
        (
            json!({"kind": "refresh", "resource": format!("{KEY}&convert={words}")}).to_string(),
            422,
            "unknown-resource",
            "at most 2000 are kept",
        ),
        (
            json!({"kind": "noop", "run_at": "+10000-01-01T00:00:00Z"}).to_string(),
            422,
            "invalid-field",
            "run_at",
        ),
        (
            json!({"kind": "refresh"}).to_string(),
            422,
            "invalid-field",
            "resource",
        ),
        (
            json!({"kind": "refresh", "resource": KEY, "args": {}}).to_string(),
            422,
            "invalid-field",
            "args",
        ),
        (
            json!({"kind": "refresh", "resource": "nobody:/x"}).to_string(),
            422,
            "unknown-resource",
            "\"nobody\"",
        ),
        (
            json!({"kind": "refresh", "resource": "coinmarketcap:/v9/x"}).to_string(),
            422,
            "unknown-resource",
            "/v9/x",
        ),
        (
            json!({"kind": "refresh", "resource": format!("{KEY}&colour=red")}).to_string(),
            422,
            "unknown-resource",
            "colour",
        ),
        (
            json!({"kind": "refresh", "resource": format!("{KEY}\0")}).to_string(),
            422,
            "invalid-field",
            "NUL",
        ),
        (
            json!({"kind": "refresh", "resource": format!("{KEY},2")}).to_string(),
            422,
            "unknown-resource",
            "2 resources",
        ),
    ] {
        let shown: String = sent.chars().take(80).collect();
        let refused = problem(server.post("/api/jobs", sent).await, status).await;
        assert_eq!(refused.0, name, "{shown}: {}", refused.1);
        assert!(refused.1.contains(detail), "{shown}: {}", refused.1);
    }
    assert_eq!(server.live_jobs().await, 0);
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn one_bad_job_of_an_array_is_named_and_none_is_stored(pool: sqlx::PgPool) -> TestResult {
    let server = Server::start(&pool).await;
    let good = json!({"kind": "noop"});
    for bad in [
        json!({"kind": "mine"}),
        json!([]),
        json!({"kind": "refresh", "resource": "coinmarketcap:/v1/cryptocurrency/map?x=1"}),
    ] {
        let refused = server
            .post("/api/jobs", json!([good, good, bad, good]))
            .await;
        let refused = body(refused, 422).await;
        assert_eq!(refused["index"], 2, "{refused}");
    }
    assert_eq!(server.live_jobs().await, 0);
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn too_many_jobs_and_too_large_bodies_are_refused(pool: sqlx::PgPool) -> TestResult {
    let server = Server::start(&pool).await;
    let jobs = vec![json!({"kind": "noop"}); 10_001];
    let refused = server.post("/api/jobs", json!(jobs)).await;
    assert_eq!(problem(refused, 422).await.0, "too-many-jobs");

    let refused = server.post("/api/jobs", " ".repeat((16 << 20) + 1)).await;
    assert_eq!(problem(refused, 413).await.0, "too-large");

    assert_eq!(server.live_jobs().await, 0);
    let taken = server.post("/api/jobs", json!(jobs[1..])).await;
    assert_eq!(body(taken, 202).await.as_array().unwrap().len(), 10_000);
    Ok(())
}
