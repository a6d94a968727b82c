//! What the metrics show of lanes and their jobs.

use super::*;

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn jobs_are_counted_by_what_they_wait_for(pool: sqlx::PgPool) -> TestResult {
    let store = store_with(pool, Vec::new()).await;
    assert!(store.waiting_counts().await?.is_empty());
    for id in 1..=6 {
        enqueue_one(&store, refresh(quote(id))).await;
    }
    for sql in [
        "update larder.jobs set run_at = now() - interval '100 s' where item = '1'",
        "update larder.jobs set run_at = now() + interval '1 h' where item in ('2', '3')",
        "update larder.jobs set status = 'running', attempt = 1, started_at = now(), leased_by = 'w',
             lease_token = gen_random_uuid(), leased_until = now() + interval '1 h'
         where item in ('4', '5')",
        "update larder.jobs set status = 'pending', leased_by = null, lease_token = null,
             leased_until = null, run_at = now() + interval '1 h'
         where item = '5'",
    ] {
        sqlx::query(sql).execute(store.pool()).await?;
    }

    let waiting = store.waiting_counts().await?;
    let lanes = store.lanes_now().await?;

    let [of_coins] = &waiting[..] else {
        panic!("one lane has jobs: {waiting:?}");
    };
    assert_eq!(of_coins.lane, "coins");
    assert_eq!(
        (of_coins.due, of_coins.scheduled, of_coins.retry),
        (2, 2, 1)
    );
    let [coins, local] = &lanes[..] else {
        panic!("two lanes: {lanes:?}");
    };
    assert_eq!((coins.running, local.running), (1, 0));
    assert!((100.0..160.0).contains(&coins.oldest_due_secs), "{coins:?}");
    assert_eq!((coins.open, coins.reason.as_deref()), (true, None));

    sqlx::query("update larder.lanes set closed_until = 'infinity', closed_reason = 'x' where lane = 'coins'")
        .execute(store.pool())
        .await?;
    let closed = &store.lanes_now().await?[0];
    assert_eq!((closed.open, closed.reason.as_deref()), (false, Some("x")));
    assert!(
        closed.oldest_due_secs < 1.0,
        "a closed lane's jobs are not late"
    );
    Ok(())
}
