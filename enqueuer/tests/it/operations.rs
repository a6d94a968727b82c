//! Budget, ledger, resources and lanes.

use reqwest::Method;
use serde_json::{Value, json};

use super::harness::{Server, TestResult, execute, json as body, number, problem};

const KEY: &str = "coinmarketcap:/v3/cryptocurrency/quotes/latest?id=9999";
const ENCODED: &str = "coinmarketcap%3A%2Fv3%2Fcryptocurrency%2Fquotes%2Flatest%3Fid%3D9999";

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn the_budget_and_the_ledger_show_what_calls_cost(pool: sqlx::PgPool) -> TestResult {
    let server = Server::start(&pool).await;
    server.post("/api/jobs/process-pending", "").await;
    while let Some(call) = server.admit().await {
        server.answer(&call).await;
    }

    let budget = server.shown("/api/budget").await;

    let provider = &budget["providers"][0];
    assert_eq!(provider["provider"], "coinmarketcap");
    assert_eq!(
        (
            &provider["open"],
            &provider["closed_until"],
            &provider["reason"]
        ),
        (&json!(true), &Value::Null, &Value::Null)
    );
    let limits = provider["limits"].as_array().unwrap();
    let month = limits
        .iter()
        .find(|limit| limit["name"] == "month")
        .unwrap();
    for (field, value) in [
        ("unit", json!("credits")),
        ("cap", json!(15_000)),
        ("spent", json!(3)),
        ("reserved", json!(0)),
        ("foreign", json!(0)),
        ("remaining", json!(14_997)),
    ] {
        assert_eq!(month[field], value, "{field}");
    }
    assert!(month["resets_at"].is_string() && month["projected"].is_i64());

    let page = server
        .shown("/api/calls?limit=2&provider=coinmarketcap")
        .await;
    assert_eq!(page["calls"].as_array().unwrap().len(), 2);
    assert_eq!(page["calls"][0]["credits"], 1);
    let cursor = page["next"].as_str().unwrap();
    let rest = server.shown(&format!("/api/calls?cursor={cursor}")).await;
    assert_eq!(rest["calls"].as_array().unwrap().len(), 1);
    assert!(rest["next"].is_null());
    let bad = server.operator(Method::GET, "/api/calls?cursor=41").send();
    problem(bad.await?, 422).await;
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_resource_is_tracked_and_untracked_in_either_spelling(pool: sqlx::PgPool) -> TestResult {
    let server = Server::start(&pool).await;
    for path in [ENCODED, KEY] {
        let path = format!("/api/resources/{path}");
        let put = server
            .operator(Method::PUT, &path)
            .body(r#"{"every": "90s"}"#);
        let tracked = body(put.send().await?, 200).await;
        assert_eq!(
            tracked,
            json!({"resource": KEY, "tracked": true, "every_secs": 90.0, "schedule": null})
        );
        let listed = server.shown("/api/resources?tracked=true&limit=500").await;
        let listed = listed["resources"].as_array().unwrap();
        assert_eq!(listed.len(), 103);
        let own = listed.iter().find(|one| one["resource"] == KEY).unwrap();
        assert_eq!(
            (&own["origin"], &own["every_secs"]),
            (&json!("api"), &json!(90.0))
        );

        let gone = server.operator(Method::DELETE, &path).send().await?;
        assert_eq!(gone.status(), 204);
        let again = server.operator(Method::DELETE, &path).send().await?;
        assert_eq!(problem(again, 404).await.0, "not-tracked");
    }
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn what_cannot_be_tracked_is_refused_by_name(pool: sqlx::PgPool) -> TestResult {
    let server = Server::start(&pool).await;
    for (key, sent, status, name) in [
        ("nobody:%2Fx", "", 422, "unknown-resource"),
        ("coinmarketcap:%2Fv9", "", 422, "unknown-resource"),
        (
            "coinmarketcap%3A%2Fv1%2Fkey%2Finfo",
            "",
            422,
            "unknown-resource",
        ),
        ("a%00b", "", 422, "unknown-resource"),
        ("%ff", "", 422, "unknown-resource"),
        (ENCODED, "{", 400, "malformed-json"),
        (ENCODED, r#"{"every": 5}"#, 422, "invalid-field"),
        (ENCODED, r#"{"every": "0s"}"#, 422, "invalid-field"),
        (ENCODED, r#"{"every": "9999999y"}"#, 422, "invalid-field"),
        (ENCODED, r#"{"colour": "red"}"#, 422, "invalid-field"),
    ] {
        let put = server.operator(Method::PUT, &format!("/api/resources/{key}"));
        let refused = put.body(sent).send().await?;
        assert_eq!(problem(refused, status).await.0, name, "{key} {sent}");
    }
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn resources_are_listed_a_page_at_a_time(pool: sqlx::PgPool) -> TestResult {
    let server = Server::start(&pool).await;
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = server
            .shown(&format!(
                "/api/resources?limit=60&provider=coinmarketcap&cursor={cursor}"
            ))
            .await;
        for resource in page["resources"].as_array().unwrap() {
            seen.push(resource["resource"].as_str().unwrap().to_owned());
        }
        match page["next"].as_str() {
            Some(next) => next.clone_into(&mut cursor),
            None => break,
        }
    }
    assert_eq!(seen.len(), 102);
    assert!(seen.is_sorted());
    let bad = server.operator(Method::GET, "/api/resources?tracked=perhaps");
    problem(bad.send().await?, 422).await;
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn lanes_are_closed_and_opened_by_hand(pool: sqlx::PgPool) -> TestResult {
    let server = Server::start(&pool).await;
    let post =
        async |what: &str, sent: &str| server.post(&format!("/api/lanes/{what}"), sent).await;

    let closed = body(post("coinmarketcap/close", r#"{"for": "1h"}"#).await, 200).await;
    assert_eq!(closed, json!({"lane": "coinmarketcap", "open": false}));
    let provider = &server.shown("/api/budget").await["providers"][0];
    assert_eq!(
        (&provider["open"], &provider["reason"]),
        (&json!(false), &json!("operator"))
    );
    assert!(provider["closed_until"].is_string());
    let opened = body(post("coinmarketcap/open", "").await, 200).await;
    assert_eq!(opened, json!({"lane": "coinmarketcap", "open": true}));
    assert_eq!(
        server.shown("/api/budget").await["providers"][0]["open"],
        true
    );

    for what in ["nobody/open", "nobody/close", "No%00body/open"] {
        assert_eq!(problem(post(what, "").await, 404).await.0, "no-such-lane");
    }
    for bad in [
        r#"{"for": "x"}"#,
        r#"{"reason": 7}"#,
        r#"{"why": 1}"#,
        r#"{"reason": "\u0000"}"#,
    ] {
        let refused = post("coinmarketcap/close", bad).await;
        assert_eq!(problem(refused, 422).await.0, "invalid-field", "{bad}");
    }
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn every_lane_is_listed_with_whether_until_when_and_why(pool: sqlx::PgPool) -> TestResult {
    let server = Server::start(&pool).await;
    let open =
        |lane: &str| json!({"lane": lane, "open": true, "closed_until": null, "reason": null});
    let both = json!({"lanes": [open("coinmarketcap"), open("local")]});
    assert_eq!(server.shown("/api/lanes").await, both);

    let closing = json!({"reason": "<b>moving</b>", "for": "1h"});
    let closed = server.post("/api/lanes/local/close", closing).await;
    body(closed, 200).await;
    let closed = server.post("/api/lanes/coinmarketcap/close", "").await;
    body(closed, 200).await;

    let shown = server.shown("/api/lanes").await;
    let until = shown["lanes"][1]["closed_until"].as_str().unwrap();
    let until = chrono::DateTime::parse_from_rfc3339(until)?.timestamp();
    let now = "select floor(extract(epoch from clock_timestamp()))::bigint";
    let left = until - number(&server.store, now).await;
    assert!((3_500..=3_600).contains(&left), "{left}: {shown}");
    let closed = |lane: &str, until: &Value, reason: &str| json!({"lane": lane, "open": false, "closed_until": until, "reason": reason});
    let said = json!({"lanes": [
        closed("coinmarketcap", &Value::Null, "operator"),
        closed("local", &shown["lanes"][1]["closed_until"], "<b>moving</b>"),
    ]});
    assert_eq!(shown, said);

    // A closing whose time is over is none.
    execute(
        &server.store,
        "update larder.lanes set closed_until = clock_timestamp() - interval '1 second' where lane = 'local'",
    )
    .await;
    let opened = server.post("/api/lanes/coinmarketcap/open", "").await;
    body(opened, 200).await;
    assert_eq!(server.shown("/api/lanes").await, both);
    Ok(())
}
