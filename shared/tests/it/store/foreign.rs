//! What others spend on the same key counts as soon as the provider tells it.
//!
//! The month's window must not end within a test, so it is a rolling limit here wherever
//! that makes no difference, and a calendar one that has just begun where it does.

use super::*;

/// A month that is far from both of its ends, whatever day it is.
async fn month_far_from_its_ends(store: &Store) {
    sqlx::query(
        "update larder.limits set anchor_day = extract(day from now() - interval '10 days')
         where period = 'month'",
    )
    .execute(store.pool())
    .await
    .unwrap();
}

async fn spend(store: &Store, endpoint: &str) -> AdmittedCall {
    enqueue_one(store, refresh(single(endpoint))).await;
    let call = admit_one(store).await;
    let cost = call.reserved_credits;
    store.record(&answered(&call, cost, "1")).await.unwrap();
    call
}

async fn remaining(store: &Store) -> i64 {
    store.budget().await.unwrap()[0].limits[0].remaining
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn what_others_spent_is_added_to_ours(pool: sqlx::PgPool) -> TestResult {
    let store = store_with(pool, vec![monthly(100)]).await;
    month_far_from_its_ends(&store).await;
    spend(&store, "listing").await;

    let taken = told(&store, "month", 13).await.unwrap();

    assert_eq!((taken.others, taken.risen, taken.drift), (10, 10, Some(10)));
    assert_eq!(remaining(&store).await, 87);
    let limit = store.budget().await?.remove(0).limits.remove(0);
    assert_eq!((limit.spent, limit.foreign), (3, 10));
    assert_eq!(limit.remote.unwrap().used, Some(13));
    Ok(())
}

/// Hole 5: ours in flight may not have been counted yet. Taking the larger of both counts
/// admits 5 of a cap of 4.
#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn what_is_in_flight_is_added_to_what_the_provider_counted(pool: sqlx::PgPool) -> TestResult {
    let store = store_with(pool, vec![monthly(4)]).await;
    month_far_from_its_ends(&store).await;
    let two = [1, 2].map(|nth| {
        let mut resource = quote(nth);
        resource.batch_key = BatchKey(format!("quotes?convert={nth}&id=*"));
        refresh(resource)
    });
    store.enqueue(&two).await?;
    let admission = admit(&store, "worker-a", 2).await;
    assert_eq!(admission.calls.len(), 2);

    told(&store, "month", 2).await.unwrap();

    assert_eq!(remaining(&store).await, 0);
    enqueue_one(&store, refresh(single("listing"))).await;
    assert!(admit(&store, "worker-b", 1).await.calls.is_empty());
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_newer_report_of_the_window_replaces_the_older_one(pool: sqlx::PgPool) -> TestResult {
    let store = store_with(pool, vec![monthly(100)]).await;
    month_far_from_its_ends(&store).await;
    let older = admit_usage(&store, Duration::ZERO).await.unwrap();
    store.record(&answered(&older, 0, "1")).await?;
    enqueue_one(&store, refresh(single("listing"))).await;
    let flying = admit_one(&store).await;
    // The provider has counted it; it is still ours in flight here.
    assert_eq!(told(&store, "month", 3).await.unwrap().others, 3);
    store.record(&answered(&flying, 3, "1")).await?;

    assert_eq!(told(&store, "month", 3).await.unwrap().others, 0);
    assert_eq!(take(&store, &older, report("month", 50)).await, None);
    assert_eq!(remaining(&store).await, 97);
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_provider_that_lies_low_does_not_take_back_what_was_certain(
    pool: sqlx::PgPool,
) -> TestResult {
    let store = store_with(pool, vec![monthly(100)]).await;
    month_far_from_its_ends(&store).await;
    assert_eq!(told(&store, "month", 40).await.unwrap().others, 40);
    for lie in [0, 7, 39] {
        told(&store, "month", lie).await.unwrap();
        assert_eq!(remaining(&store).await, 60, "{lie}");
    }
    // A figure that no ledger can hold is none.
    let absurd = told(&store, "month", u64::MAX).await;
    assert_eq!(absurd.unwrap().others, 40);
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_cap_that_the_provider_tells_only_lowers_ours(pool: sqlx::PgPool) -> TestResult {
    let store = store_with(pool, vec![monthly(100)]).await;
    month_far_from_its_ends(&store).await;
    for (told, cap) in [(1_000, 100), (60, 60), (0, 60), (80, 80)] {
        let call = admit_usage(&store, Duration::ZERO).await.unwrap();
        store.record(&answered(&call, 0, "1")).await?;
        let said = LimitReport {
            cap: Some(told),
            ..report("month", 0)
        };
        take(&store, &call, said).await.unwrap();
        assert_eq!(store.budget().await?[0].limits[0].cap, cap, "{told}");
    }
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_report_near_a_boundary_is_dropped_unless_its_reset_tells_the_window(
    pool: sqlx::PgPool,
) -> TestResult {
    let store = store_with(pool, vec![monthly(100)]).await;
    month_far_from_its_ends(&store).await;
    // As if the window had begun just now.
    sqlx::query("update larder.lanes set reset_grace = interval '40 days'")
        .execute(store.pool())
        .await?;
    let call = admit_usage(&store, Duration::ZERO).await.unwrap();
    store.record(&answered(&call, 0, "1")).await?;
    assert_eq!(take(&store, &call, report("month", 9)).await, None);

    let limit = store.budget().await?.remove(0).limits.remove(0);
    let sure = LimitReport {
        resets_at: limit.resets_at,
        ..report("month", 9)
    };
    assert_eq!(take(&store, &call, sure).await.unwrap().others, 9);
    Ok(())
}

/// The provider counts UTC minutes, our limit any 60 s: its figure counts for 60 s more.
#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_figure_of_another_window_counts_as_long_as_it_may(pool: sqlx::PgPool) -> TestResult {
    let minute = LimitWindow::Rolling(Duration::from_secs(60));
    let store = store_with(pool, vec![limit("minute", Unit::Requests, 10, minute)]).await;
    sqlx::query("update larder.lanes set reset_grace = interval '0'")
        .execute(store.pool())
        .await?;
    let call = admit_usage(&store, Duration::ZERO).await.unwrap();
    store.record(&answered(&call, 0, "1")).await?;
    let said = LimitReport {
        // An hour, so that the test meets no boundary by chance; the rule is the same.
        period: Some("month"),
        ..report("minute", 8)
    };
    // The call that asks may be among what was counted; unless that is known, it is not
    // taken for ours.
    assert_eq!(take(&store, &call, said).await.unwrap().others, 8);
    assert_eq!(remaining(&store).await, 1);
    let later = "select others from larder.limit_usage('coins', now() + interval '59 s')";
    assert_eq!(number(&store, later).await, 8);
    let over = "select others from larder.limit_usage('coins', now() + interval '61 s')";
    assert_eq!(number(&store, over).await, 0);
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn all_workers_together_ask_once_in_an_interval(pool: sqlx::PgPool) -> TestResult {
    let store = store_with(pool, vec![monthly(100)]).await;
    let hour = Duration::from_secs(3_600);
    let asked = futures_of(8, || admit_usage(&store, hour)).await;
    let calls: Vec<AdmittedCall> = asked.into_iter().flatten().collect();
    assert_eq!(calls.len(), 1);
    // None while one is in flight, even when it is time.
    assert!(admit_usage(&store, Duration::ZERO).await.is_none());
    store.record(&answered(&calls[0], 0, "1")).await?;
    assert!(admit_usage(&store, hour).await.is_none());
    assert!(admit_usage(&store, Duration::ZERO).await.is_some());
    Ok(())
}

async fn futures_of<F: Future>(count: usize, make: impl Fn() -> F) -> Vec<F::Output> {
    futures::future::join_all((0..count).map(|_| make())).await
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_closed_lane_is_not_asked_about(pool: sqlx::PgPool) -> TestResult {
    let store = store_with(pool, vec![monthly(100)]).await;
    let lane = "coins".parse()?;
    store.close_lane(&lane, "by hand", None).await?;
    assert!(admit_usage(&store, Duration::ZERO).await.is_none());
    store.open_lane(&lane).await?;
    assert!(admit_usage(&store, Duration::ZERO).await.is_some());
    Ok(())
}

/// Ours that were on their way when the provider's minute began are not taken for others',
/// and not forgotten when they have left our window while they may stand in the provider's.
#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn ours_at_the_boundary_of_the_providers_window_are_ours_first_and_others_later(
    pool: sqlx::PgPool,
) -> TestResult {
    let day = LimitWindow::Rolling(Duration::from_secs(86_400));
    let store = store_with(pool, vec![limit("day", Unit::Requests, 100, day)]).await;
    spend(&store, "listing").await;
    // It ran while the month, which stands for the provider's minute here, began.
    sqlx::query(
        "update larder.api_calls set reserved_at = date_trunc('month', now(), 'UTC') - interval '1 s',
                                     end_at = date_trunc('month', now(), 'UTC') + interval '1 s'",
    )
    .execute(store.pool())
    .await?;
    sqlx::query(
        "update larder.limits set width = now() - date_trunc('month', now(), 'UTC') + interval '1 hour'",
    )
    .execute(store.pool())
    .await?;
    sqlx::query("update larder.lanes set reset_grace = interval '2 s'")
        .execute(store.pool())
        .await?;
    let call = admit_usage(&store, Duration::ZERO).await.unwrap();
    store.record(&answered(&call, 0, "1")).await?;
    let said = LimitReport {
        period: Some("month"),
        counts_itself: true,
        ..report("day", 5)
    };
    assert_eq!(take(&store, &call, said).await.unwrap().others, 3);
    let others_at = async |secs: i32| -> i64 {
        sqlx::query_scalar(
            "select others from larder.limit_usage('coins', now() + make_interval(secs => $1))",
        )
        .bind(secs)
        .fetch_one(store.pool())
        .await
        .unwrap()
    };
    assert_eq!(others_at(0).await, 3);
    assert_eq!(
        others_at(3_610).await,
        4,
        "our call has left our window by then"
    );
    Ok(())
}

/// Just after a window began, a call may still be counted in the one before, which others
/// may have filled.
#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn what_others_spent_binds_as_long_as_a_call_may_be_counted_there(
    pool: sqlx::PgPool,
) -> TestResult {
    let store = store_with(pool, vec![monthly(100)]).await;
    month_far_from_its_ends(&store).await;
    told(&store, "month", 40).await.unwrap();
    let others: Vec<i64> = sqlx::query_scalar(
        "select u.others from larder.limit_usage('coins', now()) w
         cross join lateral larder.limit_usage('coins', w.ends_at + interval '2 s') u
         order by u.starts_at",
    )
    .fetch_all(store.pool())
    .await?;
    assert_eq!(others, [40, 0]);
    Ok(())
}
