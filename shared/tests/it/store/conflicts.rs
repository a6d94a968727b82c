//! Transactions that lose against another one, as a deadlock's victim or under a stricter
//! isolation level: whoever asked is not told, since trying again helps.

use shared::model::LaneName;
use shared::store::JobSelection;

use super::*;
use crate::tripping::trip;

/// What operators' statements write to.
const TABLES: &[&str] = &["jobs", "finished_jobs", "lanes", "resources"];

/// The next statement that writes fails.
async fn rearm(pool: &sqlx::PgPool) {
    let rearmed = sqlx::query("select setval('tripped', 1, false)");
    rearmed.execute(pool).await.unwrap();
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn what_operators_ask_for_is_tried_again_after_a_deadlock(pool: sqlx::PgPool) -> TestResult {
    each_is_tried_again(pool, "40P01").await
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn what_operators_ask_for_is_tried_again_after_a_serialization_failure(
    pool: sqlx::PgPool,
) -> TestResult {
    each_is_tried_again(pool, "40001").await
}

async fn each_is_tried_again(pool: sqlx::PgPool, code: &str) -> TestResult {
    let store = store_with(pool, vec![monthly(100)]).await;
    let requests: Vec<JobRequest> = (1..=4).map(|id| refresh(quote(id))).collect();
    let job = store.enqueue(&requests).await?[0].job.id;
    trip(store.pool(), TABLES, "<= 1", code).await;
    store.cancel(job).await?;
    rearm(store.pool()).await;
    store.retry(job).await?;
    let all = JobSelection::default();
    rearm(store.pool()).await;
    assert_eq!(store.cancel_many(&all).await?.cancelled, 4);
    rearm(store.pool()).await;
    assert_eq!(store.retry_many(&all).await?.retried, 4);
    let lane: LaneName = "coins".parse()?;
    rearm(store.pool()).await;
    assert!(store.close_lane(&lane, "test", None).await?);
    rearm(store.pool()).await;
    assert!(store.open_lane(&lane).await?);
    rearm(store.pool()).await;
    let pace = Tracking::every(Duration::from_secs(60));
    store.track(&quote(9), &pace).await?;
    rearm(store.pool()).await;
    assert_eq!(store.tick(false).await?.enqueued, 1);
    rearm(store.pool()).await;
    assert!(store.untrack(quote(9).key.as_str()).await?);
    Ok(())
}

/// What does not pass is told.
#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn what_loses_each_time_is_told_in_the_end(pool: sqlx::PgPool) -> TestResult {
    let store = store_with(pool, vec![monthly(100)]).await;
    trip(store.pool(), TABLES, "<= 1000", "40001").await;
    let lane: LaneName = "coins".parse()?;
    let told = store.open_lane(&lane).await.expect_err("it always fails");
    assert!(told.is_conflict());
    Ok(())
}
