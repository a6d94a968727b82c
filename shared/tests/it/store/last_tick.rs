//! When the last tick was stands in the database, whoever ticked.

use shared::model::Wanted;

use super::*;

const OLD: &str = "update larder.last_tick set at = clock_timestamp() - interval '1 hour'";
const AGO: &str = "select extract(epoch from clock_timestamp() - at)::bigint from larder.last_tick";

#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn each_way_to_tick_is_the_last_tick(pool: sqlx::PgPool) -> TestResult {
    let store = store_with(pool, Vec::new()).await;
    assert_eq!(store.pulse().await?.ticked_at, None, "nobody has yet");

    sqlx::query("select larder.tick()")
        .execute(store.pool())
        .await?;
    assert!(number(&store, AGO).await < 60, "in SQL, as pg_cron does");

    sqlx::query(OLD).execute(store.pool()).await?;
    assert!(number(&store, AGO).await > 3000, "premise");
    store.tick(false).await?;
    assert!(number(&store, AGO).await < 60, "by a command or a call");

    sqlx::query(OLD).execute(store.pool()).await?;
    store.timers_tick(&Wanted::named(&[])).await?;
    assert!(number(&store, AGO).await < 60, "by a timer");
    let told = store.pulse().await?.ticked_at;
    let exact = "select extract(epoch from at)::bigint from larder.last_tick";
    #[expect(clippy::cast_possible_truncation, reason = "seconds")]
    let told = told.map(|at| at.round() as i64);
    let exact = number(&store, exact).await;
    assert!(told.is_some_and(|told| (told - exact).abs() <= 1));
    Ok(())
}

/// An idle system writes little, and a tick inside somebody's long transaction keeps no other
/// one waiting.
#[sqlx::test(migrator = "shared::store::MIGRATOR")]
async fn it_is_written_seldom_and_never_waited_for(pool: sqlx::PgPool) -> TestResult {
    let store = store_with(pool, Vec::new()).await;
    store.tick(false).await?;
    let version = "select xmin::text::bigint from larder.last_tick";
    let first = number(&store, version).await;
    store.tick(false).await?;
    assert_eq!(number(&store, version).await, first, "within ten seconds");

    sqlx::query(OLD).execute(store.pool()).await?;
    let mut long = store.pool().begin().await?;
    sqlx::query("select larder.tick()")
        .execute(&mut *long)
        .await?;
    let other = tokio::time::timeout(Duration::from_secs(5), store.tick(false)).await;
    assert!(other.is_ok_and(|ticked| ticked.is_ok()), "it waited");
    assert!(number(&store, AGO).await > 3000, "not committed yet");
    long.commit().await?;
    assert!(number(&store, AGO).await < 60);
    Ok(())
}
