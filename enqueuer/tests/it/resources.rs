//! `/api/resources` sorted and searched, and how a window filled.

use super::harness::{Server, TestResult, execute, problem};
use reqwest::Method;
use serde_json::Value;

async fn keys(server: &Server, query: &str) -> Vec<String> {
    let page = server.shown(&format!("/api/resources?{query}")).await;
    let resources = page["resources"].as_array().unwrap().iter();
    resources
        .map(|it| it["resource"].as_str().unwrap().to_owned())
        .collect()
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn resources_are_sorted_and_searched_by_the_server(pool: sqlx::PgPool) -> TestResult {
    let server = Server::start(&pool).await;
    // What has no answer yet is infinitely old.
    for sort in ["key", "age", "bound", "interval", "reads", "cost", "next"] {
        let query = format!("sort={sort}&limit=500");
        assert_eq!(keys(&server, &query).await.len(), 102, "{sort}");
    }
    server.fill().await;
    let quote = |id: u32| format!("coinmarketcap:/v3/cryptocurrency/quotes/latest?id={id}");
    execute(
        &server.store,
        "update larder.resources set fetched_at = fetched_at - interval '1 hour' where resource_key like '%?id=1027'",
    )
    .await;
    execute(
        &server.store,
        "update larder.resources set every = interval '61 seconds', max_age = interval '100 days'
         where resource_key like '%?id=52'",
    )
    .await;
    execute(
        &server.store,
        "update larder.resources set reads_recent = 90, last_read_at = clock_timestamp()
         where resource_key like '%?id=74'",
    )
    .await;
    assert_eq!(keys(&server, "sort=age&limit=1").await, [quote(1027)]);
    assert_eq!(keys(&server, "sort=bound&limit=1").await, [quote(52)]);
    assert_eq!(keys(&server, "sort=interval&limit=1").await, [quote(52)]);
    assert_eq!(keys(&server, "sort=reads&limit=1").await, [quote(74)]);
    // A credit bought 100 quotes, but only one list.
    let dearest = keys(&server, "sort=cost&limit=2").await;
    assert!(dearest[0].contains("listings"), "{dearest:?}");
    assert!(dearest[1].contains("global-metrics"), "{dearest:?}");

    let read = server.shown("/api/resources?sort=reads&limit=1").await;
    let reads = read["resources"][0]["recent_reads_per_second"].as_f64();
    assert!((0.049..=0.05).contains(&reads.unwrap()), "{read}");
    let page = server.shown("/api/resources?search=GLOBAL").await;
    let day = page["resources"][0]["credits_a_day"].as_f64();
    assert_eq!(day, Some(48.0), "{page}");

    // Everything is shown once, whatever the order.
    for sort in ["key", "next", "reads"] {
        let (mut seen, mut cursor) = (Vec::new(), Value::Null);
        loop {
            let after = cursor.as_str().map(|it| format!("&cursor={it}"));
            let query = format!("sort={sort}&limit=40{}", after.unwrap_or_default());
            let page = server.shown(&format!("/api/resources?{query}")).await;
            let keys = page["resources"].as_array().unwrap().iter();
            seen.extend(keys.map(|it| it["resource"].to_string()));
            cursor = page["next"].clone();
            if cursor.is_null() {
                break;
            }
        }
        let shown = seen.len();
        seen.sort();
        seen.dedup();
        assert_eq!((shown, seen.len()), (102, 102), "{sort}");
    }
    let refused = server.operator(Method::GET, "/api/resources?sort=colour");
    problem(refused.send().await?, 422).await;
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn history_rises_to_what_the_window_holds(pool: sqlx::PgPool) -> TestResult {
    let server = Server::start(&pool).await;
    server.fill().await;
    let path = "/api/budget/history?provider=coinmarketcap&limit";
    let month = server.shown(&format!("{path}=month")).await;
    let points = month["points"].as_array().unwrap();
    let spent: Vec<i64> = points
        .iter()
        .map(|it| it["spent"].as_i64().unwrap())
        .collect();
    assert!(spent.is_sorted(), "{spent:?}");
    assert_eq!(spent.last(), Some(&3));
    let minute = server.shown(&format!("{path}=minute")).await;
    assert_eq!(minute["starts_at"], Value::Null);
    let unknown = server.operator(Method::GET, &format!("{path}=century"));
    problem(unknown.send().await?, 404).await;
    let missing = server.operator(Method::GET, "/api/budget/history?limit=month");
    problem(missing.send().await?, 422).await;
    Ok(())
}
