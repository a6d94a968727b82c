//! What processes that keep copies learn from a look, and what readers leave behind.

use super::*;

/// Refreshes an item, and answers whether that changed what its entry says.
async fn renew(store: &Store, id: usize, digest: Option<&[u8]>) -> bool {
    enqueue_one(store, refresh(quote(id))).await;
    let call = admit_one(store).await;
    let mut record = answered(&call, 1, "{}");
    record.entries[0].content_hash = digest.map(<[u8]>::to_vec);
    store.record(&record).await.unwrap().stored[0].changed
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_refresh_knows_whether_the_answer_changed(pool: sqlx::PgPool) -> TestResult {
    let store = store_with(pool, Vec::new()).await;
    let mut changed = Vec::new();
    for digest in [
        Some(&b"a"[..]),
        Some(b"a"),
        Some(b"b"),
        None,
        None,
        Some(b"b"),
    ] {
        changed.push(renew(&store, 1, digest).await);
    }
    assert_eq!(changed, [true, false, true, true, true, true]);
    let since = number(
        &store,
        "select count(*) from larder.entries where changed_at = fetched_at",
    );
    assert_eq!(since.await, 1);
    renew(&store, 1, Some(b"b")).await;
    let unchanged = number(
        &store,
        "select count(*) from larder.entries where changed_at < fetched_at",
    );
    assert_eq!(unchanged.await, 1);
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_look_misses_no_change_that_commits_after_a_later_one(pool: sqlx::PgPool) -> TestResult {
    let store = store_with(pool, Vec::new()).await;
    for id in [1, 2] {
        renew(&store, id, None).await;
    }
    let first = store.changes(None).await?;
    assert!(
        first.written.is_empty(),
        "the first look is only a position"
    );
    let touch = "update larder.entries set written_in = pg_current_xact_id(),
                        revision = nextval('larder.entry_revisions') where resource_key = $1";
    let mut slow = store.pool().begin().await?;
    sqlx::query(touch)
        .bind(quote(1).key.as_str())
        .execute(&mut *slow)
        .await?;
    sqlx::query(touch)
        .bind(quote(2).key.as_str())
        .execute(store.pool())
        .await?;

    let second = store.changes(Some(&first.next)).await?;
    slow.commit().await?;
    let third = store.changes(Some(&second.next)).await?;

    let told = |changes: &shared::store::Changes, id: usize| {
        let found = (changes.written.iter()).find(|(key, _)| *key == quote(id).key);
        found.map(|(_, revision)| *revision)
    };
    let entries = store.entries(&[quote(1).key, quote(2).key]).await?;
    let revision = |id: usize| {
        let found = (entries.iter()).find(|entry| entry.resource_key == quote(id).key);
        found.map(|entry| entry.revision)
    };
    assert_eq!(told(&second, 2), revision(2));
    // Perhaps as it was before: other databases' transactions make a look begin earlier.
    assert_ne!(told(&second, 1), revision(1));
    assert_eq!(told(&third, 1), revision(1));
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn reads_fade_with_time(pool: sqlx::PgPool) -> TestResult {
    let store = store_with(pool, Vec::new()).await;
    enqueue_one(&store, refresh(quote(1))).await;
    let noted = |count| vec![(quote(1).key, count), (quote(2).key, 1.0)];
    store.note_reads(&noted(100.0)).await?;
    sqlx::query("update larder.resources set last_read_at = last_read_at - interval '30 min'")
        .execute(store.pool())
        .await?;

    store.note_reads(&noted(1.0)).await?;

    let (recent, long): (f64, f64) =
        sqlx::query_as("select reads_recent, reads_long from larder.resources")
            .fetch_one(store.pool())
            .await?;
    assert!((recent - 37.8).abs() < 0.1, "{recent}: 100 / e + 1");
    assert!((long - 100.7).abs() < 0.1, "{long}: 100 / e^(1/336) + 1");
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_read_after_months_counts_and_so_does_one_of_a_count_that_is_none(
    pool: sqlx::PgPool,
) -> TestResult {
    let store = store_with(pool, Vec::new()).await;
    enqueue_one(&store, refresh(quote(1))).await;
    let rows = [
        ("100", "100", "400 days"),
        ("'NaN'", "'Infinity'", "1 min"),
        ("1e308", "1e16", "1 min"),
    ];
    for (recent, long, ago) in rows {
        sqlx::query(sqlx::AssertSqlSafe(format!(
            "update larder.resources set reads_recent = {recent}, reads_long = {long},
                 last_read_at = now() - interval '{ago}'"
        )))
        .execute(store.pool())
        .await?;

        store.note_reads(&[(quote(1).key, 2.0)]).await?;

        let counts: (f64, f64) =
            sqlx::query_as("select reads_recent, reads_long from larder.resources")
                .fetch_one(store.pool())
                .await?;
        assert!((counts.0 - 2.0).abs() < 1e-6, "{recent}: {counts:?}");
        assert!((counts.1 - 2.0).abs() < 1e-6, "{long}: {counts:?}");
    }
    Ok(())
}
