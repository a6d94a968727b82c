//! The roles of the database see what they are promised, and no more.

use sqlx::Connection;

use super::*;

/// Every view that users may rely on, as its rows in JSON; of the clock they leave out what moves.
const VIEWS: &[(&str, &str)] = &[
    (
        "larder.cache",
        "select coalesce(jsonb_agg(to_jsonb(v) - 'age' order by resource_key), '[]') from larder.cache v",
    ),
    (
        "larder.budget",
        "select coalesce(jsonb_agg(to_jsonb(v) order by \"limit\"), '[]') from larder.budget v",
    ),
    (
        "larder.api_calls",
        "select coalesce(jsonb_agg(to_jsonb(v) order by id), '[]') from larder.api_calls v",
    ),
    (
        "background_jobs",
        "select coalesce(jsonb_agg(to_jsonb(v) order by id), '[]') from background_jobs v",
    ),
];

/// Row level security answers with fewer rows rather than with an error: what the role sees must be
/// what the owner sees.
#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_reader_sees_all_of_every_public_view_and_no_private_table(
    pool: sqlx::PgPool,
) -> TestResult {
    let hour = LimitWindow::Rolling(Duration::from_secs(3600));
    let limits = vec![monthly(100), limit("hour", Unit::Requests, 10, hour)];
    let store = store_with(pool.clone(), limits).await;
    enqueue_one(&store, refresh(quote(1))).await;
    let call = admit_one(&store).await;
    store.record(&answered(&call, 1, "1")).await?;
    enqueue_one(&store, refresh(quote(2))).await;
    let folded = number(&store, "select larder.fold('coins')").await;
    assert_eq!(folded, 1, "premise: the call stands in the totals");
    store.make_roles().await?;

    let mut owner = pool.acquire().await?.detach();
    let mut reader = pool.acquire().await?.detach();
    sqlx::query("set role larder_reader")
        .execute(&mut reader)
        .await?;
    for (view, rows) in VIEWS {
        let all: serde_json::Value = sqlx::query_scalar(*rows).fetch_one(&mut owner).await?;
        let seen: Result<serde_json::Value, _> =
            sqlx::query_scalar(*rows).fetch_one(&mut reader).await;
        assert_ne!(all, serde_json::json!([]), "premise: {view} has rows");
        assert_eq!(seen.ok(), Some(all), "{view}");
    }
    let private = sqlx::query("select * from larder.workers").fetch_all(&mut reader);
    assert!(private.await.is_err());
    reader.close().await?;
    owner.close().await?;
    Ok(())
}

/// Only a table's owner may analyze it: the function does, and workers need not be.
#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn an_app_that_owns_nothing_has_the_tables_analyzed_that_grew(
    pool: sqlx::PgPool,
) -> TestResult {
    sqlx::raw_sql("alter table larder.jobs set (autovacuum_enabled = off)")
        .execute(&pool)
        .await?;
    let store = Store::new(pool.clone());
    store.make_roles().await?;
    let mut app = pool.acquire().await?.detach();
    sqlx::query("set role larder_app").execute(&mut app).await?;
    let analyze = "select larder.analyze_grown()";
    let analyzed: i32 = sqlx::query_scalar(analyze).fetch_one(&mut app).await?;
    assert_eq!(analyzed, 0, "nothing has grown");

    store.enqueue(&noops(6_000, 5)).await?;

    // What was written is told to everybody after a moment.
    while sqlx::query_scalar::<_, i32>(analyze)
        .fetch_one(&mut app)
        .await?
        == 0
    {
        tokio::task::yield_now().await;
    }
    let known: f32 =
        sqlx::query_scalar("select reltuples from pg_class where oid = 'larder.jobs'::regclass")
            .fetch_one(&pool)
            .await?;
    assert!(known >= 6_000.0, "{known}");
    app.close().await?;
    Ok(())
}
