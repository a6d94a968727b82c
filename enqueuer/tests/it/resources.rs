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
    for sort in [
        "key",
        "next",
        "reads",
        "key&reverse=true",
        "cost&reverse=true",
    ] {
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
async fn each_order_has_another_way_round_and_what_has_no_value_stays_last(
    pool: sqlx::PgPool,
) -> TestResult {
    let server = Server::start(&pool).await;
    server.fill().await;
    // Each of the 102 has a value of its own but the last two in key order, which have none.
    execute(
        &server.store,
        "with r as (
             select resource_key, row_number() over (order by md5(resource_key)) as n,
                    row_number() over (order by resource_key desc) > 2 as has
             from larder.resources
         )
         update larder.resources set
             fetched_at = case when r.has then clock_timestamp() - n * interval '1 minute' end,
             max_age = case when r.has then interval '1 day' end,
             every = n * interval '1 minute', planned_cost = case when r.has then 1 end,
             next_refresh_at = clock_timestamp() + n * interval '1 minute',
             reads_recent = n, last_read_at = clock_timestamp()
         from r where r.resource_key = larder.resources.resource_key",
    )
    .await;
    for sort in ["key", "age", "bound", "interval", "reads", "cost", "next"] {
        let there = keys(&server, &format!("sort={sort}&limit=500")).await;
        let back = keys(&server, &format!("sort={sort}&limit=500&reverse=true")).await;
        assert_eq!((there.len(), back.len()), (102, 102), "{sort}");
        let (mut turned, mut last) = (back.clone(), Vec::new());
        // Without a bound there is no share of it.
        if sort == "bound" {
            last = turned.split_off(100);
        }
        turned.reverse();
        last.reverse();
        turned.extend(last);
        assert_eq!(there, turned, "{sort}");
    }
    let plain = keys(&server, "limit=3").await;
    assert_eq!(keys(&server, "limit=3&reverse=false").await, plain);
    let refused = server.operator(Method::GET, "/api/resources?reverse=perhaps");
    problem(refused.send().await?, 422).await;
    Ok(())
}

/// A cursor counts, or names a key, in one order; in another it would leave rows out.
#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_cursor_leads_on_in_the_order_that_it_was_made_for_only(
    pool: sqlx::PgPool,
) -> TestResult {
    let server = Server::start(&pool).await;
    let orders = [
        "sort=key",
        "sort=key&reverse=true",
        "sort=age",
        "sort=age&reverse=true",
        "sort=next",
    ];
    for made in orders {
        let page = server
            .shown(&format!("/api/resources?limit=5&{made}"))
            .await;
        let cursor = page["next"].as_str().unwrap();
        for asked in orders {
            let path = format!("/api/resources?limit=5&{asked}&cursor={cursor}");
            let answer = server.operator(Method::GET, &path).send().await?;
            match asked == made {
                true => assert_eq!(answer.status(), 200, "{made}"),
                false => assert_eq!(problem(answer, 422).await.0, "invalid-parameter"),
            }
        }
    }
    // In the form of ours, with a count that is none.
    for last in ["age:", "age:-1", "age:x", "age:4294967296", "-age", "key"] {
        let cursor: String = last.bytes().map(|byte| format!("{byte:02x}")).collect();
        let path = format!("/api/resources?sort=age&cursor={cursor}");
        let refused = server.operator(Method::GET, &path).send().await?;
        assert_eq!(problem(refused, 422).await.0, "invalid-parameter", "{last}");
    }
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
