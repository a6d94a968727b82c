//! Jobs retried and cancelled by filter.

use serde_json::json;
use shared::store::JobVerdict;

use super::harness::{Server, TestResult, json as body, problem};

fn refresh(id: u32) -> serde_json::Value {
    json!({
        "kind": "refresh",
        "resource": format!("coinmarketcap:/v3/cryptocurrency/quotes/latest?id={id}"),
    })
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn all_jobs_that_fit_are_cancelled_or_asked_to_stop_and_retried(
    pool: sqlx::PgPool,
) -> TestResult {
    let server = Server::start_untracked(&pool, &[]).await;
    body(
        server
            .post("/api/jobs", json!([refresh(1), refresh(2)]))
            .await,
        202,
    )
    .await;
    let call = server.admit().await.unwrap();
    let wanted = json!([refresh(3), refresh(4), {"kind": "noop"}]);
    body(server.post("/api/jobs", wanted).await, 202).await;

    let lane = json!({"lane": "coinmarketcap", "kind": "refresh"});
    let cancelled = body(server.post("/api/jobs/cancel", &lane).await, 200).await;

    let expected = json!({"matched": 4, "cancelled": 2, "cancel_requested": 2, "next": null});
    assert_eq!(cancelled, expected);
    let failed = JobVerdict::Fail {
        error: "cut off".to_owned(),
    };
    server.record(&call, &failed, |_| false).await;
    assert_eq!(
        server.live_jobs().await,
        1,
        "the handler's job is left alone"
    );
    // One of the resources is asked for again in the meantime.
    body(server.post("/api/jobs", refresh(4)).await, 202).await;

    let first =
        json!({"status": "cancelled", "limit": 1, "created_before": "2999-01-01T00:00:00Z"});
    let one = body(server.post("/api/jobs/retry", first).await, 200).await;
    let all = json!({"all": true, "limit": 9, "cursor": one["next"]});
    let behind = body(server.post("/api/jobs/retry", all).await, 200).await;
    let rest = body(
        server.post("/api/jobs/retry", json!({"all": true})).await,
        200,
    )
    .await;

    assert_eq!(one["matched"], 1);
    assert_eq!(behind["next"], json!(null));
    let sum = |name: &str| {
        [&one, &behind, &rest]
            .map(|it| it[name].as_u64().unwrap())
            .iter()
            .sum::<u64>()
    };
    assert_eq!(sum("retried"), 3);
    assert_eq!(rest["already_waiting"], 1);
    assert_eq!(server.live_jobs().await, 5);
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_filter_that_picks_nothing_is_refused(pool: sqlx::PgPool) -> TestResult {
    let server = Server::start_untracked(&pool, &[]).await;
    body(server.post("/api/jobs", json!([refresh(1)])).await, 202).await;
    let cases = [
        ("", "{\"all\":true}"),
        ("{}", "{\"all\":true}"),
        (r#"{"all": false}"#, "{\"all\":true}"),
        (r#"{"limit": 5}"#, "{\"all\":true}"),
        (r#"{"all": true, "lane": "local"}"#, "stand alone"),
        (r#"{"lanes": "local"}"#, "lanes"),
        (r#"{"status": "late"}"#, "late"),
        (r#"{"status": "completed"}"#, "must be"),
        (r#"{"lane": "a\u0000"}"#, "NUL"),
        (r#"{"lane": "local", "limit": 0}"#, "limit"),
        (r#"{"lane": "local", "limit": -1}"#, "limit"),
        (r#"{"limit": 5, "cursor": "41"}"#, "{\"all\":true}"),
        (r#"{"lane": "local", "cursor": "41"}"#, "cursor"),
        (r#"{"lane": "local", "cursor": "zz"}"#, "cursor"),
        (r#"{"lane": "local", "cursor": ""}"#, "cursor"),
        (r#"{"lane": "local", "cursor": 41}"#, "cursor"),
        (r#"{"created_before": "soon"}"#, "created_before"),
        (r#"[{"all": true}]"#, "must be an object"),
        ("[true]", "must be an object"),
    ];
    for path in ["/api/jobs/retry", "/api/jobs/cancel"] {
        for (wrong, says) in cases {
            let (kind, detail) = problem(server.post(path, wrong).await, 422).await;
            assert_eq!(kind, "invalid-field", "{wrong}");
            assert!(detail.contains(says), "{wrong}: {detail}");
        }
        let (kind, _) = problem(server.post(path, "{").await, 400).await;
        assert_eq!(kind, "malformed-json");
    }
    let unknown = server
        .client
        .post(format!("{}/api/jobs/cancel", server.base));
    problem(unknown.body(r#"{"all": true}"#).send().await?, 401).await;
    assert_eq!(server.live_jobs().await, 1);
    Ok(())
}
