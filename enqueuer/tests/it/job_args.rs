//! `args` that no handler could use are refused when the job is asked for.

use serde_json::json;

use super::harness::{Server, TestResult, json as body, problem};

const WEBHOOKS: [(&str, &str); 4] = [
    ("LARDER__WEBHOOKS__APP__URL", "https://app.example.com/hook"),
    ("LARDER__WEBHOOKS__APP__SECRET_ENV", "APP_SECRET"),
    ("LARDER__WEBHOOKS__SHOP__URL", "http://127.0.0.1:3000"),
    ("LARDER__WEBHOOKS__SHOP__SECRET_ENV", "SHOP_SECRET"),
];

/// The enqueuer signs nothing, so it needs no secret of a webhook.
#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_webhook_is_taken_if_its_target_is_configured(pool: sqlx::PgPool) -> TestResult {
    let server = Server::start_with(&pool, &WEBHOOKS).await;
    let args = json!({"target": "app", "resources": ["coinmarketcap:/v1/x"], "data": [1]});

    let sent = json!({"kind": "webhook", "args": args});
    let job = body(server.post("/api/jobs", sent).await, 202).await;

    assert_eq!((&job["kind"], &job["args"]), (&json!("webhook"), &args));
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_webhook_that_nobody_could_send_is_refused(pool: sqlx::PgPool) -> TestResult {
    let server = Server::start_with(&pool, &WEBHOOKS).await;
    for (args, detail) in [
        (
            json!({"target": "ap", "resources": []}),
            "args: target: there is no webhook ap; there is: app, shop",
        ),
        (
            json!({"target": "https://elsewhere.example.com", "resources": []}),
            "args: target: \"https://elsewhere.example.com\" is not a name",
        ),
        (json!({}), "args: missing field `target`"),
        (
            json!({"target": "app", "resources": [1]}),
            "args: resources[0]: invalid type",
        ),
    ] {
        let sent = json!([{"kind": "noop"}, {"kind": "webhook", "args": args}]);
        let (name, said) = problem(server.post("/api/jobs", sent).await, 422).await;
        assert_eq!(name, "invalid-field");
        assert!(said.contains(detail), "{said}");
    }
    let without = problem(
        server.post("/api/jobs", json!({"kind": "webhook"})).await,
        422,
    )
    .await;
    assert!(without.1.contains("missing field"), "{}", without.1);
    assert_eq!(server.live_jobs().await, 0);
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn without_webhooks_in_the_configuration_none_is_taken(pool: sqlx::PgPool) -> TestResult {
    let server = Server::start(&pool).await;
    let sent = json!({"kind": "webhook", "args": {"target": "app", "resources": []}});
    let (_, said) = problem(server.post("/api/jobs", sent).await, 422).await;
    assert!(said.contains("the configuration has none"), "{said}");
    Ok(())
}
