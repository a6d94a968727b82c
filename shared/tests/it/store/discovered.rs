//! Windows whose end only the provider knows.

use super::*;

async fn store(pool: sqlx::PgPool) -> Store {
    let hour = limit("hour", Unit::Requests, 3, LimitWindow::Discovered);
    let store = store_with(pool, vec![hour]).await;
    let requests: Vec<_> = (1..=20)
        .map(|nth| {
            let mut resource = quote(nth);
            resource.batch_key = BatchKey(format!("quotes?convert={nth}&id=*"));
            refresh(resource)
        })
        .collect();
    store.enqueue(&requests).await.unwrap();
    store
}

fn reset(secs: u64) -> LimitReport {
    LimitReport {
        used: None,
        resets_in: Some(Duration::from_secs(secs)),
        ..report("hour", 0)
    }
}

async fn resets_in(store: &Store) -> Option<f64> {
    sqlx::query_scalar(
        "select extract(epoch from max(ends_at) - now())::float8 from larder.discovered_windows",
    )
    .fetch_one(store.pool())
    .await
    .unwrap()
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn one_call_goes_first_until_the_provider_has_told_its_reset(
    pool: sqlx::PgPool,
) -> TestResult {
    let store = store(pool).await;
    let first = admit(&store, "worker-a", 8).await;
    assert_eq!(first.calls.len(), 1);
    assert!(admit(&store, "worker-b", 8).await.busy);
    store.record(&answered(&first.calls[0], 1, "1")).await?;
    take(&store, &first.calls[0], reset(600)).await.unwrap();

    let then = admit(&store, "worker-a", 8).await;
    assert_eq!(then.calls.len(), 2, "three in all");
    assert!(store.budget().await?[0].limits[0].resets_at.is_some());
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_full_window_closes_the_lane_until_the_reset_and_then_starts_anew(
    pool: sqlx::PgPool,
) -> TestResult {
    let store = store(pool).await;
    let first = admit_one(&store).await;
    store.record(&answered(&first, 1, "1")).await?;
    take(&store, &first, reset(600)).await.unwrap();
    for call in admit(&store, "worker-a", 8).await.calls {
        store.record(&answered(&call, 1, "1")).await?;
    }
    let full = admit(&store, "worker-a", 8).await;
    assert_eq!(full.closed.as_deref(), Some("budget:hour"));

    // As if the reset had come, and everything with it.
    sqlx::query("update larder.lanes set closed_until = null, closed_reason = null")
        .execute(store.pool())
        .await?;
    sqlx::query("update larder.discovered_windows set ends_at = now() - interval '10 s'")
        .execute(store.pool())
        .await?;
    sqlx::query(
        "update larder.api_calls set reserved_at = reserved_at - interval '1 minute',
             end_at = end_at - interval '1 minute', needs_fold = true",
    )
    .execute(store.pool())
    .await?;
    let anew = admit(&store, "worker-a", 8).await;
    assert_eq!(anew.calls.len(), 1, "one goes first again");
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_reset_only_moves_later_and_an_older_reply_does_not_move_it(
    pool: sqlx::PgPool,
) -> TestResult {
    let store = store(pool).await;
    let first = admit_one(&store).await;
    store.record(&answered(&first, 1, "1")).await?;
    take(&store, &first, reset(600)).await.unwrap();
    let mut calls = admit(&store, "worker-a", 2).await.calls;
    let (newer, older) = (calls.pop().unwrap(), calls.pop().unwrap());
    for call in [&newer, &older] {
        store.record(&answered(call, 1, "1")).await?;
    }

    take(&store, &newer, reset(300)).await;
    assert!(resets_in(&store).await.unwrap() > 590.0, "not sooner");
    take(&store, &newer, reset(900)).await;
    assert!(
        resets_in(&store).await.unwrap() < 610.0,
        "once for each call"
    );
    take(&store, &older, reset(900)).await;
    assert!(resets_in(&store).await.unwrap() < 610.0, "an older reply");
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_reset_that_has_passed_tells_nothing_and_does_no_harm(pool: sqlx::PgPool) -> TestResult {
    let store = store(pool).await;
    let call = admit_one(&store).await;
    store.record(&answered(&call, 1, "1")).await?;
    let passed = LimitReport {
        resets_at: Some(chrono::DateTime::UNIX_EPOCH),
        counts_itself: true,
        ..report("hour", 2)
    };
    take(&store, &call, passed).await;
    assert_eq!(resets_in(&store).await, None);
    assert_eq!(admit(&store, "worker-a", 8).await.calls.len(), 1);
    Ok(())
}
