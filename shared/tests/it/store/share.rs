//! What planned calls leave to readers.

use shared::store::LaneLook;

use super::*;

fn reader(resource: ResourceSpec) -> JobRequest {
    JobRequest {
        class: "reader",
        priority: Priority::READER_WAITING,
        ..refresh(resource)
    }
}

fn batch_of(nth: usize) -> ResourceSpec {
    let mut resource = quote(nth);
    resource.batch_key = BatchKey(format!("quotes?convert={nth}&id=*"));
    resource
}

/// A rolling window, of which the share does not shrink with time.
async fn store(pool: sqlx::PgPool) -> Store {
    let day = LimitWindow::Rolling(Duration::from_secs(86_400));
    let store = Store::new(pool);
    let mut lane = lane(vec![limit("day", Unit::Credits, 10, day)]);
    lane.readers_share = 0.3;
    store.sync(&[lane], &[]).await.unwrap();
    confirm_prices(&store).await;
    store
}

async fn drain(store: &Store) -> usize {
    let mut calls = 0;
    loop {
        let admission = admit(store, "worker-a", 4).await;
        if admission.calls.is_empty() {
            return calls;
        }
        for call in &admission.calls {
            let cost = call.reserved_credits;
            store.record(&answered(call, cost, "1")).await.unwrap();
            calls += 1;
        }
    }
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn the_plan_leaves_the_readers_share_and_readers_may_have_all(
    pool: sqlx::PgPool,
) -> TestResult {
    let store = store(pool).await;
    let planned: Vec<_> = (1..=20).map(|nth| refresh(batch_of(nth))).collect();
    store.enqueue(&planned).await?;
    assert_eq!(drain(&store).await, 7);
    assert!(store.budget().await?[0].open, "readers may still come");

    let asked: Vec<_> = (31..=40).map(|nth| reader(batch_of(nth))).collect();
    store.enqueue(&asked).await?;
    assert_eq!(drain(&store).await, 3);
    let budget = store.budget().await?.remove(0);
    assert_eq!((budget.limits[0].spent, budget.open), (10, false));
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn what_readers_have_had_is_not_kept_a_second_time(pool: sqlx::PgPool) -> TestResult {
    let store = store(pool).await;
    let asked: Vec<_> = (31..=32).map(|nth| reader(batch_of(nth))).collect();
    store.enqueue(&asked).await?;
    assert_eq!(drain(&store).await, 2);
    assert_eq!(store.budget().await?[0].limits[0].kept, 1);
    let planned: Vec<_> = (1..=20).map(|nth| refresh(batch_of(nth))).collect();
    store.enqueue(&planned).await?;
    assert_eq!(drain(&store).await, 7);
    Ok(())
}

/// A lane whose rest is kept costs a look, like a closed one, and readers wake it.
#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn planned_jobs_wait_without_being_looked_at_and_readers_do_not(
    pool: sqlx::PgPool,
) -> TestResult {
    let store = store(pool).await;
    let planned: Vec<_> = (1..=20).map(|nth| refresh(batch_of(nth))).collect();
    store.enqueue(&planned).await?;
    drain(&store).await;
    let wait = async || {
        let lanes: Vec<LaneLook> = store.look(&[]).await.unwrap().lanes;
        lanes[0].wait.unwrap()
    };
    assert!(wait().await > Duration::from_secs(60));
    enqueue_one(&store, reader(batch_of(50))).await;
    assert_eq!(wait().await, Duration::ZERO);
    Ok(())
}

/// Nothing is left over: what is kept shrinks to nothing towards the window's end.
#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn what_is_kept_shrinks_to_nothing_towards_the_end_of_the_window(
    pool: sqlx::PgPool,
) -> TestResult {
    let store = Store::new(pool);
    let mut lane = lane(vec![monthly(1_000)]);
    lane.readers_share = 0.1;
    store.sync(&[lane], &[]).await?;
    let kept: Vec<i64> = sqlx::query_scalar(
        "select u.kept from unnest(array[
             '2026-09-01T00:01Z', '2026-09-16T00:00Z', '2026-09-30T00:00Z', '2026-09-30T23:59:59Z'
         ]::timestamptz[]) at
         cross join lateral larder.limit_usage('coins', at) u order by at",
    )
    .fetch_all(store.pool())
    .await?;
    assert_eq!(kept, [100, 50, 4, 1]);
    Ok(())
}
