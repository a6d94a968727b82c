//! Groups that follow a list, as an enqueuer keeps them.

use reqwest::Method;
use serde_json::{Value, json};

use super::harness::{Server, TestResult, execute, json as body, number};

/// The list of the example is tracked by its third group, and this one follows it.
const FOLLOWS: [(&str, &str); 3] = [
    ("LARDER__TRACK__GLOBAL__RESOURCES", "[]"),
    ("LARDER__TRACK__GLOBAL__EVERY", "5m"),
    ("LARDER__TRACK__GLOBAL__FIRST", "3"),
];

fn follows() -> Vec<(&'static str, &'static str)> {
    let more = [
        ("LARDER__TRACK__GLOBAL__PROVIDER", "coinmarketcap"),
        ("LARDER__TRACK__GLOBAL__ENDPOINT", "info"),
        ("LARDER__TRACK__GLOBAL__OF", "listings_latest"),
    ];
    FOLLOWS.into_iter().chain(more).collect()
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_tick_enqueues_what_has_come_into_the_list(pool: sqlx::PgPool) -> TestResult {
    let one = Server::start_with(&pool, &follows()).await;
    let other = Server::start_with(&pool, &follows()).await;
    execute(
        &one.store,
        "insert into larder.entries (resource_key, provider, endpoint, body, call_id,
             recorded_call, requested_at, fetched_at, fresh_until)
         values ('coinmarketcap:/v3/cryptocurrency/listings/latest?limit=250', 'coinmarketcap',
                 'listings_latest', '[{\"id\": 7}, {\"id\": 8}, {\"id\": 9}, {\"id\": 10}]', 1, 1, now(), now(), now())",
    )
    .await;

    let tick = "/api/jobs/process-pending";
    let (first, second) = tokio::join!(one.post(tick, ""), other.post(tick, ""));
    let (first, second) = (body(first, 202).await, body(second, 202).await);

    let enqueued = |ticked: &Value| ticked["enqueued"].as_i64().unwrap();
    assert_eq!(enqueued(&first) + enqueued(&second), 101 + 3);
    let members = "select count(*) from larder.resources where tracked and endpoint = 'info' and item in ('7', '8', '9')";
    assert_eq!(number(&one.store, members).await, 3);
    assert_eq!(
        number(
            &one.store,
            "select count(*) from larder.resources where tracked"
        )
        .await,
        104
    );
    let page = one.shown("/api/resources?tracked=true&limit=500").await;
    let group = page["resources"]
        .as_array()
        .unwrap()
        .iter()
        .find(|it| it["endpoint"] == "info");
    assert_eq!(group.unwrap()["group"], json!("global"));
    let again = one.operator(Method::POST, tick).send().await?;
    assert_eq!(body(again, 202).await["enqueued"], 0);
    Ok(())
}
