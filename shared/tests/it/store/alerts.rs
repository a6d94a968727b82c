//! An operator is told once of each level of use; a change of a cap holds at once.

use super::*;

async fn spend(store: &Store, nth: usize) -> Admission {
    let mut resource = quote(nth);
    resource.batch_key = BatchKey(format!("quotes?convert={nth}&id=*"));
    enqueue_one(store, refresh(resource)).await;
    let admission = admit(store, "worker-a", 1).await;
    for call in &admission.calls {
        store.record(&answered(call, 1, "1")).await.unwrap();
    }
    admission
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn each_level_is_told_once_for_a_window(pool: sqlx::PgPool) -> TestResult {
    let store = store_with(pool, vec![monthly(20)]).await;
    let mut told = Vec::new();
    for nth in 1..=20 {
        for usage in spend(&store, nth).await.alerts {
            told.push((nth, usage.level()));
        }
    }
    assert_eq!(told, [(10, 50), (16, 80), (19, 95), (20, 100)]);
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_soft_limit_is_told_of_and_blocks_nobody(pool: sqlx::PgPool) -> TestResult {
    let mut soft = monthly(2);
    soft.soft = true;
    let store = store_with(pool, vec![soft]).await;
    let mut levels = Vec::new();
    for nth in 1..=5 {
        let admission = spend(&store, nth).await;
        assert_eq!(admission.calls.len(), 1);
        levels.extend(admission.alerts.iter().map(shared::budget::Usage::level));
    }
    assert_eq!(levels, [50, 100]);
    let limit = store.budget().await?.remove(0).limits.remove(0);
    assert_eq!((limit.spent, limit.soft, limit.alert_level), (5, true, 100));
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn an_observed_limit_counts_and_tells_and_never_blocks(pool: sqlx::PgPool) -> TestResult {
    let store = store_with(pool, vec![monthly(2)]).await;
    let mut observed = lane(vec![monthly(2)]);
    observed.mode = Mode::Observe;
    store.sync(&[observed], &[]).await?;
    let mut alerts = 0;
    for nth in 1..=4 {
        let admission = spend(&store, nth).await;
        assert_eq!(admission.calls.len(), 1);
        alerts += admission.alerts.len();
    }
    assert_eq!(alerts, 2);
    assert_eq!(store.budget().await?[0].limits[0].spent, 4);
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_cap_below_what_is_spent_blocks_at_once_and_a_higher_one_opens_at_once(
    pool: sqlx::PgPool,
) -> TestResult {
    let store = store_with(pool, vec![monthly(10)]).await;
    for nth in 1..=5 {
        spend(&store, nth).await;
    }
    store.sync(&[lane(vec![monthly(3)])], &[]).await?;
    let blocked = spend(&store, 6).await;
    assert_eq!(blocked.closed.as_deref(), Some("budget:month"));
    assert_eq!(store.budget().await?[0].limits[0].remaining, 0);

    store.sync(&[lane(vec![monthly(6)])], &[]).await?;
    assert_eq!(admit(&store, "worker-a", 1).await.calls.len(), 1);
    Ok(())
}

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn a_limit_that_was_removed_and_comes_back_has_forgotten_nothing(
    pool: sqlx::PgPool,
) -> TestResult {
    let store = store_with(pool, vec![monthly(10)]).await;
    for nth in 1..=4 {
        spend(&store, nth).await;
    }
    store.sync(&[lane(Vec::new())], &[]).await?;
    assert!(store.budget().await?[0].limits.is_empty());
    spend(&store, 5).await;
    store.sync(&[lane(vec![monthly(10)])], &[]).await?;
    assert_eq!(store.budget().await?[0].limits[0].spent, 5);
    Ok(())
}
