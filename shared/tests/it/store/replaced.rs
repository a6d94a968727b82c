//! Hole 16: a database that forgot what it had committed does not spend it again.

use super::*;

async fn forget(store: &Store) {
    sqlx::query("update larder.lanes set database_id = '1/00000001' where lane = 'coins'")
        .execute(store.pool())
        .await
        .unwrap();
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn another_database_holds_the_lane_until_a_person_opens_it(pool: sqlx::PgPool) -> TestResult {
    let store = store_with(pool, vec![monthly(100)]).await;
    enqueue_one(&store, refresh(single("map"))).await;
    enqueue_one(&store, refresh(single("listing"))).await;
    let call = admit_one(&store).await;
    store.record(&answered(&call, 0, "1")).await?;
    forget(&store).await;

    let held = admit(&store, "worker-a", 1).await;

    assert_eq!(held.closed.as_deref(), Some("database_replaced"));
    let budget = store.budget().await?.remove(0);
    assert_eq!((budget.open, budget.closed_until), (false, None));
    store.open_lane(&"coins".parse()?).await?;
    assert_eq!(admit(&store, "worker-a", 1).await.calls.len(), 1);
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_provider_that_tells_its_count_is_asked_first(pool: sqlx::PgPool) -> TestResult {
    let store = Store::new(pool);
    let mut lane = lane(vec![monthly(100)]);
    lane.usage_endpoint = Some("map".parse()?);
    store.sync(&[lane], &[]).await?;
    confirm_prices(&store).await;
    enqueue_one(&store, refresh(single("listing"))).await;
    let first = admit_usage(&store, Duration::ZERO).await.unwrap();
    store.record(&answered(&first, 0, "1")).await?;
    forget(&store).await;
    let held = admit(&store, "worker-a", 1).await;
    assert_eq!(held.closed.as_deref(), Some("database_replaced"));
    assert!(
        store.budget().await?[0].closed_until.is_some(),
        "it opens by itself"
    );

    sqlx::query("update larder.lanes set closed_until = now() where lane = 'coins'")
        .execute(store.pool())
        .await?;
    assert!(admit(&store, "worker-a", 1).await.calls.is_empty());
    let asked = admit_usage(&store, Duration::from_secs(3_600))
        .await
        .unwrap();
    store.record(&answered(&asked, 0, "1")).await?;
    let month = store.budget().await?.remove(0).limits.remove(0);
    let said = LimitReport {
        resets_at: month.resets_at,
        ..report("month", 40)
    };
    assert_eq!(take(&store, &asked, said).await.unwrap().others, 40);
    assert_eq!(admit(&store, "worker-a", 1).await.calls.len(), 1);
    Ok(())
}

/// A clock that was set back does not bring back a window in which the latest calls were
/// not charged.
#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_clock_that_was_set_back_counts_from_the_latest_call_on(
    pool: sqlx::PgPool,
) -> TestResult {
    let hour = LimitWindow::Calendar {
        period: Period::Hour,
        zone: "UTC".to_owned(),
        anchor_day: 1,
        anchor_time: chrono::NaiveTime::MIN,
    };
    let store = store_with(pool, vec![limit("hour", Unit::Requests, 2, hour)]).await;
    for (nth, endpoint) in ["map", "listing"].into_iter().enumerate() {
        enqueue_one(&store, refresh(single(endpoint))).await;
        let call = admit_one(&store).await;
        store.record(&answered(&call, 0, "1")).await?;
        if nth == 0 {
            // As if it had been admitted in the next hour, and the clock was set back since.
            sqlx::query(
                "update larder.api_calls set reserved_at = reserved_at + interval '1 hour',
                                             end_at = end_at + interval '1 hour'",
            )
            .execute(store.pool())
            .await?;
        }
    }
    enqueue_one(&store, refresh(quote(1))).await;
    assert!(admit(&store, "worker-a", 1).await.calls.is_empty());
    Ok(())
}
