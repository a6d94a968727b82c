//! What `larder.enqueue` takes from whoever writes SQL, and what it refuses in words.

use super::*;

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn what_is_no_job_is_refused_in_words_and_nothing_is_stored(
    pool: sqlx::PgPool,
) -> TestResult {
    let store = store_with(pool, Vec::new()).await;
    for (arguments, said) in [
        ("null", "null is not a job kind"),
        ("'No Kind'", "'No Kind' is not a job kind"),
        ("''", "'' is not a job kind"),
        ("'noop', null", "args must be a JSON object"),
        ("'noop', '[]'", "args must be a JSON object"),
        (
            "'noop', jsonb_build_object('a', (select string_agg(md5(n::text), '') from generate_series(1, 32768) n))",
            "args has more than 64 KiB",
        ),
        // Postgres itself: no text of its holds one.
        (
            "'noop', '{\"a\": \"\\u0000\"}'",
            "unsupported Unicode escape sequence",
        ),
        ("'noop', run_at => '10000-01-01'", "before the year 10000"),
        ("'noop', run_at => '294276-12-31'", "before the year 10000"),
        ("'noop', run_at => '0044-03-15 BC'", "before the year 10000"),
        ("'noop', run_at => 'infinity'", "before the year 10000"),
        ("'noop', run_at => '-infinity'", "before the year 10000"),
        ("'noop', priority => -1", "priority must be 0 to 32767"),
        ("'noop', priority => 32768", "priority must be 0 to 32767"),
        ("'noop', priority => null", "priority must be 0 to 32767"),
        (
            "'noop', max_attempts => 0",
            "max_attempts must be 1 to 1000",
        ),
        (
            "'noop', max_attempts => 1001",
            "max_attempts must be 1 to 1000",
        ),
        (
            "'noop', max_attempts => null",
            "max_attempts must be 1 to 1000",
        ),
        ("'refresh'", "no resource is named in args"),
        ("'refresh', '{\"resource\": 7}'", "no resource '7'"),
        (
            "'refresh', '{\"resource\": null}'",
            "no resource is named in args",
        ),
    ] {
        let enqueue = format!("select larder.enqueue({arguments})");
        let refused = sqlx::raw_sql(sqlx::AssertSqlSafe(enqueue))
            .execute(store.pool())
            .await;
        let refused = refused.expect_err(arguments).to_string();
        assert!(refused.contains(said), "{arguments}: {refused}");
    }
    assert_eq!(number(&store, "select count(*) from larder.jobs").await, 0);
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn the_last_moment_that_is_taken_can_be_read_by_everybody(pool: sqlx::PgPool) -> TestResult {
    let store = store_with(pool, Vec::new()).await;
    for at in ["9999-12-31 23:59:59.999999 UTC", "0001-01-01 00:00:00 UTC"] {
        let id: uuid::Uuid =
            sqlx::query_scalar("select larder.enqueue('noop', run_at => $1::text::timestamptz)")
                .bind(at)
                .fetch_one(store.pool())
                .await?;
        store.job(JobId(id)).await?;
    }
    let page = store
        .jobs(&shared::store::JobFilter::default(), None, 10)
        .await?;
    assert_eq!(page.jobs.len(), 2);
    store.look(&["noop".to_owned()]).await?;
    Ok(())
}

/// Kept in a table, it takes far less room than it has letters.
#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn args_are_measured_as_people_write_them(pool: sqlx::PgPool) -> TestResult {
    let store = store_with(pool, Vec::new()).await;
    let kept = "create table kept as select jsonb_build_object('a', repeat('x', 65537)) as args";
    sqlx::query(kept).execute(store.pool()).await?;
    let enqueued = sqlx::query("select larder.enqueue('noop', args) from kept")
        .execute(store.pool())
        .await;
    let refused = enqueued.expect_err("64 KiB and more").to_string();
    assert!(refused.contains("args has more than 64 KiB"), "{refused}");
    Ok(())
}
