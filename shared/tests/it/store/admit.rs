//! Admission under attack: no cap is ever passed, and nearly all of it is used.

use std::time::Duration;

use super::*;

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn due_jobs_of_one_batch_share_a_call_and_a_credit(pool: sqlx::PgPool) -> TestResult {
    let store = store_with(pool, vec![monthly(100)]).await;
    let requests: Vec<_> = (1..=250).map(|id| refresh(quote(id))).collect();
    store.enqueue(&requests).await?;

    let admission = admit(&store, "worker-a", 8).await;

    assert_eq!(admission.calls.len(), 1);
    assert_eq!(admission.calls[0].jobs.len(), 250);
    assert_eq!(admission.calls[0].reserved_credits, 1);
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_call_is_filled_with_what_is_due_soonest_at_no_cost(pool: sqlx::PgPool) -> TestResult {
    let store = Store::new(pool);
    let track: Vec<_> = (1..=300).map(|id| tracked(quote(id))).collect();
    store.sync(&[lane(vec![monthly(100)])], &track).await?;
    sqlx::query(
        "update larder.resources set next_refresh_at = now() + item::int * interval '1 minute'",
    )
    .execute(store.pool())
    .await?;
    enqueue_one(&store, refresh(quote(300))).await;

    let call = admit_one(&store).await;

    assert_eq!(call.jobs.len(), 250, "one asked for, 249 ride along");
    assert_eq!(call.reserved_credits, 1);
    let items: Vec<usize> = call
        .jobs
        .iter()
        .filter_map(|job| job.item.as_deref()?.parse().ok())
        .collect();
    assert!(items.contains(&1) && items.contains(&249) && items.contains(&300));
    assert!(!items.contains(&250), "due last, so left out");
    Ok(())
}

/// Eight workers at once, each over a connection of its own, far more work than budget.
/// Every call is a batch of its own and costs one credit, so that many admissions meet at
/// the cap.
#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn concurrent_admissions_never_pass_a_cap_and_use_it_up(pool: sqlx::PgPool) -> TestResult {
    let rolling = LimitWindow::Rolling(Duration::from_secs(60));
    let limits = vec![monthly(50), limit("minute", Unit::Requests, 60, rolling)];
    let store = store_with(pool, limits).await;
    let requests: Vec<_> = (1..=400)
        .map(|nth| {
            let mut resource = quote(nth);
            resource.batch_key = BatchKey(format!("quotes?convert={nth}&id=*"));
            refresh(resource)
        })
        .collect();
    store.enqueue(&requests).await?;

    let start = std::sync::Arc::new(tokio::sync::Barrier::new(8));
    let mut workers = tokio::task::JoinSet::new();
    for worker in 0..8 {
        let (store, start) = (store.clone(), std::sync::Arc::clone(&start));
        workers.spawn(async move {
            let mut sent = 0;
            start.wait().await;
            loop {
                let admission = admit(&store, &format!("worker-{worker}"), 1).await;
                for call in &admission.calls {
                    sent += i64::from(call.reserved_credits);
                    let record = answered(call, call.reserved_credits, "1");
                    store.record(&record).await.unwrap();
                }
                if admission.calls.is_empty() && !store.closed_lanes().await.unwrap().is_empty() {
                    return sent;
                }
            }
        });
    }
    let sent: i64 = workers.join_all().await.into_iter().sum();

    assert_eq!(sent, 50);
    let credits = number(&store, "select sum(credits) from larder.api_calls").await;
    assert_eq!(credits, 50);
    let budget = store.budget().await?;
    assert!(!budget[0].open);
    assert_eq!(budget[0].reason.as_deref(), Some("budget:month"));
    assert_eq!(budget[0].limits[0].spent, 50);
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_call_in_flight_blocks_without_closing_the_lane(pool: sqlx::PgPool) -> TestResult {
    let store = store_with(
        pool,
        vec![limit(
            "in_flight",
            Unit::Requests,
            1,
            LimitWindow::Concurrency,
        )],
    )
    .await;
    store
        .enqueue(&[refresh(single("map")), refresh(single("listing"))])
        .await?;
    let first = admit_one(&store).await;

    let second = admit(&store, "worker-b", 1).await;

    assert!(
        second.calls.is_empty() && second.busy && second.closed.is_none(),
        "{second:?}"
    );
    store
        .record(&answered(&first, first.reserved_credits, "1"))
        .await?;
    admit_one(&store).await;
    Ok(())
}

/// The lane opens when the first of the calls in the window has been over for its length.
#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_full_rolling_window_closes_the_lane_until_one_call_fits(
    pool: sqlx::PgPool,
) -> TestResult {
    let minute = LimitWindow::Rolling(Duration::from_secs(60));
    let store = store_with(pool, vec![limit("minute", Unit::Requests, 2, minute)]).await;
    store
        .enqueue(&[
            refresh(single("map")),
            refresh(single("listing")),
            refresh(quote(1)),
        ])
        .await?;
    for call in admit(&store, "worker-a", 2).await.calls {
        store
            .record(&answered(&call, call.reserved_credits, "1"))
            .await?;
    }

    let third = admit(&store, "worker-a", 1).await;

    assert_eq!(third.closed.as_deref(), Some("budget:minute"));
    let exact = number(
        &store,
        "select count(*) from larder.lanes
         where closed_until = (select min(end_at) from larder.api_calls) + interval '60.001 s'",
    )
    .await;
    assert_eq!(exact, 1);
    // Time passes: the rows move instead of the clock.
    sqlx::query("update larder.api_calls set end_at = end_at - interval '61 s', reserved_at = reserved_at - interval '61 s'")
        .execute(store.pool())
        .await?;
    sqlx::query(
        "update larder.lanes set closed_until = now() - interval '1 ms' where lane = 'coins'",
    )
    .execute(store.pool())
    .await?;
    admit_one(&store).await;
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_cheaper_call_still_fits_when_a_dear_one_does_not(pool: sqlx::PgPool) -> TestResult {
    let store = store_with(pool, vec![monthly(3)]).await;
    let mut urgent = refresh(single("listing"));
    urgent.priority = Priority::READER_WAITING;
    store.enqueue(&[refresh(quote(1))]).await?;
    let quotes = admit_one(&store).await;
    store.record(&answered(&quotes, 1, "1")).await?;
    store
        .enqueue(&[urgent, refresh(quote(2)), refresh(single("map"))])
        .await?;

    let admission = admit(&store, "worker-a", 8).await;

    let endpoints: Vec<&str> = admission
        .calls
        .iter()
        .map(|call| call.endpoint.as_str())
        .collect();
    assert_eq!(endpoints, ["quotes", "map"]);
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_job_that_costs_more_than_a_cap_fails_and_blocks_nobody(
    pool: sqlx::PgPool,
) -> TestResult {
    let store = store_with(pool, vec![monthly(2)]).await;
    let mut urgent = refresh(single("listing"));
    urgent.priority = Priority::READER_WAITING;
    let (dear, _) = enqueue_one(&store, urgent).await;
    enqueue_one(&store, refresh(quote(1))).await;

    let call = admit_one(&store).await;

    assert_eq!(call.endpoint.as_str(), "quotes");
    let job = store.job(dear).await?;
    assert_eq!(job.status, shared::model::JobStatus::Failed);
    assert!(
        job.errors[0]["error"]
            .as_str()
            .unwrap()
            .starts_with("too_expensive"),
        "{:?}",
        job.errors
    );
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_closed_lane_costs_no_write_and_no_attempt(pool: sqlx::PgPool) -> TestResult {
    let store = store_with(pool, vec![monthly(1)]).await;
    store
        .enqueue(&[refresh(single("listing")), refresh(quote(1))])
        .await?;
    let call = admit_one(&store).await;
    store.record(&answered(&call, 1, "1")).await?;
    store.enqueue(&[refresh(quote(2))]).await?;
    assert!(admit(&store, "worker-a", 1).await.closed.is_some());

    let look = store.look(&[]).await?;

    let coins = look
        .lanes
        .iter()
        .find(|lane| lane.lane.as_str() == "coins")
        .unwrap();
    assert!(coins.wait.unwrap() > Duration::from_secs(1), "{coins:?}");
    assert!(admit(&store, "worker-a", 1).await.calls.is_empty());
    assert_eq!(
        number(&store, "select sum(attempt) from larder.jobs").await,
        0
    );
    assert_eq!(
        store.tick(false).await?.closed_lanes[0].reason,
        "budget:month"
    );
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_raised_cap_opens_the_lane_at_once(pool: sqlx::PgPool) -> TestResult {
    let store = store_with(pool, vec![monthly(1)]).await;
    store.enqueue(&[refresh(quote(1))]).await?;
    let call = admit_one(&store).await;
    store.record(&answered(&call, 1, "1")).await?;
    store.enqueue(&[refresh(quote(2))]).await?;
    admit(&store, "worker-a", 1).await;
    assert!(!store.budget().await?[0].open, "premise of this test");

    store.sync(&[lane(vec![monthly(2)])], &[]).await?;

    assert!(store.budget().await?[0].open);
    admit_one(&store).await;
    Ok(())
}

/// A limit that is added in the middle of its window knows what was spent before.
#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_new_limit_counts_what_was_spent_before_it(pool: sqlx::PgPool) -> TestResult {
    let store = store_with(pool, Vec::new()).await;
    store
        .enqueue(&[refresh(quote(1)), refresh(single("listing"))])
        .await?;
    for call in admit(&store, "worker-a", 2).await.calls {
        store
            .record(&answered(&call, call.reserved_credits, "1"))
            .await?;
    }

    store.sync(&[lane(vec![monthly(5)])], &[]).await?;

    assert_eq!(store.budget().await?[0].limits[0].spent, 4);
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn observing_counts_and_never_blocks(pool: sqlx::PgPool) -> TestResult {
    let store = Store::new(pool);
    let mut observed = lane(vec![monthly(1)]);
    observed.mode = Mode::Observe;
    store.sync(&[observed], &[]).await?;
    confirm_prices(&store).await;
    store
        .enqueue(&[refresh(quote(1)), refresh(single("listing"))])
        .await?;

    let admission = admit(&store, "worker-a", 4).await;

    assert_eq!(admission.calls.len(), 2);
    assert_eq!(store.budget().await?[0].limits[0].reserved, 4);
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn an_endpoint_runs_one_call_at_a_time_until_its_price_is_confirmed(
    pool: sqlx::PgPool,
) -> TestResult {
    let store = Store::new(pool);
    store.sync(&[lane(vec![monthly(100)])], &[]).await?;
    let requests: Vec<_> = (1..=1000).map(|id| refresh(quote(id))).collect();
    store.enqueue(&requests).await?;

    let first = admit(&store, "worker-a", 4).await;

    assert_eq!(first.calls.len(), 1);
    assert!(first.busy);
    store
        .record(&answered(
            &first.calls[0],
            first.calls[0].reserved_credits,
            "1",
        ))
        .await?;
    assert_eq!(
        admit(&store, "worker-a", 4).await.calls.len(),
        1,
        "500 jobs are left, in one call"
    );
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_price_above_the_reservation_is_charged_and_learnt(pool: sqlx::PgPool) -> TestResult {
    let store = store_with(pool, vec![monthly(10)]).await;
    store.enqueue(&[refresh(quote(1))]).await?;
    let call = admit_one(&store).await;

    let recorded = store.record(&answered(&call, 4, "1")).await?;

    assert_eq!(recorded.drift, 3);
    assert_eq!(store.budget().await?[0].limits[0].spent, 4);
    store.enqueue(&[refresh(quote(2))]).await?;
    assert_eq!(admit_one(&store).await.reserved_credits, 4);
    Ok(())
}

/// After trouble one call goes first; each that goes well doubles what may start.
#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_lane_that_was_closed_for_trouble_starts_slowly(pool: sqlx::PgPool) -> TestResult {
    let store = store_with(pool, Vec::new()).await;
    let lane_name = "coins".parse()?;
    store
        .close_lane(&lane_name, "throttled:minute", None)
        .await?;
    store.open_lane(&lane_name).await?;
    let requests: Vec<_> = (1..=5000).map(|id| refresh(quote(id))).collect();
    store.enqueue(&requests).await?;

    let mut started = Vec::new();
    for _ in 0..3 {
        let admission = admit(&store, "worker-a", 8).await;
        started.push(admission.calls.len());
        for call in &admission.calls {
            store.record(&answered(call, 2, "1")).await?;
        }
    }

    assert_eq!(
        started,
        [1, 2, 7],
        "the last three jobs-batches of ten were all that was left"
    );
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn every_tenth_claim_goes_by_age_alone(pool: sqlx::PgPool) -> TestResult {
    let store = store_with(pool, Vec::new()).await;
    enqueue_one(&store, refresh(single("listing"))).await;
    let mut urgent = refresh(quote(1));
    urgent.priority = Priority::READER_WAITING;
    enqueue_one(&store, urgent).await;
    let provider = provider();
    let request = AdmitRequest {
        provider: &provider,
        worker: "worker-a",
        key_id: None,
        lease: Duration::from_secs(30),
        max_calls: 1,
        by_age: true,
    };

    let admission = store.admit(&request, &Prices).await?;

    assert_eq!(admission.calls[0].endpoint.as_str(), "listing");
    Ok(())
}
